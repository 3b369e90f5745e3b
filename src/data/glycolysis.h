/* A data set without a download: the next state of a yeast cell that breaks down sugar.
 *
 * Seven concentrations (mM) oscillate with a period of about a minute: S1 glucose, S2 glyceraldehyde
 * and dihydroxyacetone phosphate, S3 1,3-bisphosphoglycerate, S4 pyruvate and acetaldehyde, S5 NADH,
 * S6 ATP, S7 pyruvate and acetaldehyde outside the cell. Time is in minutes.
 *
 *     v1 = k1 S1 S6 / (1 + (S6 / K1)^q)
 *     S1' = J0 - v1
 *     S2' = 2 v1 - k2 S2 (N - S5) - k6 S2 S5
 *     S3' = k2 S2 (N - S5) - k3 S3 (A - S6)
 *     S4' = k3 S3 (A - S6) - k4 S4 S5 - kappa (S4 - S7)
 *     S5' = k2 S2 (N - S5) - k4 S4 S5 - k6 S2 S5
 *     S6' = -2 v1 + 2 k3 S3 (A - S6) - k5 S6
 *     S7' = psi kappa (S4 - S7) - k S7
 *
 * Source: the model of Wolf and Heinrich, Biochemical Journal 345:321 (2000), with the constants of
 * Ruoff, Christensen, Wolf and Heinrich, Biophysical Chemistry 106:179 (2003); constants and initial
 * ranges as Daniels and Nemenman, PLoS ONE 10:e0119821 (2015), list them. It is a benchmark for
 * learning dynamics from data.
 *
 * It stands in data/ because what it gives is a data set and it needs nothing to the right of that. */
#ifndef COSET_DATA_GLYCOLYSIS_H
#define COSET_DATA_GLYCOLYSIS_H

#include "data/data.h"

enum { GLYCOLYSIS_SPECIES = 7 };

/* Initial concentrations are drawn from [low, high]. */
extern const double glycolysis_low[GLYCOLYSIS_SPECIES], glycolysis_high[GLYCOLYSIS_SPECIES];

/* Right-hand side, per minute. slope must not be state. */
void glycolysis_slope(const double *state, double *slope);

/* Advances a state by `minutes` in `steps` >= 1 equal steps of the classical Runge-Kutta method. */
void glycolysis_advance(double *state, double minutes, int64_t steps);

typedef struct glycolysis_options {
    int64_t trajectories; /* >= 2, each from its own initial state */
    int64_t pairs;        /* consecutive ones of a trajectory, >= 1 */
    double minutes;       /* between the two states of a pair, > 0 */
    int64_t steps;        /* of integration per pair, >= 1 */
    double test_share;    /* of the trajectories, in (0, 1) */
} glycolysis_options;

/* 2000 steps a minute: half the step changes no concentration by more than 1e-6 of itself. */
#define GLYCOLYSIS_OPTIONS_INIT                                                                    \
    {                                                                                              \
        8000, 5, 0.1, 200, 0.2                                                                     \
    }

/* Pairs x = state(t), y = state(t + minutes) as a regression data set: x [rows, 7] and y [rows, 7],
 * rows = trajectories * pairs, each column brought to mean 0 and deviation 1 of the training part.
 * Both parts hold whole trajectories. The seed of the context decides the initial states.
 *   data_out  owned by the caller (coset_data_free); NULL on failure
 * Errors: COSET_EARGUMENT for options out of range; COSET_ELIMIT; COSET_EMEMORY.
 * Cost: about 20 us a pair of 200 steps. */
COSET_MUST_USE coset_status glycolysis_data(coset_ctx *ctx, const glycolysis_options *options,
                                            coset_data **data_out);

#endif
