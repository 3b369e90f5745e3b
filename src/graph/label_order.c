/* In which order data movement leaves the indices of a unit.
 *
 * A unit may have several indices on one axis, such as a flattened channel, which are matched with those of
 * another unit by their order. Movement may break that: behind [a0 b0 a1 b1] -> [a1 a0 b0 b1] the first
 * index of a is not what the first index of b is. Merging a and b would be wrong there, so every class
 * gets a hash of where its indices came from, and units with different hashes are kept in different
 * groups. Elementwise operators, reshapes and contractions keep the order. */
#include <string.h>

#include "graph/labels_set.h"

/* What one node moved: element j of the output came from element from[j] of its inputs in a row. */
struct label_move {
    int64_t n_out, n_in;
    int64_t *out_ids, *in_ids, *from; /* from -1: of none */
    int32_t *input;                   /* [n_in] which input it is */
};

static coset_status move_new(label_set *set, const array *in, int n_data, const label_array *result,
                             label_move *move_out)
{
    coset_status status = COSET_OK;
    label_move self = {.n_out = label_elements(result)};
    for (int k = 0; k < n_data; k++)
        if (in[k].shape.rank >= 0) self.n_in += shape_product(&in[k].shape, 0, in[k].shape.rank);
    TRY(arena_alloc(set->ctx, &set->arena, self.n_out, sizeof *self.out_ids, &self.out_ids));
    TRY(arena_alloc(set->ctx, &set->arena, self.n_out, sizeof *self.from, &self.from));
    TRY(arena_alloc(set->ctx, &set->arena, self.n_in, sizeof *self.in_ids, &self.in_ids));
    TRY(arena_alloc(set->ctx, &set->arena, self.n_in, sizeof *self.input, &self.input));
    if (self.n_out > 0)
        memcpy(self.out_ids, result->ids, (size_t)self.n_out * sizeof *self.out_ids);
    int64_t at = 0;
    for (int k = 0; k < n_data; k++) {
        if (in[k].shape.rank < 0) continue;
        int64_t n = shape_product(&in[k].shape, 0, in[k].shape.rank);
        for (int64_t e = 0; e < n; e++, at++) {
            self.in_ids[at] = in[k].i[e];
            self.input[at] = k;
        }
    }
    *move_out = self;
done:
    return status;
}

static bool keeps_order(const label_move *self)
{
    if (self->n_in != self->n_out) return false;
    for (int64_t e = 0; e < self->n_out; e++)
        if (self->from[e] != e) return false;
    return true;
}

coset_status label_note_move(label_set *set, const op_call *run, int n_data,
                             const label_array *result)
{
    coset_status status = COSET_OK;
    label_move self = {0};
    array *in = NULL, out = run->out[0];
    int64_t *positions = NULL, at = 0;
    TRY(move_new(set, run->in, n_data, result, &self));
    TRY(ctx_alloc(set->ctx, run->at.n_in, sizeof *in, &in));
    TRY(ctx_alloc(set->ctx, self.n_in, sizeof *positions, &positions));
    for (int64_t e = 0; e < self.n_in; e++) positions[e] = e;
    memcpy(in, run->in, (size_t)run->at.n_in * sizeof *in);
    for (int k = 0; k < n_data; k++) {
        if (in[k].shape.rank < 0) continue;
        in[k].i = positions + at;
        at += shape_product(&in[k].shape, 0, in[k].shape.rank);
    }
    out.i = self.from;
    op_call moved = *run;
    moved.in = in;
    moved.out = &out;
    TRY(run->at.node->op->forward(&moved));
    if (keeps_order(&self)) goto done;
    TRY(ctx_reserve(set->ctx, &set->moves, &set->moves_capacity, set->n_moves + 1,
                    sizeof *set->moves));
    set->moves[set->n_moves++] = self;
done:
    ctx_free(set->ctx, in);
    ctx_free(set->ctx, positions);
    return status;
}

coset_status label_note_pick(label_set *set, const label_array *in, const label_array *result,
                             const int64_t *from)
{
    coset_status status = COSET_OK;
    array data = {.dtype = COSET_I64, .shape = {.rank = in->rank}, .i = in->ids};
    label_move self = {0};
    memcpy(data.shape.dims, in->dims, sizeof in->dims);
    TRY(move_new(set, &data, 1, result, &self));
    if (self.n_out > 0) memcpy(self.from, from, (size_t)self.n_out * sizeof *from);
    if (keeps_order(&self)) goto done;
    TRY(ctx_reserve(set->ctx, &set->moves, &set->moves_capacity, set->n_moves + 1,
                    sizeof *set->moves));
    set->moves[set->n_moves++] = self;
done:
    return status;
}

/* splitmix64's mixing of one more number into a hash. */
static uint64_t mixed(uint64_t hash, int64_t value)
{
    hash += 0x9E3779B97F4A7C15u + (uint64_t)value;
    hash = (hash ^ hash >> 30) * 0xBF58476D1CE4E5B9u;
    hash = (hash ^ hash >> 27) * 0x94D049BB133111EBu;
    return hash ^ hash >> 31;
}

/* The how manieth index of its class every element is: within its own input. seen [classes] is zero on
 * entry and on return. */
static void number_inputs(const label_set *set, const label_move *move, int64_t *seen,
                          int64_t *number)
{
    for (int64_t e = 0, from = 0; e <= move->n_in; e++) {
        if (e == move->n_in || move->input[e] != move->input[from]) {
            for (; from < e; from++) seen[labels_root(set, move->in_ids[from])] = 0;
            if (e == move->n_in) break;
        }
        number[e] = seen[labels_root(set, move->in_ids[e])]++;
    }
}

coset_status labels_orders(const label_set *set, uint64_t **order_out)
{
    coset_status status = COSET_OK;
    int64_t *seen = NULL, *number = NULL;
    uint64_t *order = NULL;
    *order_out = NULL;
    TRY(ctx_alloc(set->ctx, set->count, sizeof *order, &order));
    TRY(ctx_alloc(set->ctx, set->count, sizeof *seen, &seen));
    for (int64_t m = 0; m < set->n_moves; m++) {
        const label_move *move = &set->moves[m];
        TRY(ctx_alloc(set->ctx, move->n_in, sizeof *number, &number));
        number_inputs(set, move, seen, number);
        for (int64_t e = 0; e < move->n_out; e++) {
            int64_t root = labels_root(set, move->out_ids[e]), from = move->from[e];
            uint64_t step = mixed(mixed(0, m), seen[root]++);
            order[root] +=
                from < 0 ? mixed(step, -1) : mixed(mixed(step, move->input[from]), number[from]);
        }
        for (int64_t e = 0; e < move->n_out; e++) seen[labels_root(set, move->out_ids[e])] = 0;
        ctx_free(set->ctx, number);
        number = NULL;
    }
    *order_out = order;
    order = NULL;
done:
    ctx_free(set->ctx, order);
    ctx_free(set->ctx, seen);
    ctx_free(set->ctx, number);
    return status;
}
