#include "onnx/rewrite.h"

#include <string.h>

#include "onnx/build.h"

/* ---- what is kept ------------------------------------------------------------------------------ */

static bool keeps_initialiser(const rewrite *self, const graph_value *value)
{
    if (!value->is_initialiser) return false;
    return value->n_consumers > 0 || value->is_output || self->keep_unused;
}

static bool is_defined(const rewrite *self, const graph_value *value)
{
    if (value->is_initialiser) return keeps_initialiser(self, value);
    return value->is_input || value->producer >= 0;
}

static coset_status index_names(rewrite *self)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < self->graph->n_values; i++)
        TRY(name_map_set(self->ctx, &self->ids, self->graph->values[i].name, i, NULL));
done:
    return status;
}

static const graph_value *find_value(const rewrite *self, const char *name)
{
    int64_t id = name_map_get(&self->ids, text_of(name), -1);
    return id < 0 ? NULL : &self->graph->values[id];
}

/* Array of pointers with room for n. */
static coset_status list(rewrite *self, size_t n, void *pointers_out)
{
    return arena_alloc(self->ctx, &self->arena, (int64_t)n, sizeof(void *), pointers_out);
}

/* ---- initialisers ------------------------------------------------------------------------------ */

static bool is_sparse(const graph_value *value)
{
    return value->source != NULL && ((const ProtobufCMessage *)value->source)->descriptor ==
                                        &onnx__sparse_tensor_proto__descriptor;
}

/* In the order of the values, which for those of the file is the file's. */
static coset_status put_initialisers(rewrite *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    Onnx__GraphProto *body = &self->body;
    size_t n = 0, n_sparse = 0;
    for (int64_t i = 0; i < graph->n_values; i++) {
        if (!keeps_initialiser(self, &graph->values[i])) continue;
        if (graph->values[i].constant != NULL)
            n++;
        else
            n_sparse++;
    }
    TRY(list(self, n, &body->initializer));
    TRY(list(self, n_sparse, &body->sparse_initializer));
    body->n_initializer = body->n_sparse_initializer = 0;
    for (int64_t i = 0; i < graph->n_values; i++) {
        const graph_value *value = &graph->values[i];
        if (!keeps_initialiser(self, value)) continue;
        void *source = (void *)(uintptr_t)value->source;
        if (value->constant == NULL && !is_sparse(value))
            FAIL(self->ctx, COSET_EARGUMENT, "initialiser '%.300s' has no data", value->name);
        if (value->constant == NULL) {
            body->sparse_initializer[body->n_sparse_initializer++] = source;
            continue;
        }
        Onnx__TensorProto *old = is_sparse(value) ? NULL : source;
        Onnx__TensorProto **at = &body->initializer[body->n_initializer++];
        if (old != NULL && !value->changed)
            *at = old;
        else
            TRY(rewrite_tensor(self, old, value->name, value->constant, at));
    }
done:
    return status;
}

/* ---- graph inputs, outputs, inner values ------------------------------------------------------- */

/* Before IR version 4 every initialiser had to be listed as an input, too. */
static bool lists_initialisers(const rewrite *self)
{
    return self->model.ir_version < 4;
}

/* Entries of the file that still mean something, then those of new inputs. */
static coset_status put_inputs(rewrite *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    const Onnx__GraphProto *source = self->source_body;
    bool *listed = NULL;
    size_t n = 0, n_source = source != NULL ? source->n_input : 0;
    Onnx__ValueInfoProto **inputs = NULL;
    TRY(ctx_alloc(self->ctx, graph->n_values, sizeof *listed, &listed));
    TRY(list(self, n_source + (size_t)graph->n_values, &inputs));
    for (size_t i = 0; i < n_source; i++) {
        const graph_value *value = find_value(self, source->input[i]->name);
        if (value == NULL || !value->is_input || !is_defined(self, value)) continue;
        listed[value - graph->values] = true;
        TRY(rewrite_value(self, source->input[i], value, &inputs[n++]));
    }
    for (int64_t i = 0; i < graph->n_values; i++) {
        const graph_value *value = &graph->values[i];
        bool wanted = value->is_input || (value->is_initialiser && lists_initialisers(self));
        if (listed[i] || !wanted || !is_defined(self, value)) continue;
        TRY(rewrite_value(self, NULL, value, &inputs[n++]));
    }
    self->body.n_input = n;
    self->body.input = inputs;
done:
    ctx_free(self->ctx, listed);
    return status;
}

static coset_status put_outputs(rewrite *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    const Onnx__GraphProto *source = self->source_body;
    Onnx__ValueInfoProto **outputs = NULL, **old = NULL;
    TRY(list(self, (size_t)graph->n_values, &old));
    for (size_t i = 0; source != NULL && i < source->n_output; i++) {
        const graph_value *value = find_value(self, source->output[i]->name);
        if (value != NULL) old[value - graph->values] = source->output[i];
    }
    TRY(list(self, (size_t)graph->n_outputs, &outputs));
    for (int64_t i = 0; i < graph->n_outputs; i++) {
        int32_t id = graph->outputs[i];
        TRY(rewrite_value(self, old[id], &graph->values[id], &outputs[i]));
    }
    self->body.n_output = (size_t)graph->n_outputs;
    self->body.output = outputs;
done:
    return status;
}

static coset_status put_inner_values(rewrite *self)
{
    coset_status status = COSET_OK;
    const Onnx__GraphProto *source = self->source_body;
    Onnx__ValueInfoProto **infos = NULL;
    size_t n = 0;
    if (source == NULL) return COSET_OK;
    TRY(list(self, source->n_value_info, &infos));
    for (size_t i = 0; i < source->n_value_info; i++) {
        Onnx__ValueInfoProto *old = source->value_info[i];
        const graph_value *value = find_value(self, old->name);
        if (value == NULL || !is_defined(self, value)) continue;
        TRY(rewrite_value(self, old, value, &infos[n]));
        /* A shape that is no longer known is worth no entry. */
        if (infos[n] == old || value->shape.rank >= 0) n++;
    }
    self->body.n_value_info = n;
    self->body.value_info = infos;
done:
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* The first IR version that knows the opset, and at least 4: initialisers need not be inputs. */
static int64_t ir_version_for(int64_t opset)
{
    static const uint8_t versions[] = {
        [7] = 4,  [8] = 4,  [9] = 4,  [10] = 5, [11] = 6, [12] = 7, [13] = 7, [14] = 7,
        [15] = 8, [16] = 8, [17] = 8, [18] = 8, [19] = 9, [20] = 9, [21] = 10};
    if (opset < 7) return 4;
    return opset < (int64_t)sizeof versions ? versions[opset] : 10;
}

static coset_status add_import(rewrite *self, const char *domain, int64_t version,
                               Onnx__OperatorSetIdProto **import_out)
{
    coset_status status = COSET_OK;
    Onnx__OperatorSetIdProto *made = NULL;
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *made, &made));
    onnx__operator_set_id_proto__init(made);
    made->domain = (char *)(uintptr_t)domain;
    made->has_version = 1;
    made->version = version;
    *import_out = made;
done:
    return status;
}

/* Imports of the file, and of domains that only new nodes use. */
static coset_status put_imports(rewrite *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    const Onnx__ModelProto *source = self->source;
    name_map domains = {0};
    Onnx__OperatorSetIdProto **imports = NULL;
    size_t n = source != NULL ? source->n_opset_import : 0, fresh = 0;
    for (size_t i = 0; i < n; i++)
        TRY(name_map_set(self->ctx, &domains, onnx_domain(source->opset_import[i]->domain), 0,
                         NULL));
    for (int64_t i = 0; i < graph->n_nodes; i++) {
        const char *domain = graph->nodes[i].domain;
        if (graph->nodes[i].source != NULL || name_map_get(&domains, domain, -1) >= 0) continue;
        TRY(name_map_set(self->ctx, &domains, domain, 1, NULL));
        fresh++;
    }
    if (fresh == 0 && source != NULL) goto done;
    TRY(list(self, n + fresh + 1, &imports));
    for (size_t i = 0; i < n; i++) imports[i] = source->opset_import[i];
    if (name_map_get(&domains, "", 1) == 1) TRY(add_import(self, "", graph->opset, &imports[n++]));
    TRY(name_map_set(self->ctx, &domains, "", 0, NULL));
    for (int64_t i = 0; i < graph->n_nodes; i++) {
        const char *domain = graph->nodes[i].domain;
        if (name_map_get(&domains, domain, 0) != 1) continue;
        TRY(add_import(self, domain, 1, &imports[n++]));
        TRY(name_map_set(self->ctx, &domains, domain, 0, NULL));
    }
    self->model.n_opset_import = n;
    self->model.opset_import = imports;
done:
    name_map_free(self->ctx, &domains);
    return status;
}

static coset_status put_nodes(rewrite *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    TRY(list(self, (size_t)graph->n_nodes, &self->body.node));
    self->body.n_node = (size_t)graph->n_nodes;
    for (int64_t i = 0; i < graph->n_nodes; i++)
        TRY(rewrite_node(self, &graph->nodes[i], &self->body.node[i]));
done:
    return status;
}

static coset_status start(rewrite *self)
{
    const onnx_model *model = self->graph->source != NULL ? self->graph->source->model : NULL;
    if (model != NULL) {
        self->source = (const Onnx__ModelProto *)model->root;
        self->source_body = self->source->graph;
        self->model = *self->source;
        self->body = *self->source_body;
        self->keep_unused = self->source->n_training_info > 0;
        self->model.graph = &self->body;
        return COSET_OK;
    }
    onnx__model_proto__init(&self->model);
    onnx__graph_proto__init(&self->body);
    self->model.graph = &self->body;
    self->model.has_ir_version = 1;
    self->model.ir_version = ir_version_for(self->graph->opset);
    coset_status status = rewrite_text(self, "coset", &self->model.producer_name);
    if (status != COSET_OK) return status;
    return rewrite_text(self, "graph", &self->body.name);
}

coset_status rewrite_model(coset_ctx *ctx, const coset_graph *graph, rewrite *self)
{
    coset_status status = COSET_OK;
    *self = (rewrite){.ctx = ctx, .graph = graph};
    TRY(start(self));
    TRY(index_names(self));
    TRY(put_imports(self));
    TRY(put_initialisers(self));
    TRY(put_inputs(self));
    TRY(put_outputs(self));
    TRY(put_inner_values(self));
    TRY(put_nodes(self));
done:
    return status;
}

void rewrite_free(rewrite *self)
{
    name_map_free(self->ctx, &self->ids);
    arena_free(self->ctx, &self->arena);
}
