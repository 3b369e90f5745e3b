/* Methods in turn: a chain is what its methods do by hand, one after the other. */
#include "support/runs.h"

#include "api/chain.h"

/* ---- chains and hands ------------------------------------------------------------------------------ */

static const struct {
    const char *first, *second;
} pairs[] = {{"select", "merge"},    {"afde", "magnitude"},        {"magnitude", "merge"},
             {"linearity", "merge"}, {"merge", "linearity"},       {"magnitude", "linearity"},
             {"random", "random"},   {"expressiveness", "select"}, {"wanda", "select"},
             {"afde", "flap"}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static void test_a_chain_is_what_hands_do(void **state)
{
    (void)state;
    const double values[] = {0.7, 0.6};
    for (int p = 0; p < PAIRS; p++) {
        char name[64];
        snprintf(name, sizeof name, "%s+%s", pairs[p].first, pairs[p].second);
        coset_compress_options both = options_of(name, COSET_RULE_RATIO, 0, "none");
        both.values = values;
        both.n_values = 2;
        bytes turns = compressed(graph, data, &both, NULL);
        coset_compress_options one =
            options_of(pairs[p].first, COSET_RULE_RATIO, values[0], "none");
        coset_graph *middle = read_back(compressed(graph, data, &one, NULL));
        one = options_of(pairs[p].second, COSET_RULE_RATIO, values[1], "none");
        expect_same(turns, compressed(middle, data, &one, NULL), name);
        coset_graph_free(ctx, middle);
    }
}

/* Shares of parameters are of the original, whatever a turn finds. */
static void test_shares_are_of_the_original(void **state)
{
    (void)state;
    const double values[] = {0.6, 0.3};
    coset_report *report = NULL;
    coset_compress_options options = options_of("select+merge", COSET_RULE_PARAMS, 0, NULL);
    options.values = values;
    options.n_values = 2;
    bytes small = compressed(graph, data, &options, &report);
    double all = coset_report_number(report, "original.params", 0);
    double left = coset_report_number(report, "compressed.params", 0);
    assert_true(left <= 0.3 * all && left > 0.2 * all);
    const char *json = json_of(report);
    const char *says[] = {"\"method\": \"select+merge\"",
                          "\"rule\": \"params <= 60%, 30%\"",
                          "\"rule\": \"params <= 60%\"",
                          "\"rule\": \"params <= 30%\"",
                          "\"methods\": [",
                          "\"reached\": true"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (strstr(json, says[i]) == NULL) fail_msg("no %s in %s", says[i], json);
    coset_memory_free(ctx, small.data);
}

/* One value: the way to it is divided evenly, in factors. */
static void test_one_value_is_shared_out(void **state)
{
    (void)state;
    const double values[] = {0.5, 0.25};
    coset_compress_options one = options_of("select+merge", COSET_RULE_PARAMS, 0.25, NULL);
    coset_compress_options two = one;
    two.values = values;
    two.n_values = 2;
    expect_same(compressed(graph, data, &one, NULL), compressed(graph, data, &two, NULL),
                "25% and 50%,25%");
}

static void test_rounds_are_a_chain(void **state)
{
    (void)state;
    const double values[] = {0.75, 0.5};
    const coset_setting rounds = {"expressiveness.rounds", "2"};
    coset_compress_options one = options_of("expressiveness", COSET_RULE_PARAMS, 0.5, NULL);
    coset_compress_options two =
        options_of("expressiveness+expressiveness", COSET_RULE_PARAMS, 0.5, NULL);
    coset_report *report = NULL;
    one.settings = &rounds;
    one.n_settings = 1;
    two.values = values;
    two.n_values = 2;
    bytes in_rounds = compressed(graph, data, &one, &report);
    expect_same(in_rounds, compressed(graph, data, &two, NULL), "rounds");
    const char *json = json_of(report);
    assert_non_null(strstr(json, "\"round\": 2"));
    assert_non_null(strstr(json, "\"rounds\": 2"));
}

/* The turns of a chain as the API's own arithmetic has them. */
static void test_values_of_turns(void **state)
{
    (void)state;
    method_call dense = {.masks = false}, mask = {.masks = true};
    step steps[] = {{.calls = &dense, .rounds = 1},
                    {.calls = &mask, .rounds = 2},
                    {.calls = &dense, .rounds = 4}};
    const chain of = {.steps = steps, .n = 3};
    const double one[] = {0.125}, three[] = {0.8, 0.5, 0.4};
    static const struct {
        coset_rule rule;
        int64_t step;
        int round;
        double of_one, of_three;
    } turns[] = {{COSET_RULE_PARAMS, 0, 1, 0.5, 0.8},
                 {COSET_RULE_PARAMS, 1, 1, 0.625, 0.75}, /* no mask before: from 1 */
                 {COSET_RULE_PARAMS, 1, 2, 0.25, 0.5},
                 {COSET_RULE_MACS, 2, 1, 0.5 - 0.375 / 4, 0.7}, /* from the parameters of step 0 */
                 {COSET_RULE_MACS, 2, 3, 0.5 - 3 * 0.375 / 4, 0.5},
                 {COSET_RULE_MACS, 2, 4, 0.125, 0.4},
                 {COSET_RULE_EPS, 1, 1, 0.0625, 0.25},
                 {COSET_RULE_EPS, 2, 4, 0.125, 0.4},
                 {COSET_RULE_RATIO, 0, 1, 0.5, 0.8},
                 {COSET_RULE_RATIO, 1, 1, 0.75, 0.75},
                 {COSET_RULE_RATIO, 1, 2, 0.5 / 0.75, 0.5 / 0.75}};
    for (size_t t = 0; t < sizeof turns / sizeof *turns; t++) {
        double first = chain_value(&of, turns[t].rule, one, 1, turns[t].step, turns[t].round);
        double second = chain_value(&of, turns[t].rule, three, 3, turns[t].step, turns[t].round);
        if (fabs(first - turns[t].of_one) > 1e-12 || fabs(second - turns[t].of_three) > 1e-12)
            fail_msg("turn %d: %g and %g, not %g and %g", (int)t, first, second, turns[t].of_one,
                     turns[t].of_three);
    }
}

/* ---- recovery -------------------------------------------------------------------------------------- */

/* Refits of the second turn aim at the original: they bring the model nearer to it than cuts alone. Aimed at
 * other units, they would do harm and be thrown away. */
static void test_every_turn_recovers(void **state)
{
    (void)state;
    static const char *const methods[] = {"random+random", "select+merge", "linearity+random"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        double error[2];
        for (int with = 0; with < 2; with++) {
            coset_report *report = NULL;
            coset_compress_options options =
                options_of(methods[m], COSET_RULE_PARAMS, 0.4, with ? "reconstruct" : "none");
            bytes small = compressed(graph, data, &options, &report);
            error[with] = coset_report_number(report, "deviation.rel_l2", -1);
            coset_memory_free(ctx, small.data);
            if (with && strstr(json_of(report), "\"name\": \"reconstruct\"") == NULL)
                fail_msg("%s: nothing reconstructed", methods[m]);
            if (!with) coset_report_free(ctx, report);
        }
        if (!(error[1] < 0.9 * error[0]))
            fail_msg("%s: %g from the original, %g without recovery", methods[m], error[1],
                     error[0]);
    }
}

/* Lifts give layers biases that had none, and so nodes and names that were not there: the groups of the original
 * are found again all the same. */
static void test_groups_are_found_again(void **state)
{
    (void)state;
    float weight[FIRST * FIRST];
    rng random = rng_seed(6, 0);
    for (int i = 0; i < FIRST * FIRST; i++) weight[i] = (float)rng_normal(&random);
    builder build = build_start(ctx, 13);
    int32_t h = build_input(&build, "x", COSET_F32, "? 4");
    h = build_op(&build, "MatMul", h, build_constant(&build, "w1", COSET_F32, "4 14", weight),
                 "z1");
    h = build_op(&build, "Softplus", h, -1, "h1");
    h = build_op(&build, "MatMul", h, build_constant(&build, "w2", COSET_F32, "14 12", weight),
                 "z2");
    h = build_op(&build, "Softplus", h, -1, "h2");
    build_output(&build, build_op(&build, "MatMul", h,
                                  build_constant(&build, "w3", COSET_F32, "12 2", weight), "y"));
    build_finish(&build);
    coset_compress_options options =
        options_of("random+select+random", COSET_RULE_RATIO, 0.3, "lift");
    coset_report *report = NULL;
    bytes small = compressed(build.graph, data, &options, &report);
    for (int g = 0; g < 2; g++) {
        char key[32];
        snprintf(key, sizeof key, "groups.%d.kept", g);
        /* Three times round(share * units), share 0.3^(1/3). */
        assert_true(coset_report_number(report, key, -1) == (g == 0 ? 4 : 3));
    }
    const char *json = json_of(report), *all = strstr(json, "\"method\": \"random+select+random\"");
    for (int times = 0; times < 3; times++, all = strstr(all + 1, "random+select+random"))
        if (all == NULL) fail_msg("%d of 3 times in %s", times, json); /* the job, both groups */
    coset_memory_free(ctx, small.data);
    coset_graph_free(ctx, build.graph);
}

/* Behind a mask nothing is lifted or refitted: the model is that of no recovery, and its report says so. */
static void test_zeros_stay(void **state)
{
    (void)state;
    static const char *const methods[] = {"magnitude+random", "wanda+select",
                                          "magnitude+linearity"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        coset_compress_options options = options_of(methods[m], COSET_RULE_PARAMS, 0.5, "none");
        bytes without = compressed(graph, data, &options, NULL);
        coset_report *report = NULL;
        options.recover = "lift,reconstruct";
        expect_same(without, compressed(graph, data, &options, &report), methods[m]);
        assert_non_null(strstr(json_of(report), "\"note\": \"weights that a method before set"));
    }
    /* In another order the first turn is free to recover. */
    coset_compress_options options = options_of("random+magnitude", COSET_RULE_PARAMS, 0.5, NULL);
    coset_report *report = NULL;
    bytes small = compressed(graph, data, &options, &report);
    coset_memory_free(ctx, small.data);
    const char *json = json_of(report);
    assert_null(
        strstr(json, "stay zero: no lift, no reconstruction\"\n      }\n    ],\n    \"stages\""));
    assert_non_null(strstr(json, "\"name\": \"reconstruct\""));
}

/* ---- plans ------------------------------------------------------------------------------------------ */

static void test_plans_of_chains_apply_again(void **state)
{
    (void)state;
    static const char *const methods[] = {"select+merge", "linearity+merge+magnitude",
                                          "magnitude+random", "expressiveness"};
    static const char *const recover[] = {"none", "lift", "lift,reconstruct,batchnorm"};
    const coset_setting rounds = {"expressiveness.rounds", "3"};
    for (int m = 0; m < 4; m++)
        for (int r = 0; r < 3; r++) {
            coset_compress_options options =
                options_of(methods[m], COSET_RULE_PARAMS, 0.4, recover[r]);
            options.settings = &rounds;
            options.n_settings = m == 3;
            options.plan_out = "chain.json";
            bytes made = compressed(graph, data, &options, NULL);
            coset_compress_options again = COSET_COMPRESS_OPTIONS_INIT;
            again.plan_in = "chain.json";
            again.plan_out = "again.json";
            again.recover = r == 1 ? "none" : recover[r]; /* a plan holds its lifts */
            expect_same(made, compressed(graph, data, &again, NULL), methods[m]);
            char *first = files_get("chain.json", NULL), *second = files_get("again.json", NULL);
            assert_string_equal(strstr(first, "\"groups\""), strstr(second, "\"groups\""));
            free(first);
            free(second);
        }
}

/* Turns of a plan say whose they are. */
static void test_plans_name_their_turns(void **state)
{
    (void)state;
    coset_compress_options options = options_of("afde+random", COSET_RULE_PARAMS, 0.25, NULL);
    coset_report *report = NULL;
    options.plan_out = "named.json";
    bytes small = compressed(graph, NULL, &options, NULL);
    coset_memory_free(ctx, small.data);
    char *text = files_get("named.json", NULL);
    assert_non_null(strstr(text, "\"method\": \"afde\",\n \"rule\": \"params <= 50%\""));
    assert_non_null(strstr(text, "{\"method\": \"random\",\n \"rule\": \"params <= 25%\""));
    free(text);
    coset_compress_options again = COSET_COMPRESS_OPTIONS_INIT;
    again.plan_in = "named.json";
    small = compressed(graph, NULL, &again, &report);
    coset_memory_free(ctx, small.data);
    assert_non_null(strstr(json_of(report), "\"method\": \"afde+random\""));
}

/* ---- targets ----------------------------------------------------------------------------------------- */

static void test_max_drop_runs_the_chain(void **state)
{
    (void)state;
    coset_compress_options options = options_of("select+merge", COSET_RULE_MAX_DROP, 0.2, NULL);
    coset_report *report = NULL;
    bytes small = compressed(graph, data, &options, &report);
    double all = coset_report_number(report, "original.params", 0);
    assert_true(coset_report_number(report, "compressed.params", all) < 0.9 * all);
    assert_non_null(strstr(json_of(report), "\"rule\": \"max-drop <= 20%\""));
    coset_memory_free(ctx, small.data);
}

/* A first method that cannot get to its part of the way does not matter if the last one reaches the target;
 * where each has a value of its own it does. */
static void test_targets_on_the_way(void **state)
{
    (void)state;
    /* No unit is linear on all inputs that there are. */
    const coset_setting never = {"linearity.mode", "provable"};
    const double values[] = {0.3, 0.3};
    coset_graph *small = NULL;
    coset_report *report = NULL;
    coset_compress_options options = options_of("linearity+merge", COSET_RULE_PARAMS, 0.3, "none");
    options.settings = &never;
    options.n_settings = 1;
    OK(coset_compress(ctx, graph, data, &options, &small, &report));
    coset_graph_free(ctx, small);
    assert_non_null(strstr(json_of(report), "\"reached\": false"));
    options.values = values;
    options.n_values = 2;
    assert_int_equal(coset_compress(ctx, graph, data, &options, &small, &report), COSET_ETARGET);
    assert_non_null(small);
    coset_graph_free(ctx, small);
    coset_report_free(ctx, report);
}

/* ---- what is refused ------------------------------------------------------------------------------------ */

static void test_refusals_name_what_is_wrong(void **state)
{
    (void)state;
    static char many[PLAN_STEPS * 8 + 16];
    for (int i = 0; i <= PLAN_STEPS; i++) strcat(many, i > 0 ? "+random" : "random");
    static const double up[] = {0.25, 0.5, 0.5}, too_small[] = {0.5, 0};
    static const coset_setting stranger = {"afde.linkage", "single"},
                               rounds = {"expressiveness.rounds", "50"};
    const struct {
        const char *method;
        coset_rule rule;
        const double *values;
        int64_t n_values;
        const coset_setting *setting;
        coset_status status;
        const char *says;
    } cases[] = {
        {"select+mrege", COSET_RULE_PARAMS, NULL, 0, NULL, COSET_EARGUMENT, "no method 'mrege'"},
        {"select++merge", COSET_RULE_PARAMS, NULL, 0, NULL, COSET_EARGUMENT, "a name is missing"},
        {"+merge", COSET_RULE_PARAMS, NULL, 0, NULL, COSET_EARGUMENT, "a name is missing"},
        {"merge+", COSET_RULE_PARAMS, NULL, 0, NULL, COSET_EARGUMENT, "a name is missing"},
        {"", COSET_RULE_PARAMS, NULL, 0, NULL, COSET_EARGUMENT, "a name is missing"},
        {"select+merge", COSET_RULE_PARAMS, up, 3, NULL, COSET_EARGUMENT, "--params has 3 values"},
        {"select", COSET_RULE_EPS, up, 2, NULL, COSET_EARGUMENT, "--eps has 2 values"},
        {"select+merge", COSET_RULE_PARAMS, up, 2, NULL, COSET_EARGUMENT, "50% for merge"},
        {"select+magnitude+merge", COSET_RULE_PARAMS, up, 3, NULL, COSET_EARGUMENT,
         "50% for merge"},
        {"select+merge", COSET_RULE_PARAMS, too_small, 2, NULL, COSET_EARGUMENT, "(0, 1]"},
        {"select+merge", COSET_RULE_MAX_DROP, up, 2, NULL, COSET_EARGUMENT, "takes one value"},
        {"select+merge", COSET_RULE_PARAMS, NULL, 0, &stranger, COSET_EARGUMENT,
         "--afde.linkage is not a setting of method select+merge"},
        {"magnitude+merge", COSET_RULE_MACS, NULL, 0, NULL, COSET_EARGUMENT, "saves no MACs"},
        {many, COSET_RULE_PARAMS, NULL, 0, NULL, COSET_ELIMIT, "at most 64"},
        {"expressiveness+expressiveness", COSET_RULE_PARAMS, NULL, 0, &rounds, COSET_ELIMIT,
         "100 rounds"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        coset_compress_options options = options_of(cases[c].method, cases[c].rule, 0.5, NULL);
        coset_graph *none = NULL;
        coset_report *report = NULL;
        options.values = cases[c].values;
        options.n_values = cases[c].n_values;
        options.settings = cases[c].setting;
        options.n_settings = cases[c].setting != NULL;
        coset_status status = coset_compress(ctx, graph, data, &options, &none, &report);
        if (status != cases[c].status || strstr(coset_ctx_error(ctx), cases[c].says) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[c].method, coset_status_name(status),
                     coset_ctx_error(ctx));
        assert_true(none == NULL && report == NULL);
    }
    /* Fewer non-zeros, then more parameters: they are counted apart. */
    static const double apart[] = {0.3, 0.8};
    coset_compress_options options = options_of("magnitude+merge", COSET_RULE_PARAMS, 0, NULL);
    options.values = apart;
    options.n_values = 2;
    bytes small = compressed(graph, data, &options, NULL);
    coset_memory_free(ctx, small.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_chain_is_what_hands_do),
        TEST(test_shares_are_of_the_original),
        TEST(test_one_value_is_shared_out),
        TEST(test_rounds_are_a_chain),
        TEST(test_values_of_turns),
        TEST(test_every_turn_recovers),
        TEST(test_groups_are_found_again),
        TEST(test_zeros_stay),
        TEST(test_plans_of_chains_apply_again),
        TEST(test_plans_name_their_turns),
        TEST(test_max_drop_runs_the_chain),
        TEST(test_targets_on_the_way),
        TEST(test_refusals_name_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
