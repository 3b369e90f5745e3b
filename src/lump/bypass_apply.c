/* Applies plans with bypasses: lays their lines, then cuts what was laid like any other graph. */
#include <string.h>

#include "lump/apply.h"
#include "lump/bypass.h"

/* The plan for the graph that was laid. Names are those of the first plan. */
typedef struct second_plan {
    coset_plan plan;
    lumping *maps;   /* [groups of the first plan] those with slopes, without them */
    double **shifts; /* [the same] what is left of their shifts */
} second_plan;

bool plan_bypasses(const coset_plan *plan)
{
    for (int64_t g = 0; g < plan->n_groups; g++)
        if (plan->groups[g].map != NULL && plan->groups[g].map->slope != NULL) return true;
    return false;
}

static void second_free(coset_ctx *ctx, second_plan *self, int64_t n)
{
    for (int64_t g = 0; self->shifts != NULL && g < n; g++) ctx_free(ctx, self->shifts[g]);
    ctx_free(ctx, self->shifts);
    ctx_free(ctx, self->maps);
    ctx_free(ctx, self->plan.groups);
}

/* A lumping without the units that leave by a line: what those add is in their readers already. */
static coset_status without_slopes(coset_ctx *ctx, lumping *map, double **shift_out)
{
    bool any = false;
    map->slope = NULL;
    for (int64_t u = 0; map->shift != NULL && u < map->n; u++)
        any = any || (map->block[u] >= 0 && map->shift[u] != 0);
    if (!any) {
        map->shift = NULL;
        return COSET_OK;
    }
    coset_status status = ctx_alloc(ctx, map->n, sizeof **shift_out, shift_out);
    if (status != COSET_OK) return status;
    for (int64_t u = 0; u < map->n; u++) (*shift_out)[u] = map->block[u] >= 0 ? map->shift[u] : 0;
    map->shift = *shift_out;
    return COSET_OK;
}

/* Groups come in the same order as before; those without units are gone, those of lines are new.
 *   before  the groups of the first plan
 *   groups  of the graph that was laid */
static coset_status match_groups(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *before, const graph_groups *groups,
                                 const coset_plan *first, second_plan *self)
{
    coset_status status = COSET_OK;
    int64_t at = 0;
    self->plan =
        (coset_plan){.n_groups = groups->n, .n_masks = first->n_masks, .masks = first->masks};
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->plan.groups, &self->plan.groups));
    TRY(ctx_alloc(ctx, first->n_groups, sizeof *self->maps, &self->maps));
    TRY(ctx_alloc(ctx, first->n_groups, sizeof *self->shifts, &self->shifts));
    for (int64_t i = 0; i < groups->n; i++) self->plan.groups[i].units = groups->groups[i].n;
    for (int64_t g = 0; g < first->n_groups; g++) {
        const unit_group *group = &before->groups[g];
        lumping *map = first->groups[g].map;
        if (map != NULL && map->k == 0) continue;
        while (at < groups->n && (groups->groups[at].n != group->n ||
                                  strcmp(groups->groups[at].name, group->name) != 0))
            at++;
        if (at == groups->n)
            FAIL(ctx, COSET_EARGUMENT,
                 "%s: group '%s' is not there any more once bypasses are laid", graph->name,
                 group->name);
        if (map != NULL && map->slope != NULL) {
            self->maps[g] = *map;
            map = &self->maps[g];
            TRY(without_slopes(ctx, map, &self->shifts[g]));
        }
        self->plan.groups[at++].map = map;
    }
done:
    return status;
}

coset_status plan_apply_bypasses(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                                 const graph_groups *groups, const coset_plan *plan,
                                 coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    coset_graph *laid = NULL;
    graph_facts *laid_facts = NULL;
    graph_groups *laid_groups = NULL;
    second_plan second = {.maps = NULL};
    shape *shapes = NULL;
    *graph_out = NULL;
    TRY(bypass_lay(ctx, graph, facts, groups, plan, &laid));
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *shapes, &shapes));
    for (int64_t i = 0; i < graph->n_inputs; i++)
        shapes[i] = graph_fact(facts, graph->inputs[i])->shape;
    TRY(graph_infer(ctx, laid, shapes, &laid_facts));
    TRY(groups_find(ctx, laid, laid_facts, &laid_groups));
    TRY(match_groups(ctx, laid, groups, laid_groups, plan, &second));
    TRY(plan_apply(ctx, laid, laid_facts, laid_groups, &second.plan, graph_out));
done:
    second_free(ctx, &second, plan->n_groups);
    groups_free(ctx, laid_groups);
    graph_facts_free(ctx, laid_facts);
    coset_graph_free(ctx, laid);
    ctx_free(ctx, shapes);
    return status;
}
