#include "api/ode_reduction.h"

#include <math.h>

/* Partitions of a sweep are listed until they name this many variables. */
enum { MOST_RUNGS = 4096, MOST_NAMES = 1 << 20 };

/* ---- report ------------------------------------------------------------------------------------ */

static coset_status add_pair(coset_ctx *ctx, report_node *root, const char *key, int64_t original,
                             int64_t reduced)
{
    coset_status status = COSET_OK;
    report_node *pair = NULL;
    TRY(report_object(ctx, root, key, &pair));
    TRY(report_count(ctx, pair, "original", original));
    TRY(report_count(ctx, pair, "reduced", reduced));
done:
    return status;
}

static coset_status add_sizes(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                              report_node *root)
{
    coset_status status = COSET_OK;
    ode_system *reduced = NULL;
    const ode_system *original = self->numeric;
    /* Terms that differ in parameters only are one term: both are counted with numbers for them. */
    TRY(system_substitute(self->reduced, NULL, NULL, &reduced));
    TRY(add_pair(ctx, root, "variables", original->n, reduced->n));
    TRY(add_pair(ctx, root, "monomials", original->n_monomials, reduced->n_monomials));
    TRY(add_pair(ctx, root, "terms", original->row_start[original->n],
                 reduced->row_start[reduced->n]));
    TRY(add_pair(ctx, root, "parameters", ode->model->n_parameters, self->reduced->n_symbols));
done:
    system_free(reduced);
    return status;
}

static coset_status add_names(coset_ctx *ctx, const ode_system *system, const partition *blocks,
                              int64_t b, report_node *list)
{
    coset_status status = COSET_OK;
    for (int64_t k = blocks->start[b]; k < blocks->start[b + 1]; k++)
        TRY(report_add_text(ctx, list, system->names[blocks->members[k]]));
done:
    return status;
}

static coset_status add_blocks(coset_ctx *ctx, const ode_reduction *self, report_node *root)
{
    coset_status status = COSET_OK;
    const partition *blocks = &self->blocks;
    report_node *list = NULL, *row = NULL, *members = NULL;
    TRY(report_list(ctx, root, "blocks", &list));
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        TRY(report_add_object(ctx, list, &row));
        TRY(report_text(ctx, row, "representative",
                        self->numeric->names[blocks->members[blocks->start[b]]]));
        TRY(report_count(ctx, row, "size", blocks->start[b + 1] - blocks->start[b]));
        TRY(report_list(ctx, row, "members", &members));
        TRY(add_names(ctx, self->numeric, blocks, b, members));
    }
done:
    return status;
}

static coset_status add_closest(coset_ctx *ctx, const ode_reduction *self, report_node *root)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->original;
    report_node *closest = NULL, *list = NULL, *row = NULL;
    TRY(report_object(ctx, root, "closest", &closest));
    TRY(report_text(ctx, closest, "free", self->coefficients ? "coefficients" : "parameters"));
    TRY(report_count(ctx, closest, "equations", self->change.equations));
    TRY(report_real(ctx, closest, "change_l2", self->change.change_l2));
    TRY(report_real(ctx, closest, "change_max", self->change.change_max));
    TRY(report_real(ctx, closest, "residual", self->change.residual));
    TRY(report_list(ctx, closest, "perturbed", &list));
    for (int64_t s = 0; s < system->n_symbols; s++) {
        if (self->p1[s] == self->p0[s]) continue;
        TRY(report_add_object(ctx, list, &row));
        TRY(report_text(ctx, row, "name", system->names[system->n + s]));
        TRY(report_real(ctx, row, "from", self->p0[s]));
        TRY(report_real(ctx, row, "to", self->p1[s]));
    }
done:
    return status;
}

static coset_status add_bound(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                              const coset_ode_reduce_options *options, report_node *root)
{
    coset_status status = COSET_OK;
    ode_bound found;
    report_node *at = NULL;
    if (options->t_end == 0) return COSET_OK;
    TRY(ode_reduction_bound(ctx, ode, self, options->t_end, options->dt, &found));
    TRY(report_object(ctx, root, "bound", &at));
    const struct {
        const char *key;
        double value;
    } fields[] = {{"t_end", found.t_end},
                  {"dt", found.dt},
                  {"lambda", found.bound.lambda},
                  {"jacobian", found.bound.jacobian},
                  {"perturbation", found.bound.perturbation},
                  {"bound", found.bound.bound},
                  {"safe_bound", found.bound.safe_bound},
                  {"aggregated_lambda", found.bound.aggregated_lambda},
                  {"aggregated_bound", found.bound.aggregated_bound},
                  {"aggregated_safe_bound", found.bound.aggregated_safe_bound},
                  {"deviation", found.deviation},
                  {"deviation_at", found.deviation_at}};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        TRY(report_real(ctx, at, fields[k].key, fields[k].value));
    TRY(report_text(ctx, at, "deviation_of", found.deviation_of));
done:
    return status;
}

/* Blocks of more than one variable; null once too many were listed. */
static coset_status add_rung(coset_ctx *ctx, const ode_reduction *self, const partition_rung *rung,
                             int64_t *names_left, report_node *list)
{
    coset_status status = COSET_OK;
    const partition *blocks = &rung->blocks;
    report_node *row = NULL, *all = NULL, *members = NULL;
    int64_t shared = 0;
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        int64_t size = blocks->start[b + 1] - blocks->start[b];
        shared += size > 1 ? size : 0;
    }
    *names_left -= shared;
    TRY(report_add_object(ctx, list, &row));
    TRY(report_real(ctx, row, "eps", rung->eps));
    TRY(report_count(ctx, row, "blocks", blocks->n_blocks));
    if (*names_left < 0) return report_null(ctx, row, "partition");
    TRY(report_list(ctx, row, "partition", &all));
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        if (blocks->start[b + 1] - blocks->start[b] == 1) continue;
        TRY(report_add_list(ctx, all, &members));
        TRY(add_names(ctx, self->numeric, blocks, b, members));
    }
done:
    return status;
}

static coset_status add_sweep(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                              eps_linkage linkage, report_node *root)
{
    coset_status status = COSET_OK;
    partition_rung *rungs = NULL;
    int64_t n = 0, names_left = MOST_NAMES;
    report_node *list = NULL;
    status = partition_ladder(self->numeric, self->kind, &self->initial, linkage, MOST_RUNGS,
                              &rungs, &n);
    if (status != COSET_OK) return ode_fail(ctx, status, ode);
    TRY(report_list(ctx, root, "sweep", &list));
    for (int64_t k = 0; k < n; k++) TRY(add_rung(ctx, self, &rungs[k], &names_left, list));
done:
    partition_ladder_free(ctx, rungs, n);
    return status;
}

static coset_status fill_report(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                const coset_ode_reduce_options *options, report_node *root)
{
    coset_status status = COSET_OK;
    bool complete = options->linkage == COSET_ODE_COMPLETE;
    TRY(report_text(ctx, root, "equivalence",
                    self->kind == EQUIVALENCE_FORWARD ? "forward" : "backward"));
    TRY(report_real(ctx, root, "eps", options->eps));
    TRY(report_text(ctx, root, "linkage", complete ? "complete" : "single"));
    TRY(report_text(ctx, root, "partition", self->from));
    TRY(ode_reduction_warn(ctx, ode, self, root));
    TRY(add_sizes(ctx, ode, self, root));
    TRY(add_blocks(ctx, self, root));
    TRY(report_real(ctx, root, "violation", self->violation));
    if (options->eps > 0) TRY(add_closest(ctx, self, root));
    TRY(add_bound(ctx, ode, self, options, root));
    if (options->sweep != 0)
        TRY(add_sweep(ctx, ode, self, complete ? EPS_COMPLETE : EPS_SINGLE, root));
done:
    return status;
}

/* ---- the call ---------------------------------------------------------------------------------- */

static coset_status own_closest(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                coset_ode **ode_out)
{
    ode_model *model = NULL;
    coset_status status = ode_reduction_closest(ctx, ode, self, &model);
    return status == COSET_OK ? ode_own(ctx, model, ode_out) : status;
}

static coset_status own_reduced(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                double eps, coset_ode **ode_out)
{
    ode_model *model = NULL;
    coset_status status = ode_reduction_model(ctx, ode, self, eps, &model);
    return status == COSET_OK ? ode_own(ctx, model, ode_out) : status;
}

coset_status coset_ode_reduce(coset_ctx *ctx, const coset_ode *ode,
                              const coset_ode_reduce_options *options, coset_ode **reduced_out,
                              coset_ode **closest_out, coset_report **report_out)
{
    coset_status status = COSET_OK;
    const double start = report_clock();
    ode_reduction found = {.from = NULL};
    coset_ode *reduced = NULL, *closest = NULL;
    coset_report *report = NULL;
    if (reduced_out != NULL) *reduced_out = NULL;
    if (closest_out != NULL) *closest_out = NULL;
    if (report_out != NULL) *report_out = NULL;
    TRY(ode_reduction_find(ctx, ode, options, &found));
    if (reduced_out != NULL) TRY(own_reduced(ctx, ode, &found, options->eps, &reduced));
    if (closest_out != NULL) TRY(own_closest(ctx, ode, &found, &closest));
    if (report_out != NULL) {
        TRY(ode_report_new(ctx, "ode reduce", ode, &report));
        TRY(fill_report(ctx, ode, &found, options, report_root(report)));
        TRY(report_finish(ctx, report, start));
        *report_out = report;
        report = NULL;
    }
    if (reduced_out != NULL) *reduced_out = reduced;
    if (closest_out != NULL) *closest_out = closest;
    reduced = closest = NULL;
done:
    ode_reduction_free(ctx, &found);
    coset_report_free(ctx, report);
    coset_ode_free(ctx, reduced);
    coset_ode_free(ctx, closest);
    return status;
}
