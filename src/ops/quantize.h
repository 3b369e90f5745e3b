/* What QuantizeLinear and DequantizeLinear share: which scale and zero point belong to an element. */
#ifndef COSET_OPS_QUANTIZE_H
#define COSET_OPS_QUANTIZE_H

#include "graph/labels.h"
#include "graph/op.h"

enum { QUANTIZE_X, QUANTIZE_SCALE, QUANTIZE_ZERO };

/* The elements of x as (outer, size, inner) around the axis of the scales. Scale (o, a, i) is at
 * o * outer_step + a / block * axis_step + i * inner_step. */
typedef struct quantize_layout {
    int64_t outer, size, inner, block;
    int64_t outer_step, axis_step, inner_step;
} quantize_layout;

/* Checks scale and zero point against x: one for all, one for each index of `axis`, or one for each
 * block along it (opset 21). Errors: COSET_EFORMAT. */
COSET_MUST_USE coset_status quantize_check(const op_infer *call);
/* The layout for shapes that quantize_check has passed. */
quantize_layout quantize_layout_of(const op_call *call);
/* First scale of elements (o, a, 0...); the others are inner_step apart. */
static inline int64_t quantize_scale_at(const quantize_layout *self, int64_t o, int64_t a)
{
    return o * self->outer_step + a / self->block * self->axis_step;
}
/* Zero points; NULL: 0. Those of floating types are 0, too. */
const int64_t *quantize_zero(const op_call *call);

/* Unit by unit where one constant scale serves them all; else they are frozen. */
COSET_MUST_USE coset_status quantize_labels(op_labels *call);

#endif
