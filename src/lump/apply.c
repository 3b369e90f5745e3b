/* Applies a plan to a graph. */
#include <string.h>

#include "lump/apply.h"
#include "lump/weight.h"

typedef struct applier {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_facts *facts;
    const graph_groups *groups;
    const coset_plan *plan;
    coset_graph *out;
    axis_map *maps; /* [n_slots] */
    double *
        *shifts; /* [n_contractions] what the lumpings' shifts add to its outputs; NULL: nothing */
} applier;

/* ---- new constants ---- */

static coset_status new_weight(applier *self, int64_t index, tensor **tensor_out)
{
    const contraction *at = &self->groups->contractions[index];
    const axis_map *out_map = &self->maps[at->out_slot], *in_map = &self->maps[at->in_slot];
    *tensor_out = NULL;
    if (out_map->identity && in_map->identity) return COSET_OK;
    return weight_cut(self->ctx, self->graph, at, out_map, in_map, tensor_out,
                      &self->shifts[index]);
}

/* A bias without a slot: only a shift can change it. */
static coset_status new_single_bias(applier *self, int64_t index, tensor **tensor_out)
{
    const contraction *at = &self->groups->contractions[index];
    const tensor *old = self->graph->values[at->bias].constant;
    double value = tensor_value(old, 0) + self->shifts[index][0] / at->bias_scale;
    return tensor_from_f64(self->ctx, old->dtype, &old->shape, &value, tensor_out);
}

/* A constant with one labelled axis: biases, scales, slopes, statistics. */
static coset_status new_vector(applier *self, int32_t slot_id, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    const label_slot *slot = &self->groups->slots[slot_id];
    const tensor *old = self->graph->values[slot->value].constant;
    const axis_map *map = &self->maps[slot_id];
    axis_block block = {0};
    shape dims = old->shape;
    *tensor_out = NULL;
    int32_t index = self->groups->contraction_of[slot_id];
    const double *shift = index >= 0 ? self->shifts[index] : NULL;
    double scale = index >= 0 ? self->groups->contractions[index].bias_scale : 1;
    if (map->identity && shift == NULL) goto done;
    TRY(axis_reduce(self->ctx, map, old, slot->axis, slot->role != SLOT_ADD, &block));
    for (int64_t i = 0; shift != NULL && i < block.size; i++) block.values[i] += shift[i] / scale;
    dims.dims[slot->axis] = map->new_size;
    TRY(tensor_from_f64(self->ctx, old->dtype, &dims, block.values, tensor_out));
done:
    ctx_free(self->ctx, block.values);
    return status;
}

static coset_status replace_constants(applier *self)
{
    coset_status status = COSET_OK;
    tensor *fresh = NULL;
    for (int64_t c = 0; c < self->groups->n_contractions; c++) {
        const contraction *at = &self->groups->contractions[c];
        TRY(new_weight(self, c, &fresh));
        if (fresh != NULL)
            TRY(place_constant(self->ctx, self->graph, self->out, at->weight, at->node, fresh));
        tensor_release(self->ctx, fresh);
        fresh = NULL;
        if (self->shifts[c] == NULL || at->bias < 0 || at->bias_slot >= 0) continue;
        TRY(new_single_bias(self, c, &fresh));
        TRY(place_constant(self->ctx, self->graph, self->out, at->bias, at->bias_node, fresh));
        tensor_release(self->ctx, fresh);
        fresh = NULL;
    }
    for (int64_t s = 0; s < self->groups->n_slots; s++) {
        const label_slot *slot = &self->groups->slots[s];
        if (slot->role == SLOT_PRODUCER || slot->role == SLOT_CONSUMER) continue;
        if (self->graph->values[slot->value].constant == NULL) continue;
        TRY(new_vector(self, (int32_t)s, &fresh));
        if (fresh != NULL)
            TRY(place_constant(self->ctx, self->graph, self->out, slot->value, slot->node, fresh));
        tensor_release(self->ctx, fresh);
        fresh = NULL;
    }
done:
    tensor_release(self->ctx, fresh);
    return status;
}

/* ---- biases that did not exist ---- */

static coset_status add_bias(applier *self, int64_t index)
{
    const contraction *at = &self->groups->contractions[index];
    int64_t width = self->maps[at->out_slot].new_size;
    const label_array *labels = labels_of(self->groups->labels, at->output);
    return graph_insert_bias(self->ctx, self->out, at->output, labels->rank, at->output_axis,
                             self->shifts[index], width,
                             self->graph->values[at->weight].constant->dtype);
}

/* ---- parameters and declared shapes of nodes ---- */

static coset_status keep_of(applier *self, int32_t value, axis_keep *keep_out, bool *cut_out)
{
    coset_status status = COSET_OK;
    *keep_out = (axis_keep){{NULL}, {0}};
    if (value < 0) return COSET_OK;
    const label_array *labels = labels_of(self->groups->labels, value);
    int varying = 0;
    for (int a = 0; a < labels->rank; a++) varying += labels->dims[a] > 1;
    for (int a = 0; a < labels->rank && varying == 1; a++) {
        if (labels->dims[a] <= 1) continue;
        int64_t *index = NULL, count = 0;
        TRY(ctx_alloc(self->ctx, labels->dims[a], sizeof *index, &index));
        keep_out->index[a] = index;
        for (int64_t i = 0; i < labels->dims[a]; i++) {
            int64_t id = labels_root(self->groups->labels, labels->ids[i]);
            int32_t g = self->groups->group_of[id];
            const lumping *map = g >= 0 ? self->plan->groups[g].map : NULL;
            int64_t b = map != NULL ? map->block[self->groups->unit_of[id]] : -1;
            if (map == NULL || (b >= 0 && map->keep[b] == self->groups->unit_of[id]))
                index[count++] = i;
        }
        keep_out->count[a] = count;
        *cut_out = *cut_out || count < labels->dims[a];
    }
done:
    return status;
}

static void free_keeps(coset_ctx *ctx, axis_keep *keeps, int64_t n)
{
    for (int64_t k = 0; keeps != NULL && k < n; k++)
        for (int a = 0; a < TENSOR_MAX_RANK; a++) ctx_free(ctx, (void *)keeps[k].index[a]);
    ctx_free(ctx, keeps);
}

/* Lets a node change its own parameters; now: facts of its inputs in the cut graph. */
static coset_status cut_node(void *user, int32_t id, const fact *now)
{
    coset_status status = COSET_OK;
    applier *self = user;
    const graph_node *node = &self->graph->nodes[id];
    int64_t n = (int64_t)node->n_inputs + node->n_outputs;
    axis_keep *keeps = NULL;
    fact *facts = NULL;
    bool cut = false;
    TRY(ctx_alloc(self->ctx, n, sizeof *keeps, &keeps));
    TRY(ctx_alloc(self->ctx, n, sizeof *facts, &facts));
    for (int32_t i = 0; i < node->n_inputs; i++)
        TRY(keep_of(self, node->inputs[i], &keeps[i], &cut));
    for (int32_t i = 0; i < node->n_outputs; i++)
        TRY(keep_of(self, node->outputs[i], &keeps[node->n_inputs + i], &cut));
    if (cut && node->op != NULL && node->op->cut != NULL) {
        graph_node_facts(self->facts, node, facts, facts + node->n_inputs);
        op_cut call = {.at = {self->ctx, node, self->graph->opset, node->n_inputs, node->n_outputs},
                       .node_id = id,
                       .in = facts,
                       .out = facts + node->n_inputs,
                       .now = now,
                       .keep_in = keeps,
                       .keep_out = keeps + node->n_inputs,
                       .graph = self->out,
                       .labels = self->groups->labels};
        TRY(node->op->cut(&call));
    }
    for (int32_t i = 0; i < node->n_outputs && cut; i++) {
        if (node->outputs[i] < 0) continue;
        shape *declared = &self->out->values[node->outputs[i]].shape;
        for (int a = 0; a < declared->rank; a++)
            if (keeps[node->n_inputs + i].index[a] != NULL)
                declared->dims[a] = keeps[node->n_inputs + i].count[a];
    }
done:
    free_keeps(self->ctx, keeps, n);
    ctx_free(self->ctx, facts);
    return status;
}

/* What comes out of a cut node must have the sizes that its labels say: whatever follows was cut for
 * them. */
static coset_status check_node(void *user, int32_t id, const fact *out)
{
    coset_status status = COSET_OK;
    applier *self = user;
    const graph_node *node = &self->graph->nodes[id];
    axis_keep keep = {{NULL}, {0}};
    char wanted_text[SHAPE_TEXT], found_text[SHAPE_TEXT];
    for (int32_t i = 0; i < node->n_outputs; i++) {
        bool cut = false;
        if (node->outputs[i] < 0 || out[i].shape.rank < 0) continue;
        shape wanted = graph_fact(self->facts, node->outputs[i])->shape;
        TRY(keep_of(self, node->outputs[i], &keep, &cut));
        for (int a = 0; a < wanted.rank; a++)
            if (keep.index[a] != NULL) wanted.dims[a] = keep.count[a];
        for (int a = 0; a < TENSOR_MAX_RANK; a++) ctx_free(self->ctx, (void *)keep.index[a]);
        keep = (axis_keep){{NULL}, {0}};
        bool fits = wanted.rank == out[i].shape.rank || wanted.rank < 0;
        for (int a = 0; fits && a < wanted.rank; a++)
            fits = out[i].shape.dims[a] < 0 || wanted.dims[a] < 0 ||
                   out[i].shape.dims[a] == wanted.dims[a];
        if (!fits) {
            status = node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                               "the cut gives output %d shape %s, not %s", (int)i,
                               shape_text(&out[i].shape, found_text, sizeof found_text),
                               shape_text(&wanted, wanted_text, sizeof wanted_text));
            goto done;
        }
    }
done:
    for (int a = 0; a < TENSOR_MAX_RANK; a++) ctx_free(self->ctx, (void *)keep.index[a]);
    return status;
}

/* Walks the cut graph with the input shapes of the whole one. */
static coset_status cut_nodes(applier *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    const infer_visitor visitor = {self, cut_node, check_node};
    graph_facts *facts = NULL;
    shape *shapes = NULL;
    TRY(ctx_alloc(self->ctx, graph->n_inputs, sizeof *shapes, &shapes));
    for (int64_t i = 0; i < graph->n_inputs; i++)
        shapes[i] = graph_fact(self->facts, graph->inputs[i])->shape;
    TRY(graph_infer_visit(self->ctx, self->out, shapes, &visitor, &facts));
done:
    graph_facts_free(self->ctx, facts);
    ctx_free(self->ctx, shapes);
    return status;
}

/* ---- masks ---- */

static coset_status apply_mask(applier *self, const plan_mask *mask, int32_t value)
{
    coset_status status = COSET_OK;
    double *values = NULL;
    tensor *fresh = NULL;
    const tensor *old = value >= 0 ? self->out->values[value].constant : NULL;
    if (old == NULL || tensor_elements(old) != mask->elements || !dtype_is_float(old->dtype))
        FAIL(self->ctx, COSET_EARGUMENT, "the plan masks '%s' (%lld elements), which %s has not",
             mask->weight, (long long)mask->elements, self->graph->name);
    TRY(tensor_to_f64(self->ctx, old, &values));
    for (int64_t i = 0; i < mask->elements; i++)
        if (!mask->keep[i]) values[i] = 0;
    TRY(tensor_from_f64(self->ctx, old->dtype, &old->shape, values, &fresh));
    graph_set_constant(self->ctx, self->out, value, fresh);
done:
    ctx_free(self->ctx, values);
    tensor_release(self->ctx, fresh);
    return status;
}

static coset_status apply_masks(applier *self)
{
    coset_status status = COSET_OK;
    name_map names = {0};
    for (int64_t v = 0; v < self->graph->n_values && self->plan->n_masks > 0; v++)
        TRY(name_map_set(self->ctx, &names, self->graph->values[v].name, v, NULL));
    for (int64_t m = 0; m < self->plan->n_masks; m++) {
        const plan_mask *mask = &self->plan->masks[m];
        TRY(apply_mask(self, mask, (int32_t)name_map_get(&names, mask->weight, -1)));
    }
done:
    name_map_free(self->ctx, &names);
    return status;
}

static coset_status check_fit(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                              const coset_plan *plan)
{
    if (plan->n_groups != groups->n)
        return ctx_fail(ctx, COSET_EARGUMENT, "the plan is for %lld unit groups, %s has %lld",
                        (long long)plan->n_groups, graph->name, (long long)groups->n);
    for (int64_t g = 0; g < groups->n; g++) {
        const lumping *map = plan->groups[g].map;
        if (plan->groups[g].units != groups->groups[g].n ||
            (map != NULL && map->n != groups->groups[g].n))
            return ctx_fail(ctx, COSET_EARGUMENT,
                            "the plan gives group '%s' %lld units, it has %lld",
                            groups->groups[g].name, (long long)plan->groups[g].units,
                            (long long)groups->groups[g].n);
        if (map != NULL && groups->groups[g].frozen != NULL && !lumping_is_identity(map))
            return ctx_fail(ctx, COSET_EARGUMENT, "the plan cuts group '%s', which is frozen: %s",
                            groups->groups[g].name, groups->groups[g].frozen);
    }
    return COSET_OK;
}

coset_status plan_apply(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                        const graph_groups *groups, const coset_plan *plan, coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    applier self = {.ctx = ctx, .graph = graph, .facts = facts, .groups = groups, .plan = plan};
    *graph_out = NULL;
    TRY(check_fit(ctx, graph, groups, plan));
    if (plan_bypasses(plan)) return plan_apply_bypasses(ctx, graph, facts, groups, plan, graph_out);
    TRY(graph_clone(ctx, graph, &self.out));
    TRY(graph_check(ctx, self.out));
    TRY(ctx_alloc(ctx, groups->n_slots, sizeof *self.maps, &self.maps));
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *self.shifts, &self.shifts));
    for (int64_t s = 0; s < groups->n_slots; s++)
        TRY(axis_map_new(ctx, groups, plan, (int32_t)s, &self.maps[s]));
    TRY(replace_constants(&self));
    TRY(cut_nodes(&self));
    for (int64_t c = 0; c < groups->n_contractions; c++)
        if (self.shifts[c] != NULL && groups->contractions[c].bias < 0) TRY(add_bias(&self, c));
    TRY(apply_masks(&self));
    TRY(graph_remove_nodes(ctx, self.out, NULL, 0));
    TRY(graph_check(ctx, self.out));
    *graph_out = self.out;
    self.out = NULL;
done:
    for (int64_t s = 0; self.maps != NULL && s < groups->n_slots; s++)
        axis_map_free(ctx, &self.maps[s]);
    for (int64_t c = 0; self.shifts != NULL && c < groups->n_contractions; c++)
        ctx_free(ctx, self.shifts[c]);
    ctx_free(ctx, self.maps);
    ctx_free(ctx, self.shifts);
    coset_graph_free(ctx, self.out);
    return status;
}
