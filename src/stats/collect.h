/* Calibration: runs models once over samples and fills accumulators of what their values do. */
#ifndef COSET_STATS_COLLECT_H
#define COSET_STATS_COLLECT_H

#include "exec/batch.h"
#include "stats/moments.h"
#include "stats/pairs.h"
#include "stats/signs.h"

/* Features of one value of one of the models. */
typedef struct stats_value {
    int64_t model; /* index into stats_job.graphs */
    int32_t value;
    int axis; /* that holds the features; negative: from the end. Axis 0 holds samples, and features
                 only where the model has no batch axis */
} stats_value;

typedef struct stats_moments {
    stats_value of;
    const int64_t
        *index; /* [units, repeats] places on the axis: moments of units, of which every place
                             is a sample (moments_view); NULL: of all features. Borrowed */
    int64_t units, repeats;
    bool second;     /* the matrix, too */
    moments_map map; /* moments of map(value, parameter) instead; NULL: of the value */
    float parameter;
    moments *result; /* out: finished, owned by the caller; NULL on failure */
} stats_moments;

/* Cross moments; x and y may come from different models, and have the same number of samples. */
typedef struct stats_cross {
    stats_value x, y;
    cross_moments *result; /* out: finished, owned by the caller; NULL on failure */
} stats_cross;

/* Sign counts of one value. */
typedef struct stats_signs {
    stats_value of;
    sign_counts *result; /* out: owned by the caller; NULL on failure */
} stats_signs;

/* Feature by feature moments of two values of one model with the same shape. */
typedef struct stats_pairs {
    stats_value x, y;
    pair_moments *result; /* out: finished, owned by the caller; NULL on failure */
} stats_pairs;

typedef struct stats_job {
    const coset_graph *const *graphs; /* [n_graphs] with the same inputs in the same order */
    int64_t n_graphs;
    const batch_source *source;
    const shape *sample_shapes; /* [n_inputs] as for batch_runner_new */
    stats_moments *moments;     /* [n_moments] */
    int64_t n_moments;
    stats_cross *cross; /* [n_cross] */
    int64_t n_cross;
    stats_signs *signs; /* [n_signs] */
    int64_t n_signs;
    stats_pairs *pairs; /* [n_pairs] */
    int64_t n_pairs;
    const char *stage; /* name for progress; NULL: none */
} stats_job;

/* Runs every model over all samples of the source, batch by batch side by side. Results do not depend
 * on the batch sizes beyond what the operators' own results do.
 * Errors: those of batch_runner_new and the kernels; COSET_EARGUMENT and COSET_EUNSUPPORTED naming
 * the value whose axis or type does not fit; COSET_ENUMERIC naming value, sample and feature of a NaN
 * or Inf. On failure all results are NULL.
 * Cost: one forward run of each model, and n^2 flops per sample for every (n, n) matrix. */
COSET_MUST_USE coset_status stats_collect(coset_ctx *ctx, stats_job *job);

#endif
