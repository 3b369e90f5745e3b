/* Budgets shared out by one height or one share: against all heights and shares that there are. */
#include "support/cut_graph.h"
#include "support/random_graph.h"

#include "lump/cut.h"

static counted_memory memory;
static coset_ctx *ctx;

static int start(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* A chain of layers, of which the last is the output and has no path. */
typedef struct chain {
    builder b;
    studied studied;
    cost_model *cost;
    int64_t n, *units, *widths, *steps;
    path **paths;
} chain;

/* Heights of few values, so that steps tie within a path and between paths. */
static path *path_with_ties(rng *random, int64_t n)
{
    path *made = NULL;
    study_expect(ctx, path_new(ctx, "test", n, &made));
    ctx_free(ctx, made->error);
    made->error = NULL;
    study_expect(ctx, ctx_alloc(ctx, n, sizeof *made->order, &made->order));
    rng_permutation(random, n, made->order);
    for (int64_t k = n - 1; k >= 1; k--)
        made->height[k] = made->height[k + 1] + 0.5 * (double)rng_below(random, 3);
    return made;
}

static chain chain_new(uint64_t seed, int64_t layers, int64_t most)
{
    chain self = {.b = build_start(ctx, 13), .n = layers + 1};
    rng random = rng_seed(seed, 8);
    static const float weights[64 * 64];
    char name[16], dims[32];
    int64_t before = 5;
    self.units = calloc((size_t)self.n, sizeof *self.units);
    self.widths = calloc((size_t)self.n, sizeof *self.widths);
    self.steps = calloc((size_t)self.n, sizeof *self.steps);
    self.paths = calloc((size_t)self.n, sizeof *self.paths);
    assert_true(self.units != NULL && self.widths != NULL && self.steps != NULL &&
                self.paths != NULL && most <= 64);
    int32_t h = build_input(&self.b, "x", COSET_F32, "1 5");
    for (int64_t l = 0; l < self.n; l++) {
        int64_t width = self.units[l] = l < layers ? 2 + rng_below(&random, most - 1) : 2;
        snprintf(name, sizeof name, "w%d", (int)l);
        snprintf(dims, sizeof dims, "%d %d", (int)before, (int)width);
        int32_t w = build_constant(&self.b, name, COSET_F32, dims, weights);
        snprintf(name, sizeof name, "y%d", (int)l);
        h = build_op(&self.b, "MatMul", h, w, name);
        before = width;
        if (l < layers) self.paths[l] = path_with_ties(&random, width);
    }
    build_output(&self.b, h);
    self.studied = study(ctx, build_finish(&self.b));
    assert_true(self.studied.groups->n == self.n);
    study_expect(ctx, cost_model_new(ctx, self.b.graph, self.studied.facts, self.studied.groups,
                                     &self.cost));
    return self;
}

static void chain_end(chain *self)
{
    for (int64_t l = 0; l < self->n; l++) path_free(ctx, self->paths[l]);
    free(self->paths);
    free(self->units);
    free(self->widths);
    free(self->steps);
    cost_model_free(ctx, self->cost);
    study_end(&self->studied);
    coset_graph_free(ctx, self->b.graph);
}

static cut_space space_of(const chain *self, int64_t step, cut_allocation allocation)
{
    for (int64_t g = 0; g < self->n; g++) self->steps[g] = step;
    return (cut_space){.n = self->n,
                       .units = self->units,
                       .paths = (const path *const *)self->paths,
                       .cost = self->cost,
                       .steps = self->steps,
                       .allocation = allocation};
}

/* ---- all levels -------------------------------------------------------------------------------------- */

static int descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a > b ? -1 : a < b;
}

/* Every height, or every share at which round(share n) changes (a little more: the product may be rounded down),
 * from the narrowest model to the widest. */
static int64_t levels_of(const cut_space *space, double *levels)
{
    int64_t count = 0;
    for (int64_t g = 0; g < space->n; g++)
        for (int64_t k = 1; space->paths[g] != NULL && k <= space->units[g]; k++)
            levels[count++] = space->allocation == CUT_BY_HEIGHT
                                  ? space->paths[g]->height[k]
                                  : -((double)k - 0.5) / (double)space->units[g];
    qsort(levels, (size_t)count, sizeof *levels, descending);
    for (int64_t i = 0; i < count && space->allocation == CUT_BY_SHARE; i++)
        levels[i] *= -(1 + 1e-12);
    return count;
}

static void cut_at(const cut_space *space, double level, int64_t *widths)
{
    if (space->allocation == CUT_BY_HEIGHT)
        cut_at_height(space, level, widths);
    else
        cut_at_ratio(space, level, widths);
}

/* The widest level that fits is in what was found. Of the next one, and of one step more, all is in it that
 * fits. */
static void expect_widest(const cut_space *space, cost_kind kind, int64_t budget,
                          const int64_t *found)
{
    enum { MOST = 256, GROUPS = 8 };
    double levels[MOST];
    int64_t fits[GROUPS], over[GROUPS], wider[GROUPS], count = levels_of(space, levels);
    bool exceeded = false;
    assert_true(count <= MOST && space->n <= GROUPS);
    for (int64_t g = 0; g < space->n; g++)
        fits[g] = space->paths[g] != NULL ? cut_round_up(space, g, 1) : space->units[g];
    for (int64_t i = 0; i < count && !exceeded; i++) {
        cut_at(space, levels[i], over);
        exceeded = cost_of(space->cost, kind, over) > budget;
        if (!exceeded) memcpy(fits, over, sizeof fits);
    }
    if (!exceeded) memcpy(over, space->units, (size_t)space->n * sizeof *over);
    for (int64_t g = 0; g < space->n; g++) {
        assert_true(found[g] >= fits[g]);
        if (found[g] == space->units[g]) continue;
        assert_true(found[g] <= cut_round_up(space, g, over[g] + 1));
        memcpy(wider, found, (size_t)space->n * sizeof *wider);
        wider[g] = cut_round_up(space, g, found[g] + 1);
        if (found[g] <= over[g]) assert_true(cost_of(space->cost, kind, wider) > budget);
    }
}

static void levels_are_used_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        chain self = chain_new(seed, 2 + (int64_t)(seed % 5), 30);
        int64_t narrow[8];
        for (int a = CUT_BY_HEIGHT; a <= CUT_BY_SHARE; a++) {
            cut_space space = space_of(&self, 1 + (int64_t)(seed % 4), (cut_allocation)a);
            cost_kind kind = seed % 2 ? COST_PARAMS : COST_MACS;
            for (int64_t g = 0; g < self.n; g++)
                narrow[g] = self.paths[g] != NULL ? cut_round_up(&space, g, 1) : self.units[g];
            int64_t least = cost_of(self.cost, kind, narrow);
            int64_t most = cost_of(self.cost, kind, self.units);
            for (int step = -1; step <= 20; step++) {
                int64_t budget = least + (most - least) * step / 20;
                bool reached = false;
                study_expect(ctx, cut_to_budget(ctx, &space, kind, budget, self.widths, &reached));
                assert_true(reached == (budget >= least));
                for (int64_t g = 0; g < self.n; g++)
                    assert_true(self.widths[g] == self.units[g] ||
                                self.widths[g] % space.steps[g] == 0);
                if (!reached) {
                    assert_memory_equal(self.widths, narrow, (size_t)self.n * sizeof *narrow);
                    continue;
                }
                assert_true(cost_of(self.cost, kind, self.widths) <= budget);
                expect_widest(&space, kind, budget, self.widths);
            }
            assert_memory_equal(self.widths, self.units, (size_t)self.n * sizeof *self.units);
        }
        chain_end(&self);
    }
}

/* ---- many groups --------------------------------------------------------------------------------------- */

/* A rule that looks at all groups for every step would run for hours. */
static void many_groups(void **state)
{
    (void)state;
    chain self = chain_new(3, 20000, 12);
    for (int a = CUT_BY_HEIGHT; a <= CUT_BY_SHARE; a++) {
        cut_space space = space_of(&self, 1, (cut_allocation)a);
        int64_t budget = cost_of(self.cost, COST_PARAMS, self.units) / 2;
        bool reached = false;
        study_expect(ctx, cut_to_budget(ctx, &space, COST_PARAMS, budget, self.widths, &reached));
        int64_t cost = cost_of(self.cost, COST_PARAMS, self.widths);
        assert_true(reached && cost <= budget && cost > budget - 100);
        for (int64_t g = 0; g + 1 < self.n && a == CUT_BY_SHARE; g++) {
            double first = (double)self.widths[0] / (double)self.units[0];
            double share = (double)self.widths[g] / (double)self.units[g];
            /* Half a unit of rounding and the one step more, for both. */
            assert_true(fabs(share - first) <=
                        1.5 / (double)self.units[g] + 1.5 / (double)self.units[0]);
        }
    }
    chain_end(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels_are_used_up, start, end),
        cmocka_unit_test_setup_teardown(many_groups, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
