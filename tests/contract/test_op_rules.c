/* What every row of ops.def keeps to, on the cases of op_cases.c; and the broadcasting loops
 * against a plain reference. test_ops runs the official cases through the same checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/op_case.h"

static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    return coset_ctx_new(NULL, &ctx) != COSET_OK;
}

static int teardown(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return 0;
}

/* ---- the table of rows ----------------------------------------------------------------------- */

static void test_rows_are_well_formed(void **state)
{
    (void)state;
    int n = 0;
    for (const coset_op *op; (op = op_at(n)); n++) {
        assert_non_null(op->type);
        assert_non_null(op->domain);
        assert_non_null(op->infer);
        assert_true(op->since >= 1);
        /* Recurrent layers may leave out every output; then there is at least a choice of them. */
        assert_true(op->min_inputs >= 0 && op->min_outputs >= 0 && op->max_outputs != 0);
        assert_true(op->max_inputs == -1 || op->max_inputs >= op->min_inputs);
        assert_true(op->max_outputs == -1 || op->max_outputs >= op->min_outputs);
        assert_ptr_equal(op_find(op->domain, op->type, op->since), op);
        for (int i = 0; i < n; i++) {
            const coset_op *other = op_at(i);
            if (!strcmp(other->type, op->type) && !strcmp(other->domain, op->domain))
                assert_true(other->since < op->since);
        }
    }
    assert_true(n > 0);
    assert_null(op_at(-1));
}

static void test_find_takes_the_newest_row(void **state)
{
    (void)state;
    assert_null(op_find("", "Gelu", 19));
    assert_non_null(op_find("", "Gelu", 20));
    assert_ptr_equal(op_find("ai.onnx", "Gelu", 21), op_find("", "Gelu", 20));
    assert_ptr_not_equal(op_find("com.microsoft", "Gelu", 20), op_find("", "Gelu", 20));
    assert_int_equal(op_find("", "Clip", 10)->max_inputs, 1);
    assert_int_equal(op_find("", "Clip", 11)->max_inputs, 3);
    assert_null(op_find("", "NoSuchOperator", 21));
    assert_null(op_find("no.such.domain", "Relu", 21));
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void check_failure(const op_case *from, coset_status status)
{
    if (status != from->fails)
        fail_msg("%s: expected %s, got %s", from->name, coset_status_name(from->fails),
                 coset_status_name(status));
    if (!strstr(coset_ctx_error(ctx), from->says))
        fail_msg("%s: the error '%s' does not say '%s'", from->name, coset_ctx_error(ctx),
                 from->says);
}

static void run_case(const op_case *from, int threads)
{
    op_case_trial opened;
    array out[OP_CASE_MAX];
    op_case_open(ctx, from, &opened);
    coset_status status = op_trial_run(ctx, &opened.trial, threads, out);
    if (from->fails != COSET_OK) {
        check_failure(from, status);
    } else {
        if (status != COSET_OK) fail_msg("%s: %s", from->name, coset_ctx_error(ctx));
        /* A few units in the last place, times the arguments of exponentials (up to 90). */
        for (int i = 0; i < from->n_out; i++)
            op_assert_equal(from->name, &out[i], &opened.want[i], 1e-5, 1e-40);
    }
    op_outputs_free(ctx, &opened.trial, out);
    op_case_close(ctx, &opened);
}

static void test_cases(void **state)
{
    (void)state;
    const op_case *own = NULL;
    for (int i = 0; (own = op_case_at(i)) != NULL; i++) {
        run_case(own, 1);
        run_case(own, 3);
    }
}

static void test_infer_with_less_knowledge(void **state)
{
    (void)state;
    const op_case *own = NULL;
    for (int i = 0; (own = op_case_at(i)) != NULL; i++) {
        if (own->fails != COSET_OK) continue;
        op_case_trial opened;
        op_case_open(ctx, own, &opened);
        op_trial_check_infer(ctx, &opened.trial);
        op_case_close(ctx, &opened);
    }
}

/* ---- broadcasting ---------------------------------------------------------------------------- */

static graph_node binary_node(const char *type, int32_t *values)
{
    for (int i = 0; i < 3; i++) values[i] = i;
    return (graph_node){.name = "",
                        .op_type = type,
                        .domain = "",
                        .op = op_find("", type, 14),
                        .n_inputs = 2,
                        .n_outputs = 1,
                        .inputs = values,
                        .outputs = values + 2};
}

static int64_t offset_in(const shape *operand, const shape *out, const int64_t *index)
{
    int64_t offset = 0;
    for (int a = 0; a < operand->rank; a++) {
        const int64_t at = index[a + out->rank - operand->rank];
        offset = offset * operand->dims[a] + (operand->dims[a] == 1 ? 0 : at);
    }
    return offset;
}

/* y = a - b, element by element. */
static void assert_difference(const array *a, const array *b, const array *y)
{
    int64_t index[TENSOR_MAX_RANK] = {0};
    const int64_t n = shape_product(&y->shape, 0, y->shape.rank);
    for (int64_t i = 0; i < n; i++) {
        const int64_t ia = offset_in(&a->shape, &y->shape, index);
        const int64_t ib = offset_in(&b->shape, &y->shape, index);
        if (dtype_is_float(y->dtype))
            assert_true(y->f[i] == a->f[ia] - b->f[ib]);
        else
            assert_int_equal(y->i[i], a->i[ia] - b->i[ib]);
        for (int axis = y->shape.rank - 1; axis >= 0; axis--) {
            if (++index[axis] < y->shape.dims[axis]) break;
            index[axis] = 0;
        }
    }
}

static array random_array(rng *random, coset_dtype dtype, const shape *of)
{
    array result = {.dtype = dtype, .shape = *of};
    const int64_t n = shape_product(of, 0, of->rank);
    assert_int_equal(ctx_alloc(ctx, n, array_element_size(dtype), &result.data), COSET_OK);
    for (int64_t i = 0; i < n; i++) {
        const int64_t value = rng_below(random, 1000) - 500;
        if (dtype_is_float(dtype))
            result.f[i] = (float)value;
        else
            result.i[i] = value;
    }
    return result;
}

/* An operand that broadcasts to `out`: leading axes may be missing, others may be 1. */
static shape random_operand(rng *random, const shape *out, bool whole)
{
    shape result = *out;
    if (whole) return result;
    const int drop = (int)rng_below(random, out->rank + 1);
    result.rank = out->rank - drop;
    for (int a = 0; a < result.rank; a++)
        result.dims[a] = rng_below(random, 3) == 0 ? 1 : out->dims[a + drop];
    return result;
}

static void check_difference(rng *random, coset_dtype dtype, const shape *a_shape,
                             const shape *b_shape)
{
    int32_t values[3];
    const graph_node node = binary_node("Sub", values);
    array in[2] = {random_array(random, dtype, a_shape), random_array(random, dtype, b_shape)};
    const op_trial trial = {"Sub", node.op, &node, 14, in};
    array out[2];
    if (op_trial_run(ctx, &trial, 1, &out[0]) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_difference(&in[0], &in[1], &out[0]);
    for (int threads = 2; threads < 6; threads++) {
        assert_int_equal(op_trial_run(ctx, &trial, threads, &out[1]), COSET_OK);
        const int64_t n = shape_product(&out[0].shape, 0, out[0].shape.rank);
        assert_memory_equal(out[0].data, out[1].data, (size_t)n * array_element_size(dtype));
        op_outputs_free(ctx, &trial, &out[1]);
    }
    op_outputs_free(ctx, &trial, &out[0]);
    ctx_free(ctx, in[0].data);
    ctx_free(ctx, in[1].data);
}

static void test_broadcast_against_reference(void **state)
{
    (void)state;
    rng random = rng_seed(7, 0);
    for (int trial = 0; trial < 300; trial++) {
        shape out = {.rank = (int)rng_below(&random, TENSOR_MAX_RANK + 1)};
        for (int a = 0; a < out.rank; a++) out.dims[a] = 1 + rng_below(&random, 3);
        const bool a_whole = rng_below(&random, 2) == 0;
        const shape a = random_operand(&random, &out, a_whole);
        const shape b = random_operand(&random, &out, !a_whole);
        check_difference(&random, trial % 2 ? COSET_F32 : COSET_I64, &a, &b);
    }
}

/* Sizes over the threshold below which one thread does all, and not a multiple of anything. */
static void test_broadcast_with_threads(void **state)
{
    (void)state;
    static const shape pairs[][2] = {
        {{2, {301, 127}}, {2, {301, 127}}}, {{2, {301, 127}}, {1, {127}}},
        {{2, {301, 127}}, {2, {301, 1}}},   {{2, {1, 127}}, {2, {301, 1}}},
        {{0, {0}}, {1, {40001}}},           {{4, {3, 7, 41, 43}}, {3, {7, 1, 1}}},
        {{3, {0, 7, 5}}, {1, {5}}},
    };
    rng random = rng_seed(8, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        check_difference(&random, COSET_F32, &pairs[i][0], &pairs[i][1]);
        check_difference(&random, COSET_I64, &pairs[i][0], &pairs[i][1]);
    }
}

static void check_inferred(const shape *a, const shape *b, const char *expected)
{
    int32_t values[3];
    const graph_node node = binary_node("Add", values);
    const fact in[2] = {{COSET_F32, *a, NULL}, {COSET_F32, *b, NULL}};
    fact out = {COSET_UNDEFINED, SHAPE_UNKNOWN, NULL};
    op_infer call = {{ctx, &node, 14, 2, 1}, in, &out};
    assert_int_equal(node.op->infer(&call), COSET_OK);
    char text[SHAPE_TEXT];
    assert_string_equal(shape_text(&out.shape, text, sizeof text), expected);
}

static void test_broadcast_of_unknown_dimensions(void **state)
{
    (void)state;
    check_inferred(&(shape){2, {-1, 3}}, &(shape){1, {3}}, "[?, 3]");
    check_inferred(&(shape){2, {-1, 3}}, &(shape){2, {5, 1}}, "[5, 3]");
    check_inferred(&(shape){2, {-1, 3}}, &(shape){2, {1, 1}}, "[?, 3]");
    check_inferred(&(shape){1, {-1}}, &(shape){1, {-1}}, "[?]");
    check_inferred(&(shape){1, {7}}, &(shape){3, {2, -1, -1}}, "[2, ?, 7]");
    check_inferred(&(shape){1, {0}}, &(shape){1, {1}}, "[0]");
    check_inferred(&(shape){0, {0}}, &(shape){1, {4}}, "[4]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_well_formed),
        cmocka_unit_test(test_find_takes_the_newest_row),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_infer_with_less_knowledge),
        cmocka_unit_test(test_broadcast_against_reference),
        cmocka_unit_test(test_broadcast_with_threads),
        cmocka_unit_test(test_broadcast_of_unknown_dimensions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
