#include <coset/inspect.h>

#include <stdlib.h>
#include <string.h>

#include "api/branches.h"
#include "graph/prepare.h"
#include "lump/plan.h"
#include "report/report.h"

/* ---- the model --------------------------------------------------------------------------------- */

/* Dimensions as numbers, their symbolic names, or "?"; null if the rank is unknown. */
static coset_status add_shape(coset_ctx *ctx, report_node *at, const graph_value *value)
{
    coset_status status = COSET_OK;
    report_node *list = NULL;
    if (value->shape.rank < 0) return report_null(ctx, at, "shape");
    TRY(report_list(ctx, at, "shape", &list));
    for (int a = 0; a < value->shape.rank; a++) {
        const char *name = value->dim_names != NULL ? value->dim_names[a] : NULL;
        if (value->shape.dims[a] >= 0) {
            TRY(report_add_count(ctx, list, value->shape.dims[a]));
        } else {
            TRY(report_add_text(ctx, list, name != NULL && name[0] != '\0' ? name : "?"));
        }
    }
done:
    return status;
}

static coset_status add_ends(coset_ctx *ctx, const coset_graph *graph, report_node *at,
                             const char *key, const int32_t *values, int64_t n)
{
    coset_status status = COSET_OK;
    report_node *list = NULL, *end = NULL;
    TRY(report_list(ctx, at, key, &list));
    for (int64_t k = 0; k < n; k++) {
        const graph_value *value = &graph->values[values[k]];
        TRY(report_add_object(ctx, list, &end));
        TRY(report_text(ctx, end, "name", value->name));
        TRY(report_text(ctx, end, "type", coset_dtype_name(value->dtype)));
        TRY(add_shape(ctx, end, value));
    }
done:
    return status;
}

static coset_status add_model(coset_ctx *ctx, const coset_graph *graph, report_node *root)
{
    coset_status status = COSET_OK;
    coset_graph_size size = {0};
    report_node *model = NULL;
    TRY(report_object(ctx, root, "model", &model));
    TRY(report_text(ctx, model, "name", graph->name));
    TRY(report_count(ctx, model, "opset", graph->opset));
    TRY(report_count(ctx, model, "file_bytes", graph->file_bytes));
    TRY(report_count(ctx, model, "nodes", graph->n_nodes));
    TRY(add_ends(ctx, graph, model, "inputs", graph->inputs, graph->n_inputs));
    TRY(add_ends(ctx, graph, model, "outputs", graph->outputs, graph->n_outputs));
    TRY(coset_graph_measure(ctx, graph, &size));
    TRY(report_size(ctx, root, "size", &size));
done:
    return status;
}

/* ---- operators --------------------------------------------------------------------------------- */

static int compare_operators(const void *a, const void *b)
{
    const graph_node *left = *(const graph_node *const *)a;
    const graph_node *right = *(const graph_node *const *)b;
    int order = strcmp(left->op_type, right->op_type);
    return order != 0 ? order : strcmp(left->domain, right->domain);
}

static coset_status add_operators(coset_ctx *ctx, const coset_graph *graph, report_node *root)
{
    coset_status status = COSET_OK;
    const graph_node **nodes = NULL;
    report_node *list = NULL, *row = NULL;
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *nodes, &nodes));
    for (int64_t n = 0; n < graph->n_nodes; n++) nodes[n] = &graph->nodes[n];
    qsort(nodes, (size_t)graph->n_nodes, sizeof *nodes, compare_operators);
    TRY(report_list(ctx, root, "operators", &list));
    for (int64_t from = 0, to = 0; from < graph->n_nodes; from = to) {
        const graph_node *node = nodes[from];
        while (to < graph->n_nodes && compare_operators(&nodes[from], &nodes[to]) == 0) to++;
        TRY(report_add_object(ctx, list, &row));
        TRY(report_text(ctx, row, "type", node->op_type));
        TRY(report_text(ctx, row, "domain", node->domain[0] != '\0' ? node->domain : "ai.onnx"));
        TRY(report_count(ctx, row, "count", to - from));
        TRY(report_flag(ctx, row, "runs", node_runs(node)));
    }
done:
    ctx_free(ctx, (void *)nodes);
    return status;
}

/* ---- unit groups ------------------------------------------------------------------------------- */

static const char *role_name(slot_role role)
{
    switch (role) {
    case SLOT_PRODUCER: return "producer";
    case SLOT_ADD: return "add";
    case SLOT_SCALE: return "scale";
    case SLOT_CONSUMER: return "consumer";
    }
    return "";
}

static const char *function_name(unit_function function)
{
    switch (function) {
    case UNIT_IDENTITY: return "identity";
    case UNIT_RELU: return "relu";
    case UNIT_ODD: return "odd";
    case UNIT_LOGISTIC: return "logistic";
    case UNIT_OTHER: return "other";
    }
    return "";
}

/* Nodes whose weights make the units, each once: the slots of a node follow each other. */
static coset_status add_producers(coset_ctx *ctx, const coset_graph *graph,
                                  const graph_groups *groups, const unit_group *group,
                                  report_node *row)
{
    coset_status status = COSET_OK;
    report_node *list = NULL;
    int32_t last = -1;
    TRY(report_list(ctx, row, "producers", &list));
    for (int32_t s = 0; s < group->n_slots; s++) {
        int32_t node = groups->slots[group->slots[s].slot].node;
        if (group->slots[s].role != SLOT_PRODUCER || node == last) continue;
        TRY(report_add_text(ctx, list, node_label(graph, &graph->nodes[node])));
        last = node;
    }
done:
    return status;
}

static coset_status add_constants(coset_ctx *ctx, const coset_graph *graph,
                                  const graph_groups *groups, const unit_group *group,
                                  report_node *row)
{
    coset_status status = COSET_OK;
    report_node *list = NULL, *constant = NULL;
    TRY(report_list(ctx, row, "constants", &list));
    for (int32_t s = 0; s < group->n_slots; s++) {
        const label_slot *slot = &groups->slots[group->slots[s].slot];
        TRY(report_add_object(ctx, list, &constant));
        TRY(report_text(ctx, constant, "name", graph->values[slot->value].name));
        TRY(report_count(ctx, constant, "axis", slot->axis));
        TRY(report_text(ctx, constant, "role", role_name(group->slots[s].role)));
        TRY(report_count(ctx, constant, "repeats", group->slots[s].repeats));
    }
done:
    return status;
}

static coset_status add_group(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                              const unit_group *group, report_node *list)
{
    coset_status status = COSET_OK;
    char *reason = NULL;
    report_node *row = NULL;
    TRY(report_add_object(ctx, list, &row));
    TRY(report_text(ctx, row, "name", group->name));
    TRY(report_count(ctx, row, "units", group->n));
    TRY(report_flag(ctx, row, "cuttable", group->frozen == NULL));
    if (group->frozen != NULL) {
        const graph_node *node = group->frozen_by >= 0 ? &graph->nodes[group->frozen_by] : NULL;
        TRY(plan_reason(ctx, graph, group, &reason));
        TRY(report_text(ctx, row, "reason", reason));
        TRY(report_text(ctx, row, "node", node != NULL ? node_label(graph, node) : NULL));
        TRY(report_text(ctx, row, "op", node != NULL ? node->op_type : NULL));
    }
    TRY(report_text(ctx, row, "function", function_name(group->function)));
    TRY(add_producers(ctx, graph, groups, group, row));
    TRY(add_constants(ctx, graph, groups, group, row));
done:
    ctx_free(ctx, reason);
    return status;
}

/* Those that compress would find. */
static coset_status add_groups(coset_ctx *ctx, const coset_graph *graph, report_node *root)
{
    coset_status status = COSET_OK;
    graph_facts *facts = NULL;
    graph_groups *groups = NULL;
    report_node *list = NULL;
    coset_graph *prepared = NULL;
    TRY(graph_prepare(ctx, graph, &prepared));
    if (prepared != NULL) graph = prepared;
    TRY(graph_infer(ctx, graph, NULL, &facts));
    TRY(groups_find(ctx, graph, facts, &groups));
    TRY(report_list(ctx, root, "groups", &list));
    for (int64_t g = 0; g < groups->n; g++)
        TRY(add_group(ctx, graph, groups, &groups->groups[g], list));
done:
    groups_free(ctx, groups);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, prepared);
    return status;
}

coset_status coset_inspect(coset_ctx *ctx, const coset_graph *graph, coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_report *report = NULL;
    *report_out = NULL;
    TRY(report_new(ctx, REPORT_INSPECT, &report));
    TRY(report_input(ctx, report, graph->name, graph->digest));
    TRY(add_model(ctx, graph, report_root(report)));
    TRY(add_operators(ctx, graph, report_root(report)));
    TRY(add_groups(ctx, graph, report_root(report)));
    TRY(branches_report(ctx, graph, report_root(report)));
    *report_out = report;
    report = NULL;
done:
    if (status != COSET_OK && status != COSET_EMEMORY)
        status = ctx_fail_in(ctx, status, "%s", graph->name);
    coset_report_free(ctx, report);
    return status;
}
