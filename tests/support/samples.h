/* Data sets in tests: short calls that assert, and samples as text. */
#ifndef COSET_TESTS_SUPPORT_SAMPLES_H
#define COSET_TESTS_SUPPORT_SAMPLES_H

#include "support/files.h"

#include "data/data.h"

static inline coset_data *load(coset_ctx *ctx, const char *path, const coset_data_options *options)
{
    coset_data *data = NULL;
    coset_status status = coset_data_load(ctx, path, options, &data);
    if (status != COSET_OK) fail_msg("%s: %s", path, coset_ctx_error(ctx));
    return data;
}

static inline int64_t width_of(const coset_data *data)
{
    return shape_product(&data->sample, 0, data->sample.rank);
}

/* All samples of a part; freed by the caller. */
static inline float *filled(coset_ctx *ctx, const coset_data *data, const data_part *part)
{
    float *out = calloc((size_t)(part->rows * width_of(data)), sizeof *out);
    assert_non_null(out);
    assert_int_equal(data_fill(ctx, data, part, NULL, 0, part->rows, out), COSET_OK);
    return out;
}

/* Rows as "x x x | y", training part then test part, so that expectations read like tables. */
static inline char *shown(coset_ctx *ctx, const coset_data *data)
{
    static char text[4000];
    size_t used = 0;
    const data_part *parts[] = {&data->train, &data->test};
    int64_t width = width_of(data);
    text[0] = '\0';
    for (int p = 0; p < 2; p++) {
        if (parts[p]->rows == 0) continue;
        float *x = filled(ctx, data, parts[p]);
        for (int64_t r = 0; r < parts[p]->rows; r++) {
            for (int64_t c = 0; c < width; c++)
                used += (size_t)snprintf(text + used, sizeof text - used, "%g ",
                                         (double)x[r * width + c]);
            if (parts[p]->label != NULL)
                used += (size_t)snprintf(text + used, sizeof text - used, "| class %lld",
                                         (long long)parts[p]->label[r]);
            for (int64_t c = 0; parts[p]->y != NULL && c < data->y_width; c++)
                used += (size_t)snprintf(text + used, sizeof text - used, "| %g",
                                         (double)parts[p]->y[r * data->y_width + c]);
            used += (size_t)snprintf(text + used, sizeof text - used, "\n");
        }
        free(x);
    }
    return text;
}

static inline void expect_refused(coset_ctx *ctx, const char *name, const char *text,
                                  const coset_data_options *options, coset_status status,
                                  const char *says)
{
    coset_data *data = NULL;
    coset_status found = data_decode(ctx, text, strlen(text), name, options, &data);
    if (found != status || strstr(coset_ctx_error(ctx), says) == NULL)
        fail_msg("%s gave %s: %s", text, coset_status_name(found), coset_ctx_error(ctx));
    assert_null(data);
    assert_null(strchr(coset_ctx_error(ctx), '\n'));
}

static inline double sum_of(const float *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)values[i];
    return sum;
}

#endif
