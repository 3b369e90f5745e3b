#include "methods/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METHOD(name) extern const coset_method method_##name;
#include "methods/methods.def"
#undef METHOD

static const coset_method *const methods[] = {
#define METHOD(name) &method_##name,
#include "methods/methods.def"
#undef METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const coset_method *method_at(int64_t index)
{
    return index >= 0 && index < METHOD_COUNT ? methods[index] : NULL;
}

const coset_method *method_find(const char *name)
{
    for (int m = 0; m < METHOD_COUNT; m++)
        if (strcmp(methods[m]->name, name) == 0) return methods[m];
    return NULL;
}

const char *coset_method_name(int64_t index)
{
    const coset_method *self = method_at(index);
    return self != NULL ? self->name : NULL;
}

const char *coset_method_summary(int64_t index)
{
    const coset_method *self = method_at(index);
    return self != NULL ? self->summary : NULL;
}

bool coset_method_has_setting(const char *method, const char *setting)
{
    const coset_method *self = method_find(method);
    for (int p = 0; self != NULL && p < self->n_params; p++)
        if (strcmp(self->params[p].name, setting) == 0) return true;
    return false;
}

/* ---- settings --------------------------------------------------------------------------------- */

/* Index of `value` among "a|b|c", or -1. */
static int choice_of(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (int index = 0;; index++) {
        const char *end = strchr(choices, '|');
        size_t size = end != NULL ? (size_t)(end - choices) : strlen(choices);
        if (size == length && strncmp(choices, value, size) == 0) return index;
        if (end == NULL) return -1;
        choices = end + 1;
    }
}

static bool parse_number(const char *text, double *value_out)
{
    char *end = NULL;
    *value_out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value_out);
}

static bool parse_pattern(const char *text, double *value_out)
{
    *value_out = 0;
    if (strcmp(text, "none") == 0) return true;
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (end == text || *end != ':') return false;
    const char *second = end + 1;
    long m = strtol(second, &end, 10);
    if (end == second || *end != '\0' || n < 1 || m < n || m > 64) return false;
    *value_out = (double)(PATTERN_BASE * n + m);
    return true;
}

static bool parse_value(const method_param *param, const char *text, double *value_out)
{
    switch (param->kind) {
    case PARAM_CHOICE: *value_out = choice_of(param->choices, text); return *value_out >= 0;
    case PARAM_FLAG: *value_out = choice_of("false|true", text); return *value_out >= 0;
    case PARAM_NUMBER:
        return parse_number(text, value_out) && *value_out >= param->low &&
               *value_out <= param->high;
    case PARAM_COUNT:
        return parse_number(text, value_out) && *value_out >= param->low &&
               *value_out <= param->high && *value_out == floor(*value_out);
    case PARAM_PATTERN: return parse_pattern(text, value_out);
    }
    return false;
}

/* What a parameter takes, for messages and help. */
static coset_status describe_range(coset_ctx *ctx, const method_param *param, char **text_out)
{
    switch (param->kind) {
    case PARAM_CHOICE: return ctx_format(ctx, text_out, "one of %s", param->choices);
    case PARAM_FLAG: return ctx_format(ctx, text_out, "true or false");
    case PARAM_NUMBER:
        return ctx_format(ctx, text_out, "a number from %g to %g", param->low, param->high);
    case PARAM_COUNT:
        return ctx_format(ctx, text_out, "a whole number from %g to %g", param->low, param->high);
    case PARAM_PATTERN: return ctx_format(ctx, text_out, "N:M with 1 <= N <= M <= 64, or none");
    }
    return ctx_fail(ctx, COSET_EARGUMENT, "unknown kind of setting");
}

static coset_status fail_value(coset_ctx *ctx, const coset_setting *setting,
                               const method_param *param)
{
    char *range = NULL;
    coset_status status = describe_range(ctx, param, &range);
    if (status == COSET_OK)
        status = ctx_fail(ctx, COSET_EARGUMENT, "--%s takes %s, not '%s'", setting->name, range,
                          setting->value);
    ctx_free(ctx, range);
    return status;
}

static coset_status apply_setting(const coset_method *self, method_call *call,
                                  const coset_setting *setting)
{
    const char *dot = strchr(setting->name, '.');
    size_t length = dot != NULL ? (size_t)(dot - setting->name) : strlen(setting->name);
    if (dot == NULL || strlen(self->name) != length ||
        strncmp(self->name, setting->name, length) != 0)
        return ctx_fail(call->ctx, COSET_EARGUMENT, "--%s is not a setting of method %s",
                        setting->name, self->name);
    for (int p = 0; p < self->n_params; p++) {
        if (strcmp(self->params[p].name, dot + 1) != 0) continue;
        if (!parse_value(&self->params[p], setting->value, &call->values[p]))
            return fail_value(call->ctx, setting, &self->params[p]);
        return COSET_OK;
    }
    return ctx_fail(call->ctx, COSET_EARGUMENT,
                    "method %s has no setting '%s'; coset compress --help %s lists them",
                    self->name, dot + 1, self->name);
}

coset_status method_configure(const coset_method *self, method_call *call,
                              const coset_setting *settings, int64_t n_settings)
{
    for (int p = 0; p < self->n_params; p++)
        if (!parse_value(&self->params[p], self->params[p].otherwise, &call->values[p]))
            return ctx_fail(call->ctx, COSET_EARGUMENT, "the default of %s.%s does not parse",
                            self->name, self->params[p].name);
    for (int64_t s = 0; s < n_settings; s++) {
        coset_status status = apply_setting(self, call, &settings[s]);
        if (status != COSET_OK) return status;
    }
    call->masks = false;
    call->ranking = (mask_ranking){.scope = MASK_MODEL};
    call->sweep = SWEEP_NONE;
    call->allocation = CUT_BY_ERROR;
    call->kinds = 0;
    call->needs_data = self->needs_data;
    call->rounds = 1;
    if (self->configure != NULL) self->configure(call);
    return COSET_OK;
}

/* ---- help -------------------------------------------------------------------------------------- */

static coset_status fail_unknown(coset_ctx *ctx, const char *name)
{
    char list[256] = "";
    for (int m = 0; m < METHOD_COUNT; m++) {
        strncat(list, m > 0 ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, methods[m]->name, sizeof list - strlen(list) - 1);
    }
    return ctx_fail(ctx, COSET_EARGUMENT, "there is no method '%s'; there are %s", name, list);
}

coset_status method_require(coset_ctx *ctx, const char *name, const coset_method **method_out)
{
    *method_out = method_find(name);
    return *method_out != NULL ? COSET_OK : fail_unknown(ctx, name);
}

coset_status coset_method_help(coset_ctx *ctx, const char *name, char **text_out)
{
    coset_status status = COSET_OK;
    const coset_method *self = NULL;
    char *text = NULL, *range = NULL, *longer = NULL;
    *text_out = NULL;
    TRY(method_require(ctx, name, &self));
    TRY(ctx_format(ctx, &text, "%s: %s\n\n%s\n\nSource: %s\n%s%s", self->name, self->summary,
                   self->help, self->source, self->needs_data ? "Needs data (--data).\n" : "",
                   self->n_params > 0 ? "\nSettings:\n" : "\nNo settings.\n"));
    for (int p = 0; p < self->n_params; p++) {
        const method_param *param = &self->params[p];
        TRY(describe_range(ctx, param, &range));
        TRY(ctx_format(ctx, &longer, "%s  --%s.%s  %s; default %s\n      %s\n      Source: %s\n",
                       text, self->name, param->name, range, param->otherwise, param->summary,
                       param->source));
        ctx_free(ctx, text);
        ctx_free(ctx, range);
        text = longer;
        longer = range = NULL;
    }
    *text_out = text;
    text = NULL;
done:
    ctx_free(ctx, text);
    ctx_free(ctx, range);
    return status;
}
