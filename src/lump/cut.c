#include "lump/cut.h"

#include <math.h>
#include <string.h>

int64_t cut_round_up(const cut_space *self, int64_t group, int64_t width)
{
    int64_t n = self->units[group], step = self->round_to > 1 ? self->round_to : 1;
    int64_t up = (width + step - 1) / step * step;
    if (up < 1) up = step;
    return up < n ? up : n;
}

int64_t cut_round_down(const cut_space *self, int64_t group, int64_t width)
{
    int64_t step = self->round_to > 1 ? self->round_to : 1;
    if (width >= self->units[group]) return self->units[group];
    int64_t down = width / step * step;
    return down >= 1 ? down : cut_round_up(self, group, 1);
}

void cut_at_height(const cut_space *self, double eps, int64_t *widths)
{
    for (int64_t g = 0; g < self->n; g++)
        widths[g] = self->paths[g] ? cut_round_up(self, g, path_width(self->paths[g], eps))
                                   : self->units[g];
}

void cut_at_ratio(const cut_space *self, double share, int64_t *widths)
{
    for (int64_t g = 0; g < self->n; g++) {
        widths[g] = self->units[g];
        if (self->paths[g] == NULL) continue;
        int64_t want = llround(share * (double)self->units[g]);
        int64_t up = cut_round_up(self, g, want < 1 ? 1 : want);
        int64_t down = cut_round_down(self, g, want < 1 ? 1 : want);
        widths[g] = want - down < up - want ? down : up;
    }
}

static double error_at(const cut_space *self, int64_t group, int64_t width)
{
    const path *of = self->paths[group];
    return of->error != NULL ? of->error[width] : of->height[width];
}

/* The step down from the current width that adds least error per saved cost; 0: there is none. */
static int64_t best_step(const cut_space *self, cost_kind kind, const int64_t *widths, int64_t g,
                         double *rate_out)
{
    int64_t best = 0, width = widths[g], gap = 1;
    *rate_out = (double)INFINITY;
    if (self->paths[g] == NULL) return 0;
    for (int64_t k = cut_round_down(self, g, width - 1); k >= 1 && k < width;) {
        double saved = -(double)cost_change(self->cost, kind, widths, g, k);
        double rate = (error_at(self, g, k) - error_at(self, g, width)) / saved;
        if (saved > 0 && rate < *rate_out) {
            *rate_out = rate;
            best = k;
        }
        /* Candidates thin out with distance: a hull needs few of the far ones. */
        if (width - k >= 16) gap = (width - k) / 8;
        int64_t next = k > gap ? cut_round_down(self, g, k - gap) : 0;
        if (next >= k) next = 0;
        k = next;
    }
    return best;
}

static void greedy(const cut_space *self, cost_kind kind, int64_t budget, int64_t *widths,
                   int64_t *cost, int64_t *steps, double *rates)
{
    for (int64_t g = 0; g < self->n; g++) steps[g] = -1; /* unknown */
    while (*cost > budget) {
        int64_t best = -1;
        for (int64_t g = 0; g < self->n; g++) {
            if (steps[g] < 0) steps[g] = best_step(self, kind, widths, g, &rates[g]);
            if (steps[g] > 0 && (best < 0 || rates[g] < rates[best])) best = g;
        }
        if (best < 0) return;
        /* Rates of other groups change with this width; refresh the chosen one before it is used. */
        steps[best] = best_step(self, kind, widths, best, &rates[best]);
        bool still = true;
        for (int64_t g = 0; g < self->n; g++)
            if (steps[g] > 0 && rates[g] < rates[best]) still = false;
        if (!still || steps[best] == 0) continue;
        *cost += cost_change(self->cost, kind, widths, best, steps[best]);
        widths[best] = steps[best];
        steps[best] = -1;
        for (int64_t g = 0; g < self->n; g++)
            if (self->n <= 256) steps[g] = -1;
    }
}

/* Widens the group that gains most error per cost while the budget allows. */
static void fill(const cut_space *self, cost_kind kind, int64_t budget, int64_t *widths,
                 int64_t *cost)
{
    for (;;) {
        int64_t best = -1, best_width = 0, best_change = 0;
        double best_gain = 0;
        for (int64_t g = 0; g < self->n; g++) {
            if (self->paths[g] == NULL || widths[g] >= self->units[g]) continue;
            int64_t wider = cut_round_up(self, g, widths[g] + 1);
            int64_t change = cost_change(self->cost, kind, widths, g, wider);
            double gain = error_at(self, g, widths[g]) - error_at(self, g, wider);
            if (*cost + change > budget) continue;
            gain = change > 0 ? gain / (double)change : (double)INFINITY;
            if (best < 0 || gain > best_gain) {
                best = g;
                best_width = wider;
                best_change = change;
                best_gain = gain;
            }
        }
        if (best < 0) return;
        widths[best] = best_width;
        *cost += best_change;
    }
}

static double total_error(const cut_space *self, const int64_t *widths)
{
    double total = 0;
    for (int64_t g = 0; g < self->n; g++)
        if (self->paths[g] != NULL) total += error_at(self, g, widths[g]);
    return total;
}

/* Narrows one group by one step and spends what that frees on the others; keeps what helps. */
static coset_status exchange(coset_ctx *ctx, const cut_space *self, cost_kind kind, int64_t budget,
                             int64_t *widths, int64_t *cost)
{
    coset_status status = COSET_OK;
    int64_t *trial = NULL;
    size_t bytes = (size_t)self->n * sizeof *trial;
    TRY(ctx_alloc(ctx, self->n, sizeof *trial, &trial));
    bool improved = true;
    for (int pass = 0; pass < 16 && improved; pass++) {
        improved = false;
        for (int64_t g = 0; g < self->n; g++) {
            if (self->paths[g] == NULL) continue;
            for (int64_t step = 1; step <= 16; step *= 4) {
                int64_t narrow = cut_round_down(self, g, widths[g] - step);
                if (widths[g] - step < 1 || narrow >= widths[g]) break;
                memcpy(trial, widths, bytes);
                int64_t trial_cost = *cost + cost_change(self->cost, kind, trial, g, narrow);
                trial[g] = narrow;
                fill(self, kind, budget, trial, &trial_cost);
                if (total_error(self, trial) < total_error(self, widths) * (1 - 1e-9)) {
                    memcpy(widths, trial, bytes);
                    *cost = trial_cost;
                    improved = true;
                }
            }
        }
    }
done:
    ctx_free(ctx, trial);
    return status;
}

coset_status cut_to_budget(coset_ctx *ctx, const cut_space *self, cost_kind kind, int64_t budget,
                           int64_t *widths, bool *reached_out)
{
    coset_status status = COSET_OK;
    int64_t *steps = NULL;
    double *rates = NULL;
    TRY(ctx_alloc(ctx, self->n, sizeof *steps, &steps));
    TRY(ctx_alloc(ctx, self->n, sizeof *rates, &rates));
    memcpy(widths, self->units, (size_t)self->n * sizeof *widths);
    int64_t cost = cost_of(self->cost, kind, widths);
    greedy(self, kind, budget, widths, &cost, steps, rates);
    *reached_out = cost <= budget;
    if (*reached_out) {
        fill(self, kind, budget, widths, &cost);
        /* Exchanges try every group against every other: worth it for networks, not for 10^4 groups. */
        if (self->n <= 256) TRY(exchange(ctx, self, kind, budget, widths, &cost));
    }
done:
    ctx_free(ctx, steps);
    ctx_free(ctx, rates);
    return status;
}
