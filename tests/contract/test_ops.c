/* Operators against the official ONNX cases: every case whose operators all have rows is loaded,
 * run by the executor, and (if it is a single node) run through the checks of op_case.h. Every row
 * must be exercised by an official case or by one of op_cases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "exec/exec.h"
#include "support/official.h"
#include "support/op_case.h"

enum { MAX_ROWS = 256, MAX_NOTES = 4096, NAME_SIZE = 160, NOTE_SIZE = 200 };

/* The official runner uses rtol 1e-3 and atol 1e-7; results of cancellation (sums that are near 0)
 * depend on the order of summation by a few f32 roundings of their terms, which are below 10. */
static const double RTOL = 1e-3, ATOL = 1e-6;

/* Why a case was left out, or how it was run. */
typedef struct note {
    char reason[NOTE_SIZE], name[NAME_SIZE];
} note;

/* Cases whose data is not what the specification says. */
static const note disputed[] = {
    {"data cut off where the specification rounds to nearest", "node/test_cast_FLOAT_to_BFLOAT16"},
    {"data cut off where the specification rounds to nearest",
     "node/test_castlike_FLOAT_to_BFLOAT16_expanded"},
    {"corners aligned with a size that is no whole number, not with that of the output",
     "node/test_resize_downsample_scales_cubic_align_corners"},
    {"corners aligned with a size that is no whole number, not with that of the output",
     "node/test_resize_downsample_scales_linear_align_corners"},
};

static coset_ctx *ctx;
static note ran[MAX_NOTES], skipped[MAX_NOTES];
static int n_ran, n_skipped;
static bool exercised[MAX_ROWS];

/* The path of the model would make every reason different. */
static void note_add(note *notes, int *n, const char *reason, const char *name)
{
    assert_true(*n < MAX_NOTES);
    const char *path_end = strstr(reason, "model.onnx: ");
    if (path_end) reason = path_end + strlen("model.onnx: ");
    snprintf(notes[*n].reason, NOTE_SIZE, "%s", reason);
    snprintf(notes[(*n)++].name, NAME_SIZE, "%s", name);
}

static int note_compare(const void *a, const void *b)
{
    const note *first = a, *second = b;
    const int order = strcmp(first->reason, second->reason);
    return order ? order : strcmp(first->name, second->name);
}

static void notes_print(const char *title, note *notes, int n)
{
    qsort(notes, (size_t)n, sizeof *notes, note_compare);
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(notes[i].reason, notes[i - 1].reason) != 0)
            printf("%s%s %s:", i ? "\n" : "", title, notes[i].reason);
        printf(" %s", notes[i].name);
    }
    printf("\n");
}

static void mark(const coset_op *op)
{
    for (int i = 0; op_at(i); i++)
        if (op_at(i) == op) exercised[i] = true;
}

/* ---- one data set ---------------------------------------------------------------------------- */

/* Runs the graph as a whole. COSET_EUNSUPPORTED is left to the caller: what an operator needs to
 * know (a target shape) may be an input of the model. */
static coset_status run_graph(const char *name, const coset_graph *graph, const official_values *in,
                              const official_values *want)
{
    executor *exec = NULL;
    shape shapes[OFFICIAL_MAX_VALUES];
    for (int i = 0; i < in->n; i++) shapes[i] = in->values[i].shape;
    coset_status status = executor_new(ctx, graph, shapes, NULL, 0, &exec);
    if (status == COSET_OK) status = executor_run(exec, in->values);
    for (int i = 0; status == COSET_OK && i < want->n; i++) {
        const array *got = executor_value(exec, graph->outputs[i]);
        if (!got) fail_msg("%s: output %d cannot be read", name, i);
        op_assert_equal(name, got, &want->values[i], RTOL, ATOL);
    }
    executor_free(ctx, exec);
    return status;
}

/* Arrays of a node's inputs: graph inputs, constants (then memory_out owns data) or absent. */
static void node_inputs(const coset_graph *graph, const graph_node *node, const official_values *in,
                        array *arrays_out, void **memory_out)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const int32_t value = node->inputs[i];
        arrays_out[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        if (value < 0) continue;
        for (int64_t g = 0; g < graph->n_inputs; g++)
            if (graph->inputs[g] == value) arrays_out[i] = in->values[g];
        if (graph->values[value].constant)
            assert_int_equal(
                tensor_to_array(ctx, graph->values[value].constant, &arrays_out[i], &memory_out[i]),
                COSET_OK);
    }
}

/* Runs the only node of a graph by its row, with all that every row must keep to. */
static coset_status run_row(const char *name, const coset_graph *graph, const official_values *in,
                            const official_values *want)
{
    const graph_node *node = &graph->nodes[0];
    array arrays[OFFICIAL_MAX_VALUES], out[OFFICIAL_MAX_VALUES];
    void *memory[OFFICIAL_MAX_VALUES] = {NULL};
    assert_true(node->n_inputs <= OFFICIAL_MAX_VALUES && node->n_outputs <= OFFICIAL_MAX_VALUES);
    node_inputs(graph, node, in, arrays, memory);
    const op_trial trial = {name, node->op, node, graph->opset, arrays};
    op_trial_check_infer(ctx, &trial);
    if (node->op->forward == NULL) { /* nothing but its inference can be held to the case */
        for (int32_t i = 0; i < node->n_inputs; i++) ctx_free(ctx, memory[i]);
        mark(node->op);
        return node->n_branches > 0
                   ? COSET_OK
                   : ctx_fail(ctx, COSET_EUNSUPPORTED, "%s is not run", node->op_type);
    }
    coset_status status = op_trial_run(ctx, &trial, 2, out);
    for (int32_t o = 0; status == COSET_OK && o < node->n_outputs; o++)
        for (int i = 0; i < want->n; i++)
            if (graph->outputs[i] == node->outputs[o])
                op_assert_equal(name, &out[o], &want->values[i], RTOL, ATOL);
    op_outputs_free(ctx, &trial, out);
    for (int32_t i = 0; i < node->n_inputs; i++) ctx_free(ctx, memory[i]);
    return status;
}

/* How the set ran; NULL if it cannot be run, and then the context's error says why. */
static const char *run_set(const char *name, const coset_graph *graph, const official_values *in,
                           const official_values *want)
{
    const coset_status whole = run_graph(name, graph, in, want);
    if (whole != COSET_OK && whole != COSET_EUNSUPPORTED)
        fail_msg("%s: %s", name, coset_ctx_error(ctx));
    if (graph->n_nodes != 1) return whole == COSET_OK ? "as a graph" : NULL;
    const coset_status row = run_row(name, graph, in, want);
    if (row != COSET_OK && (row != COSET_EUNSUPPORTED || whole == COSET_OK))
        fail_msg("%s: %s", name, coset_ctx_error(ctx));
    if (row != COSET_OK) return NULL;
    return whole == COSET_OK ? "as a graph and as a row" : "as a row (an input decides on shapes)";
}

/* ---- one case -------------------------------------------------------------------------------- */

static bool is_disputed(const char *name)
{
    for (size_t i = 0; i < sizeof disputed / sizeof disputed[0]; i++) {
        if (strcmp(disputed[i].name, name) != 0) continue;
        note_add(skipped, &n_skipped, disputed[i].reason, name);
        return true;
    }
    return false;
}

/* The data files of other values than tensors hold other messages than TensorProto. */
static bool has_tensors(const coset_graph *graph, const char *name)
{
    bool tensors = true;
    for (int64_t i = 0; i < graph->n_inputs; i++)
        tensors = tensors && graph->values[graph->inputs[i]].dtype != COSET_UNDEFINED;
    for (int64_t i = 0; i < graph->n_outputs; i++)
        tensors = tensors && graph->values[graph->outputs[i]].dtype != COSET_UNDEFINED;
    if (!tensors)
        note_add(skipped, &n_skipped, "an input or output is a sequence or optional", name);
    return tensors;
}

static bool has_rows(const coset_graph *graph, const char *name)
{
    char reason[NOTE_SIZE];
    for (int64_t i = 0; i < graph->n_nodes; i++) {
        const graph_node *node = &graph->nodes[i];
        if (node->op) continue;
        snprintf(reason, sizeof reason, "operator %s%s%s missing", node->domain,
                 node->domain[0] ? "." : "", node->op_type);
        note_add(skipped, &n_skipped, reason, name);
        return false;
    }
    return true;
}

static void run_case(const char *name, const char *folder, const coset_graph *graph)
{
    const char *how = NULL;
    official_values in = {0}, want = {0};
    coset_status status = COSET_OK;
    const int n_sets = official_sets(folder);
    for (int set = 0; set < n_sets; set++) {
        TRY(official_read(ctx, folder, set, "input", graph, graph->inputs, graph->n_inputs, &in));
        TRY(official_read(ctx, folder, set, "output", graph, graph->outputs, graph->n_outputs,
                          &want));
        if (in.n != graph->n_inputs)
            fail_msg("%s: the model has %lld inputs, the data %d", name, (long long)graph->n_inputs,
                     in.n);
        how = run_set(name, graph, &in, &want);
        if (!how) status = COSET_EUNSUPPORTED;
        TRY(status);
        official_free(ctx, &in);
        official_free(ctx, &want);
    }
done:
    official_free(ctx, &in);
    official_free(ctx, &want);
    if (status == COSET_EUNSUPPORTED)
        note_add(skipped, &n_skipped, coset_ctx_error(ctx), name);
    else if (status != COSET_OK)
        fail_msg("%s: %s", name, coset_ctx_error(ctx));
    if (status != COSET_OK || !how) return;
    note_add(ran, &n_ran, how, name);
    for (int64_t i = 0; i < graph->n_nodes; i++) mark(graph->nodes[i].op);
}

/* The opset version that a model's last bytes import for the default domain, where these cases have
 * it: field 8 of ModelProto with version and perhaps an empty domain. NULL: not found. */
static uint8_t *find_opset(uint8_t *bytes, size_t size)
{
    static const uint8_t forms[2][5] = {{0x42, 2, 0x10}, {0x42, 4, 0x0A, 0, 0x10}};
    for (int i = 0; i < 2; i++) {
        const size_t length = i == 0 ? 3 : 5;
        if (size > length && memcmp(bytes + size - length - 1, forms[i], length) == 0)
            return bytes + size - 1;
    }
    return NULL;
}

/* A model of an opset before 7 is taken as one of opset 7 if the rows of all its operators hold for
 * its own opset, too. NULL if not. */
static coset_graph *load_raised(const char *path)
{
    coset_graph *graph = NULL;
    uint8_t *bytes = NULL, *opset = NULL;
    int64_t version = 7;
    file_view view = {NULL, 0};
    coset_status status = COSET_OK;
    TRY(file_map(ctx, path, &view));
    TRY(ctx_alloc(ctx, (int64_t)view.size, 1, &bytes));
    memcpy(bytes, view.bytes, view.size);
    opset = find_opset(bytes, view.size);
    if (!opset || *opset >= 7) goto done;
    version = *opset;
    *opset = 7;
    TRY(coset_graph_decode(ctx, bytes, view.size, path, NULL, &graph));
done:
    file_unmap(&view);
    ctx_free(ctx, bytes);
    for (int64_t i = 0; graph && i < graph->n_nodes; i++) {
        const coset_op *op = graph->nodes[i].op;
        if (op && op->since <= version) continue;
        coset_graph_free(ctx, graph);
        graph = NULL;
    }
    return graph;
}

static void visit(void *user, const char *name, const char *folder)
{
    (void)user;
    char path[1024], reason[NOTE_SIZE];
    coset_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    const coset_status status = coset_graph_load(ctx, path, &graph);
    snprintf(reason, sizeof reason, "%s", coset_ctx_error(ctx));
    if (status == COSET_EUNSUPPORTED) {
        graph = load_raised(path);
        if (!graph) note_add(skipped, &n_skipped, reason, name);
    } else if (status != COSET_OK) {
        fail_msg("%s: %s", name, coset_ctx_error(ctx));
    }
    if (!graph) return;
    if (!is_disputed(name) && has_rows(graph, name) && has_tensors(graph, name))
        run_case(name, folder, graph);
    coset_graph_free(ctx, graph);
}

/* ---- the suite ------------------------------------------------------------------------------- */

static void test_official_cases(void **state)
{
    (void)state;
    if (!official_folder()) {
        printf("SKIP: official cases: libonnx-testdata is not installed\n");
        return;
    }
    static const char *const groups[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        official_each(groups[i], visit, NULL);
    notes_print("ran", ran, n_ran);
    notes_print("skipped,", skipped, n_skipped);
    printf("official cases: %d ran, %d skipped\n", n_ran, n_skipped);
    assert_true(n_ran > 0);
}

static void test_every_row_is_exercised(void **state)
{
    (void)state;
    int missing = 0;
    const op_case *own = NULL;
    for (int i = 0; (own = op_case_at(i)) != NULL; i++) {
        /* test_op_rules runs them. */
        if (own->fails == COSET_OK) mark(op_find(own->domain, own->type, own->opset));
    }
    for (int i = 0; op_at(i); i++) {
        assert_true(i < MAX_ROWS);
        if (exercised[i]) continue;
        printf("%s: %s%s since %d has no case\n", official_folder() ? "FAIL" : "SKIP",
               op_at(i)->domain, op_at(i)->type, op_at(i)->since);
        missing++;
    }
    if (official_folder()) assert_int_equal(missing, 0);
}

static int setup(void **state)
{
    (void)state;
    const coset_ctx_options options = {.threads = 2};
    return coset_ctx_new(&options, &ctx) != COSET_OK;
}

static int teardown(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_official_cases),
        cmocka_unit_test(test_every_row_is_exercised),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
