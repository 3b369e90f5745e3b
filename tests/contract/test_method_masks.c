/* What every row of methods.def promises of masks, and that every failed allocation is handled. */
#include "support/method_subject.h"

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
    search *found = search_of(on, method, call, NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(masks_are_nested, start, end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
