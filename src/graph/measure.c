/* Size of a model: parameters, non-zeros, multiply-accumulates, bytes. */
#include <string.h>

#include "base/size.h"
#include "graph/infer.h"

/* Inputs that set how an operator works and hold no weights: bit i stands for input i. */
typedef struct setting_inputs {
    const char *op_type;
    unsigned mask;
} setting_inputs;

static const setting_inputs settings[] = {
    {"CenterCropPad", 1U << 1},
    {"Clip", 1U << 1 | 1U << 2},
    {"ConstantOfShape", 1U << 0},
    {"CumSum", 1U << 1},
    {"Dropout", 1U << 1 | 1U << 2},
    {"Expand", 1U << 1},
    {"Gather", 1U << 1},
    {"GatherElements", 1U << 1},
    {"GatherND", 1U << 1},
    {"NonMaxSuppression", 1U << 2 | 1U << 3 | 1U << 4},
    {"OneHot", 1U << 1 | 1U << 2},
    {"Pad", 1U << 1 | 1U << 2 | 1U << 3},
    {"Pow", 1U << 1},
    {"Range", 1U << 0 | 1U << 1 | 1U << 2},
    {"ReduceMax", 1U << 1},
    {"ReduceMean", 1U << 1},
    {"ReduceMin", 1U << 1},
    {"ReduceSum", 1U << 1},
    {"Reshape", 1U << 1},
    {"Resize", 1U << 1 | 1U << 2 | 1U << 3},
    {"Slice", 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4},
    {"Split", 1U << 1},
    {"Squeeze", 1U << 1},
    {"Tile", 1U << 1 | 1U << 2},
    {"TopK", 1U << 1},
    {"Trilu", 1U << 1},
    {"Unsqueeze", 1U << 1},
    {"Upsample", 1U << 1},
};

static unsigned setting_mask(const graph_node *node)
{
    if (node->domain[0] != '\0') return 0;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].op_type, node->op_type) == 0) return settings[i].mask;
    return 0;
}

/* Marks every value that a node reads as data, going backwards: what only sets an operator up, such
 * as the arithmetic that computes a target shape, makes nothing that it reads a weight. */
static void mark_data(const coset_graph *graph, bool *is_data)
{
    for (int64_t n = graph->n_nodes - 1; n >= 0; n--) {
        const graph_node *node = &graph->nodes[n];
        unsigned mask = setting_mask(node);
        bool counts = node->n_outputs == 0;
        for (int32_t i = 0; i < node->n_outputs && !counts; i++) {
            if (node->outputs[i] < 0) continue;
            const graph_value *output = &graph->values[node->outputs[i]];
            counts = is_data[node->outputs[i]] || output->is_output || output->n_consumers == 0;
        }
        if (!counts) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0 && !(i < 32 && (mask >> i & 1)))
                is_data[node->inputs[i]] = true;
        for (int32_t i = 0; i < node->n_captures; i++) is_data[node->captures[i]] = true;
    }
}

#define COUNT_KERNEL(name, type, mask)                                                             \
    static int64_t name(const void *data, int64_t n)                                               \
    {                                                                                              \
        const type *bits = data;                                                                   \
        int64_t count = 0;                                                                         \
        for (int64_t i = 0; i < n; i++) count += (bits[i] & (type)(mask)) != 0;                    \
        return count;                                                                              \
    }

COUNT_KERNEL(count_8, uint8_t, 0x7f)
COUNT_KERNEL(count_8_unsigned_zero, uint8_t, 0xff)
COUNT_KERNEL(count_16, uint16_t, 0x7fff)
COUNT_KERNEL(count_32, uint32_t, 0x7fffffffU)
COUNT_KERNEL(count_64, uint64_t, 0x7fffffffffffffffULL)

static int64_t count_4(const void *data, int64_t n)
{
    const uint8_t *bytes = data;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += (bytes[i / 2] >> (i % 2 ? 4 : 0) & 0x7) != 0;
    return count;
}

/* Elements that are not +0 or -0, on the stored bits: a sign bit alone is a zero, except in the
 * FNUZ types, where it is NaN. */
static int64_t count_nonzero(const tensor *self)
{
    int64_t n = tensor_elements(self);
    switch (self->dtype) {
    case COSET_F64: return count_64(self->data, n);
    case COSET_F32: return count_32(self->data, n);
    case COSET_F16:
    case COSET_BF16: return count_16(self->data, n);
    case COSET_F8E4M3FN:
    case COSET_F8E5M2: return count_8(self->data, n);
    case COSET_F8E4M3FNUZ:
    case COSET_F8E5M2FNUZ: return count_8_unsigned_zero(self->data, n);
    case COSET_F4E2M1: return count_4(self->data, n);
    default: return n;
    }
}

static coset_status measure_constants(coset_ctx *ctx, const coset_graph *graph,
                                      coset_graph_size *size)
{
    bool *is_data = NULL;
    coset_status status = ctx_alloc(ctx, graph->n_values, sizeof *is_data, &is_data);
    if (status != COSET_OK) return status;
    mark_data(graph, is_data);
    for (int64_t v = 0; v < graph->n_values; v++) {
        const tensor *constant = graph->values[v].constant;
        if (constant == NULL) continue;
        /* What a rewrite left without readers is not written. */
        if (graph->changed && graph->values[v].n_consumers == 0 && !graph->values[v].is_output)
            continue;
        size->bytes += (int64_t)constant->bytes;
        if (!is_data[v] || constant->shape.rank == 0 || !dtype_is_float(constant->dtype)) continue;
        size->params += tensor_elements(constant);
        size->nonzero += count_nonzero(constant);
    }
    ctx_free(ctx, is_data);
    return COSET_OK;
}

/* Cost of one node, 0 if it is computed once and for all; -1 if it is not known. */
static int64_t node_macs(coset_ctx *ctx, const coset_graph *graph, const graph_node *node,
                         const fact *in, fact *out)
{
    op_infer call = {.at = {.ctx = ctx,
                            .node = node,
                            .opset = graph->opset,
                            .n_in = node->n_inputs,
                            .n_out = node->n_outputs},
                     .in = in,
                     .out = out};
    bool computed = false;
    for (int32_t i = 0; i < node->n_outputs; i++)
        computed = computed || (node->outputs[i] >= 0 && out[i].constant == NULL &&
                                graph->values[node->outputs[i]].constant == NULL);
    if (!computed) return 0;
    if (node->op == NULL) return -1;
    if (node->op->macs == NULL) return 0;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] >= 0 && !shape_known(&in[i].shape)) return -1;
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] >= 0 && !shape_known(&out[i].shape)) return -1;
    return node->op->macs(&call);
}

static coset_status sum_macs(coset_ctx *ctx, const coset_graph *graph, graph_facts *facts,
                             int64_t *macs_out);

/* Cost of a node with subgraphs: of the dearest that may be taken; -1 if one is not known. The recursion
 * follows the nesting of the file, which the decoder has bounded. */
static coset_status branch_macs(coset_ctx *ctx, graph_facts *facts, const graph_node *node,
                                int64_t *macs_out)
{
    coset_status status = COSET_OK;
    graph_facts *inner = NULL;
    fact *inputs = NULL;
    int first = 0, end = 0;
    int64_t most = 0;
    branch_choice(facts, node, &first, &end);
    for (int b = first; b < end && most >= 0; b++) {
        const graph_branch *branch = &node->branches[b];
        int64_t macs = -1;
        TRY(ctx_alloc(ctx, branch->graph->n_inputs, sizeof *inputs, &inputs));
        branch_inputs(facts, node, branch, inputs);
        status = graph_infer_inside(ctx, branch->graph, inputs, facts, &inner);
        if (status == COSET_OK) TRY(sum_macs(ctx, branch->graph, inner, &macs));
        if (status == COSET_EMEMORY) goto done;
        status = COSET_OK;
        most = macs < 0 || macs > most ? macs : most;
        graph_facts_free(ctx, inner);
        ctx_free(ctx, inputs);
        inner = NULL;
        inputs = NULL;
    }
    *macs_out = most;
done:
    graph_facts_free(ctx, inner);
    ctx_free(ctx, inputs);
    return status;
}

static coset_status sum_macs(coset_ctx *ctx, const coset_graph *graph, graph_facts *facts,
                             int64_t *macs_out)
{
    coset_status status = COSET_OK;
    fact *in = NULL, *out = NULL;
    int32_t n_in = 0, n_out = 0;
    int64_t sum = 0;
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        if (graph->nodes[n].n_inputs > n_in) n_in = graph->nodes[n].n_inputs;
        if (graph->nodes[n].n_outputs > n_out) n_out = graph->nodes[n].n_outputs;
    }
    TRY(ctx_alloc(ctx, n_in, sizeof *in, &in));
    TRY(ctx_alloc(ctx, n_out, sizeof *out, &out));
    for (int64_t n = 0; n < graph->n_nodes && sum >= 0; n++) {
        const graph_node *node = &graph->nodes[n];
        graph_node_facts(facts, node, in, out);
        int64_t macs = node_macs(ctx, graph, node, in, out);
        if (macs == 0 && node->n_branches > 0) TRY(branch_macs(ctx, facts, node, &macs));
        if (macs < 0)
            sum = -1;
        else if (!dim_add(sum, macs, &sum))
            sum = INT64_MAX;
    }
    *macs_out = sum;
done:
    ctx_free(ctx, in);
    ctx_free(ctx, out);
    return status;
}

static coset_status measure_macs(coset_ctx *ctx, const coset_graph *graph, coset_graph_size *size)
{
    graph_facts *facts = NULL;
    coset_status status = graph_infer(ctx, graph, NULL, &facts);
    if (status == COSET_OK) status = sum_macs(ctx, graph, facts, &size->macs);
    graph_facts_free(ctx, facts);
    return status;
}

coset_status coset_graph_measure(coset_ctx *ctx, const coset_graph *graph,
                                 coset_graph_size *size_out)
{
    coset_graph_size size = {0, 0, 0, 0};
    *size_out = size;
    coset_status status = measure_constants(ctx, graph, &size);
    if (status == COSET_OK) status = measure_macs(ctx, graph, &size);
    if (status == COSET_OK) *size_out = size;
    return status;
}
