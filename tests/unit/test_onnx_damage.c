/* Damaged and hostile models: clean errors, or a model that validates again. */
#include <dirent.h>

#include "base/file.h"
#include "graph/ir.h"
#include "onnx/model.h"
#include "onnx/onnx.h"
#include "onnx/scan.h"
#include "support/wire.h"

static void assert_refused(coset_ctx *ctx, wire *model, coset_status expected, const char *text)
{
    coset_graph *graph = NULL;
    coset_status status = coset_graph_decode(ctx, model->bytes, model->size, "test", NULL, &graph);
    free(model->bytes);
    *model = (wire){NULL, 0, 0};
    assert_null(graph);
    const char *found = coset_ctx_error(ctx);
    if (status != expected || strncmp(found, "test: ", 6) != 0 || strstr(found, text) == NULL)
        fail_msg("expected %s with '%s', found %s with '%s'", coset_status_name(expected), text,
                 coset_status_name(status), found);
}

static void assert_accepted(coset_ctx *ctx, wire *model)
{
    coset_graph *graph = NULL;
    if (coset_graph_decode(ctx, model->bytes, model->size, "test", NULL, &graph) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    free(model->bytes);
    *model = (wire){NULL, 0, 0};
    coset_graph_free(ctx, graph);
}

/* ---- random damage ----------------------------------------------------------------------------- */

/* Returns whether it decoded. */
static bool survives(coset_ctx *ctx, const uint8_t *bytes, size_t size)
{
    coset_graph *graph = NULL;
    void *encoded = NULL;
    size_t encoded_size = 0;
    coset_status status = coset_graph_decode(ctx, bytes, size, "damaged", NULL, &graph);
    if (status != COSET_OK) {
        assert_null(graph);
        assert_true(status == COSET_EFORMAT || status == COSET_EUNSUPPORTED ||
                    status == COSET_ELIMIT || status == COSET_ENUMERIC);
        assert_memory_equal(coset_ctx_error(ctx), "damaged: ", 9);
        return false;
    }
    assert_int_equal(graph_check(ctx, graph), COSET_OK);
    assert_int_equal(coset_graph_encode(ctx, graph, &encoded, &encoded_size), COSET_OK);
    assert_int_equal(encoded_size, size);
    assert_memory_equal(encoded, bytes, size);
    coset_memory_free(ctx, encoded);
    coset_graph_free(ctx, graph);
    return true;
}

static void cut_and_flip(coset_ctx *ctx, const char *path, uint64_t stream, int64_t counts[2])
{
    enum { CUTS = 4096, FLIPS = 10000 };
    file_view file = {0};
    assert_int_equal(file_map(ctx, path, &file), COSET_OK);
    size_t size = file.size, step = size / CUTS + 1;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t cut = 0; cut < size; cut += step) {
        /* Of exactly this size, so that a sanitizer sees every read past the end. */
        uint8_t *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part + 1, file.bytes, cut);
        counts[survives(ctx, part + 1, cut)]++;
        free(part);
    }
    rng random = rng_seed(4, stream);
    for (int i = 0; i < FLIPS; i++) {
        memcpy(bytes, file.bytes, size);
        for (int64_t flips = 1 + rng_below(&random, 4); flips > 0; flips--)
            bytes[rng_below(&random, (int64_t)size)] ^= (uint8_t)(1 << rng_below(&random, 8));
        counts[survives(ctx, bytes, size)]++;
    }
    free(bytes);
    file_unmap(&file);
}

static void damage_is_survived(void **state)
{
    char folder[3072], path[4096];
    struct dirent **entries = NULL;
    const char *source = getenv("COSET_SOURCE");
    int64_t counts[2] = {0, 0};
    snprintf(folder, sizeof folder, "%s/fuzz/corpus/onnx", source != NULL ? source : ".");
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) fail_msg("%s cannot be read", folder);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') cut_and_flip(*state, path, (uint64_t)i, counts);
        free(entries[i]);
    }
    free(entries);
    print_message("%lld damaged models refused, %lld still valid\n", (long long)counts[0],
                  (long long)counts[1]);
    assert_true(counts[0] > 0 && counts[1] > 0);
}

/* ---- caps, just under and just over ------------------------------------------------------------ */

/* Depth 2 + 3 * levels: model, graph, then node, attribute, graph again and again. */
static wire nested(int levels, int more)
{
    wire inner = {0}, node = {0}, attr = {0};
    if (more > 0) { /* 1: a node; 2: an attribute in it; 3: a tensor in that */
        wire data = {0};
        wire_text(&attr, 1, "a");
        if (more > 2) wire_message(&attr, 5, &data);
        if (more > 1) wire_message(&node, 5, &attr);
        wire_text(&node, 4, "Deep");
        wire_message(&inner, 1, &node);
        free(attr.bytes);
        attr = (wire){0};
    }
    for (int i = 0; i < levels; i++) {
        wire_text(&attr, 1, "body");
        wire_message(&attr, 6, &inner);
        wire_text(&node, 4, "Nest");
        wire_message(&node, 5, &attr);
        wire_message(&inner, 1, &node);
    }
    return wire_model(&inner, 13);
}

static void nesting_is_capped(void **state)
{
    wire model = nested(20, 2); /* 64 */
    assert_accepted(*state, &model);
    model = nested(20, 3); /* 65 */
    assert_refused(*state, &model, COSET_ELIMIT, "nested more than 64 deep");
    model = nested(3000, 0);
    assert_refused(*state, &model, COSET_ELIMIT, "nested more than 64 deep");
}

static void fields_are_capped(void **state)
{
    wire model = {0};
    for (int i = 0; i < SCAN_FIELDS; i++) wire_int(&model, 5, 1);
    const ProtobufCMessageDescriptor *type = &onnx__model_proto__descriptor;
    assert_int_equal(scan_message(*state, type, model.bytes, model.size), COSET_OK);
    wire_int(&model, 5, 1);
    assert_int_equal(scan_message(*state, type, model.bytes, model.size), COSET_ELIMIT);
    assert_refused(*state, &model, COSET_ELIMIT, "more than 4194304 fields");
}

static wire with_doc(const char *text, size_t size)
{
    wire body = wire_graph(), model = wire_model(&body, 13);
    wire_bytes(&model, 6, text, size);
    return model;
}

static void strings_are_capped(void **state)
{
    static char text[SCAN_STRING + 1];
    memset(text, 'x', sizeof text);
    wire model = with_doc(text, SCAN_STRING);
    assert_accepted(*state, &model);
    model = with_doc(text, SCAN_STRING + 1);
    assert_refused(*state, &model, COSET_ELIMIT, "a string of 65537 bytes");
}

static void strings_are_text(void **state)
{
    static const char *const good[] = {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80",
                                      "\xC2",
                                      "\xC2x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        wire model = with_doc(good[i], strlen(good[i]));
        assert_accepted(*state, &model);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wire model = with_doc(bad[i], strlen(bad[i]));
        assert_refused(*state, &model, COSET_EFORMAT, "doc_string: the string is not UTF-8");
    }
    wire model = with_doc("a\0b", 3);
    assert_refused(*state, &model, COSET_EFORMAT, "doc_string: the string is not UTF-8");
}

/* Bytes alive and their peak, each allocation preceded by its size. */
typedef struct peak_memory {
    size_t alive, peak;
} peak_memory;

static void *peak_alloc(void *user, size_t alignment, size_t size)
{
    peak_memory *self = user;
    uint8_t *memory = aligned_alloc(64, (size + 127) / 64 * 64);
    (void)alignment;
    if (memory == NULL) return NULL;
    memcpy(memory, &size, sizeof size);
    self->alive += size;
    if (self->alive > self->peak) self->peak = self->alive;
    return memory + 64;
}

static void peak_release(void *user, void *memory)
{
    size_t size = 0;
    memcpy(&size, (uint8_t *)memory - 64, sizeof size);
    ((peak_memory *)user)->alive -= size;
    free((uint8_t *)memory - 64);
}

/* Two bytes in the file, over a hundred in memory. */
static void amplification_is_capped(void **state)
{
    (void)state;
    peak_memory memory = {0, 0};
    coset_allocator allocator = {peak_alloc, peak_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    wire body = wire_graph(), empty = {0};
    for (int i = 0; i < 1000000; i++) wire_message(&body, 13, &empty);
    wire model = wire_model(&body, 13);
    size_t size = model.size;
    assert_refused(ctx, &model, COSET_ELIMIT, "unpacking needs more than");
    assert_true(memory.peak <= 4 * size + HEAP_SLACK);
    assert_true(memory.peak > 2 * size);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

/* ---- wire format ------------------------------------------------------------------------------- */

static void assert_damaged(coset_ctx *ctx, const char *bytes, size_t size, const char *text)
{
    wire body = wire_graph(), model = wire_model(&body, 13);
    wire_raw(&model, bytes, size);
    assert_refused(ctx, &model, COSET_EFORMAT, text);
}

static void wire_format_is_checked(void **state)
{
    coset_ctx *ctx = *state;
    assert_damaged(ctx, "\x2A\x01x", 3,
                   "ModelProto.model_version: has a wire type that does not fit");
    assert_damaged(ctx, "\x32\x05xy", 4, "ModelProto.doc_string: ends after the message");
    assert_damaged(ctx, "\x32\xFF\xFF\xFF\xFF\xFF\x01", 7, "its length is damaged");
    assert_damaged(ctx, "\xBB\x06", 2, "a wire type that does not exist"); /* a group, field 103 */
    assert_damaged(ctx, "\x02\x00", 2, "tag is damaged");                  /* field 0 */
    assert_damaged(ctx, "\x80", 1, "tag is damaged");
    assert_damaged(ctx, "\x28\x80", 2, "is cut off");
    assert_damaged(ctx, "\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12, "is cut off");
    assert_damaged(ctx, "\xB9\x06xyz", 5, "is cut off"); /* 8 bytes announced */
    assert_damaged(ctx, "\xBD\x06xyz", 5, "is cut off"); /* 4 bytes announced */
    assert_damaged(ctx, "\x3A\x00", 2, "ModelProto.graph: occurs twice");
    /* Unknown fields of every wire type are kept. */
    wire body = wire_graph(), model = wire_model(&body, 13);
    wire_raw(&model,
             "\xB8\x06\x05\xB9\x06"
             "12345678\xBA\x06\x02hi\xBD\x06"
             "1234",
             24);
    size_t size = model.size;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, model.bytes, size);
    assert_true(survives(ctx, copy, size));
    free(copy);
    assert_accepted(ctx, &model);
}

/* Fields in an order that packing would not give: written back as they were. */
static void other_orders_round_trip(void **state)
{
    wire body = wire_graph(), import = {0}, model = {0};
    wire_int(&import, 2, 13);
    wire_message(&model, 8, &import);
    wire_message(&model, 7, &body);
    wire_int(&model, 1, 8);
    assert_true(survives(*state, model.bytes, model.size));
    free(model.bytes);
}

/* ---- graphs ------------------------------------------------------------------------------------ */

static void refuse_node(coset_ctx *ctx, const char *inputs, const char *outputs, const char *text)
{
    wire body = wire_graph(), node = wire_node("Neg", inputs, outputs);
    wire_message(&body, 1, &node);
    wire model = wire_model(&body, 13);
    assert_refused(ctx, &model, COSET_EFORMAT, text);
}

static void graphs_are_checked(void **state)
{
    coset_ctx *ctx = *state;
    refuse_node(ctx, "b", "b", "cycle through 'b'");
    refuse_node(ctx, "x", "y", "'y' is produced by node");
    refuse_node(ctx, "x", "x", "'x' is also a graph input");
    refuse_node(ctx, "nowhere", "z", "'nowhere' is no graph input");
    wire body = wire_graph(), part = wire_node("", "x", "z");
    wire_message(&body, 1, &part);
    wire model = wire_model(&body, 13);
    assert_refused(ctx, &model, COSET_EFORMAT, "no operator type");
    for (unsigned field = 11; field <= 12; field++) {
        const char *what = field == 11 ? "graph input has no name" : "graph output has no name";
        body = wire_graph();
        part = wire_value("", NULL, -1);
        wire_message(&body, field, &part);
        model = wire_model(&body, 13);
        assert_refused(ctx, &model, COSET_EFORMAT, what);
        body = wire_graph();
        part = wire_value(field == 11 ? "x" : "z", NULL, -1);
        wire_message(&body, field, &part);
        model = wire_model(&body, 13);
        assert_refused(ctx, &model, COSET_EFORMAT,
                       field == 11 ? "two graph inputs are named 'x'" : "'z' is produced by no");
    }
    body = wire_graph();
    for (int i = 0; i < 2; i++) {
        part = wire_tensor("w", COSET_F32, NULL, 0);
        wire_float(&part, 4, 1);
        wire_message(&body, 5, &part);
    }
    model = wire_model(&body, 13);
    assert_refused(ctx, &model, COSET_EFORMAT, "two initialisers are named 'w'");
}

/* A sparse initialiser "s" of the given dense dims. */
static wire sparse(const int64_t *dims, int rank)
{
    const int64_t none = 0;
    wire self = {0}, values = wire_tensor("s", COSET_F32, &none, 1);
    wire_message(&self, 1, &values);
    for (int i = 0; i < rank; i++) wire_int(&self, 3, dims[i]);
    return self;
}

static void sparse_initialisers_are_checked(void **state)
{
    static const int64_t good[] = {4, 3}, minus[] = {4, -3}, vast[] = {INT64_MAX, INT64_MAX};
    static const int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const struct {
        const int64_t *dims;
        int rank;
        coset_status status;
        const char *text;
    } cases[] = {{minus, 2, COSET_EFORMAT, "'s': dimension 1 is -3"},
                 {vast, 2, COSET_ELIMIT, "more than 2^40 elements"},
                 {nine, 9, COSET_ELIMIT, "'s': rank 9"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire body = wire_graph(), part = sparse(cases[i].dims, cases[i].rank);
        wire_message(&body, 15, &part);
        wire model = wire_model(&body, 13);
        assert_refused(*state, &model, cases[i].status, cases[i].text);
    }
    wire body = wire_graph(), part = {0};
    for (int i = 0; i < 2; i++) {
        part = sparse(good, 2);
        wire_message(&body, 15, &part);
    }
    wire model = wire_model(&body, 13);
    assert_refused(*state, &model, COSET_EFORMAT, "two initialisers are named 's'");
    body = wire_graph();
    wire_message(&body, 15, &part);
    model = wire_model(&body, 13);
    assert_refused(*state, &model, COSET_EFORMAT, "a sparse initialiser has no name");
}

/* A Constant node gives its output a second definition. */
static void constants_define_once(void **state)
{
    for (int initialiser = 0; initialiser < 2; initialiser++) {
        wire body = wire_graph();
        if (initialiser) {
            wire data = wire_tensor("c", COSET_F32, NULL, 0);
            wire_float(&data, 4, 1);
            wire_message(&body, 5, &data);
        }
        for (int i = initialiser; i < 2; i++) {
            wire node = wire_node("Constant", "", "c"), attr = {0};
            wire_text(&attr, 1, "value_float");
            wire_float(&attr, 2, 1);
            wire_message(&node, 5, &attr);
            wire_message(&body, 1, &node);
        }
        wire model = wire_model(&body, 13);
        assert_refused(*state, &model, COSET_EFORMAT, "'c' has two definitions");
    }
}

static void declared_shapes_are_checked(void **state)
{
    static const int64_t minus[] = {2, -3}, vast[] = {1 << 20, 1 << 20, 2}, one = -1;
    static const int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const struct {
        const int64_t *dims;
        int rank;
        coset_status status;
        const char *text;
    } cases[] = {{minus, 2, COSET_EFORMAT, "'h': dimension 1 is declared as -3"},
                 {vast, 3, COSET_ELIMIT, "'h': declared with more than 2^40 elements"},
                 {nine, 9, COSET_ELIMIT, "'h': declared with rank 9"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire body = wire_graph(), node = wire_node("Neg", "x", "h");
        wire info = wire_value("h", cases[i].dims, cases[i].rank);
        wire_message(&body, 1, &node);
        wire_message(&body, 13, &info);
        wire model = wire_model(&body, 13);
        assert_refused(*state, &model, cases[i].status, cases[i].text);
    }
    wire body = wire_graph(), info = wire_value("y2", &one, 1), node = wire_node("Neg", "x", "y2");
    wire_message(&body, 1, &node);
    wire_message(&body, 13, &info);
    info = wire_value("nobody", minus, 0);
    wire_message(&body, 13, &info);
    wire model = wire_model(&body, 13);
    assert_accepted(*state, &model);
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static void refuse_tensor(coset_ctx *ctx, wire *proto, coset_status expected, const char *text)
{
    tensor *made = NULL;
    assert_int_equal(onnx_decode_tensor(ctx, proto->bytes, proto->size, &made), expected);
    assert_null(made);
    const char *found = coset_ctx_error(ctx);
    if (strstr(found, text) == NULL) fail_msg("expected '%s', found '%s'", text, found);
    free(proto->bytes);
    *proto = (wire){NULL, 0, 0};
}

static void tensor_shapes_are_checked(void **state)
{
    coset_ctx *ctx = *state;
    const int64_t ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, minus[] = {2, -1};
    const int64_t vast[] = {INT64_MAX, INT64_MAX}, over[] = {1 << 20, 1 << 20, 2};
    const int64_t hidden[] = {0, INT64_MAX, INT64_MAX}, none[] = {0, 5};
    wire proto = wire_tensor("t", COSET_F32, ones, 9);
    refuse_tensor(ctx, &proto, COSET_ELIMIT, "tensor 't': rank 9: at most 8");
    proto = wire_tensor("t", COSET_F32, minus, 2);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "dimension 1 is -1");
    proto = wire_tensor("t", COSET_F32, vast, 2);
    refuse_tensor(ctx, &proto, COSET_ELIMIT, "more than 2^40");
    proto = wire_tensor("t", COSET_F32, over, 3);
    refuse_tensor(ctx, &proto, COSET_ELIMIT, "more than 2^40");
    proto = wire_tensor("t", COSET_F32, hidden, 3);
    refuse_tensor(ctx, &proto, COSET_ELIMIT, "more than 2^40");
    /* 2^40 elements are allowed, but their data must be there. */
    proto = wire_tensor("t", COSET_F32, over, 2);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "float_data has 0 entries");
    proto = wire_tensor("t", COSET_F32, over, 2);
    wire_bytes(&proto, 9, "", 0);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "raw_data has 0 bytes");
    tensor *made = NULL;
    proto = wire_tensor("t", COSET_F32, none, 2);
    assert_int_equal(onnx_decode_tensor(ctx, proto.bytes, proto.size, &made), COSET_OK);
    assert_int_equal(tensor_elements(made), 0);
    tensor_release(ctx, made);
    free(proto.bytes);
}

static void tensor_data_are_checked(void **state)
{
    coset_ctx *ctx = *state;
    const int64_t two = 2;
    wire proto = wire_tensor("t", 0, &two, 1);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "element type is missing");
    proto = wire_tensor("t", 99, &two, 1);
    refuse_tensor(ctx, &proto, COSET_EUNSUPPORTED, "element type 99");
    proto = wire_tensor("t", -1, &two, 1);
    refuse_tensor(ctx, &proto, COSET_EUNSUPPORTED, "element type -1");
    for (size_t size = 7; size <= 9; size += 2) {
        proto = wire_tensor("t", COSET_F32, &two, 1);
        wire_bytes(&proto, 9, "123456789", size);
        refuse_tensor(ctx, &proto, COSET_EFORMAT, "float of shape [2] needs 8");
    }
    proto = wire_tensor("t", COSET_F32, &two, 1);
    wire_float(&proto, 4, 1);
    refuse_tensor(ctx, &proto, COSET_EFORMAT,
                  "float_data has 1 entries; float of shape [2] needs 2");
    proto = wire_tensor("t", COSET_F32, &two, 1);
    wire_int(&proto, 7, 1);
    wire_int(&proto, 7, 2);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "in another field than float_data");
    proto = wire_tensor("t", COSET_I64, &two, 1);
    wire_int(&proto, 7, 1);
    wire_bytes(&proto, 9, "0123456789abcdef", 16);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "both raw_data and typed data");
    proto = wire_tensor("t", COSET_STRING, &two, 1);
    wire_bytes(&proto, 9, "ab", 2);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "strings cannot be stored in raw_data");
    proto = wire_tensor("t", COSET_STRING, &two, 1);
    wire_text(&proto, 6, "only one");
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "string_data has 1 entries, expected 2");
    proto = wire_tensor("t", COSET_STRING, &two, 1);
    wire_int(&proto, 7, 1);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "in another field than string_data");
    proto = wire_tensor("t", COSET_F32, &two, 1);
    wire_bytes(&proto, 3, "", 0);
    refuse_tensor(ctx, &proto, COSET_EUNSUPPORTED, "segments");
    proto = wire_tensor("t", COSET_F32, &two, 1);
    wire_int(&proto, 14, 1);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "in another file");
    proto = wire_tensor("", COSET_F32, &two, 1);
    refuse_tensor(ctx, &proto, COSET_EFORMAT, "float_data has 0 entries");
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
        cmocka_unit_test_setup_teardown(damage_is_survived, start, end),
        cmocka_unit_test_setup_teardown(nesting_is_capped, start, end),
        cmocka_unit_test_setup_teardown(fields_are_capped, start, end),
        cmocka_unit_test_setup_teardown(strings_are_capped, start, end),
        cmocka_unit_test_setup_teardown(strings_are_text, start, end),
        cmocka_unit_test(amplification_is_capped),
        cmocka_unit_test_setup_teardown(wire_format_is_checked, start, end),
        cmocka_unit_test_setup_teardown(other_orders_round_trip, start, end),
        cmocka_unit_test_setup_teardown(graphs_are_checked, start, end),
        cmocka_unit_test_setup_teardown(sparse_initialisers_are_checked, start, end),
        cmocka_unit_test_setup_teardown(constants_define_once, start, end),
        cmocka_unit_test_setup_teardown(declared_shapes_are_checked, start, end),
        cmocka_unit_test_setup_teardown(tensor_shapes_are_checked, start, end),
        cmocka_unit_test_setup_teardown(tensor_data_are_checked, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
