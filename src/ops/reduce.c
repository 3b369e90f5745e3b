#include "ops/reduce.h"

#include <math.h>
#include <string.h>

#include "graph/convert.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

static bool keeps_dims(const op_node *at)
{
    return node_attr_int(at->node, "keepdims", 1) != 0;
}

/* Bit a: axis a is reduced. No axes: all of them, or none where the node says
 * noop_with_empty_axes. */
static coset_status find_mask(const op_node *at, const axes_list *axes, int rank,
                              unsigned *mask_out)
{
    if (axes->n == 0) {
        bool none = node_attr_int(at->node, "noop_with_empty_axes", 0) != 0;
        *mask_out = none ? 0 : (1U << rank) - 1;
        return COSET_OK;
    }
    return axes_mask(at, axes, rank, mask_out);
}

static bool is_order(const reduction *rule)
{
    return rule->kind == REDUCE_MAX || rule->kind == REDUCE_MIN;
}

coset_status reduce_infer(op_infer *call, const reduction *rule)
{
    const shape *in = &call->in[0].shape;
    bool keep = keeps_dims(&call->at);
    shape result = {.rank = 0};
    axes_list axes;
    unsigned mask = 0;
    coset_status status =
        infer_takes(call, 0, is_order(rule) ? TAKES_NUMBER | TAKES_BOOL : TAKES_NUMBER);
    if (status == COSET_OK) status = axes_infer(call, rule->axes_are_input, &axes);
    if (status != COSET_OK) return status;
    call->out[0].dtype = call->in[0].dtype;
    if (in->rank < 0) return COSET_OK;
    if (!axes.known) {
        if (!keep) return COSET_OK;
        call->out[0].shape.rank = in->rank;
        for (int a = 0; a < in->rank; a++) call->out[0].shape.dims[a] = -1;
        return COSET_OK;
    }
    status = find_mask(&call->at, &axes, in->rank, &mask);
    if (status != COSET_OK) return status;
    for (int a = 0; a < in->rank; a++)
        if (!(mask >> a & 1))
            result.dims[result.rank++] = in->dims[a];
        else if (keep)
            result.dims[result.rank++] = 1;
    call->out[0].shape = result;
    return COSET_OK;
}

size_t reduce_scratch(const op_infer *call)
{
    const shape *out = &call->out[0].shape;
    return (size_t)shape_product(out, 0, out->rank) * sizeof(double);
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* Takes n elements into sums[0] (joined), or element i into sums[i].
 *   shift  of REDUCE_LOG_SUM_EXP: what is taken from the exponent, [1] or [n] */
typedef void (*row_kernel)(const void *x, int64_t n, bool joined, void *sums, const float *shift);

enum { LANES = 8 };

/* sums = both(sums, one(v)); a joined row is taken in lanes so that it vectorises. */
#define ROW_KERNEL(name, type, sum, start, one, both)                                              \
    static void name(const void *x_, int64_t n, bool joined, void *sums_, const float *shift)      \
    {                                                                                              \
        const type *restrict x = x_;                                                               \
        sum *restrict sums = sums_, lanes[LANES];                                                  \
        (void)shift;                                                                               \
        if (!joined) {                                                                             \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const sum v = (sum)x[i], a = sums[i], b = one;                                     \
                sums[i] = both;                                                                    \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int l = 0; l < LANES; l++) lanes[l] = l == 0 ? sums[0] : (start);                     \
        for (int64_t i = 0; i + LANES <= n; i += LANES)                                            \
            for (int l = 0; l < LANES; l++) {                                                      \
                const sum v = (sum)x[i + l], a = lanes[l], b = one;                                \
                lanes[l] = both;                                                                   \
            }                                                                                      \
        for (int64_t i = n / LANES * LANES; i < n; i++) {                                          \
            const sum v = (sum)x[i], a = lanes[0], b = one;                                        \
            lanes[0] = both;                                                                       \
        }                                                                                          \
        for (int l = 1; l < LANES; l++) {                                                          \
            const sum a = lanes[0], b = lanes[l];                                                  \
            lanes[0] = both;                                                                       \
        }                                                                                          \
        sums[0] = lanes[0];                                                                        \
    }

#define FIRST_SIGN (UINT64_C(1) << 63)

ROW_KERNEL(add_f32, float, double, 0, v, a + b)
ROW_KERNEL(add_i64, int64_t, uint64_t, 0, v, a + b)
ROW_KERNEL(add_size_f32, float, double, 0, fabs(v), a + b)
ROW_KERNEL(add_size_i64, int64_t, uint64_t, 0, v &FIRST_SIGN ? 0 - v : v, a + b)
ROW_KERNEL(add_square_f32, float, double, 0, v *v, a + b)
ROW_KERNEL(add_square_i64, int64_t, uint64_t, 0, v *v, a + b)
ROW_KERNEL(multiply_f32, float, double, 1, v, a *b)
ROW_KERNEL(multiply_i64, int64_t, uint64_t, 1, v, a *b)
/* The one that is NaN stays: comparisons with it are false. Both are made always: that vectorises. */
ROW_KERNEL(max_f32, float, double, -(double)INFINITY, v, ((b > a) | (b != b)) ? b : a)
ROW_KERNEL(min_f32, float, double, (double)INFINITY, v, ((b < a) | (b != b)) ? b : a)
ROW_KERNEL(max_i64, int64_t, int64_t, INT64_MIN, v, b > a ? b : a)
ROW_KERNEL(min_i64, int64_t, int64_t, INT64_MAX, v, b < a ? b : a)
ROW_KERNEL(max_u64, int64_t, uint64_t, 0, v, b > a ? b : a)
ROW_KERNEL(min_u64, int64_t, uint64_t, UINT64_MAX, v, b < a ? b : a)

static void add_exp_f32(const void *x_, int64_t n, bool joined, void *sums_, const float *shift)
{
    const float *x = x_;
    double *sums = sums_;
    for (int64_t i = 0; i < n; i++) {
        const int64_t to = joined ? 0 : i;
        sums[to] += (double)expf(x[i] - shift[to]);
    }
}

typedef struct row_rule {
    row_kernel f32, i64, u64; /* NULL: as i64, or not supported */
    double start;             /* of floats */
} row_rule;

static row_rule find_rule(reduce_kind kind)
{
    switch (kind) {
    case REDUCE_L1: return (row_rule){add_size_f32, add_size_i64, add_i64, 0};
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE: return (row_rule){add_square_f32, add_square_i64, NULL, 0};
    case REDUCE_PROD: return (row_rule){multiply_f32, multiply_i64, NULL, 1};
    case REDUCE_MAX: return (row_rule){max_f32, max_i64, max_u64, -(double)INFINITY};
    case REDUCE_MIN: return (row_rule){min_f32, min_i64, min_u64, (double)INFINITY};
    case REDUCE_LOG_SUM: return (row_rule){add_f32, NULL, NULL, 0};
    case REDUCE_LOG_SUM_EXP: return (row_rule){add_exp_f32, NULL, NULL, 0};
    default: return (row_rule){add_f32, add_i64, NULL, 0};
    }
}

/* The integer that a reduction starts with: for orders the end of the type that every element passes. */
static int64_t integer_start(reduce_kind kind, coset_dtype dtype)
{
    const int bits = (int)coset_dtype_bits(dtype);
    const bool is_signed = convert_wrap(dtype, -1) < 0 && dtype != COSET_U64;
    if (kind == REDUCE_PROD) return 1;
    if (kind == REDUCE_MAX) return is_signed ? -1 - (int64_t)(UINT64_MAX >> (65 - bits)) : 0;
    if (kind != REDUCE_MIN) return 0;
    if (dtype == COSET_BOOL) return 1;
    return (int64_t)(UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0)));
}

/* ---- the walk over the input ------------------------------------------------------------------ */

/* The input as alternating runs of kept and reduced axes. */
typedef struct runs {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t stride[TENSOR_MAX_RANK]; /* in the input */
    int64_t step[TENSOR_MAX_RANK];   /* in the output; 0: reduced */
} runs;

static runs plan_runs(const shape *in, unsigned mask)
{
    runs self = {.rank = 0};
    bool before = false;
    for (int a = 0; a < in->rank; a++) {
        bool reduced = (mask >> a & 1) != 0;
        if (self.rank > 0 && reduced == before) {
            self.dims[self.rank - 1] *= in->dims[a];
            continue;
        }
        before = reduced;
        self.step[self.rank] = reduced ? 0 : 1;
        self.dims[self.rank++] = in->dims[a];
    }
    if (self.rank == 0) self = (runs){.rank = 1, .dims = {1}, .step = {1}};
    int64_t step = 1, stride = 1;
    for (int a = self.rank - 1; a >= 0; a--) {
        self.stride[a] = stride;
        stride *= self.dims[a];
        if (self.step[a] != 0) {
            self.step[a] = step;
            step *= self.dims[a];
        }
    }
    return self;
}

typedef struct reduce_job {
    row_kernel kernel;
    const runs *runs;
    const char *x;
    char *sums; /* of 8 bytes */
    const float *shift;
    size_t size; /* bytes of an element of x */
} reduce_job;

/* Reduces the part of the input whose index on axis `split` is in [first, last), in order. */
static void reduce_part(const reduce_job *job, int split, int64_t first, int64_t last)
{
    const runs *self = job->runs;
    int64_t position[TENSOR_MAX_RANK] = {0}, dims[TENSOR_MAX_RANK], n_rows = 1;
    const int inner = self->rank - 1;
    memcpy(dims, self->dims, sizeof dims);
    dims[split] = last - first;
    int64_t from = first * self->stride[split], to = first * self->step[split];
    for (int a = 0; a < inner; a++) n_rows *= dims[a];
    for (int64_t r = 0; r < n_rows; r++) {
        job->kernel(job->x + (size_t)from * job->size, dims[inner], self->step[inner] == 0,
                    job->sums + (size_t)to * sizeof(double), job->shift ? job->shift + to : NULL);
        for (int a = inner - 1; a >= 0; a--) {
            from += self->stride[a];
            to += self->step[a];
            if (++position[a] < dims[a]) break;
            from -= self->stride[a] * dims[a];
            to -= self->step[a] * dims[a];
            position[a] = 0;
        }
    }
}

/* Threads share the first kept axis: each output is made by one of them, in the same order always. */
static void reduce_all(const reduce_job *job, int64_t total, int threads)
{
    const runs *self = job->runs;
    const int split = self->step[0] == 0 && self->rank > 1 ? 1 : 0;
    if (total == 0) return; /* beside an axis of 0 the others may be anything */
    int parts = self->step[split] != 0 && total > 1 << 15 ? threads : 1;
    if (parts > self->dims[split]) parts = (int)self->dims[split];
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static)
    for (int p = 0; p < parts; p++) {
        const int64_t step = (self->dims[split] + parts - 1) / parts;
        const int64_t first = p * step;
        const int64_t last = first + step < self->dims[split] ? first + step : self->dims[split];
        if (first < last) reduce_part(job, split, first, last);
    }
}

/* ---- results ---------------------------------------------------------------------------------- */

static float finish_float(reduce_kind kind, double sum, double count, float shift)
{
    switch (kind) {
    case REDUCE_MEAN: return (float)(sum / count);
    case REDUCE_L2: return (float)sqrt(sum);
    case REDUCE_LOG_SUM: return (float)log(sum);
    case REDUCE_LOG_SUM_EXP: return (float)(log(sum) + (double)shift);
    default: return (float)sum;
    }
}

static void finish(array *y, reduce_kind kind, const void *sums, int64_t count)
{
    int64_t n = shape_product(&y->shape, 0, y->shape.rank);
    const double *floats = sums;
    const int64_t *integers = sums;
    if (dtype_is_float(y->dtype))
        for (int64_t i = 0; i < n; i++)
            y->f[i] = finish_float(kind, floats[i], (double)count, y->f[i]);
    else if (kind == REDUCE_MEAN)
        for (int64_t i = 0; i < n; i++) y->i[i] = count == 0 ? 0 : integers[i] / count;
    else if (kind == REDUCE_L2)
        for (int64_t i = 0; i < n; i++) y->i[i] = (int64_t)sqrt((double)(uint64_t)integers[i]);
    else if (n > 0)
        memcpy(y->i, integers, (size_t)n * sizeof *integers);
    array_normalise(y);
}

/* The largest element of every sum, where it is finite: what REDUCE_LOG_SUM_EXP shifts by. */
static void find_shift(const reduce_job *job, array *y, int64_t total, int threads)
{
    int64_t outputs = shape_product(&y->shape, 0, y->shape.rank);
    double *tops = (double *)(void *)job->sums;
    reduce_job tallest = *job;
    tallest.kernel = max_f32;
    for (int64_t i = 0; i < outputs; i++) tops[i] = -(double)INFINITY;
    reduce_all(&tallest, total, threads);
    for (int64_t i = 0; i < outputs; i++) {
        y->f[i] = isfinite(tops[i]) ? (float)tops[i] : 0;
        tops[i] = 0;
    }
}

coset_status reduce_forward(op_call *call, const reduction *rule)
{
    const array *x = &call->in[0];
    array *y = &call->out[0];
    const array *input = call->at.n_in > 1 ? &call->in[1] : NULL;
    unsigned mask = 0;
    coset_status status = call_same_kind(call, 1);
    axes_list axes = axes_read(&call->at, rule->axes_are_input, input);
    if (status == COSET_OK) status = find_mask(&call->at, &axes, x->shape.rank, &mask);
    if (status != COSET_OK) return status;
    /* Axes that are none: "the output tensor would be equivalent to the input tensor". */
    if (mask == 0 && x->shape.rank > 0) return copy_forward(call);
    const row_rule found = find_rule(rule->kind);
    const bool is_float = dtype_is_float(x->dtype);
    const row_kernel integers = x->dtype == COSET_U64 && found.u64 ? found.u64 : found.i64;
    runs self = plan_runs(&x->shape, mask);
    reduce_job job = {.kernel = is_float ? found.f32 : integers,
                      .runs = &self,
                      .x = x->data,
                      .sums = call->scratch,
                      .size = array_element_size(x->dtype)};
    if (job.kernel == NULL)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot compute with input 0 of type %s", coset_dtype_name(x->dtype));
    int64_t outputs = shape_product(&y->shape, 0, y->shape.rank), count = 1;
    int64_t total = shape_product(&x->shape, 0, x->shape.rank);
    for (int a = 0; a < x->shape.rank; a++)
        if (mask >> a & 1) count *= x->shape.dims[a];
    if (rule->kind == REDUCE_LOG_SUM_EXP) {
        find_shift(&job, y, total, call->threads);
        job.shift = y->f;
    }
    for (int64_t i = 0; i < outputs; i++)
        if (is_float)
            ((double *)call->scratch)[i] = found.start;
        else
            ((int64_t *)call->scratch)[i] = integer_start(rule->kind, x->dtype);
    reduce_all(&job, total, call->threads);
    finish(y, rule->kind, call->scratch, count);
    return COSET_OK;
}

coset_status reduce_labels(struct op_labels *call, const reduction *rule)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    const array *input = call->at.n_in > 1 ? call->in[1].constant : NULL;
    unsigned mask = 0;
    int rank = call->in[0].shape.rank;
    axes_list list = axes_read(&call->at, rule->axes_are_input, input);
    if (!list.known) return labels_freeze_all(call, "it is reduced over axes that are computed");
    coset_status status = find_mask(&call->at, &list, rank, &mask);
    if (status != COSET_OK) return status;
    for (int a = 0; a < rank; a++)
        if (mask >> a & 1) axes[n++] = a;
    return labels_over_axes(call, axes, n, keeps_dims(&call->at), "it is reduced over its units");
}
