/* Systems of tests: written as arrays, read back as text, and drawn at random with symmetries. */
#ifndef COSET_TESTS_SUPPORT_ODE_SYSTEMS_H
#define COSET_TESTS_SUPPORT_ODE_SYSTEMS_H

#include "support/linalg.h"

#include <stdio.h>
#include <string.h>

#include "ode/partition.h"
#include "ode/system.h"

/* value * product of at most four variables in f_row. */
typedef struct ode_term {
    int row;
    const char *value; /* a decimal, possibly with a minus */
    int factors[4];    /* 1 + variable; 0 is none */
} ode_term;

/* -2.5 as the decimal that it is. */
static inline number ode_number(const char *decimal)
{
    number value = {0, 0};
    bool minus = decimal[0] == '-';
    assert_true(number_parse(decimal + minus, strlen(decimal + minus), &value));
    return minus ? number_negate(value) : value;
}

/* A numeric system of variables x0, x1, ... (initial values 1, 2, ...) from terms:
 * {0, "-0.5", {2, 2}} is -0.5 x1^2 in x0', {1, "4", {0}} is 4 in x1'. */
static inline ode_system *ode_system_of(coset_ctx *ctx, int64_t n, const ode_term *terms,
                                        int64_t n_terms)
{
    system_builder *builder = NULL;
    ode_system *system = NULL;
    char(*texts)[24] = calloc((size_t)n + 1, sizeof *texts);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    number *initial = calloc((size_t)n + 1, sizeof *initial);
    assert_true(texts != NULL && names != NULL && initial != NULL);
    for (int64_t i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "x%lld", (long long)i);
        names[i] = texts[i];
        initial[i] = number_of((double)i + 1);
    }
    assert_int_equal(system_builder_new(ctx, n, 0, names, initial, &builder), COSET_OK);
    for (int64_t t = 0; t < n_terms; t++) {
        factor factors[4];
        int64_t used = 0;
        for (int f = 0; f < 4; f++)
            if (terms[t].factors[f] > 0) factors[used++] = (factor){terms[t].factors[f] - 1, 1};
        assert_int_equal(
            system_builder_add(builder, terms[t].row, factors, used, ode_number(terms[t].value)),
            COSET_OK);
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    free(texts);
    free(names);
    free(initial);
    return system;
}

#define ODE_SYSTEM(ctx, n, ...)                                                                    \
    ode_system_of(ctx, n, (const ode_term[]){__VA_ARGS__},                                         \
                  (int64_t)(sizeof((const ode_term[]){__VA_ARGS__}) / sizeof(ode_term)))

/* What a random system is made with. */
typedef enum ode_symmetry {
    ODE_PLAIN, /* no structure: blocks are usually single variables */
    ODE_SWAPPED, /* members of a planted block may be exchanged: it is a forward and a backward block */
    ODE_FORWARD, /* planted blocks are forward equivalent: sums over them have their own dynamics */
    ODE_BACKWARD /* planted blocks are backward equivalent: equal members stay equal */
} ode_symmetry;

/* One of -3 .. 3, with 0, 1 or 2 decimals, not 0. */
static inline number ode_random_coefficient(rng *random)
{
    static const char *const DECIMALS[] = {"1",   "2",    "3",    "0.1",  "0.2",
                                           "0.3", "0.25", "1.05", "2.75", "0.01"};
    number value = ode_number(DECIMALS[rng_below(random, 10)]);
    return rng_below(random, 2) ? number_negate(value) : value;
}

static inline void ode_add(system_builder *builder, int64_t row, const factor *factors,
                           int64_t n_factors, number coefficient)
{
    assert_int_equal(system_builder_add(builder, row, factors, n_factors, coefficient), COSET_OK);
}

/* Adds to the rows of block H a random share of c * product of (sums of) blocks. */
static inline void ode_plant_forward(rng *random, system_builder *builder, const partition *blocks,
                                     int64_t block, const int64_t *of, int64_t degree,
                                     const number *coefficient)
{
    int64_t size[3] = {1, 1, 1}, total = 1;
    for (int64_t d = 0; d < degree; d++) {
        size[d] = blocks->start[of[d] + 1] - blocks->start[of[d]];
        total *= size[d];
    }
    for (int64_t i = 0; i < total; i++) {
        factor factors[3];
        for (int64_t d = 0, rest = i; d < degree; rest /= size[d++])
            factors[d] =
                (factor){(int32_t)blocks->members[blocks->start[of[d]] + rest % size[d]], 1};
        /* The sum over the block is what counts; which member gets it is not. */
        int64_t begin = blocks->start[block], members = blocks->start[block + 1] - begin;
        number split = ode_random_coefficient(random);
        int64_t a = blocks->members[begin + rng_below(random, members)];
        int64_t b = blocks->members[begin + rng_below(random, members)];
        ode_add(builder, a, factors, degree, number_sub(*coefficient, split));
        ode_add(builder, b, factors, degree, split);
    }
}

/* Adds c * product of one variable of each block to the rows of all members of `block`, each with its
 * own choice of variables. */
static inline void ode_plant_backward(rng *random, system_builder *builder, const partition *blocks,
                                      int64_t block, const int64_t *of, int64_t degree,
                                      const number *coefficient)
{
    for (int64_t i = blocks->start[block]; i < blocks->start[block + 1]; i++) {
        factor factors[3];
        for (int64_t d = 0; d < degree; d++) {
            int64_t begin = blocks->start[of[d]], members = blocks->start[of[d] + 1] - begin;
            factors[d] = (factor){(int32_t)blocks->members[begin + rng_below(random, members)], 1};
        }
        ode_add(builder, blocks->members[i], factors, degree, *coefficient);
    }
}

/* Adds c * (sums of blocks multiplied) to every member of `block`, or, half of the time, c * x_member *
 * (one block's sum): both stay the same if members of a block are exchanged. */
static inline void ode_plant_swapped(rng *random, system_builder *builder, const partition *blocks,
                                     int64_t block, const int64_t *of, int64_t degree,
                                     const number *coefficient)
{
    bool self = degree > 0 && rng_below(random, 2) == 1;
    for (int64_t i = blocks->start[block]; i < blocks->start[block + 1]; i++) {
        int64_t total = 1, size[3] = {1, 1, 1}, first = self ? 1 : 0;
        for (int64_t d = first; d < degree; d++) {
            size[d] = blocks->start[of[d] + 1] - blocks->start[of[d]];
            total *= size[d];
        }
        for (int64_t k = 0; k < total; k++) {
            factor factors[3];
            if (self) factors[0] = (factor){(int32_t)blocks->members[i], 1};
            for (int64_t d = first, rest = k; d < degree; rest /= size[d++])
                factors[d] =
                    (factor){(int32_t)blocks->members[blocks->start[of[d]] + rest % size[d]], 1};
            ode_add(builder, blocks->members[i], factors, degree, *coefficient);
        }
    }
}

/* A random numeric system of n variables, degree at most 3, about n_terms terms (before blocks multiply
 * them), coefficients that are small decimals, names x0, x1, ....
 *   planted_out  (may be NULL unless a symmetry is asked for) the blocks that were planted: the
 *                coarsest equivalence is this partition or a coarser one. Equal initial values within
 *                a block. Freed by the caller. */
static inline ode_system *ode_system_random(coset_ctx *ctx, rng *random, int64_t n, int64_t n_terms,
                                            ode_symmetry symmetry, partition *planted_out)
{
    partition blocks = {0};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    int64_t n_labels = symmetry == ODE_PLAIN ? n : 1 + rng_below(random, n);
    int64_t *labels = calloc((size_t)n + 1, sizeof *labels);
    char(*texts)[24] = calloc((size_t)n + 1, sizeof *texts);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    number *initial = calloc((size_t)n + 1, sizeof *initial);
    assert_true(labels != NULL && texts != NULL && names != NULL && initial != NULL);
    for (int64_t i = 0; i < n; i++)
        labels[i] = symmetry == ODE_PLAIN ? i : rng_below(random, n_labels);
    assert_int_equal(partition_from_labels(ctx, labels, n, &blocks), COSET_OK);
    for (int64_t i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "x%lld", (long long)i);
        names[i] = texts[i];
        initial[i] = number_of((double)blocks.block_of[i] + 1);
    }
    assert_int_equal(system_builder_new(ctx, n, 0, names, initial, &builder), COSET_OK);
    for (int64_t t = 0; t < n_terms; t++) {
        int64_t of[3], degree = rng_below(random, 4);
        int64_t block = rng_below(random, blocks.n_blocks);
        number coefficient = ode_random_coefficient(random);
        for (int d = 0; d < 3; d++) of[d] = rng_below(random, blocks.n_blocks);
        if (symmetry == ODE_FORWARD)
            ode_plant_forward(random, builder, &blocks, block, of, degree, &coefficient);
        else if (symmetry == ODE_SWAPPED)
            ode_plant_swapped(random, builder, &blocks, block, of, degree, &coefficient);
        else
            ode_plant_backward(random, builder, &blocks, block, of, degree, &coefficient);
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    free(labels);
    free(texts);
    free(names);
    free(initial);
    if (planted_out != NULL)
        *planted_out = blocks;
    else
        partition_free(ctx, &blocks);
    return system;
}

/* What system.h promises of the arrays. */
static inline void ode_system_check(const ode_system *self)
{
    bool *used = calloc((size_t)self->n_monomials + 1, sizeof *used);
    assert_non_null(used);
    assert_int_equal(self->row_start[0], 0);
    for (int64_t row = 0; row < self->n; row++) {
        assert_true(self->row_start[row] <= self->row_start[row + 1]);
        for (int64_t t = self->row_start[row]; t < self->row_start[row + 1]; t++) {
            assert_true(self->monomial[t] >= 0 && self->monomial[t] < self->n_monomials);
            assert_true(t == self->row_start[row] || self->monomial[t - 1] < self->monomial[t]);
            assert_false(number_is_zero(self->coefficient[t]));
            used[self->monomial[t]] = true;
        }
    }
    for (int64_t m = 0; m < self->n_monomials; m++) {
        assert_true(used[m]);
        for (int64_t f = self->factor_start[m]; f < self->factor_start[m + 1]; f++) {
            assert_true(self->factors[f].power >= 1);
            assert_true(self->factors[f].id < self->n + self->n_symbols);
            assert_true(f == self->factor_start[m] ||
                        self->factors[f - 1].id < self->factors[f].id);
        }
    }
    free(used);
}

/* The term of f_row with this monomial; NULL: none. */
static inline const number *ode_find(const ode_system *self, int64_t row, const factor *factors,
                                     int64_t n_factors)
{
    for (int64_t t = self->row_start[row]; t < self->row_start[row + 1]; t++) {
        int64_t m = self->monomial[t], begin = self->factor_start[m];
        if (self->factor_start[m + 1] - begin == n_factors &&
            (n_factors == 0 ||
             memcmp(self->factors + begin, factors, (size_t)n_factors * sizeof *factors) == 0))
            return &self->coefficient[t];
    }
    return NULL;
}

/* Models as text, one part per line. */
#define ODE_MODEL(parameters, init, equations)                                                     \
    "begin model m\nbegin parameters\n" parameters "\nend parameters\nbegin init\n" init           \
    "\nend init\nbegin ODE\n" equations "\nend ODE\nend model"
#define ODE_NETWORK(parameters, init, reactions)                                                   \
    "begin model m\nbegin parameters\n" parameters "\nend parameters\nbegin init\n" init           \
    "\nend init\nbegin reactions\n" reactions "\nend reactions\nend model"

/* The system of a model in the ERODE language, which must be one. */
static inline ode_system *ode_system_text(coset_ctx *ctx, const char *text, bool symbols)
{
    ode_model *model = NULL;
    ode_system *system = NULL;
    if (model_parse(ctx, text, strlen(text), "text", &model) != COSET_OK ||
        system_from_model(model, symbols, &system) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    model_free(model);
    return system;
}

/* Asserts that two systems have the same names, initial values and polynomials, whatever the order of
 * their monomials and factors' storage: coefficients within `tolerance`, relative to the larger. Rows and
 * ids must agree. */
static inline void ode_systems_same(const ode_system *a, const ode_system *b, double tolerance)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_symbols, b->n_symbols);
    for (int64_t i = 0; i < a->n + a->n_symbols; i++) {
        double scale = fmax(fabs(a->initial[i].value), fabs(b->initial[i].value));
        assert_true((a->names[i] == NULL) == (b->names[i] == NULL));
        if (a->names[i] != NULL) assert_string_equal(a->names[i], b->names[i]);
        assert_true(fabs(a->initial[i].value - b->initial[i].value) <= tolerance * scale);
    }
    for (int64_t row = 0; row < a->n; row++) {
        const char *name = a->names[row] != NULL ? a->names[row] : "?";
        if (a->row_start[row + 1] - a->row_start[row] != b->row_start[row + 1] - b->row_start[row])
            fail_msg("d(%s) has different terms", name);
        for (int64_t t = a->row_start[row]; t < a->row_start[row + 1]; t++) {
            int64_t m = a->monomial[t], begin = a->factor_start[m];
            const number *other =
                ode_find(b, row, a->factors + begin, a->factor_start[m + 1] - begin);
            if (other == NULL) fail_msg("d(%s) has different terms", name);
            double scale = fmax(fabs(other->value), fabs(a->coefficient[t].value));
            if (!(fabs(other->value - a->coefficient[t].value) <= tolerance * scale))
                fail_msg("d(%s): coefficients %.17g and %.17g", name, a->coefficient[t].value,
                         other->value);
        }
    }
}

#endif
