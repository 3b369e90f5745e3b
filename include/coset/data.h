/* Data sets: samples for calibration and for metrics. */
#ifndef COSET_DATA_H
#define COSET_DATA_H

#include <stdint.h>

#include <coset/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A training part and a test part of (x, y); y may be absent. Immutable. */
typedef struct coset_data coset_data;

typedef enum coset_layout {
    COSET_LAYOUT_AS_IS = 0, /* as stored */
    COSET_LAYOUT_NHWC,      /* images as N, H, W, C: turned into N, C, H, W */
    COSET_LAYOUT_NCHW
} coset_layout;

/* How an image becomes one of another shape. */
typedef enum coset_fit {
    COSET_FIT_STRETCH = 0, /* each side to its size */
    COSET_FIT_CROP,        /* aspect kept, the image covers the size; its centre is taken */
    COSET_FIT_LETTERBOX    /* aspect kept, the image lies inside at the top left; padded */
} coset_fit;

/* The channels that the model wants. */
typedef enum coset_channels {
    COSET_CHANNELS_RGB = 0, /* image files: red, green, blue; arrays: as stored */
    COSET_CHANNELS_BGR,     /* the other way round */
    COSET_CHANNELS_GREY     /* luma, .299 R + .587 G + .114 B */
} coset_channels;

typedef struct coset_data_options {
    const char *target; /* tables: column name or 0-based index (negative: from the end; NULL: the
                              last); .npy and idx: path of y; "none": the data has no y */
    const char *test;   /* a second file, or folder, with the test part; NULL: from the first */
    coset_layout layout;
    double scale;      /* multiplies raw x first */
    const float *mean; /* per channel, after scale; [n_channels]; NULL: none */
    const float *std;  /* per channel; NULL: none */
    int64_t n_channels;
    int standardise;         /* tables: bring every column of x, and a numeric target, to mean 0 and
                              deviation 1 of the training part */
    double test_share;       /* of rows, where the file has no test part; in (0, 1) */
    int64_t height, width;   /* images are brought to this size; 0, 0: they stay as they are */
    coset_fit fit;           /* how */
    double pad_value;        /* COSET_FIT_LETTERBOX: before the scale */
    coset_channels channels; /* images */
} coset_data_options;

#define COSET_DATA_OPTIONS_INIT                                                                    \
    {                                                                                              \
        NULL, NULL, COSET_LAYOUT_AS_IS, 1.0, NULL, NULL, 0, 0, 0.2, 0, 0, COSET_FIT_STRETCH, 114,  \
            COSET_CHANNELS_RGB                                                                     \
    }

/* Loads .npz (x_train, y_train, x_test, y_test or x, y), .npy, .csv, .arff, whitespace text (.txt,
 * .dat, .data), idx (.gz or not; a folder with the four MNIST files gives both parts), and folders of
 * .jpg, .jpeg and .png images: flat (no y), of class folders (classes in the order of their names), or
 * of "train" and "test", "val" or "validation" of either kind. Categorical columns become one-hot, in
 * order of first appearance (arff: in the declared order); a categorical or integer-typed y makes a
 * classification task. Files without a test part are split with the context's seed. Images go through
 * channels, height and width, scale, mean and std, in this order; image files are decoded when they are
 * needed, and up to 512 MB of prepared ones are kept.
 * Errors: COSET_EIO; COSET_EFORMAT naming file, row and column: a missing value, a date, a row of
 * another width, a number that is not finite; COSET_EARGUMENT for an unknown target column. */
COSET_API COSET_MUST_USE coset_status coset_data_load(coset_ctx *ctx, const char *path,
                                                      const coset_data_options *options,
                                                      coset_data **data_out);

/* Wraps samples in memory as a training part without y: inputs [rows, width] f32, copied. */
COSET_API COSET_MUST_USE coset_status coset_data_from_rows(coset_ctx *ctx, const float *x,
                                                           int64_t rows, int64_t width,
                                                           coset_data **data_out);

/* Rows of the training and of the test part; 0: there is none. */
COSET_API int64_t coset_data_train_rows(const coset_data *data);
COSET_API int64_t coset_data_test_rows(const coset_data *data);

COSET_API void coset_data_free(coset_ctx *ctx, coset_data *data);

#ifdef __cplusplus
}
#endif

#endif
