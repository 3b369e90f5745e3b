/* Copies between strided boxes: what data movement comes down to. */
#ifndef COSET_OPS_BOX_H
#define COSET_OPS_BOX_H

#include "graph/op.h"

enum { BOX_MAX_RANK = 2 * TENSOR_MAX_RANK };

/* Axes of a box, with what one step along each means in elements of the source and of the target. A step
 * of 0 in the source repeats. */
typedef struct box {
    int rank;
    int64_t dims[BOX_MAX_RANK];
    int64_t from[BOX_MAX_RANK], to[BOX_MAX_RANK];
} box;

/* Adds an axis behind the others. */
void box_add(box *self, int64_t dim, int64_t from, int64_t to);
/* Elements to the right of every axis: steps of a dense tensor. */
void shape_strides(const shape *dims, int64_t *strides);
/* Copies elements of `size` bytes (4 or 8). Source and target do not overlap. */
void box_copy(const box *self, const void *source, void *target, size_t size, int threads);

#endif
