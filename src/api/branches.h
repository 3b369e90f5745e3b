/* Layers that no unit group can hold: those in the branches of an If. */
#ifndef COSET_API_BRANCHES_H
#define COSET_API_BRANCHES_H

#include "graph/infer.h"
#include "report/report.h"

/* Adds every node with layers in its branches to the list "skipped" of a report: name, reason. */
COSET_MUST_USE coset_status branches_report(coset_ctx *ctx, const coset_graph *graph,
                                            report_node *root);

#endif
