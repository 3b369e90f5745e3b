#include "graph/groups.h"

#include <stdlib.h>
#include <string.h>

/* One index of one slot, filed under its class. */
typedef struct entry {
    int32_t slot;
    int64_t index;
} entry;

typedef struct finder {
    coset_ctx *ctx;
    const coset_graph *graph;
    graph_groups *out;
    int64_t *start; /* [count + 1] entries of class c: start[c] .. start[c + 1] */
    entry *entries;
    uint64_t *orders; /* [count] of labels_orders */
    int64_t *classes; /* classes with a producer, sorted by signature */
    int64_t n_classes;
} finder;

static bool role_produces(slot_role role)
{
    return role == SLOT_PRODUCER;
}

/* Files every slot index under its class: a counting sort, so entries are ordered by slot, index. */
static coset_status file_entries(finder *self)
{
    coset_status status = COSET_OK;
    const graph_groups *out = self->out;
    int64_t count = labels_count(out->labels), total = 0;
    int64_t *at = NULL;
    bool *produced = NULL;
    TRY(ctx_alloc(self->ctx, count + 1, sizeof *self->start, &self->start));
    TRY(ctx_alloc(self->ctx, count + 1, sizeof *at, &at));
    TRY(ctx_alloc(self->ctx, count, sizeof *produced, &produced));
    for (int64_t s = 0; s < out->n_slots; s++)
        for (int64_t i = 0; i < out->slots[s].size; i++) {
            int64_t id = out->slots[s].ids[i];
            self->start[id + 1]++;
            if (role_produces(out->slots[s].role)) produced[id] = true;
        }
    for (int64_t c = 0; c < count; c++) self->start[c + 1] += self->start[c];
    memcpy(at, self->start, (size_t)(count + 1) * sizeof *at);
    total = self->start[count];
    TRY(ctx_alloc(self->ctx, total, sizeof *self->entries, &self->entries));
    for (int64_t s = 0; s < out->n_slots; s++)
        for (int64_t i = 0; i < out->slots[s].size; i++)
            self->entries[at[out->slots[s].ids[i]]++] = (entry){(int32_t)s, i};
    TRY(ctx_alloc(self->ctx, count, sizeof *self->classes, &self->classes));
    for (int64_t c = LABEL_FIRST; c < count; c++)
        if (produced[c]) self->classes[self->n_classes++] = c;
done:
    ctx_free(self->ctx, at);
    ctx_free(self->ctx, produced);
    return status;
}

/* Orders classes by the slots they share, by how their indices are arranged, and by whether they are
 * frozen. */
static int compare_signatures(const finder *self, int64_t a, int64_t b)
{
    int64_t na = self->start[a + 1] - self->start[a], nb = self->start[b + 1] - self->start[b];
    const entry *ea = self->entries + self->start[a], *eb = self->entries + self->start[b];
    for (int64_t i = 0; i < na && i < nb; i++)
        if (ea[i].slot != eb[i].slot) return ea[i].slot < eb[i].slot ? -1 : 1;
    if (na != nb) return na < nb ? -1 : 1;
    if (self->orders[a] != self->orders[b]) return self->orders[a] < self->orders[b] ? -1 : 1;
    bool fa = labels_frozen(self->out->labels, a, NULL) != NULL;
    bool fb = labels_frozen(self->out->labels, b, NULL) != NULL;
    return (int)fa - (int)fb;
}

static int by_signature_then_id(const void *left, const void *right, void *user)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    int order = compare_signatures(user, a, b);
    if (order != 0) return order;
    return a < b ? -1 : a > b;
}

static int by_first_unit(const void *left, const void *right)
{
    const unit_group *a = left, *b = right;
    return a->roots[0] < b->roots[0] ? -1 : a->roots[0] > b->roots[0];
}

static coset_status fill_slots(finder *self, unit_group *group)
{
    coset_status status = COSET_OK;
    const graph_groups *out = self->out;
    const entry *first = self->entries + self->start[group->roots[0]];
    int64_t n_entries = self->start[group->roots[0] + 1] - self->start[group->roots[0]];
    for (int64_t i = 0; i < n_entries; i++)
        group->n_slots += i == 0 || first[i].slot != first[i - 1].slot;
    TRY(arena_alloc(self->ctx, &self->out->arena, group->n_slots, sizeof *group->slots,
                    &group->slots));
    int64_t e = 0;
    for (int32_t s = 0; s < group->n_slots; s++) {
        group_slot *slot = &group->slots[s];
        slot->slot = first[e].slot;
        slot->role = out->slots[slot->slot].role;
        int64_t from = e;
        while (e < n_entries && first[e].slot == slot->slot) e++;
        slot->repeats = e - from;
        int64_t cells = group->n * slot->repeats;
        TRY(arena_alloc(self->ctx, &self->out->arena, cells, sizeof *slot->index, &slot->index));
        for (int64_t u = 0; u < group->n; u++)
            for (int64_t p = 0; p < slot->repeats; p++)
                slot->index[u * slot->repeats + p] =
                    self->entries[self->start[group->roots[u]] + from + p].index;
    }
done:
    return status;
}

static const char *unusable_weight(const finder *self, const unit_group *group)
{
    for (int32_t s = 0; s < group->n_slots; s++) {
        const label_slot *slot = &self->out->slots[group->slots[s].slot];
        const tensor *data = self->graph->values[slot->value].constant;
        if (data == NULL) return "a weight is computed by nodes and not stored as a constant";
        if (data->dtype != COSET_F32 && data->dtype != COSET_F64 && data->dtype != COSET_F16 &&
            data->dtype != COSET_BF16)
            return "a weight is not a floating-point tensor";
    }
    return NULL;
}

static coset_status make_group(finder *self, const int64_t *classes, int64_t n, unit_group *group)
{
    coset_status status = COSET_OK;
    *group = (unit_group){.n = n, .frozen_by = -1, .function = UNIT_OTHER};
    TRY(arena_alloc(self->ctx, &self->out->arena, n, sizeof *group->roots, &group->roots));
    memcpy(group->roots, classes, (size_t)n * sizeof *classes);
    TRY(fill_slots(self, group));
    for (int32_t s = group->n_slots - 1; s >= 0; s--)
        if (role_produces(group->slots[s].role))
            group->name = node_label(
                self->graph, &self->graph->nodes[self->out->slots[group->slots[s].slot].node]);
    group->frozen = labels_frozen(self->out->labels, group->roots[0], &group->frozen_by);
    if (group->frozen == NULL) group->frozen = unusable_weight(self, group);
    if (group->frozen == NULL && n < 2) group->frozen = "it has a single unit";
done:
    return status;
}

static coset_status make_groups(finder *self)
{
    coset_status status = COSET_OK;
    graph_groups *out = self->out;
    qsort_r(self->classes, (size_t)self->n_classes, sizeof *self->classes, by_signature_then_id,
            self);
    for (int64_t c = 0; c < self->n_classes; c++)
        out->n += c == 0 || compare_signatures(self, self->classes[c - 1], self->classes[c]) != 0;
    TRY(arena_alloc(self->ctx, &out->arena, out->n, sizeof *out->groups, &out->groups));
    int64_t g = 0;
    for (int64_t from = 0, to = 0; from < self->n_classes; from = to) {
        for (to = from + 1; to < self->n_classes; to++)
            if (compare_signatures(self, self->classes[from], self->classes[to]) != 0) break;
        TRY(make_group(self, self->classes + from, to - from, &out->groups[g++]));
    }
    qsort(out->groups, (size_t)out->n, sizeof *out->groups, by_first_unit);
    int64_t count = labels_count(out->labels);
    TRY(arena_alloc(self->ctx, &out->arena, count, sizeof *out->group_of, &out->group_of));
    TRY(arena_alloc(self->ctx, &out->arena, count, sizeof *out->unit_of, &out->unit_of));
    for (int64_t c = 0; c < count; c++) out->group_of[c] = -1;
    for (int64_t i = 0; i < out->n; i++)
        for (int64_t u = 0; u < out->groups[i].n; u++) {
            out->group_of[out->groups[i].roots[u]] = (int32_t)i;
            out->unit_of[out->groups[i].roots[u]] = u;
        }
done:
    return status;
}

/* ---- contractions ------------------------------------------------------------------------------ */

static int unit_axis(const label_set *labels, int32_t value, int otherwise)
{
    const label_array *of = labels_of(labels, value);
    for (int a = 0; a < of->rank; a++)
        if (of->dims[a] > 1) return a;
    return otherwise;
}

/* A floating constant among a node's inputs, other than `not_this`, with `size` elements; -1: none. */
static int32_t constant_operand(const coset_graph *graph, const graph_node *node, int32_t not_this,
                                int64_t size)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        int32_t value = node->inputs[i];
        if (value < 0 || value == not_this) continue;
        const tensor *data = graph->values[value].constant;
        if (data != NULL && dtype_is_float(data->dtype) && tensor_elements(data) == size)
            return value;
    }
    return -1;
}

/* The bias of a contraction: an additive constant of the node itself or of the one Add behind it. */
static void find_bias(const finder *self, contraction *at, const int32_t *add_slot_of_node)
{
    const coset_graph *graph = self->graph;
    int64_t width = self->out->slots[at->out_slot].size;
    const graph_value *y = &graph->values[at->output];
    int32_t node = at->node;
    int32_t bias = constant_operand(graph, &graph->nodes[node], at->weight, width);
    if (node_attr_float(&graph->nodes[node], "beta", 1) == 0) bias = -1; /* nothing is added */
    if (bias < 0 && y->n_consumers == 1 && !y->is_output) {
        node = y->consumers[0];
        if (strcmp(graph->nodes[node].op_type, "Add") == 0)
            bias = constant_operand(graph, &graph->nodes[node], at->output, width);
    }
    if (bias < 0) return;
    int32_t slot = add_slot_of_node[node];
    if (slot >= 0 && (self->out->slots[slot].value != bias || self->out->slots[slot].size != width))
        return;
    if (slot < 0 && width > 1) return;
    at->bias = bias;
    at->bias_slot = slot;
    at->bias_node = node;
    at->bias_scale = node == at->node ? (double)node_attr_float(&graph->nodes[node], "beta", 1) : 1;
    if (node != at->node) at->result = graph->nodes[node].outputs[0];
}

static bool is_transposed(const graph_node *node)
{
    return strcmp(node->op_type, "ConvTranspose") == 0;
}

static bool is_convolution(const graph_node *node)
{
    return strcmp(node->op_type, "Conv") == 0 || is_transposed(node);
}

/* Where a contraction's input and output have their features if no labels tell it. */
static int feature_axis(const finder *self, const graph_node *node, int32_t value)
{
    return is_convolution(node) ? 1 : labels_of(self->out->labels, value)->rank - 1;
}

/* The windows of a transposed convolution part the taps among the outputs. */
static double tap_share(const graph_node *node)
{
    double share = 1;
    int64_t n = 0;
    const int64_t *strides = node_attr_ints(node, "strides", &n);
    for (int64_t i = 0; is_transposed(node) && i < n; i++) share /= (double)strides[i];
    return share;
}

static coset_status find_contractions(finder *self)
{
    coset_status status = COSET_OK;
    graph_groups *out = self->out;
    const coset_graph *graph = self->graph;
    int32_t *in_slot = NULL, *out_slot = NULL, *add_slot = NULL;
    TRY(ctx_alloc(self->ctx, graph->n_nodes, sizeof *in_slot, &in_slot));
    TRY(ctx_alloc(self->ctx, graph->n_nodes, sizeof *out_slot, &out_slot));
    TRY(ctx_alloc(self->ctx, graph->n_nodes, sizeof *add_slot, &add_slot));
    for (int64_t n = 0; n < graph->n_nodes; n++) in_slot[n] = out_slot[n] = add_slot[n] = -1;
    for (int64_t s = 0; s < out->n_slots; s++) {
        int32_t node = out->slots[s].node;
        if (out->slots[s].role == SLOT_CONSUMER) in_slot[node] = (int32_t)s;
        if (out->slots[s].role == SLOT_PRODUCER) out_slot[node] = (int32_t)s;
        if (out->slots[s].role == SLOT_ADD) add_slot[node] = (int32_t)s;
    }
    TRY(arena_alloc(self->ctx, &out->arena, graph->n_nodes, sizeof *out->contractions,
                    &out->contractions));
    TRY(arena_alloc(self->ctx, &out->arena, out->n_slots, sizeof *out->contraction_of,
                    &out->contraction_of));
    for (int64_t s = 0; s < out->n_slots; s++) out->contraction_of[s] = -1;
    for (int32_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        if (in_slot[n] < 0 || out_slot[n] < 0) continue;
        contraction *at = &out->contractions[out->n_contractions];
        *at = (contraction){.node = n,
                            .weight = out->slots[in_slot[n]].value,
                            .input = -1,
                            .output = node->outputs[0],
                            .result = node->outputs[0],
                            .in_slot = in_slot[n],
                            .out_slot = out_slot[n],
                            .groups = is_convolution(node) ? node_attr_int(node, "group", 1) : 1,
                            .scale = (double)node_attr_float(node, "alpha", 1),
                            .tap_share = tap_share(node),
                            .bias = -1,
                            .bias_slot = -1,
                            .bias_node = -1,
                            .bias_scale = 1};
        for (int32_t i = 0; i < node->n_inputs && at->input < 0; i++)
            if (node->inputs[i] >= 0 && node->inputs[i] != at->weight) at->input = node->inputs[i];
        if (at->input < 0 || graph->values[at->weight].constant == NULL) continue;
        at->input_axis = unit_axis(out->labels, at->input, feature_axis(self, node, at->input));
        at->output_axis = unit_axis(out->labels, at->output, feature_axis(self, node, at->output));
        find_bias(self, at, add_slot);
        out->contraction_of[at->in_slot] = out->contraction_of[at->out_slot] =
            (int32_t)out->n_contractions;
        if (at->bias_slot >= 0) out->contraction_of[at->bias_slot] = (int32_t)out->n_contractions;
        out->n_contractions++;
    }
done:
    ctx_free(self->ctx, in_slot);
    ctx_free(self->ctx, out_slot);
    ctx_free(self->ctx, add_slot);
    return status;
}

/* ---- the function between producers and consumers --------------------------------------------- */

static unit_function function_of(const graph_node *node)
{
    static const struct {
        const char *type;
        unit_function function;
    } known[] = {
        {"Relu", UNIT_RELU},          {"LeakyRelu", UNIT_RELU},     {"Tanh", UNIT_ODD},
        {"Sigmoid", UNIT_LOGISTIC},   {"Identity", UNIT_IDENTITY},  {"Dropout", UNIT_IDENTITY},
        {"Flatten", UNIT_IDENTITY},   {"Reshape", UNIT_IDENTITY},   {"Squeeze", UNIT_IDENTITY},
        {"Unsqueeze", UNIT_IDENTITY}, {"Transpose", UNIT_IDENTITY}, {"Concat", UNIT_IDENTITY}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(node->op_type, known[i].type) == 0) return known[i].function;
    return UNIT_OTHER;
}

/* Ways from one contraction to the next that are followed: where values part and meet again, their number
 * grows exponentially with the depth. */
enum { FOLLOW_DEPTH = 16, FOLLOW_VISITS = 4096 };

/* Follows a value to the contractions that read it; false if anything but one function is met, or if there
 * are too many ways. visits counts the readers looked at. */
static bool follow(const finder *self, const bool *contracts, int32_t value, bool before,
                   unit_group *function, int depth, int *visits)
{
    const graph_value *at = &self->graph->values[value];
    if (at->is_output || at->n_consumers == 0 || depth > FOLLOW_DEPTH) return false;
    unit_group seen = {.function = UNIT_IDENTITY};
    bool first = true;
    for (int32_t c = 0; c < at->n_consumers; c++) {
        int32_t n = at->consumers[c];
        if (++*visits > FOLLOW_VISITS) return false;
        unit_group here = {.function = UNIT_IDENTITY};
        if (!contracts[n]) {
            const graph_node *node = &self->graph->nodes[n];
            unit_function step = function_of(node);
            if (step == UNIT_OTHER || node->n_outputs < 1) return false;
            if (step != UNIT_IDENTITY && !before) return false;
            here.function = step;
            if (strcmp(node->op_type, "LeakyRelu") == 0)
                here.leak = node_attr_float(node, "alpha", 0.01f);
            if (!follow(self, contracts, node->outputs[0], before && step == UNIT_IDENTITY, &here,
                        depth + 1, visits))
                return false;
        }
        if (!first && (here.function != seen.function || here.leak != seen.leak)) return false;
        seen = here;
        first = false;
    }
    if (seen.function != UNIT_IDENTITY) {
        function->function = seen.function;
        function->leak = seen.leak;
    }
    return true;
}

/* True if one contraction makes a group, and nothing is added to it but that one's bias. */
static bool is_made_at_once(const unit_group *group, bool biased)
{
    int producers = 0, additions = 0;
    for (int32_t s = 0; s < group->n_slots && producers < 2 && additions < 2; s++) {
        producers += group->slots[s].role == SLOT_PRODUCER;
        additions += group->slots[s].role == SLOT_ADD;
    }
    return producers == 1 && additions <= (biased ? 1 : 0);
}

static coset_status find_functions(finder *self)
{
    coset_status status = COSET_OK;
    graph_groups *out = self->out;
    bool *contracts = NULL;
    TRY(ctx_alloc(self->ctx, self->graph->n_nodes, sizeof *contracts, &contracts));
    for (int64_t c = 0; c < out->n_contractions; c++) contracts[out->contractions[c].node] = true;
    for (int64_t c = 0; c < out->n_contractions; c++) {
        const contraction *at = &out->contractions[c];
        int32_t g = out->group_of[out->slots[at->out_slot].ids[0]];
        if (g < 0) continue;
        unit_group *group = &out->groups[g];
        if (!is_made_at_once(group, at->bias >= 0)) continue;
        unit_group found = {.function = UNIT_IDENTITY};
        int visits = 0;
        if (!follow(self, contracts, at->result, true, &found, 0, &visits)) continue;
        group->function = found.function;
        group->leak = found.leak;
    }
done:
    ctx_free(self->ctx, contracts);
    return status;
}

coset_status groups_find(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                         graph_groups **groups_out)
{
    coset_status status = COSET_OK;
    finder self = {.ctx = ctx, .graph = graph};
    *groups_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    self.out->facts = facts;
    TRY(labels_run(ctx, graph, facts, &self.out->labels));
    self.out->n_slots = labels_slots(self.out->labels, &self.out->slots);
    TRY(labels_orders(self.out->labels, &self.orders));
    TRY(file_entries(&self));
    TRY(make_groups(&self));
    TRY(find_contractions(&self));
    TRY(find_functions(&self));
    *groups_out = self.out;
    self.out = NULL;
done:
    ctx_free(ctx, self.start);
    ctx_free(ctx, self.entries);
    ctx_free(ctx, self.classes);
    ctx_free(ctx, self.orders);
    groups_free(ctx, self.out);
    return status;
}

void groups_free(coset_ctx *ctx, graph_groups *self)
{
    if (self == NULL) return;
    labels_free(self->labels);
    arena_free(ctx, &self->arena);
    ctx_free(ctx, self);
}

const group_slot *group_slot_in(const unit_group *self, int32_t slot)
{
    int32_t low = 0, high = self->n_slots;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (self->slots[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->n_slots && self->slots[low].slot == slot ? &self->slots[low] : NULL;
}

int32_t groups_at(const graph_groups *self, int32_t slot, int64_t i, int64_t *unit_out)
{
    int64_t id = self->slots[slot].ids[i];
    *unit_out = self->unit_of[id];
    return self->group_of[id];
}

/* ---- views of weights -------------------------------------------------------------------------- */

weight_view contraction_weight(const coset_graph *graph, const graph_groups *groups,
                               const contraction *self)
{
    const tensor *data = graph->values[self->weight].constant;
    int out = groups->slots[self->out_slot].axis, in = groups->slots[self->in_slot].axis;
    weight_view view = {.data = data,
                        .n_out = data->shape.dims[out],
                        .n_in = data->shape.dims[in],
                        .n_taps = 1,
                        .tap_stride = 1,
                        .scale = self->scale};
    view.out_stride = shape_product(&data->shape, out + 1, data->shape.rank);
    view.in_stride = shape_product(&data->shape, in + 1, data->shape.rank);
    view.n_taps = shape_product(&data->shape, (out > in ? out : in) + 1, data->shape.rank);
    return view;
}

void weight_rows(const weight_view *self, int64_t first, int64_t count, double *rows_out)
{
    int64_t width = self->n_in * self->n_taps;
    /* The inner loop runs along whatever is contiguous in the stored tensor. */
    bool out_inner = self->out_stride < self->in_stride;
    int64_t outer = out_inner ? self->n_in : count, inner = out_inner ? count : self->n_in;
    for (int64_t a = 0; a < outer; a++)
        for (int64_t b = 0; b < inner; b++) {
            int64_t o = out_inner ? b : a, i = out_inner ? a : b;
            int64_t from = (first + o) * self->out_stride + i * self->in_stride;
            double *to = rows_out + o * width + i * self->n_taps;
            for (int64_t t = 0; t < self->n_taps; t++)
                to[t] = self->scale * tensor_value(self->data, from + t * self->tap_stride);
        }
}
