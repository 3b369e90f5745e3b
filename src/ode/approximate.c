/* The eps-refinement and its ladder. */
#include <math.h>

#include "ode/dependency.h"
#include "ode/distance.h"

/* Distances that are equal in exact arithmetic may differ in the last digits: those that are over eps by
 * less than this share of it are not over it. 0 stays 0, where distances are exact (distance.h). */
static const double SLACK = 1e-9;

/* One run of the loop of METHODS.md 3.2. */
typedef struct refinement {
    vector_source *source; /* borrowed */
    cluster_linkage linkage;
    double limit;     /* eps and its slack */
    double next;      /* the smallest height beyond */
    int64_t *room;    /* owned: what follows, each [n] */
    int64_t *label;   /* a variable's block now, named by its smallest member */
    int64_t *visited; /* when a variable's block was visited last; 0: never */
    int64_t *divided; /* when it was split last; 0: never */
    int64_t *part_of, *order, *name;
    int64_t clock;
    bool changed; /* in this pass */
} refinement;

/* Parts are numbered by their smallest members, so that a part's first member names it. */
static void divide(refinement *self, const int64_t *members, int64_t count)
{
    int64_t n_named = 0, *name = self->name; /* of parts */
    self->clock++;
    self->changed = true;
    for (int64_t k = 0; k < count; k++) {
        if (self->part_of[k] == n_named) name[n_named++] = members[k];
        self->label[members[k]] = name[self->part_of[k]];
        self->divided[members[k]] = self->clock;
    }
}

/* Splits one block by its distances. */
static coset_status visit_block(refinement *self, const int64_t *members, int64_t count)
{
    coset_status status = COSET_OK;
    cluster_tree tree = {0};
    if (count > PARTITION_MAX_APPROXIMATE)
        FAIL(
            self->source->ctx, COSET_ELIMIT,
            "a block of %lld variables needs all their distances; the limit is %d, a finer initial "
            "partition has smaller blocks",
            (long long)count, (int)PARTITION_MAX_APPROXIMATE);
    TRY(distance_tree(self->source, self->label, members, count, self->linkage, &tree));
    for (int64_t k = 0; k + 1 < count; k++)
        if (tree.merges[k].height > self->limit && tree.merges[k].height < self->next)
            self->next = tree.merges[k].height;
    self->clock++;
    for (int64_t k = 0; k < count; k++) self->visited[members[k]] = self->clock;
    if (cluster_cut_height(&tree, self->limit, self->part_of) > 1) divide(self, members, count);
done:
    cluster_tree_free(self->source->ctx, &tree);
    return status;
}

/* True if a block was never visited, or something that its distances depend on was split since: otherwise
 * they are what they were, all of them between members of a part, and nothing is left to split. */
static bool needs_visit(const refinement *self, const partition *blocks, const block_graph *graph,
                        int64_t b)
{
    int64_t first = blocks->members[blocks->start[b]];
    if (blocks->start[b + 1] - blocks->start[b] < 2) return false;
    if (self->visited[first] == 0) return true;
    for (int64_t e = graph->start[b]; e < graph->start[b + 1]; e++)
        if (self->divided[blocks->members[blocks->start[graph->on[e]]]] > self->visited[first])
            return true;
    return false;
}

/* Visits the blocks that there are at the start of the pass. */
static coset_status make_pass(refinement *self)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->source->system;
    coset_ctx *ctx = self->source->ctx;
    partition blocks = {0};
    block_graph graph = {0};
    self->changed = false;
    TRY(partition_from_labels(ctx, self->label, system->n, &blocks));
    TRY(dependency_graph(system, self->source->kind, &blocks, &graph));
    TRY(dependency_order(ctx, &graph, self->order));
    for (int64_t k = 0; k < blocks.n_blocks; k++) {
        int64_t b = self->order[k], start = blocks.start[b];
        if (needs_visit(self, &blocks, &graph, b))
            TRY(visit_block(self, blocks.members + start, blocks.start[b + 1] - start));
    }
done:
    partition_free(ctx, &blocks);
    dependency_graph_free(ctx, &graph);
    return status;
}

static coset_status refine(vector_source *source, const partition *initial, double eps,
                           eps_linkage linkage, partition *out, double *next_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = source->ctx;
    int64_t n = source->system->n;
    refinement self = {.source = source,
                       .linkage = linkage == EPS_SINGLE ? CLUSTER_SINGLE : CLUSTER_COMPLETE,
                       .limit = eps * (1 + SLACK),
                       .next = INFINITY};
    TRY(ctx_alloc(ctx, 6 * n, sizeof *self.room, &self.room));
    self.label = self.room;
    self.visited = self.room + n;
    self.divided = self.room + 2 * n;
    self.part_of = self.room + 3 * n;
    self.order = self.room + 4 * n;
    self.name = self.room + 5 * n;
    for (int64_t i = 0; i < n; i++)
        self.label[i] = initial->members[initial->start[initial->block_of[i]]];
    do TRY(make_pass(&self));
    while (self.changed);
    TRY(partition_from_labels(ctx, self.label, n, out));
    if (next_out != NULL) *next_out = self.next;
done:
    ctx_free(ctx, self.room);
    return status;
}

static coset_status check_partition(const ode_system *system, const partition *blocks)
{
    if (blocks->n == system->n) return COSET_OK;
    return ctx_fail(system->ctx, COSET_EARGUMENT,
                    "the partition is of %lld variables, the system has %lld", (long long)blocks->n,
                    (long long)system->n);
}

coset_status partition_refine_eps(const ode_system *system, equivalence kind,
                                  const partition *initial, double eps, eps_linkage linkage,
                                  partition *out, double *next_out)
{
    coset_status status = COSET_OK;
    vector_source source = {0};
    *out = (partition){0};
    if (!(eps >= 0)) FAIL(system->ctx, COSET_EARGUMENT, "eps is %g, not a number >= 0", eps);
    TRY(check_partition(system, initial));
    TRY(vector_source_init(system, kind, &source));
    TRY(refine(&source, initial, eps, linkage, out, next_out));
done:
    vector_source_free(&source);
    return status;
}

/* ---- ladder ---- */

typedef struct ladder {
    partition_rung *rungs;
    int64_t count, capacity;
} ladder;

/* Takes the blocks if they differ from the last rung's. */
static coset_status add_rung(coset_ctx *ctx, ladder *self, double eps, partition *blocks)
{
    coset_status status = COSET_OK;
    if (self->count > 0 && partition_equal(blocks, &self->rungs[self->count - 1].blocks)) goto done;
    TRY(ctx_reserve(ctx, &self->rungs, &self->capacity, self->count + 1, sizeof *self->rungs));
    self->rungs[self->count++] = (partition_rung){eps, *blocks};
    *blocks = (partition){0};
done:
    return status;
}

/* The last rung of single linkage is the initial partition: how far the blocks are on the way to it. */
static void show_progress(coset_ctx *ctx, const ladder *self, const partition *initial)
{
    int64_t total = self->rungs[0].blocks.n_blocks - initial->n_blocks;
    int64_t left = self->rungs[self->count - 1].blocks.n_blocks - initial->n_blocks;
    if (total > 0) ctx_progress(ctx, "ladder", left < total ? total - left : 0, total);
}

coset_status partition_ladder(const ode_system *system, equivalence kind, const partition *initial,
                              eps_linkage linkage, int64_t max_rungs, partition_rung **rungs_out,
                              int64_t *n_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    vector_source source = {0};
    partition blocks = {0};
    ladder self = {0};
    double eps = 0, next = 0;
    *rungs_out = NULL;
    *n_out = 0;
    if (max_rungs < 1) FAIL(ctx, COSET_EARGUMENT, "a ladder has at least one rung");
    TRY(check_partition(system, initial));
    TRY(vector_source_init(system, kind, &source));
    for (; self.count < max_rungs && eps < INFINITY; eps = next) {
        TRY(refine(&source, initial, eps, linkage, &blocks, &next));
        TRY(add_rung(ctx, &self, eps, &blocks));
        partition_free(ctx, &blocks);
        show_progress(ctx, &self, initial);
    }
    *rungs_out = self.rungs;
    *n_out = self.count;
    self = (ladder){0};
done:
    vector_source_free(&source);
    partition_free(ctx, &blocks);
    partition_ladder_free(ctx, self.rungs, self.count);
    return status;
}

void partition_ladder_free(coset_ctx *ctx, partition_rung *rungs, int64_t n)
{
    for (int64_t k = 0; k < n; k++) partition_free(ctx, &rungs[k].blocks);
    ctx_free(ctx, rungs);
}

/* ---- one distance ---- */

coset_status partition_distance(const ode_system *system, equivalence kind, const partition *blocks,
                                int64_t i, int64_t j, double *distance_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    vector_source source = {0};
    int64_t *label = NULL, n = system->n;
    TRY(check_partition(system, blocks));
    if (i < 0 || j < 0 || i >= n || j >= n || blocks->block_of[i] != blocks->block_of[j])
        FAIL(ctx, COSET_EARGUMENT, "variables %lld and %lld are not in one block", (long long)i,
             (long long)j);
    *distance_out = 0;
    if (i == j) goto done;
    TRY(ctx_alloc_raw(ctx, n, sizeof *label, &label));
    for (int64_t k = 0; k < n; k++) label[k] = blocks->members[blocks->start[blocks->block_of[k]]];
    TRY(vector_source_init(system, kind, &source));
    TRY(distance_between(&source, label, i < j ? i : j, i < j ? j : i, distance_out));
done:
    vector_source_free(&source);
    ctx_free(ctx, label);
    return status;
}
