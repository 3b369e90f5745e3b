/* Training of dense networks by Adam on mini-batches. */
#ifndef COSET_TRAIN_ADAM_H
#define COSET_TRAIN_ADAM_H

#include "train/dense.h"

/* The learning rate falls from `rate` to `rate_end` along half a cosine, step by step. */
typedef struct adam_options {
    int64_t epochs, batch; /* >= 1; the last batch of an epoch may be smaller */
    double rate, rate_end;
    double beta1, beta2, epsilon;
    double decay; /* of weights, not biases, per unit of rate: w -= rate decay w */
} adam_options;

#define ADAM_OPTIONS_INIT                                                                          \
    {                                                                                              \
        100, 128, 1e-3, 0, 0.9, 0.999, 1e-8, 0                                                     \
    }

/* Minimises the mean squared error of the network, in place. Every epoch visits all rows in a new
 * order, drawn from `random`; stage "train" of the progress counts epochs. The same network, samples,
 * random state and threads give the same parameters to the bit.
 *   x, y      [rows, inputs], [rows, outputs], rows >= 1; borrowed
 *   loss_out  mean over the batches of the last epoch; may be NULL
 * Errors: COSET_EARGUMENT for options out of range; COSET_ENUMERIC if the error is no longer finite
 * (the rate is too high, or the data is not finite); COSET_EMEMORY. On failure the parameters are
 * those of the last good step.
 * Cost: 6 flops a weight, row and epoch.    Source: Kingma and Ba, ICLR 2015, algorithm 1; cosine and decay
 * of Loshchilov and Hutter, ICLR 2017, equation 5, and ICLR 2019, algorithm 2. */
COSET_MUST_USE coset_status adam_fit(coset_ctx *ctx, dense_net *net, const float *x, const float *y,
                                     int64_t rows, const adam_options *options, rng *random,
                                     double *loss_out);

#endif
