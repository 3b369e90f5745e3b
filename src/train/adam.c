#include "train/adam.h"

#include <math.h>
#include <string.h>

typedef struct training {
    coset_ctx *ctx;
    dense_net *net;
    const float *x, *y;
    int64_t rows;
    const adam_options *options;
    dense_pass pass;
    int64_t *order;           /* [rows] */
    float *x_batch, *y_batch; /* gathered rows */
    float *gradient;          /* [n_params] */
    float *mean, *square;     /* [n_params] running moments of the gradient */
    int64_t step, steps;      /* done and in all */
    double power1, power2;    /* beta1^step, beta2^step */
} training;

static coset_status check_options(coset_ctx *ctx, const adam_options *options, int64_t rows)
{
    if (rows < 1 || options->epochs < 1 || options->batch < 1)
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "training needs at least one row, epoch and row a batch, not %lld, %lld and "
            "%lld",
            (long long)rows, (long long)options->epochs, (long long)options->batch);
    bool rates = options->rate > 0 && isfinite(options->rate) && options->rate_end >= 0 &&
                 options->rate_end <= options->rate;
    bool decays = options->decay >= 0 && options->decay * options->rate < 1;
    bool betas = options->beta1 >= 0 && options->beta1 < 1 && options->beta2 >= 0 &&
                 options->beta2 < 1 && options->epsilon > 0;
    if (!rates || !decays || !betas)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "Adam needs 0 <= rate_end <= rate, betas in [0, 1), epsilon over 0 and "
                        "0 <= rate decay < 1, not rates %g to %g, betas %g and %g, epsilon %g, "
                        "decay %g",
                        options->rate, options->rate_end, options->beta1, options->beta2,
                        options->epsilon, options->decay);
    return COSET_OK;
}

static coset_status start(training *self)
{
    coset_status status = COSET_OK;
    const adam_options *options = self->options;
    const dense_net *net = self->net;
    int64_t batch = options->batch < self->rows ? options->batch : self->rows;
    TRY(dense_pass_init(self->ctx, net, batch, &self->pass));
    TRY(ctx_alloc_raw(self->ctx, self->rows, sizeof *self->order, &self->order));
    TRY(ctx_alloc_raw(self->ctx, batch * net->widths[0], sizeof(float), &self->x_batch));
    TRY(ctx_alloc_raw(self->ctx, batch * net->widths[net->n_layers], sizeof(float),
                      &self->y_batch));
    TRY(ctx_alloc_raw(self->ctx, net->n_params, sizeof(float), &self->gradient));
    TRY(ctx_alloc(self->ctx, net->n_params, sizeof(float), &self->mean));
    TRY(ctx_alloc(self->ctx, net->n_params, sizeof(float), &self->square));
    self->steps = options->epochs * ((self->rows + batch - 1) / batch);
    self->power1 = self->power2 = 1;
done:
    return status;
}

static void end(training *self)
{
    dense_pass_free(self->ctx, &self->pass);
    ctx_free(self->ctx, self->order);
    ctx_free(self->ctx, self->x_batch);
    ctx_free(self->ctx, self->y_batch);
    ctx_free(self->ctx, self->gradient);
    ctx_free(self->ctx, self->mean);
    ctx_free(self->ctx, self->square);
}

static void gather(const float *from, int64_t width, const int64_t *index, int64_t count,
                   float *rows_out)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(rows_out + i * width, from + index[i] * width, (size_t)width * sizeof *from);
}

static double rate_now(const training *self)
{
    const double pi = 3.14159265358979323846;
    double gone = (double)self->step / (double)self->steps;
    const adam_options *options = self->options;
    return options->rate_end + (options->rate - options->rate_end) * (1 + cos(pi * gone)) / 2;
}

static void shrink_weights(training *self, float by)
{
    const dense_net *net = self->net;
    for (int l = 0; l < net->n_layers; l++)
        for (int64_t i = net->weight_at[l]; i < net->bias_at[l]; i++) net->params[i] *= by;
}

/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
 * p -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) */
static void update(training *self)
{
    const adam_options *options = self->options;
    double rate = rate_now(self);
    if (options->decay > 0) shrink_weights(self, (float)(1 - rate * options->decay));
    self->step++;
    self->power1 *= options->beta1;
    self->power2 *= options->beta2;
    const float b1 = (float)options->beta1, b2 = (float)options->beta2;
    const float c1 = (float)(1 - options->beta1), c2 = (float)(1 - options->beta2);
    const float scale = (float)(rate / (1 - self->power1));
    const float unbias = (float)(1 / sqrt(1 - self->power2));
    const float epsilon = (float)options->epsilon;
    float *params = self->net->params, *mean = self->mean, *square = self->square;
    for (int64_t i = 0; i < self->net->n_params; i++) {
        float g = self->gradient[i];
        mean[i] = b1 * mean[i] + c1 * g;
        square[i] = b2 * square[i] + c2 * g * g;
        params[i] -= scale * mean[i] / (unbias * sqrtf(square[i]) + epsilon);
    }
}

/* Products of one batch that are this small take less time than threads need to meet, most of all
 * where other processes want the processors, too. */
static bool is_small(const training *self)
{
    const dense_net *net = self->net;
    int64_t largest = 0;
    for (int l = 0; l < net->n_layers; l++) {
        int64_t weights = net->widths[l] * net->widths[l + 1];
        if (weights > largest) largest = weights;
    }
    return (double)largest * (double)self->pass.capacity < 1e7;
}

static coset_status run_epoch(training *self, rng *random, double *loss_out)
{
    const dense_net *net = self->net;
    int64_t in = net->widths[0], out = net->widths[net->n_layers];
    double sum = 0;
    rng_permutation(random, self->rows, self->order);
    for (int64_t first = 0; first < self->rows; first += self->pass.capacity) {
        int64_t count = self->rows - first;
        if (count > self->pass.capacity) count = self->pass.capacity;
        gather(self->x, in, self->order + first, count, self->x_batch);
        gather(self->y, out, self->order + first, count, self->y_batch);
        double loss = dense_gradient(self->ctx, net, self->x_batch, self->y_batch, count,
                                     &self->pass, self->gradient);
        if (!isfinite(loss))
            return ctx_fail(self->ctx, COSET_ENUMERIC,
                            "training: the error is %g after %lld of %lld steps at a rate of %g",
                            loss, (long long)self->step, (long long)self->steps, rate_now(self));
        update(self);
        sum += loss * (double)count;
    }
    *loss_out = sum / (double)self->rows;
    return COSET_OK;
}

coset_status adam_fit(coset_ctx *ctx, dense_net *net, const float *x, const float *y, int64_t rows,
                      const adam_options *options, rng *random, double *loss_out)
{
    coset_status status = COSET_OK;
    training self = {.ctx = ctx, .net = net, .x = x, .y = y, .rows = rows, .options = options};
    const int threads = ctx->threads;
    double loss = 0;
    TRY(check_options(ctx, options, rows));
    TRY(start(&self));
    if (is_small(&self)) ctx->threads = 1;
    ctx_progress(ctx, "train", 0, options->epochs);
    for (int64_t epoch = 0; epoch < options->epochs; epoch++) {
        TRY(run_epoch(&self, random, &loss));
        ctx_progress(ctx, "train", epoch + 1, options->epochs);
    }
    if (loss_out != NULL) *loss_out = loss;
done:
    ctx->threads = threads;
    end(&self);
    return status;
}
