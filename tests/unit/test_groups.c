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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_graphs_keep_their_function, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
