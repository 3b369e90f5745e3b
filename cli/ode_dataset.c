#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nearest.h"
#include "ode.h"
#include "output.h"

/* The systems that need no file, and which flags shape them. */
typedef struct family {
    const char *name;
    bool has_model, sized, perturbed;
} family;

static const family families[] = {{"glycolysis", false, false, false},
                                  {"htree", true, true, true},
                                  {"polymers", true, false, true},
                                  {"phosphorylation", true, true, true}};
enum { FAMILIES = sizeof families / sizeof *families };

typedef struct dataset_flags {
    common_options common;
    coset_ode_dataset_options options;
    const char *source, *folder;
    const family *family; /* NULL: `source` is a file */
    text_list set;
    int64_t size;
    double perturb;
    int target; /* next, derivative */
    int size_given, perturb_given, end_given, dt_given;
    bool force;
} dataset_flags;

static coset_status make_system(coset_ctx *ctx, const dataset_flags *flags, coset_ode **ode_out)
{
    if (flags->family == NULL) return coset_ode_load(ctx, flags->source, ode_out);
    if (!flags->family->has_model) return COSET_OK;
    return coset_ode_family(ctx, flags->source, flags->size, flags->perturb, ode_out);
}

static int make(const dataset_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    coset_status status = make_system(ctx, flags, &ode);
    if (status != COSET_OK) code = complain_status(ctx, status);
    if (code == 0 && ode != NULL) code = ode_set(ctx, ode, &flags->set);
    if (code == 0) {
        status = coset_ode_dataset(ctx, ode, &flags->options, flags->folder, &report);
        code = status == COSET_OK ? report_print(ctx, report, flags->common.json)
                                  : complain_status(ctx, status);
    }
    coset_report_free(ctx, report);
    coset_ode_free(ctx, ode);
    coset_ctx_free(ctx);
    return code;
}

/* ---- flags -------------------------------------------------------------------------------------- */

/* A name of a family, or a file that ends in .ode or is there. */
static int choose_source(dataset_flags *flags, const char *word)
{
    const char *names[FAMILIES];
    struct stat at;
    flags->source = word;
    for (int k = 0; k < FAMILIES; k++) {
        names[k] = families[k].name;
        if (strcmp(word, families[k].name) == 0) flags->family = &families[k];
    }
    if (flags->family != NULL || has_suffix(word, ".ode") || stat(word, &at) == 0) return 0;
    const char *near = nearest_word(word, names, FAMILIES);
    if (near != NULL) {
        complain("'%s' is no file and no system; did you mean '%s'?", word, near);
    } else {
        complain("'%s' is no file and no system; there are glycolysis, htree, polymers, "
                 "phosphorylation and .ode files",
                 word);
    }
    return EXIT_USAGE;
}

static int check_source(const dataset_flags *flags)
{
    const family *of = flags->family;
    const char *wrong = flags->size_given && (of == NULL || !of->sized)          ? "--size"
                        : flags->perturb_given && (of == NULL || !of->perturbed) ? "--perturb"
                        : flags->set.n > 0 && of != NULL && !of->has_model       ? "--set"
                                                                                 : NULL;
    if (wrong == NULL) return 0;
    if (strcmp(wrong, "--set") == 0) {
        complain("--set does not go with %s: it has no parameters to set", flags->source);
    } else {
        complain("%s does not go with %s, only with %s", wrong, flags->source,
                 strcmp(wrong, "--size") == 0 ? "htree and phosphorylation"
                                              : "htree, polymers and phosphorylation");
    }
    return EXIT_USAGE;
}

static int check_options(dataset_flags *flags)
{
    coset_ode_dataset_options *options = &flags->options;
    options->derivative = flags->target == 1;
    if (flags->end_given && !(options->t_end > 0)) {
        complain("--t-end must be over 0");
        return EXIT_USAGE;
    }
    if (flags->dt_given && !(options->dt > 0)) {
        complain("--dt must be over 0");
        return EXIT_USAGE;
    }
    if (flags->dt_given && options->derivative) {
        complain("--dt is the step to the next state, but --target is derivative");
        return EXIT_USAGE;
    }
    return 0;
}

/* The folder may be there or not; what is in it under our names is overwritten, but no input. */
static int check_paths(const dataset_flags *flags)
{
    path_set paths = {.n_inputs = 0};
    struct stat at;
    char path[PATHS_LENGTH];
    bool there = stat(flags->folder, &at) == 0;
    if (there && !S_ISDIR(at.st_mode)) {
        complain("%s: is no folder", flags->folder);
        return EXIT_FAILED;
    }
    if (!there) return 0; /* the library makes it */
    if (flags->family == NULL) paths_read(&paths, "FILE", flags->source);
    static const char *const names[] = {"data.npz", "model.ode"};
    for (int k = 0; k < 2; k++) {
        int length = snprintf(path, sizeof path, "%s/%s", flags->folder, names[k]);
        if (length < 0 || length >= (int)sizeof path) {
            complain("%s: the output's path is too long", flags->folder);
            return EXIT_FAILED;
        }
        paths_write(&paths, "-o", path);
    }
    return paths_check(&paths, flags->force);
}

static int check(dataset_flags *flags, const parsed *found)
{
    if (found->n_positional < 1) return missing(&verb_ode_dataset, "a NAME or FILE");
    if (flags->folder == NULL) return missing(&verb_ode_dataset, "-o DIR");
    int code = choose_source(flags, found->positional[0]);
    if (code == 0) code = check_source(flags);
    if (code == 0) code = check_options(flags);
    if (code == 0) code = ode_set_check(&flags->set);
    return code == 0 ? check_paths(flags) : code;
}

static const char systems[] =
    "systems (or any .ode file)\n"
    "  glycolysis             yeast glycolysis, 7 species, not polynomial\n"
    "  htree                  RC circuit of a clock tree, --size levels (1 to 8)\n"
    "  polymers               polymerisation with two growing ends\n"
    "  phosphorylation        a substrate with --size sites (1 to 8)\n";

static int run(int argc, char **argv)
{
    dataset_flags flags = {.options = COSET_ODE_DATASET_OPTIONS_INIT};
    coset_ode_dataset_options *to = &flags.options;
    parsed found;
    const option options[] = {
        {"-o", "DIR", "folder for data.npz and model.ode, made if it is not there", OPTION_TEXT,
         &flags.folder, 0, 0, NULL, NULL},
        {"--target", "next|derivative", "y is the state after dt (default) or the derivative",
         OPTION_CHOICE, &flags.target, 0, 0, "next|derivative", NULL},
        {"--dt", "D", "from a state to the next (default T / 10)", OPTION_NUMBER, &to->dt, 0,
         HUGE_VAL, NULL, &flags.dt_given},
        {"--t-end", "T", "pairs are taken up to here (default: the file's)", OPTION_NUMBER,
         &to->t_end, 0, HUGE_VAL, NULL, &flags.end_given},
        {"--trajectories", "N", "each from its own initial values (default 2000)", OPTION_INTEGER,
         &to->trajectories, 2, 1e9, NULL, NULL},
        {"--pairs", "N", "of each trajectory (default 10)", OPTION_INTEGER, &to->pairs, 1, 1e9,
         NULL, NULL},
        {"--spread", "S", "initial values are x0 (1 +- S) (default 0.5)", OPTION_NUMBER,
         &to->spread, 0, HUGE_VAL, NULL, NULL},
        {"--test-share", "P", "of the trajectories (default 20%)", OPTION_SHARE, &to->test_share,
         1e-9, 0.999999, NULL, NULL},
        {"--size", "N", "levels of htree, sites of phosphorylation", OPTION_INTEGER, &flags.size, 1,
         8, NULL, &flags.size_given},
        {"--perturb", "P", "the constants of a generated system by this much", OPTION_NUMBER,
         &flags.perturb, 0, HUGE_VAL, NULL, &flags.perturb_given},
        ODE_SET_OPTION(&flags.set),
        ODE_FORCE_OPTION(&flags.force),
        COMMON_JSON(&flags.common),
        OPTION_TITLE("running"),
        COMMON_SEED(&flags.common),
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_ode_dataset, options, n, 1, false, argc, argv, &found);
    if (code == 0 && found.help) {
        options_help(&verb_ode_dataset, options, n, systems);
    } else if (code == 0) {
        code = check(&flags, &found);
        if (code == 0) code = make(&flags);
    }
    free(flags.set.items);
    return code;
}

const verb verb_ode_dataset = {"ode dataset", "NAME|FILE -o DIR [--target next|derivative] ...",
                               "Regression data from trajectories of a system.", run};
