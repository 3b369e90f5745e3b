/* The command's flags: one table per verb drives the parser and the help. */
#ifndef COSET_CLI_OPTIONS_H
#define COSET_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <coset/coset.h>

typedef enum option_kind {
    OPTION_HEADING, /* a line of the help; its text is in `help` */
    OPTION_HELP,    /* a row of the help that stands for other flags */
    OPTION_SWITCH,  /* bool *target */
    OPTION_COUNTER, /* int *target: how often it was given */
    OPTION_TEXT,    /* const char **target, borrowed from argv */
    OPTION_INTEGER, /* int64_t *target, in [low, high] */
    OPTION_NUMBER,  /* double *target, a number or a fraction such as 1/255, in [low, high] */
    OPTION_SHARE,   /* double *target, 0.25 or 25%, in [low, high] */
    OPTION_NUMBERS, /* number_list *target: A,B,C */
    OPTION_REALS,   /* real_list *target: A,B,C in f64 */
    OPTION_AMOUNTS, /* real_list *target: A,B,C, each as OPTION_NUMBER */
    OPTION_SHARES,  /* real_list *target: A,B,C, each as OPTION_SHARE */
    OPTION_LIST,    /* text_list *target: one more text each time, borrowed from argv */
    OPTION_SIZE,    /* int64_t target[2], height and width: HxW, each in [low, high] */
    OPTION_CHOICE   /* int *target: index of the word among `choices` ("a|b|c") */
} option_kind;

enum { OPTION_MAX_NUMBERS = 4096 };

/* Zero-initialised is empty; released with free(values). */
typedef struct number_list {
    float *values;
    int64_t n;
} number_list;

typedef struct real_list {
    double *values;
    int64_t n;
} real_list;

/* Zero-initialised is empty; released with free(items). */
typedef struct text_list {
    const char **items;
    int64_t n;
} text_list;

typedef struct option {
    const char *name;  /* "--data" or "-o" */
    const char *value; /* placeholder of the value in the help; NULL: takes none */
    const char *help;
    option_kind kind;
    void *target;
    double low, high;
    const char *choices;
    int *seen; /* set to 1 if the flag is given; NULL: not asked for */
} option;

/* One verb. */
typedef struct verb {
    const char *name, *usage, *summary;
    int (*run)(int argc, char **argv); /* arguments after the verb; returns the exit code */
} verb;

extern const verb verb_inspect, verb_run, verb_eval, verb_compress, verb_demo, verb_ode;

/* What every verb has. */
typedef struct common_options {
    bool json, quiet;
    int verbose;
    int64_t threads, seed;
} common_options;

#define COMMON_THREADS(common)                                                                     \
    {                                                                                              \
        "-j", "N", "threads (default: all cores)", OPTION_INTEGER, &(common)->threads, 1, 1024,    \
            NULL, NULL                                                                             \
    }
#define COMMON_SEED(common)                                                                        \
    {                                                                                              \
        "--seed", "N", "seed of everything random (default 0)", OPTION_INTEGER, &(common)->seed,   \
            0, 9007199254740992.0, NULL, NULL                                                      \
    }
#define COMMON_JSON(common)                                                                        \
    {                                                                                              \
        "--json", NULL, "result as JSON on standard output", OPTION_SWITCH, &(common)->json, 0, 0, \
            NULL, NULL                                                                             \
    }
#define COMMON_QUIET(common)                                                                       \
    {                                                                                              \
        "-q", NULL, "no progress and no messages, only errors", OPTION_SWITCH, &(common)->quiet,   \
            0, 0, NULL, NULL                                                                       \
    }
#define COMMON_VERBOSE(common)                                                                     \
    {                                                                                              \
        "-v", NULL, "say more; -v -v: still more", OPTION_COUNTER, &(common)->verbose, 0, 0, NULL, \
            NULL                                                                                   \
    }
#define OPTION_TITLE(text)                                                                         \
    {                                                                                              \
        NULL, NULL, text, OPTION_HEADING, NULL, 0, 0, NULL, NULL                                   \
    }

/* Settings --NAME.PARAM VALUE of methods, in the order given; released with settings_free. */
typedef struct setting_list {
    coset_setting *items;
    int64_t n;
} setting_list;

void settings_free(setting_list *self);
/* Adds NAME, of which `length` characters are copied; the value is borrowed. False: out of memory, and said. */
bool settings_add(setting_list *self, const char *name, size_t length, const char *value);

typedef struct parsed {
    const char *positional[4];
    int n_positional;
    bool help;
    const char *help_topic; /* word after --help; NULL: none */
    setting_list settings;
} parsed;

/* Parses the arguments after verb `of`: "--flag value", "--flag=value", "-o value", "-ovalue"; "--" ends
 * the flags. --help and -h stop the parser.
 *   options          [n], targets hold the defaults on entry
 *   max_positional   at most this many arguments that are no flags, <= 4
 *   settings         --NAME.PARAM VALUE is collected instead of refused
 * Returns 0, or prints one line and returns EXIT_USAGE (EXIT_FAILED out of memory). */
int options_parse(const verb *of, const option *options, int n, int max_positional, bool settings,
                  int argc, char **argv, parsed *out);

/* The help of a verb on standard output. `more` is printed at its end; NULL: nothing. */
void options_help(const verb *of, const option *options, int n, const char *more);

/* Says what a verb lacks and how it is used. Returns EXIT_USAGE. */
int missing(const verb *of, const char *what);

#endif
