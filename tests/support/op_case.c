#include "support/op_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 64, GUARD_BYTE = 0xA5, MAX_INPUTS = 64, MAX_OUTPUTS = 8 };

static int64_t count_of(const shape *known)
{
    return shape_product(known, 0, known->rank);
}

void op_trial_facts(const op_trial *trial, fact *in_out)
{
    for (int32_t i = 0; i < trial->node->n_inputs; i++) {
        const array *in = &trial->in[i];
        in_out[i] = (fact){.dtype = in->dtype, .shape = in->shape};
        if (in->data) in_out[i].constant = in;
    }
}

static op_node view_of(coset_ctx *ctx, const op_trial *trial)
{
    return (op_node){ctx, trial->node, trial->opset, trial->node->n_inputs, trial->node->n_outputs};
}

/* ---- guarded memory -------------------------------------------------------------------------- */

/* `bytes` between two guards; NULL on failure. */
static void *guarded_new(coset_ctx *ctx, size_t bytes)
{
    unsigned char *memory = NULL;
    if (ctx_alloc_raw(ctx, (int64_t)bytes + 2 * GUARD, 1, &memory) != COSET_OK) return NULL;
    memset(memory, GUARD_BYTE, bytes + 2 * GUARD);
    return memory + GUARD;
}

static bool guarded_intact(const void *data, size_t bytes)
{
    const unsigned char *first = (const unsigned char *)data - GUARD;
    const unsigned char *last = (const unsigned char *)data + bytes;
    for (int i = 0; i < GUARD; i++)
        if (first[i] != GUARD_BYTE || last[i] != GUARD_BYTE) return false;
    return true;
}

static void guarded_free(coset_ctx *ctx, void *data)
{
    if (data) ctx_free(ctx, (unsigned char *)data - GUARD);
}

static size_t array_bytes(const array *self)
{
    return (size_t)count_of(&self->shape) * array_element_size(self->dtype);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* Copies of the inputs, to see whether they stay what they are. */
static void inputs_copy(coset_ctx *ctx, const op_trial *trial, void **copies)
{
    for (int32_t i = 0; i < trial->node->n_inputs; i++) {
        if (!trial->in[i].data) continue;
        copies[i] = guarded_new(ctx, array_bytes(&trial->in[i]));
        assert_non_null(copies[i]);
        memcpy(copies[i], trial->in[i].data, array_bytes(&trial->in[i]));
    }
}

static void inputs_compare(coset_ctx *ctx, const op_trial *trial, void **copies)
{
    for (int32_t i = 0; i < trial->node->n_inputs; i++) {
        if (!copies[i]) continue;
        if (memcmp(copies[i], trial->in[i].data, array_bytes(&trial->in[i])) != 0)
            fail_msg("%s: the kernel changed input %d", trial->name, i);
        guarded_free(ctx, copies[i]);
    }
}

static void outputs_new(coset_ctx *ctx, const op_trial *trial, const fact *facts, array *out)
{
    for (int32_t i = 0; i < trial->node->n_outputs; i++) {
        if (trial->node->outputs[i] < 0) continue;
        if (facts[i].dtype == COSET_UNDEFINED || !shape_known(&facts[i].shape))
            fail_msg("%s: all inputs are known, but not type and shape of output %d", trial->name,
                     i);
        out[i] = (array){.dtype = facts[i].dtype, .shape = facts[i].shape};
        out[i].data = guarded_new(ctx, array_bytes(&out[i]));
        assert_non_null(out[i].data);
    }
}

coset_status op_trial_run(coset_ctx *ctx, const op_trial *trial, int threads, array *out)
{
    const int32_t n_out = trial->node->n_outputs;
    fact in[MAX_INPUTS], facts[MAX_OUTPUTS];
    void *copies[MAX_INPUTS] = {NULL};
    assert_true(trial->node->n_inputs <= MAX_INPUTS && n_out <= MAX_OUTPUTS);
    op_trial_facts(trial, in);
    for (int32_t i = 0; i < n_out; i++) {
        facts[i] = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        out[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
    }
    op_infer infer = {view_of(ctx, trial), in, facts};
    coset_status status = trial->op->infer(&infer);
    if (status != COSET_OK) return status;
    inputs_copy(ctx, trial, copies);
    outputs_new(ctx, trial, facts, out);
    const size_t bytes = trial->op->scratch ? trial->op->scratch(&infer) : 0;
    void *scratch = guarded_new(ctx, bytes);
    assert_non_null(scratch);

    op_call call = {view_of(ctx, trial), trial->in, out, scratch, threads};
    status = trial->op->forward(&call);
    for (int32_t i = 0; i < n_out; i++)
        if (out[i].data && !guarded_intact(out[i].data, array_bytes(&out[i])))
            fail_msg("%s: the kernel wrote beside output %d", trial->name, i);
    if (!guarded_intact(scratch, bytes)) fail_msg("%s: wrote beside its scratch", trial->name);
    inputs_compare(ctx, trial, copies);
    guarded_free(ctx, scratch);
    return status;
}

void op_outputs_free(coset_ctx *ctx, const op_trial *trial, array *out)
{
    for (int32_t i = 0; i < trial->node->n_outputs; i++) {
        guarded_free(ctx, out[i].data);
        out[i].data = NULL;
    }
}

/* ---- inference with less knowledge ----------------------------------------------------------- */

/* True if `less` says nothing that `full` contradicts. */
static bool is_compatible(const fact *less, const fact *full)
{
    if (less->dtype != COSET_UNDEFINED && less->dtype != full->dtype) return false;
    if (less->shape.rank < 0) return true;
    if (less->shape.rank != full->shape.rank) return false;
    for (int a = 0; a < less->shape.rank; a++)
        if (less->shape.dims[a] != -1 && less->shape.dims[a] != full->shape.dims[a]) return false;
    return true;
}

static void infer_with(coset_ctx *ctx, const op_trial *trial, const fact *in, fact *out)
{
    for (int32_t i = 0; i < trial->node->n_outputs; i++)
        out[i] = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
    op_infer call = {view_of(ctx, trial), in, out};
    if (trial->op->infer(&call) != COSET_OK)
        fail_msg("%s: infer fails on unknown inputs: %s", trial->name, coset_ctx_error(ctx));
}

static void check_less(coset_ctx *ctx, const op_trial *trial, const fact *in, const fact *full,
                       const char *what)
{
    fact out[MAX_OUTPUTS];
    infer_with(ctx, trial, in, out);
    for (int32_t i = 0; i < trial->node->n_outputs; i++) {
        if (trial->node->outputs[i] < 0 || is_compatible(&out[i], &full[i])) continue;
        char found[SHAPE_TEXT], known[SHAPE_TEXT];
        fail_msg("%s: with %s unknown, output %d is said to be %s %s instead of %s %s", trial->name,
                 what, i, coset_dtype_name(out[i].dtype),
                 shape_text(&out[i].shape, found, sizeof found), coset_dtype_name(full[i].dtype),
                 shape_text(&full[i].shape, known, sizeof known));
    }
}

/* Takes away more and more of what is known about one input. */
static void check_input(coset_ctx *ctx, const op_trial *trial, const fact *all, const fact *full,
                        int32_t index)
{
    fact in[MAX_INPUTS];
    memcpy(in, all, (size_t)trial->node->n_inputs * sizeof *in);
    in[index].constant = NULL;
    check_less(ctx, trial, in, full, "the data of an input");
    for (int a = 0; a < all[index].shape.rank; a++) {
        in[index].shape = all[index].shape;
        in[index].shape.dims[a] = -1;
        check_less(ctx, trial, in, full, "a dimension");
    }
    in[index].shape = SHAPE_UNKNOWN;
    check_less(ctx, trial, in, full, "a shape");
    in[index].dtype = COSET_UNDEFINED;
    check_less(ctx, trial, in, full, "an input");
}

void op_trial_check_infer(coset_ctx *ctx, const op_trial *trial)
{
    const int32_t n = trial->node->n_inputs;
    fact all[MAX_INPUTS], in[MAX_INPUTS], full[MAX_OUTPUTS];
    op_trial_facts(trial, all);
    infer_with(ctx, trial, all, full);
    for (int32_t i = 0; i < n; i++)
        if (trial->in[i].data) check_input(ctx, trial, all, full, i);

    memcpy(in, all, (size_t)n * sizeof *in);
    for (int32_t i = 0; i < n; i++) in[i].constant = NULL;
    check_less(ctx, trial, in, full, "all data");
    for (int32_t i = 0; i < n; i++)
        for (int a = 0; a < in[i].shape.rank; a++) in[i].shape.dims[a] = -1;
    check_less(ctx, trial, in, full, "all dimensions");
    for (int32_t i = 0; i < n; i++) in[i].shape = SHAPE_UNKNOWN;
    check_less(ctx, trial, in, full, "all shapes");
    for (int32_t i = 0; i < n; i++) in[i].dtype = COSET_UNDEFINED;
    check_less(ctx, trial, in, full, "everything");
}

/* ---- comparison ------------------------------------------------------------------------------ */

static bool is_close(double got, double want, double rtol, double atol)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got)) return got == want;
    return fabs(got - want) <= atol + rtol * fabs(want);
}

void op_assert_equal(const char *name, const array *got, const array *want, double rtol,
                     double atol)
{
    char got_text[SHAPE_TEXT], want_text[SHAPE_TEXT];
    if (got->dtype != want->dtype || !shape_equal(&got->shape, &want->shape))
        fail_msg("%s: expected %s %s, got %s %s", name, coset_dtype_name(want->dtype),
                 shape_text(&want->shape, want_text, sizeof want_text),
                 coset_dtype_name(got->dtype), shape_text(&got->shape, got_text, sizeof got_text));
    const int64_t n = count_of(&want->shape);
    for (int64_t i = 0; i < n; i++) {
        if (dtype_is_float(want->dtype)) {
            if (!is_close((double)got->f[i], (double)want->f[i], rtol, atol))
                fail_msg("%s: element %lld: expected %.9g, got %.9g", name, (long long)i,
                         (double)want->f[i], (double)got->f[i]);
        } else if (got->i[i] != want->i[i]) {
            fail_msg("%s: element %lld: expected %lld, got %lld", name, (long long)i,
                     (long long)want->i[i], (long long)got->i[i]);
        }
    }
}

/* ---- cases of our own ------------------------------------------------------------------------ */

/* Integers over 2^53 are not in the table, so that a double holds each exactly. */
static array literal_array(coset_ctx *ctx, const op_literal *from)
{
    array result = {.dtype = from->dtype, .shape = from->shape};
    if (from->dtype == COSET_UNDEFINED) result.shape = SHAPE_UNKNOWN;
    if (result.shape.rank < 0) return result;
    const int64_t n = count_of(&from->shape);
    assert_int_equal(ctx_alloc(ctx, n, array_element_size(from->dtype), &result.data), COSET_OK);
    for (int64_t i = 0; i < n; i++) {
        if (dtype_is_float(from->dtype))
            result.f[i] = (float)from->values[i];
        else
            result.i[i] = (int64_t)from->values[i];
    }
    return result;
}

const op_case *op_case_at(int index)
{
    const struct {
        const op_case *cases;
        int n;
    } tables[] = {{op_cases, n_op_cases},
                  {op_cases_elementwise, n_op_cases_elementwise},
                  {op_cases_layers, n_op_cases_layers},
                  {op_cases_windows, n_op_cases_windows},
                  {op_cases_reductions, n_op_cases_reductions},
                  {op_cases_moves, n_op_cases_moves},
                  {op_cases_convolutions, n_op_cases_convolutions}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (index < tables[i].n) return &tables[i].cases[index];
        index -= tables[i].n;
    }
    return NULL;
}

void op_case_open(coset_ctx *ctx, const op_case *from, op_case_trial *trial_out)
{
    op_case_trial *self = trial_out;
    *self = (op_case_trial){0};
    for (int32_t i = 0; i < OP_CASE_MAX; i++) {
        self->in[i] = literal_array(ctx, &from->in[i]);
        self->want[i] = literal_array(ctx, &from->out[i]);
        self->inputs[i] = self->in[i].data ? i : -1;
        self->outputs[i] = OP_CASE_MAX + i;
    }
    self->node = (graph_node){.name = "node",
                              .op_type = from->type,
                              .domain = from->domain,
                              .op = op_find(from->domain, from->type, from->opset),
                              .n_inputs = from->n_in,
                              .n_outputs = from->n_out,
                              .n_attrs = from->n_attrs,
                              .inputs = self->inputs,
                              .outputs = self->outputs,
                              .attrs = from->attrs};
    if (!self->node.op) fail_msg("%s: no row for this operator and opset", from->name);
    self->trial = (op_trial){from->name, self->node.op, &self->node, from->opset, self->in};
}

void op_case_close(coset_ctx *ctx, op_case_trial *trial)
{
    for (int i = 0; i < OP_CASE_MAX; i++) {
        ctx_free(ctx, trial->in[i].data);
        ctx_free(ctx, trial->want[i].data);
    }
}
