#include <string.h>

#include "lump/apply.h"

static bool same_tensor(const tensor *a, const tensor *b)
{
    return a == b || (a->dtype == b->dtype && shape_equal(&a->shape, &b->shape) &&
                      memcmp(a->data, b->data, a->bytes) == 0);
}

/* A constant that another reader of `value` got already and that is the same; -1: there is none. */
static int32_t find_placed(const coset_graph *graph, const coset_graph *out, int32_t value,
                           const tensor *fresh)
{
    const graph_value *old = &graph->values[value];
    for (int32_t c = 0; c < old->n_consumers; c++) {
        const graph_node *other = &graph->nodes[old->consumers[c]];
        for (int32_t j = 0; j < other->n_inputs; j++) {
            int32_t now = out->nodes[old->consumers[c]].inputs[j];
            if (other->inputs[j] == value && now != value &&
                same_tensor(out->values[now].constant, fresh))
                return now;
        }
    }
    return -1;
}

coset_status place_constant(coset_ctx *ctx, const coset_graph *graph, coset_graph *out,
                            int32_t value, int32_t node, tensor *fresh)
{
    coset_status status = COSET_OK;
    const graph_value *old = &graph->values[value];
    const graph_node *reader = &graph->nodes[node];
    int64_t nonfinite = tensor_find_nonfinite(fresh);
    if (nonfinite >= 0)
        return ctx_fail(ctx, COSET_ENUMERIC, "%s: the new '%s' is not finite at element %lld",
                        graph->name, old->name, (long long)nonfinite);
    if (old->n_consumers == 1 && !old->is_output) {
        graph_set_constant(ctx, out, value, fresh);
        return COSET_OK;
    }
    for (int32_t i = 0; i < reader->n_inputs; i++) {
        if (reader->inputs[i] != value) continue;
        int32_t target = find_placed(graph, out, value, fresh);
        if (target >= 0) {
            graph_rewire(out, node, i, target);
            continue;
        }
        TRY(graph_copy_constant(ctx, out, node, i, &target));
        graph_set_constant(ctx, out, target, fresh);
    }
done:
    return status;
}
