/* Closest exactly reducible systems against projections of the test's own, known answers, and the circuit
 * of the paper; what has no solution is said by name. */
#include "support/files.h"
#include "support/ode_symbols.h"

#include "ode/reduce.h"

static closest_result closest(const ode_system *system, equivalence kind, const partition *blocks,
                              const bool *free, double *values)
{
    closest_result result;
    coset_status status = system_closest(system, kind, blocks, free, values, &result);
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(system->ctx));
    return result;
}

static double violation(const ode_system *system, const double *values, equivalence kind,
                        const partition *blocks)
{
    double most = NAN;
    ode_system *made = with_values(system, values);
    assert_int_equal(system_violation(made, kind, blocks, &most, NULL), COSET_OK);
    system_free(made);
    return most;
}

/* ---- a projection of the test's own ---- */

/* Dense rows of equations in the symbols, with the names of what they compare. */
enum { MAX_ROWS = 4000, MAX_TERMS = 700, MAX_KEY = 128 };

typedef struct rows {
    int64_t count, n;
    char (*key)[MAX_KEY];
    double *value; /* (count, n) */
} rows;

static double *row_of(rows *self, const char *key)
{
    int64_t r = 0;
    while (r < self->count && strcmp(self->key[r], key) != 0) r++;
    if (r == self->count) {
        assert_true(self->count++ < MAX_ROWS);
        strcpy(self->key[r], key);
    }
    return self->value + r * self->n;
}

/* Text of a monomial without one x of factor `without` (-1: all), variables as `name` says. */
static void monomial_text(const ode_system *system, int64_t monomial, int64_t without,
                          const int64_t *name, char *text)
{
    int power[16] = {0};
    for (int64_t f = system->factor_start[monomial]; f < system->factor_start[monomial + 1]; f++) {
        const factor *at = &system->factors[f];
        if (at->id >= system->n) continue;
        assert_true(name[at->id] < 16);
        power[name[at->id]] += at->power - (f == without);
    }
    for (int v = 0; v < 16; v++) text += sprintf(text, "%d ", power[v]);
}

/* Equations of METHODS.md 3.1 for a system in which every term is one symbol: rows of blocks' members
 * against their representatives. */
static void compare(const ode_system *system, equivalence kind, const partition *blocks, rows *out)
{
    char key[MAX_KEY], text[64];
    int64_t same[16];
    for (int64_t i = 0; i < system->n; i++) same[i] = i;
    for (int64_t row = 0; row < system->n; row++) {
        int64_t block = blocks->block_of[row];
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
            int64_t m = system->monomial[t], symbol = -1;
            for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
                if (system->factors[f].id >= system->n) symbol = system->factors[f].id - system->n;
            for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
                /* Forward: the derivative by i. Backward: the symbol's factor stands for the term. */
                int64_t i = system->factors[f].id;
                bool is_symbol = i >= system->n;
                if (is_symbol != (kind == EQUIVALENCE_BACKWARD)) continue;
                if (is_symbol) i = row;
                int64_t b = blocks->block_of[i], head = blocks->members[blocks->start[b]];
                monomial_text(system, m, is_symbol ? -1 : f, is_symbol ? blocks->block_of : same,
                              text);
                for (int64_t k = blocks->start[b] + 1; k < blocks->start[b + 1]; k++) {
                    int64_t j = blocks->members[k];
                    if (i != head && i != j) continue;
                    sprintf(key, "%d %d %s", (int)j, is_symbol ? -1 : (int)block, text);
                    row_of(out, key)[symbol] +=
                        (i == head ? -1 : 1) * (is_symbol ? 1 : system->factors[f].power);
                }
            }
        }
    }
}

/* Orthonormal rows by Gram and Schmidt, twice for safety; dependent ones vanish. */
static void orthonormalise(rows *self)
{
    int64_t kept = 0, n = self->n;
    for (int64_t r = 0; r < self->count; r++) {
        double *row = self->value + r * n, before = 0, after = 0;
        for (int64_t j = 0; j < n; j++) before += row[j] * row[j];
        for (int twice = 0; twice < 2; twice++)
            for (int64_t q = 0; q < kept; q++) {
                double dot = 0, *basis = self->value + q * n;
                for (int64_t j = 0; j < n; j++) dot += basis[j] * row[j];
                for (int64_t j = 0; j < n; j++) row[j] -= dot * basis[j];
            }
        for (int64_t j = 0; j < n; j++) after += row[j] * row[j];
        if (!(after > 1e-20 * before)) continue;
        for (int64_t j = 0; j < n; j++) self->value[kept * n + j] = row[j] / sqrt(after);
        kept++;
    }
    self->count = kept;
}

/* p = p0 - Q^T Q p0 */
static double *project(const ode_system *system, equivalence kind, const partition *blocks)
{
    int64_t n = system->n_symbols;
    assert_true(n <= MAX_TERMS);
    rows a = {0, n, calloc(MAX_ROWS, MAX_KEY), doubles(MAX_ROWS * (n + 1))};
    assert_non_null(a.key);
    compare(system, kind, blocks, &a);
    orthonormalise(&a);
    double *p = doubles(n);
    for (int64_t s = 0; s < n; s++) p[s] = system->initial[system->n + s].value;
    for (int64_t q = 0; q < a.count; q++) {
        double dot = 0;
        for (int64_t s = 0; s < n; s++)
            dot += a.value[q * n + s] * system->initial[system->n + s].value;
        for (int64_t s = 0; s < n; s++) p[s] -= dot * a.value[q * n + s];
    }
    free(a.key), free(a.value);
    return p;
}

static void test_projection(void **state)
{
    (void)state;
    static const ode_symmetry SYMMETRY[] = {ODE_SWAPPED, ODE_FORWARD, ODE_BACKWARD, ODE_PLAIN};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int64_t moved = 0;
    for (uint64_t seed = 0; seed < 120; seed++) {
        rng random = rng_seed(seed, 5);
        partition blocks = {0};
        ode_symmetry symmetry = SYMMETRY[seed % 4];
        equivalence kind = seed / 4 % 2 ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
        ode_system *exact = ode_system_random(ctx, &random, 2 + rng_below(&random, 5),
                                              1 + rng_below(&random, 8), symmetry, &blocks);
        ode_system *system = NULL;
        double largest = 0;
        if (symmetry == ODE_PLAIN) { /* nothing fits: far from p0 */
            partition_free(ctx, &blocks);
            assert_int_equal(partition_one(ctx, exact->n, &blocks), COSET_OK);
        }
        assert_int_equal(system_free_coefficients(exact, &system), COSET_OK);
        for (int64_t s = 0; s < system->n_symbols; s++) {
            number *p0 = &system->initial[system->n + s];
            double by = seed % 3 == 0 ? exp(3 * rng_normal(&random)) : 1;
            *p0 = number_of(p0->value * (1 + 0.01 * rng_normal(&random)) * by);
            largest = fmax(largest, fabs(p0->value));
        }
        double *values = doubles(system->n_symbols), *want = project(system, kind, &blocks),
               far = 0;
        closest_result result = closest(system, kind, &blocks, NULL, values);
        for (int64_t s = 0; s < system->n_symbols; s++) {
            double p0 = system->initial[system->n + s].value;
            far += (values[s] - p0) * (values[s] - p0);
            if (!(fabs(values[s] - want[s]) <= 1e-12 * largest))
                fail_msg("seed %d, symbol %d: %.17g, not %.17g", (int)seed, (int)s, values[s],
                         want[s]);
        }
        assert_true(fabs(result.change_l2 - sqrt(far)) <= 1e-12 * sqrt(far));
        assert_true(result.residual <= 1e-13 * largest);
        if (!(violation(system, values, kind, &blocks) < 1e-10))
            fail_msg("seed %d: violation %g", (int)seed, violation(system, values, kind, &blocks));
        moved += result.change_l2 > 0;
        free(values), free(want);
        system_free(system), system_free(exact);
        partition_free(ctx, &blocks);
    }
    assert_true(moved > 60);
    counted_ctx_end(ctx, &memory);
}

/* ---- known answers ---- */

/* x' = -a x, y' = -b y, z' = -c z + d: the block {x, y, z} asks a = b = c and d = 0. */
static void test_means(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {0.1, 0.2, 0.6, 1e-3, 0.3};
    static const int64_t labels[] = {0, 0, 0, 1};
    ode_system *system = SYMBOLIC(ctx, 4, 5, p0, {0, -1, {1, 5}}, {1, -1, {2, 6}}, {2, -1, {3, 7}},
                                  {2, 1, {8}}, {3, 1, {9}});
    partition blocks = blocks_of(ctx, 4, labels);
    double values[5];
    closest_result result = closest(system, EQUIVALENCE_BACKWARD, &blocks, NULL, values);
    assert_true(fabs(values[0] - 0.3) < 1e-15);
    assert_true(values[1] == values[0] && values[2] == values[0]);
    assert_true(values[3] == 0 && values[4] == 0.3);
    assert_true(fabs(result.change_max - 0.3) < 1e-15);
    assert_true(fabs(result.change_l2 - sqrt(0.04 + 0.01 + 0.09 + 1e-6)) < 1e-15);
    assert_int_equal(result.equations, 3);
    /* What is not free keeps its value and draws the others. */
    const bool free[] = {true, false, true, true, false};
    closest(system, EQUIVALENCE_BACKWARD, &blocks, free, values);
    assert_true(values[0] == 0.2 && values[1] == 0.2 && values[2] == 0.2 && values[3] == 0);
    /* Forward only the block's sum counts: d stays. */
    closest(system, EQUIVALENCE_FORWARD, &blocks, NULL, values);
    assert_true(values[1] == values[0] && values[2] == values[0] && values[3] == 1e-3);
    system_free(system);
    /* An equivalence already: not a bit changes, not even of values that nearly agree. */
    static const double equal[] = {0.7, 0.7, 0.7, 0, 0.70000000000000007};
    system = SYMBOLIC(ctx, 4, 5, equal, {0, -1, {1, 5}}, {1, -1, {2, 6}}, {2, -1, {3, 7}},
                      {2, 1, {8}}, {3, 1, {9}});
    result = closest(system, EQUIVALENCE_BACKWARD, &blocks, NULL, values);
    assert_memory_equal(values, equal, sizeof values);
    assert_true(result.change_max == 0 && result.change_l2 == 0 && result.residual == 0);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* x' = a b x, y' = c y: the nearest point of the surface a b = c, where p - p0 is along its normal. */
static void test_products(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double starts[][3] = {{2, 3, 6.5},  {2, 3, 4},      {-1, 2, 3},
                                       {1, 1.1, -1}, {100, 0.01, 2}, {0.5, -0.5, 1e-3}};
    static const int64_t labels[] = {0, 0};
    partition blocks = blocks_of(ctx, 2, labels);
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
        const double *p0 = starts[k];
        ode_system *system = SYMBOLIC(ctx, 2, 3, p0, {0, 1, {1, 3, 4}}, {1, 1, {2, 5}});
        double p[3], along[3], dot = 0, square = 0;
        closest_result result = closest(system, EQUIVALENCE_BACKWARD, &blocks, NULL, p);
        assert_true(fabs(p[0] * p[1] - p[2]) <= 1e-13 * (fabs(p[2]) + 1e-3));
        const double normal[] = {p[1], p[0], -1};
        for (int s = 0; s < 3; s++) {
            dot += normal[s] * (p[s] - p0[s]);
            square += normal[s] * normal[s];
        }
        for (int s = 0; s < 3; s++) {
            along[s] = p[s] - p0[s] - dot / square * normal[s];
            if (!(fabs(along[s]) <= 1e-7 * result.change_l2))
                fail_msg("case %zu is %g off the normal after %d steps", k, fabs(along[s]),
                         (int)result.iterations);
        }
        /* No near point of the surface is nearer. */
        for (int i = 0; i < 64; i++) {
            double a = p[0] + 1e-3 * cos(0.1 * i), b = p[1] + 1e-3 * sin(0.1 * i), far = 0;
            const double other[] = {a, b, a * b};
            for (int s = 0; s < 3; s++) far += (other[s] - p0[s]) * (other[s] - p0[s]);
            assert_true(sqrt(far) >= result.change_l2 * (1 - 1e-9));
        }
        system_free(system);
    }
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* Every coefficient a product of two symbols of a few, planted blocks, forward and backward. */
static void test_many_products(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (uint64_t seed = 0; seed < 40; seed++) {
        rng random = rng_seed(seed, 6);
        enum { N = 6, SYMBOLS = 24 };
        static const int64_t labels[] = {0, 0, 1, 1, 1, 2};
        const char *names[N + SYMBOLS] = {"x"};
        number initial[N + SYMBOLS];
        system_builder *builder = NULL;
        ode_system *system = NULL;
        partition blocks = blocks_of(ctx, N, labels);
        equivalence kind = seed % 2 ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
        for (int i = 0; i < N + SYMBOLS; i++)
            initial[i] = number_of(1 + 0.02 * rng_normal(&random));
        assert_int_equal(system_builder_new(ctx, N, SYMBOLS, names, initial, &builder), COSET_OK);
        /* f_i = sum over j of a_i b_j x_j: forward asks b_j, backward a_i to agree in their blocks. */
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int a = N + i + (j % 2) * 12, b = N + 6 + j + (i == 5) * 12;
                const factor factors[] = {{j, 1}, {a, 1}, {b, 1}};
                ode_add(builder, i, factors, 3, number_of(1));
            }
        assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
        double values[SYMBOLS];
        closest_result result = closest(system, kind, &blocks, NULL, values);
        assert_true(result.change_max > 1e-3 && result.change_max < 0.1);
        assert_true(result.iterations < 60);
        if (!(violation(system, values, kind, &blocks) < 1e-10)) fail_msg("seed %d", (int)seed);
        system_free(system);
        partition_free(ctx, &blocks);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- without a solution ---- */

static void refused(const ode_system *system, equivalence kind, const partition *blocks,
                    const bool *free, const char *const *says)
{
    double values[5] = {0};
    closest_result result;
    assert_int_equal(system_closest(system, kind, blocks, free, values, &result), COSET_ENUMERIC);
    assert_true(result.equations == 0);
    for (; *says != NULL; says++)
        if (strstr(coset_ctx_error(system->ctx), *says) == NULL)
            fail_msg("no '%s' in: %s", *says, coset_ctx_error(system->ctx));
}

#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_infeasible(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const int64_t labels[] = {0, 0, 1};
    static const double p0[] = {1, 5};
    partition blocks = blocks_of(ctx, 3, labels);
    /* Constants: 2 x z and 3 y z. */
    ode_system *system = SYMBOLIC(ctx, 3, 2, p0, {0, 2, {1, 3}}, {1, 3, {2, 3}}, {2, 1, {4, 5}});
    refused(system, EQUIVALENCE_BACKWARD, &blocks, NULL,
            SAYS("constants", "x and y", "x*z", "no choice"));
    refused(system, EQUIVALENCE_FORWARD, &blocks, NULL, SAYS("x and y", "block of x", "at z"));
    system_free(system);
    /* a = 1 and a = 2. */
    system =
        SYMBOLIC(ctx, 3, 2, p0, {0, 1, {4}}, {0, 1, {4, 3}}, {1, 1, {0}}, {1, 2, {3}}, {2, 1, {5}});
    refused(system, EQUIVALENCE_BACKWARD, &blocks, NULL, SAYS("no choice", "x and y"));
    /* Nothing may change. */
    static const bool none[] = {false, false};
    refused(system, EQUIVALENCE_BACKWARD, &blocks, none, SAYS("constants", "x and y", "at z"));
    system_free(system);
    /* a^4 overflows. */
    static const double huge[] = {1e100, 5};
    system = SYMBOLIC(ctx, 3, 2, huge, {0, 1, {4, 4, 4, 4}}, {1, 1, {5}}, {2, 1, {5}});
    refused(system, EQUIVALENCE_BACKWARD, &blocks, NULL, SAYS("finite"));
    system_free(system);
    /* a^2 = -1 */
    system = SYMBOLIC(ctx, 3, 2, p0, {0, 1, {4, 4}}, {1, -1, {0}}, {2, 1, {5}});
    refused(system, EQUIVALENCE_BACKWARD, &blocks, NULL, SAYS("were found", "x and y", "at 1"));
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* ---- the circuit ---- */

static void test_circuit(void **state)
{
    (void)state;
    const char *path = files_data("ode/andrea_hTreeCircuit3_1.ode");
    static const int64_t labels[] = {0, 1, 1, 2, 2, 2, 2};
    if (path == NULL) return;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = NULL;
    ode_system *system = NULL;
    if (model_load(ctx, path, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(system_from_model(model, true, &system), COSET_OK);
    assert_int_equal(system->n_symbols, 9);
    partition blocks = blocks_of(ctx, 7, labels), found = {0};
    double p[9];
    closest_result result = closest(system, EQUIVALENCE_BACKWARD, &blocks, NULL, p);
    /* b2, b3, an1k1 are free of equations; the branches of a level become their mean. */
    const number *p0 = system->initial + system->n;
    double level2 = (0.5233235724597057 + 0.5232821916287071) / 2;
    double level3 =
        (0.603301590244999 + 0.6033785530926093 + 0.603325178373297 + 0.6033616699243862) / 4;
    for (int s = 0; s < 3; s++) assert_true(p[s] == p0[s].value);
    for (int s = 3; s < 5; s++) assert_true(fabs(p[s] - level2) < 1e-15 && p[s] == p[3]);
    for (int s = 5; s < 9; s++) assert_true(fabs(p[s] - level3) < 1e-15 && p[s] == p[5]);
    assert_true(result.change_max < 5e-5 && result.change_max > 2e-5);
    assert_true(violation(system, p, EQUIVALENCE_BACKWARD, &blocks) < 1e-12);
    /* Equal bits: the exact refinement finds the blocks again. */
    ode_system *made = with_values(system, p);
    partition one = {0};
    assert_int_equal(partition_one(ctx, 7, &one), COSET_OK);
    assert_int_equal(partition_refine_exact(made, EQUIVALENCE_BACKWARD, &blocks, &found), COSET_OK);
    assert_true(partition_equal(&found, &blocks));
    partition_free(ctx, &found), partition_free(ctx, &one), partition_free(ctx, &blocks);
    system_free(made), system_free(system);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* ---- memory ---- */

static void every_allocation(const ode_system *system, equivalence kind, const partition *blocks,
                             const bool *free, counted_memory *memory)
{
    double values[5] = {0};
    closest_result result;
    memory->made = 0;
    closest(system, kind, blocks, free, values);
    int64_t total = memory->made, alive = memory->alive;
    assert_true(total > 20);
    for (int64_t at = 0; at < total; at++) {
        memory->made = 0;
        memory->fail_from = at;
        assert_int_equal(system_closest(system, kind, blocks, free, values, &result),
                         COSET_EMEMORY);
        memory->fail_from = -1;
        assert_int_equal(memory->alive, alive);
    }
    closest(system, kind, blocks, free, values);
}

static void test_memory(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {2, 3, 6.5, 0.1, 0.3};
    static const bool free[] = {true, true, true, false, true};
    static const int64_t labels[] = {0, 0, 1};
    partition blocks = blocks_of(ctx, 3, labels);
    ode_system *system = SYMBOLIC(ctx, 3, 5, p0, {0, 1, {1, 4, 5}}, {1, 1, {2, 6}}, {2, 1, {7}},
                                  {0, -1, {3, 8}}, {1, -1, {3, 7}});
    every_allocation(system, EQUIVALENCE_BACKWARD, &blocks, free, &memory);
    every_allocation(system, EQUIVALENCE_FORWARD, &blocks, NULL, &memory);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projection), cmocka_unit_test(test_means),
        cmocka_unit_test(test_products),   cmocka_unit_test(test_many_products),
        cmocka_unit_test(test_infeasible), cmocka_unit_test(test_circuit),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
