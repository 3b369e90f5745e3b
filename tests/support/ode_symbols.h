/* Systems of tests whose coefficients are polynomials in symbols. */
#ifndef COSET_TESTS_SUPPORT_ODE_SYMBOLS_H
#define COSET_TESTS_SUPPORT_ODE_SYMBOLS_H

#include "support/ode_systems.h"

/* value * product of at most four factors in f_row; 1 + id, symbols count on after the variables. */
typedef struct symbol_term {
    int row;
    double value;
    int factors[4];
} symbol_term;

/* Variables x, y, z, u, v; symbols a, b, c, d, e with these values. */
static inline ode_system *symbolic(coset_ctx *ctx, int n, int n_symbols, const double *values,
                                   const symbol_term *terms, int n_terms)
{
    static const char *const VARIABLES[] = {"x", "y", "z", "u", "v"};
    static const char *const SYMBOLS[] = {"a", "b", "c", "d", "e"};
    const char *names[10];
    number initial[10];
    system_builder *builder = NULL;
    ode_system *system = NULL;
    for (int i = 0; i < n + n_symbols; i++) {
        names[i] = i < n ? VARIABLES[i] : SYMBOLS[i - n];
        initial[i] = number_of(i < n ? 1 : values[i - n]);
    }
    assert_int_equal(system_builder_new(ctx, n, n_symbols, names, initial, &builder), COSET_OK);
    for (int t = 0; t < n_terms; t++) {
        factor factors[4];
        int used = 0;
        for (int f = 0; f < 4 && terms[t].factors[f] > 0; f++)
            factors[used++] = (factor){terms[t].factors[f] - 1, 1};
        ode_add(builder, terms[t].row, factors, used, number_of(terms[t].value));
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    return system;
}

#define SYMBOLIC(ctx, n, n_symbols, values, ...)                                                   \
    symbolic(ctx, n, n_symbols, values, (const symbol_term[]){__VA_ARGS__},                        \
             (int)(sizeof((const symbol_term[]){__VA_ARGS__}) / sizeof(symbol_term)))

static inline partition blocks_of(coset_ctx *ctx, int64_t n, const int64_t *labels)
{
    partition blocks = {0};
    assert_int_equal(partition_from_labels(ctx, labels, n, &blocks), COSET_OK);
    return blocks;
}

/* The system with other values for its symbols, as numbers. */
static inline ode_system *with_values(const ode_system *system, const double *values)
{
    number *numbers = calloc((size_t)system->n_symbols + 1, sizeof *numbers);
    ode_system *made = NULL;
    assert_non_null(numbers);
    for (int64_t s = 0; s < system->n_symbols; s++) numbers[s] = number_of(values[s]);
    assert_int_equal(system_substitute(system, numbers, NULL, &made), COSET_OK);
    free(numbers);
    return made;
}

#endif
