#include "lump/cost.h"

#include <string.h>

/* Width of an axis of units: fixed + sum of repeats * kept units of its groups. */
typedef struct axis_width {
    int64_t fixed, full;
    int32_t first, count; /* parts */
} axis_width;

typedef struct width_part {
    int32_t group;
    int64_t repeats;
} width_part;

/* One way in which a constant is read: fixed * width(axis[0]) * width(axis[1]) elements. */
typedef struct cost_use {
    int64_t fixed;
    int32_t axis[2]; /* -1: none */
} cost_use;

/* A constant: its uses count once while they are all uncut, else each. */
typedef struct cost_term {
    int64_t full;
    int32_t first, count; /* uses */
} cost_term;

/* Terms that a group touches: term[start[g] .. start[g + 1]], one after the other if it touches one
 * twice. */
typedef struct touch_list {
    int32_t *start, *term;
} touch_list;

struct cost_model {
    int64_t base_params, base_macs;
    axis_width *axes; /* [n_slots + n_nodes] slots, then unit axes of nodes' outputs */
    width_part *parts;
    int64_t n_parts, parts_capacity;
    cost_use *uses;
    int64_t n_uses, uses_capacity;
    cost_term *terms;
    int64_t n_terms, terms_capacity;
    cost_use *macs; /* [n_macs] MACs of nodes, as products of widths */
    int64_t n_macs;
    touch_list params_of, macs_of; /* by group */
};

static int64_t axis_size(const cost_model *self, int32_t index, const int64_t *widths,
                         int64_t group, int64_t width)
{
    if (index < 0) return 1;
    const axis_width *axis = &self->axes[index];
    int64_t size = axis->fixed;
    for (int32_t p = axis->first; p < axis->first + axis->count; p++)
        size += self->parts[p].repeats *
                (self->parts[p].group == group ? width : widths[self->parts[p].group]);
    return size;
}

static int64_t use_size(const cost_model *self, const cost_use *use, const int64_t *widths,
                        int64_t group, int64_t width, bool *full_out)
{
    int64_t size = use->fixed;
    *full_out = true;
    for (int a = 0; a < 2; a++) {
        int64_t extent = axis_size(self, use->axis[a], widths, group, width);
        if (use->axis[a] >= 0 && extent != self->axes[use->axis[a]].full) *full_out = false;
        size *= extent;
    }
    return size;
}

static int64_t term_params(const cost_model *self, const cost_term *term, const int64_t *widths,
                           int64_t group, int64_t width)
{
    int64_t total = 0;
    bool all_full = true;
    for (int32_t u = term->first; u < term->first + term->count; u++) {
        bool full = true;
        total += use_size(self, &self->uses[u], widths, group, width, &full);
        all_full = all_full && full;
    }
    return all_full ? term->full : total;
}

static int64_t use_macs(const cost_model *self, const cost_use *use, const int64_t *widths,
                        int64_t group, int64_t width)
{
    double share = 1;
    for (int a = 0; a < 2; a++)
        if (use->axis[a] >= 0 && self->axes[use->axis[a]].full > 0)
            share *= (double)axis_size(self, use->axis[a], widths, group, width) /
                     (double)self->axes[use->axis[a]].full;
    return (int64_t)((double)use->fixed * share + 0.5);
}

/* ---- building --------------------------------------------------------------------------------- */

static coset_status add_part(coset_ctx *ctx, cost_model *self, axis_width *axis, int32_t group,
                             int64_t repeats)
{
    coset_status status = ctx_reserve(ctx, &self->parts, &self->parts_capacity, self->n_parts + 1,
                                      sizeof *self->parts);
    if (status != COSET_OK) return status;
    self->parts[self->n_parts++] = (width_part){group, repeats};
    axis->count++;
    return COSET_OK;
}

/* The axis along which `ids` lie. seen [groups] is zero on entry and on return. */
static coset_status build_axis(coset_ctx *ctx, cost_model *self, const graph_groups *groups,
                               const int64_t *ids, int64_t size, int64_t *seen, axis_width *axis)
{
    coset_status status = COSET_OK;
    *axis = (axis_width){.fixed = size, .full = size, .first = (int32_t)self->n_parts};
    for (int64_t i = 0; i < size; i++) {
        int32_t g = groups->group_of[ids[i]];
        if (g >= 0) seen[g]++;
    }
    for (int64_t i = 0; i < size; i++) {
        int32_t g = groups->group_of[ids[i]];
        if (g < 0 || seen[g] == 0) continue;
        /* Units of a group have equally many indices on every axis. */
        if (status == COSET_OK)
            status = add_part(ctx, self, axis, g, seen[g] / groups->groups[g].n);
        axis->fixed -= seen[g];
        seen[g] = 0;
    }
    return status;
}

static coset_status build_axes(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                               const graph_groups *groups)
{
    coset_status status = COSET_OK;
    int64_t *seen = NULL;
    TRY(ctx_alloc(ctx, groups->n_slots + graph->n_nodes, sizeof *self->axes, &self->axes));
    TRY(ctx_alloc(ctx, groups->n, sizeof *seen, &seen));
    for (int64_t s = 0; s < groups->n_slots; s++)
        TRY(build_axis(ctx, self, groups, groups->slots[s].ids, groups->slots[s].size, seen,
                       &self->axes[s]));
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        axis_width *axis = &self->axes[groups->n_slots + n];
        *axis = (axis_width){.fixed = 1, .full = 1};
        if (graph->nodes[n].n_outputs < 1 || graph->nodes[n].outputs[0] < 0) continue;
        const label_array *labels = labels_of(groups->labels, graph->nodes[n].outputs[0]);
        int64_t size = 1, longest = 0;
        for (int a = 0; a < labels->rank; a++) {
            size *= labels->dims[a];
            if (labels->dims[a] > longest) longest = labels->dims[a];
        }
        /* What spreads over two axes is frozen. */
        if (labels->rank >= 0 && size == longest)
            TRY(build_axis(ctx, self, groups, labels->ids, size, seen, axis));
    }
done:
    ctx_free(ctx, seen);
    return status;
}

static bool same_slot(const graph_groups *groups, int32_t a, int32_t b)
{
    if (a < 0 || b < 0) return a == b;
    const label_slot *sa = &groups->slots[a], *sb = &groups->slots[b];
    return sa->axis == sb->axis && sa->size == sb->size &&
           memcmp(sa->ids, sb->ids, (size_t)sa->size * sizeof *sa->ids) == 0;
}

/* True if somebody reads a constant as it is: its uncut form stays in the model beside cut ones. Readers and
 * slots are both in the order of the nodes. */
static bool read_whole(const coset_graph *graph, const graph_groups *groups, const int32_t *slots,
                       int64_t n)
{
    const graph_value *value = &graph->values[groups->slots[slots[0]].value];
    if (value->is_output) return true;
    for (int64_t c = 0, i = 0; c < value->n_consumers; c++) {
        while (i < n && groups->slots[slots[i]].node < value->consumers[c]) i++;
        if (i == n || groups->slots[slots[i]].node != value->consumers[c]) return true;
    }
    return false;
}

static coset_status add_use(coset_ctx *ctx, cost_model *self, cost_term *term, const cost_use *use)
{
    coset_status status =
        ctx_reserve(ctx, &self->uses, &self->uses_capacity, self->n_uses + 1, sizeof *self->uses);
    if (status != COSET_OK) return status;
    self->uses[self->n_uses++] = *use;
    term->count++;
    return COSET_OK;
}

/* Collects the distinct uses of a constant that has slots, node by node. */
static coset_status build_uses(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                               const graph_groups *groups, const int32_t *slots, int64_t n)
{
    coset_status status = COSET_OK;
    const tensor *data = graph->values[groups->slots[slots[0]].value].constant;
    cost_term term = {.full = tensor_elements(data), .first = (int32_t)self->n_uses};
    for (int64_t i = 0; i < n;) {
        int64_t from = i;
        while (i < n && groups->slots[slots[i]].node == groups->slots[slots[from]].node) i++;
        cost_use use = {.fixed = term.full, .axis = {-1, -1}};
        for (int64_t j = from; j < i && j < from + 2; j++) {
            use.axis[j - from] = slots[j];
            int64_t size = groups->slots[slots[j]].size;
            use.fixed = size > 0 ? use.fixed / size : 0;
        }
        bool known = false;
        for (int32_t u = term.first; u < term.first + term.count; u++)
            known = known || (same_slot(groups, self->uses[u].axis[0], use.axis[0]) &&
                              same_slot(groups, self->uses[u].axis[1], use.axis[1]));
        if (known) continue;
        TRY(add_use(ctx, self, &term, &use));
    }
    cost_use whole = {.fixed = term.full, .axis = {-1, -1}};
    if (read_whole(graph, groups, slots, n)) TRY(add_use(ctx, self, &term, &whole));
    TRY(ctx_reserve(ctx, &self->terms, &self->terms_capacity, self->n_terms + 1,
                    sizeof *self->terms));
    self->terms[self->n_terms++] = term;
done:
    return status;
}

static coset_status build_terms(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                                const graph_groups *groups)
{
    coset_status status = COSET_OK;
    int32_t *start = NULL, *order = NULL;
    TRY(ctx_alloc(ctx, graph->n_values + 1, sizeof *start, &start));
    TRY(ctx_alloc(ctx, groups->n_slots, sizeof *order, &order));
    for (int64_t s = 0; s < groups->n_slots; s++) start[groups->slots[s].value + 1]++;
    for (int64_t v = 0; v < graph->n_values; v++) start[v + 1] += start[v];
    for (int64_t s = 0; s < groups->n_slots; s++)
        order[start[groups->slots[s].value]++] = (int32_t)s;
    for (int64_t v = 0, from = 0; v < graph->n_values; v++) {
        int64_t to = start[v]; /* after filing, start[v] is the end of v's slots */
        const tensor *data = graph->values[v].constant;
        if (to > from && data != NULL && dtype_is_float(data->dtype))
            TRY(build_uses(ctx, self, graph, groups, order + from, to - from));
        from = to;
    }
done:
    ctx_free(ctx, start);
    ctx_free(ctx, order);
    return status;
}

coset_status cost_node_macs(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                            const graph_node *node, int64_t *macs_out)
{
    coset_status status = COSET_OK;
    fact *known = NULL;
    *macs_out = 0;
    TRY(ctx_alloc(ctx, (int64_t)node->n_inputs + node->n_outputs, sizeof *known, &known));
    graph_node_facts(facts, node, known, known + node->n_inputs);
    op_infer call = {
        {ctx, node, graph->opset, node->n_inputs, node->n_outputs}, known, known + node->n_inputs};
    bool sized = true;
    for (int64_t i = 0; i < (int64_t)node->n_inputs + node->n_outputs; i++)
        sized =
            sized && (shape_known(&known[i].shape) || (i < node->n_inputs && node->inputs[i] < 0));
    if (sized) *macs_out = node->op->macs(&call);
done:
    ctx_free(ctx, known);
    return status;
}

/* A contraction costs inputs x outputs; anything else that counts goes with the width of its output. */
static coset_status count_macs(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                               const graph_facts *facts, const graph_groups *groups)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *self->macs, &self->macs));
    for (int64_t n = 0, c = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        bool contracts = c < groups->n_contractions && groups->contractions[c].node == n;
        cost_use use = {0, {(int32_t)(groups->n_slots + n), -1}};
        if (contracts) {
            use.axis[0] = groups->contractions[c].in_slot;
            use.axis[1] = groups->contractions[c++].out_slot;
        }
        if (node->op == NULL || node->op->macs == NULL) continue;
        TRY(cost_node_macs(ctx, graph, facts, node, &use.fixed));
        if (use.fixed > 0) self->macs[self->n_macs++] = use;
    }
done:
    return status;
}

/* Lists, or counts, which groups use `t` of a list touches. */
static void visit_use(const cost_model *self, const cost_use *use, int32_t t, bool place,
                      touch_list *list)
{
    for (int a = 0; a < 2; a++) {
        if (use->axis[a] < 0) continue;
        const axis_width *axis = &self->axes[use->axis[a]];
        for (int32_t p = axis->first; p < axis->first + axis->count; p++) {
            int32_t *at = &list->start[self->parts[p].group + (place ? 0 : 1)];
            if (place) list->term[*at] = t;
            (*at)++;
        }
    }
}

static void visit_all(const cost_model *self, bool macs, bool place, touch_list *list)
{
    for (int64_t m = 0; macs && m < self->n_macs; m++)
        visit_use(self, &self->macs[m], (int32_t)m, place, list);
    for (int64_t t = 0; !macs && t < self->n_terms; t++)
        for (int32_t u = self->terms[t].first; u < self->terms[t].first + self->terms[t].count; u++)
            visit_use(self, &self->uses[u], (int32_t)t, place, list);
}

static coset_status build_touched(coset_ctx *ctx, cost_model *self, bool macs, int64_t n_groups,
                                  touch_list *list)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, n_groups + 2, sizeof *list->start, &list->start));
    visit_all(self, macs, false, list);
    for (int64_t g = 0; g < n_groups; g++) list->start[g + 1] += list->start[g];
    TRY(ctx_alloc(ctx, list->start[n_groups], sizeof *list->term, &list->term));
    visit_all(self, macs, true, list);
    for (int64_t g = n_groups; g > 0; g--) list->start[g] = list->start[g - 1];
    list->start[0] = 0;
done:
    return status;
}

coset_status cost_model_new(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                            const graph_groups *groups, cost_model **model_out)
{
    coset_status status = COSET_OK;
    cost_model *self = NULL;
    coset_graph_size size = {0};
    *model_out = NULL;
    TRY(coset_graph_measure(ctx, graph, &size));
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->base_params = size.params;
    TRY(build_axes(ctx, self, graph, groups));
    TRY(build_terms(ctx, self, graph, groups));
    TRY(count_macs(ctx, self, graph, facts, groups));
    TRY(build_touched(ctx, self, false, groups->n, &self->params_of));
    TRY(build_touched(ctx, self, true, groups->n, &self->macs_of));
    self->base_macs = size.macs > 0 ? size.macs : 0;
    for (int64_t t = 0; t < self->n_terms; t++) self->base_params -= self->terms[t].full;
    for (int64_t m = 0; m < self->n_macs; m++) self->base_macs -= self->macs[m].fixed;
    *model_out = self;
    self = NULL;
done:
    cost_model_free(ctx, self);
    return status;
}

void cost_model_free(coset_ctx *ctx, cost_model *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->axes);
    ctx_free(ctx, self->parts);
    ctx_free(ctx, self->uses);
    ctx_free(ctx, self->terms);
    ctx_free(ctx, self->macs);
    ctx_free(ctx, self->params_of.start);
    ctx_free(ctx, self->params_of.term);
    ctx_free(ctx, self->macs_of.start);
    ctx_free(ctx, self->macs_of.term);
    ctx_free(ctx, self);
}

int64_t cost_of(const cost_model *self, cost_kind kind, const int64_t *widths)
{
    int64_t total = kind == COST_PARAMS ? self->base_params : self->base_macs;
    for (int64_t t = 0; kind == COST_PARAMS && t < self->n_terms; t++)
        total += term_params(self, &self->terms[t], widths, -1, 0);
    for (int64_t m = 0; kind == COST_MACS && m < self->n_macs; m++)
        total += use_macs(self, &self->macs[m], widths, -1, 0);
    return total;
}

int64_t cost_change(const cost_model *self, cost_kind kind, const int64_t *widths, int64_t group,
                    int64_t width)
{
    int64_t change = 0;
    const touch_list *list = kind == COST_PARAMS ? &self->params_of : &self->macs_of;
    for (int32_t i = list->start[group]; i < list->start[group + 1]; i++) {
        int32_t t = list->term[i];
        if (i > list->start[group] && t == list->term[i - 1]) continue;
        if (kind == COST_PARAMS)
            change += term_params(self, &self->terms[t], widths, group, width) -
                      term_params(self, &self->terms[t], widths, -1, 0);
        else
            change += use_macs(self, &self->macs[t], widths, group, width) -
                      use_macs(self, &self->macs[t], widths, -1, 0);
    }
    return change;
}
