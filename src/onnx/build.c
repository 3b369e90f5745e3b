#include "onnx/build.h"

#include <math.h>
#include <string.h>

const char *onnx_domain(const char *domain)
{
    return domain == NULL || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

coset_status build_value(builder *self, const char *name, int32_t *value_out)
{
    coset_status status = COSET_OK;
    int64_t found = name_map_get(&self->ids, name, -1);
    if (found < 0) {
        TRY(graph_add_value(self->ctx, self->graph, name, value_out));
        TRY(name_map_set(self->ctx, &self->ids, self->graph->values[*value_out].name, *value_out,
                         NULL));
    } else {
        *value_out = (int32_t)found;
    }
done:
    return status;
}

/* ---- constants --------------------------------------------------------------------------------- */

/* NaN is never a weight. Inf is legitimate as a bound or in a mask, but not in a matrix. */
static coset_status check_finite(coset_ctx *ctx, const char *name, const tensor *constant,
                                 bool allow_inf)
{
    coset_status status = COSET_OK;
    double *values = NULL;
    const char *what = "infinite";
    int64_t at = tensor_find_nonfinite(constant);
    if (at < 0) goto done;
    TRY(tensor_to_f64(ctx, constant, &values));
    int64_t count = tensor_elements(constant);
    if (allow_inf)
        while (at < count && !isnan(values[at])) at++;
    if (at == count) goto done;
    if (isnan(values[at])) what = "NaN";
    FAIL(ctx, COSET_ENUMERIC, "tensor '%.300s': element %lld is %s", name, (long long)at, what);
done:
    ctx_free(ctx, values);
    return status;
}

static coset_status add_initialiser(builder *self, Onnx__TensorProto *proto)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    tensor *constant = NULL;
    int32_t id = 0;
    if (text_of(proto->name)[0] == '\0') FAIL(ctx, COSET_EFORMAT, "an initialiser has no name");
    if (name_map_get(&self->ids, proto->name, -1) >= 0)
        FAIL(ctx, COSET_EFORMAT, "two initialisers are named '%.300s'", proto->name);
    TRY(onnx_tensor(ctx, self->model, proto, &constant));
    TRY(check_finite(ctx, proto->name, constant, constant->shape.rank < 2));
    TRY(build_value(self, proto->name, &id));
    graph_value *value = &self->graph->values[id];
    value->is_initialiser = true;
    value->constant = tensor_retain(constant);
    value->source = proto;
done:
    tensor_release(ctx, constant);
    return status;
}

/* Kept in the source only: no operator here reads sparse data. */
static coset_status add_sparse_initialiser(builder *self, Onnx__SparseTensorProto *proto)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    int32_t id = 0;
    const char *name = proto->values != NULL ? text_of(proto->values->name) : "";
    if (name[0] == '\0') FAIL(ctx, COSET_EFORMAT, "a sparse initialiser has no name");
    if (name_map_get(&self->ids, name, -1) >= 0)
        FAIL(ctx, COSET_EFORMAT, "two initialisers are named '%.300s'", name);
    if (proto->n_dims > TENSOR_MAX_RANK)
        FAIL(ctx, COSET_ELIMIT, "sparse initialiser '%.300s': rank %zu, at most %d is supported",
             name, proto->n_dims, TENSOR_MAX_RANK);
    TRY(build_value(self, name, &id));
    graph_value *value = &self->graph->values[id];
    value->is_initialiser = true;
    coset_dtype dtype = (coset_dtype)proto->values->data_type;
    value->dtype = coset_dtype_bits(dtype) > 0 ? dtype : COSET_UNDEFINED;
    value->shape.rank = (int)proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            FAIL(ctx, COSET_EFORMAT, "sparse initialiser '%.300s': dimension %zu is %lld", name, i,
                 (long long)proto->dims[i]);
        value->shape.dims[i] = proto->dims[i];
    }
    int64_t count = 0;
    TRY(shape_elements(ctx, &value->shape, &count));
    value->source = proto;
    ctx_log(ctx, COSET_LOG_INFO, "'%.300s' is a sparse initialiser: kept, but not computed with",
            name);
done:
    return status;
}

/* ---- declared types ---------------------------------------------------------------------------- */

static coset_status copy_dim_names(builder *self, const Onnx__TensorShapeProto *proto,
                                   graph_value *value)
{
    coset_status status = COSET_OK;
    const char **names = NULL;
    for (size_t i = 0; i < proto->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = proto->dim[i];
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) continue;
        if (names == NULL)
            TRY(arena_alloc(self->ctx, &self->graph->arena, (int64_t)proto->n_dim, sizeof *names,
                            &names));
        const char *name = text_of(dim->dim_param);
        TRY(arena_string(self->ctx, &self->graph->arena, name, strlen(name), &names[i]));
    }
    value->dim_names = names;
done:
    return status;
}

/* What is declared first, counts. */
static coset_status declare(builder *self, const Onnx__ValueInfoProto *info, int32_t id)
{
    coset_status status = COSET_OK;
    coset_dtype dtype = COSET_UNDEFINED;
    shape dims = SHAPE_UNKNOWN;
    graph_value *value = &self->graph->values[id];
    TRY(onnx_type(self->ctx, info->type, value->name, &dtype, &dims));
    if (value->dtype == COSET_UNDEFINED) value->dtype = dtype;
    if (value->shape.rank == -1 && dims.rank >= 0) {
        value->shape = dims;
        TRY(copy_dim_names(self, info->type->tensor_type->shape, value));
    }
done:
    return status;
}

static coset_status add_input(builder *self, const Onnx__ValueInfoProto *info)
{
    coset_status status = COSET_OK;
    int32_t id = 0;
    const char *name = text_of(info->name);
    if (name[0] == '\0') FAIL(self->ctx, COSET_EFORMAT, "a graph input has no name");
    TRY(build_value(self, name, &id));
    if (self->graph->values[id].is_input)
        FAIL(self->ctx, COSET_EFORMAT, "two graph inputs are named '%.300s'", name);
    TRY(declare(self, info, id));
    TRY(graph_add_input(self->ctx, self->graph, id));
done:
    return status;
}

static coset_status add_output(builder *self, const Onnx__ValueInfoProto *info)
{
    coset_status status = COSET_OK;
    const char *name = text_of(info->name);
    int64_t id = name_map_get(&self->ids, name, -1);
    if (name[0] == '\0') FAIL(self->ctx, COSET_EFORMAT, "a graph output has no name");
    if (id < 0)
        FAIL(self->ctx, COSET_EFORMAT, "graph output '%.300s' is produced by no node", name);
    TRY(declare(self, info, (int32_t)id));
    TRY(graph_add_output(self->ctx, self->graph, (int32_t)id));
done:
    return status;
}

/* ---- nodes ------------------------------------------------------------------------------------- */

static coset_status read_names(builder *self, char **names, size_t n, int32_t *ids_out)
{
    coset_status status = COSET_OK;
    for (size_t i = 0; i < n; i++) {
        ids_out[i] = -1;
        if (names[i][0] != '\0') TRY(build_value(self, names[i], &ids_out[i]));
    }
done:
    return status;
}

static coset_status add_node(builder *self, Onnx__NodeProto *proto)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    tensor *constant = NULL;
    int32_t id = -1;
    const char *type = text_of(proto->op_type), *domain = onnx_domain(proto->domain);
    size_t n_in = proto->n_input, n_out = proto->n_output;
    if (type[0] == '\0')
        FAIL(ctx, COSET_EFORMAT, "node '%.300s' has no operator type", text_of(proto->name));
    TRY(ctx_reserve(ctx, &self->scratch, &self->scratch_capacity, (int64_t)(n_in + n_out) + 1,
                    sizeof *self->scratch));
    TRY(read_names(self, proto->input, n_in, self->scratch));
    TRY(read_names(self, proto->output, n_out, self->scratch + n_in));
    TRY(graph_add_node(ctx, self->graph, text_of(proto->name), domain, type, self->scratch,
                       (int32_t)n_in, self->scratch + n_in, (int32_t)n_out, &id));
    self->graph->nodes[id].source = proto;
    bool is_constant = domain[0] == '\0' && strcmp(type, "Constant") == 0;
    for (size_t i = 0; i < proto->n_attribute; i++)
        TRY(build_attr(self, id, proto->attribute[i], is_constant ? &constant : NULL));
    if (constant == NULL || n_out != 1 || self->scratch[n_in] < 0) goto done;
    graph_value *value = &self->graph->values[self->scratch[n_in]];
    if (value->constant != NULL || value->is_initialiser)
        FAIL(ctx, COSET_EFORMAT, "'%.300s' has two definitions", value->name);
    TRY(check_finite(ctx, value->name, constant, true));
    value->constant = tensor_retain(constant);
done:
    tensor_release(ctx, constant);
    return status;
}

/* Room for everything at once: growing would copy, and hold both copies for a while. */
static coset_status reserve(builder *self)
{
    const Onnx__GraphProto *proto = self->proto;
    size_t values = proto->n_initializer + proto->n_sparse_initializer + proto->n_input;
    for (size_t i = 0; i < proto->n_node; i++) values += proto->node[i]->n_output;
    return graph_reserve(self->ctx, self->graph, (int64_t)proto->n_node, (int64_t)values);
}

coset_status build_graph(builder *self)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    const Onnx__GraphProto *proto = self->proto;
    TRY(reserve(self));
    for (size_t i = 0; i < proto->n_initializer; i++)
        TRY(add_initialiser(self, proto->initializer[i]));
    for (size_t i = 0; i < proto->n_sparse_initializer; i++)
        TRY(add_sparse_initialiser(self, proto->sparse_initializer[i]));
    for (size_t i = 0; i < proto->n_input; i++) TRY(add_input(self, proto->input[i]));
    for (size_t i = 0; i < proto->n_node; i++) TRY(add_node(self, proto->node[i]));
    for (size_t i = 0; i < proto->n_output; i++) TRY(add_output(self, proto->output[i]));
    for (size_t i = 0; i < proto->n_value_info; i++) {
        int64_t id = name_map_get(&self->ids, text_of(proto->value_info[i]->name), -1);
        if (id >= 0) TRY(declare(self, proto->value_info[i], (int32_t)id));
    }
    TRY(ctx_alloc(ctx, self->graph->n_values, sizeof *self->marks, &self->marks));
    TRY(ctx_alloc(ctx, self->graph->n_values, sizeof *self->places, &self->places));
    for (int64_t id = 0; id < self->graph->n_nodes; id++) {
        TRY(build_captures(self, (int32_t)id));
        TRY(build_branches(self, (int32_t)id));
    }
done:
    return status;
}

coset_status onnx_build(coset_ctx *ctx, onnx_model *model, coset_graph *graph)
{
    Onnx__ModelProto *proto = (Onnx__ModelProto *)model->root;
    builder self = {.ctx = ctx, .model = model, .proto = proto->graph, .graph = graph};
    coset_status status = build_graph(&self);
    build_end(&self);
    return status;
}

void build_end(builder *self)
{
    name_map_free(self->ctx, &self->ids);
    ctx_free(self->ctx, self->scratch);
    ctx_free(self->ctx, self->marks);
    ctx_free(self->ctx, self->places);
}
