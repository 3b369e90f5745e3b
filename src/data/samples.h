/* Samples as the readers give them, before they are split, checked against each other and typed. */
#ifndef COSET_DATA_SAMPLES_H
#define COSET_DATA_SAMPLES_H

#include "data/data.h"
#include "data/table.h"

/* References are owned; NULL: absent. y of an integer type with one number a row are class labels. */
typedef struct samples {
    tensor *x, *y, *x_test, *y_test;
    int64_t n_classes; /* known from declared or found categories; 0: the largest label + 1 */
} samples;

void samples_free(coset_ctx *ctx, samples *self);

/* Rows first, first + 1, ... (index NULL) or index[0..count) of a tensor as a new one. */
COSET_MUST_USE coset_status samples_rows(coset_ctx *ctx, const tensor *from, const int64_t *index,
                                         int64_t first, int64_t count, tensor **rows_out);

/* Turns a table (and a second one with the test part; NULL: none) into x [rows, width] F64 with one-hot
 * categories, and y: [rows, 1] F64 for a numeric target, [rows] I64 for a categorical one. A column
 * whose kind the file does not declare is numeric if more than half of its cells are numbers.
 *   target  as in coset_data_options
 * Errors: COSET_EFORMAT naming source, row, line and column; COSET_EARGUMENT for an unknown target;
 * COSET_ELIMIT for a column of more than 1024 categories. */
COSET_MUST_USE coset_status samples_from_tables(coset_ctx *ctx, const table *train,
                                                const table *test, const char *target,
                                                samples *out);

/* Reads the files that coset_data_load is given; digest_out has room for 65. */
COSET_MUST_USE coset_status samples_load(coset_ctx *ctx, const char *path,
                                         const coset_data_options *options, samples *out,
                                         char *digest_out);
/* One file from memory. */
COSET_MUST_USE coset_status samples_decode(coset_ctx *ctx, const void *bytes, size_t size,
                                           const char *name, const coset_data_options *options,
                                           samples *out);

/* Loads a folder of images, if `path` is one: else *data_out stays NULL.
 * Errors: those of image_folder_scan and image_files_new; COSET_EARGUMENT for options that do not go
 * with images. */
COSET_MUST_USE coset_status samples_load_images(coset_ctx *ctx, const char *path,
                                                const coset_data_options *options,
                                                coset_data **data_out);

/* Sets the scale, mean and std of data whose sample shape and layout are known. */
COSET_MUST_USE coset_status samples_set_channels(coset_ctx *ctx, coset_data *data,
                                                 const coset_data_options *options);
/* How many of `rows` >= 2 become the test part. */
int64_t samples_test_rows(int64_t rows, double share);
enum { STREAM_SPLIT = 0x5B117 }; /* of the seed (base/rng.h) */

/* Splits, checks and types samples; takes over what it keeps from them. */
COSET_MUST_USE coset_status samples_build(coset_ctx *ctx, samples *self, const char *name,
                                          const coset_data_options *options, coset_data **data_out);

#endif
