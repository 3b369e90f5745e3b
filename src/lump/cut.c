#include "lump/cut.h"

#include <math.h>
#include <string.h>

#include "lump/rate_heap.h"

/* All rates are brought up to date after every step, and exchanges try every group against every other,
 * where there are no more groups than this. */
enum { REFRESH_GROUPS = 256, EXCHANGE_GROUPS = 128 };

static int64_t step_of(const cut_space *self, int64_t group)
{
    return self->steps != NULL ? self->steps[group] : 1;
}

int64_t cut_round_up(const cut_space *self, int64_t group, int64_t width)
{
    int64_t n = self->units[group], step = step_of(self, group);
    int64_t up = (width + step - 1) / step * step;
    if (up < 1) up = step;
    return up < n ? up : n;
}

int64_t cut_round_down(const cut_space *self, int64_t group, int64_t width)
{
    int64_t step = step_of(self, group);
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

/* Narrows groups other than `locked` until the budget is met or nothing is left to narrow. */
static void greedy(const cut_space *self, cost_kind kind, int64_t budget, int64_t locked,
                   int64_t *widths, int64_t *cost)
{
    while (*cost > budget) {
        int64_t best = -1, best_width = 0;
        double best_rate = 0;
        for (int64_t g = 0; g < self->n; g++) {
            double rate = 0;
            int64_t step = g == locked ? 0 : best_step(self, kind, widths, g, &rate);
            if (step == 0 || (best >= 0 && !(rate < best_rate))) continue;
            best = g;
            best_width = step;
            best_rate = rate;
        }
        if (best < 0) return;
        *cost += cost_change(self->cost, kind, widths, best, best_width);
        widths[best] = best_width;
    }
}

/* What widening a group by one step gains per cost, as a rate of which the least is best.
 * Returns the new width; 0: it is whole, or the budget does not allow it. */
static int64_t wider_step(const cut_space *self, cost_kind kind, const int64_t *widths, int64_t g,
                          int64_t left, double *rate_out, int64_t *change_out)
{
    if (self->paths[g] == NULL || widths[g] >= self->units[g]) return 0;
    int64_t wider = cut_round_up(self, g, widths[g] + 1);
    *change_out = cost_change(self->cost, kind, widths, g, wider);
    double gain = error_at(self, g, widths[g]) - error_at(self, g, wider);
    *rate_out = *change_out > 0 ? -gain / (double)*change_out : -(double)INFINITY;
    return *change_out <= left ? wider : 0;
}

/* Widens the group that gains most error per cost while the budget allows. */
static void fill(const cut_space *self, cost_kind kind, int64_t budget, int64_t *widths,
                 int64_t *cost)
{
    for (;;) {
        int64_t best = -1, best_width = 0, best_change = 0;
        double best_rate = 0;
        for (int64_t g = 0; g < self->n; g++) {
            double rate = 0;
            int64_t change = 0,
                    wider = wider_step(self, kind, widths, g, budget - *cost, &rate, &change);
            if (wider == 0 || (best >= 0 && !(rate < best_rate))) continue;
            best = g;
            best_width = wider;
            best_change = change;
            best_rate = rate;
        }
        if (best < 0) return;
        widths[best] = best_width;
        *cost += best_change;
    }
}

/* ---- many groups ---- */

/* The same as `greedy` where a group's rate is brought up to date only when its turn comes. */
static void greedy_lazily(const cut_space *self, cost_kind kind, int64_t budget, int64_t *widths,
                          int64_t *cost, rate_heap *heap)
{
    rate_entry at = {0};
    heap->n = 0;
    for (at.group = 0; at.group < self->n; at.group++)
        if (best_step(self, kind, widths, at.group, &at.rate) > 0) rate_heap_push(heap, at);
    while (*cost > budget && rate_heap_pop(heap, &at)) {
        int64_t step = best_step(self, kind, widths, at.group, &at.rate);
        if (step == 0) continue;
        if (rate_heap_precedes(heap, at)) {
            *cost += cost_change(self->cost, kind, widths, at.group, step);
            widths[at.group] = step;
            if (best_step(self, kind, widths, at.group, &at.rate) == 0) continue;
        }
        rate_heap_push(heap, at);
    }
}

/* The same as `fill`, likewise. What is too much once is not tried again. */
static void fill_lazily(const cut_space *self, cost_kind kind, int64_t budget, int64_t *widths,
                        int64_t *cost, rate_heap *heap)
{
    rate_entry at = {0};
    int64_t change = 0;
    heap->n = 0;
    for (at.group = 0; at.group < self->n; at.group++)
        if (wider_step(self, kind, widths, at.group, budget - *cost, &at.rate, &change) > 0)
            rate_heap_push(heap, at);
    while (rate_heap_pop(heap, &at)) {
        int64_t left = budget - *cost;
        int64_t wider = wider_step(self, kind, widths, at.group, left, &at.rate, &change);
        if (wider == 0) continue;
        if (rate_heap_precedes(heap, at)) {
            widths[at.group] = wider;
            *cost += change;
            if (wider_step(self, kind, widths, at.group, left - change, &at.rate, &change) == 0)
                continue;
        }
        rate_heap_push(heap, at);
    }
}

static coset_status cut_many(coset_ctx *ctx, const cut_space *self, cost_kind kind, int64_t budget,
                             int64_t *widths, bool *reached_out)
{
    rate_heap heap = {0};
    coset_status status = rate_heap_new(ctx, self->n, &heap);
    if (status != COSET_OK) return status;
    int64_t cost = cost_of(self->cost, kind, widths);
    greedy_lazily(self, kind, budget, widths, &cost, &heap);
    *reached_out = cost <= budget;
    if (*reached_out) fill_lazily(self, kind, budget, widths, &cost, &heap);
    rate_heap_free(ctx, &heap);
    return COSET_OK;
}

/* ---- few groups: exchanges ---- */

static double total_error(const cut_space *self, const int64_t *widths)
{
    double total = 0;
    for (int64_t g = 0; g < self->n; g++)
        if (self->paths[g] != NULL) total += error_at(self, g, widths[g]);
    return total;
}

/* Widths that an exchange tries for one group: near ones, and a few far ones that steps over a flat or
 * steep stretch of the path would not reach. */
static int64_t candidate(const cut_space *self, int64_t group, int64_t width, int index)
{
    static const int64_t near[] = {-1, -4, -16, 1, 4, 16};
    enum { NEAR = sizeof near / sizeof *near, EIGHTHS = 8 };
    int64_t n = self->units[group], wanted = 0;
    if (index < NEAR)
        wanted = width + near[index];
    else if (index <= NEAR + EIGHTHS)
        wanted = n * (index - NEAR) / EIGHTHS;
    else
        return -1;
    if (wanted < 1) wanted = 1;
    return wanted > width ? cut_round_up(self, group, wanted) : cut_round_down(self, group, wanted);
}

typedef struct exchanger {
    const cut_space *space;
    cost_kind kind;
    int64_t budget, cost;
    int64_t *widths, *trial;
} exchanger;

/* Gives one group another width and lets the others make up for it; keeps what helps. */
static bool try_width(exchanger *self, int64_t group, int64_t width)
{
    const cut_space *space = self->space;
    memcpy(self->trial, self->widths, (size_t)space->n * sizeof *self->trial);
    int64_t cost = self->cost + cost_change(space->cost, self->kind, self->trial, group, width);
    self->trial[group] = width;
    greedy(space, self->kind, self->budget, group, self->trial, &cost);
    if (cost > self->budget) return false;
    fill(space, self->kind, self->budget, self->trial, &cost);
    if (total_error(space, self->trial) >= total_error(space, self->widths) * (1 - 1e-9))
        return false;
    memcpy(self->widths, self->trial, (size_t)space->n * sizeof *self->trial);
    self->cost = cost;
    return true;
}

static void exchange(exchanger *self)
{
    const cut_space *space = self->space;
    bool improved = true;
    for (int pass = 0; pass < 16 && improved; pass++) {
        improved = false;
        for (int64_t g = 0; g < space->n; g++) {
            if (space->paths[g] == NULL) continue;
            for (int index = 0;; index++) {
                int64_t width = candidate(space, g, self->widths[g], index);
                if (width < 0) break;
                if (width != self->widths[g] && try_width(self, g, width)) improved = true;
            }
        }
    }
}

static coset_status cut_by_error(coset_ctx *ctx, const cut_space *self, cost_kind kind,
                                 int64_t budget, int64_t *widths, bool *reached_out)
{
    coset_status status = COSET_OK;
    int64_t *trial = NULL;
    memcpy(widths, self->units, (size_t)self->n * sizeof *widths);
    if (self->n > REFRESH_GROUPS) return cut_many(ctx, self, kind, budget, widths, reached_out);
    TRY(ctx_alloc(ctx, self->n, sizeof *trial, &trial));
    int64_t cost = cost_of(self->cost, kind, widths);
    greedy(self, kind, budget, -1, widths, &cost);
    *reached_out = cost <= budget;
    if (*reached_out) {
        fill(self, kind, budget, widths, &cost);
        exchanger all = {self, kind, budget, cost, widths, trial};
        if (self->n <= EXCHANGE_GROUPS) exchange(&all);
    }
done:
    ctx_free(ctx, trial);
    return status;
}

/* ---- one height or one share for all groups ----------------------------------------------------- */

/* The level from which on a group is wider than it is: the negative of the height below which it gets the next
 * width, or the share of units at which it does (cut_at_ratio). False: it is whole. */
static bool next_level(const cut_space *self, const int64_t *widths, int64_t g, double *level_out)
{
    int64_t width = widths[g];
    if (self->paths[g] == NULL || width >= self->units[g]) return false;
    if (self->allocation == CUT_BY_SHARE) {
        int64_t wider = cut_round_up(self, g, width + 1), wanted = (width + wider + 1) / 2;
        *level_out = ((double)wanted - 0.5) / (double)self->units[g];
    } else {
        *level_out = -self->paths[g]->height[width];
    }
    return true;
}

/* Widens all groups from the narrowest on, in the order of levels, which is what lowering one height (raising one
 * share) does. Where a step does not fit, so do other groups' steps of the same level, and one step more each. */
static coset_status cut_by_level(coset_ctx *ctx, const cut_space *self, cost_kind kind,
                                 int64_t budget, int64_t *widths, bool *reached_out)
{
    rate_heap heap = {0};
    rate_entry at = {0};
    double full = (double)INFINITY; /* the level that did not fit as a whole */
    *reached_out = true;
    memcpy(widths, self->units, (size_t)self->n * sizeof *widths);
    if (cost_of(self->cost, kind, widths) <= budget) return COSET_OK;
    coset_status status = rate_heap_new(ctx, self->n, &heap);
    if (status != COSET_OK) return status;
    for (at.group = 0; at.group < self->n; at.group++) {
        if (self->paths[at.group] != NULL) widths[at.group] = cut_round_up(self, at.group, 1);
        if (next_level(self, widths, at.group, &at.rate)) rate_heap_push(&heap, at);
    }
    int64_t left = budget - cost_of(self->cost, kind, widths);
    *reached_out = left >= 0;
    while (left >= 0 && rate_heap_pop(&heap, &at)) {
        int64_t wider = cut_round_up(self, at.group, widths[at.group] + 1);
        int64_t change = cost_change(self->cost, kind, widths, at.group, wider);
        if (change > left) {
            full = fmin(full, at.rate);
            continue;
        }
        widths[at.group] = wider;
        left -= change;
        if (at.rate <= full && next_level(self, widths, at.group, &at.rate))
            rate_heap_push(&heap, at);
    }
    rate_heap_free(ctx, &heap);
    return COSET_OK;
}

coset_status cut_to_budget(coset_ctx *ctx, const cut_space *self, cost_kind kind, int64_t budget,
                           int64_t *widths, bool *reached_out)
{
    return (self->allocation == CUT_BY_ERROR ? cut_by_error : cut_by_level)(ctx, self, kind, budget,
                                                                            widths, reached_out);
}
