/* Probes: what cutting one group really costs, measured. */
#ifndef COSET_API_PROBE_H
#define COSET_API_PROBE_H

#include "api/trial.h"

/* Makes the errors and heights of a variant's paths agree with measurements: every group alone is cut to half its
 * units and lifted, and its path is scaled by (relative squared deviation of the model's output on held-out
 * samples) / (estimate). Estimates take errors of different places of an image as independent, which they are not:
 * those of early layers come out ten to hundreds of times too small. What recovery mends later, and it mends early
 * layers best, is not seen here: that is why the estimates as they are stay a variant of their own.
 * There is data. Nothing is done where even 8 samples for each of the groups would take more than 2^39 multiply-accumulates; as many
 * held-out samples are used as stay below.
 * Source: ours. Errors: those of plan_apply and evaluate_view. Cost: two forward runs for every group. */
COSET_MUST_USE coset_status turn_probe(turn *self, int variant);

#endif
