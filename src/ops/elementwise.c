/* Shared machinery of elementwise operators. */
#include "ops/elementwise.h"

#include <string.h>

#include "ops/broadcast.h"

/* Elements below which starting threads costs more than they save. */
enum { PARALLEL_ELEMENTS = 1 << 15 };

/* ---- inference ------------------------------------------------------------------------------- */

static bool takes_dtype(coset_dtype dtype, unsigned takes)
{
    if (dtype == COSET_BOOL) return (takes & TAKES_BOOL) != 0;
    if (dtype_is_float(dtype)) return (takes & TAKES_FLOAT) != 0;
    if (dtype_is_integer(dtype)) return (takes & TAKES_INTEGER) != 0;
    return false;
}

static const char *takes_text(unsigned takes)
{
    switch (takes) {
    case TAKES_FLOAT: return "a floating-point type";
    case TAKES_INTEGER: return "an integer type";
    case TAKES_BOOL: return "bool";
    case TAKES_NUMBER: return "a floating-point or integer type";
    default: return "a floating-point type, an integer type or bool";
    }
}

coset_status infer_takes(const op_infer *call, int index, unsigned takes)
{
    if (index >= call->at.n_in) return COSET_OK;
    coset_dtype dtype = call->in[index].dtype;
    if (dtype == COSET_UNDEFINED || takes_dtype(dtype, takes)) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected %s for input %d, found %s", takes_text(takes), index,
                     coset_dtype_name(dtype));
}

coset_status infer_same(op_infer *call, unsigned takes)
{
    coset_status status = infer_takes(call, 0, takes);
    if (status != COSET_OK) return status;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    return COSET_OK;
}

coset_status infer_same_float(op_infer *call)
{
    return infer_same(call, TAKES_FLOAT);
}

coset_status infer_same_number(op_infer *call)
{
    return infer_same(call, TAKES_NUMBER);
}

/* One axis of a broadcast; false if the sizes do not fit. Two unknown sizes, or an unknown one with
 * 1, say nothing; an unknown one with n > 1 is n, because it can only be 1 or n. */
static bool broadcast_dim(int64_t a, int64_t b, int64_t *dim_out)
{
    if (a == b || b == 1) {
        *dim_out = a;
        return true;
    }
    if (a == 1 || a == -1) {
        *dim_out = b;
        return true;
    }
    *dim_out = a;
    return b == -1;
}

/* Broadcasts one more shape into *result; false if they do not fit. */
static bool broadcast_into(shape *result, const shape *more)
{
    if (result->rank < 0 || more->rank < 0) {
        *result = SHAPE_UNKNOWN;
        return true;
    }
    shape joined = {.rank = result->rank > more->rank ? result->rank : more->rank};
    for (int i = 1; i <= joined.rank; i++) {
        int64_t a = i <= result->rank ? result->dims[result->rank - i] : 1;
        int64_t b = i <= more->rank ? more->dims[more->rank - i] : 1;
        if (!broadcast_dim(a, b, &joined.dims[joined.rank - i])) return false;
    }
    *result = joined;
    return true;
}

coset_status shape_broadcast(const op_infer *call, int a, int b, shape *shape_out)
{
    char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
    const shape *sa = &call->in[a].shape, *sb = &call->in[b].shape;
    *shape_out = *sa;
    if (broadcast_into(shape_out, sb)) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected shapes that broadcast, found %s for input %d and %s for input %d",
                     shape_text(sa, ta, sizeof ta), a, shape_text(sb, tb, sizeof tb), b);
}

coset_status shape_broadcast_all(const op_infer *call, shape *shape_out)
{
    char joined[SHAPE_TEXT], more[SHAPE_TEXT];
    *shape_out = call->in[0].shape;
    for (int i = 1; i < call->at.n_in; i++)
        if (!broadcast_into(shape_out, &call->in[i].shape))
            return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                             "expected shapes that broadcast, found %s for input %d and %s for "
                             "those before it",
                             shape_text(&call->in[i].shape, more, sizeof more), i,
                             shape_text(shape_out, joined, sizeof joined));
    return COSET_OK;
}

coset_status infer_broadcast(op_infer *call)
{
    coset_status status = COSET_OK;
    const fact *a = &call->in[0], *b = &call->in[1];
    TRY(infer_takes(call, 0, TAKES_NUMBER));
    TRY(infer_takes(call, 1, TAKES_NUMBER));
    if (a->dtype && b->dtype && a->dtype != b->dtype) {
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "expected inputs of one type, found %s and %s",
                           coset_dtype_name(a->dtype), coset_dtype_name(b->dtype));
        goto done;
    }
    TRY(shape_broadcast(call, 0, 1, &call->out[0].shape));
    call->out[0].dtype = a->dtype ? a->dtype : b->dtype;
done:
    return status;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static int64_t array_count(const array *values)
{
    return shape_product(&values->shape, 0, values->shape.rank);
}

/* Threads for n elements. */
static int thread_count(const op_call *call, int64_t n)
{
    return n > PARALLEL_ELEMENTS && call->threads > 1 ? call->threads : 1;
}

/* Fails for element types without a compute type (strings, complex). */
static coset_status check_computable(const op_call *call, int index)
{
    coset_dtype dtype = call->in[index].dtype;
    if (array_element_size(dtype) > 0) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                     "cannot compute with input %d of type %s", index, coset_dtype_name(dtype));
}

coset_status unary_forward(op_call *call, unary_kernel f32, unary_kernel i64, const void *param)
{
    coset_status status = COSET_OK;
    TRY(check_computable(call, 0));
    const array *in = &call->in[0];
    array *out = &call->out[0];
    unary_kernel kernel = dtype_is_float(in->dtype) ? f32 : i64;
    if (!kernel) {
        status = node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                           "cannot compute with input 0 of type %s", coset_dtype_name(in->dtype));
        goto done;
    }
    const size_t in_size = array_element_size(in->dtype);
    const size_t out_size = array_element_size(out->dtype);
    const int64_t n = array_count(in);
    const int parts = thread_count(call, n);
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static)
    for (int part = 0; part < parts; part++) {
        /* Whole cache lines to each thread. */
        const int64_t step = (n / parts + 16) / 16 * 16;
        const int64_t first = part * step, last = first + step < n ? first + step : n;
        if (first < last)
            kernel((const char *)in->data + (size_t)first * in_size,
                   (char *)out->data + (size_t)first * out_size, last - first, param);
    }
    array_normalise(out);
done:
    return status;
}

typedef struct binary_job {
    binary_kernel kernel;
    const char *a, *b;
    char *y;
    size_t a_size, b_size, y_size; /* bytes of an element */
    broadcast walk;
} binary_job;

/* Elements [first, last) of the output, in runs along the inner axis. */
static bool binary_part(const binary_job *job, int64_t first, int64_t last)
{
    const broadcast *w = &job->walk;
    const int inner = w->rank - 1;
    broadcast_place place = broadcast_start(w, first, last);
    bool good = true;
    do {
        good &= job->kernel(job->a + (size_t)place.from[0] * job->a_size, w->step[0][inner],
                            job->b + (size_t)place.from[1] * job->b_size, w->step[1][inner],
                            job->y + (size_t)place.at * job->y_size, place.run);
    } while (broadcast_next(w, &place));
    return good;
}

coset_status binary_forward(op_call *call, binary_kernel kernel, const char *failure)
{
    coset_status status = COSET_OK;
    TRY(check_computable(call, 0));
    TRY(check_computable(call, 1));
    const array *a = &call->in[0], *b = &call->in[1];
    array *out = &call->out[0];
    const shape *const shapes[2] = {&a->shape, &b->shape};
    const binary_job job = {.kernel = kernel,
                            .a = a->data,
                            .b = b->data,
                            .y = out->data,
                            .a_size = array_element_size(a->dtype),
                            .b_size = array_element_size(b->dtype),
                            .y_size = array_element_size(out->dtype),
                            .walk = broadcast_make(&out->shape, shapes, 2)};
    const int64_t n = array_count(out);
    const int parts = thread_count(call, n);
    bool good = true;
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static) reduction(&& : good)
    for (int part = 0; part < parts; part++) {
        const int64_t step = (n / parts + 16) / 16 * 16;
        const int64_t first = part * step, last = first + step < n ? first + step : n;
        if (first < last && !binary_part(&job, first, last)) good = false;
    }
    if (!good) {
        status = node_fail(call->at.ctx, call->at.node, COSET_ENUMERIC, "%s", failure);
        goto done;
    }
    array_normalise(out);
done:
    return status;
}

int64_t int64_truncate(double x)
{
    if (x >= 0x1p63) return INT64_MAX;
    if (x < -0x1p63) return INT64_MIN;
    return x == x ? (int64_t)x : 0;
}

coset_status copy_forward(op_call *call)
{
    coset_status status = check_computable(call, 0);
    if (status != COSET_OK) return status;
    const size_t size = array_element_size(call->in[0].dtype);
    const size_t bytes = (size_t)array_count(&call->in[0]) * size;
    if (bytes > 0) memcpy(call->out[0].data, call->in[0].data, bytes);
    return COSET_OK;
}

/* ---- labels ---------------------------------------------------------------------------------- */

coset_status labels_added(op_labels *call)
{
    return labels_elementwise(call, SLOT_ADD);
}

coset_status labels_scaled(op_labels *call)
{
    return labels_elementwise(call, SLOT_SCALE);
}
