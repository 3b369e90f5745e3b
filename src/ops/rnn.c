/* RNN: h' = f(W x + R h + bw + br). */
#include "linalg/blas.h"
#include "ops/recurrent.h"

static void step(coset_ctx *ctx, const recurrent *self, const recurrent_cell *cell,
                 const float *const *rows)
{
    const int64_t hidden = self->hidden;
    gemm_f32(ctx, false, true, self->batch, hidden, hidden, 1.0F, cell->h, hidden, cell->r, hidden,
             0.0F, cell->product, hidden);
    for (int64_t n = 0; n < self->batch; n++)
        for (int64_t u = 0; u < hidden && rows[n] != NULL; u++) {
            const float bias = cell->bias_w != NULL ? cell->bias_w[u] + cell->bias_r[u] : 0.0F;
            const float sum = rows[n][u] + cell->product[n * hidden + u] + bias;
            cell->h[n * hidden + u] = gate_apply(self, &cell->functions[0], sum);
        }
}

static const recurrent_kind rnn = {
    .gates = 1, .n_functions = 1, .functions = {"tanh"}, .step = step};

static coset_status infer(op_infer *call)
{
    return recurrent_infer(call, &rnn);
}

static coset_status forward(op_call *call)
{
    return recurrent_forward(call, &rnn);
}

static size_t scratch(const op_infer *call)
{
    return recurrent_scratch(call, &rnn);
}

const coset_op op_rnn = {
    .type = "RNN",
    .domain = "",
    .since = 7,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 0,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = recurrent_labels,
    .macs = recurrent_macs,
};
