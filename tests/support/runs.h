/* A small network with data, and its compressed models as bytes: for tests of whole runs of compress. */
#ifndef COSET_TESTS_SUPPORT_RUNS_H
#define COSET_TESTS_SUPPORT_RUNS_H

#include "support/build.h"
#include "support/files.h"

#include <math.h>

#include <coset/compress.h>
#include <coset/report.h>

#include "data/data.h"

enum { INPUTS = 4, FIRST = 14, SECOND = 12, ROWS = 160 };

static coset_ctx *ctx;
static coset_graph *graph;
static coset_data *data;

#define OK(expression) ok(expression, __LINE__)
static inline void ok(coset_status status, int line)
{
    if (status != COSET_OK)
        fail_msg("line %d: %s: %s", line, coset_status_name(status), coset_ctx_error(ctx));
}

static inline int32_t layer(builder *build, rng *random, int32_t x, int64_t in, int64_t out,
                            int index)
{
    float weight[FIRST * FIRST], bias[FIRST];
    char name[16], dims[32];
    for (int64_t i = 0; i < in * out; i++)
        weight[i] = (float)(rng_normal(random) / sqrt((double)in));
    for (int64_t i = 0; i < out; i++) bias[i] = (float)(0.3 * rng_normal(random));
    snprintf(name, sizeof name, "w%d", index);
    snprintf(dims, sizeof dims, "%d %d", (int)in, (int)out);
    int32_t w = build_constant(build, name, COSET_F32, dims, weight);
    snprintf(name, sizeof name, "b%d", index);
    snprintf(dims, sizeof dims, "%d", (int)out);
    int32_t inputs[3] = {x, w, build_constant(build, name, COSET_F32, dims, bias)};
    snprintf(name, sizeof name, "z%d", index);
    int32_t y = build_value(build, name);
    build_node_n(build, "", "Gemm", inputs, 3, &y, 1);
    return y;
}

/* x [?, 4] -> 14 -> 12 -> 2, ReLU, from the text of a file as a model of users comes. */
static inline coset_graph *network(void)
{
    builder build = build_start(ctx, 13);
    rng random = rng_seed(3, 0);
    int32_t h = build_input(&build, "x", COSET_F32, "? 4");
    h = build_op(&build, "Relu", layer(&build, &random, h, INPUTS, FIRST, 1), -1, "h1");
    h = build_op(&build, "Relu", layer(&build, &random, h, FIRST, SECOND, 2), -1, "h2");
    build_output(&build, layer(&build, &random, h, SECOND, 2, 3));
    build_finish(&build);
    return build.graph;
}

static inline coset_data *samples(void)
{
    static char text[ROWS * 64];
    const coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data_options plain = options;
    coset_data *made = NULL;
    rng random = rng_seed(4, 0);
    size_t used = (size_t)sprintf(text, "a,b,c,d\n");
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < INPUTS; i++)
            used += (size_t)sprintf(text + used, "%.4f%s", rng_normal(&random),
                                    i + 1 < INPUTS ? "," : "\n");
    plain.target = "none";
    OK(data_decode(ctx, text, used, "rows.csv", &plain, &made));
    return made;
}

static inline int set_up(void **state)
{
    (void)state;
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    options.threads = 1;
    if (coset_ctx_new(&options, &ctx) != COSET_OK) return -1;
    files_start("runs");
    graph = network();
    data = samples();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    coset_data_free(ctx, data);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return 0;
}

/* ---- models as bytes ----------------------------------------------------------------------------- */

typedef struct bytes {
    void *data;
    size_t size;
} bytes;

static inline bytes encoded(const coset_graph *of)
{
    bytes made = {NULL, 0};
    OK(coset_graph_encode(ctx, of, &made.data, &made.size));
    return made;
}

static inline void expect_same(bytes a, bytes b, const char *what)
{
    if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0) fail_msg("%s: other bytes", what);
    coset_memory_free(ctx, a.data);
    coset_memory_free(ctx, b.data);
}

static inline coset_compress_options options_of(const char *method, coset_rule rule, double value,
                                                const char *recover)
{
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    options.method = method;
    options.rule = rule;
    options.value = value;
    options.recover = recover;
    return options;
}

/* The smaller model, and its report if somebody asks for it. */
static inline bytes compressed(const coset_graph *of, const coset_data *with,
                               const coset_compress_options *options, coset_report **report_out)
{
    coset_graph *small = NULL;
    coset_report *report = NULL;
    OK(coset_compress(ctx, of, with, options, &small, &report));
    bytes made = encoded(small);
    coset_graph_free(ctx, small);
    if (report_out != NULL)
        *report_out = report;
    else
        coset_report_free(ctx, report);
    return made;
}

static inline coset_graph *read_back(bytes of)
{
    coset_graph *made = NULL;
    OK(coset_graph_decode(ctx, of.data, of.size, "middle.onnx", NULL, &made));
    coset_memory_free(ctx, of.data);
    return made;
}

static inline const char *json_of(coset_report *report)
{
    static char text[1 << 16];
    char *json = NULL;
    OK(coset_report_json(ctx, report, &json));
    snprintf(text, sizeof text, "%s", json);
    coset_memory_free(ctx, json);
    coset_report_free(ctx, report);
    return text;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
