/* Networks on which the contract of methods is checked, with every setting that a method has. */
#ifndef COSET_TESTS_SUPPORT_METHOD_SUBJECT_H
#define COSET_TESTS_SUPPORT_METHOD_SUBJECT_H

#include "support/cut_graph.h"

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

static inline void *failing_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    int64_t number = memory.made++;
    if (memory.at >= 0 && (memory.from_there_on ? number >= memory.at : number == memory.at))
        return NULL;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static inline void failing_release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

static inline int start(void **state)
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

static inline int end(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
    return 0;
}

/* ---- networks ---------------------------------------------------------------------------------------- */

typedef enum plant {
    PLANT_NONE,
    PLANT_COPY,
    PLANT_SCALED,
    PLANT_MIRRORED,
    PLANT_CONSTANT /* units that do not look at their inputs; none is like another */
} plant;

/* Unit `to` of the layer becomes unit `from`, times a factor. w is (in, n). */
static inline void plant_unit(float *w, float *b, int64_t in, int64_t n, int64_t to, int64_t from,
                              float factor)
{
    for (int64_t i = 0; i < in; i++) w[i * n + to] = factor * w[i * n + from];
    b[to] = factor * b[from];
}

static inline float factor_of(plant kind, int index)
{
    static const float scales[] = {3, 0.37f, 11.5f, 0.01f};
    return kind == PLANT_SCALED ? scales[index] : kind == PLANT_MIRRORED ? -1 : 1;
}

/* Planted duplicates: 4 of the first layer, 3 of the second. */
enum { PLANTED_FIRST = 4, PLANTED_SECOND = 3 };

static inline int32_t subject_layer(builder *b, rng *random, int32_t x, int64_t in, int64_t n,
                                    plant kind, const char *name)
{
    float w[16 * 16], bias[16];
    char text[32], dims[32];
    for (int64_t i = 0; i < in * n; i++) w[i] = (float)(rng_normal(random) / sqrt((double)in));
    for (int64_t i = 0; i < n; i++) bias[i] = (float)(0.5 * rng_normal(random));
    if (kind == PLANT_CONSTANT && n != OUTPUTS)
        for (int unit = 3; unit <= 7; unit += 4)
            for (int64_t i = 0; i < in; i++) w[i * n + unit] = 0;
    if (kind != PLANT_NONE && kind != PLANT_CONSTANT && n != OUTPUTS) {
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

static inline builder network(const char *activation, plant kind, uint64_t seed)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(seed, 2);
    int32_t x = build_input(&b, "x", COSET_F32, "1 5");
    int32_t h = build_op(&b, activation, subject_layer(&b, &random, x, INPUTS, FIRST, kind, "z1"),
                         -1, "h1");
    h = build_op(&b, activation, subject_layer(&b, &random, h, FIRST, SECOND, kind, "z2"), -1,
                 "h2");
    build_output(&b, subject_layer(&b, &random, h, SECOND, OUTPUTS, PLANT_NONE, "y"));
    build_finish(&b);
    return b;
}

static inline coset_status fill(coset_ctx *context, void *user, int64_t input, int64_t first,
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

static inline subject subject_new(const char *activation, plant kind, uint64_t seed, bool data)
{
    subject self = {.b = network(activation, kind, seed)};
    self.s = study(ctx, self.b.graph);
    assert_int_equal(self.s.groups->n, 3);
    shape one = build_shape("5");
    batch_source source = {SAMPLES, fill, NULL};
    if (data)
        study_expect(
            ctx, calibration_collect(ctx, self.b.graph, self.s.facts, self.s.groups, &source, &one,
                                     CALIBRATION_SIGNS | CALIBRATION_PAIRS | CALIBRATION_SKIPS,
                                     &self.stats));
    study_expect(ctx, cost_model_new(ctx, self.b.graph, self.s.facts, self.s.groups, &self.cost));
    return self;
}

static inline void subject_end(subject *self)
{
    cost_model_free(ctx, self->cost);
    calibration_free(ctx, self->stats);
    study_end(&self->s);
    coset_graph_free(ctx, self->b.graph);
}

/* ---- every method with every setting ------------------------------------------------------------------ */

typedef void (*check)(const subject *on, const coset_method *method, const method_call *call,
                      const char *label);

static inline void check_with(const subject *on, const coset_method *method,
                              const coset_setting *setting, check what)
{
    char label[128];
    method_call call = {
        .ctx = ctx, .graph = on->b.graph, .groups = on->s.groups, .stats = on->stats};
    snprintf(label, sizeof label, "%s %s=%s, %s data", method->name,
             setting != NULL ? setting->name : "defaults", setting != NULL ? setting->value : "",
             on->stats != NULL ? "with" : "without");
    study_expect(ctx, method_configure(method, &call, setting, setting != NULL));
    if (on->stats == NULL && call.needs_data) return;
    for (; call.variant == 0 || call.variant < method->n_variants; call.variant++)
        what(on, method, &call, label);
}

/* Calls the check for the defaults and for every value that a setting can have, one setting at a time. */
static inline void check_settings(const subject *on, const coset_method *method, check what)
{
    check_with(on, method, NULL, what);
    for (int p = 0; p < method->n_params; p++) {
        const method_param *param = &method->params[p];
        char name[64], values[128], number[2][32];
        snprintf(name, sizeof name, "%s.%s", method->name, param->name);
        coset_setting setting = {name, NULL};
        if (param->kind == PARAM_NUMBER || param->kind == PARAM_COUNT) {
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

static inline void check_methods(const subject *on, check what)
{
    for (int64_t m = 0; method_at(m) != NULL; m++) check_settings(on, method_at(m), what);
}

static inline void on_networks(plant kind, check what)
{
    static const char *const activations[] = {"Relu", "Tanh", "Sigmoid", "Softplus", "Identity"};
    for (size_t a = 0; a < sizeof activations / sizeof *activations; a++)
        for (int data = 0; data < 2; data++) {
            subject on = subject_new(activations[a], kind, 10 + a, data == 1);
            check_methods(&on, what);
            subject_end(&on);
        }
}

static inline coset_plan *empty_plan(const subject *on)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, on->b.graph, on->s.groups, &plan));
    return plan;
}

static inline double difference_after(const subject *on, const coset_plan *plan)
{
    coset_graph *small = NULL;
    study_expect(ctx, plan_apply(ctx, on->b.graph, on->s.facts, on->s.groups, plan, &small));
    double worst = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        worst = fmax(worst, study_difference(ctx, on->b.graph, small, seed));
    coset_graph_free(ctx, small);
    return worst;
}

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) fail_msg("%s: group %d: %s", label, (int)g, #condition);                 \
    } while (0)

static const bool allowed[3] = {true, true, false}, allowed_weights[3] = {true, true, true};

static inline search *search_of(const subject *on, const coset_method *method,
                                const method_call *call, const int64_t *steps)
{
    search_request request = {.method = method,
                              .call = call,
                              .cost = on->cost,
                              .steps = steps,
                              .allowed = allowed,
                              .allowed_weights = allowed_weights};
    search *made = NULL;
    study_expect(ctx, search_new(&request, &made));
    return made;
}

#endif
