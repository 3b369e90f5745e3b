/* What the verbs of `coset ode` share: values that are set by hand, and how a model is reduced. */
#ifndef COSET_CLI_ODE_H
#define COSET_CLI_ODE_H

#include <math.h>

#include "options.h"
#include "paths.h"

extern const verb verb_ode_encode, verb_ode_reduce, verb_ode_simulate, verb_ode_dataset;

/* ---- models ------------------------------------------------------------------------------------- */

#define ODE_SET_OPTION(list)                                                                       \
    {                                                                                              \
        "--set", "NAME=VALUE", "a parameter or an initial value; may be repeated", OPTION_LIST,    \
            list, 0, 0, NULL, NULL                                                                 \
    }
#define ODE_FORCE_OPTION(flag)                                                                     \
    {                                                                                              \
        "--force", NULL, "outputs may replace inputs", OPTION_SWITCH, flag, 0, 0, NULL, NULL       \
    }

/* Checks NAME=VALUE. Returns 0 or an exit code. */
int ode_set_check(const text_list *settings);
/* Loads a model and sets the values; the settings were checked. Returns 0 or an exit code. */
int ode_load(coset_ctx *ctx, const char *path, const text_list *settings, coset_ode **ode_out);
/* The same for a model that is there. */
int ode_set(coset_ctx *ctx, coset_ode *ode, const text_list *settings);

/* ---- reductions --------------------------------------------------------------------------------- */

typedef struct reduction_flags {
    bool forward, backward;
    int eps_given, linkage_given;
    int linkage; /* as coset_ode_linkage */
    coset_ode_reduce_options options;
} reduction_flags;

#define REDUCTION_FLAGS_INIT                                                                       \
    {                                                                                              \
        false, false, 0, 0, 0, COSET_ODE_REDUCE_OPTIONS_INIT                                       \
    }

/* Rows of an option table; `flags` is the address of a reduction_flags. */
#define REDUCTION_OPTIONS(flags)                                                                   \
    {"--forward",                                                                                  \
     NULL,                                                                                         \
     "blocks whose sums have dynamics of their own",                                               \
     OPTION_SWITCH,                                                                                \
     &(flags)->forward,                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     NULL,                                                                                         \
     NULL},                                                                                        \
        {"--backward",                                                                             \
         NULL,                                                                                     \
         "blocks whose members stay equal if they start equal",                                    \
         OPTION_SWITCH,                                                                            \
         &(flags)->backward,                                                                       \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL},                                                                                    \
        {"--eps",                                                                                  \
         "E",                                                                                      \
         "tolerance, in units of a coefficient (default 0: exact)",                                \
         OPTION_NUMBER,                                                                            \
         &(flags)->options.eps,                                                                    \
         0,                                                                                        \
         HUGE_VAL,                                                                                 \
         NULL,                                                                                     \
         &(flags)->eps_given},                                                                     \
        {"--linkage",                                                                              \
         "single|complete",                                                                        \
         "with a tolerance: neighbours within eps (default), or all pairs of a block",             \
         OPTION_CHOICE,                                                                            \
         &(flags)->linkage,                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "single|complete",                                                                        \
         &(flags)->linkage_given},                                                                 \
        {"--partition",                                                                            \
         "P",                                                                                      \
         "to refine: one, file, initial (equal initial values), or \"{a,b},{c}\"",                 \
         OPTION_TEXT,                                                                              \
         &(flags)->options.partition,                                                              \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL},                                                                                    \
    {                                                                                              \
        "--perturb", "A",                                                                          \
            "what may change: all (parameters; default), coefficients, or names a1,a2",            \
            OPTION_TEXT, &(flags)->options.perturb, 0, 0, NULL, NULL                               \
    }

/* Fills the options, or says what is wrong.
 *   of      whose usage is shown
 *   sweep   the tolerance is a whole ladder
 * Returns 0 or an exit code. */
int reduction_check(const verb *of, reduction_flags *flags, bool sweep);

#endif
