#include "ops/box.h"

#include <string.h>

/* Elements below which starting threads costs more than they save. */
enum { PARALLEL_ELEMENTS = 1 << 16 };

void box_add(box *self, int64_t dim, int64_t from, int64_t to)
{
    self->dims[self->rank] = dim;
    self->from[self->rank] = from;
    self->to[self->rank++] = to;
}

void shape_strides(const shape *dims, int64_t *strides)
{
    int64_t step = 1;
    for (int a = dims->rank - 1; a >= 0; a--) {
        strides[a] = step;
        step *= dims->dims[a];
    }
}

/* The same box without axes of size 1 and with neighbours joined where both sides allow it; it has at
 * least one axis. */
static box joined(const box *self)
{
    box result = {.rank = 0};
    for (int a = 0; a < self->rank; a++) {
        int last = result.rank - 1;
        if (self->dims[a] == 1) continue;
        if (last >= 0 && result.from[last] == self->from[a] * self->dims[a] &&
            result.to[last] == self->to[a] * self->dims[a]) {
            result.dims[last] *= self->dims[a];
            result.from[last] = self->from[a];
            result.to[last] = self->to[a];
        } else {
            box_add(&result, self->dims[a], self->from[a], self->to[a]);
        }
    }
    if (result.rank == 0) box_add(&result, 1, 1, 1);
    return result;
}

#define ROW_KERNEL(name, type)                                                                     \
    static void name(const void *source, int64_t from, void *target, int64_t to, int64_t n)        \
    {                                                                                              \
        const type *in = source;                                                                   \
        type *out = target;                                                                        \
        if (to == 1)                                                                               \
            for (int64_t i = 0; i < n; i++) out[i] = in[i * from];                                 \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++) out[i * to] = in[i * from];                            \
    }

ROW_KERNEL(row_4, uint32_t)
ROW_KERNEL(row_8, uint64_t)

/* Rows [first, last) of the box: a row is a run along its last axis. */
static void copy_rows(const box *self, const unsigned char *source, unsigned char *target,
                      size_t size, int64_t first, int64_t last)
{
    const int inner = self->rank - 1;
    const int64_t n = self->dims[inner], step_in = self->from[inner], step_out = self->to[inner];
    int64_t position[BOX_MAX_RANK], rest = first, from = 0, to = 0;
    for (int a = inner - 1; a >= 0; a--) {
        position[a] = rest % self->dims[a];
        rest /= self->dims[a];
        from += position[a] * self->from[a];
        to += position[a] * self->to[a];
    }
    for (int64_t row = first; row < last; row++) {
        /* Steps may be negative, so that offsets are taken as signed. */
        const unsigned char *in = source + from * (int64_t)size;
        unsigned char *out = target + to * (int64_t)size;
        if (step_in == 1 && step_out == 1)
            memcpy(out, in, (size_t)n * size);
        else if (size == 4)
            row_4(in, step_in, out, step_out, n);
        else
            row_8(in, step_in, out, step_out, n);
        for (int a = inner - 1; a >= 0; a--) {
            from += self->from[a];
            to += self->to[a];
            if (++position[a] < self->dims[a]) break;
            from -= self->from[a] * self->dims[a];
            to -= self->to[a] * self->dims[a];
            position[a] = 0;
        }
    }
}

void box_copy(const box *self, const void *source, void *target, size_t size, int threads)
{
    const box all = joined(self);
    int64_t rows = 1;
    for (int a = 0; a < all.rank; a++)
        if (all.dims[a] == 0) return;
    for (int a = 0; a < all.rank - 1; a++) rows *= all.dims[a];
    const int64_t n = rows * all.dims[all.rank - 1];
    int parts = n > PARALLEL_ELEMENTS && threads > 1 ? threads : 1;
    if (parts > rows) parts = (int)rows;
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static)
    for (int part = 0; part < parts; part++)
        copy_rows(&all, source, target, size, rows * part / parts, rows * (part + 1) / parts);
}
