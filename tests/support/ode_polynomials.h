/* Distances of METHODS.md 3.2 from the definition: small polynomials that are multiplied out. */
#ifndef COSET_TESTS_SUPPORT_ODE_POLYNOMIALS_H
#define COSET_TESTS_SUPPORT_ODE_POLYNOMIALS_H

#include "support/ode_systems.h"

/* Powers of up to 8 variables and of t, six bits each. */
enum { POLYNOMIAL_BITS = 6, POLYNOMIAL_T = 8 };

typedef struct polynomial_term {
    uint64_t powers;
    double value;
} polynomial_term;

typedef struct polynomial {
    polynomial_term *terms;
    int64_t count, capacity;
} polynomial;

static inline uint64_t power_of(int64_t variable, int64_t power)
{
    return (uint64_t)power << POLYNOMIAL_BITS * variable;
}

static inline void polynomial_add(polynomial *self, uint64_t powers, double value)
{
    if (self->count == self->capacity) {
        self->capacity = 2 * self->capacity + 64;
        self->terms = realloc(self->terms, (size_t)self->capacity * sizeof *self->terms);
        assert_non_null(self->terms);
    }
    self->terms[self->count++] = (polynomial_term){powers, value};
}

/* self *= (x_i + x_j) * (1, or t, or 1 - t). */
static inline void polynomial_times_sum(polynomial *self, int64_t i, int64_t j, double one,
                                        double t)
{
    polynomial product = {0};
    for (int64_t k = 0; k < self->count; k++) {
        polynomial_term from = self->terms[k];
        for (int side = 0; side < 2; side++) {
            uint64_t powers = from.powers + power_of(side == 0 ? i : j, 1);
            if (one != 0) polynomial_add(&product, powers, from.value * one);
            if (t != 0)
                polynomial_add(&product, powers + power_of(POLYNOMIAL_T, 1), from.value * t);
        }
    }
    free(self->terms);
    *self = product;
}

static inline int by_powers(const void *left, const void *right)
{
    const polynomial_term *a = left, *b = right;
    return (a->powers > b->powers) - (a->powers < b->powers);
}

/* L1 norm of the coefficients; frees the polynomial. */
static inline double polynomial_norm(polynomial *self)
{
    double norm = 0;
    if (self->count > 1) qsort(self->terms, (size_t)self->count, sizeof *self->terms, by_powers);
    for (int64_t from = 0, to = 0; from < self->count; from = to) {
        double sum = 0;
        for (to = from; to < self->count && self->terms[to].powers == self->terms[from].powers;)
            sum += self->terms[to++].value;
        norm += fabs(sum);
    }
    free(self->terms);
    return norm;
}

/* Adds one term of a row and takes away what it becomes by x_i := t (x_i + x_j), x_j := (1 - t)(x_i + x_j). */
static inline void add_substituted(polynomial *self, const ode_system *system, int64_t term,
                                   int64_t i, int64_t j)
{
    int64_t m = system->monomial[term], a = 0, b = 0;
    uint64_t rest = 0;
    for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
        factor at = system->factors[f];
        if (at.id == i)
            a = at.power;
        else if (at.id == j)
            b = at.power;
        else
            rest += power_of(at.id, at.power);
    }
    polynomial put_in = {0};
    polynomial_add(&put_in, rest, system->coefficient[term].value);
    for (int64_t k = 0; k < a; k++) polynomial_times_sum(&put_in, i, j, 0, 1);
    for (int64_t k = 0; k < b; k++) polynomial_times_sum(&put_in, i, j, 1, -1);
    polynomial_add(self, rest + power_of(i, a) + power_of(j, b), system->coefficient[term].value);
    for (int64_t k = 0; k < put_in.count; k++)
        polynomial_add(self, put_in.terms[k].powers, -put_in.terms[k].value);
    free(put_in.terms);
}

/* dist_F or dist_B for i < j under a partition that is given by labels; at most 8 variables. */
static inline double defined_distance(const ode_system *system, equivalence kind,
                                      const int64_t *label, int64_t i, int64_t j)
{
    double distance = 0;
    assert_true(system->n <= POLYNOMIAL_T && i < j);
    if (kind == EQUIVALENCE_FORWARD) {
        for (int64_t h = 0; h < system->n; h++) {
            polynomial change = {0};
            bool first = true;
            for (int64_t k = 0; k < h; k++) first = first && label[k] != label[h];
            for (int64_t row = 0; first && row < system->n; row++)
                for (int64_t t = system->row_start[row];
                     label[row] == label[h] && t < system->row_start[row + 1]; t++)
                    add_substituted(&change, system, t, i, j);
            distance += polynomial_norm(&change);
        }
        return distance;
    }
    polynomial difference = {0};
    for (int side = 0; side < 2; side++) {
        int64_t row = side == 0 ? i : j;
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
            int64_t m = system->monomial[t];
            uint64_t powers = 0;
            for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
                int64_t stands = 0; /* the first variable of the block */
                while (label[stands] != label[system->factors[f].id]) stands++;
                powers += power_of(stands, system->factors[f].power);
            }
            double value = system->coefficient[t].value;
            polynomial_add(&difference, powers, side == 0 ? value : -value);
        }
    }
    return polynomial_norm(&difference);
}

/* A random system of n <= 8 variables whose coefficients are multiples of 1/8, so that sums are exact, and
 * whose monomials have degree up to max_degree and come again in several rows. */
static inline ode_system *eighths_system(coset_ctx *ctx, rng *random, int64_t n, int64_t n_terms,
                                         int64_t max_degree)
{
    enum { MONOMIALS = 6 };
    factor factors[MONOMIALS][8];
    int64_t degree[MONOMIALS];
    system_builder *builder = NULL;
    ode_system *system = NULL;
    number initial[8] = {{0, 0}};
    const char *names[8] = {NULL};
    assert_int_equal(system_builder_new(ctx, n, 0, names, initial, &builder), COSET_OK);
    for (int m = 0; m < MONOMIALS; m++) {
        degree[m] = rng_below(random, max_degree + 1);
        for (int64_t d = 0; d < degree[m]; d++)
            factors[m][d] = (factor){(int32_t)rng_below(random, n), 1};
    }
    for (int64_t t = 0; t < n_terms; t++) {
        int64_t m = rng_below(random, MONOMIALS);
        double value = (double)(rng_below(random, 17) - 8) / 8;
        /* A factor is often changed, so that contexts meet. */
        factor mine[8];
        memcpy(mine, factors[m], sizeof mine);
        if (degree[m] > 0) mine[rng_below(random, degree[m])].id = (int32_t)rng_below(random, n);
        assert_int_equal(
            system_builder_add(builder, rng_below(random, n), mine, degree[m], number_of(value)),
            COSET_OK);
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    return system;
}

#endif
