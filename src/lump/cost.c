#include "lump/cost.h"

#include <string.h>

/* Width of a slot's axis: fixed + sum of repeats * kept units of its groups. */
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
    int32_t axis[2]; /* slot; -1: none */
} cost_use;

/* A constant: its uses count once while they are all uncut, else each. */
typedef struct cost_term {
    int64_t full;
    int32_t first, count; /* uses */
    int64_t macs;         /* of the contractions that read it, at full width */
} cost_term;

struct cost_model {
    int64_t base_params, base_macs;
    axis_width *axes; /* [n_slots] */
    width_part *parts;
    int64_t n_parts, parts_capacity;
    cost_use *uses;
    int64_t n_uses, uses_capacity;
    cost_term *terms;
    int64_t n_terms, terms_capacity;
    int32_t *start, *touched; /* terms that a group touches: touched[start[g] .. start[g + 1]] */
};

static int64_t axis_size(const cost_model *self, int32_t slot, const int64_t *widths, int64_t group,
                         int64_t width)
{
    if (slot < 0) return 1;
    const axis_width *axis = &self->axes[slot];
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

static int64_t term_macs(const cost_model *self, const cost_term *term, const int64_t *widths,
                         int64_t group, int64_t width)
{
    if (term->macs == 0) return 0;
    bool full = true;
    int64_t size = use_size(self, &self->uses[term->first], widths, group, width, &full);
    double share = term->full > 0 ? (double)size / (double)term->full : 1;
    return (int64_t)((double)term->macs * share + 0.5);
}

/* ---- building --------------------------------------------------------------------------------- */

static coset_status build_axes(coset_ctx *ctx, cost_model *self, const graph_groups *groups)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, groups->n_slots, sizeof *self->axes, &self->axes));
    for (int64_t s = 0; s < groups->n_slots; s++)
        self->axes[s].fixed = self->axes[s].full = groups->slots[s].size;
    /* Parts of one slot must be contiguous: count, then place. */
    for (int64_t g = 0; g < groups->n; g++)
        for (int32_t m = 0; m < groups->groups[g].n_slots; m++) {
            self->axes[groups->groups[g].slots[m].slot].count++;
            self->n_parts++;
        }
    TRY(ctx_alloc(ctx, self->n_parts, sizeof *self->parts, &self->parts));
    int32_t next = 0;
    for (int64_t s = 0; s < groups->n_slots; s++) {
        self->axes[s].first = next;
        next += self->axes[s].count;
        self->axes[s].count = 0;
    }
    for (int64_t g = 0; g < groups->n; g++)
        for (int32_t m = 0; m < groups->groups[g].n_slots; m++) {
            const group_slot *member = &groups->groups[g].slots[m];
            axis_width *axis = &self->axes[member->slot];
            axis->fixed -= groups->groups[g].n * member->repeats;
            self->parts[axis->first + axis->count++] = (width_part){(int32_t)g, member->repeats};
        }
done:
    return status;
}

static bool same_slot(const graph_groups *groups, int32_t a, int32_t b)
{
    if (a < 0 || b < 0) return a == b;
    const label_slot *sa = &groups->slots[a], *sb = &groups->slots[b];
    return sa->axis == sb->axis && sa->size == sb->size &&
           memcmp(sa->ids, sb->ids, (size_t)sa->size * sizeof *sa->ids) == 0;
}

/* Collects the distinct uses of every constant that has slots, node by node. */
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
        TRY(ctx_reserve(ctx, &self->uses, &self->uses_capacity, self->n_uses + 1,
                        sizeof *self->uses));
        self->uses[self->n_uses++] = use;
        term.count++;
    }
    TRY(ctx_reserve(ctx, &self->terms, &self->terms_capacity, self->n_terms + 1,
                    sizeof *self->terms));
    self->terms[self->n_terms++] = term;
done:
    return status;
}

static coset_status build_terms(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                                const graph_groups *groups, int64_t *term_of)
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
        term_of[v] = -1;
        const tensor *data = graph->values[v].constant;
        if (to > from && data != NULL && dtype_is_float(data->dtype)) {
            term_of[v] = self->n_terms;
            TRY(build_uses(ctx, self, graph, groups, order + from, to - from));
        }
        from = to;
    }
done:
    ctx_free(ctx, start);
    ctx_free(ctx, order);
    return status;
}

static coset_status count_macs(coset_ctx *ctx, cost_model *self, const coset_graph *graph,
                               const graph_facts *facts, const graph_groups *groups,
                               const int64_t *term_of)
{
    coset_status status = COSET_OK;
    fact *known = NULL;
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const graph_node *node = &graph->nodes[groups->contractions[c].node];
        int64_t term = term_of[groups->contractions[c].weight];
        if (term < 0 || node->op->macs == NULL) continue;
        TRY(ctx_alloc(ctx, (int64_t)node->n_inputs + node->n_outputs, sizeof *known, &known));
        graph_node_facts(facts, node, known, known + node->n_inputs);
        op_infer call = {{ctx, node, graph->opset, node->n_inputs, node->n_outputs},
                         known,
                         known + node->n_inputs};
        bool sized = true;
        for (int64_t i = 0; i < (int64_t)node->n_inputs + node->n_outputs; i++)
            sized = sized &&
                    (shape_known(&known[i].shape) || (i < node->n_inputs && node->inputs[i] < 0));
        if (sized) self->terms[term].macs += node->op->macs(&call);
        ctx_free(ctx, known);
        known = NULL;
    }
done:
    ctx_free(ctx, known);
    return status;
}

static void visit_touched(cost_model *self, bool place)
{
    for (int64_t t = 0; t < self->n_terms; t++)
        for (int32_t u = self->terms[t].first; u < self->terms[t].first + self->terms[t].count; u++)
            for (int a = 0; a < 2; a++) {
                int32_t slot = self->uses[u].axis[a];
                if (slot < 0) continue;
                const axis_width *axis = &self->axes[slot];
                for (int32_t p = axis->first; p < axis->first + axis->count; p++) {
                    int32_t *at = &self->start[self->parts[p].group + (place ? 0 : 1)];
                    if (place) self->touched[*at] = (int32_t)t;
                    (*at)++;
                }
            }
}

static coset_status build_touched(coset_ctx *ctx, cost_model *self, int64_t n_groups)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, n_groups + 2, sizeof *self->start, &self->start));
    visit_touched(self, false);
    for (int64_t g = 0; g < n_groups; g++) self->start[g + 1] += self->start[g];
    TRY(ctx_alloc(ctx, self->start[n_groups], sizeof *self->touched, &self->touched));
    visit_touched(self, true);
    for (int64_t g = n_groups; g > 0; g--) self->start[g] = self->start[g - 1];
    self->start[0] = 0;
done:
    return status;
}

coset_status cost_model_new(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                            const graph_groups *groups, cost_model **model_out)
{
    coset_status status = COSET_OK;
    cost_model *self = NULL;
    int64_t *term_of = NULL;
    coset_graph_size size = {0};
    *model_out = NULL;
    TRY(coset_graph_measure(ctx, graph, &size));
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->base_params = size.params;
    TRY(build_axes(ctx, self, groups));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *term_of, &term_of));
    TRY(build_terms(ctx, self, graph, groups, term_of));
    TRY(count_macs(ctx, self, graph, facts, groups, term_of));
    TRY(build_touched(ctx, self, groups->n));
    self->base_macs = size.macs > 0 ? size.macs : 0;
    for (int64_t t = 0; t < self->n_terms; t++) {
        self->base_params -= self->terms[t].full;
        self->base_macs -= self->terms[t].macs;
    }
    *model_out = self;
    self = NULL;
done:
    ctx_free(ctx, term_of);
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
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->touched);
    ctx_free(ctx, self);
}

int64_t cost_of(const cost_model *self, cost_kind kind, const int64_t *widths)
{
    int64_t total = kind == COST_PARAMS ? self->base_params : self->base_macs;
    for (int64_t t = 0; t < self->n_terms; t++)
        total += kind == COST_PARAMS ? term_params(self, &self->terms[t], widths, -1, 0)
                                     : term_macs(self, &self->terms[t], widths, -1, 0);
    return total;
}

int64_t cost_change(const cost_model *self, cost_kind kind, const int64_t *widths, int64_t group,
                    int64_t width)
{
    int64_t change = 0;
    for (int32_t i = self->start[group]; i < self->start[group + 1]; i++) {
        /* A term that a group touches on both axes is listed twice in a row. */
        if (i > self->start[group] && self->touched[i] == self->touched[i - 1]) continue;
        const cost_term *term = &self->terms[self->touched[i]];
        if (kind == COST_PARAMS)
            change += term_params(self, term, widths, group, width) -
                      term_params(self, term, widths, -1, 0);
        else
            change +=
                term_macs(self, term, widths, group, width) - term_macs(self, term, widths, -1, 0);
    }
    return change;
}
