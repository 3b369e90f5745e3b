#include "api/subject.h"

#include <regex.h>

#include "lump/rounding.h"

void subject_close(coset_ctx *ctx, subject *self)
{
    calibration_free(ctx, self->stats);
    calibration_free(ctx, self->drawn);
    cost_model_free(ctx, self->cost);
    for (int64_t g = 0; self->refused != NULL && g < self->groups->n; g++)
        ctx_free(ctx, self->refused[g]);
    ctx_free(ctx, self->refused);
    ctx_free(ctx, self->steps);
    ctx_free(ctx, self->allowed);
    ctx_free(ctx, self->allowed_weights);
    groups_free(ctx, self->groups);
    graph_facts_free(ctx, self->facts);
    *self = (subject){.graph = NULL};
}

/* ---- filters ------------------------------------------------------------------------------------ */

/* --only or --ignore; without a pattern it says nothing. */
typedef struct filter {
    regex_t expression;
    bool there;
} filter;

static coset_status compile(coset_ctx *ctx, const char *flag, const char *pattern, filter *out)
{
    char reason[128];
    if (pattern == NULL) return COSET_OK;
    int code = regcomp(&out->expression, pattern, REG_EXTENDED | REG_NOSUB);
    out->there = code == 0;
    if (out->there) return COSET_OK;
    regerror(code, &out->expression, reason, sizeof reason);
    return ctx_fail(ctx, COSET_EARGUMENT, "--%s '%s': %s", flag, pattern, reason);
}

static bool matches_node(const subject *self, int32_t node, const filter *pattern)
{
    const char *name = node_label(self->graph, &self->graph->nodes[node]);
    return regexec(&pattern->expression, name, 0, NULL, 0) == 0;
}

/* True if a producing node of the group matches. */
static bool matches(const subject *self, const unit_group *group, const filter *pattern)
{
    for (int32_t s = 0; s < group->n_slots; s++)
        if (group->slots[s].role == SLOT_PRODUCER &&
            matches_node(self, self->groups->slots[group->slots[s].slot].node, pattern))
            return true;
    return false;
}

/* Which groups and weights --only and --ignore leave. */
static coset_status read_filters(coset_ctx *ctx, const coset_compress_options *options,
                                 subject *self)
{
    coset_status status = COSET_OK;
    filter only = {.there = false}, ignore = {.there = false};
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->allowed, &self->allowed));
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->refused, &self->refused));
    TRY(ctx_alloc(ctx, self->groups->n_contractions, 1, &self->allowed_weights));
    TRY(compile(ctx, "only", options->only, &only));
    TRY(compile(ctx, "ignore", options->ignore, &ignore));
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        if (group->frozen != NULL) continue;
        if (only.there && !matches(self, group, &only))
            TRY(ctx_strdup(ctx, "no producer matches --only", &self->refused[g]));
        else if (ignore.there && matches(self, group, &ignore))
            TRY(ctx_strdup(ctx, "a producer matches --ignore", &self->refused[g]));
        self->allowed[g] = self->refused[g] == NULL;
    }
    for (int64_t c = 0; c < self->groups->n_contractions; c++) {
        const contraction *at = &self->groups->contractions[c];
        /* A mask keeps no copy of the weight for a graph output that shows it. */
        self->allowed_weights[c] = !self->graph->values[at->weight].is_output &&
                                   !(only.there && !matches_node(self, at->node, &only)) &&
                                   !(ignore.there && matches_node(self, at->node, &ignore));
    }
done:
    if (only.there) regfree(&only.expression);
    if (ignore.there) regfree(&ignore.expression);
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

const calibration *subject_statistics(const subject *self)
{
    return self->drawn != NULL ? self->drawn : self->stats;
}

static coset_status collect_on_data(coset_ctx *ctx, const subject_samples *samples, unsigned kinds,
                                    subject *self)
{
    coset_status status =
        calibration_collect(ctx, self->graph, self->facts, self->groups, samples->data,
                            samples->data_shapes, kinds, &self->stats);
    if (status != COSET_EARGUMENT) return status;
    return ctx_fail_in(ctx, status, "%s with data %s", self->graph->name, samples->data_name);
}

coset_status subject_open(coset_ctx *ctx, const coset_graph *graph,
                          const coset_compress_options *options, const subject_samples *samples,
                          subject *self_out)
{
    coset_status status = COSET_OK;
    subject *self = self_out;
    *self = (subject){.graph = graph};
    TRY(graph_infer(ctx, graph, NULL, &self->facts));
    TRY(groups_find(ctx, graph, self->facts, &self->groups));
    TRY(cost_model_new(ctx, graph, self->facts, self->groups, &self->cost));
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->steps, &self->steps));
    rounding_steps(graph, self->groups, options->round_to, self->steps);
    TRY(read_filters(ctx, options, self));
    if (samples->drawn != NULL)
        TRY(calibration_collect(ctx, graph, self->facts, self->groups, samples->drawn,
                                samples->drawn_shapes, samples->kinds, &self->drawn));
    if (samples->data != NULL)
        TRY(collect_on_data(ctx, samples, samples->drawn != NULL ? 0 : samples->kinds, self));
done:
    return status;
}
