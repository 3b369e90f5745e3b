#include "api/ode_reduction.h"

#include <math.h>

/* ---- expressions of another model --------------------------------------------------------------- */

/* Copies expressions of one model into another: parameters become their values, variables the ones that
 * stand for them. */
typedef struct copier {
    coset_ctx *ctx;
    const number *parameters; /* of the model that is copied from */
    const int64_t *block_of;  /* variable -> variable of `to` */
    arena *into;
} copier;

static coset_status copy_number(const copier *self, number value, const expression **out)
{
    coset_status status = COSET_OK;
    bool negative = value.value < 0;
    TRY(expression_number(self->ctx, self->into, negative ? number_negate(value) : value, out));
    if (negative) TRY(expression_make(self->ctx, self->into, EXPRESSION_NEGATE, *out, NULL, out));
done:
    return status;
}

static coset_status copy_leaf(const copier *self, const expression *from, const expression **out)
{
    if (from->kind == EXPRESSION_NUMBER) return copy_number(self, from->number, out);
    int64_t index = name_index(from->name);
    if (!name_is_variable(from->name)) return copy_number(self, self->parameters[index], out);
    return expression_name(self->ctx, self->into, ~(name_id)self->block_of[index], out);
}

/* Left spines may be long and are walked with a stack of their own; the parser bounds the rest. */
static coset_status copy_expression(const copier *self, const expression *from,
                                    const expression **out)
{
    coset_status status = COSET_OK;
    const expression **spine = NULL, *made = NULL, *right = NULL;
    int64_t n = 0, capacity = 0;
    while (from->left != NULL) {
        TRY(ctx_reserve(self->ctx, (void *)&spine, &capacity, n + 1, sizeof *spine));
        spine[n++] = from;
        from = from->left;
    }
    TRY(copy_leaf(self, from, &made));
    while (n > 0) {
        from = spine[--n];
        right = NULL;
        if (from->right != NULL) TRY(copy_expression(self, from->right, &right));
        TRY(expression_make(self->ctx, self->into, from->kind, made, right, &made));
    }
    *out = made;
done:
    ctx_free(self->ctx, (void *)spine);
    return status;
}

/* ---- linear forms ------------------------------------------------------------------------------ */

/* sum of coefficient[v] x_v + constant */
typedef struct linear_form {
    const double *parameters;
    double constant;
    double *coefficient; /* [n_variables], 0 but for those touched */
    int64_t *touched;    /* [n_variables] */
    bool *is_touched;    /* [n_variables] */
    int64_t n_touched;
} linear_form;

static bool is_constant(const expression *at)
{
    for (; at != NULL; at = at->left) {
        if (at->kind == EXPRESSION_NAME && name_is_variable(at->name)) return false;
        if (at->right != NULL && !is_constant(at->right)) return false;
    }
    return true;
}

static void add_variable(linear_form *self, int64_t v, double scale)
{
    if (!self->is_touched[v]) self->touched[self->n_touched++] = v;
    self->is_touched[v] = true;
    self->coefficient[v] += scale;
}

/* Adds scale * expression; false if it is not linear. Loops along left spines. */
static bool add_linear(linear_form *self, const expression *at, double scale)
{
    while (true) {
        switch (at->kind) {
        case EXPRESSION_NAME:
            if (name_is_variable(at->name)) {
                add_variable(self, name_index(at->name), scale);
            } else {
                self->constant += scale * self->parameters[at->name];
            }
            return true;
        case EXPRESSION_NEGATE: scale = -scale; break;
        case EXPRESSION_ADD:
        case EXPRESSION_SUB:
            if (!add_linear(self, at->right, at->kind == EXPRESSION_ADD ? scale : -scale))
                return false;
            break;
        case EXPRESSION_DIV:
            if (!is_constant(at->right)) return false;
            scale /= expression_value(at->right, self->parameters, NULL);
            break;
        case EXPRESSION_MUL:
            if (is_constant(at->right)) {
                scale *= expression_value(at->right, self->parameters, NULL);
                break;
            }
            if (!is_constant(at->left)) return false;
            scale *= expression_value(at->left, self->parameters, NULL);
            at = at->right;
            continue;
        default:
            if (!is_constant(at)) return false;
            self->constant += scale * expression_value(at, self->parameters, NULL);
            return true;
        }
        at = at->left;
    }
}

/* True if all members of every block that is touched have one coefficient. */
static bool is_lumpable(const linear_form *self, const partition *blocks)
{
    for (int64_t k = 0; k < self->n_touched; k++) {
        int64_t v = self->touched[k], b = blocks->block_of[v];
        int64_t first = blocks->members[blocks->start[b]];
        if (!isfinite(self->coefficient[v])) return false;
        if (v != first && self->is_touched[first]) { /* its own turn looks at the whole block */
            if (self->coefficient[v] != self->coefficient[first]) return false;
            continue;
        }
        for (int64_t i = blocks->start[b]; i < blocks->start[b + 1]; i++)
            if (self->coefficient[blocks->members[i]] != self->coefficient[v]) return false;
    }
    return isfinite(self->constant);
}

/* made + scale * what, where made may be NULL. */
static coset_status add_term(const copier *self, const expression *what, double scale,
                             const expression **made)
{
    coset_status status = COSET_OK;
    const expression *scaling = NULL;
    if (fabs(scale) != 1 || what == NULL) {
        TRY(expression_number(self->ctx, self->into, number_of_decimal(fabs(scale)), &scaling));
        if (what == NULL) {
            what = scaling;
        } else {
            TRY(expression_make(self->ctx, self->into, EXPRESSION_MUL, scaling, what, &what));
        }
    }
    if (*made != NULL) {
        TRY(expression_make(self->ctx, self->into, scale < 0 ? EXPRESSION_SUB : EXPRESSION_ADD,
                            *made, what, made));
    } else if (scale < 0) {
        TRY(expression_make(self->ctx, self->into, EXPRESSION_NEGATE, what, NULL, made));
    } else {
        *made = what;
    }
done:
    return status;
}

/* The form over blocks, a term for each representative. */
static coset_status lump_form(const copier *self, const linear_form *form, const partition *blocks,
                              const expression **out)
{
    coset_status status = COSET_OK;
    const expression *made = NULL, *name = NULL;
    for (int64_t k = 0; k < form->n_touched; k++) {
        int64_t v = form->touched[k], b = blocks->block_of[v];
        /* Coefficients of 0 may leave the representative untouched; then the whole block is 0. */
        if (blocks->members[blocks->start[b]] != v || form->coefficient[v] == 0) continue;
        TRY(expression_name(self->ctx, self->into, ~(name_id)b, &name));
        TRY(add_term(self, name, form->coefficient[v], &made));
    }
    if (form->constant != 0 || made == NULL) TRY(add_term(self, NULL, form->constant, &made));
    *out = made;
done:
    return status;
}

static void clear_form(linear_form *self)
{
    for (int64_t k = 0; k < self->n_touched; k++) {
        self->coefficient[self->touched[k]] = 0;
        self->is_touched[self->touched[k]] = false;
    }
    self->n_touched = 0;
    self->constant = 0;
}

/* ---- views ------------------------------------------------------------------------------------- */

static coset_status forward_views(const copier *self, const ode_model *from,
                                  const double *parameters, const partition *blocks, ode_model *to)
{
    coset_status status = COSET_OK;
    linear_form form = {.parameters = parameters};
    const expression *value = NULL;
    TRY(ctx_alloc(self->ctx, blocks->n, sizeof *form.coefficient, &form.coefficient));
    TRY(ctx_alloc(self->ctx, blocks->n, sizeof *form.touched, &form.touched));
    TRY(ctx_alloc(self->ctx, blocks->n, sizeof *form.is_touched, &form.is_touched));
    for (int64_t k = 0; k < from->n_views; k++) {
        clear_form(&form);
        if (!add_linear(&form, from->views[k].value, 1) || !is_lumpable(&form, blocks)) continue;
        TRY(lump_form(self, &form, blocks, &value));
        TRY(model_add_view(to, from->views[k].name, value));
    }
done:
    ctx_free(self->ctx, form.coefficient);
    ctx_free(self->ctx, form.touched);
    ctx_free(self->ctx, form.is_touched);
    return status;
}

coset_status ode_views_copy(coset_ctx *ctx, const ode_model *from, const int64_t *block_of,
                            ode_model *to)
{
    coset_status status = COSET_OK;
    number *parameters = NULL;
    const expression *value = NULL;
    if (from->n_views == 0) return COSET_OK;
    TRY(ctx_alloc(ctx, from->n_parameters, sizeof *parameters, &parameters));
    TRY(model_parameter_values(from, parameters));
    const copier copies = {ctx, parameters, block_of, &to->arena};
    for (int64_t k = 0; k < from->n_views; k++) {
        TRY(copy_expression(&copies, from->views[k].value, &value));
        TRY(model_add_view(to, from->views[k].name, value));
    }
done:
    ctx_free(ctx, parameters);
    return status;
}

coset_status ode_reduction_views(coset_ctx *ctx, const ode_model *from, const ode_reduction *self,
                                 ode_model *to)
{
    coset_status status = COSET_OK;
    number *parameters = NULL;
    double *values = NULL;
    if (from->n_views == 0) return COSET_OK;
    if (self->kind == EQUIVALENCE_BACKWARD)
        return ode_views_copy(ctx, from, self->blocks.block_of, to);
    TRY(ctx_alloc(ctx, from->n_parameters, sizeof *parameters, &parameters));
    TRY(ctx_alloc(ctx, from->n_parameters, sizeof *values, &values));
    TRY(model_parameter_values(from, parameters));
    for (int64_t p = 0; p < from->n_parameters; p++) values[p] = parameters[p].value;
    const copier copies = {ctx, parameters, NULL, &to->arena};
    TRY(forward_views(&copies, from, values, &self->blocks, to));
done:
    ctx_free(ctx, parameters);
    ctx_free(ctx, values);
    return status;
}
