#include <stdlib.h>

#include "ode.h"
#include "output.h"

typedef struct simulate_flags {
    common_options common;
    reduction_flags reduction;
    coset_ode_simulate_options options;
    const char *model, *out, *svg;
    text_list set;
    real_list times;
    int method; /* as coset_ode_method */
    int end_given, steps_given;
    bool views, force;
} simulate_flags;

static coset_status write_files(coset_ctx *ctx, const simulate_flags *flags,
                                const coset_trajectory *trajectory, coset_report *report)
{
    coset_status status = COSET_OK;
    const char *const outputs[] = {flags->out, flags->svg};
    for (int k = 0; k < 2 && status == COSET_OK; k++) {
        if (outputs[k] == NULL) continue;
        status = coset_trajectory_save(ctx, trajectory, outputs[k]);
        if (status == COSET_OK) status = coset_report_add_output(ctx, report, outputs[k]);
    }
    return status;
}

static int simulate(const simulate_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_ode *ode = NULL;
    coset_trajectory *trajectory = NULL;
    coset_report *report = NULL;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    code = ode_load(ctx, flags->model, &flags->set, &ode);
    if (code == 0) {
        coset_status status = coset_ode_simulate(ctx, ode, &flags->options, &trajectory, &report);
        if (status == COSET_OK) status = write_files(ctx, flags, trajectory, report);
        code = status == COSET_OK ? report_print(ctx, report, flags->common.json)
                                  : complain_status(ctx, status);
    }
    coset_report_free(ctx, report);
    coset_trajectory_free(ctx, trajectory);
    coset_ode_free(ctx, ode);
    coset_ctx_free(ctx);
    return code;
}

/* ---- flags -------------------------------------------------------------------------------------- */

static int check_times(simulate_flags *flags)
{
    const real_list *times = &flags->times;
    if (times->n > 0 && (flags->end_given || flags->steps_given)) {
        complain("--times and %s: either the times or where they end",
                 flags->end_given ? "--t-end" : "--steps");
        return EXIT_USAGE;
    }
    if (flags->end_given && !(flags->options.t_end > 0)) {
        complain("--t-end must be over 0");
        return EXIT_USAGE;
    }
    if (times->n == 1 || (times->n > 1 && times->values[0] != 0)) {
        complain("--times are 0 and at least one more time");
        return EXIT_USAGE;
    }
    for (int64_t k = 1; k < times->n; k++)
        if (!(times->values[k] > times->values[k - 1])) {
            complain("--times must ascend, but %g follows %g", times->values[k],
                     times->values[k - 1]);
            return EXIT_USAGE;
        }
    flags->options.times = times->n > 0 ? times->values : NULL;
    flags->options.n_times = times->n;
    return 0;
}

static int check_reduction(simulate_flags *flags)
{
    const reduction_flags *reduction = &flags->reduction;
    const char *given = reduction->eps_given                   ? "--eps"
                        : reduction->linkage_given             ? "--linkage"
                        : reduction->options.partition != NULL ? "--partition"
                        : reduction->options.perturb != NULL   ? "--perturb"
                                                               : NULL;
    if (reduction->forward || reduction->backward) {
        flags->options.reduce = &reduction->options;
        return reduction_check(&verb_ode_simulate, &flags->reduction, false);
    }
    if (given == NULL) return 0;
    complain("%s says how to reduce, but there is no --forward or --backward", given);
    return EXIT_USAGE;
}

static int check_paths(const simulate_flags *flags)
{
    path_set paths = {.n_inputs = 0};
    if (flags->out != NULL && !has_suffix(flags->out, ".csv|.npz|.svg")) {
        complain("%s: a trajectory's name (-o) ends in .csv, .npz or .svg", flags->out);
        return EXIT_USAGE;
    }
    if (flags->svg != NULL && !has_suffix(flags->svg, ".svg")) {
        complain("%s: a plot's name (--svg) ends in .svg", flags->svg);
        return EXIT_USAGE;
    }
    paths_read(&paths, "FILE", flags->model);
    paths_write(&paths, "-o", flags->out);
    paths_write(&paths, "--svg", flags->svg);
    return paths_check(&paths, flags->force);
}

static int check(simulate_flags *flags, const parsed *found)
{
    if (found->n_positional < 1) return missing(&verb_ode_simulate, "a FILE");
    flags->model = found->positional[0];
    flags->options.method = (coset_ode_method)flags->method;
    flags->options.views = flags->views;
    int code = check_times(flags);
    if (code == 0) code = check_reduction(flags);
    if (code == 0) code = ode_set_check(&flags->set);
    return code == 0 ? check_paths(flags) : code;
}

static int run(int argc, char **argv)
{
    simulate_flags flags = {.reduction = REDUCTION_FLAGS_INIT,
                            .options = COSET_ODE_SIMULATE_OPTIONS_INIT};
    coset_ode_simulate_options *to = &flags.options;
    parsed found;
    const option options[] = {
        {"-o", "OUT", "the trajectory (.csv, .npz or .svg)", OPTION_TEXT, &flags.out, 0, 0, NULL,
         NULL},
        {"--svg", "OUT", "a plot of it as well", OPTION_TEXT, &flags.svg, 0, 0, NULL, NULL},
        {"--t-end", "T", "where to end (default: the file's simulateODE command)", OPTION_NUMBER,
         &to->t_end, 0, HUGE_VAL, NULL, &flags.end_given},
        {"--steps", "N", "output times are T k / N (default 200)", OPTION_INTEGER, &to->steps, 1,
         9999999, NULL, &flags.steps_given},
        {"--times", "0,A,B", "output times instead", OPTION_REALS, &flags.times, 0, 0, NULL, NULL},
        {"--method", "bdf|adams", "for stiff systems (default), or for smooth ones", OPTION_CHOICE,
         &flags.method, 0, 0, "bdf|adams", NULL},
        {"--rtol", "R", "relative tolerance (default 1e-8)", OPTION_NUMBER, &to->rtol, 1e-14, 0.1,
         NULL, NULL},
        {"--atol", "A", "absolute tolerance (default 1e-10)", OPTION_NUMBER, &to->atol, 1e-300, 1e6,
         NULL, NULL},
        {"--views", NULL, "the model's views instead of its variables", OPTION_SWITCH, &flags.views,
         0, 0, NULL, NULL},
        ODE_SET_OPTION(&flags.set),
        ODE_FORCE_OPTION(&flags.force),
        COMMON_JSON(&flags.common),
        OPTION_TITLE("also the reduced model, beside sums or representatives of the original"),
        REDUCTION_OPTIONS(&flags.reduction),
        OPTION_TITLE("running"),
        COMMON_SEED(&flags.common),
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_ode_simulate, options, n, 1, false, argc, argv, &found);
    if (code == 0 && found.help) {
        options_help(&verb_ode_simulate, options, n, NULL);
    } else if (code == 0) {
        code = check(&flags, &found);
        if (code == 0) code = simulate(&flags);
    }
    free(flags.set.items);
    free(flags.times.values);
    return code;
}

const verb verb_ode_simulate = {"ode simulate", "FILE [--t-end T] [-o OUT.csv|.npz|.svg] ...",
                                "Trajectories of a model, and of its reduction beside it.", run};
