#include "ode/distance.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_DEGREE = MODEL_MAX_DEGREE };

/* Both halves of one comparison, and what it needs. */
typedef struct comparison {
    vector_source *source;
    const block_vectors *vectors;
    number (*choose)[MAX_DEGREE + 1]; /* binomials; NULL if no pair shares a monomial */
    struct crossing *crossings;       /* of one row */
    int64_t n_crossings, crossings_capacity;
} comparison;

/* ---- pairs that share no monomial ---- */

/* L1 distance of two rows, without branches on which of them is ahead. */
static double row_gap(const vector_cell *a, const vector_cell *b)
{
    double sum = 0;
    while (true) {
        uint32_t column = a->column < b->column ? a->column : b->column;
        if (column == VECTOR_END) return sum;
        bool in_a = a->column == column, in_b = b->column == column;
        sum += fabs((in_a ? a->value : 0) - (in_b ? b->value : 0));
        a += in_a;
        b += in_b;
    }
}

/* What p x_i^d + r x_j^d contributes: T_0 = r, T_e = (-1)^e C(d, e) r for 0 < e < d, T_d = p + (-1)^d r. */
static double power_gap(int32_t degree, double p, double r)
{
    if (degree == 1) return 3 * fabs(p - r);
    double all = ldexp(1, degree);
    return fabs(p - r) + fabs(r) * (all - 2) * (all + 1) +
           all * fabs(degree % 2 == 0 ? p + r : p - r);
}

static int32_t key_degree(const comparison *self, uint64_t key)
{
    return self->source->contexts.list[(uint32_t)key].degree;
}

/* dist_F of two rows with powers. */
static double row_gap_powers(const comparison *self, const vector_cell *a, const vector_cell *b)
{
    double sum = 0;
    while (true) {
        uint32_t column = a->column < b->column ? a->column : b->column;
        if (column == VECTOR_END) return sum;
        bool in_a = a->column == column, in_b = b->column == column;
        sum += power_gap(key_degree(self, self->vectors->keys[column]), in_a ? a->value : 0,
                         in_b ? b->value : 0);
        a += in_a;
        b += in_b;
    }
}

static double plain_gap(const comparison *self, int64_t i, int64_t j)
{
    const vector_cell *a = self->vectors->cells + self->vectors->start[i];
    const vector_cell *b = self->vectors->cells + self->vectors->start[j];
    if (self->source->kind == EQUIVALENCE_BACKWARD) return row_gap(a, b);
    return self->vectors->linear ? 3 * row_gap(a, b) : row_gap_powers(self, a, b);
}

/* ---- pairs that share a monomial ---- */

/* q_ab with a, b >= 1: a monomial that contains x_i and another variable of the block. */
typedef struct crossing {
    uint64_t key;  /* block << 32 | context without both */
    int32_t other; /* place of x_j */
    int32_t power; /* a */
    number coefficient;
} crossing;

static int by_other(const void *left, const void *right)
{
    const crossing *a = left, *b = right;
    if (a->other != b->other) return a->other < b->other ? -1 : 1;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->power > b->power) - (a->power < b->power);
}

static coset_status add_crossing(comparison *self, int64_t cell, const factor *mine,
                                 const factor *other)
{
    coset_status status = COSET_OK;
    const block_vectors *vectors = self->vectors;
    const vector_cell *from = &vectors->cells[cell];
    int32_t number_of_context = 0;
    context wanted = {.monomial = from->crossed,
                      .without = {mine->id, other->id},
                      .degree = mine->power + other->power};
    TRY(context_table_add(self->source->ctx, &self->source->contexts, wanted, &number_of_context));
    TRY(ctx_reserve(self->source->ctx, &self->crossings, &self->crossings_capacity,
                    self->n_crossings + 1, sizeof *self->crossings));
    self->crossings[self->n_crossings++] =
        (crossing){.key = vectors->keys[from->column] >> 32 << 32 | (uint32_t)number_of_context,
                   .other = self->source->local[other->id],
                   .power = mine->power,
                   .coefficient = {from->value, vectors->residues[cell]}};
done:
    return status;
}

/* The crossings of row i with later rows, by row and key. */
static coset_status find_crossings(comparison *self, int64_t i)
{
    coset_status status = COSET_OK;
    vector_source *source = self->source;
    const ode_system *system = source->system;
    self->n_crossings = 0;
    context_table_forget(&source->contexts, source->n_contexts);
    for (int64_t c = self->vectors->start[i]; c < self->vectors->start[i + 1]; c++) {
        int32_t m = self->vectors->cells[c].crossed;
        if (m < 0) continue;
        const factor *begin = system->factors + system->factor_start[m], *mine = begin;
        const factor *end = system->factors + system->factor_start[m + 1];
        while (source->local[mine->id] != i) mine++;
        for (const factor *other = begin; other < end; other++)
            if (source->local[other->id] > i) TRY(add_crossing(self, c, mine, other));
    }
    if (self->n_crossings > 0)
        qsort(self->crossings, (size_t)self->n_crossings, sizeof *self->crossings, by_other);
done:
    return status;
}

/* C(d, k) as numbers: beyond 2^53 only the residues are exact, and they decide what is 0. */
static void fill_binomials(number (*choose)[MAX_DEGREE + 1])
{
    for (int d = 0; d <= MAX_DEGREE; d++) {
        choose[d][0] = choose[d][d] = number_of(1);
        for (int k = 1; k < d; k++)
            choose[d][k] = number_add(choose[d - 1][k - 1], choose[d - 1][k]);
    }
}

static double magnitude(number a)
{
    return number_is_zero(a) ? 0 : fmax(fabs(a.value), DBL_TRUE_MIN);
}

/* The closed form above; q[a] is q_ab. */
static double polynomial_gap(number (*choose)[MAX_DEGREE + 1], int32_t degree, const number *q)
{
    double first = 0, others = 0;
    for (int32_t k = 0; k <= degree; k++)
        first += magnitude(number_sub(q[degree - k], number_mul(q[0], choose[degree][k])));
    for (int32_t e = 1; e <= degree; e++) {
        number t = {0, 0};
        for (int32_t a = 0; a <= e; a++) {
            number part = number_mul(q[a], choose[degree - a][e - a]);
            t = (e - a) % 2 == 0 ? number_add(t, part) : number_sub(t, part);
        }
        others += magnitude(t);
    }
    return first + ldexp(others, degree);
}

/* One row of a pair; its cells that contain the other variable are passed over. */
typedef struct walker {
    const comparison *of;
    int64_t at, other;
} walker;

static uint64_t walker_key(const walker *self)
{
    uint32_t column = self->of->vectors->cells[self->at].column;
    return column == VECTOR_END ? UINT64_MAX : self->of->vectors->keys[column];
}

static bool contains(const comparison *self, int32_t m, int64_t member)
{
    const ode_system *system = self->source->system;
    for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
        if (self->source->local[system->factors[f].id] == member) return true;
    return false;
}

static void pass_over(walker *self)
{
    const vector_cell *cells = self->of->vectors->cells;
    while (cells[self->at].crossed >= 0 && contains(self->of, cells[self->at].crossed, self->other))
        self->at++;
}

static walker walk(const comparison *of, int64_t row, int64_t other)
{
    walker self = {of, of->vectors->start[row], other};
    pass_over(&self);
    return self;
}

/* The coefficient at a key, 0 if there is none; goes on to the next. */
static number walker_take(walker *self, uint64_t key)
{
    if (walker_key(self) != key) return (number){0, 0};
    number taken = {self->of->vectors->cells[self->at].value,
                    self->of->vectors->residues[self->at]};
    self->at++;
    pass_over(self);
    return taken;
}

/* dist_F of rows i < j that share the monomials of `at` to `end`. */
static double crossed_gap(const comparison *self, int64_t i, int64_t j, const crossing *at,
                          const crossing *end)
{
    double sum = 0;
    walker x = walk(self, i, j), y = walk(self, j, i);
    while (true) {
        uint64_t key = walker_key(&x), y_key = walker_key(&y);
        if (y_key < key) key = y_key;
        if (at < end && at->key < key) key = at->key;
        if (key == UINT64_MAX) return sum;
        int32_t degree = key_degree(self, key);
        number p = walker_take(&x, key), r = walker_take(&y, key);
        if (at == end || at->key != key) {
            sum += power_gap(degree, p.value, r.value);
            continue;
        }
        number q[MAX_DEGREE + 1] = {{0, 0}};
        q[degree] = p;
        q[0] = r;
        for (; at < end && at->key == key; at++) q[at->power] = at->coefficient;
        sum += polynomial_gap(self->choose, degree, q);
    }
}

/* Distances of row i to all later ones; out [n] by row. */
static coset_status row_distances(comparison *self, int64_t i, double *out)
{
    coset_status status = COSET_OK;
    TRY(find_crossings(self, i));
    for (int64_t j = i + 1, at = 0, from = 0; j < self->vectors->n; j++, from = at) {
        while (at < self->n_crossings && self->crossings[at].other == j) at++;
        out[j] = at == from ? plain_gap(self, i, j)
                            : crossed_gap(self, i, j, self->crossings + from, self->crossings + at);
    }
done:
    return status;
}

/* ---- matrices ---- */

static coset_status comparison_init(vector_source *source, const block_vectors *vectors,
                                    comparison *out)
{
    *out = (comparison){.source = source, .vectors = vectors};
    if (!vectors->crossed) return COSET_OK;
    coset_status status =
        ctx_alloc_raw(source->ctx, MAX_DEGREE + 1, sizeof *out->choose, &out->choose);
    if (status == COSET_OK) fill_binomials(out->choose);
    return status;
}

static void comparison_free(comparison *self)
{
    ctx_free(self->source->ctx, self->choose);
    ctx_free(self->source->ctx, self->crossings);
    if (self->source->kind == EQUIVALENCE_FORWARD)
        context_table_forget(&self->source->contexts, self->source->n_contexts);
}

/* The upper triangle of (n, n). */
static coset_status fill_matrix(comparison *self, double *distances)
{
    coset_status status = COSET_OK;
    int64_t n = self->vectors->n;
    if (self->vectors->crossed) {
        for (int64_t i = 0; i < n; i++) TRY(row_distances(self, i, distances + i * n));
        goto done;
    }
    /* Threads are worth waking for about a millisecond of work. */
    int threads = n * self->vectors->start[n] > 1 << 20 ? self->source->ctx->threads : 1;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) distances[i * n + j] = plain_gap(self, i, j);
done:
    return status;
}

/* Rows that are mostly full: as points, whose distances are faster by vector instructions. */
static bool is_dense(const block_vectors *vectors)
{
    return vectors->linear && !vectors->crossed && vectors->n_columns > 0 &&
           vectors->start[vectors->n] - vectors->n >= vectors->n * vectors->n_columns / 3;
}

static coset_status cluster_dense(const vector_source *source, const block_vectors *vectors,
                                  cluster_linkage linkage, cluster_tree *tree_out)
{
    coset_status status = COSET_OK;
    double *points = NULL, scale = source->kind == EQUIVALENCE_FORWARD ? 3 : 1;
    TRY(ctx_alloc(source->ctx, vectors->n * vectors->n_columns, sizeof *points, &points));
    for (int64_t k = 0; k < vectors->n; k++)
        for (const vector_cell *at = vectors->cells + vectors->start[k]; at->column != VECTOR_END;
             at++)
            points[k * vectors->n_columns + at->column] = at->value;
    TRY(cluster_build(source->ctx, points, vectors->n, vectors->n_columns, NULL, CLUSTER_L1,
                      linkage, tree_out));
    for (int64_t k = 0; k + 1 < vectors->n; k++) tree_out->merges[k].height *= scale;
done:
    ctx_free(source->ctx, points);
    return status;
}

static coset_status cluster_sparse(vector_source *source, const block_vectors *vectors,
                                   cluster_linkage linkage, cluster_tree *tree_out)
{
    coset_status status = COSET_OK;
    comparison pairs = {.source = source};
    double *distances = NULL;
    TRY(comparison_init(source, vectors, &pairs));
    TRY(ctx_alloc_raw(source->ctx, vectors->n * vectors->n, sizeof *distances, &distances));
    TRY(fill_matrix(&pairs, distances));
    TRY(cluster_build_distances(source->ctx, distances, vectors->n, NULL, linkage, tree_out));
done:
    comparison_free(&pairs);
    ctx_free(source->ctx, distances);
    return status;
}

coset_status distance_tree(vector_source *source, const int64_t *label, const int64_t *members,
                           int64_t count, cluster_linkage linkage, cluster_tree *tree_out)
{
    coset_status status = COSET_OK;
    block_vectors vectors = {0};
    *tree_out = (cluster_tree){0};
    vector_source_enter(source, members, count);
    TRY(block_vectors_build(source, label, members, count, &vectors));
    TRY(is_dense(&vectors) ? cluster_dense(source, &vectors, linkage, tree_out)
                           : cluster_sparse(source, &vectors, linkage, tree_out));
done:
    vector_source_leave(source, members, count);
    block_vectors_free(source->ctx, &vectors);
    if (status == COSET_ENUMERIC) {
        const char *name = source->system->names[members[0]];
        return ctx_fail_in(source->ctx, status, "block of %s", name != NULL ? name : "a variable");
    }
    return status;
}

coset_status distance_between(vector_source *source, const int64_t *label, int64_t i, int64_t j,
                              double *distance_out)
{
    coset_status status = COSET_OK;
    block_vectors vectors = {0};
    comparison pair = {.source = source};
    int64_t members[2] = {i, j};
    double distances[2] = {0, 0};
    vector_source_enter(source, members, 2);
    TRY(block_vectors_build(source, label, members, 2, &vectors));
    TRY(comparison_init(source, &vectors, &pair));
    TRY(row_distances(&pair, 0, distances));
    if (!isfinite(distances[1])) FAIL(source->ctx, COSET_ENUMERIC, "a distance is not finite");
    *distance_out = distances[1];
done:
    comparison_free(&pair);
    vector_source_leave(source, members, 2);
    block_vectors_free(source->ctx, &vectors);
    return status;
}
