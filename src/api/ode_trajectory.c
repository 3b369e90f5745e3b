#include "api/ode_trajectory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "data/npz.h"
#include "report/plot.h"

void coset_trajectory_free(coset_ctx *ctx, coset_trajectory *trajectory)
{
    if (trajectory == NULL) return;
    arena_free(ctx, &trajectory->arena);
    ctx_free(ctx, trajectory->times);
    ctx_free(ctx, trajectory->values);
    ctx_free(ctx, (void *)trajectory->names);
    ctx_free(ctx, trajectory->beside);
    ctx_free(ctx, trajectory);
}

coset_status trajectory_new(coset_ctx *ctx, const char *title, const double *times, int64_t n_times,
                            int64_t n_columns, coset_trajectory **trajectory_out)
{
    coset_status status = COSET_OK;
    coset_trajectory *self = NULL;
    int64_t n_values = 0;
    *trajectory_out = NULL;
    if (!dim_mul(n_times, n_columns, &n_values))
        FAIL(ctx, COSET_ELIMIT, "%lld times %lld columns are too many", (long long)n_times,
             (long long)n_columns);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n_times = n_times;
    self->n_columns = n_columns;
    TRY(arena_string(ctx, &self->arena, title, strlen(title), &self->title));
    TRY(ctx_alloc(ctx, n_times, sizeof *self->times, &self->times));
    TRY(ctx_alloc(ctx, n_values, sizeof *self->values, &self->values));
    TRY(ctx_alloc(ctx, n_columns, sizeof *self->names, (void *)&self->names));
    TRY(ctx_alloc(ctx, n_columns, sizeof *self->beside, &self->beside));
    memcpy(self->times, times, (size_t)n_times * sizeof *times);
    for (int64_t c = 0; c < n_columns; c++) self->beside[c] = -1;
    *trajectory_out = self;
    self = NULL;
done:
    coset_trajectory_free(ctx, self);
    return status;
}

coset_status trajectory_name(coset_ctx *ctx, coset_trajectory *self, int64_t column,
                             const char *name, bool reduced)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    TRY(ctx_format(ctx, &text, "%s%s", name, reduced ? ".reduced" : ""));
    TRY(arena_string(ctx, &self->arena, text, strlen(text), &self->names[column]));
done:
    ctx_free(ctx, text);
    return status;
}

coset_status trajectory_check(coset_ctx *ctx, const coset_trajectory *self)
{
    for (int64_t k = 0; k < self->n_times; k++)
        for (int64_t c = 0; c < self->n_columns; c++)
            if (!isfinite(self->values[k * self->n_columns + c]))
                return ctx_fail(ctx, COSET_ENUMERIC, "'%s' has no finite value at t = %.6g",
                                self->names[c], self->times[k]);
    return COSET_OK;
}

int64_t coset_trajectory_times(const coset_trajectory *trajectory, const double **times)
{
    if (times != NULL) *times = trajectory->times;
    return trajectory->n_times;
}

int64_t coset_trajectory_columns(const coset_trajectory *trajectory, const double **values)
{
    if (values != NULL) *values = trajectory->values;
    return trajectory->n_columns;
}

const char *coset_trajectory_name(const coset_trajectory *trajectory, int64_t column)
{
    return column >= 0 && column < trajectory->n_columns ? trajectory->names[column] : NULL;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* Name of the column of times: "t", unless a variable has that name. */
static const char *time_name(const coset_trajectory *self)
{
    static const char *const names[] = {"t", "time", "t.time"}; /* no variable has a dot */
    for (int k = 0; k < 2; k++) {
        bool taken = false;
        for (int64_t c = 0; c < self->n_columns && !taken; c++)
            taken = strcmp(self->names[c], names[k]) == 0;
        if (!taken) return names[k];
    }
    return names[2];
}

static coset_status put_number(file_writer *writer, double value, char end)
{
    char text[40];
    int length = snprintf(text, sizeof text, "%.17g%c", value, end);
    return file_writer_put(writer, text, (size_t)length);
}

static coset_status put_text(file_writer *writer, const char *text)
{
    return file_writer_put(writer, text, strlen(text));
}

static coset_status save_csv(coset_ctx *ctx, const coset_trajectory *self, const char *path)
{
    coset_status status = COSET_OK;
    file_writer *writer = NULL;
    const int64_t n = self->n_columns;
    TRY(file_writer_open(ctx, path, &writer));
    TRY(put_text(writer, time_name(self)));
    for (int64_t c = 0; c < n; c++) {
        TRY(put_text(writer, ","));
        TRY(put_text(writer, self->names[c]));
    }
    TRY(put_text(writer, "\n"));
    for (int64_t k = 0; k < self->n_times; k++) {
        TRY(put_number(writer, self->times[k], n > 0 ? ',' : '\n'));
        for (int64_t c = 0; c < n; c++)
            TRY(put_number(writer, self->values[k * n + c], c + 1 < n ? ',' : '\n'));
    }
    status = file_writer_commit(writer);
    writer = NULL;
done:
    file_writer_abort(writer);
    return status;
}

/* One array for the times and one for each column, which lies in `columns` (n_columns, n_times). */
static coset_status save_columns(coset_ctx *ctx, const coset_trajectory *self, const char *path,
                                 const double *columns)
{
    coset_status status = COSET_OK;
    coset_array *arrays = NULL;
    TRY(ctx_alloc(ctx, self->n_columns + 1, sizeof *arrays, &arrays));
    for (int64_t c = 0; c <= self->n_columns; c++)
        arrays[c] = (coset_array){.name = c == 0 ? time_name(self) : self->names[c - 1],
                                  .dtype = COSET_F64,
                                  .rank = 1,
                                  .dims = {self->n_times},
                                  .data = c == 0 ? self->times : columns + (c - 1) * self->n_times,
                                  .bytes = (size_t)self->n_times * sizeof(double)};
    TRY(coset_arrays_save(ctx, path, arrays, self->n_columns + 1));
done:
    ctx_free(ctx, arrays);
    return status;
}

static coset_status save_npz(coset_ctx *ctx, const coset_trajectory *self, const char *path)
{
    coset_status status = COSET_OK;
    double *columns = NULL;
    /* Rows start where numbers may, whatever n_times is. */
    TRY(ctx_alloc(ctx, self->n_times * self->n_columns, sizeof *columns, &columns));
    for (int64_t k = 0; k < self->n_times; k++)
        for (int64_t c = 0; c < self->n_columns; c++)
            columns[c * self->n_times + k] = self->values[k * self->n_columns + c];
    TRY(save_columns(ctx, self, path, columns));
done:
    ctx_free(ctx, columns);
    return status;
}

static coset_status save_svg(coset_ctx *ctx, const coset_trajectory *self, const char *path)
{
    coset_status status = COSET_OK;
    plot_line *lines = NULL;
    char *text = NULL;
    TRY(ctx_alloc(ctx, self->n_columns, sizeof *lines, &lines));
    for (int64_t c = 0; c < self->n_columns; c++)
        lines[c] = (plot_line){self->names[c], self->beside[c]};
    const plot drawn = {self->title, "t",           self->times,    self->values,
                        lines,       self->n_times, self->n_columns};
    TRY(plot_svg(ctx, &drawn, &text));
    TRY(file_write(ctx, path, text, strlen(text)));
done:
    ctx_free(ctx, lines);
    ctx_free(ctx, text);
    return status;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

coset_status coset_trajectory_save(coset_ctx *ctx, const coset_trajectory *trajectory,
                                   const char *path)
{
    if (ends_with(path, ".csv")) return save_csv(ctx, trajectory, path);
    if (ends_with(path, ".npz")) return save_npz(ctx, trajectory, path);
    if (ends_with(path, ".svg")) return save_svg(ctx, trajectory, path);
    return ctx_fail(ctx, COSET_EARGUMENT, "%s: a trajectory's name ends in .csv, .npz or .svg",
                    path);
}
