/* What carrying out a plan consists of: see plan_apply. */
#ifndef COSET_LUMP_APPLY_H
#define COSET_LUMP_APPLY_H

#include "lump/plan.h"

/* Puts a new constant in place of `value` for one reader. Other readers keep the old one: they get their own turn,
 * and share the new one if theirs turns out the same.
 *   graph  as it was
 *   out    a copy of it that is being changed, with its nodes at the same places; takes a reference of its own
 * Errors: COSET_ENUMERIC naming the constant if `fresh` is not finite; COSET_EMEMORY. */
COSET_MUST_USE coset_status place_constant(coset_ctx *ctx, const coset_graph *graph,
                                           coset_graph *out, int32_t value, int32_t node,
                                           tensor *fresh);

/* True if units of some group are bypassed. */
bool plan_bypasses(const coset_plan *plan);
/* plan_apply of such a plan, which fits the groups: lays its lines, then cuts what was laid. */
COSET_MUST_USE coset_status plan_apply_bypasses(coset_ctx *ctx, const coset_graph *graph,
                                                const graph_facts *facts,
                                                const graph_groups *groups, const coset_plan *plan,
                                                coset_graph **graph_out);

#endif
