/* External data: read from the model's folder only, and written back inside the model. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "graph/ir.h"
#include "support/wire.h"

/* Where a model can have a tensor. */
typedef enum place { INITIALISER, CONSTANT_NODE, SUBGRAPH, SPARSE, PLACES } place;

static const float weights[6] = {1, 2, 3, 4, 5, 6};
static const char *folder; /* of the model; its parent has secret.bin */

static wire external_tensor(const char *location, const char *offset, const char *length)
{
    const int64_t dims[] = {2, 3};
    const char *const entries[][2] = {
        {"location", location}, {"offset", offset}, {"length", length}};
    wire self = wire_tensor("w", COSET_F32, dims, 2), entry = {0};
    for (int i = 0; i < 3; i++) {
        if (entries[i][1] == NULL) continue;
        wire_text(&entry, 1, entries[i][0]);
        wire_text(&entry, 2, entries[i][1]);
        wire_message(&self, 13, &entry);
    }
    wire_int(&self, 14, 1);
    return self;
}

static wire model_with(place where, wire *data)
{
    wire body = wire_graph(), node = {0}, attr = {0}, inner = {0};
    if (where == INITIALISER) wire_message(&body, 5, data);
    if (where == CONSTANT_NODE) {
        node = wire_node("Constant", "", "w");
        wire_text(&attr, 1, "value");
        wire_message(&attr, 5, data);
        wire_int(&attr, 20, 4);
        wire_message(&node, 5, &attr);
        wire_message(&body, 1, &node);
    }
    if (where == SUBGRAPH) {
        wire_message(&inner, 5, data);
        node = wire_node("Custom", "", "z");
        wire_text(&attr, 1, "body");
        wire_message(&attr, 6, &inner);
        wire_int(&attr, 20, 5);
        wire_message(&node, 5, &attr);
        wire_message(&body, 1, &node);
    }
    if (where == SPARSE) {
        wire_message(&inner, 1, data);
        wire_message(&body, 15, &inner);
    }
    return wire_model(&body, 13);
}

static coset_status decode(coset_ctx *ctx, wire *model, const char *from, coset_graph **graph_out)
{
    coset_status status =
        coset_graph_decode(ctx, model->bytes, model->size, "test", from, graph_out);
    free(model->bytes);
    return status;
}

/* Refused at every place, and nothing of the file is in memory. */
static void refuse(coset_ctx *ctx, const char *location, const char *offset, const char *length,
                   coset_status expected, const char *text)
{
    for (int where = 0; where < PLACES; where++) {
        coset_graph *graph = NULL;
        wire data = external_tensor(location, offset, length);
        wire model = model_with((place)where, &data);
        coset_status status = decode(ctx, &model, folder, &graph);
        assert_null(graph);
        const char *found = coset_ctx_error(ctx);
        if (status != expected || strstr(found, "test: tensor 'w': ") != found ||
            strstr(found, text) == NULL)
            fail_msg("place %d: expected %s with '%s', found %s with '%s'", where,
                     coset_status_name(expected), text, coset_status_name(status), found);
    }
}

static void escapes_are_refused(void **state)
{
    char absolute[4096];
    snprintf(absolute, sizeof absolute, "%s/w.bin", folder);
    refuse(*state, "../secret.bin", NULL, "24", COSET_EFORMAT, "relative name");
    refuse(*state, "sub/../../secret.bin", NULL, "24", COSET_EFORMAT, "relative name");
    refuse(*state, absolute, NULL, "24", COSET_EFORMAT, "relative name");
    refuse(*state, "", NULL, "24", COSET_EFORMAT, "relative name");
    refuse(*state, "link.bin", NULL, "24", COSET_EFORMAT, "is a link");
    refuse(*state, "inner_link.bin", NULL, "24", COSET_EFORMAT, "is a link");
    refuse(*state, "linked/secret.bin", NULL, "24", COSET_EFORMAT, "is a link");
    refuse(*state, "hard.bin", NULL, "24", COSET_EFORMAT, "is a hard link");
    refuse(*state, "fifo.bin", NULL, "24", COSET_EIO, "not a regular file");
    refuse(*state, "sub", NULL, "24", COSET_EIO, "is a folder");
    refuse(*state, "absent.bin", NULL, "24", COSET_EIO, "cannot be opened");
}

static void ranges_are_checked(void **state)
{
    refuse(*state, NULL, NULL, "24", COSET_EFORMAT, "no location");
    refuse(*state, "w.bin", "x", "24", COSET_EFORMAT, "'x' is no offset");
    refuse(*state, "w.bin", "-8", "24", COSET_EFORMAT, "'-8' is no offset");
    refuse(*state, "w.bin", "", "24", COSET_EFORMAT, "'' is no offset");
    refuse(*state, "w.bin", "0", "18446744073709551640", COSET_EFORMAT, "is no length");
    refuse(*state, "w.bin", "9", "24", COSET_EFORMAT, "beyond its end at 32");
    refuse(*state, "w.bin", "18446744073709551608", "24", COSET_EFORMAT, "beyond its end at 32");
    refuse(*state, "w.bin", "0", "20", COSET_EFORMAT, "20 bytes are given, 24 are needed");
    refuse(*state, "w.bin", NULL, NULL, COSET_EFORMAT, "32 bytes are given, 24 are needed");
    refuse(*state, "w.bin", "99", NULL, COSET_EFORMAT, "0 bytes are given, 24 are needed");
    refuse(*state, "empty.bin", NULL, "24", COSET_EFORMAT, "beyond its end at 0");
}

static void no_folder_is_refused(void **state)
{
    coset_graph *graph = NULL;
    wire data = external_tensor("w.bin", NULL, "24"), model = model_with(INITIALISER, &data);
    assert_int_equal(decode(*state, &model, NULL, &graph), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(*state), "no folder is known"));
}

/* The file shrinks to the tensor's range, and the model no longer needs the folder. */
static void data_come_inside(void **state)
{
    coset_ctx *ctx = *state;
    for (int where = 0; where < PLACES; where++) {
        coset_graph *graph = NULL, *again = NULL;
        void *bytes = NULL;
        size_t size = 0;
        wire data = external_tensor("w.bin", "8", where == SPARSE ? NULL : "24");
        wire model = model_with((place)where, &data);
        if (decode(ctx, &model, folder, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        assert_int_equal(coset_graph_encode(ctx, graph, &bytes, &size), COSET_OK);
        assert_non_null(memmem(bytes, size, weights, sizeof weights));
        assert_null(memmem(bytes, size, "w.bin", 5));
        assert_int_equal(coset_graph_decode(ctx, bytes, size, "again", NULL, &again), COSET_OK);
        for (int64_t i = 0; i < again->n_values; i++)
            if (again->values[i].constant != NULL)
                assert_memory_equal(again->values[i].constant->data, weights, sizeof weights);
        coset_memory_free(ctx, bytes);
        coset_graph_free(ctx, graph);
        coset_graph_free(ctx, again);
    }
}

/* Through files: load from one folder, save into another. */
static void saved_models_stand_alone(void **state)
{
    coset_ctx *ctx = *state;
    char path[4096];
    coset_graph *graph = NULL;
    wire data = external_tensor("w.bin", "8", "24"), body = wire_graph();
    const int64_t dims[] = {1, 3};
    wire node = wire_node("MatMul", "x,w", "z"), info = wire_value("z", dims, 2);
    wire_message(&body, 1, &node);
    wire_message(&body, 5, &data);
    wire_message(&body, 12, &info);
    wire model = wire_model(&body, 13);
    snprintf(path, sizeof path, "%s/model", folder);
    assert_int_equal(file_write(ctx, path, model.bytes, model.size), COSET_OK);
    free(model.bytes);
    if (coset_graph_load(ctx, path, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(coset_graph_save(ctx, graph, "alone.onnx"), COSET_OK);
    coset_graph_free(ctx, graph);
    assert_int_equal(coset_graph_load(ctx, "alone.onnx", &graph), COSET_OK);
    assert_int_equal(graph->n_nodes, 2);
    coset_graph_free(ctx, graph);
}

/* A small model that names the same bytes over and over. */
static void reuse_is_capped(void **state)
{
    enum { FLOATS = 1 << 20 };
    char path[4096], name[16];
    const int64_t n = FLOATS;
    coset_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/big.bin", folder);
    float *zeros = calloc(FLOATS, sizeof *zeros);
    assert_non_null(zeros);
    assert_int_equal(file_write(*state, path, zeros, FLOATS * sizeof *zeros), COSET_OK);
    free(zeros);
    wire body = wire_graph(), entry = {0};
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "w%d", i);
        wire data = wire_tensor(name, COSET_F32, &n, 1);
        wire_text(&entry, 1, "location");
        wire_text(&entry, 2, "big.bin");
        wire_message(&data, 13, &entry);
        wire_int(&data, 14, 1);
        wire_message(&body, 5, &data);
    }
    wire model = wire_model(&body, 13);
    assert_int_equal(decode(*state, &model, folder, &graph), COSET_ELIMIT);
    assert_non_null(strstr(coset_ctx_error(*state), "the same bytes are used too often"));
}

/* ---- runner ------------------------------------------------------------------------------------ */

static void write_file(const char *name, size_t skip, size_t size)
{
    char path[4096], bytes[32] = {0};
    memcpy(bytes + 8, weights, sizeof weights);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes + skip, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void link_to(const char *target, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

static int make_folder(void **state)
{
    static char top[2048], path[4096], other[4096];
    const char *tmp = getenv("COSET_TMP");
    (void)state;
    snprintf(top, sizeof top, "%s/external_XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(top) == NULL) return -1;
    snprintf(path, sizeof path, "%s/model", top);
    folder = path;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chdir(path), 0);
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("w.bin", 0, 32);
    write_file("empty.bin", 0, 0);
    write_file("../secret.bin", 8, 24);
    link_to("../secret.bin", "link.bin");
    link_to("w.bin", "inner_link.bin");
    link_to("..", "linked");
    snprintf(other, sizeof other, "%s/secret.bin", top);
    assert_int_equal(link(other, "hard.bin"), 0);
    assert_int_equal(mkfifo("fifo.bin", 0600), 0);
    return 0;
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
        cmocka_unit_test_setup_teardown(escapes_are_refused, start, end),
        cmocka_unit_test_setup_teardown(ranges_are_checked, start, end),
        cmocka_unit_test_setup_teardown(no_folder_is_refused, start, end),
        cmocka_unit_test_setup_teardown(data_come_inside, start, end),
        cmocka_unit_test_setup_teardown(saved_models_stand_alone, start, end),
        cmocka_unit_test_setup_teardown(reuse_is_capped, start, end),
    };
    return cmocka_run_group_tests(tests, make_folder, NULL);
}
