#include "ode/system_flow.h"

#include <math.h>
#include <string.h>

coset_status system_flow_open(system_flow *self, const ode_system *system, const double *values)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    int64_t n = system->n + system->n_symbols;
    *self = (system_flow){.system = system};
    TRY(system_evaluator_new(system, &self->evaluator));
    self->pattern = system_jacobian_pattern(self->evaluator);
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->values, &self->values));
    TRY(ctx_alloc_raw(ctx, self->pattern.n_entries, sizeof *self->entries, &self->entries));
    for (int64_t i = 0; i < n; i++)
        self->values[i] = values != NULL ? values[i] : system->initial[i].value;
done:
    return status;
}

void system_flow_close(system_flow *self)
{
    if (self->system == NULL) return;
    coset_ctx *ctx = self->system->ctx;
    system_evaluator_free(self->evaluator);
    ctx_free(ctx, self->values);
    ctx_free(ctx, self->entries);
    *self = (system_flow){0};
}

bool system_flow_entries(system_flow *self, const double *x)
{
    size_t size = (size_t)self->system->n * sizeof *x;
    if (!self->entries_known || memcmp(self->values, x, size) != 0) {
        memcpy(self->values, x, size);
        system_jacobian(self->evaluator, self->values, self->entries);
        self->entries_known = true;
    }
    for (int64_t e = 0; e < self->pattern.n_entries; e++)
        if (!isfinite(self->entries[e])) return false;
    return true;
}

static bool slope(void *user, double t, const double *x, double *slope_out)
{
    (void)t;
    system_flow *self = user;
    size_t size = (size_t)self->system->n * sizeof *x;
    if (self->entries_known) self->entries_known = memcmp(self->values, x, size) == 0;
    memcpy(self->values, x, size);
    system_slope(self->evaluator, self->values, slope_out);
    return true;
}

static bool jacobian(void *user, double t, const double *x, double *jacobian_out)
{
    (void)t;
    system_flow *self = user;
    int64_t n = self->system->n;
    const system_pattern *at = &self->pattern;
    if (!system_flow_entries(self, x)) return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = at->row_start[i]; e < at->row_start[i + 1]; e++)
            if (at->column[e] < n) jacobian_out[i * n + at->column[e]] = self->entries[e];
    return true;
}

static bool jacobian_times(void *user, double t, const double *x, const double *v, double *out)
{
    (void)t;
    system_flow *self = user;
    int64_t n = self->system->n;
    const system_pattern *at = &self->pattern;
    if (!system_flow_entries(self, x)) return false;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t e = at->row_start[i]; e < at->row_start[i + 1]; e++)
            if (at->column[e] < n) sum += self->entries[e] * v[at->column[e]];
        out[i] = sum;
    }
    return true;
}

ode_flow system_flow_of(system_flow *self)
{
    return (ode_flow){.n = self->system->n,
                      .slope = slope,
                      .jacobian = jacobian,
                      .jacobian_times = jacobian_times,
                      .user = self};
}
