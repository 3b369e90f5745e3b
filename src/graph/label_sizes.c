/* Where the numbers of shape arithmetic come from.
 *
 * Shape gives numbers that a cut changes. Used as the size of the axis that they were taken from they follow
 * the cut; anything else that is computed with them (a scale of 1 / sqrt(n), the shape of another value)
 * would come out differently. So every element of a short list that is computed from shapes remembers the
 * axes that it depends on, and what no rule has asked for (labels_size) freezes the units there. */
#include <string.h>

#include "graph/labels_set.h"

enum {
    SIZE_STORED, /* the same for every input of the model */
    SIZE_FREE,   /* depends on the model's input, but on no units */
    SIZE_FIRST   /* sources[id - SIZE_FIRST] */
};

/* Elements of a list, bits of op_labels.settled. */
enum { SIZES_MAX = 64, OPERANDS = 3 };

struct size_source {
    int32_t value, axis; /* the size of an axis; value -1: computed from left and right */
    int32_t left, right;
    bool units; /* it depends on how many units there are */
    bool frozen;
};

static const size_source *source_of(const label_set *set, int32_t id)
{
    return id >= SIZE_FIRST ? &set->sources[id - SIZE_FIRST] : NULL;
}

static bool has_units(const label_set *set, int32_t id)
{
    return id >= SIZE_FIRST && source_of(set, id)->units;
}

static int32_t size_id(const label_set *set, int32_t value, int64_t entry)
{
    if (value < 0 || set->fixed[value]) return SIZE_STORED;
    return set->sizes[value] != NULL ? set->sizes[value][entry] : SIZE_FREE;
}

static coset_status add_source(label_set *set, const size_source *source, int32_t *id_out)
{
    coset_status status = ctx_reserve(set->ctx, &set->sources, &set->sources_capacity,
                                      set->n_sources + 1, sizeof *set->sources);
    if (status != COSET_OK) return status;
    if (set->n_sources >= INT32_MAX - SIZE_FIRST)
        return ctx_fail(set->ctx, COSET_ELIMIT, "too much arithmetic with shapes");
    set->sources[set->n_sources] = *source;
    *id_out = (int32_t)set->n_sources++ + SIZE_FIRST;
    return COSET_OK;
}

/* What is computed from two numbers. */
static coset_status mix(label_set *set, int32_t a, int32_t b, int32_t *id_out)
{
    *id_out = a == SIZE_STORED && b == SIZE_STORED ? SIZE_STORED : SIZE_FREE;
    if (!has_units(set, a) && !has_units(set, b)) return COSET_OK;
    const size_source made = {.value = -1, .left = a, .right = b, .units = true};
    return add_source(set, &made, id_out);
}

/* ---- shape arithmetic ---------------------------------------------------------------------------- */

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types != NULL; types++)
        if (strcmp(type, *types) == 0) return true;
    return false;
}

static int64_t count_of(const shape *of)
{
    return shape_product(of, 0, of->rank);
}

/* Numbers that are all stored or have sources, and few enough. */
static bool is_list(const op_labels *call, int input)
{
    int32_t value = call->at.node->inputs[input];
    if (value < 0) return true;
    const shape *of = &call->in[input].shape;
    return shape_known(of) && count_of(of) <= SIZES_MAX &&
           (call->set->fixed[value] || call->set->sizes[value] != NULL);
}

static coset_status axis_sources(op_labels *call, int64_t *ids)
{
    coset_status status = COSET_OK;
    const label_array *labels = &call->labels[0];
    for (int a = 0; a < call->in[0].shape.rank; a++) {
        size_source source = {.value = call->at.node->inputs[0], .axis = a};
        int32_t id = 0;
        if (a < labels->rank && labels->dims[a] > 1)
            for (int64_t e = 0, n = label_elements(labels); e < n && !source.units; e++)
                source.units = labels->ids[e] >= LABEL_FIRST;
        TRY(add_source(call->set, &source, &id));
        ids[a] = id;
    }
done:
    return status;
}

/* Shape and Size: the kernel of Shape copies what it takes for dimensions. */
static coset_status pass_shape(op_labels *call, int32_t *ids)
{
    coset_status status = COSET_OK;
    int64_t axes[TENSOR_MAX_RANK] = {0}, taken[TENSOR_MAX_RANK];
    int rank = call->in[0].shape.rank;
    TRY(axis_sources(call, axes));
    if (strcmp(call->at.node->op_type, "Size") == 0) {
        ids[0] = SIZE_STORED;
        for (int a = 0; a < rank; a++) TRY(mix(call->set, ids[0], (int32_t)axes[a], &ids[0]));
        goto done;
    }
    array in = {.dtype = COSET_I64, .shape = {.rank = rank}};
    array out = {.dtype = COSET_I64, .shape = call->out[0].shape, .i = taken};
    memcpy(in.shape.dims, axes, sizeof axes);
    op_call run = {call->at, &in, &out, NULL, 1};
    TRY(call->at.node->op->forward(&run));
    for (int64_t e = 0; e < out.shape.dims[0]; e++) ids[e] = (int32_t)taken[e];
done:
    return status;
}

/* Runs the operator's own kernel on sources: the first n_data inputs are data, the others parameters. */
static coset_status pass_moved(op_labels *call, int n_data, int32_t *ids, bool *passed_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    array *in = NULL;
    int64_t *data = NULL, moved[SIZES_MAX];
    array out = {.dtype = COSET_I64, .shape = call->out[0].shape, .i = moved};
    TRY(ctx_alloc(ctx, call->at.n_in, sizeof *in, &in));
    TRY(ctx_alloc(ctx, (int64_t)n_data * SIZES_MAX, sizeof *data, &data));
    for (int i = 0; i < call->at.n_in; i++) {
        int32_t value = call->at.node->inputs[i];
        in[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        if (value < 0) continue;
        if (i >= n_data) {
            if (call->in[i].constant == NULL) goto done;
            in[i] = *call->in[i].constant;
            continue;
        }
        in[i] = (array){.dtype = COSET_I64, .shape = call->in[i].shape};
        in[i].i = data + (int64_t)i * SIZES_MAX;
        for (int64_t e = 0, n = count_of(&in[i].shape); e < n; e++)
            in[i].i[e] = size_id(call->set, value, e);
    }
    op_call run = {call->at, in, &out, NULL, 1};
    TRY(call->at.node->op->forward(&run));
    for (int64_t e = 0, n = count_of(&out.shape); e < n; e++) ids[e] = (int32_t)moved[e];
    *passed_out = true;
done:
    ctx_free(ctx, in);
    ctx_free(ctx, data);
    return status;
}

/* Element of an operand that meets element `at` of a broadcast result. */
static int64_t broadcast_index(const shape *own, const shape *result, int64_t at)
{
    int64_t index = 0, step = 1;
    for (int a = result->rank - 1; a >= 0; a--) {
        int64_t place = at % result->dims[a];
        int b = a - (result->rank - own->rank);
        at /= result->dims[a];
        if (b < 0) continue;
        if (own->dims[b] > 1) index += place * step;
        step *= own->dims[b];
    }
    return index;
}

static bool is_number(const fact *known, int64_t index, int64_t wanted)
{
    if (known->constant == NULL) return false;
    return dtype_is_float(known->constant->dtype) ? known->constant->f[index] == (float)wanted
                                                  : known->constant->i[index] == wanted;
}

/* The operand that an operation leaves as it is, because the other is its neutral element; -1: neither. */
static int passing_operand(const op_labels *call, const int64_t *index)
{
    const char *type = call->at.node->op_type;
    bool product = strcmp(type, "Mul") == 0, sum = strcmp(type, "Add") == 0;
    int64_t neutral = product || strcmp(type, "Div") == 0 ? 1 : 0;
    if (!product && !sum && strcmp(type, "Div") != 0 && strcmp(type, "Sub") != 0) return -1;
    for (int kept = 0; kept < (product || sum ? 2 : 1); kept++)
        if (call->set->fixed[call->at.node->inputs[1 - kept]] &&
            is_number(&call->in[1 - kept], index[1 - kept], neutral))
            return kept;
    return -1;
}

/* n / n and n - n are the same for every n. */
static bool cancels(const op_labels *call, const int32_t *ids)
{
    const char *type = call->at.node->op_type;
    const size_source *a = source_of(call->set, ids[0]), *b = source_of(call->set, ids[1]);
    if (a == NULL || b == NULL || a->value < 0) return false;
    return a->value == b->value && a->axis == b->axis &&
           (strcmp(type, "Div") == 0 || strcmp(type, "Sub") == 0);
}

/* Element `at` of an elementwise result. */
static coset_status combine(op_labels *call, int64_t at, int32_t *id_out)
{
    coset_status status = COSET_OK;
    int32_t ids[OPERANDS] = {SIZE_STORED, SIZE_STORED, SIZE_STORED};
    int64_t index[OPERANDS] = {0};
    int n = call->at.n_in;
    for (int i = 0; i < n; i++) {
        int32_t value = call->at.node->inputs[i];
        index[i] = broadcast_index(&call->in[i].shape, &call->out[0].shape, at);
        ids[i] = size_id(call->set, value, index[i]);
    }
    int passing = n == 2 ? passing_operand(call, index) : -1;
    *id_out = passing >= 0 ? ids[passing] : SIZE_STORED;
    if (passing >= 0 || (n == 2 && cancels(call, ids))) return COSET_OK;
    *id_out = ids[0];
    if (n == 1) return mix(call->set, ids[0], SIZE_STORED, id_out);
    for (int i = 1; i < n; i++) TRY(mix(call->set, *id_out, ids[i], id_out));
done:
    return status;
}

static coset_status pass_combined(op_labels *call, int32_t *ids)
{
    coset_status status = COSET_OK;
    for (int64_t e = 0, n = count_of(&call->out[0].shape); e < n; e++)
        TRY(combine(call, e, &ids[e]));
done:
    return status;
}

/* A product or a sum of numbers. */
static coset_status pass_reduced(op_labels *call, int32_t *ids)
{
    coset_status status = COSET_OK;
    int32_t all = SIZE_STORED, value = call->at.node->inputs[0];
    for (int64_t e = 0, n = count_of(&call->in[0].shape); e < n; e++)
        TRY(mix(call->set, all, size_id(call->set, value, e), &all));
    for (int64_t e = 0, n = count_of(&call->out[0].shape); e < n; e++) ids[e] = all;
done:
    return status;
}

static bool parameters_fixed(const op_labels *call)
{
    for (int i = 1; i < call->at.n_in; i++)
        if (!labels_fixed(call, i)) return false;
    return true;
}

/* Fills the sources of the node's output; *passed_out false: it is no shape arithmetic. */
static coset_status pass(op_labels *call, int32_t *ids, bool *passed_out)
{
    static const char *const shapes[] = {"Shape", "Size", NULL};
    static const char *const moves[] = {"Gather", "Slice", NULL};
    static const char *const copies[] = {"Identity", "Cast",  "Unsqueeze", "Squeeze", "Reshape",
                                         "Flatten",  "Floor", "Ceil",      "Round",   NULL};
    static const char *const reductions[] = {"ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin",
                                             NULL};
    static const char *const combinations[] = {
        "Add", "Sub", "Mul",   "Div",  "Mod",     "Min",   "Max", "Pow", "Sqrt", "Reciprocal",
        "Neg", "Abs", "Equal", "Less", "Greater", "Where", "And", "Or",  "Not",  NULL};
    const char *type = call->at.node->op_type;
    if (is_one_of(type, shapes)) {
        *passed_out = call->in[0].shape.rank >= 0;
        return *passed_out ? pass_shape(call, ids) : COSET_OK;
    }
    for (int i = 0; i < call->at.n_in; i++)
        if (!is_list(call, i)) return COSET_OK;
    if (strcmp(type, "Concat") == 0) return pass_moved(call, call->at.n_in, ids, passed_out);
    *passed_out = is_one_of(type, combinations) && call->at.n_in <= OPERANDS;
    if (*passed_out) return pass_combined(call, ids);
    if (!parameters_fixed(call)) return COSET_OK;
    if (is_one_of(type, moves)) return pass_moved(call, 1, ids, passed_out);
    *passed_out = is_one_of(type, reductions);
    if (*passed_out) return pass_reduced(call, ids);
    *passed_out = is_one_of(type, copies);
    for (int64_t e = 0, n = count_of(&call->out[0].shape); e < n && *passed_out; e++)
        ids[e] = size_id(call->set, call->at.node->inputs[0], e);
    return COSET_OK;
}

coset_status sizes_pass(op_labels *call, bool *passed_out)
{
    coset_status status = COSET_OK;
    const graph_node *node = call->at.node;
    int32_t *ids = NULL;
    *passed_out = false;
    if (node->domain[0] != '\0' || node->n_captures > 0 || call->at.n_out != 1) goto done;
    if (call->at.n_in < 1 || node->inputs[0] < 0 || node->outputs[0] < 0) goto done;
    if (node->op == NULL || node->op->forward == NULL) goto done;
    const shape *of = &call->out[0].shape;
    if (call->set->fixed[node->outputs[0]] || !shape_known(of) || count_of(of) > SIZES_MAX)
        goto done;
    TRY(arena_alloc(call->at.ctx, &call->set->arena, count_of(of), sizeof *ids, &ids));
    TRY(pass(call, ids, passed_out));
    if (*passed_out) call->set->sizes[node->outputs[0]] = ids;
done:
    return status;
}

/* ---- what becomes of them ------------------------------------------------------------------------ */

coset_status sizes_freeze(label_set *set, int32_t value, uint64_t settled, const char *reason)
{
    coset_status status = COSET_OK;
    int32_t *stack = NULL;
    int64_t n = 0, capacity = 0;
    const shape *of = &graph_fact(set->facts, value)->shape;
    for (int64_t e = 0, count = set->sizes[value] != NULL ? count_of(of) : 0; e < count; e++) {
        if (settled >> e & 1) continue;
        TRY(ctx_reserve(set->ctx, &stack, &capacity, 1, sizeof *stack));
        stack[n++] = set->sizes[value][e];
        while (n > 0) {
            int32_t id = stack[--n];
            if (!has_units(set, id) || set->sources[id - SIZE_FIRST].frozen) continue;
            size_source *source = &set->sources[id - SIZE_FIRST];
            source->frozen = true;
            if (source->value >= 0) {
                const label_array *labels = &set->of_value[source->value];
                for (int64_t k = 0, total = label_elements(labels); k < total; k++)
                    labels_unite(set, labels->ids[k], LABEL_FROZEN, reason);
                continue;
            }
            TRY(ctx_reserve(set->ctx, &stack, &capacity, n + 2, sizeof *stack));
            stack[n++] = source->left;
            stack[n++] = source->right;
        }
    }
done:
    ctx_free(set->ctx, stack);
    return status;
}

/* The same units along an axis of one value as along an axis of another, and along no other axes. */
static bool same_axis(const label_set *set, const label_array *a, int i, const label_array *b,
                      int j)
{
    if (i >= a->rank || j >= b->rank || a->dims[i] != b->dims[j]) return false;
    if (label_elements(a) != a->dims[i] || label_elements(b) != b->dims[j]) return false;
    for (int64_t e = 0; e < a->dims[i]; e++)
        if (labels_root(set, a->ids[e]) != labels_root(set, b->ids[e])) return false;
    return true;
}

static int longest_axis(const label_array *labels)
{
    int longest = 0;
    for (int a = 1; a < labels->rank; a++)
        if (labels->dims[a] > labels->dims[longest]) longest = a;
    return longest;
}

/* True if a number depends on no other units than those of `labels`. steps: how many numbers are looked at. */
static bool depends_on(const label_set *set, int32_t id, const label_array *labels, int *steps)
{
    const size_source *source = source_of(set, id);
    if (!has_units(set, id)) return true;
    if (--*steps < 0) return false;
    if (source->value >= 0)
        return same_axis(set, &set->of_value[source->value], source->axis, labels,
                         longest_axis(labels));
    return depends_on(set, source->left, labels, steps) &&
           depends_on(set, source->right, labels, steps);
}

size_course labels_size(op_labels *call, int input, int64_t entry, int axis)
{
    enum { STEPS = 64 };
    const label_set *set = call->set;
    const label_array *out = &call->result[0];
    int32_t value = input < call->at.n_in ? call->at.node->inputs[input] : -1;
    int32_t id = size_id(set, value, entry);
    int steps = STEPS;
    if (!has_units(set, id)) return SIZE_STAYS;
    const size_source *source = source_of(set, id);
    bool follows = source->value >= 0 && axis < out->rank && out->dims[axis] > 1 &&
                   same_axis(set, &set->of_value[source->value], source->axis, out, axis);
    if (!follows && !depends_on(set, id, &call->labels[0], &steps)) return SIZE_STAYS;
    call->settled[input] |= (uint64_t)1 << entry;
    return follows ? SIZE_FOLLOWS : SIZE_CHANGES;
}

bool size_is_stored(const label_set *set, int32_t value, int64_t entry)
{
    return size_id(set, value, entry) == SIZE_STORED;
}

int32_t size_axis(const label_set *set, int32_t value, int64_t entry, int *axis_out)
{
    const size_source *source = source_of(set, size_id(set, value, entry));
    *axis_out = source != NULL ? source->axis : 0;
    return source != NULL ? source->value : -1;
}
