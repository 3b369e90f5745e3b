/* What ScatterND and ScatterElements share: how updates meet what is there. */
#ifndef COSET_OPS_SCATTER_H
#define COSET_OPS_SCATTER_H

#include "graph/op.h"

typedef enum scatter_reduction {
    SCATTER_NONE,
    SCATTER_ADD,
    SCATTER_MUL,
    SCATTER_MAX,
    SCATTER_MIN
} scatter_reduction;

/* Attribute "reduction" (absent: none). Errors: COSET_EFORMAT. */
COSET_MUST_USE coset_status scatter_find(const op_node *at, scatter_reduction *reduction_out);
/* Checks types of data, indices and updates, and gives output 0 what data has. */
COSET_MUST_USE coset_status scatter_infer(op_infer *call);
/* Checks that the kernel can compute with its arrays, and copies data to the output. */
COSET_MUST_USE coset_status scatter_start(op_call *call);
/* to[i] (reduction)= from[i] for i < n, in the compute type of `dtype`. */
void scatter_apply(scatter_reduction reduction, coset_dtype dtype, const void *from, void *to,
                   int64_t n);
/* Index into an axis of `size`, counted from the end if negative; -1 if it is outside. */
int64_t scatter_place(int64_t index, int64_t size);

#endif
