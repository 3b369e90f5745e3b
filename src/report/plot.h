/* Lines over a common axis as an SVG picture that needs no other file. */
#ifndef COSET_REPORT_PLOT_H
#define COSET_REPORT_PLOT_H

#include "base/ctx.h"

typedef struct plot_line {
    const char *name; /* valid UTF-8; borrowed */
    int64_t beside;   /* the line that it is compared with: drawn dashed over it; -1: none */
} plot_line;

typedef struct plot {
    const char *title, *x_name; /* borrowed */
    const double *x;            /* [n_points] ascending; borrowed */
    const double *values;       /* (n_points, n_lines); borrowed; what is not finite is left out */
    const plot_line *lines;
    int64_t n_points, n_lines;
} plot;

/* The PLOT_LABELLED lines that move most have colours and names, PLOT_DRAWN at most are drawn, the others
 * pale. Colours follow the reader's light or dark scheme. text_out is owned by the caller.
 * Errors: COSET_EMEMORY. Cost: points times lines. */
enum { PLOT_LABELLED = 20, PLOT_DRAWN = 400 };
COSET_MUST_USE coset_status plot_svg(coset_ctx *ctx, const plot *self, char **text_out);

#endif
