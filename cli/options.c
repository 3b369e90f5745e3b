#include "options.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "output.h"

void settings_free(setting_list *self)
{
    for (int64_t k = 0; k < self->n; k++) free((void *)(uintptr_t)self->items[k].name);
    free(self->items);
    *self = (setting_list){NULL, 0};
}

bool settings_add(setting_list *self, const char *name, size_t length, const char *value)
{
    coset_setting *items = realloc(self->items, ((size_t)self->n + 1) * sizeof *items);
    char *copy = items != NULL ? strndup(name, length) : NULL;
    if (items != NULL) self->items = items;
    if (copy == NULL) {
        complain("out of memory");
        return false;
    }
    self->items[self->n++] = (coset_setting){copy, value};
    return true;
}

/* ---- values ------------------------------------------------------------------------------------ */

static bool read_number(const char *text, char **end_out, double *value_out)
{
    /* strtod would also take blanks, "nan" and hexadecimals. */
    if (strspn(text, "+-.0123456789") == 0 || text[strspn(text, "+-.0123456789")] == 'x')
        return false;
    *value_out = strtod(text, end_out);
    return *end_out != text && isfinite(*value_out);
}

/* A number, or a fraction a/b; ends at the end of the text or at a comma. */
static bool read_fraction(const char *text, char **end_out, double *value_out)
{
    double below = 1;
    if (!read_number(text, end_out, value_out)) return false;
    if (**end_out == '/') {
        if (!read_number(*end_out + 1, end_out, &below) || below == 0) return false;
        *value_out /= below;
    }
    return isfinite(*value_out) && (**end_out == '\0' || **end_out == ',');
}

static int wrong_value(const option *flag, const char *expected, const char *found)
{
    complain("%s must be %s, not '%s'", flag->name, expected, found);
    return EXIT_USAGE;
}

static int set_number(const option *flag, const char *text)
{
    char expected[96];
    char *end = NULL;
    double value = 0;
    bool good = read_fraction(text, &end, &value) && *end == '\0';
    if (good && value >= flag->low && value <= flag->high) {
        *(double *)flag->target = value;
        return 0;
    }
    if (flag->high < HUGE_VAL) {
        snprintf(expected, sizeof expected, "a number from %g to %g", flag->low, flag->high);
    } else if (flag->low > -HUGE_VAL) {
        snprintf(expected, sizeof expected, "a number of at least %g", flag->low);
    } else {
        snprintf(expected, sizeof expected, "a number or a fraction such as 1/255");
    }
    return wrong_value(flag, expected, text);
}

static int set_share(const option *flag, const char *text)
{
    char expected[96];
    char *end = NULL;
    double value = 0;
    bool good = read_number(text, &end, &value);
    if (good && *end == '%') {
        value /= 100;
        end++;
    }
    if (good && *end == '\0' && value <= flag->high &&
        (flag->low > 0 ? value > 0 : value >= flag->low)) {
        *(double *)flag->target = value;
        return 0;
    }
    snprintf(expected, sizeof expected, "a share %s 0 and at most %g, as 0.25 or 25%%",
             flag->low > 0 ? "over" : "of at least", flag->high);
    return wrong_value(flag, expected, text);
}

static int set_integer(const option *flag, const char *text)
{
    char expected[96];
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (strspn(text, "-0123456789") == strlen(text) && end != text && *end == '\0' && errno == 0 &&
        (double)value >= flag->low && (double)value <= flag->high) {
        *(int64_t *)flag->target = value;
        return 0;
    }
    if (flag->high < 1e15) {
        snprintf(expected, sizeof expected, "an integer from %.0f to %.0f", flag->low, flag->high);
    } else {
        snprintf(expected, sizeof expected, "an integer of at least %.0f", flag->low);
    }
    return wrong_value(flag, expected, text);
}

/* HxW; both must be given, since one number could be read as either. */
static int set_size(const option *flag, const char *text)
{
    char expected[96];
    int64_t *size = flag->target, found[2] = {0, 0};
    const char *at = text;
    for (int k = 0; k < 2; k++) {
        char *end = NULL;
        errno = 0;
        found[k] = *at >= '0' && *at <= '9' ? strtoll(at, &end, 10) : -1;
        bool good = end != NULL && errno == 0 && *end == (k == 0 ? 'x' : '\0');
        if (!good || (double)found[k] < flag->low || (double)found[k] > flag->high) {
            snprintf(expected, sizeof expected,
                     "HEIGHTxWIDTH with sides from %.0f to %.0f, as 224x224", flag->low,
                     flag->high);
            return wrong_value(flag, expected, text);
        }
        at = end + 1;
    }
    memcpy(size, found, sizeof found);
    return 0;
}

/* A,B,C into f64; `most` bounds their size. */
static int set_reals(const option *flag, const char *text, double most, real_list *list)
{
    int64_t n = 1;
    const char *at = text;
    for (const char *c = text; *c != '\0'; c++) n += *c == ',';
    if (n > OPTION_MAX_NUMBERS) return wrong_value(flag, "a list of at most 4096 numbers", text);
    free(list->values);
    list->n = 0;
    list->values = malloc((size_t)n * sizeof *list->values);
    if (list->values == NULL) {
        complain("out of memory");
        return EXIT_FAILED;
    }
    for (; list->n < n; list->n++) {
        char *end = NULL;
        double value = 0;
        bool last = list->n == n - 1;
        if (!read_fraction(at, &end, &value) || *end != (last ? '\0' : ',') || fabs(value) > most)
            return wrong_value(flag, "numbers as A,B,C", text);
        list->values[list->n] = value;
        at = end + 1;
    }
    return 0;
}

static int set_numbers(const option *flag, const char *text)
{
    number_list *list = flag->target;
    real_list reals = {NULL, 0};
    int code = set_reals(flag, text, (double)FLT_MAX, &reals);
    free(list->values);
    *list = (number_list){NULL, 0};
    if (code == 0) list->values = malloc((size_t)reals.n * sizeof *list->values);
    if (code == 0 && list->values == NULL) {
        complain("out of memory");
        code = EXIT_FAILED;
    }
    for (; code == 0 && list->n < reals.n; list->n++)
        list->values[list->n] = (float)reals.values[list->n];
    free(reals.values);
    return code;
}

/* A,B,C, of which `set` takes each. */
static int set_each(const option *flag, const char *text,
                    int (*set)(const option *flag, const char *text))
{
    real_list *list = flag->target;
    int64_t n = 1;
    int code = 0;
    for (const char *c = text; *c != '\0'; c++) n += *c == ',';
    if (n > OPTION_MAX_NUMBERS) return wrong_value(flag, "a list of at most 4096 numbers", text);
    free(list->values);
    list->n = 0;
    list->values = calloc((size_t)n, sizeof *list->values);
    if (list->values == NULL) {
        complain("out of memory");
        return EXIT_FAILED;
    }
    for (const char *at = text; code == 0 && list->n < n; list->n++) {
        char entry[64];
        option one = *flag;
        snprintf(entry, sizeof entry, "%.*s", (int)strcspn(at, ","), at);
        one.target = &list->values[list->n];
        code = set(&one, entry);
        at += strcspn(at, ",") + (list->n + 1 < n);
    }
    return code;
}

static int add_text(const option *flag, const char *text)
{
    text_list *list = flag->target;
    const char **items = realloc(list->items, ((size_t)list->n + 1) * sizeof *items);
    if (items == NULL) {
        complain("out of memory");
        return EXIT_FAILED;
    }
    list->items = items;
    list->items[list->n++] = text;
    return 0;
}

static int set_choice(const option *flag, const char *text)
{
    char expected[128];
    const char *at = flag->choices;
    for (int index = 0; *at != '\0'; index++) {
        size_t n = strcspn(at, "|");
        if (strlen(text) == n && strncmp(text, at, n) == 0) {
            *(int *)flag->target = index;
            return 0;
        }
        at += n + (at[n] == '|');
    }
    snprintf(expected, sizeof expected, "one of %s", flag->choices);
    return wrong_value(flag, expected, text);
}

static int set_value(const option *flag, const char *text)
{
    if (flag->seen != NULL) *flag->seen = 1;
    switch (flag->kind) {
    case OPTION_SWITCH: *(bool *)flag->target = true; return 0;
    case OPTION_COUNTER: ++*(int *)flag->target; return 0;
    case OPTION_TEXT: *(const char **)flag->target = text; return 0;
    case OPTION_INTEGER: return set_integer(flag, text);
    case OPTION_NUMBER: return set_number(flag, text);
    case OPTION_SHARE: return set_share(flag, text);
    case OPTION_NUMBERS: return set_numbers(flag, text);
    case OPTION_REALS: return set_reals(flag, text, HUGE_VAL, flag->target);
    case OPTION_AMOUNTS: return set_each(flag, text, set_number);
    case OPTION_SHARES: return set_each(flag, text, set_share);
    case OPTION_SIZE: return set_size(flag, text);
    case OPTION_LIST: return add_text(flag, text);
    case OPTION_CHOICE: return set_choice(flag, text);
    case OPTION_HEADING:
    case OPTION_HELP: break;
    }
    return 0;
}

/* ---- flags ------------------------------------------------------------------------------------- */

typedef struct parser {
    const verb *verb;
    const option *options;
    int n, argc, at; /* at: the next argument */
    char **argv;
    parsed *out;
} parser;

static const option *find_option(const parser *self, const char *name, size_t length)
{
    for (int k = 0; k < self->n; k++) {
        const char *known = self->options[k].name;
        if (known != NULL && self->options[k].kind != OPTION_HELP && strlen(known) == length &&
            strncmp(known, name, length) == 0)
            return &self->options[k];
    }
    return NULL;
}

/* The next argument as the value of `flag`; a flag there means that the value was forgotten. */
static const char *take_value(parser *self, const char *flag)
{
    const char *next = self->at < self->argc ? self->argv[self->at] : NULL;
    if (next == NULL || find_option(self, next, strcspn(next, "=")) != NULL ||
        strcmp(next, "--") == 0 || strcmp(next, "--help") == 0) {
        complain("%s needs a value", flag);
        return NULL;
    }
    self->at++;
    return next;
}

static int unknown_flag(const parser *self, const char *flag)
{
    enum { MOST = 64 };
    const char *names[MOST] = {"--help"};
    char name[64];
    int n = 1;
    for (int k = 0; k < self->n && n < MOST; k++)
        if (self->options[k].name != NULL && self->options[k].kind != OPTION_HELP)
            names[n++] = self->options[k].name;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(flag, "="), flag);
    const char *near = nearest_word(name, names, n);
    if (near != NULL) {
        complain("unknown flag '%s' of %s; did you mean '%s'?", name, self->verb->name, near);
    } else {
        complain("unknown flag '%s' of %s; see 'coset %s --help'", name, self->verb->name,
                 self->verb->name);
    }
    return EXIT_USAGE;
}

/* --NAME.PARAM VALUE or --NAME.PARAM=VALUE. */
static int add_setting(parser *self, const char *flag)
{
    setting_list *list = &self->out->settings;
    size_t length = strcspn(flag, "=");
    char method[64];
    snprintf(method, sizeof method, "%.*s", (int)(strcspn(flag, ".") - 2), flag + 2);
    int code = check_method(method);
    if (code != 0) return code;
    const char *value = flag[length] == '=' ? flag + length + 1 : take_value(self, flag);
    if (value == NULL) return EXIT_USAGE;
    return settings_add(list, flag + 2, length - 2, value) ? 0 : EXIT_FAILED;
}

static int parse_flag(parser *self, const char *flag, bool settings)
{
    size_t length = strcspn(flag, "=");
    const char *value = flag[length] == '=' ? flag + length + 1 : NULL;
    const option *known = find_option(self, flag, length);
    if (known == NULL && flag[1] != '-') { /* -ofile, -j4 */
        known = find_option(self, flag, 2);
        if (known != NULL && flag[2] != '\0') value = flag + 2 + (flag[2] == '=');
    }
    if (known == NULL) {
        bool dotted = strncmp(flag, "--", 2) == 0 && memchr(flag + 2, '.', length - 2) != NULL;
        return settings && dotted ? add_setting(self, flag) : unknown_flag(self, flag);
    }
    if (known->kind == OPTION_COUNTER && value != NULL &&
        strspn(value, flag + 1) == strlen(value)) {
        for (; *value != '\0'; value++) set_value(known, NULL); /* -vv */
        value = NULL;
    }
    if (known->value == NULL && value != NULL) {
        if (flag[1] != '-' && flag[2] != '=') return unknown_flag(self, flag);
        complain("%s takes no value", known->name);
        return EXIT_USAGE;
    }
    if (known->value != NULL && value == NULL) {
        value = take_value(self, known->name);
        if (value == NULL) return EXIT_USAGE;
    }
    return set_value(known, value);
}

static int parse_help(parser *self, const char *flag)
{
    const char *next = self->at < self->argc ? self->argv[self->at] : NULL;
    self->out->help = true;
    if (flag[strcspn(flag, "=")] == '=') {
        self->out->help_topic = flag + strcspn(flag, "=") + 1;
    } else if (next != NULL && next[0] != '-') {
        self->out->help_topic = next;
    }
    return 0;
}

int options_parse(const verb *of, const option *options, int n, int max_positional, bool settings,
                  int argc, char **argv, parsed *out)
{
    parser self = {of, options, n, argc, 0, argv, out};
    bool flags = true;
    *out = (parsed){.help = false};
    while (self.at < argc) {
        const char *word = argv[self.at++];
        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
                             strncmp(word, "--help=", 7) == 0)) {
            return parse_help(&self, word);
        } else if (flags && word[0] == '-' && word[1] != '\0') {
            int code = parse_flag(&self, word, settings);
            if (code != 0) return code;
        } else if (out->n_positional < max_positional) {
            out->positional[out->n_positional++] = word;
        } else {
            complain("unexpected argument '%s'; usage: coset %s %s", word, of->name, of->usage);
            return EXIT_USAGE;
        }
    }
    return 0;
}

void options_help(const verb *of, const option *options, int n, const char *more)
{
    printf("usage: coset %s %s\n%s\n", of->name, of->usage, of->summary);
    for (int k = 0; k < n; k++) {
        const option *flag = &options[k];
        char left[64];
        if (flag->kind == OPTION_HEADING) {
            printf("\n%s\n", flag->help);
            continue;
        }
        snprintf(left, sizeof left, "%s%s%s", flag->name, flag->value != NULL ? " " : "",
                 flag->value != NULL ? flag->value : "");
        printf("  %-22s %s\n", left, flag->help);
    }
    if (more != NULL) printf("\n%s", more);
}

int missing(const verb *of, const char *what)
{
    complain("%s is missing; usage: coset %s %s", what, of->name, of->usage);
    return EXIT_USAGE;
}
