/* Shared machinery of elementwise operators. */
#include "ops/elementwise.h"

#include <string.h>

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

coset_status shape_broadcast(const op_infer *call, int a, int b, shape *shape_out)
{
    const shape *sa = &call->in[a].shape, *sb = &call->in[b].shape;
    *shape_out = SHAPE_UNKNOWN;
    if (sa->rank < 0 || sb->rank < 0) return COSET_OK;
    shape result = {.rank = sa->rank > sb->rank ? sa->rank : sb->rank};
    for (int i = 1; i <= result.rank; i++) {
        int64_t da = i <= sa->rank ? sa->dims[sa->rank - i] : 1;
        int64_t db = i <= sb->rank ? sb->dims[sb->rank - i] : 1;
        if (!broadcast_dim(da, db, &result.dims[result.rank - i])) {
            char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
            return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                             "expected shapes that broadcast, found %s for input %d and %s for "
                             "input %d",
                             shape_text(sa, ta, sizeof ta), a, shape_text(sb, tb, sizeof tb), b);
        }
    }
    *shape_out = result;
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

/* Two operands walked together: axes are those of the output without the ones of size 1, and with
 * neighbours joined where both operands allow it. Steps count elements; 0: broadcast. */
typedef struct walk {
    int rank; /* >= 1; the last axis is the inner run, whose steps are 0 or 1 */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK];
} walk;

/* Steps of an operand along the output's axes, aligned at the last axis. */
static void operand_steps(const shape *operand, const shape *out, int64_t *steps)
{
    int64_t step = 1;
    for (int i = 1; i <= out->rank; i++) {
        int64_t dim = i <= operand->rank ? operand->dims[operand->rank - i] : 1;
        steps[out->rank - i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

static walk walk_make(const shape *a, const shape *b, const shape *out)
{
    int64_t a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK];
    operand_steps(a, out, a_step);
    operand_steps(b, out, b_step);
    walk self = {.rank = 0};
    for (int axis = 0; axis < out->rank; axis++) {
        const int64_t dim = out->dims[axis];
        if (dim == 1) continue;
        const int last = self.rank - 1;
        if (last >= 0 && self.a_step[last] == dim * a_step[axis] &&
            self.b_step[last] == dim * b_step[axis]) {
            self.dims[last] *= dim;
            self.a_step[last] = a_step[axis];
            self.b_step[last] = b_step[axis];
        } else {
            self.dims[self.rank] = dim;
            self.a_step[self.rank] = a_step[axis];
            self.b_step[self.rank++] = b_step[axis];
        }
    }
    if (self.rank == 0) self = (walk){.rank = 1, .dims = {1}};
    return self;
}

typedef struct binary_job {
    binary_kernel kernel;
    const char *a, *b;
    char *y;
    size_t a_size, b_size, y_size; /* bytes of an element */
    walk walk;
} binary_job;

/* Elements [first, last) of the output, in runs along the inner axis. */
static bool binary_part(const binary_job *job, int64_t first, int64_t last)
{
    const walk *w = &job->walk;
    const int inner = w->rank - 1;
    int64_t index[TENSOR_MAX_RANK], rest = first, a = 0, b = 0;
    for (int axis = inner; axis >= 0; axis--) {
        index[axis] = rest % w->dims[axis];
        rest /= w->dims[axis];
        a += index[axis] * w->a_step[axis];
        b += index[axis] * w->b_step[axis];
    }
    bool good = true;
    for (int64_t at = first; at < last;) {
        int64_t run = w->dims[inner] - index[inner];
        if (run > last - at) run = last - at;
        good &= job->kernel(job->a + (size_t)a * job->a_size, w->a_step[inner],
                            job->b + (size_t)b * job->b_size, w->b_step[inner],
                            job->y + (size_t)at * job->y_size, run);
        at += run;
        a += run * w->a_step[inner];
        b += run * w->b_step[inner];
        index[inner] += run;
        for (int axis = inner; axis > 0 && index[axis] == w->dims[axis]; axis--) {
            index[axis] = 0;
            index[axis - 1]++;
            a += w->a_step[axis - 1] - w->dims[axis] * w->a_step[axis];
            b += w->b_step[axis - 1] - w->dims[axis] * w->b_step[axis];
        }
    }
    return good;
}

coset_status binary_forward(op_call *call, binary_kernel kernel, const char *failure)
{
    coset_status status = COSET_OK;
    TRY(check_computable(call, 0));
    TRY(check_computable(call, 1));
    const array *a = &call->in[0], *b = &call->in[1];
    array *out = &call->out[0];
    const binary_job job = {.kernel = kernel,
                            .a = a->data,
                            .b = b->data,
                            .y = out->data,
                            .a_size = array_element_size(a->dtype),
                            .b_size = array_element_size(b->dtype),
                            .y_size = array_element_size(out->dtype),
                            .walk = walk_make(&a->shape, &b->shape, &out->shape)};
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
