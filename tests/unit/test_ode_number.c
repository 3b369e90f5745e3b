/* Numbers and their residues against whole-number arithmetic, and their text against reading it back. */
#include "support/linalg.h"

#include <stdio.h>
#include <string.h>

#include "ode/number.h"

__extension__ typedef __int128 wide;

static number parsed(const char *text)
{
    number out = {0, 0};
    if (!number_parse(text, strlen(text), &out)) fail_msg("'%s' was refused", text);
    return out;
}

static bool refused(const char *text)
{
    number out;
    return !number_parse(text, strlen(text), &out);
}

static uint64_t random_residue(rng *random)
{
    return (uint64_t)rng_below(random, (int64_t)NUMBER_PRIME);
}

static void test_field(void **state)
{
    (void)state;
    rng random = rng_seed(1, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t a = random_residue(&random), b = random_residue(&random);
        if (i % 5 == 0) a = NUMBER_PRIME - 1;
        if (i % 7 == 0) b = NUMBER_PRIME - 1 - (uint64_t)i;
        if (i % 11 == 0) b = 0;
        wide p = NUMBER_PRIME;
        assert_true(residue_add(a, b) == (uint64_t)(((wide)a + b) % p));
        assert_true(residue_sub(a, b) == (uint64_t)(((wide)a - b + p) % p));
        assert_true(residue_mul(a, b) == (uint64_t)((wide)a * b % p));
        if (a != 0) assert_true(residue_mul(a, residue_inverse(a)) == 1);
    }
    for (int i = 0; i < 200; i++) {
        uint64_t a = random_residue(&random), power = 1;
        for (uint64_t e = 0; e < 40; e++, power = residue_mul(power, a))
            assert_true(residue_power(a, e) == power);
    }
    assert_true(residue_power(0, 0) == 1 && residue_power(0, 5) == 0);
    assert_true(residue_power(3, NUMBER_PRIME - 1) == 1);
}

/* m 2^e by doubling and halving. */
static uint64_t dyadic(int64_t mantissa, int exponent)
{
    uint64_t residue = (uint64_t)(mantissa < 0 ? -mantissa : mantissa) % NUMBER_PRIME;
    uint64_t half = (NUMBER_PRIME + 1) / 2;
    for (; exponent > 0; exponent--) residue = residue_add(residue, residue);
    for (; exponent < 0; exponent++) residue = residue_mul(residue, half);
    return mantissa < 0 ? residue_sub(0, residue) : residue;
}

static void test_f64(void **state)
{
    (void)state;
    rng random = rng_seed(2, 0);
    for (int i = 0; i < 5000; i++) {
        int64_t mantissa = rng_below(&random, INT64_C(1) << 54) - (INT64_C(1) << 53);
        int exponent = (int)rng_below(&random, 2050) - 1100;
        if (isinf(ldexp((double)mantissa, exponent))) continue;
        number found = number_of(ldexp((double)mantissa, exponent));
        if (exponent < -1074) {
            /* Bits below the last subnormal are rounded away. */
            mantissa = (int64_t)ldexp(found.value, 1074);
            exponent = -1074;
        }
        assert_true(found.residue == dyadic(mantissa, exponent));
    }
    assert_true(number_of(0).residue == 0 && number_of(-0.0).residue == 0);
    assert_true(number_of(1).residue == 1 && number_of(-1).residue == NUMBER_PRIME - 1);
}

/* digits * 10^exponent in the field, and what strtod says. */
static void check_decimal(const char *text, int64_t digits, int exponent)
{
    number found = parsed(text);
    uint64_t residue = (uint64_t)digits % NUMBER_PRIME;
    uint64_t tenth = residue_inverse(10);
    for (int e = exponent; e > 0; e--) residue = residue_mul(residue, 10);
    for (int e = exponent; e < 0; e++) residue = residue_mul(residue, tenth);
    if (found.value != strtod(text, NULL)) fail_msg("%s is not %.17g", text, found.value);
    assert_true(found.residue == residue);
}

static void test_decimals(void **state)
{
    (void)state;
    rng random = rng_seed(3, 0);
    char text[128];
    for (int i = 0; i < 20000; i++) {
        int64_t digits = rng_below(&random, INT64_MAX) >> (int)rng_below(&random, 62);
        int exponent = (int)rng_below(&random, 580) - 290;
        int behind = (int)rng_below(&random, 20);
        char whole[32];
        snprintf(whole, sizeof whole, "%021lld", (long long)digits);
        snprintf(text, sizeof text, "%.*s.%s%c%+d", 21 - behind, whole, whole + 21 - behind,
                 i % 2 ? 'e' : 'E', exponent);
        check_decimal(text, digits, exponent - behind);
    }
    check_decimal("0", 0, 0);
    check_decimal("007", 7, 0);
    check_decimal(".5", 5, -1);
    check_decimal("5.", 5, 0);
    check_decimal("1E-2", 1, -2);
    check_decimal("0.000e999999999999999999999", 0, 0);
    check_decimal("4.9e-324", 49, -325);
    check_decimal("1.7976931348623157e308", INT64_C(17976931348623157), 292);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        ".",
                                        "e5",
                                        "1e",
                                        "1e+",
                                        "1.2.3",
                                        "-1",
                                        "+1",
                                        "1 ",
                                        " 1",
                                        "0x10",
                                        "1e5.",
                                        "inf",
                                        "nan",
                                        "1_0",
                                        "1,5",
                                        "1ee",
                                        "1e309",
                                        "1e-400",
                                        "1e99999999999999999999",
                                        "1e-99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!refused(texts[i])) fail_msg("'%s' was read", texts[i]);
    /* 2^61 - 1 and three times that would count as 0. */
    assert_true(!refused("2305843009213693952") && refused("2305843009213693951"));
    assert_true(refused("2305843009213693951e-9") && refused("6917.529027641081853"));
    /* Just under and over what f64 holds. */
    assert_true(!refused("1.797693134862315807e308") && refused("1.797693134862315808e308"));
    assert_true(!refused("2.4703282292062328e-324") && refused("2.4703282292062327e-324"));
}

/* Digits beyond those that are kept decide a tie, and count for the residue. */
static void test_long_decimals(void **state)
{
    (void)state;
    enum { ZEROS = 3000 };
    static char text[2 * ZEROS + 64];
    /* 2^53 + 1 lies half-way between two doubles. */
    int at = snprintf(text, sizeof text, "9007199254740993.");
    memset(text + at, '0', ZEROS);
    text[at + ZEROS] = '\0';
    assert_true(parsed(text).value == 9007199254740992.0);
    text[at + ZEROS - 1] = '1';
    number found = parsed(text);
    assert_true(found.value == 9007199254740994.0);
    number tail = parsed("1e-300");
    for (int i = 0; i < 9; i++) tail = number_mul(tail, parsed("1e-300"));
    assert_true(found.residue == residue_add(UINT64_C(9007199254740993), tail.residue));
    /* Zeros in front and behind say nothing. */
    memset(text, '0', ZEROS);
    strcpy(text + ZEROS, "1.5");
    memset(text + ZEROS + 3, '0', ZEROS);
    text[2 * ZEROS + 3] = '\0';
    assert_true(number_equal(parsed(text), parsed("1.5")) && parsed(text).value == 1.5);
    memset(text, '7', ZEROS);
    text[ZEROS] = '\0';
    assert_true(refused(text));
    strcpy(text + ZEROS, "e-3000");
    assert_true(parsed(text).value == 7.0 / 9);
}

typedef struct ratio {
    int64_t p, q;
} ratio;

static number number_ratio(ratio r)
{
    number out;
    number p = number_of((double)r.p);
    assert_true(number_div(p, number_of((double)r.q), &out));
    return out;
}

/* Ratios of small numbers, of which equal values meet all the time, combined in two ways. */
static void test_equality(void **state)
{
    (void)state;
    rng random = rng_seed(4, 0);
    int equal = 0;
    for (int i = 0; i < 50000; i++) {
        ratio r[4];
        number n[4], ab, cd;
        for (int k = 0; k < 4; k++) {
            r[k] = (ratio){rng_below(&random, 7) - 3, 1 + rng_below(&random, 3)};
            n[k] = number_ratio(r[k]);
        }
        int64_t p[2], q[2];
        for (int k = 0; k < 2; k++) {
            const ratio *a = &r[2 * k], *b = &r[2 * k + 1];
            q[k] = a->q * b->q;
            switch (i % 3) {
            case 0: p[k] = a->p * b->q + b->p * a->q; break;
            case 1: p[k] = a->p * b->q - b->p * a->q; break;
            default: p[k] = a->p * b->p;
            }
        }
        ab = i % 3 == 0   ? number_add(n[0], n[1])
             : i % 3 == 1 ? number_sub(n[0], n[1])
                          : number_mul(n[0], n[1]);
        cd = i % 3 == 0   ? number_add(n[2], n[3])
             : i % 3 == 1 ? number_sub(n[2], n[3])
                          : number_mul(n[2], n[3]);
        bool expected = p[0] * q[1] == p[1] * q[0];
        equal += expected;
        assert_true(number_equal(ab, cd) == expected);
        assert_true(number_is_zero(ab) == (p[0] == 0));
        assert_true(fabs(ab.value - (double)p[0] / (double)q[0]) <= 1e-14);
    }
    assert_true(equal > 1000);
}

static void test_operations(void **state)
{
    (void)state;
    number sum = number_add(parsed("0.1"), parsed("0.2")), out, third;
    assert_true(number_equal(sum, parsed("0.3")) && sum.value != 0.3);
    /* An f64 is itself, not the decimal that it is written as. */
    assert_false(number_equal(number_of(0.1), parsed("0.1")));
    assert_true(number_equal(number_of_decimal(0.1), parsed("0.1")));
    assert_true(number_equal(number_of_decimal(-0.7), number_negate(parsed("0.7"))));
    assert_true(number_of_decimal(0).residue == 0);
    assert_true(number_equal(number_of(0.375), parsed("0.375")));
    /* What cancels leaves nothing. */
    number nothing = number_sub(sum, parsed("0.3"));
    assert_true(number_is_zero(nothing) && nothing.value == 0);
    assert_true(number_div(parsed("1"), parsed("3"), &third));
    assert_true(number_equal(number_mul(third, parsed("3")), parsed("1")));
    assert_false(number_div(parsed("1"), nothing, &out));
    assert_true(number_power(parsed("0.1"), 3, &out) && number_equal(out, parsed("0.001")));
    assert_true(number_power(parsed("0.1"), -2, &out) && number_equal(out, parsed("100")));
    assert_true(number_power(nothing, 0, &out) && number_equal(out, parsed("1")));
    assert_true(number_power(number_of(-2), 3, &out) && number_equal(out, number_of(-8)));
    assert_true(number_power(nothing, 4, &out) && number_is_zero(out));
    assert_false(number_power(nothing, -1, &out));
    assert_true(number_power(number_of(2), INT64_MIN, &out) && out.value == 0);
}

static void check_settled(number a, double expected)
{
    number settled = number_settle(a), negative = number_settle(number_negate(a));
    assert_true(settled.value == expected && number_equal(settled, a));
    assert_true(negative.value == -expected && number_equal(negative, number_negate(a)));
}

static void test_settle(void **state)
{
    (void)state;
    rng random = rng_seed(7, 0);
    check_settled(number_add(parsed("0.1"), parsed("0.2")), 0.3);
    check_settled(number_add(parsed("1e-9"), parsed("2e-9")), 3e-9);
    check_settled(number_mul(parsed("0.1"), parsed("3")), 0.3);
    /* 7/30 + 7/20, rounded four times */
    number a, b;
    assert_true(number_div(parsed("7"), parsed("30"), &a));
    assert_true(number_div(parsed("0.7"), parsed("2"), &b));
    check_settled(number_add(a, b), 7.0 / 12);
    /* Sums of hundredths and of thirds end up as if they had been rounded once. */
    number tenths = {0, 0}, thirds = {0, 0}, third;
    assert_true(number_div(parsed("0.01"), parsed("3"), &third));
    for (int i = 1; i <= 500; i++) {
        tenths = number_settle(number_add(tenths, parsed("0.01")));
        thirds = number_settle(number_add(thirds, third));
        assert_true(tenths.value == i / 100.0 && thirds.value == i / 300.0);
    }
    /* What has no such form stays: an f64 that is itself, long decimals, nothing, overflow. */
    check_settled(number_of(0.1), 0.1);
    check_settled(parsed("0.12345678901234567"), 0.12345678901234567);
    check_settled(number_mul(parsed("1e-200"), parsed("3e-200")), 0);
    check_settled(number_mul(parsed("1e200"), parsed("3e200")), (double)INFINITY);
    for (int i = 0; i < 20000; i++) {
        number any = {ldexp(rng_uniform(&random), (int)rng_below(&random, 600) - 300),
                      random_residue(&random)};
        number settled = number_settle(any);
        assert_true(settled.value == any.value && settled.residue == any.residue);
    }
}

static void check_text(number a, const char *expected)
{
    char text[NUMBER_TEXT];
    bool fraction = false;
    number_text(a, text, &fraction);
    if (strcmp(text, expected) != 0) fail_msg("%.17g is written %s", a.value, text);
    assert_true(fraction == (strchr(text, '/') != NULL));
}

static void test_text(void **state)
{
    (void)state;
    static const char *const decimals[] = {"0",
                                           "1",
                                           "0.1",
                                           "2.5",
                                           "1e-05",
                                           "0.0001",
                                           "1e+22",
                                           "100",
                                           "5e-12",
                                           "1e+300",
                                           "3.0003",
                                           "0.5606494502496796",
                                           "0.0006",
                                           "1.7976931348623157e+308",
                                           "0.1000000000000000001",
                                           "1234567890123456789",
                                           "3.141592653589793238462643",
                                           "7378697.6294838206464"};
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++)
        check_text(parsed(decimals[i]), decimals[i]);
    check_text(parsed("300.000"), "300");
    check_text(parsed("5.0E-8"), "5e-08");
    check_text(number_negate(parsed("0.7")), "0.7");
    check_text(number_of(0.1f), "0.100000001490116119384765625");
    check_text(number_of(ldexp(1, -20)), "9.5367431640625e-07");
    check_text(number_ratio((ratio){1, 3}), "1/3");
    check_text(number_ratio((ratio){-22, 7}), "22/7");
    number tenth = {0, 0};
    assert_true(number_div(parsed("0.1"), parsed("3"), &tenth));
    check_text(tenth, "1/30");
}

/* Any pair of a value and a residue comes back. */
static void test_text_reads_back(void **state)
{
    (void)state;
    rng random = rng_seed(5, 0);
    size_t longest = 0;
    for (int i = 0; i < 20000; i++) {
        char text[NUMBER_TEXT];
        bool fraction = true;
        uint64_t bits = rng_u64(&random);
        double value = 0;
        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 0) value = rng_normal(&random);
        if (i % 9 == 0) value = (float)rng_normal(&random);
        if (!isfinite(value) || value == 0) continue;
        number a = number_of(value), back;
        if (i % 2) a.residue = random_residue(&random);
        number_text(a, text, &fraction);
        assert_false(fraction);
        back = parsed(text);
        if (value < 0) back = number_negate(back);
        if (back.value != value || back.residue != a.residue)
            fail_msg("%a came back from %s as %a", value, text, back.value);
        if (strlen(text) > longest) longest = strlen(text);
        assert_true(number_of_decimal(value).value == value);
    }
    assert_true(longest < NUMBER_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field),           cmocka_unit_test(test_f64),
        cmocka_unit_test(test_decimals),        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_long_decimals),   cmocka_unit_test(test_equality),
        cmocka_unit_test(test_operations),      cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_reads_back), cmocka_unit_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
