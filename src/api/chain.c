#include "api/chain.h"

#include <math.h>
#include <string.h>

void chain_free(coset_ctx *ctx, chain *self)
{
    for (int64_t s = 0; self->steps != NULL && s < self->n; s++)
        ctx_free(ctx, self->steps[s].calls);
    ctx_free(ctx, self->steps);
    *self = (chain){.steps = NULL};
}

coset_status chain_name(coset_ctx *ctx, const chain *self, char **name_out)
{
    coset_status status = COSET_OK;
    char *name = NULL, *longer = NULL;
    *name_out = NULL;
    TRY(ctx_strdup(ctx, "", &name));
    for (int64_t s = 0; s < self->n; s++) {
        TRY(ctx_format(ctx, &longer, "%s%s%s", name, s > 0 ? "+" : "",
                       self->steps[s].method->name));
        ctx_free(ctx, name);
        name = longer;
        longer = NULL;
    }
    *name_out = name;
    name = NULL;
done:
    ctx_free(ctx, name);
    return status;
}

/* ---- methods and their settings ----------------------------------------------------------------- */

static bool is_of(const coset_setting *setting, const coset_method *method)
{
    size_t length = strlen(method->name);
    return strncmp(setting->name, method->name, length) == 0 && setting->name[length] == '.';
}

/* A chain takes the settings of all its methods, and no others. */
static coset_status check_settings(coset_ctx *ctx, const coset_compress_options *options,
                                   const coset_method *const *asked, int64_t n)
{
    for (int64_t i = 0; i < options->n_settings; i++) {
        int64_t s = 0;
        while (s < n && !is_of(&options->settings[i], asked[s])) s++;
        if (s == n)
            return ctx_fail(ctx, COSET_EARGUMENT, "--%s is not a setting of method %s",
                            options->settings[i].name, options->method);
    }
    return COSET_OK;
}

/* One call for each variant of the method; a method that stands in has its defaults. */
static coset_status configure(coset_ctx *ctx, const chain_request *request,
                              const coset_method *asked, const coset_setting *settings,
                              int64_t n_settings, step *self)
{
    coset_status status = COSET_OK;
    *self = (step){.method = asked, .n_variants = 1};
    if (request->data && asked->n_variants > 1) self->n_variants = asked->n_variants;
    TRY(ctx_alloc(ctx, self->n_variants, sizeof *self->calls, &self->calls));
    for (int v = 0; v < self->n_variants; v++) {
        self->calls[v] = (method_call){.ctx = ctx, .variant = v};
        TRY(method_configure(asked, &self->calls[v], settings, n_settings));
    }
    if (!request->statistics && asked->without_data != NULL) {
        TRY(method_require(ctx, asked->without_data, &self->method));
        TRY(method_configure(self->method, &self->calls[0], NULL, 0));
    }
    if (!request->statistics && self->calls[0].needs_data)
        FAIL(ctx, COSET_EARGUMENT,
             "method %s%s needs data (--data), or inputs drawn at random (--calib random)",
             self->method->name, self->method->needs_data ? "" : ", with these settings,");
    self->rounds = self->calls[0].rounds > 1 ? self->calls[0].rounds : 1;
done:
    return status;
}

/* The settings of one of the methods, in their order. */
static coset_status configure_with_own(coset_ctx *ctx, const chain_request *request,
                                       const coset_method *asked, step *self)
{
    coset_status status = COSET_OK;
    const coset_compress_options *options = request->options;
    coset_setting *own = NULL;
    int64_t n = 0;
    TRY(ctx_alloc(ctx, options->n_settings, sizeof *own, &own));
    for (int64_t i = 0; i < options->n_settings; i++)
        if (is_of(&options->settings[i], asked)) own[n++] = options->settings[i];
    TRY(configure(ctx, request, asked, own, n, self));
done:
    ctx_free(ctx, own);
    return status;
}

/* The method that the first `length` bytes of a text name. */
static coset_status find_method(coset_ctx *ctx, const char *all, const char *text, size_t length,
                                const coset_method **method_out)
{
    char *name = NULL;
    if (length == 0)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "--method '%s': a name is missing; methods in turn are written as a+b",
                        all);
    coset_status status = ctx_format(ctx, &name, "%.*s", (int)length, text);
    if (status == COSET_OK) status = method_require(ctx, name, method_out);
    ctx_free(ctx, name);
    return status;
}

static coset_status read_methods(coset_ctx *ctx, const chain_request *request, chain *self)
{
    coset_status status = COSET_OK;
    const char *text = request->options->method;
    const coset_method *asked[PLAN_STEPS];
    int64_t n = 0, turns = 0;
    for (const char *at = text; at != NULL; n++) {
        size_t length = strcspn(at, "+");
        if (n == PLAN_STEPS)
            FAIL(ctx, COSET_ELIMIT, "--method: at most %d methods in turn", PLAN_STEPS);
        TRY(find_method(ctx, text, at, length, &asked[n]));
        at = at[length] == '+' ? at + length + 1 : NULL;
    }
    TRY(check_settings(ctx, request->options, asked, n));
    TRY(ctx_alloc(ctx, n, sizeof *self->steps, &self->steps));
    self->n = n;
    for (int64_t s = 0; s < n; s++) {
        TRY(configure_with_own(ctx, request, asked[s], &self->steps[s]));
        turns += self->steps[s].rounds;
    }
    if (turns > PLAN_STEPS)
        FAIL(ctx, COSET_ELIMIT, "--method %s has %lld rounds in all; at most %d are possible", text,
             (long long)turns, PLAN_STEPS);
done:
    return status;
}

/* ---- values of the rule ------------------------------------------------------------------------- */

static const char *const flags[] = {"eps", "ratio", "params", "macs", "max-drop"};

static coset_status check_value(coset_ctx *ctx, coset_rule rule, double value)
{
    if (rule == COSET_RULE_EPS && !(value >= 0 && isfinite(value)))
        return ctx_fail(ctx, COSET_EARGUMENT, "--eps must be a number >= 0, not %g", value);
    if (rule == COSET_RULE_MAX_DROP && !(value >= 0 && value < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "--max-drop must lie in [0, 1), not %g", value);
    bool share = rule == COSET_RULE_RATIO || rule == COSET_RULE_PARAMS || rule == COSET_RULE_MACS;
    if (share && !(value > 0 && value <= 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the share to keep must lie in (0, 1], not %g",
                        value);
    return COSET_OK;
}

/* The value of the last step before `s` that counts what it counts; 1: there is none. */
static double share_before(const chain *self, coset_rule rule, const double *values, int64_t n,
                           int64_t s)
{
    for (int64_t i = s - 1; i >= 0; i--)
        if (self->steps[i].calls[0].masks == self->steps[s].calls[0].masks)
            return chain_value(self, rule, values, n, i, self->steps[i].rounds);
    return 1;
}

double chain_value(const chain *self, coset_rule rule, const double *values, int64_t n, int64_t s,
                   int round)
{
    double part = (double)round / (double)self->steps[s].rounds;
    double own = n > 1 ? values[s] : values[0];
    if (rule == COSET_RULE_EPS) return own * part;
    if (n == 1 && rule == COSET_RULE_RATIO) own = pow(own, 1 / (double)self->n);
    if (rule == COSET_RULE_RATIO) {
        double before = part - 1 / (double)self->steps[s].rounds;
        return round == 1 ? 1 - part * (1 - own)
                          : (1 - part * (1 - own)) / (1 - before * (1 - own));
    }
    if (n == 1) own = pow(own, (double)(s + 1) / (double)self->n);
    if (round == self->steps[s].rounds) return own;
    double before = share_before(self, rule, values, n, s);
    return before - part * (before - own);
}

static coset_status check_values(coset_ctx *ctx, const coset_compress_options *options,
                                 const chain *self)
{
    coset_rule rule = options->rule;
    int64_t n = options->n_values;
    const double *values = options->values;
    if (n <= 1) return check_value(ctx, rule, n == 1 ? values[0] : options->value);
    if (rule == COSET_RULE_MAX_DROP)
        return ctx_fail(ctx, COSET_EARGUMENT, "--max-drop takes one value, not %lld", (long long)n);
    if (n != self->n)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "--%s has %lld values: it takes one, or one for each method of --method %s",
                        flags[rule], (long long)n, options->method);
    for (int64_t s = 0; s < n; s++) {
        coset_status status = check_value(ctx, rule, values[s]);
        if (status != COSET_OK) return status;
        bool of_original = rule == COSET_RULE_PARAMS || rule == COSET_RULE_MACS;
        if (of_original && values[s] > share_before(self, rule, values, n, s))
            return ctx_fail(
                ctx, COSET_EARGUMENT,
                "--%s: %g%% for %s is more than a method before it leaves; every value is "
                "a share of the original",
                flags[rule], 100 * values[s], self->steps[s].method->name);
    }
    return COSET_OK;
}

coset_status chain_read(coset_ctx *ctx, const chain_request *request, chain *chain_out)
{
    *chain_out = (chain){.steps = NULL};
    coset_status status = read_methods(ctx, request, chain_out);
    return status == COSET_OK ? check_values(ctx, request->options, chain_out) : status;
}
