/* The method afde against the ODE engine: on random networks, the units that compress merges at a
 * tolerance are the blocks of the eps-refinement of the network's encoding (METHODS.md 3.2 and 4). */
#include "support/encoded.h"

#include "methods/search.h"
#include "ode/partition.h"

enum { NETWORKS = 240, MAX_LAYERS = 4, MAX_UNITS = 8, RUNGS = 400 };

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* ---- networks ---------------------------------------------------------------------------------- */

/* Layers 0 (inputs) to n + 1 (outputs) of these widths. */
typedef struct plain {
    rng random;
    int n;
    int64_t width[MAX_LAYERS + 2];
    float w[MAX_LAYERS + 2][MAX_UNITS * MAX_UNITS]; /* (in, out), into layer l */
    float bias[MAX_LAYERS + 2][MAX_UNITS];
    bool coarse; /* weights are multiples of 1/16: sums are exact and ties abound */
    builder b;
} plain;

static float weight_like(plain *self, double centre, double spread)
{
    double value = centre + spread * rng_normal(&self->random);
    return (float)(self->coarse ? round(value * 16) / 16 : value);
}

/* Unit `to` of layer l receives nearly what `from` receives, and sends nearly what it sends. */
static void plant(plain *self, int l, int64_t to, int64_t from, double noise)
{
    int64_t n = self->width[l], in = self->width[l - 1], out = self->width[l + 1];
    bool receives = rng_below(&self->random, 3) > 0, sends = rng_below(&self->random, 3) > 0;
    for (int64_t i = 0; i < in && receives; i++)
        self->w[l][i * n + to] = weight_like(self, (double)self->w[l][i * n + from], noise);
    if (receives) self->bias[l][to] = weight_like(self, (double)self->bias[l][from], noise);
    for (int64_t k = 0; k < out && sends; k++)
        self->w[l + 1][to * out + k] =
            weight_like(self, (double)self->w[l + 1][from * out + k], noise);
}

static void draw(plain *self)
{
    static const double noises[] = {0, 1e-3, 0.02, 0.2};
    self->n = 2 + (int)rng_below(&self->random, MAX_LAYERS - 1);
    self->width[0] = 1 + rng_below(&self->random, 5);
    for (int l = 1; l <= self->n; l++) self->width[l] = 2 + rng_below(&self->random, MAX_UNITS - 1);
    self->width[self->n + 1] = 1 + rng_below(&self->random, 3);
    for (int l = 1; l <= self->n + 1; l++) {
        double spread = 1 / sqrt((double)self->width[l - 1]);
        for (int64_t i = 0; i < self->width[l - 1] * self->width[l]; i++)
            self->w[l][i] = weight_like(self, 0, spread);
        for (int64_t i = 0; i < self->width[l]; i++) self->bias[l][i] = weight_like(self, 0, 0.5);
    }
    for (int l = 1; l <= self->n; l++)
        for (int64_t u = 1; u < self->width[l]; u++)
            if (rng_below(&self->random, 2) == 0)
                plant(self, l, u, rng_below(&self->random, u), noises[rng_below(&self->random, 4)]);
}

static int32_t constant(plain *self, const char *stem, int l, int64_t rows, int64_t columns,
                        const float *values)
{
    char name[32], dims[32];
    snprintf(name, sizeof name, "%s%d", stem, l);
    if (rows > 0)
        snprintf(dims, sizeof dims, "%d %d", (int)rows, (int)columns);
    else
        snprintf(dims, sizeof dims, "%d", (int)columns);
    return build_constant(&self->b, name, COSET_F32, dims, values);
}

/* Gemm with factors or without, or MatMul and Add, or MatMul without a bias. */
static int32_t contract(plain *self, int l, int32_t x)
{
    int64_t in = self->width[l - 1], out = self->width[l];
    char name[32];
    int32_t w = constant(self, "w", l, in, out, self->w[l]), y = -1;
    snprintf(name, sizeof name, "z%d", l);
    int64_t form = rng_below(&self->random, 4);
    if (form == 3) return build_op(&self->b, "MatMul", x, w, name);
    int32_t bias = constant(self, "b", l, 0, out, self->bias[l]);
    if (form > 0) {
        int32_t inputs[3] = {x, w, bias};
        y = build_value(&self->b, name);
        int32_t node = build_node_n(&self->b, "", "Gemm", inputs, 3, &y, 1);
        graph_attr alpha = {.name = "alpha", .kind = ATTR_FLOAT, .f = 0.5F};
        graph_attr beta = {.name = "beta", .kind = ATTR_FLOAT, .f = 2};
        if (form == 2) {
            study_expect(ctx, graph_add_attr(ctx, self->b.graph, node, &alpha));
            study_expect(ctx, graph_add_attr(ctx, self->b.graph, node, &beta));
        }
        return y;
    }
    y = build_op(&self->b, "MatMul", x, w, name);
    snprintf(name, sizeof name, "sum%d", l);
    return build_op(&self->b, "Add", y, bias, name);
}

static void build(plain *self, uint64_t seed)
{
    static const char *const types[] = {"Relu", "Tanh", "Sigmoid", "Identity", NULL};
    char text[32];
    *self = (plain){.random = rng_seed(seed, 40), .coarse = seed % 4 == 0};
    draw(self);
    self->b = build_start(ctx, 13);
    snprintf(text, sizeof text, "? %d", (int)self->width[0]);
    int32_t h = build_input(&self->b, "x", COSET_F32, text);
    for (int l = 1; l <= self->n; l++) {
        const char *type = types[rng_below(&self->random, 5)];
        h = contract(self, l, h);
        snprintf(text, sizeof text, "h%d", l);
        if (type != NULL) h = build_op(&self->b, type, h, -1, text);
    }
    build_output(&self->b, contract(self, self->n + 1, h));
    build_finish(&self->b);
}

/* ---- the two sides ----------------------------------------------------------------------------- */

typedef struct setting {
    equivalence kind;
    eps_linkage linkage;
} setting;

static const setting choices[] = {{EQUIVALENCE_FORWARD, EPS_SINGLE},
                                  {EQUIVALENCE_FORWARD, EPS_COMPLETE},
                                  {EQUIVALENCE_BACKWARD, EPS_SINGLE},
                                  {EQUIVALENCE_BACKWARD, EPS_COMPLETE}};

typedef struct sides {
    plain net;
    studied groups;
    cost_model *cost;
    encoded engine;
    partition layers;
    uint64_t seed;
    int64_t unit[MAX_LAYERS][MAX_UNITS]; /* variable of each hidden unit */
} sides;

static void sides_new(sides *self, uint64_t seed)
{
    *self = (sides){.seed = seed};
    build(&self->net, seed);
    self->groups = study(ctx, self->net.b.graph);
    assert_true(self->groups.groups->n == self->net.n + 1);
    study_expect(ctx, cost_model_new(ctx, self->net.b.graph, self->groups.facts,
                                     self->groups.groups, &self->cost));
    self->engine = encode_graph(ctx, self->net.b.graph, NULL);
    study_expect(ctx, partition_from_labels(ctx, self->engine.ode->model->block_of,
                                            self->engine.system->n, &self->layers));
    for (int l = 0; l < self->net.n; l++)
        for (int64_t u = 0; u < self->net.width[l + 1]; u++) {
            char name[32];
            snprintf(name, sizeof name, "h%d_%d", l + 1, (int)u + 1);
            self->unit[l][u] = encoded_find(&self->engine, name);
        }
}

static void sides_end(sides *self)
{
    partition_free(ctx, &self->layers);
    encoded_end(&self->engine);
    cost_model_free(ctx, self->cost);
    study_end(&self->groups);
    coset_graph_free(ctx, self->net.b.graph);
}

/* The plan of afde at eps. */
static coset_plan *plan_at(const sides *self, const setting *how, double eps)
{
    const coset_setting settings[] = {
        {"afde.equivalence", how->kind == EQUIVALENCE_FORWARD ? "forward" : "backward"},
        {"afde.linkage", how->linkage == EPS_SINGLE ? "single" : "complete"},
        {"afde.scale", "none"},
        {"afde.canonical", "false"}};
    const coset_method *afde = method_find("afde");
    method_call call = {.ctx = ctx, .graph = self->net.b.graph, .groups = self->groups.groups};
    bool allowed[MAX_LAYERS + 1] = {false}, weights[MAX_LAYERS + 1] = {false}, reached = false;
    for (int l = 0; l < self->net.n; l++) allowed[l] = true;
    search_request request = {.method = afde,
                              .call = &call,
                              .cost = self->cost,
                              .allowed = allowed,
                              .allowed_weights = weights};
    search *paths = NULL;
    coset_plan *plan = NULL;
    study_expect(ctx, method_configure(afde, &call, settings, 4));
    study_expect(ctx, search_new(&request, &paths));
    study_expect(ctx, plan_new(ctx, self->net.b.graph, self->groups.groups, &plan));
    study_expect(ctx, search_cut(paths, COSET_RULE_EPS, eps, 0, plan, &reached));
    search_free(ctx, paths);
    return plan;
}

static bool merged(const plan_group *group, int64_t i, int64_t j)
{
    return i == j || (group->map != NULL && group->map->block[i] == group->map->block[j]);
}

/* Fails unless both sides merge the same units. Adds pairs that are in one block to *together. */
static void compare_at(const sides *self, const setting *how, double eps, const partition *blocks,
                       int64_t *together)
{
    coset_plan *plan = plan_at(self, how, eps);
    for (int l = 0; l < self->net.n; l++)
        for (int64_t i = 0; i < self->net.width[l + 1]; i++)
            for (int64_t j = 0; j < i; j++) {
                bool one = blocks->block_of[self->unit[l][i]] == blocks->block_of[self->unit[l][j]];
                *together += one;
                if (one != merged(&plan->groups[l], i, j))
                    fail_msg("network %d, %s, %s, eps %.17g: units %d and %d of layer %d are %s by "
                             "the engine alone",
                             (int)self->seed,
                             how->kind == EQUIVALENCE_FORWARD ? "forward" : "backward",
                             how->linkage == EPS_SINGLE ? "single" : "complete", eps, (int)j + 1,
                             (int)i + 1, l + 1, one ? "merged" : "kept apart");
            }
    plan_free(ctx, plan);
}

/* ---- the property ------------------------------------------------------------------------------ */

/* Compared, and pairs of units that were in one block, could have been. */
typedef struct tally {
    int64_t partitions, together, proper, networks;
} tally;

static void compare_eps(const sides *self, const setting *how, double eps, tally *count)
{
    partition blocks = {0};
    double next = 0;
    int64_t before = count->together, pairs = 0;
    study_expect(ctx, partition_refine_eps(self->engine.system, how->kind, &self->layers, eps,
                                           how->linkage, &blocks, &next));
    assert_true(next > eps);
    if (eps == 0 || next > eps * (1 + 1e-9)) { /* not a tie but for rounding */
        compare_at(self, how, eps, &blocks, &count->together);
        for (int l = 1; l <= self->net.n; l++)
            pairs += self->net.width[l] * (self->net.width[l] - 1) / 2;
        int64_t found = count->together - before;
        count->partitions++;
        count->proper += found > 0 && found < pairs;
    }
    partition_free(ctx, &blocks);
}

/* Midway between the tolerances at which partitions change, beyond the last one, and at random. */
static void compare_ladder(const sides *self, const setting *how, rng *random, tally *count)
{
    partition_rung *rungs = NULL;
    int64_t n = 0;
    study_expect(ctx, partition_ladder(self->engine.system, how->kind, &self->layers, how->linkage,
                                       RUNGS, &rungs, &n));
    assert_true(n >= 1 && n < RUNGS);
    for (int64_t r = 0; r < n; r++) {
        double above = r + 1 < n ? rungs[r + 1].eps : 2 * rungs[r].eps + 1;
        compare_eps(self, how, (rungs[r].eps + above) / 2, count);
    }
    for (int i = 0; i < 6; i++)
        compare_eps(self, how, pow(10, -4 + 5.5 * rng_uniform(random)), count);
    partition_ladder_free(ctx, rungs, n);
}

static void compress_merges_the_blocks_of_the_encoding(void **state)
{
    (void)state;
    tally counts[4] = {{0, 0, 0, 0}};
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        sides self;
        sides_new(&self, seed);
        for (int c = 0; c < 4; c++) {
            rng random = rng_seed(seed, 50 + (uint64_t)c);
            int64_t before = counts[c].proper;
            compare_ladder(&self, &choices[c], &random, &counts[c]);
            counts[c].networks += counts[c].proper > before;
        }
        sides_end(&self);
    }
    for (int c = 0; c < 4; c++) {
        printf("%s, %s: %d partitions of %d networks, %d of them neither finest nor coarsest\n",
               choices[c].kind == EQUIVALENCE_FORWARD ? "forward" : "backward",
               choices[c].linkage == EPS_SINGLE ? "single" : "complete", (int)counts[c].partitions,
               NETWORKS, (int)counts[c].proper);
        /* The comparison would mean little if most partitions were trivial. */
        assert_true(counts[c].partitions > 8 * NETWORKS);
        assert_true(counts[c].proper > 3 * counts[c].partitions / 10);
        assert_true(counts[c].networks > 9 * NETWORKS / 10);
    }
}

/* Tolerance 0 with weights whose sums are exact: the same blocks as exact equivalence finds. */
static void nothing_but_equals_merges_at_0(void **state)
{
    (void)state;
    int64_t together[2] = {0, 0};
    for (uint64_t seed = 1000; seed < 1000 + 4 * NETWORKS; seed += 4) {
        sides self;
        sides_new(&self, seed);
        assert_true(self.net.coarse);
        for (int c = 0; c < 4; c++) {
            partition exact = {0}, blocks = {0};
            study_expect(ctx, partition_refine_exact(self.engine.system, choices[c].kind,
                                                     &self.layers, &exact));
            study_expect(ctx,
                         partition_refine_eps(self.engine.system, choices[c].kind, &self.layers, 0,
                                              choices[c].linkage, &blocks, NULL));
            assert_true(partition_equal(&exact, &blocks));
            compare_at(&self, &choices[c], 0, &exact, &together[choices[c].kind]);
            partition_free(ctx, &exact);
            partition_free(ctx, &blocks);
        }
        sides_end(&self);
    }
    assert_true(together[EQUIVALENCE_FORWARD] > NETWORKS / 4);
    assert_true(together[EQUIVALENCE_BACKWARD] > NETWORKS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compress_merges_the_blocks_of_the_encoding, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_but_equals_merges_at_0, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
