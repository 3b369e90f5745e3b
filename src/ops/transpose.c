/* Transpose: permutes axes; without `perm` it reverses them. Source: ONNX Transpose-1, -13. */
#include "ops/operand.h"

/* perm[a]: the input's axis that becomes output axis a. */
static coset_status read_perm(const op_node *at, int rank, int *perm)
{
    int64_t n = 0;
    const int64_t *given = node_attr_ints(at->node, "perm", &n);
    unsigned seen = 0;
    if (node_attr(at->node, "perm") == NULL) {
        for (int a = 0; a < rank; a++) perm[a] = rank - 1 - a;
        return COSET_OK;
    }
    bool valid = n == rank;
    for (int a = 0; valid && a < rank; a++) {
        valid = given[a] >= 0 && given[a] < rank && !(seen >> given[a] & 1);
        if (!valid) break;
        seen |= 1U << given[a];
        perm[a] = (int)given[a];
    }
    if (valid) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT,
                     "perm is not a permutation of the %d axes of the input", rank);
}

static coset_status infer(op_infer *call)
{
    const shape *in = &call->in[0].shape;
    int perm[TENSOR_MAX_RANK];
    call->out[0].dtype = call->in[0].dtype;
    if (in->rank < 0) return COSET_OK;
    coset_status status = read_perm(&call->at, in->rank, perm);
    if (status != COSET_OK) return status;
    call->out[0].shape.rank = in->rank;
    for (int a = 0; a < in->rank; a++) call->out[0].shape.dims[a] = in->dims[perm[a]];
    return COSET_OK;
}

/* A permutation whose neighbouring axes are joined where they stay neighbours. */
typedef struct walk {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];   /* of the output */
    int64_t stride[TENSOR_MAX_RANK]; /* in the input, elements */
} walk;

static walk plan_walk(const shape *in, const int *perm)
{
    walk self = {.rank = 0};
    int64_t stride[TENSOR_MAX_RANK], step = 1;
    for (int a = in->rank - 1; a >= 0; a--) {
        stride[a] = step;
        step *= in->dims[a];
    }
    for (int a = 0; a < in->rank; a++) {
        int64_t dim = in->dims[perm[a]], s = stride[perm[a]];
        int last = self.rank - 1;
        if (dim == 1) continue;
        if (last >= 0 && self.stride[last] == s * dim) {
            self.dims[last] *= dim;
            self.stride[last] = s;
            continue;
        }
        self.dims[self.rank] = dim;
        self.stride[self.rank++] = s;
    }
    if (self.rank == 0) self = (walk){.rank = 1, .dims = {1}, .stride = {1}};
    return self;
}

#define ROW_KERNEL(name, type)                                                                     \
    static void name(const void *x, int64_t stride, void *y, int64_t n)                            \
    {                                                                                              \
        const type *from = x;                                                                      \
        type *to = y;                                                                              \
        for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];                                  \
    }

ROW_KERNEL(row_4, uint32_t)
ROW_KERNEL(row_8, uint64_t)

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0];
    array *y = &call->out[0];
    size_t size = array_element_size(y->dtype);
    int perm[TENSOR_MAX_RANK];
    int64_t position[TENSOR_MAX_RANK] = {0}, from = 0, to = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = read_perm(&call->at, x->shape.rank, perm);
    if (status != COSET_OK) return status;
    int64_t total = shape_product(&x->shape, 0, x->shape.rank);
    if (total == 0) return COSET_OK;
    walk self = plan_walk(&x->shape, perm);
    int last = self.rank - 1;
    for (; to < total; to += self.dims[last]) {
        const unsigned char *row = (const unsigned char *)x->data + (size_t)from * size;
        unsigned char *out = (unsigned char *)y->data + (size_t)to * size;
        if (size == 4)
            row_4(row, self.stride[last], out, self.dims[last]);
        else
            row_8(row, self.stride[last], out, self.dims[last]);
        for (int a = last - 1; a >= 0; a--) {
            from += self.stride[a];
            if (++position[a] < self.dims[a]) break;
            from -= self.stride[a] * self.dims[a];
            position[a] = 0;
        }
    }
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    return labels_by_kernel(call, 1, 0);
}

const coset_op op_transpose = {
    .type = "Transpose",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
