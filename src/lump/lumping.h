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
} lumping;

/* Rows of the identity: keeps `keep` ([k] ascending, copied), drops the rest. */
COSET_MUST_USE coset_status lumping_select(coset_ctx *ctx, int64_t n, const int64_t *keep,
                                           int64_t k, lumping **lumping_out);
/* Block means: block [n] with values in [0, k), every block non-empty, numbered by first member.
 * R = mean over the block, L = membership. */
COSET_MUST_USE coset_status lumping_merge(coset_ctx *ctx, int64_t n, const int64_t *block,
                                          int64_t k, lumping **lumping_out);
/* k = n, R = L = I. */
COSET_MUST_USE coset_status lumping_identity(coset_ctx *ctx, int64_t n, lumping **lumping_out);
void lumping_free(coset_ctx *ctx, lumping *self);

/* True if R = L = I and shift = 0. */
bool lumping_is_identity(const lumping *self);
/* Structural soundness, for lumpings that come from files. Errors: COSET_EFORMAT. */
COSET_MUST_USE coset_status lumping_check(coset_ctx *ctx, const lumping *self);

#endif
