#include "api/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "graph/prepare.h"

void job_free(job *self)
{
    coset_ctx *ctx = self->ctx;
    recovery_targets_free(ctx, self->targets);
    subject_close(ctx, &self->original);
    chain_free(ctx, &self->chain);
    ctx_free(ctx, self->order);
    ctx_free(ctx, self->drawn_shapes);
    coset_graph_free(ctx, self->folded);
}

/* ---- options ------------------------------------------------------------------------------------ */

static coset_status check_options(coset_ctx *ctx, const coset_compress_options *options)
{
    if (options->calib_samples < 1)
        return ctx_fail(ctx, COSET_EARGUMENT, "--calib-samples must be at least 1");
    if (options->round_to < COSET_ROUND_AUTO)
        return ctx_fail(ctx, COSET_EARGUMENT, "--round-to must be at least 1");
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
    if (self->graph->n_inputs != 1)
        FAIL(self->ctx, COSET_EUNSUPPORTED, "%s: has %lld inputs, and data is for models of one",
             self->graph->name, (long long)self->graph->n_inputs);
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

/* Inputs at random: as many as calibration rows are asked for, of the shape that the data has. */
static coset_status draw_inputs(job *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    graph_facts *facts = NULL;
    TRY(ctx_alloc(self->ctx, graph->n_inputs, sizeof *self->drawn_shapes, &self->drawn_shapes));
    TRY(graph_infer(self->ctx, graph, NULL, &facts));
    if (self->data != NULL)
        self->drawn_shapes[0] = self->calib.sample;
    else
        TRY(noise_shapes(self->ctx, graph, facts, self->drawn_shapes));
    self->noise = (noise){.graph = graph,
                          .sample_shapes = self->drawn_shapes,
                          .samples = self->options->calib_samples,
                          .seed = self->ctx->seed};
    TRY(noise_source(self->ctx, &self->noise, &self->drawn));
done:
    graph_facts_free(self->ctx, facts);
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

coset_status job_open(job *self, const coset_graph *graph, const step *of, bool lifts,
                      subject *subject_out)
{
    bool drawn = of != NULL && self->drawn_shapes != NULL;
    bool data = of != NULL && self->data != NULL && (!drawn || lifts);
    const subject_samples samples = {.data = data ? &self->source : NULL,
                                     .data_shapes = &self->calib.sample,
                                     .data_name = data ? self->data->name : NULL,
                                     .drawn = drawn ? &self->drawn : NULL,
                                     .drawn_shapes = self->drawn_shapes,
                                     .kinds = of != NULL ? of->calls[0].kinds : 0};
    return subject_open(self->ctx, graph, self->options, &samples, subject_out);
}

static bool is_random(const coset_compress_options *options)
{
    return options->calib == COSET_CALIB_RANDOM && options->plan_in == NULL;
}

coset_status job_prepare(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const coset_compress_options *options = self->options;
    const chain_request request = {.options = options,
                                   .data = self->data != NULL,
                                   .statistics = self->data != NULL || is_random(options)};
    TRY(check_options(ctx, options));
    if (options->plan_in == NULL) TRY(chain_read(ctx, &request, &self->chain));
    TRY(read_recover(self));
    TRY(coset_graph_measure(ctx, self->graph, &self->before));
    if (self->before.macs < 0 && options->rule == COSET_RULE_MACS && options->plan_in == NULL)
        FAIL(ctx, COSET_EUNSUPPORTED,
             "%s: how many multiply-accumulates it takes is not known, because shapes are not: use "
             "another rule than --macs",
             self->graph->name);
    TRY(graph_prepare(ctx, self->graph, &self->folded));
    if (self->folded != NULL) self->graph = self->folded;
    if (self->data != NULL) TRY(draw_rows(self));
    if (is_random(options)) TRY(draw_inputs(self));
    TRY(job_open(self, self->graph, self->chain.steps, self->lift, &self->original));
done:
    return status;
}
