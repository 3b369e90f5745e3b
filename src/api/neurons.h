/* A dense network as a list of neurons, each with the equation that it follows as an ODE variable.
 * Source: METHODS.md section 3.3. */
#ifndef COSET_API_NEURONS_H
#define COSET_API_NEURONS_H

#include "api/affine.h"
#include "ode/model.h"

typedef enum neuron_kind {
    NEURON_INPUT,      /* x' = 0 */
    NEURON_ONE,        /* 1' = 0: carries all constants */
    NEURON_AFFINE,     /* x' = -x + a */
    NEURON_POLYNOMIAL, /* x' = -x + sum_k powers[k] a^k */
    NEURON_PRODUCT,    /* x' = -x + a b */
    NEURON_TANH,       /* s' = (1 - s^2) (-z + a), z' = -z + a */
    NEURON_SIGMOID     /* s' = s (1 - s) (-z + a), z' = -z + a */
} neuron_kind;

typedef struct neuron {
    neuron_kind kind;
    int32_t layer;  /* -1: an input or the constant */
    int32_t source; /* z of NEURON_TANH and NEURON_SIGMOID */
    int64_t unit;   /* from 1, among those of the layer or the inputs */
    int64_t output; /* from 1: it is this output of the network; 0: none */
    affine a, b;
    const double *powers; /* [degree + 1] in the arena */
    int degree;
    double initial;
    double rest; /* where it comes to rest while the inputs keep their initial values */
} neuron;

typedef struct neuron_layer {
    const char *name;       /* of the node; lent by the graph */
    const char *activation; /* operator; "none": a layer without one */
    char prefix;            /* of the names of its variables: "h2_1" */
    int depth;              /* from 1; the z of a layer share its number */
    int64_t units;
    int degree; /* of the fit */
    double low, high;
    double error; /* largest of its fits on [low, high]; NaN: nothing was fitted */
} neuron_layer;

/* Zero-initialised but for ctx. Forms and powers live in the arena. */
typedef struct neurons {
    coset_ctx *ctx;
    arena arena;
    neuron *all;
    double *rest; /* [n] copies of all[].rest, for affine_value */
    neuron_layer *layers;
    int64_t n, n_layers;
    int64_t all_capacity, rest_capacity, layers_capacity;
    double monomials; /* that the equations have once they are expanded */
} neurons;

/* Appends a layer / a neuron, which gets its unit number and its place of rest here.
 * Errors: COSET_EMEMORY; COSET_ELIMIT for neurons over MODEL_MAX_NAMES. */
COSET_MUST_USE coset_status neurons_add_layer(neurons *self, const neuron_layer *layer);
COSET_MUST_USE coset_status neurons_add(neurons *self, const neuron *given, int32_t *id_out);
void neurons_free(neurons *self);

/* Monomials of the equation of a neuron once it is expanded; may be infinite. */
double neuron_monomials(const neuron *self);

/* The ODE model: inputs, the constant, layers, outputs; a partition with one block for each layer in
 * which inputs, outputs and the constant are alone.
 *   name    of the model, any text; letters that no name may have become _
 *   header  first comment, one line
 * Errors: COSET_ENUMERIC for a coefficient that is not finite; COSET_EMEMORY. */
COSET_MUST_USE coset_status neurons_to_model(const neurons *self, const char *name,
                                             const char *header, ode_model **model_out);

#endif
