#include "ode/excerpt.h"

#include <stdio.h>
#include <string.h>

typedef struct excerpt {
    const ode_model *model;
    char *text;
    size_t length; /* EXCERPT_SIZE: full */
} excerpt;

static void put(excerpt *self, const char *word)
{
    size_t room = EXCERPT_SIZE - 1 - self->length, length = strlen(word);
    if (self->length == EXCERPT_SIZE) return;
    if (length <= room) {
        memcpy(self->text + self->length, word, length + 1);
        self->length += length;
        return;
    }
    memcpy(self->text + self->length, word, room);
    memcpy(self->text + EXCERPT_SIZE - 4, "...", 4);
    self->length = EXCERPT_SIZE;
}

static int rank(const expression *node)
{
    switch (node->kind) {
    case EXPRESSION_ADD:
    case EXPRESSION_SUB: return 1;
    case EXPRESSION_MUL:
    case EXPRESSION_DIV: return 2;
    case EXPRESSION_NEGATE: return 3;
    case EXPRESSION_POWER: return 4;
    case EXPRESSION_NUMBER:
    case EXPRESSION_NAME:
    case EXPRESSION_MIN:
    case EXPRESSION_MAX:
    case EXPRESSION_ABS: break;
    }
    return 5;
}

static const char *function_of(const expression *node)
{
    switch (node->kind) {
    case EXPRESSION_MIN: return "min(";
    case EXPRESSION_MAX: return "max(";
    case EXPRESSION_ABS: return "abs(";
    default: return NULL;
    }
}

static const char *operator_of(const expression *node)
{
    switch (node->kind) {
    case EXPRESSION_ADD: return " + ";
    case EXPRESSION_SUB: return " - ";
    case EXPRESSION_MUL: return " * ";
    case EXPRESSION_DIV: return " / ";
    case EXPRESSION_POWER: return "^";
    default: return ", ";
    }
}

/* Whether a left operand stands in parentheses; those of functions never do. */
static bool wraps_left(const expression *node)
{
    if (function_of(node) != NULL) return false;
    return rank(node->left) < rank(node) + (node->kind == EXPRESSION_POWER);
}

static bool wraps_right(const expression *node)
{
    return function_of(node) == NULL && rank(node->right) <= rank(node);
}

static void print(excerpt *self, const expression *node);

static coset_status visit(void *user, const expression *node)
{
    excerpt *self = user;
    char word[32];
    name_id id = node->name;
    if (node->kind == EXPRESSION_NUMBER) {
        snprintf(word, sizeof word, "%.12g", node->number.value);
        put(self, word);
    } else if (node->kind == EXPRESSION_NAME) {
        put(self, name_is_variable(id) ? self->model->variables[name_index(id)].name
                                       : self->model->parameters[id].name);
    } else {
        if (wraps_left(node)) put(self, ")");
        if (node->right != NULL) {
            put(self, operator_of(node));
            if (wraps_right(node)) put(self, "(");
            if (self->length < EXCERPT_SIZE) print(self, node->right);
            if (wraps_right(node)) put(self, ")");
        }
        if (function_of(node) != NULL) put(self, ")");
    }
    /* Ends the climb when nothing more fits. */
    return self->length < EXCERPT_SIZE ? COSET_OK : COSET_ELIMIT;
}

/* Everything that stands before the leftmost leaf, then the climb. */
static void print(excerpt *self, const expression *node)
{
    for (const expression *at = node; at->left != NULL; at = at->left) {
        if (at->kind == EXPRESSION_NEGATE) put(self, "-");
        if (function_of(at) != NULL) put(self, function_of(at));
        if (wraps_left(at)) put(self, "(");
    }
    coset_status status = expression_climb(node, visit, self);
    (void)status;
}

void expression_excerpt(const ode_model *model, const expression *self, char text[EXCERPT_SIZE])
{
    excerpt run = {model, text, 0};
    text[0] = '\0';
    print(&run, self);
}
