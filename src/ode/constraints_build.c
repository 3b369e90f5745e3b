#include "ode/constraints.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative to what a sum is made of: less than this is rounding. */
static const double ROUNDING = 1e-12;

/* coefficient * symbols * variables in what is compared between members of a block. */
typedef struct entry {
    int32_t block;   /* H; -1 if backward */
    int32_t context; /* monomial of variables, in `contexts` */
    int32_t part;    /* monomial of symbols, in `parts` */
    double coefficient, magnitude;
} entry;

/* Entries of all variables, those of singletons left out: [start[i], start[i] + length[i]), sorted
 * and without repetitions. */
typedef struct profiles {
    entry *entries;
    int64_t *start;     /* [n + 1] */
    int64_t *length;    /* [n] */
    int32_t *part_of;   /* [n_monomials] symbols of a monomial */
    int32_t *context;   /* backward: [n_monomials] quotient; forward: [factors] the rest of the
                           monomial without one x of the factor; -1: not needed */
    factor *scratch;    /* factors of one monomial */
    int32_t empty_part; /* the constant 1 among the parts */
} profiles;

/* The largest equation that has no symbols and does not hold. */
typedef struct contradiction {
    bool found;
    double error; /* relative */
    constraint_origin origin;
} contradiction;

static void profiles_free(coset_ctx *ctx, profiles *self)
{
    ctx_free(ctx, self->entries);
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->length);
    ctx_free(ctx, self->part_of);
    ctx_free(ctx, self->context);
    ctx_free(ctx, self->scratch);
}

static bool is_alone(const partition *blocks, int64_t i)
{
    int64_t b = blocks->block_of[i];
    return blocks->start[b + 1] - blocks->start[b] == 1;
}

/* ---- monomials ---- */

/* Splits a monomial: *variables_out factors of variables come first. */
static const factor *split(const ode_system *system, int64_t monomial, int64_t *variables_out,
                           int64_t *factors_out)
{
    const factor *factors = system->factors + system->factor_start[monomial];
    int64_t count = system->factor_start[monomial + 1] - system->factor_start[monomial], v = 0;
    while (v < count && factors[v].id < system->n) v++;
    *variables_out = v;
    *factors_out = count;
    return factors;
}

static coset_status add_part(constraints *self, profiles *p, int64_t monomial)
{
    int64_t variables = 0, count = 0;
    const factor *factors = split(self->system, monomial, &variables, &count);
    for (int64_t f = variables; f < count; f++) {
        p->scratch[f - variables] = factors[f];
        p->scratch[f - variables].id -= (int32_t)self->system->n;
    }
    return monomials_intern(self->ctx, &self->parts, p->scratch, count - variables,
                            &p->part_of[monomial]);
}

/* Backward: representatives for variables. */
static coset_status add_quotient(constraints *self, profiles *p, int64_t monomial)
{
    int64_t variables = 0, count = 0;
    const factor *factors = split(self->system, monomial, &variables, &count);
    const partition *blocks = self->blocks;
    for (int64_t f = 0; f < variables; f++) {
        int64_t block = blocks->block_of[factors[f].id];
        int32_t head = (int32_t)blocks->members[blocks->start[block]];
        p->scratch[f] = (factor){head, factors[f].power};
    }
    return monomials_intern(self->ctx, &self->contexts, p->scratch, variables,
                            &p->context[monomial]);
}

/* Forward: for every factor x the monomial divided by x. */
static coset_status add_rests(constraints *self, profiles *p, int64_t monomial)
{
    coset_status status = COSET_OK;
    int64_t variables = 0, count = 0;
    const factor *factors = split(self->system, monomial, &variables, &count);
    for (int64_t f = 0; f < variables; f++) {
        int64_t used = 0, at = self->system->factor_start[monomial] + f;
        p->context[at] = -1;
        if (is_alone(self->blocks, factors[f].id)) continue;
        for (int64_t g = 0; g < variables; g++) {
            factor rest = {factors[g].id, factors[g].power - (g == f)};
            if (rest.power > 0) p->scratch[used++] = rest;
        }
        TRY(monomials_intern(self->ctx, &self->contexts, p->scratch, used, &p->context[at]));
    }
done:
    return status;
}

static coset_status number_monomials(constraints *self, profiles *p)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->system;
    bool forward = self->kind == EQUIVALENCE_FORWARD;
    int64_t longest = 0, n = system->n_monomials;
    for (int64_t m = 0; m < n; m++) {
        int64_t count = system->factor_start[m + 1] - system->factor_start[m];
        if (count > longest) longest = count;
    }
    TRY(ctx_alloc(self->ctx, longest + 1, sizeof *p->scratch, &p->scratch));
    TRY(ctx_alloc(self->ctx, n, sizeof *p->part_of, &p->part_of));
    TRY(ctx_alloc(self->ctx, forward ? system->factor_start[n] : n, sizeof *p->context,
                  &p->context));
    TRY(monomials_intern(self->ctx, &self->parts, NULL, 0, &p->empty_part));
    for (int64_t m = 0; m < n; m++) {
        TRY(add_part(self, p, m));
        TRY(forward ? add_rests(self, p, m) : add_quotient(self, p, m));
    }
done:
    return status;
}

/* ---- profiles ---- */

/* Puts the entries of one term where they belong, or, with p->entries NULL, counts them there. */
static void place_term(const constraints *self, profiles *p, int64_t row, int64_t term)
{
    const ode_system *system = self->system;
    int64_t m = system->monomial[term], variables = 0, count = 0;
    double a = system->coefficient[term].value;
    entry made = {-1, 0, p->part_of[m], a, fabs(a)};
    if (self->kind == EQUIVALENCE_BACKWARD) {
        if (is_alone(self->blocks, row)) return;
        made.context = p->context[m];
        if (p->entries != NULL) p->entries[p->start[row] + p->length[row]] = made;
        p->length[row]++;
        return;
    }
    const factor *factors = split(system, m, &variables, &count);
    made.block = (int32_t)self->blocks->block_of[row];
    for (int64_t f = 0; f < variables; f++) {
        int64_t i = factors[f].id;
        made.context = p->context[system->factor_start[m] + f];
        if (made.context < 0) continue;
        made.coefficient = a * factors[f].power;
        made.magnitude = fabs(made.coefficient);
        if (p->entries != NULL) p->entries[p->start[i] + p->length[i]] = made;
        p->length[i]++;
    }
}

static void place_terms(const constraints *self, profiles *p)
{
    const ode_system *system = self->system;
    memset(p->length, 0, (size_t)system->n * sizeof *p->length);
    for (int64_t i = 0; i < system->n; i++)
        for (int64_t t = system->row_start[i]; t < system->row_start[i + 1]; t++)
            place_term(self, p, i, t);
}

static int order_keys(const entry *a, const entry *b)
{
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    if (a->context != b->context) return a->context < b->context ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

static int order_entries(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = order_keys(a, b);
    /* Whatever qsort does with equals, sums come out the same. */
    return order != 0 ? order
                      : (a->coefficient > b->coefficient) - (a->coefficient < b->coefficient);
}

/* Sorts a variable's entries and adds up those of one key. */
static void settle(entry *entries, int64_t *length)
{
    int64_t used = 0;
    qsort(entries, (size_t)*length, sizeof *entries, order_entries);
    for (int64_t e = 0; e < *length; e++) {
        if (used > 0 && order_keys(&entries[used - 1], &entries[e]) == 0) {
            entries[used - 1].coefficient += entries[e].coefficient;
            entries[used - 1].magnitude += entries[e].magnitude;
        } else {
            entries[used++] = entries[e];
        }
    }
    *length = used;
}

static coset_status make_profiles(constraints *self, profiles *p)
{
    coset_status status = COSET_OK;
    int64_t n = self->system->n;
    TRY(number_monomials(self, p));
    TRY(ctx_alloc(self->ctx, n + 1, sizeof *p->start, &p->start));
    TRY(ctx_alloc(self->ctx, n, sizeof *p->length, &p->length));
    place_terms(self, p);
    for (int64_t i = 0; i < n; i++) p->start[i + 1] = p->start[i] + p->length[i];
    TRY(ctx_alloc_raw(self->ctx, p->start[n], sizeof *p->entries, &p->entries));
    place_terms(self, p);
    for (int64_t i = 0; i < n; i++) settle(p->entries + p->start[i], &p->length[i]);
done:
    return status;
}

/* ---- equations ---- */

/* Ends the equation whose terms start at self->start[n_equations]: keeps it, or drops it. */
static coset_status end_equation(constraints *self, const profiles *p, int64_t used,
                                 double magnitude, const constraint_origin *origin,
                                 contradiction *worst)
{
    coset_status status = COSET_OK;
    int64_t first = self->start[self->n_equations];
    if (used == first) return COSET_OK;
    if (used == first + 1 && self->part[first] == p->empty_part) {
        double error = fabs(self->coefficient[first]) / magnitude;
        if (!worst->found || error > worst->error) *worst = (contradiction){true, error, *origin};
        return COSET_OK;
    }
    TRY(ctx_reserve(self->ctx, &self->start, &self->start_capacity, self->n_equations + 2,
                    sizeof *self->start));
    TRY(ctx_reserve(self->ctx, &self->origins, &self->origins_capacity, self->n_equations + 1,
                    sizeof *self->origins));
    self->origins[self->n_equations++] = *origin;
    self->start[self->n_equations] = used;
done:
    return status;
}

/* member's entries minus those of the centre, equation by equation. */
static coset_status subtract(constraints *self, const profiles *p, int64_t member, int64_t centre,
                             contradiction *worst)
{
    coset_status status = COSET_OK;
    const entry *a = p->entries + p->start[member], *a_end = a + p->length[member];
    const entry *b = p->entries + p->start[centre], *b_end = b + p->length[centre];
    int64_t used = self->start[self->n_equations];
    double magnitude = 0;
    constraint_origin origin = {(int32_t)member, (int32_t)centre, -1, -1};
    int64_t room = used + p->length[member] + p->length[centre] + 1;
    TRY(ctx_reserve(self->ctx, &self->part, &self->terms_capacity, room, sizeof *self->part));
    TRY(ctx_reserve(self->ctx, &self->coefficient, &self->coefficients_capacity, room,
                    sizeof *self->coefficient));
    while (a < a_end || b < b_end) {
        int order = a == a_end ? 1 : b == b_end ? -1 : order_keys(a, b);
        entry term = order <= 0 ? *a : *b;
        if (order > 0) term.coefficient = -term.coefficient;
        if (order == 0) {
            term.coefficient -= b->coefficient;
            term.magnitude += b->magnitude;
        }
        if (term.block != origin.block || term.context != origin.monomial) {
            TRY(end_equation(self, p, used, magnitude, &origin, worst));
            used = self->start[self->n_equations];
            magnitude = 0;
            origin.block = term.block;
            origin.monomial = term.context;
        }
        magnitude += term.magnitude;
        if (fabs(term.coefficient) > ROUNDING * term.magnitude) {
            self->part[used] = term.part;
            self->coefficient[used++] = term.coefficient;
        }
        a += order <= 0;
        b += order >= 0;
    }
    TRY(end_equation(self, p, used, magnitude, &origin, worst));
done:
    return status;
}

/* The representative, unless repeating its list for every member would be long. */
static int64_t choose_centre(const constraints *self, const profiles *p, int64_t block)
{
    const int64_t *members = self->blocks->members + self->blocks->start[block];
    int64_t count = self->blocks->start[block + 1] - self->blocks->start[block];
    int64_t shortest = members[0], total = 0;
    for (int64_t i = 0; i < count; i++) {
        total += p->length[members[i]];
        if (p->length[members[i]] < p->length[shortest]) shortest = members[i];
    }
    return p->length[members[0]] / 4 <= total / count ? members[0] : shortest;
}

static coset_status compare_block(constraints *self, const profiles *p, int64_t block,
                                  contradiction *worst)
{
    coset_status status = COSET_OK;
    const int64_t *members = self->blocks->members + self->blocks->start[block];
    int64_t count = self->blocks->start[block + 1] - self->blocks->start[block];
    int64_t centre = choose_centre(self, p, block);
    for (int64_t i = 0; i < count; i++)
        if (members[i] != centre) TRY(subtract(self, p, members[i], centre, worst));
done:
    return status;
}

/* Tells from the terms that are left whether all equations are linear. */
static bool is_linear(const constraints *self)
{
    for (int64_t t = 0; t < self->start[self->n_equations]; t++) {
        const int64_t *start = self->parts.start + self->part[t];
        if (start[1] - start[0] > 1) return false;
        if (start[1] - start[0] == 1 && self->parts.factors[start[0]].power > 1) return false;
    }
    return true;
}

coset_status constraints_new(const ode_system *system, equivalence kind, const partition *blocks,
                             constraints **constraints_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    constraints *self = NULL;
    profiles p = {0};
    contradiction worst = {0};
    char text[480];
    *constraints_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    *self = (constraints){.ctx = ctx, .system = system, .blocks = blocks, .kind = kind};
    self->contexts.n_variables = system->n;
    TRY(make_profiles(self, &p));
    TRY(ctx_reserve(ctx, &self->start, &self->start_capacity, 1, sizeof *self->start));
    for (int64_t b = 0; b < blocks->n_blocks; b++) TRY(compare_block(self, &p, b, &worst));
    if (worst.found) {
        constraints_describe(self, &worst.origin, text, sizeof text);
        FAIL(ctx, COSET_ENUMERIC,
             "no choice of the free parameters makes the partition an equivalence: %s by constants "
             "(%.3g relative)",
             text, worst.error);
    }
    self->linear = is_linear(self);
    *constraints_out = self;
    self = NULL;
done:
    profiles_free(ctx, &p);
    constraints_free(self);
    return status;
}
