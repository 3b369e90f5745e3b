/* How products, joins, gathers and reshapes pass units on, and how their parameters change in a
 * cut. */
#include "support/build.h"

#include "graph/labels.h"

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* ---- a graph with its labels ----------------------------------------------------------------- */

typedef struct trial {
    builder b;
    graph_facts *facts;
    label_set *set;
} trial;

static void run(trial *self)
{
    const coset_graph *graph = build_finish(&self->b);
    if (graph_infer(ctx, graph, NULL, &self->facts) != COSET_OK ||
        labels_run(ctx, graph, self->facts, &self->set) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
}

static void end(trial *self)
{
    labels_free(self->set);
    graph_facts_free(ctx, self->facts);
    coset_graph_free(ctx, self->b.graph);
}

static int32_t weight(trial *self, const char *name, const char *dims)
{
    static const float ones[64] = {1, 1, 1};
    return build_constant(&self->b, name, COSET_F32, dims, ones);
}

static int32_t indices(trial *self, const char *name, const char *dims, const int64_t *values)
{
    return build_constant(&self->b, name, COSET_I64, dims, values);
}

static void int_attr(trial *self, const char *name, int64_t value)
{
    build_int_attr(&self->b, (int32_t)self->b.graph->n_nodes - 1, name, value);
}

static void ints_attr(trial *self, const char *name, int64_t n, const int64_t *values)
{
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    int32_t last = (int32_t)self->b.graph->n_nodes - 1;
    assert_int_equal(graph_add_attr(ctx, self->b.graph, last, &attr), COSET_OK);
}

static int32_t gemm(trial *self, int32_t a, int32_t w, int32_t bias, const char *output)
{
    int32_t inputs[3] = {a, w, bias}, y = build_value(&self->b, output);
    build_node_n(&self->b, "", "Gemm", inputs, bias < 0 ? 2 : 3, &y, 1);
    return y;
}

/* x [2, 3] -> `units` fresh units on axis 1. */
static int32_t layer(trial *self, const char *name, const char *w_dims, const char *output)
{
    int32_t x = -1;
    for (int64_t v = 0; v < self->b.graph->n_values && x < 0; v++)
        if (strcmp(self->b.graph->values[v].name, "x") == 0) x = (int32_t)v;
    if (x < 0) x = build_input(&self->b, "x", COSET_F32, "2 3");
    return build_op(&self->b, "MatMul", x, weight(self, name, w_dims), output);
}

/* ---- what labels say ------------------------------------------------------------------------- */

static int64_t label(const trial *self, int32_t value, int64_t at)
{
    return labels_root(self->set, labels_of(self->set, value)->ids[at]);
}

static void assert_dims(const trial *self, int32_t value, const char *expected)
{
    const label_array *labels = labels_of(self->set, value);
    shape wanted = build_shape(expected), found = {.rank = labels->rank};
    assert_true(labels->rank >= 0);
    memcpy(found.dims, labels->dims, sizeof found.dims);
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    if (!shape_equal(&found, &wanted))
        fail_msg("labels of value %d have dims %s instead of %s", (int)value,
                 shape_text(&found, have, sizeof have), shape_text(&wanted, want, sizeof want));
}

static bool is_frozen(const trial *self, int64_t root)
{
    return root == LABEL_FROZEN || (root >= LABEL_FIRST && labels_frozen(self->set, root, NULL));
}

static void assert_reason(const trial *self, int32_t value, const char *says)
{
    int64_t root = label(self, value, 0);
    assert_true(root >= LABEL_FIRST);
    const char *reason = labels_frozen(self->set, root, NULL);
    assert_non_null(reason);
    if (!strstr(reason, says)) fail_msg("the reason '%s' does not say '%s'", reason, says);
}

static void assert_free(const trial *self, int32_t value)
{
    assert_true(label(self, value, 0) >= LABEL_FIRST);
    assert_false(is_frozen(self, label(self, value, 0)));
}

/* The only slot of axis `axis` of a constant. */
static const label_slot *slot_of(const trial *self, int32_t value, int axis)
{
    const label_slot *slots = NULL, *found = NULL;
    int64_t n = labels_slots(self->set, &slots);
    for (int64_t i = 0; i < n; i++) {
        if (slots[i].value != value || slots[i].axis != axis) continue;
        assert_null(found);
        found = &slots[i];
    }
    return found;
}

/* Index i of the axis is the unit of entry i of a value's labels. */
static void assert_slot(const trial *self, int32_t constant, int axis, slot_role role,
                        int32_t value)
{
    const label_slot *slot = slot_of(self, constant, axis);
    assert_non_null(slot);
    assert_int_equal(slot->role, role);
    assert_true(slot->size > 1);
    for (int64_t i = 0; i < slot->size; i++) assert_int_equal(slot->ids[i], label(self, value, i));
}

/* ---- products -------------------------------------------------------------------------------- */

static void test_gemm_joins_weights_and_bias(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t x = build_input(&t.b, "x", COSET_F32, "2 3");
    int32_t w1 = weight(&t, "w1", "4 3"), b1 = weight(&t, "b1", "4");
    int32_t h = gemm(&t, x, w1, b1, "h");
    int_attr(&t, "transB", 1);
    int32_t w2 = weight(&t, "w2", "4 5"), b2 = weight(&t, "b2", "2 5");
    int32_t y = gemm(&t, h, w2, b2, "y");
    build_output(&t.b, y);
    run(&t);
    assert_dims(&t, h, "1 4");
    assert_free(&t, h);
    assert_slot(&t, w1, 0, SLOT_PRODUCER, h);
    assert_slot(&t, b1, 0, SLOT_ADD, h);
    assert_slot(&t, w2, 0, SLOT_CONSUMER, h);
    assert_slot(&t, w2, 1, SLOT_PRODUCER, y);
    assert_slot(&t, b2, 1, SLOT_ADD, y);
    assert_true(is_frozen(&t, label(&t, y, 0)));
    assert_true(label(&t, h, 0) != label(&t, h, 1));
    end(&t);
}

/* h = W x and y = W h with units along the rows. */
static void test_gemm_with_weights_on_the_left(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t x = build_input(&t.b, "x", COSET_F32, "2 3");
    int32_t w1 = weight(&t, "w1", "3 4"), b1 = weight(&t, "b1", "4 1");
    int32_t h = gemm(&t, w1, x, b1, "h");
    int_attr(&t, "transA", 1);
    int_attr(&t, "transB", 1);
    int32_t w2 = weight(&t, "w2", "5 4");
    int32_t y = gemm(&t, w2, h, -1, "y");
    build_output(&t.b, y);
    run(&t);
    assert_dims(&t, h, "4 1");
    assert_free(&t, h);
    assert_slot(&t, w1, 1, SLOT_PRODUCER, h);
    assert_slot(&t, b1, 0, SLOT_ADD, h);
    assert_slot(&t, w2, 1, SLOT_CONSUMER, h);
    assert_slot(&t, w2, 0, SLOT_PRODUCER, y);
    end(&t);
}

static void test_gemm_reads_units_through_a_transpose(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t h = layer(&t, "w1", "3 4", "h");
    int32_t turned = build_op(&t.b, "Transpose", h, -1, "turned");
    int32_t w2 = weight(&t, "w2", "4 5");
    int32_t y = gemm(&t, turned, w2, -1, "y");
    int_attr(&t, "transA", 1);
    build_output(&t.b, y);
    run(&t);
    assert_dims(&t, turned, "4 1");
    assert_slot(&t, w2, 0, SLOT_CONSUMER, h);
    assert_free(&t, h);
    end(&t);
}

static void test_gemm_with_one_bias_for_all(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t x = build_input(&t.b, "x", COSET_F32, "2 3");
    int32_t h = gemm(&t, x, weight(&t, "w", "3 4"), weight(&t, "b", "1"), "h");
    run(&t);
    assert_reason(&t, h, "share one bias");
    end(&t);
}

static void test_product_of_activations(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t a = layer(&t, "wa", "3 4", "a"), b = layer(&t, "wb", "3 4", "b");
    int32_t turned = build_op(&t.b, "Transpose", b, -1, "turned");
    int32_t y = build_op(&t.b, "MatMul", a, turned, "y");
    run(&t);
    assert_reason(&t, a, "another activation");
    assert_reason(&t, b, "another activation");
    assert_int_equal(label(&t, y, 0), LABEL_FROZEN);
    end(&t);
}

static void test_matmul_of_every_rank(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t x = build_input(&t.b, "x", COSET_F32, "6 2 3");
    int32_t w = weight(&t, "w", "1 3 4"); /* one matrix, although its rank is 3 */
    int32_t h = build_op(&t.b, "MatMul", x, w, "h");
    int32_t left = weight(&t, "left", "5 2");
    int32_t mixed = build_op(&t.b, "MatMul", left, h, "mixed");
    int32_t v = weight(&t, "v", "4");
    int32_t dot = build_op(&t.b, "MatMul", h, v, "dot");
    build_output(&t.b, dot);
    run(&t);
    assert_dims(&t, h, "1 1 4");
    assert_slot(&t, w, 2, SLOT_PRODUCER, h);
    assert_null(slot_of(&t, v, 0)); /* there is no contraction to lift a vector's units through */
    assert_reason(&t, h, "a weight that is a vector");
    assert_dims(&t, mixed, "1 1 4"); /* units on another axis pass */
    assert_int_equal(label(&t, mixed, 2), label(&t, h, 2));
    assert_null(slot_of(&t, left, 0));
    end(&t);

    t = (trial){.b = build_start(ctx, 13)};
    x = build_input(&t.b, "x", COSET_F32, "3");
    h = build_op(&t.b, "MatMul", x, weight(&t, "w", "3 4"), "h");
    int32_t top = weight(&t, "top", "5 4");
    int32_t y = build_op(&t.b, "MatMul", top, h, "y");
    int32_t batch = weight(&t, "batch", "2 5 3");
    int32_t z = build_op(&t.b, "MatMul", y, batch, "z");
    run(&t);
    assert_dims(&t, h, "4");
    assert_slot(&t, top, 1, SLOT_CONSUMER, h);
    assert_slot(&t, top, 0, SLOT_PRODUCER, y);
    assert_reason(&t, y, "batch of matrices");
    assert_int_equal(label(&t, z, 0), LABEL_FROZEN);
    end(&t);
}

/* ---- data movement --------------------------------------------------------------------------- */

static void test_concat_of_units(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t a = layer(&t, "wa", "3 4", "a"), b = layer(&t, "wb", "3 2", "b");
    int32_t inputs[3] = {a, weight(&t, "zeros", "2 1"), b}, y = build_value(&t.b, "y");
    build_node_n(&t.b, "", "Concat", inputs, 3, &y, 1);
    int_attr(&t, "axis", -1);
    run(&t);
    assert_dims(&t, y, "1 7");
    assert_int_equal(label(&t, y, 3), label(&t, a, 3));
    assert_int_equal(label(&t, y, 4), LABEL_NONE);
    assert_int_equal(label(&t, y, 5), label(&t, b, 0));
    assert_free(&t, a);
    end(&t);
}

/* Rows are joined: unit i of every input is unit i of the result, constants included. */
static void test_concat_across_units(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t a = layer(&t, "wa", "3 4", "a"), b = layer(&t, "wb", "3 4", "b");
    int32_t token = weight(&t, "token", "1 4");
    int32_t inputs[3] = {token, a, b}, y = build_value(&t.b, "y");
    build_node_n(&t.b, "", "Concat", inputs, 3, &y, 1);
    int_attr(&t, "axis", 0);
    run(&t);
    assert_dims(&t, y, "1 4");
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(label(&t, a, i), label(&t, b, i));
        assert_int_equal(label(&t, y, i), label(&t, a, i));
    }
    assert_slot(&t, token, 1, SLOT_ADD, a);
    assert_free(&t, a);
    end(&t);
}

static void test_gather_of_units(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t h = layer(&t, "w", "3 4", "h");
    int32_t order = indices(&t, "order", "3", (const int64_t[]){2, -4, 2});
    int32_t y = build_op(&t.b, "Gather", h, order, "y");
    int_attr(&t, "axis", 1);
    run(&t);
    assert_dims(&t, y, "1 3");
    assert_int_equal(label(&t, y, 0), label(&t, h, 2));
    assert_int_equal(label(&t, y, 1), label(&t, h, 0));
    assert_int_equal(label(&t, y, 2), label(&t, h, 2));
    assert_free(&t, h);
    end(&t);

    t = (trial){.b = build_start(ctx, 13)};
    h = layer(&t, "w", "3 4", "h");
    y = build_op(&t.b, "Gather", h, indices(&t, "one", "", (const int64_t[]){1}), "y");
    int_attr(&t, "axis", 1);
    int32_t row = build_op(&t.b, "Gather", h, indices(&t, "row", "", (const int64_t[]){1}), "r");
    run(&t);
    assert_true(is_frozen(&t, label(&t, h, 1)));
    assert_free(&t, h);
    assert_dims(&t, row, "4");
    assert_int_equal(label(&t, row, 3), label(&t, h, 3));
    end(&t);
}

static void test_rows_of_a_table(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t tokens = build_input(&t.b, "tokens", COSET_I64, "2 5");
    int32_t table = weight(&t, "table", "9 4");
    int32_t h = build_op(&t.b, "Gather", table, tokens, "h");
    run(&t);
    assert_dims(&t, h, "1 1 4");
    assert_slot(&t, table, 1, SLOT_PRODUCER, h);
    assert_null(slot_of(&t, table, 0));
    assert_free(&t, h);
    end(&t);
}

static void test_sums_and_softmax(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t h = layer(&t, "w", "3 4", "h");
    int32_t mean = build_op(&t.b, "ReduceMean", h, -1, "mean");
    ints_attr(&t, "axes", 1, (const int64_t[]){0});
    int_attr(&t, "keepdims", 0);
    int32_t soft = build_op(&t.b, "Softmax", h, -1, "soft");
    int_attr(&t, "axis", 0);
    int32_t other = layer(&t, "w2", "3 4", "other"), third = layer(&t, "w3", "3 4", "third");
    int32_t over = build_op(&t.b, "Softmax", other, -1, "over");
    build_op(&t.b, "ReduceSum", third, -1, "sum");
    run(&t);
    assert_dims(&t, mean, "4");
    assert_int_equal(label(&t, mean, 2), label(&t, h, 2));
    assert_int_equal(label(&t, soft, 2), label(&t, h, 2));
    assert_free(&t, h);
    assert_reason(&t, other, "normalised over");
    assert_int_equal(label(&t, over, 0), LABEL_FROZEN);
    assert_reason(&t, third, "reduced over");
    end(&t);
}

static void test_reshapes(void **state)
{
    (void)state;
    trial t = {.b = build_start(ctx, 13)};
    int32_t h = layer(&t, "w", "3 4", "h");
    int32_t split =
        build_op(&t.b, "Reshape", h, indices(&t, "to", "3", (const int64_t[]){0, 2, 2}), "split");
    int32_t flat = build_op(&t.b, "Flatten", split, -1, "flat");
    int32_t up =
        build_op(&t.b, "Unsqueeze", flat, indices(&t, "at", "1", (const int64_t[]){0}), "up");
    run(&t);
    assert_dims(&t, split, "1 2 2");
    assert_dims(&t, flat, "1 4");
    assert_dims(&t, up, "1 1 4");
    assert_int_equal(label(&t, up, 3), label(&t, h, 3));
    assert_reason(&t, h, "spread over two axes");
    end(&t);
}

/* ---- cuts ------------------------------------------------------------------------------------ */

/* Calls the cut rule of the last node for kept indices of axis `in_axis` of input 0 and of axis
 * `out_axis` of output 0 (-1: untouched). */
static coset_status cut(trial *self, int in_axis, int64_t n_in, const int64_t *in, int out_axis,
                        int64_t n_out, const int64_t *out)
{
    axis_keep keep_in[3] = {{{NULL}, {0}}}, keep_out[1] = {{{NULL}, {0}}};
    fact in_facts[3], out_facts[1], now[3];
    int32_t id = (int32_t)self->b.graph->n_nodes - 1;
    const graph_node *node = &self->b.graph->nodes[id];
    if (in_axis >= 0) {
        keep_in[0].index[in_axis] = in;
        keep_in[0].count[in_axis] = n_in;
    }
    if (out_axis >= 0) {
        keep_out[0].index[out_axis] = out;
        keep_out[0].count[out_axis] = n_out;
    }
    graph_node_facts(self->facts, node, in_facts, out_facts);
    memcpy(now, in_facts, sizeof now);
    if (in_axis >= 0) now[0].shape.dims[in_axis] = n_in;
    op_cut call = {.at = {.ctx = ctx,
                          .node = node,
                          .opset = self->b.graph->opset,
                          .n_in = node->n_inputs,
                          .n_out = node->n_outputs},
                   .node_id = id,
                   .in = in_facts,
                   .out = out_facts,
                   .now = now,
                   .labels = self->set,
                   .keep_in = keep_in,
                   .keep_out = keep_out,
                   .graph = self->b.graph};
    return node->op->cut(&call);
}

/* Input 1 of the last node holds these values now. */
static void assert_parameter(const trial *self, int64_t n, const int64_t *expected)
{
    const graph_node *node = &self->b.graph->nodes[self->b.graph->n_nodes - 1];
    const tensor *constant = self->b.graph->values[node->inputs[1]].constant;
    assert_non_null(constant);
    assert_int_equal(tensor_elements(constant), n);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(((const int64_t *)constant->data)[i], expected[i]);
}

static trial reshape_of(const char *dims, int64_t n, const int64_t *target)
{
    trial t = {.b = build_start(ctx, 13)};
    char text[16];
    snprintf(text, sizeof text, "%d", (int)n);
    int32_t x = build_input(&t.b, "x", COSET_F32, dims);
    build_op(&t.b, "Reshape", x, indices(&t, "target", text, target), "y");
    run(&t);
    return t;
}

static void test_cut_of_a_reshape(void **state)
{
    (void)state;
    const int64_t kept[] = {0, 2, 3, 5};
    trial t = reshape_of("2 6", 3, (const int64_t[]){2, 6, 1});
    assert_int_equal(cut(&t, 1, 4, kept, 1, 4, kept), COSET_OK);
    assert_parameter(&t, 3, (const int64_t[]){2, 4, 1});
    end(&t);

    t = reshape_of("2 6", 3, (const int64_t[]){0, -1, 1});
    assert_int_equal(cut(&t, 1, 4, kept, 1, 4, kept), COSET_OK);
    assert_parameter(&t, 3, (const int64_t[]){0, -1, 1});
    end(&t);
}

/* Without what the model computes only entries that follow the input may stay. */
static void test_cut_of_a_computed_target(void **state)
{
    (void)state;
    /* What follows [N, 3] in the target: stored ones, the batch once more, or twice. */
    const char *const shapes[] = {"2 3", "1 3", "1 3"};
    const int64_t kept[] = {0, 2}, zero = 0;
    for (int kind = 0; kind < 3; kind++) {
        trial t = {.b = build_start(ctx, 13)};
        int32_t x = build_input(&t.b, "x", COSET_F32, shapes[kind]);
        int32_t dims = build_op(&t.b, "Shape", x, -1, "dims");
        int32_t batch = build_op(&t.b, "Gather", dims, indices(&t, "place", "1", &zero), "batch");
        int32_t parts[4] = {batch, indices(&t, "fixed", "1", (const int64_t[]){3}), batch, batch};
        if (kind == 0) parts[2] = indices(&t, "more", "2", (const int64_t[]){1, 1});
        int32_t target = build_value(&t.b, "target");
        build_node_n(&t.b, "", "Concat", parts, kind == 2 ? 4 : 3, &target, 1);
        int_attr(&t, "axis", 0);
        build_op(&t.b, "Reshape", x, target, "y");
        run(&t);
        /* 0 copies N, -1 is what is left; a second open dimension cannot be said. The nodes that
         * computed the target stay, and nobody reads them. */
        coset_status status = cut(&t, 1, 2, kept, 1, 2, kept);
        assert_int_equal(status, kind == 2 ? COSET_EUNSUPPORTED : COSET_OK);
        if (kind == 0) assert_parameter(&t, 4, (const int64_t[]){0, 2, 1, 1});
        if (kind == 1) assert_parameter(&t, 3, (const int64_t[]){0, 2, -1});
        if (kind == 2) assert_non_null(strstr(coset_ctx_error(ctx), "(Reshape): its target shape"));
        build_finish(&t.b);
        end(&t);
    }
}

static trial gather_of(const char *dims, const int64_t *values)
{
    trial t = {.b = build_start(ctx, 13)};
    int32_t x = build_input(&t.b, "x", COSET_F32, "2 6");
    build_op(&t.b, "Gather", x, indices(&t, "places", dims, values), "y");
    int_attr(&t, "axis", 1);
    run(&t);
    return t;
}

static void test_cut_of_a_gather(void **state)
{
    (void)state;
    const int64_t kept[] = {0, 2, 5}, entries[] = {0, 2, 3};
    trial t = gather_of("4", (const int64_t[]){5, 1, 2, -6});
    assert_int_equal(cut(&t, 1, 3, kept, 1, 3, entries), COSET_OK);
    assert_parameter(&t, 3, (const int64_t[]){2, 1, 0});
    end(&t);

    /* Entry 1 reads index 1, which is cut, but it is said to stay. */
    t = gather_of("4", (const int64_t[]){5, 1, 2, -6});
    assert_int_equal(cut(&t, 1, 3, kept, -1, 0, NULL), COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "still reads index 1"));
    end(&t);

    t = gather_of("2 2", (const int64_t[]){5, 0, 2, 2});
    assert_int_equal(cut(&t, 1, 3, kept, -1, 0, NULL), COSET_OK);
    assert_parameter(&t, 4, (const int64_t[]){2, 0, 1, 1});
    end(&t);

    t = gather_of("", (const int64_t[]){5});
    assert_int_equal(cut(&t, 1, 3, kept, -1, 0, NULL), COSET_OK);
    assert_parameter(&t, 1, (const int64_t[]){2});
    end(&t);

    /* Rows go: the gathered axis stays as it is. */
    t = gather_of("2", (const int64_t[]){5, 1});
    assert_int_equal(cut(&t, 0, 1, kept, 0, 1, kept), COSET_OK);
    assert_parameter(&t, 2, (const int64_t[]){5, 1});
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_joins_weights_and_bias),
        cmocka_unit_test(test_gemm_with_weights_on_the_left),
        cmocka_unit_test(test_gemm_reads_units_through_a_transpose),
        cmocka_unit_test(test_gemm_with_one_bias_for_all),
        cmocka_unit_test(test_product_of_activations),
        cmocka_unit_test(test_matmul_of_every_rank),
        cmocka_unit_test(test_concat_of_units),
        cmocka_unit_test(test_concat_across_units),
        cmocka_unit_test(test_gather_of_units),
        cmocka_unit_test(test_rows_of_a_table),
        cmocka_unit_test(test_sums_and_softmax),
        cmocka_unit_test(test_reshapes),
        cmocka_unit_test(test_cut_of_a_reshape),
        cmocka_unit_test(test_cut_of_a_computed_target),
        cmocka_unit_test(test_cut_of_a_gather),
    };
    return cmocka_run_group_tests_name("op_units", tests, setup, teardown);
}
