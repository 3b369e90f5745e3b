#include "lump/axis.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "linalg/blas.h"

/* New places: an index stays if its unit stands for a block; order is kept. */
static void place(axis_map *self)
{
    for (int64_t i = 0; i < self->size; i++) {
        int64_t unit = 0;
        int32_t g = groups_at(self->groups, self->slot, i, &unit);
        const lumping *map = g >= 0 ? self->plan->groups[g].map : NULL;
        bool stays = map == NULL || (map->block[unit] >= 0 && map->keep[map->block[unit]] == unit);
        self->position[i] = stays ? self->new_size++ : -1;
        self->target[i] = self->position[i];
        self->weight[i] = 1;
    }
}

static void aim(axis_map *self, const group_slot *member, const lumping *map)
{
    for (int64_t u = 0; u < map->n; u++)
        for (int64_t p = 0; p < member->repeats; p++) {
            int64_t i = member->index[u * member->repeats + p], b = map->block[u];
            self->target[i] =
                b < 0 ? -1 : self->position[member->index[map->keep[b] * member->repeats + p]];
            self->weight[i] = map->reduce[u];
        }
}

coset_status axis_map_new(coset_ctx *ctx, const graph_groups *groups, const coset_plan *plan,
                          int32_t slot, axis_map *map_out)
{
    coset_status status = COSET_OK;
    axis_map self = {.groups = groups, .plan = plan, .slot = slot, .identity = true};
    int32_t last = -1;
    self.size = groups->slots[slot].size;
    TRY(ctx_alloc(ctx, self.size, sizeof *self.position, &self.position));
    TRY(ctx_alloc(ctx, self.size, sizeof *self.target, &self.target));
    TRY(ctx_alloc(ctx, self.size, sizeof *self.weight, &self.weight));
    TRY(ctx_alloc(ctx, self.size, sizeof *self.members, &self.members));
    TRY(ctx_alloc(ctx, self.size, sizeof *self.maps, &self.maps));
    place(&self);
    for (int64_t i = 0; i < self.size; i++) {
        int64_t unit = 0;
        int32_t g = groups_at(groups, slot, i, &unit);
        if (g < 0 || g == last || plan->groups[g].map == NULL) continue;
        last = g;
        const group_slot *member = group_slot_in(&groups->groups[g], slot);
        bool seen = false;
        for (int32_t m = 0; m < self.n_members; m++) seen = seen || self.members[m] == member;
        if (seen || member == NULL) continue;
        self.members[self.n_members] = member;
        self.maps[self.n_members++] = plan->groups[g].map;
        self.identity = self.identity && lumping_is_identity(plan->groups[g].map);
        aim(&self, member, plan->groups[g].map);
    }
done:
    *map_out = self;
    return status;
}

void axis_map_free(coset_ctx *ctx, axis_map *self)
{
    ctx_free(ctx, self->position);
    ctx_free(ctx, self->target);
    ctx_free(ctx, self->weight);
    ctx_free(ctx, self->members);
    ctx_free(ctx, self->maps);
}

static coset_status block_new(coset_ctx *ctx, int64_t outer, int64_t size, int64_t inner,
                              axis_block *block_out)
{
    int64_t count = 0;
    *block_out = (axis_block){outer, size, inner, NULL};
    if (!dim_mul(outer, size, &count) || !dim_mul(count, inner, &count))
        return ctx_fail(ctx, COSET_ELIMIT, "a weight has too many elements");
    return ctx_alloc(ctx, count, sizeof *block_out->values, &block_out->values);
}

coset_status axis_reduce(coset_ctx *ctx, const axis_map *self, const tensor *data, int axis,
                         bool mean, axis_block *block_out)
{
    coset_status status = COSET_OK;
    int64_t outer = shape_product(&data->shape, 0, axis);
    int64_t inner = shape_product(&data->shape, axis + 1, data->shape.rank);
    double *factor = NULL, *total = NULL;
    axis_block out = {0};
    TRY(block_new(ctx, outer, self->new_size, inner, &out));
    TRY(ctx_alloc(ctx, self->size, sizeof *factor, &factor));
    TRY(ctx_alloc(ctx, self->new_size, sizeof *total, &total));
    for (int64_t i = 0; i < self->size; i++)
        if (self->target[i] >= 0) total[self->target[i]] += fabs(self->weight[i]);
    for (int64_t i = 0; i < self->size; i++) {
        factor[i] = self->weight[i];
        if (mean && self->target[i] >= 0)
            factor[i] = fabs(self->weight[i]) / total[self->target[i]];
    }
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < self->size; i++) {
            if (self->target[i] < 0) continue;
            double *to = out.values + (o * self->new_size + self->target[i]) * inner;
            int64_t from = (o * self->size + i) * inner;
            if (data->dtype == COSET_F32) {
                const float *source = (const float *)data->data + from;
                for (int64_t e = 0; e < inner; e++) to[e] += factor[i] * (double)source[e];
            } else {
                for (int64_t e = 0; e < inner; e++)
                    to[e] += factor[i] * tensor_value(data, from + e);
            }
        }
    *block_out = out;
    out.values = NULL;
done:
    ctx_free(ctx, out.values);
    ctx_free(ctx, factor);
    ctx_free(ctx, total);
    return status;
}

/* Adds factor * (row i of in) to row j of out, for every outer index. */
static void add_rows(const axis_block *in, int64_t i, double factor, axis_block *out, int64_t j)
{
    for (int64_t o = 0; o < in->outer; o++) {
        const double *from = in->values + (o * in->size + i) * in->inner;
        double *to = out->values + (o * out->size + j) * out->inner;
        for (int64_t e = 0; e < in->inner; e++) to[e] += factor * from[e];
    }
}

static void lift_blocks(const axis_block *in, const group_slot *member, const lumping *map,
                        const int64_t *position, axis_block *out)
{
    int64_t repeats = member->repeats;
    for (int64_t u = 0; u < map->n; u++)
        for (int64_t p = 0; p < repeats && map->block[u] >= 0; p++)
            add_rows(in, member->index[u * repeats + p], map->scale[u], out,
                     position[member->index[map->keep[map->block[u]] * repeats + p]]);
}

/* The same with a dense lift: one product per occurrence, over gathered columns. */
static coset_status lift_dense(coset_ctx *ctx, const axis_block *in, const group_slot *member,
                               const lumping *map, const int64_t *position, axis_block *out)
{
    coset_status status = COSET_OK;
    int64_t rows = in->outer * in->inner;
    double *gathered = NULL, *lifted = NULL;
    TRY(ctx_alloc_raw(ctx, rows * map->n, sizeof *gathered, &gathered));
    TRY(ctx_alloc_raw(ctx, rows * map->k, sizeof *lifted, &lifted));
    for (int64_t p = 0; p < member->repeats; p++) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t u = 0; u < map->n; u++)
                gathered[r * map->n + u] =
                    in->values[(r / in->inner * in->size + member->index[u * member->repeats + p]) *
                                   in->inner +
                               r % in->inner];
        gemm_f64(ctx, false, false, rows, map->k, map->n, 1, gathered, map->n, map->lift, map->k, 0,
                 lifted, map->k);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t b = 0; b < map->k; b++)
                out->values[(r / in->inner * out->size +
                             position[member->index[map->keep[b] * member->repeats + p]]) *
                                in->inner +
                            r % in->inner] = lifted[r * map->k + b];
    }
done:
    ctx_free(ctx, gathered);
    ctx_free(ctx, lifted);
    return status;
}

coset_status axis_lift(coset_ctx *ctx, const axis_map *self, const axis_block *in,
                       axis_block *block_out)
{
    coset_status status = COSET_OK;
    axis_block out = {0};
    bool *mapped = NULL;
    TRY(ctx_alloc(ctx, self->size, sizeof *mapped, &mapped));
    TRY(block_new(ctx, in->outer, self->new_size, in->inner, &out));
    for (int32_t m = 0; m < self->n_members; m++) {
        const group_slot *member = self->members[m];
        for (int64_t c = 0; c < self->maps[m]->n * member->repeats; c++)
            mapped[member->index[c]] = true;
        if (self->maps[m]->lift != NULL)
            TRY(lift_dense(ctx, in, member, self->maps[m], self->position, &out));
        else
            lift_blocks(in, member, self->maps[m], self->position, &out);
    }
    for (int64_t i = 0; i < self->size; i++)
        if (!mapped[i]) add_rows(in, i, 1, &out, self->position[i]);
    *block_out = out;
    out.values = NULL;
done:
    ctx_free(ctx, out.values);
    ctx_free(ctx, mapped);
    return status;
}

bool axis_shift(const axis_map *self, const axis_block *in, double *sums_out)
{
    bool any = false;
    memset(sums_out, 0, (size_t)(in->outer * in->inner) * sizeof *sums_out);
    for (int32_t m = 0; m < self->n_members; m++) {
        const lumping *map = self->maps[m];
        if (map->shift == NULL) continue;
        any = true;
        for (int64_t c = 0; c < map->n * self->members[m]->repeats; c++) {
            double shift = map->shift[c / self->members[m]->repeats];
            int64_t i = self->members[m]->index[c];
            if (shift == 0) continue;
            for (int64_t o = 0; o < in->outer; o++)
                for (int64_t e = 0; e < in->inner; e++)
                    sums_out[o * in->inner + e] +=
                        shift * in->values[(o * in->size + i) * in->inner + e];
        }
    }
    return any;
}
