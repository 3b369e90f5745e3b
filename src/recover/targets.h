/* What recovery is made from: values of the original, and the compressed model in a run that pauses. */
#ifndef COSET_RECOVER_TARGETS_H
#define COSET_RECOVER_TARGETS_H

#include "exec/lanes.h"
#include "lump/plan.h"
#include "lump/sites.h"
#include "recover/channels.h"
#include "recover/layer.h"
#include "recover/sample_rows.h"

/* What a layer of the original should give after the cut. */
typedef struct layer_target {
    row_choice choice; /* rows 0: it is left as it is */
    /* What its inputs say about the original's is refitted, and not its weights. */
    bool by_channels;
    unit_block channels; /* of the input, then; n 0: it has none */
    int32_t value;       /* the pre-activations, or their sum with another branch; or the input */
    bool sum;
    unit_function function; /* of the pre-activations' readers */
    float leak;
    int64_t width; /* outputs, or channels */
    float *rows;   /* (choice.rows, width) of the value in the original */
} layer_target;

/* A refit has at most so many columns. */
enum { COLUMNS_MAX = 4096 };

typedef struct recovery_targets {
    const coset_graph *original;
    const graph_groups *groups;
    thin_source source; /* samples that are looked at */
    layer *layers;
    int64_t n;
    layer_target *of; /* [n] */
} recovery_targets;

/* What the layers of the original give on the calibration samples, kept for any number of
 * reconstructions of models made from it: for every matrix and convolution the pre-activations at chosen
 * positions of chosen samples. Layers of more than COLUMNS_MAX columns (inputs x taps) are refitted by channels:
 * kept is what they read there.
 *   Samples: as many as 2^35 multiply-accumulates of the original allow, though 256 if there are so many,
 *   and no more than workspaces of 1 GB in all hold; spread evenly over the source.
 *   Rows of a layer: 32 for every column (input x tap, or channel) of its refit, at least 8192 and at most
 *   65536, and at most 2^24 elements of a matrix of rows.
 * Layers that are to be refitted by channels and have none (channels_find), or more than COLUMNS_MAX, get no
 * target: they keep the weights that the lift gave them.
 * Owned by the caller; original, groups, source and sample_shapes are borrowed for its life.
 * Errors: those of the executor; COSET_EMEMORY. Memory: at most 512 MB of targets (beyond, every layer gets
 * fewer rows). Cost: one run of the original. */
COSET_MUST_USE coset_status recovery_targets_new(coset_ctx *ctx, const coset_graph *original,
                                                 const graph_groups *groups,
                                                 const batch_source *source,
                                                 const shape *sample_shapes,
                                                 recovery_targets **targets_out);
void recovery_targets_free(coset_ctx *ctx, recovery_targets *self);

/* The other branch of a sum that a layer's result goes into, if it is there before the layer runs; -1: there
 * is none. */
int32_t other_branch(const coset_graph *graph, const layer *at);

/* A copy of a compressed model that is being changed while it runs over the samples of the targets. */
typedef struct recovery {
    coset_graph *graph;
    graph_facts *facts;
    graph_groups *groups;
    layer *layers; /* [n] in the model's own order */
    int64_t n;
    int32_t *place; /* [n] their targets; -1: none */
    lanes *lanes;
} recovery;

/* Errors: those of lanes_new. Freed by recovery_close, also after a failure. */
COSET_MUST_USE coset_status recovery_open(coset_ctx *ctx, const recovery_targets *targets,
                                          const coset_graph *small, recovery *self_out);
void recovery_close(coset_ctx *ctx, recovery *self);
/* New weights and biases of a layer, in the model and in the run: (n_out, columns) or as they are stored,
 * and [n_out]. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status recovery_write(coset_ctx *ctx, recovery *self, const layer *at,
                                           const double *weight, const double *bias);
COSET_MUST_USE coset_status recovery_set(coset_ctx *ctx, recovery *self, const layer *at,
                                         tensor *stored, const double *bias);

#endif
