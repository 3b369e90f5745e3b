#include "ode/lump_graph.h"

#include <assert.h>
#include <stdlib.h>

/* A block is element[first .. end - 1]; while a splitter is at work its marked members are
 * element[first .. unmarked - 1], so that the others are split off without being visited. */
typedef struct block_range {
    int32_t first, unmarked, end;
    bool waiting; /* is a splitter that has not been used yet */
} block_range;

typedef struct keyed_node {
    uint64_t key;
    int32_t node;
} keyed_node;

typedef struct refiner {
    const lump_graph *graph;
    int32_t *block;                      /* [n] borrowed */
    int32_t *element, *position;         /* [n] nodes by block, and where each of them is */
    block_range *range;                  /* [n], n_blocks used */
    int32_t *waiting, *touched, *splits; /* [n] blocks, nodes, blocks with marked members */
    uint64_t *sum;                       /* [n] weights into the splitter; see touch_sources */
    keyed_node *keyed;                   /* [n] */
    int64_t n_blocks, n_waiting, n_touched, n_splits;
} refiner;

static void refiner_free(coset_ctx *ctx, refiner *self)
{
    ctx_free(ctx, self->element);
    ctx_free(ctx, self->position);
    ctx_free(ctx, self->range);
    ctx_free(ctx, self->waiting);
    ctx_free(ctx, self->touched);
    ctx_free(ctx, self->splits);
    ctx_free(ctx, self->sum);
    ctx_free(ctx, self->keyed);
}

static void wait_for(refiner *self, int64_t block)
{
    self->range[block].waiting = true;
    self->waiting[self->n_waiting++] = (int32_t)block;
}

static coset_status refiner_init(coset_ctx *ctx, refiner *self)
{
    coset_status status = COSET_OK;
    int64_t n = self->graph->n;
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->element, &self->element));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->position, &self->position));
    TRY(ctx_alloc(ctx, n, sizeof *self->range, &self->range));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->waiting, &self->waiting));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->touched, &self->touched));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->splits, &self->splits));
    TRY(ctx_alloc(ctx, n, sizeof *self->sum, &self->sum));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->keyed, &self->keyed));
    for (int64_t i = 0; i < n; i++) self->range[self->block[i]].end++;
    for (int32_t b = 0, first = 0; b < self->n_blocks; b++) {
        block_range *range = &self->range[b];
        range->first = range->unmarked = first;
        first += range->end;
        range->end = range->first; /* moves up again as its members are placed */
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t at = self->range[self->block[i]].end++;
        self->element[at] = (int32_t)i;
        self->position[i] = at;
    }
    for (int64_t b = 0; b < self->n_blocks; b++) wait_for(self, b);
done:
    return status;
}

/* Sums the weights of all sources of edges into a splitter. A sum is 0 until the first edge; after
 * that the prime stands for 0. */
static void touch_sources(refiner *self, int64_t splitter)
{
    const lump_graph *graph = self->graph;
    block_range range = self->range[splitter];
    self->n_touched = 0;
    for (int32_t i = range.first; i < range.end; i++) {
        int32_t target = self->element[i];
        for (int64_t e = graph->start[target]; e < graph->start[target + 1]; e++) {
            int32_t source = graph->source[e];
            uint64_t sum = self->sum[source];
            if (sum == 0) self->touched[self->n_touched++] = source;
            sum += graph->weight[e];
            self->sum[source] = sum > NUMBER_PRIME ? sum - NUMBER_PRIME : sum;
        }
    }
}

/* Marks the touched nodes whose sums are not 0 and which have somebody to be split from. */
static void mark_touched(refiner *self)
{
    self->n_splits = 0;
    for (int64_t i = 0; i < self->n_touched; i++) {
        int32_t node = self->touched[i], at = self->position[node];
        block_range *range = &self->range[self->block[node]];
        if (self->sum[node] == NUMBER_PRIME || range->end - range->first == 1) {
            self->sum[node] = 0;
            continue;
        }
        if (range->unmarked == range->first) self->splits[self->n_splits++] = self->block[node];
        int32_t other = self->element[range->unmarked];
        self->element[at] = other;
        self->position[other] = at;
        self->element[range->unmarked] = node;
        self->position[node] = range->unmarked++;
    }
}

/* The sum that more than half of the marked nodes have, if there is one; otherwise any of theirs
 * (Boyer and Moore). It spares sorting them: who is sorted ends in a block half the size. */
static uint64_t majority_sum(const refiner *self, const block_range *range)
{
    uint64_t candidate = 0;
    int32_t lead = 0;
    for (int32_t i = range->first; i < range->unmarked; i++) {
        uint64_t sum = self->sum[self->element[i]];
        if (lead == 0) candidate = sum;
        lead += sum == candidate ? 1 : -1;
    }
    return candidate;
}

static int by_key(const void *left, const void *right)
{
    const keyed_node *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Orders the marked nodes by their sums, those with the majority's first, and clears the sums.
 * Returns how many have another; they are in `keyed`, by key. */
static int32_t order_marked(refiner *self, const block_range *range)
{
    uint64_t majority = majority_sum(self, range);
    int32_t at = range->first, others = 0;
    for (int32_t i = range->first; i < range->unmarked; i++) {
        int32_t node = self->element[i];
        if (self->sum[node] == majority)
            self->element[at++] = node;
        else
            self->keyed[others++] = (keyed_node){self->sum[node], node};
        self->sum[node] = 0;
    }
    if (others > 1) qsort(self->keyed, (size_t)others, sizeof *self->keyed, by_key);
    for (int32_t i = 0; i < others; i++) self->element[at + i] = self->keyed[i].node;
    for (int32_t i = range->first; others > 0 && i < range->unmarked; i++)
        self->position[self->element[i]] = i;
    return others;
}

/* Makes element[first .. end - 1] a block of its own. */
static void split_off(refiner *self, int32_t first, int32_t end)
{
    for (int32_t i = first; i < end; i++) self->block[self->element[i]] = (int32_t)self->n_blocks;
    self->range[self->n_blocks++] = (block_range){first, first, end, false};
}

static int32_t block_size(const refiner *self, int64_t block)
{
    return self->range[block].end - self->range[block].first;
}

/* All parts of a block that was waiting must be used. Otherwise all but one, as its sums are what
 * the others leave of the whole block's; the largest is spared. */
static void wait_for_parts(refiner *self, int32_t block, int64_t first_part)
{
    int64_t spared = block;
    if (!self->range[block].waiting) {
        for (int64_t part = first_part; part < self->n_blocks; part++)
            if (block_size(self, part) > block_size(self, spared)) spared = part;
        if (spared != block) wait_for(self, block);
    }
    for (int64_t part = first_part; part < self->n_blocks; part++)
        if (part != spared) wait_for(self, part);
}

/* Splits a block by the sums of its marked nodes. The unmarked ones (sum 0) keep its number; if
 * there are none, those with the majority's sum do. */
static void split_block(refiner *self, int32_t block)
{
    block_range *range = &self->range[block];
    int32_t first = range->first, unmarked = range->unmarked;
    int32_t others = order_marked(self, range), other_first = unmarked - others;
    int64_t first_part = self->n_blocks;
    range->unmarked = first;
    if (unmarked < range->end) {
        range->first = range->unmarked = unmarked;
        split_off(self, first, other_first);
    } else {
        range->end = other_first;
    }
    for (int32_t i = 0, end = 0; i < others; i = end) {
        while (end < others && self->keyed[end].key == self->keyed[i].key) end++;
        split_off(self, other_first + i, other_first + end);
    }
    wait_for_parts(self, block, first_part);
}

coset_status lump_graph_refine(coset_ctx *ctx, const lump_graph *graph, int64_t n_blocks,
                               int32_t *block)
{
    coset_status status = COSET_OK;
    refiner self = {.graph = graph, .block = block, .n_blocks = n_blocks};
    assert(graph->n <= INT32_MAX);
    TRY(refiner_init(ctx, &self));
    while (self.n_waiting > 0) {
        int32_t splitter = self.waiting[--self.n_waiting];
        self.range[splitter].waiting = false;
        touch_sources(&self, splitter);
        mark_touched(&self);
        for (int64_t i = 0; i < self.n_splits; i++) split_block(&self, self.splits[i]);
    }
done:
    refiner_free(ctx, &self);
    return status;
}

void lump_graph_free(coset_ctx *ctx, lump_graph *self)
{
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->source);
    ctx_free(ctx, self->weight);
    *self = (lump_graph){0};
}
