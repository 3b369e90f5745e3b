/* Where bypasses can run. */
#include <string.h>

#include "lump/bypass.h"
#include "ops/elementwise.h"

typedef struct line_finder {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_facts *facts;
    const graph_groups *groups;
    bypass_lines *out;
    int64_t *contraction_at; /* [n_nodes] -1: none */
    int32_t *seen;  /* [n_values] 1 + the group between whose producer and readers a value lies */
    int32_t *queue; /* [n_values] those of the group at hand */
    int64_t n_queue;
} line_finder;

/* ---- reasons ---------------------------------------------------------------------------------- */

/* Says why group `g` has no line. */
static coset_status refuse(line_finder *self, int64_t g, const char *reason)
{
    return arena_string(self->ctx, &self->out->arena, reason, strlen(reason),
                        &self->out->reason[g]);
}

static coset_status refuse_node(line_finder *self, int64_t g, int32_t node, const char *reason)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    const graph_node *at = &self->graph->nodes[node];
    TRY(ctx_format(self->ctx, &text, "%s '%s' %s", at->op_type, node_label(self->graph, at),
                   reason));
    TRY(refuse(self, g, text));
done:
    ctx_free(self->ctx, text);
    return status;
}

/* ---- contractions ----------------------------------------------------------------------------- */

static bool is_type(const graph_node *node, const char *type)
{
    return node->domain[0] == '\0' && strcmp(node->op_type, type) == 0;
}

/* True if the elements of an INTS attribute that is there are all `value`. */
static bool ints_are(const graph_node *node, const char *attr, int64_t value)
{
    int64_t n = 0;
    const int64_t *ints = node_attr_ints(node, attr, &n);
    for (int64_t i = 0; i < n; i++)
        if (ints[i] != value) return false;
    return true;
}

/* What keeps a contraction from reading (or making) something wider; NULL: nothing. */
static const char *misfit(const line_finder *self, const contraction *at)
{
    const graph_node *node = &self->graph->nodes[at->node];
    const bool conv = is_type(node, "Conv");
    const tensor *weight = self->graph->values[at->weight].constant;
    if (!conv && !is_type(node, "MatMul") && !is_type(node, "Gemm"))
        return "is no matrix product or convolution";
    if (at->groups != 1) return "is a convolution of several groups";
    if (node->n_inputs < 2 || node->inputs[0] != at->input || node->inputs[1] != at->weight)
        return "has its weight on the left";
    if (node_attr_int(node, "transA", 0) != 0) return "transposes what it reads";
    if (!conv && weight->shape.rank != 2) return "has a weight that is no matrix";
    return at->scale == 0 ? "multiplies with 0" : NULL;
}

/* The same for a producer: W x + b with one W for all positions, and a b that is known. */
static const char *producer_misfit(const line_finder *self, const contraction *at)
{
    const graph_node *node = &self->graph->nodes[at->node];
    const char *reason = misfit(self, at);
    if (reason != NULL) return reason;
    const tensor *weight = self->graph->values[at->weight].constant;
    if (is_type(node, "Conv") && (shape_product(&weight->shape, 2, weight->shape.rank) != 1 ||
                                  !ints_are(node, "strides", 1) || !ints_are(node, "pads", 0)))
        return "is a convolution that is not 1x1 with stride 1";
    const bool adds =
        node->n_inputs > 2 && node->inputs[2] >= 0 && node_attr_float(node, "beta", 1) != 0;
    if (adds && at->bias_node != at->node) return "has a bias that is not one for each unit";
    return NULL;
}

static bool is_padded(const graph_node *node)
{
    const char *mode = node_attr_string(node, "auto_pad", "NOTSET");
    return is_type(node, "Conv") && (!ints_are(node, "pads", 0) || strncmp(mode, "SAME", 4) == 0);
}

/* The one contraction that makes the units of a group, in order and nothing else; -1, with a reason. */
static coset_status find_producer(line_finder *self, int64_t g, int64_t *producer_out)
{
    const unit_group *group = &self->groups->groups[g];
    const group_slot *made = NULL;
    *producer_out = -1;
    for (int32_t s = 0; s < group->n_slots; s++) {
        if (group->slots[s].role != SLOT_PRODUCER) continue;
        if (made != NULL) return refuse(self, g, "several layers make its units");
        made = &group->slots[s];
    }
    int32_t c = made != NULL ? self->groups->contraction_of[made->slot] : -1;
    if (c < 0) return refuse(self, g, "no matrix product or convolution makes its units");
    const contraction *at = &self->groups->contractions[c];
    const char *reason = producer_misfit(self, at);
    if (reason != NULL) return refuse_node(self, g, at->node, reason);
    bool whole = made->repeats == 1 && self->groups->slots[made->slot].size == group->n;
    for (int64_t u = 0; whole && u < group->n; u++) whole = made->index[u] == u;
    if (!whole) return refuse_node(self, g, at->node, "does not make just its units, each once");
    *producer_out = c;
    return COSET_OK;
}

/* ---- between producer and readers ------------------------------------------------------------- */

/* True if a node treats every element of what it reads by itself. */
static bool is_elementwise(const graph_node *node)
{
    if (node->op == NULL || node->n_outputs < 1 || node->outputs[0] < 0) return false;
    return node->op->labels == labels_unary || node->op->labels == labels_added ||
           node->op->labels == labels_scaled || is_type(node, "Clip") ||
           (is_type(node, "BatchNormalization") && node_attr_int(node, "training_mode", 0) == 0);
}

static bool is_constant(const line_finder *self, int32_t value)
{
    const label_array *labels = labels_of(self->groups->labels, value);
    int64_t count = 1;
    for (int a = 0; a < labels->rank; a++) count *= labels->dims[a];
    for (int64_t i = 0; labels->rank >= 0 && i < count; i++)
        if (labels->ids[i] != LABEL_NONE) return false;
    return labels->rank >= 0;
}

static void enter(line_finder *self, int64_t g, int32_t value)
{
    if (self->seen[value] == g + 1) return;
    self->seen[value] = (int32_t)g + 1;
    self->queue[self->n_queue++] = value;
}

static bool same_fact(const line_finder *self, int32_t a, int32_t b)
{
    const fact *left = graph_fact(self->facts, a), *right = graph_fact(self->facts, b);
    return left->dtype == right->dtype && shape_equal(&left->shape, &right->shape);
}

/* Follows one reader of `value`: notes it in the line, or goes on behind it. */
static coset_status visit(line_finder *self, int64_t g, bypass_line *line, int32_t value, int32_t n)
{
    const graph_node *node = &self->graph->nodes[n];
    int64_t c = self->contraction_at[n];
    if (c >= 0 && self->groups->contractions[c].input == value) {
        const char *reason = misfit(self, &self->groups->contractions[c]);
        if (reason != NULL) return refuse_node(self, g, n, reason);
        if (line->h >= 0 && line->h != value)
            return refuse(self, g, "its readers see it in two forms");
        line->h = value;
        line->n_readers++;
        line->padded = line->padded || is_padded(node);
        return COSET_OK;
    }
    if (!is_elementwise(node)) return refuse_node(self, g, n, "reads it");
    if (!same_fact(self, node->outputs[0], line->z))
        return refuse_node(self, g, n, "changes its shape or type");
    for (int32_t o = 1; o < node->n_outputs; o++)
        if (node->outputs[o] >= 0 && self->graph->values[node->outputs[o]].n_consumers > 0)
            return refuse_node(self, g, n, "gives more than one output");
    enter(self, g, node->outputs[0]);
    return COSET_OK;
}

/* Nothing comes in between but constants, and everything is read. */
static coset_status check_between(line_finder *self, int64_t g, const bypass_line *line)
{
    for (int64_t q = 0; q < self->n_queue; q++) {
        const graph_value *at = &self->graph->values[self->queue[q]];
        if (at->n_consumers == 0)
            return refuse_node(self, g, at->producer, "makes something that nothing reads");
        if (self->queue[q] == line->z) continue;
        const graph_node *node = &self->graph->nodes[at->producer];
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0 && self->seen[node->inputs[i]] != g + 1 &&
                !is_constant(self, node->inputs[i]))
                return refuse_node(self, g, at->producer, "brings in other units");
    }
    return COSET_OK;
}

static coset_status follow(line_finder *self, int64_t g, bypass_line *line)
{
    coset_status status = COSET_OK;
    self->n_queue = 0;
    enter(self, g, line->z);
    for (int64_t q = 0; q < self->n_queue; q++) {
        int32_t value = self->queue[q];
        const graph_value *at = &self->graph->values[value];
        for (int32_t c = 0; c < at->n_consumers && self->out->reason[g] == NULL; c++)
            if (c == 0 || at->consumers[c] != at->consumers[c - 1])
                TRY(visit(self, g, line, value, at->consumers[c]));
        if (self->out->reason[g] != NULL) goto done;
    }
    TRY(check_between(self, g, line));
done:
    return status;
}

static coset_status list_readers(line_finder *self, bypass_line *line)
{
    const graph_value *h = &self->graph->values[line->h];
    coset_status status = arena_alloc(self->ctx, &self->out->arena, line->n_readers,
                                      sizeof *line->readers, &line->readers);
    for (int32_t c = 0, r = 0; status == COSET_OK && c < h->n_consumers; c++)
        if (r == 0 || self->contraction_at[h->consumers[c]] != line->readers[r - 1])
            line->readers[r++] = self->contraction_at[h->consumers[c]];
    return status;
}

static coset_status find_line(line_finder *self, int64_t g)
{
    coset_status status = COSET_OK;
    const unit_group *group = &self->groups->groups[g];
    bypass_line line = {.producer = -1, .x = -1, .z = -1, .h = -1};
    self->out->lines[g] = line;
    if (group->frozen != NULL) return refuse(self, g, group->frozen);
    TRY(find_producer(self, g, &line.producer));
    if (line.producer < 0) goto done;
    line.x = self->groups->contractions[line.producer].input;
    line.z = self->groups->contractions[line.producer].result;
    TRY(follow(self, g, &line));
    if (self->out->reason[g] != NULL) goto done;
    TRY(list_readers(self, &line));
    self->out->lines[g] = line;
done:
    return status;
}

coset_status bypass_lines_find(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                               const graph_groups *groups, bypass_lines **lines_out)
{
    coset_status status = COSET_OK;
    line_finder self = {.ctx = ctx, .graph = graph, .facts = facts, .groups = groups};
    *lines_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    self.out->n = groups->n;
    TRY(ctx_alloc(ctx, groups->n, sizeof *self.out->lines, &self.out->lines));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self.out->reason, &self.out->reason));
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *self.contraction_at, &self.contraction_at));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self.seen, &self.seen));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self.queue, &self.queue));
    for (int64_t n = 0; n < graph->n_nodes; n++) self.contraction_at[n] = -1;
    for (int64_t c = 0; c < groups->n_contractions; c++)
        self.contraction_at[groups->contractions[c].node] = c;
    for (int64_t g = 0; g < groups->n; g++) TRY(find_line(&self, g));
    *lines_out = self.out;
    self.out = NULL;
done:
    ctx_free(ctx, self.contraction_at);
    ctx_free(ctx, self.seen);
    ctx_free(ctx, self.queue);
    bypass_lines_free(ctx, self.out);
    return status;
}

void bypass_lines_free(coset_ctx *ctx, bypass_lines *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->lines);
    ctx_free(ctx, self->reason);
    arena_free(ctx, &self->arena);
    ctx_free(ctx, self);
}
