/* What a model costs as a function of the widths of its groups. */
#ifndef COSET_LUMP_COST_H
#define COSET_LUMP_COST_H

#include "graph/groups.h"

typedef struct cost_model cost_model;

/* Parameters and MACs as functions of the kept units of every group: exact for constants that are
 * read once; a constant with several readers counts once for every different way in which it may be
 * cut once it is cut. Cost: O(slots). */
COSET_MUST_USE coset_status cost_model_new(coset_ctx *ctx, const coset_graph *graph,
                                           const graph_facts *facts, const graph_groups *groups,
                                           cost_model **model_out);
typedef enum cost_kind { COST_PARAMS, COST_MACS } cost_kind;

/* widths [groups->n] kept units of every group. Cost: O(constants). */
int64_t cost_of(const cost_model *self, cost_kind kind, const int64_t *widths);
/* Change when one group goes to `width`. Cost: O(constants that the group touches). */
int64_t cost_change(const cost_model *self, cost_kind kind, const int64_t *widths, int64_t group,
                    int64_t width);
void cost_model_free(coset_ctx *ctx, cost_model *self);

/* MACs of one node at full widths; 0 if they are not known. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status cost_node_macs(coset_ctx *ctx, const coset_graph *graph,
                                           const graph_facts *facts, const graph_node *node,
                                           int64_t *macs_out);

#endif
