#include "ops/recurrent.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "linalg/blas.h"
#include "ops/elementwise.h"
#include "ops/gate_functions.h"
#include "ops/operand.h"
#include "ops/product.h"

/* Sizes over it are in no tensor; with it, those of all gates do not overflow. */
#define LARGEST_SIZE TENSOR_MAX_ELEMENTS

/* ---- attributes and shapes --------------------------------------------------------------------- */

static coset_status read_attributes(const op_node *at, const recurrent_kind *kind, recurrent *self)
{
    const char *direction = node_attr_string(at->node, "direction", "forward");
    const graph_attr *clip = node_attr(at->node, "clip");
    const int64_t layout = at->opset >= 14 ? node_attr_int(at->node, "layout", 0) : 0;
    *self = (recurrent){.gates = kind->gates, .directions = 1};
    if (strcmp(direction, "bidirectional") == 0)
        self->directions = 2;
    else if (strcmp(direction, "reverse") == 0)
        self->backward = true;
    else if (strcmp(direction, "forward") != 0)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "direction must be forward, reverse or bidirectional, not '%.100s'",
                         direction);
    if (layout != 0 && layout != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "layout must be 0 or 1, not %lld",
                         (long long)layout);
    self->batch_first = layout == 1;
    self->clip = clip != NULL && clip->kind == ATTR_FLOAT ? clip->f : INFINITY;
    if (!(self->clip >= 0.0F))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "clip must not be %g",
                         (double)self->clip);
    self->linear_before_reset = node_attr_int(at->node, "linear_before_reset", 0) != 0;
    self->coupled = node_attr_int(at->node, "input_forget", 0) != 0;
    return gate_functions_read(at, kind, self->directions, self->functions);
}

static bool has_input(const op_node *at, int input)
{
    return input < at->n_in && at->node->inputs[input] >= 0;
}

/* Compares an input's shape with what it must be; -1: any size. */
static coset_status check_shape(const op_infer *call, int input, int rank, int64_t first,
                                int64_t second, int64_t third)
{
    char given[SHAPE_TEXT], expected[SHAPE_TEXT];
    if (!has_input(&call->at, input)) return COSET_OK;
    const shape *found = &call->in[input].shape;
    const shape want = {.rank = rank, .dims = {first, second, third}};
    bool fits = found->rank < 0 || found->rank == rank;
    for (int a = 0; fits && a < found->rank; a++)
        fits = found->dims[a] < 0 || want.dims[a] < 0 || found->dims[a] == want.dims[a];
    if (fits) return COSET_OK;
    return node_fail(
        call->at.ctx, call->at.node, COSET_EFORMAT, "input %d must have shape %s, not %s", input,
        shape_text(&want, expected, sizeof expected), shape_text(found, given, sizeof given));
}

static int64_t scaled(int64_t size, int64_t factor)
{
    return size < 0 ? -1 : size * factor;
}

static coset_status check_shapes(const op_infer *call, const recurrent *self)
{
    coset_status status = COSET_OK;
    const int64_t d = self->directions, n = self->batch, h = self->hidden;
    const int64_t gates = scaled(h, self->gates);
    const int64_t first = self->batch_first ? n : d, second = self->batch_first ? d : n;
    TRY(check_shape(call, RECURRENT_X, 3, -1, -1, -1));
    TRY(check_shape(call, RECURRENT_W, 3, d, gates, self->width));
    TRY(check_shape(call, RECURRENT_R, 3, d, gates, h));
    TRY(check_shape(call, RECURRENT_B, 2, d, scaled(gates, 2), 0));
    TRY(check_shape(call, RECURRENT_LENGTHS, 1, n, 0, 0));
    TRY(check_shape(call, RECURRENT_INITIAL_H, 3, first, second, h));
    TRY(check_shape(call, RECURRENT_INITIAL_C, 3, first, second, h));
    TRY(check_shape(call, RECURRENT_P, 2, d, scaled(h, 3), 0));
done:
    return status;
}

/* Attributes, and the sizes as far as they are known (-1: not). */
static coset_status describe(const op_infer *call, const recurrent_kind *kind, recurrent *self)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    TRY(read_attributes(at, kind, self));
    const int64_t declared = node_attr_int(at->node, "hidden_size", -1);
    const bool has_size = node_attr(at->node, "hidden_size") != NULL;
    if (has_size && (declared < 1 || declared > LARGEST_SIZE)) {
        status =
            node_fail(at->ctx, at->node, COSET_EFORMAT, "hidden_size is %lld", (long long)declared);
        goto done;
    }
    TRY(check_shape(call, RECURRENT_X, 3, -1, -1, -1));
    TRY(check_shape(call, RECURRENT_R, 3, self->directions, -1, has_size ? declared : -1));
    self->steps = fact_dim(&call->in[RECURRENT_X], self->batch_first ? 1 : 0);
    self->batch = fact_dim(&call->in[RECURRENT_X], self->batch_first ? 0 : 1);
    self->width = fact_dim(&call->in[RECURRENT_X], 2);
    self->hidden = has_size ? declared : fact_dim(&call->in[RECURRENT_R], 2);
    TRY(check_shapes(call, self));
done:
    return status;
}

coset_status recurrent_infer(op_infer *call, const recurrent_kind *kind)
{
    coset_status status = COSET_OK;
    recurrent self = {0};
    const op_node *at = &call->at;
    for (int i = 0; i < at->n_in; i++) {
        if (i == RECURRENT_LENGTHS) continue;
        TRY(infer_takes(call, i, TAKES_FLOAT));
        TRY(infer_same_type(call, RECURRENT_X, i));
    }
    TRY(infer_takes(call, RECURRENT_LENGTHS, TAKES_INTEGER));
    TRY(describe(call, kind, &self));
    const int64_t d = self.directions, n = self.batch, t = self.steps, h = self.hidden;
    for (int o = 0; o < at->n_out; o++) {
        fact *out = &call->out[o];
        for (int i = 0; i < at->n_in && out->dtype == COSET_UNDEFINED; i++)
            if (i != RECURRENT_LENGTHS) out->dtype = call->in[i].dtype;
        if (o == 0)
            out->shape = self.batch_first ? (shape){.rank = 4, .dims = {n, t, d, h}}
                                          : (shape){.rank = 4, .dims = {t, d, n, h}};
        else
            out->shape = self.batch_first ? (shape){.rank = 3, .dims = {n, d, h}}
                                          : (shape){.rank = 3, .dims = {d, n, h}};
    }
done:
    return status;
}

/* ---- running ----------------------------------------------------------------------------------- */

/* Rows of W x, then product, gated, h and c, then pointers to rows. */
size_t recurrent_scratch(const op_infer *call, const recurrent_kind *kind)
{
    const shape *x = &call->in[RECURRENT_X].shape, *r = &call->in[RECURRENT_R].shape;
    const bool batch_first = call->at.opset >= 14 && node_attr_int(call->at.node, "layout", 0) == 1;
    const size_t steps = (size_t)x->dims[batch_first ? 1 : 0];
    const size_t batch = (size_t)x->dims[batch_first ? 0 : 1], hidden = (size_t)r->dims[2];
    const size_t gates = (size_t)kind->gates * hidden;
    size_t bytes = 0, rows = 0, pointers = 0;
    if (!size_add(steps, 1, &rows) || !size_mul(rows, gates, &rows) ||
        !size_add(rows, 3 * hidden, &rows) || !size_mul(rows, batch, &rows) ||
        !size_mul(rows, sizeof(float), &bytes) || !size_add(bytes, 64, &bytes) ||
        !size_mul(batch, sizeof(float *), &pointers) || !size_add(bytes, pointers, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* The part of an input that belongs to one direction: its first axis. */
static const float *part(const op_call *call, int input, int direction, int64_t size)
{
    return has_input(&call->at, input) ? call->in[input].f + direction * size : NULL;
}

/* First element of a state (N, D, H) or (D, N, H). */
static int64_t state_at(const recurrent *self, int direction, int64_t n)
{
    return (self->batch_first ? n * self->directions + direction : direction * self->batch + n) *
           self->hidden;
}

/* First element of an output of a step: (N, T, D, H) or (T, D, N, H). */
static int64_t output_at(const recurrent *self, int direction, int64_t n, int64_t t)
{
    return (self->batch_first ? (n * self->steps + t) * self->directions + direction
                              : (t * self->directions + direction) * self->batch + n) *
           self->hidden;
}

static void load_state(const op_call *call, const recurrent *self, int direction, int input,
                       float *state)
{
    const size_t bytes = (size_t)self->hidden * sizeof(float);
    for (int64_t n = 0; n < self->batch; n++)
        if (has_input(&call->at, input))
            memcpy(state + n * self->hidden, call->in[input].f + state_at(self, direction, n),
                   bytes);
        else
            memset(state + n * self->hidden, 0, bytes);
}

static void store_state(const recurrent *self, int direction, const float *state, array *out)
{
    if (out->data == NULL) return;
    for (int64_t n = 0; n < self->batch; n++)
        memcpy(out->f + state_at(self, direction, n), state + n * self->hidden,
               (size_t)self->hidden * sizeof(float));
}

static int64_t length_of(const op_call *call, const recurrent *self, int64_t n)
{
    return has_input(&call->at, RECURRENT_LENGTHS) ? call->in[RECURRENT_LENGTHS].i[n] : self->steps;
}

static void run_direction(op_call *call, const recurrent *self, const recurrent_kind *kind,
                          int direction, recurrent_cell *cell, const float *projected,
                          const float **rows)
{
    const int64_t hidden = self->hidden, gates = self->gates * hidden;
    const bool backward = self->backward || direction == 1;
    const size_t bytes = (size_t)hidden * sizeof(float);
    array *y = call->at.n_out > 0 && call->out[0].data != NULL ? &call->out[0] : NULL;
    for (int64_t s = 0; s < self->steps; s++) {
        for (int64_t n = 0; n < self->batch; n++) {
            const int64_t length = length_of(call, self, n), t = backward ? length - 1 - s : s;
            const int64_t row = self->batch_first ? n * self->steps + t : t * self->batch + n;
            rows[n] = s < length ? projected + row * gates : NULL;
        }
        kind->step(call->at.ctx, self, cell, rows);
        for (int64_t n = 0; n < self->batch && y != NULL; n++) {
            const int64_t length = length_of(call, self, n);
            const int64_t t = backward && s < length ? length - 1 - s : s;
            float *to = y->f + output_at(self, direction, n, t);
            if (rows[n] != NULL)
                memcpy(to, cell->h + n * hidden, bytes);
            else
                memset(to, 0, bytes);
        }
    }
}

static coset_status check_lengths(const op_call *call, const recurrent *self)
{
    if (!has_input(&call->at, RECURRENT_LENGTHS)) return COSET_OK;
    for (int64_t n = 0; n < self->batch; n++) {
        const int64_t length = call->in[RECURRENT_LENGTHS].i[n];
        if (length < 0 || length > self->steps)
            return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                             "sequence %lld has length %lld, not one in [0, %lld]", (long long)n,
                             (long long)length, (long long)self->steps);
    }
    return COSET_OK;
}

coset_status recurrent_forward(op_call *call, const recurrent_kind *kind)
{
    coset_status status = COSET_OK;
    recurrent self = {0};
    const shape *x = &call->in[RECURRENT_X].shape;
    TRY(read_attributes(&call->at, kind, &self));
    self.steps = x->dims[self.batch_first ? 1 : 0];
    self.batch = x->dims[self.batch_first ? 0 : 1];
    self.width = x->dims[2];
    self.hidden = call->in[RECURRENT_R].shape.dims[2];
    TRY(check_lengths(call, &self));
    const int64_t hidden = self.hidden, gates = self.gates * hidden, states = self.batch * hidden;
    float *projected = call->scratch;
    float *product = projected + self.steps * self.batch * gates;
    float *gated = product + self.batch * gates, *h = gated + states, *c = h + states;
    size_t used = (size_t)((char *)(c + states) - (char *)call->scratch);
    const float **rows = (const float **)(void *)((char *)call->scratch + (used + 63) / 64 * 64);
    for (int d = 0; d < self.directions; d++) {
        const float *bias = part(call, RECURRENT_B, d, 2 * gates);
        recurrent_cell cell = {.functions = self.functions[d],
                               .r = part(call, RECURRENT_R, d, gates * hidden),
                               .bias_w = bias,
                               .bias_r = bias != NULL ? bias + gates : NULL,
                               .peepholes = part(call, RECURRENT_P, d, 3 * hidden),
                               .product = product,
                               .gated = gated,
                               .h = h,
                               .c = c};
        gemm_f32(call->at.ctx, false, true, self.steps * self.batch, gates, self.width, 1.0F,
                 call->in[RECURRENT_X].f, self.width,
                 part(call, RECURRENT_W, d, gates * self.width), self.width, 0.0F, projected,
                 gates);
        load_state(call, &self, d, RECURRENT_INITIAL_H, h);
        load_state(call, &self, d, RECURRENT_INITIAL_C, c);
        run_direction(call, &self, kind, d, &cell, projected, rows);
        if (call->at.n_out > 1) store_state(&self, d, h, &call->out[1]);
        if (call->at.n_out > 2) store_state(&self, d, c, &call->out[2]);
    }
    for (int o = 0; o < call->at.n_out; o++)
        if (call->out[o].data != NULL) array_normalise(&call->out[o]);
done:
    return status;
}

/* ---- labels and cost --------------------------------------------------------------------------- */

coset_status recurrent_labels(op_labels *call)
{
    return labels_freeze_all(call, "a recurrent layer reads or makes it");
}

int64_t recurrent_macs(const op_infer *call)
{
    const shape *x = &call->in[RECURRENT_X].shape, *r = &call->in[RECURRENT_R].shape;
    const int64_t rows = product_macs(x->dims[0], x->dims[1], r->dims[0]);
    const int64_t columns = product_macs(x->dims[2] + r->dims[2], r->dims[1], 1);
    return product_macs(rows, columns, 1);
}
