#include "ode/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MANTISSA = 53,
    ORDER_OF_TWO = 61, /* 2^61 is 1 in the field */
    SIGNIFICANT = 800  /* a number half-way between two doubles has at most 768 digits */
};

__extension__ typedef unsigned __int128 wide;

/* The field ------------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t a)
{
    a = (a & NUMBER_PRIME) + (a >> 61);
    return a >= NUMBER_PRIME ? a - NUMBER_PRIME : a;
}

uint64_t residue_add(uint64_t a, uint64_t b)
{
    return fold(a + b);
}

uint64_t residue_sub(uint64_t a, uint64_t b)
{
    return fold(a + NUMBER_PRIME - b);
}

uint64_t residue_mul(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return fold((uint64_t)(product & NUMBER_PRIME) + (uint64_t)(product >> 61));
}

uint64_t residue_power(uint64_t a, uint64_t exponent)
{
    uint64_t power = 1;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1) power = residue_mul(power, a);
        a = residue_mul(a, a);
    }
    return power;
}

/* Fermat: a^(p - 1) = 1. */
uint64_t residue_inverse(uint64_t a)
{
    return residue_power(a, NUMBER_PRIME - 2);
}

static uint64_t residue_negate(uint64_t a)
{
    return a == 0 ? 0 : NUMBER_PRIME - a;
}

uint64_t residue_power_of_ten(int64_t exponent)
{
    const uint64_t tenth = 2075258708292324556; /* 10 tenth = 1 */
    return exponent < 0 ? residue_power(tenth, -(uint64_t)exponent)
                        : residue_power(10, (uint64_t)exponent);
}

/* a^exponent for a != 0 and any sign of the exponent. */
static uint64_t residue_power_signed(uint64_t a, int64_t exponent)
{
    uint64_t magnitude = exponent < 0 ? -(uint64_t)exponent : (uint64_t)exponent;
    uint64_t power = residue_power(a, magnitude);
    return exponent < 0 ? residue_inverse(power) : power;
}

/* Numbers --------------------------------------------------------------------------------------- */

number number_of(double value)
{
    int exponent = 0;
    double mantissa = ldexp(frexp(fabs(value), &exponent), MANTISSA); /* whole, < 2^53 */
    int shift = (exponent - MANTISSA) % ORDER_OF_TWO;
    if (shift < 0) shift += ORDER_OF_TWO;
    uint64_t residue = residue_mul((uint64_t)mantissa, UINT64_C(1) << shift);
    return (number){value, value < 0 ? residue_negate(residue) : residue};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal taken apart: digits * 10^exponent. */
typedef struct decimal {
    char digits[SIGNIFICANT + 2]; /* the significant ones, without leading zeros */
    int count;
    int64_t exponent;
    uint64_t residue; /* of all digits as a whole number, also of those that are not kept */
} decimal;

static void add_digit(decimal *self, char c)
{
    uint64_t digit = (uint64_t)(c - '0');
    self->residue = residue_add(residue_mul(self->residue, 10), digit);
    if (self->count == 0 && digit == 0) return;
    if (self->count < SIGNIFICANT) {
        self->digits[self->count++] = c;
        return;
    }
    /* Further digits only tell that the number is above what the kept ones say. */
    self->exponent++;
    if (digit != 0) self->digits[SIGNIFICANT] = '1';
}

/* [+|-] digits, all of it; clamped to where nothing changes any more. */
static bool parse_exponent(const char *at, const char *end, int64_t *out)
{
    const int64_t most = INT64_C(1000000000000000);
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (at == end) return false;
    int64_t value = 0;
    for (; at < end; at++) {
        if (!is_digit(*at)) return false;
        if (value < most) value = value * 10 + (*at - '0');
    }
    *out = negative ? -value : value;
    return true;
}

/* False if malformed. *dropped_out counts digits behind the point. */
static bool take_apart(const char *text, size_t length, decimal *out, int64_t *behind_out)
{
    const char *at = text, *end = text + length;
    int64_t written = 0, exponent = 0;
    bool fraction = false;
    *behind_out = 0;
    for (; at < end && (is_digit(*at) || (*at == '.' && !fraction)); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        written++;
        if (fraction) --*behind_out;
        add_digit(out, *at);
    }
    if (written == 0) return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        if (!parse_exponent(at + 1, end, &exponent)) return false;
        at = end;
    }
    *behind_out += exponent;
    return at == end;
}

/* Those that f64 has exactly. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The nearest f64; the process's locale may want a comma, hence the other one. */
static double round_decimal(decimal *self, int64_t exponent)
{
    /* Both parts are exact, so one rounding is left. */
    if (self->count <= 15 && exponent >= -22 && exponent <= 22) {
        int64_t whole = 0;
        for (int i = 0; i < self->count; i++) whole = whole * 10 + (self->digits[i] - '0');
        return exponent < 0 ? (double)whole / powers[-exponent] : (double)whole * powers[exponent];
    }
    char text[SIGNIFICANT + 32];
    int more = 0;
    if (self->digits[SIGNIFICANT] != '\0') more = 1;
    const int64_t most = 1000000; /* keeps the text short; far beyond f64 either way */
    exponent = exponent < -most ? -most : exponent > most ? most : exponent;
    snprintf(text, sizeof text, "%.*se%lld", self->count + more, self->digits,
             (long long)(exponent - more));
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = plain != (locale_t)0 ? strtod_l(text, NULL, plain) : strtod(text, NULL);
    if (plain != (locale_t)0) freelocale(plain);
    return value;
}

bool number_parse(const char *text, size_t length, number *out)
{
    decimal parts;
    int64_t exponent = 0;
    memset(&parts, 0, sizeof parts);
    if (!take_apart(text, length, &parts, &exponent)) return false;
    if (parts.count == 0) {
        *out = (number){0, 0};
        return true;
    }
    double value = round_decimal(&parts, exponent + parts.exponent);
    if (isinf(value) || value == 0 || parts.residue == 0) return false;
    *out = (number){value, residue_mul(parts.residue, residue_power_of_ten(exponent))};
    return true;
}

number number_add(number a, number b)
{
    uint64_t residue = residue_add(a.residue, b.residue);
    double value = a.value + b.value;
    /* 0.1 + 0.2 - 0.3 is nothing, not 5.6e-17. */
    if (residue == 0 && a.residue != 0 && fabs(value) <= 1e-9 * fabs(a.value)) value = 0;
    return (number){value, residue};
}

number number_sub(number a, number b)
{
    return number_add(a, number_negate(b));
}

number number_mul(number a, number b)
{
    return (number){a.value * b.value, residue_mul(a.residue, b.residue)};
}

number number_negate(number a)
{
    return (number){-a.value, residue_negate(a.residue)};
}

bool number_div(number a, number b, number *out)
{
    if (b.residue == 0) return false;
    *out = (number){a.value / b.value, residue_mul(a.residue, residue_inverse(b.residue))};
    return true;
}

bool number_power(number a, int64_t exponent, number *out)
{
    if (a.residue == 0 && exponent < 0) return false;
    *out = (number){pow(a.value, (double)exponent), residue_power_signed(a.residue, exponent)};
    return true;
}

number number_of_decimal(double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        char text[40];
        number found;
        snprintf(text, sizeof text, "%.*e", digits - 1, fabs(value));
        for (char *at = text; *at != '\0'; at++)
            if (*at == ',') *at = '.'; /* of the process's locale */
        if (number_parse(text, strlen(text), &found) && found.value == fabs(value))
            return value < 0 ? number_negate(found) : found;
    }
    return number_of(value); /* 17 digits tell every f64, so this is not reached */
}

/* A decimal of up to DIGITS digits with this residue, near the value > 0. */
static bool settle_decimal(number *self)
{
    enum { DIGITS = 14, LAST = sizeof powers / sizeof *powers - 1 };
    double behind = DIGITS - 1 - floor(log10(self->value)); /* digits behind the point */
    if (!(behind >= 0 && behind <= LAST)) return false;
    int k = (int)behind;
    double whole = nearbyint(self->value * powers[k]);
    if (residue_mul(self->residue, residue_power(10, (uint64_t)k)) != number_of(whole).residue)
        return false;
    self->value = whole / powers[k]; /* of two exact numbers: rounded once */
    return true;
}

/* A convergent p/q of the continued fraction of the value > 0 with this residue. */
static void settle_fraction(number *self)
{
    const double most = 1e7, near = 1e-14;
    double rest = self->value, p = 1, p_before = 0, q = 0, q_before = 1;
    for (double whole = floor(rest); whole * p + p_before <= most && whole * q + q_before <= most;
         whole = floor(rest)) {
        double next_p = whole * p + p_before, next_q = whole * q + q_before;
        p_before = p;
        q_before = q;
        p = next_p;
        q = next_q;
        if (p > 0 && residue_mul(self->residue, (uint64_t)q) == (uint64_t)p &&
            fabs(p / q - self->value) <= near * self->value)
            self->value = p / q;
        if (rest == whole) return;
        rest = 1 / (rest - whole);
    }
}

number number_settle(number a)
{
    if (a.value == 0 || !isfinite(a.value) || number_of(a.value).residue == a.residue) return a;
    number found = a.value < 0 ? number_negate(a) : a;
    if (!settle_decimal(&found)) settle_fraction(&found);
    return a.value < 0 ? number_negate(found) : found;
}
