/* Nodes, attributes and tensors of a changed graph. */
#include <string.h>

#include "onnx/build.h"
#include "onnx/rewrite.h"

coset_status rewrite_text(rewrite *self, const char *text, char **copy_out)
{
    size_t size = strlen(text) + 1;
    coset_status status = arena_alloc(self->ctx, &self->arena, (int64_t)size, 1, copy_out);
    if (status == COSET_OK) memcpy(*copy_out, text, size);
    return status;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static coset_status set_strings(rewrite *self, const tensor *data, Onnx__TensorProto *proto)
{
    coset_status status = COSET_OK;
    int64_t n = tensor_elements(data);
    TRY(arena_alloc(self->ctx, &self->arena, n, sizeof *proto->string_data, &proto->string_data));
    proto->n_string_data = (size_t)n;
    for (int64_t i = 0; i < n; i++)
        proto->string_data[i] =
            (ProtobufCBinaryData){strlen(data->strings[i]), (uint8_t *)data->strings[i]};
done:
    return status;
}

static void clear_data(Onnx__TensorProto *proto)
{
    proto->n_float_data = proto->n_int32_data = proto->n_string_data = 0;
    proto->n_int64_data = proto->n_double_data = proto->n_uint64_data = 0;
    proto->has_raw_data = 0;
    proto->n_external_data = 0;
    proto->has_data_location = 0;
    proto->segment = NULL;
}

coset_status rewrite_tensor(rewrite *self, const Onnx__TensorProto *source, const char *name,
                            const tensor *data, Onnx__TensorProto **tensor_out)
{
    coset_status status = COSET_OK;
    Onnx__TensorProto *proto = NULL;
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *proto, &proto));
    onnx__tensor_proto__init(proto);
    if (source != NULL)
        *proto = *source;
    else if (name[0] != '\0')
        TRY(rewrite_text(self, name, &proto->name));
    clear_data(proto);
    TRY(arena_alloc(self->ctx, &self->arena, data->shape.rank, sizeof *proto->dims, &proto->dims));
    proto->n_dims = (size_t)data->shape.rank;
    for (int i = 0; i < data->shape.rank; i++) proto->dims[i] = data->shape.dims[i];
    proto->has_data_type = 1;
    proto->data_type = (int32_t)data->dtype;
    if (data->dtype == COSET_STRING) {
        TRY(set_strings(self, data, proto));
    } else {
        proto->has_raw_data = 1;
        proto->raw_data = (ProtobufCBinaryData){data->bytes, (uint8_t *)(uintptr_t)data->data};
    }
    *tensor_out = proto;
done:
    return status;
}

/* ---- attributes -------------------------------------------------------------------------------- */

/* Removes every kind of content; name, doc string and unknown fields stay. */
static void clear_attr(Onnx__AttributeProto *proto)
{
    proto->has_f = proto->has_i = proto->has_s = 0;
    proto->t = NULL;
    proto->g = NULL;
    proto->sparse_tensor = NULL;
    proto->tp = NULL;
    proto->n_floats = proto->n_ints = proto->n_strings = proto->n_tensors = 0;
    proto->n_graphs = proto->n_sparse_tensors = proto->n_type_protos = 0;
    proto->has_type = 1;
}

static coset_status set_attr_strings(rewrite *self, const graph_attr *attr,
                                     Onnx__AttributeProto *proto)
{
    coset_status status = COSET_OK;
    TRY(arena_alloc(self->ctx, &self->arena, attr->n, sizeof *proto->strings, &proto->strings));
    proto->n_strings = (size_t)attr->n;
    for (int64_t i = 0; i < attr->n; i++) {
        char *text = NULL;
        TRY(rewrite_text(self, attr->strings[i], &text));
        proto->strings[i] = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    }
done:
    return status;
}

/* `old` is the tensor message that a tensor attribute replaces, or NULL. */
static coset_status set_attr(rewrite *self, const graph_attr *attr, const Onnx__TensorProto *old,
                             Onnx__AttributeProto *proto)
{
    coset_status status = COSET_OK;
    switch (attr->kind) {
    case ATTR_FLOAT:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        proto->has_f = 1;
        proto->f = attr->f;
        break;
    case ATTR_INT:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        proto->has_i = 1;
        proto->i = attr->i;
        break;
    case ATTR_STRING:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        proto->has_s = 1;
        proto->s = (ProtobufCBinaryData){(size_t)attr->n, (uint8_t *)(uintptr_t)attr->s};
        break;
    case ATTR_TENSOR:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        TRY(rewrite_tensor(self, old, "", attr->t, &proto->t));
        break;
    case ATTR_FLOATS:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        proto->n_floats = (size_t)attr->n;
        proto->floats = (float *)(uintptr_t)attr->floats;
        break;
    case ATTR_INTS:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        proto->n_ints = (size_t)attr->n;
        proto->ints = (int64_t *)(uintptr_t)attr->ints;
        break;
    case ATTR_STRINGS:
        proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
        TRY(set_attr_strings(self, attr, proto));
        break;
    case ATTR_OTHER: FAIL(self->ctx, COSET_EARGUMENT, "attribute '%s' cannot be new", attr->name);
    }
done:
    return status;
}

static coset_status new_attr(rewrite *self, const graph_attr *attr,
                             const Onnx__AttributeProto *source, Onnx__AttributeProto **attr_out)
{
    coset_status status = COSET_OK;
    Onnx__AttributeProto *proto = NULL;
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *proto, &proto));
    onnx__attribute_proto__init(proto);
    if (source != NULL)
        *proto = *source;
    else
        TRY(rewrite_text(self, attr->name, &proto->name));
    clear_attr(proto);
    TRY(set_attr(self, attr, source != NULL ? source->t : NULL, proto));
    *attr_out = proto;
done:
    return status;
}

/* The source's attribute of this name; the likely place is looked at first. */
static Onnx__AttributeProto *find_source(const Onnx__NodeProto *source, const char *name, size_t at)
{
    if (source == NULL) return NULL;
    if (at < source->n_attribute && strcmp(source->attribute[at]->name, name) == 0)
        return source->attribute[at];
    for (size_t i = 0; i < source->n_attribute; i++)
        if (strcmp(source->attribute[i]->name, name) == 0) return source->attribute[i];
    return NULL;
}

/* ---- nodes ------------------------------------------------------------------------------------- */

/* The constant that a Constant node stands for, if it is no longer what the file says. */
static const tensor *changed_constant(const rewrite *self, const graph_node *node)
{
    if (node->domain[0] != '\0' || strcmp(node->op_type, "Constant") != 0) return NULL;
    if (node->n_outputs != 1 || node->outputs[0] < 0) return NULL;
    const graph_value *value = &self->graph->values[node->outputs[0]];
    return value->changed ? value->constant : NULL;
}

static const char *name_of(const rewrite *self, int32_t value)
{
    return value < 0 ? "" : self->graph->values[value].name;
}

static bool same_names(const rewrite *self, const int32_t *ids, int32_t n, char *const *names,
                       size_t n_names)
{
    bool same = (size_t)n == n_names;
    for (int32_t i = 0; i < n && same; i++) same = !strcmp(name_of(self, ids[i]), names[i]);
    return same;
}

static bool same_attrs(const graph_node *node, const Onnx__NodeProto *source)
{
    bool same = (size_t)node->n_attrs == source->n_attribute;
    for (int32_t i = 0; i < node->n_attrs && same; i++)
        same = !node->attrs[i].changed && !strcmp(node->attrs[i].name, source->attribute[i]->name);
    return same;
}

static coset_status set_names(rewrite *self, const int32_t *ids, int32_t n, size_t *n_out,
                              char ***names_out)
{
    coset_status status = arena_alloc(self->ctx, &self->arena, n, sizeof **names_out, names_out);
    if (status != COSET_OK) return status;
    *n_out = (size_t)n;
    for (int32_t i = 0; i < n; i++) (*names_out)[i] = (char *)(uintptr_t)name_of(self, ids[i]);
    return COSET_OK;
}

static coset_status set_attrs(rewrite *self, const graph_node *node, const Onnx__NodeProto *source,
                              Onnx__NodeProto *proto)
{
    coset_status status = COSET_OK;
    Onnx__AttributeProto **attrs = NULL;
    TRY(arena_alloc(self->ctx, &self->arena, node->n_attrs, sizeof *attrs, &attrs));
    for (int32_t i = 0; i < node->n_attrs; i++) {
        const graph_attr *attr = &node->attrs[i];
        Onnx__AttributeProto *old = find_source(source, attr->name, (size_t)i);
        if (old != NULL && !attr->changed)
            attrs[i] = old;
        else
            TRY(new_attr(self, attr, old, &attrs[i]));
    }
    proto->n_attribute = (size_t)node->n_attrs;
    proto->attribute = attrs;
done:
    return status;
}

/* A Constant node gets its new data as `value`, whichever attribute held the old. */
static coset_status set_constant(rewrite *self, const tensor *data, const Onnx__NodeProto *source,
                                 Onnx__NodeProto *proto)
{
    coset_status status = COSET_OK;
    graph_attr attr = {.name = "value", .kind = ATTR_TENSOR, .t = (tensor *)(uintptr_t)data};
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *proto->attribute, &proto->attribute));
    TRY(new_attr(self, &attr, find_source(source, "value", 0), &proto->attribute[0]));
    proto->n_attribute = 1;
done:
    return status;
}

coset_status rewrite_node(rewrite *self, const graph_node *node, Onnx__NodeProto **node_out)
{
    coset_status status = COSET_OK;
    Onnx__NodeProto *proto = NULL;
    Onnx__NodeProto *source = (Onnx__NodeProto *)(uintptr_t)node->source;
    const tensor *constant = changed_constant(self, node);
    bool same_type = source != NULL && !strcmp(text_of(source->op_type), node->op_type) &&
                     !strcmp(onnx_domain(source->domain), node->domain) &&
                     !strcmp(text_of(source->name), node->name);
    if (same_type && constant == NULL && same_attrs(node, source) &&
        same_names(self, node->inputs, node->n_inputs, source->input, source->n_input) &&
        same_names(self, node->outputs, node->n_outputs, source->output, source->n_output)) {
        *node_out = source;
        goto done;
    }
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *proto, &proto));
    onnx__node_proto__init(proto);
    if (source != NULL) *proto = *source;
    if (!same_type) {
        if (node->name[0] != '\0') proto->name = (char *)(uintptr_t)node->name;
        if (node->domain[0] != '\0' || proto->domain != NULL)
            proto->domain = (char *)(uintptr_t)node->domain;
        proto->op_type = (char *)(uintptr_t)node->op_type;
    }
    TRY(set_names(self, node->inputs, node->n_inputs, &proto->n_input, &proto->input));
    TRY(set_names(self, node->outputs, node->n_outputs, &proto->n_output, &proto->output));
    if (constant != NULL)
        TRY(set_constant(self, constant, source, proto));
    else
        TRY(set_attrs(self, node, source, proto));
    *node_out = proto;
done:
    if (status == COSET_EARGUMENT)
        return ctx_fail_in(self->ctx, status, "node '%.300s'", node->name);
    return status;
}
