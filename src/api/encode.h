/* Inside of coset_ode_encode: a walk over a graph in which every element of a tensor is an affine form
 * of neurons. Source: METHODS.md section 3.3. */
#ifndef COSET_API_ENCODE_H
#define COSET_API_ENCODE_H

#include <coset/ode.h>

#include "api/neurons.h"
#include "api/unit_law.h"
#include "graph/infer.h"

/* One element of a tensor. Elements that data movement copies share one. */
typedef struct form {
    affine value;
    int32_t
        pending; /* node of the contraction whose result it is, before an activation; -1: none */
} form;

/* The elements of a tensor, row-major; NULL: it depends on constants alone, or is not known. */
typedef struct symbolic {
    int64_t n;
    form **at;
} symbolic;

/* Elements of all tensors together. */
#define ENCODE_MAX_ELEMENTS ((int64_t)1 << 25)

typedef struct encoder {
    coset_ctx *ctx;
    const coset_graph *graph; /* without weights that nodes compute */
    graph_facts *facts;       /* for a batch of one */
    const coset_ode_encode_options *options;
    neurons net;
    affine_sum sum;
    symbolic *values;   /* [graph->n_values], in the arena of net */
    bool *needed;       /* [graph->n_values] an output depends on it */
    double *low, *high; /* [graph->n_values] range over the calibration data; NULL: there is none */
    int layers;         /* numbers given to layers so far */
    int64_t elements;   /* of all tensors so far */
    bool left_out;      /* an activation was */
    bool outside;       /* the given input takes a unit out of the range of its fit */
} encoder;

/* ---- operands (encode_values.c) ---- */

/* Shape of a value. Errors: COSET_EUNSUPPORTED if it is not known. */
COSET_MUST_USE coset_status encode_shape(encoder *self, const graph_node *node, int32_t value,
                                         shape *shape_out, int64_t *elements_out);
bool encode_is_constant(const encoder *self, int32_t value);
/* Elements of input `index`, which may be a constant. Errors: COSET_EUNSUPPORTED if it is unknown. */
COSET_MUST_USE coset_status encode_operand(encoder *self, const graph_node *node, int index,
                                           symbolic *out);
/* Elements of a constant as f64, owned by the caller; NULL for an absent input.
 * Errors: COSET_EUNSUPPORTED if it is not constant; COSET_ENUMERIC if an element is not finite. */
COSET_MUST_USE coset_status encode_constant(encoder *self, const graph_node *node, int index,
                                            double **values_out, shape *shape_out);
/* Makes output 0 of a node: forms of 0, one for each element (with `shared` only room for them). */
COSET_MUST_USE coset_status encode_result(encoder *self, const graph_node *node, bool shared,
                                          symbolic *out);
/* Where element `element` of a tensor of shape `out` comes from in an operand that is broadcast. */
int64_t broadcast_place(const shape *out, const shape *in, int64_t element);

/* ---- operators: each fills output 0 of the node (encode_values.c, encode_moves.c) ---- */

COSET_MUST_USE coset_status encode_gemm(encoder *self, const graph_node *node);
COSET_MUST_USE coset_status encode_matmul(encoder *self, const graph_node *node);
COSET_MUST_USE coset_status encode_sum(encoder *self, const graph_node *node); /* Add, Sub */
COSET_MUST_USE coset_status encode_scaled(encoder *self,
                                          const graph_node *node); /* Mul, Div, Neg */
COSET_MUST_USE coset_status encode_normalised(encoder *self, const graph_node *node);
COSET_MUST_USE coset_status encode_copied(encoder *self, const graph_node *node);
COSET_MUST_USE coset_status encode_moved(encoder *self, const graph_node *node);

/* ---- neurons (encode_units.c) ---- */

/* Activations: one neuron for every element. */
COSET_MUST_USE coset_status encode_units(encoder *self, const graph_node *node);
/* Product of two activations, element by element. */
COSET_MUST_USE coset_status encode_product(encoder *self, const graph_node *node, const symbolic *a,
                                           const symbolic *b);
/* Results of contractions become neurons x' = -x + form. */
COSET_MUST_USE coset_status encode_settle(encoder *self, const symbolic *values);
/* Names output neurons; other elements of an output get neurons that copy them. */
COSET_MUST_USE coset_status encode_outputs(encoder *self);

/* ---- ranges (encode_ranges.c) ---- */

/* Fills low and high from the training part of the data, if there is one, for all activations that may
 * have to be fitted. Errors: COSET_EARGUMENT if the data does not fit; those of a run. */
COSET_MUST_USE coset_status encode_ranges(encoder *self);

#endif
