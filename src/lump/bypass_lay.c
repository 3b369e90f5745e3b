/* Lays the lines of bypasses. */
#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/svd.h"
#include "lump/apply.h"
#include "lump/bypass.h"

/* Singular values below this share of the largest count as 0: they are what weights in f32 round to. */
static const double RANK_TOLERANCE = 1e-7;
/* Most steps of a decomposition, k^2 max(m, n): some 10 s. A larger skip runs at full rank. */
static const double RANK_STEPS = 2e10;

/* What has become of a contraction. */
typedef struct laid_layer {
    int64_t left_in; /* indices of its input that the cut will leave */
    int32_t added;   /* constant that is added to its output and was not before; -1: none */
} laid_layer;

typedef struct layout {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_groups *groups;
    const coset_plan *plan;
    const bypass_lines *lines;
    coset_graph *out;
    int64_t n_old;      /* nodes before anything was laid */
    laid_layer *layers; /* [n_contractions] */
} layout;

/* One line while it is laid. Rows are the outputs of all readers, tap by tap: row (reader, o, t). */
typedef struct skip {
    const bypass_line *line;
    const lumping *map;
    int64_t n_gone, *gone; /* units that are bypassed */
    int64_t width;         /* of x */
    int64_t rows;
    double *weight_in;  /* (n_gone, width) W1 */
    double *bias_in;    /* (n_gone) b1 */
    double *weight_out; /* (rows, n_gone) W2 with slopes */
    double *constant;   /* (rows) of which one for each output of each reader is used */
    double *columns;    /* (rows, carried) S, or U */
    double *carrier;    /* (carried, width) V; NULL: the line carries x */
    int64_t carried;    /* values on the line; 0: there is none */
} skip;

static void skip_free(coset_ctx *ctx, skip *self)
{
    ctx_free(ctx, self->gone);
    ctx_free(ctx, self->weight_in);
    ctx_free(ctx, self->bias_in);
    ctx_free(ctx, self->weight_out);
    ctx_free(ctx, self->constant);
    ctx_free(ctx, self->columns);
    ctx_free(ctx, self->carrier);
}

/* ---- the graph as it is now ------------------------------------------------------------------- */

/* The constant that stands where `value` was read by a node. */
static int32_t constant_now(const layout *self, int32_t node, int32_t value)
{
    const graph_node *old = &self->graph->nodes[node];
    for (int32_t i = 0; i < old->n_inputs; i++)
        if (old->inputs[i] == value) return self->out->nodes[node].inputs[i];
    return value;
}

static weight_view weight_now(const layout *self, int64_t c)
{
    contraction at = self->groups->contractions[c];
    at.weight = constant_now(self, at.node, at.weight);
    return contraction_weight(self->out, self->groups, &at);
}

static double weight_at(const weight_view *view, int64_t o, int64_t i, int64_t t)
{
    return tensor_value(view->data,
                        o * view->out_stride + i * view->in_stride + t * view->tap_stride);
}

static double bias_now(const layout *self, int64_t c, int64_t unit)
{
    const contraction *at = &self->groups->contractions[c];
    double bias = 0;
    if (at->bias >= 0) {
        int32_t value = constant_now(self, at->bias_node, at->bias);
        bias = at->bias_scale * tensor_value(self->out->values[value].constant, unit);
    }
    if (self->layers[c].added >= 0)
        bias += tensor_value(self->out->values[self->layers[c].added].constant, unit);
    return bias;
}

/* Indices of a slot's axis that the cut will leave. */
static int64_t count_left(const layout *self, int32_t slot)
{
    int64_t left = 0, unit = 0;
    for (int64_t i = 0; i < self->groups->slots[slot].size; i++) {
        int32_t g = groups_at(self->groups, slot, i, &unit);
        const lumping *map = g >= 0 ? self->plan->groups[g].map : NULL;
        left += map == NULL || (map->block[unit] >= 0 && map->keep[map->block[unit]] == unit);
    }
    return left;
}

/* ---- S, c ------------------------------------------------------------------------------------- */

static coset_status read_producer(const layout *self, skip *at)
{
    coset_status status = COSET_OK;
    const weight_view view = weight_now(self, at->line->producer);
    TRY(ctx_alloc(self->ctx, at->map->n, sizeof *at->gone, &at->gone));
    for (int64_t u = 0; u < at->map->n; u++)
        if (at->map->block[u] < 0) at->gone[at->n_gone++] = u;
    at->width = view.n_in;
    TRY(ctx_alloc_raw(self->ctx, at->n_gone * view.n_in, sizeof(double), &at->weight_in));
    TRY(ctx_alloc_raw(self->ctx, at->n_gone, sizeof(double), &at->bias_in));
    for (int64_t j = 0; j < at->n_gone; j++) {
        weight_rows(&view, at->gone[j], 1, at->weight_in + j * view.n_in);
        at->bias_in[j] = bias_now(self, at->line->producer, at->gone[j]);
    }
done:
    return status;
}

static coset_status read_readers(const layout *self, skip *at)
{
    coset_status status = COSET_OK;
    const lumping *map = at->map;
    const double *shift = map->shift;
    for (int32_t r = 0; r < at->line->n_readers; r++) {
        const weight_view view = weight_now(self, at->line->readers[r]);
        at->rows += view.n_out * view.n_taps;
    }
    TRY(ctx_alloc_raw(self->ctx, at->rows * at->n_gone, sizeof(double), &at->weight_out));
    TRY(ctx_alloc(self->ctx, at->rows, sizeof(double), &at->constant));
    double *row = at->weight_out;
    for (int64_t r = 0, first = 0; r < at->line->n_readers; r++) {
        const weight_view view = weight_now(self, at->line->readers[r]);
        for (int64_t o = 0; o < view.n_out; o++)
            for (int64_t t = 0; t < view.n_taps; t++, row += at->n_gone)
                for (int64_t j = 0; j < at->n_gone; j++) {
                    int64_t u = at->gone[j];
                    double weight = view.scale * weight_at(&view, o, u, t);
                    at->constant[first + o] +=
                        weight * (map->slope[u] * at->bias_in[j] + (shift != NULL ? shift[u] : 0));
                    row[j] = weight * map->slope[u];
                }
        first += view.n_out * view.n_taps;
    }
done:
    return status;
}

/* Values on the line, at full rank; 0 where every bypassed unit is a constant and others stay. */
static coset_status multiply(const layout *self, skip *at)
{
    coset_status status = COSET_OK;
    bool varies = false;
    TRY(ctx_alloc_raw(self->ctx, at->rows * at->width, sizeof(double), &at->columns));
    gemm_f64(self->ctx, false, false, at->rows, at->width, at->n_gone, 1, at->weight_out,
             at->n_gone, at->weight_in, at->width, 0, at->columns, at->width);
    for (int64_t i = 0; i < at->rows * at->width && !varies; i++) varies = at->columns[i] != 0;
    at->carried = varies || at->map->k == 0 ? at->width : 0;
done:
    return status;
}

/* Splits S into U V where that is smaller than S, once everything is cut. */
static coset_status lower_rank(const layout *self, skip *at)
{
    coset_status status = COSET_OK;
    int64_t k = at->rows < at->width ? at->rows : at->width, rank = 0;
    double in = (double)self->layers[at->line->producer].left_in, out = 0;
    double *copy = NULL, *u = NULL, *s = NULL, *vt = NULL;
    for (int32_t r = 0; r < at->line->n_readers; r++) {
        const contraction *reader = &self->groups->contractions[at->line->readers[r]];
        out += (double)count_left(self, reader->out_slot) *
               (double)weight_now(self, at->line->readers[r]).n_taps;
    }
    double steps = (double)k * (double)k * (double)(at->rows + at->width - k);
    if (at->carried == 0 || in + out >= in * out || steps > RANK_STEPS) goto done;
    TRY(ctx_alloc_raw(self->ctx, at->rows * at->width, sizeof *copy, &copy));
    TRY(ctx_alloc_raw(self->ctx, at->rows * k, sizeof *u, &u));
    TRY(ctx_alloc_raw(self->ctx, k, sizeof *s, &s));
    TRY(ctx_alloc_raw(self->ctx, k * at->width, sizeof *vt, &vt));
    memcpy(copy, at->columns, (size_t)(at->rows * at->width) * sizeof *copy);
    TRY(svd_thin(self->ctx, at->rows, at->width, copy, u, s, vt));
    while (rank < k && s[rank] > RANK_TOLERANCE * s[0]) rank++;
    if (rank == 0) rank = 1; /* nothing is left, but the reader must read something */
    if ((double)rank * (in + out) >= in * out) goto done;
    for (int64_t b = 0; b < rank; b++) {
        double root = sqrt(s[b]);
        for (int64_t i = 0; i < at->rows; i++) at->columns[i * rank + b] = u[i * k + b] * root;
        for (int64_t i = 0; i < at->width; i++) vt[b * at->width + i] *= root;
    }
    at->carrier = vt;
    at->carried = rank;
    vt = NULL;
done:
    ctx_free(self->ctx, copy);
    ctx_free(self->ctx, u);
    ctx_free(self->ctx, s);
    ctx_free(self->ctx, vt);
    return status;
}

/* ---- the line itself -------------------------------------------------------------------------- */

/* V x as a node of its own: a layer like the producer. */
static coset_status add_carrier(layout *self, const skip *at, int32_t x, int32_t *value_out)
{
    coset_status status = COSET_OK;
    const contraction *producer = &self->groups->contractions[at->line->producer];
    const tensor *like = self->graph->values[producer->weight].constant;
    const bool conv = strcmp(self->graph->nodes[producer->node].op_type, "Conv") == 0;
    int64_t first = conv ? at->carried : at->width, second = conv ? at->width : at->carried;
    shape dims = {.rank = conv ? like->shape.rank : 2, .dims = {first, second}};
    double *values = NULL;
    tensor *weight = NULL;
    int32_t inputs[2] = {x, -1};
    for (int a = 2; a < dims.rank; a++) dims.dims[a] = 1;
    TRY(ctx_alloc_raw(self->ctx, first * second, sizeof *values, &values));
    for (int64_t b = 0; b < at->carried; b++)
        for (int64_t i = 0; i < at->width; i++)
            values[conv ? b * at->width + i : i * at->carried + b] = at->carrier[b * at->width + i];
    TRY(tensor_from_f64(self->ctx, like->dtype, &dims, values, &weight));
    TRY(graph_add_constant(self->ctx, self->out, producer->weight, &inputs[1]));
    graph_set_constant(self->ctx, self->out, inputs[1], weight);
    TRY(graph_append_node(self->ctx, self->out, conv ? "Conv" : "MatMul", inputs, 2, x, value_out));
done:
    tensor_release(self->ctx, weight);
    ctx_free(self->ctx, values);
    return status;
}

/* [h, x]; what was joined before is taken apart and joined anew, so that there is one node. */
static coset_status join(layout *self, const skip *at, int32_t x, int32_t *value_out)
{
    coset_status status = COSET_OK;
    int axis = self->groups->contractions[at->line->producer].output_axis;
    const graph_attr attr = {.name = "axis", .kind = ATTR_INT, .changed = true, .i = axis};
    int32_t from = self->out->values[x].producer, n = 1, *inputs = NULL;
    const graph_node *joined = from >= self->n_old ? &self->out->nodes[from] : NULL;
    if (joined != NULL && strcmp(joined->op_type, "Concat") != 0) joined = NULL;
    TRY(ctx_alloc(self->ctx, joined != NULL ? joined->n_inputs + 1 : 2, sizeof *inputs, &inputs));
    inputs[0] = at->line->h;
    for (int32_t i = 0; i < (joined != NULL ? joined->n_inputs : 1); i++)
        inputs[n++] = joined != NULL ? joined->inputs[i] : x;
    TRY(graph_append_node(self->ctx, self->out, "Concat", inputs, n, at->line->h, value_out));
    TRY(graph_add_attr(self->ctx, self->out, self->out->values[*value_out].producer, &attr));
done:
    ctx_free(self->ctx, inputs);
    return status;
}

/* ---- readers ---------------------------------------------------------------------------------- */

/* W2' of a reader, whose part of the columns starts at `columns`. */
static coset_status widen(layout *self, const skip *at, int64_t c, const double *columns)
{
    coset_status status = COSET_OK;
    const contraction *reader = &self->groups->contractions[c];
    const weight_view view = weight_now(self, c);
    int out_axis = self->groups->slots[reader->out_slot].axis;
    int in_axis = self->groups->slots[reader->in_slot].axis;
    int64_t stay = at->map->k > 0 ? view.n_in : 0;
    shape dims = view.data->shape;
    double *values = NULL;
    tensor *fresh = NULL;
    dims.dims[in_axis] = stay + at->carried;
    int64_t out_stride = shape_product(&dims, out_axis + 1, dims.rank);
    int64_t in_stride = shape_product(&dims, in_axis + 1, dims.rank);
    TRY(ctx_alloc(self->ctx, shape_product(&dims, 0, dims.rank), sizeof *values, &values));
    for (int64_t o = 0; o < view.n_out; o++)
        for (int64_t t = 0; t < view.n_taps; t++) {
            double *to = values + o * out_stride + t;
            const double *row = columns + (o * view.n_taps + t) * at->carried;
            for (int64_t u = 0; u < stay; u++)
                if (at->map->block[u] >= 0) to[u * in_stride] = weight_at(&view, o, u, t);
            for (int64_t i = 0; i < at->carried; i++)
                to[(stay + i) * in_stride] = row[i] / view.scale;
        }
    TRY(tensor_from_f64(self->ctx, view.data->dtype, &dims, values, &fresh));
    TRY(place_constant(self->ctx, self->graph, self->out, reader->weight, reader->node, fresh));
done:
    tensor_release(self->ctx, fresh);
    ctx_free(self->ctx, values);
    return status;
}

/* A bias for a reader that had none. */
static coset_status add_bias(layout *self, int64_t c, const double *constant, int64_t n_out)
{
    coset_status status = COSET_OK;
    const contraction *reader = &self->groups->contractions[c];
    TRY(graph_insert_bias(
        self->ctx, self->out, reader->output, labels_of(self->groups->labels, reader->output)->rank,
        reader->output_axis, constant, n_out, self->graph->values[reader->weight].constant->dtype));
    int32_t added = self->out->nodes[self->out->n_nodes - 1].inputs[1];
    if (tensor_find_nonfinite(self->out->values[added].constant) >= 0)
        FAIL(self->ctx, COSET_ENUMERIC, "%s: the new bias of '%s' is not finite", self->graph->name,
             node_label(self->graph, &self->graph->nodes[reader->node]));
    self->layers[c].added = added;
done:
    return status;
}

/* b2' of a reader. */
static coset_status shift_bias(layout *self, int64_t c, const double *constant)
{
    coset_status status = COSET_OK;
    const contraction *reader = &self->groups->contractions[c];
    int64_t n_out = weight_now(self, c).n_out;
    double *values = NULL;
    tensor *fresh = NULL;
    bool any = false;
    for (int64_t o = 0; o < n_out; o++) any = any || constant[o] != 0;
    if (!any) goto done;
    if (reader->bias < 0) {
        TRY(add_bias(self, c, constant, n_out));
        goto done;
    }
    const tensor *old = self->graph->values[reader->bias].constant;
    TRY(tensor_to_f64(self->ctx, old, &values));
    for (int64_t o = 0; o < n_out; o++) values[o] += constant[o] / reader->bias_scale;
    TRY(tensor_from_f64(self->ctx, old->dtype, &old->shape, values, &fresh));
    TRY(place_constant(self->ctx, self->graph, self->out, reader->bias, reader->bias_node, fresh));
done:
    tensor_release(self->ctx, fresh);
    ctx_free(self->ctx, values);
    return status;
}

static coset_status lay_readers(layout *self, const skip *at, int32_t source)
{
    coset_status status = COSET_OK;
    int64_t left = at->carrier != NULL ? at->carried
                   : at->carried > 0   ? self->layers[at->line->producer].left_in
                                       : 0;
    for (int64_t r = 0, first = 0; r < at->line->n_readers; r++) {
        int64_t c = at->line->readers[r];
        const weight_view view = weight_now(self, c);
        int64_t rows = view.n_out * view.n_taps;
        TRY(widen(self, at, c, at->columns + first * at->carried));
        TRY(shift_bias(self, c, at->constant + first));
        graph_rewire(self->out, self->groups->contractions[c].node, 0, source);
        self->layers[c].left_in = at->map->k + left;
        first += rows;
    }
done:
    return status;
}

static coset_status lay_line(layout *self, const bypass_line *line, const lumping *map)
{
    coset_status status = COSET_OK;
    skip at = {.line = line, .map = map};
    int32_t node = self->groups->contractions[line->producer].node;
    int32_t x = self->out->nodes[node].inputs[0], source = line->h;
    TRY(read_producer(self, &at));
    if (at.n_gone == 0) goto done;
    TRY(read_readers(self, &at));
    TRY(multiply(self, &at));
    TRY(lower_rank(self, &at));
    if (at.carrier != NULL) TRY(add_carrier(self, &at, x, &x));
    if (map->k == 0)
        source = x;
    else if (at.carried > 0)
        TRY(join(self, &at, x, &source));
    TRY(lay_readers(self, &at, source));
done:
    skip_free(self->ctx, &at);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------ */

/* Which group each contraction produces for that has slopes; -1: none. */
static coset_status find_bypassed(const layout *self, int64_t *group_of)
{
    for (int64_t c = 0; c < self->groups->n_contractions; c++) group_of[c] = -1;
    for (int64_t g = 0; g < self->groups->n; g++) {
        const lumping *map = self->plan->groups[g].map;
        if (map == NULL || map->slope == NULL || map->k == map->n) continue;
        if (self->lines->lines[g].producer < 0)
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "%s: units of group '%s' cannot be bypassed: %s", self->graph->name,
                            self->groups->groups[g].name, self->lines->reason[g]);
        group_of[self->lines->lines[g].producer] = g;
    }
    return COSET_OK;
}

coset_status bypass_lay(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                        const graph_groups *groups, const coset_plan *plan, coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    layout self = {.ctx = ctx, .graph = graph, .groups = groups, .plan = plan};
    bypass_lines *lines = NULL;
    int64_t *group_of = NULL;
    *graph_out = NULL;
    TRY(bypass_lines_find(ctx, graph, facts, groups, &lines));
    self.lines = lines;
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *group_of, &group_of));
    TRY(find_bypassed(&self, group_of));
    TRY(graph_clone(ctx, graph, &self.out));
    TRY(graph_check(ctx, self.out));
    self.n_old = self.out->n_nodes;
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *self.layers, &self.layers));
    for (int64_t c = 0; c < groups->n_contractions; c++)
        self.layers[c] = (laid_layer){count_left(&self, groups->contractions[c].in_slot), -1};
    for (int64_t c = 0; c < groups->n_contractions; c++) /* in topological order */
        if (group_of[c] >= 0)
            TRY(lay_line(&self, &lines->lines[group_of[c]], plan->groups[group_of[c]].map));
    TRY(graph_remove_nodes(ctx, self.out, NULL, 0));
    TRY(graph_check(ctx, self.out));
    *graph_out = self.out;
    self.out = NULL;
done:
    bypass_lines_free(ctx, lines);
    ctx_free(ctx, group_of);
    ctx_free(ctx, self.layers);
    coset_graph_free(ctx, self.out);
    return status;
}
