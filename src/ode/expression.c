#include "ode/expression.h"

static coset_status make(coset_ctx *ctx, arena *into, expression node, const expression **out)
{
    expression *made = NULL;
    coset_status status = arena_alloc(ctx, into, 1, sizeof *made, &made);
    if (status != COSET_OK) return status;
    *made = node;
    *out = made;
    return COSET_OK;
}

coset_status expression_number(coset_ctx *ctx, arena *into, number value, const expression **out)
{
    return make(ctx, into, (expression){.kind = EXPRESSION_NUMBER, .number = value}, out);
}

coset_status expression_name(coset_ctx *ctx, arena *into, name_id id, const expression **out)
{
    return make(ctx, into, (expression){.kind = EXPRESSION_NAME, .name = id}, out);
}

coset_status expression_make(coset_ctx *ctx, arena *into, expression_kind kind,
                             const expression *left, const expression *right,
                             const expression **out)
{
    return make(ctx, into,
                (expression){.kind = kind, .left = left, .right = right, .place = left->place},
                out);
}

enum { RUN = 32 }; /* nodes that are remembered at a time */

/* The `length` nodes from `top` down, the lowest first. Nodes do not know their parents; so halves are
 * walked one after the other, each from its own top. */
static coset_status climb(const expression *top, int64_t length, expression_visit visit, void *user)
{
    coset_status status = COSET_OK;
    if (length > RUN) {
        const expression *middle = top;
        for (int64_t i = 0; i < length / 2; i++) middle = middle->left;
        status = climb(middle, length - length / 2, visit, user);
        return status != COSET_OK ? status : climb(top, length / 2, visit, user);
    }
    const expression *nodes[RUN];
    for (int64_t i = 0; i < length; i++, top = top->left) nodes[i] = top;
    for (int64_t i = length - 1; i >= 0 && status == COSET_OK; i--) status = visit(user, nodes[i]);
    return status;
}

coset_status expression_climb(const expression *top, expression_visit visit, void *user)
{
    int64_t length = 0;
    for (const expression *node = top; node != NULL; node = node->left) length++;
    return climb(top, length, visit, user);
}

bool expression_has_names(const expression *self)
{
    for (; self != NULL; self = self->left)
        if (self->kind == EXPRESSION_NAME || expression_has_names(self->right)) return true;
    return false;
}

coset_status expression_copy(coset_ctx *ctx, arena *into, const expression *from,
                             const expression **out)
{
    *out = NULL;
    const expression **place = out;
    for (; from != NULL; from = from->left) {
        expression *copy = NULL;
        coset_status status = arena_alloc(ctx, into, 1, sizeof *copy, &copy);
        if (status != COSET_OK) return status;
        *copy = *from;
        *place = copy;
        place = &copy->left;
        if (from->right == NULL) continue;
        status = expression_copy(ctx, into, from->right, &copy->right);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}
