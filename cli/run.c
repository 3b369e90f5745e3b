#include <stdio.h>

#include "options.h"
#include "output.h"
#include "paths.h"

typedef struct run_flags {
    common_options common;
    const char *model, *input, *out;
    bool force;
} run_flags;

/* One line per output: name, element type, shape. */
static void print_arrays(const coset_array *arrays, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        printf("%s %s [", arrays[k].name != NULL ? arrays[k].name : "",
               coset_dtype_name(arrays[k].dtype));
        for (int a = 0; a < arrays[k].rank; a++)
            printf("%s%lld", a > 0 ? ", " : "", (long long)arrays[k].dims[a]);
        printf("]\n");
    }
}

static int run_model(const run_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL;
    coset_array *inputs = NULL, *outputs = NULL;
    int64_t n_inputs = 0, n_outputs = 0;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_graph_load(ctx, flags->model, &graph);
    if (status == COSET_OK) status = coset_arrays_load(ctx, flags->input, &inputs, &n_inputs);
    if (status == COSET_OK) status = coset_run(ctx, graph, inputs, n_inputs, &outputs, &n_outputs);
    if (status == COSET_OK) status = coset_arrays_save(ctx, flags->out, outputs, n_outputs);
    if (status == COSET_OK) {
        print_arrays(outputs, n_outputs);
    } else {
        code = complain_status(ctx, status);
    }
    coset_arrays_free(ctx, outputs, n_outputs);
    coset_arrays_free(ctx, inputs, n_inputs);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return code;
}

static int run(int argc, char **argv)
{
    run_flags flags = {.model = NULL};
    parsed found;
    path_set paths = {.n_inputs = 0};
    const option options[] = {
        {"--input", "X",
         "arrays of the model's inputs by name (.npz); .npy for a model of one input", OPTION_TEXT,
         &flags.input, 0, 0, NULL, NULL},
        {"-o", "Y", "where the outputs go, by name (.npz); .npy for a model of one output",
         OPTION_TEXT, &flags.out, 0, 0, NULL, NULL},
        {"--force", NULL, "the output may be one of the inputs", OPTION_SWITCH, &flags.force, 0, 0,
         NULL, NULL},
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    const int n = (int)(sizeof options / sizeof *options);
    int code = options_parse(&verb_run, options, n, 1, false, argc, argv, &found);
    if (code != 0) return code;
    if (found.help) {
        options_help(&verb_run, options, n, NULL);
        return EXIT_DONE;
    }
    if (found.n_positional < 1) return missing(&verb_run, "a MODEL");
    if (flags.input == NULL) return missing(&verb_run, "--input X");
    if (flags.out == NULL) return missing(&verb_run, "-o Y");
    if (!has_suffix(flags.out, ".npz|.npy")) {
        complain("%s: the name of the outputs (-o) ends in .npz or .npy", flags.out);
        return EXIT_USAGE;
    }
    flags.model = found.positional[0];
    paths_read(&paths, "MODEL", flags.model);
    paths_read(&paths, "--input", flags.input);
    paths_write(&paths, "-o", flags.out);
    code = paths_check(&paths, flags.force);
    return code != 0 ? code : run_model(&flags);
}

const verb verb_run = {"run", "MODEL --input X.npz -o Y.npz", "Runs a model on arrays.", run};
