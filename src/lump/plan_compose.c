/* Two plans in a row as one. */
#include <math.h>

#include "lump/plan.h"

/* The group of every labelled element of a value; -1: of several, or of none. */
static int32_t group_of_value(const graph_groups *groups, int32_t value)
{
    const label_array *labels = labels_of(groups->labels, value);
    int64_t count = labels->rank >= 0 ? 1 : 0;
    int32_t found = -1;
    for (int a = 0; a < labels->rank; a++) count *= labels->dims[a];
    for (int64_t i = 0; i < count; i++) {
        int32_t g = groups->group_of[labels_root(groups->labels, labels->ids[i])];
        if (g < 0 || (i > 0 && g != found)) return -1;
        found = g;
    }
    return found;
}

/* Groups of the later graph by those of the first; -1: they are gone. Owned by the caller. */
static coset_status match_groups(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *groups, const coset_graph *later,
                                 const graph_groups *later_groups, int32_t **match_out)
{
    coset_status status = COSET_OK;
    name_map names = {0};
    int32_t *match = NULL;
    *match_out = NULL;
    TRY(ctx_alloc_raw(ctx, groups->n, sizeof *match, &match));
    for (int64_t g = 0; g < groups->n; g++) match[g] = -1;
    for (int64_t v = 0; v < later->n_values; v++)
        TRY(name_map_set(ctx, &names, later->values[v].name, v, NULL));
    for (int32_t v = 0; v < (int32_t)graph->n_values; v++) {
        int32_t g = group_of_value(groups, v);
        if (g < 0 || match[g] >= 0) continue;
        int32_t there = (int32_t)name_map_get(&names, graph->values[v].name, -1);
        if (there >= 0) match[g] = group_of_value(later_groups, there);
    }
    *match_out = match;
    match = NULL;
done:
    name_map_free(ctx, &names);
    ctx_free(ctx, match);
    return status;
}

static bool cuts(const plan_group *group)
{
    return group != NULL && group->map != NULL && group->map->k < group->map->n;
}

/* Who cut a group and how far: both, if both did. */
static coset_status sign(coset_ctx *ctx, const plan_group *first, const plan_group *second,
                         plan_group *entry)
{
    const plan_group *only = cuts(first) ? first : second;
    if (cuts(first) && cuts(second))
        return ctx_format(ctx, &entry->method, "%s+%s", first->method, second->method);
    if (!cuts(only)) return COSET_OK;
    entry->height = only->height;
    entry->error = only->error;
    return ctx_strdup(ctx, only->method, &entry->method);
}

static coset_status compose_group(coset_ctx *ctx, const plan_group *first, const plan_group *second,
                                  plan_group *entry)
{
    coset_status status = COSET_OK;
    const lumping *before = first != NULL ? first->map : NULL;
    const lumping *after = second != NULL ? second->map : NULL;
    int64_t left = before != NULL ? before->k : entry->units;
    if (second != NULL && second->units != left)
        FAIL(ctx, COSET_EARGUMENT, "group '%s' has %lld units where a plan left %lld", entry->name,
             (long long)second->units, (long long)left);
    TRY(sign(ctx, first, second, entry));
    if (first != NULL && first->skipped != NULL && entry->skipped == NULL && !cuts(second))
        TRY(ctx_strdup(ctx, first->skipped, &entry->skipped));
    if (before != NULL || after != NULL) TRY(lumping_compose(ctx, before, after, &entry->map));
done:
    return status;
}

coset_status plan_compose(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                          const coset_plan *first, const coset_graph *later,
                          const graph_groups *later_groups, const coset_plan *second,
                          coset_plan **plan_out)
{
    coset_status status = COSET_OK;
    coset_plan *plan = NULL;
    int32_t *match = NULL;
    *plan_out = NULL;
    TRY(plan_new(ctx, graph, groups, &plan));
    TRY(match_groups(ctx, graph, groups, later, later_groups, &match));
    for (int64_t g = 0; g < groups->n; g++)
        TRY(compose_group(ctx, first != NULL ? &first->groups[g] : NULL,
                          match[g] >= 0 ? &second->groups[match[g]] : NULL, &plan->groups[g]));
    *plan_out = plan;
    plan = NULL;
done:
    plan_free(ctx, plan);
    ctx_free(ctx, match);
    return status;
}
