/* Quality of a model on data, and its deviation from another model. */
#ifndef COSET_EVAL_H
#define COSET_EVAL_H

#include <coset/data.h>
#include <coset/graph.h>
#include <coset/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a model over the test part (the training part if there is no test part).
 *   metric     r2 for regression: 1 - SSE / SST, SST about each output's mean, summed over outputs;
 *              accuracy for classification: share of samples whose largest output is the label; absent
 *              if the data has no y
 *   deviation  against another model on the same inputs: rel_l2 = |a - b|_2 / |b|_2 over all outputs,
 *              max_abs, and agreement of the largest output (more than one output per sample)
 *   against    NULL: no deviation
 * Errors: COSET_EARGUMENT if the data's width does not fit the model, COSET_EUNSUPPORTED if an
 * operator cannot be run, COSET_ENUMERIC if an output is NaN or Inf where the other's is not. */
COSET_API COSET_MUST_USE coset_status coset_eval(coset_ctx *ctx, const coset_graph *graph,
                                                 const coset_graph *against, const coset_data *data,
                                                 coset_report **report_out);

#ifdef __cplusplus
}
#endif

#endif
