#include "api/branches.h"

coset_status branches_report(coset_ctx *ctx, const coset_graph *graph, report_node *root)
{
    coset_status status = COSET_OK;
    report_node *skipped = NULL, *entry = NULL;
    TRY(report_list(ctx, root, "skipped", &skipped));
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        if (!branch_has_layers(node)) continue;
        TRY(report_add_object(ctx, skipped, &entry));
        TRY(report_text(ctx, entry, "name", node_label(graph, node)));
        TRY(report_text(ctx, entry, "reason", "the layers in its branches are left as they are"));
    }
done:
    return status;
}
