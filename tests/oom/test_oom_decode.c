/* Every allocation of decoding, loading, encoding and saving fails once, and every one after it: an
 * error comes back, nothing leaks, the input stays as it was, and the next call works. */
#include <dirent.h>

#include "base/file.h"
#include "graph/ir.h"
#include "onnx/onnx.h"
#include "support/wire.h"

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    int64_t number = self->made++;
    if (self->at >= 0 && (self->from_there_on ? number >= self->at : number == self->at))
        return NULL;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *memory)
{
    ((failing_memory *)user)->alive--;
    free(memory);
}

/* What is tried with failing memory. */
typedef struct attempt {
    coset_ctx *ctx;
    const uint8_t *bytes; /* of the model */
    size_t size;
    const char *path;         /* the same bytes as a file */
    const coset_graph *graph; /* to be encoded or saved */
    bool changed;
} attempt;

typedef coset_status (*trial)(const attempt *self);

static coset_status try_decode(const attempt *self)
{
    coset_graph *graph = NULL;
    coset_status status =
        coset_graph_decode(self->ctx, self->bytes, self->size, "model", ".", &graph);
    assert_true((status == COSET_OK) == (graph != NULL));
    coset_graph_free(self->ctx, graph);
    return status;
}

static coset_status try_load(const attempt *self)
{
    coset_graph *graph = NULL;
    coset_status status = coset_graph_load(self->ctx, self->path, &graph);
    assert_true((status == COSET_OK) == (graph != NULL));
    coset_graph_free(self->ctx, graph);
    return status;
}

static coset_status try_encode(const attempt *self)
{
    void *bytes = NULL;
    size_t size = 0;
    coset_status status = coset_graph_encode(self->ctx, self->graph, &bytes, &size);
    assert_true((status == COSET_OK) == (bytes != NULL));
    coset_memory_free(self->ctx, bytes);
    return status;
}

static coset_status try_save(const attempt *self)
{
    return coset_graph_save(self->ctx, self->graph, "saved.bin");
}

static coset_status try_tensor(const attempt *self)
{
    tensor *made = NULL;
    coset_status status = onnx_decode_tensor(self->ctx, self->bytes, self->size, &made);
    assert_true((status == COSET_OK) == (made != NULL));
    tensor_release(self->ctx, made);
    return status;
}

/* Returns the number of allocations that failed. */
static int64_t fail_each(failing_memory *memory, trial what, const attempt *self)
{
    int64_t failed = 0;
    for (int mode = 0; mode < 2; mode++) {
        coset_status status = COSET_EMEMORY;
        int64_t alive = memory->alive;
        for (int64_t at = 0; status != COSET_OK; at++) {
            memory->made = 0;
            memory->at = at;
            memory->from_there_on = mode == 1;
            status = what(self);
            memory->at = -1;
            if (status != COSET_OK && status != COSET_EMEMORY)
                fail_msg("allocation %lld: %s", (long long)at, coset_ctx_error(self->ctx));
            assert_int_equal(memory->alive, alive);
            assert_int_equal(what(self), COSET_OK);
            assert_int_equal(memory->alive, alive);
            failed += status == COSET_EMEMORY;
        }
    }
    return failed;
}

static coset_ctx *failing_ctx(failing_memory *memory)
{
    coset_allocator allocator = {failing_alloc, failing_release, memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    *memory = (failing_memory){0, 0, -1, false};
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    return ctx;
}

/* Everything changed: every constant, the inputs of every node, every attribute that can be new. */
static coset_graph *changed_copy(coset_ctx *ctx, const coset_graph *graph)
{
    coset_graph *clone = NULL;
    assert_int_equal(graph_clone(ctx, graph, &clone), COSET_OK);
    for (int64_t i = 0; i < clone->n_values; i++) {
        graph_value *value = &clone->values[i];
        value->changed = value->constant != NULL;
        if (value->constant == NULL) value->shape = SHAPE_UNKNOWN;
    }
    for (int64_t i = 0; i < clone->n_nodes; i++)
        for (int32_t k = 0; k < clone->nodes[i].n_attrs; k++)
            clone->nodes[i].attrs[k].changed = clone->nodes[i].attrs[k].kind != ATTR_OTHER;
    clone->changed = true;
    assert_int_equal(graph_check(ctx, clone), COSET_OK);
    return clone;
}

static int64_t fail_model(const char *path)
{
    failing_memory memory;
    attempt self = {.ctx = failing_ctx(&memory), .path = path};
    file_view file = {0};
    coset_graph *graph = NULL, *changed = NULL;
    assert_int_equal(file_map(self.ctx, path, &file), COSET_OK);
    self.bytes = file.bytes;
    self.size = file.size;
    if (coset_graph_load(self.ctx, path, &graph) != COSET_OK)
        fail_msg("%s", coset_ctx_error(self.ctx));
    changed = changed_copy(self.ctx, graph);
    int64_t failed = fail_each(&memory, try_decode, &self) + fail_each(&memory, try_load, &self);
    self.graph = graph;
    failed += fail_each(&memory, try_encode, &self) + fail_each(&memory, try_save, &self);
    self.graph = changed;
    failed += fail_each(&memory, try_encode, &self) + fail_each(&memory, try_save, &self);
    coset_graph_free(self.ctx, changed);
    coset_graph_free(self.ctx, graph);
    file_unmap(&file);
    coset_ctx_free(self.ctx);
    assert_int_equal(memory.alive, 0);
    return failed;
}

static void seeds_fail_cleanly(void **state)
{
    (void)state;
    char folder[3072], path[4096];
    struct dirent **entries = NULL;
    int64_t failed = 0;
    int models = 0;
    const char *source = getenv("COSET_SOURCE");
    snprintf(folder, sizeof folder, "%s/fuzz/corpus/onnx", source != NULL ? source : ".");
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) fail_msg("%s cannot be read", folder);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (name[0] != '.' && strcmp(name, "external.onnx") != 0) {
            failed += fail_model(path);
            models++;
        }
        free(entries[i]);
    }
    free(entries);
    print_message("%lld allocations of %d models failed\n", (long long)failed, models);
    assert_true(models > 0 && failed > 100 * models);
}

/* Fields in another order than packing gives, many fields in one message, data large enough to change
 * hands, external data: each allocates in a way of its own. */
static void unusual_models_fail_cleanly(void **state)
{
    (void)state;
    enum { FLOATS = 1000 };
    static float weights[FLOATS];
    const int64_t n = FLOATS;
    const char *const entry_texts[][2] = {{"location", "w.bin"}, {"offset", "0"}};
    char name[16];
    failing_memory memory;
    coset_ctx *ctx = failing_ctx(&memory);
    wire body = wire_graph(), part = wire_tensor("w", COSET_F32, &n, 1), entry = {0};
    wire_bytes(&part, 9, weights, sizeof weights);
    wire_message(&body, 5, &part);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "v%d", i);
        part = wire_node("Neg", "x", name);
        wire_message(&body, 1, &part);
    }
    wire model = wire_model(&body, 13);
    assert_int_equal(file_write(ctx, "order.bin", model.bytes, model.size), COSET_OK);
    free(model.bytes);
    body = wire_graph();
    part = wire_tensor("e", COSET_F32, &n, 1);
    for (int i = 0; i < 2; i++) {
        wire_text(&entry, 1, entry_texts[i][0]);
        wire_text(&entry, 2, entry_texts[i][1]);
        wire_message(&part, 13, &entry);
    }
    wire_int(&part, 14, 1);
    wire_message(&body, 5, &part);
    model = wire_model(&body, 13);
    assert_int_equal(file_write(ctx, "w.bin", weights, sizeof weights), COSET_OK);
    assert_int_equal(file_write(ctx, "external.bin", model.bytes, model.size), COSET_OK);
    free(model.bytes);
    coset_ctx_free(ctx);
    assert_true(fail_model("order.bin") > 100);
    assert_true(fail_model("external.bin") > 50);
}

static void tensors_fail_cleanly(void **state)
{
    (void)state;
    enum { FLOATS = 1000 };
    static float values[FLOATS];
    const int64_t n = FLOATS, two = 2;
    failing_memory memory;
    attempt self = {.ctx = failing_ctx(&memory)};
    for (int kind = 0; kind < 3; kind++) {
        wire proto = {0};
        if (kind == 0) { /* taken over */
            proto = wire_tensor("t", COSET_F32, &n, 1);
            wire_bytes(&proto, 9, values, sizeof values);
        } else if (kind == 1) { /* converted */
            proto = wire_tensor("t", COSET_F16, &two, 1);
            for (int i = 0; i < 2; i++) wire_int(&proto, 5, 0x3C00);
        } else {
            proto = wire_tensor("t", COSET_STRING, &two, 1);
            for (int i = 0; i < 2; i++) wire_text(&proto, 6, "text");
        }
        self.bytes = proto.bytes;
        self.size = proto.size;
        assert_true(fail_each(&memory, try_tensor, &self) >= 6);
        free(proto.bytes);
    }
    coset_ctx_free(self.ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_fail_cleanly),
        cmocka_unit_test(unusual_models_fail_cleanly),
        cmocka_unit_test(tensors_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
