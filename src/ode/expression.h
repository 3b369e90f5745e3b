/* Arithmetic expressions over numbers and names, as they stand in a model file. */
#ifndef COSET_ODE_EXPRESSION_H
#define COSET_ODE_EXPRESSION_H

#include "base/arena.h"
#include "ode/number.h"

typedef enum expression_kind {
    EXPRESSION_NUMBER,
    EXPRESSION_NAME, /* parameter or variable */
    EXPRESSION_NEGATE,
    EXPRESSION_ADD,
    EXPRESSION_SUB,
    EXPRESSION_MUL,
    EXPRESSION_DIV,
    EXPRESSION_POWER,
    EXPRESSION_MIN,
    EXPRESSION_MAX,
    EXPRESSION_ABS
} expression_kind;

/* Where something starts in the text; both count from 1. {0, 0}: made by the program. */
typedef struct text_place {
    int32_t line, column;
} text_place;

/* What a name stands for: a parameter p is its index p, a variable v is ~v. */
typedef int32_t name_id;
static inline bool name_is_variable(name_id id)
{
    return id < 0;
}
static inline int64_t name_index(name_id id)
{
    return id < 0 ? ~id : id;
}

/* A node; lives in the model's arena. Sums and products of the parser lean to the left, so they may
 * be as deep as they are long: walk left spines in loops. The parser bounds all other nesting. */
typedef struct expression {
    expression_kind kind;
    name_id name;                          /* EXPRESSION_NAME */
    number number;                         /* EXPRESSION_NUMBER, >= 0 when parsed */
    const struct expression *left, *right; /* right is NULL for NEGATE and ABS */
    text_place place;
} expression;

COSET_MUST_USE coset_status expression_number(coset_ctx *ctx, arena *into, number value,
                                              const expression **out);
COSET_MUST_USE coset_status expression_name(coset_ctx *ctx, arena *into, name_id id,
                                            const expression **out);
/* One or two operands; right is NULL for NEGATE and ABS. */
COSET_MUST_USE coset_status expression_make(coset_ctx *ctx, arena *into, expression_kind kind,
                                            const expression *left, const expression *right,
                                            const expression **out);

/* Whether it is made from names, of parameters or variables. NULL: no. */
bool expression_has_names(const expression *self);

/* Calls `visit` for every node on the left spine of `top` (top, its left operand, and so on), the leaf
 * first and `top` last, until one fails. Right operands are the visitor's affair, which may recurse into
 * them. Cost: d log d steps for d nodes, no memory; stack: log d frames. */
typedef coset_status (*expression_visit)(void *user, const expression *node);
COSET_MUST_USE coset_status expression_climb(const expression *top, expression_visit visit,
                                             void *user);
/* Copies an expression, iteratively along left spines, with all its places. */
COSET_MUST_USE coset_status expression_copy(coset_ctx *ctx, arena *into, const expression *from,
                                            const expression **out);

#endif
