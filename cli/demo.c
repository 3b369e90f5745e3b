#include "options.h"
#include "output.h"

static int demonstrate(const common_options *common, const char *folder)
{
    coset_ctx *ctx = NULL;
    coset_report *report = NULL;
    int code = context_make(common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_demo(ctx, folder, &report);
    code =
        status == COSET_OK ? report_print(ctx, report, common->json) : complain_status(ctx, status);
    coset_report_free(ctx, report);
    coset_ctx_free(ctx);
    return code;
}

static int run(int argc, char **argv)
{
    common_options common = {.json = false};
    const char *folder = "coset-demo";
    parsed found;
    const option options[] = {{"-o", "FOLDER", "where models and data go (default coset-demo)",
                               OPTION_TEXT, &folder, 0, 0, NULL, NULL},
                              COMMON_JSON(&common),
                              COMMON_SEED(&common),
                              COMMON_THREADS(&common),
                              COMMON_QUIET(&common),
                              COMMON_VERBOSE(&common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_demo, options, n, 0, false, argc, argv, &found);
    if (code != 0) return code;
    if (found.help) {
        options_help(&verb_demo, options, n, NULL);
        return EXIT_DONE;
    }
    return demonstrate(&common, folder);
}

const verb verb_demo = {
    "demo", "[-o FOLDER]",
    "Makes a data set, trains a network on it and compresses it with every method.", run};
