#include "recover/channels.h"

#include <string.h>

/* The next group whose first index on a slot's axis is *i or more, and its places there; -1: none is left. */
static int32_t next_group(const graph_groups *groups, int32_t slot, int64_t *i,
                          const group_slot **places_out)
{
    for (; *i < groups->slots[slot].size; (*i)++) {
        int64_t unit = 0;
        int32_t g = groups_at(groups, slot, *i, &unit);
        if (g < 0 || unit != 0) continue;
        *places_out = group_slot_in(&groups->groups[g], slot);
        if (*places_out != NULL && (*places_out)->index[0] == *i) return g;
    }
    return -1;
}

coset_status channels_find(coset_ctx *ctx, const graph_groups *groups, const contraction *at,
                           unit_block *channels_out)
{
    coset_status status = COSET_OK;
    const group_slot *of = NULL;
    int32_t g = -1;
    int64_t width = groups->slots[at->in_slot].size, at_unit = 0;
    unit_block found = {
        .value = at->input, .group = -1, .axis = at->input_axis, .repeats = 1, .width = width};
    *channels_out = found;
    for (int64_t i = 0; (g = next_group(groups, at->in_slot, &i, &of)) >= 0; i++) {
        if (found.n > 0 && of->repeats != found.repeats) return COSET_OK;
        found.n += groups->groups[g].n;
        found.repeats = of->repeats;
    }
    if (found.n == 0 || at->groups > 1) return COSET_OK;
    TRY(ctx_alloc_raw(ctx, found.n * found.repeats, sizeof *found.index, &found.index));
    for (int64_t i = 0; (g = next_group(groups, at->in_slot, &i, &of)) >= 0; i++) {
        memcpy(found.index + at_unit * found.repeats, of->index,
               (size_t)(groups->groups[g].n * found.repeats) * sizeof *found.index);
        at_unit += groups->groups[g].n;
    }
    *channels_out = found;
done:
    return status;
}

/* Adds what the plan does to n units: rows [n0, n0 + n) of a lift (., stride), columns from k0 on. */
static int64_t add_lift(const lumping *map, int64_t n, int64_t stride, double *lift, double *shift,
                        int64_t k0)
{
    if (map == NULL) {
        for (int64_t u = 0; u < n; u++) lift[u * stride + k0 + u] = 1;
        return n;
    }
    for (int64_t u = 0; u < n; u++) {
        double *row = lift + u * stride + k0;
        if (map->lift != NULL)
            memcpy(row, map->lift + u * map->k, (size_t)map->k * sizeof *row);
        else if (map->block[u] >= 0)
            row[map->block[u]] = map->scale[u];
        shift[u] = map->shift != NULL ? map->shift[u] : 0;
    }
    return map->k;
}

coset_status channels_lumping(coset_ctx *ctx, const graph_groups *groups, const coset_plan *plan,
                              const contraction *at, const unit_block *channels, lumping **map_out)
{
    coset_status status = COSET_OK;
    const group_slot *of = NULL;
    int32_t g = -1;
    lumping *map = NULL;
    int64_t *keep = NULL, n = 0, k = 0;
    *map_out = NULL;
    TRY(ctx_alloc_raw(ctx, channels->n, sizeof *keep, &keep));
    for (int64_t i = 0; (g = next_group(groups, at->in_slot, &i, &of)) >= 0; i++) {
        const lumping *own = plan->groups[g].map;
        int64_t left = own != NULL ? own->k : groups->groups[g].n;
        for (int64_t b = 0; b < left; b++) keep[k++] = n + (own != NULL ? own->keep[b] : b);
        n += groups->groups[g].n;
    }
    TRY(lumping_select(ctx, n, keep, k, &map));
    TRY(ctx_alloc(ctx, n * k, sizeof *map->lift, &map->lift));
    TRY(ctx_alloc(ctx, n, sizeof *map->shift, &map->shift));
    n = k = 0;
    for (int64_t i = 0; (g = next_group(groups, at->in_slot, &i, &of)) >= 0; i++) {
        k += add_lift(plan->groups[g].map, groups->groups[g].n, map->k, map->lift + n * map->k,
                      map->shift + n, k);
        n += groups->groups[g].n;
    }
    *map_out = map;
    map = NULL;
done:
    ctx_free(ctx, keep);
    lumping_free(ctx, map);
    return status;
}

coset_status channels_cut(coset_ctx *ctx, const unit_block *channels, const lumping *map,
                          const axis_map *in_map, unit_block *channels_out)
{
    unit_block cut = *channels;
    cut.index = NULL;
    cut.n = map->k;
    cut.width = in_map->new_size;
    coset_status status = ctx_alloc_raw(ctx, cut.n * cut.repeats, sizeof *cut.index, &cut.index);
    *channels_out = cut;
    if (status != COSET_OK) return status;
    for (int64_t b = 0; b < cut.n; b++)
        for (int64_t p = 0; p < cut.repeats; p++)
            cut.index[b * cut.repeats + p] =
                in_map->position[channels->index[map->keep[b] * channels->repeats + p]];
    return COSET_OK;
}
