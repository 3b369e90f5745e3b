/* Inside of a data set: two parts whose samples stay in their stored type until they are asked for. */
#ifndef COSET_DATA_DATA_H
#define COSET_DATA_DATA_H

#include <coset/data.h>

#include "data/images.h"
#include "exec/batch.h"

/* x keeps the file's element type and layout; data_fill applies the recipe, scale, mean, std and
 * layout. Images in files are decoded by data_fill, too. */
typedef struct data_part {
    int64_t rows;
    tensor *x;      /* [rows, ...]; NULL: no rows, or files */
    int64_t *file;  /* [rows] indices into the data set's files; NULL: x */
    float *y;       /* [rows, y_width] regression; NULL: none */
    int64_t *label; /* [rows] classification; NULL: none */
} data_part;

struct coset_data {
    char *name; /* path, for messages */
    char digest
        [65]; /* sha256 of the file (of several: of their digests; of a folder of images: of the
                        list of files); "" for data in memory */
    data_part train, test;
    image_files *files;  /* NULL: arrays */
    image_recipe recipe; /* of arrays; files have their own */
    shape sample;        /* shape of one sample of x as data_fill gives it */
    int64_t y_width, n_classes;
    coset_layout layout;
    double scale;
    float *mean, *std; /* per channel (image layouts) or per feature; NULL: none */
    int64_t n_channels;
};

/* True if samples are images, [channels, height, width] as data_fill gives them. */
bool data_is_images(const coset_data *data);

/* Loads a data set from one file in memory (borrowed); `name` says the format by its extension, and
 * is for messages. Options that name other files are refused. Errors as coset_data_load. */
COSET_MUST_USE coset_status data_decode(coset_ctx *ctx, const void *bytes, size_t size,
                                        const char *name, const coset_data_options *options,
                                        coset_data **data_out);

/* Writes samples index[0..count) (NULL: first, first + 1, ...) as f32 rows. */
COSET_MUST_USE coset_status data_fill(coset_ctx *ctx, const coset_data *data, const data_part *part,
                                      const int64_t *index, int64_t first, int64_t count,
                                      float *out);

/* Rows of a part (index [samples] chooses them; NULL: all in order), as one model takes them. */
typedef struct data_view {
    const coset_data *data;
    const data_part *part;
    const int64_t *index; /* borrowed */
    int64_t samples;
    shape sample;       /* of one sample as the model gets it */
    bool channels_last; /* images become [height, width, channels] for this model */
} data_view;

/* Images come as [channels, height, width] unless the shape that the graph declares for its input says
 * that only [height, width, channels] fits. */
data_view data_view_for(const coset_data *data, const data_part *part, const coset_graph *graph,
                        const int64_t *index, int64_t count);
/* A batch source over a view, which must outlive it. Single-input models only: input 0 is x. */
batch_source data_source(data_view *view);

#endif
