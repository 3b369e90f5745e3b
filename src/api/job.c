#include "api/job.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "graph/prepare.h"
#include "lump/rounding.h"

void job_free(job *self)
{
    coset_ctx *ctx = self->ctx;
    for (int v = 0; self->paths != NULL && v < self->n_variants; v++)
        search_free(ctx, self->paths[v]);
    ctx_free(ctx, self->paths);
    ctx_free(ctx, self->calls);
    calibration_free(ctx, self->stats);
    recovery_targets_free(ctx, self->targets);
    cost_model_free(ctx, self->cost);
    for (int64_t g = 0; self->refused != NULL && g < self->groups->n; g++)
        ctx_free(ctx, self->refused[g]);
    ctx_free(ctx, self->refused);
    ctx_free(ctx, self->steps);
    ctx_free(ctx, self->allowed);
    ctx_free(ctx, self->allowed_weights);
    groups_free(ctx, self->groups);
    graph_facts_free(ctx, self->facts);
    ctx_free(ctx, self->order);
    coset_graph_free(ctx, self->folded);
}

/* ---- options ------------------------------------------------------------------------------------ */

static coset_status check_options(coset_ctx *ctx, const coset_compress_options *options)
{
    double value = options->value;
    if (options->calib_samples < 1)
        return ctx_fail(ctx, COSET_EARGUMENT, "--calib-samples must be at least 1");
    if (options->round_to < COSET_ROUND_AUTO)
        return ctx_fail(ctx, COSET_EARGUMENT, "--round-to must be at least 1");
    if (options->plan_in != NULL) return COSET_OK;
    if (options->rule == COSET_RULE_EPS && !(value >= 0 && isfinite(value)))
        return ctx_fail(ctx, COSET_EARGUMENT, "--eps must be a number >= 0, not %g", value);
    if (options->rule == COSET_RULE_MAX_DROP && !(value >= 0 && value < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "--max-drop must lie in [0, 1), not %g", value);
    bool share = options->rule == COSET_RULE_RATIO || options->rule == COSET_RULE_PARAMS ||
                 options->rule == COSET_RULE_MACS;
    if (share && !(value > 0 && value <= 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the share to keep must lie in (0, 1], not %g",
                        value);
    return COSET_OK;
}

static coset_status read_recover(job *self)
{
    struct {
        const char *name;
        bool *asked;
    } const stages[] = {{"lift", &self->lift},
                        {"reconstruct", &self->reconstruct},
                        {"batchnorm", &self->batchnorm}};
    const char *text = self->options->recover;
    self->lift = self->reconstruct = self->data != NULL && text == NULL;
    if (text == NULL || strcmp(text, "none") == 0) return COSET_OK;
    while (*text != '\0') {
        size_t length = strcspn(text, ","), s = 0, n = sizeof stages / sizeof *stages;
        while (s < n &&
               (strlen(stages[s].name) != length || strncmp(text, stages[s].name, length) != 0))
            s++;
        if (s == n)
            return ctx_fail(
                self->ctx, COSET_EARGUMENT,
                "--recover takes none, lift, reconstruct or batchnorm (a comma list), not "
                "'%.*s'",
                (int)length, text);
        *stages[s].asked = true;
        text += length;
        if (*text == ',') text++;
    }
    if (self->data == NULL && (self->lift || self->reconstruct || self->batchnorm))
        return ctx_fail(self->ctx, COSET_EARGUMENT, "--recover %s needs calibration data (--data)",
                        self->options->recover);
    return COSET_OK;
}

static coset_status compile(coset_ctx *ctx, const char *flag, const char *pattern, regex_t *out)
{
    char reason[128];
    int code = regcomp(out, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) return COSET_OK;
    regerror(code, out, reason, sizeof reason);
    return ctx_fail(ctx, COSET_EARGUMENT, "--%s '%s': %s", flag, pattern, reason);
}

/* True if a producing node of the group matches. */
static bool matches(const job *self, const unit_group *group, const regex_t *pattern)
{
    for (int32_t s = 0; s < group->n_slots; s++) {
        if (group->slots[s].role != SLOT_PRODUCER) continue;
        int32_t node = self->groups->slots[group->slots[s].slot].node;
        if (regexec(pattern, node_label(self->graph, &self->graph->nodes[node]), 0, NULL, 0) == 0)
            return true;
    }
    return false;
}

/* Which groups and weights --only and --ignore leave. */
static coset_status read_filters(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    regex_t only, ignore;
    bool has_only = false, has_ignore = false;
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->allowed, &self->allowed));
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->refused, &self->refused));
    TRY(ctx_alloc(ctx, self->groups->n_contractions, 1, &self->allowed_weights));
    if (self->options->only != NULL) {
        TRY(compile(ctx, "only", self->options->only, &only));
        has_only = true;
    }
    if (self->options->ignore != NULL) {
        TRY(compile(ctx, "ignore", self->options->ignore, &ignore));
        has_ignore = true;
    }
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        if (group->frozen != NULL) continue;
        if (has_only && !matches(self, group, &only))
            TRY(ctx_strdup(ctx, "no producer matches --only", &self->refused[g]));
        else if (has_ignore && matches(self, group, &ignore))
            TRY(ctx_strdup(ctx, "a producer matches --ignore", &self->refused[g]));
        self->allowed[g] = self->refused[g] == NULL;
    }
    for (int64_t c = 0; c < self->groups->n_contractions; c++) {
        const graph_node *node = &self->graph->nodes[self->groups->contractions[c].node];
        const char *name = node_label(self->graph, node);
        /* A mask keeps no copy of the weight for a graph output that shows it. */
        self->allowed_weights[c] =
            !self->graph->values[self->groups->contractions[c].weight].is_output &&
            !(has_only && regexec(&only, name, 0, NULL, 0) != 0) &&
            !(has_ignore && regexec(&ignore, name, 0, NULL, 0) == 0);
    }
done:
    if (has_only) regfree(&only);
    if (has_ignore) regfree(&ignore);
    return status;
}

/* ---- data --------------------------------------------------------------------------------------- */

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Calibration and held-out rows: disjoint, drawn with the context's seed from the training part. Where
 * there are too few rows for both, every fourth is held out. */
static coset_status draw_rows(job *self)
{
    coset_status status = COSET_OK;
    const data_part *train = &self->data->train;
    rng draw = rng_seed(self->ctx->seed, 0);
    int64_t n = train->rows, calib = self->options->calib_samples;
    if (n < 1)
        FAIL(self->ctx, COSET_EARGUMENT, "%s: there are no training rows to calibrate with",
             self->data->name);
    TRY(ctx_alloc(self->ctx, n, sizeof *self->order, &self->order));
    rng_permutation(&draw, n, self->order);
    int64_t held = calib / 2 > 1 ? calib / 2 : 1;
    if (calib + held > n) {
        held = n / 4;
        calib = n - held;
    }
    qsort(self->order, (size_t)calib, sizeof *self->order, ascending);
    qsort(self->order + calib, (size_t)held, sizeof *self->order, ascending);
    self->calib = self->held = data_view_for(self->data, train, self->graph, self->order, calib);
    if (held > 0)
        self->held = data_view_for(self->data, train, self->graph, self->order + calib, held);
    self->source = data_source(&self->calib);
done:
    return status;
}

static coset_status collect_stats(job *self)
{
    if (self->data == NULL) {
        if (self->method != NULL && self->method->needs_data)
            return ctx_fail(self->ctx, COSET_EARGUMENT, "method %s needs data (--data)",
                            self->method->name);
        return COSET_OK;
    }
    coset_status status = draw_rows(self);
    if (status != COSET_OK) return status;
    /* Methods that look at weights alone need no statistics unless something is lifted. */
    status = calibration_collect(self->ctx, self->graph, self->groups, &self->source,
                                 &self->calib.sample, &self->stats);
    if (status != COSET_EARGUMENT) return status;
    return ctx_fail_in(self->ctx, status, "%s with data %s", self->graph->name, self->data->name);
}

/* One call for each variant of the method; a method that stands in has its defaults. */
static coset_status configure_calls(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const coset_compress_options *options = self->options;
    TRY(method_require(ctx, options->method, &self->method));
    const coset_method *asked = self->method;
    self->n_variants =
        self->data != NULL && self->method->n_variants > 1 ? self->method->n_variants : 1;
    TRY(ctx_alloc(ctx, self->n_variants, sizeof *self->calls, &self->calls));
    TRY(ctx_alloc(ctx, self->n_variants, sizeof *self->paths, &self->paths));
    for (int v = 0; v < self->n_variants; v++) {
        self->calls[v] = (method_call){.ctx = ctx, .variant = v};
        TRY(method_configure(asked, &self->calls[v], options->settings, options->n_settings));
    }
    if (self->data == NULL && asked->without_data != NULL) {
        TRY(method_require(ctx, asked->without_data, &self->method));
        TRY(method_configure(self->method, &self->calls[0], NULL, 0));
    }
done:
    return status;
}

coset_status job_prepare(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    TRY(check_options(ctx, self->options));
    if (self->options->plan_in == NULL) TRY(configure_calls(self));
    TRY(read_recover(self));
    TRY(coset_graph_measure(ctx, self->graph, &self->before));
    if (self->before.macs < 0 && self->options->rule == COSET_RULE_MACS &&
        self->options->plan_in == NULL)
        FAIL(ctx, COSET_EUNSUPPORTED,
             "%s: how many multiply-accumulates it takes is not known, because shapes are not: use "
             "another rule than --macs",
             self->graph->name);
    TRY(graph_prepare(ctx, self->graph, &self->folded));
    if (self->folded != NULL) self->graph = self->folded;
    TRY(graph_infer(ctx, self->graph, NULL, &self->facts));
    TRY(groups_find(ctx, self->graph, self->facts, &self->groups));
    TRY(cost_model_new(ctx, self->graph, self->facts, self->groups, &self->cost));
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->steps, &self->steps));
    rounding_steps(self->graph, self->groups, self->options->round_to, self->steps);
    TRY(read_filters(self));
    TRY(collect_stats(self));
    for (int v = 0; v < self->n_variants; v++) {
        self->calls[v].graph = self->graph;
        self->calls[v].groups = self->groups;
        self->calls[v].stats = self->stats;
    }
done:
    return status;
}
