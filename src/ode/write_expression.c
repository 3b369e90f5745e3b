#include "ode/write_expression.h"

#include <math.h>

#include "ode/evaluate.h"

/* How tightly an expression holds together; what binds less than its place asks for gets parentheses. */
typedef enum binding { BINDS_SUM, BINDS_PRODUCT, BINDS_SIGN, BINDS_POWER, BINDS_OPERAND } binding;

static binding number_binding(number value)
{
    char text[NUMBER_TEXT];
    bool fraction = false;
    number_text(value, text, &fraction);
    if (fraction) return BINDS_PRODUCT;
    return value.value < 0 ? BINDS_SIGN : BINDS_OPERAND;
}

static binding expression_binding(const expression *self)
{
    switch (self->kind) {
    case EXPRESSION_ADD:
    case EXPRESSION_SUB: return BINDS_SUM;
    case EXPRESSION_MUL:
    case EXPRESSION_DIV: return BINDS_PRODUCT;
    case EXPRESSION_NEGATE: return BINDS_SIGN;
    case EXPRESSION_POWER: return BINDS_POWER;
    case EXPRESSION_NUMBER: return number_binding(self->number);
    default: return BINDS_OPERAND;
    }
}

static bool left_needs_parentheses(const expression *parent)
{
    switch (parent->kind) {
    case EXPRESSION_MUL:
    case EXPRESSION_DIV:
        return parent->left->kind == EXPRESSION_ADD || parent->left->kind == EXPRESSION_SUB;
    case EXPRESSION_NEGATE:
    case EXPRESSION_POWER: return expression_binding(parent->left) < BINDS_OPERAND;
    default: return false;
    }
}

static bool right_needs_parentheses(const expression *parent)
{
    switch (parent->kind) {
    case EXPRESSION_ADD:
    case EXPRESSION_SUB:
        return parent->right->kind == EXPRESSION_ADD || parent->right->kind == EXPRESSION_SUB;
    case EXPRESSION_MUL:
    case EXPRESSION_DIV: return expression_binding(parent->right) < BINDS_SIGN;
    case EXPRESSION_POWER:
        return expression_binding(parent->right) < BINDS_SIGN ||
               parent->right->kind == EXPRESSION_POWER;
    default: return false;
    }
}

void write_number(text_buffer *into, number value)
{
    char text[NUMBER_TEXT];
    bool fraction = false;
    if (!isfinite(value.value)) {
        if (into->status == COSET_OK)
            into->status = ctx_fail(into->ctx, COSET_ENUMERIC, "a number that is not finite");
        return;
    }
    number_text(value, text, &fraction);
    if (value.value < 0) text_putc(into, '-');
    text_puts(into, text);
}

typedef struct expression_writer {
    text_buffer *into;
    const ode_model *model;
} expression_writer;

static void put_right(expression_writer *self, const expression *node, const char *operator)
{
    bool parentheses = right_needs_parentheses(node);
    text_puts(self->into, operator);
    if (parentheses) text_putc(self->into, '(');
    write_expression(self->into, self->model, node->right);
    if (parentheses) text_putc(self->into, ')');
}

static const char *name_text(const ode_model *model, name_id id)
{
    int64_t index = name_index(id);
    return name_is_variable(id) ? model->variables[index].name : model->parameters[index].name;
}

/* What comes behind the left operand. */
static coset_status put_rest(void *user, const expression *node)
{
    expression_writer *self = user;
    if (node->left != NULL && left_needs_parentheses(node)) text_putc(self->into, ')');
    switch (node->kind) {
    case EXPRESSION_NUMBER: write_number(self->into, node->number); break;
    case EXPRESSION_NAME: text_puts(self->into, name_text(self->model, node->name)); break;
    case EXPRESSION_NEGATE: break;
    case EXPRESSION_ADD: put_right(self, node, " + "); break;
    case EXPRESSION_SUB: put_right(self, node, " - "); break;
    case EXPRESSION_MUL: put_right(self, node, "*"); break;
    case EXPRESSION_DIV: put_right(self, node, "/"); break;
    case EXPRESSION_POWER: put_right(self, node, "^"); break;
    case EXPRESSION_MIN:
    case EXPRESSION_MAX:
        put_right(self, node, ", ");
        text_putc(self->into, ')');
        break;
    case EXPRESSION_ABS: text_putc(self->into, ')'); break;
    }
    return self->into->status;
}

void write_expression(text_buffer *into, const ode_model *model, const expression *self)
{
    expression_writer writer = {into, model};
    for (const expression *node = self; node->left != NULL; node = node->left) {
        if (node->kind == EXPRESSION_NEGATE) text_putc(into, '-');
        if (node->kind == EXPRESSION_MIN) text_puts(into, "min(");
        if (node->kind == EXPRESSION_MAX) text_puts(into, "max(");
        if (node->kind == EXPRESSION_ABS) text_puts(into, "abs(");
        if (left_needs_parentheses(node)) text_putc(into, '(');
    }
    coset_status status = expression_climb(self, put_rest, &writer);
    if (into->status == COSET_OK) into->status = status;
}
