/* What every row of methods.def promises, with every setting: paths, cuts, plants. */
#include "support/method_subject.h"

#include "recover/reconstruct.h"

/* ---- paths --------------------------------------------------------------------------------------------- */

/* bounded: every width can be had. */
static void expect_falling(const double *values, int64_t n, bool bounded, const char *label,
                           int64_t g)
{
    PROMISE(values[n] == 0);
    for (int64_t k = n - 1; k >= 1; k--) {
        PROMISE(bounded ? isfinite(values[k]) : !isnan(values[k]));
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
        PROMISE(coarse->k == (one->stays != NULL ? one->stays[k] : k) && coarse->n == one->n);
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
    /* Units that are no lines are not bypassed, and a line may cost more than a width. */
    bool bounded = one->slope == NULL;
    expect_falling(one->height, n, bounded, label, g);
    if (one->error != NULL) expect_falling(one->error, n, bounded, label, g);
    PROMISE((one->order != NULL) + (one->tree.merges != NULL) + choice == 1);
    if (one->order != NULL) {
        int64_t seen[16] = {0};
        for (int64_t u = 0; u < n; u++) {
            PROMISE(one->order[u] >= 0 && one->order[u] < n);
            PROMISE(seen[one->order[u]]++ == 0);
        }
    }
    if (one->score != NULL) { /* the largest stay, of equal ones the first */
        PROMISE(one->order != NULL && isfinite(one->score[one->order[0]]));
        for (int64_t u = 1; u < n; u++) {
            double before = one->score[one->order[u - 1]], score = one->score[one->order[u]];
            PROMISE(before > score || (before == score && one->order[u - 1] < one->order[u]));
        }
    }
    if (choice) {
        for (int c = 0; c < 3 && one->choice[c] != NULL; c++) expect_path(one->choice[c], label, g);
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
    if (call->masks || method->path == NULL) return;
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

static int64_t kept(const coset_plan *plan, int64_t g)
{
    return plan->groups[g].map != NULL ? plan->groups[g].map->k : plan->groups[g].units;
}

/* k units stay, or fewer beside a line that is worth the rest. */
static bool stands_for(const coset_plan *plan, int64_t g, int64_t k)
{
    const lumping *map = plan->groups[g].map;
    return map != NULL && map->slope != NULL ? map->k < k : kept(plan, g) == k;
}

static void check_cuts(const subject *on, const coset_method *method, const method_call *call,
                       const char *label)
{
    if (call->masks || method->cut != NULL) return; /* a rule of its own: test_linearity.c */
    search *found = search_of(on, method, call, NULL);
    coset_plan *plan = empty_plan(on);
    const int64_t g = 0;
    bool reached = false;
    int64_t widths[3], full[3] = {FIRST, SECOND, OUTPUTS};
    study_expect(ctx, search_cut(found, COSET_RULE_RATIO, 1, 0, plan, &reached));
    PROMISE(reached && difference_after(on, plan) == 0);
    study_expect(ctx, search_cut(found, COSET_RULE_RATIO, 0.5, 0, plan, &reached));
    PROMISE(stands_for(plan, 0, 5) && stands_for(plan, 1, 4) && kept(plan, 2) == OUTPUTS);
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
        PROMISE(!reached && stands_for(plan, 0, 1) && stands_for(plan, 1, 1));
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
    if (call->masks || method->cut != NULL) return;
    search *found = search_of(on, method, call, NULL);
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
    search *found = search_of(on, method, call, NULL);
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

/* Whatever merges at eps 0, the outputs are those of the original. (What is selected needs its lift.) */
static void check_constants(const subject *on, const coset_method *method, const method_call *call,
                            const char *label)
{
    const char *variant = method->variants != NULL ? method->variants[call->variant] : "merge";
    bool reached = false;
    if (!finds_copies(method, call) || strcmp(variant, "merge") != 0) return;
    search *found = search_of(on, method, call, NULL);
    coset_plan *plan = empty_plan(on);
    study_expect(ctx, search_cut(found, COSET_RULE_EPS, 0, 0, plan, &reached));
    double worst = difference_after(on, plan);
    if (worst > SAME) fail_msg("%s: outputs differ by %g", label, worst);
    plan_free(ctx, plan);
    search_free(ctx, found);
}

/* Units that do not vary could be rebuilt from any other one; a mean of their weights does not do it. */
static void constants_are_no_copies_of_others(void **state)
{
    (void)state;
    on_networks(PLANT_CONSTANT, check_constants);
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

/* A sweep with any eps that fits costs no more than what is found for the budget, also where already the
 * first eps that is tried makes everything as narrow as can be. */
static void budgets_of_sweeps_are_used(void **state)
{
    (void)state;
    const coset_setting setting = {"afde.scale", "none"};
    for (float scale = 1; scale > 1e-4f; scale /= 10) {
        subject on = subject_new("Relu", PLANT_NONE, 11, false);
        for (int32_t v = 0; v < on.b.graph->n_values; v++)
            for (int64_t i = 0; on.b.graph->values[v].constant != NULL &&
                                i < tensor_elements(on.b.graph->values[v].constant);
                 i++)
                study_values(&on.s, v)[i] *= scale;
        const coset_method *afde = method_find("afde");
        method_call call = {.ctx = ctx, .graph = on.b.graph, .groups = on.s.groups};
        study_expect(ctx, method_configure(afde, &call, &setting, 1));
        search *found = search_of(&on, afde, &call, NULL);
        coset_plan *plan = empty_plan(&on);
        int64_t full[3] = {FIRST, SECOND, OUTPUTS}, widths[3];
        bool reached = false;
        for (int tenths = 9; tenths > 3; tenths--) {
            int64_t budget = cost_of(on.cost, COST_PARAMS, full) * tenths / 10, most = 0;
            for (double eps = 16; eps > 1e-6; eps /= 1.25) {
                study_expect(ctx, search_cut(found, COSET_RULE_EPS, eps, 0, plan, &reached));
                for (int64_t g = 0; g < 3; g++) widths[g] = kept(plan, g);
                int64_t cost = cost_of(on.cost, COST_PARAMS, widths);
                if (cost <= budget && cost > most) most = cost;
            }
            study_expect(ctx, search_cut(found, COSET_RULE_PARAMS, 0, budget, plan, &reached));
            for (int64_t g = 0; g < 3; g++) widths[g] = kept(plan, g);
            int64_t cost = cost_of(on.cost, COST_PARAMS, widths);
            assert_true(reached && cost <= budget && cost >= most);
        }
        plan_free(ctx, plan);
        search_free(ctx, found);
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
        assert_true(method->path != NULL || method->scores != NULL || method->cut != NULL);
        for (int p = 0; p < method->n_params; p++) {
            snprintf(name, sizeof name, "%s.%s", method->name, method->params[p].name);
            assert_non_null(strstr(help, name));
            const char *wrong[] = {"", "nonsense", "1e9", "-1", "1e39", "nan", "0:3", "3:2"};
            for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
                coset_setting setting = {name, wrong[w]};
                char *end = NULL;
                double number = strtod(wrong[w], &end);
                if (method->params[p].kind == PARAM_NUMBER && end != wrong[w] && *end == '\0' &&
                    number >= method->params[p].low && number <= method->params[p].high)
                    continue;
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

/* Reconstruction changes constants, but none that a graph output shows. */
static void reconstruction_spares_outputs(void **state)
{
    (void)state;
    builder b = network("Relu", PLANT_NONE, 3);
    shape one = build_shape("5");
    batch_source source = {SAMPLES, fill, NULL};
    const int64_t keep[3] = {0, 2, 5};
    coset_plan *plan = NULL;
    coset_graph *small = NULL, *refitted = NULL;
    recovery_targets *targets = NULL;
    for (int shown = 0; shown < 2; shown++) {
        studied self = study(ctx, b.graph);
        int32_t weight = self.groups->contractions[2].weight;
        const tensor *old = b.graph->values[weight].constant;
        study_expect(ctx, plan_new(ctx, b.graph, self.groups, &plan));
        study_expect(ctx, lumping_select(ctx, FIRST, keep, 3, &plan->groups[0].map));
        study_expect(ctx, plan_apply(ctx, b.graph, self.facts, self.groups, plan, &small));
        study_expect(ctx, recovery_targets_new(ctx, b.graph, self.groups, &source, &one, &targets));
        study_expect(ctx, reconstruct(ctx, plan, targets, small, 1e-3, &refitted));
        const tensor *now = refitted->values[weight].constant;
        assert_int_equal(now->bytes, old->bytes);
        assert_int_equal(memcmp(now->data, old->data, old->bytes) == 0, shown);
        recovery_targets_free(ctx, targets);
        coset_graph_free(ctx, refitted);
        coset_graph_free(ctx, small);
        plan_free(ctx, plan);
        study_end(&self);
        if (shown == 0) build_output(&b, weight);
        if (shown == 0) build_finish(&b);
    }
    coset_graph_free(ctx, b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reconstruction_spares_outputs, start, end),
        cmocka_unit_test_setup_teardown(settings_are_checked, start, end),
        cmocka_unit_test_setup_teardown(paths_are_nested_and_monotone, start, end),
        cmocka_unit_test_setup_teardown(cuts_follow_their_rules, start, end),
        cmocka_unit_test_setup_teardown(budgets_of_sweeps_are_used, start, end),
        cmocka_unit_test_setup_teardown(a_smaller_eps_never_gives_a_smaller_model, start, end),
        cmocka_unit_test_setup_teardown(copies_merge_at_eps_0, start, end),
        cmocka_unit_test_setup_teardown(constants_are_no_copies_of_others, start, end),
        cmocka_unit_test_setup_teardown(symmetric_units_merge_at_eps_0, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
