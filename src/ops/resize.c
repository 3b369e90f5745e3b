/* Resize and Upsample: interpolation to other sizes.
 * Source: ONNX Upsample-7, -9, Resize-10, -11, -13, -18 (axes, keep_aspect_ratio_policy), -19. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/resample.h"

/* Inputs from opset 11; before, the scales are input 1, or an attribute. */
enum { ROI = 1, SCALES = 2, SIZES = 3, ALL_INPUTS = 4, HAS_SIZES = 11, HAS_AXES = 18 };

/* Numbers that the node is given; NULL: absent. */
typedef struct resize_params {
    bool known;
    const float *roi, *scales;
    const int64_t *sizes;
    int64_t n; /* axes that they are for */
    unsigned listed[TENSOR_MAX_RANK];
} resize_params;

static int find_word(const char *const *words, int n, const char *word)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static coset_status bad_word(const op_node *at, const char *attr)
{
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "%s '%s' is unknown", attr,
                     node_attr_string(at->node, attr, ""));
}

/* Everything that depends on attributes alone. */
static coset_status read_attributes(const op_node *at, resample *self)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil"};
    const char *mode = node_attr_string(at->node, "mode", "nearest");
    int found = find_word(modes, COUNT(modes), mode);
    if (at->opset < HAS_SIZES && strcmp(mode, "bilinear") == 0) found = RESAMPLE_LINEAR;
    if (found < 0) return bad_word(at, "mode");
    *self = (resample){.mode = (resample_mode)found,
                       .coordinate = COORDINATE_ASYMMETRIC,
                       .rounding = ROUND_SIMPLE};
    if (at->opset < HAS_SIZES) return COSET_OK;
    found = find_word(coordinates, COUNT(coordinates),
                      node_attr_string(at->node, "coordinate_transformation_mode", "half_pixel"));
    if (found < 0) return bad_word(at, "coordinate_transformation_mode");
    self->coordinate = (resample_coordinate)found;
    found = find_word(roundings, COUNT(roundings),
                      node_attr_string(at->node, "nearest_mode", "round_prefer_floor"));
    if (found < 0) return bad_word(at, "nearest_mode");
    self->rounding = (resample_rounding)found;
    self->cubic_a = node_attr_float(at->node, "cubic_coeff_a", -0.75F);
    self->extrapolation = node_attr_float(at->node, "extrapolation_value", 0);
    self->exclude_outside = node_attr_int(at->node, "exclude_outside", 0) != 0;
    return COSET_OK;
}

/* Data of input i: NULL if it is absent, or empty as exporters write it; *known false if it is there but
 * not known. */
static const array *take(const op_node *at, const array *const *in, int i, bool real, bool *known)
{
    if (i >= at->n_in || at->node->inputs[i] < 0) return NULL;
    bool there = in[i] != NULL && in[i]->data != NULL &&
                 (real ? dtype_is_float(in[i]->dtype) : dtype_is_integer(in[i]->dtype));
    if (!there) {
        bool empty = in[i] != NULL && in[i]->shape.rank == 1 && in[i]->shape.dims[0] == 0;
        *known = *known && empty;
        return NULL;
    }
    return shape_product(&in[i]->shape, 0, in[i]->shape.rank) > 0 ? in[i] : NULL;
}

static coset_status read_axes(const op_node *at, int rank, resize_params *params)
{
    int64_t n = 0;
    const int64_t *axes = at->opset >= HAS_AXES ? node_attr_ints(at->node, "axes", &n) : NULL;
    unsigned seen = 0;
    if (axes == NULL) n = rank;
    if (n > rank)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "more axes than the input has");
    for (int64_t i = 0; i < n; i++) {
        int axis = 0;
        coset_status status = axis_resolve(at, axes != NULL ? axes[i] : i, rank, &axis);
        if (status != COSET_OK) return status;
        if (seen >> axis & 1)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %d is listed twice", axis);
        seen |= 1U << axis;
        params->listed[i] = (unsigned)axis;
    }
    params->n = n;
    return COSET_OK;
}

static int64_t count_of(const array *values)
{
    return shape_product(&values->shape, 0, values->shape.rank);
}

static coset_status read_params(const op_node *at, const array *const *in, int rank,
                                resize_params *params_out)
{
    resize_params self = {.known = true};
    const array *roi = NULL, *scales = NULL, *sizes = NULL;
    coset_status status = read_axes(at, rank, &self);
    if (status != COSET_OK) return status;
    if (at->opset >= HAS_SIZES) {
        bool cropped = strcmp(node_attr_string(at->node, "coordinate_transformation_mode", ""),
                              "tf_crop_and_resize") == 0;
        if (cropped) roi = take(at, in, ROI, true, &self.known);
        scales = take(at, in, SCALES, true, &self.known);
        sizes = take(at, in, SIZES, false, &self.known);
        if (self.known && cropped && roi == NULL)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "tf_crop_and_resize without roi");
    } else if (at->n_in > 1) {
        scales = take(at, in, 1, true, &self.known);
    }
    const graph_attr *attr = at->n_in > 1 ? NULL : node_attr(at->node, "scales");
    if (attr != NULL && attr->kind == ATTR_FLOATS && attr->n == self.n) self.scales = attr->floats;
    if (roi != NULL && count_of(roi) == 2 * self.n) self.roi = roi->f;
    if (scales != NULL && count_of(scales) == self.n) self.scales = scales->f;
    if (sizes != NULL && count_of(sizes) == self.n) self.sizes = sizes->i;
    if (self.known && (self.scales != NULL) == (self.sizes != NULL))
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "expected one of scales and sizes, with %lld entries", (long long)self.n);
    if (roi != NULL && self.roi == NULL)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected a roi with %lld entries",
                         (long long)(2 * self.n));
    *params_out = self;
    return COSET_OK;
}

/* Size and scale of an axis that is given a scale. */
static coset_status scale_axis(const op_node *at, float scale, resample_axis *axis)
{
    if (!(scale > 0) || !isfinite(scale))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "a scale is %g", (double)scale);
    axis->scale = scale;
    if (axis->in < 0) return COSET_OK;
    axis->out = int64_truncate((double)((float)axis->in * scale));
    axis->active = scale != 1;
    return COSET_OK;
}

/* The common scale of keep_aspect_ratio_policy; 0: every axis has its own. */
static coset_status common_scale(const op_node *at, const resize_params *params,
                                 const resample *self, float *scale_out)
{
    const char *policy = at->opset >= HAS_AXES
                             ? node_attr_string(at->node, "keep_aspect_ratio_policy", "stretch")
                             : "stretch";
    bool larger = strcmp(policy, "not_smaller") == 0;
    *scale_out = 0;
    if (strcmp(policy, "stretch") == 0) return COSET_OK;
    if (!larger && strcmp(policy, "not_larger") != 0)
        return bad_word(at, "keep_aspect_ratio_policy");
    for (int64_t i = 0; i < params->n; i++) {
        float scale = (float)params->sizes[i] / (float)self->axes[params->listed[i]].in;
        if (i == 0 || (larger ? scale > *scale_out : scale < *scale_out)) *scale_out = scale;
    }
    return COSET_OK;
}

static coset_status size_axes(const op_node *at, const resize_params *params, resample *self)
{
    float common = 0;
    for (int64_t i = 0; i < params->n; i++) {
        int64_t in = self->axes[params->listed[i]].in;
        if (params->sizes[i] < 0 || (in == 0 && params->sizes[i] > 0))
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "a size is %lld where %lld were",
                             (long long)params->sizes[i], (long long)in);
    }
    coset_status status = common_scale(at, params, self, &common);
    for (int64_t i = 0; status == COSET_OK && i < params->n; i++) {
        resample_axis *axis = &self->axes[params->listed[i]];
        axis->out = params->sizes[i];
        axis->scale = axis->in > 0 ? (float)axis->out / (float)axis->in : 1;
        if (common > 0) {
            axis->scale = common;
            axis->out = int64_truncate(round((double)(common * (float)axis->in)));
        }
        axis->active = axis->out != axis->in || axis->scale != 1;
    }
    return status;
}

/* The whole plan for an input shape; *known_out false: parameters or sizes are not known. */
static coset_status make_plan(const op_node *at, const array *const *in, const shape *of,
                              resample *self, bool *known_out)
{
    coset_status status = COSET_OK;
    resize_params params;
    TRY(read_attributes(at, self));
    TRY(read_params(at, in, of->rank, &params));
    self->rank = of->rank;
    *known_out = params.known;
    for (int a = 0; a < of->rank; a++)
        self->axes[a] =
            (resample_axis){.in = of->dims[a], .out = of->dims[a], .scale = 1, .roi_end = 1};
    if (!params.known) goto done;
    for (int64_t i = 0; i < params.n; i++) {
        resample_axis *axis = &self->axes[params.listed[i]];
        if (params.scales != NULL) TRY(scale_axis(at, params.scales[i], axis));
        if (params.sizes != NULL) *known_out = *known_out && axis->in >= 0;
        if (params.roi == NULL) continue;
        axis->roi_start = params.roi[i];
        axis->roi_end = params.roi[i + params.n];
    }
    if (params.sizes != NULL && *known_out) TRY(size_axes(at, &params, self));
    for (int a = 0; a < of->rank; a++) {
        resample_axis *axis = &self->axes[a];
        if (axis->roi_start != 0 || axis->roi_end != 1) axis->active = true;
        if (axis->active && axis->in == 0 && axis->out > 0)
            status = node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %d is empty", a);
    }
done:
    return status;
}

static coset_status plan_facts(const op_infer *call, resample *self, bool *known_out)
{
    const array *in[ALL_INPUTS] = {NULL};
    for (int i = 1; i < call->at.n_in && i < ALL_INPUTS; i++) in[i] = call->in[i].constant;
    return make_plan(&call->at, in, &call->in[0].shape, self, known_out);
}

static coset_status infer(op_infer *call)
{
    resample plan;
    bool known = false;
    shape *out = &call->out[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    if (call->in[0].shape.rank < 0) return COSET_OK;
    coset_status status = plan_facts(call, &plan, &known);
    if (status != COSET_OK) return status;
    out->rank = plan.rank;
    for (int a = 0; a < plan.rank; a++) out->dims[a] = known ? plan.axes[a].out : -1;
    return COSET_OK;
}

static size_t scratch(const op_infer *call)
{
    resample plan;
    bool known = false;
    if (plan_facts(call, &plan, &known) != COSET_OK) return 0;
    /* Parameters that only a run knows: sizes are known all the same. */
    for (int a = 0; a < plan.rank && !known; a++) {
        plan.axes[a].out = call->out[0].shape.dims[a];
        plan.axes[a].active = true;
    }
    return resample_scratch(&plan, call->at.ctx->threads > 1 ? call->at.ctx->threads : 1);
}

static bool shrinks(const resample *self)
{
    for (int a = 0; a < self->rank; a++)
        if (self->axes[a].active && self->axes[a].scale < 1) return true;
    return false;
}

static coset_status forward(op_call *call)
{
    const op_node *at = &call->at;
    const array *in[ALL_INPUTS] = {NULL};
    resample plan;
    bool known = false;
    coset_status status = call_same_kind(call, 1);
    for (int i = 1; i < at->n_in && i < ALL_INPUTS; i++) in[i] = &call->in[i];
    if (status == COSET_OK) status = make_plan(at, in, &call->in[0].shape, &plan, &known);
    if (status != COSET_OK) return status;
    if (plan.mode != RESAMPLE_NEAREST && node_attr_int(at->node, "antialias", 0) && shrinks(&plan))
        return node_fail(at->ctx, at->node, COSET_EUNSUPPORTED, "antialias is not supported");
    for (int a = 0; a < plan.rank; a++)
        if (!known || plan.axes[a].out != call->out[0].shape.dims[a])
            return node_fail(at->ctx, at->node, COSET_EUNSUPPORTED,
                             "its sizes are not those that its shape was inferred from");
    int threads = call->threads < at->ctx->threads ? call->threads : at->ctx->threads;
    resample_run(&plan, &call->in[0], &call->out[0], call->scratch, threads);
    return COSET_OK;
}

/* Sizes name that of an axis of units, too: it must follow a cut by itself, or be there to be replaced. */
static bool sizes_follow(op_labels *call, const resize_params *params)
{
    const label_array *out = &call->result[0];
    bool follows = true;
    for (int64_t i = 0; i < params->n; i++) {
        int a = (int)params->listed[i];
        if (out->dims[a] > 1 && labels_size(call, SIZES, i, a) != SIZE_FOLLOWS) follows = false;
    }
    return follows || labels_fixed(call, SIZES);
}

static coset_status labels(op_labels *call)
{
    const op_infer facts = {call->at, call->in, NULL};
    const array *in[ALL_INPUTS] = {NULL};
    resample plan;
    resize_params params;
    bool known = false;
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    coset_status status = plan_facts(&facts, &plan, &known);
    if (status != COSET_OK) return status;
    if (!known) return labels_freeze_all(call, "the sizes that it is resized to are not known");
    for (int a = 0; a < plan.rank; a++)
        if (plan.axes[a].active) axes[n++] = a;
    status = labels_over_axes(call, axes, n, true, "it is resized along its units");
    for (int i = 1; i < call->at.n_in && i < ALL_INPUTS; i++) in[i] = call->in[i].constant;
    if (status == COSET_OK) status = read_params(&call->at, in, plan.rank, &params);
    if (status != COSET_OK || params.sizes == NULL || sizes_follow(call, &params)) return status;
    return labels_freeze_all(call, "the sizes that it is resized to are computed");
}

static coset_status cut(op_cut *call)
{
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    resize_params params;
    const array *facts[ALL_INPUTS] = {NULL};
    int64_t sizes[TENSOR_MAX_RANK];
    bool changes = false;
    if (in->rank < 0 || at->opset < HAS_SIZES) return COSET_OK;
    for (int i = 1; i < at->n_in && i < ALL_INPUTS; i++)
        facts[i] = call->now[i].constant != NULL ? call->now[i].constant : call->in[i].constant;
    coset_status status = read_params(at, facts, in->rank, &params);
    if (status != COSET_OK || params.sizes == NULL) return status;
    for (int64_t i = 0; i < params.n; i++) {
        unsigned a = params.listed[i];
        const int64_t *kept = call->keep_out[0].index[a];
        sizes[i] = kept != NULL ? call->keep_out[0].count[a] : params.sizes[i];
        changes = changes || sizes[i] != params.sizes[i];
    }
    const shape list = {1, {params.n}};
    return changes ? cut_set_input(call, SIZES, sizes, &list) : COSET_OK;
}

#define RESIZE_ROW(variable, name, version, least, most)                                           \
    const coset_op variable = {                                                                    \
        .type = name,                                                                              \
        .domain = "",                                                                              \
        .since = version,                                                                          \
        .min_inputs = least,                                                                       \
        .max_inputs = most,                                                                        \
        .min_outputs = 1,                                                                          \
        .max_outputs = 1,                                                                          \
        .infer = infer,                                                                            \
        .forward = forward,                                                                        \
        .scratch = scratch,                                                                        \
        .labels = labels,                                                                          \
        .cut = cut,                                                                                \
    };

RESIZE_ROW(op_resize, "Resize", 10, 2, 2)
RESIZE_ROW(op_resize_11, "Resize", HAS_SIZES, 1, ALL_INPUTS)
RESIZE_ROW(op_upsample, "Upsample", 7, 1, 1)
RESIZE_ROW(op_upsample_9, "Upsample", 9, 2, 2)
