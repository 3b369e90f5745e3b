/* Importance of units: scores by which several methods rank, and what they are made of. */
#ifndef COSET_METHODS_IMPORTANCE_H
#define COSET_METHODS_IMPORTANCE_H

#include "methods/method.h"

typedef enum importance {
    IMPORTANCE_L1, /* sum of |w| over incoming weights and biases, of all producers */
    IMPORTANCE_L2, /* root of the sum of w^2 over the same.   Source: Li et al., ICLR 2017, for both */
    IMPORTANCE_WANDA /* sum over outgoing weights of |w_iu| |h_u|_2, of all readers: "Wanda-sp" of An et
                        al., AAAI 2024, after Sun et al., arXiv 2306.11695. Needs call->stats */
} importance;

/* score_out [n] written, >= 0. Errors: COSET_EMEMORY. Cost: one pass over the weights around the group. */
COSET_MUST_USE coset_status importance_of(const method_call *call, int64_t group, importance kind,
                                          double *score_out);

/* One place of one unit in the input of one contraction, and what the weights of the contraction make of it: sums
 * over outputs and over the taps that meet in one output. */
typedef struct unit_reading {
    int64_t contraction, unit;
    int64_t feature;          /* on the contraction's input axis */
    double absolute, squares; /* sums of |w| and of w^2 */
} unit_reading;

/* Everywhere where contractions read a group: in every reader's input, every place of every unit (a flattened
 * channel has many), once for every group of a convolution. readings [n] are owned by the caller.
 * Errors: COSET_EMEMORY. Cost: one pass over the weights of the readers. */
COSET_MUST_USE coset_status unit_readings_find(const method_call *call, int64_t group,
                                               unit_reading **readings_out, int64_t *n_out);

#endif
