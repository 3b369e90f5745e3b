/* MatMul: products of matrices over broadcast batch axes; operands of rank 1 get an axis of size 1
 * that the result does not have. Source: ONNX MatMul-1, -9, -13 (numpy.matmul). */
#include "linalg/blas.h"
#include "ops/operand.h"
#include "ops/product.h"

/* Operands and result as batches of matrices. A rank-1 A is (1, k), a rank-1 B is (k, 1). */
typedef struct matmul {
    int64_t m, n, k;
    int n_batch; /* batch axes of the result */
    int64_t dims[TENSOR_MAX_RANK], a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK];
    int64_t batches;
} matmul;

static int batch_rank(const shape *self)
{
    return self->rank > 2 ? self->rank - 2 : 0;
}

/* Size of batch axis `axis` of n when the operand's axes are aligned at the end. */
static int64_t batch_dim(const shape *self, int axis, int n)
{
    int own = axis - (n - batch_rank(self));
    return own < 0 ? 1 : self->dims[own];
}

static int64_t rows(const shape *a)
{
    return a->rank == 1 ? 1 : a->dims[a->rank - 2];
}

static int64_t columns(const shape *b)
{
    return b->rank == 1 ? 1 : b->dims[b->rank - 1];
}

static int64_t inner_of_b(const shape *b)
{
    return b->dims[b->rank == 1 ? 0 : b->rank - 2];
}

static coset_status misfit(const op_infer *call, const char *what)
{
    char left[SHAPE_TEXT], right[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "%s: A %s, B %s", what,
                     shape_text(&call->in[0].shape, left, sizeof left),
                     shape_text(&call->in[1].shape, right, sizeof right));
}

/* Size of a broadcast axis, -1 if unknown, -2 if the sizes do not fit. */
static int64_t broadcast_dim(int64_t a, int64_t b)
{
    if (a == 1) return b;
    if (b == 1 || b < 0) return a;
    if (a < 0 || a == b) return b;
    return -2;
}

static coset_status infer(op_infer *call)
{
    const shape *a = &call->in[0].shape, *b = &call->in[1].shape;
    shape result = {.rank = 0};
    coset_status status = infer_same_type(call, 0, 1);
    if (status != COSET_OK) return status;
    call->out[0].dtype =
        call->in[0].dtype != COSET_UNDEFINED ? call->in[0].dtype : call->in[1].dtype;
    if (a->rank == 0 || b->rank == 0) return misfit(call, "scalars cannot be multiplied");
    if (a->rank < 0 || b->rank < 0) return COSET_OK;
    int64_t k = a->dims[a->rank - 1], also_k = inner_of_b(b);
    if (k >= 0 && also_k >= 0 && k != also_k) return misfit(call, "inner sizes differ");
    int n = batch_rank(a) > batch_rank(b) ? batch_rank(a) : batch_rank(b);
    for (int axis = 0; axis < n; axis++) {
        int64_t dim = broadcast_dim(batch_dim(a, axis, n), batch_dim(b, axis, n));
        if (dim == -2) return misfit(call, "batch axes do not broadcast");
        result.dims[result.rank++] = dim;
    }
    if (a->rank > 1) result.dims[result.rank++] = rows(a);
    if (b->rank > 1) result.dims[result.rank++] = columns(b);
    call->out[0].shape = result;
    return COSET_OK;
}

static matmul describe(const shape *a, const shape *b)
{
    matmul self = {.m = rows(a), .n = columns(b), .k = a->dims[a->rank - 1], .batches = 1};
    int64_t a_stride = self.m * self.k, b_stride = self.k * self.n;
    self.n_batch = batch_rank(a) > batch_rank(b) ? batch_rank(a) : batch_rank(b);
    for (int axis = self.n_batch - 1; axis >= 0; axis--) {
        int64_t a_dim = batch_dim(a, axis, self.n_batch), b_dim = batch_dim(b, axis, self.n_batch);
        self.dims[axis] = a_dim == 1 ? b_dim : a_dim;
        self.a_step[axis] = a_dim == 1 ? 0 : a_stride;
        self.b_step[axis] = b_dim == 1 ? 0 : b_stride;
        a_stride *= a_dim;
        b_stride *= b_dim;
        self.batches *= self.dims[axis];
    }
    /* One matrix B for all of A: the batch is only more rows. */
    if (b_stride == self.k * self.n && a_stride == self.batches * self.m * self.k) {
        self.m *= self.batches;
        self.batches = self.batches > 0 ? 1 : 0;
        self.n_batch = 0;
    }
    return self;
}

static void multiply(const op_call *call, const matmul *self, int64_t a, int64_t b, int64_t y)
{
    const array *in = call->in, *out = &call->out[0];
    if (dtype_is_float(out->dtype))
        gemm_f32(call->at.ctx, false, false, self->m, self->n, self->k, 1.0F, in[0].f + a, self->k,
                 in[1].f + b, self->n, 0.0F, out->f + y, self->n);
    else
        product_i64(false, false, self->m, self->n, self->k, 1, in[0].i + a, self->k, in[1].i + b,
                    self->n, 0, out->i + y, self->n);
}

static coset_status forward(op_call *call)
{
    coset_status status = call_same_kind(call, 2);
    if (status != COSET_OK) return status;
    matmul self = describe(&call->in[0].shape, &call->in[1].shape);
    int64_t position[TENSOR_MAX_RANK] = {0}, a = 0, b = 0;
    for (int64_t batch = 0; batch < self.batches; batch++) {
        multiply(call, &self, a, b, batch * self.m * self.n);
        for (int axis = self.n_batch - 1; axis >= 0; axis--) {
            a += self.a_step[axis];
            b += self.b_step[axis];
            if (++position[axis] < self.dims[axis]) break;
            a -= self.a_step[axis] * self.dims[axis];
            b -= self.b_step[axis] * self.dims[axis];
            position[axis] = 0;
        }
    }
    if (!dtype_is_float(call->out[0].dtype)) array_normalise(&call->out[0]);
    return COSET_OK;
}

/* True if a constant is one matrix or vector, whatever its rank. */
static bool is_single(const shape *w)
{
    return shape_product(w, 0, batch_rank(w)) == 1;
}

/* Activation `x` on the left (or right) of constant `w`: contracts x's last (or last but one)
 * axis. */
static coset_status contract(op_labels *call, int x, int w, bool x_left)
{
    const shape *xs = &call->in[x].shape, *ws = &call->in[w].shape;
    const shape *out = &call->out[0].shape;
    int from[TENSOR_MAX_RANK];
    int last = xs->rank - 1;
    int x_axis = x_left || last == 0 ? last : last - 1;
    int w_in = ws->rank == 1 ? 0 : ws->rank - (x_left ? 2 : 1);
    int w_out = ws->rank == 1 ? -1 : ws->rank - (x_left ? 1 : 2);
    int n_batch = batch_rank(xs) > batch_rank(ws) ? batch_rank(xs) : batch_rank(ws);
    int shift = n_batch - batch_rank(xs), axis = n_batch, out_axis = -1;
    for (int a = 0; a < n_batch; a++) from[a] = a - shift < 0 ? -1 : a - shift;
    /* The two matrix axes of the result, each there only if its operand has it. */
    if (x_left) {
        if (xs->rank > 1) from[axis++] = last - 1;
        if (w_out >= 0) from[out_axis = axis++] = -1;
    } else {
        if (w_out >= 0) from[out_axis = axis++] = -1;
        if (xs->rank > 1) from[axis++] = last;
    }
    if (axis != out->rank) return labels_freeze_all(call, "a product of unexpected rank");
    return labels_contract(call, x, x_axis, w, w_in, w_out, out_axis, from);
}

static coset_status labels(op_labels *call)
{
    bool left = labels_none(&call->labels[0]), right = labels_none(&call->labels[1]);
    int w = right ? 1 : 0;
    if (!left && !right) return labels_freeze_all(call, "it is multiplied with another activation");
    if (!is_single(&call->in[w].shape))
        return labels_freeze_all(call, "its weight is a batch of matrices");
    return contract(call, 1 - w, w, right);
}

static int64_t macs(const op_infer *call)
{
    matmul self = describe(&call->in[0].shape, &call->in[1].shape);
    return product_macs(product_macs(self.batches, self.m, self.n), self.k, 1);
}

const coset_op op_matmul = {
    .type = "MatMul",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .macs = macs,
};
