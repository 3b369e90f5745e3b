#include "lump/weight.h"

/* shift[o] = sum of sums (outer, inner) of an input axis over everything but output o. dims: of R W. */
static void sum_shift(const contraction *at, const shape *dims, int out_axis, int in_axis,
                      const double *sums, int64_t count, double *shift)
{
    int64_t width = dims->dims[out_axis], below = 1;
    for (int a = out_axis + 1; a < dims->rank; a++)
        if (a != in_axis) below *= dims->dims[a];
    for (int64_t i = 0; i < count; i++)
        shift[i / below % width] += at->scale * at->tap_share * sums[i];
}

coset_status weight_cut(coset_ctx *ctx, const coset_graph *graph, const contraction *at,
                        const axis_map *out_map, const axis_map *in_map, tensor **weight_out,
                        double **shift_out)
{
    coset_status status = COSET_OK;
    const tensor *old = graph->values[at->weight].constant;
    int out_axis = out_map->groups->slots[out_map->slot].axis;
    int in_axis = in_map->groups->slots[in_map->slot].axis;
    axis_block reduced = {0}, lifted = {0};
    double *sums = NULL, *shift = NULL;
    shape dims = old->shape;
    *weight_out = NULL;
    *shift_out = NULL;
    TRY(axis_reduce(ctx, out_map, old, out_axis, false, &reduced));
    dims.dims[out_axis] = out_map->new_size;
    reduced.outer = shape_product(&dims, 0, in_axis);
    reduced.size = in_map->size;
    reduced.inner = shape_product(&dims, in_axis + 1, dims.rank);
    TRY(ctx_alloc(ctx, reduced.outer * reduced.inner, sizeof *sums, &sums));
    if (axis_shift(in_map, &reduced, sums)) {
        TRY(ctx_alloc(ctx, out_map->new_size, sizeof *shift, &shift));
        sum_shift(at, &dims, out_axis, in_axis, sums, reduced.outer * reduced.inner, shift);
    }
    TRY(axis_lift(ctx, in_map, &reduced, &lifted));
    dims.dims[in_axis] = in_map->new_size;
    TRY(tensor_from_f64(ctx, old->dtype, &dims, lifted.values, weight_out));
    *shift_out = shift;
    shift = NULL;
done:
    ctx_free(ctx, reduced.values);
    ctx_free(ctx, lifted.values);
    ctx_free(ctx, sums);
    ctx_free(ctx, shift);
    return status;
}
