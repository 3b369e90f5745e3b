#include "train/dense.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "linalg/blas.h"

/* ---- the network ------------------------------------------------------------------------------- */

/* Places every layer's parameters one after the other. */
static coset_status place_params(coset_ctx *ctx, dense_net *net)
{
    for (int l = 0; l < net->n_layers; l++) {
        int64_t weights = 0, at = net->n_params;
        bool fits = dim_mul(net->widths[l + 1], net->widths[l], &weights);
        net->weight_at[l] = at;
        fits = fits && dim_add(at, weights, &at);
        net->bias_at[l] = at;
        fits = fits && dim_add(at, net->widths[l + 1], &at);
        if (!fits || at > TENSOR_MAX_ELEMENTS)
            return ctx_fail(ctx, COSET_ELIMIT,
                            "a dense network of %lld x %lld weights is too large",
                            (long long)net->widths[l + 1], (long long)net->widths[l]);
        net->n_params = at;
    }
    return COSET_OK;
}

static void draw_weights(dense_net *net, rng *random)
{
    for (int l = 0; l < net->n_layers; l++) {
        int64_t in = net->widths[l], out = net->widths[l + 1];
        bool he = net->activation == DENSE_RELU && l + 1 < net->n_layers;
        double spread = he ? sqrt(2 / (double)in) : sqrt(6 / (double)(in + out));
        float *weight = net->params + net->weight_at[l];
        for (int64_t i = 0; i < in * out; i++)
            weight[i] = (float)(spread * (he ? rng_normal(random) : 2 * rng_uniform(random) - 1));
    }
}

coset_status dense_new(coset_ctx *ctx, const int64_t *widths, int n_layers,
                       dense_activation activation, rng *random, dense_net **net_out)
{
    coset_status status = COSET_OK;
    dense_net *net = NULL;
    *net_out = NULL;
    if (n_layers < 1 || n_layers > DENSE_MAX_LAYERS)
        FAIL(ctx, COSET_EARGUMENT, "a dense network has 1 to %d layers, not %d", DENSE_MAX_LAYERS,
             n_layers);
    for (int l = 0; l <= n_layers; l++)
        if (widths[l] < 1)
            FAIL(ctx, COSET_EARGUMENT, "width %d of a dense network is %lld; it must be at least 1",
                 l, (long long)widths[l]);
    TRY(ctx_alloc(ctx, 1, sizeof *net, &net));
    net->activation = activation;
    net->n_layers = n_layers;
    memcpy(net->widths, widths, (size_t)(n_layers + 1) * sizeof *widths);
    TRY(place_params(ctx, net));
    TRY(ctx_alloc(ctx, net->n_params, sizeof *net->params, &net->params));
    draw_weights(net, random);
    *net_out = net;
    net = NULL;
done:
    dense_free(ctx, net);
    return status;
}

void dense_free(coset_ctx *ctx, dense_net *net)
{
    if (net == NULL) return;
    ctx_free(ctx, net->params);
    ctx_free(ctx, net);
}

/* ---- room for a batch -------------------------------------------------------------------------- */

static coset_status new_rows(coset_ctx *ctx, int64_t rows, int64_t width, float **values_out)
{
    int64_t count = 0;
    if (!dim_mul(rows, width, &count))
        return ctx_fail(ctx, COSET_EMEMORY, "out of memory for a batch of %lld rows",
                        (long long)rows);
    return ctx_alloc_raw(ctx, count, sizeof **values_out, values_out);
}

coset_status dense_pass_init(coset_ctx *ctx, const dense_net *net, int64_t capacity,
                             dense_pass *pass_out)
{
    coset_status status = COSET_OK;
    dense_pass pass = {.capacity = capacity};
    int64_t widest = 1;
    *pass_out = (dense_pass){0};
    for (int l = 0; l < net->n_layers; l++) {
        if (net->widths[l + 1] > widest) widest = net->widths[l + 1];
        TRY(new_rows(ctx, capacity, net->widths[l + 1], &pass.outputs[l]));
    }
    for (int i = 0; i < 2; i++) TRY(new_rows(ctx, capacity, widest, &pass.delta[i]));
    *pass_out = pass;
    pass = (dense_pass){0};
done:
    dense_pass_free(ctx, &pass);
    return status;
}

void dense_pass_free(coset_ctx *ctx, dense_pass *pass)
{
    for (int l = 0; l < DENSE_MAX_LAYERS; l++) ctx_free(ctx, pass->outputs[l]);
    for (int i = 0; i < 2; i++) ctx_free(ctx, pass->delta[i]);
    *pass = (dense_pass){0};
}

/* ---- forward and backward ---------------------------------------------------------------------- */

static void activate(dense_activation activation, float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float z = values[i];
        values[i] = activation == DENSE_TANH ? tanhf(z) : z > 0 ? z : 0;
    }
}

/* delta becomes the gradient before the activation; `values` are what the activation gave. */
static void activate_backward(dense_activation activation, const float *values, int64_t count,
                              float *delta)
{
    for (int64_t i = 0; i < count; i++) {
        float a = values[i];
        float slope = activation == DENSE_TANH ? 1 - a * a : a > 0 ? 1.0F : 0.0F;
        delta[i] *= slope;
    }
}

/* y = x W^T + b:  x [rows, in], W (out, in), y [rows, out]. */
static void layer_forward(coset_ctx *ctx, const dense_net *net, int l, const float *x, int64_t rows,
                          float *y)
{
    int64_t in = net->widths[l], out = net->widths[l + 1];
    const float *bias = net->params + net->bias_at[l];
    for (int64_t r = 0; r < rows; r++) memcpy(y + r * out, bias, (size_t)out * sizeof *y);
    gemm_f32(ctx, false, true, rows, out, in, 1, x, in, net->params + net->weight_at[l], in, 1, y,
             out);
}

/* From delta = dE/dy [rows, out]: dE/dW = delta^T x, dE/db = column sums of delta, and unless
 * below is NULL dE/dx = delta W [rows, in]. */
static void layer_backward(coset_ctx *ctx, const dense_net *net, int l, const float *x,
                           int64_t rows, const float *delta, float *gradient, float *below)
{
    int64_t in = net->widths[l], out = net->widths[l + 1];
    gemm_f32(ctx, true, false, out, in, rows, 1, delta, out, x, in, 0, gradient + net->weight_at[l],
             in);
    for (int64_t j = 0; j < out; j++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++) sum += (double)delta[r * out + j];
        gradient[net->bias_at[l] + j] = (float)sum;
    }
    if (below != NULL)
        gemm_f32(ctx, false, false, rows, in, out, 1, delta, out, net->params + net->weight_at[l],
                 in, 0, below, in);
}

const float *dense_forward(coset_ctx *ctx, const dense_net *net, const float *x, int64_t rows,
                           dense_pass *pass)
{
    const float *from = x;
    for (int l = 0; l < net->n_layers; l++) {
        layer_forward(ctx, net, l, from, rows, pass->outputs[l]);
        if (l + 1 < net->n_layers)
            activate(net->activation, pass->outputs[l], rows * net->widths[l + 1]);
        from = pass->outputs[l];
    }
    return from;
}

double dense_gradient(coset_ctx *ctx, const dense_net *net, const float *x, const float *y,
                      int64_t rows, dense_pass *pass, float *gradient)
{
    int last = net->n_layers - 1;
    int64_t count = rows * net->widths[last + 1];
    const float *found = dense_forward(ctx, net, x, rows, pass);
    double loss = 0;
    for (int64_t i = 0; i < count; i++) {
        double away = (double)found[i] - (double)y[i];
        loss += away * away;
        pass->delta[last & 1][i] = (float)(2 * away / (double)count);
    }
    for (int l = last; l >= 0; l--) {
        const float *from = l > 0 ? pass->outputs[l - 1] : x;
        float *delta = pass->delta[l & 1], *below = l > 0 ? pass->delta[(l - 1) & 1] : NULL;
        layer_backward(ctx, net, l, from, rows, delta, gradient, below);
        if (l > 0) activate_backward(net->activation, from, rows * net->widths[l], below);
    }
    return loss / (double)count;
}
