/* A trained network as a graph that can be compressed and saved. */
#include <stdio.h>
#include <string.h>

#include "train/dense.h"

enum { OPSET = 13, NAME = 32 };

static coset_status add_params(coset_ctx *ctx, coset_graph *graph, const char *name,
                               const float *params, shape dims, int32_t *value_out)
{
    coset_status status = COSET_OK;
    tensor *constant = NULL;
    array values = {.dtype = COSET_F32, .shape = dims, .data = (void *)(uintptr_t)params};
    TRY(graph_add_value(ctx, graph, name, value_out));
    TRY(tensor_from_array(ctx, &values, &constant));
    graph_set_constant(ctx, graph, *value_out, constant);
done:
    tensor_release(ctx, constant);
    return status;
}

/* A value of shape [batch, width] with a symbolic "batch". */
static coset_status add_rows(coset_ctx *ctx, coset_graph *graph, const char *name, int64_t width,
                             int32_t *value_out)
{
    coset_status status = COSET_OK;
    const char **names = NULL;
    TRY(graph_add_value(ctx, graph, name, value_out));
    TRY(arena_alloc(ctx, &graph->arena, 2, sizeof *names, &names));
    TRY(arena_string(ctx, &graph->arena, "batch", strlen("batch"), &names[0]));
    graph_value *value = &graph->values[*value_out];
    value->dtype = COSET_F32;
    value->shape = (shape){.rank = 2, .dims = {-1, width}};
    value->dim_names = names;
done:
    return status;
}

/* Node "fcN"; `output` is the name of what it gives. */
static coset_status add_layer(coset_ctx *ctx, const dense_net *net, coset_graph *graph, int l,
                              int32_t from, const char *output, int32_t *value_out)
{
    coset_status status = COSET_OK;
    char name[NAME], part[NAME + 8];
    int32_t inputs[3] = {from, -1, -1}, node = -1;
    int64_t in = net->widths[l], out = net->widths[l + 1];
    const graph_attr transposed = {.name = "transB", .kind = ATTR_INT, .i = 1};
    snprintf(name, sizeof name, "fc%d", l + 1);
    snprintf(part, sizeof part, "%s.weight", name);
    TRY(add_params(ctx, graph, part, net->params + net->weight_at[l],
                   (shape){.rank = 2, .dims = {out, in}}, &inputs[1]));
    snprintf(part, sizeof part, "%s.bias", name);
    TRY(add_params(ctx, graph, part, net->params + net->bias_at[l],
                   (shape){.rank = 1, .dims = {out}}, &inputs[2]));
    TRY(add_rows(ctx, graph, output, out, value_out));
    TRY(graph_add_node(ctx, graph, name, "", "Gemm", inputs, 3, value_out, 1, &node));
    TRY(graph_add_attr(ctx, graph, node, &transposed));
done:
    return status;
}

static coset_status add_activation(coset_ctx *ctx, const dense_net *net, coset_graph *graph, int l,
                                   int32_t from, int32_t *value_out)
{
    coset_status status = COSET_OK;
    char name[NAME], output[NAME + 8];
    int32_t node = -1;
    bool is_tanh = net->activation == DENSE_TANH;
    snprintf(name, sizeof name, "%s%d", is_tanh ? "tanh" : "relu", l + 1);
    snprintf(output, sizeof output, "%s_output", name);
    TRY(add_rows(ctx, graph, output, net->widths[l + 1], value_out));
    TRY(graph_add_node(ctx, graph, name, "", is_tanh ? "Tanh" : "Relu", &from, 1, value_out, 1,
                       &node));
done:
    return status;
}

coset_status dense_graph(coset_ctx *ctx, const dense_net *net, const char *name,
                         coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    coset_graph *graph = NULL;
    int32_t at = -1, next = -1;
    *graph_out = NULL;
    TRY(graph_new(ctx, name, OPSET, &graph));
    TRY(add_rows(ctx, graph, "x", net->widths[0], &at));
    TRY(graph_add_input(ctx, graph, at));
    for (int l = 0; l < net->n_layers; l++) {
        char output[NAME];
        bool last = l + 1 == net->n_layers;
        snprintf(output, sizeof output, "fc%d_output", l + 1);
        TRY(add_layer(ctx, net, graph, l, at, last ? "y" : output, &next));
        at = next;
        if (last) break;
        TRY(add_activation(ctx, net, graph, l, at, &next));
        at = next;
    }
    TRY(graph_add_output(ctx, graph, at));
    TRY(graph_check(ctx, graph));
    *graph_out = graph;
    graph = NULL;
done:
    coset_graph_free(ctx, graph);
    return status;
}
