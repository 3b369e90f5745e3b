#include "lump/rounding.h"

#include <coset/compress.h>
#include <string.h>

/* Runtimes compute channels in blocks of 16, so that 24 cost what 32 do. Of less than two blocks hardly
 * anything could go. */
enum { STEP = 8, BLOCK = 16, WIDE = 2 * BLOCK };

static bool is_convolution(const graph_node *node)
{
    return strcmp(node->op_type, "Conv") == 0 || strcmp(node->op_type, "ConvTranspose") == 0;
}

/* Whether the units are channels that a convolution makes or reads. */
static bool are_channels(const coset_graph *graph, const graph_groups *groups,
                         const unit_group *group)
{
    for (int32_t s = 0; s < group->n_slots; s++)
        if (is_convolution(&graph->nodes[groups->slots[group->slots[s].slot].node])) return true;
    return false;
}

void rounding_steps(const coset_graph *graph, const graph_groups *groups, int64_t round_to,
                    int64_t *steps)
{
    for (int64_t g = 0; g < groups->n; g++) {
        const unit_group *group = &groups->groups[g];
        steps[g] = round_to > 1 ? round_to : 1;
        if (round_to == COSET_ROUND_AUTO)
            steps[g] = group->n >= WIDE && are_channels(graph, groups, group) ? BLOCK : STEP;
    }
}
