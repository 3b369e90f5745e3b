/* Label rules of pooling, normalisation, reductions and selections. The graphs are x [2, 3, 5, 5] -> MatMul
 * -> one operator, the units of the MatMul [5, 4] being moved by a Transpose to the axis asked for. */
#include "support/build.h"

#include "graph/labels.h"

enum { UNITS = 4 };

static const float numbers[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

typedef struct fixture {
    coset_ctx *ctx;
    builder build;
    graph_facts *facts;
    label_set *set;
    int32_t weight, hidden, node;
} fixture;

static void add_ints(fixture *self, const char *name, const int64_t *values, int64_t n)
{
    const graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    assert_int_equal(graph_add_attr(self->ctx, self->build.graph, self->node, &attr), COSET_OK);
}

/* Units along axis `axis` of a hidden value [2, 3, 5, 4] whose axes are permuted. */
static fixture start(int64_t opset, int axis)
{
    fixture self = {0};
    int64_t perm[4] = {0, 1, 2, 3};
    assert_int_equal(coset_ctx_new(NULL, &self.ctx), COSET_OK);
    self.build = build_start(self.ctx, opset);
    const int32_t x = build_input(&self.build, "x", COSET_F32, "2 3 5 5");
    self.weight = build_constant(&self.build, "weight", COSET_F32, "5 4", numbers);
    const int32_t made = build_op(&self.build, "MatMul", x, self.weight, "made");
    self.hidden = build_value(&self.build, "hidden");
    self.node = build_node_n(&self.build, "", "Transpose", &made, 1, &self.hidden, 1);
    perm[axis] = 3;
    perm[3] = axis;
    add_ints(&self, "perm", perm, 4);
    return self;
}

/* One node that reads the hidden value and `n` more, with so many outputs. */
static void apply(fixture *self, const char *type, const int32_t *more, int n, int n_out)
{
    int32_t inputs[5] = {self->hidden}, outputs[3];
    for (int i = 0; i < n; i++) inputs[1 + i] = more[i];
    for (int o = 0; o < n_out; o++) {
        char name[16];
        snprintf(name, sizeof name, "out %d", o);
        outputs[o] = build_value(&self->build, name);
    }
    self->node = build_node_n(&self->build, "", type, inputs, n + 1, outputs, n_out);
}

/* Labels are taken where nothing reads the result: outputs of the graph are frozen, so an Identity of the
 * input is the output. */
static void finish(fixture *self)
{
    build_output(&self->build,
                 build_op(&self->build, "Identity", self->build.graph->inputs[0], -1, "end"));
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

static int32_t find_value(const fixture *self, const char *name)
{
    for (int32_t v = 0; v < self->build.graph->n_values; v++)
        if (strcmp(self->build.graph->values[v].name, name) == 0) return v;
    fail_msg("there is no %s", name);
    return -1;
}

static const label_slot *find_slot(const fixture *self, int32_t value, int axis)
{
    const label_slot *slots = NULL;
    const int64_t n = labels_slots(self->set, &slots);
    for (int64_t i = 0; i < n; i++)
        if (slots[i].value == value && slots[i].axis == axis) return &slots[i];
    return NULL;
}

/* The units of the weight are free and lie along `axis` of output `o` alone. */
static void assert_passes(const fixture *self, int o, int axis)
{
    char name[16];
    const label_slot *producer = find_slot(self, self->weight, 1);
    snprintf(name, sizeof name, "out %d", o);
    const label_array *labels = labels_of(self->set, find_value(self, name));
    assert_non_null(producer);
    for (int a = 0; a < labels->rank; a++) assert_int_equal(labels->dims[a], a == axis ? UNITS : 1);
    for (int i = 0; i < UNITS; i++) {
        assert_null(labels_frozen(self->set, producer->ids[i], NULL));
        assert_int_equal(labels->ids[i], producer->ids[i]);
    }
}

static void assert_frozen(const fixture *self, const char *reason)
{
    const label_slot *producer = find_slot(self, self->weight, 1);
    for (int i = 0; i < UNITS; i++) {
        const char *why = labels_frozen(self->set, producer->ids[i], NULL);
        assert_non_null(why);
        if (strstr(why, reason) == NULL) fail_msg("'%s' does not say '%s'", why, reason);
    }
}

static void assert_scales(const fixture *self, int32_t value)
{
    const label_slot *producer = find_slot(self, self->weight, 1);
    const label_slot *slot = find_slot(self, value, 0);
    assert_non_null(slot);
    assert_int_equal(slot->role, SLOT_SCALE);
    assert_int_equal(slot->size, UNITS);
    for (int i = 0; i < UNITS; i++) assert_int_equal(slot->ids[i], producer->ids[i]);
}

/* ---- pooling ---------------------------------------------------------------------------------- */

static void pooling(void **state)
{
    (void)state;
    static const char *const types[] = {"MaxPool", "AveragePool", "LpPool"};
    static const int64_t kernel[2] = {1, 2};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int axis = 0; axis < 4; axis++) {
            fixture self = start(18, axis);
            apply(&self, types[t], NULL, 0, 1);
            add_ints(&self, "kernel_shape", kernel, 2);
            finish(&self);
            if (axis == 3) /* the other spatial axis is not pooled */
                assert_frozen(&self, "pooled over its units");
            else
                assert_passes(&self, 0, axis);
            stop(&self);
        }
}

static void pooling_with_strides_or_pads(void **state)
{
    (void)state;
    static const int64_t one[2] = {1, 1}, two[2] = {2, 1}, pads[4] = {0, 0, 1, 0};
    for (int k = 0; k < 2; k++) {
        fixture self = start(18, 2);
        apply(&self, "MaxPool", NULL, 0, 1);
        add_ints(&self, "kernel_shape", one, 2);
        if (k == 0)
            add_ints(&self, "strides", two, 2);
        else
            add_ints(&self, "pads", pads, 4);
        finish(&self);
        assert_frozen(&self, "pooled over its units");
        stop(&self);
    }
}

static void places_of_pooling(void **state)
{
    (void)state;
    static const int64_t kernel[2] = {2, 2};
    fixture self = start(18, 1);
    apply(&self, "MaxPool", NULL, 0, 2);
    add_ints(&self, "kernel_shape", kernel, 2);
    finish(&self);
    assert_frozen(&self, "its places are asked for");
    stop(&self);
}

static void global_pooling(void **state)
{
    (void)state;
    static const char *const types[] = {"GlobalAveragePool", "GlobalMaxPool"};
    for (int t = 0; t < 2; t++)
        for (int axis = 0; axis < 4; axis++) {
            fixture self = start(18, axis);
            apply(&self, types[t], NULL, 0, 1);
            finish(&self);
            if (axis < 2)
                assert_passes(&self, 0, axis);
            else
                assert_frozen(&self, "pooled over its units");
            stop(&self);
        }
}

/* ---- normalisation ---------------------------------------------------------------------------- */

/* Constants of one axis: parameters named 'p 0', ... */
static void add_parameters(fixture *self, int n, const char *dims, int32_t *values)
{
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "p %d", i);
        values[i] = build_constant(&self->build, name, COSET_F32, dims, numbers);
    }
}

static void instances(void **state)
{
    (void)state;
    static const char *const types[] = {"InstanceNormalization", "BatchNormalization"};
    for (int t = 0; t < 2; t++) {
        const int n = t == 0 ? 2 : 4;
        int32_t values[4];
        fixture self = start(18, 1);
        add_parameters(&self, n, "4", values);
        apply(&self, types[t], values, n, 1);
        finish(&self);
        assert_passes(&self, 0, 1);
        for (int i = 0; i < n; i++) assert_scales(&self, values[i]);
        stop(&self);
        self = start(18, 1); /* a scale that is computed */
        add_parameters(&self, n, "4", values);
        values[0] = build_input(&self.build, "given", COSET_F32, "4");
        apply(&self, types[t], values, n, 1);
        finish(&self);
        assert_frozen(&self, "without constant parameters");
        stop(&self);
    }
}

/* Units along a spatial axis: BatchNormalization treats them alike, InstanceNormalization mixes them. */
static void units_beside_channels(void **state)
{
    (void)state;
    int32_t values[4];
    fixture self = start(18, 3);
    add_parameters(&self, 2, "3", values);
    apply(&self, "InstanceNormalization", values, 2, 1);
    finish(&self);
    assert_frozen(&self, "normalised over its units");
    stop(&self);
    self = start(18, 3);
    add_parameters(&self, 4, "3", values);
    apply(&self, "BatchNormalization", values, 4, 1);
    finish(&self);
    assert_passes(&self, 0, 3);
    for (int i = 0; i < 4; i++) assert_null(find_slot(&self, values[i], 0));
    stop(&self);
}

static void layers_and_groups(void **state)
{
    (void)state;
    for (int axis = 0; axis < 4; axis++) {
        int32_t values[2];
        fixture self = start(21, axis);
        add_parameters(&self, 2, "1", values);
        apply(&self, "LayerNormalization", values, 2, 3);
        build_int_attr(&self.build, self.node, "axis", 2);
        finish(&self);
        if (axis < 2)
            for (int o = 0; o < 3; o++) assert_passes(&self, o, axis);
        else
            assert_frozen(&self, "normalised over its units");
        stop(&self);
        self = start(21, axis);
        add_parameters(&self, 2, axis == 1 ? "4" : "3", values);
        apply(&self, "GroupNormalization", values, 2, 1);
        build_int_attr(&self.build, self.node, "num_groups", 1);
        finish(&self);
        if (axis == 0)
            assert_passes(&self, 0, 0);
        else
            assert_frozen(&self, "over groups of its units");
        stop(&self);
    }
}

static void along_one_axis(void **state)
{
    (void)state;
    for (int axis = 0; axis < 4; axis++) {
        fixture self = start(18, axis);
        apply(&self, "LRN", NULL, 0, 1);
        build_int_attr(&self.build, self.node, "size", 3);
        finish(&self);
        if (axis == 1)
            assert_frozen(&self, "normalised over its units");
        else
            assert_passes(&self, 0, axis);
        stop(&self);
        self = start(18, axis);
        apply(&self, "LpNormalization", NULL, 0, 1);
        build_int_attr(&self.build, self.node, "axis", -2);
        finish(&self);
        if (axis == 2)
            assert_frozen(&self, "normalised over its units");
        else
            assert_passes(&self, 0, axis);
        stop(&self);
    }
}

/* ---- reductions and selections ---------------------------------------------------------------- */

static void reductions(void **state)
{
    (void)state;
    static const char *const types[] = {"ReduceMax",    "ReduceMin",       "ReduceL1",
                                        "ReduceL2",     "ReduceSumSquare", "ReduceProd",
                                        "ReduceLogSum", "ReduceLogSumExp"};
    static const int64_t axes[2] = {-1, 1};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int axis = 0; axis < 4; axis++)
            for (int form = 0; form < 2; form++) {
                fixture self = start(form == 0 ? 13 : 18, axis);
                int32_t given = -1;
                if (form == 1) given = build_constant(&self.build, "axes", COSET_I64, "2", axes);
                apply(&self, types[t], &given, form, 1);
                if (form == 0) add_ints(&self, "axes", axes, 2);
                build_int_attr(&self.build, self.node, "keepdims", 0);
                finish(&self);
                if (axis == 1 || axis == 3)
                    assert_frozen(&self, "reduced over its units");
                else
                    assert_passes(&self, 0, axis / 2);
                stop(&self);
            }
}

static void reduction_over_nothing(void **state)
{
    (void)state;
    fixture self = start(18, 1);
    apply(&self, "ReduceMax", NULL, 0, 1);
    build_int_attr(&self.build, self.node, "noop_with_empty_axes", 1);
    finish(&self);
    assert_passes(&self, 0, 1);
    stop(&self);
}

static void places(void **state)
{
    (void)state;
    for (int axis = 0; axis < 4; axis++) {
        fixture self = start(18, axis);
        apply(&self, "ArgMax", NULL, 0, 1);
        build_int_attr(&self.build, self.node, "axis", 2);
        build_int_attr(&self.build, self.node, "keepdims", 0);
        finish(&self);
        if (axis == 2)
            assert_frozen(&self, "place of one of its units");
        else
            assert_passes(&self, 0, axis > 2 ? axis - 1 : axis);
        stop(&self);
    }
}

static void best(void **state)
{
    (void)state;
    static const int64_t two = 2;
    for (int axis = 0; axis < 4; axis++) {
        fixture self = start(18, axis);
        const int32_t k = build_constant(&self.build, "k", COSET_I64, "1", &two);
        apply(&self, "TopK", &k, 1, 2);
        finish(&self);
        if (axis == 3) {
            assert_frozen(&self, "best of its units");
        } else {
            assert_passes(&self, 0, axis);
            assert_passes(&self, 1, axis);
        }
        stop(&self);
    }
}

static void running_sums(void **state)
{
    (void)state;
    static const int64_t one = 1;
    for (int axis = 0; axis < 4; axis++) {
        fixture self = start(18, axis);
        const int32_t along = build_constant(&self.build, "along", COSET_I64, "", &one);
        apply(&self, "CumSum", &along, 1, 1);
        finish(&self);
        if (axis == 1)
            assert_frozen(&self, "summed up one after another");
        else
            assert_passes(&self, 0, axis);
        stop(&self);
    }
    fixture self = start(18, 1);
    const int32_t along = build_input(&self.build, "along", COSET_I64, "");
    apply(&self, "CumSum", &along, 1, 1);
    finish(&self);
    assert_frozen(&self, "an axis that is computed");
    stop(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooling),
        cmocka_unit_test(pooling_with_strides_or_pads),
        cmocka_unit_test(places_of_pooling),
        cmocka_unit_test(global_pooling),
        cmocka_unit_test(instances),
        cmocka_unit_test(units_beside_channels),
        cmocka_unit_test(layers_and_groups),
        cmocka_unit_test(along_one_axis),
        cmocka_unit_test(reductions),
        cmocka_unit_test(reduction_over_nothing),
        cmocka_unit_test(places),
        cmocka_unit_test(best),
        cmocka_unit_test(running_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
