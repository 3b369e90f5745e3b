#include "ode/block_vectors.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "ode/monomials.h"

/* ---- source ---- */

static void sum_starts(int64_t *start, int64_t n)
{
    for (int64_t i = 0; i < n; i++) start[i + 1] += start[i];
}

/* Which monomials contain a variable, with the context that it has there. */
static coset_status find_places(vector_source *self)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->system;
    int64_t *next = NULL, n_factors = system->factor_start[system->n_monomials];
    TRY(ctx_alloc(self->ctx, system->n + 1, sizeof *self->place_start, &self->place_start));
    TRY(ctx_alloc(self->ctx, n_factors, sizeof *self->places, &self->places));
    TRY(ctx_alloc_raw(self->ctx, system->n, sizeof *next, &next));
    for (int64_t f = 0; f < n_factors; f++) self->place_start[system->factors[f].id + 1]++;
    sum_starts(self->place_start, system->n);
    for (int64_t i = 0; i < system->n; i++) next[i] = self->place_start[i];
    self->contexts.system = system;
    for (int64_t m = 0; m < system->n_monomials; m++) {
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
            factor left_out = system->factors[f];
            variable_place *place = &self->places[next[left_out.id]++];
            context wanted = {
                .monomial = (int32_t)m, .without = {left_out.id, -1}, .degree = left_out.power};
            place->monomial = (int32_t)m;
            TRY(context_table_add(self->ctx, &self->contexts, wanted, &place->context));
        }
    }
    self->n_contexts = self->contexts.count;
done:
    ctx_free(self->ctx, next);
    return status;
}

/* Which terms have a monomial, rows ascending. */
static coset_status find_uses(vector_source *self)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->system;
    int64_t *next = NULL, n_terms = system->row_start[system->n];
    if (n_terms > INT32_MAX) FAIL(self->ctx, COSET_ELIMIT, "the system has too many terms");
    TRY(ctx_alloc(self->ctx, system->n_monomials + 1, sizeof *self->use_start, &self->use_start));
    TRY(ctx_alloc_raw(self->ctx, n_terms, sizeof *self->uses, &self->uses));
    TRY(ctx_alloc_raw(self->ctx, system->n_monomials, sizeof *next, &next));
    for (int64_t t = 0; t < n_terms; t++) self->use_start[system->monomial[t] + 1]++;
    sum_starts(self->use_start, system->n_monomials);
    for (int64_t m = 0; m < system->n_monomials; m++) next[m] = self->use_start[m];
    for (int64_t i = 0; i < system->n; i++)
        for (int64_t t = system->row_start[i]; t < system->row_start[i + 1]; t++)
            self->uses[next[system->monomial[t]]++] =
                (monomial_use){.row = (int32_t)i, .term = (int32_t)t};
done:
    ctx_free(self->ctx, next);
    return status;
}

coset_status vector_source_init(const ode_system *system, equivalence kind,
                                vector_source *source_out)
{
    coset_status status = COSET_OK;
    vector_source self = {.ctx = system->ctx, .system = system, .kind = kind};
    if (system->n_symbols > 0)
        FAIL(self.ctx, COSET_EARGUMENT, "distances need numbers for all symbols of the system");
    TRY(ctx_alloc_raw(self.ctx, system->n, sizeof *self.local, &self.local));
    for (int64_t i = 0; i < system->n; i++) self.local[i] = -1;
    if (kind == EQUIVALENCE_FORWARD) {
        TRY(find_places(&self));
        TRY(find_uses(&self));
    } else {
        TRY(ctx_alloc(self.ctx, system->n_monomials, sizeof *self.seen, &self.seen));
        TRY(ctx_alloc_raw(self.ctx, system->n_monomials, sizeof *self.quotient, &self.quotient));
    }
    *source_out = self;
done:
    if (status != COSET_OK) vector_source_free(&self);
    return status;
}

void vector_source_free(vector_source *self)
{
    if (self->ctx == NULL) return;
    ctx_free(self->ctx, self->local);
    ctx_free(self->ctx, self->place_start);
    ctx_free(self->ctx, self->places);
    ctx_free(self->ctx, self->use_start);
    ctx_free(self->ctx, self->uses);
    context_table_free(self->ctx, &self->contexts);
    ctx_free(self->ctx, self->seen);
    ctx_free(self->ctx, self->quotient);
    *self = (vector_source){0};
}

/* ---- entries ---- */

/* A coefficient before those of one member and column are added up, in the order of `order`. */
typedef struct entry {
    uint64_t key;
    int32_t member, order, crossed;
    number coefficient;
} entry;

typedef struct entry_list {
    entry *items;
    int64_t count;
} entry_list;

/* True if a monomial contains another variable of the block than i. */
static bool is_crossed(const vector_source *source, int64_t m, int64_t i)
{
    const ode_system *system = source->system;
    for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
        if (system->factors[f].id != i && source->local[system->factors[f].id] >= 0) return true;
    return false;
}

static coset_status list_forward(vector_source *source, const int64_t *label,
                                 const int64_t *members, int64_t count, entry_list *out)
{
    coset_status status = COSET_OK;
    const ode_system *system = source->system;
    int64_t total = 0;
    for (int64_t k = 0; k < count; k++)
        for (int64_t p = source->place_start[members[k]]; p < source->place_start[members[k] + 1];
             p++) {
            int32_t m = source->places[p].monomial;
            total += source->use_start[m + 1] - source->use_start[m];
        }
    TRY(ctx_alloc_raw(source->ctx, total, sizeof *out->items, &out->items));
    for (int64_t k = 0; k < count; k++) {
        int64_t i = members[k];
        for (int64_t p = source->place_start[i]; p < source->place_start[i + 1]; p++) {
            variable_place place = source->places[p];
            bool crossed = is_crossed(source, place.monomial, i);
            for (int64_t u = source->use_start[place.monomial];
                 u < source->use_start[place.monomial + 1]; u++)
                out->items[out->count++] = (entry){
                    .key = (uint64_t)label[source->uses[u].row] << 32 | (uint32_t)place.context,
                    .member = (int32_t)k,
                    .order = source->uses[u].row,
                    .crossed = crossed ? place.monomial : -1,
                    .coefficient = system->coefficient[source->uses[u].term]};
        }
    }
done:
    return status;
}

/* Number of the monomial of representatives. */
static coset_status find_quotient(vector_source *source, const int64_t *label, int32_t m,
                                  monomials *known)
{
    const ode_system *system = source->system;
    factor factors[MODEL_MAX_DEGREE];
    int64_t count = 0;
    for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
        factors[count++] =
            (factor){(int32_t)label[system->factors[f].id], system->factors[f].power};
    source->seen[m] = source->visit;
    return monomials_intern(source->ctx, known, factors, count, &source->quotient[m]);
}

static coset_status list_backward(vector_source *source, const int64_t *label,
                                  const int64_t *members, int64_t count, entry_list *out)
{
    coset_status status = COSET_OK;
    const ode_system *system = source->system;
    monomials known = {.n_variables = system->n};
    int64_t total = 0;
    for (int64_t k = 0; k < count; k++)
        total += system->row_start[members[k] + 1] - system->row_start[members[k]];
    TRY(ctx_alloc_raw(source->ctx, total, sizeof *out->items, &out->items));
    source->visit++;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t t = system->row_start[members[k]]; t < system->row_start[members[k] + 1];
             t++) {
            int32_t m = system->monomial[t];
            if (source->seen[m] != source->visit) TRY(find_quotient(source, label, m, &known));
            out->items[out->count++] = (entry){.key = (uint64_t)source->quotient[m],
                                               .member = (int32_t)k,
                                               .order = m,
                                               .crossed = -1,
                                               .coefficient = system->coefficient[t]};
        }
    }
done:
    monomials_free(source->ctx, &known);
    return status;
}

static int by_key(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->member != b->member) return a->member < b->member ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Adds up the coefficients of one member and column; what is 0 then goes. */
static coset_status add_up(const vector_source *source, const int64_t *members, entry_list *list)
{
    int64_t kept = 0;
    for (int64_t from = 0, to = 0; from < list->count; from = to) {
        entry sum = list->items[from];
        for (to = from + 1; to < list->count && list->items[to].key == sum.key &&
                            list->items[to].member == sum.member;
             to++)
            sum.coefficient = number_add(sum.coefficient, list->items[to].coefficient);
        if (!isfinite(sum.coefficient.value)) {
            const char *name = source->system->names[members[sum.member]];
            return ctx_fail(source->ctx, COSET_ENUMERIC,
                            "coefficients that %s has a part in have a sum that is not finite",
                            name != NULL ? name : "a variable");
        }
        if (!number_is_zero(sum.coefficient)) list->items[kept++] = sum;
    }
    list->count = kept;
    return COSET_OK;
}

/* ---- values ---- */

static int by_residue(const void *left, const void *right)
{
    const entry *a = *(entry *const *)left, *b = *(entry *const *)right;
    if (a->coefficient.residue != b->coefficient.residue)
        return a->coefficient.residue < b->coefficient.residue ? -1 : 1;
    return (a->coefficient.value > b->coefficient.value) -
           (a->coefficient.value < b->coefficient.value);
}

static int by_value(const void *left, const void *right)
{
    const entry *a = *(entry *const *)left, *b = *(entry *const *)right;
    if (a->coefficient.value != b->coefficient.value)
        return a->coefficient.value < b->coefficient.value ? -1 : 1;
    return (a->coefficient.residue > b->coefficient.residue) -
           (a->coefficient.residue < b->coefficient.residue);
}

/* Makes the values of a column equal where the numbers are, and different where they are not.
 *   order  room for [count] */
static void settle_column(entry *column, int64_t count, entry **order)
{
    for (int64_t k = 0; k < count; k++) order[k] = &column[k];
    qsort(order, (size_t)count, sizeof *order, by_residue);
    for (int64_t k = 1; k < count; k++)
        if (number_equal(order[k]->coefficient, order[k - 1]->coefficient))
            order[k]->coefficient.value = order[k - 1]->coefficient.value;
    qsort(order, (size_t)count, sizeof *order, by_value);
    double last = -INFINITY;
    for (int64_t k = 0; k < count; k++) {
        number *at = &order[k]->coefficient;
        if (k > 0 && number_equal(*at, order[k - 1]->coefficient)) {
            at->value = last;
            continue;
        }
        if (at->value <= last) at->value = nextafter(last, INFINITY);
        if (at->value == 0) at->value = DBL_TRUE_MIN;
        last = at->value;
    }
}

/* ---- vectors ---- */

static coset_status fill(const vector_source *source, entry_list *list, block_vectors *out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = source->ctx;
    int64_t *next = NULL;
    TRY(ctx_alloc(ctx, out->n + 1, sizeof *out->start, &out->start));
    TRY(ctx_alloc_raw(ctx, list->count + out->n, sizeof *out->cells, &out->cells));
    TRY(ctx_alloc_raw(ctx, list->count + out->n, sizeof *out->residues, &out->residues));
    TRY(ctx_alloc_raw(ctx, out->n_columns, sizeof *out->keys, &out->keys));
    TRY(ctx_alloc_raw(ctx, out->n, sizeof *next, &next));
    for (int64_t e = 0; e < list->count; e++) out->start[list->items[e].member + 1]++;
    for (int64_t k = 0; k < out->n; k++) out->start[k + 1] += out->start[k] + 1;
    for (int64_t k = 0; k < out->n; k++) next[k] = out->start[k];
    int64_t column = -1;
    for (int64_t e = 0; e < list->count; e++) {
        const entry *from = &list->items[e];
        if (e == 0 || from->key != from[-1].key) out->keys[++column] = from->key;
        int64_t at = next[from->member]++;
        out->cells[at] = (vector_cell){from->coefficient.value, (uint32_t)column, from->crossed};
        out->residues[at] = from->coefficient.residue;
        out->crossed = out->crossed || from->crossed >= 0;
        if (source->kind == EQUIVALENCE_FORWARD &&
            source->contexts.list[(uint32_t)from->key].degree > 1)
            out->linear = false;
    }
    for (int64_t k = 0; k < out->n; k++) {
        out->cells[next[k]] = (vector_cell){0, VECTOR_END, -1};
        out->residues[next[k]] = 0;
    }
done:
    ctx_free(ctx, next);
    return status;
}

static coset_status settle_columns(const vector_source *source, int64_t members, entry_list *list,
                                   block_vectors *out)
{
    entry **order = NULL;
    coset_status status = ctx_alloc_raw(source->ctx, members, sizeof *order, &order);
    if (status != COSET_OK) return status;
    for (int64_t from = 0, to = 0; from < list->count; from = to) {
        for (to = from + 1; to < list->count && list->items[to].key == list->items[from].key;) to++;
        settle_column(list->items + from, to - from, order);
        out->n_columns++;
    }
    ctx_free(source->ctx, order);
    return COSET_OK;
}

void vector_source_enter(vector_source *self, const int64_t *members, int64_t count)
{
    for (int64_t k = 0; k < count; k++) self->local[members[k]] = (int32_t)k;
}

void vector_source_leave(vector_source *self, const int64_t *members, int64_t count)
{
    for (int64_t k = 0; k < count; k++) self->local[members[k]] = -1;
}

coset_status block_vectors_build(vector_source *source, const int64_t *label,
                                 const int64_t *members, int64_t count, block_vectors *out)
{
    coset_status status = COSET_OK;
    entry_list list = {0};
    *out = (block_vectors){.n = count, .linear = true};
    TRY(source->kind == EQUIVALENCE_FORWARD ? list_forward(source, label, members, count, &list)
                                            : list_backward(source, label, members, count, &list));
    if (list.count >= (int64_t)VECTOR_END)
        FAIL(source->ctx, COSET_ELIMIT, "a block has too many coefficients");
    if (list.count > 0) qsort(list.items, (size_t)list.count, sizeof *list.items, by_key);
    TRY(add_up(source, members, &list));
    TRY(settle_columns(source, count, &list, out));
    TRY(fill(source, &list, out));
done:
    ctx_free(source->ctx, list.items);
    if (status != COSET_OK) block_vectors_free(source->ctx, out);
    return status;
}

void block_vectors_free(coset_ctx *ctx, block_vectors *self)
{
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->cells);
    ctx_free(ctx, self->residues);
    ctx_free(ctx, self->keys);
    *self = (block_vectors){0};
}
