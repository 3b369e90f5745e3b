/* Numbers with an exact shadow, for deciding whether two coefficients are equal.
 *
 * `value` is the number in f64. `residue` is the same number computed without rounding in the field
 * of the integers modulo the prime 2^61 - 1, in which a decimal such as 0.1 is 1/10 and every f64 has
 * its place. Numbers that come from decimals by + - * / and whole powers are equal if and only if their
 * residues are, but for a chance of about 2^-61 a pair. So 0.1 + 0.2 is 0.3 here, and no
 * tolerance is needed where METHODS.md 3.1 asks for equality. Source: ours; residues as fingerprints
 * after Karp and Rabin, IBM J. Res. Dev. 31, 1987. */
#ifndef COSET_ODE_NUMBER_H
#define COSET_ODE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_PRIME ((UINT64_C(1) << 61) - 1)

typedef struct number {
    double value;
    uint64_t residue; /* < NUMBER_PRIME */
} number;

/* The field itself; operands and results are < NUMBER_PRIME. */
uint64_t residue_add(uint64_t a, uint64_t b);
uint64_t residue_sub(uint64_t a, uint64_t b);
uint64_t residue_mul(uint64_t a, uint64_t b);
uint64_t residue_power(uint64_t a, uint64_t exponent);
/* 10^exponent, of any sign. Cost: log |exponent| products; dividing by the power would take 120. */
uint64_t residue_power_of_ten(int64_t exponent);
/* a != 0 */
uint64_t residue_inverse(uint64_t a);

/* The f64 itself, exactly; it must be finite. */
number number_of(double value);
/* The number that a person means who writes the f64: its shortest decimal, so 0.1 is 1/10. Finite. */
number number_of_decimal(double value);
/* The same number with its nearest f64, where rounding took the value away from it: 0.1 + 0.2 has the residue
 * of 0.3 and becomes 0.3. Only decimals of up to 14 digits and small fractions are found; others stay. */
number number_settle(number a);
/* An unsigned decimal, digits [. digits] [e|E [+|-] digits] or .digits, all of `length` bytes. False
 * if it is malformed, overflows to infinity, or is not 0 but underflows to 0 in f64 or is a multiple of the
 * prime, which would count as 0. */
bool number_parse(const char *text, size_t length, number *out);

/* Text of |a| that reads back as the same value and residue: the shortest decimal of up to 17 digits; else
 * a fraction p/q with q <= 2^31 that no decimal is, for then *fraction_out; else a decimal of 18 to 36
 * digits, which always is there. a.value is finite. text_out has room for NUMBER_TEXT. */
enum { NUMBER_TEXT = 64 };
void number_text(number a, char *text_out, bool *fraction_out);

number number_add(number a, number b);
number number_sub(number a, number b);
number number_mul(number a, number b);
number number_negate(number a);
/* False if b is 0 (as a residue). */
bool number_div(number a, number b, number *out);
/* Whole power, exact; 0^0 is 1. False for a negative power of 0. */
bool number_power(number a, int64_t exponent, number *out);

static inline bool number_is_zero(number a)
{
    return a.residue == 0;
}
static inline bool number_equal(number a, number b)
{
    return a.residue == b.residue;
}

#endif
