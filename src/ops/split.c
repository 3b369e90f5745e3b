/* Split: cuts one axis into parts. Source: ONNX Split-2, -11 (negative axes), -13 (sizes as an input),
 * -18 (num_outputs). */
#include "base/size.h"
#include "ops/box.h"
#include "ops/operand.h"

enum { SIZES_ARE_INPUT = 13, HAS_NUM_OUTPUTS = 18 };

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", 0), rank, axis_out);
}

/* Sizes as the node gives them. */
typedef struct split_sizes {
    bool given, known;
    const int64_t *values; /* [n_out]; lent */
} split_sizes;

/* input  data of input 1 if it is known, else NULL */
static coset_status read_sizes(const op_node *at, const array *input, split_sizes *sizes_out)
{
    split_sizes self = {.given = false, .known = true};
    int64_t n = 0;
    if (at->opset < SIZES_ARE_INPUT) {
        self.values = node_attr_ints(at->node, "split", &n);
        self.given = self.values != NULL;
    } else if (at->n_in > 1 && at->node->inputs[1] >= 0) {
        self.given = true;
        self.known = input != NULL && input->data != NULL;
        if (self.known) {
            self.values = input->i;
            n = shape_product(&input->shape, 0, input->shape.rank);
        }
    }
    if (self.given && self.known && n != at->n_out)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "%lld sizes for %d outputs",
                         (long long)n, at->n_out);
    *sizes_out = self;
    return COSET_OK;
}

/* Size of part `part` of an axis of `size` indices that is split without sizes; -1: it cannot be. */
static int64_t even_part(const op_node *at, int64_t size, int part)
{
    int64_t n = at->n_out, chunk = size / n + (size % n != 0);
    if (size % n == 0) return chunk;
    if (at->opset < HAS_NUM_OUTPUTS || size - chunk * (n - 1) < 0) return -1;
    return part < n - 1 ? chunk : size - chunk * (n - 1);
}

/* Sizes of all parts of an axis; -1 where they are not known. size -1: unknown. */
static coset_status part_sizes(const op_node *at, const split_sizes *sizes, int64_t size, int part,
                               int64_t *part_out)
{
    *part_out = -1;
    if (sizes->given && !sizes->known) return COSET_OK;
    if (sizes->given) {
        *part_out = sizes->values[part];
        if (*part_out >= 0) return COSET_OK;
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the size of output %d is %lld", part,
                         (long long)*part_out);
    }
    if (size < 0) return COSET_OK;
    *part_out = even_part(at, size, part);
    if (*part_out >= 0) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT,
                     "%lld indices cannot be split evenly into %d outputs", (long long)size,
                     at->n_out);
}

static coset_status check_num_outputs(const op_node *at, const split_sizes *sizes)
{
    int64_t n = node_attr_int(at->node, "num_outputs", at->n_out);
    if (at->opset < HAS_NUM_OUTPUTS) return COSET_OK;
    if (sizes->given && node_attr(at->node, "num_outputs") != NULL)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "both sizes and num_outputs are given");
    if (n == at->n_out) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "num_outputs is %lld, but there are %d",
                     (long long)n, at->n_out);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    split_sizes sizes;
    int axis = 0;
    int64_t total = 0;
    bool known = true;
    for (int o = 0; o < at->n_out; o++) call->out[o].dtype = call->in[0].dtype;
    if (at->opset >= SIZES_ARE_INPUT && at->n_in > 1 && call->in[1].dtype != COSET_UNDEFINED &&
        !dtype_is_integer(call->in[1].dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "sizes must be integers, not %s",
                         coset_dtype_name(call->in[1].dtype));
    TRY(read_sizes(at, at->n_in > 1 ? call->in[1].constant : NULL, &sizes));
    TRY(check_num_outputs(at, &sizes));
    if (in->rank < 0) return COSET_OK;
    TRY(find_axis(at, in->rank, &axis));
    for (int o = 0; o < at->n_out; o++) {
        shape *out = &call->out[o].shape;
        *out = *in;
        TRY(part_sizes(at, &sizes, in->dims[axis], o, &out->dims[axis]));
        known = known && out->dims[axis] >= 0;
        if (known && !dim_add(total, out->dims[axis], &total)) total = INT64_MAX;
    }
    if (known && in->dims[axis] >= 0 && total != in->dims[axis])
        status = node_fail(at->ctx, at->node, COSET_EFORMAT,
                           "the sizes of the outputs sum to %lld, axis %d has %lld",
                           (long long)total, axis, (long long)in->dims[axis]);
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const op_node *at = &call->at;
    const array *x = &call->in[0];
    int axis = 0;
    int64_t steps[TENSOR_MAX_RANK], at_index = 0;
    coset_status status = find_axis(at, x->shape.rank, &axis);
    if (status != COSET_OK) return status;
    split_sizes sizes;
    status = read_sizes(at, at->n_in > 1 ? &call->in[1] : NULL, &sizes);
    size_t size = array_element_size(x->dtype);
    shape_strides(&x->shape, steps);
    for (int o = 0; o < at->n_out && status == COSET_OK; o++) {
        array *y = &call->out[o];
        int64_t part = 0;
        status = part_sizes(at, &sizes, x->shape.dims[axis], o, &part);
        if (status != COSET_OK) break;
        if (y->data != NULL) {
            int64_t to[TENSOR_MAX_RANK];
            box moved = {.rank = 0};
            if (size == 0 || array_element_size(y->dtype) != size || y->shape.dims[axis] != part ||
                part > x->shape.dims[axis] - at_index)
                return node_fail(at->ctx, at->node, COSET_EUNSUPPORTED,
                                 "cannot compute output %d of type %s and size %lld", o,
                                 coset_dtype_name(y->dtype), (long long)part);
            shape_strides(&y->shape, to);
            for (int a = 0; a < x->shape.rank; a++)
                box_add(&moved, y->shape.dims[a], steps[a], to[a]);
            box_copy(&moved,
                     (const unsigned char *)x->data + (size_t)(at_index * steps[axis]) * size,
                     y->data, size, call->threads);
        }
        at_index += part;
    }
    return status;
}

static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    int axis = 0;
    int64_t *index = NULL, first = 0;
    TRY(find_axis(&call->at, call->in[0].shape.rank, &axis));
    for (int o = 0; o < call->at.n_out; o++) {
        int64_t part = call->out[o].shape.dims[axis];
        if (part <= 0) return labels_freeze_all(call, "a part of it is empty, or of unknown size");
    }
    if (call->labels[0].dims[axis] <= 1) {
        for (int o = 0; o < call->at.n_out; o++) call->result[o] = call->labels[0];
        return COSET_OK;
    }
    int64_t size = call->labels[0].dims[axis];
    TRY(ctx_alloc_raw(call->at.ctx, size, sizeof *index, &index));
    for (int64_t i = 0; i < size; i++) index[i] = i;
    for (int o = 0; o < call->at.n_out; o++) {
        int64_t part = call->out[o].shape.dims[axis];
        if (part > size - first)
            FAIL(call->at.ctx, COSET_EFORMAT, "a split has more parts than indices");
        TRY(labels_pick(call, o, axis, index + first, part));
        if (call->at.opset >= SIZES_ARE_INPUT) (void)labels_size(call, 1, o, axis);
        first += part;
    }
done:
    ctx_free(call->at.ctx, index);
    return status;
}

static coset_status cut(op_cut *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    int axis = 0;
    int64_t *wanted = NULL;
    split_sizes now;
    if (call->in[0].shape.rank < 0) return COSET_OK;
    TRY(find_axis(at, call->in[0].shape.rank, &axis));
    if (call->keep_in[0].index[axis] == NULL) return COSET_OK;
    const shape list = {1, {at->n_out}};
    TRY(read_sizes(at, at->n_in > 1 ? call->now[1].constant : NULL, &now));
    TRY(ctx_alloc(at->ctx, at->n_out, sizeof *wanted, &wanted));
    bool right = now.known;
    for (int o = 0; o < at->n_out; o++) {
        const axis_keep *keep = &call->keep_out[o];
        wanted[o] = keep->index[axis] ? keep->count[axis] : call->out[o].shape.dims[axis];
        int64_t size = call->keep_in[0].count[axis];
        right =
            right && (now.given ? now.values[o] == wanted[o] : even_part(at, size, o) == wanted[o]);
    }
    if (right) goto done;
    if (at->opset < SIZES_ARE_INPUT) {
        TRY(cut_set_ints(call, "split", wanted, at->n_out));
    } else {
        TRY(cut_set_input(call, 1, wanted, &list));
        cut_drop_attr(call, "num_outputs");
    }
done:
    ctx_free(at->ctx, wanted);
    return status;
}

const coset_op op_split = {
    .type = "Split",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = -1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};

const coset_op op_split_13 = {
    .type = "Split",
    .domain = "",
    .since = SIZES_ARE_INPUT,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = -1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};
