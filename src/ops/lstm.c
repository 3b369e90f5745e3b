/* LSTM: gates i, o, f, c in this order. With h and c the states before the step:
 *   i = f(Wi x + Ri h + Pi c + bi)    f' = f(Wf x + Rf h + Pf c + bf), or 1 - i if coupled
 *   c' = f' c + i g(Wc x + Rc h + bc)
 *   o = f(Wo x + Ro h + Po c' + bo)   h' = o h(c')
 * clip bounds the sums of the gates, not c': so does ONNX Runtime. */
#include "linalg/blas.h"
#include "ops/recurrent.h"

enum { GATE_I, GATE_O, GATE_F, GATE_C, GATES };
enum { PEEPHOLE_I, PEEPHOLE_O, PEEPHOLE_F };

static float peephole(const recurrent *self, const recurrent_cell *cell, int which, int64_t u,
                      float c)
{
    return cell->peepholes != NULL ? cell->peepholes[which * self->hidden + u] * c : 0.0F;
}

/* sums (G H): what the gates' functions are applied to, without peepholes. */
static void unit(const recurrent *self, const recurrent_cell *cell, const float *sums, int64_t u,
                 float *h, float *c)
{
    const gate_function *f = cell->functions;
    const int64_t n = self->hidden;
    const float input =
        gate_apply(self, &f[0], sums[GATE_I * n + u] + peephole(self, cell, PEEPHOLE_I, u, *c));
    const float forget =
        self->coupled ? 1.0F - input
                      : gate_apply(self, &f[0],
                                   sums[GATE_F * n + u] + peephole(self, cell, PEEPHOLE_F, u, *c));
    const float state = forget * *c + input * gate_apply(self, &f[1], sums[GATE_C * n + u]);
    const float output =
        gate_apply(self, &f[0], sums[GATE_O * n + u] + peephole(self, cell, PEEPHOLE_O, u, state));
    *c = state;
    *h = output * f[2].of(state, f[2].alpha, f[2].beta);
}

static void step(coset_ctx *ctx, const recurrent *self, const recurrent_cell *cell,
                 const float *const *rows)
{
    const int64_t hidden = self->hidden, gates = GATES * hidden;
    gemm_f32(ctx, false, true, self->batch, gates, hidden, 1.0F, cell->h, hidden, cell->r, hidden,
             0.0F, cell->product, gates);
    for (int64_t n = 0; n < self->batch; n++) {
        if (rows[n] == NULL) continue;
        float *sums = cell->product + n * gates;
        for (int64_t j = 0; j < gates; j++) {
            sums[j] += rows[n][j];
            if (cell->bias_w != NULL) sums[j] += cell->bias_w[j] + cell->bias_r[j];
        }
        for (int64_t u = 0; u < hidden; u++)
            unit(self, cell, sums, u, &cell->h[n * hidden + u], &cell->c[n * hidden + u]);
    }
}

static const recurrent_kind lstm = {
    .gates = GATES, .n_functions = 3, .functions = {"sigmoid", "tanh", "tanh"}, .step = step};

static coset_status infer(op_infer *call)
{
    return recurrent_infer(call, &lstm);
}

static coset_status forward(op_call *call)
{
    return recurrent_forward(call, &lstm);
}

static size_t scratch(const op_infer *call)
{
    return recurrent_scratch(call, &lstm);
}

const coset_op op_lstm = {
    .type = "LSTM",
    .domain = "",
    .since = 7,
    .min_inputs = 3,
    .max_inputs = 8,
    .min_outputs = 0,
    .max_outputs = 3,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = recurrent_labels,
    .macs = recurrent_macs,
};
