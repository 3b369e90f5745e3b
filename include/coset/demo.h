/* A self-contained example: a data set from a biochemical oscillator, a trained network, and all
 * methods on it. */
#ifndef COSET_DEMO_H
#define COSET_DEMO_H

#include <coset/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the data set (next state of the 7-species yeast glycolysis system), trains a 128-128-128 ReLU
 * network on it, compresses it with every method at four sizes, and writes the original, the smaller
 * models and the data (npz) to `folder` (created if absent; existing files of these names are
 * replaced). Cost: under three minutes on two cores. Errors: COSET_EIO, COSET_EMEMORY. */
COSET_API COSET_MUST_USE coset_status coset_demo(coset_ctx *ctx, const char *folder,
                                                 coset_report **report_out);

#ifdef __cplusplus
}
#endif

#endif
