/* Graphs built by hand in tests: short calls that assert. */
#ifndef COSET_TESTS_SUPPORT_BUILD_H
#define COSET_TESTS_SUPPORT_BUILD_H

#include "support/linalg.h"

#include <stdio.h>
#include <string.h>

#include "graph/ir.h"

/* A graph that is being built. */
typedef struct builder {
    coset_ctx *ctx;
    coset_graph *graph;
} builder;

static inline builder build_start(coset_ctx *ctx, int64_t opset)
{
    builder self = {ctx, NULL};
    assert_int_equal(graph_new(ctx, "built.onnx", opset, &self.graph), COSET_OK);
    return self;
}

static inline int32_t build_value(builder *self, const char *name)
{
    int32_t value = -1;
    assert_int_equal(graph_add_value(self->ctx, self->graph, name, &value), COSET_OK);
    return value;
}

/* Dimensions as text: "2 ? 5"; "" is a scalar. */
static inline shape build_shape(const char *text)
{
    shape made = {.rank = 0};
    while (*text != '\0') {
        while (*text == ' ') text++;
        if (*text == '\0') break;
        char *end = NULL;
        if (*text == '?') {
            made.dims[made.rank++] = -1;
            text++;
        } else {
            made.dims[made.rank++] = strtoll(text, &end, 10);
            text = end;
        }
    }
    return made;
}

static inline int32_t build_input(builder *self, const char *name, coset_dtype dtype,
                                  const char *dims)
{
    int32_t value = build_value(self, name);
    self->graph->values[value].dtype = dtype;
    self->graph->values[value].shape = build_shape(dims);
    assert_int_equal(graph_add_input(self->ctx, self->graph, value), COSET_OK);
    return value;
}

/* An initialiser with data in its declared element type. */
static inline int32_t build_constant(builder *self, const char *name, coset_dtype dtype,
                                     const char *dims, const void *data)
{
    int32_t value = build_value(self, name);
    shape known = build_shape(dims);
    size_t bytes = 0;
    void *copy = NULL;
    tensor *made = NULL;
    assert_int_equal(tensor_bytes(self->ctx, dtype, &known, &bytes), COSET_OK);
    assert_int_equal(ctx_alloc(self->ctx, (int64_t)bytes, 1, &copy), COSET_OK);
    if (bytes > 0) memcpy(copy, data, bytes);
    assert_int_equal(tensor_new(self->ctx, dtype, &known, copy, bytes, &made), COSET_OK);
    graph_set_constant(self->ctx, self->graph, value, made);
    self->graph->values[value].is_initialiser = true;
    tensor_release(self->ctx, made);
    return value;
}

static inline int32_t build_node_n(builder *self, const char *domain, const char *type,
                                   const int32_t *inputs, int32_t n_inputs, const int32_t *outputs,
                                   int32_t n_outputs)
{
    int32_t node = -1;
    char name[64];
    snprintf(name, sizeof name, "%s_%d", type, (int)self->graph->n_nodes);
    assert_int_equal(graph_add_node(self->ctx, self->graph, name, domain, type, inputs, n_inputs,
                                    outputs, n_outputs, &node),
                     COSET_OK);
    return node;
}

/* A node of one or two inputs (b = -1: one) and a new output of the given name, which it returns. */
static inline int32_t build_op(builder *self, const char *type, int32_t a, int32_t b,
                               const char *output)
{
    int32_t inputs[2] = {a, b}, result = build_value(self, output);
    build_node_n(self, "", type, inputs, b < 0 ? 1 : 2, &result, 1);
    return result;
}

static inline void build_int_attr(builder *self, int32_t node, const char *name, int64_t i)
{
    graph_attr attr = {.name = name, .kind = ATTR_INT, .i = i};
    assert_int_equal(graph_add_attr(self->ctx, self->graph, node, &attr), COSET_OK);
}

static inline void build_output(builder *self, int32_t value)
{
    assert_int_equal(graph_add_output(self->ctx, self->graph, value), COSET_OK);
}

static inline const coset_graph *build_finish(builder *self)
{
    coset_status status = graph_check(self->ctx, self->graph);
    if (status != COSET_OK) fail_msg("graph_check: %s", coset_ctx_error(self->ctx));
    return self->graph;
}

#endif
