/* The methods that were asked for, "a+b": each has its turn, or several, on what the one before gave.
 * Source: METHODS.md section 7, "Iterative"; chains of methods: ours. */
#ifndef COSET_API_CHAIN_H
#define COSET_API_CHAIN_H

#include "methods/method.h"

/* One of the methods. */
typedef struct step {
    const coset_method
        *method; /* that works: the one asked for, or what stands in for it without data */
    method_call
        *calls; /* [n_variants] configured; where it works its graph, groups and stats are set */
    int n_variants;
    int rounds; /* turns that it has, >= 1 */
} step;

typedef struct chain {
    step *steps;
    int64_t n; /* 0: a plan was given instead */
} chain;

/* What the options ask of it. */
typedef struct chain_request {
    const coset_compress_options *options;
    bool data;       /* there is data: variants can be told by held-out rows */
    bool statistics; /* methods get statistics: there is data, or inputs are drawn */
} chain_request;

/* Reads options->method, configures every method with the settings that carry its name, and checks the values
 * of the rule. Freed with chain_free, also after a failure.
 * Errors: COSET_EARGUMENT naming the method, setting, flag or value; COSET_ELIMIT for more turns than
 * PLAN_STEPS. */
COSET_MUST_USE coset_status chain_read(coset_ctx *ctx, const chain_request *request,
                                       chain *chain_out);
void chain_free(coset_ctx *ctx, chain *self);

/* "a+b" of the methods that work; owned by the caller. */
COSET_MUST_USE coset_status chain_name(coset_ctx *ctx, const chain *self, char **name_out);

/* The value of a rule for one turn.
 *   values  [n] 1 or one for each step, as coset_compress_options has them
 *   s       step; round 1 .. rounds of it
 * PARAMS, MACS: shares of the original, each round the t/T part of the way from the share of the last step
 * before that counts the same (parameters, or a mask's non-zeros) to its own. RATIO: of the units that the
 * turn finds, so that they multiply to the same. EPS: t/T of the height. */
double chain_value(const chain *self, coset_rule rule, const double *values, int64_t n, int64_t s,
                   int round);

#endif
