/* What is in a model and what can be cut. */
#ifndef COSET_INSPECT_H
#define COSET_INSPECT_H

#include <coset/graph.h>
#include <coset/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Size, operators (with those that cannot be run), inputs and outputs, and every unit group: its
 * producers, units, constants, whether it can be cut, and if not, why and because of which node.
 * Works on graphs with unknown operators. Errors: COSET_EFORMAT if inputs of a node do not fit. */
COSET_API COSET_MUST_USE coset_status coset_inspect(coset_ctx *ctx, const coset_graph *graph,
                                                    coset_report **report_out);

#ifdef __cplusplus
}
#endif

#endif
