#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_flags.h"
#include "ode.h"
#include "output.h"

typedef struct encode_flags {
    common_options common;
    data_flags data;
    coset_ode_encode_options options;
    const char *model, *out, *input;
    real_list range;
    int64_t degree, row;
    int drift; /* as coset_ode_drift */
    int degree_given, row_given;
    bool split, force;
} encode_flags;

/* ---- the sample --------------------------------------------------------------------------------- */

/* The array of the model's input, or of the test part of a data set; the only one if there is one. */
static const coset_array *choose_array(const coset_graph *graph, const coset_array *arrays,
                                       int64_t n)
{
    const char *const names[] = {coset_graph_input_name(graph, 0), "x_test", "x"};
    if (n == 1) return arrays;
    for (int c = 0; c < 3; c++)
        for (int64_t k = 0; k < n; k++)
            if (names[c] != NULL && arrays[k].name != NULL && strcmp(arrays[k].name, names[c]) == 0)
                return &arrays[k];
    return NULL;
}

/* One sample as a vector: the array itself if it has one axis, otherwise a row of it. */
static int choose_row(const encode_flags *flags, const coset_array *from, coset_array *sample_out)
{
    int64_t rows = from->rank > 1 ? from->dims[0] : 1, n = 1;
    for (int a = from->rank > 1 ? 1 : 0; a < from->rank; a++) n *= from->dims[a];
    if (flags->row >= rows) {
        complain("%s: there is no row %lld, only %lld", flags->input, (long long)flags->row,
                 (long long)rows);
        return EXIT_USAGE;
    }
    if (from->bytes % (size_t)rows != 0) {
        complain("%s: rows of %s do not end with a byte", flags->input,
                 coset_dtype_name(from->dtype));
        return EXIT_USAGE;
    }
    size_t bytes = from->bytes / (size_t)rows;
    *sample_out = (coset_array){
        .dtype = from->dtype, .rank = 1, .dims = {n}, .data = from->data, .bytes = bytes};
    if (bytes > 0) sample_out->data = (const char *)from->data + bytes * (size_t)flags->row;
    return 0;
}

static int load_sample(coset_ctx *ctx, const encode_flags *flags, const coset_graph *graph,
                       coset_array **arrays_out, int64_t *n_out, coset_array *sample_out)
{
    coset_status status = coset_arrays_load(ctx, flags->input, arrays_out, n_out);
    if (status != COSET_OK) return complain_status(ctx, status);
    const coset_array *chosen = choose_array(graph, *arrays_out, *n_out);
    if (chosen != NULL) return choose_row(flags, chosen, sample_out);
    complain("%s: none of its %lld arrays has the name of the model's input", flags->input,
             (long long)*n_out);
    return EXIT_USAGE;
}

/* ---- the work ----------------------------------------------------------------------------------- */

static int write_model(coset_ctx *ctx, const encode_flags *flags, const coset_ode *ode,
                       coset_report *report)
{
    coset_status status = coset_ode_save(ctx, ode, flags->out);
    if (status == COSET_OK) status = coset_report_add_output(ctx, report, flags->out);
    if (status != COSET_OK) return complain_status(ctx, status);
    return report_print(ctx, report, flags->common.json);
}

static int encode(encode_flags *flags)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL;
    coset_data *data = NULL;
    coset_array *arrays = NULL, sample;
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    int64_t n_arrays = 0;
    int code = context_make(&flags->common, &ctx);
    if (code != 0) return code;
    coset_status status = coset_graph_load(ctx, flags->model, &graph);
    if (status != COSET_OK) code = complain_status(ctx, status);
    if (code == 0) code = data_flags_load(ctx, &flags->data, &data);
    if (code == 0 && flags->input != NULL) {
        code = load_sample(ctx, flags, graph, &arrays, &n_arrays, &sample);
        flags->options.input = &sample;
    }
    if (code == 0) {
        flags->options.data = data;
        status = coset_ode_encode(ctx, graph, &flags->options, &ode, &report);
        code = status == COSET_OK ? write_model(ctx, flags, ode, report)
                                  : complain_status(ctx, status);
    }
    coset_report_free(ctx, report);
    coset_ode_free(ctx, ode);
    coset_arrays_free(ctx, arrays, n_arrays);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return code;
}

/* ---- flags -------------------------------------------------------------------------------------- */

/* What only one drift knows. */
static int check_drift(encode_flags *flags)
{
    static const char *const names[] = {"linear", "polynomial", "exact"};
    const char *given = flags->degree_given  ? "--degree"
                        : flags->split       ? "--split"
                        : flags->range.n > 0 ? "--range"
                                             : NULL;
    if (given != NULL && flags->drift != COSET_ODE_POLYNOMIAL) {
        complain("%s belongs to --drift polynomial, not to %s", given, names[flags->drift]);
        return EXIT_USAGE;
    }
    if (flags->range.n > 0 && flags->data.path != NULL) {
        complain("--range and --data: the data decides the ranges");
        return EXIT_USAGE;
    }
    if (flags->range.n > 0 &&
        (flags->range.n != 2 || !(flags->range.values[0] < flags->range.values[1]))) {
        complain("--range must be A,B with A below B");
        return EXIT_USAGE;
    }
    if (flags->row_given && flags->input == NULL) {
        complain("--row is of the array of --input, but there is none");
        return EXIT_USAGE;
    }
    flags->options.drift = (coset_ode_drift)flags->drift;
    flags->options.degree = (int)flags->degree;
    flags->options.split = flags->split;
    if (flags->range.n == 2) {
        flags->options.low = flags->range.values[0];
        flags->options.high = flags->range.values[1];
    }
    return 0;
}

static int check(encode_flags *flags, const parsed *found)
{
    path_set paths = {.n_inputs = 0};
    if (found->n_positional < 1) return missing(&verb_ode_encode, "a MODEL");
    if (flags->out == NULL) return missing(&verb_ode_encode, "-o OUT.ode");
    flags->model = found->positional[0];
    int code = check_drift(flags);
    if (code != 0) return code;
    if (!has_suffix(flags->out, ".ode")) {
        complain("%s: a model's name (-o) ends in .ode", flags->out);
        return EXIT_USAGE;
    }
    paths_read(&paths, "MODEL", flags->model);
    paths_read(&paths, "--input", flags->input);
    code = data_flags_check(&flags->data, &paths);
    paths_write(&paths, "-o", flags->out);
    return code == 0 ? paths_check(&paths, flags->force) : code;
}

static int run_parsed(encode_flags *flags, const option *options, int n, int argc, char **argv)
{
    parsed found;
    int code = options_parse(&verb_ode_encode, options, n, 1, false, argc, argv, &found);
    if (code == 0 && found.help) {
        options_help(&verb_ode_encode, options, n, NULL);
    } else if (code == 0) {
        code = check(flags, &found);
        if (code == 0) code = encode(flags);
    }
    return code;
}

static int run(int argc, char **argv)
{
    encode_flags flags = {.data = DATA_FLAGS_INIT, .options = COSET_ODE_ENCODE_OPTIONS_INIT};
    flags.degree = flags.options.degree;
    const option options[] = {
        {"-o", "OUT", "the system (.ode)", OPTION_TEXT, &flags.out, 0, 0, NULL, NULL},
        {"--drift", "D",
         "linear (default): what afde compares; polynomial: activations as polynomials; exact: "
         "tanh and sigmoid",
         OPTION_CHOICE, &flags.drift, 0, 0, "linear|polynomial|exact", NULL},
        {"--degree", "D", "of the polynomials of other activations, 1 to 16 (default 5)",
         OPTION_INTEGER, &flags.degree, 1, 16, NULL, &flags.degree_given},
        {"--range", "A,B", "where the polynomials fit, if there is no --data", OPTION_REALS,
         &flags.range, 0, 0, NULL, NULL},
        {"--split", NULL, "sums in variables of their own, so that equations stay short",
         OPTION_SWITCH, &flags.split, 0, 0, NULL, NULL},
        {"--input", "X", "sample that sets the inputs (.npy or .npz)", OPTION_TEXT, &flags.input, 0,
         0, NULL, NULL},
        {"--row", "I", "row of X (default 0)", OPTION_INTEGER, &flags.row, 0, 9e15, NULL,
         &flags.row_given},
        ODE_FORCE_OPTION(&flags.force),
        COMMON_JSON(&flags.common),
        OPTION_TITLE("data"),
        DATA_OPTIONS(&flags.data),
        OPTION_TITLE("running"),
        COMMON_SEED(&flags.common),
        COMMON_THREADS(&flags.common),
        COMMON_QUIET(&flags.common),
        COMMON_VERBOSE(&flags.common)};
    int code = run_parsed(&flags, options, (int)(sizeof options / sizeof *options), argc, argv);
    free(flags.range.values);
    data_flags_free(&flags.data);
    return code;
}

const verb verb_ode_encode = {"ode encode", "MODEL -o OUT.ode [--drift D] [--input X] ...",
                              "A dense network as an ODE system.", run};
