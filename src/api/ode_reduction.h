/* A reduction of an ODE model in all its parts: what reduce reports and simulate runs beside the
 * original. */
#ifndef COSET_API_ODE_REDUCTION_H
#define COSET_API_ODE_REDUCTION_H

#include "api/ode.h"

typedef struct ode_reduction {
    equivalence kind;
    bool coefficients; /* every coefficient was free to change, instead of parameters */
    bool exact;        /* the partition is an equivalence of the model as it is */
    const char *from;  /* the initial partition in words */
    /* The model's system with symbols: its parameters, or with `coefficients` one for every term; and
     * with numbers for all of them. Symbols have the model's values. */
    ode_system *original, *numeric;
    partition initial, blocks;
    double *p0, *p1; /* [n_symbols] the model's values, and those of the closest exact system */
    closest_result change;
    double violation;    /* of the closest exact system */
    ode_system *reduced; /* of the closest exact system; only symbols that it uses */
} ode_reduction;

/* Finds the coarsest equivalence, the closest exact system and the reduced one.
 *   self  zero-initialised; freed by the caller with ode_reduction_free, also after a failure
 * Errors: those of coset_ode_reduce, with the model's source. */
COSET_MUST_USE coset_status ode_reduction_find(coset_ctx *ctx, const coset_ode *ode,
                                               const coset_ode_reduce_options *options,
                                               ode_reduction *self);
void ode_reduction_free(coset_ctx *ctx, ode_reduction *self);

/* The first block in which members start from different values: a backward reduction then follows its
 * representative only. -1: none. */
int64_t ode_reduction_unequal(const ode_reduction *self);

/* Fills "warnings" of a report, and logs them. */
COSET_MUST_USE coset_status ode_reduction_warn(coset_ctx *ctx, const coset_ode *ode,
                                               const ode_reduction *self, report_node *root);

/* The closest exact system / the reduced one as models; owned by the caller. */
COSET_MUST_USE coset_status ode_reduction_closest(coset_ctx *ctx, const coset_ode *ode,
                                                  const ode_reduction *self, ode_model **model_out);
COSET_MUST_USE coset_status ode_reduction_model(coset_ctx *ctx, const coset_ode *ode,
                                                const ode_reduction *self, double eps,
                                                ode_model **model_out);

/* Integrates the reduced system; values_out is (n_times, blocks). Errors: as integrate. */
COSET_MUST_USE coset_status ode_reduction_simulate(const ode_reduction *self, const double *times,
                                                   int64_t n_times,
                                                   const integrate_options *options,
                                                   const char *progress, double *values_out);

/* The bound on the deviation of the closest exact system, and beside it the deviation that simulation
 * shows: of the sums over blocks (forward), of every variable from its representative (backward). */
typedef struct ode_bound {
    double t_end, dt;
    error_bound bound;
    double deviation, deviation_at;
    const char *deviation_of; /* name of a variable, lent by the reduction */
} ode_bound;

/*   t_end  NaN: that of the model
 *   dt     0: t_end / 300
 * Errors: those of coset_ode_reduce about the bound. */
COSET_MUST_USE coset_status ode_reduction_bound(coset_ctx *ctx, const coset_ode *ode,
                                                const ode_reduction *self, double t_end, double dt,
                                                ode_bound *out);

/* What the reduced system says of the original's variables: sums over blocks (forward) or
 * representatives (backward).
 *   states      (n_times, n); borrowed
 *   values_out  (n_times, blocks) written */
void ode_reduction_aggregate(const ode_reduction *self, const double *states, int64_t n_times,
                             double *values_out);

/* Views of the original that the reduced model can have: of a backward reduction, all, with
 * representatives for variables; of a forward reduction those that are linear with one coefficient
 * for all members of a block. Others are left out. */
COSET_MUST_USE coset_status ode_reduction_views(coset_ctx *ctx, const ode_model *from,
                                                const ode_reduction *self, ode_model *to);
/* All views of a model for one in which variable block_of[v] stands for v. */
COSET_MUST_USE coset_status ode_views_copy(coset_ctx *ctx, const ode_model *from,
                                           const int64_t *block_of, ode_model *to);

#endif
