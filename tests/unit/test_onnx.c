/* Decoding: element types, constants, captures, opsets; every real model back byte for byte. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "graph/ir.h"
#include "onnx/model.h"
#include "onnx/onnx.h"
#include "support/wire.h"

/* ---- helpers ----------------------------------------------------------------------------------- */

static const coset_graph *decoded(coset_ctx *ctx, wire *model, coset_graph **graph_out)
{
    coset_status status =
        coset_graph_decode(ctx, model->bytes, model->size, "test", NULL, graph_out);
    free(model->bytes);
    if (status != COSET_OK) fail_msg("decode: %s", coset_ctx_error(ctx));
    return *graph_out;
}

static void assert_refused(coset_ctx *ctx, wire *model, coset_status expected, const char *text)
{
    coset_graph *graph = NULL;
    coset_status status = coset_graph_decode(ctx, model->bytes, model->size, "test", NULL, &graph);
    free(model->bytes);
    assert_null(graph);
    const char *found = coset_ctx_error(ctx);
    if (status != expected || strncmp(found, "test: ", 6) != 0 || strstr(found, text) == NULL)
        fail_msg("expected %s with '%s', found %s with '%s'", coset_status_name(expected), text,
                 coset_status_name(status), found);
}

static int32_t value_named(const coset_graph *graph, const char *name)
{
    for (int64_t i = 0; i < graph->n_values; i++)
        if (strcmp(graph->values[i].name, name) == 0) return (int32_t)i;
    fail_msg("no value '%s'", name);
    return -1;
}

static coset_graph *load_seed(coset_ctx *ctx, const char *name)
{
    char path[4096];
    coset_graph *graph = NULL;
    const char *source = getenv("COSET_SOURCE");
    snprintf(path, sizeof path, "%s/fuzz/corpus/onnx/%s", source != NULL ? source : ".", name);
    if (coset_graph_load(ctx, path, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return graph;
}

/* ---- every model that there is ----------------------------------------------------------------- */

/* Bytes alive and their peak; each allocation is preceded by its size. */
typedef struct peak_memory {
    size_t alive, peak;
} peak_memory;

enum { HEADER = 64 };

static void *peak_alloc(void *user, size_t alignment, size_t size)
{
    peak_memory *self = user;
    (void)alignment;
    uint8_t *memory = aligned_alloc(HEADER, (size + 2 * HEADER - 1) / HEADER * HEADER);
    if (memory == NULL) return NULL;
    memcpy(memory, &size, sizeof size);
    self->alive += size;
    if (self->alive > self->peak) self->peak = self->alive;
    return memory + HEADER;
}

static void peak_release(void *user, void *memory)
{
    size_t size = 0;
    memcpy(&size, (uint8_t *)memory - HEADER, sizeof size);
    ((peak_memory *)user)->alive -= size;
    free((uint8_t *)memory - HEADER);
}

typedef struct tally {
    int same, unsupported;
} tally;

/* As loaded: the same bytes. As if everything had changed: a model with as many nodes. */
static void round_trip(const char *path, tally *count)
{
    peak_memory memory = {0, 0};
    coset_allocator allocator = {peak_alloc, peak_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL, *clone = NULL, *again = NULL;
    file_view file = {0};
    void *bytes = NULL;
    size_t size = 0;
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    coset_status status = coset_graph_load(ctx, path, &graph);
    if (status == COSET_EUNSUPPORTED && strstr(coset_ctx_error(ctx), "opset") != NULL) {
        count->unsupported++;
        coset_ctx_free(ctx);
        return;
    }
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(file_map(ctx, path, &file), COSET_OK);
    assert_true(memory.peak <= 4 * file.size + HEAP_SLACK);
    assert_int_equal(coset_graph_encode(ctx, graph, &bytes, &size), COSET_OK);
    if (size != file.size || memcmp(bytes, file.bytes, size) != 0) fail_msg("%s differs", path);
    coset_memory_free(ctx, bytes);
    assert_int_equal(graph_clone(ctx, graph, &clone), COSET_OK);
    for (int64_t i = 0; i < clone->n_values; i++) clone->values[i].changed = true;
    clone->changed = true;
    assert_int_equal(graph_check(ctx, clone), COSET_OK);
    assert_int_equal(coset_graph_encode(ctx, clone, &bytes, &size), COSET_OK);
    status = coset_graph_decode(ctx, bytes, size, path, NULL, &again);
    if (status != COSET_OK) fail_msg("changed: %s", coset_ctx_error(ctx));
    assert_int_equal(again->n_nodes, graph->n_nodes);
    assert_int_equal(again->n_inputs, graph->n_inputs);
    coset_memory_free(ctx, bytes);
    coset_graph_free(ctx, again);
    coset_graph_free(ctx, clone);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
    file_unmap(&file);
    count->same++;
}

static void round_trip_folder(const char *folder, tally *count)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) fail_msg("%s cannot be read", folder);
    for (int i = 0; i < n; i++) {
        char path[4096];
        struct stat st;
        const char *name = entries[i]->d_name;
        size_t length = strlen(name);
        if (name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, name);
            assert_int_equal(stat(path, &st), 0);
            if (S_ISDIR(st.st_mode))
                round_trip_folder(path, count);
            else if (length > 5 && strcmp(name + length - 5, ".onnx") == 0 &&
                     strcmp(name, "external.onnx") != 0)
                round_trip(path, count);
        }
        free(entries[i]);
    }
    free(entries);
}

static void real_models_round_trip(void **state)
{
    (void)state;
    static const char *const variables[] = {"COSET_SOURCE", "COSET_ONNX_TESTDATA", "COSET_DATA"};
    static const char *const below[] = {"fuzz/corpus/onnx", "", "models"};
    for (int i = 0; i < 3; i++) {
        char folder[4096];
        tally count = {0, 0};
        const char *root = getenv(variables[i]);
        if (root == NULL) {
            print_message("SKIP: models in %s: it is not set\n", variables[i]);
            continue;
        }
        snprintf(folder, sizeof folder, "%s/%s", root, below[i]);
        round_trip_folder(folder, &count);
        print_message("%s: %d models the same, %d with an opset that is not supported\n", folder,
                      count.same, count.unsupported);
        assert_true(count.same > 0);
    }
}

/* ---- opsets ------------------------------------------------------------------------------------ */

static void opsets_are_checked(void **state)
{
    coset_graph *graph = NULL;
    for (int64_t opset = 6; opset <= 22; opset++) {
        wire body = wire_graph(), model = wire_model(&body, opset);
        if (opset == 6 || opset == 22) {
            assert_refused(*state, &model, COSET_EUNSUPPORTED,
                           opset == 6 ? "opset 6; opset 7 to 21" : "opset 22; opset 7 to 21");
            continue;
        }
        assert_int_equal(decoded(*state, &model, &graph)->opset, opset);
        coset_graph_free(*state, graph);
    }
}

static wire model_of_ir(int64_t ir, const char *domain, int64_t opset)
{
    wire self = {0}, body = wire_graph(), import = {0};
    if (ir > 0) wire_int(&self, 1, ir);
    wire_message(&self, 7, &body);
    if (domain == NULL) return self;
    wire_text(&import, 1, domain);
    wire_int(&import, 2, opset);
    wire_message(&self, 8, &import);
    return self;
}

static void imports_are_checked(void **state)
{
    coset_graph *graph = NULL;
    wire model = model_of_ir(2, NULL, 0);
    assert_refused(*state, &model, COSET_EUNSUPPORTED, "IR version 2, which implies opset 1");
    model = model_of_ir(0, "", 13);
    assert_refused(*state, &model, COSET_EFORMAT, "IR version is missing");
    model = model_of_ir(8, NULL, 0);
    assert_refused(*state, &model, COSET_EFORMAT, "imports no opset");
    model = model_of_ir(8, "org.example", 1);
    assert_refused(*state, &model, COSET_EFORMAT, "imports no opset");
    model = model_of_ir(8, "ai.onnx", 14);
    assert_int_equal(decoded(*state, &model, &graph)->opset, 14);
    coset_graph_free(*state, graph);
    model = model_of_ir(8, "", 14);
    wire import = {0};
    wire_int(&import, 2, 15);
    wire_message(&model, 8, &import);
    assert_refused(*state, &model, COSET_EFORMAT, "imports opset 14 and opset 15");
    model = (wire){0};
    assert_refused(*state, &model, COSET_EFORMAT, "is empty");
    wire_int(&model, 1, 8);
    assert_refused(*state, &model, COSET_EFORMAT, "it has no graph");
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static void assert_bytes(const coset_graph *graph, const char *name, coset_dtype dtype,
                         const void *bytes, size_t size)
{
    const tensor *constant = graph->values[value_named(graph, name)].constant;
    assert_non_null(constant);
    assert_int_equal(constant->dtype, dtype);
    assert_int_equal(constant->bytes, size);
    assert_memory_equal(constant->data, bytes, size);
}

/* Values as the seed's writer put them into the typed fields. */
static void typed_fields_are_decoded(void **state)
{
    coset_graph *graph = load_seed(*state, "types.onnx");
    const int64_t i64[] = {-9, (int64_t)1 << 40};
    const uint64_t u64[] = {1, (uint64_t)1 << 63};
    assert_bytes(graph, "c0", COSET_F32, (float[]){1.5F, -2}, 8);
    assert_bytes(graph, "c1", COSET_U8, (uint8_t[]){1, 255}, 2);
    assert_bytes(graph, "c2", COSET_I8, (int8_t[]){-1, 127}, 2);
    assert_bytes(graph, "c3", COSET_U16, (uint16_t[]){1, 65535}, 4);
    assert_bytes(graph, "c4", COSET_I16, (int16_t[]){-5, 5}, 4);
    assert_bytes(graph, "c5", COSET_I32, (int32_t[]){-7, 7}, 8);
    assert_bytes(graph, "c6", COSET_I64, i64, sizeof i64);
    assert_bytes(graph, "c7", COSET_BOOL, (uint8_t[]){1, 0}, 2);
    assert_bytes(graph, "c8", COSET_F64, (double[]){.1, .2}, 16);
    assert_bytes(graph, "c9", COSET_U32, (uint32_t[]){1, (uint32_t)1 << 31}, 8);
    assert_bytes(graph, "c10", COSET_U64, u64, sizeof u64);
    assert_bytes(graph, "c11", COSET_BF16, (uint16_t[]){0x3F80, 0x4000}, 4);
    const tensor *strings = graph->values[value_named(graph, "c12")].constant;
    assert_int_equal(strings->dtype, COSET_STRING);
    assert_string_equal(strings->strings[0], "a");
    assert_string_equal(strings->strings[1], "bc");
    coset_graph_free(*state, graph);
    graph = load_seed(*state, "half.onnx");
    assert_bytes(graph, "b", COSET_F16, (uint16_t[]){0x3800, 0xBC00, 0x4000}, 6);
    coset_graph_free(*state, graph);
}

/* Types that newer writers put into int32_data: 8-bit floats, and 4-bit elements two to an entry. */
static void new_types_are_decoded(void **state)
{
    const int64_t three = 3;
    tensor *made = NULL;
    wire proto = wire_tensor("t", COSET_F8E5M2, &three, 1);
    for (int i = 0; i < 3; i++) wire_int(&proto, 5, 0x3C + i);
    assert_int_equal(onnx_decode_tensor(*state, proto.bytes, proto.size, &made), COSET_OK);
    assert_memory_equal(made->data, ((uint8_t[]){0x3C, 0x3D, 0x3E}), 3);
    tensor_release(*state, made);
    free(proto.bytes);
    proto = wire_tensor("t", COSET_I4, &three, 1);
    wire_int(&proto, 5, 0x21);
    wire_int(&proto, 5, 0x0F);
    assert_int_equal(onnx_decode_tensor(*state, proto.bytes, proto.size, &made), COSET_OK);
    assert_memory_equal(made->data, ((uint8_t[]){0x21, 0x0F}), 2);
    tensor_release(*state, made);
    free(proto.bytes);
}

/* Large data changes hands instead of being copied, from raw and from typed fields. */
static void large_tensors_are_taken(void **state)
{
    enum { N = 5000 };
    static float values[N];
    for (int i = 0; i < N; i++) values[i] = (float)i;
    const int64_t n = N;
    for (unsigned field = 4; field <= 9; field += 5) {
        tensor *made = NULL;
        wire proto = wire_tensor("t", COSET_F32, &n, 1);
        wire_bytes(&proto, field, values, sizeof values);
        assert_int_equal(onnx_decode_tensor(*state, proto.bytes, proto.size, &made), COSET_OK);
        assert_memory_equal(made->data, values, sizeof values);
        assert_int_equal((uintptr_t)made->data % 64, 0);
        assert_int_equal(made->references, 1);
        tensor_release(*state, made);
        free(proto.bytes);
    }
}

/* ---- constants --------------------------------------------------------------------------------- */

static void constant_nodes_are_constants(void **state)
{
    coset_graph *graph = load_seed(*state, "constants.onnx");
    const int64_t target[] = {-1, 3}, axis = 0;
    assert_bytes(graph, "half", COSET_F32, (float[]){.5F}, 4);
    assert_bytes(graph, "row", COSET_F32, (float[]){1, 2, 3}, 12);
    assert_bytes(graph, "shape", COSET_I64, target, sizeof target);
    assert_bytes(graph, "axis", COSET_I64, &axis, 8);
    assert_null(graph->values[value_named(graph, "note")].constant);
    const graph_value *weight = &graph->values[value_named(graph, "w")];
    assert_int_equal(weight->constant->shape.rank, 2);
    assert_false(weight->is_initialiser);
    assert_ptr_equal(node_attr(&graph->nodes[weight->producer], "value")->t, weight->constant);
    assert_int_equal(graph->values[value_named(graph, "half")].constant->shape.rank, 0);
    coset_graph_free(*state, graph);
}

static void sparse_initialisers_have_no_data(void **state)
{
    coset_graph *graph = load_seed(*state, "sparse.onnx");
    const graph_value *value = &graph->values[value_named(graph, "w")];
    assert_true(value->is_initialiser);
    assert_null(value->constant);
    assert_int_equal(value->dtype, COSET_F32);
    assert_int_equal(value->shape.dims[0], 4);
    assert_int_equal(value->shape.dims[1], 3);
    coset_graph_free(*state, graph);
}

static void listed_initialisers_are_no_inputs(void **state)
{
    coset_graph *graph = load_seed(*state, "dense_ir3.onnx");
    assert_int_equal(coset_graph_inputs(graph), 1);
    assert_string_equal(coset_graph_input_name(graph, 0), "x");
    const graph_value *value = &graph->values[value_named(graph, "w1")];
    assert_true(value->is_input && value->is_initialiser && value->constant != NULL);
    coset_graph_free(*state, graph);
}

static wire weighted(const float *values, const int64_t *dims, int rank, bool as_node)
{
    wire body = wire_graph(), data = wire_tensor(as_node ? "" : "w", COSET_F32, dims, rank);
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dims[i];
    wire_bytes(&data, 9, values, 4 * n);
    if (as_node) {
        wire node = wire_node("Constant", "", "w"), attr = {0};
        wire_text(&attr, 1, "value");
        wire_message(&attr, 5, &data);
        wire_int(&attr, 20, 4);
        wire_message(&node, 5, &attr);
        wire_message(&body, 1, &node);
    } else {
        wire_message(&body, 5, &data);
    }
    return wire_model(&body, 13);
}

/* Refused: NaN anywhere, Inf in a matrix. Legitimate: Inf as a bound, and in a Constant node. */
static void weights_must_be_finite(void **state)
{
    const float inf = 1.0F / 0.0F, nan = inf - inf;
    const int64_t matrix[] = {2, 2}, vector = 4;
    const float with_nan[] = {1, 2, nan, inf}, with_inf[] = {1, -inf, 3, 4};
    const float late_nan[] = {inf, 1, 2, nan};
    coset_graph *graph = NULL;
    wire model = weighted(with_nan, matrix, 2, false);
    assert_refused(*state, &model, COSET_ENUMERIC, "tensor 'w': element 2 is NaN");
    model = weighted(with_inf, matrix, 2, false);
    assert_refused(*state, &model, COSET_ENUMERIC, "tensor 'w': element 1 is infinite");
    model = weighted(late_nan, &vector, 1, false);
    assert_refused(*state, &model, COSET_ENUMERIC, "tensor 'w': element 3 is NaN");
    model = weighted(with_nan, matrix, 2, true);
    assert_refused(*state, &model, COSET_ENUMERIC, "tensor 'w': element 2 is NaN");
    model = weighted(with_inf, &vector, 1, false);
    decoded(*state, &model, &graph);
    coset_graph_free(*state, graph);
    model = weighted(with_inf, matrix, 2, true);
    decoded(*state, &model, &graph);
    coset_graph_free(*state, graph);
}

/* ---- subgraphs --------------------------------------------------------------------------------- */

static void captures_are_found(void **state)
{
    coset_graph *graph = load_seed(*state, "if_subgraph.onnx");
    const graph_node *node = &graph->nodes[0];
    assert_int_equal(node->n_captures, 2);
    assert_int_equal(node->captures[0], value_named(graph, "x"));
    assert_int_equal(node->captures[1], value_named(graph, "w"));
    assert_int_equal(graph->values[value_named(graph, "w")].n_consumers, 1);
    assert_int_equal(node_attr(node, "then_branch")->kind, ATTR_OTHER);
    coset_graph_free(*state, graph);
    graph = load_seed(*state, "loop.onnx");
    assert_int_equal(graph->nodes[0].n_captures, 1);
    assert_int_equal(graph->nodes[0].captures[0], value_named(graph, "step"));
    assert_int_equal(graph->nodes[0].inputs[1], -1);
    coset_graph_free(*state, graph);
}

/* A node with a subgraph that holds `inner`. */
static wire with_subgraph(const char *output, wire *inner)
{
    wire node = wire_node("Custom", "", output), attr = {0};
    wire_text(&attr, 1, "body");
    wire_message(&attr, 6, inner);
    wire_int(&attr, 20, 5);
    wire_message(&node, 5, &attr);
    return node;
}

static void inner_names_shadow_outer_ones(void **state)
{
    /* The innermost graph reads "y", which the middle one defines, and "x", which nobody shadows. */
    coset_graph *graph = NULL;
    wire body = wire_graph(), middle = {0}, inner = {0};
    wire node = wire_node("Add", "y,x", "z");
    wire_message(&inner, 1, &node);
    node = wire_node("Neg", "x", "y");
    wire_message(&middle, 1, &node);
    node = with_subgraph("m", &inner);
    wire_message(&middle, 1, &node);
    node = with_subgraph("c", &middle);
    wire_message(&body, 1, &node);
    wire model = wire_model(&body, 13);
    decoded(*state, &model, &graph);
    assert_int_equal(graph->nodes[1].n_captures, 1);
    assert_int_equal(graph->nodes[1].captures[0], value_named(graph, "x"));
    coset_graph_free(*state, graph);
    /* A subgraph may give out an outer value as it is; what nobody defines is refused. */
    body = wire_graph();
    wire output = wire_value("y", NULL, -1);
    wire_message(&inner, 12, &output);
    node = with_subgraph("c", &inner);
    wire_message(&body, 1, &node);
    model = wire_model(&body, 13);
    decoded(*state, &model, &graph);
    assert_int_equal(graph->nodes[1].captures[0], value_named(graph, "y"));
    coset_graph_free(*state, graph);
    body = wire_graph();
    node = wire_node("Neg", "nowhere", "z");
    wire_message(&inner, 1, &node);
    node = with_subgraph("c", &inner);
    wire_message(&body, 1, &node);
    model = wire_model(&body, 13);
    assert_refused(*state, &model, COSET_EFORMAT, "a subgraph reads 'nowhere'");
}

static void custom_domains_have_no_operator(void **state)
{
    coset_graph *graph = load_seed(*state, "functions.onnx");
    assert_string_equal(graph->nodes[0].domain, "local");
    assert_null(graph->nodes[0].op);
    assert_non_null(graph->nodes[2].op);
    coset_graph_free(*state, graph);
}

/* ---- runner ------------------------------------------------------------------------------------ */

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
        cmocka_unit_test_setup_teardown(opsets_are_checked, start, end),
        cmocka_unit_test_setup_teardown(imports_are_checked, start, end),
        cmocka_unit_test_setup_teardown(typed_fields_are_decoded, start, end),
        cmocka_unit_test_setup_teardown(new_types_are_decoded, start, end),
        cmocka_unit_test_setup_teardown(large_tensors_are_taken, start, end),
        cmocka_unit_test_setup_teardown(constant_nodes_are_constants, start, end),
        cmocka_unit_test_setup_teardown(sparse_initialisers_have_no_data, start, end),
        cmocka_unit_test_setup_teardown(listed_initialisers_are_no_inputs, start, end),
        cmocka_unit_test_setup_teardown(weights_must_be_finite, start, end),
        cmocka_unit_test_setup_teardown(captures_are_found, start, end),
        cmocka_unit_test_setup_teardown(inner_names_shadow_outer_ones, start, end),
        cmocka_unit_test_setup_teardown(custom_domains_have_no_operator, start, end),
        cmocka_unit_test(real_models_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
