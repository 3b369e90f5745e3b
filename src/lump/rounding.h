/* What widths become multiples of.   Source: measured (docs/design-notes.md, "Multiples"). */
#ifndef COSET_LUMP_ROUNDING_H
#define COSET_LUMP_ROUNDING_H

#include "graph/groups.h"

/* steps [groups->n] written, in units: the same for every group, or with COSET_ROUND_AUTO what each
 * group's operators compute at once. Cost: O(slots). */
void rounding_steps(const coset_graph *graph, const graph_groups *groups, int64_t round_to,
                    int64_t *steps);

#endif
