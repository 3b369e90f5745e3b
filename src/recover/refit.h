/* One refit: weights of a contraction from samples of its inputs and of what it should give. */
#ifndef COSET_RECOVER_REFIT_H
#define COSET_RECOVER_REFIT_H

#include "graph/groups.h"

/* Samples (rows) of inputs and targets, and the weights to start from. */
typedef struct refit_problem {
    int64_t rows, n_in, n_out;
    const float *x; /* (rows, n_in), rows x_stride apart; borrowed */
    const float *y; /* (rows, n_out) target pre-activations, y_stride apart; borrowed */
    int64_t x_stride, y_stride;
    const float
        *offset; /* as y: is added to what the weights give before the function; NULL: zeros */
    const double *weight;   /* (n_out, n_in) to shrink towards; borrowed */
    const double *bias;     /* [n_out]; borrowed; NULL: the contraction has no bias */
    unit_function function; /* that follows; UNIT_OTHER and UNIT_IDENTITY: plain least squares */
    float leak;
} refit_problem;

/* min |s(Y) - s(W X + b + offset)|^2 + ridge mean(diag X X^T / rows) |W - W0|^2 over all rows.
 *   weight_out (n_out, n_in), bias_out [n_out] (unused without bias): written last; may be the problem's own
 * Errors: COSET_EMEMORY, COSET_ENUMERIC. Memory: rows (n_in + 2 n_out) and 2 n_in (n_in + n_out) doubles.
 * Cost: n_in^3 / 3 + rows n_in^2 flops, and 4 rows n_in n_out for every step of majorisation.
 * Source: METHODS.md section 9.2 (ridge towards the lift); majorisation: ours. */
COSET_MUST_USE coset_status refit(coset_ctx *ctx, const refit_problem *problem, double ridge,
                                  double *weight_out, double *bias_out);

#endif
