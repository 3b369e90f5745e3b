/* A lumping: the quotient map of one group from n units to k.   Source: METHODS.md section 1. */
#ifndef COSET_LUMP_LUMPING_H
#define COSET_LUMP_LUMPING_H

#include "base/ctx.h"

/* R (k, n) has one entry per column: R[block[u], u] = reduce[u].
 * L (n, k) is dense (`lift`) or has one entry per row: L[u, block[u]] = scale[u]; h ~ L h' + shift.
 * New unit b takes the place of unit keep[b] wherever order matters. */
typedef struct lumping {
    int64_t n, k;
    int64_t *keep;  /* [k] representatives, ascending */
    int64_t *block; /* [n] in [0, k); -1: dropped (its row of L and column of R are zero) */
    double *reduce; /* [n] */
    double *scale;  /* [n] */
    double *lift;   /* [n, k] or NULL */
    double *shift;  /* [n] or NULL: zero */
    double *
        slope; /* [n] or NULL: zero. A unit with one is bypassed (block -1): h_u ~ slope_u z_u + shift_u, z its
                       pre-activation (lump/bypass.h). With slopes k may be 0: the whole layer is linear */
} lumping;

/* Rows of the identity: keeps `keep` ([k] ascending, copied), drops the rest. */
COSET_MUST_USE coset_status lumping_select(coset_ctx *ctx, int64_t n, const int64_t *keep,
                                           int64_t k, lumping **lumping_out);
/* Block means: block [n] with values in [0, k), every block non-empty, numbered by first member.
 * R = mean over the block, L = membership. */
COSET_MUST_USE coset_status lumping_merge(coset_ctx *ctx, int64_t n, const int64_t *block,
                                          int64_t k, lumping **lumping_out);
/* Keeps `keep` ([k] ascending, k >= 0, copied) and bypasses the rest.
 *   slope, shift  [n] copied; those of kept units are taken as 0. A unit that never varies has slope 0. */
COSET_MUST_USE coset_status lumping_bypass(coset_ctx *ctx, int64_t n, const int64_t *keep,
                                           int64_t k, const double *slope, const double *shift,
                                           lumping **lumping_out);
/* k = n, R = L = I. */
COSET_MUST_USE coset_status lumping_identity(coset_ctx *ctx, int64_t n, lumping **lumping_out);
void lumping_free(coset_ctx *ctx, lumping *self);

/* True if R = L = I and shift = 0. */
bool lumping_is_identity(const lumping *self);
/* second after first: of units n -> k1 -> k2, R = R2 R1 (one entry per column, as ever) and keep; lift, shift and
 * slope are left out: what recovery compares the final units with. Either may be NULL: identity.
 * Errors: COSET_EMEMORY, COSET_EARGUMENT if the sizes do not fit. */
COSET_MUST_USE coset_status lumping_compose(coset_ctx *ctx, const lumping *first,
                                            const lumping *second, lumping **lumping_out);
/* Structural soundness, for lumpings that come from files. Errors: COSET_EFORMAT. */
COSET_MUST_USE coset_status lumping_check(coset_ctx *ctx, const lumping *self);

#endif
