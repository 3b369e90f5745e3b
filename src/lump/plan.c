#include "lump/plan.h"

#include <math.h>
#include <string.h>

coset_status plan_reason(coset_ctx *ctx, const coset_graph *graph, const unit_group *group,
                         char **text_out)
{
    if (group->frozen_by < 0) return ctx_strdup(ctx, group->frozen, text_out);
    const graph_node *node = &graph->nodes[group->frozen_by];
    return ctx_format(ctx, text_out, "%s: %s at node '%s'", node->op_type, group->frozen,
                      node->name[0] != '\0' ? node->name : "(unnamed)");
}

static coset_status fill_group(coset_ctx *ctx, const coset_graph *graph, const unit_group *group,
                               plan_group *entry)
{
    coset_status status = COSET_OK;
    entry->units = group->n;
    entry->height = entry->error = (double)NAN;
    TRY(ctx_strdup(ctx, group->name, &entry->name));
    if (group->frozen != NULL) TRY(plan_reason(ctx, graph, group, &entry->skipped));
done:
    return status;
}

coset_status plan_new(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                      coset_plan **plan_out)
{
    coset_status status = COSET_OK;
    coset_plan *plan = NULL;
    *plan_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *plan, &plan));
    TRY(ctx_strdup(ctx, graph->digest, &plan->model_digest));
    TRY(ctx_alloc(ctx, groups->n, sizeof *plan->groups, &plan->groups));
    plan->n_groups = groups->n;
    for (int64_t g = 0; g < groups->n; g++)
        TRY(fill_group(ctx, graph, &groups->groups[g], &plan->groups[g]));
    *plan_out = plan;
    plan = NULL;
done:
    plan_free(ctx, plan);
    return status;
}

static void free_one(coset_ctx *ctx, coset_plan *plan)
{
    for (int64_t g = 0; plan->groups != NULL && g < plan->n_groups; g++) {
        ctx_free(ctx, plan->groups[g].name);
        ctx_free(ctx, plan->groups[g].method);
        ctx_free(ctx, plan->groups[g].skipped);
        ctx_free(ctx, plan->groups[g].score);
        lumping_free(ctx, plan->groups[g].map);
    }
    for (int64_t m = 0; plan->masks != NULL && m < plan->n_masks; m++) {
        ctx_free(ctx, plan->masks[m].weight);
        ctx_free(ctx, plan->masks[m].keep);
    }
    ctx_free(ctx, plan->groups);
    ctx_free(ctx, plan->masks);
    ctx_free(ctx, plan->model_digest);
    ctx_free(ctx, plan->method);
    ctx_free(ctx, plan->rule);
    ctx_free(ctx, plan);
}

void plan_free(coset_ctx *ctx, coset_plan *plan)
{
    while (plan != NULL) {
        coset_plan *next = plan->next;
        free_one(ctx, plan);
        plan = next;
    }
}
