/* Operators that move elements and compute nothing. */
#include <string.h>

#include "api/encode.h"

/* Flatten, Reshape, Squeeze, Unsqueeze, Identity, Cast, Dropout: the same elements in the same order. */
coset_status encode_copied(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    double *trains = NULL;
    symbolic x, y;
    shape dims;
    if (strcmp(node->op_type, "Cast") == 0 &&
        !dtype_is_float((coset_dtype)node_attr_int(node, "to", 0)))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it rounds to integers");
    if (strcmp(node->op_type, "Dropout") == 0) TRY(encode_constant(self, node, 2, &trains, &dims));
    if (trains != NULL && trains[0] != 0) {
        status = node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it is in training mode");
        goto done;
    }
    TRY(encode_operand(self, node, 0, &x));
    TRY(encode_result(self, node, true, &y));
    if (x.n != y.n) {
        status =
            node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it changes the number of elements");
        goto done;
    }
    memcpy(y.at, x.at, (size_t)y.n * sizeof *y.at);
done:
    ctx_free(self->ctx, trains);
    return status;
}

/* What a kernel is run on to find out where it moves elements: their numbers, counted over all data
 * inputs. */
typedef struct move {
    array *in;    /* [n_inputs] */
    fact *facts;  /* [n_inputs + 1], the last is the output's */
    form **forms; /* by number, in the arena */
    int64_t n;
} move;

static coset_status number_input(encoder *self, const graph_node *node, int index, move *at)
{
    coset_status status = COSET_OK;
    symbolic x;
    shape dims;
    int64_t n = 0, *numbers = NULL;
    form **all = NULL;
    TRY(encode_operand(self, node, index, &x));
    TRY(encode_shape(self, node, node->inputs[index], &dims, &n));
    TRY(arena_alloc(self->ctx, &self->net.arena, at->n + n, sizeof *all, &all));
    if (at->n > 0) memcpy(all, at->forms, (size_t)at->n * sizeof *all);
    memcpy(all + at->n, x.at, (size_t)n * sizeof *all);
    TRY(arena_alloc(self->ctx, &self->net.arena, n, sizeof *numbers, &numbers));
    for (int64_t i = 0; i < n; i++) numbers[i] = at->n + i;
    at->in[index] = (array){.dtype = COSET_I64, .shape = dims, .i = numbers};
    at->facts[index] = (fact){.dtype = COSET_I64, .shape = dims};
    at->forms = all;
    at->n += n;
done:
    return status;
}

static coset_status prepare(encoder *self, const graph_node *node, move *at)
{
    bool joins = strcmp(node->op_type, "Concat") == 0;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        at->in[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        at->facts[i] = *graph_fact(self->facts, node->inputs[i]);
        if (node->inputs[i] < 0) continue;
        if (i == 0 || joins) {
            coset_status status = number_input(self, node, i, at);
            if (status != COSET_OK) return status;
            continue;
        }
        if (at->facts[i].constant == NULL)
            return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "input %d is not a constant", i);
        at->in[i] = *at->facts[i].constant;
    }
    return COSET_OK;
}

/* Transpose, Gather, Concat: the operator's own kernel moves the numbers of elements. */
coset_status encode_moved(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    move at = {NULL, NULL, NULL, 0};
    array out = {.dtype = COSET_I64};
    void *scratch = NULL;
    symbolic y;
    int64_t n = 0;
    op_node view = {self->ctx, node, self->graph->opset, node->n_inputs, node->n_outputs};
    TRY(ctx_alloc(self->ctx, node->n_inputs, sizeof *at.in, &at.in));
    TRY(ctx_alloc(self->ctx, (int64_t)node->n_inputs + 1, sizeof *at.facts, &at.facts));
    TRY(prepare(self, node, &at));
    TRY(encode_shape(self, node, node->outputs[0], &out.shape, &n));
    TRY(ctx_alloc(self->ctx, n, sizeof *out.i, &out.i));
    at.facts[node->n_inputs] = (fact){.dtype = COSET_I64, .shape = out.shape};
    op_infer sizes = {view, at.facts, &at.facts[node->n_inputs]};
    if (node->op->scratch != NULL)
        TRY(ctx_alloc(self->ctx, (int64_t)node->op->scratch(&sizes), 1, &scratch));
    op_call call = {view, at.in, &out, scratch, 1};
    TRY(node->op->forward(&call));
    TRY(encode_result(self, node, true, &y));
    for (int64_t e = 0; e < n; e++) y.at[e] = at.forms[out.i[e]];
done:
    ctx_free(self->ctx, at.in);
    ctx_free(self->ctx, at.facts);
    ctx_free(self->ctx, out.i);
    ctx_free(self->ctx, scratch);
    return status;
}
