#include "ops/conv_rules.h"

#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/product.h"

static int64_t group_count(const op_node *at)
{
    return node_attr_int(at->node, "group", 1);
}

static bool has_bias(const op_node *at)
{
    return at->n_in > CONV_B && at->node->inputs[CONV_B] >= 0;
}

/* Size of an axis, -1: not known. */
static int64_t size_of(const shape *of, int axis)
{
    return of->rank < 0 ? -1 : of->dims[axis];
}

/* That `size`, known or not, is a multiple of the groups. */
static coset_status check_divides(const op_node *at, const char *what, int64_t size, int64_t groups)
{
    if (size < 0 || size % groups == 0) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "%lld %s do not divide into %lld groups",
                     (long long)size, what, (long long)groups);
}

static coset_status check_bias(const op_infer *call, int64_t channels)
{
    char text[SHAPE_TEXT];
    if (!has_bias(&call->at)) return COSET_OK;
    const shape *bias = &call->in[CONV_B].shape;
    coset_status status = infer_same_type(call, CONV_X, CONV_B);
    if (status != COSET_OK || bias->rank < 0) return status;
    if (bias->rank == 1 && (bias->dims[0] < 0 || channels < 0 || bias->dims[0] == channels))
        return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected a bias with one element for each of %lld channels, found shape %s",
                     (long long)channels, shape_text(bias, text, sizeof text));
}

coset_status conv_check(const op_infer *call, conv_axes axes, int64_t *channels_out)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    char text[SHAPE_TEXT];
    const shape *x = &call->in[CONV_X].shape, *w = &call->in[CONV_W].shape;
    int64_t groups = group_count(at);
    TRY(infer_takes(call, CONV_X, TAKES_FLOAT));
    TRY(infer_takes(call, CONV_W, TAKES_FLOAT));
    TRY(infer_same_type(call, CONV_X, CONV_W));
    if (groups < 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected group >= 1, found %lld",
                         (long long)groups);
    if ((x->rank >= 0 && x->rank < 3) || (w->rank >= 0 && w->rank < 3))
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "expected a batch, channels and spatial axes, found %s of shape %s",
                         x->rank >= 0 && x->rank < 3 ? "x" : "a weight",
                         shape_text(x->rank >= 0 && x->rank < 3 ? x : w, text, sizeof text));
    int64_t in = size_of(w, axes.w_in), out = size_of(w, axes.w_out);
    int64_t *per_group = axes.w_in > axes.w_out ? &in : &out;
    TRY(check_divides(at, "channels of x", size_of(x, 1), groups));
    TRY(check_divides(at, "channels of the weight", axes.w_in > axes.w_out ? out : in, groups));
    if (*per_group >= 0 &&
        (!dim_mul(*per_group, groups, per_group) || *per_group > TENSOR_MAX_ELEMENTS))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "%lld groups are too many",
                         (long long)groups);
    if (size_of(x, 1) >= 0 && in >= 0 && size_of(x, 1) != in)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "x has %lld channels, a weight of shape %s with %lld groups reads %lld",
                         (long long)size_of(x, 1), shape_text(w, text, sizeof text),
                         (long long)groups, (long long)in);
    TRY(check_bias(call, out));
    *channels_out = out;
done:
    return status;
}

void conv_set_output(op_infer *call, int64_t channels)
{
    const fact *x = &call->in[CONV_X], *w = &call->in[CONV_W];
    fact *y = &call->out[0];
    y->dtype = x->dtype != COSET_UNDEFINED ? x->dtype : w->dtype;
    y->shape.rank = x->shape.rank >= 0 ? x->shape.rank : w->shape.rank;
    for (int a = 0; a < y->shape.rank; a++) y->shape.dims[a] = -1;
    if (y->shape.rank < 0) return;
    y->shape.dims[0] = size_of(&x->shape, 0);
    y->shape.dims[1] = channels;
}

/* ---- labels ----------------------------------------------------------------------------------- */

static coset_status add_bias(op_labels *call)
{
    label_array *result = &call->result[0];
    if (!has_bias(&call->at) || result->rank < 2 || result->dims[1] == 1) return COSET_OK;
    return labels_slot(call, CONV_B, 0, SLOT_ADD, result->ids);
}

/* Output channel c * m + j is made of input channel c alone. */
static coset_status pass_channels(op_labels *call, int64_t channels)
{
    coset_status status = COSET_OK;
    const label_array *x = &call->labels[CONV_X];
    int64_t outputs = call->out[0].shape.dims[1], each = outputs / channels;
    int64_t dims[TENSOR_MAX_RANK], width = call->in[CONV_W].shape.dims[0];
    label_array slot;
    for (int a = 0; a < x->rank; a++) dims[a] = a == 1 ? outputs : 1;
    TRY(labels_make(call->set, x->rank, dims, LABEL_NONE, &call->result[0]));
    for (int64_t i = 0; i < outputs; i++)
        call->result[0].ids[i] = x->ids[x->dims[1] > 1 ? i / each : 0];
    TRY(labels_make(call->set, 1, &width, LABEL_NONE, &slot));
    for (int64_t i = 0; i < width; i++)
        slot.ids[i] = call->result[0].ids[width == outputs ? i : i * each];
    TRY(labels_slot(call, CONV_W, 0, SLOT_SCALE, slot.ids));
    TRY(add_bias(call));
done:
    return status;
}

/* ids[p]: the unit of channel p of every group. */
static void unite_groups(op_labels *call, int64_t groups, int64_t each, int64_t *ids)
{
    static const char *const why = "the groups of a convolution cannot lose different channels";
    const label_array *x = &call->labels[CONV_X];
    for (int64_t p = 0; p < each; p++) {
        bool any = false, all = true;
        for (int64_t g = 0; g < groups; g++) {
            int64_t id = x->ids[x->dims[1] > 1 ? g * each + p : 0];
            any = any || id != LABEL_NONE;
            all = all && id != LABEL_NONE;
        }
        ids[p] = any && !all ? LABEL_FROZEN : LABEL_NONE;
        for (int64_t g = 0; g < groups; g++) {
            int64_t id = x->ids[x->dims[1] > 1 ? g * each + p : 0];
            if (ids[p] == LABEL_NONE) ids[p] = id;
            labels_unite(call->set, ids[p], id, why);
        }
    }
}

/* The weight's input axis has the entries of one group, its output axis those of all in a row. */
static coset_status tie_groups(op_labels *call, int64_t channels, int64_t groups)
{
    coset_status status = COSET_OK;
    int64_t each = channels / groups, outputs = call->out[0].shape.dims[1];
    int64_t each_out = outputs / groups, dims[TENSOR_MAX_RANK], first = 0;
    label_array of_group;
    TRY(labels_make(call->set, 1, &each, LABEL_NONE, &of_group));
    unite_groups(call, groups, each, of_group.ids);
    TRY(labels_slot(call, CONV_W, 1, SLOT_CONSUMER, of_group.ids));
    for (int a = 0; a < call->out[0].shape.rank; a++) dims[a] = a == 1 ? outputs : 1;
    TRY(labels_make(call->set, call->out[0].shape.rank, dims, LABEL_NONE, &call->result[0]));
    TRY(labels_fresh(call->set, each_out, &first));
    for (int64_t i = 0; i < outputs; i++) call->result[0].ids[i] = first + i % each_out;
    TRY(labels_slot(call, CONV_W, 0, SLOT_PRODUCER, call->result[0].ids));
    TRY(add_bias(call));
done:
    return status;
}

static const char *unfit(const op_labels *call)
{
    const label_array *x = &call->labels[CONV_X];
    bool over_batch = x->dims[0] > 1, over_channels = x->dims[1] > 1;
    for (int a = 2; a < x->rank; a++)
        if (x->dims[a] > 1) return "a convolution slides over its units";
    if (over_batch && over_channels) return "its units lie on two axes of a convolution's input";
    if (!labels_none(&call->labels[CONV_W])) return "it is multiplied with another activation";
    if (has_bias(&call->at) && !labels_none(&call->labels[CONV_B]))
        return "the bias of a convolution is not a constant";
    return NULL;
}

coset_status conv_labels(op_labels *call, conv_axes axes)
{
    coset_status status = COSET_OK;
    const label_array *x = &call->labels[CONV_X];
    const char *why = unfit(call);
    int64_t groups = group_count(&call->at), channels = call->in[CONV_X].shape.dims[1];
    if (why == NULL && (!shape_known(&call->in[CONV_W].shape) || channels < 0))
        why = "the shape of a convolution is unknown";
    if (why != NULL) return labels_freeze_all(call, why);
    if (x->dims[0] > 1) { /* samples pass one by one */
        int64_t dims[TENSOR_MAX_RANK];
        for (int a = 0; a < x->rank; a++) dims[a] = a == 0 ? x->dims[0] : 1;
        TRY(labels_make(call->set, x->rank, dims, LABEL_NONE, &call->result[0]));
        for (int64_t i = 0; i < x->dims[0]; i++) call->result[0].ids[i] = x->ids[i];
    } else if (groups == 1) {
        int from[TENSOR_MAX_RANK] = {0, -1, -1, -1, -1, -1, -1, -1};
        TRY(labels_contract(call, CONV_X, 1, CONV_W, axes.w_in, axes.w_out, 1, from));
        TRY(add_bias(call));
    } else if (groups == channels) {
        TRY(pass_channels(call, channels));
    } else if (axes.w_in < axes.w_out) {
        TRY(labels_freeze_all(call, "a transposed convolution with several groups mixes it"));
    } else {
        TRY(tie_groups(call, channels, groups));
    }
done:
    return status;
}

coset_status conv_cut(op_cut *call)
{
    const axis_keep *keep = &call->keep_in[CONV_X];
    int64_t groups = group_count(&call->at);
    if (groups == 1 || groups != call->in[CONV_X].shape.dims[1] || keep->index[1] == NULL)
        return COSET_OK;
    return cut_set_int(call, "group", keep->count[1]);
}

int64_t conv_macs(const shape *weight, int64_t samples, int64_t positions)
{
    return product_macs(shape_product(weight, 0, weight->rank), samples, positions);
}
