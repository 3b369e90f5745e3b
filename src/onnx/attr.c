/* Attributes of nodes, and the constants that Constant nodes stand for. */
#include <string.h>

#include "onnx/build.h"

/* Files of the first versions give no type: it is the field that is there. */
static int32_t type_of(const Onnx__AttributeProto *proto)
{
    if (proto->has_type && proto->type != 0) return (int32_t)proto->type;
    if (proto->has_f) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (proto->has_i) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (proto->has_s) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (proto->t != NULL) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (proto->n_floats > 0) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (proto->n_ints > 0) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    if (proto->n_strings > 0) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static coset_status copy_strings(builder *self, const Onnx__AttributeProto *proto,
                                 const char *const **strings_out)
{
    coset_status status = COSET_OK;
    const char **strings = NULL;
    TRY(arena_alloc(self->ctx, &self->graph->arena, (int64_t)proto->n_strings, sizeof *strings,
                    &strings));
    for (size_t i = 0; i < proto->n_strings; i++)
        TRY(arena_string(self->ctx, &self->graph->arena, (const char *)proto->strings[i].data,
                         proto->strings[i].len, &strings[i]));
    *strings_out = strings;
done:
    return status;
}

/* Fills attr; what it points to is lent by the message, except attr->t. */
static coset_status read_attr(builder *self, Onnx__AttributeProto *proto, graph_attr *attr)
{
    coset_status status = COSET_OK;
    switch (type_of(proto)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attr->kind = ATTR_FLOAT;
        attr->f = proto->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attr->kind = ATTR_INT;
        attr->i = proto->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        attr->kind = ATTR_STRING;
        attr->s = (const char *)proto->s.data;
        attr->n = (int64_t)proto->s.len;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        attr->kind = ATTR_TENSOR;
        if (proto->t == NULL) FAIL(self->ctx, COSET_EFORMAT, "its tensor is missing");
        TRY(onnx_tensor(self->ctx, self->model, proto->t, &attr->t));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attr->kind = ATTR_FLOATS;
        attr->floats = proto->floats;
        attr->n = (int64_t)proto->n_floats;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attr->kind = ATTR_INTS;
        attr->ints = proto->ints;
        attr->n = (int64_t)proto->n_ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        attr->kind = ATTR_STRINGS;
        attr->n = (int64_t)proto->n_strings;
        TRY(copy_strings(self, proto, &attr->strings));
        break;
    default: attr->kind = ATTR_OTHER;
    }
done:
    return status;
}

/* The tensor that a Constant node's attribute stands for; NULL for strings and sparse data. */
static coset_status constant_of(builder *self, const graph_attr *attr, tensor **constant_out)
{
    coset_status status = COSET_OK;
    void *data = NULL;
    shape vector = {.rank = 1, .dims = {attr->n}}, scalar = {.rank = 0};
    const char *name = attr->name;
    const void *from = NULL;
    size_t size = 0;
    coset_dtype dtype = COSET_I64;
    bool is_vector = attr->kind == ATTR_FLOATS || attr->kind == ATTR_INTS;
    if (strcmp(name, "value") == 0 && attr->kind == ATTR_TENSOR) {
        *constant_out = tensor_retain(attr->t);
        goto done;
    }
    if (strcmp(name, "value_float") == 0 && attr->kind == ATTR_FLOAT) {
        from = &attr->f;
        dtype = COSET_F32;
    } else if (strcmp(name, "value_floats") == 0 && attr->kind == ATTR_FLOATS) {
        from = attr->floats;
        dtype = COSET_F32;
    } else if (strcmp(name, "value_int") == 0 && attr->kind == ATTR_INT) {
        from = &attr->i;
    } else if (strcmp(name, "value_ints") == 0 && attr->kind == ATTR_INTS) {
        from = attr->ints;
    } else {
        goto done;
    }
    size = (is_vector ? (size_t)attr->n : 1) * (dtype == COSET_F32 ? 4 : 8);
    TRY(ctx_alloc_raw(self->ctx, (int64_t)size, 1, &data));
    if (size > 0) memcpy(data, from, size);
    TRY(tensor_new(self->ctx, dtype, is_vector ? &vector : &scalar, data, size, constant_out));
    data = NULL;
done:
    ctx_free(self->ctx, data);
    return status;
}

coset_status build_attr(builder *self, int32_t node, Onnx__AttributeProto *proto,
                        tensor **constant_out)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    graph_attr attr = {.name = text_of(proto->name)};
    if (attr.name[0] == '\0') FAIL(ctx, COSET_EFORMAT, "an attribute has no name");
    TRY(read_attr(self, proto, &attr));
    TRY(graph_add_attr(ctx, self->graph, node, &attr));
    if (constant_out != NULL && *constant_out == NULL) TRY(constant_of(self, &attr, constant_out));
done:
    if (status != COSET_OK && status != COSET_EMEMORY) {
        const graph_node *owner = &self->graph->nodes[node];
        status = ctx_fail_in(ctx, status, "node '%.200s' (%.100s): attribute '%.200s'", owner->name,
                             owner->op_type, attr.name);
    }
    tensor_release(ctx, attr.t);
    return status;
}
