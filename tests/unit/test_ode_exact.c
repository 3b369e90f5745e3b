/* The coarsest exact equivalences of small systems against a search through all partitions, in which
 * each is held against the definition with polynomials and integers of the test's own. */
#include "ode/partition.h"
#include "ode/reduce.h"

#include <string.h>

#include "support/linalg.h"

enum { MAX_N = 6, MAX_DEGREE = 3, MAX_TERMS = 4096, MAX_PARTITIONS = 203 };

/* Coefficients are counts of 1/10. A row may have a monomial several times. */
typedef struct term {
    int row, power[MAX_N];
    int64_t tenths;
} term;

typedef struct sample {
    int n, n_terms;
    term terms[MAX_TERMS];
} sample;

/* ---- the definitions ---- */

/* A polynomial in x and t with powers up to 3: two bits of the key for each. */
typedef struct polynomial {
    int64_t at[1 << 2 * (MAX_N + 1)];
    int n_keys, keys[4 * MAX_TERMS * (MAX_DEGREE + 1) * (MAX_DEGREE + 1)];
} polynomial;

enum { T = MAX_N };

static const int BINOMIAL[4][4] = {{1}, {1, 1}, {1, 2, 1}, {1, 3, 3, 1}};

static void polynomial_add(polynomial *p, int key, int64_t value)
{
    p->at[key] += value;
    p->keys[p->n_keys++] = key;
}

/* Tells whether it is 0, and makes it so. */
static bool polynomial_take_zero(polynomial *p)
{
    bool zero = true;
    for (int i = 0; i < p->n_keys; i++) zero = zero && p->at[p->keys[i]] == 0;
    for (int i = 0; i < p->n_keys; i++) p->at[p->keys[i]] = 0;
    p->n_keys = 0;
    return zero;
}

static int key_of(const int *power)
{
    int key = 0;
    for (int v = 0; v < MAX_N; v++) key |= power[v] << 2 * v;
    return key;
}

/* Adds f[x_i := t (x_i + x_j), x_j := (1 - t)(x_i + x_j)] - f for one term f. */
static void add_deviation(polynomial *p, const term *f, int i, int j)
{
    int power[MAX_N];
    int a = f->power[i], b = f->power[j];
    memcpy(power, f->power, sizeof power);
    polynomial_add(p, key_of(power), -f->tenths);
    for (int q = 0; q <= b; q++) { /* t^a (1 - t)^b */
        int64_t in_t = q % 2 == 0 ? BINOMIAL[b][q] : -BINOMIAL[b][q];
        for (int r = 0; r <= a + b; r++) { /* (x_i + x_j)^(a + b) */
            power[i] = r;
            power[j] = a + b - r;
            polynomial_add(p, key_of(power) | (a + q) << 2 * T,
                           f->tenths * in_t * BINOMIAL[a + b][r]);
        }
    }
}

/* Whether F_H depends on x_i and x_j only through their sum; H is a set of bits. */
static bool aggregates(polynomial *p, const sample *s, int set, int i, int j)
{
    for (int t = 0; t < s->n_terms; t++)
        if (set >> s->terms[t].row & 1) add_deviation(p, &s->terms[t], i, j);
    return polynomial_take_zero(p);
}

/* Tables of what `aggregates` says: by set, i, j. */
typedef bool aggregation[1 << MAX_N][MAX_N][MAX_N];

static void aggregation_of(polynomial *p, const sample *s, aggregation table)
{
    for (int set = 1; set < 1 << s->n; set++)
        for (int j = 0; j < s->n; j++)
            for (int i = 0; i < j; i++) table[set][i][j] = aggregates(p, s, set, i, j);
}

static bool is_forward(const sample *s, const aggregation table, const int *block)
{
    for (int h = 0; h < s->n; h++) {
        int set = 0;
        for (int k = 0; k < s->n; k++) set |= (block[k] == h) << k;
        for (int j = 0; set != 0 && j < s->n; j++)
            for (int i = 0; i < j; i++)
                if (block[i] == block[j] && !table[set][i][j]) return false;
    }
    return true;
}

/* Whether f_i = f_j after every variable is replaced by the representative of its block. */
static bool is_backward(polynomial *p, const sample *s, const int *block)
{
    for (int j = 0; j < s->n; j++) {
        int i = 0; /* the representative of j */
        while (block[i] != block[j]) i++;
        for (int t = 0; t < s->n_terms && i != j; t++) {
            const term *f = &s->terms[t];
            int power[MAX_N] = {0};
            for (int v = 0; v < s->n; v++) power[block[v]] += f->power[v];
            if (f->row == i) polynomial_add(p, key_of(power), f->tenths);
            if (f->row == j) polynomial_add(p, key_of(power), -f->tenths);
        }
        if (!polynomial_take_zero(p)) return false;
    }
    return true;
}

/* ---- the search ---- */

static bool refines(int n, const int *finer, const int *coarser)
{
    for (int j = 0; j < n; j++)
        for (int i = 0; i < j; i++)
            if (finer[i] == finer[j] && coarser[i] != coarser[j]) return false;
    return true;
}

/* The next partition as a restricted growth string (blocks are numbered by their first members). */
static bool next_partition(int n, int *block)
{
    for (int i = n - 1; i > 0; i--) {
        int highest = 0;
        for (int j = 0; j < i; j++) highest = block[j] > highest ? block[j] : highest;
        if (block[i] <= highest) {
            block[i]++;
            return true;
        }
        block[i] = 0;
    }
    return false;
}

/* The equivalence with the fewest blocks among all that refine `initial`; all others refine it. */
static int search(polynomial *p, const sample *s, const aggregation table, equivalence kind,
                  const int *initial, int *best)
{
    int found[MAX_PARTITIONS][MAX_N], n_found = 0, fewest = MAX_N + 1, block[MAX_N] = {0};
    do {
        if (!refines(s->n, block, initial)) continue;
        if (kind == EQUIVALENCE_FORWARD ? !is_forward(s, table, block) : !is_backward(p, s, block))
            continue;
        int count = 0;
        for (int i = 0; i < s->n; i++) count = block[i] >= count ? block[i] + 1 : count;
        if (count < fewest) memcpy(best, block, sizeof block);
        fewest = count < fewest ? count : fewest;
        memcpy(found[n_found++], block, sizeof block);
    } while (next_partition(s->n, block));
    for (int i = 0; i < n_found; i++) assert_true(refines(s->n, found[i], best));
    return fewest;
}

/* ---- random systems ---- */

static void add_term(sample *s, int row, const int *power, int64_t tenths)
{
    term *t = &s->terms[s->n_terms++];
    assert_true(s->n_terms <= MAX_TERMS);
    t->row = row;
    t->tenths = tenths;
    memcpy(t->power, power, sizeof t->power);
}

static int64_t small_tenths(rng *random)
{
    return rng_below(random, 13) - 6;
}

/* Powers of blocks of a term of degree up to 3. */
static int random_monomial(rng *random, int n, int *factors)
{
    int degree = (int)rng_below(random, MAX_DEGREE + 1);
    for (int d = 0; d < degree; d++) factors[d] = (int)rng_below(random, n);
    return degree;
}

static int random_member(rng *random, const sample *s, const int *block, int of)
{
    for (;;) {
        int k = (int)rng_below(random, s->n);
        if (block[k] == of) return k;
    }
}

/* c times a product of sums of blocks, each of its monomials in the row of any member of block
 * `into`, and now and then in two rows as parts. */
static void plant_forward(rng *random, sample *s, const int *block, int into, const int *factors,
                          int degree, int64_t c)
{
    int at[MAX_DEGREE] = {0};
    for (bool more = true; more;) {
        int power[MAX_N] = {0};
        bool member = true;
        for (int d = 0; d < degree; d++) {
            member = member && block[at[d]] == factors[d];
            power[at[d]]++;
        }
        if (member) {
            int64_t part = rng_below(random, 3) == 0 ? small_tenths(random) : 0;
            add_term(s, random_member(random, s, block, into), power, c - part);
            if (part != 0) add_term(s, random_member(random, s, block, into), power, part);
        }
        more = false;
        for (int d = 0; d < degree && !more; d++) {
            more = ++at[d] < s->n;
            if (!more) at[d] = 0;
        }
    }
}

/* The same term of the representatives in every member's row, each with members of its own. */
static void plant_backward(rng *random, sample *s, const int *block, int into, const int *factors,
                           int degree, int64_t c)
{
    for (int k = 0; k < s->n; k++) {
        if (block[k] != into) continue;
        int64_t part = rng_below(random, 3) == 0 ? small_tenths(random) : 0;
        for (int half = 0; half < 2; half++) {
            int power[MAX_N] = {0};
            for (int d = 0; d < degree; d++) power[random_member(random, s, block, factors[d])]++;
            add_term(s, k, power, half == 0 ? c - part : part);
        }
    }
}

/* A system in which some partition is an equivalence of the kind; without `kind_of`, any system. */
static void random_system(rng *random, sample *s, const equivalence *kind)
{
    int block[MAX_N], factors[MAX_DEGREE];
    s->n_terms = 0;
    s->n = 1 + (int)rng_below(random, MAX_N);
    int n_blocks = 1 + (int)rng_below(random, s->n);
    for (int i = 0; i < s->n; i++)
        block[i] = i < n_blocks ? i : kind == NULL ? 0 : (int)rng_below(random, n_blocks);
    for (int h = 0; h < n_blocks; h++) {
        for (int64_t t = rng_below(random, 4); t > 0; t--) {
            int64_t c = small_tenths(random);
            int degree = random_monomial(random, n_blocks, factors);
            (kind == NULL || *kind == EQUIVALENCE_BACKWARD ? plant_backward : plant_forward)(
                random, s, block, h, factors, degree, c);
        }
    }
    if (rng_below(random, 4) == 0) { /* may break it */
        int power[MAX_N] = {0};
        power[rng_below(random, s->n)]++;
        add_term(s, (int)rng_below(random, s->n), power, small_tenths(random));
    }
}

/* ---- the library's answer ---- */

static number tenths_of(int64_t tenths)
{
    number value;
    assert_true(number_div(number_of((double)tenths), number_of(10), &value));
    return value;
}

/* The system with variable v as number[v], its terms from term `first` on around. */
static ode_system *build(coset_ctx *ctx, const sample *s, const int64_t *place, int first)
{
    system_builder *builder = NULL;
    ode_system *system = NULL;
    number initial[MAX_N] = {{0}};
    assert_int_equal(system_builder_new(ctx, s->n, 0, NULL, initial, &builder), COSET_OK);
    for (int i = 0; i < s->n_terms; i++) {
        const term *t = &s->terms[(first + i) % s->n_terms];
        factor factors[MAX_N];
        int count = 0;
        for (int v = s->n - 1; v >= 0; v--)
            if (t->power[v] > 0) factors[count++] = (factor){(int32_t)place[v], t->power[v]};
        assert_int_equal(
            system_builder_add(builder, place[t->row], factors, count, tenths_of(t->tenths)),
            COSET_OK);
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    return system;
}

/* A result is an equivalence by the check of the library too, and refines no further. */
static void check_fixed(const ode_system *system, equivalence kind, const partition *blocks)
{
    partition again;
    double violation = 1;
    assert_int_equal(partition_refine_exact(system, kind, blocks, &again), COSET_OK);
    assert_true(partition_equal(&again, blocks));
    partition_free(system->ctx, &again);
    assert_int_equal(system_violation(system, kind, blocks, &violation, NULL), COSET_OK);
    assert_true(violation <= 1e-9);
}

/* block_out [n] by the system's own numbers; the variables are placed anywhere. */
static void refine(coset_ctx *ctx, const sample *s, equivalence kind, const int *initial,
                   const int64_t *place, int first, int *block_out)
{
    int64_t labels[MAX_N];
    partition given, found;
    ode_system *system = build(ctx, s, place, first);
    for (int v = 0; v < s->n; v++) labels[place[v]] = initial[v];
    assert_int_equal(partition_from_labels(ctx, labels, s->n, &given), COSET_OK);
    assert_int_equal(partition_refine_exact(system, kind, &given, &found), COSET_OK);
    assert_true(partition_refines(&found, &given));
    check_fixed(system, kind, &found);
    for (int v = 0; v < s->n; v++) block_out[v] = (int)found.block_of[place[v]];
    partition_free(ctx, &given);
    partition_free(ctx, &found);
    system_free(system);
}

static bool same_partition(int n, const int *a, const int *b)
{
    return refines(n, a, b) && refines(n, b, a);
}

/* Returns whether the coarsest equivalence is neither `initial` nor discrete. */
static bool check_sample(coset_ctx *ctx, rng *random, polynomial *p, const sample *s,
                         const aggregation table, equivalence kind, const int *initial)
{
    int best[MAX_N], found[MAX_N];
    int64_t place[MAX_N];
    int fewest = search(p, s, table, kind, initial, best);
    for (int v = 0; v < s->n; v++) place[v] = v;
    refine(ctx, s, kind, initial, place, 0, found);
    assert_true(same_partition(s->n, found, best));
    rng_permutation(random, s->n, place);
    refine(ctx, s, kind, initial, place, (int)rng_below(random, s->n_terms + 1), found);
    assert_true(same_partition(s->n, found, best));
    return fewest < s->n && !same_partition(s->n, best, initial);
}

/* 1000 systems of each origin: any, with a forward and with a backward equivalence. */
static void test_exhaustive(void **state)
{
    (void)state;
    static const equivalence kinds[] = {EQUIVALENCE_FORWARD, EQUIVALENCE_BACKWARD};
    static const equivalence *const origins[] = {NULL, &kinds[0], &kinds[1]};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    sample *s = calloc(1, sizeof *s);
    polynomial *p = calloc(1, sizeof *p);
    bool(*table)[MAX_N][MAX_N] = calloc(1, sizeof(aggregation));
    assert_true(s != NULL && p != NULL && table != NULL);
    int between[2] = {0}, merged[2] = {0};
    for (int round = 0; round < 3000; round++) {
        int initial[2][MAX_N] = {{0}}; /* one block, and some */
        random_system(&random, s, origins[round % 3]);
        for (int v = 0; v < s->n; v++) initial[1][v] = (int)rng_below(&random, 3);
        aggregation_of(p, s, table);
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < 2; i++) {
                bool is_between = check_sample(ctx, &random, p, s, table, kinds[k], initial[i]);
                between[k] += is_between;
                merged[k] += is_between && origins[round % 3] == &kinds[k];
            }
        }
    }
    /* It was not all trivial: neither what was given nor every variable alone. */
    for (int k = 0; k < 2; k++) assert_true(between[k] > 500 && merged[k] > 300);
    free(s);
    free(p);
    free(table);
    counted_ctx_end(ctx, &memory);
}

/* ---- numbers ---- */

static number decimal(const char *text)
{
    number value;
    assert_true(number_parse(text, strlen(text), &value));
    return value;
}

/* x' = -(a1 + a2) x, y' = -b y: blocks of the coarsest equivalence. */
static int64_t blocks_of_decay(coset_ctx *ctx, equivalence kind, const char *a1, const char *a2,
                               const char *b)
{
    static const factor x = {0, 1}, y = {1, 1};
    number initial[2] = {{0}};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    partition one, found;
    assert_int_equal(system_builder_new(ctx, 2, 0, NULL, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, &x, 1, number_negate(decimal(a1))), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, &x, 1, number_negate(decimal(a2))), COSET_OK);
    assert_int_equal(system_builder_add(builder, 1, &y, 1, number_negate(decimal(b))), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    assert_int_equal(partition_one(ctx, 2, &one), COSET_OK);
    assert_int_equal(partition_refine_exact(system, kind, &one, &found), COSET_OK);
    int64_t n_blocks = found.n_blocks;
    partition_free(ctx, &one);
    partition_free(ctx, &found);
    system_free(system);
    return n_blocks;
}

static void test_numbers(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (equivalence kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
        assert_int_equal(blocks_of_decay(ctx, kind, "0.1", "0.2", "0.3"), 1);
        assert_int_equal(blocks_of_decay(ctx, kind, "1e-3", "0.0990", ".1"), 1);
        assert_int_equal(blocks_of_decay(ctx, kind, "0.1", "0", "0.1000000000000001"), 2);
        assert_int_equal(blocks_of_decay(ctx, kind, "0.1", "1e-16", "0.1"), 2);
        assert_int_equal(blocks_of_decay(ctx, kind, "0.1", "1e-30", "0.1"), 2);
        /* equal in f64, not as numbers */
        assert_int_equal(blocks_of_decay(ctx, kind, "0.1", "0", "0.10000000000000000001"), 2);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- borders ---- */

static void test_borders(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (equivalence kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
        for (int64_t n = 0; n < 3; n++) { /* n variables that never change, a symbol if n = 2 */
            number initial[3] = {{0}};
            system_builder *builder = NULL;
            ode_system *system = NULL;
            partition one, found;
            assert_int_equal(system_builder_new(ctx, n, n == 2, NULL, initial, &builder), COSET_OK);
            assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
            assert_int_equal(partition_one(ctx, n, &one), COSET_OK);
            assert_int_equal(partition_refine_exact(system, kind, &one, &found),
                             n == 2 ? COSET_EARGUMENT : COSET_OK);
            assert_int_equal(found.n_blocks, n == 1);
            partition_free(ctx, &found);
            partition_free(ctx, &one);
            system_free(system);
        }
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
