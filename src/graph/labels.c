#include "graph/labels.h"

#include <string.h>

#include "graph/labels_set.h"

/* ---- ids -------------------------------------------------------------------------------------- */

static int64_t find_root(int64_t *parent, int64_t id)
{
    while (parent[id] != id) {
        parent[id] = parent[parent[id]];
        id = parent[id];
    }
    return id;
}

int64_t labels_root(const label_set *set, int64_t id)
{
    while (set->parent[id] != id) id = set->parent[id];
    return id;
}

coset_status labels_fresh(label_set *set, int64_t count, int64_t *first_out)
{
    coset_status status = COSET_OK;
    int64_t need = set->count + count;
    int64_t capacity = set->capacity, by = set->by_capacity, why = set->reason_capacity;
    TRY(ctx_reserve(set->ctx, &set->parent, &capacity, need, sizeof *set->parent));
    set->capacity = capacity;
    TRY(ctx_reserve(set->ctx, &set->frozen_by, &by, need, sizeof *set->frozen_by));
    set->by_capacity = by;
    TRY(ctx_reserve(set->ctx, &set->reason, &why, need, sizeof *set->reason));
    set->reason_capacity = why;
    for (int64_t id = set->count; id < need; id++) {
        set->parent[id] = id;
        set->frozen_by[id] = -1;
        set->reason[id] = NULL;
    }
    *first_out = set->count;
    set->count = need;
done:
    return status;
}

static void freeze_id(label_set *set, int64_t id, const char *reason)
{
    if (id < LABEL_FIRST) return;
    int64_t root = find_root(set->parent, id);
    if (set->reason[root] != NULL) return;
    set->reason[root] = reason;
    set->frozen_by[root] = set->node;
}

void labels_unite(label_set *set, int64_t a, int64_t b, const char *reason)
{
    if (a == b || a == LABEL_NONE || b == LABEL_NONE) return;
    if (a == LABEL_FROZEN || b == LABEL_FROZEN) {
        freeze_id(set, a == LABEL_FROZEN ? b : a, reason);
        return;
    }
    a = find_root(set->parent, a);
    b = find_root(set->parent, b);
    if (a == b) return;
    int64_t root = a < b ? a : b, child = a < b ? b : a;
    set->parent[child] = root;
    if (set->reason[root] == NULL) {
        set->reason[root] = set->reason[child];
        set->frozen_by[root] = set->frozen_by[child];
    }
}

const char *labels_frozen(const label_set *set, int64_t root, int32_t *node_out)
{
    if (node_out != NULL) *node_out = set->frozen_by[root];
    return set->reason[root];
}

int64_t labels_count(const label_set *set)
{
    return set->count;
}

/* ---- arrays ----------------------------------------------------------------------------------- */

int64_t label_elements(const label_array *self)
{
    int64_t count = 1;
    for (int a = 0; a < self->rank; a++) count *= self->dims[a];
    return count;
}

coset_status labels_make(label_set *set, int rank, const int64_t *dims, int64_t id,
                         label_array *result_out)
{
    label_array result = {.rank = rank};
    for (int a = 0; a < rank; a++) result.dims[a] = dims ? dims[a] : 1;
    int64_t count = label_elements(&result);
    coset_status status =
        arena_alloc(set->ctx, &set->arena, count, sizeof *result.ids, &result.ids);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < count; i++) result.ids[i] = id;
    *result_out = result;
    return COSET_OK;
}

coset_status label_expand(label_set *set, const label_array *labels, const int64_t *dims,
                          label_array *expanded_out)
{
    bool same = true;
    for (int a = 0; a < labels->rank; a++) same = same && labels->dims[a] == dims[a];
    if (same) {
        *expanded_out = *labels;
        return COSET_OK;
    }
    coset_status status = labels_make(set, labels->rank, dims, LABEL_NONE, expanded_out);
    if (status != COSET_OK) return status;
    int64_t count = label_elements(expanded_out);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, from = 0, stride = 1;
        for (int a = labels->rank - 1; a >= 0; a--) {
            int64_t index = rest % dims[a];
            rest /= dims[a];
            if (labels->dims[a] > 1) from += index * stride;
            stride *= labels->dims[a];
        }
        expanded_out->ids[i] = labels->ids[from];
    }
    return COSET_OK;
}

static bool varies_along(const label_array *self, int axis)
{
    int64_t inner = 1, outer = 1, size = self->dims[axis];
    for (int a = axis + 1; a < self->rank; a++) inner *= self->dims[a];
    for (int a = 0; a < axis; a++) outer *= self->dims[a];
    for (int64_t o = 0; o < outer; o++) {
        const int64_t *first = self->ids + o * size * inner;
        for (int64_t s = 1; s < size; s++)
            if (memcmp(first, first + s * inner, (size_t)inner * sizeof *first) != 0) return true;
    }
    return false;
}

void label_shrink(label_array *self)
{
    for (int axis = 0; axis < self->rank; axis++) {
        if (self->dims[axis] <= 1 || varies_along(self, axis)) continue;
        int64_t inner = 1, outer = 1;
        for (int a = axis + 1; a < self->rank; a++) inner *= self->dims[a];
        for (int a = 0; a < axis; a++) outer *= self->dims[a];
        for (int64_t o = 1; o < outer; o++)
            memmove(self->ids + o * inner, self->ids + o * self->dims[axis] * inner,
                    (size_t)inner * sizeof *self->ids);
        self->dims[axis] = 1;
    }
}

void labels_freeze(op_labels *call, const label_array *labels, const char *reason)
{
    if (labels->rank < 0) return;
    int64_t count = label_elements(labels);
    for (int64_t i = 0; i < count; i++) freeze_id(call->set, labels->ids[i], reason);
}

coset_status labels_freeze_all(op_labels *call, const char *reason)
{
    coset_status status = COSET_OK;
    for (int i = 0; i < call->at.n_in; i++) labels_freeze(call, &call->labels[i], reason);
    for (int i = 0; i < call->at.n_out && status == COSET_OK; i++)
        if (call->out[i].shape.rank >= 0)
            status = labels_make(call->set, call->out[i].shape.rank, NULL, LABEL_FROZEN,
                                 &call->result[i]);
    return status;
}

coset_status labels_slot(op_labels *call, int input, int axis, slot_role role, const int64_t *ids)
{
    label_set *set = call->set;
    coset_status status = ctx_reserve(set->ctx, &set->slots, &set->slots_capacity, set->n_slots + 1,
                                      sizeof *set->slots);
    if (status != COSET_OK) return status;
    label_slot slot = {.value = call->at.node->inputs[input],
                       .node = call->node_id,
                       .axis = axis,
                       .role = role,
                       .size = call->in[input].shape.dims[axis]};
    status = arena_alloc(set->ctx, &set->arena, slot.size, sizeof *slot.ids, &slot.ids);
    if (status != COSET_OK) return status;
    if (slot.size > 0) memcpy(slot.ids, ids, (size_t)slot.size * sizeof *ids);
    set->slots[set->n_slots++] = slot;
    return COSET_OK;
}

/* ---- the run ---------------------------------------------------------------------------------- */

static coset_status seed_values(label_set *set)
{
    const coset_graph *graph = set->graph;
    for (int64_t v = 0; v < graph->n_values; v++) {
        const fact *known = graph_fact(set->facts, (int32_t)v);
        set->of_value[v].rank = -1;
        bool constant = known->constant != NULL || graph->values[v].constant != NULL;
        int64_t id = constant ? LABEL_NONE : LABEL_FROZEN;
        if (known->shape.rank < 0 || (!constant && graph->values[v].producer >= 0)) continue;
        coset_status status = labels_make(set, known->shape.rank, NULL, id, &set->of_value[v]);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

static bool all_constant(const op_labels *call)
{
    for (int i = 0; i < call->at.n_in; i++) {
        const label_array *labels = &call->labels[i];
        if (call->at.node->inputs[i] < 0) continue;
        if (labels->rank < 0) return false;
        for (int64_t e = 0, n = label_elements(labels); e < n; e++)
            if (labels->ids[e] != LABEL_NONE) return false;
    }
    return true;
}

static coset_status apply_rule(op_labels *call)
{
    const coset_op *op = call->at.node->op;
    if (op == NULL || op->labels == NULL)
        return labels_freeze_all(call, "the operator has no rule for units");
    for (int i = 0; i < call->at.n_in; i++)
        if (call->at.node->inputs[i] >= 0 && call->labels[i].rank < 0)
            return labels_freeze_all(call, "the rank of an input is unknown");
    for (int i = 0; i < call->at.n_out; i++)
        if (call->at.node->outputs[i] >= 0 && call->out[i].shape.rank < 0)
            return labels_freeze_all(call, "the rank of an output is unknown");
    return op->labels(call);
}

static coset_status run_node(label_set *set, int32_t id)
{
    coset_status status = COSET_OK;
    const graph_node *node = &set->graph->nodes[id];
    int32_t n_in = node->n_inputs, n_out = node->n_outputs;
    fact *facts = NULL;
    label_array *labels = NULL;
    TRY(ctx_alloc(set->ctx, (int64_t)n_in + n_out, sizeof *facts, &facts));
    TRY(ctx_alloc(set->ctx, (int64_t)n_in + n_out, sizeof *labels, &labels));
    graph_node_facts(set->facts, node, facts, facts + n_in);
    for (int32_t i = 0; i < n_in; i++)
        labels[i] =
            node->inputs[i] >= 0 ? set->of_value[node->inputs[i]] : (label_array){.rank = -1};
    for (int32_t i = 0; i < n_out; i++) labels[n_in + i].rank = -1;
    op_labels call = {.at = {set->ctx, node, set->graph->opset, n_in, n_out},
                      .node_id = id,
                      .in = facts,
                      .out = facts + n_in,
                      .labels = labels,
                      .result = labels + n_in,
                      .set = set};
    bool arithmetic = false;
    set->node = id;
    bool fixed = node->n_captures == 0;
    for (int32_t i = 0; i < n_in; i++)
        fixed = fixed && (node->inputs[i] < 0 || set->fixed[node->inputs[i]]);
    for (int32_t i = 0; i < n_out; i++)
        if (node->outputs[i] >= 0) set->fixed[node->outputs[i]] = fixed;
    /* What an operator without inference gives is frozen, but its readers need not be: where the rank of
     * a reader's output is known all the same (Gemm), so is that of the input. */
    for (int32_t i = 0; i < n_in; i++)
        if (node->inputs[i] >= 0 && labels[i].rank < 0 && n_out > 0 && facts[n_in].shape.rank >= 0)
            TRY(labels_make(set, facts[n_in].shape.rank, NULL, LABEL_FROZEN, &labels[i]));
    TRY(sizes_pass(&call, &arithmetic));
    if (!all_constant(&call)) {
        TRY(apply_rule(&call));
    } else {
        for (int32_t i = 0; i < n_out; i++)
            if (facts[n_in + i].shape.rank >= 0)
                TRY(labels_make(set, facts[n_in + i].shape.rank, NULL, LABEL_NONE,
                                &labels[n_in + i]));
    }
    for (int32_t i = 0; i < n_in && !arithmetic; i++)
        if (node->inputs[i] >= 0)
            TRY(sizes_freeze(set, node->inputs[i], i < SETTLED_INPUTS ? call.settled[i] : 0,
                             "the number of its units goes into a computation"));
    for (int32_t i = 0; i < node->n_captures; i++) {
        labels_freeze(&call, &set->of_value[node->captures[i]], "a subgraph reads it");
        TRY(sizes_freeze(set, node->captures[i], 0, "a subgraph reads the number of its units"));
    }
    for (int32_t i = 0; i < n_out; i++)
        if (node->outputs[i] >= 0 && graph_fact(set->facts, node->outputs[i])->constant == NULL &&
            set->graph->values[node->outputs[i]].constant == NULL)
            set->of_value[node->outputs[i]] = labels[n_in + i];
done:
    set->node = -1;
    ctx_free(set->ctx, facts);
    ctx_free(set->ctx, labels);
    return status;
}

/* Nodes that read one weight in the same way are tied: they keep sharing it. */
static coset_status tie_shared_weights(label_set *set)
{
    coset_status status = COSET_OK;
    int64_t *first = NULL; /* per value: 1 + its first contraction slot */
    TRY(ctx_alloc(set->ctx, 4 * set->graph->n_values, sizeof *first, &first));
    for (int64_t s = 0; s < set->n_slots; s++) {
        label_slot *slot = &set->slots[s];
        bool contraction = slot->role == SLOT_PRODUCER || slot->role == SLOT_CONSUMER;
        if (!contraction || slot->axis > 1) continue;
        int64_t *seen =
            &first[4 * (int64_t)slot->value + 2 * slot->axis + (slot->role == SLOT_CONSUMER)];
        if (*seen == 0) {
            *seen = s + 1;
            continue;
        }
        const label_slot *other = &set->slots[*seen - 1];
        for (int64_t i = 0; i < slot->size; i++)
            labels_unite(set, slot->ids[i], other->ids[i], "a shared weight reads a frozen axis");
    }
done:
    ctx_free(set->ctx, first);
    return status;
}

static coset_status freeze_outputs(label_set *set)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < set->graph->n_outputs; i++) {
        const label_array *labels = &set->of_value[set->graph->outputs[i]];
        if (labels->rank < 0) continue;
        for (int64_t e = 0, n = label_elements(labels); e < n; e++)
            freeze_id(set, labels->ids[e], "it is a graph output");
        TRY(sizes_freeze(set, set->graph->outputs[i], 0,
                         "the number of its units is a graph output"));
    }
done:
    return status;
}

/* Replaces ids by their roots, once everything is united, and drops axes along which the roots are the
 * same. Values share id arrays: a shrunk one is a copy. */
static coset_status canonicalise(label_set *set, label_array *labels)
{
    label_array own = *labels;
    bool shrinks = false;
    for (int64_t e = 0, n = label_elements(labels); e < n; e++)
        labels->ids[e] = find_root(set->parent, labels->ids[e]);
    for (int a = 0; a < labels->rank; a++)
        shrinks = shrinks || (labels->dims[a] > 1 && !varies_along(labels, a));
    if (!shrinks) return COSET_OK;
    int64_t count = label_elements(labels);
    coset_status status = arena_alloc(set->ctx, &set->arena, count, sizeof *own.ids, &own.ids);
    if (status != COSET_OK) return status;
    memcpy(own.ids, labels->ids, (size_t)count * sizeof *own.ids);
    label_shrink(&own);
    *labels = own;
    return COSET_OK;
}

/* What is left of a cut must be a box again, and not an empty one: units that are spread over two axes
 * cannot go one by one, and one that fills an axis alone must stay. */
static void freeze_unboxed(label_set *set, int32_t value)
{
    const label_array *labels = &set->of_value[value];
    int varying = 0;
    for (int a = 0; a < labels->rank; a++) varying += labels->dims[a] > 1;
    if (varying == 1) return;
    set->node = set->graph->values[value].producer;
    for (int64_t e = 0, n = label_elements(labels); e < n; e++)
        freeze_id(set, labels->ids[e],
                  varying == 0 ? "it has a single unit" : "its units are spread over two axes");
    set->node = -1;
}

static coset_status finish_values(label_set *set)
{
    coset_status status = COSET_OK;
    for (int64_t v = 0; v < set->graph->n_values && status == COSET_OK; v++) {
        if (set->of_value[v].rank < 0) continue;
        status = canonicalise(set, &set->of_value[v]);
        freeze_unboxed(set, (int32_t)v);
    }
    return status;
}

coset_status labels_run(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                        label_set **set_out)
{
    coset_status status = COSET_OK;
    label_set *set = NULL;
    int64_t first = 0;
    *set_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *set, &set));
    *set = (label_set){.ctx = ctx, .graph = graph, .facts = facts, .node = -1};
    TRY(labels_fresh(set, LABEL_FIRST, &first));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *set->of_value, &set->of_value));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *set->fixed, &set->fixed));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *set->sizes, &set->sizes));
    for (int64_t v = 0; v < graph->n_values; v++) set->fixed[v] = graph->values[v].constant != NULL;
    TRY(seed_values(set));
    for (int64_t n = 0; n < graph->n_nodes; n++) TRY(run_node(set, (int32_t)n));
    TRY(freeze_outputs(set));
    TRY(tie_shared_weights(set));
    TRY(finish_values(set));
    for (int64_t s = 0; s < set->n_slots; s++)
        for (int64_t i = 0; i < set->slots[s].size; i++)
            set->slots[s].ids[i] = find_root(set->parent, set->slots[s].ids[i]);
    *set_out = set;
    set = NULL;
done:
    labels_free(set);
    return status;
}

void labels_free(label_set *set)
{
    if (set == NULL) return;
    coset_ctx *ctx = set->ctx;
    ctx_free(ctx, set->parent);
    ctx_free(ctx, set->frozen_by);
    ctx_free(ctx, set->reason);
    ctx_free(ctx, set->of_value);
    ctx_free(ctx, set->fixed);
    ctx_free(ctx, set->sizes);
    ctx_free(ctx, set->sources);
    ctx_free(ctx, set->slots);
    ctx_free(ctx, set->moves);
    arena_free(ctx, &set->arena);
    ctx_free(ctx, set);
}

const label_array *labels_of(const label_set *set, int32_t value)
{
    return &set->of_value[value];
}

int64_t labels_slots(const label_set *set, const label_slot **slots_out)
{
    *slots_out = set->slots;
    return set->n_slots;
}
