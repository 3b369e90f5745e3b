#include <math.h>
#include <string.h>

#include "api/folder.h"
#include "api/ode.h"
#include "api/ode_pairs.h"
#include "data/glycolysis.h"
#include "data/npz.h"

/* A column whose deviation is below this share of its largest value only shows the integrator's error,
 * which is about 1e-8 of it. */
#define NO_CHANGE 1e-6

static const char *const glycolysis_names[GLYCOLYSIS_SPECIES] = {"S1", "S2", "S3", "S4",
                                                                 "S5", "S6", "S7"};

/* One matrix over all rows, and its columns that change. */
typedef struct side {
    double *values;           /* [rows, n] */
    int64_t *kept;            /* [n_kept] ascending */
    double *mean, *deviation; /* [n_kept] */
    int64_t n_kept;
} side;

typedef struct dataset {
    coset_ctx *ctx;
    const coset_ode *ode; /* NULL: glycolysis */
    const char *folder;
    ode_system *system;
    pair_plan plan;
    side x, y;
    int64_t n_train, n_test; /* rows */
} dataset;

static void side_free(coset_ctx *ctx, side *self)
{
    ctx_free(ctx, self->values);
    ctx_free(ctx, self->kept);
    ctx_free(ctx, self->mean);
    ctx_free(ctx, self->deviation);
}

static void dataset_free(dataset *self)
{
    side_free(self->ctx, &self->x);
    side_free(self->ctx, &self->y);
    pair_plan_free(&self->plan);
    system_free(self->system);
}

static const char *name_of(const dataset *self, int64_t variable)
{
    return self->ode == NULL ? glycolysis_names[variable]
                             : self->ode->model->variables[variable].name;
}

/* ---- numbers ----------------------------------------------------------------------------------- */

/* Whole trajectories go to the test part, the last ones: each is drawn independently. */
static void split(dataset *self, double share)
{
    int64_t all = self->plan.trajectories, n_test = (int64_t)floor((double)all * share + 0.5);
    n_test = n_test < 1 ? 1 : n_test > all - 1 ? all - 1 : n_test;
    self->n_test = n_test * self->plan.pairs;
    self->n_train = (all - n_test) * self->plan.pairs;
}

/* Mean and deviation (of the population) of column c of the training rows. False: it never changes. */
static bool column_moments(const double *values, int64_t rows, int64_t n, int64_t c,
                           double *mean_out, double *deviation_out)
{
    double sum = 0, squares = 0, most = 0;
    for (int64_t r = 0; r < rows; r++) {
        sum += values[r * n + c];
        most = fmax(most, fabs(values[r * n + c]));
    }
    *mean_out = sum / (double)rows;
    for (int64_t r = 0; r < rows; r++) {
        double gap = values[r * n + c] - *mean_out;
        squares += gap * gap;
    }
    *deviation_out = sqrt(squares / (double)rows);
    return *deviation_out > NO_CHANGE * most && isfinite(*deviation_out);
}

static coset_status choose_columns(const dataset *self, side *which, const char *name)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    int64_t n = self->plan.n;
    TRY(ctx_alloc(ctx, n, sizeof *which->kept, &which->kept));
    TRY(ctx_alloc(ctx, n, sizeof *which->mean, &which->mean));
    TRY(ctx_alloc(ctx, n, sizeof *which->deviation, &which->deviation));
    for (int64_t c = 0; c < n; c++) {
        int64_t k = which->n_kept;
        if (!column_moments(which->values, self->n_train, n, c, &which->mean[k],
                            &which->deviation[k]))
            continue;
        which->kept[k] = c;
        which->n_kept++;
    }
    if (which->n_kept == 0)
        FAIL(ctx, COSET_EARGUMENT, "no column of %s changes: there is nothing to learn", name);
done:
    return status;
}

static coset_status make_numbers(dataset *self, const coset_ode_dataset_options *options)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const ode_model *model = self->ode != NULL ? self->ode->model : NULL;
    if (model != NULL) TRY(system_from_model(model, false, &self->system));
    TRY(pair_plan_make(&self->plan, ctx, self->system, model != NULL ? model->t_end : NAN,
                       options));
    split(self, options->test_share);
    int64_t rows = self->n_train + self->n_test, n = self->plan.n;
    TRY(ctx_alloc_raw(ctx, rows * n, sizeof *self->x.values, &self->x.values));
    TRY(ctx_alloc_raw(ctx, rows * n, sizeof *self->y.values, &self->y.values));
    TRY(pair_plan_run(&self->plan, self->x.values, self->y.values));
    TRY(choose_columns(self, &self->x, "x"));
    TRY(choose_columns(self, &self->y, "y"));
done:
    return self->ode != NULL ? ode_fail(ctx, status, self->ode) : status;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* Rows of one part, standardised. */
static coset_status part_tensor(const dataset *self, const side *which, int64_t first,
                                int64_t count, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const int64_t n = self->plan.n, width = which->n_kept;
    const shape dims = {.rank = 2, .dims = {count, width}};
    float *numbers = NULL;
    TRY(ctx_alloc_raw(ctx, count * width, sizeof *numbers, &numbers));
    for (int64_t r = 0; r < count; r++)
        for (int64_t k = 0; k < width; k++)
            numbers[r * width + k] =
                (float)((which->values[(first + r) * n + which->kept[k]] - which->mean[k]) /
                        which->deviation[k]);
    TRY(tensor_new(ctx, COSET_F32, &dims, numbers, (size_t)(count * width) * sizeof *numbers,
                   tensor_out));
    numbers = NULL;
    int64_t bad = tensor_find_nonfinite(*tensor_out);
    if (bad >= 0)
        FAIL(ctx, COSET_ENUMERIC, "%s is out of range in trajectory %lld",
             name_of(self, which->kept[bad % width]),
             (long long)((first + bad / width) / self->plan.pairs));
done:
    ctx_free(ctx, numbers);
    return status;
}

enum { X_TRAIN, Y_TRAIN, X_TEST, Y_TEST, X_MEAN, X_STD, Y_MEAN, Y_STD, ARRAYS };

static coset_status make_tensors(const dataset *self, tensor *made[ARRAYS])
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const shape x_row = {.rank = 1, .dims = {self->x.n_kept}};
    const shape y_row = {.rank = 1, .dims = {self->y.n_kept}};
    TRY(part_tensor(self, &self->x, 0, self->n_train, &made[X_TRAIN]));
    TRY(part_tensor(self, &self->y, 0, self->n_train, &made[Y_TRAIN]));
    TRY(part_tensor(self, &self->x, self->n_train, self->n_test, &made[X_TEST]));
    TRY(part_tensor(self, &self->y, self->n_train, self->n_test, &made[Y_TEST]));
    TRY(tensor_from_f64(ctx, COSET_F64, &x_row, self->x.mean, &made[X_MEAN]));
    TRY(tensor_from_f64(ctx, COSET_F64, &x_row, self->x.deviation, &made[X_STD]));
    TRY(tensor_from_f64(ctx, COSET_F64, &y_row, self->y.mean, &made[Y_MEAN]));
    TRY(tensor_from_f64(ctx, COSET_F64, &y_row, self->y.deviation, &made[Y_STD]));
done:
    return status;
}

static coset_status save_data(const dataset *self, coset_report *report)
{
    static const char *const names[ARRAYS] = {"x_train", "y_train", "x_test", "y_test",
                                              "x_mean",  "x_std",   "y_mean", "y_std"};
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    tensor *made[ARRAYS] = {NULL};
    npz_array arrays[ARRAYS];
    char *path = NULL;
    TRY(make_tensors(self, made));
    for (int k = 0; k < ARRAYS; k++) arrays[k] = (npz_array){names[k], made[k]};
    TRY(folder_path(ctx, self->folder, "data.npz", &path));
    TRY(npz_write(ctx, path, arrays, ARRAYS));
    TRY(coset_report_add_output(ctx, report, path));
done:
    for (int k = 0; k < ARRAYS; k++) tensor_release(ctx, made[k]);
    ctx_free(ctx, path);
    return status;
}

static coset_status save_model(const dataset *self, coset_report *report)
{
    coset_status status = COSET_OK;
    char *path = NULL;
    if (self->ode == NULL) return COSET_OK;
    TRY(folder_path(self->ctx, self->folder, "model.ode", &path));
    TRY(coset_ode_save(self->ctx, self->ode, path));
    TRY(coset_report_add_output(self->ctx, report, path));
done:
    ctx_free(self->ctx, path);
    return status;
}

/* ---- the report -------------------------------------------------------------------------------- */

/* Moves `at` to the column or behind it; columns are asked for in ascending order. */
static bool keeps(const side *which, int64_t *at, int64_t column)
{
    while (*at < which->n_kept && which->kept[*at] < column) ++*at;
    return *at < which->n_kept && which->kept[*at] == column;
}

static coset_status report_columns(const dataset *self, report_node *root)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *columns = NULL, *list = NULL;
    TRY(report_object(ctx, root, "columns", &columns));
    TRY(report_count(ctx, columns, "x", self->x.n_kept));
    TRY(report_count(ctx, columns, "y", self->y.n_kept));
    TRY(report_list(ctx, columns, "x_names", &list));
    for (int64_t k = 0; k < self->x.n_kept; k++)
        TRY(report_add_text(ctx, list, name_of(self, self->x.kept[k])));
    TRY(report_list(ctx, columns, "y_names", &list));
    for (int64_t k = 0; k < self->y.n_kept; k++)
        TRY(report_add_text(ctx, list, name_of(self, self->y.kept[k])));
    TRY(report_list(ctx, root, "left_out", &list));
    for (int64_t c = 0, x = 0, y = 0; c < self->plan.n; c++) {
        bool in_x = keeps(&self->x, &x, c), in_y = keeps(&self->y, &y, c);
        if (!in_x || !in_y) TRY(report_add_text(ctx, list, name_of(self, c)));
    }
done:
    return status;
}

static coset_status fill_report(const dataset *self, const coset_ode_dataset_options *options,
                                coset_report *report)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *root = report_root(report), *rows = NULL;
    const pair_plan *plan = &self->plan;
    if (self->ode == NULL) TRY(report_text(ctx, root, "model", "glycolysis"));
    TRY(report_text(ctx, root, "folder", self->folder));
    TRY(report_text(ctx, root, "target", plan->derivative ? "derivative" : "next"));
    if (!plan->derivative) TRY(report_real(ctx, root, "dt", plan->dt));
    TRY(report_real(ctx, root, "t_end", plan->t_end));
    TRY(report_count(ctx, root, "variables", plan->n));
    TRY(report_count(ctx, root, "trajectories", plan->trajectories));
    TRY(report_count(ctx, root, "pairs", plan->pairs));
    if (self->ode != NULL) TRY(report_real(ctx, root, "spread", options->spread));
    TRY(report_object(ctx, root, "rows", &rows));
    TRY(report_count(ctx, rows, "train", self->n_train));
    TRY(report_count(ctx, rows, "test", self->n_test));
    TRY(report_columns(self, root));
done:
    return status;
}

coset_status coset_ode_dataset(coset_ctx *ctx, const coset_ode *ode,
                               const coset_ode_dataset_options *options, const char *folder,
                               coset_report **report_out)
{
    coset_status status = COSET_OK;
    const coset_ode_dataset_options defaults = COSET_ODE_DATASET_OPTIONS_INIT;
    dataset self = {.ctx = ctx, .ode = ode, .folder = folder};
    coset_report *report = NULL;
    double start = report_clock();
    if (report_out != NULL) *report_out = NULL;
    if (options == NULL) options = &defaults;
    TRY(ode_report_new(ctx, "ode dataset", ode, &report));
    TRY(make_numbers(&self, options));
    TRY(folder_make(ctx, folder));
    TRY(save_data(&self, report));
    TRY(save_model(&self, report));
    TRY(fill_report(&self, options, report));
    TRY(report_finish(ctx, report, start));
    if (report_out != NULL) {
        *report_out = report;
        report = NULL;
    }
done:
    coset_report_free(ctx, report);
    dataset_free(&self);
    return status;
}
