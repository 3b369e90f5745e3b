#include "data/noise.h"

#include "base/rng.h"

/* Streams of the seed: one for every input and sample. */
static uint64_t stream_of(int64_t input, int64_t sample)
{
    return (uint64_t)1 << 63 | (uint64_t)input << 42 | (uint64_t)sample;
}

coset_status noise_shapes(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                          shape *shapes_out)
{
    char text[SHAPE_TEXT];
    for (int64_t i = 0; i < graph->n_inputs; i++) {
        const graph_value *input = &graph->values[graph->inputs[i]];
        const shape *whole = &graph_fact(facts, graph->inputs[i])->shape;
        int from = whole->rank > 1 || (whole->rank == 1 && input->shape.dims[0] < 0);
        bool known = whole->rank >= 0;
        for (int a = from; known && a < whole->rank; a++) known = whole->dims[a] >= 0;
        if (!known)
            return ctx_fail(ctx, COSET_EUNSUPPORTED,
                            "%s: input '%s' has shape %s: what to draw at random is not known; use "
                            "data (--data)",
                            graph->name, input->name, shape_text(whole, text, sizeof text));
        shapes_out[i] = (shape){.rank = whole->rank - from};
        for (int a = from; a < whole->rank; a++) shapes_out[i].dims[a - from] = whole->dims[a];
    }
    return COSET_OK;
}

static coset_status draw(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    const noise *self = user;
    const shape *sample = &self->sample_shapes[input];
    int64_t width = shape_product(sample, 0, sample->rank);
    float *values = out;
    (void)ctx;
    for (int64_t s = 0; s < count; s++) {
        rng random = rng_seed(self->seed, stream_of(input, first + s));
        for (int64_t i = 0; i < width; i++) *values++ = (float)rng_normal(&random);
    }
    return COSET_OK;
}

coset_status noise_source(coset_ctx *ctx, noise *self, batch_source *source_out)
{
    for (int64_t i = 0; i < self->graph->n_inputs; i++) {
        const graph_value *input = &self->graph->values[self->graph->inputs[i]];
        if (!dtype_is_float(input->dtype))
            return ctx_fail(
                ctx, COSET_EUNSUPPORTED,
                "%s: input '%s' has element type %s: only floats can be drawn at random",
                self->graph->name, input->name, coset_dtype_name(input->dtype));
    }
    *source_out = (batch_source){.samples = self->samples, .fill = draw, .user = self};
    return COSET_OK;
}
