#include "ode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "output.h"

static const verb *const subverbs[] = {&verb_ode_reduce, &verb_ode_simulate, &verb_ode_encode,
                                       &verb_ode_dataset};
enum { SUBVERBS = sizeof subverbs / sizeof *subverbs };

/* "reduce" of "ode reduce" */
static const char *own_name(const verb *self)
{
    return strchr(self->name, ' ') + 1;
}

/* ---- values ------------------------------------------------------------------------------------- */

/* The number after '='. */
static bool read_value(const char *text, double *value_out)
{
    char *end = NULL;
    if (strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    *value_out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value_out);
}

int ode_set_check(const text_list *settings)
{
    for (int64_t k = 0; k < settings->n; k++) {
        const char *equals = strchr(settings->items[k], '=');
        double value = 0;
        if (equals == NULL || equals == settings->items[k] || !read_value(equals + 1, &value)) {
            complain("--set must be NAME=VALUE with a number, not '%s'", settings->items[k]);
            return EXIT_USAGE;
        }
    }
    return 0;
}

int ode_set(coset_ctx *ctx, coset_ode *ode, const text_list *settings)
{
    for (int64_t k = 0; k < settings->n; k++) {
        const char *text = settings->items[k], *equals = strchr(text, '=');
        double value = 0;
        char *name = strndup(text, (size_t)(equals - text));
        if (name == NULL) {
            complain("out of memory");
            return EXIT_FAILED;
        }
        if (!read_value(equals + 1, &value)) value = NAN;
        coset_status status = coset_ode_set(ctx, ode, name, value);
        free(name);
        if (status != COSET_OK) {
            complain("--set %s: %s", text, coset_ctx_error(ctx));
            return exit_code(status);
        }
    }
    return 0;
}

int ode_load(coset_ctx *ctx, const char *path, const text_list *settings, coset_ode **ode_out)
{
    coset_status status = coset_ode_load(ctx, path, ode_out);
    return status == COSET_OK ? ode_set(ctx, *ode_out, settings) : complain_status(ctx, status);
}

/* ---- reductions --------------------------------------------------------------------------------- */

int reduction_check(const verb *of, reduction_flags *flags, bool sweep)
{
    coset_ode_reduce_options *options = &flags->options;
    if (flags->forward && flags->backward) {
        complain("--forward and --backward: one equivalence at a time");
        return EXIT_USAGE;
    }
    if (!flags->forward && !flags->backward) return missing(of, "--forward or --backward");
    if (flags->linkage_given && !flags->eps_given && !sweep) {
        complain("--linkage says something about a tolerance, but there is no --eps");
        return EXIT_USAGE;
    }
    if (options->perturb != NULL && !flags->eps_given) {
        complain("--perturb says what a tolerance may change, but there is no --eps");
        return EXIT_USAGE;
    }
    options->equivalence = flags->forward ? COSET_ODE_FORWARD : COSET_ODE_BACKWARD;
    options->linkage = (coset_ode_linkage)flags->linkage;
    return 0;
}

/* ---- the verb ----------------------------------------------------------------------------------- */

static void print_help(FILE *to)
{
    fprintf(to, "usage: coset ode VERB ...\n%s\n\n", verb_ode.summary);
    for (int k = 0; k < SUBVERBS; k++)
        fprintf(to, "  coset %-12s %s\n  %18s %s\n", subverbs[k]->name, subverbs[k]->usage, "",
                subverbs[k]->summary);
    fprintf(to, "\n  coset ode VERB --help, coset help ode VERB\n");
}

static const verb *find(const char *name)
{
    const char *names[SUBVERBS];
    char list[128] = "";
    for (int k = 0; k < SUBVERBS; k++) {
        size_t used = strlen(list);
        names[k] = own_name(subverbs[k]);
        if (strcmp(names[k], name) == 0) return subverbs[k];
        snprintf(list + used, sizeof list - used, "%s%s", k > 0 ? ", " : "", names[k]);
    }
    const char *near = nearest_word(name, names, SUBVERBS);
    if (near != NULL) {
        complain("unknown verb 'ode %s'; did you mean 'ode %s'?", name, near);
    } else {
        complain("unknown verb 'ode %s'; there are %s", name, list);
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int run(int argc, char **argv)
{
    char flag[] = "--help";
    char *asked[] = {flag};
    if (argc == 0) {
        complain("a verb is missing; usage: coset ode %s", verb_ode.usage);
        return EXIT_USAGE;
    }
    if (is_help(argv[0]) && argc > 1) {
        const verb *named = find(argv[1]);
        return named != NULL ? named->run(1, asked) : EXIT_USAGE;
    }
    if (is_help(argv[0])) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (argv[0][0] == '-') {
        complain("unknown flag '%s'; see 'coset ode --help'", argv[0]);
        return EXIT_USAGE;
    }
    const verb *named = find(argv[0]);
    return named != NULL ? named->run(argc - 1, argv + 1) : EXIT_USAGE;
}

const verb verb_ode = {
    "ode", "reduce|simulate|encode|dataset ...",
    "Polynomial ODE systems: smaller ones, trajectories, networks as ODEs, data.", run};
