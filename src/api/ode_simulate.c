#include "api/ode_reduction.h"
#include "api/ode_trajectory.h"

#include <math.h>
#include <string.h>

enum { MOST_TIMES = 10000000 };

/* What is simulated: the model, or also its reduction. */
typedef struct simulation {
    coset_ctx *ctx;
    const coset_ode *ode;
    const coset_ode_simulate_options *options;
    integrate_options integrate;
    ode_system *system;       /* numeric */
    ode_reduction reduction;  /* where options->reduce asks for it */
    ode_model *reduced_model; /* where its views are wanted too; NULL */
    double *times;            /* [n_times] */
    double *states, *reduced; /* (n_times, n) and (n_times, blocks) */
    int64_t n_times;
} simulation;

static void simulation_free(simulation *self)
{
    system_free(self->system);
    ode_reduction_free(self->ctx, &self->reduction);
    model_free(self->reduced_model);
    ctx_free(self->ctx, self->times);
    ctx_free(self->ctx, self->states);
    ctx_free(self->ctx, self->reduced);
}

/* ---- options ------------------------------------------------------------------------------------ */

static coset_status check_options(coset_ctx *ctx, const coset_ode *ode,
                                  const coset_ode_simulate_options *options)
{
    if (options->method != COSET_ODE_BDF && options->method != COSET_ODE_ADAMS)
        return ctx_fail(ctx, COSET_EARGUMENT, "the method is bdf or adams");
    if (!(options->rtol > 0) || !isfinite(options->rtol) || !(options->atol > 0) ||
        !isfinite(options->atol))
        return ctx_fail(ctx, COSET_EARGUMENT, "rtol and atol must be numbers over 0");
    if (options->views != 0 && ode->model->n_views == 0)
        return ctx_fail(ctx, COSET_EARGUMENT, "%s: the model has no views", ode_source(ode));
    return COSET_OK;
}

static coset_status given_times(simulation *self)
{
    coset_ctx *ctx = self->ctx;
    const double *times = self->options->times;
    int64_t n = self->options->n_times;
    if (n < 2 || n > MOST_TIMES || times[0] != 0)
        return ctx_fail(ctx, COSET_EARGUMENT, "times are 0 and at least one more, at most %d",
                        MOST_TIMES);
    for (int64_t k = 1; k < n; k++)
        if (!(times[k] > times[k - 1]) || !isfinite(times[k]))
            return ctx_fail(ctx, COSET_EARGUMENT, "times must ascend: %.17g follows %.17g",
                            times[k], times[k - 1]);
    self->n_times = n;
    coset_status status = ctx_alloc(ctx, n, sizeof *self->times, &self->times);
    if (status == COSET_OK) memcpy(self->times, times, (size_t)n * sizeof *times);
    return status;
}

static coset_status choose_times(simulation *self)
{
    coset_ctx *ctx = self->ctx;
    const coset_ode_simulate_options *options = self->options;
    double t_end = isnan(options->t_end) ? self->ode->model->t_end : options->t_end;
    if (options->times != NULL) return given_times(self);
    if (isnan(t_end))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "%s: no simulateODE command says when to end; give a time (--t-end)",
                        ode_source(self->ode));
    if (!(t_end > 0) || !isfinite(t_end))
        return ctx_fail(ctx, COSET_EARGUMENT, "the time to end must be over 0, not %g", t_end);
    if (options->steps < 1 || options->steps >= MOST_TIMES)
        return ctx_fail(ctx, COSET_EARGUMENT, "there may be 1 to %d steps", MOST_TIMES - 1);
    self->n_times = options->steps + 1;
    coset_status status = ctx_alloc(ctx, self->n_times, sizeof *self->times, &self->times);
    for (int64_t k = 0; status == COSET_OK && k < self->n_times; k++)
        self->times[k] = t_end * (double)k / (double)options->steps;
    return status;
}

/* ---- integration --------------------------------------------------------------------------------- */

static coset_status run_reduced(simulation *self)
{
    coset_status status = COSET_OK;
    ode_reduction *reduction = &self->reduction;
    const coset_ode_reduce_options *options = self->options->reduce;
    TRY(ode_reduction_find(self->ctx, self->ode, options, reduction));
    if (self->options->views != 0)
        TRY(ode_reduction_model(self->ctx, self->ode, reduction, options->eps,
                                &self->reduced_model));
    TRY(ctx_alloc(self->ctx, self->n_times * reduction->blocks.n_blocks, sizeof *self->reduced,
                  &self->reduced));
    status = ode_reduction_simulate(reduction, self->times, self->n_times, &self->integrate,
                                    "reduced system", self->reduced);
    if (status != COSET_OK) status = ode_fail(self->ctx, status, self->ode);
done:
    return status;
}

static coset_status run(simulation *self)
{
    coset_status status = COSET_OK;
    const coset_ode_simulate_options *options = self->options;
    self->integrate = (integrate_options)INTEGRATE_OPTIONS_INIT;
    self->integrate.method = options->method == COSET_ODE_BDF ? INTEGRATE_BDF : INTEGRATE_ADAMS;
    self->integrate.rtol = options->rtol;
    self->integrate.atol = options->atol;
    status = system_from_model(self->ode->model, false, &self->system);
    if (status != COSET_OK) return ode_fail(self->ctx, status, self->ode);
    TRY(ctx_alloc(self->ctx, self->n_times * self->system->n, sizeof *self->states, &self->states));
    status = integrate_system(self->system, NULL, self->times, self->n_times, &self->integrate,
                              "simulate", self->states);
    if (status != COSET_OK) return ode_fail(self->ctx, status, self->ode);
    if (options->reduce != NULL) TRY(run_reduced(self));
done:
    return status;
}

/* ---- columns ------------------------------------------------------------------------------------ */

/* The variables, or with a reduction each aggregate and beside it the reduced system's variable. */
static coset_status variable_columns(simulation *self, coset_trajectory **trajectory_out)
{
    coset_status status = COSET_OK;
    const bool two = self->options->reduce != NULL;
    const int64_t n = two ? self->reduction.blocks.n_blocks : self->system->n, T = self->n_times;
    const ode_system *named = two ? self->reduction.reduced : self->system;
    double *sums = NULL;
    coset_trajectory *made = NULL;
    TRY(trajectory_new(self->ctx, ode_source(self->ode), self->times, T, two ? 2 * n : n, &made));
    *trajectory_out = made; /* the caller frees it also after a failure */
    if (two) {
        TRY(ctx_alloc(self->ctx, T * n, sizeof *sums, &sums));
        ode_reduction_aggregate(&self->reduction, self->states, T, sums);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t column = two ? 2 * i : i;
        TRY(trajectory_name(self->ctx, made, column, named->names[i], false));
        if (two) TRY(trajectory_name(self->ctx, made, column + 1, named->names[i], true));
        if (two) made->beside[column + 1] = column;
        for (int64_t k = 0; k < T; k++) {
            double *row = made->values + k * made->n_columns;
            row[column] = (two ? sums : self->states)[k * n + i];
            if (two) row[column + 1] = self->reduced[k * n + i];
        }
    }
done:
    ctx_free(self->ctx, sums);
    return status;
}

static coset_status parameter_values(coset_ctx *ctx, const ode_model *model, double **values_out)
{
    coset_status status = COSET_OK;
    number *numbers = NULL;
    TRY(ctx_alloc(ctx, model->n_parameters, sizeof *numbers, &numbers));
    TRY(ctx_alloc(ctx, model->n_parameters, sizeof **values_out, values_out));
    TRY(model_parameter_values(model, numbers));
    for (int64_t p = 0; p < model->n_parameters; p++) (*values_out)[p] = numbers[p].value;
done:
    ctx_free(ctx, numbers);
    return status;
}

static void fill_view(coset_trajectory *made, int64_t column, const expression *value,
                      const double *parameters, const double *states, int64_t n)
{
    for (int64_t k = 0; k < made->n_times; k++)
        made->values[k * made->n_columns + column] =
            expression_value(value, parameters, states + k * n);
}

/* The model's views; beside each the reduced model's, where it has it. */
static coset_status view_columns(simulation *self, coset_trajectory **trajectory_out)
{
    coset_status status = COSET_OK;
    const ode_model *model = self->ode->model, *reduced = self->reduced_model;
    const int64_t n_reduced = reduced != NULL ? reduced->n_views : 0;
    double *parameters = NULL, *reduced_parameters = NULL;
    coset_trajectory *made = NULL;
    TRY(trajectory_new(self->ctx, ode_source(self->ode), self->times, self->n_times,
                       model->n_views + n_reduced, &made));
    *trajectory_out = made;
    TRY(parameter_values(self->ctx, model, &parameters));
    if (reduced != NULL) TRY(parameter_values(self->ctx, reduced, &reduced_parameters));
    for (int64_t v = 0, r = 0, column = 0; v < model->n_views; v++) {
        TRY(trajectory_name(self->ctx, made, column, model->views[v].name, false));
        fill_view(made, column++, model->views[v].value, parameters, self->states, self->system->n);
        /* Those of the reduced model are in the same order. */
        if (r == n_reduced || strcmp(reduced->views[r].name, model->views[v].name) != 0) continue;
        TRY(trajectory_name(self->ctx, made, column, model->views[v].name, true));
        made->beside[column] = column - 1;
        fill_view(made, column++, reduced->views[r++].value, reduced_parameters, self->reduced,
                  reduced->n_variables);
    }
done:
    ctx_free(self->ctx, parameters);
    ctx_free(self->ctx, reduced_parameters);
    return status;
}

/* ---- report ------------------------------------------------------------------------------------- */

static coset_status add_columns(coset_ctx *ctx, const coset_trajectory *made, report_node *root)
{
    coset_status status = COSET_OK;
    report_node *list = NULL, *row = NULL;
    const double *last = made->values + (made->n_times - 1) * made->n_columns;
    TRY(report_list(ctx, root, "columns", &list));
    for (int64_t c = 0; c < made->n_columns; c++) {
        TRY(report_add_object(ctx, list, &row));
        TRY(report_text(ctx, row, "name", made->names[c]));
        TRY(report_real(ctx, row, "first", made->values[c]));
        TRY(report_real(ctx, row, "last", last[c]));
    }
done:
    return status;
}

/* The largest difference of two columns that belong together, and the size of that column. */
static coset_status add_deviation(coset_ctx *ctx, const coset_trajectory *made, report_node *root)
{
    coset_status status = COSET_OK;
    report_node *at = NULL;
    double largest = 0, size = 0;
    int64_t worst = -1, when = 0;
    for (int64_t c = 0; c < made->n_columns; c++)
        for (int64_t k = 0; made->beside[c] >= 0 && k < made->n_times; k++) {
            const double *row = made->values + k * made->n_columns;
            double away = fabs(row[c] - row[made->beside[c]]);
            if (worst >= 0 && away <= largest) continue;
            largest = away;
            worst = made->beside[c];
            when = k;
        }
    TRY(report_object(ctx, root, "deviation", &at));
    if (worst < 0) return COSET_OK; /* no view is left in the reduced model */
    for (int64_t k = 0; k < made->n_times; k++)
        size = fmax(size, fabs(made->values[k * made->n_columns + worst]));
    TRY(report_real(ctx, at, "max_abs", largest));
    TRY(report_real(ctx, at, "relative",
                    size > 0       ? largest / size
                    : largest == 0 ? 0
                                   : (double)NAN));
    TRY(report_text(ctx, at, "column", made->names[worst]));
    TRY(report_real(ctx, at, "t", made->times[when]));
done:
    return status;
}

static coset_status add_reduction(simulation *self, const coset_trajectory *made, report_node *root)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const ode_reduction *of = &self->reduction;
    report_node *at = NULL, *sizes = NULL;
    if (self->options->reduce == NULL) return COSET_OK;
    TRY(ode_reduction_warn(ctx, self->ode, of, root));
    TRY(report_object(ctx, root, "reduction", &at));
    TRY(report_text(ctx, at, "equivalence",
                    of->kind == EQUIVALENCE_FORWARD ? "forward" : "backward"));
    TRY(report_real(ctx, at, "eps", self->options->reduce->eps));
    TRY(report_text(ctx, at, "partition", of->from));
    TRY(report_object(ctx, at, "variables", &sizes));
    TRY(report_count(ctx, sizes, "original", of->blocks.n));
    TRY(report_count(ctx, sizes, "reduced", of->blocks.n_blocks));
    TRY(add_deviation(ctx, made, root));
done:
    return status;
}

static coset_status make_report(simulation *self, const coset_trajectory *made, double start,
                                coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_report *report = NULL;
    *report_out = NULL;
    TRY(ode_report_new(ctx, "ode simulate", self->ode, &report));
    report_node *root = report_root(report), *list = NULL;
    TRY(report_real(ctx, root, "t_end", self->times[self->n_times - 1]));
    TRY(report_count(ctx, root, "steps", self->n_times - 1));
    TRY(report_text(ctx, root, "method", self->options->method == COSET_ODE_BDF ? "bdf" : "adams"));
    TRY(report_real(ctx, root, "rtol", self->options->rtol));
    TRY(report_real(ctx, root, "atol", self->options->atol));
    TRY(report_list(ctx, root, "warnings", &list));
    TRY(add_reduction(self, made, root));
    TRY(add_columns(ctx, made, root));
    TRY(report_finish(ctx, report, start));
    *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    return status;
}

coset_status coset_ode_simulate(coset_ctx *ctx, const coset_ode *ode,
                                const coset_ode_simulate_options *options,
                                coset_trajectory **trajectory_out, coset_report **report_out)
{
    coset_status status = COSET_OK;
    const double start = report_clock();
    simulation self = {.ctx = ctx, .ode = ode, .options = options};
    coset_trajectory *made = NULL;
    *trajectory_out = NULL;
    if (report_out != NULL) *report_out = NULL;
    TRY(check_options(ctx, ode, options));
    TRY(choose_times(&self));
    TRY(run(&self));
    TRY(options->views != 0 ? view_columns(&self, &made) : variable_columns(&self, &made));
    status = trajectory_check(ctx, made);
    if (status != COSET_OK) {
        status = ode_fail(ctx, status, ode);
        goto done;
    }
    if (report_out != NULL) TRY(make_report(&self, made, start, report_out));
    *trajectory_out = made;
    made = NULL;
done:
    coset_trajectory_free(ctx, made);
    simulation_free(&self);
    return status;
}
