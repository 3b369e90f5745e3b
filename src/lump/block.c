#include "lump/block.h"

#include <string.h>

typedef struct finder {
    coset_ctx *ctx;
    const graph_groups *groups;
    unit_blocks *out;
    int64_t capacity;
    int64_t *seen;   /* [labels] places of a class in the value at hand */
    bool *met;       /* [groups] */
    int32_t *listed; /* [groups] those met in the value at hand */
} finder;

/* The one axis along which the labels of a value vary; -1: none or several. */
static int varying_axis(const label_array *labels)
{
    int axis = -1;
    for (int a = 0; a < labels->rank; a++) {
        if (labels->dims[a] <= 1) continue;
        if (axis >= 0) return -1;
        axis = a;
    }
    return axis;
}

static coset_status add_block(finder *self, const label_array *labels, int32_t value, int axis,
                              int32_t g)
{
    coset_status status = COSET_OK;
    const unit_group *group = &self->groups->groups[g];
    int64_t repeats = self->seen[group->roots[0]];
    for (int64_t u = 0; u < group->n; u++)
        if (self->seen[group->roots[u]] != repeats) return COSET_OK;
    TRY(ctx_reserve(self->ctx, &self->out->of, &self->capacity, self->out->n + 1,
                    sizeof *self->out->of));
    unit_block *block = &self->out->of[self->out->n];
    *block = (unit_block){.value = value,
                          .group = g,
                          .axis = axis,
                          .n = group->n,
                          .repeats = repeats,
                          .width = labels->dims[axis]};
    TRY(arena_alloc(self->ctx, &self->out->arena, group->n * repeats, sizeof *block->index,
                    &block->index));
    for (int64_t u = 0; u < group->n; u++) self->seen[group->roots[u]] = 0;
    for (int64_t i = 0; i < block->width; i++) {
        int64_t root = labels->ids[i];
        if (self->groups->group_of[root] != g) continue;
        block->index[self->groups->unit_of[root] * repeats + self->seen[root]++] = i;
    }
    self->out->n++;
done:
    return status;
}

static coset_status add_value(finder *self, int32_t value)
{
    coset_status status = COSET_OK;
    const label_array *labels = labels_of(self->groups->labels, value);
    int axis = varying_axis(labels);
    int64_t n = 0;
    if (axis < 0) return COSET_OK;
    for (int64_t i = 0; i < labels->dims[axis]; i++) {
        int32_t g = self->groups->group_of[labels->ids[i]];
        if (g < 0) continue;
        if (!self->met[g]) self->listed[n++] = g;
        self->met[g] = true;
        self->seen[labels->ids[i]]++;
    }
    for (int64_t k = 0; k < n; k++) TRY(add_block(self, labels, value, axis, self->listed[k]));
done:
    for (int64_t i = 0; i < labels->dims[axis]; i++) self->seen[labels->ids[i]] = 0;
    for (int64_t k = 0; k < n; k++) self->met[self->listed[k]] = false;
    return status;
}

coset_status unit_blocks_find(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                              unit_blocks **blocks_out)
{
    coset_status status = COSET_OK;
    finder self = {.ctx = ctx, .groups = groups};
    *blocks_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    TRY(ctx_alloc(ctx, graph->n_values + 1, sizeof *self.out->first, &self.out->first));
    TRY(ctx_alloc(ctx, labels_count(groups->labels), sizeof *self.seen, &self.seen));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self.met, &self.met));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self.listed, &self.listed));
    for (int64_t v = 0; v < graph->n_values; v++) {
        self.out->first[v] = self.out->n;
        if (graph->values[v].constant == NULL) TRY(add_value(&self, (int32_t)v));
    }
    self.out->first[graph->n_values] = self.out->n;
    *blocks_out = self.out;
    self.out = NULL;
done:
    ctx_free(ctx, self.seen);
    ctx_free(ctx, self.met);
    ctx_free(ctx, self.listed);
    unit_blocks_free(ctx, self.out);
    return status;
}

void unit_blocks_free(coset_ctx *ctx, unit_blocks *self)
{
    if (self == NULL) return;
    arena_free(ctx, &self->arena);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self->first);
    ctx_free(ctx, self);
}

int64_t unit_block_find(const unit_blocks *self, int32_t value, int32_t group)
{
    for (int64_t b = self->first[value]; b < self->first[value + 1]; b++)
        if (self->of[b].group == group) return b;
    return -1;
}

bool unit_blocks_cover(const unit_blocks *self, int32_t value)
{
    int64_t places = 0;
    for (int64_t b = self->first[value]; b < self->first[value + 1]; b++)
        places += self->of[b].n * self->of[b].repeats;
    return places > 0 && places == self->of[self->first[value]].width;
}
