#include <stdlib.h>

#include "ode.h"
#include "output.h"

typedef struct reduce_flags {
    common_options common;
    reduction_flags reduction;
    const char *model, *out, *closest;
    text_list set;
    bool sweep, force;
    int bound_given, dt_given;
} reduce_flags;

/* Writes both models and adds their digests to the report. */
static coset_status write_models(coset_ctx *ctx, const reduce_flags *flags,
                                 const coset_ode *reduced, const coset_ode *closest,
                                 coset_report *report)
{
    coset_status status = COSET_OK;
    if (reduced != NULL) {
        status = coset_ode_save(ctx, reduced, flags->out);
        if (status == COSET_OK) status = coset_report_add_output(ctx, report, flags->out);
    }
    if (status == COSET_OK && closest != NULL) {
        status = coset_ode_save(ctx, closest, flags->closest);
        if (status == COSET_OK) status = coset_report_add_output(ctx, report, flags->closest);
    }
    return status;
}

static int reduce(const reduce_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_ode *ode = NULL, *reduced = NULL, *closest = NULL;
    coset_report *report = NULL;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    code = ode_load(ctx, flags->model, &flags->set, &ode);
    if (code == 0) {
        coset_status status = coset_ode_reduce(ctx, ode, &flags->reduction.options,
                                               flags->out != NULL ? &reduced : NULL,
                                               flags->closest != NULL ? &closest : NULL, &report);
        if (status == COSET_OK) status = write_models(ctx, flags, reduced, closest, report);
        code = status == COSET_OK ? report_print(ctx, report, flags->common.json)
                                  : complain_status(ctx, status);
    }
    coset_report_free(ctx, report);
    coset_ode_free(ctx, closest);
    coset_ode_free(ctx, reduced);
    coset_ode_free(ctx, ode);
    coset_ctx_free(ctx);
    return code;
}

static int check_bound(const reduce_flags *flags)
{
    const coset_ode_reduce_options *options = &flags->reduction.options;
    if (flags->bound_given && !(options->t_end > 0)) {
        complain("--bound must be a time over 0");
        return EXIT_USAGE;
    }
    if (flags->dt_given && !flags->bound_given) {
        complain("--dt is the grid of the bound, but there is no --bound");
        return EXIT_USAGE;
    }
    if (flags->dt_given && !(options->dt > 0 && options->dt <= options->t_end)) {
        complain("--dt must be over 0 and at most the time of --bound, %g", options->t_end);
        return EXIT_USAGE;
    }
    return 0;
}

static int check_paths(const reduce_flags *flags)
{
    path_set paths = {.n_inputs = 0};
    const char *const outputs[] = {flags->out, flags->closest};
    for (int k = 0; k < 2; k++)
        if (outputs[k] != NULL && !has_suffix(outputs[k], ".ode")) {
            complain("%s: a model's name (%s) ends in .ode", outputs[k],
                     k == 0 ? "-o" : "--closest");
            return EXIT_USAGE;
        }
    paths_read(&paths, "FILE", flags->model);
    paths_write(&paths, "-o", flags->out);
    paths_write(&paths, "--closest", flags->closest);
    return paths_check(&paths, flags->force);
}

static int check(reduce_flags *flags, const parsed *found)
{
    if (found->n_positional < 1) return missing(&verb_ode_reduce, "a FILE");
    flags->model = found->positional[0];
    int code = reduction_check(&verb_ode_reduce, &flags->reduction, flags->sweep);
    if (code == 0 && flags->sweep && flags->reduction.eps_given) {
        complain("--eps and --sweep: one tolerance, or all of them");
        return EXIT_USAGE;
    }
    flags->reduction.options.sweep = flags->sweep;
    if (code == 0) code = check_bound(flags);
    if (code == 0) code = ode_set_check(&flags->set);
    return code == 0 ? check_paths(flags) : code;
}

static int run(int argc, char **argv)
{
    reduce_flags flags = {.reduction = REDUCTION_FLAGS_INIT};
    coset_ode_reduce_options *to = &flags.reduction.options;
    parsed found;
    const option options[] = {
        {"-o", "OUT", "the reduced model (.ode)", OPTION_TEXT, &flags.out, 0, 0, NULL, NULL},
        {"--closest", "OUT", "the closest exactly reducible model (.ode)", OPTION_TEXT,
         &flags.closest, 0, 0, NULL, NULL},
        REDUCTION_OPTIONS(&flags.reduction),
        {"--sweep", NULL, "every partition that some tolerance gives", OPTION_SWITCH, &flags.sweep,
         0, 0, NULL, NULL},
        {"--bound", "T", "bound and simulated deviation from the original up to time T",
         OPTION_NUMBER, &to->t_end, 0, HUGE_VAL, NULL, &flags.bound_given},
        {"--dt", "D", "grid of the bound (default T / 300)", OPTION_NUMBER, &to->dt, 0, HUGE_VAL,
         NULL, &flags.dt_given},
        ODE_SET_OPTION(&flags.set),
        ODE_FORCE_OPTION(&flags.force),
        COMMON_JSON(&flags.common),
        OPTION_TITLE("running"),
        COMMON_SEED(&flags.common),
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_ode_reduce, options, n, 1, false, argc, argv, &found);
    if (code == 0 && found.help) {
        options_help(&verb_ode_reduce, options, n, NULL);
    } else if (code == 0) {
        code = check(&flags, &found);
        if (code == 0) code = reduce(&flags);
    }
    free(flags.set.items);
    return code;
}

const verb verb_ode_reduce = {"ode reduce",
                              "FILE (--forward | --backward) [--eps E | --sweep] [-o OUT.ode]",
                              "A smaller model, exact or up to a tolerance.", run};
