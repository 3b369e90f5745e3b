#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ode/reduce.h"

/* What is gathered along the reference trajectory. */
typedef struct gathering {
    const ode_system *system;
    const partition *blocks;
    bool aggregates; /* sums over blocks are bounded too */
    int64_t n_chosen;
    system_evaluator *evaluator;
    system_pattern pattern;
    double *values;  /* [n + n_symbols] of the evaluator */
    double *entries; /* of the Jacobian */
    double *total;   /* [n_blocks] one column of C^T S */
    double *row_sum; /* [n] or [n_blocks] */
    double *reference;
    int64_t k; /* output times so far */
    error_bound *bound;
} gathering;

/* fmax that does not lose a NaN. */
static double larger(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

static double jacobian_norm(gathering *self, const double *x)
{
    int64_t n = self->system->n;
    double most = 0;
    memcpy(self->values, x, (size_t)n * sizeof *x);
    system_jacobian(self->evaluator, self->values, self->entries);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t e = self->pattern.row_start[i]; e < self->pattern.row_start[i + 1]; e++)
            if (self->pattern.column[e] < n) sum += fabs(self->entries[e]);
        most = larger(sum, most);
    }
    return most;
}

static double largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = larger(x[i], most);
    return most;
}

/* |S|_inf, S by columns: (n_chosen, n). */
static double plain_norm(gathering *self, const double *sensitivity)
{
    int64_t n = self->system->n;
    memset(self->row_sum, 0, (size_t)n * sizeof *self->row_sum);
    for (int64_t c = 0; c < self->n_chosen; c++)
        for (int64_t i = 0; i < n; i++) self->row_sum[i] += fabs(sensitivity[c * n + i]);
    return largest(self->row_sum, n);
}

/* |C^T S|_inf, C the membership of blocks. */
static double aggregated_norm(gathering *self, const double *sensitivity)
{
    int64_t n = self->system->n, n_blocks = self->blocks->n_blocks;
    memset(self->row_sum, 0, (size_t)n_blocks * sizeof *self->row_sum);
    for (int64_t c = 0; c < self->n_chosen; c++) {
        memset(self->total, 0, (size_t)n_blocks * sizeof *self->total);
        for (int64_t i = 0; i < n; i++)
            self->total[self->blocks->block_of[i]] += sensitivity[c * n + i];
        for (int64_t b = 0; b < n_blocks; b++) self->row_sum[b] += fabs(self->total[b]);
    }
    return largest(self->row_sum, n_blocks);
}

static coset_status gather(void *user, double t, const double *x, const double *sensitivity)
{
    gathering *self = user;
    error_bound *bound = self->bound;
    int64_t n = self->system->n;
    (void)t;
    if (self->reference != NULL) memcpy(self->reference + self->k * n, x, (size_t)n * sizeof *x);
    self->k++;
    bound->jacobian = larger(bound->jacobian, jacobian_norm(self, x));
    bound->lambda = larger(bound->lambda, plain_norm(self, sensitivity));
    if (self->aggregates)
        bound->aggregated_lambda =
            larger(bound->aggregated_lambda, aggregated_norm(self, sensitivity));
    return COSET_OK;
}

static coset_status gathering_open(gathering *self, const double *p0)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    int64_t n = system->n, rows = n > self->blocks->n_blocks ? n : self->blocks->n_blocks;
    TRY(system_evaluator_new(system, &self->evaluator));
    self->pattern = system_jacobian_pattern(self->evaluator);
    TRY(ctx_alloc(ctx, n + system->n_symbols, sizeof(double), &self->values));
    TRY(ctx_alloc(ctx, self->pattern.n_entries, sizeof(double), &self->entries));
    TRY(ctx_alloc(ctx, self->blocks->n_blocks, sizeof(double), &self->total));
    TRY(ctx_alloc(ctx, rows, sizeof(double), &self->row_sum));
    for (int64_t i = 0; i < n; i++) self->values[i] = system->initial[i].value;
    for (int64_t s = 0; s < system->n_symbols; s++) self->values[n + s] = p0[s];
done:
    return status;
}

static void gathering_close(gathering *self, coset_ctx *ctx)
{
    system_evaluator_free(self->evaluator);
    ctx_free(ctx, self->values);
    ctx_free(ctx, self->entries);
    ctx_free(ctx, self->total);
    ctx_free(ctx, self->row_sum);
}

/* Symbols that differ go to chosen; also sets the perturbation. */
static int64_t choose(const ode_system *system, const double *p0, const double *p1, int64_t *chosen,
                      error_bound *bound)
{
    int64_t count = 0;
    for (int64_t s = 0; s < system->n_symbols; s++) {
        if (p0[s] == p1[s]) continue;
        bound->perturbation = larger(fabs(p1[s] - p0[s]), bound->perturbation);
        chosen[count++] = s;
    }
    return count;
}

/* bound exp(J dt); 0 stays 0 also where the factor overflows. */
static double safe_of(const error_bound *bound, double plain, double dt)
{
    return plain == 0 ? 0 : plain * exp(bound->jacobian * dt);
}

static void conclude(error_bound *bound, bool aggregates, double dt)
{
    bound->bound = bound->lambda * bound->perturbation;
    bound->safe_bound = safe_of(bound, bound->bound, dt);
    if (!aggregates) bound->aggregated_lambda = bound->lambda;
    bound->aggregated_bound = bound->aggregated_lambda * bound->perturbation;
    bound->aggregated_safe_bound = safe_of(bound, bound->aggregated_bound, dt);
}

coset_status system_error_bound(const ode_system *system, equivalence kind, const partition *blocks,
                                const double *p0, const double *p1, const double *times,
                                int64_t n_times, const integrate_options *options,
                                double *reference_out, error_bound *bound_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    int64_t *chosen = NULL, unknowns = 0, widest = 0;
    gathering self = {.system = system,
                      .blocks = blocks,
                      .aggregates = kind == EQUIVALENCE_FORWARD,
                      .reference = reference_out,
                      .bound = bound_out};
    *bound_out = (error_bound){0};
    if (n_times < 1) FAIL(ctx, COSET_EARGUMENT, "error bound: no output times");
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *chosen, &chosen));
    self.n_chosen = choose(system, p0, p1, chosen, bound_out);
    widest = self.n_chosen + 1;
    if (!dim_mul(system->n, widest, &unknowns) || unknowns > BOUND_MAX_UNKNOWNS)
        FAIL(ctx, COSET_ELIMIT,
             "error bound: %lld variables and %lld parameters that change are more than %d numbers",
             (long long)system->n, (long long)self.n_chosen, BOUND_MAX_UNKNOWNS);
    TRY(gathering_open(&self, p0));
    TRY(integrate_sensitivity(system, self.values, chosen, self.n_chosen, times, n_times, options,
                              "error bound", gather, &self));
    conclude(bound_out, self.aggregates, n_times > 1 ? times[1] - times[0] : 0);
    if (isnan(bound_out->bound) || isnan(bound_out->jacobian))
        FAIL(ctx, COSET_ENUMERIC, "error bound: numbers that are not finite");
done:
    if (status != COSET_OK) *bound_out = (error_bound){0};
    gathering_close(&self, ctx);
    ctx_free(ctx, chosen);
    return status;
}
