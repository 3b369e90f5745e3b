/* What operators that are not elementwise share: axes, type checks, questions about operands. */
#ifndef COSET_OPS_OPERAND_H
#define COSET_OPS_OPERAND_H

#include "graph/labels.h"
#include "graph/op.h"

/* Axis `axis` of a tensor of rank `rank`, counted from the end if negative. Errors: COSET_EFORMAT
 * if it is not in [-rank, rank). */
COSET_MUST_USE coset_status axis_resolve(const op_node *at, int64_t axis, int rank, int *axis_out);

/* Axes as an attribute, or as an input of later opsets. */
typedef struct axes_list {
    bool given;            /* there is an attribute or an input */
    bool known;            /* values can be read now */
    const int64_t *values; /* lent */
    int64_t n;
} axes_list;

/* Reads attribute "axes", from opset `moved` on input 1.
 *   input  the data of input 1 if it is known, else NULL */
axes_list axes_read(const op_node *at, int64_t moved, const array *input);
/* The same for a node whose inputs are facts. Errors: COSET_EFORMAT if axes are not integers. */
COSET_MUST_USE coset_status axes_infer(const op_infer *call, int64_t moved, axes_list *axes_out);
/* Bit a for every axis a that is listed. Errors: COSET_EFORMAT for an axis that is out of range or
 * listed twice. */
COSET_MUST_USE coset_status axes_mask(const op_node *at, const axes_list *axes, int rank,
                                      unsigned *mask_out);

/* Size of an axis of a fact; -1 if it is unknown. The axis exists where the rank is known. */
int64_t fact_dim(const fact *self, int axis);
/* Fails unless inputs `a` and `b` have the same element type; an unknown one passes. */
COSET_MUST_USE coset_status infer_same_type(const op_infer *call, int a, int b);
/* Fails with COSET_EUNSUPPORTED unless inputs 0..n-1 that are there and output 0 all compute in
 * float, or all in int64_t: what every kernel relies on. */
COSET_MUST_USE coset_status call_same_kind(const op_call *call, int n);

/* True if no entry of a value belongs to a unit: it is a constant. */
bool labels_none(const label_array *labels);

#endif
