#include "data/cell.h"

#include <float.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_NUMBER = 800 }; /* a double written out whole has at most 767 significant digits */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_point(char c, char point)
{
    return c == '.' || c == point;
}

static bool is_word(const char *text, size_t length, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == length && strncasecmp(text, *words, length) == 0) return true;
    return false;
}

/* For numbers that the short way cannot round correctly; `text` is checked already. */
static double slow_number(const char *text, size_t length, char point)
{
    char copy[LONGEST_NUMBER];
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *comma = point == '.' ? NULL : memchr(copy, point, length);
    if (comma != NULL) *comma = '.';
    /* The process's locale may want a comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = plain != (locale_t)0 ? strtod_l(copy, NULL, plain) : strtod(copy, NULL);
    if (plain != (locale_t)0) freelocale(plain);
    return value;
}

bool cell_number(const char *text, size_t length, char point, double *value_out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static const char *const special[] = {"inf", "infinity", "nan", NULL};
    const char *at = text, *end = text + length;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (length >= LONGEST_NUMBER) return false;
    if (is_word(at, (size_t)(end - at), special)) {
        *value_out = slow_number(text, length, point);
        return true;
    }
    uint64_t digits = 0; /* exact while below 2^53 */
    int count = 0, exponent = 0, written = 0;
    bool exact = true, small = false;
    for (bool fraction = false; at < end && (is_digit(*at) || (is_point(*at, point) && !fraction));
         at++) {
        if (is_point(*at, point)) {
            fraction = true;
            continue;
        }
        count++;
        exponent -= fraction;
        if (digits < UINT64_C(900719925474099))
            digits = digits * 10 + (uint64_t)(*at - '0');
        else
            exact = false;
    }
    if (count == 0) return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '-' || *at == '+')) small = *at++ == '-';
        if (at == end) return false;
        for (; at < end && is_digit(*at); at++)
            if (written < 100000) written = written * 10 + (*at - '0');
        exponent += small ? -written : written;
    }
    if (at != end) return false;
    /* Both factors are exact doubles, so one division or product rounds correctly (Clinger 1990). */
    if (!exact || exponent < -22 || exponent > 22) {
        *value_out = slow_number(text, length, point);
        return true;
    }
    double value = (double)digits;
    value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
    *value_out = negative ? -value : value;
    return true;
}

bool cell_missing(const char *text, size_t length)
{
    static const char *const words[] = {"", "?", "na", "n/a", "#n/a", "nan", "null", NULL};
    return is_word(text, length, words);
}

static bool is_time(const char *text, size_t length)
{
    size_t hours = 0;
    while (hours < length && is_digit(text[hours])) hours++;
    return (hours == 1 || hours == 2) && length >= hours + 3 && text[hours] == ':' &&
           is_digit(text[hours + 1]) && is_digit(text[hours + 2]);
}

bool cell_date(const char *text, size_t length)
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                         "aug", "sep", "oct", "nov", "dec", NULL};
    if (is_time(text, length)) return true;
    /* Three parts: numbers, or two numbers and a month's name. */
    int names = 0, parts = 0;
    bool year = false;
    char separators[2] = {0};
    size_t at = 0;
    for (; parts < 3; parts++) {
        size_t begin = at;
        while (at < length && is_digit(text[at])) at++;
        if (at == begin) {
            while (at < length && is_letter(text[at])) at++;
            if (at < begin + 3 || !is_word(text + begin, 3, months)) return false;
            names++;
        } else if (at - begin == 4) {
            year = true;
        } else if (at - begin > 2) {
            return false;
        }
        if (parts == 2) break;
        if (at == length || strchr("-/. ,", text[at]) == NULL || text[at] == '\0') return false;
        separators[parts] = text[at++];
        while (at < length && text[at] == ' ') at++;
    }
    if (at < length && strchr(" T,", text[at]) == NULL) return false;
    if (names > 0) return names == 1;
    if (separators[0] != separators[1]) return false;
    return separators[0] == '-' || separators[0] == '/' || (separators[0] == '.' && year);
}
