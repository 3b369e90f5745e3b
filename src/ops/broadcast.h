/* Walking several operands together along a broadcast result. */
#ifndef COSET_OPS_BROADCAST_H
#define COSET_OPS_BROADCAST_H

#include "graph/tensor.h"

enum { BROADCAST_MAX = 3 };

/* Axes are those of the result without the ones of size 1, and with neighbours joined where all
 * operands allow it. Steps count elements; 0: repeated. */
typedef struct broadcast {
    int n;    /* operands */
    int rank; /* >= 1; the last axis is the inner run, along which steps are 0 or 1 */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t step[BROADCAST_MAX][TENSOR_MAX_RANK];
} broadcast;

/* Where a walk stands: the next run of elements of the result and of the operands. */
typedef struct broadcast_place {
    int64_t at;                  /* element of the result */
    int64_t run;                 /* elements from there along the inner axis */
    int64_t from[BROADCAST_MAX]; /* element of each operand; the next ones are inner steps away */
    int64_t last;
    int64_t index[TENSOR_MAX_RANK];
} broadcast_place;

/* The walk of n <= BROADCAST_MAX operands, whose shapes broadcast to `out`. */
broadcast broadcast_make(const shape *out, const shape *const *operands, int n);
/* The first run of elements [first, last) of the result; run is 0 if there are none. */
broadcast_place broadcast_start(const broadcast *self, int64_t first, int64_t last);
/* The run after that; false at the end. */
bool broadcast_next(const broadcast *self, broadcast_place *place);

#endif
