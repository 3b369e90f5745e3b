/* Operators that act unit by unit as functions of one variable in f64. */
#ifndef COSET_API_UNIT_LAW_H
#define COSET_API_UNIT_LAW_H

#include "graph/ir.h"

typedef enum law_kind {
    LAW_TANH,
    LAW_SIGMOID,
    LAW_POWER, /* z^p */
    LAW_LEAKY, /* z, p z below 0 */
    LAW_CLIP,  /* into [p, q]; q where p > q */
    LAW_ABS,
    LAW_ELU,         /* z, p (e^z - 1) below 0 */
    LAW_HARDSIGMOID, /* p z + q into [0, 1] */
    LAW_SOFTPLUS,
    LAW_GELU,
    LAW_GELU_TANH,
    LAW_ERF,
    LAW_EXP,
    LAW_LOG,
    LAW_SQRT
} law_kind;

typedef struct unit_law {
    law_kind kind;
    double p, q;
} unit_law;

/* The law of a node, its parameters from attributes and otherwise the operator's defaults. Constant
 * inputs 1 and 2 of the node stand for p and q, element by element. False: it has none. */
bool unit_law_of(const graph_node *node, int64_t opset, unit_law *law_out);

double unit_law_value(const unit_law *self, double z);
/* Derivative; at a kink that from the right. */
double unit_law_slope(const unit_law *self, double z);
/* Where the law is not smooth: writes up to 2 places, returns how many. */
int unit_law_kinks(const unit_law *self, double *kinks_out);

/* Degree of a law that is a polynomial, z^degree; -1: it is none of a degree up to LAW_MAX_DEGREE. */
enum { LAW_MAX_DEGREE = 16 };
int unit_law_degree(const unit_law *self);

#endif
