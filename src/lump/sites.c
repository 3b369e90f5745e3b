#include "lump/sites.h"

#include <string.h>

#include "linalg/blas.h"
#include "linalg/solve.h"
#include "lump/metric.h"

/* ---- sites ------------------------------------------------------------------------------------- */

static double inner_product(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* The contraction that reads (SLOT_CONSUMER) or makes (SLOT_PRODUCER) a group through a slot, or NULL. */
static const contraction *through(const graph_groups *groups, const group_slot *member,
                                  slot_role role)
{
    int32_t index = groups->contraction_of[member->slot];
    return member->role == role && index >= 0 ? &groups->contractions[index] : NULL;
}

/* Feature of a contraction's input that is occurrence p of a unit: those that its slot lists, in every
 * group of a convolution. size: of the weight's input axis, which is that of a group. */
static int64_t feature_of(const group_slot *member, int64_t size, int64_t unit, int64_t p)
{
    return p / member->repeats * size + member->index[unit * member->repeats + p % member->repeats];
}

/* A block of a group in the input of a contraction, as its slot lists it. The index is owned by the caller. */
static coset_status block_of_slot(coset_ctx *ctx, const graph_groups *groups, const contraction *to,
                                  const group_slot *member, int32_t group, unit_block *block_out)
{
    int64_t size = groups->slots[to->in_slot].size, n = groups->groups[group].n;
    unit_block block = {.value = to->input,
                        .group = group,
                        .axis = to->input_axis,
                        .n = n,
                        .repeats = member->repeats * to->groups,
                        .width = size * to->groups};
    coset_status status = ctx_alloc_raw(ctx, n * block.repeats, sizeof *block.index, &block.index);
    if (status != COSET_OK) return status;
    for (int64_t u = 0; u < n; u++)
        for (int64_t p = 0; p < block.repeats; p++)
            block.index[u * block.repeats + p] = feature_of(member, size, u, p);
    *block_out = block;
    return COSET_OK;
}

coset_status group_incoming(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                            int64_t g, double **rows_out, int64_t *width_out)
{
    coset_status status = COSET_OK;
    const unit_group *group = &groups->groups[g];
    double *rows = NULL;
    int64_t width = 0, start = 0;
    *rows_out = NULL;
    for (int32_t s = 0; s < group->n_slots; s++) {
        const group_slot *member = &group->slots[s];
        const contraction *from = through(groups, member, SLOT_PRODUCER);
        if (from == NULL) continue;
        weight_view view = contraction_weight(graph, groups, from);
        width += member->repeats * (view.n_in * view.n_taps + 1);
    }
    TRY(ctx_alloc(ctx, group->n * width, sizeof *rows, &rows));
    for (int32_t s = 0; s < group->n_slots; s++) {
        const group_slot *member = &group->slots[s];
        const contraction *from = through(groups, member, SLOT_PRODUCER);
        if (from == NULL) continue;
        weight_view view = contraction_weight(graph, groups, from);
        int64_t size = view.n_in * view.n_taps;
        for (int64_t cell = 0; cell < group->n * member->repeats; cell++) {
            double *row =
                rows + cell / member->repeats * width + start + cell % member->repeats * (size + 1);
            weight_rows(&view, member->index[cell], 1, row);
            if (from->bias >= 0)
                row[size] = from->bias_scale *
                            tensor_value(graph->values[from->bias].constant, member->index[cell]);
        }
        start += member->repeats * (size + 1);
    }
    *rows_out = rows;
    *width_out = width;
    rows = NULL;
done:
    ctx_free(ctx, rows);
    return status;
}

int64_t constant_entries(const coset_graph *graph, const graph_groups *groups,
                         const group_slot *member)
{
    const label_slot *slot = &groups->slots[member->slot];
    const tensor *data = graph->values[slot->value].constant;
    if ((member->role != SLOT_ADD && member->role != SLOT_SCALE) || data == NULL) return 0;
    return member->repeats * shape_product(&data->shape, 0, slot->axis) *
           shape_product(&data->shape, slot->axis + 1, data->shape.rank);
}

void constant_rows(const coset_graph *graph, const graph_groups *groups, const group_slot *member,
                   int64_t n, int64_t width, double *rows)
{
    const label_slot *slot = &groups->slots[member->slot];
    const tensor *data = graph->values[slot->value].constant;
    int64_t inner = shape_product(&data->shape, slot->axis + 1, data->shape.rank);
    int64_t cells = inner * shape_product(&data->shape, 0, slot->axis);
    int32_t c = groups->contraction_of[member->slot];
    double scale = c >= 0 ? groups->contractions[c].bias_scale : 1;
    for (int64_t u = 0; u < n; u++)
        for (int64_t p = 0; p < member->repeats; p++)
            for (int64_t e = 0; e < cells; e++) {
                int64_t index = member->index[u * member->repeats + p];
                int64_t at = (e / inner * slot->size + index) * inner + e % inner;
                rows[u * width + p * cells + e] = scale * tensor_value(data, at);
            }
}

/* Incoming weights and biases as of group_incoming, and every other parameter of the units. */
static coset_status all_parameters(coset_ctx *ctx, const coset_graph *graph,
                                   const graph_groups *groups, int64_t g, double **rows_out,
                                   int64_t *width_out)
{
    coset_status status = COSET_OK;
    const unit_group *group = &groups->groups[g];
    double *incoming = NULL, *rows = NULL;
    int64_t n_incoming = 0, width = 0, start = 0;
    *rows_out = NULL;
    TRY(group_incoming(ctx, graph, groups, g, &incoming, &n_incoming));
    width = n_incoming;
    for (int32_t s = 0; s < group->n_slots; s++)
        if (groups->contraction_of[group->slots[s].slot] < 0)
            width += constant_entries(graph, groups, &group->slots[s]);
    TRY(ctx_alloc(ctx, group->n * width, sizeof *rows, &rows));
    for (int64_t u = 0; u < group->n && n_incoming > 0; u++)
        memcpy(rows + u * width, incoming + u * n_incoming, (size_t)n_incoming * sizeof *rows);
    start = n_incoming;
    for (int32_t s = 0; s < group->n_slots; s++) {
        const group_slot *member = &group->slots[s];
        int64_t entries = constant_entries(graph, groups, member);
        if (groups->contraction_of[member->slot] >= 0 || entries == 0) continue;
        constant_rows(graph, groups, member, group->n, width, rows + start);
        start += entries;
    }
    *rows_out = rows;
    *width_out = width;
    rows = NULL;
done:
    ctx_free(ctx, incoming);
    ctx_free(ctx, rows);
    return status;
}

/* at->weight += M of one consumer. */
static coset_status add_consumer(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *groups, int64_t c, const calibration *stats,
                                 const group_slot *member, int32_t group, site *at)
{
    coset_status status = COSET_OK;
    int32_t value = groups->contractions[c].input;
    int64_t n = groups->groups[group].n;
    int64_t block = stats != NULL ? unit_block_find(stats->blocks, value, group) : -1;
    const output_cost alike = {.variance = 1};
    unit_block own = {.index = NULL};
    const double *known = block >= 0 ? calibration_metric(stats, c, block) : NULL;
    if (known != NULL) {
        for (int64_t i = 0; i < n * n; i++) at->weight[i] += known[i];
        return COSET_OK;
    }
    TRY(block_of_slot(ctx, groups, &groups->contractions[c], member, group, &own));
    TRY(contraction_metric(ctx, graph, groups, c, &own, &alike, at->weight));
done:
    ctx_free(ctx, own.index);
    return status;
}

/* Second moments of a group in a value; NULL: not known. */
static const moments *known_units(const calibration *stats, int32_t value, int32_t group)
{
    int64_t block = stats != NULL ? unit_block_find(stats->blocks, value, group) : -1;
    return block >= 0 ? stats->units[block] : NULL;
}

/* The site at which the first of the group's slots from `first` on is read. */
static coset_status fill_site(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                              const calibration *stats, int64_t g, int32_t first, site *at)
{
    coset_status status = COSET_OK;
    const unit_group *group = &groups->groups[g];
    int64_t n = group->n, width = 0;
    double *rows = NULL;
    at->value = groups->contractions[groups->contraction_of[group->slots[first].slot]].input;
    const moments *known = known_units(stats, at->value, (int32_t)g);
    TRY(ctx_alloc(ctx, n * n, sizeof *at->covariance, &at->covariance));
    TRY(ctx_alloc(ctx, n * n, sizeof *at->weight, &at->weight));
    TRY(ctx_alloc(ctx, n, sizeof *at->mean, &at->mean));
    if (known != NULL) {
        moments_covariance(known, at->covariance);
        memcpy(at->mean, known->mean, (size_t)n * sizeof *at->mean);
    } else {
        TRY(all_parameters(ctx, graph, groups, g, &rows, &width));
        gemm_f64(ctx, false, true, n, n, width, 1, rows, width, rows, width, 0, at->covariance, n);
    }
    for (int32_t s = first; s < group->n_slots; s++) {
        const contraction *to = through(groups, &group->slots[s], SLOT_CONSUMER);
        if (to != NULL && to->input == at->value)
            TRY(add_consumer(ctx, graph, groups, to - groups->contractions, stats, &group->slots[s],
                             (int32_t)g, at));
    }
    if (known == NULL) {
        double power = inner_product(at->weight, at->covariance, n * n);
        for (int64_t i = 0; i < n * n && power > 0; i++) at->weight[i] /= power;
    }
done:
    ctx_free(ctx, rows);
    return status;
}

coset_status group_sites_new(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                             const calibration *stats, int64_t g, group_sites **sites_out)
{
    coset_status status = COSET_OK;
    const unit_group *group = &groups->groups[g];
    group_sites *self = NULL;
    *sites_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = group->n;
    TRY(ctx_alloc(ctx, group->n_slots, sizeof *self->sites, &self->sites));
    for (int32_t s = 0; s < group->n_slots; s++) {
        const contraction *to = through(groups, &group->slots[s], SLOT_CONSUMER);
        bool seen = to == NULL;
        for (int64_t i = 0; i < self->count && !seen; i++) seen = self->sites[i].value == to->input;
        if (seen) continue;
        self->count++;
        TRY(fill_site(ctx, graph, groups, stats, g, s, &self->sites[self->count - 1]));
    }
    *sites_out = self;
    self = NULL;
done:
    group_sites_free(ctx, self);
    return status;
}

void group_sites_free(coset_ctx *ctx, group_sites *self)
{
    if (self == NULL) return;
    for (int64_t s = 0; s < self->count; s++) {
        ctx_free(ctx, self->sites[s].covariance);
        ctx_free(ctx, self->sites[s].mean);
        ctx_free(ctx, self->sites[s].weight);
    }
    ctx_free(ctx, self->sites);
    ctx_free(ctx, self);
}

/* ---- lift -------------------------------------------------------------------------------------- */

/* (R G) as (k, n) and R G R^T as (k, k), R having one entry per column. */
static void reduce_covariance(const lumping *map, const double *cov, double *rg, double *rgr)
{
    int64_t n = map->n, k = map->k;
    memset(rg, 0, (size_t)(k * n) * sizeof *rg);
    memset(rgr, 0, (size_t)(k * k) * sizeof *rgr);
    for (int64_t u = 0; u < n; u++) {
        if (map->block[u] < 0) continue;
        double *row = rg + map->block[u] * n;
        for (int64_t j = 0; j < n; j++) row[j] += map->reduce[u] * cov[u * n + j];
    }
    for (int64_t b = 0; b < k; b++)
        for (int64_t u = 0; u < n; u++)
            if (map->block[u] >= 0) rgr[b * k + map->block[u]] += rg[b * n + u] * map->reduce[u];
}

coset_status group_sites_lift(coset_ctx *ctx, const group_sites *self, double ridge, lumping *map)
{
    coset_status status = COSET_OK;
    int64_t n = map->n, k = map->k;
    double *cov = NULL, *mean = NULL, *rg = NULL, *rgr = NULL, *lift = NULL, *shift = NULL;
    double total = 0;
    if (map->slope != NULL) return COSET_OK;
    TRY(ctx_alloc(ctx, n * n, sizeof *cov, &cov));
    TRY(ctx_alloc(ctx, n, sizeof *mean, &mean));
    TRY(ctx_alloc(ctx, k * n, sizeof *rg, &rg));
    TRY(ctx_alloc(ctx, k * k, sizeof *rgr, &rgr));
    TRY(ctx_alloc(ctx, n * k, sizeof *lift, &lift));
    TRY(ctx_alloc(ctx, n, sizeof *shift, &shift));
    for (int64_t s = 0; s < self->count; s++) {
        const site *at = &self->sites[s];
        double share = self->count == 1 ? 1 : inner_product(at->weight, at->covariance, n * n);
        total += share;
        for (int64_t i = 0; i < n * n; i++) cov[i] += share * at->covariance[i];
        for (int64_t i = 0; i < n; i++) mean[i] += share * at->mean[i];
    }
    if (!(total > 0)) goto done;
    for (int64_t i = 0; i < n * n; i++) cov[i] /= total;
    for (int64_t i = 0; i < n; i++) mean[i] /= total;
    reduce_covariance(map, cov, rg, rgr);
    TRY(solve_ridge(ctx, rgr, rg, k, n, ridge, rg));
    for (int64_t u = 0; u < n; u++) {
        shift[u] = mean[u];
        for (int64_t b = 0; b < k; b++) lift[u * k + b] = rg[b * n + u];
        for (int64_t v = 0; v < n; v++)
            if (map->block[v] >= 0)
                shift[u] -= lift[u * k + map->block[v]] * map->reduce[v] * mean[v];
    }
    ctx_free(ctx, map->lift);
    ctx_free(ctx, map->shift);
    map->lift = lift;
    map->shift = shift;
    lift = shift = NULL;
done:
    ctx_free(ctx, cov);
    ctx_free(ctx, mean);
    ctx_free(ctx, rg);
    ctx_free(ctx, rgr);
    ctx_free(ctx, lift);
    ctx_free(ctx, shift);
    return status;
}
