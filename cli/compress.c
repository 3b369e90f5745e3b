#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data_flags.h"
#include "nearest.h"
#include "options.h"
#include "output.h"
#include "paths.h"

/* One value and one mark per rule, in the order of coset_rule. */
enum { RULES = COSET_RULE_MAX_DROP + 1 };
static const char *const rule_flags[RULES] = {"--eps", "--ratio", "--params", "--macs",
                                              "--max-drop"};

typedef struct compress_flags {
    common_options common;
    data_flags data;
    coset_compress_options options;
    real_list rule[RULES];
    int given[RULES];
    int calib;
    const char *model, *out, *report, *round_to;
    bool structured, dry_run, force;
} compress_flags;

/* ---- the work ---------------------------------------------------------------------------------- */

/* Writes the smaller model and adds the digests of all files written so far to the report. */
static coset_status write_model(coset_ctx *ctx, const compress_flags *flags,
                                const coset_graph *small, coset_report *report)
{
    coset_status status = COSET_OK;
    const char *plan = flags->options.plan_out;
    struct stat at;
    if (small != NULL) {
        status = coset_graph_save(ctx, small, flags->out);
        if (status == COSET_OK) status = coset_report_add_output(ctx, report, flags->out);
    }
    if (status == COSET_OK && plan != NULL) {
        char matrices[PATHS_LENGTH];
        plan_matrices(plan, matrices);
        status = coset_report_add_output(ctx, report, plan);
        if (status == COSET_OK && stat(matrices, &at) == 0)
            status = coset_report_add_output(ctx, report, matrices);
    }
    return status;
}

/* What follows coset_compress: `status` is COSET_OK or COSET_ETARGET. */
static int write_results(coset_ctx *ctx, const compress_flags *flags, coset_status status,
                         const coset_graph *small, coset_report *report)
{
    char missed[1024];
    snprintf(missed, sizeof missed, "%s", coset_ctx_error(ctx));
    coset_status written = write_model(ctx, flags, small, report);
    if (written == COSET_OK && flags->report != NULL)
        written = coset_report_save(ctx, report, flags->report);
    if (written != COSET_OK) return complain_status(ctx, written);
    int code = report_print(ctx, report, flags->common.json);
    if (code != 0 || status == COSET_OK) return code;
    complain("%s", missed[0] != '\0' ? missed : "the target was not reached");
    return exit_code(status);
}

static int compress(compress_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL, *small = NULL;
    coset_data *data = NULL;
    coset_report *report = NULL;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_graph_load(ctx, flags->model, &graph);
    if (status != COSET_OK) {
        code = complain_status(ctx, status);
        goto done;
    }
    code = data_flags_load(ctx, &flags->data, &data);
    if (code != 0) goto done;
    status =
        coset_compress(ctx, graph, data, &flags->options, flags->dry_run ? NULL : &small, &report);
    if (report != NULL && (status == COSET_OK || status == COSET_ETARGET)) {
        code = write_results(ctx, flags, status, small, report);
    } else {
        code = complain_status(ctx, status);
    }
done:
    coset_report_free(ctx, report);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, small);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return code;
}

/* ---- flags ------------------------------------------------------------------------------------- */

static int choose_rule(compress_flags *flags)
{
    int chosen = -1;
    for (int k = 0; k < RULES; k++) {
        if (flags->given[k] == 0) continue;
        if (chosen >= 0) {
            complain("%s and %s: one rule at a time", rule_flags[chosen], rule_flags[k]);
            return EXIT_USAGE;
        }
        chosen = k;
    }
    if (chosen >= 0 && flags->options.plan_in != NULL) {
        complain("%s and --plan: a plan needs no rule", rule_flags[chosen]);
        return EXIT_USAGE;
    }
    if (chosen >= 0) {
        flags->options.rule = (coset_rule)chosen;
        flags->options.value = flags->rule[chosen].values[0];
        flags->options.values = flags->rule[chosen].values;
        flags->options.n_values = flags->rule[chosen].n;
    }
    return 0;
}

static int choose_rounding(compress_flags *flags)
{
    char *end = NULL;
    const char *text = flags->round_to;
    if (text == NULL) return 0;
    if (strcmp(text, "auto") == 0) {
        flags->options.round_to = COSET_ROUND_AUTO;
        return 0;
    }
    long value = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > 1 << 20) {
        complain("--round-to must be auto or an integer from 1 to 1048576, not '%s'", text);
        return EXIT_USAGE;
    }
    flags->options.round_to = value;
    return 0;
}

/* True if `name` is one of the methods A+B+.... */
static bool asks_for(const char *methods, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = methods; at != NULL;) {
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == '+'))
            return true;
        at = strchr(at, '+');
        if (at != NULL) at++;
    }
    return false;
}

/* --structured is METHOD.structured true, for every method that is asked for and has it. */
static int choose_structured(const compress_flags *flags, setting_list *settings)
{
    const char *const param = "structured", *name = NULL;
    char setting[80], list[256] = "";
    bool found = !flags->structured;
    for (int64_t k = 0; flags->structured && (name = coset_method_name(k)) != NULL; k++) {
        if (!coset_method_has_setting(name, param)) continue;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", name);
        if (!asks_for(flags->options.method, name)) continue;
        snprintf(setting, sizeof setting, "%s.%s", name, param);
        if (!settings_add(settings, setting, strlen(setting), "true")) return EXIT_FAILED;
        found = true;
    }
    if (!found)
        complain("--structured: method %s has no such setting; it is one of %s",
                 flags->options.method, list);
    return found ? 0 : EXIT_USAGE;
}

static int check_paths(compress_flags *flags)
{
    path_set *paths = calloc(1, sizeof *paths);
    if (paths == NULL) {
        complain("out of memory");
        return EXIT_FAILED;
    }
    paths_read(paths, "MODEL", flags->model);
    paths_read_plan(paths, "--plan", flags->options.plan_in);
    int code = data_flags_check(&flags->data, paths);
    if (!flags->dry_run) paths_write(paths, "-o", flags->out);
    paths_write(paths, "--report", flags->report);
    paths_write_plan(paths, "--plan-out", flags->options.plan_out);
    if (code == 0) code = paths_check(paths, flags->force);
    free(paths);
    return code;
}

static int check(compress_flags *flags, parsed *found)
{
    if (found->n_positional < 1) return missing(&verb_compress, "a MODEL");
    if (flags->out == NULL && !flags->dry_run)
        return missing(&verb_compress, "-o OUT (or --dry-run)");
    int code = check_methods(flags->options.method);
    if (code == 0) code = choose_rule(flags);
    if (code == 0) code = choose_rounding(flags);
    if (code == 0) code = choose_structured(flags, &found->settings);
    if (code != 0) return code;
    if (flags->report != NULL && !has_suffix(flags->report, ".json|.html")) {
        complain("%s: a report's name (--report) ends in .json or .html", flags->report);
        return EXIT_USAGE;
    }
    flags->model = found->positional[0];
    flags->options.settings = found->settings.items;
    flags->options.n_settings = found->settings.n;
    flags->options.calib = (coset_calib)flags->calib;
    return check_paths(flags);
}

static int help_on_method(const char *name)
{
    coset_ctx *ctx = NULL;
    char *text = NULL;
    const common_options common = {.json = false};
    int code = check_method(name);
    if (code == 0) code = context_make(&common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_method_help(ctx, name, &text);
    if (status == COSET_OK) {
        size_t length = strlen(text);
        printf("%s%s", text, length > 0 && text[length - 1] == '\n' ? "" : "\n");
    } else {
        code = complain_status(ctx, status);
    }
    coset_memory_free(ctx, text);
    coset_ctx_free(ctx);
    return code;
}

static int help(const option *options, int n, const char *topic)
{
    if (topic != NULL) return help_on_method(topic);
    options_help(&verb_compress, options, n, "methods (coset compress --help METHOD says more)\n");
    for (int64_t k = 0; coset_method_name(k) != NULL; k++)
        printf("  %-22s %s\n", coset_method_name(k), coset_method_summary(k));
    return EXIT_DONE;
}

static int run_parsed(compress_flags *flags, const option *options, int n, int argc, char **argv)
{
    parsed found;
    int code = options_parse(&verb_compress, options, n, 1, true, argc, argv, &found);
    if (code == 0 && found.help) {
        code = help(options, n, found.help_topic);
    } else if (code == 0) {
        code = check(flags, &found);
        if (code == 0) code = compress(flags);
    }
    settings_free(&found.settings);
    return code;
}

#define RULE(index, value, kind, low, high, help)                                                  \
    {                                                                                              \
        rule_flags[index], value, help, kind, &flags.rule[index], low, high, NULL,                 \
            &flags.given[index]                                                                    \
    }

static int run(int argc, char **argv)
{
    compress_flags flags = {.data = DATA_FLAGS_INIT, .options = COSET_COMPRESS_OPTIONS_INIT};
    coset_compress_options *to = &flags.options;
    const option options[] = {
        {"-o", "OUT", "the smaller model", OPTION_TEXT, &flags.out, 0, 0, NULL, NULL},
        {"--method", "NAME", "see below (default auto); A+B: A, then B on what A left", OPTION_TEXT,
         &to->method, 0, 0, NULL, NULL},
        {"--METHOD.PARAM", "V", "a setting of a method, as --afde.linkage single", OPTION_HELP,
         NULL, 0, 0, NULL, NULL},
        {"--structured", NULL, "short for --METHOD.structured true: whole units instead of weights",
         OPTION_SWITCH, &flags.structured, 0, 0, NULL, NULL},
        OPTION_TITLE(
            "one rule (default --params 50%); shares as 0.25 or 25% of the original; for methods in\n"
            "turn one value, or one for each: --params 50%,25%"),
        RULE(COSET_RULE_EPS, "E", OPTION_AMOUNTS, 0, HUGE_VAL, "tolerance: merge what is as near"),
        RULE(COSET_RULE_RATIO, "R", OPTION_SHARES, 1e-12, 1, "share of units kept in every group"),
        RULE(COSET_RULE_PARAMS, "P", OPTION_SHARES, 1e-12, 1, "share of parameters kept"),
        RULE(COSET_RULE_MACS, "M", OPTION_SHARES, 1e-12, 1, "share of multiply-accumulates kept"),
        RULE(COSET_RULE_MAX_DROP, "D", OPTION_SHARES, 0, 1,
             "smallest model whose metric falls by at most D (needs --data)"),
        OPTION_TITLE("what is cut, and how"),
        {"--recover", "R",
         "none, or a list of lift,reconstruct,batchnorm (with data the first two)", OPTION_TEXT,
         &to->recover, 0, 0, NULL, NULL},
        {"--round-to", "N", "widths become multiples of N; auto: 8 or 16 (default 1)", OPTION_TEXT,
         &flags.round_to, 0, 0, NULL, NULL},
        {"--only", "RE", "only groups whose producing nodes match", OPTION_TEXT, &to->only, 0, 0,
         NULL, NULL},
        {"--ignore", "RE", "no groups whose producing nodes match", OPTION_TEXT, &to->ignore, 0, 0,
         NULL, NULL},
        {"--plan", "F", "apply this plan instead of finding one", OPTION_TEXT, &to->plan_in, 0, 0,
         NULL, NULL},
        OPTION_TITLE("what is written"),
        {"--plan-out", "F", "the plan (.json; its matrices in .safetensors beside it)", OPTION_TEXT,
         &to->plan_out, 0, 0, NULL, NULL},
        {"--report", "F", "the report (.json or .html)", OPTION_TEXT, &flags.report, 0, 0, NULL,
         NULL},
        {"--dry-run", NULL, "finds the plan but writes no model", OPTION_SWITCH, &flags.dry_run, 0,
         0, NULL, NULL},
        {"--force", NULL, "outputs may replace inputs", OPTION_SWITCH, &flags.force, 0, 0, NULL,
         NULL},
        COMMON_JSON(&flags.common),
        OPTION_TITLE("data"),
        DATA_OPTIONS(&flags.data),
        {"--calib-samples", "N", "rows of the training part at most (default 2048)", OPTION_INTEGER,
         &to->calib_samples, 1, 1e12, NULL, NULL},
        {"--calib", "data|random",
         "what methods measure on: the data (default), or inputs drawn N(0, 1)", OPTION_CHOICE,
         &flags.calib, 0, 0, "data|random", NULL},
        OPTION_TITLE("running"),
        COMMON_SEED(&flags.common),
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    int code = run_parsed(&flags, options, (int)(sizeof options / sizeof *options), argc, argv);
    data_flags_free(&flags.data);
    for (int k = 0; k < RULES; k++) free(flags.rule[k].values);
    return code;
}

const verb verb_compress = {"compress", "MODEL -o OUT [rule] [--data D] ...",
                            "A smaller model from a model, with or without data.", run};
