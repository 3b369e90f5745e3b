#include "ode/dependency.h"

/* ---- graph ---- */

/* Which blocks the equations of each block read. */
static coset_status find_reads(const ode_system *system, const partition *blocks, block_graph *out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    int64_t *last = NULL, count = 0, capacity = 0;
    TRY(ctx_alloc(ctx, blocks->n_blocks + 1, sizeof *out->start, &out->start));
    TRY(ctx_alloc_raw(ctx, blocks->n_blocks, sizeof *last, &last));
    for (int64_t b = 0; b < blocks->n_blocks; b++) last[b] = -1; /* the block that read it last */
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        for (int64_t k = blocks->start[b]; k < blocks->start[b + 1]; k++) {
            int64_t row = blocks->members[k];
            for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
                int32_t m = system->monomial[t];
                for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
                    int64_t read = blocks->block_of[system->factors[f].id];
                    if (last[read] == b) continue;
                    last[read] = b;
                    TRY(ctx_reserve(ctx, &out->on, &capacity, count + 1, sizeof *out->on));
                    out->on[count++] = read;
                }
            }
        }
        out->start[b + 1] = count;
    }
    out->n = blocks->n_blocks;
done:
    ctx_free(ctx, last);
    return status;
}

static coset_status transpose(coset_ctx *ctx, const block_graph *graph, block_graph *out)
{
    coset_status status = COSET_OK;
    int64_t *next = NULL;
    out->n = graph->n;
    TRY(ctx_alloc(ctx, graph->n + 1, sizeof *out->start, &out->start));
    TRY(ctx_alloc_raw(ctx, graph->start[graph->n], sizeof *out->on, &out->on));
    TRY(ctx_alloc_raw(ctx, graph->n, sizeof *next, &next));
    for (int64_t e = 0; e < graph->start[graph->n]; e++) out->start[graph->on[e] + 1]++;
    for (int64_t b = 0; b < graph->n; b++) {
        out->start[b + 1] += out->start[b];
        next[b] = out->start[b];
    }
    for (int64_t b = 0; b < graph->n; b++)
        for (int64_t e = graph->start[b]; e < graph->start[b + 1]; e++)
            out->on[next[graph->on[e]]++] = b;
done:
    ctx_free(ctx, next);
    return status;
}

coset_status dependency_graph(const ode_system *system, equivalence kind, const partition *blocks,
                              block_graph *out)
{
    coset_status status = COSET_OK;
    block_graph reads = {0}, turned = {0};
    TRY(find_reads(system, blocks, &reads));
    if (kind == EQUIVALENCE_FORWARD) {
        TRY(transpose(system->ctx, &reads, &turned));
        *out = turned;
        turned = (block_graph){0};
    } else {
        *out = reads;
        reads = (block_graph){0};
    }
done:
    dependency_graph_free(system->ctx, &reads);
    dependency_graph_free(system->ctx, &turned);
    return status;
}

void dependency_graph_free(coset_ctx *ctx, block_graph *self)
{
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->on);
    *self = (block_graph){0};
}

/* ---- order ---- */

/* Tarjan's algorithm. A component is complete when all that it depends on is. */
typedef struct search {
    const block_graph *graph;
    int64_t *found;     /* [n] 1 + order of discovery; 0: not yet */
    int64_t *low;       /* [n] earliest open block that is reached */
    int64_t *next;      /* [n] edge to follow next */
    int64_t *component; /* [n] -1 while open */
    int64_t *open, n_open;
    int64_t *path, n_path;
    int64_t *level;    /* [n] by component */
    int64_t *finished; /* [n] blocks in the order in which the search left them */
    int64_t n_found, n_finished, n_components;
} search;

static void discover(search *self, int64_t b)
{
    self->found[b] = self->low[b] = ++self->n_found;
    self->next[b] = self->graph->start[b];
    self->open[self->n_open++] = self->path[self->n_path++] = b;
}

/* Takes the component of root b off the open blocks and gives it its level. */
static void close_component(search *self, int64_t root)
{
    int64_t first = self->n_open, level = 0, c = self->n_components++;
    do self->component[self->open[--first]] = c;
    while (self->open[first] != root);
    for (int64_t k = first; k < self->n_open; k++) {
        int64_t b = self->open[k];
        for (int64_t e = self->graph->start[b]; e < self->graph->start[b + 1]; e++) {
            int64_t other = self->component[self->graph->on[e]];
            if (other != c && self->level[other] >= level) level = self->level[other] + 1;
        }
    }
    self->level[c] = level;
    self->n_open = first;
}

static void search_from(search *self, int64_t root)
{
    discover(self, root);
    while (self->n_path > 0) {
        int64_t b = self->path[self->n_path - 1];
        if (self->next[b] < self->graph->start[b + 1]) {
            int64_t to = self->graph->on[self->next[b]++];
            if (self->found[to] == 0)
                discover(self, to);
            else if (self->component[to] < 0 && self->found[to] < self->low[b])
                self->low[b] = self->found[to];
            continue;
        }
        self->n_path--;
        self->finished[self->n_finished++] = b;
        if (self->low[b] == self->found[b]) close_component(self, b);
        if (self->n_path > 0) {
            int64_t parent = self->path[self->n_path - 1];
            if (self->low[b] < self->low[parent]) self->low[parent] = self->low[b];
        }
    }
}

coset_status dependency_order(coset_ctx *ctx, const block_graph *graph, int64_t *order_out)
{
    coset_status status = COSET_OK;
    int64_t *room = NULL, n = graph->n, *at = NULL;
    TRY(ctx_alloc(ctx, 8 * n, sizeof *room, &room));
    TRY(ctx_alloc(ctx, n + 1, sizeof *at, &at));
    search self = {.graph = graph,
                   .found = room,
                   .low = room + n,
                   .next = room + 2 * n,
                   .component = room + 3 * n,
                   .open = room + 4 * n,
                   .path = room + 5 * n,
                   .level = room + 6 * n,
                   .finished = room + 7 * n};
    for (int64_t b = 0; b < n; b++) self.component[b] = -1;
    for (int64_t b = 0; b < n; b++)
        if (self.found[b] == 0) search_from(&self, b);
    for (int64_t b = 0; b < n; b++) at[self.level[self.component[b]] + 1]++;
    for (int64_t l = 0; l < n; l++) at[l + 1] += at[l];
    for (int64_t k = 0; k < n; k++)
        order_out[at[self.level[self.component[self.finished[k]]]]++] = self.finished[k];
done:
    ctx_free(ctx, room);
    ctx_free(ctx, at);
    return status;
}
