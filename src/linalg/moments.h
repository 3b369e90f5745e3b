/* What selection and nested errors share. */
#ifndef COSET_LINALG_MOMENTS_H
#define COSET_LINALG_MOMENTS_H

#include "linalg/select.h"

/* Share of a direction's own variance below which what earlier ones leave of it is rounding. */
#define MOMENTS_EXPLAINED 1e-10

/* Checks that all moments are finite; total_out: e^2 with nothing kept, sum of trace(M G), >= 0. */
COSET_MUST_USE coset_status moments_total(coset_ctx *ctx, const moment_site *sites, int64_t n_sites,
                                          int64_t n, double *total_out);

#endif
