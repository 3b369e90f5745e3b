/* What every row of methods.def promises, with every setting: paths, cuts, masks, plants, memory. */
#include "support/cut_graph.h"

#include <float.h>

#include "methods/mask.h"
#include "methods/search.h"

enum { INPUTS = 5, FIRST = 9, SECOND = 8, OUTPUTS = 2, SAMPLES = 300 };

/* Outputs through two f32 layers of these widths, merged units summed in another order. */
#define SAME 1e-5

/* An allocator that fails at allocation `at`, once or from there on; -1: never. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static failing_memory memory;
static coset_ctx *ctx;
static float samples[SAMPLES * INPUTS];

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    int64_t number = memory.made++;
    if (memory.at >= 0 && (memory.from_there_on ? number >= memory.at : number == memory.at))
        return NULL;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

static int start(void **state)
{
    (void)state;
    coset_allocator allocator = {failing_alloc, failing_release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    options.allocator = &allocator;
    options.threads = 1;
    options.seed = 7;
    memory = (failing_memory){.at = -1};
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    rng random = rng_seed(1, 1);
    for (int i = 0; i < SAMPLES * INPUTS; i++) samples[i] = (float)rng_normal(&random);
    return 0;
}

static int end(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
    return 0;
}

/* ---- networks ---------------------------------------------------------------------------------------- */

typedef enum plant { PLANT_NONE, PLANT_COPY, PLANT_SCALED, PLANT_MIRRORED } plant;

/* Unit `to` of the layer becomes unit `from`, times a factor. w is (in, n). */
static void plant_unit(float *w, float *b, int64_t in, int64_t n, int64_t to, int64_t from,
                       float factor)
{
    for (int64_t i = 0; i < in; i++) w[i * n + to] = factor * w[i * n + from];
    b[to] = factor * b[from];
}

static float factor_of(plant kind, int index)
{
    static const float scales[] = {3, 0.37f, 11.5f, 0.01f};
    return kind == PLANT_SCALED ? scales[index] : kind == PLANT_MIRRORED ? -1 : 1;
}

/* Planted duplicates: 4 of the first layer, 3 of the second. */
enum { PLANTED_FIRST = 4, PLANTED_SECOND = 3 };

static int32_t layer(builder *b, rng *random, int32_t x, int64_t in, int64_t n, plant kind,
                     const char *name)
{
    float w[16 * 16], bias[16];
    char text[32], dims[32];
    for (int64_t i = 0; i < in * n; i++) w[i] = (float)(rng_normal(random) / sqrt((double)in));
    for (int64_t i = 0; i < n; i++) bias[i] = (float)(0.5 * rng_normal(random));
    if (kind != PLANT_NONE && n != OUTPUTS) {
        plant_unit(w, bias, in, n, 3, 0, factor_of(kind, 0));
        plant_unit(w, bias, in, n, 7, 0, factor_of(kind, 1));
        plant_unit(w, bias, in, n, 2, 1, factor_of(kind, 2));
        if (n == FIRST) plant_unit(w, bias, in, n, 8, 5, factor_of(kind, 3));
    }
    snprintf(text, sizeof text, "w%s", name);
    snprintf(dims, sizeof dims, "%d %d", (int)in, (int)n);
    int32_t weight = build_constant(b, text, COSET_F32, dims, w);
    snprintf(text, sizeof text, "b%s", name);
    snprintf(dims, sizeof dims, "%d", (int)n);
    int32_t inputs[3] = {x, weight, build_constant(b, text, COSET_F32, dims, bias)};
    int32_t y = build_value(b, name);
    build_node_n(b, "", "Gemm", inputs, 3, &y, 1);
    return y;
}

static builder network(const char *activation, plant kind, uint64_t seed)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(seed, 2);
    int32_t x = build_input(&b, "x", COSET_F32, "1 5");
    int32_t h =
        build_op(&b, activation, layer(&b, &random, x, INPUTS, FIRST, kind, "z1"), -1, "h1");
    h = build_op(&b, activation, layer(&b, &random, h, FIRST, SECOND, kind, "z2"), -1, "h2");
    build_output(&b, layer(&b, &random, h, SECOND, OUTPUTS, PLANT_NONE, "y"));
    build_finish(&b);
    return b;
}

static coset_status fill(coset_ctx *context, void *user, int64_t input, int64_t first,
                         int64_t count, void *out)
{
    (void)context, (void)user, (void)input;
    memcpy(out, samples + first * INPUTS, (size_t)(count * INPUTS) * sizeof(float));
    return COSET_OK;
}

/* A network under study, with calibration or without. */
typedef struct subject {
    builder b;
    studied s;
    calibration *stats;
    cost_model *cost;
} subject;

static subject subject_new(const char *activation, plant kind, uint64_t seed, bool data)
{
    subject self = {.b = network(activation, kind, seed)};
    self.s = study(ctx, self.b.graph);
    assert_int_equal(self.s.groups->n, 3);
    shape one = build_shape("5");
    batch_source source = {SAMPLES, fill, NULL};
    if (data)
        study_expect(
            ctx, calibration_collect(ctx, self.b.graph, self.s.groups, &source, &one, &self.stats));
    study_expect(ctx, cost_model_new(ctx, self.b.graph, self.s.facts, self.s.groups, &self.cost));
    return self;
}

static void subject_end(subject *self)
{
    cost_model_free(ctx, self->cost);
    calibration_free(ctx, self->stats);
    study_end(&self->s);
    coset_graph_free(ctx, self->b.graph);
}

/* ---- every method with every setting ------------------------------------------------------------------ */

typedef void (*check)(const subject *on, const coset_method *method, const method_call *call,
                      const char *label);

static void check_with(const subject *on, const coset_method *method, const coset_setting *setting,
                       check what)
{
    char label[128];
    method_call call = {
        .ctx = ctx, .graph = on->b.graph, .groups = on->s.groups, .stats = on->stats};
    snprintf(label, sizeof label, "%s %s=%s, %s data", method->name,
             setting != NULL ? setting->name : "defaults", setting != NULL ? setting->value : "",
             on->stats != NULL ? "with" : "without");
    study_expect(ctx, method_configure(method, &call, setting, setting != NULL));
    for (; call.variant == 0 || call.variant < method->n_variants; call.variant++)
        what(on, method, &call, label);
}

/* Calls the check for the defaults and for every value that a setting can have, one setting at a time. */
static void check_settings(const subject *on, const coset_method *method, check what)
{
    check_with(on, method, NULL, what);
    for (int p = 0; p < method->n_params; p++) {
        const method_param *param = &method->params[p];
        char name[64], values[128], number[2][32];
        snprintf(name, sizeof name, "%s.%s", method->name, param->name);
        coset_setting setting = {name, NULL};
        if (param->kind == PARAM_NUMBER) {
            for (int i = 0; i < 2; i++) {
                snprintf(number[i], sizeof number[i], "%.17g", i ? param->high : param->low);
                setting.value = number[i];
                check_with(on, method, &setting, what);
            }
            continue;
        }
        const char *list = param->kind == PARAM_CHOICE    ? param->choices
                           : param->kind == PARAM_PATTERN ? "2:4|1:3|none"
                                                          : "false|true";
        snprintf(values, sizeof values, "%s", list);
        for (char *at = values, *next; at != NULL; at = next) {
            next = strchr(at, '|');
            if (next != NULL) *next++ = '\0';
            setting.value = at;
            check_with(on, method, &setting, what);
        }
    }
}

static void check_methods(const subject *on, check what)
{
    for (int64_t m = 0; method_at(m) != NULL; m++)
        if (on->stats != NULL || !method_at(m)->needs_data) check_settings(on, method_at(m), what);
}

static void on_networks(plant kind, check what)
{
    static const char *const activations[] = {"Relu", "Tanh", "Sigmoid", "Softplus", "Identity"};
    for (size_t a = 0; a < sizeof activations / sizeof *activations; a++)
        for (int data = 0; data < 2; data++) {
            subject on = subject_new(activations[a], kind, 10 + a, data == 1);
            check_methods(&on, what);
            subject_end(&on);
        }
}

static coset_plan *empty_plan(const subject *on)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, on->b.graph, on->s.groups, &plan));
    return plan;
}

static double difference_after(const subject *on, const coset_plan *plan)
{
    coset_graph *small = NULL;
    study_expect(ctx, plan_apply(ctx, on->b.graph, on->s.facts, on->s.groups, plan, &small));
    double worst = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        worst = fmax(worst, study_difference(ctx, on->b.graph, small, seed));
    coset_graph_free(ctx, small);
    return worst;
}

/* ---- paths --------------------------------------------------------------------------------------------- */

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) fail_msg("%s: group %d: %s", label, (int)g, #condition);                 \
    } while (0)

static void expect_falling(const double *values, int64_t n, const char *label, int64_t g)
{
    PROMISE(values[n] == 0);
    for (int64_t k = n - 1; k >= 1; k--) {
        PROMISE(isfinite(values[k]));
        PROMISE(values[k] >= values[k + 1]);
    }
    PROMISE(values[0] >= values[1]);
}

/* With k - 1 units: the partition is coarser, or the kept units are fewer, than with k. */
static void expect_nested(const path *one, const char *label, int64_t g)
{
    lumping *fine = NULL, *coarse = NULL;
    study_expect(ctx, path_lumping(ctx, one, one->n, &fine));
    PROMISE(lumping_is_identity(fine));
    for (int64_t k = one->n - 1; k >= 1; k--) {
        study_expect(ctx, path_lumping(ctx, one, k, &coarse));
        study_expect(ctx, lumping_check(ctx, coarse));
        PROMISE(coarse->k == k && coarse->n == one->n);
        for (int64_t u = 0; u < one->n; u++)
            for (int64_t v = 0; v < u; v++)
                if (fine->block[u] >= 0 && fine->block[u] == fine->block[v])
                    PROMISE(coarse->block[u] == coarse->block[v]);
        for (int64_t u = 0; u < one->n; u++) PROMISE(fine->block[u] >= 0 || coarse->block[u] < 0);
        lumping_free(ctx, fine);
        fine = coarse;
    }
    lumping_free(ctx, fine);
}

static void expect_path(const path *one, const char *label, int64_t g)
{
    int64_t n = one->n;
    bool choice = one->choice[0] != NULL;
    PROMISE(method_find(one->method) != NULL);
    PROMISE(isinf(one->height[0]) && one->height[0] > 0);
    expect_falling(one->height, n, label, g);
    if (one->error != NULL) expect_falling(one->error, n, label, g);
    PROMISE((one->order != NULL) + (one->tree.merges != NULL) + choice == 1);
    if (one->order != NULL) {
        int64_t seen[16] = {0};
        for (int64_t u = 0; u < n; u++) {
            PROMISE(one->order[u] >= 0 && one->order[u] < n);
            PROMISE(seen[one->order[u]]++ == 0);
        }
    }
    if (choice) {
        expect_path(one->choice[0], label, g);
        expect_path(one->choice[1], label, g);
    } else {
        expect_nested(one, label, g);
    }
}

static void same_doubles(const double *a, const double *b, int64_t n, const char *label, int64_t g)
{
    PROMISE((a == NULL) == (b == NULL));
    if (a != NULL) PROMISE(memcmp(a, b, (size_t)n * sizeof *a) == 0);
}

static void expect_same_path(const path *a, const path *b, const char *label, int64_t g)
{
    PROMISE(a->n == b->n && strcmp(a->method, b->method) == 0);
    same_doubles(a->height, b->height, a->n + 1, label, g);
    same_doubles(a->error, b->error, a->n + 1, label, g);
    for (int64_t k = 1; k <= a->n; k++) {
        lumping *x = NULL, *y = NULL;
        study_expect(ctx, path_lumping(ctx, a, k, &x));
        study_expect(ctx, path_lumping(ctx, b, k, &y));
        PROMISE(memcmp(x->block, y->block, (size_t)x->n * sizeof *x->block) == 0);
        same_doubles(x->reduce, y->reduce, x->n, label, g);
        same_doubles(x->scale, y->scale, x->n, label, g);
        lumping_free(ctx, x);
        lumping_free(ctx, y);
    }
}

static void check_paths(const subject *on, const coset_method *method, const method_call *call,
                        const char *label)
{
    if (call->masks) return;
    coset_plan *plan = empty_plan(on);
    for (int64_t g = 0; g < 2; g++) {
        path *one = NULL, *again = NULL;
        study_expect(ctx, method->path(call, g, plan, &one));
        study_expect(ctx, method->path(call, g, plan, &again));
        PROMISE(one->n == on->s.groups->groups[g].n);
        expect_path(one, label, g);
        expect_same_path(one, again, label, g);
        path_free(ctx, one);
        path_free(ctx, again);
    }
    plan_free(ctx, plan);
}

static void paths_are_nested_and_monotone(void **state)
{
    (void)state;
    on_networks(PLANT_NONE, check_paths);
    on_networks(PLANT_COPY, check_paths);
}

/* ---- cuts ---------------------------------------------------------------------------------------------- */

static const bool allowed[3] = {true, true, false}, allowed_weights[3] = {true, true, true};

static search *search_of(const subject *on, const coset_method *method, const method_call *call,
                         int64_t round_to)
{
    search_request request = {.method = method,
                              .call = call,
                              .cost = on->cost,
                              .round_to = round_to,
                              .allowed = allowed,
                              .allowed_weights = allowed_weights};
    search *made = NULL;
    study_expect(ctx, search_new(&request, &made));
    return made;
}

static int64_t kept(const coset_plan *plan, int64_t g)
{
    return plan->groups[g].map != NULL ? plan->groups[g].map->k : plan->groups[g].units;
}

static void check_cuts(const subject *on, const coset_method *method, const method_call *call,
                       const char *label)
{
    if (call->masks) return;
    search *found = search_of(on, method, call, 1);
    coset_plan *plan = empty_plan(on);
    const int64_t g = 0;
    bool reached = false;
    int64_t widths[3], full[3] = {FIRST, SECOND, OUTPUTS};
    study_expect(ctx, search_cut(found, COSET_RULE_RATIO, 1, 0, plan, &reached));
    PROMISE(reached && difference_after(on, plan) == 0);
    study_expect(ctx, search_cut(found, COSET_RULE_RATIO, 0.5, 0, plan, &reached));
    PROMISE(kept(plan, 0) == 5 && kept(plan, 1) == 4 && kept(plan, 2) == OUTPUTS);
    PROMISE(isfinite(difference_after(on, plan)));
    for (int kind = 0; kind < 2; kind++) {
        cost_kind cost = kind ? COST_MACS : COST_PARAMS;
        coset_rule rule = kind ? COSET_RULE_MACS : COSET_RULE_PARAMS;
        for (double share = 0.9; share > 0.2; share -= 0.2) {
            int64_t budget = (int64_t)(share * (double)cost_of(on->cost, cost, full));
            study_expect(ctx, search_cut(found, rule, 0, budget, plan, &reached));
            for (int64_t i = 0; i < 3; i++) widths[i] = kept(plan, i);
            PROMISE(reached && cost_of(on->cost, cost, widths) <= budget);
        }
        study_expect(ctx, search_cut(found, rule, 0, 3, plan, &reached));
        PROMISE(!reached && kept(plan, 0) == 1 && kept(plan, 1) == 1);
    }
    plan_free(ctx, plan);
    search_free(ctx, found);
}

static void cuts_follow_their_rules(void **state)
{
    (void)state;
    on_networks(PLANT_NONE, check_cuts);
}

static int dependent_falls, dependent_steps;

/* afde looks at the blocks of the layers before; only with the definition's own linkage and scale do
 * coarser ones bring its units closer. */
static bool is_monotone(const coset_method *method, const method_call *call)
{
    if (call->sweep == SWEEP_NONE) return true;
    assert_string_equal(method->name, "afde");
    for (int p = 0; p < method->n_params; p++) {
        if (strcmp(method->params[p].name, "linkage") == 0 && call->values[p] != 0) return false;
        if (strcmp(method->params[p].name, "scale") == 0 && call->values[p] != 0) return false;
        if (strcmp(method->params[p].name, "canonical") == 0 && call->values[p] != 0) return false;
    }
    return true;
}

static void check_eps(const subject *on, const coset_method *method, const method_call *call,
                      const char *label)
{
    if (call->masks) return;
    search *found = search_of(on, method, call, 1);
    coset_plan *plan = empty_plan(on);
    int64_t before[2] = {FIRST, SECOND};
    bool reached = false;
    for (double eps = 0; eps < 40; eps = eps == 0 ? 0.001 : eps * 1.2) {
        study_expect(ctx, search_cut(found, COSET_RULE_EPS, eps, 0, plan, &reached));
        for (int64_t g = 0; g < 2; g++) {
            bool falls = kept(plan, g) <= before[g];
            if (is_monotone(method, call)) PROMISE(falls);
            dependent_steps += !is_monotone(method, call);
            dependent_falls += !falls;
            before[g] = kept(plan, g);
        }
    }
    plan_free(ctx, plan);
    search_free(ctx, found);
}

/* Single linkage without scale for both equivalences: two settings at once. */
static void check_literal_afde(const subject *on)
{
    const coset_method *afde = method_find("afde");
    static const char *const equivalences[] = {"forward", "backward"};
    for (int e = 0; e < 2; e++) {
        const coset_setting settings[3] = {{"afde.linkage", "single"},
                                           {"afde.scale", "none"},
                                           {"afde.equivalence", equivalences[e]}};
        method_call call = {
            .ctx = ctx, .graph = on->b.graph, .groups = on->s.groups, .stats = on->stats};
        study_expect(ctx, method_configure(afde, &call, settings, 3));
        assert_true(is_monotone(afde, &call));
        check_eps(on, afde, &call, equivalences[e]);
    }
}

static void a_smaller_eps_never_gives_a_smaller_model(void **state)
{
    (void)state;
    on_networks(PLANT_NONE, check_eps);
    printf("afde where it depends on context: %d of %d steps to a larger eps widened a layer\n",
           dependent_falls, dependent_steps);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        subject on = subject_new("Relu", seed % 2 ? PLANT_NONE : PLANT_COPY, seed, false);
        check_literal_afde(&on);
        subject_end(&on);
    }
}

/* ---- plants ---------------------------------------------------------------------------------------------- */

static double value_of(const coset_method *method, const method_call *call, const char *name)
{
    for (int p = 0; p < method->n_params; p++)
        if (strcmp(method->params[p].name, name) == 0) return call->values[p];
    return -1;
}

static bool finds_copies(const coset_method *method, const method_call *call)
{
    if (strcmp(method->name, "auto") == 0) return call->variant != 1;
    if (strcmp(method->name, "afde") == 0) return value_of(method, call, "equivalence") == 0;
    return strcmp(method->name, "merge") == 0;
}

static bool finds_symmetric(const coset_method *method, const method_call *call)
{
    return finds_copies(method, call) &&
           (strcmp(method->name, "auto") == 0 || value_of(method, call, "canonical") == 1);
}

/* The planted units merge at eps 0, and the outputs are those of the original. */
static void expect_merged(const subject *on, const coset_method *method, const method_call *call,
                          const char *label)
{
    search *found = search_of(on, method, call, 1);
    coset_plan *plan = empty_plan(on);
    bool reached = false;
    const int64_t g = 0;
    study_expect(ctx, search_cut(found, COSET_RULE_EPS, 0, 0, plan, &reached));
    if (kept(plan, 0) > FIRST - PLANTED_FIRST || kept(plan, 1) > SECOND - PLANTED_SECOND)
        fail_msg("%s: %d and %d units are left", label, (int)kept(plan, 0), (int)kept(plan, 1));
    double worst = difference_after(on, plan);
    if (worst > SAME) fail_msg("%s: outputs differ by %g", label, worst);
    PROMISE(plan->groups[0].height == 0);
    plan_free(ctx, plan);
    search_free(ctx, found);
}

static void check_copies(const subject *on, const coset_method *method, const method_call *call,
                         const char *label)
{
    if (finds_copies(method, call)) expect_merged(on, method, call, label);
}

static void check_symmetric(const subject *on, const coset_method *method, const method_call *call,
                            const char *label)
{
    if (finds_symmetric(method, call)) expect_merged(on, method, call, label);
}

static void copies_merge_at_eps_0(void **state)
{
    (void)state;
    on_networks(PLANT_COPY, check_copies);
}

static void symmetric_units_merge_at_eps_0(void **state)
{
    (void)state;
    const struct {
        const char *activation;
        plant kind;
    } cases[] = {{"Relu", PLANT_SCALED},
                 {"Tanh", PLANT_MIRRORED},
                 {"Sigmoid", PLANT_MIRRORED},
                 {"Identity", PLANT_SCALED},
                 {"Identity", PLANT_MIRRORED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int data = 0; data < 2; data++)
            for (uint64_t seed = 1; seed <= 5; seed++) {
                subject on = subject_new(cases[i].activation, cases[i].kind, seed, data == 1);
                check_methods(&on, check_symmetric);
                subject_end(&on);
            }
}

/* ---- masks ----------------------------------------------------------------------------------------------- */

enum { WEIGHTS = INPUTS * FIRST + FIRST * SECOND + SECOND * OUTPUTS };

static int64_t mask_size(const coset_plan *plan)
{
    int64_t count = 0;
    for (int64_t m = 0; m < plan->n_masks; m++)
        for (int64_t i = 0; i < plan->masks[m].elements; i++) count += plan->masks[m].keep[i];
    return count;
}

/* What the smaller mask keeps, the larger one keeps. */
static bool mask_inside(const coset_plan *small, const coset_plan *large)
{
    for (int64_t m = 0; m < small->n_masks; m++)
        for (int64_t i = 0; i < small->masks[m].elements; i++)
            if (small->masks[m].keep[i] && !large->masks[m].keep[i]) return false;
    return true;
}

static void check_scores(const subject *on, const coset_method *method, const method_call *call,
                         const char *label)
{
    for (int64_t g = 0; g < on->s.groups->n_contractions; g++) {
        double scores[128], again[128];
        int32_t weight = on->s.groups->contractions[g].weight;
        int64_t n = tensor_elements(on->b.graph->values[weight].constant);
        assert_true(n <= 128);
        study_expect(ctx, method->scores(call, g, scores));
        study_expect(ctx, method->scores(call, g, again));
        PROMISE(memcmp(scores, again, (size_t)n * sizeof *scores) == 0);
        for (int64_t i = 0; i < n; i++) PROMISE(isfinite(scores[i]) && scores[i] >= 0);
    }
}

/* Of every M weights along the inputs N stay. */
static void expect_pattern(const subject *on, const method_call *call, const coset_plan *plan,
                           const char *label)
{
    int64_t n = call->ranking.pattern_n, m = call->ranking.pattern_m;
    for (int64_t g = 0; g < plan->n_masks; g++) {
        weight_view view =
            contraction_weight(on->b.graph, on->s.groups, &on->s.groups->contractions[g]);
        for (int64_t o = 0; o < view.n_out; o++)
            for (int64_t from = 0; from < view.n_in; from += m) {
                int64_t size = view.n_in - from < m ? view.n_in - from : m, count = 0;
                for (int64_t i = from; i < from + size; i++)
                    count += plan->masks[g].keep[o * view.out_stride + i * view.in_stride];
                PROMISE(count == (n < size ? n : size));
            }
    }
}

static void check_masks(const subject *on, const coset_method *method, const method_call *call,
                        const char *label)
{
    if (!call->masks) return;
    const int64_t g = 0;
    search *found = search_of(on, method, call, 1);
    coset_plan *wider = empty_plan(on);
    bool reached = false, pattern = call->ranking.pattern_m > 0;
    int64_t full[3] = {FIRST, SECOND, OUTPUTS}, all = cost_of(on->cost, COST_PARAMS, full);
    check_scores(on, method, call, label);
    study_expect(ctx, search_cut(found, COSET_RULE_RATIO, 1, 0, wider, &reached));
    PROMISE(wider->n_masks == 3);
    if (pattern)
        expect_pattern(on, call, wider, label);
    else
        PROMISE(mask_size(wider) == WEIGHTS && difference_after(on, wider) == 0);
    for (double share = 0.9; share > 0.1; share -= 0.1) {
        coset_plan *plan = empty_plan(on), *again = empty_plan(on);
        int64_t budget = (int64_t)(share * (double)all);
        study_expect(ctx, search_cut(found, COSET_RULE_PARAMS, 0, budget, plan, &reached));
        study_expect(ctx, search_cut(found, COSET_RULE_PARAMS, 0, budget, again, &reached));
        PROMISE(mask_inside(plan, again) && mask_inside(again, plan));
        PROMISE(mask_inside(plan, wider));
        if (!pattern && call->ranking.scope == MASK_MODEL)
            PROMISE(mask_size(plan) == (reached ? budget - (all - WEIGHTS) : 0));
        PROMISE(reached == (budget >= all - WEIGHTS));
        PROMISE(isfinite(difference_after(on, plan)));
        plan_free(ctx, wider);
        plan_free(ctx, again);
        wider = plan;
    }
    plan_free(ctx, wider);
    wider = empty_plan(on);
    study_expect(ctx, search_cut(found, COSET_RULE_EPS, 0, 0, wider, &reached));
    PROMISE(mask_size(wider) == WEIGHTS);
    for (double eps = 0.1; eps < 4; eps *= 1.5) {
        coset_plan *plan = empty_plan(on);
        study_expect(ctx, search_cut(found, COSET_RULE_EPS, eps, 0, plan, &reached));
        PROMISE(mask_inside(plan, wider));
        plan_free(ctx, wider);
        wider = plan;
    }
    assert_int_equal(search_cut(found, COSET_RULE_MACS, 0, 10, wider, &reached), COSET_EARGUMENT);
    plan_free(ctx, wider);
    search_free(ctx, found);
}

static void masks_are_nested(void **state)
{
    (void)state;
    on_networks(PLANT_NONE, check_masks);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

/* A search, a cut and its application. */
static coset_status whole_use(const subject *on, const coset_method *method,
                              const method_call *call)
{
    coset_status status = COSET_OK;
    search_request request = {.method = method,
                              .call = call,
                              .cost = on->cost,
                              .round_to = 1,
                              .allowed = allowed,
                              .allowed_weights = allowed_weights};
    search *found = NULL;
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    bool reached = false;
    TRY(plan_new(ctx, on->b.graph, on->s.groups, &plan));
    TRY(search_new(&request, &found));
    TRY(search_cut(found, COSET_RULE_RATIO, 0.5, 0, plan, &reached));
    TRY(plan_apply(ctx, on->b.graph, on->s.facts, on->s.groups, plan, &small));
done:
    assert_true((small != NULL) == (status == COSET_OK));
    coset_graph_free(ctx, small);
    search_free(ctx, found);
    plan_free(ctx, plan);
    return status;
}

static void check_memory(const subject *on, const coset_method *method, const method_call *call,
                         const char *label)
{
    const int64_t g = 0;
    memory.made = 0;
    study_expect(ctx, whole_use(on, method, call));
    int64_t total = memory.made, alive = memory.alive;
    PROMISE(total > 20);
    for (int from = 0; from < 2; from++)
        for (int64_t at = 0; at < total; at++) {
            memory.made = 0;
            memory.at = at;
            memory.from_there_on = from == 1;
            coset_status status = whole_use(on, method, call);
            memory.at = -1;
            if (status != COSET_EMEMORY || memory.alive != alive)
                fail_msg("%s: allocation %d of %d: %s, %d more alive", label, (int)at, (int)total,
                         coset_status_name(status), (int)(memory.alive - alive));
        }
    study_expect(ctx, whole_use(on, method, call));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int data = 0; data < 2; data++) {
        subject on = subject_new("Sigmoid", PLANT_MIRRORED, 1, data == 1);
        check_methods(&on, check_memory);
        subject_end(&on);
    }
}

/* ---- settings -------------------------------------------------------------------------------------------- */

static void settings_are_checked(void **state)
{
    (void)state;
    for (int64_t m = 0; method_at(m) != NULL; m++) {
        const coset_method *method = method_at(m);
        method_call call = {.ctx = ctx};
        char name[64], *help = NULL;
        assert_ptr_equal(method_find(method->name), method);
        study_expect(ctx, coset_method_help(ctx, method->name, &help));
        assert_true(method->n_params <= METHOD_MAX_PARAMS);
        assert_true(method->path != NULL || method->scores != NULL);
        for (int p = 0; p < method->n_params; p++) {
            snprintf(name, sizeof name, "%s.%s", method->name, method->params[p].name);
            assert_non_null(strstr(help, name));
            const char *wrong[] = {"", "nonsense", "1e9", "-1", "nan", "0:3", "3:2"};
            for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
                coset_setting setting = {name, wrong[w]};
                assert_int_equal(method_configure(method, &call, &setting, 1), COSET_EARGUMENT);
                assert_non_null(strstr(coset_ctx_error(ctx), name));
            }
        }
        snprintf(name, sizeof name, "%s.no_such_setting", method->name);
        const coset_setting none[] = {{name, "1"}, {"other.x", "1"}, {"x", "1"}};
        for (int i = 0; i < 3; i++)
            assert_int_equal(method_configure(method, &call, &none[i], 1), COSET_EARGUMENT);
        coset_memory_free(ctx, help);
    }
    const coset_method *found = NULL;
    assert_int_equal(method_require(ctx, "no such", &found), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "wanda"));
    assert_null(found);
    assert_null(method_at(-1));
    assert_null(coset_method_name(1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_are_checked, start, end),
        cmocka_unit_test_setup_teardown(paths_are_nested_and_monotone, start, end),
        cmocka_unit_test_setup_teardown(cuts_follow_their_rules, start, end),
        cmocka_unit_test_setup_teardown(a_smaller_eps_never_gives_a_smaller_model, start, end),
        cmocka_unit_test_setup_teardown(copies_merge_at_eps_0, start, end),
        cmocka_unit_test_setup_teardown(symmetric_units_merge_at_eps_0, start, end),
        cmocka_unit_test_setup_teardown(masks_are_nested, start, end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
