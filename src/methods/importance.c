#include "methods/importance.h"

#include <math.h>

/* ---- readings ---------------------------------------------------------------------------------- */

/* The contraction that reads a group through one of its slots, or NULL. */
static const contraction *reader_at(const graph_groups *groups, const group_slot *member)
{
    int32_t index = groups->contraction_of[member->slot];
    return member->role == SLOT_CONSUMER && index >= 0 ? &groups->contractions[index] : NULL;
}

/* sums [groups of the convolution, inputs] of |w| and w^2 over outputs and taps. */
static coset_status sum_columns(const method_call *call, const contraction *to, double *absolute,
                                double *squares)
{
    weight_view view = contraction_weight(call->graph, call->groups, to);
    int64_t outputs = view.n_out / to->groups; /* of one group of the convolution */
    double *row = NULL;
    coset_status status = ctx_alloc(call->ctx, view.n_in * view.n_taps, sizeof *row, &row);
    for (int64_t o = 0; status == COSET_OK && o < view.n_out; o++) {
        int64_t first = o / outputs * view.n_in;
        weight_rows(&view, o, 1, row);
        for (int64_t i = 0; i < view.n_in * view.n_taps; i++) {
            absolute[first + i / view.n_taps] += to->tap_share * fabs(row[i]);
            squares[first + i / view.n_taps] += to->tap_share * row[i] * row[i];
        }
    }
    ctx_free(call->ctx, row);
    return status;
}

/* The readings of one reader through one slot. */
static coset_status read_slot(const method_call *call, const contraction *to,
                              const group_slot *member, int64_t units, unit_reading *readings)
{
    coset_status status = COSET_OK;
    int64_t size = call->groups->slots[to->in_slot].size;
    double *absolute = NULL, *squares = NULL;
    TRY(ctx_alloc(call->ctx, size * to->groups, sizeof *absolute, &absolute));
    TRY(ctx_alloc(call->ctx, size * to->groups, sizeof *squares, &squares));
    TRY(sum_columns(call, to, absolute, squares));
    for (int64_t cell = 0; cell < units * member->repeats; cell++)
        for (int64_t j = 0; j < to->groups; j++) {
            int64_t feature = j * size + member->index[cell];
            *readings++ = (unit_reading){.contraction = to - call->groups->contractions,
                                         .unit = cell / member->repeats,
                                         .feature = feature,
                                         .absolute = absolute[feature],
                                         .squares = squares[feature]};
        }
done:
    ctx_free(call->ctx, absolute);
    ctx_free(call->ctx, squares);
    return status;
}

coset_status unit_readings_find(const method_call *call, int64_t g, unit_reading **readings_out,
                                int64_t *n_out)
{
    coset_status status = COSET_OK;
    const unit_group *group = &call->groups->groups[g];
    unit_reading *readings = NULL;
    int64_t n = 0, at = 0;
    *readings_out = NULL;
    *n_out = 0;
    for (int32_t s = 0; s < group->n_slots; s++) {
        const contraction *to = reader_at(call->groups, &group->slots[s]);
        if (to != NULL) n += group->n * group->slots[s].repeats * to->groups;
    }
    TRY(ctx_alloc(call->ctx, n, sizeof *readings, &readings));
    for (int32_t s = 0; s < group->n_slots; s++) {
        const contraction *to = reader_at(call->groups, &group->slots[s]);
        if (to == NULL) continue;
        TRY(read_slot(call, to, &group->slots[s], group->n, readings + at));
        at += group->n * group->slots[s].repeats * to->groups;
    }
    *readings_out = readings;
    *n_out = n;
    readings = NULL;
done:
    ctx_free(call->ctx, readings);
    return status;
}

/* ---- scores ------------------------------------------------------------------------------------ */

static coset_status norm_of_rows(const method_call *call, int64_t g, bool squares, double *score)
{
    int64_t n = call->groups->groups[g].n, width = 0;
    double *rows = NULL;
    coset_status status = group_incoming(call->ctx, call->graph, call->groups, g, &rows, &width);
    for (int64_t u = 0; status == COSET_OK && u < n; u++) {
        score[u] = 0;
        for (int64_t j = 0; j < width; j++) {
            double w = rows[u * width + j];
            score[u] += squares ? w * w : fabs(w);
        }
        if (squares) score[u] = sqrt(score[u]);
    }
    ctx_free(call->ctx, rows);
    return status;
}

/* The norm of an input is taken per sample: readers may see different numbers of places. */
static coset_status weight_times_input(const method_call *call, int64_t g, double *score)
{
    unit_reading *readings = NULL;
    int64_t n = 0;
    coset_status status = unit_readings_find(call, g, &readings, &n);
    for (int64_t u = 0; u < call->groups->groups[g].n; u++) score[u] = 0;
    for (int64_t r = 0; r < n; r++) {
        const unit_reading *at = &readings[r];
        const moments *input =
            call->stats->of_value[call->groups->contractions[at->contraction].input];
        score[at->unit] +=
            at->absolute * sqrt(input->sum_square[at->feature] / (double)input->count);
    }
    ctx_free(call->ctx, readings);
    return status;
}

coset_status importance_of(const method_call *call, int64_t g, importance kind, double *score_out)
{
    if (kind == IMPORTANCE_WANDA) return weight_times_input(call, g, score_out);
    return norm_of_rows(call, g, kind == IMPORTANCE_L2, score_out);
}
