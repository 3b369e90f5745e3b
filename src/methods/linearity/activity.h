/* How nearly every unit of a group is a line of its pre-activation.
 * Source: Dobler, Lemmerich, arXiv 2506.21146 (rates); METHODS.md section 6 (affine fits: ours). */
#ifndef COSET_METHODS_LINEARITY_ACTIVITY_H
#define COSET_METHODS_LINEARITY_ACTIVITY_H

#include "lump/path.h"
#include "stats/pairs.h"

/* h_u ~ slope_u z_u + shift_u for the units that leave, and the order in which they do. */
typedef struct linear_fit {
    int64_t n;
    double *slope, *shift; /* [n] */
    int64_t *order;        /* [n] the least linear first: the first k stay */
    double *
        height; /* [n + 1] smallest tolerance at which k units are left, k = 0 too; infinite: at none */
    double
        *error; /* [n + 1] estimated relative output error e^2 with k units left; NULL: not known */
} linear_fit;

/* The ways to tell that a unit is a line of its pre-activation, for one group. function says what h is of z, where
 * that is known. Errors of all of them: COSET_EMEMORY.
 *   pairs   moments of z and h; borrowed
 *   weight  [n] what a squared error of each unit costs at the output, M_uu. Errors of units are summed as if they
 *           were independent of each other; borrowed */

/* By the rate r at which units are active: slope 1 and shift 0 at height 1 - r. Where r <= dead, a share of samples,
 * as on its other side instead, slope `leak` with the mean kept, at height 0. Functions other than the identity, ReLU
 * and LeakyReLU have infinite heights. */
COSET_MUST_USE coset_status fit_rate(coset_ctx *ctx, const unit_group *group,
                                     const pair_moments *pairs, const double *weight, double dead,
                                     linear_fit **fit_out);
/* By least squares: slope = Cov(z, h) / Var z, whatever the function. Height: the root of the estimated error. */
COSET_MUST_USE coset_status fit_affine(coset_ctx *ctx, const pair_moments *pairs,
                                       const double *weight, linear_fit **fit_out);
/* By bounds of the pre-activations, low and high [n]: units with low >= 0 or high <= 0 are lines there and have height
 * and error 0, others infinite ones. */
COSET_MUST_USE coset_status fit_bounds(coset_ctx *ctx, const unit_group *group, const double *low,
                                       const double *high, linear_fit **fit_out);
/* By how little the unit varies: slope 0, shift E h, at the root of the estimated error. Needs no line. */
COSET_MUST_USE coset_status fit_constant(coset_ctx *ctx, const pair_moments *pairs,
                                         const double *weight, linear_fit **fit_out);
/* Those units of a fit whose slope is 0, at the same heights; the others have infinite ones. Needs no line. */
COSET_MUST_USE coset_status fit_idle(coset_ctx *ctx, const linear_fit *of, linear_fit **fit_out);
/* No unit is known to be a line: all heights are infinite. */
COSET_MUST_USE coset_status fit_none(coset_ctx *ctx, int64_t n, linear_fit **fit_out);
void linear_fit_free(coset_ctx *ctx, linear_fit *self); /* NULL is allowed */

/* The path of a group; copies.
 *   stays  [n + 1] as in path.h, non-decreasing; negative where the line alone costs more than that width; or NULL
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status linear_fit_path(coset_ctx *ctx, const linear_fit *self,
                                            const char *method, const int64_t *stays,
                                            path **path_out);

#endif
