#include "data_flags.h"
#include "options.h"
#include "output.h"

typedef struct eval_flags {
    common_options common;
    data_flags data;
    const char *model, *against;
} eval_flags;

static int evaluate(eval_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL, *against = NULL;
    coset_data *data = NULL;
    coset_report *report = NULL;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_graph_load(ctx, flags->model, &graph);
    if (status == COSET_OK && flags->against != NULL)
        status = coset_graph_load(ctx, flags->against, &against);
    if (status == COSET_OK) code = data_flags_load(ctx, &flags->data, &data);
    if (status == COSET_OK && code == 0) status = coset_eval(ctx, graph, against, data, &report);
    if (status != COSET_OK) code = complain_status(ctx, status);
    if (code == 0) code = report_print(ctx, report, flags->common.json);
    coset_report_free(ctx, report);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, against);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return code;
}

static int run_parsed(eval_flags *flags, const option *options, int n, int argc, char **argv)
{
    parsed found;
    path_set paths = {.n_inputs = 0};
    int code = options_parse(&verb_eval, options, n, 1, false, argc, argv, &found);
    if (code != 0) return code;
    if (found.help) {
        options_help(&verb_eval, options, n, NULL);
        return EXIT_DONE;
    }
    if (found.n_positional < 1) return missing(&verb_eval, "a MODEL");
    if (flags->data.path == NULL) return missing(&verb_eval, "--data D");
    flags->model = found.positional[0];
    code = data_flags_check(&flags->data, &paths);
    return code != 0 ? code : evaluate(flags);
}

static int run(int argc, char **argv)
{
    eval_flags flags = {.data = DATA_FLAGS_INIT};
    const option options[] = {{"--against", "MODEL", "deviation of the outputs from this model's",
                               OPTION_TEXT, &flags.against, 0, 0, NULL, NULL},
                              COMMON_JSON(&flags.common),
                              OPTION_TITLE("data"),
                              DATA_OPTIONS(&flags.data),
                              OPTION_TITLE("running"),
                              COMMON_SEED(&flags.common),
                              COMMON_THREADS(&flags.common),
                              COMMON_QUIET(&flags.common),
                              COMMON_VERBOSE(&flags.common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = run_parsed(&flags, options, n, argc, argv);
    data_flags_free(&flags.data);
    return code;
}

const verb verb_eval = {"eval", "MODEL --data D [--against ORIGINAL]",
                        "Metric on test data, and deviation from another model.", run};
