/* AFDE: compression by approximate differential equivalence. A network is read as the ODE system
 * x_k' = -x_k + b_k + sum_i w_ki x_i; units of a layer whose equations are nearly the same become one.
 * Source: Cardelli, Tribastone, Tschaikowski, Vandin, PNAS 2017; Cardelli, Squillace, Tribastone,
 * Tschaikowski, Vandin, JLAMP 134, 2023, worked out on the linear-drift encoding (METHODS.md 4). */
#include <math.h>
#include <string.h>

#include "methods/method.h"

enum { EQUIVALENCE, LINKAGE, SCALE, FORM, CANONICAL };
enum { BACKWARD, FORWARD };

/* Canonical rows have norm or largest entries about 1 and come from f32. */
#define CANONICAL_NOISE 1e-6

enum { SCALE_NONE, SCALE_LAYER };

static const method_param params[] = {
    {"equivalence", PARAM_CHOICE, "backward|forward", "backward", 0, 0,
     "backward: units that receive the same; forward: units that send the same",
     "Cardelli et al., POPL 2016 and PNAS 2017"},
    {"linkage", PARAM_CHOICE, "single|complete|average|ward", "ward", 0, 0,
     "how far blocks are apart; single is the definition of ERODE",
     "single: ERODE; the others are ours"},
    {"scale", PARAM_CHOICE, "none|layer", "layer", 0, 0,
     "layer: distances in units of the layer's mean deviation, so that one eps serves all layers",
     "ours"},
    {"form", PARAM_CHOICE, "means|sums", "means", 0, 0,
     "a block's unit is the mean or the sum of its members (sums: ReLU and identity only)", "ours"},
    {"canonical", PARAM_FLAG, NULL, "false", 0, 0,
     "compare units after removing the symmetry of their activation", "ours"},
};

static void configure(method_call *call)
{
    call->sweep = call->values[EQUIVALENCE] == (double)FORWARD ? SWEEP_BACKWARD : SWEEP_FORWARD;
}

/* The compared vectors of one group, built column block by column block: (n, width) in rows of `stride`. */
typedef struct vectors {
    const method_call *call;
    const coset_plan *so_far;
    const unit_group *group;
    int64_t width, stride;
    double *values;
} vectors;

static void move_rows(const double *from, int64_t stride, int64_t n, int64_t width, double *to,
                      int64_t new_stride)
{
    for (int64_t u = 0; u < n && width > 0; u++)
        memmove(to + u * new_stride, from + u * stride, (size_t)width * sizeof *to);
}

/* Room for columns from *from_out on, zeroed. */
static coset_status widen(vectors *self, int64_t extra, double **fresh_out, int64_t *from_out)
{
    int64_t n = self->group->n, width = self->width + extra;
    double *wider = NULL;
    if (width > self->stride) {
        int64_t stride = self->stride > 0 && 2 * self->stride > width ? 2 * self->stride : width;
        coset_status status = ctx_alloc(self->call->ctx, n * stride, sizeof *wider, &wider);
        if (status != COSET_OK) return status;
        move_rows(self->values, self->stride, n, self->width, wider, stride);
        ctx_free(self->call->ctx, self->values);
        self->values = wider;
        self->stride = stride;
    }
    *from_out = self->width;
    *fresh_out = self->values;
    self->width = width;
    return COSET_OK;
}

/* Rows one after the other. */
static void close_up(vectors *self)
{
    move_rows(self->values, self->stride, self->group->n, self->width, self->values, self->width);
    self->stride = self->width;
}

/* Where index i of a slot goes once the groups visited before are lumped: blocks share a place. */
static coset_status block_places(const vectors *self, int32_t slot, int64_t **place_out,
                                 int64_t *count_out)
{
    coset_status status = COSET_OK;
    const graph_groups *groups = self->call->groups;
    int64_t size = groups->slots[slot].size, count = 0;
    int64_t *place = NULL, *first = NULL;
    TRY(ctx_alloc(self->call->ctx, size, sizeof *place, &place));
    TRY(ctx_alloc(self->call->ctx, size, sizeof *first, &first));
    for (int64_t i = 0; i < size; i++) first[i] = place[i] = -1;
    for (int64_t i = 0; i < size; i++) {
        int64_t unit = 0;
        int32_t g = groups_at(groups, slot, i, &unit);
        const lumping *map = g >= 0 ? self->so_far->groups[g].map : NULL;
        if (map == NULL || map->block[unit] < 0) {
            place[i] = count++;
            continue;
        }
        /* Occurrence p of a unit shares the place of occurrence p of its block's representative. */
        const group_slot *member = group_slot_in(&groups->groups[g], slot);
        int64_t p = 0;
        while (p + 1 < member->repeats && member->index[unit * member->repeats + p] != i) p++;
        int64_t stands = member->index[map->keep[map->block[unit]] * member->repeats + p];
        if (first[stands] < 0) first[stands] = count++;
        place[i] = first[stands];
    }
    *place_out = place;
    *count_out = count;
    place = NULL;
done:
    ctx_free(self->call->ctx, place);
    ctx_free(self->call->ctx, first);
    return status;
}

/* What unit u receives through one contraction: its weight row, columns summed over blocks. */
static coset_status add_incoming(vectors *self, const contraction *from, const group_slot *member)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->call->ctx;
    weight_view view = contraction_weight(self->call->graph, self->call->groups, from);
    enum { CHUNK = 64 };
    int64_t *place = NULL, count = 0, start = 0, row_size = view.n_in * view.n_taps;
    double *rows = NULL, *out = NULL;
    TRY(block_places(self, from->in_slot, &place, &count));
    TRY(ctx_alloc_raw(ctx, CHUNK * row_size, sizeof *rows, &rows));
    int64_t columns = count * view.n_taps;
    TRY(widen(self, columns * member->repeats, &out, &start));
    int64_t *owner = NULL; /* unit * repeats + occurrence of every row */
    TRY(ctx_alloc(ctx, view.n_out, sizeof *owner, &owner));
    for (int64_t o = 0; o < view.n_out; o++) owner[o] = -1;
    for (int64_t c = 0; c < self->group->n * member->repeats; c++) owner[member->index[c]] = c;
    for (int64_t from_row = 0; from_row < view.n_out; from_row += CHUNK) {
        int64_t rows_now = view.n_out - from_row < CHUNK ? view.n_out - from_row : CHUNK;
        weight_rows(&view, from_row, rows_now, rows);
        for (int64_t r = 0; r < rows_now; r++) {
            int64_t cell = owner[from_row + r];
            if (cell < 0) continue;
            double *to = out + cell / member->repeats * self->stride + start +
                         cell % member->repeats * columns;
            for (int64_t i = 0; i < view.n_in; i++)
                for (int64_t t = 0; t < view.n_taps; t++)
                    to[place[i] * view.n_taps + t] += rows[r * row_size + i * view.n_taps + t];
        }
    }
    ctx_free(ctx, owner);
done:
    ctx_free(ctx, place);
    ctx_free(ctx, rows);
    return status;
}

/* What unit u sends through one contraction: its weight column, rows summed over blocks. */
static coset_status add_outgoing(vectors *self, const contraction *to_layer,
                                 const group_slot *member)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->call->ctx;
    weight_view view = contraction_weight(self->call->graph, self->call->groups, to_layer);
    enum { CHUNK = 64 };
    int64_t *place = NULL, count = 0, start = 0, row_size = view.n_in * view.n_taps;
    double *rows = NULL, *out = NULL;
    TRY(block_places(self, to_layer->out_slot, &place, &count));
    TRY(ctx_alloc_raw(ctx, CHUNK * row_size, sizeof *rows, &rows));
    int64_t columns = count * view.n_taps;
    TRY(widen(self, columns * member->repeats, &out, &start));
    for (int64_t from_row = 0; from_row < view.n_out; from_row += CHUNK) {
        int64_t rows_now = view.n_out - from_row < CHUNK ? view.n_out - from_row : CHUNK;
        weight_rows(&view, from_row, rows_now, rows);
        for (int64_t r = 0; r < rows_now; r++)
            for (int64_t c = 0; c < self->group->n * member->repeats; c++)
                for (int64_t t = 0; t < view.n_taps; t++)
                    out[c / member->repeats * self->stride + start + c % member->repeats * columns +
                        place[from_row + r] * view.n_taps + t] +=
                        rows[r * row_size + member->index[c] * view.n_taps + t];
    }
done:
    ctx_free(ctx, place);
    ctx_free(ctx, rows);
    return status;
}

/* Unit-by-unit constants: biases, slopes, scales. */
static coset_status add_constants(vectors *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->call->graph;
    const graph_groups *groups = self->call->groups;
    for (int32_t s = 0; s < self->group->n_slots; s++) {
        const group_slot *member = &self->group->slots[s];
        int64_t entries = constant_entries(graph, groups, member), start = 0;
        double *out = NULL;
        if (entries == 0) continue;
        TRY(widen(self, entries, &out, &start));
        constant_rows(graph, groups, member, self->group->n, self->stride, out + start);
    }
done:
    return status;
}

static coset_status build_vectors(vectors *self, bool forward)
{
    coset_status status = COSET_OK;
    const graph_groups *groups = self->call->groups;
    for (int32_t s = 0; s < self->group->n_slots; s++) {
        const group_slot *member = &self->group->slots[s];
        int32_t c = groups->contraction_of[member->slot];
        if (c < 0 || member->role != (forward ? SLOT_CONSUMER : SLOT_PRODUCER)) continue;
        const contraction *at = &groups->contractions[c];
        TRY(forward ? add_outgoing(self, at, member) : add_incoming(self, at, member));
    }
    if (!forward) TRY(add_constants(self));
    close_up(self);
    /* -0 and 0 are the same weight. */
    for (int64_t i = 0; i < self->group->n * self->width; i++) self->values[i] += 0.0;
done:
    return status;
}

/* Mean over units of |V_i - mean V|_1. */
static coset_status layer_scale(coset_ctx *ctx, const double *values, int64_t n, int64_t width,
                                double *scale_out)
{
    coset_status status = COSET_OK;
    double *mean = NULL, total = 0;
    TRY(ctx_alloc(ctx, width, sizeof *mean, &mean));
    for (int64_t u = 0; u < n; u++)
        for (int64_t j = 0; j < width; j++) mean[j] += values[u * width + j] / (double)n;
    for (int64_t u = 0; u < n; u++)
        for (int64_t j = 0; j < width; j++) total += fabs(values[u * width + j] - mean[j]);
    *scale_out = total > 0 ? total / (double)n : 1;
done:
    ctx_free(ctx, mean);
    return status;
}

static coset_status afde_path(const method_call *call, int64_t g, const coset_plan *so_far,
                              path **path_out)
{
    coset_status status = COSET_OK;
    const unit_group *group = &call->groups->groups[g];
    vectors self = {.call = call, .so_far = so_far, .group = group};
    bool forward = call->values[EQUIVALENCE] == (double)FORWARD;
    path *made = NULL;
    double factor = forward ? 3 : 1; /* of the definition: dist = 3 sum |S_Hi - S_Hj| */
    cluster_linkage linkage = (cluster_linkage)call->values[LINKAGE];
    *path_out = NULL;
    TRY(path_new(call->ctx, "afde", group->n, &made));
    TRY(build_vectors(&self, forward));
    if (call->values[CANONICAL] != 0 && !forward)
        TRY(path_canonicalise(call->ctx, made, group->function, self.values, self.width));
    if (call->values[SCALE] == (double)SCALE_LAYER) {
        TRY(layer_scale(call->ctx, self.values, group->n, self.width, &factor));
        factor = 1 / factor;
    }
    for (int64_t i = 0; i < group->n * self.width; i++) self.values[i] *= factor;
    TRY(cluster_build(call->ctx, self.values, group->n, self.width, NULL,
                      linkage == CLUSTER_WARD ? CLUSTER_L2 : CLUSTER_L1, linkage, &made->tree));
    made->sums = call->values[FORM] != 0 &&
                 (group->function == UNIT_RELU || group->function == UNIT_IDENTITY);
    ctx_free(call->ctx, made->error);
    made->error = NULL;
    path_heights_from_tree(made, made->gain != NULL ? CANONICAL_NOISE * factor : 0);
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    ctx_free(call->ctx, self.values);
    path_free(call->ctx, made);
    return status;
}

const coset_method method_afde = {
    .name = "afde",
    .summary = "lumps units whose differential equations are nearly the same",
    .source = "Cardelli et al., PNAS 2017 and JLAMP 134, 2023; scale and linkage are ours",
    .help =
        "Reads the network as an ODE system with one variable per unit and merges units of a\n"
        "layer that are equivalent up to one tolerance eps. Needs no data. Single linkage without\n"
        "scale is the literal definition; the defaults measure far better (docs/methods/afde.md).",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .configure = configure,
    .path = afde_path,
};
