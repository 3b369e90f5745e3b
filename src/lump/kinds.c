#include "lump/kinds.h"

#include "lump/bypass.h"

/* The block of a cuttable group in a contraction's result; NULL: there is none. */
static const unit_block *produced(const graph_groups *groups, const unit_blocks *blocks,
                                  const contraction *by)
{
    for (int64_t b = blocks->first[by->result]; b < blocks->first[by->result + 1]; b++)
        if (groups->groups[blocks->of[b].group].frozen == NULL) return &blocks->of[b];
    return NULL;
}

static coset_status ask_signs(coset_ctx *ctx, const graph_groups *groups, calibration *out,
                              calibration_kinds *self)
{
    coset_status status = COSET_OK;
    int64_t n = groups->n_contractions;
    TRY(ctx_alloc(ctx, n, sizeof(sign_counts *), &out->signs));
    TRY(ctx_alloc(ctx, n, sizeof *self->signs, &self->signs));
    TRY(ctx_alloc(ctx, n, sizeof *self->contraction, &self->contraction));
    for (int64_t c = 0; c < n; c++) {
        const contraction *by = &groups->contractions[c];
        const unit_block *block = produced(groups, out->blocks, by);
        if (block == NULL) continue;
        self->signs[self->n_signs] = (stats_signs){.of = {0, by->result, block->axis}};
        self->contraction[self->n_signs++] = c;
    }
done:
    return status;
}

/* Inputs of a line whose joint moments can be told from so many samples, one for every element of x without its
 * features; 0: they cannot. */
static int64_t skip_inputs(const graph_facts *facts, const graph_groups *groups,
                           const bypass_line *line, int64_t samples)
{
    const contraction *producer = &groups->contractions[line->producer];
    const shape *x = &graph_fact(facts, line->x)->shape;
    if (!shape_known(x)) return 0;
    int64_t inputs = x->dims[producer->input_axis], all = shape_product(x, 0, x->rank);
    if (inputs < 1 || inputs > CALIBRATION_SKIP_INPUTS) return 0;
    double places = (double)(all / inputs) / (double)(x->dims[0] > 0 ? x->dims[0] : 1);
    return 2 * (double)inputs < places * (double)samples ? inputs : 0;
}

static coset_status ask_skips(coset_ctx *ctx, const graph_facts *facts, const graph_groups *groups,
                              const bypass_lines *found, int64_t samples, calibration *out,
                              calibration_kinds *self)
{
    coset_status status = COSET_OK;
    int64_t bytes = 0;
    TRY(ctx_alloc(ctx, groups->n, sizeof *out->skips, &out->skips));
    TRY(ctx_alloc(ctx, 2 * groups->n, sizeof *self->skips, &self->skips));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->skip_group, &self->skip_group));
    for (int64_t g = 0; g < groups->n; g++) {
        const bypass_line *line = &found->lines[g];
        if (line->producer < 0) continue;
        int64_t inputs = skip_inputs(facts, groups, line, samples);
        int64_t size = inputs * (inputs + groups->groups[g].n) * (int64_t)sizeof(double);
        if (inputs == 0 || bytes + size > CALIBRATION_SKIP_BYTES) continue;
        bytes += size;
        const contraction *producer = &groups->contractions[line->producer];
        const stats_value x = {0, line->x, producer->input_axis};
        const stats_value h = {0, line->h, producer->output_axis};
        self->skip_group[self->n_skips / 2] = g;
        self->skips[self->n_skips++] = (stats_cross){.x = h, .y = x};
        self->skips[self->n_skips++] = (stats_cross){.x = x, .y = x};
    }
done:
    return status;
}

static coset_status ask_pairs(coset_ctx *ctx, const graph_groups *groups, const bypass_lines *found,
                              calibration *out, calibration_kinds *self)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, groups->n, sizeof(pair_moments *), &out->pairs));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->pairs, &self->pairs));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->group, &self->group));
    for (int64_t g = 0; g < groups->n; g++) {
        const bypass_line *line = &found->lines[g];
        if (line->producer < 0) continue;
        int axis = groups->contractions[line->producer].output_axis; /* h has z's shape */
        self->pairs[self->n_pairs] =
            (stats_pairs){.x = {0, line->z, axis}, .y = {0, line->h, axis}};
        self->group[self->n_pairs++] = g;
    }
done:
    return status;
}

coset_status calibration_kinds_ask(coset_ctx *ctx, const coset_graph *graph,
                                   const graph_facts *facts, const graph_groups *groups,
                                   unsigned kinds, calibration *out, calibration_kinds *self,
                                   stats_job *job)
{
    coset_status status = COSET_OK;
    bypass_lines *found = NULL;
    out->n_groups = groups->n;
    if (kinds & CALIBRATION_SIGNS) TRY(ask_signs(ctx, groups, out, self));
    if (kinds & (CALIBRATION_PAIRS | CALIBRATION_SKIPS))
        TRY(bypass_lines_find(ctx, graph, facts, groups, &found));
    if (kinds & CALIBRATION_PAIRS) TRY(ask_pairs(ctx, groups, found, out, self));
    if (kinds & CALIBRATION_SKIPS)
        TRY(ask_skips(ctx, facts, groups, found, job->source->samples, out, self));
    job->signs = self->signs;
    job->n_signs = self->n_signs;
    job->pairs = self->pairs;
    job->n_pairs = self->n_pairs;
    job->cross = self->skips;
    job->n_cross = self->n_skips;
done:
    bypass_lines_free(ctx, found);
    return status;
}

void calibration_kinds_take(calibration_kinds *self, calibration *out)
{
    for (int64_t k = 0; k < self->n_signs; k++) {
        out->signs[self->contraction[k]] = self->signs[k].result;
        self->signs[k].result = NULL;
    }
    for (int64_t k = 0; k < self->n_pairs; k++) {
        out->pairs[self->group[k]] = self->pairs[k].result;
        self->pairs[k].result = NULL;
    }
    for (int64_t k = 0; k < self->n_skips; k++) {
        skip_moments *to = &out->skips[self->skip_group[k / 2]];
        *(k % 2 == 0 ? &to->of_units : &to->of_inputs) = self->skips[k].result;
        self->skips[k].result = NULL;
    }
}

void calibration_kinds_clear(coset_ctx *ctx, calibration_kinds *self)
{
    ctx_free(ctx, self->signs);
    ctx_free(ctx, self->contraction);
    ctx_free(ctx, self->pairs);
    ctx_free(ctx, self->group);
    ctx_free(ctx, self->skips);
    ctx_free(ctx, self->skip_group);
}
