/* Models with bypasses are saved, planned again and recovered like any others. */
#include "support/bypass_net.h"
#include "support/files.h"
#include "support/plans.h"

#include <math.h>
#include <string.h>

#include "recover/batchnorm.h"
#include "recover/reconstruct.h"

static coset_ctx *ctx;
static counted_memory memory;

enum { SAMPLES = 400, CHANNELS = 5, SIDE = 4, IMAGE = CHANNELS * SIDE * SIDE };
static float samples[SAMPLES * IMAGE];

static int set_up(void **state)
{
    rng random = rng_seed(6, 2);
    (void)state;
    ctx = counted_ctx(&memory, 1);
    files_start("bypass");
    for (int i = 0; i < SAMPLES * IMAGE; i++) samples[i] = (float)rng_normal(&random);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* Vectors are the first numbers of images. */
static coset_status fill(coset_ctx *context, void *user, int64_t input, int64_t from, int64_t count,
                         void *out)
{
    const int64_t *size = user;
    (void)context, (void)input;
    for (int64_t i = 0; i < count; i++)
        memcpy((float *)out + i * *size, samples + (from + i) * IMAGE,
               (size_t)*size * sizeof(float));
    return COSET_OK;
}

/* Three tanh layers; the first has nothing left but its line, of the second some units stay. */
typedef struct bypassed_net {
    box_net net;
    studied of;
    bypass_lines *lines;
    coset_plan *plan;
    coset_graph *cut;
} bypassed_net;

static bypassed_net bypassed(bool conv)
{
    bypassed_net self = {.net = net_start(ctx, 4)};
    box_net *net = &self.net;
    layer_form form = conv ? CONV : GEMM;
    int32_t x = build_input(&net->b, "x", COSET_F32, conv ? "1 5 4 4" : "1 5");
    int64_t widths[] = {CHANNELS, 14, 12, 10};
    for (int l = 0; l < 3; l++) {
        layer_spec at = {.form = form, .in = widths[l], .out = widths[l + 1], .plain = l == 1};
        if (conv && l == 2) at.kernel = 2;
        x = net_unary(net, "Tanh", net_layer(net, x, at));
    }
    const coset_graph *graph =
        net_finish(net, net_layer(net, x, (layer_spec){.form = form, .in = 10, .out = 3}));
    self.of = study(ctx, graph);
    study_expect(ctx, bypass_lines_find(ctx, graph, self.of.facts, self.of.groups, &self.lines));
    study_expect(ctx, plan_new(ctx, graph, self.of.groups, &self.plan));
    /* As if tanh were its tangent at 0: too steep. */
    net_bypass(ctx, self.plan, 0, 1);
    net_bypass(ctx, self.plan, 1, 2);
    self.cut = net_apply(&self.of, self.plan);
    return self;
}

static void bypassed_end(bypassed_net *self)
{
    coset_graph_free(ctx, self->cut);
    plan_free(ctx, self->plan);
    bypass_lines_free(ctx, self->lines);
    study_end(&self->of);
    coset_graph_free(ctx, self->net.b.graph);
}

/* Squared deviation from the network over some inputs. */
static double deviation(const bypassed_net *of, const coset_graph *graph)
{
    double sum = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        int64_t n = 0;
        double *a = study_run(ctx, of->of.graph, seed, false, &n);
        double *b = study_run(ctx, graph, seed, false, &n);
        for (int64_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        free(a);
        free(b);
    }
    return sum;
}

/* Readers of a line are refitted with all that they read: the network comes back as far as it can. */
static void test_reconstruct(void **state)
{
    (void)state;
    for (int conv = 0; conv < 2; conv++) {
        bypassed_net self = bypassed(conv);
        int64_t size = conv ? IMAGE : CHANNELS;
        const batch_source source = {SAMPLES, fill, &size};
        const shape one = build_shape(conv ? "5 4 4" : "5");
        recovery_targets *targets = NULL;
        coset_graph *refitted = NULL, *matched = NULL;
        study_expect(
            ctx, recovery_targets_new(ctx, self.of.graph, self.of.groups, &source, &one, &targets));
        study_expect(ctx, reconstruct(ctx, self.plan, targets, self.cut, 1e-3, &refitted));
        study_expect(ctx, match_statistics(ctx, self.plan, targets, self.cut, &matched));
        double before = deviation(&self, self.cut), after = deviation(&self, refitted);
        assert_true(after < 0.5 * before);
        /* Another function, and still one. */
        assert_true(isfinite(deviation(&self, matched)));
        assert_int_equal(net_params(ctx, refitted), net_params(ctx, self.cut));
        /* The layer behind the line, that of the first group being gone, and the one behind that. */
        int changed = 0;
        for (int64_t v = 0; v < self.cut->n_values; v++) {
            const tensor *a = self.cut->values[v].constant, *b = refitted->values[v].constant;
            changed += a != NULL && self.cut->values[v].n_consumers > 0 && a->shape.rank > 1 &&
                       memcmp(a->data, b->data, a->bytes) != 0;
        }
        assert_true(changed >= 3);
        recovery_targets_free(ctx, targets);
        coset_graph_free(ctx, refitted);
        coset_graph_free(ctx, matched);
        bypassed_end(&self);
    }
}

static char *bytes_of(const coset_graph *graph, size_t *size_out)
{
    study_expect(ctx, coset_graph_save(ctx, graph, "bytes.onnx"));
    return files_get("bytes.onnx", size_out);
}

/* A plan that was saved and read back gives the same bytes. */
static void test_saved_plan(void **state)
{
    (void)state;
    for (int conv = 0; conv < 2; conv++) {
        bypassed_net self = bypassed(conv);
        coset_plan *back = NULL;
        study_expect(ctx, plan_save(ctx, self.plan, "plan.json"));
        study_expect(ctx, plan_load(ctx, "plan.json", &back));
        plans_same(self.plan, back);
        coset_graph *again = net_apply(&self.of, back);
        size_t first = 0, second = 0;
        char *a = bytes_of(self.cut, &first), *b = bytes_of(again, &second);
        assert_int_equal(first, second);
        assert_memory_equal(a, b, first);
        free(a);
        free(b);
        coset_graph_free(ctx, again);
        plan_free(ctx, back);
        bypassed_end(&self);
    }
}

/* What was written reads back as the same function, and can be planned and cut once more. */
static void test_written_model(void **state)
{
    (void)state;
    for (int conv = 0; conv < 2; conv++) {
        bypassed_net self = bypassed(conv);
        coset_graph *read = NULL, *again = NULL;
        const char *name = conv ? "conv.onnx" : "dense.onnx"; /* judge.models looks at them, too */
        study_expect(ctx, coset_graph_save(ctx, self.cut, name));
        study_expect(ctx, coset_graph_load(ctx, name, &read));
        assert_true(study_difference(ctx, self.cut, read, 1) == 0);
        studied once = study(ctx, read);
        bypass_lines *lines = NULL;
        coset_plan *plan = NULL;
        study_expect(ctx, bypass_lines_find(ctx, read, once.facts, once.groups, &lines));
        study_expect(ctx, plan_new(ctx, read, once.groups, &plan));
        int bypasses = 0;
        for (int64_t g = 0; g < plan->n_groups; g++)
            if (lines->lines[g].producer >= 0) {
                net_bypass(ctx, plan, g, 2);
                bypasses++;
            }
        assert_true(conv || bypasses == 1); /* of the last group, whose reader reads it alone */
        study_expect(ctx, plan_apply(ctx, read, once.facts, once.groups, plan, &again));
        coset_graph *wanted = net_reference(&once, lines, plan);
        assert_true(study_difference(ctx, wanted, again, 1) < 1e-5);
        coset_graph_free(ctx, wanted);
        coset_graph_free(ctx, again);
        plan_free(ctx, plan);
        bypass_lines_free(ctx, lines);
        study_end(&once);
        coset_graph_free(ctx, read);
        bypassed_end(&self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reconstruct),
        cmocka_unit_test(test_saved_plan),
        cmocka_unit_test(test_written_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
