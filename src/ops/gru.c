/* GRU: gates z, r, h in this order. With h the state before the step:
 *   z = f(Wz x + Rz h + bz)    r = f(Wr x + Rr h + br)
 *   n = g(Wh x + Rh (r h) + bh), or g(Wh x + bwh + r (Rh h + brh)) with linear_before_reset
 *   h' = (1 - z) n + z h. */
#include "linalg/blas.h"
#include "ops/recurrent.h"

enum { GATE_Z, GATE_R, GATE_H, GATES };

/* Wx + the products with h + biases of gate g, unit u. */
static float gate_sum(const recurrent *self, const recurrent_cell *cell, const float *row,
                      const float *product, int g, int64_t u)
{
    const int64_t j = g * self->hidden + u;
    const float bias = cell->bias_w != NULL ? cell->bias_w[j] + cell->bias_r[j] : 0.0F;
    return row[j] + product[j] + bias;
}

/* The sum of gate h with the reset gate r applied to the product. */
static float reset_sum(const recurrent *self, const recurrent_cell *cell, const float *row,
                       const float *product, float r, int64_t u)
{
    const int64_t j = GATE_H * self->hidden + u;
    if (cell->bias_w == NULL) return row[j] + r * product[j];
    return row[j] + cell->bias_w[j] + r * (product[j] + cell->bias_r[j]);
}

/* Turns the products of gates z and r into the gates, and fills `gated` with r h. */
static void open_gates(const recurrent *self, const recurrent_cell *cell, const float *row,
                       int64_t n)
{
    const int64_t hidden = self->hidden;
    float *product = cell->product + n * GATES * hidden;
    for (int64_t u = 0; u < hidden; u++)
        for (int g = GATE_Z; g <= GATE_R; g++)
            product[g * hidden + u] =
                gate_apply(self, &cell->functions[0], gate_sum(self, cell, row, product, g, u));
    for (int64_t u = 0; u < hidden; u++)
        cell->gated[n * hidden + u] = product[GATE_R * hidden + u] * cell->h[n * hidden + u];
}

static void update(const recurrent *self, const recurrent_cell *cell, const float *row, int64_t n)
{
    const int64_t hidden = self->hidden;
    const float *product = cell->product + n * GATES * hidden;
    for (int64_t u = 0; u < hidden; u++) {
        const float z = product[GATE_Z * hidden + u], r = product[GATE_R * hidden + u];
        const float sum = self->linear_before_reset ? reset_sum(self, cell, row, product, r, u)
                                                    : gate_sum(self, cell, row, product, GATE_H, u);
        const float fresh = gate_apply(self, &cell->functions[1], sum);
        float *h = &cell->h[n * hidden + u];
        *h = (1.0F - z) * fresh + z * *h;
    }
}

static void step(coset_ctx *ctx, const recurrent *self, const recurrent_cell *cell,
                 const float *const *rows)
{
    const int64_t hidden = self->hidden, gates = GATES * hidden;
    const int64_t now = self->linear_before_reset ? gates : 2 * hidden;
    gemm_f32(ctx, false, true, self->batch, now, hidden, 1.0F, cell->h, hidden, cell->r, hidden,
             0.0F, cell->product, gates);
    for (int64_t n = 0; n < self->batch; n++)
        if (rows[n] != NULL)
            open_gates(self, cell, rows[n], n);
        else
            for (int64_t u = 0; u < hidden; u++) cell->gated[n * hidden + u] = 0.0F;
    if (!self->linear_before_reset)
        gemm_f32(ctx, false, true, self->batch, hidden, hidden, 1.0F, cell->gated, hidden,
                 cell->r + GATE_H * hidden * hidden, hidden, 0.0F, cell->product + GATE_H * hidden,
                 gates);
    for (int64_t n = 0; n < self->batch; n++)
        if (rows[n] != NULL) update(self, cell, rows[n], n);
}

static const recurrent_kind gru = {
    .gates = GATES, .n_functions = 2, .functions = {"sigmoid", "tanh"}, .step = step};

static coset_status infer(op_infer *call)
{
    return recurrent_infer(call, &gru);
}

static coset_status forward(op_call *call)
{
    return recurrent_forward(call, &gru);
}

static size_t scratch(const op_infer *call)
{
    return recurrent_scratch(call, &gru);
}

const coset_op op_gru = {
    .type = "GRU",
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
