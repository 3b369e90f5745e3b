#include "options.h"
#include "output.h"

static int inspect(const common_options *common, const char *path)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL;
    coset_report *report = NULL;
    int code = context_make(common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_graph_load(ctx, path, &graph);
    if (status == COSET_OK) status = coset_inspect(ctx, graph, &report);
    code =
        status == COSET_OK ? report_print(ctx, report, common->json) : complain_status(ctx, status);
    coset_report_free(ctx, report);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return code;
}

static int run(int argc, char **argv)
{
    common_options common = {.json = false};
    parsed found;
    const option options[] = {COMMON_JSON(&common), COMMON_THREADS(&common), COMMON_QUIET(&common),
                              COMMON_VERBOSE(&common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_inspect, options, n, 1, false, argc, argv, &found);
    if (code != 0) return code;
    if (found.help) {
        options_help(&verb_inspect, options, n, NULL);
        return EXIT_DONE;
    }
    if (found.n_positional < 1) return missing(&verb_inspect, "a MODEL");
    return inspect(&common, found.positional[0]);
}

const verb verb_inspect = {"inspect", "MODEL [--json]",
                           "Size, operators, unit groups, what can be cut and why not.", run};
