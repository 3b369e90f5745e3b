/* What models with bypasses cost. */
#include "lump/bypass.h"

/* One axis of a weight: fixed + the sum over its parts of repeats * units. */
typedef struct width_part {
    int32_t group;
    int64_t repeats;
} width_part;

typedef struct axis_width {
    int64_t fixed, first, count; /* parts[first] .. */
} axis_width;

typedef struct contraction_cost {
    axis_width in, out;
    double weight; /* cost of one element of (out, in) */
    bool biased;
    int32_t into; /* the group whose line starts at this one; -1: none */
    /* the state that bypass_cost_of saw last */
    double n_in, n_out;
    bool adds;    /* a bias: its own, or one for the constant part of a bypass */
    double slope; /* cost of one more input, lines that start here included */
} contraction_cost;

struct bypass_costs {
    const graph_groups *groups;
    const bypass_lines *lines;
    double bias_cost;
    width_part *parts;
    int64_t n_parts, parts_capacity;
    contraction_cost *of; /* [n_contractions] */
    bool *bypassed;       /* [groups->n] as bypass_cost_of saw it last */
};

static coset_status build_axis(coset_ctx *ctx, bypass_costs *self, int32_t slot, int64_t *seen,
                               axis_width *axis)
{
    coset_status status = COSET_OK;
    int64_t size = self->groups->slots[slot].size, unit = 0;
    *axis = (axis_width){.fixed = 0, .first = self->n_parts};
    for (int64_t i = 0; i < size; i++) {
        int32_t g = groups_at(self->groups, slot, i, &unit);
        if (g < 0)
            axis->fixed++;
        else if (seen[g]++ == 0) {
            TRY(ctx_reserve(ctx, &self->parts, &self->parts_capacity, self->n_parts + 1,
                            sizeof *self->parts));
            self->parts[self->n_parts++].group = g;
            axis->count++;
        }
    }
    for (int64_t p = axis->first; p < axis->first + axis->count; p++) {
        int32_t g = self->parts[p].group;
        /* Units of a group have equally many indices on every axis. */
        self->parts[p].repeats = seen[g] / self->groups->groups[g].n;
        seen[g] = 0;
    }
done:
    return status;
}

static double axis_units(const bypass_costs *self, const axis_width *axis, const int64_t *kept)
{
    double units = (double)axis->fixed;
    for (int64_t p = axis->first; p < axis->first + axis->count; p++)
        units += (double)self->parts[p].repeats * (double)kept[self->parts[p].group];
    return units;
}

coset_status bypass_costs_new(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                              const bypass_lines *lines, const double *unit_cost, double bias_cost,
                              bypass_costs **costs_out)
{
    coset_status status = COSET_OK;
    bypass_costs *self = NULL;
    int64_t *seen = NULL;
    *costs_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    *self = (bypass_costs){.groups = groups, .lines = lines, .bias_cost = bias_cost};
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *self->of, &self->of));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->bypassed, &self->bypassed));
    TRY(ctx_alloc(ctx, groups->n, sizeof *seen, &seen));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const contraction *at = &groups->contractions[c];
        contraction_cost *cost = &self->of[c];
        TRY(build_axis(ctx, self, at->in_slot, seen, &cost->in));
        TRY(build_axis(ctx, self, at->out_slot, seen, &cost->out));
        cost->weight = unit_cost[c] * (double)contraction_weight(graph, groups, at).n_taps;
        cost->biased = at->bias >= 0;
        cost->into = -1;
    }
    for (int64_t g = 0; g < groups->n; g++)
        if (lines->lines[g].producer >= 0) self->of[lines->lines[g].producer].into = (int32_t)g;
    *costs_out = self;
    self = NULL;
done:
    ctx_free(ctx, seen);
    bypass_costs_free(ctx, self);
    return status;
}

void bypass_costs_free(coset_ctx *ctx, bypass_costs *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->parts);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self->bypassed);
    ctx_free(ctx, self);
}

double bypass_cost_of(bypass_costs *self, const int64_t *kept, const bool *bypassed)
{
    const bypass_lines *lines = self->lines;
    double total = 0;
    int64_t n = self->groups->n_contractions;
    for (int64_t g = 0; g < self->groups->n; g++)
        self->bypassed[g] = bypassed[g] && lines->lines[g].producer >= 0;
    for (int64_t c = 0; c < n; c++) {
        contraction_cost *at = &self->of[c];
        at->n_in = axis_units(self, &at->in, kept);
        at->n_out = axis_units(self, &at->out, kept);
        at->adds = at->biased;
        at->slope = at->n_out * at->weight;
    }
    /* A producer comes in front of its readers. */
    for (int64_t c = 0; c < n; c++) {
        const contraction_cost *at = &self->of[c];
        total += at->n_in * at->slope + (at->adds ? self->bias_cost * at->n_out : 0);
        if (at->into < 0 || !self->bypassed[at->into]) continue;
        const bypass_line *line = &lines->lines[at->into];
        for (int32_t r = 0; r < line->n_readers; r++) {
            self->of[line->readers[r]].n_in += at->n_in;
            self->of[line->readers[r]].adds = true;
        }
    }
    for (int64_t c = n - 1; c >= 0; c--) {
        contraction_cost *at = &self->of[c];
        if (at->into < 0 || !self->bypassed[at->into]) continue;
        const bypass_line *line = &lines->lines[at->into];
        for (int32_t r = 0; r < line->n_readers; r++) at->slope += self->of[line->readers[r]].slope;
    }
    return total;
}

double bypass_saving(const bypass_costs *self, int64_t group, int64_t units)
{
    const bypass_line *line = &self->lines->lines[group];
    if (line->producer < 0) return 0;
    const contraction_cost *producer = &self->of[line->producer];
    double n = (double)units, behind = 0, biases = 0;
    for (int32_t r = 0; r < line->n_readers; r++) {
        const contraction_cost *reader = &self->of[line->readers[r]];
        behind += reader->slope;
        if (!reader->adds) biases += self->bias_cost * reader->n_out;
    }
    double saved =
        n * (producer->n_in * producer->weight + (producer->adds ? self->bias_cost : 0) + behind);
    if (!self->bypassed[group]) saved -= producer->n_in * behind + biases;
    return saved;
}
