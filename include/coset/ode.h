/* Polynomial ODE systems: models in the ERODE language, differential equivalences exact and
 * approximate, simulation, networks as ODEs, and data sets made from them. */
#ifndef COSET_ODE_H
#define COSET_ODE_H

#include <stddef.h>
#include <stdint.h>

#include <coset/context.h>
#include <coset/data.h>
#include <coset/graph.h>
#include <coset/report.h>
#include <coset/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A model: parameters, variables with initial values, reactions or equations. Immutable but for
 * coset_ode_set. */
typedef struct coset_ode coset_ode;

/* Reads a model in the ERODE language, from a file or from text (`source` names it in messages).
 * Errors: COSET_EIO; COSET_EFORMAT, COSET_EUNSUPPORTED and COSET_ELIMIT as "source:line:column: ...";
 * COSET_EMEMORY. Cost: linear. */
COSET_API COSET_MUST_USE coset_status coset_ode_load(coset_ctx *ctx, const char *path,
                                                     coset_ode **ode_out);
COSET_API COSET_MUST_USE coset_status coset_ode_parse(coset_ctx *ctx, const char *text, size_t size,
                                                      const char *source, coset_ode **ode_out);
/* Writes a model, whole or not at all / as text, released with coset_memory_free. Reading it back gives
 * the same system. */
COSET_API COSET_MUST_USE coset_status coset_ode_save(coset_ctx *ctx, const coset_ode *ode,
                                                     const char *path);
COSET_API COSET_MUST_USE coset_status coset_ode_text(coset_ctx *ctx, const coset_ode *ode,
                                                     char **text_out);
COSET_API void coset_ode_free(coset_ctx *ctx, coset_ode *ode); /* NULL is allowed */

/* Number of variables; name of one, lent, NULL out of range. */
COSET_API int64_t coset_ode_variables(const coset_ode *ode);
COSET_API const char *coset_ode_variable_name(const coset_ode *ode, int64_t index);

/* Sets a parameter or a variable's initial value. Errors: COSET_EARGUMENT for an unknown name (the text
 * names the nearest) or a value that is not finite. */
COSET_API COSET_MUST_USE coset_status coset_ode_set(coset_ctx *ctx, coset_ode *ode,
                                                    const char *name, double value);

/* Reduction -------------------------------------------------------------------------------------- */

typedef enum coset_ode_equivalence {
    COSET_ODE_FORWARD = 0, /* blocks whose sums have dynamics of their own */
    COSET_ODE_BACKWARD     /* blocks whose members stay equal if they start equal */
} coset_ode_equivalence;

typedef enum coset_ode_linkage { COSET_ODE_SINGLE = 0, COSET_ODE_COMPLETE } coset_ode_linkage;

typedef struct coset_ode_reduce_options {
    coset_ode_equivalence equivalence;
    double eps;                /* 0: exact; > 0: eps-refinement, then the closest exact system */
    coset_ode_linkage linkage; /* with eps or sweep */
    const char
        *partition;      /* to refine: "one", "file", "initial" or "{a, b}, {c}"; NULL: the file's,
                                  or one block if it has none */
    int sweep;           /* also the ladder of all partitions over eps */
    const char *perturb; /* what the closest system may change: "all" parameters, "coefficients"
                                  (every coefficient on its own), or names "a1,a2"; NULL: "all", or
                                  "coefficients" where no equation has a parameter that can change */
    double t_end;        /* error bound up to here; 0: no bound; NaN: the file's simulateODE */
    double dt;           /* grid of the bound; 0: t_end / 300 */
} coset_ode_reduce_options;

#define COSET_ODE_REDUCE_OPTIONS_INIT                                                              \
    {                                                                                              \
        COSET_ODE_FORWARD, 0, COSET_ODE_SINGLE, NULL, 0, NULL, 0, 0                                \
    }

/* The coarsest (eps-)equivalence that refines the given partition, and the reduced system.
 *   reduced_out  one variable per block, named after its smallest member, with the block as comment; with
 *                eps > 0 reduced from the closest exact system; NULL: not wanted
 *   closest_out  the closest exact system, the model itself if the equivalence is exact; NULL: not
 *                wanted
 *   report_out   blocks, sizes before and after, for eps > 0 what was changed by how much, the bound,
 *                the ladder
 * Errors: COSET_EUNSUPPORTED for right-hand sides that are not polynomial, with the term;
 * COSET_ENUMERIC if no exact system is near (infeasible); COSET_ECHECK if the partition that was found
 * does not check; COSET_EARGUMENT for options; as coset_ode_simulate for the bound.
 * Source: METHODS.md section 3; Cardelli, Tribastone, Tschaikowski, Vandin, PNAS 2017; Cardelli et al.,
 * JLAMP 134, 2023. */
COSET_API COSET_MUST_USE coset_status coset_ode_reduce(coset_ctx *ctx, const coset_ode *ode,
                                                       const coset_ode_reduce_options *options,
                                                       coset_ode **reduced_out,
                                                       coset_ode **closest_out,
                                                       coset_report **report_out);

/* Simulation ------------------------------------------------------------------------------------- */

typedef enum coset_ode_method { COSET_ODE_BDF = 0, COSET_ODE_ADAMS } coset_ode_method;

typedef struct coset_ode_simulate_options {
    coset_ode_method method;
    double rtol, atol;
    double t_end;        /* NaN: that of the file's simulateODE command */
    int64_t steps;       /* output times are t_end k / steps, k = 0 .. steps */
    const double *times; /* strictly ascending from 0, instead; [n_times]; NULL: none */
    int64_t n_times;
    int views; /* columns are the model's views instead of its variables */
    const coset_ode_reduce_options *reduce; /* also the reduced system, beside sums (forward) or
                                               representatives (backward); NULL: not */
} coset_ode_simulate_options;

#define COSET_ODE_SIMULATE_OPTIONS_INIT                                                            \
    {                                                                                              \
        COSET_ODE_BDF, 1e-8, 1e-10, 0.0 / 0.0, 200, NULL, 0, 0, NULL                               \
    }

/* Columns over time: "t" is not among them. Immutable. */
typedef struct coset_trajectory coset_trajectory;

/* Integrates a model with SUNDIALS CVODES.
 *   report_out  times, final values, and with `reduce` the largest deviation of reduced and aggregated
 *               columns; NULL: not wanted
 * Errors: COSET_ENUMERIC with the time that was reached (blow-up, too many steps); COSET_EUNSUPPORTED;
 * COSET_EARGUMENT; COSET_EMEMORY. */
COSET_API COSET_MUST_USE coset_status coset_ode_simulate(coset_ctx *ctx, const coset_ode *ode,
                                                         const coset_ode_simulate_options *options,
                                                         coset_trajectory **trajectory_out,
                                                         coset_report **report_out);
COSET_API int64_t coset_trajectory_times(const coset_trajectory *trajectory, const double **times);
/* Number of columns. values (may be NULL) is (times, columns), lent. */
COSET_API int64_t coset_trajectory_columns(const coset_trajectory *trajectory,
                                           const double **values);
COSET_API const char *coset_trajectory_name(const coset_trajectory *trajectory, int64_t column);
/* Writes .csv (a header line, 17 digits), .npz (t, names as columns) or .svg (a plot), by suffix. */
COSET_API COSET_MUST_USE coset_status coset_trajectory_save(coset_ctx *ctx,
                                                            const coset_trajectory *trajectory,
                                                            const char *path);
COSET_API void coset_trajectory_free(coset_ctx *ctx, coset_trajectory *trajectory);

/* Networks as ODEs ------------------------------------------------------------------------------- */

typedef enum coset_ode_drift {
    COSET_ODE_LINEAR = 0, /* x' = -x + b + W x: what afde compares; with an input given, the affine
                             piece (or, if smooth, the linearisation) of the network at that input */
    COSET_ODE_POLYNOMIAL, /* x' = -x + P(b + W x) */
    COSET_ODE_EXACT       /* z' = -z + b + W s, s' = (1 - s^2) z' (tanh), s (1 - s) z' (sigmoid) */
} coset_ode_drift;

typedef struct coset_ode_encode_options {
    coset_ode_drift drift;
    int degree;             /* of the Chebyshev fit of other activations, 1 to 16 */
    const coset_data *data; /* calibration of the ranges of the fits; NULL: `low`, `high` */
    double low, high;       /* one range for all fits; used if data is NULL */
    int split;              /* polynomial: x' = -x + P(z), z' = -z + b + W x, so that no equation
                                 has more terms than inputs */
    const coset_array
        *input; /* sample that sets the inputs' initial values, [n] or [1, n]; NULL: 0 */
} coset_ode_encode_options;

#define COSET_ODE_ENCODE_OPTIONS_INIT                                                              \
    {                                                                                              \
        COSET_ODE_LINEAR, 5, NULL, 0, 0, 0, NULL                                                   \
    }

/* A dense network (Gemm, MatMul, Add, Sub, Mul, Div, BatchNormalization, Concat, data movement, and
 * unit-by-unit activations between them) as an ODE system: one variable per neuron, inputs ("x1", ...) and
 * outputs ("y1", ...) included, and the constant "one" that carries the biases. The partition of the
 * model has one block per layer; inputs, outputs and the constant are alone.
 *   report_out  variables, layers, and the largest error of each fit on its range; NULL: not wanted
 * Errors: COSET_EUNSUPPORTED naming the node that is not of that kind or the activation that the drift
 * does not know; COSET_EARGUMENT if a range is needed and not given; COSET_ELIMIT; COSET_EMEMORY.
 * Source: METHODS.md section 3.3. */
COSET_API COSET_MUST_USE coset_status coset_ode_encode(coset_ctx *ctx, const coset_graph *graph,
                                                       const coset_ode_encode_options *options,
                                                       coset_ode **ode_out,
                                                       coset_report **report_out);

/* Data sets -------------------------------------------------------------------------------------- */

/* A family of systems as a model: "htree", "polymers", "phosphorylation".
 *   size          depth of the tree (1 to 8), sites (1 to 8); 0: the default; not used by polymers
 *   perturbation  of its constants, seeded; 0: none
 * Errors: COSET_EARGUMENT. */
COSET_API COSET_MUST_USE coset_status coset_ode_family(coset_ctx *ctx, const char *name,
                                                       int64_t size, double perturbation,
                                                       coset_ode **ode_out);

typedef struct coset_ode_dataset_options {
    int derivative; /* y is the derivative at x instead of the state after dt */
    double dt;      /* between the two states of a pair; 0: t_end / 10, or the system's own */
    double t_end;   /* pairs are taken from [0, t_end]; NaN: the file's; glycolysis: dt * pairs */
    int64_t trajectories; /* each from its own initial values; >= 2 */
    int64_t pairs;        /* taken from each trajectory, evenly spread over [0, t_end]; >= 1 */
    double spread;        /* initial values are drawn from x0 (1 +- spread); those that are 0 from
                             [0, spread * largest x0], or, if all are 0, spread * largest value of
                             the model's own trajectory; a variable whose derivative is 0 keeps
                             its own; 0 <= spread; glycolysis has ranges of its own */
    double test_share;    /* of the trajectories, in (0, 1) */
} coset_ode_dataset_options;

#define COSET_ODE_DATASET_OPTIONS_INIT                                                             \
    {                                                                                              \
        0, 0, 0.0 / 0.0, 2000, 10, 0.5, 0.2                                                        \
    }

/* Supervised pairs from a system, as a regression data set in `folder` (created if absent): data.npz
 * with x_train, y_train, x_test, y_test (f32, columns brought to mean 0 and deviation 1 of the training
 * part; columns of x and of y that never change are left out), x_mean, x_std, y_mean, y_std (f64), and
 * model.ode. Whole trajectories are in one part. The context's seed decides the initial values.
 * Integrated at rtol 1e-8 by the method that takes less work, on the context's threads.
 *   ode     NULL: the yeast glycolysis system, which is not polynomial (and writes no model.ode)
 * Errors: COSET_EARGUMENT for options; COSET_EIO; as coset_ode_simulate. */
COSET_API COSET_MUST_USE coset_status coset_ode_dataset(coset_ctx *ctx, const coset_ode *ode,
                                                        const coset_ode_dataset_options *options,
                                                        const char *folder,
                                                        coset_report **report_out);

#ifdef __cplusplus
}
#endif

#endif
