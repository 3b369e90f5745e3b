/* Runs one operator row on given inputs, without a graph around it, and checks what every row must
 * keep to. */
#ifndef TESTS_OP_CASE_H
#define TESTS_OP_CASE_H

#include "graph/op.h"

/* A node and its input data. */
typedef struct op_trial {
    const char *name; /* for messages */
    const coset_op *op;
    const graph_node *node;
    int64_t opset;
    const array *in; /* [node->n_inputs]; absent: data NULL, rank -1 */
} op_trial;

/* Facts of the inputs of a trial, with their data as constants; in_out [node->n_inputs]. */
void op_trial_facts(const op_trial *trial, fact *in_out);

/* Infers, allocates and runs. Outputs and scratch are surrounded by guard bytes and inputs compared
 * with a copy: a kernel that writes anywhere else fails the test. out [node->n_outputs]; their data
 * is released with op_outputs_free. Returns what infer or forward returned. */
coset_status op_trial_run(coset_ctx *ctx, const op_trial *trial, int threads, array *out);
void op_outputs_free(coset_ctx *ctx, const op_trial *trial, array *out);

/* Checks that less knowledge about the inputs (no data; an unknown dimension, shape or type of each
 * and of all) never makes infer fail or contradict what it says when it knows everything. */
void op_trial_check_infer(coset_ctx *ctx, const op_trial *trial);

/* Fails with a message unless two arrays have one type and shape and equal elements: integers
 * exactly, floats within atol + rtol |want|. */
void op_assert_equal(const char *name, const array *got, const array *want, double rtol,
                     double atol);

/* ---- cases of our own ------------------------------------------------------------------------ */

/* An array as a literal; values are converted to the compute type. rank -1: absent. */
typedef struct op_literal {
    coset_dtype dtype;
    shape shape;
    const double *values;
} op_literal;

enum { OP_CASE_MAX = 8 };

typedef struct op_case {
    const char *name, *domain, *type;
    int64_t opset;
    int n_attrs, n_in, n_out;
    graph_attr *attrs;
    op_literal in[OP_CASE_MAX];
    op_literal out[OP_CASE_MAX]; /* unused where the case must fail */
    coset_status fails;          /* the status of infer or forward; COSET_OK: it runs */
    const char *says;            /* what the error text must contain */
} op_case;

/* All cases, of one table after the other; NULL past the end. */
const op_case *op_case_at(int index);

extern const op_case op_cases[], op_cases_elementwise[], op_cases_layers[], op_cases_windows[],
    op_cases_reductions[], op_cases_convolutions[], op_cases_moves[];
extern const int n_op_cases, n_op_cases_elementwise, n_op_cases_layers, n_op_cases_windows,
    n_op_cases_reductions, n_op_cases_convolutions, n_op_cases_moves;

/* A case as a trial, with what the trial points to. */
typedef struct op_case_trial {
    op_trial trial;
    graph_node node;
    int32_t inputs[OP_CASE_MAX], outputs[OP_CASE_MAX];
    array in[OP_CASE_MAX], want[OP_CASE_MAX];
} op_case_trial;

void op_case_open(coset_ctx *ctx, const op_case *from, op_case_trial *trial_out);
void op_case_close(coset_ctx *ctx, op_case_trial *trial);

#endif
