/* What calibration collects besides second moments, where a method asks for it (CALIBRATION_...). */
#ifndef COSET_LUMP_KINDS_H
#define COSET_LUMP_KINDS_H

#include "lump/sites.h"

typedef struct calibration_kinds {
    stats_signs *signs;   /* [n_signs] */
    int64_t *contraction; /* [n_signs] */
    int64_t n_signs;
    stats_pairs *pairs; /* [n_pairs] */
    int64_t *group;     /* [n_pairs] */
    int64_t n_pairs;
    stats_cross *skips;  /* [n_skips] two for every group: of_units, of_inputs */
    int64_t *skip_group; /* [n_skips / 2] */
    int64_t n_skips;
} calibration_kinds;

/* What `kinds` ask for, put into a job of one model; `out` has its blocks. Signs: of the result of every
 * contraction in which units of a group lie that can be cut, all axes but the batch and theirs being places;
 * where a model runs sample by sample without a batch axis, its whole value is one sample. Pairs and
 * skips: along every bypass line.
 * Errors: COSET_EMEMORY. Cost: linear in contractions, nodes and slots. */
COSET_MUST_USE coset_status calibration_kinds_ask(coset_ctx *ctx, const coset_graph *graph,
                                                  const graph_facts *facts,
                                                  const graph_groups *groups, unsigned kinds,
                                                  calibration *out, calibration_kinds *self,
                                                  stats_job *job);
/* Moves the results of a collected job into the calibration. */
void calibration_kinds_take(calibration_kinds *self, calibration *out);
void calibration_kinds_clear(coset_ctx *ctx, calibration_kinds *self);

#endif
