/* Recovery on convolutions: patch rows, refits, statistics, what calibration keeps. */
#include "support/recovery.h"

#include "recover/batchnorm.h"

/* conv 3x3 -> relu -> conv (as given) -> relu -> conv 1x1 -> output. Units 3 and 5 of the first layer copy 0
 * and 1 if `planted`. */
static builder network(const char *type, conv_shape middle, bool planted)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(9, 3);
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h = conv(&b, &random, x, (conv_shape){CHANNELS, WIDTH, 3, 1, 1, 1, 1}, "z1");
    for (int copy = 0; copy < 2 && planted; copy++) {
        int from = copy, to = 3 + 2 * copy;
        float *w = (float *)(uintptr_t)b.graph->values[b.graph->nodes[0].inputs[1]].constant->data;
        float *bias =
            (float *)(uintptr_t)b.graph->values[b.graph->nodes[0].inputs[2]].constant->data;
        memcpy(w + to * CHANNELS * 9, w + from * CHANNELS * 9, CHANNELS * 9 * sizeof *w);
        bias[to] = bias[from];
    }
    h = build_op(&b, "Relu", h, -1, "h1");
    h = build_op(&b, "Relu", convolve_by(&b, &random, type, h, middle, "z2"), -1, "h2");
    build_output(&b, conv(&b, &random, h, (conv_shape){middle.out, 3, 1, 1, 0, 1, 1}, "y"));
    build_finish(&b);
    return b;
}

/* ---- patch rows ----------------------------------------------------------------------------------- */

/* A convolution as rows times weights is the convolution. */
static void check_patches(const char *type, conv_shape middle)
{
    builder b = network(type, middle, false);
    studied self = study(ctx, b.graph);
    shape one = build_shape("2 6 6");
    layer *layers = NULL;
    lanes *runs = NULL;
    int64_t n = 0, first = 0, count = 0;
    expect(layers_list(ctx, b.graph, self.groups, &layers, &n));
    assert_int_equal(n, 3);
    const layer *at = &layers[1];
    assert_int_equal(at->groups, middle.group);
    int64_t columns = layer_columns(at), each = at->view.n_out / at->groups;
    expect(lanes_new(ctx, b.graph, &source, &one, &runs));
    expect(lanes_advance(runs, at->node + 1));
    assert_int_equal(lanes_count(runs), 1);
    const executor *run = lanes_take(runs, 0, &first, &count);
    const array *x = executor_operand(run, at->input), *y = executor_operand(run, at->result);
    row_form in = {
        .axis = 1, .patches = true, .transposed = at->transposed, .batch = lanes_batch(runs)};
    row_form out = {.axis = 1, .batch = lanes_batch(runs)};
    expect(layer_window(ctx, b.graph, at, &x->shape, &in.window));
    int64_t positions = row_form_positions(&in, &x->shape), width = columns * at->groups;
    assert_int_equal(positions, row_form_positions(&out, &y->shape));
    assert_int_equal(width, row_form_width(&in, &x->shape));
    const row_choice choice = {SAMPLES, positions, SAMPLES * positions / 2 + 1, 5, 6};
    float *rows = calloc((size_t)(choice.rows * width), sizeof *rows);
    float *wanted = calloc((size_t)(choice.rows * at->view.n_out), sizeof *wanted);
    double *w = calloc((size_t)(at->view.n_out * columns), sizeof *w);
    double *bias = calloc((size_t)at->view.n_out, sizeof *bias);
    rows_read(&in, x, &choice, 0, SAMPLES, rows);
    rows_read(&out, y, &choice, 0, SAMPLES, wanted);
    layer_read(b.graph, at, 0, at->view.n_out, w, bias);
    for (int64_t r = 0; r < choice.rows; r++)
        for (int64_t o = 0; o < at->view.n_out; o++) {
            double sum = bias[o];
            for (int64_t j = 0; j < columns; j++)
                sum += w[o * columns + j] * (double)rows[r * width + o / each * columns + j];
            expect_near(sum, wanted[r * at->view.n_out + o], 1e-5); /* f32 sums of 54 */
        }
    free(rows);
    free(wanted);
    free(w);
    free(bias);
    lanes_free(ctx, runs);
    ctx_free(ctx, layers);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static void test_patches_are_what_a_convolution_reads(void **state)
{
    (void)state;
    check_patches("Conv", (conv_shape){WIDTH, 5, 3, 1, 1, 1, 1});
    check_patches("Conv", (conv_shape){WIDTH, 4, 3, 2, 1, 1, 1});
    check_patches("Conv", (conv_shape){WIDTH, 4, 3, 1, 2, 2, 1});
    check_patches("Conv", (conv_shape){WIDTH, 4, 2, 1, 0, 1, 2});
    check_patches("Conv", (conv_shape){WIDTH, WIDTH, 3, 1, 1, 1, WIDTH});
    check_patches("Conv", (conv_shape){WIDTH, 4, 1, 1, 0, 1, 1});
    check_patches("ConvTranspose", (conv_shape){WIDTH, 4, 2, 2, 0, 1, 1});
    check_patches("ConvTranspose", (conv_shape){WIDTH, 4, 4, 2, 1, 1, 1});
    check_patches("ConvTranspose", (conv_shape){WIDTH, 4, 3, 3, 2, 2, 1});
    check_patches("ConvTranspose", (conv_shape){WIDTH, 4, 2, 3, 0, 1, 1}); /* results of no tap */
}

/* As many rows from each sample, each once, and not every second column of the image. */
static void test_rows_are_spread(void **state)
{
    (void)state;
    enum { N = 7, W = 16, POSITIONS = W * W, ROWS = N * W * 4 + 3 };
    static float values[N * POSITIONS];
    float rows[ROWS];
    const row_choice choice = {N, POSITIONS, ROWS, 1, 2};
    row_form form = {.axis = 1, .batch = N};
    array at = {.dtype = COSET_F32, .shape = build_shape("7 1 16 16"), .data = values};
    bool column[W] = {false};
    for (int i = 0; i < N * POSITIONS; i++) values[i] = (float)i;
    rows_read(&form, &at, &choice, 0, N, rows);
    for (int r = 1; r < ROWS; r++) assert_true(rows[r] > rows[r - 1]);
    for (int s = 0; s < N; s++) {
        int64_t first = row_choice_first(&choice, s), end = row_choice_first(&choice, s + 1);
        assert_in_range(end - first, ROWS / N, ROWS / N + 1);
        assert_int_equal((int)rows[first] / POSITIONS, s);
        assert_int_equal((int)rows[end - 1] / POSITIONS, s);
    }
    for (int r = 0; r < ROWS; r++) column[(int)rows[r] % W] = true;
    for (int w = 0; w < W; w++) assert_true(column[w]);
    /* Batches of other sizes take the same rows. */
    float again[ROWS];
    for (int s = 0; s < N; s++) {
        row_form single = {.axis = 1, .batch = 1};
        array one = {
            .dtype = COSET_F32, .shape = build_shape("1 1 16 16"), .data = values + s * POSITIONS};
        rows_read(&single, &one, &choice, s, 1, again);
    }
    assert_memory_equal(rows, again, sizeof rows);
}

/* ---- refits --------------------------------------------------------------------------------------- */

/* Where kept units say all that dropped ones did, a refit finds the function again. */
static void check_lossless(const char *type, conv_shape middle)
{
    const int64_t keep[4] = {0, 1, 2, 4};
    cut_model self = cut_first(network(type, middle, true), keep, 4);
    coset_graph *refitted = NULL;
    double before = relative_error(self.small, self.b.graph);
    expect(reconstruct(ctx, self.plan, self.targets, self.small, 1e-9, &refitted));
    double after = relative_error(refitted, self.b.graph);
    assert_true(before > 0.05);
    assert_true(after < 1e-4); /* f32 weights, and a ridge of 1e-9 */
    coset_graph_free(ctx, refitted);
    cut_end(&self);
}

static void test_refits_find_what_is_not_lost(void **state)
{
    (void)state;
    check_lossless("Conv", (conv_shape){WIDTH, 5, 3, 1, 1, 1, 1});
    check_lossless("Conv", (conv_shape){WIDTH, 5, 3, 2, 1, 1, 1});
    check_lossless("Conv", (conv_shape){WIDTH, 5, 1, 1, 0, 1, 1});
    check_lossless("ConvTranspose", (conv_shape){WIDTH, 5, 2, 2, 0, 1, 1});
    check_lossless("ConvTranspose", (conv_shape){WIDTH, 5, 4, 2, 1, 1, 1});
}

/* Where something is lost, refits lose less, and the same bytes come out again. */
static void test_refits_help(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        conv_shape shape;
    } cases[] = {{"Conv", {WIDTH, 5, 3, 1, 1, 1, 1}},
                 {"Conv", {WIDTH, 4, 3, 1, 2, 2, 1}},
                 {"Conv", {WIDTH, WIDTH, 3, 1, 1, 1, WIDTH}},
                 {"ConvTranspose", {WIDTH, 4, 3, 2, 1, 1, 1}}};
    const int64_t keep[4] = {0, 2, 3, 5};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cut_model self = cut_first(network(cases[i].type, cases[i].shape, false), keep, 4);
        coset_graph *refitted[2] = {NULL, NULL};
        double before = relative_error(self.small, self.b.graph);
        for (int k = 0; k < 2; k++)
            expect(reconstruct(ctx, self.plan, self.targets, self.small, 1e-3, &refitted[k]));
        assert_true(relative_error(refitted[0], self.b.graph) < 0.8 * before);
        assert_true(relative_error(refitted[0], refitted[1]) == 0);
        coset_graph_free(ctx, refitted[0]);
        coset_graph_free(ctx, refitted[1]);
        cut_end(&self);
    }
}

/* x -> conv -> relu -> conv -> + x' -> relu -> conv: the second layer makes up for the shortcut. */
static void test_sums_are_what_counts(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(2, 8);
    const conv_shape square = {WIDTH, WIDTH, 3, 1, 1, 1, 1};
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h = conv(&b, &random, x, (conv_shape){CHANNELS, WIDTH, 3, 1, 1, 1, 1}, "z1");
    h = build_op(&b, "Relu", h, -1, "h1");
    int32_t g = build_op(&b, "Relu", conv(&b, &random, h, square, "z2"), -1, "h2");
    int32_t s = build_op(&b, "Add", conv(&b, &random, g, square, "z3"),
                         conv(&b, &random, h, square, "z4"), "s");
    s = build_op(&b, "Relu", s, -1, "h3");
    build_output(&b, conv(&b, &random, s, (conv_shape){WIDTH, 3, 1, 1, 0, 1, 1}, "y"));
    build_finish(&b);
    const int64_t keep[4] = {0, 2, 3, 5};
    cut_model self = cut_first(b, keep, 4);
    int sums = 0;
    for (int64_t t = 0; t < self.targets->n; t++)
        if (self.targets->of[t].sum) {
            sums++;
            assert_int_equal(self.targets->of[t].function, UNIT_RELU);
        }
    assert_int_equal(sums, 1); /* the later of the two branches */
    coset_graph *refitted = NULL;
    expect(reconstruct(ctx, self.plan, self.targets, self.small, 1e-3, &refitted));
    assert_true(relative_error(refitted, b.graph) < 0.8 * relative_error(self.small, b.graph));
    coset_graph_free(ctx, refitted);
    cut_end(&self);
}

/* ---- statistics ----------------------------------------------------------------------------------- */

/* Mean and deviation of each feature of a value. */
static void statistics(const coset_graph *graph, const char *name, double *mean, double *deviation)
{
    lanes *runs = NULL;
    int64_t first = 0, count = 0;
    int32_t value = -1;
    for (int32_t v = 0; v < graph->n_values; v++)
        if (strcmp(graph->values[v].name, name) == 0) value = v;
    assert_true(value >= 0);
    expect(lanes_new(ctx, graph, &source, &one_image, &runs));
    expect(lanes_advance(runs, graph->values[value].producer + 1));
    const array *at = executor_operand(lanes_take(runs, 0, &first, &count), value);
    int64_t n = at->shape.dims[1], plane = at->shape.dims[2] * at->shape.dims[3];
    for (int64_t u = 0; u < n; u++) {
        double sum = 0, square = 0;
        for (int64_t s = 0; s < SAMPLES; s++)
            for (int64_t p = 0; p < plane; p++) {
                double y = (double)at->f[(s * n + u) * plane + p];
                sum += y;
                square += y * y;
            }
        mean[u] = sum / (double)(SAMPLES * plane);
        deviation[u] = sqrt(square / (double)(SAMPLES * plane) - mean[u] * mean[u]);
    }
    lanes_free(ctx, runs);
}

static void test_statistics_are_matched(void **state)
{
    (void)state;
    const int64_t keep[4] = {0, 2, 3, 5};
    cut_model self =
        cut_first(network("Conv", (conv_shape){WIDTH, 5, 3, 1, 1, 1, 1}, false), keep, 4);
    coset_graph *matched = NULL;
    double mean[2][5], deviation[2][5];
    expect(match_statistics(ctx, self.plan, self.targets, self.small, &matched));
    static const char *const names[] = {"z2", "y"};
    const int64_t widths[] = {5, 3};
    for (int i = 0; i < 2; i++) {
        statistics(self.b.graph, names[i], mean[0], deviation[0]);
        statistics(self.small, names[i], mean[1], deviation[1]);
        double away = 0;
        for (int64_t u = 0; u < widths[i]; u++) away += fabs(mean[0][u] - mean[1][u]);
        assert_true(away > 0.1);
        statistics(matched, names[i], mean[1], deviation[1]);
        for (int64_t u = 0; u < widths[i]; u++) { /* f32 results of order 1 */
            expect_near(mean[0][u], mean[1][u], 1e-4);
            expect_near(deviation[0][u], deviation[1][u], 1e-4);
        }
    }
    coset_graph_free(ctx, matched);
    cut_end(&self);
}

/* Statistics that were not folded: in front of a layer there is a norm. */
static void test_norms_are_matched(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(5, 5);
    float one[WIDTH], spread[WIDTH];
    for (int i = 0; i < WIDTH; i++) one[i] = 0.7f + 0.1f * (float)i, spread[i] = 1;
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h = conv(&b, &random, x, (conv_shape){CHANNELS, WIDTH, 3, 1, 1, 1, 1}, "z1");
    h = build_op(&b, "Relu", h, -1, "h1");
    int32_t norm[5] = {h, build_constant(&b, "scale", COSET_F32, "6", one),
                       build_constant(&b, "bias", COSET_F32, "6", one),
                       build_constant(&b, "mean", COSET_F32, "6", one),
                       build_constant(&b, "var", COSET_F32, "6", spread)};
    int32_t n = build_value(&b, "n");
    build_node_n(&b, "", "BatchNormalization", norm, 5, &n, 1);
    build_output(&b, conv(&b, &random, n, (conv_shape){WIDTH, 3, 3, 1, 1, 1, 1}, "y"));
    build_finish(&b);
    cut_model self = {.b = b, .s = study(ctx, b.graph)};
    const int64_t block[WIDTH] = {0, 0, 1, 2, 2, 3};
    one_image = build_shape("2 6 6");
    expect(plan_new(ctx, b.graph, self.s.groups, &self.plan));
    expect(lumping_merge(ctx, WIDTH, block, 4, &self.plan->groups[0].map));
    expect(plan_apply(ctx, b.graph, self.s.facts, self.s.groups, self.plan, &self.small));
    expect(recovery_targets_new(ctx, b.graph, self.s.groups, &source, &one_image, &self.targets));
    coset_graph *matched = NULL;
    double mean[2][WIDTH], deviation[2][WIDTH];
    expect(match_statistics(ctx, self.plan, self.targets, self.small, &matched));
    statistics(b.graph, "n", mean[0], deviation[0]);
    statistics(matched, "n", mean[1], deviation[1]);
    /* Units 2 and 5 stand alone; blocks have the mean of their members. */
    expect_near(mean[0][2], mean[1][1], 1e-4);
    expect_near(deviation[0][2], deviation[1][1], 1e-4);
    expect_near((mean[0][0] + mean[0][1]) / 2, mean[1][0], 1e-4);
    expect_near((mean[0][3] + mean[0][4]) / 2, mean[1][2], 1e-4);
    coset_graph_free(ctx, matched);
    cut_end(&self);
}

/* ---- calibration ---------------------------------------------------------------------------------- */

/* A channel that is flattened keeps one row of moments, whose samples are its places. */
static void test_flattened_channels_are_units(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(6, 6);
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h = conv(&b, &random, x, (conv_shape){CHANNELS, WIDTH, 3, 1, 1, 1, 1}, "z1");
    h = build_op(&b, "Flatten", build_op(&b, "Relu", h, -1, "h1"), -1, "f");
    build_output(&b,
                 build_op(&b, "MatMul", h, random_constant(&b, &random, "w", "216 3", 0.1), "y"));
    build_finish(&b);
    studied self = study(ctx, b.graph);
    shape one = build_shape("2 6 6");
    calibration *stats = NULL;
    group_sites *sites = NULL;
    expect(calibration_collect(ctx, b.graph, self.facts, self.groups, &source, &one, 0, &stats));
    int64_t block = unit_block_find(stats->blocks, h, 0);
    assert_true(block >= 0);
    const moments *units = stats->units[block];
    assert_non_null(units);
    assert_int_equal(units->n, WIDTH);
    assert_int_equal(units->count, SAMPLES * SIDE * SIDE);
    one_image = one;
    double mean[WIDTH], deviation[WIDTH];
    statistics(b.graph, "h1", mean, deviation);
    for (int u = 0; u < WIDTH; u++) {
        expect_near(units->mean[u], mean[u], 1e-5);
        expect_near(units->second[u * WIDTH + u] / (double)units->count,
                    deviation[u] * deviation[u], 1e-5);
    }
    /* Errors count relative to the output: losing all of the units loses all of it, if places were
     * independent. */
    expect(group_sites_new(ctx, b.graph, self.groups, stats, 0, &sites));
    assert_int_equal(sites->count, 1);
    double all = 0;
    for (int i = 0; i < WIDTH * WIDTH; i++)
        all += sites->sites[0].weight[i] * sites->sites[0].covariance[i];
    assert_true(all > 0.2 && all < 5);
    group_sites_free(ctx, sites);
    calibration_free(ctx, stats);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* A model whose moments cannot be kept is refused before anything runs, by name. */
static void test_moments_are_bounded(void **state)
{
    (void)state;
    enum { UNITS = 17000 };
    builder b = build_start(ctx, 13);
    static float w[UNITS * 2];
    for (int i = 0; i < UNITS * 2; i++) w[i] = (float)(i % 7) - 3;
    int32_t x = build_input(&b, "x", COSET_F32, "? 2");
    int32_t h = build_op(&b, "MatMul", x, build_constant(&b, "w1", COSET_F32, "2 17000", w), "h");
    build_output(&b,
                 build_op(&b, "MatMul", h, build_constant(&b, "w2", COSET_F32, "17000 2", w), "y"));
    build_finish(&b);
    studied self = study(ctx, b.graph);
    shape one = build_shape("2");
    calibration *stats = NULL;
    assert_int_equal(
        calibration_collect(ctx, b.graph, self.facts, self.groups, &source, &one, 0, &stats),
        COSET_ELIMIT);
    assert_null(stats);
    assert_non_null(strstr(coset_ctx_error(ctx), "'h'"));
    assert_non_null(strstr(coset_ctx_error(ctx), "17000 units"));
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* What the model's output loses by an error of one layer, with all that lies between, is what small errors
 * that are drawn at random really do. */
static void test_costs_go_through_sums(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(7, 7);
    const conv_shape point = {WIDTH, WIDTH, 1, 1, 0, 1, 1};
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h = build_op(&b, "Relu",
                         conv(&b, &random, x, (conv_shape){CHANNELS, WIDTH, 1, 1, 0, 1, 1}, "z1"),
                         -1, "h1");
    int32_t g = build_op(&b, "Relu", conv(&b, &random, h, point, "z2"), -1, "h2");
    g = conv(&b, &random, g, point, "z3");
    int32_t s = build_op(&b, "Relu", build_op(&b, "Add", g, h, "s"), -1, "h3");
    build_output(&b, conv(&b, &random, s, (conv_shape){WIDTH, 3, 1, 1, 0, 1, 1}, "y"));
    build_finish(&b);
    studied self = study(ctx, b.graph);
    shape one = build_shape("2 6 6");
    calibration *stats = NULL;
    group_sites *sites = NULL;
    expect(calibration_collect(ctx, b.graph, self.facts, self.groups, &source, &one, 0, &stats));
    /* The group of z2: read by z3 alone, behind which is the sum. */
    int64_t unit = 0;
    int32_t group = -1;
    for (int64_t c = 0; c < self.groups->n_contractions; c++)
        if (strcmp(b.graph->values[self.groups->contractions[c].output].name, "z2") == 0)
            group = groups_at(self.groups, self.groups->contractions[c].out_slot, 0, &unit);
    assert_true(group >= 0);
    expect(group_sites_new(ctx, b.graph, self.groups, stats, group, &sites));
    assert_int_equal(sites->count, 1);
    double trace = 0;
    for (int u = 0; u < WIDTH; u++) trace += sites->sites[0].weight[u * WIDTH + u];
    /* Errors e of h2 come in through the bias of z3, as W e. */
    int64_t n = 0;
    float *right = outputs_of(b.graph, &source, &n);
    double size = 0, away = 0, mean[3] = {0, 0, 0};
    for (int64_t i = 0; i < n; i++) mean[i / 36 % 3] += (double)right[i] / ((double)n / 3);
    for (int64_t i = 0; i < n; i++) {
        double d = (double)right[i] - mean[i / 36 % 3];
        size += d * d;
    }
    const graph_node *third = &b.graph->nodes[b.graph->values[g].producer];
    const float *w = study_values(&self, third->inputs[1]);
    float *bias = study_values(&self, third->inputs[2]);
    for (int u = 0; u < WIDTH; u++) {
        for (int o = 0; o < WIDTH; o++) bias[o] += 1e-3f * w[o * WIDTH + u];
        float *wrong = outputs_of(b.graph, &source, &n);
        for (int64_t i = 0; i < n; i++) {
            double d = ((double)wrong[i] - (double)right[i]) / 1e-3;
            away += d * d;
        }
        free(wrong);
        for (int o = 0; o < WIDTH; o++) bias[o] -= 1e-3f * w[o * WIDTH + u];
    }
    /* Slopes are taken to be independent of each other's weights: not exact. */
    assert_true(trace > 0.7 * away / size && trace < 1.4 * away / size);
    free(right);
    group_sites_free(ctx, sites);
    calibration_free(ctx, stats);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static coset_status recover_all(const cut_model *self)
{
    coset_status status = COSET_OK;
    calibration *stats = NULL;
    recovery_targets *targets = NULL;
    coset_graph *refitted = NULL, *matched = NULL;
    TRY(calibration_collect(ctx, self->b.graph, self->s.facts, self->s.groups, &source, &one_image,
                            0, &stats));
    TRY(recovery_targets_new(ctx, self->b.graph, self->s.groups, &source, &one_image, &targets));
    TRY(reconstruct(ctx, self->plan, targets, self->small, 1e-3, &refitted));
    TRY(match_statistics(ctx, self->plan, targets, self->small, &matched));
done:
    calibration_free(ctx, stats);
    recovery_targets_free(ctx, targets);
    coset_graph_free(ctx, refitted);
    coset_graph_free(ctx, matched);
    return status;
}

static void test_memory_may_run_out(void **state)
{
    (void)state;
    const int64_t keep[4] = {0, 2, 3, 5};
    cut_model self =
        cut_first(network("Conv", (conv_shape){WIDTH, 4, 3, 2, 1, 1, 1}, false), keep, 4);
    int64_t before = memory.alive;
    memory.made = 0;
    expect(recover_all(&self));
    int64_t all = memory.made;
    assert_true(all > 100);
    for (int64_t at = 0; at < all; at += at < 50 ? 1 : all / 200 + 1) {
        memory.made = 0;
        memory.at = at;
        coset_status status = recover_all(&self);
        memory.at = -1;
        assert_int_equal(status, COSET_EMEMORY);
        assert_int_equal(memory.alive, before);
    }
    cut_end(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patches_are_what_a_convolution_reads),
        cmocka_unit_test(test_rows_are_spread),
        cmocka_unit_test(test_refits_find_what_is_not_lost),
        cmocka_unit_test(test_refits_help),
        cmocka_unit_test(test_sums_are_what_counts),
        cmocka_unit_test(test_statistics_are_matched),
        cmocka_unit_test(test_norms_are_matched),
        cmocka_unit_test(test_flattened_channels_are_units),
        cmocka_unit_test(test_moments_are_bounded),
        cmocka_unit_test(test_costs_go_through_sums),
        cmocka_unit_test(test_memory_may_run_out),
    };
    return cmocka_run_group_tests_name("recover", tests, set_up, tear_down);
}
