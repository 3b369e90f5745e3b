/* Cuts of small networks of many architectures (architectures/make.py): whatever is planted so that the cut
 * units do not matter, the cut network gives what the whole one gave; it costs what the cost model says;
 * and it is a valid model, which is written for the judge to see. */
#include "support/cut_graph.h"
#include "support/files.h"

#include "graph/prepare.h"
#include "lump/cost.h"

/* Sums in another order, through up to about 20 f32 layers. */
#define SAME 1e-5

enum { TRIALS = 30, WRITTEN = 2, MOST_GROUPS = 32 };

/* What may be cut in a network as it is, and prepared. The rest is frozen. */
static const struct architecture {
    const char *name;
    int cuttable, frozen;
    const char *reason;                     /* part of the reason of one frozen group */
    int cuttable_prepared, frozen_prepared; /* 0: the same */
} architectures[] = {
    {"residual", 4, 1, "graph output", 0, 0},
    {"padded_shortcut", 3, 1, "graph output", 0, 0},
    {"preactivation", 3, 1, "graph output", 0, 0},
    {"dense_block", 8, 1, "graph output", 0, 0},
    {"inception", 6, 1, "graph output", 0, 0},
    {"fire", 7, 1, "normalised over its units", 0, 0},
    {"inverted_residual", 5, 1, "graph output", 0, 0},
    {"squeeze_excite", 5, 1, "graph output", 0, 0},
    {"split_shuffle", 4, 6, "spread over two axes", 9, 1},
    {"ghost", 2, 1, "graph output", 0, 0},
    {"grouped", 4, 1, "graph output", 0, 0},
    {"convnext", 2, 2, "normalised over its units", 0, 0},
    {"unet", 7, 1, "graph output", 0, 0},
    {"pyramid", 4, 1, "graph output", 0, 0},
    {"pixel_shuffle", 3, 1, "slides over its units", 0, 0},
    {"c2f", 10, 3, "normalised over its units", 0, 0},
    {"focus_csp", 9, 2, "graph output", 0, 0},
    {"flattened", 3, 1, "graph output", 0, 0},
    {"channels_last", 3, 1, "graph output", 0, 0},
    {"audio", 5, 1, "graph output", 0, 0},
    {"recurrent", 2, 2, "recurrent layer", 0, 0},
    {"siamese", 2, 1, "graph output", 0, 0},
    {"grouped_shuffle", 4, 1, "graph output", 0, 0},
    {"style", 4, 1, "graph output", 0, 0},
    {"aspp", 7, 1, "normalised over its units", 0, 0},
    {"hourglass", 3, 3, "computed by nodes", 4, 2},
    {"vision_transformer", 2, 5, "multiplied with another activation", 0, 0},
};

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

static coset_graph *load(const char *name)
{
    const char *source = getenv("COSET_SOURCE");
    char path[4096];
    coset_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/tests/contract/architectures/%s.onnx",
             source != NULL ? source : ".", name);
    study_expect(ctx, coset_graph_load(ctx, path, &graph));
    return graph;
}

/* As compress prepares a model. */
static coset_graph *prepared_of(coset_graph *graph)
{
    coset_graph *prepared = NULL;
    study_expect(ctx, graph_prepare(ctx, graph, &prepared));
    if (prepared != NULL) coset_graph_free(ctx, graph);
    return prepared != NULL ? prepared : graph;
}

/* Gives every floating constant data of its own, which plants may change. */
static void own_constants(coset_graph *graph)
{
    for (int32_t v = 0; v < graph->n_values; v++) {
        const tensor *old = graph->values[v].constant;
        tensor *fresh = NULL;
        double *values = NULL;
        if (old == NULL || !dtype_is_float(old->dtype)) continue;
        study_expect(ctx, tensor_to_f64(ctx, old, &values));
        study_expect(ctx, tensor_from_f64(ctx, old->dtype, &old->shape, values, &fresh));
        graph_set_constant(ctx, graph, v, fresh);
        tensor_release(ctx, fresh);
        ctx_free(ctx, values);
    }
}

/* A constant that several nodes read may be cut in several ways, or stay beside cut copies. */
static bool shares_weights(const coset_graph *graph)
{
    for (int64_t v = 0; v < graph->n_values; v++)
        if (graph->values[v].constant != NULL && graph->values[v].n_consumers > 1 &&
            dtype_is_float(graph->values[v].constant->dtype))
            return true;
    return false;
}

/* ---- plans ------------------------------------------------------------------------------------------ */

/* Keeps `k` random units, the others dropped. */
static lumping *random_selection(rng *random, int64_t n, int64_t k)
{
    lumping *map = NULL;
    int64_t *order = calloc((size_t)n, sizeof *order), *keep = calloc((size_t)k, sizeof *keep);
    assert_true(order != NULL && keep != NULL);
    rng_permutation(random, n, order);
    for (int64_t u = 0, b = 0; u < n; u++)
        if (order[u] < k) keep[b++] = u;
    study_expect(ctx, lumping_select(ctx, n, keep, k, &map));
    free(order);
    free(keep);
    return map;
}

/* A plan of random widths: units are dropped (trial 0, 3, ...), merged, or both; now and then as narrow as
 * can be, or with a group left alone. */
static coset_plan *random_plan(const studied *self, rng *random, int trial, int64_t *widths)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, self->graph, self->groups, &plan));
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        widths[g] = group->n;
        if (group->frozen != NULL || (trial > 1 && rng_uniform(random) < 0.2)) continue;
        plan->groups[g].map =
            trial % 3 == 0 ? random_selection(random, group->n, 1 + rng_below(random, group->n))
            : trial == 1   ? random_selection(random, group->n, 1)
                           : study_lumping(ctx, random, group->n);
        widths[g] = plan->groups[g].map->k;
    }
    return plan;
}

/* ---- trials ------------------------------------------------------------------------------------------ */

static coset_graph_size size_of(const coset_graph *graph)
{
    coset_graph_size size = {0};
    study_expect(ctx, coset_graph_measure(ctx, graph, &size));
    return size;
}

static void expect_costs(const char *name, const studied *self, const int64_t *widths,
                         const coset_graph *small)
{
    cost_model *cost = NULL;
    int64_t full[MOST_GROUPS];
    coset_graph_size whole = size_of(self->graph), cut = size_of(small);
    study_expect(ctx, cost_model_new(ctx, self->graph, self->facts, self->groups, &cost));
    for (int64_t g = 0; g < self->groups->n; g++) full[g] = self->groups->groups[g].n;
    assert_true(cost_of(cost, COST_PARAMS, full) == whole.params);
    assert_true(cost_of(cost, COST_MACS, full) == whole.macs);
    int64_t params = cost_of(cost, COST_PARAMS, widths), macs = cost_of(cost, COST_MACS, widths);
    bool right = shares_weights(self->graph) ? params >= cut.params : params == cut.params;
    if (!right || macs != cut.macs)
        fail_msg("%s: %d parameters and %d MACs, estimated %d and %d", name, (int)cut.params,
                 (int)cut.macs, (int)params, (int)macs);
    cost_model_free(ctx, cost);
}

/* The written model, read again: what its bytes say. */
static void expect_written(const char *name, const coset_graph *small, int trial, uint64_t seed)
{
    char path[256];
    coset_graph *read = NULL;
    snprintf(path, sizeof path, "%s_%d.onnx", name, trial);
    study_expect(ctx, coset_graph_save(ctx, small, path));
    study_expect(ctx, coset_graph_load(ctx, path, &read));
    assert_true(study_difference(ctx, small, read, seed) == 0);
    coset_graph_free(ctx, read);
}

static double worst;

/* Returns true if something was cut. */
static bool try_plan(const char *name, coset_graph *original, int trial)
{
    coset_graph *small = NULL, *graph = NULL;
    int64_t widths[MOST_GROUPS];
    rng random = rng_seed((uint64_t)trial + 1, 4);
    study_expect(ctx, graph_clone(ctx, original, &graph));
    own_constants(graph);
    study_expect(ctx, graph_check(ctx, graph));
    studied self = study(ctx, graph);
    assert_true(self.groups->n <= MOST_GROUPS);
    coset_plan *plan = random_plan(&self, &random, trial, widths);
    if (!study_plant(&self, plan)) fail_msg("%s: trial %d cannot be planted", name, trial);
    coset_status status = plan_apply(ctx, graph, self.facts, self.groups, plan, &small);
    if (status != COSET_OK) fail_msg("%s: trial %d: %s", name, trial, coset_ctx_error(ctx));
    double difference = study_difference(ctx, graph, small, 7);
    if (!(difference < SAME))
        fail_msg("%s: trial %d: outputs differ by %g", name, trial, difference);
    worst = fmax(worst, difference);
    expect_costs(name, &self, widths, small);
    bool cut = false;
    for (int64_t g = 0; g < self.groups->n; g++) cut = cut || widths[g] < self.groups->groups[g].n;
    if (trial >= 2 && trial < 2 + WRITTEN) expect_written(name, small, trial, 7);
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, small);
    coset_graph_free(ctx, graph);
    return cut;
}

static void expect_groups(const struct architecture *at, const coset_graph *graph, bool prepared)
{
    studied self = study(ctx, graph);
    bool other = prepared && at->cuttable_prepared > 0, given = other;
    int cuttable = 0, frozen = 0;
    int cuttable_wanted = other ? at->cuttable_prepared : at->cuttable;
    int frozen_wanted = other ? at->frozen_prepared : at->frozen;
    for (int64_t g = 0; g < self.groups->n; g++) {
        const char *why = self.groups->groups[g].frozen;
        cuttable += why == NULL;
        frozen += why != NULL;
        given = given || (why != NULL && strstr(why, at->reason) != NULL);
    }
    if (cuttable != cuttable_wanted || frozen != frozen_wanted || !given)
        fail_msg("%s: %d groups can be cut and %d not; expected %d and %d, one of these as '%s'",
                 at->name, cuttable, frozen, cuttable_wanted, frozen_wanted, at->reason);
    study_end(&self);
}

static void cut_networks_do_what_whole_ones_did(void **state)
{
    (void)state;
    files_start("architectures");
    int cuts = 0;
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++) {
        const struct architecture *at = &architectures[a];
        for (int prepare = 0; prepare < 2; prepare++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", at->name, prepare ? "_prepared" : "");
            coset_graph *graph = prepare ? prepared_of(load(at->name)) : load(at->name);
            expect_groups(at, graph, prepare == 1);
            for (int trial = 0; trial < TRIALS; trial++) cuts += try_plan(name, graph, trial);
            coset_graph_free(ctx, graph);
        }
    }
    printf("%d networks cut; outputs differ by %.1e at most\n", cuts, worst);
    assert_true(cuts > 1000);
}

/* A network that is prepared does what it did. */
static void prepared_networks_are_the_same(void **state)
{
    (void)state;
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++) {
        coset_graph *whole = load(architectures[a].name);
        coset_graph *other = prepared_of(load(architectures[a].name));
        double difference = study_difference(ctx, whole, other, 3);
        if (!(difference < SAME))
            fail_msg("%s: preparing changes outputs by %g", architectures[a].name, difference);
        coset_graph_free(ctx, whole);
        coset_graph_free(ctx, other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_networks_do_what_whole_ones_did, start, end),
        cmocka_unit_test_setup_teardown(prepared_networks_are_the_same, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
