/* Which layers are bypassed: greedily, the one that saves most first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lump/cost.h"
#include "methods/linearity/linearity.h"

typedef struct chooser {
    const method_call *call;
    const method_cut *wanted;
    coset_ctx *ctx;
    int64_t n; /* groups */
    bypass_lines *lines;
    linearity_fits *fits; /* [n] NULL: not allowed, or no line */
    cost_kind kind;       /* what the rule counts */
    double *uses[2];
    bypass_costs *costs[2]; /* by cost_kind; MACs only where the rule counts them */
    double whole;           /* cost of the whole model in what the rule counts */
    double uncut;           /* the part of it that bypass_cost_of sees */
    bool by_price;          /* units leave by their error per cost saved, not by height */
    double *unit_cost;      /* [n] what one unit costs in what the rule counts */
    /* what a choice says */
    int64_t *sloped; /* [n] units that leave if the group has its line */
    int64_t *still;  /* [n] and those that leave without */
    int64_t *kept;   /* [n] units that stay */
    bool *bypassed;  /* [n] the group has its line */
    double cost;
} chooser;

static void chooser_end(chooser *self)
{
    for (int64_t g = 0; self->fits != NULL && g < self->n; g++)
        linearity_fits_free(self->ctx, &self->fits[g]);
    ctx_free(self->ctx, self->fits);
    for (int kind = 0; kind < 2; kind++) {
        bypass_costs_free(self->ctx, self->costs[kind]);
        ctx_free(self->ctx, self->uses[kind]);
    }
    ctx_free(self->ctx, self->unit_cost);
    bypass_lines_free(self->ctx, self->lines);
    ctx_free(self->ctx, self->sloped);
    ctx_free(self->ctx, self->still);
    ctx_free(self->ctx, self->kept);
    ctx_free(self->ctx, self->bypassed);
}

/* Cost of one stored weight of every contraction: 1, of a matrix that several read once; or how often it is
 * multiplied with. */
static coset_status count_uses(chooser *self, cost_kind kind)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->call->graph;
    const graph_groups *groups = self->call->groups;
    double *uses = NULL;
    bool *seen = NULL;
    TRY(ctx_alloc(self->ctx, groups->n_contractions, sizeof *uses, &uses));
    self->uses[kind] = uses;
    TRY(ctx_alloc(self->ctx, graph->n_values, sizeof *seen, &seen));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const contraction *at = &groups->contractions[c];
        weight_view view = contraction_weight(graph, groups, at);
        int64_t macs = 0;
        uses[c] = seen[at->weight] ? 0 : 1;
        seen[at->weight] = true;
        if (kind == COST_PARAMS) continue;
        TRY(cost_node_macs(self->ctx, graph, groups->facts, &graph->nodes[at->node], &macs));
        uses[c] = (double)macs / (double)(view.n_out * view.n_in * view.n_taps);
    }
    TRY(bypass_costs_new(self->ctx, graph, groups, self->lines, uses, kind == COST_PARAMS ? 1 : 0,
                         &self->costs[kind]));
done:
    ctx_free(self->ctx, seen);
    return status;
}

static coset_status fit_groups(chooser *self)
{
    coset_status status = COSET_OK;
    value_bounds *bounds = NULL;
    TRY(linearity_bounds(self->call, &bounds));
    for (int64_t g = 0; g < self->n; g++)
        if (self->wanted->allowed[g] && self->lines->lines[g].producer >= 0)
            TRY(linearity_fit(self->call, &self->lines->lines[g], g, bounds, &self->fits[g]));
done:
    bounds_free(self->ctx, bounds);
    return status;
}

static coset_status chooser_start(chooser *self)
{
    coset_status status = COSET_OK;
    const method_call *call = self->call;
    coset_graph_size size;
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->fits, &self->fits));
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->sloped, &self->sloped));
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->still, &self->still));
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->kept, &self->kept));
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->bypassed, &self->bypassed));
    TRY(bypass_lines_find(self->ctx, call->graph, call->groups->facts, call->groups, &self->lines));
    TRY(fit_groups(self));
    TRY(count_uses(self, COST_PARAMS));
    if (self->kind == COST_MACS) TRY(count_uses(self, COST_MACS));
    TRY(coset_graph_measure(self->ctx, call->graph, &size));
    self->whole = (double)(self->kind == COST_MACS ? size.macs : size.params);
    for (int64_t g = 0; g < self->n; g++) self->kept[g] = call->groups->groups[g].n;
    self->uncut = bypass_cost_of(self->costs[self->kind], self->kept, self->bypassed);
    TRY(ctx_alloc(self->ctx, self->n, sizeof *self->unit_cost, &self->unit_cost));
    for (int64_t g = 0; g < self->n; g++)
        self->unit_cost[g] = bypass_saving(self->costs[self->kind], g, 2) -
                             bypass_saving(self->costs[self->kind], g, 1);
done:
    return status;
}

/* ---- the choice ---- */

/* Units that leave if k stay at least; k is brought to a width that is allowed, 0 among them. */
static int64_t units_leaving(const chooser *self, int64_t g, int64_t k)
{
    int64_t n = self->call->groups->groups[g].n;
    int64_t step = self->wanted->steps != NULL ? self->wanted->steps[g] : 1;
    int64_t up = (k + step - 1) / step * step;
    return up < n ? n - up : 0;
}

/* The tolerance at which the unit leaves that is the next with k + 1 left. */
static double step_height(const chooser *self, int64_t g, const linear_fit *fit, int64_t k)
{
    if (!self->by_price) return fit->height[k];
    return (fit->error[k] - fit->error[k + 1]) / self->unit_cost[g];
}

static int64_t leaving_at(const chooser *self, int64_t g, const linear_fit *fit, double tolerance)
{
    int64_t k = fit->n;
    while (k > 0 && step_height(self, g, fit, k - 1) <= tolerance) k--;
    return units_leaving(self, g, k);
}

/* What is gained by laying the line of a group now: what it saves; at a price, that times the price, less the
 * error it adds. 0 where nothing is. Parameters never grow, whatever is counted. */
static double gain_of(const chooser *self, int64_t g, double price)
{
    const linearity_fits *fits = &self->fits[g];
    int64_t more = self->sloped[g] - self->still[g];
    if (self->bypassed[g] || more <= 0) return 0;
    double saved = bypass_saving(self->costs[COST_PARAMS], g, more);
    if (saved > 0 && self->kind == COST_MACS)
        saved = bypass_saving(self->costs[COST_MACS], g, more);
    if (!(saved > 0) || !self->by_price) return fmax(saved, 0);
    double error = fits->sloped->error[fits->sloped->n - self->sloped[g]] -
                   fits->still->error[fits->still->n - self->still[g]];
    return fmax(price * saved - error, 0);
}

/* Lays line after line, the one that gains most first, until none gains anything. What a line saves changes with
 * those around it; the model is counted anew after each anyway, so that all savings are looked at again. */
static void choose(chooser *self, double price)
{
    for (int64_t g = 0; g < self->n; g++) {
        self->kept[g] = self->call->groups->groups[g].n - self->still[g];
        self->bypassed[g] = false;
    }
    for (;;) {
        int64_t best = -1;
        double most = 0;
        for (int kind = 0; kind < 2; kind++)
            if (self->costs[kind] != NULL) {
                double now = bypass_cost_of(self->costs[kind], self->kept, self->bypassed);
                if (kind == (int)self->kind) self->cost = self->whole - self->uncut + now;
            }
        for (int64_t g = 0; g < self->n; g++) {
            double gain = gain_of(self, g, price);
            if (gain <= most) continue;
            most = gain;
            best = g;
        }
        if (best < 0) return;
        self->kept[best] -= self->sloped[best] - self->still[best];
        self->bypassed[best] = true;
    }
}

static void choose_at(chooser *self, double tolerance)
{
    for (int64_t g = 0; g < self->n; g++) {
        const linearity_fits *fits = &self->fits[g];
        if (fits->sloped == NULL) continue;
        self->sloped[g] = leaving_at(self, g, fits->sloped, tolerance);
        self->still[g] = leaving_at(self, g, fits->still, tolerance);
        if (self->still[g] == fits->still->n) /* without a line, one unit stays */
            self->still[g] = units_leaving(self, g, 1);
    }
    choose(self, tolerance);
}

/* Keeps a share of every group by lines, but all units that are not linear. Units that never vary leave in any
 * case. */
static void choose_share(chooser *self, double share)
{
    choose_at(self, 0);
    for (int64_t g = 0; g < self->n; g++) {
        const linear_fit *fit = self->fits[g].sloped;
        if (fit == NULL) continue;
        int64_t k = llround(share * (double)fit->n);
        if (k < 1) k = 1;
        while (k < fit->n && !isfinite(fit->height[k])) k++;
        self->sloped[g] = units_leaving(self, g, k);
        if (self->still[g] > self->sloped[g]) self->still[g] = self->sloped[g];
    }
    choose(self, 0);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Appends the tolerances above `least` at which a unit leaves; returns how many. */
static int64_t steps_above(const chooser *self, int64_t g, const linear_fit *fit, double least,
                           double *heights)
{
    int64_t count = 0;
    for (int64_t k = 0; fit != NULL && k < fit->n; k++) {
        double height = step_height(self, g, fit, k);
        if (height > least && isfinite(height)) heights[count++] = height;
    }
    return count;
}

/* The smallest tolerance whose choice meets the budget, by bisection over those at which a unit leaves. */
static coset_status choose_budget(chooser *self, double least, bool *reached_out)
{
    coset_status status = COSET_OK;
    double *tolerance = NULL, budget = (double)self->wanted->budget;
    int64_t count = 0, low = 0, high = 0, room = 1;
    for (int64_t g = 0; g < self->n; g++)
        room += self->fits[g].sloped != NULL ? 2 * self->fits[g].sloped->n : 0;
    TRY(ctx_alloc(self->ctx, room, sizeof *tolerance, &tolerance));
    tolerance[count++] = least;
    self->by_price = linearity_estimates(self->call);
    for (int64_t g = 0; g < self->n; g++) {
        count += steps_above(self, g, self->fits[g].sloped, least, tolerance + count);
        count += steps_above(self, g, self->fits[g].still, least, tolerance + count);
    }
    qsort(tolerance, (size_t)count, sizeof *tolerance, ascending);
    high = count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        choose_at(self, tolerance[middle]);
        if (self->cost <= budget)
            high = middle;
        else
            low = middle + 1;
    }
    choose_at(self, tolerance[high]);
    *reached_out = self->cost <= budget;
done:
    ctx_free(self->ctx, tolerance);
    return status;
}

/* ---- the plan ---- */

static int by_index(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* The lumping of a group that keeps k units: lines for the others, or constants. */
static coset_status take(const chooser *self, int64_t g, plan_group *entry)
{
    coset_status status = COSET_OK;
    const linear_fit *fit = self->bypassed[g] ? self->fits[g].sloped : self->fits[g].still;
    int64_t *keep = NULL, n = fit->n, k = self->kept[g];
    entry->height = fit->height[k];
    entry->error = fit->error != NULL ? fit->error[k] : (double)NAN;
    if (k == n) return COSET_OK;
    TRY(ctx_alloc(self->ctx, n, sizeof *keep, &keep));
    memcpy(keep, fit->order, (size_t)k * sizeof *keep);
    qsort(keep, (size_t)k, sizeof *keep, by_index);
    if (self->bypassed[g]) {
        TRY(lumping_bypass(self->ctx, n, keep, k, fit->slope, fit->shift, &entry->map));
    } else {
        TRY(lumping_select(self->ctx, n, keep, k, &entry->map));
        TRY(ctx_alloc(self->ctx, n, sizeof *entry->map->shift, &entry->map->shift));
        for (int64_t u = 0; u < n; u++)
            entry->map->shift[u] = entry->map->block[u] < 0 ? fit->shift[u] : 0;
    }
    TRY(ctx_strdup(self->ctx, "linearity", &entry->method));
done:
    ctx_free(self->ctx, keep);
    return status;
}

static coset_status fill_plan(const chooser *self, coset_plan *plan)
{
    coset_status status = COSET_OK;
    for (int64_t g = 0; g < self->n; g++) {
        plan_group *entry = &plan->groups[g];
        if (!self->wanted->allowed[g]) continue;
        ctx_free(self->ctx, entry->skipped);
        entry->skipped = NULL;
        if (self->fits[g].sloped == NULL) {
            TRY(ctx_format(self->ctx, &entry->skipped, "linearity: %s", self->lines->reason[g]));
            continue;
        }
        TRY(take(self, g, entry));
        if (entry->map == NULL && self->sloped[g] > 0)
            TRY(ctx_format(self->ctx, &entry->skipped,
                           "linearity: a line for %lld of its units would cost more than they do",
                           (long long)self->sloped[g]));
    }
done:
    return status;
}

coset_status linearity_cut(const method_call *call, const method_cut *wanted, coset_plan *plan,
                           bool *reached_out)
{
    coset_status status = COSET_OK;
    chooser self = {.call = call, .wanted = wanted, .ctx = call->ctx, .n = call->groups->n};
    double least = linearity_tolerance(call);
    *reached_out = true;
    self.kind = wanted->rule == COSET_RULE_MACS ? COST_MACS : COST_PARAMS;
    TRY(chooser_start(&self));
    if (wanted->rule == COSET_RULE_EPS)
        choose_at(&self, fmax(wanted->value, least));
    else if (wanted->rule == COSET_RULE_RATIO)
        choose_share(&self, wanted->value);
    else
        TRY(choose_budget(&self, least, reached_out));
    TRY(fill_plan(&self, plan));
done:
    chooser_end(&self);
    return status;
}
