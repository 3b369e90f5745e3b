/* LRN: y = x / (bias + alpha / size * s)^beta, s the sum of squares over the channels from
 * c - floor((size - 1) / 2) to c + ceil((size - 1) / 2). Source: ONNX LRN-1, -13. */
#include <math.h>

#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

enum { BLOCK = 256 }; /* elements of a plane whose sums stay in cache */

static coset_status read_size(const op_node *at, int64_t *size_out)
{
    *size_out = node_attr_int(at->node, "size", 0);
    if (*size_out >= 1) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected size of at least 1, found %lld",
                     (long long)*size_out);
}

static coset_status infer(op_infer *call)
{
    int64_t size = 0;
    const shape *x = &call->in[0].shape;
    coset_status status = read_size(&call->at, &size);
    if (status == COSET_OK) status = infer_same_float(call);
    if (status != COSET_OK || x->rank < 0 || x->rank >= 2) return status;
    char text[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected x of shape (N, C, D1, ...), found %s",
                     shape_text(x, text, sizeof text));
}

typedef struct lrn {
    int64_t channels, plane, before, after;
    double alpha, beta, bias; /* alpha is divided by size */
} lrn;

/* Elements [first, first + n) of plane c of one image. */
static void normalise(const lrn *self, const float *x, float *y, int64_t c, int64_t first,
                      int64_t n)
{
    double sums[BLOCK] = {0};
    const int64_t low = c > self->before ? c - self->before : 0;
    const int64_t high =
        self->after < self->channels - 1 - c ? c + self->after : self->channels - 1;
    for (int64_t k = low; k <= high; k++) {
        const float *from = x + k * self->plane + first;
        for (int64_t i = 0; i < n; i++) sums[i] += (double)from[i] * (double)from[i];
    }
    const int64_t at = c * self->plane + first;
    for (int64_t i = 0; i < n; i++)
        y[at + i] =
            (float)((double)x[at + i] * pow(self->bias + self->alpha * sums[i], -self->beta));
}

static coset_status forward(op_call *call)
{
    const graph_node *node = call->at.node;
    const shape *x = &call->in[0].shape;
    int64_t size = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = read_size(&call->at, &size);
    if (status != COSET_OK) return status;
    const lrn self = {.channels = x->dims[1],
                      .plane = shape_product(x, 2, x->rank),
                      .before = (size - 1) / 2,
                      .after = size / 2,
                      .alpha = (double)node_attr_float(node, "alpha", 1e-4F) / (double)size,
                      .beta = (double)node_attr_float(node, "beta", 0.75F),
                      .bias = (double)node_attr_float(node, "bias", 1)};
    const int64_t planes = x->dims[0] * self.channels;
    if (self.plane == 0) return COSET_OK;
#pragma omp parallel for if (planes * self.plane > 1 << 12) num_threads(call->threads)             \
    schedule(static)
    for (int64_t p = 0; p < planes; p++) {
        const int64_t image = p / self.channels * self.channels * self.plane;
        for (int64_t first = 0; first < self.plane; first += BLOCK)
            normalise(&self, call->in[0].f + image, call->out[0].f + image, p % self.channels,
                      first, self.plane - first < BLOCK ? self.plane - first : BLOCK);
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    const int64_t channels = 1;
    return labels_over_axes(call, &channels, 1, true, "it is normalised over its units");
}

static int64_t work(const op_infer *call)
{
    const shape *x = &call->in[0].shape;
    int64_t size = node_attr_int(call->at.node, "size", 1), done = 0;
    if (size > x->dims[1]) size = x->dims[1];
    return dim_mul(shape_product(x, 0, x->rank), size, &done) ? done : INT64_MAX;
}

const coset_op op_lrn = {
    .type = "LRN",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .work = work,
};
