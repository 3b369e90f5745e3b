/* Dense networks: gradients, Adam, and the graph that comes of them. */
#include "support/files.h"

#include <math.h>

#include "exec/exec.h"
#include "train/adam.h"

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.12g is not within %g of %.12g", found, tolerance, expected);
}

static dense_net *make(const int64_t *widths, int n_layers, dense_activation activation,
                       uint64_t seed)
{
    rng random = rng_seed(seed, 1);
    dense_net *net = NULL;
    coset_status status = dense_new(ctx, widths, n_layers, activation, &random, &net);
    if (status != COSET_OK) fail_msg("dense_new: %s", coset_ctx_error(ctx));
    return net;
}

static float *random_floats(rng *random, int64_t count)
{
    float *values = calloc((size_t)count, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++) values[i] = (float)rng_normal(random);
    return values;
}

/* ---- the reference: plain loops in f64 ---------------------------------------------------------- */

enum { WIDEST = 16 };

static void layer(const dense_net *net, int l, const double *params, const double *from, double *to)
{
    for (int64_t j = 0; j < net->widths[l + 1]; j++) {
        to[j] = params[net->bias_at[l] + j];
        for (int64_t i = 0; i < net->widths[l]; i++)
            to[j] += params[net->weight_at[l] + j * net->widths[l] + i] * from[i];
        if (l + 1 == net->n_layers) continue;
        to[j] = net->activation == DENSE_TANH ? tanh(to[j]) : fmax(to[j], 0);
    }
}

static double loss(const dense_net *net, const double *params, const float *x, const float *y,
                   int64_t rows)
{
    int64_t in = net->widths[0], out = net->widths[net->n_layers];
    double sum = 0, values[2][WIDEST];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < in; i++) values[0][i] = (double)x[r * in + i];
        for (int l = 0; l < net->n_layers; l++)
            layer(net, l, params, values[l & 1], values[(l + 1) & 1]);
        for (int64_t j = 0; j < out; j++) {
            double away = values[net->n_layers & 1][j] - (double)y[r * out + j];
            sum += away * away;
        }
    }
    return sum / (double)(rows * out);
}

/* Central differences of the loss in f64. */
static void differences(const dense_net *net, double *params, const float *x, const float *y,
                        int64_t rows, double *gradient)
{
    const double h = 1e-6;
    for (int64_t i = 0; i < net->n_params; i++) {
        double kept = params[i];
        params[i] = kept + h;
        double above = loss(net, params, x, y, rows);
        params[i] = kept - h;
        double below = loss(net, params, x, y, rows);
        params[i] = kept;
        gradient[i] = (above - below) / (2 * h);
    }
}

static double *as_doubles(const float *values, int64_t count)
{
    double *copy = doubles(count);
    for (int64_t i = 0; i < count; i++) copy[i] = (double)values[i];
    return copy;
}

/* ---- networks ---------------------------------------------------------------------------------- */

static void check_gradient(dense_activation activation, const int64_t *widths, int n_layers)
{
    enum { ROWS = 9 };
    rng random = rng_seed(3, 3);
    dense_net *net = make(widths, n_layers, activation, 2);
    /* Biases that are not zero. */
    for (int64_t i = 0; i < net->n_params; i++) net->params[i] += 0.1F * (float)rng_normal(&random);
    float *x = random_floats(&random, ROWS * widths[0]);
    float *y = random_floats(&random, ROWS * widths[n_layers]);
    float *found = random_floats(&random, net->n_params);
    double *params = as_doubles(net->params, net->n_params), *expected = doubles(net->n_params);
    dense_pass pass;
    double largest = 0;
    assert_int_equal(dense_pass_init(ctx, net, ROWS, &pass), COSET_OK);
    double error = dense_gradient(ctx, net, x, y, ROWS, &pass, found);
    assert_near(error, loss(net, params, x, y, ROWS), 1e-6 * error);
    differences(net, params, x, y, ROWS, expected);
    for (int64_t i = 0; i < net->n_params; i++) largest = fmax(largest, fabs(expected[i]));
    /* f32 sums of some ten terms; differences are good to 1e-9. */
    for (int64_t i = 0; i < net->n_params; i++)
        assert_near((double)found[i], expected[i], 2e-6 * largest);
    dense_pass_free(ctx, &pass);
    dense_free(ctx, net);
    free(x);
    free(y);
    free(found);
    free(params);
    free(expected);
}

static void test_gradient(void **state)
{
    (void)state;
    check_gradient(DENSE_RELU, (const int64_t[]){3, 8, 5, 2}, 3);
    check_gradient(DENSE_TANH, (const int64_t[]){3, 8, 5, 2}, 3);
    check_gradient(DENSE_RELU, (const int64_t[]){4, 3}, 1);
    check_gradient(DENSE_TANH, (const int64_t[]){1, 16, 1}, 2);
    check_gradient(DENSE_RELU, (const int64_t[]){2, 6, 7, 6, 5, 3}, 5);
}

/* Variances of He and Glorot, biases of zero, and the seed decides. */
static void test_first_weights(void **state)
{
    (void)state;
    const int64_t widths[] = {100, 200, 50};
    for (int k = 0; k < 2; k++) {
        dense_net *net = make(widths, 2, k == 0 ? DENSE_RELU : DENSE_TANH, 5);
        const double variance[2] = {k == 0 ? 2.0 / 100 : 2.0 / 300, 2.0 / 250};
        assert_int_equal(net->n_params, 100 * 200 + 200 + 200 * 50 + 50);
        for (int l = 0; l < 2; l++) {
            int64_t n = widths[l] * widths[l + 1];
            double squares = 0;
            for (int64_t i = 0; i < n; i++) {
                double w = (double)net->params[net->weight_at[l] + i];
                squares += w * w;
                if (l == 1) assert_true(fabs(w) <= sqrt(6.0 / 250));
            }
            /* 5 standard errors of the estimate, for 10 000 normal draws. */
            assert_near(squares / (double)n / variance[l], 1, 0.07);
            for (int64_t j = 0; j < widths[l + 1]; j++)
                assert_true(net->params[net->bias_at[l] + j] == 0);
        }
        dense_net *again = make(widths, 2, net->activation, 5);
        dense_net *other = make(widths, 2, net->activation, 6);
        size_t bytes = (size_t)net->n_params * sizeof *net->params;
        assert_memory_equal(net->params, again->params, bytes);
        assert_memory_not_equal(net->params, other->params, bytes);
        dense_free(ctx, net);
        dense_free(ctx, again);
        dense_free(ctx, other);
    }
}

static void test_impossible_networks(void **state)
{
    (void)state;
    rng random = rng_seed(0, 0);
    dense_net *net = NULL;
    int64_t many[DENSE_MAX_LAYERS + 2];
    for (int i = 0; i < DENSE_MAX_LAYERS + 2; i++) many[i] = 1;
    assert_int_equal(dense_new(ctx, many, 0, DENSE_RELU, &random, &net), COSET_EARGUMENT);
    assert_int_equal(dense_new(ctx, many, DENSE_MAX_LAYERS + 1, DENSE_RELU, &random, &net),
                     COSET_EARGUMENT);
    many[1] = 0;
    assert_int_equal(dense_new(ctx, many, 2, DENSE_RELU, &random, &net), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "width 1 "));
    many[1] = INT64_MAX / 2;
    many[2] = 3;
    assert_int_equal(dense_new(ctx, many, 2, DENSE_RELU, &random, &net), COSET_ELIMIT);
    assert_null(net);
    many[1] = 1;
    many[2] = 1;
    assert_int_equal(dense_new(ctx, many, DENSE_MAX_LAYERS, DENSE_RELU, &random, &net), COSET_OK);
    dense_free(ctx, net);
}

/* ---- Adam -------------------------------------------------------------------------------------- */

/* Algorithm 1 of Adam's paper with the decay of AdamW's, in f64, on whole batches. */
static void adam_reference(const dense_net *net, double *params, const float *x, const float *y,
                           int64_t rows, const adam_options *options)
{
    double *gradient = doubles(net->n_params), *m = doubles(net->n_params);
    double *v = doubles(net->n_params);
    for (int64_t t = 1; t <= options->epochs; t++) {
        double gone = (double)(t - 1) / (double)options->epochs;
        double rate = options->rate_end +
                      (options->rate - options->rate_end) * 0.5 * (1 + cos(gone * acos(-1)));
        differences(net, params, x, y, rows, gradient);
        for (int l = 0; l < net->n_layers; l++)
            for (int64_t i = net->weight_at[l]; i < net->bias_at[l]; i++)
                params[i] *= 1 - rate * options->decay;
        for (int64_t i = 0; i < net->n_params; i++) {
            m[i] = options->beta1 * m[i] + (1 - options->beta1) * gradient[i];
            v[i] = options->beta2 * v[i] + (1 - options->beta2) * gradient[i] * gradient[i];
            double mean = m[i] / (1 - pow(options->beta1, (double)t));
            double square = v[i] / (1 - pow(options->beta2, (double)t));
            params[i] -= rate * mean / (sqrt(square) + options->epsilon);
        }
    }
    free(gradient);
    free(m);
    free(v);
}

static void check_adam_steps(double decay)
{
    enum { ROWS = 7 };
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(4, 4);
    dense_net *net = make((const int64_t[]){2, 5, 3}, 2, DENSE_TANH, 3);
    float *x = random_floats(&random, ROWS * 2), *y = random_floats(&random, ROWS * 3);
    double *expected = as_doubles(net->params, net->n_params);
    options.epochs = 6;
    options.batch = 100; /* more than there are: the whole */
    options.rate = 0.05;
    options.rate_end = 0.01;
    options.decay = decay;
    adam_reference(net, expected, x, y, ROWS, &options);
    assert_int_equal(adam_fit(ctx, net, x, y, ROWS, &options, &random, NULL), COSET_OK);
    /* A step is the rate times a ratio of gradients that are good to 1e-5. */
    for (int64_t i = 0; i < net->n_params; i++)
        assert_near((double)net->params[i], expected[i], 2e-5);
    dense_free(ctx, net);
    free(x);
    free(y);
    free(expected);
}

static void test_adam_steps(void **state)
{
    (void)state;
    check_adam_steps(0);
    check_adam_steps(2);
}

/* A network without hidden layers finds the line that the data was made with. */
static void test_finds_a_line(void **state)
{
    (void)state;
    enum { ROWS = 203 }; /* the last batch is a smaller one */
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(6, 6);
    dense_net *net = make((const int64_t[]){3, 2}, 1, DENSE_RELU, 4);
    float *x = random_floats(&random, ROWS * 3), y[ROWS * 2];
    const float weight[6] = {1, -2, 0.5F, 0, 3, -1}, bias[2] = {0.25F, -4};
    double error = 1;
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 2; j++) {
            y[2 * r + j] = bias[j];
            for (int i = 0; i < 3; i++) y[2 * r + j] += weight[3 * j + i] * x[3 * r + i];
        }
    options.epochs = 200;
    options.batch = 16;
    options.rate = 0.05;
    assert_int_equal(adam_fit(ctx, net, x, y, ROWS, &options, &random, &error), COSET_OK);
    assert_true(error < 1e-8);
    for (int i = 0; i < 6; i++) assert_near((double)net->params[i], (double)weight[i], 1e-3);
    for (int j = 0; j < 2; j++) assert_near((double)net->params[6 + j], (double)bias[j], 1e-3);
    dense_free(ctx, net);
    free(x);
}

/* Hidden layers are needed for a product. */
static void check_product(dense_activation activation)
{
    enum { ROWS = 400 };
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(7, 7);
    dense_net *net = make((const int64_t[]){2, 32, 32, 1}, 3, activation, 5);
    float x[2 * ROWS], y[ROWS];
    double error = 1;
    for (int r = 0; r < ROWS; r++) {
        x[2 * r] = (float)(2 * rng_uniform(&random) - 1);
        x[2 * r + 1] = (float)(2 * rng_uniform(&random) - 1);
        y[r] = x[2 * r] * x[2 * r + 1];
    }
    options.epochs = 150;
    options.batch = 20;
    options.rate = 0.01;
    assert_int_equal(adam_fit(ctx, net, x, y, ROWS, &options, &random, &error), COSET_OK);
    /* The variance of y, and so the error of every linear map, is 1/9. */
    assert_true(error < 1e-3 / 9);
    dense_free(ctx, net);
}

static void test_finds_a_product(void **state)
{
    (void)state;
    check_product(DENSE_RELU);
    check_product(DENSE_TANH);
}

/* Same seed, same bytes; products as small as these do not depend on the threads either. */
static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    enum { ROWS = 300 };
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(8, 8);
    float *x = random_floats(&random, ROWS * 4), *y = random_floats(&random, ROWS * 2);
    dense_net *nets[4];
    options.epochs = 3;
    options.batch = 64;
    for (int k = 0; k < 4; k++) {
        rng order = rng_seed(k == 3 ? 2 : 1, 9);
        int threads = ctx->threads;
        if (k == 2) ctx->threads = 1;
        nets[k] = make((const int64_t[]){4, 32, 32, 2}, 3, DENSE_RELU, 5);
        assert_int_equal(adam_fit(ctx, nets[k], x, y, ROWS, &options, &order, NULL), COSET_OK);
        assert_int_equal(ctx->threads, k == 2 ? 1 : threads);
        ctx->threads = threads;
    }
    size_t bytes = (size_t)nets[0]->n_params * sizeof *nets[0]->params;
    assert_memory_equal(nets[0]->params, nets[1]->params, bytes);
    assert_memory_equal(nets[0]->params, nets[2]->params, bytes);
    assert_memory_not_equal(nets[0]->params, nets[3]->params, bytes);
    for (int k = 0; k < 4; k++) dense_free(ctx, nets[k]);
    free(x);
    free(y);
}

static void test_bad_training(void **state)
{
    (void)state;
    const float x[2] = {1, 2}, y[2] = {1, 1}, hole[2] = {1, (float)NAN};
    rng random = rng_seed(9, 9);
    dense_net *net = make((const int64_t[]){1, 1}, 1, DENSE_RELU, 5);
    const float before[2] = {net->params[0], net->params[1]};
    adam_options wrong[10];
    for (int i = 0; i < 10; i++) wrong[i] = (adam_options)ADAM_OPTIONS_INIT;
    wrong[0].epochs = 0;
    wrong[1].batch = 0;
    wrong[2].rate = 0;
    wrong[3].rate = (double)INFINITY;
    wrong[4].rate_end = 1;
    wrong[5].beta1 = 1;
    wrong[6].beta2 = -1;
    wrong[7].epsilon = 0;
    wrong[8].decay = -1;
    wrong[9].decay = 1000;
    for (int i = 0; i < 10; i++)
        assert_int_equal(adam_fit(ctx, net, x, y, 2, &wrong[i], &random, NULL), COSET_EARGUMENT);
    const adam_options options = ADAM_OPTIONS_INIT;
    assert_int_equal(adam_fit(ctx, net, x, y, 0, &options, &random, NULL), COSET_EARGUMENT);
    assert_int_equal(adam_fit(ctx, net, x, hole, 2, &options, &random, NULL), COSET_ENUMERIC);
    assert_int_equal(ctx->threads, 2);
    assert_memory_equal(net->params, before, sizeof before);
    dense_free(ctx, net);
}

static void count_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    int64_t *seen = user;
    assert_string_equal(stage, "train");
    assert_int_equal(total, 4);
    assert_int_equal(done, (*seen)++);
}

static void test_progress(void **state)
{
    (void)state;
    const float x[2] = {1, 2}, y[2] = {1, 1};
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(9, 9);
    int64_t seen = 0;
    dense_net *net = make((const int64_t[]){1, 1}, 1, DENSE_RELU, 5);
    options.epochs = 4;
    ctx->progress = count_progress;
    ctx->user = &seen;
    assert_int_equal(adam_fit(ctx, net, x, y, 2, &options, &random, NULL), COSET_OK);
    assert_int_equal(seen, 5); /* 0, 1, ..., 4 */
    dense_free(ctx, net);
}

/* ---- the graph --------------------------------------------------------------------------------- */

/* Outputs of a graph for rows of x, run as it is. */
static void assert_runs_as(const coset_graph *graph, const float *x, int64_t rows, int64_t in,
                           const float *expected, int64_t out)
{
    const shape dims = {.rank = 2, .dims = {rows, in}};
    const array input = {.dtype = COSET_F32, .shape = dims, .data = (void *)(uintptr_t)x};
    executor *run = NULL;
    assert_int_equal(executor_new(ctx, graph, &dims, NULL, 0, &run), COSET_OK);
    assert_int_equal(executor_run(run, &input), COSET_OK);
    const array *found = executor_value(run, graph->outputs[0]);
    assert_int_equal(found->shape.dims[0], rows);
    assert_int_equal(found->shape.dims[1], out);
    /* The same sums in perhaps another order. */
    for (int64_t i = 0; i < rows * out; i++)
        assert_near((double)found->f[i], (double)expected[i], 1e-5);
    executor_free(ctx, run);
}

static void check_graph(dense_activation activation, const char *path)
{
    enum { ROWS = 6 };
    const int64_t widths[] = {3, 8, 5, 2};
    rng random = rng_seed(10, 10);
    dense_net *net = make(widths, 3, activation, 6);
    float *x = random_floats(&random, ROWS * 3);
    coset_graph *graph = NULL, *again = NULL;
    coset_graph_size size;
    dense_pass pass;
    int64_t dims[8];
    int rank = 0;
    for (int64_t i = 0; i < net->n_params; i++) net->params[i] += 0.1F * (float)rng_normal(&random);
    assert_int_equal(dense_pass_init(ctx, net, ROWS, &pass), COSET_OK);
    const float *expected = dense_forward(ctx, net, x, ROWS, &pass);
    if (dense_graph(ctx, net, path, &graph) != COSET_OK)
        fail_msg("dense_graph: %s", coset_ctx_error(ctx));
    assert_runs_as(graph, x, ROWS, 3, expected, 2);
    assert_int_equal(coset_graph_measure(ctx, graph, &size), COSET_OK);
    assert_int_equal(size.params, net->n_params);
    assert_int_equal(size.macs, 3 * 8 + 8 * 5 + 5 * 2);

    if (coset_graph_save(ctx, graph, path) != COSET_OK ||
        coset_graph_load(ctx, path, &again) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    assert_runs_as(again, x, ROWS, 3, expected, 2);
    assert_int_equal(again->opset, 13);
    assert_string_equal(coset_graph_input_name(again, 0), "x");
    assert_string_equal(coset_graph_output_name(again, 0), "y");
    assert_int_equal(coset_graph_input_type(again, 0, &rank, dims), COSET_F32);
    assert_int_equal(rank, 2);
    assert_int_equal(dims[0], -1);
    assert_int_equal(dims[1], 3);
    assert_string_equal(again->values[again->inputs[0]].dim_names[0], "batch");
    const char *names[2][5] = {{"fc1", "relu1", "fc2", "relu2", "fc3"},
                               {"fc1", "tanh1", "fc2", "tanh2", "fc3"}};
    assert_int_equal(again->n_nodes, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(again->nodes[i].name, names[activation == DENSE_TANH][i]);
    dense_pass_free(ctx, &pass);
    coset_graph_free(ctx, graph);
    coset_graph_free(ctx, again);
    dense_free(ctx, net);
    free(x);
}

static void test_graph(void **state)
{
    (void)state;
    files_start("train");
    check_graph(DENSE_RELU, "dense_relu.onnx");
    check_graph(DENSE_TANH, "dense_tanh.onnx");
}

/* ---- memory ------------------------------------------------------------------------------------ */

/* Makes, trains and turns into a graph. */
static coset_status everything(void)
{
    coset_status status = COSET_OK;
    const float x[6] = {1, 2, 3, 4, 5, 6}, y[3] = {1, 0, 1};
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(11, 11);
    dense_net *net = NULL;
    coset_graph *graph = NULL;
    options.epochs = 2;
    options.batch = 2;
    TRY(dense_new(ctx, (const int64_t[]){2, 3, 1}, 2, DENSE_RELU, &random, &net));
    TRY(adam_fit(ctx, net, x, y, 3, &options, &random, NULL));
    TRY(dense_graph(ctx, net, "dense", &graph));
done:
    assert_true((graph != NULL) == (status == COSET_OK));
    coset_graph_free(ctx, graph);
    dense_free(ctx, net);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    coset_status status = COSET_EMEMORY;
    int64_t alive = memory.alive;
    for (int64_t n = 0; status != COSET_OK; n++) {
        memory.fail_from = memory.made + n;
        status = everything();
        memory.fail_from = -1;
        assert_true(status == COSET_OK || status == COSET_EMEMORY);
        assert_int_equal(memory.alive, alive);
        assert_int_equal(ctx->threads, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gradient, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adam_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finds_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finds_a_product, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_seed_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_training, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(test_graph, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_runs_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
