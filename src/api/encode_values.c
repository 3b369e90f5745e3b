/* Operands of nodes, and operators that keep forms affine. */
#include <math.h>
#include <string.h>

#include "api/encode.h"
#include "base/size.h"

/* Multiplications of one contraction. */
#define MAX_STEPS ((int64_t)1 << 34)

/* ---- operands ---------------------------------------------------------------------------------- */

coset_status encode_shape(encoder *self, const graph_node *node, int32_t value, shape *shape_out,
                          int64_t *elements_out)
{
    *shape_out = graph_fact(self->facts, value)->shape;
    if (!shape_known(shape_out))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "the shape of '%s' is not known",
                         self->graph->values[value].name);
    return shape_elements(self->ctx, shape_out, elements_out);
}

bool encode_is_constant(const encoder *self, int32_t value)
{
    return self->graph->values[value].constant != NULL ||
           graph_fact(self->facts, value)->constant != NULL;
}

static coset_status read_constant(encoder *self, const graph_node *node, int32_t value, int64_t n,
                                  double **values_out)
{
    const tensor *stored = self->graph->values[value].constant;
    const array *known = graph_fact(self->facts, value)->constant;
    if (stored != NULL && dtype_is_float(stored->dtype))
        return tensor_to_f64(self->ctx, stored, values_out);
    if (known == NULL || array_element_size(known->dtype) == 0)
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "'%s' is no constant number",
                         self->graph->values[value].name);
    coset_status status = ctx_alloc(self->ctx, n, sizeof **values_out, values_out);
    for (int64_t i = 0; i < n && status == COSET_OK; i++)
        (*values_out)[i] = dtype_is_float(known->dtype) ? (double)known->f[i] : (double)known->i[i];
    return status;
}

coset_status encode_constant(encoder *self, const graph_node *node, int index, double **values_out,
                             shape *shape_out)
{
    coset_status status = COSET_OK;
    double *values = NULL;
    int64_t n = 0;
    *values_out = NULL;
    *shape_out = (shape){.rank = 0};
    int32_t value = index < node->n_inputs ? node->inputs[index] : -1;
    if (value < 0) return COSET_OK;
    if (!encode_is_constant(self, value))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "input %d is not a constant", index);
    TRY(encode_shape(self, node, value, shape_out, &n));
    TRY(read_constant(self, node, value, n, &values));
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(values[i])) {
            status = node_fail(self->ctx, node, COSET_ENUMERIC,
                               "element %lld of input %d is not finite", (long long)i, index);
            goto done;
        }
    *values_out = values;
    values = NULL;
done:
    ctx_free(self->ctx, values);
    return status;
}

static coset_status allocate(encoder *self, int64_t n, bool shared, symbolic *out)
{
    coset_status status = COSET_OK;
    form *forms = NULL;
    if (n > ENCODE_MAX_ELEMENTS - self->elements)
        FAIL(self->ctx, COSET_ELIMIT, "tensors of more than %lld elements in all",
             (long long)ENCODE_MAX_ELEMENTS);
    self->elements += n;
    TRY(arena_alloc(self->ctx, &self->net.arena, n, sizeof *out->at, &out->at));
    out->n = n;
    if (shared) goto done;
    TRY(arena_alloc(self->ctx, &self->net.arena, n, sizeof *forms, &forms));
    for (int64_t i = 0; i < n; i++) {
        forms[i].pending = -1;
        out->at[i] = &forms[i];
    }
done:
    return status;
}

coset_status encode_result(encoder *self, const graph_node *node, bool shared, symbolic *out)
{
    shape dims;
    int64_t n = 0;
    coset_status status = encode_shape(self, node, node->outputs[0], &dims, &n);
    if (status == COSET_OK) status = allocate(self, n, shared, out);
    if (status == COSET_OK) self->values[node->outputs[0]] = *out;
    return status;
}

coset_status encode_operand(encoder *self, const graph_node *node, int index, symbolic *out)
{
    coset_status status = COSET_OK;
    double *values = NULL;
    shape dims;
    int32_t value = index < node->n_inputs ? node->inputs[index] : -1;
    if (value >= 0 && self->values[value].at != NULL) {
        *out = self->values[value];
        return COSET_OK;
    }
    if (value < 0 || !encode_is_constant(self, value))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                         "input %d cannot be written as numbers", index);
    TRY(encode_constant(self, node, index, &values, &dims));
    TRY(allocate(self, shape_product(&dims, 0, dims.rank), false, out));
    for (int64_t i = 0; i < out->n; i++) out->at[i]->value.constant = number_of(values[i]);
done:
    ctx_free(self->ctx, values);
    return status;
}

int64_t broadcast_place(const shape *out, const shape *in, int64_t element)
{
    int64_t place = 0, stride = 1;
    for (int a = out->rank - 1, b = in->rank - 1; b >= 0 && a >= 0; a--, b--) {
        if (in->dims[b] != 1) place += element % out->dims[a] * stride;
        element /= out->dims[a];
        stride *= in->dims[b];
    }
    return place;
}

/* ---- contractions ------------------------------------------------------------------------------ */

/* y[b, i, j] = sum over k of w[i, k] x[b, j, k], each with its strides. */
typedef struct linear_map {
    int64_t batches, ni, nj, nk;
    int64_t wi, wk, xb, xj, xk, yb, yi, yj;
    double scale;
} linear_map;

static bool is_constant_input(const encoder *self, const graph_node *node, int index)
{
    return encode_is_constant(self, node->inputs[index]);
}

/* The weight is input `w`, the other factor input 1 - w. */
static coset_status contract(encoder *self, const graph_node *node, int w, const linear_map *map)
{
    coset_status status = COSET_OK;
    double *weight = NULL;
    shape dims;
    symbolic x, y;
    number scale = number_of(map->scale);
    int64_t steps = 0;
    if (!dim_mul(map->batches, map->ni, &steps) || !dim_mul(steps, map->nj, &steps) ||
        !dim_mul(steps, map->nk, &steps) || steps > MAX_STEPS)
        return node_fail(self->ctx, node, COSET_ELIMIT, "the product is too large");
    TRY(encode_operand(self, node, 1 - w, &x));
    TRY(encode_settle(self, &x));
    TRY(encode_constant(self, node, w, &weight, &dims));
    TRY(encode_result(self, node, false, &y));
    for (int64_t b = 0; b < map->batches; b++)
        for (int64_t i = 0; i < map->ni; i++)
            for (int64_t j = 0; j < map->nj; j++) {
                form *to = y.at[b * map->yb + i * map->yi + j * map->yj];
                for (int64_t k = 0; k < map->nk; k++) {
                    const form *from = x.at[b * map->xb + j * map->xj + k * map->xk];
                    number factor = number_of(weight[i * map->wi + k * map->wk]);
                    if (map->scale != 1) factor = number_mul(factor, scale);
                    TRY(affine_sum_add(&self->sum, &from->value, factor));
                }
                TRY(affine_sum_take(&self->sum, &to->value));
                to->pending = (int32_t)(node - self->graph->nodes);
            }
done:
    ctx_free(self->ctx, weight);
    return status;
}

/* y += beta c, c broadcast. */
static coset_status add_bias(encoder *self, const graph_node *node, double beta)
{
    coset_status status = COSET_OK;
    symbolic c, y = self->values[node->outputs[0]];
    shape out, in;
    int64_t n = 0;
    if (node->n_inputs < 3 || node->inputs[2] < 0) return COSET_OK;
    TRY(encode_operand(self, node, 2, &c));
    TRY(encode_shape(self, node, node->outputs[0], &out, &n));
    TRY(encode_shape(self, node, node->inputs[2], &in, &n));
    for (int64_t e = 0; e < y.n; e++) {
        const form *from = c.at[broadcast_place(&out, &in, e)];
        TRY(affine_sum_add(&self->sum, &y.at[e]->value, number_of(1)));
        TRY(affine_sum_add(&self->sum, &from->value, number_of(beta)));
        TRY(affine_sum_take(&self->sum, &y.at[e]->value));
    }
done:
    return status;
}

coset_status encode_gemm(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    bool turn_a = node_attr_int(node, "transA", 0) != 0;
    bool turn_b = node_attr_int(node, "transB", 0) != 0;
    shape a, b;
    int64_t n = 0;
    TRY(encode_shape(self, node, node->inputs[0], &a, &n));
    TRY(encode_shape(self, node, node->inputs[1], &b, &n));
    int64_t rows = a.dims[turn_a], inner = a.dims[!turn_a], columns = b.dims[!turn_b];
    linear_map map = {.batches = 1, .nk = inner};
    map.scale = (double)node_attr_float(node, "alpha", 1.0F);
    int64_t a_row = turn_a ? 1 : inner, a_inner = turn_a ? rows : 1;
    int64_t b_inner = turn_b ? 1 : columns, b_column = turn_b ? inner : 1;
    int w = is_constant_input(self, node, 1) ? 1 : 0;
    if (!is_constant_input(self, node, w))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                         "it multiplies two activations as matrices");
    map.ni = w == 1 ? columns : rows;
    map.nj = w == 1 ? rows : columns;
    map.wi = w == 1 ? b_column : a_row;
    map.wk = w == 1 ? b_inner : a_inner;
    map.xj = w == 1 ? a_row : b_column;
    map.xk = w == 1 ? a_inner : b_inner;
    map.yi = w == 1 ? 1 : columns;
    map.yj = w == 1 ? columns : 1;
    TRY(contract(self, node, w, &map));
    TRY(add_bias(self, node, (double)node_attr_float(node, "beta", 1.0F)));
done:
    return status;
}

coset_status encode_matmul(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    shape a, b;
    int64_t n = 0, all = 0;
    int w = is_constant_input(self, node, 1) ? 1 : 0;
    TRY(encode_shape(self, node, node->inputs[0], &a, &all));
    TRY(encode_shape(self, node, node->inputs[1], &b, &n));
    if (!is_constant_input(self, node, w))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                         "it multiplies two activations as matrices");
    const shape *weight = w == 1 ? &b : &a;
    if (weight->rank > 2 && shape_product(weight, 0, weight->rank - 2) != 1)
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "its weight is a batch of matrices");
    int64_t inner = a.dims[a.rank - 1], columns = b.rank == 1 ? 1 : b.dims[b.rank - 1];
    linear_map map = {.batches = 1, .nk = inner, .scale = 1};
    if (w == 1) { /* all axes of x but the last are rows */
        map.ni = map.wk = columns;
        map.nj = inner > 0 ? all / inner : 0;
        map.wi = map.xk = map.yi = 1;
        map.xj = inner;
        map.yj = columns;
    } else {
        int64_t rows = a.rank == 1 ? 1 : a.dims[a.rank - 2];
        map.batches = inner * columns > 0 ? n / (inner * columns) : 0;
        map.ni = rows;
        map.nj = map.xk = map.yi = columns;
        map.wi = inner;
        map.wk = map.xj = map.yj = 1;
        map.xb = inner * columns;
        map.yb = rows * columns;
    }
    TRY(contract(self, node, w, &map));
done:
    return status;
}

/* ---- element by element ------------------------------------------------------------------------ */

/* Both operands of a node, spread to its output's shape: forms [n] in the arena. */
static coset_status spread(encoder *self, const graph_node *node, int index, symbolic *out)
{
    coset_status status = COSET_OK;
    symbolic from;
    shape dims, in;
    int64_t n = 0, from_n = 0;
    TRY(encode_operand(self, node, index, &from));
    TRY(encode_shape(self, node, node->outputs[0], &dims, &n));
    TRY(encode_shape(self, node, node->inputs[index], &in, &from_n));
    TRY(allocate(self, n, true, out));
    for (int64_t e = 0; e < n; e++) out->at[e] = from.at[broadcast_place(&dims, &in, e)];
done:
    return status;
}

static int32_t pending_of(const form *a, const form *b)
{
    return a->pending >= 0 ? a->pending : b->pending;
}

coset_status encode_sum(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    symbolic a, b, y;
    number one = number_of(1), sign = strcmp(node->op_type, "Sub") == 0 ? number_negate(one) : one;
    TRY(spread(self, node, 0, &a));
    TRY(spread(self, node, 1, &b));
    TRY(encode_result(self, node, false, &y));
    for (int64_t e = 0; e < y.n; e++) {
        const form *left = a.at[e], *right = b.at[e];
        y.at[e]->pending = pending_of(left, right);
        if (right->value.n == 0) { /* terms are shared */
            number by = number_mul(sign, right->value.constant);
            y.at[e]->value = affine_shift(left->value, by);
            continue;
        }
        TRY(affine_sum_add(&self->sum, &left->value, one));
        TRY(affine_sum_add(&self->sum, &right->value, sign));
        TRY(affine_sum_take(&self->sum, &y.at[e]->value));
    }
done:
    return status;
}

static coset_status scale_form(encoder *self, const form *from, number factor, form *to)
{
    coset_status status = affine_sum_add(&self->sum, &from->value, factor);
    if (status == COSET_OK) status = affine_sum_take(&self->sum, &to->value);
    to->pending = to->value.n > 0 ? from->pending : -1;
    return status;
}

static coset_status negate(encoder *self, const graph_node *node)
{
    symbolic x, y;
    coset_status status = encode_operand(self, node, 0, &x);
    if (status == COSET_OK) status = encode_result(self, node, false, &y);
    for (int64_t e = 0; status == COSET_OK && e < y.n; e++)
        status = scale_form(self, x.at[e], number_of(-1), y.at[e]);
    return status;
}

static bool all_constant(const symbolic *values)
{
    for (int64_t e = 0; e < values->n; e++)
        if (values->at[e]->value.n > 0) return false;
    return true;
}

coset_status encode_scaled(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    bool divides = strcmp(node->op_type, "Div") == 0;
    symbolic a, b, y;
    if (strcmp(node->op_type, "Neg") == 0) return negate(self, node);
    TRY(spread(self, node, 0, &a));
    TRY(spread(self, node, 1, &b));
    bool right = all_constant(&b);
    if (!right && divides)
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it divides by an activation");
    if (!right && !all_constant(&a)) return encode_product(self, node, &a, &b);
    TRY(encode_result(self, node, false, &y));
    for (int64_t e = 0; e < y.n; e++) {
        const form *x = right ? a.at[e] : b.at[e];
        number factor = (right ? b.at[e] : a.at[e])->value.constant;
        if (divides && !number_div(number_of(1), factor, &factor)) {
            status = node_fail(self->ctx, node, COSET_ENUMERIC, "it divides by 0");
            goto done;
        }
        TRY(scale_form(self, x, factor, y.at[e]));
    }
done:
    return status;
}

/* y = factor x + shift with factor and shift of each channel. */
coset_status encode_normalised(encoder *self, const graph_node *node)
{
    enum { SCALE = 1, BIAS, MEAN, VAR, PARAMETERS };
    coset_status status = COSET_OK;
    double *of[PARAMETERS] = {NULL}, epsilon = (double)node_attr_float(node, "epsilon", 1e-5F);
    symbolic x, y;
    shape dims, own;
    int64_t n = 0;
    bool trains = node_attr_int(node, "training_mode", 0) != 0;
    for (int32_t o = 1; o < node->n_outputs; o++) trains = trains || node->outputs[o] >= 0;
    if (trains) return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it is in training mode");
    TRY(encode_operand(self, node, 0, &x));
    TRY(encode_shape(self, node, node->inputs[0], &dims, &n));
    for (int i = SCALE; i < PARAMETERS; i++) TRY(encode_constant(self, node, i, &of[i], &own));
    TRY(encode_result(self, node, false, &y));
    int64_t channels = shape_product(&own, 0, own.rank);
    int64_t inner = dims.dims[0] * channels > 0 ? n / (dims.dims[0] * channels) : 1;
    for (int64_t e = 0; e < y.n; e++) {
        int64_t c = dims.rank < 2 ? 0 : e / inner % channels;
        double factor = of[SCALE][c] / sqrt(of[VAR][c] + epsilon);
        if (!isfinite(factor)) {
            status = node_fail(self->ctx, node, COSET_ENUMERIC,
                               "the variance of channel %lld is not positive", (long long)c);
            goto done;
        }
        number by = number_of(factor), mean = number_mul(by, number_of(of[MEAN][c]));
        TRY(scale_form(self, x.at[e], by, y.at[e]));
        number shift = number_add(number_of(of[BIAS][c]), number_negate(mean));
        y.at[e]->value = affine_shift(y.at[e]->value, shift);
    }
done:
    for (int i = SCALE; i < PARAMETERS; i++) ctx_free(self->ctx, of[i]);
    return status;
}
