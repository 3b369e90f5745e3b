/* Quality of a model and its deviation from another: what eval shows and compress decides by. */
#ifndef COSET_API_EVAL_H
#define COSET_API_EVAL_H

#include "data/data.h"

typedef struct evaluation {
    int64_t samples;
    const char *metric; /* "r2", "accuracy"; NULL: the data has no y (or all of its y are equal) */
    double value;       /* of the metric; NaN without one */
    double against_value; /* the same for the other model; NaN without one */
    bool compared;        /* there was another model: what follows is set */
    double rel_l2;        /* |a - b|_2 / |b|_2 over all outputs; infinite if only b is zero */
    double max_abs;
    double agreement; /* share of samples whose largest element of output 0 is the same; NaN for
                             one floating element per sample */
} evaluation;

/* Runs `graph`, and `against` beside it if it is not NULL, over samples of a data set; metric and
 * deviation as <coset/eval.h> has them. The metric is that of output 0. A single integer per sample
 * counts as a class; labels with one floating output per sample are taken as numbers (r2).
 * Entries that are NaN, or the same infinity, in both models count as equal.
 *   view   which samples; borrowed
 *   out    written whole on success
 * Errors: COSET_EARGUMENT naming the data if its width does not fit the model, if the number of
 * outputs differs, or if a label is no output; COSET_EUNSUPPORTED for a missing operator or a model
 * of several inputs; COSET_ENUMERIC naming the first sample with an output that is not finite.
 * Cost: one forward pass of each model over the samples, the workspaces of both. */
COSET_MUST_USE coset_status evaluate_view(coset_ctx *ctx, const coset_graph *graph,
                                          const coset_graph *against, const data_view *view,
                                          evaluation *out);
/* The same over a whole part. */
COSET_MUST_USE coset_status evaluate(coset_ctx *ctx, const coset_graph *graph,
                                     const coset_graph *against, const coset_data *data,
                                     const data_part *part, evaluation *out);
/* Warns of a metric that is missing although there is a y, and of an r2 below 0, which a model rarely
 * has on the data that it was trained for. `value` is that of the model called `model`. */
void evaluation_warn(coset_ctx *ctx, const char *model, const coset_data *data,
                     const evaluation *result, double value);
/* The part that metrics use: test, or train if there is no test part. */
const data_part *evaluation_part(const coset_data *data);

#endif
