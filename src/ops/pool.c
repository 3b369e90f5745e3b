#include "ops/pool.h"

#include <string.h>

#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

enum {
    BLOCK = 128,               /* outputs of one row whose accumulators stay in cache */
    PARALLEL_OUTPUTS = 1 << 12 /* below, starting threads costs more than they save */
};

static const char pooled[] = "it is pooled over its units";

/* ---- shapes ---------------------------------------------------------------------------------- */

coset_status pool_window(const op_node *at, const shape *x, window *window_out)
{
    int64_t n = 0;
    if (node_attr_ints(at->node, "kernel_shape", &n) == NULL || n == 0)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "kernel_shape is missing");
    return window_read(at, x, NULL, node_attr_int(at->node, "ceil_mode", 0) != 0, window_out);
}

coset_status pool_infer(op_infer *call, unsigned takes)
{
    coset_status status = COSET_OK;
    const fact *x = &call->in[0];
    window over;
    TRY(infer_takes(call, 0, takes));
    call->out[0].dtype = x->dtype;
    if (x->shape.rank >= 0) {
        TRY(pool_window(&call->at, &x->shape, &over));
        call->out[0].shape = x->shape;
        window_out_dims(&over, call->out[0].shape.dims + 2);
    }
    if (call->at.n_out > 1) {
        call->out[1].dtype = COSET_I64;
        call->out[1].shape = call->out[0].shape;
    }
done:
    return status;
}

coset_status pool_infer_global(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[0].shape;
    TRY(infer_same_float(call));
    if (x->rank < 0) goto done;
    if (x->rank < 3) {
        char text[SHAPE_TEXT];
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "expected x of shape (N, C, D1, ...), found %s",
                           shape_text(x, text, sizeof text));
        goto done;
    }
    for (int a = 2; a < x->rank; a++) call->out[0].shape.dims[a] = 1;
done:
    return status;
}

int64_t pool_work(const op_infer *call)
{
    const shape *out = &call->out[0].shape;
    window over;
    int64_t taps = 1, work = 0;
    if (pool_window(&call->at, &call->in[0].shape, &over) != COSET_OK) return INT64_MAX;
    for (int a = 0; a < WINDOW_AXES; a++) {
        const window_axis *axis = &over.axis[a];
        taps *= axis->kernel < axis->in ? axis->kernel : axis->in;
    }
    return dim_mul(taps, shape_product(out, 0, out->rank), &work) ? work : INT64_MAX;
}

/* ---- loops ----------------------------------------------------------------------------------- */

void pool_taps(const window_axis *axis, int64_t o, int64_t low, int64_t high, int64_t *first_out,
               int64_t *end_out)
{
    /* low <= start + t * dilation < high */
    const int64_t start = o * axis->stride - axis->before, d = axis->dilation;
    *first_out = 0;
    *end_out = axis->kernel;
    if (start >= low && start + (axis->kernel - 1) * d < high)
        return; /* mostly, and without divisions */
    const int64_t first = start < low ? (low - start + d - 1) / d : 0;
    const int64_t end = start < high ? (high - start + d - 1) / d : 0;
    *end_out = end < axis->kernel ? end : axis->kernel;
    *first_out = first < *end_out ? first : *end_out;
}

typedef struct pool_job {
    const pool_kernel *kernel;
    const window *window;
    const char *x; /* one plane */
    char *y;
} pool_job;

/* Taps of output o that count. */
static int64_t count_taps(const pool_job *job, int axis, int64_t o)
{
    const window_axis *w = &job->window->axis[axis];
    const bool pads = job->kernel->counts_pads;
    int64_t first = 0, end = 0;
    pool_taps(w, o, pads ? -w->before : 0, pads ? w->in + w->after : w->in, &first, &end);
    return end - first;
}

/* Takes one row of x into outputs [b, b + n) of a row. */
static void take_row(const pool_job *job, const char *row, int64_t b, int64_t n, char *sums)
{
    const pool_kernel *k = job->kernel;
    const window_axis *w = &job->window->axis[2];
    int64_t first_tap = 0, end_tap = 0, unused = 0;
    pool_taps(w, b + n - 1, 0, w->in, &first_tap, &unused);
    pool_taps(w, b, 0, w->in, &unused, &end_tap);
    for (int64_t t = first_tap; t < end_tap; t++) {
        const int64_t shift = t * w->dilation - w->before;
        int64_t first = b, end = b + n;
        if (b * w->stride + shift < 0 || (b + n - 1) * w->stride + shift >= w->in) {
            window_inside(w, t, &first, &end);
            if (first < b) first = b;
            if (end > b + n) end = b + n;
            if (first >= end) continue;
        }
        const int64_t from = first * w->stride + shift;
        k->take(row + (size_t)from * k->x_size, w->stride, sums + (size_t)(first - b) * k->sum_size,
                end - first, k->param);
    }
}

/* One row of outputs, at `od` and `oh` of the outer axes. */
static void pool_row(const pool_job *job, int64_t od, int64_t oh)
{
    const pool_kernel *k = job->kernel;
    const window_axis *d = &job->window->axis[0], *h = &job->window->axis[1];
    const window_axis *w = &job->window->axis[2];
    double sums[BLOCK];
    int64_t counts[BLOCK], td0 = 0, td1 = 0, th0 = 0, th1 = 0;
    const int64_t outer = k->needs_counts ? count_taps(job, 0, od) * count_taps(job, 1, oh) : 0;
    pool_taps(d, od, 0, d->in, &td0, &td1);
    pool_taps(h, oh, 0, h->in, &th0, &th1);
    char *y = job->y + (size_t)((od * h->out + oh) * w->out) * k->x_size;
    for (int64_t b = 0; b < w->out; b += BLOCK) {
        const int64_t n = w->out - b < BLOCK ? w->out - b : BLOCK;
        k->start(sums, n);
        for (int64_t td = td0; td < td1; td++)
            for (int64_t th = th0; th < th1; th++) {
                const int64_t id = od * d->stride - d->before + td * d->dilation;
                const int64_t ih = oh * h->stride - h->before + th * h->dilation;
                take_row(job, job->x + (size_t)((id * h->in + ih) * w->in) * k->x_size, b, n,
                         (char *)sums);
            }
        for (int64_t i = 0; k->needs_counts && i < n; i++)
            counts[i] = outer * count_taps(job, 2, b + i);
        k->finish(sums, counts, y + (size_t)b * k->x_size, n, k->param);
    }
}

coset_status pool_forward(op_call *call, const pool_kernel *kernel)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[0].shape;
    window over;
    TRY(call_same_kind(call, 1));
    TRY(pool_window(&call->at, x, &over));
    const int64_t planes = x->dims[0] * x->dims[1];
    const int64_t inputs = shape_product(x, 2, x->rank), outputs = window_positions(&over);
    if (planes == 0 || outputs == 0) goto done;
    const int64_t rows = over.axis[0].out * over.axis[1].out;
#pragma omp parallel for if (planes * outputs > PARALLEL_OUTPUTS) num_threads(call->threads)       \
    schedule(static)
    for (int64_t r = 0; r < planes * rows; r++) {
        const size_t plane = (size_t)(r / rows);
        const int64_t row = r % rows;
        const pool_job job = {
            kernel, &over, (const char *)call->in[0].data + plane * (size_t)inputs * kernel->x_size,
            (char *)call->out[0].data + plane * (size_t)outputs * kernel->x_size};
        pool_row(&job, row / over.axis[1].out, row % over.axis[1].out);
    }
    array_normalise(&call->out[0]);
done:
    return status;
}

/* ---- labels ---------------------------------------------------------------------------------- */

coset_status pool_labels(op_labels *call)
{
    coset_status status = COSET_OK;
    int64_t axes[WINDOW_AXES], n = 0;
    window over;
    TRY(pool_window(&call->at, &call->in[0].shape, &over));
    for (int a = 0; a < over.n_axes; a++) {
        const window_axis *axis = &over.axis[WINDOW_AXES - over.n_axes + a];
        if (axis->kernel != 1 || axis->stride != 1 || axis->before != 0 || axis->after != 0)
            axes[n++] = 2 + a;
    }
    if (call->at.n_out > 1 && call->at.node->outputs[1] >= 0) {
        /* Indices count all elements of the tensor: what is cut in front moves them. */
        TRY(labels_freeze_all(call, "its places are asked for"));
        goto done;
    }
    TRY(labels_over_axes(call, axes, n, true, pooled));
done:
    return status;
}

coset_status pool_labels_global(op_labels *call)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    for (int a = 2; a < call->in[0].shape.rank; a++) axes[n++] = a;
    return labels_over_axes(call, axes, n, true, pooled);
}
