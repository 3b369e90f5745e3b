/* Label rules of the elementwise operators: which indices of which constants follow a unit. The
 * graphs are x [2, 3] -> MatMul [3, 4] -> operators -> MatMul [4, 2]: four units. */
#include "support/build.h"

#include "graph/labels.h"

enum { UNITS = 4 };

static const float numbers[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

typedef struct fixture {
    coset_ctx *ctx;
    builder build;
    graph_facts *facts;
    label_set *set;
    int32_t weight, hidden; /* of the first MatMul */
} fixture;

static fixture start(int64_t opset)
{
    fixture self = {0};
    assert_int_equal(coset_ctx_new(NULL, &self.ctx), COSET_OK);
    self.build = build_start(self.ctx, opset);
    const int32_t x = build_input(&self.build, "x", COSET_F32, "2 3");
    self.weight = build_constant(&self.build, "weight", COSET_F32, "3 4", numbers);
    self.hidden = build_op(&self.build, "MatMul", x, self.weight, "hidden");
    return self;
}

static void finish(fixture *self, int32_t last)
{
    const int32_t v = build_constant(&self->build, "last weight", COSET_F32, "4 2", numbers);
    build_output(&self->build, build_op(&self->build, "MatMul", last, v, "y"));
    const coset_graph *graph = build_finish(&self->build);
    assert_int_equal(graph_infer(self->ctx, graph, NULL, &self->facts), COSET_OK);
    assert_int_equal(labels_run(self->ctx, graph, self->facts, &self->set), COSET_OK);
}

static void stop(fixture *self)
{
    labels_free(self->set);
    graph_facts_free(self->ctx, self->facts);
    coset_graph_free(self->ctx, self->build.graph);
    coset_ctx_free(self->ctx);
}

/* The slot of one axis of a constant; NULL: there is none. */
static const label_slot *find_slot(const fixture *self, int32_t value, int axis)
{
    const label_slot *slots = NULL;
    const int64_t n = labels_slots(self->set, &slots);
    for (int64_t i = 0; i < n; i++)
        if (slots[i].value == value && slots[i].axis == axis) return &slots[i];
    return NULL;
}

/* Index i of the constant's axis belongs to unit i of the first MatMul, which is free to be cut. */
static void assert_follows(const fixture *self, int32_t value, int axis, slot_role role)
{
    const label_slot *producer = find_slot(self, self->weight, 1);
    const label_slot *slot = find_slot(self, value, axis);
    assert_non_null(producer);
    assert_non_null(slot);
    assert_int_equal(slot->role, role);
    assert_int_equal(slot->size, UNITS);
    for (int i = 0; i < UNITS; i++) {
        assert_int_equal(slot->ids[i], producer->ids[i]);
        assert_true(slot->ids[i] >= LABEL_FIRST);
        assert_null(labels_frozen(self->set, slot->ids[i], NULL));
        for (int j = 0; j < i; j++) assert_int_not_equal(slot->ids[i], slot->ids[j]);
    }
}

static void assert_frozen(const fixture *self, const char *reason)
{
    const label_slot *producer = find_slot(self, self->weight, 1);
    for (int i = 0; i < UNITS; i++) {
        const char *why = labels_frozen(self->set, producer->ids[i], NULL);
        assert_non_null(why);
        assert_non_null(strstr(why, reason));
    }
}

static int32_t last_weight(const fixture *self)
{
    for (int32_t v = 0; v < self->build.graph->n_values; v++)
        if (strcmp(self->build.graph->values[v].name, "last weight") == 0) return v;
    return -1;
}

/* ---- one operand ----------------------------------------------------------------------------- */

static void test_unary_operators_pass_units(void **state)
{
    (void)state;
    static const char *const types[] = {"Relu",     "LeakyRelu",
                                        "Elu",      "Tanh",
                                        "Sigmoid",  "HardSigmoid",
                                        "Softplus", "Gelu",
                                        "Erf",      "Exp",
                                        "Log",      "Sqrt",
                                        "Neg",      "Abs",
                                        "Identity", "Dropout",
                                        "Clip",     "HardSwish",
                                        "Mish",     "Selu",
                                        "Celu",     "ThresholdedRelu",
                                        "Softsign", "Sign",
                                        "Floor",    "Ceil",
                                        "Round",    "Reciprocal",
                                        "Sin",      "Cos"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        fixture self = start(20);
        finish(&self, build_op(&self.build, types[i], self.hidden, -1, "h"));
        assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
        stop(&self);
    }
}

static void test_cast_passes_units(void **state)
{
    (void)state;
    fixture self = start(13);
    const int32_t h = build_value(&self.build, "h");
    build_int_attr(&self.build, build_node_n(&self.build, "", "Cast", &self.hidden, 1, &h, 1), "to",
                   COSET_F32);
    finish(&self, h);
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
}

/* ---- two operands ---------------------------------------------------------------------------- */

static void check_constant(const char *type, bool first, slot_role role)
{
    fixture self = start(13);
    const int32_t c = build_constant(&self.build, "c", COSET_F32, "4", numbers);
    finish(&self, first ? build_op(&self.build, type, c, self.hidden, "h")
                        : build_op(&self.build, type, self.hidden, c, "h"));
    assert_follows(&self, c, 0, role);
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
}

static void test_constant_operands_follow_units(void **state)
{
    (void)state;
    check_constant("Add", false, SLOT_ADD);
    check_constant("Add", true, SLOT_ADD);
    check_constant("Sub", false, SLOT_ADD);
    check_constant("Mul", false, SLOT_SCALE);
    check_constant("Div", false, SLOT_SCALE);
    check_constant("Pow", true, SLOT_SCALE);
    check_constant("PRelu", false, SLOT_SCALE);
    check_constant("Max", false, SLOT_SCALE);
    check_constant("Min", true, SLOT_SCALE);
    check_constant("Sum", false, SLOT_ADD);
    check_constant("Mean", true, SLOT_ADD);
}

/* Where(h > c, h, d): c and d follow the units. */
static void test_where_passes_units(void **state)
{
    (void)state;
    fixture self = start(16);
    const int32_t c = build_constant(&self.build, "c", COSET_F32, "4", numbers);
    const int32_t d = build_constant(&self.build, "d", COSET_F32, "4", numbers);
    const int32_t inputs[3] = {build_op(&self.build, "Greater", self.hidden, c, "over"),
                               self.hidden, d};
    const int32_t h = build_value(&self.build, "h");
    build_node_n(&self.build, "", "Where", inputs, 3, &h, 1);
    finish(&self, h);
    assert_follows(&self, c, 0, SLOT_SCALE);
    assert_follows(&self, d, 0, SLOT_SCALE);
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
}

/* ---- quantisation ---------------------------------------------------------------------------- */

static int32_t quantise(fixture *self, const char *scale_dims, int64_t axis)
{
    static const uint8_t zeros[4] = {0};
    const int32_t inputs[3] = {
        self->hidden, build_constant(&self->build, "scale", COSET_F32, scale_dims, numbers),
        build_constant(&self->build, "zero", COSET_U8, scale_dims, zeros)};
    const int32_t levels = build_value(&self->build, "levels"), h = build_value(&self->build, "h");
    build_int_attr(&self->build,
                   build_node_n(&self->build, "", "QuantizeLinear", inputs, 3, &levels, 1), "axis",
                   axis);
    const int32_t back[3] = {levels, inputs[1], inputs[2]};
    build_int_attr(&self->build, build_node_n(&self->build, "", "DequantizeLinear", back, 3, &h, 1),
                   "axis", axis);
    return h;
}

static void test_quantisation_with_one_scale_passes_units(void **state)
{
    (void)state;
    fixture self = start(13);
    finish(&self, quantise(&self, "1", 1));
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
    self = start(13);
    finish(&self, quantise(&self, "2", 0)); /* along the rows, not the units */
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
}

static void test_quantisation_with_scales_of_units_freezes(void **state)
{
    (void)state;
    fixture self = start(13);
    finish(&self, quantise(&self, "4", -1));
    assert_frozen(&self, "scales of their own");
    stop(&self);
}

/* ---- Einsum ---------------------------------------------------------------------------------- */

static int32_t einsum(fixture *self, const char *equation, int32_t a, int32_t b)
{
    const int32_t y = build_op(&self->build, "Einsum", a, b, "product");
    const graph_attr attr = {
        .name = "equation", .kind = ATTR_STRING, .s = equation, .n = (int64_t)strlen(equation)};
    assert_int_equal(graph_add_attr(self->ctx, self->build.graph,
                                    (int32_t)self->build.graph->n_nodes - 1, &attr),
                     COSET_OK);
    return y;
}

static void test_einsum_with_a_matrix_is_a_product(void **state)
{
    (void)state;
    /* w (units, new), its transpose, and w on the left. */
    static const char *const equations[] = {"bi,ij->bj", "bi,ji->bj", "...i,ij->...j"};
    for (size_t e = 0; e < sizeof equations / sizeof *equations; e++) {
        fixture self = start(13);
        const int32_t w = build_constant(&self.build, "w", COSET_F32, "4 4", numbers);
        const int32_t h = einsum(&self, equations[e], self.hidden, w);
        finish(&self, h);
        const int in = e == 1 ? 1 : 0;
        assert_follows(&self, w, in, SLOT_CONSUMER);
        const label_slot *made = find_slot(&self, w, 1 - in);
        assert_non_null(made);
        assert_int_equal(made->role, SLOT_PRODUCER);
        const label_slot *read = find_slot(&self, last_weight(&self), 0);
        for (int i = 0; i < UNITS; i++) assert_int_equal(made->ids[i], read->ids[i]);
        stop(&self);
    }
    fixture self = start(13);
    const int32_t w = build_constant(&self.build, "w", COSET_F32, "4 4", numbers);
    finish(&self, einsum(&self, "ji,bi->bj", w, self.hidden));
    assert_follows(&self, w, 1, SLOT_CONSUMER);
    stop(&self);
}

static void test_other_einsums_freeze(void **state)
{
    (void)state;
    fixture self = start(13);
    const int32_t w = build_constant(&self.build, "w", COSET_F32, "2 4", numbers);
    finish(&self, einsum(&self, "bi,bi->bi", self.hidden, w)); /* scales every element */
    assert_frozen(&self, "no product with a matrix");
    stop(&self);
    self = start(13);
    const int32_t cube = build_constant(&self.build, "w", COSET_F32, "4 2 2", numbers);
    const int32_t heads = einsum(&self, "bi,ihk->bhk", self.hidden, cube);
    const int32_t axes = build_constant(&self.build, "shape", COSET_I64, "2", (int64_t[]){2, 4});
    finish(&self, build_op(&self.build, "Reshape", heads, axes, "h"));
    assert_frozen(&self, "no product with a matrix");
    stop(&self);
}

/* ---- recurrent layers ------------------------------------------------------------------------ */

/* Only what the layer reads is frozen: the head behind it keeps its units. */
static void test_recurrent_layers_freeze_what_they_read(void **state)
{
    (void)state;
    fixture self = start(13);
    const int32_t axes = build_constant(&self.build, "axes", COSET_I64, "1", (int64_t[]){1});
    const int32_t steps = build_op(&self.build, "Unsqueeze", self.hidden, axes, "steps");
    const int32_t inputs[3] = {steps, build_constant(&self.build, "w", COSET_F32, "1 3 4", numbers),
                               build_constant(&self.build, "r", COSET_F32, "1 3 1", numbers)};
    const int32_t made[2] = {build_value(&self.build, "all"), build_value(&self.build, "last")};
    build_node_n(&self.build, "", "GRU", inputs, 3, made, 2);
    const int32_t wide = build_constant(&self.build, "wide", COSET_F32, "1 4", numbers);
    const int32_t head = build_op(&self.build, "MatMul", made[1], wide, "head");
    finish(&self, head);
    assert_frozen(&self, "recurrent");
    const label_slot *slot = find_slot(&self, wide, 1);
    assert_non_null(slot);
    assert_null(labels_frozen(self.set, slot->ids[0], NULL));
    stop(&self);
}

static void test_scalar_operand_has_no_slot(void **state)
{
    (void)state;
    fixture self = start(13);
    const int32_t c = build_constant(&self.build, "c", COSET_F32, "1", numbers);
    finish(&self, build_op(&self.build, "Mul", self.hidden, c, "h"));
    assert_null(find_slot(&self, c, 0));
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    stop(&self);
}

static void test_two_activations_unite(void **state)
{
    (void)state;
    fixture self = start(13);
    const int32_t v = build_constant(&self.build, "v", COSET_F32, "3 4", numbers);
    const int32_t other = build_op(&self.build, "MatMul", self.build.graph->inputs[0], v, "other");
    finish(&self, build_op(&self.build, "Add", self.hidden, other, "h"));
    assert_follows(&self, v, 1, SLOT_PRODUCER);
    stop(&self);
}

/* ---- normalisation and bounds ---------------------------------------------------------------- */

static int32_t batch_norm(fixture *self, const int32_t *params)
{
    const int32_t inputs[5] = {self->hidden, params[0], params[1], params[2], params[3]};
    const int32_t h = build_value(&self->build, "h");
    build_node_n(&self->build, "", "BatchNormalization", inputs, 5, &h, 1);
    return h;
}

static void test_batchnormalization_parameters_follow_units(void **state)
{
    (void)state;
    static const char *const names[4] = {"scale", "bias", "mean", "var"};
    for (int64_t opset = 7; opset <= 15; opset++) {
        fixture self = start(opset);
        int32_t params[4];
        for (int i = 0; i < 4; i++)
            params[i] = build_constant(&self.build, names[i], COSET_F32, "4", numbers);
        finish(&self, batch_norm(&self, params));
        for (int i = 0; i < 4; i++) assert_follows(&self, params[i], 0, SLOT_SCALE);
        assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
        stop(&self);
    }
}

static void test_batchnormalization_with_computed_parameters_freezes(void **state)
{
    (void)state;
    static const char *const names[4] = {"", "bias", "mean", "var"};
    fixture self = start(15);
    int32_t params[4] = {build_input(&self.build, "scale", COSET_F32, "4")};
    for (int i = 1; i < 4; i++)
        params[i] = build_constant(&self.build, names[i], COSET_F32, "4", numbers);
    finish(&self, batch_norm(&self, params));
    assert_frozen(&self, "BatchNormalization");
    stop(&self);
}

static void test_clip_freezes_what_bounds_depend_on(void **state)
{
    (void)state;
    fixture self = start(11);
    const int32_t unit = build_constant(&self.build, "unit", COSET_F32, "3 1", numbers);
    const int32_t x = build_input(&self.build, "one row", COSET_F32, "1 3");
    const int32_t low = build_op(&self.build, "MatMul", x, unit, "low");
    const int32_t h = build_value(&self.build, "h");
    build_node_n(&self.build, "", "Clip", (const int32_t[]){self.hidden, low}, 2, &h, 1);
    finish(&self, h);
    assert_follows(&self, last_weight(&self), 0, SLOT_CONSUMER);
    const label_slot *slot = find_slot(&self, unit, 1);
    assert_non_null(slot);
    assert_non_null(labels_frozen(self.set, slot->ids[0], NULL));
    stop(&self);
}

/* Nothing is known of x; parameters of different sizes cannot be checked against it. */
static void test_channels_of_unknown_number(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        fixture self = start(13);
        const int32_t x = build_input(&self.build, "image", COSET_F32, "? ? ? ?");
        const int32_t up = build_constant(&self.build, "up", COSET_F32, "2 1 1 1", numbers);
        const int32_t z = build_op(&self.build, "Foo", x, -1, "anything");
        self.build.graph->values[z].shape = build_shape("1 ? ? ?");
        const int32_t s = build_constant(&self.build, "s", COSET_F32, "2", numbers);
        const int32_t b = build_constant(&self.build, "b", COSET_F32, wide ? "31" : "2", numbers);
        const int32_t inputs[3] = {z, s, b};
        int32_t y = build_value(&self.build, "normalised");
        build_node_n(&self.build, "", "InstanceNormalization", inputs, 3, &y, 1);
        build_output(&self.build, build_op(&self.build, "Conv", y, up, "z"));
        finish(&self, self.hidden);
        assert_int_equal(find_slot(&self, s, 0) != NULL, !wide);
        stop(&self);
    }
}

/* What an operator without inference makes of constants is a weight of unknown size. */
static void test_weights_of_unknown_shape_freeze(void **state)
{
    (void)state;
    static const struct {
        const char *type, *dims;
    } cases[] = {{"MatMul", "4 ?"}, {"MatMul", "? ? 4 2"}, {"MatMul", "? 2"}, {"Gemm", "4 ?"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        fixture self = start(13);
        const int32_t c = build_constant(&self.build, "c", COSET_F32, "4 2", numbers);
        const int32_t w = build_op(&self.build, "Foo", c, -1, "w");
        self.build.graph->values[w].shape = build_shape(cases[k].dims);
        build_output(&self.build, build_op(&self.build, cases[k].type, self.hidden, w, "z"));
        finish(&self, self.hidden);
        const label_slot *producer = find_slot(&self, self.weight, 1);
        assert_non_null(labels_frozen(self.set, producer->ids[0], NULL));
        stop(&self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_of_unknown_number),
        cmocka_unit_test(test_weights_of_unknown_shape_freeze),
        cmocka_unit_test(test_unary_operators_pass_units),
        cmocka_unit_test(test_cast_passes_units),
        cmocka_unit_test(test_constant_operands_follow_units),
        cmocka_unit_test(test_scalar_operand_has_no_slot),
        cmocka_unit_test(test_two_activations_unite),
        cmocka_unit_test(test_where_passes_units),
        cmocka_unit_test(test_quantisation_with_one_scale_passes_units),
        cmocka_unit_test(test_quantisation_with_scales_of_units_freezes),
        cmocka_unit_test(test_einsum_with_a_matrix_is_a_product),
        cmocka_unit_test(test_other_einsums_freeze),
        cmocka_unit_test(test_recurrent_layers_freeze_what_they_read),
        cmocka_unit_test(test_batchnormalization_parameters_follow_units),
        cmocka_unit_test(test_batchnormalization_with_computed_parameters_freezes),
        cmocka_unit_test(test_clip_freezes_what_bounds_depend_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
