/* Constant: the node's attribute as data. Graphs keep that data in graph_value.constant, which is
 * what runs; the kernel here serves who calls it all the same. */
#include <string.h>

#include "ops/elementwise.h"

static const char *const attr_names[] = {"value",         "value_float", "value_floats",
                                         "value_int",     "value_ints",  "value_string",
                                         "value_strings", "sparse_value"};
enum { N_ATTRS = sizeof attr_names / sizeof attr_names[0] };

/* The one attribute that holds the value; NULL if there is none or more than one. */
static const graph_attr *value_attr(const graph_node *node)
{
    const graph_attr *found = NULL;
    for (int i = 0; i < N_ATTRS; i++) {
        const graph_attr *attr = node_attr(node, attr_names[i]);
        if (attr && found) return NULL;
        if (attr) found = attr;
    }
    return found;
}

static fact vector_fact(coset_dtype dtype, int64_t n)
{
    return (fact){.dtype = dtype, .shape = {.rank = 1, .dims = {n}}};
}

static coset_status infer(op_infer *call)
{
    const graph_attr *attr = value_attr(call->at.node);
    if (!attr)
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "expected one attribute value, value_* or sparse_value, found none or "
                         "several");
    switch (attr->kind) {
    case ATTR_TENSOR:
        call->out[0] = (fact){.dtype = attr->t->dtype, .shape = attr->t->shape};
        break;
    case ATTR_FLOAT: call->out[0] = (fact){.dtype = COSET_F32, .shape = {.rank = 0}}; break;
    case ATTR_INT: call->out[0] = (fact){.dtype = COSET_I64, .shape = {.rank = 0}}; break;
    case ATTR_STRING: call->out[0] = (fact){.dtype = COSET_STRING, .shape = {.rank = 0}}; break;
    case ATTR_FLOATS: call->out[0] = vector_fact(COSET_F32, attr->n); break;
    case ATTR_INTS: call->out[0] = vector_fact(COSET_I64, attr->n); break;
    case ATTR_STRINGS: call->out[0] = vector_fact(COSET_STRING, attr->n); break;
    case ATTR_OTHER: break; /* sparse: neither type nor shape is known here */
    }
    return COSET_OK;
}

/* Copies a tensor in its compute type; the one place where a kernel may need memory of its own, for
 * the element types that are not stored as they are computed. */
static coset_status copy_tensor(op_call *call, const tensor *value)
{
    coset_status status = COSET_OK;
    array values;
    void *memory = NULL;
    TRY(tensor_to_array(call->at.ctx, value, &values, &memory));
    const size_t bytes = (size_t)tensor_elements(value) * array_element_size(value->dtype);
    if (bytes > 0) memcpy(call->out[0].data, values.data, bytes);
done:
    ctx_free(call->at.ctx, memory);
    return status;
}

static coset_status forward(op_call *call)
{
    const graph_attr *attr = value_attr(call->at.node);
    array *out = &call->out[0];
    switch (attr ? attr->kind : ATTR_OTHER) {
    case ATTR_TENSOR: return copy_tensor(call, attr->t);
    case ATTR_FLOAT: out->f[0] = attr->f; return COSET_OK;
    case ATTR_INT: out->i[0] = attr->i; return COSET_OK;
    case ATTR_FLOATS:
        if (attr->n > 0) memcpy(out->f, attr->floats, (size_t)attr->n * sizeof *out->f);
        return COSET_OK;
    case ATTR_INTS:
        if (attr->n > 0) memcpy(out->i, attr->ints, (size_t)attr->n * sizeof *out->i);
        return COSET_OK;
    default:
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot compute with a constant of this kind (string or sparse)");
    }
}

static coset_status labels(op_labels *call)
{
    const shape *out = &call->out[0].shape;
    if (out->rank < 0) return COSET_OK;
    return labels_make(call->set, out->rank, NULL, LABEL_NONE, &call->result[0]);
}

const coset_op op_constant = {
    .type = "Constant",
    .domain = "",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = 0,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
