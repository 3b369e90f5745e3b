/* coset_demo: data, a network trained on it, and every method side by side. */
#include <coset/demo.h>

#include <coset/compress.h>

#include "api/eval.h"
#include "api/folder.h"
#include "data/glycolysis.h"
#include "data/npz.h"
#include "report/report.h"
#include "train/adam.h"

/* Streams of the seed (base/rng.h). */
enum { STREAM_WEIGHTS = 0xDE30, STREAM_ORDER = 0xDE31 };
enum { LAYERS = 4, MAX_SETTINGS = 3 };

static const int64_t widths[LAYERS + 1] = {GLYCOLYSIS_SPECIES, 128, 128, 128, GLYCOLYSIS_SPECIES};

/* One line of the table: what `coset compress` is given beside --params. */
typedef struct entry {
    const char *name; /* as the table shows it */
    const char *file; /* start of the files' names */
    const char *method;
    bool blind; /* without data: from the weights alone */
    int64_t n_settings;
    coset_setting settings[MAX_SETTINGS];
} entry;

static const entry entries[] = {
    {"auto", "auto", "auto", false, 0, {{0}}},
    {"merge", "merge", "merge", false, 0, {{0}}},
    {"select", "select", "select", false, 0, {{0}}},
    {"afde", "afde", "afde", false, 0, {{0}}},
    {"afde, without data", "afde-no-data", "afde", true, 0, {{0}}},
    {"afde as defined, without data",
     "afde-literal",
     "afde",
     true,
     3,
     {{"afde.equivalence", "forward"}, {"afde.linkage", "single"}, {"afde.scale", "none"}}},
    {"magnitude (mask)", "magnitude", "magnitude", false, 0, {{0}}},
    {"magnitude, structured",
     "magnitude-structured",
     "magnitude",
     false,
     1,
     {{"magnitude.structured", "true"}}},
    {"wanda (mask)", "wanda", "wanda", false, 0, {{0}}},
    {"random", "random", "random", false, 0, {{0}}},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

/* Shares of the parameters that are kept, in percent. */
static const int sizes[] = {50, 26, 13, 7};
enum { SIZES = sizeof sizes / sizeof *sizes };

typedef struct demo {
    coset_ctx *ctx;
    const char *folder;
    coset_report *report;
    coset_graph *graph; /* the original and the data as read back from the folder: */
    coset_data *data;   /* every result can be had again by `coset compress` */
    coset_graph_size size;
} demo;

/* ---- the folder -------------------------------------------------------------------------------- */

/* Saves a model there; its path and digest go to the report. */
static coset_status save_model(demo *self, const coset_graph *graph, const char *name)
{
    coset_status status = COSET_OK;
    char *path = NULL;
    TRY(folder_path(self->ctx, self->folder, name, &path));
    TRY(coset_graph_save(self->ctx, graph, path));
    TRY(coset_report_add_output(self->ctx, self->report, path));
done:
    ctx_free(self->ctx, path);
    return status;
}

/* ---- data and network -------------------------------------------------------------------------- */

static coset_status y_tensor(coset_ctx *ctx, const coset_data *data, const data_part *part,
                             tensor **tensor_out)
{
    const array values = {.dtype = COSET_F32,
                          .shape = {.rank = 2, .dims = {part->rows, data->y_width}},
                          .f = part->y};
    return tensor_from_array(ctx, &values, tensor_out);
}

static coset_status save_data(demo *self, const coset_data *made)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    tensor *y_train = NULL, *y_test = NULL;
    char *path = NULL;
    TRY(y_tensor(ctx, made, &made->train, &y_train));
    TRY(y_tensor(ctx, made, &made->test, &y_test));
    const npz_array arrays[] = {{"x_train", made->train.x},
                                {"y_train", y_train},
                                {"x_test", made->test.x},
                                {"y_test", y_test}};
    TRY(folder_path(self->ctx, self->folder, "data.npz", &path));
    TRY(npz_write(ctx, path, arrays, 4));
    TRY(coset_report_add_output(ctx, self->report, path));
    TRY(coset_data_load(ctx, path, NULL, &self->data));
done:
    tensor_release(ctx, y_train);
    tensor_release(ctx, y_test);
    ctx_free(ctx, path);
    return status;
}

static coset_status make_data(demo *self)
{
    const glycolysis_options options = GLYCOLYSIS_OPTIONS_INIT;
    coset_data *made = NULL;
    coset_status status = glycolysis_data(self->ctx, &options, &made);
    if (status == COSET_OK) status = save_data(self, made);
    coset_data_free(self->ctx, made);
    return status;
}

/* Forty epochs bring the R^2 of the test part over .998 in a few seconds. */
static coset_status train(demo *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const data_part *part = &self->data->train;
    adam_options options = ADAM_OPTIONS_INIT;
    rng random = rng_seed(ctx->seed, STREAM_WEIGHTS), order = rng_seed(ctx->seed, STREAM_ORDER);
    dense_net *net = NULL;
    coset_graph *trained = NULL;
    char *path = NULL;
    options.epochs = 40;
    options.rate = 2e-3;
    options.decay = 0.1;
    TRY(dense_new(ctx, widths, LAYERS, DENSE_RELU, &random, &net));
    TRY(adam_fit(ctx, net, part->x->data, part->y, part->rows, &options, &order, NULL));
    TRY(folder_path(self->ctx, self->folder, "original.onnx", &path));
    TRY(dense_graph(ctx, net, path, &trained));
    TRY(save_model(self, trained, "original.onnx"));
    TRY(coset_graph_load(ctx, path, &self->graph));
done:
    coset_graph_free(ctx, trained);
    dense_free(ctx, net);
    ctx_free(ctx, path);
    return status;
}

static coset_status report_original(demo *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *root = report_root(self->report), *metric = NULL;
    evaluation found = {0};
    TRY(evaluate(ctx, self->graph, NULL, self->data, &self->data->test, &found));
    TRY(coset_graph_measure(ctx, self->graph, &self->size));
    TRY(report_size(ctx, root, "original", &self->size));
    TRY(report_count(ctx, root, "samples", found.samples));
    TRY(report_object(ctx, root, "metric", &metric));
    TRY(report_text(ctx, metric, "name", found.metric));
    TRY(report_real(ctx, metric, "original", found.value));
done:
    return status;
}

/* ---- methods ----------------------------------------------------------------------------------- */

/* What gives the same model on the command line, beside the model and -o. */
static coset_status add_flags(demo *self, const entry *one, int percent, report_node *row)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    char *flags = NULL, *longer = NULL;
    TRY(ctx_format(ctx, &flags, "--method %s", one->method));
    for (int64_t i = 0; i < one->n_settings; i++) {
        TRY(ctx_format(ctx, &longer, "%s --%s %s", flags, one->settings[i].name,
                       one->settings[i].value));
        ctx_free(ctx, flags);
        flags = longer;
    }
    TRY(ctx_format(ctx, &longer, "%s --params %d%%%s", flags, percent,
                   one->blind ? "" : " --data data.npz"));
    ctx_free(ctx, flags);
    flags = longer;
    TRY(report_text(ctx, row, "flags", flags));
done:
    ctx_free(ctx, flags);
    return status;
}

/* One row of "results". */
static coset_status add_result(demo *self, const entry *one, int percent, bool reached,
                               const char *file, const coset_graph *small, double seconds)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *results = NULL, *row = NULL;
    coset_graph_size size;
    evaluation found = {0};
    TRY(coset_graph_measure(ctx, small, &size));
    TRY(evaluate(ctx, small, self->graph, self->data, &self->data->test, &found));
    TRY(report_list(ctx, report_root(self->report), "results", &results));
    TRY(report_add_object(ctx, results, &row));
    TRY(report_text(ctx, row, "method", one->name));
    TRY(add_flags(self, one, percent, row));
    TRY(report_real(ctx, row, "target", (double)percent / 100));
    TRY(report_flag(ctx, row, "reached", reached));
    TRY(report_count(ctx, row, "params", size.params));
    TRY(report_count(ctx, row, "nonzero", size.nonzero));
    TRY(report_count(ctx, row, "macs", size.macs));
    TRY(report_real(ctx, row, "share", (double)size.nonzero / (double)self->size.params));
    TRY(report_real(ctx, row, "metric", found.value));
    TRY(report_real(ctx, row, "rel_l2", found.rel_l2));
    TRY(report_real(ctx, row, "seconds", seconds));
    TRY(report_text(ctx, row, "file", file));
done:
    return status;
}

static coset_status compress_one(demo *self, const entry *one, int percent)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *small = NULL;
    coset_report *found = NULL;
    char *file = NULL;
    options.method = one->method;
    options.rule = COSET_RULE_PARAMS;
    options.value = (double)percent / 100;
    options.settings = one->settings;
    options.n_settings = one->n_settings;
    TRY(ctx_format(ctx, &file, "%s-%d.onnx", one->file, percent));
    status =
        coset_compress(ctx, self->graph, one->blind ? NULL : self->data, &options, &small, &found);
    bool reached = status == COSET_OK;
    if (!reached && status != COSET_ETARGET) goto done;
    TRY(save_model(self, small, file));
    TRY(add_result(self, one, percent, reached, file, small,
                   coset_report_number(found, "seconds", 0)));
done:
    coset_report_free(ctx, found);
    coset_graph_free(ctx, small);
    ctx_free(ctx, file);
    return status;
}

/* One bar for all of it, instead of one for every stage of every job. */
static coset_status compress_all(demo *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const coset_progress_fn progress = ctx->progress;
    for (int i = 0; i < ENTRIES * SIZES; i++) {
        ctx_progress(ctx, "compress", i, ENTRIES * SIZES);
        ctx->progress = NULL;
        status = compress_one(self, &entries[i / SIZES], sizes[i % SIZES]);
        ctx->progress = progress;
        if (status != COSET_OK) goto done;
    }
    ctx_progress(ctx, "compress", ENTRIES * SIZES, ENTRIES * SIZES);
done:
    return status;
}

coset_status coset_demo(coset_ctx *ctx, const char *folder, coset_report **report_out)
{
    coset_status status = COSET_OK;
    demo self = {.ctx = ctx, .folder = folder};
    double start = report_clock();
    *report_out = NULL;
    TRY(folder_make(ctx, folder));
    TRY(report_new(ctx, REPORT_DEMO, &self.report));
    TRY(report_text(ctx, report_root(self.report), "folder", folder));
    TRY(make_data(&self));
    TRY(train(&self));
    TRY(report_original(&self));
    TRY(compress_all(&self));
    TRY(report_finish(ctx, self.report, start));
    *report_out = self.report;
    self.report = NULL;
done:
    coset_graph_free(ctx, self.graph);
    coset_data_free(ctx, self.data);
    coset_report_free(ctx, self.report);
    return status;
}
