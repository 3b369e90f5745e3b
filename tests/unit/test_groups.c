/* Unit groups on random graphs: what belongs together is found, and cutting it leaves the function. */
#include "support/cut_graph.h"
#include "support/random_graph.h"

enum { GRAPHS = 400 };

/* f32 sums of a few dozen terms in another order, through some ten layers of slopes near 1. */
#define TOLERANCE 2e-5

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

static const group_slot *slot_of(const unit_group *group, int32_t slot)
{
    for (int32_t s = 0; s < group->n_slots; s++)
        if (group->slots[s].slot == slot) return &group->slots[s];
    return NULL;
}

/* Every index of every slot whose class is a unit of a group is listed there, under that unit, once. */
static void expect_closed(const studied *self, uint64_t seed)
{
    const graph_groups *groups = self->groups;
    for (int64_t s = 0; s < groups->n_slots; s++)
        for (int64_t i = 0; i < groups->slots[s].size; i++) {
            int64_t unit = 0, seen = 0;
            int32_t g = groups_at(groups, (int32_t)s, i, &unit);
            if (g < 0) continue;
            const group_slot *member = slot_of(&groups->groups[g], (int32_t)s);
            assert_non_null(member);
            for (int64_t c = 0; c < groups->groups[g].n * member->repeats; c++) {
                if (member->index[c] != i) continue;
                assert_int_equal(c / member->repeats, unit);
                seen++;
            }
            if (seen != 1) fail_msg("graph %d: index %d of slot %d", (int)seed, (int)i, (int)s);
        }
    for (int64_t g = 0; g < groups->n; g++) {
        const unit_group *group = &groups->groups[g];
        assert_true(group->n >= 1 && group->name != NULL);
        for (int64_t u = 0; u < group->n; u++) {
            assert_true(groups->group_of[group->roots[u]] == g);
            assert_true(groups->unit_of[group->roots[u]] == u);
            bool frozen = labels_frozen(groups->labels, group->roots[u], NULL) != NULL;
            assert_true(!frozen || group->frozen != NULL);
        }
    }
}

/* No unit of a group that may be cut lies on a graph input or output. */
static void expect_borders_frozen(const studied *self)
{
    for (int64_t o = 0; o < self->graph->n_outputs + self->graph->n_inputs; o++) {
        int32_t value = o < self->graph->n_outputs
                            ? self->graph->outputs[o]
                            : self->graph->inputs[o - self->graph->n_outputs];
        const label_array *labels = labels_of(self->groups->labels, value);
        int64_t n = 1;
        for (int a = 0; a < labels->rank; a++) n *= labels->dims[a];
        for (int64_t e = 0; labels->rank >= 0 && e < n; e++) {
            int64_t root = labels_root(self->groups->labels, labels->ids[e]);
            int32_t g = root >= LABEL_FIRST ? self->groups->group_of[root] : -1;
            assert_true(g < 0 || self->groups->groups[g].frozen != NULL);
        }
    }
}

static coset_plan *random_plan(const studied *self, rng *random, double share)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, self->graph, self->groups, &plan));
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        if (group->frozen == NULL && rng_uniform(random) < share)
            plan->groups[g].map = study_lumping(ctx, random, group->n);
    }
    return plan;
}

/* The declared shapes of a rewritten graph are those that it has. */
static void expect_declared(const coset_graph *graph, uint64_t seed)
{
    graph_facts *facts = NULL;
    study_expect(ctx, graph_infer(ctx, graph, NULL, &facts));
    for (int64_t v = 0; v < graph->n_values; v++) {
        const shape *declared = &graph->values[v].shape,
                    *real = &graph_fact(facts, (int32_t)v)->shape;
        char a[SHAPE_TEXT], b[SHAPE_TEXT];
        if (shape_known(declared) && shape_known(real) && !shape_equal(declared, real))
            fail_msg("graph %d: '%s' is declared %s and has %s", (int)seed, graph->values[v].name,
                     shape_text(declared, a, sizeof a), shape_text(real, b, sizeof b));
    }
    graph_facts_free(ctx, facts);
}

static int cut_graphs, cut_groups, frozen_groups, spared_graphs;

static void try_graph(uint64_t seed)
{
    grown made = grow_graph(ctx, seed, 6 + (int)(seed % 18));
    studied self = study(ctx, made.b.graph);
    expect_closed(&self, seed);
    expect_borders_frozen(&self);
    for (int64_t g = 0; g < self.groups->n; g++)
        *(self.groups->groups[g].frozen == NULL ? &cut_groups : &frozen_groups) += 1;
    coset_plan *plan = random_plan(&self, &made.random, 0.8);
    if (study_plant(&self, plan)) {
        coset_graph *small = NULL;
        coset_status status = plan_apply(ctx, self.graph, self.facts, self.groups, plan, &small);
        if (status != COSET_OK) fail_msg("graph %d: %s", (int)seed, coset_ctx_error(ctx));
        expect_declared(small, seed);
        double worst = study_difference(ctx, self.graph, small, seed);
        if (worst > TOLERANCE) fail_msg("graph %d: outputs differ by %g", (int)seed, worst);
        coset_graph_free(ctx, small);
        cut_graphs++;
    } else {
        spared_graphs++;
    }
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, made.b.graph);
}

static void random_graphs_keep_their_function(void **state)
{
    (void)state;
    const char *only = getenv("COSET_SEED");
    for (uint64_t seed = 1; seed <= GRAPHS; seed++)
        if (only == NULL || strtoull(only, NULL, 10) == seed) try_graph(seed);
    printf("%d graphs cut, %d spared; %d groups could be cut, %d not\n", cut_graphs, spared_graphs,
           cut_groups, frozen_groups);
    assert_true(only != NULL || (cut_graphs > GRAPHS * 9 / 10 && cut_groups > 2 * GRAPHS));
}

/* ---- lifts and shifts ------------------------------------------------------------------------------ */

enum { IN = 5, UNITS = 6, STEPS = 2, OUT = 4 };

/* One hidden group between two contractions, in every form that the second may take. */
typedef struct shape_of_layer {
    bool tall;   /* x [3, 2, 5] and units flattened */
    bool gemm;   /* the consumer is a Gemm, else a MatMul */
    bool turned; /* with transB */
    bool scaled; /* with alpha and beta */
    int bias;    /* 0: none, 1: [out], 2: [1, out], 3: an Add with the bias in front */
    int64_t outs;
} shape_of_layer;

static int32_t constant_of(builder *b, rng *random, const char *name, const char *dims)
{
    float values[256];
    shape known = build_shape(dims);
    int64_t n = shape_product(&known, 0, known.rank);
    assert_true(n <= 256);
    for (int64_t i = 0; i < n; i++) values[i] = (float)rng_normal(random);
    return build_constant(b, name, COSET_F32, dims, values);
}

static void float_attr(builder *b, int32_t node, const char *name, float value)
{
    graph_attr attr = {.name = name, .kind = ATTR_FLOAT, .f = value};
    assert_int_equal(graph_add_attr(ctx, b->graph, node, &attr), COSET_OK);
}

/* map NULL: the network. Else the units are rebuilt after the activation by nodes of their own:
 * h -> h[kept] L^T + c, which is what a plan that keeps rows must come to. */
static builder layer_graph(const shape_of_layer *form, uint64_t seed, const lumping *map)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(seed, 5);
    char dims[32], width[32];
    int32_t x = build_input(&b, "x", COSET_F32, form->tall ? "3 2 5" : "3 5");
    int32_t w1 = constant_of(&b, &random, "w1", "5 6"), b1 = constant_of(&b, &random, "b1", "6");
    int64_t n = form->tall ? UNITS * STEPS : UNITS;
    snprintf(dims, sizeof dims, form->turned ? "%2$d %1$d" : "%1$d %2$d", (int)n, (int)form->outs);
    snprintf(width, sizeof width, form->bias == 2 ? "1 %d" : "%d", (int)form->outs);
    int32_t w2 = constant_of(&b, &random, "w2", dims), b2 = constant_of(&b, &random, "b2", width);
    int32_t h = build_op(&b, "Tanh",
                         build_op(&b, "Add", build_op(&b, "MatMul", x, w1, "m"), b1, "z"), -1, "h");
    if (map != NULL) {
        float lift[UNITS * UNITS], shift[UNITS] = {0};
        char turned[32];
        for (int64_t u = 0; u < map->n; u++)
            for (int64_t k = 0; k < map->k; k++)
                lift[k * map->n + u] = (float)map->lift[u * map->k + k];
        for (int64_t u = 0; u < map->n; u++)
            shift[u] = map->shift != NULL ? (float)map->shift[u] : 0;
        snprintf(dims, sizeof dims, "%d", (int)map->k);
        snprintf(turned, sizeof turned, "%d %d", (int)map->k, UNITS);
        h = build_op(&b, "Gather", h, build_constant(&b, "kept", COSET_I64, dims, map->keep), "g");
        build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "axis", form->tall ? 2 : 1);
        h = build_op(&b, "MatMul", h, build_constant(&b, "lift", COSET_F32, turned, lift), "l");
        h = build_op(&b, "Add", h, build_constant(&b, "shift", COSET_F32, "6", shift), "s");
    }
    if (form->tall) h = build_op(&b, "Flatten", h, -1, "flat");
    int32_t y = build_value(&b, "y"), inputs[3] = {h, w2, b2};
    bool own = form->gemm && form->bias > 0 && form->bias < 3;
    int32_t node = build_node_n(&b, "", form->gemm ? "Gemm" : "MatMul", inputs, own ? 3 : 2, &y, 1);
    if (form->turned) build_int_attr(&b, node, "transB", 1);
    if (form->scaled) float_attr(&b, node, "alpha", 0.5f);
    if (form->scaled) float_attr(&b, node, "beta", 2);
    if (form->bias == 3)
        y = build_op(&b, "Add", b2, y, "sum");
    else if (form->bias > 0 && !own)
        y = build_op(&b, "Add", y, b2, "sum");
    build_output(&b, y);
    build_finish(&b);
    return b;
}

static lumping *random_lift(rng *random, bool shifted)
{
    int64_t order[UNITS], keep[UNITS], k = 1 + rng_below(random, UNITS), at = 0;
    lumping *map = NULL;
    rng_permutation(random, UNITS, order);
    for (int64_t u = 0; u < UNITS; u++)
        if (order[u] < k) keep[at++] = u;
    study_expect(ctx, lumping_select(ctx, UNITS, keep, k, &map));
    study_expect(ctx, ctx_alloc(ctx, UNITS * k, sizeof *map->lift, &map->lift));
    for (int64_t i = 0; i < UNITS * k; i++) map->lift[i] = rng_normal(random);
    if (!shifted) return map;
    study_expect(ctx, ctx_alloc(ctx, UNITS, sizeof *map->shift, &map->shift));
    for (int64_t u = 0; u < UNITS; u++) map->shift[u] = rng_normal(random);
    return map;
}

static void try_lift(const shape_of_layer *form, uint64_t seed, bool shifted)
{
    rng random = rng_seed(seed, 6);
    lumping *map = random_lift(&random, shifted);
    builder whole = layer_graph(form, seed, NULL), rebuilt = layer_graph(form, seed, map);
    studied self = study(ctx, whole.graph);
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    assert_int_equal(self.groups->n, 2);
    assert_int_equal(self.groups->groups[0].function, UNIT_ODD);
    study_expect(ctx, plan_new(ctx, whole.graph, self.groups, &plan));
    plan->groups[0].map = map;
    study_expect(ctx, plan_apply(ctx, whole.graph, self.facts, self.groups, plan, &small));
    double worst = study_difference(ctx, rebuilt.graph, small, seed);
    if (worst > TOLERANCE)
        fail_msg("tall %d, gemm %d, transB %d, alpha %d, bias %d, %d outputs: %g", form->tall,
                 form->gemm, form->turned, form->scaled, form->bias, (int)form->outs, worst);
    coset_graph_free(ctx, small);
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, whole.graph);
    coset_graph_free(ctx, rebuilt.graph);
}

static void lifts_and_shifts_reach_every_form_of_consumer(void **state)
{
    (void)state;
    for (int code = 0; code < 2 * 2 * 2 * 2 * 4 * 2; code++) {
        shape_of_layer form = {.tall = code & 1,
                               .gemm = code >> 1 & 1,
                               .turned = code >> 2 & 1,
                               .scaled = code >> 3 & 1,
                               .bias = code >> 4 & 3,
                               .outs = code >> 6 & 1 ? 1 : OUT};
        if (!form.gemm && (form.turned || form.scaled)) continue;
        for (int shifted = 0; shifted < 2; shifted++)
            for (uint64_t seed = 1; seed <= 3; seed++) try_lift(&form, seed, shifted == 1);
    }
}

/* ---- single cases ----------------------------------------------------------------------------------- */

static const unit_group *group_named(const studied *self, const char *name)
{
    for (int64_t g = 0; g < self->groups->n; g++)
        if (strcmp(self->groups->groups[g].name, name) == 0) return &self->groups->groups[g];
    fail_msg("no group '%s'", name);
    return NULL;
}

/* x [3, 5] -> MatMul -> NAME; the node is called so, too. */
static int32_t named_dense(builder *b, rng *random, int32_t x, const char *dims, const char *name)
{
    char weight[32];
    snprintf(weight, sizeof weight, "w_%s", name);
    int32_t w = constant_of(b, random, weight, dims), y = build_value(b, name);
    const int32_t inputs[2] = {x, w};
    int32_t node = -1;
    assert_int_equal(graph_add_node(ctx, b->graph, name, "", "MatMul", inputs, 2, &y, 1, &node),
                     COSET_OK);
    return y;
}

static void an_unknown_operator_freezes_only_what_it_touches(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "3 5");
    int32_t a = build_op(&b, "Relu", named_dense(&b, &random, x, "5 6", "a"), -1, "ra");
    int32_t m = named_dense(&b, &random, a, "6 4", "m"), strange = build_value(&b, "strange");
    build_node_n(&b, "org.example", "Mystery", &m, 1, &strange, 1);
    b.graph->values[strange].shape = build_shape("3 7");
    b.graph->values[strange].dtype = COSET_F32;
    int32_t c = build_op(&b, "Relu", named_dense(&b, &random, strange, "7 6", "c"), -1, "rc");
    build_output(&b, named_dense(&b, &random, c, "6 2", "d"));
    studied self = study(ctx, build_finish(&b));
    assert_null(group_named(&self, "a")->frozen);
    assert_null(group_named(&self, "c")->frozen);
    assert_non_null(group_named(&self, "m")->frozen);
    assert_non_null(group_named(&self, "d")->frozen);
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    char *reason = NULL;
    study_expect(ctx, plan_reason(ctx, b.graph, group_named(&self, "m"), &reason));
    assert_non_null(strstr(reason, "Mystery"));
    ctx_free(ctx, reason);
    study_expect(ctx, plan_new(ctx, b.graph, self.groups, &plan));
    for (int64_t g = 0; g < self.groups->n; g++) {
        assert_true((plan->groups[g].skipped != NULL) == (self.groups->groups[g].frozen != NULL));
        if (self.groups->groups[g].frozen == NULL)
            plan->groups[g].map = study_lumping(ctx, &random, self.groups->groups[g].n);
    }
    study_expect(ctx, plan_apply(ctx, b.graph, self.facts, self.groups, plan, &small));
    expect_declared(small, 0);
    coset_graph_free(ctx, small);
    /* A frozen group may only be "cut" to what it is. */
    int64_t m_index = group_named(&self, "m") - self.groups->groups;
    study_expect(ctx, lumping_identity(ctx, 4, &plan->groups[m_index].map));
    study_expect(ctx, plan_apply(ctx, b.graph, self.facts, self.groups, plan, &small));
    coset_graph_free(ctx, small);
    plan->groups[m_index].map->scale[0] = 2;
    assert_int_equal(plan_apply(ctx, b.graph, self.facts, self.groups, plan, &small),
                     COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "frozen"));
    assert_null(small);
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static int64_t count_constants(const coset_graph *graph)
{
    int64_t count = 0;
    for (int64_t v = 0; v < graph->n_values; v++)
        count += graph->values[v].constant != NULL && graph->values[v].n_consumers > 0;
    return count;
}

/* Weights that two nodes share stay shared: their units are tied. A bias that two groups share is copied
 * where they are cut differently. */
static void shared_constants(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(2, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "3 6"), y = build_input(&b, "y", COSET_F32, "3 6");
    int32_t w = constant_of(&b, &random, "w", "6 6"), v = constant_of(&b, &random, "v", "6 6");
    int32_t bias = constant_of(&b, &random, "bias", "6");
    int32_t hx = build_op(&b, "Tanh", build_op(&b, "MatMul", x, w, "xw"), -1, "hx");
    int32_t hy = build_op(&b, "Tanh", build_op(&b, "MatMul", y, w, "yw"), -1, "hy");
    int32_t gx = build_op(&b, "Add", build_op(&b, "MatMul", hx, v, "xv"), bias, "gx");
    int32_t gy = build_op(&b, "MatMul", hy, v, "yv");
    int32_t k =
        build_op(&b, "Add", named_dense(&b, &random, build_op(&b, "Mul", gx, gy, "g"), "6 6", "k"),
                 bias, "kb");
    build_output(&b, named_dense(&b, &random, k, "6 2", "out"));
    studied self = study(ctx, build_finish(&b));
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    assert_int_equal(self.groups->n, 4); /* w, v, k, out */
    study_expect(ctx, plan_new(ctx, b.graph, self.groups, &plan));
    const int64_t kept[3][3] = {{0, 2, 3}, {1, 2, 5}, {0, 4, 5}};
    for (int g = 0; g < 3; g++)
        study_expect(ctx, lumping_select(ctx, 6, kept[g], 3, &plan->groups[g].map));
    assert_true(study_plant(&self, plan));
    study_expect(ctx, plan_apply(ctx, b.graph, self.facts, self.groups, plan, &small));
    assert_true(study_difference(ctx, b.graph, small, 3) <= TOLERANCE);
    assert_int_equal(count_constants(small), count_constants(b.graph) + 1);
    coset_graph_free(ctx, small);
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* [a0 b0 c0 a1 b1 c1] -> [c1 c0 a0 b1 b0 a1]: b and c come in another order than a, whose first index is no
 * counterpart of theirs. */
static void rearranged_units_are_not_merged(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    const int64_t order[6] = {5, 2, 0, 4, 1, 3};
    int32_t x = build_input(&b, "x", COSET_F32, "3 2 5");
    int32_t flat = build_op(&b, "Flatten", named_dense(&b, &random, x, "5 3", "a"), -1, "flat");
    int32_t index = build_constant(&b, "order", COSET_I64, "6", order);
    int32_t moved = build_op(&b, "Gather", flat, index, "moved");
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "axis", 1);
    build_output(&b, named_dense(&b, &random, moved, "6 2", "out"));
    studied self = study(ctx, build_finish(&b));
    assert_int_equal(self.groups->n, 3);
    assert_int_equal(self.groups->groups[0].n, 1);
    assert_int_equal(self.groups->groups[1].n, 2);
    int64_t unit = 0;
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(groups_at(self.groups, self.groups->groups[0].slots[0].slot, i, &unit),
                         i > 0);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static unit_function function_between(const char *first, const char *second, float *leak_out)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(4, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "3 5");
    int32_t z = named_dense(&b, &random, x, "5 4", "a"), h = build_op(&b, first, z, -1, "h");
    if (strcmp(first, "LeakyRelu") == 0)
        float_attr(&b, (int32_t)b.graph->n_nodes - 1, "alpha", 0.25f);
    int32_t y = named_dense(&b, &random, h, "4 2", "out");
    if (second != NULL) {
        int32_t other = strcmp(second, "") == 0 ? z : build_op(&b, second, z, -1, "h2");
        y = build_op(&b, "Add", y, named_dense(&b, &random, other, "4 2", "out2"), "sum");
    }
    build_output(&b, y);
    studied self = study(ctx, build_finish(&b));
    unit_function function = group_named(&self, "a")->function;
    *leak_out = group_named(&self, "a")->leak;
    study_end(&self);
    coset_graph_free(ctx, b.graph);
    return function;
}

static void functions_between_contractions(void **state)
{
    (void)state;
    const struct {
        const char *first, *second; /* "": read without a function */
        unit_function function;
        float leak;
    } cases[] = {{"Relu", NULL, UNIT_RELU, 0},         {"LeakyRelu", NULL, UNIT_RELU, 0.25f},
                 {"Tanh", NULL, UNIT_ODD, 0},          {"Sigmoid", NULL, UNIT_LOGISTIC, 0},
                 {"Identity", NULL, UNIT_IDENTITY, 0}, {"Softplus", NULL, UNIT_OTHER, 0},
                 {"Relu", "Relu", UNIT_RELU, 0},       {"Relu", "Tanh", UNIT_OTHER, 0},
                 {"Relu", "", UNIT_OTHER, 0},          {"Relu", "LeakyRelu", UNIT_OTHER, 0},
                 {"Identity", "", UNIT_IDENTITY, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float leak = -1;
        unit_function found = function_between(cases[i].first, cases[i].second, &leak);
        if (found != cases[i].function || (found == UNIT_RELU && leak != cases[i].leak))
            fail_msg("%s and %s: function %d with leak %g", cases[i].first,
                     cases[i].second ? cases[i].second : "nothing", found, (double)leak);
    }
}

/* x -> MatMul h -> Relu -> `type` with a weight (and again that weight): how h may be cut. */
static void expect_reader(const char *type, const char *weight, bool twice, const char *frozen)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "6 5");
    int32_t h = build_op(&b, "Relu", named_dense(&b, &random, x, "5 6", "h"), -1, "r");
    int32_t w = constant_of(&b, &random, "w", weight), y = build_value(&b, "y");
    const int32_t inputs[3] = {h, w, w};
    build_node_n(&b, "", type, inputs, twice ? 3 : 2, &y, 1);
    build_output(&b, y);
    studied self = study(ctx, build_finish(&b));
    const char *found = group_named(&self, "h")->frozen;
    if (frozen == NULL) assert_null(found);
    if (frozen != NULL) assert_string_equal(found, frozen);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static void readers_that_cannot_be_cut_freeze(void **state)
{
    (void)state;
    expect_reader("MatMul", "6 1", false, NULL);
    expect_reader("MatMul", "6", false, "a weight that is a vector sums its units up");
    expect_reader("Gemm", "6 6", false, NULL);
    expect_reader("Gemm", "6 6", true, "a contraction reads its weight twice");
}

/* A weight [1, n, q] is a matrix: it has no taps behind its two axes. */
static void a_matrix_of_rank_three_has_no_taps(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    double rows[6 * 5];
    int32_t x = build_input(&b, "x", COSET_F32, "3 5");
    build_output(&b, named_dense(&b, &random, x, "1 5 6", "h"));
    studied self = study(ctx, build_finish(&b));
    assert_int_equal(self.groups->n_contractions, 1);
    weight_view view = contraction_weight(b.graph, self.groups, &self.groups->contractions[0]);
    assert_int_equal(view.n_taps, 1);
    assert_int_equal(view.n_in, 5);
    assert_int_equal(view.n_out, 6);
    weight_rows(&view, 0, 6, rows);
    const float *stored = view.data->data;
    for (int o = 0; o < 6; o++)
        for (int i = 0; i < 5; i++) assert_true(rows[o * 5 + i] == (double)stored[i * 6 + o]);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* beta = 0: the node adds nothing, and nothing can be added through it. */
static void a_bias_times_zero_is_none(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "3 5"), y = build_value(&b, "y");
    int32_t w = constant_of(&b, &random, "w", "5 4"), c = constant_of(&b, &random, "c", "4");
    const int32_t inputs[3] = {x, w, c};
    float_attr(&b, build_node_n(&b, "", "Gemm", inputs, 3, &y, 1), "beta", 0);
    build_output(&b, y);
    studied self = study(ctx, build_finish(&b));
    assert_int_equal(self.groups->n_contractions, 1);
    assert_int_equal(self.groups->contractions[0].bias, -1);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* 30 ways in each of 7 steps: they are not all followed. */
static void ways_that_part_and_meet_take_no_time(void **state)
{
    (void)state;
    enum { WAYS = 30, DEEP = 7 };
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    int32_t h = named_dense(&b, &random, build_input(&b, "x", COSET_F32, "0 5"), "5 4", "h");
    for (int step = 0; step < DEEP; step++) {
        int32_t inputs[WAYS];
        char name[32];
        for (int i = 0; i < WAYS; i++) inputs[i] = h;
        snprintf(name, sizeof name, "c%d", step);
        h = build_value(&b, name);
        build_int_attr(&b, build_node_n(&b, "", "Concat", inputs, WAYS, &h, 1), "axis", 0);
    }
    build_output(&b, named_dense(&b, &random, h, "4 2", "out"));
    studied self = study(ctx, build_finish(&b));
    assert_int_equal(group_named(&self, "h")->function, UNIT_OTHER);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_that_cannot_be_cut_freeze, start, end),
        cmocka_unit_test_setup_teardown(a_matrix_of_rank_three_has_no_taps, start, end),
        cmocka_unit_test_setup_teardown(a_bias_times_zero_is_none, start, end),
        cmocka_unit_test_setup_teardown(ways_that_part_and_meet_take_no_time, start, end),
        cmocka_unit_test_setup_teardown(random_graphs_keep_their_function, start, end),
        cmocka_unit_test_setup_teardown(lifts_and_shifts_reach_every_form_of_consumer, start, end),
        cmocka_unit_test_setup_teardown(an_unknown_operator_freezes_only_what_it_touches, start,
                                        end),
        cmocka_unit_test_setup_teardown(shared_constants, start, end),
        cmocka_unit_test_setup_teardown(rearranged_units_are_not_merged, start, end),
        cmocka_unit_test_setup_teardown(functions_between_contractions, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
