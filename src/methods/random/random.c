/* Random units: the control that every method must beat.   METHODS.md section 8. */
#include "base/rng.h"
#include "methods/ranking.h"

static void configure(method_call *call)
{
    call->allocation = CUT_BY_SHARE;
}

static coset_status random_path(const method_call *call, int64_t g, const coset_plan *so_far,
                                path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    double *score = NULL;
    rng draw = rng_seed(call->ctx->seed, (uint64_t)g + 1);
    TRY(ctx_alloc(call->ctx, n, sizeof *score, &score));
    for (int64_t u = 0; u < n; u++) score[u] = rng_uniform(&draw);
    TRY(ranking_path(call->ctx, "random", score, n, path_out));
done:
    ctx_free(call->ctx, score);
    return status;
}

const coset_method method_random = {
    .name = "random",
    .summary = "drops random units: the control that every method must beat",
    .source = "folklore",
    .help = "Units are dropped in a random order (--seed), the same share in every group.",
    .configure = configure,
    .path = random_path,
};
