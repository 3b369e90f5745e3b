/* Numbers as text. A decimal of D digits has about 10^D / 2^53 neighbours that round to the same f64, and one
 * in 2^61 of them has a given residue; so from 35 digits on there is one for every pair. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ode/number.h"

enum { FEW_DIGITS = 15, F64_DIGITS = 17, MOST_DIGITS = 36 };

__extension__ typedef unsigned __int128 wide;

static bool reads_as(const char *text, number a)
{
    number back;
    return number_parse(text, strlen(text), &back) && back.value == a.value &&
           back.residue == a.residue;
}

/* The process's locale may have a comma. */
static void print_f64(double value, int digits, char *text_out)
{
    snprintf(text_out, NUMBER_TEXT, "%.*g", digits, value);
    char *comma = strchr(text_out, ',');
    if (comma != NULL) *comma = '.';
}

/* Some decimal of few digits is 1/q. */
static bool has_decimal(uint64_t q)
{
    while (q % 2 == 0) q /= 2;
    while (q % 5 == 0) q /= 5;
    return q == 1;
}

/* Convergents of the continued fraction of the value. */
static bool find_fraction(number a, char *text_out)
{
    const double most_p = 9007199254740992.0, most_q = 2147483648.0;
    double rest = a.value, p = 1, p_before = 0, q = 0, q_before = 1;
    for (int i = 0; i < 64; i++) {
        double whole = floor(rest), next_p = whole * p + p_before, next_q = whole * q + q_before;
        if (!(next_p <= most_p) || !(next_q <= most_q)) return false;
        p_before = p;
        q_before = q;
        p = next_p;
        q = next_q;
        uint64_t q_whole = (uint64_t)q;
        if (p > 0 && p / q == a.value && residue_mul(a.residue, q_whole) == number_of(p).residue) {
            snprintf(text_out, NUMBER_TEXT, "%.0f/%.0f", p, q);
            return !has_decimal(q_whole);
        }
        if (rest == whole) return false;
        rest = 1 / (rest - whole);
    }
    return false;
}

static void print_digits(wide digits, int64_t exponent, char *text_out)
{
    char reversed[NUMBER_TEXT];
    int n = 0, at = 0;
    for (; digits > 0; digits /= 10) {
        int digit = (int)(digits % 10);
        if (n == 0 && digit == 0 && digits >= 10) {
            exponent++;
            continue;
        }
        reversed[n++] = (char)('0' + digit);
    }
    exponent += n - 1;
    /* As %g: plain while it is short, one digit before the point otherwise. */
    bool plain = exponent >= -5 && exponent < n;
    for (int64_t zero = exponent; plain && zero < 0; zero++) {
        text_out[at++] = '0';
        if (zero == exponent) text_out[at++] = '.';
    }
    for (int i = 0; i < n; i++) {
        text_out[at++] = reversed[n - 1 - i];
        if (i < n - 1 && i == (plain ? exponent : 0)) text_out[at++] = '.';
    }
    text_out[at] = '\0';
    if (!plain) snprintf(text_out + at, 16, "e%+03lld", (long long)exponent);
}

/* For D = 18, 19, ...: the whole number nearest to value * 10^k, of D digits, that has the residue. */
static bool find_long(number a, char *text_out)
{
    int64_t k = F64_DIGITS - 1 - (int64_t)floor(log10(a.value));
    long double scaled = (long double)a.value * powl(10, (long double)k);
    uint64_t residue =
        residue_mul(a.residue, residue_power_of_ten(k)); /* of what the text says without a point */
    for (int digits = F64_DIGITS + 1; digits <= MOST_DIGITS; digits++) {
        scaled *= 10;
        residue = residue_mul(residue, 10);
        k++;
        if (!(scaled < 3e38L)) return false;
        wide near = (wide)scaled;
        uint64_t step = residue_sub(residue, (uint64_t)(near % NUMBER_PRIME));
        near += step;
        if (step > NUMBER_PRIME / 2) {
            if (near < NUMBER_PRIME) continue;
            near -= NUMBER_PRIME;
        }
        if (fabsl((long double)near - scaled) > scaled * 0x1p-52L) continue;
        print_digits(near, -k, text_out);
        if (reads_as(text_out, a)) return true;
    }
    return false;
}

void number_text(number a, char *text_out, bool *fraction_out)
{
    *fraction_out = false;
    if (a.value < 0) a = number_negate(a);
    if (a.value == 0) {
        snprintf(text_out, NUMBER_TEXT, "0");
        return;
    }
    for (int digits = FEW_DIGITS; digits <= F64_DIGITS; digits++) {
        print_f64(a.value, digits, text_out);
        if (reads_as(text_out, a)) return;
    }
    *fraction_out = find_fraction(a, text_out);
    if (!*fraction_out && !find_long(a, text_out)) print_f64(a.value, F64_DIGITS, text_out);
}
