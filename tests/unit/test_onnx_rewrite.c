/* Changed graphs written back: what changed is new, everything else is as it was. */
#include <onnx.pb-c.h>

#include "graph/ir.h"
#include "support/build.h"

/* ---- helpers ----------------------------------------------------------------------------------- */

static coset_graph *load_seed(coset_ctx *ctx, const char *name)
{
    char path[4096];
    coset_graph *graph = NULL, *clone = NULL;
    const char *source = getenv("COSET_SOURCE");
    snprintf(path, sizeof path, "%s/fuzz/corpus/onnx/%s", source != NULL ? source : ".", name);
    if (coset_graph_load(ctx, path, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(graph_clone(ctx, graph, &clone), COSET_OK);
    coset_graph_free(ctx, graph);
    return clone;
}

static int32_t value_named(const coset_graph *graph, const char *name)
{
    for (int64_t i = 0; i < graph->n_values; i++)
        if (strcmp(graph->values[i].name, name) == 0) return (int32_t)i;
    fail_msg("no value '%s'", name);
    return -1;
}

static int32_t node_named(const coset_graph *graph, const char *name)
{
    for (int64_t i = 0; i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) return (int32_t)i;
    fail_msg("no node '%s'", name);
    return -1;
}

static void remove_node(coset_graph *graph, int32_t id)
{
    for (int32_t k = 0; k < graph->nodes[id].n_attrs; k++) assert_null(graph->nodes[id].attrs[k].t);
    graph->n_nodes--;
    for (int64_t i = id; i < graph->n_nodes; i++) graph->nodes[i] = graph->nodes[i + 1];
    graph->changed = true;
}

/* A float tensor that counts up from `first`. */
static tensor *counting(coset_ctx *ctx, coset_dtype dtype, const char *dims, double first)
{
    tensor *made = NULL;
    shape known = build_shape(dims);
    int64_t n = shape_product(&known, 0, known.rank);
    double *values = doubles(n);
    for (int64_t i = 0; i < n; i++) values[i] = first + (double)i;
    assert_int_equal(tensor_from_f64(ctx, dtype, &known, values, &made), COSET_OK);
    free(values);
    return made;
}

static void set_counting(coset_ctx *ctx, coset_graph *graph, const char *name, const char *dims)
{
    int32_t value = value_named(graph, name);
    tensor *made = counting(ctx, graph->values[value].constant->dtype, dims, 1);
    graph_set_constant(ctx, graph, value, made);
    tensor_release(ctx, made);
}

/* Checks, writes a file for the judge, and unpacks what was written. Frees the graph. */
static Onnx__ModelProto *written(coset_ctx *ctx, coset_graph *graph, const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    coset_graph *again = NULL;
    if (graph_check(ctx, graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(coset_graph_save(ctx, graph, path), COSET_OK);
    assert_int_equal(coset_graph_encode(ctx, graph, &bytes, &size), COSET_OK);
    if (coset_graph_load(ctx, path, &again) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(again->file_bytes, size);
    Onnx__ModelProto *proto = onnx__model_proto__unpack(NULL, size, bytes);
    assert_non_null(proto);
    coset_memory_free(ctx, bytes);
    coset_graph_free(ctx, again);
    coset_graph_free(ctx, graph);
    return proto;
}

static const Onnx__TensorProto *initialiser(const Onnx__ModelProto *proto, const char *name)
{
    for (size_t i = 0; i < proto->graph->n_initializer; i++)
        if (strcmp(proto->graph->initializer[i]->name, name) == 0)
            return proto->graph->initializer[i];
    return NULL;
}

static const Onnx__TensorShapeProto *shape_in(Onnx__ValueInfoProto *const *infos, size_t n,
                                              const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(infos[i]->name, name) == 0) return infos[i]->type->tensor_type->shape;
    return NULL;
}

/* ---- constants --------------------------------------------------------------------------------- */

/* Fewer hidden units: weights, their type, and the declared shapes of what lies between. */
static void weights_shrink(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense.onnx");
    set_counting(ctx, graph, "w1", "3 4");
    set_counting(ctx, graph, "b1", "3");
    set_counting(ctx, graph, "w2", "2 3");
    graph->values[value_named(graph, "h")].shape.dims[1] = 3;
    graph->values[value_named(graph, "r")].shape = SHAPE_UNKNOWN;
    Onnx__ModelProto *proto = written(ctx, graph, "shrunk.onnx");
    const Onnx__TensorProto *w1 = initialiser(proto, "w1");
    assert_int_equal(proto->graph->n_initializer, 4);
    assert_ptr_equal(w1, proto->graph->initializer[0]);
    assert_int_equal(w1->n_dims, 2);
    assert_int_equal(w1->dims[0], 3);
    assert_int_equal(w1->data_type, COSET_F32);
    assert_int_equal(w1->raw_data.len, 48);
    assert_memory_equal(w1->raw_data.data + 4, (float[]){2}, 4);
    assert_int_equal(initialiser(proto, "b2")->raw_data.len, 8);
    assert_int_equal(proto->graph->n_value_info, 1);
    const Onnx__TensorShapeProto *h = shape_in(proto->graph->value_info, 1, "h");
    assert_string_equal(h->dim[0]->dim_param, "batch");
    assert_int_equal(h->dim[1]->dim_value, 3);
    assert_int_equal(proto->graph->n_node, 3);
    onnx__model_proto__free_unpacked(proto, NULL);
}

static void types_and_notes_stay(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "half.onnx");
    set_counting(ctx, graph, "b", "3"); /* was in int32_data */
    Onnx__ModelProto *proto = written(ctx, graph, "half.onnx");
    const Onnx__TensorProto *b = initialiser(proto, "b");
    assert_int_equal(b->data_type, COSET_F16);
    assert_int_equal(b->n_int32_data, 0);
    assert_int_equal(b->raw_data.len, 6);
    assert_memory_equal(b->raw_data.data, ((uint16_t[]){0x3C00, 0x4000, 0x4200}), 6);
    onnx__model_proto__free_unpacked(proto, NULL);
    graph = load_seed(ctx, "metadata.onnx");
    set_counting(ctx, graph, "w", "4 3");
    graph->values[value_named(graph, "x")].shape.dims[1] = 4;
    proto = written(ctx, graph, "metadata.onnx");
    const Onnx__GraphProto *body = proto->graph;
    assert_string_equal(initialiser(proto, "w")->doc_string, "weights doc");
    assert_int_equal(proto->n_metadata_props, 2);
    assert_string_equal(proto->metadata_props[1]->value, "none");
    assert_string_equal(proto->producer_name, "seed");
    assert_string_equal(proto->producer_version, "1.2");
    assert_string_equal(proto->domain, "org.example");
    assert_int_equal(proto->model_version, 7);
    assert_string_equal(proto->doc_string, "A model with everything written on it.");
    assert_string_equal(body->doc_string, "graph doc");
    assert_string_equal(body->node[0]->doc_string, "node doc");
    assert_string_equal(body->input[0]->doc_string, "input doc");
    assert_string_equal(body->input[0]->type->denotation, "TENSOR");
    assert_string_equal(body->input[0]->type->tensor_type->shape->dim[0]->denotation, "DATA_BATCH");
    assert_int_equal(body->n_quantization_annotation, 1);
    /* Fields that this schema does not know yet. */
    assert_int_equal(body->base.n_unknown_fields, 1);
    assert_int_equal(body->node[0]->base.n_unknown_fields, 1);
    onnx__model_proto__free_unpacked(proto, NULL);
}

static void constant_nodes_change(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "constants.onnx");
    set_counting(ctx, graph, "w", "4 3");
    set_counting(ctx, graph, "row", "3"); /* was value_floats */
    Onnx__ModelProto *proto = written(ctx, graph, "constants.onnx");
    int found = 0;
    for (size_t i = 0; i < proto->graph->n_node; i++) {
        const Onnx__NodeProto *node = proto->graph->node[i];
        bool is_row = strcmp(node->output[0], "row") == 0;
        if (!is_row && strcmp(node->output[0], "w") != 0) continue;
        assert_int_equal(node->n_attribute, 1);
        assert_string_equal(node->attribute[0]->name, "value");
        assert_int_equal(node->attribute[0]->type, 4);
        assert_int_equal(node->attribute[0]->t->raw_data.len, is_row ? 12 : 48);
        assert_int_equal(node->attribute[0]->n_floats, 0);
        found++;
    }
    assert_int_equal(found, 2);
    assert_int_equal(proto->graph->n_initializer, 0);
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* ---- nodes ------------------------------------------------------------------------------------- */

/* A change of each kind of attribute; those that did not change stay as they were. */
static void attributes_change(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense.onnx");
    int32_t id = node_named(graph, "fc1");
    const char *const strings[] = {"p", "q"};
    const float floats[] = {1, 2};
    const int64_t ints[] = {3};
    const graph_attr added[] = {
        {.name = "alpha", .kind = ATTR_FLOAT, .f = 2},
        {.name = "my_text", .kind = ATTR_STRING, .s = "hello", .n = 5},
        {.name = "my_texts", .kind = ATTR_STRINGS, .strings = strings, .n = 2},
        {.name = "my_floats", .kind = ATTR_FLOATS, .floats = floats, .n = 2},
        {.name = "my_ints", .kind = ATTR_INTS, .ints = ints, .n = 1},
        {.name = "my_tensor", .kind = ATTR_TENSOR, .t = counting(ctx, COSET_F64, "2", 1)},
    };
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
        assert_int_equal(graph_add_attr(ctx, graph, id, &added[i]), COSET_OK);
    tensor_release(ctx, added[5].t);
    graph->nodes[id].attrs[0].i = 1;
    graph->nodes[id].attrs[0].changed = true;
    Onnx__ModelProto *proto = written(ctx, graph, "attributes.bin");
    Onnx__AttributeProto *const *attrs = proto->graph->node[0]->attribute;
    assert_int_equal(proto->graph->node[0]->n_attribute, 7);
    assert_string_equal(attrs[0]->name, "transB");
    assert_int_equal(attrs[0]->i, 1);
    assert_true(attrs[1]->type == 1 && attrs[1]->f == 2);
    assert_memory_equal(attrs[2]->s.data, "hello", 5);
    assert_int_equal(attrs[3]->n_strings, 2);
    assert_true(attrs[4]->floats[1] == 2);
    assert_int_equal(attrs[5]->ints[0], 3);
    assert_int_equal(attrs[6]->t->raw_data.len, 16);
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* The activation between two layers goes; the node behind it reads from in front of it. */
static void nodes_vanish_and_inputs_move(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense.onnx");
    remove_node(graph, node_named(graph, "relu"));
    graph_node *last = &graph->nodes[node_named(graph, "fc2")];
    last->inputs[0] = value_named(graph, "h");
    last->rewired = true;
    Onnx__ModelProto *proto = written(ctx, graph, "linear.onnx");
    assert_int_equal(proto->graph->n_node, 2);
    assert_string_equal(proto->graph->node[1]->input[0], "h");
    assert_string_equal(proto->graph->node[1]->name, "fc2");
    /* "r" is no more, and so its entry is not either. */
    assert_int_equal(proto->graph->n_value_info, 1);
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* A bias that nothing reads any more vanishes; from IR 3 inputs, too. */
static void unread_initialisers_vanish(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense_ir3.onnx");
    graph->nodes[0].outputs[0] = value_named(graph, "y");
    graph->n_nodes = 1;
    graph->changed = true;
    Onnx__ModelProto *proto = written(ctx, graph, "no_bias.onnx");
    assert_int_equal(proto->graph->n_initializer, 1);
    assert_int_equal(proto->graph->n_input, 2);
    assert_null(initialiser(proto, "b1"));
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* New node and new initialiser: placed before the reader, listed as an input where IR 3 wants it. */
static void additions_are_placed(void **state)
{
    coset_ctx *ctx = *state;
    static const char *const seeds[] = {"dense.onnx", "dense_ir3.onnx"};
    for (int i = 0; i < 2; i++) {
        builder build = {ctx, load_seed(ctx, seeds[i])};
        const float scale = 0.5F;
        int32_t added = build_constant(&build, "scale", COSET_F32, "", &scale);
        int32_t scaled = build_op(&build, "Mul", value_named(build.graph, "x"), added, "scaled");
        build.graph->nodes[0].inputs[0] = scaled;
        build.graph->nodes[0].rewired = true;
        Onnx__ModelProto *proto = written(ctx, build.graph, i ? "added_ir3.onnx" : "added.onnx");
        assert_string_equal(proto->graph->node[0]->op_type, "Mul");
        assert_string_equal(proto->graph->node[1]->input[0], "scaled");
        assert_int_equal(initialiser(proto, "scale")->raw_data.len, 4);
        assert_int_equal(proto->graph->n_input, i ? 4 : 1);
        assert_int_equal(proto->n_opset_import, 1);
        onnx__model_proto__free_unpacked(proto, NULL);
    }
}

static void new_domains_are_imported(void **state)
{
    coset_ctx *ctx = *state;
    builder build = {ctx, load_seed(ctx, "dense.onnx")};
    int32_t y = value_named(build.graph, "y"), z = build_value(&build, "z");
    build_node_n(&build, "com.microsoft", "Gelu", &y, 1, &z, 1);
    build_output(&build, z);
    build.graph->values[z].dtype = COSET_F32;
    Onnx__ModelProto *proto = written(ctx, build.graph, "gelu.bin");
    assert_int_equal(proto->n_opset_import, 2);
    assert_string_equal(proto->opset_import[1]->domain, "com.microsoft");
    assert_int_equal(proto->opset_import[1]->version, 1);
    assert_int_equal(proto->graph->n_output, 2);
    assert_string_equal(proto->graph->output[1]->name, "z");
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* What a subgraph reads stays, although no node of the main graph reads it. */
static void captured_initialisers_stay(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "if_subgraph.onnx");
    set_counting(ctx, graph, "w", "4 3");
    Onnx__ModelProto *proto = written(ctx, graph, "if_subgraph.onnx");
    assert_non_null(initialiser(proto, "w"));
    assert_non_null(proto->graph->node[0]->attribute[0]->g);
    onnx__model_proto__free_unpacked(proto, NULL);
    graph = load_seed(ctx, "sparse.onnx");
    graph->changed = true;
    proto = written(ctx, graph, "sparse.bin");
    assert_int_equal(proto->graph->n_sparse_initializer, 1);
    onnx__model_proto__free_unpacked(proto, NULL);
}

static void shapes_of_outputs_change(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense.onnx");
    graph_value *y = &graph->values[value_named(graph, "y")];
    y->shape = (shape){.rank = 3, .dims = {-1, 1, 2}};
    static const char *const names[] = {"rows", NULL, NULL};
    y->dim_names = names;
    graph->values[value_named(graph, "x")].shape = SHAPE_UNKNOWN;
    graph->changed = true;
    Onnx__ModelProto *proto = written(ctx, graph, "shapes.bin");
    const Onnx__TensorShapeProto *dims = shape_in(proto->graph->output, 1, "y");
    assert_int_equal(dims->n_dim, 3);
    assert_string_equal(dims->dim[0]->dim_param, "rows");
    assert_int_equal(dims->dim[1]->dim_value, 1);
    /* An input must have a shape: of unknown rank, it keeps the rank alone. */
    dims = shape_in(proto->graph->input, 1, "x");
    assert_int_equal(dims->n_dim, 2);
    assert_int_equal(dims->dim[1]->value_case, 0);
    assert_int_equal(proto->graph->n_input, 1);
    assert_int_equal(proto->graph->input[0]->type->tensor_type->elem_type, COSET_F32);
    onnx__model_proto__free_unpacked(proto, NULL);
}

/* ---- graphs that no file gave ------------------------------------------------------------------ */

static void built_graphs_are_written(void **state)
{
    for (int64_t opset = 7; opset <= 21; opset++) {
        builder build = build_start(*state, opset);
        const float w[] = {1, 2, 3, 4, 5, 6};
        int32_t x = build_input(&build, "x", COSET_F32, "? 2");
        int32_t weight = build_constant(&build, "w", COSET_F32, "2 3", w);
        int32_t y = build_op(&build, "MatMul", x, weight, "y");
        build.graph->values[y].dtype = COSET_F32;
        build.graph->values[y].shape = build_shape("? 3");
        build_output(&build, y);
        char path[32];
        snprintf(path, sizeof path, "built_%d.onnx", (int)opset);
        Onnx__ModelProto *proto = written(*state, build.graph, path);
        assert_int_equal(proto->opset_import[0]->version, opset);
        assert_true(proto->ir_version >= 4 && proto->ir_version <= 10);
        assert_memory_equal(initialiser(proto, "w")->raw_data.data, w, sizeof w);
        assert_int_equal(proto->graph->n_input, 1);
        onnx__model_proto__free_unpacked(proto, NULL);
    }
}

/* The source lives as long as any clone does. */
static void unchanged_clones_are_the_file(void **state)
{
    void *first = NULL, *second = NULL;
    size_t sizes[2] = {0, 0};
    coset_graph *one = load_seed(*state, "types.onnx"), *two = NULL;
    assert_int_equal(graph_check(*state, one), COSET_OK);
    assert_int_equal(coset_graph_encode(*state, one, &first, &sizes[0]), COSET_OK);
    assert_int_equal(graph_clone(*state, one, &two), COSET_OK);
    coset_graph_free(*state, one);
    assert_int_equal(coset_graph_encode(*state, two, &second, &sizes[1]), COSET_OK);
    assert_int_equal(sizes[0], sizes[1]);
    assert_int_equal(sizes[0], two->file_bytes);
    assert_memory_equal(first, second, sizes[0]);
    coset_memory_free(*state, first);
    coset_memory_free(*state, second);
    coset_graph_free(*state, two);
}

/* ---- what cannot be written -------------------------------------------------------------------- */

static void failures_leave_files_alone(void **state)
{
    coset_ctx *ctx = *state;
    coset_graph *graph = load_seed(ctx, "dense.onnx");
    assert_int_equal(graph_check(ctx, graph), COSET_OK);
    assert_int_equal(coset_graph_save(ctx, graph, "no/such/folder/model.onnx"), COSET_EIO);
    assert_non_null(strstr(coset_ctx_error(ctx), "no/such/folder"));
    graph_attr other = {.name = "body", .kind = ATTR_OTHER};
    assert_int_equal(graph_add_attr(ctx, graph, 0, &other), COSET_OK);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(coset_graph_encode(ctx, graph, &bytes, &size), COSET_EARGUMENT);
    assert_null(bytes);
    assert_int_equal(size, 0);
    assert_non_null(strstr(coset_ctx_error(ctx), "node 'fc1'"));
    coset_graph_free(ctx, graph);
}

/* 130 initialisers that share 16 MB of data: over 2 GB once written. */
static void two_gigabytes_are_the_limit(void **state)
{
    enum { VALUES = 130 };
    coset_ctx *ctx = *state;
    builder build = build_start(ctx, 13);
    tensor *shared = NULL;
    shape dims = build_shape("4096 1024");
    int32_t ids[VALUES], sum = build_value(&build, "sum");
    void *bytes = NULL;
    size_t size = 0;
    char name[16];
    assert_int_equal(tensor_new(ctx, COSET_F32, &dims, NULL, 0, &shared), COSET_OK);
    for (int i = 0; i < VALUES; i++) {
        snprintf(name, sizeof name, "w%d", i);
        ids[i] = build_value(&build, name);
        graph_set_constant(ctx, build.graph, ids[i], shared);
    }
    tensor_release(ctx, shared);
    build_node_n(&build, "org.example", "Sum", ids, VALUES, &sum, 1);
    build_output(&build, sum);
    build_finish(&build);
    assert_int_equal(coset_graph_encode(ctx, build.graph, &bytes, &size), COSET_ELIMIT);
    assert_null(bytes);
    assert_non_null(strstr(coset_ctx_error(ctx), "at most 2 GB"));
    assert_int_equal(coset_graph_save(ctx, build.graph, "vast.bin"), COSET_ELIMIT);
    coset_graph_free(ctx, build.graph);
}

/* An initialiser without data that no file gave cannot be written. */
static void empty_initialisers_are_refused(void **state)
{
    builder build = build_start(*state, 13);
    int32_t w = build_value(&build, "w");
    build.graph->values[w].is_initialiser = true;
    build_output(&build, build_op(&build, "Relu", w, -1, "y"));
    build_finish(&build);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(coset_graph_encode(*state, build.graph, &bytes, &size), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(*state), "initialiser 'w' has no data"));
    coset_graph_free(*state, build.graph);
}

static int start(void **state)
{
    coset_ctx *ctx = NULL;
    int failed = coset_ctx_new(NULL, &ctx) != COSET_OK;
    *state = ctx;
    return failed;
}

static int end(void **state)
{
    coset_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_shrink, start, end),
        cmocka_unit_test_setup_teardown(types_and_notes_stay, start, end),
        cmocka_unit_test_setup_teardown(constant_nodes_change, start, end),
        cmocka_unit_test_setup_teardown(attributes_change, start, end),
        cmocka_unit_test_setup_teardown(nodes_vanish_and_inputs_move, start, end),
        cmocka_unit_test_setup_teardown(unread_initialisers_vanish, start, end),
        cmocka_unit_test_setup_teardown(additions_are_placed, start, end),
        cmocka_unit_test_setup_teardown(new_domains_are_imported, start, end),
        cmocka_unit_test_setup_teardown(captured_initialisers_stay, start, end),
        cmocka_unit_test_setup_teardown(shapes_of_outputs_change, start, end),
        cmocka_unit_test_setup_teardown(built_graphs_are_written, start, end),
        cmocka_unit_test_setup_teardown(unchanged_clones_are_the_file, start, end),
        cmocka_unit_test_setup_teardown(failures_leave_files_alone, start, end),
        cmocka_unit_test_setup_teardown(two_gigabytes_are_the_limit, start, end),
        cmocka_unit_test_setup_teardown(empty_initialisers_are_refused, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
