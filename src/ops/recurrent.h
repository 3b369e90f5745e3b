/* What LSTM, GRU and RNN share: attributes, inference, the walk over time and directions. Sizes:
 * T steps, N sequences, I inputs, H units, D directions (1 or 2), G gates. Source: ONNX LSTM-7, -14,
 * GRU-7, -14 and RNN-7, -14. */
#ifndef COSET_OPS_RECURRENT_H
#define COSET_OPS_RECURRENT_H

#include "graph/labels.h"
#include "graph/op.h"

enum {
    RECURRENT_X,
    RECURRENT_W,
    RECURRENT_R,
    RECURRENT_B,
    RECURRENT_LENGTHS,
    RECURRENT_INITIAL_H,
    RECURRENT_INITIAL_C,
    RECURRENT_P
};

enum { GATE_FUNCTIONS = 3 }; /* of one direction, at most */

/* A function of the specification's list, with its parameters. */
typedef struct gate_function {
    float (*of)(float x, float alpha, float beta);
    float alpha, beta;
} gate_function;

/* Attributes and sizes of a node. */
typedef struct recurrent {
    int gates, directions;
    bool backward;    /* the first direction is the reverse one */
    bool batch_first; /* layout 1: N before T and D */
    bool linear_before_reset, coupled;
    float clip; /* bound of the sums that gates are made of; INFINITY: none */
    int64_t steps, batch, width, hidden;
    gate_function functions[2][GATE_FUNCTIONS];
} recurrent;

/* One direction while it runs. */
typedef struct recurrent_cell {
    const gate_function *functions;
    const float *r;               /* (G H, H) */
    const float *bias_w, *bias_r; /* (G H); NULL: 0 */
    const float *peepholes;       /* (3 H); NULL: 0 */
    float *product;               /* (N, G H) what the step multiplies */
    float *gated;                 /* (N, H) free for the step */
    float *h, *c;                 /* (N, H) states, updated by the step */
} recurrent_cell;

/* What a kind of layer is. */
typedef struct recurrent_kind {
    int gates;
    int n_functions;
    const char *functions[GATE_FUNCTIONS]; /* defaults */
    /* One step of all sequences. rows[n] is W x + nothing else, (G H), or NULL if sequence n has
     * ended: its states stay. */
    void (*step)(coset_ctx *ctx, const recurrent *self, const recurrent_cell *cell,
                 const float *const *rows);
} recurrent_kind;

/* x within the clip bounds, through a function. */
static inline float gate_apply(const recurrent *self, const gate_function *function, float x)
{
    if (x > self->clip) x = self->clip;
    if (x < -self->clip) x = -self->clip;
    return function->of(x, function->alpha, function->beta);
}

COSET_MUST_USE coset_status recurrent_infer(op_infer *call, const recurrent_kind *kind);
COSET_MUST_USE coset_status recurrent_forward(op_call *call, const recurrent_kind *kind);
size_t recurrent_scratch(const op_infer *call, const recurrent_kind *kind);
int64_t recurrent_macs(const op_infer *call);
/* Freezes what the layer reads; its results are frozen, too. */
COSET_MUST_USE coset_status recurrent_labels(op_labels *call);

#endif
