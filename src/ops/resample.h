/* Interpolation along axes: what Resize and Upsample compute. */
#ifndef COSET_OPS_RESAMPLE_H
#define COSET_OPS_RESAMPLE_H

#include "graph/op.h"

typedef enum resample_mode { RESAMPLE_NEAREST, RESAMPLE_LINEAR, RESAMPLE_CUBIC } resample_mode;

/* Where index x of an axis of n' indices lies in the input's axis of n indices; s is the scale. */
typedef enum resample_coordinate {
    COORDINATE_HALF_PIXEL,           /* (x + 1/2) / s - 1/2 */
    COORDINATE_HALF_PIXEL_SYMMETRIC, /* the same about the middle of the axis */
    COORDINATE_PYTORCH_HALF_PIXEL,   /* half_pixel, 0 if n' = 1 */
    COORDINATE_ALIGN_CORNERS,        /* x (n - 1) / (n' - 1) */
    COORDINATE_ASYMMETRIC,           /* x / s */
    COORDINATE_TF_HALF_PIXEL_FOR_NN, /* (x + 1/2) / s */
    COORDINATE_TF_CROP_AND_RESIZE    /* a region of interest */
} resample_coordinate;

typedef enum resample_rounding {
    ROUND_PREFER_FLOOR,
    ROUND_PREFER_CEIL,
    ROUND_FLOOR,
    ROUND_CEIL,
    ROUND_SIMPLE /* floor, but ceil where the axis shrinks: before opset 11 */
} resample_rounding;

typedef struct resample_axis {
    bool active; /* other axes pass as they are */
    int64_t in, out;
    float scale, roi_start, roi_end;
} resample_axis;

typedef struct resample {
    resample_mode mode;
    resample_coordinate coordinate;
    resample_rounding rounding;
    float cubic_a, extrapolation;
    bool exclude_outside;
    int rank;
    resample_axis axes[TENSOR_MAX_RANK];
} resample;

/* Bytes of scratch for so many threads. */
size_t resample_scratch(const resample *self, int threads);
/* y from x, both of the sizes in `axes` and of one compute type; integers are interpolated in floating point
 * and cut off toward zero. */
void resample_run(const resample *self, const array *x, array *y, void *scratch, int threads);

#endif
