#include "graph/prepare.h"

#include "graph/fold.h"
#include "graph/fold_batchnorm.h"
#include "graph/fold_shuffle.h"

coset_status graph_prepare(coset_ctx *ctx, const coset_graph *graph, coset_graph **prepared_out)
{
    static coset_status (*const steps[])(coset_ctx *, const coset_graph *, coset_graph **) = {
        graph_fold, graph_fold_batchnorm, graph_fold_shuffles};
    coset_status status = COSET_OK;
    coset_graph *last = NULL, *next = NULL;
    *prepared_out = NULL;
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        TRY(steps[s](ctx, last != NULL ? last : graph, &next));
        if (next == NULL) continue;
        coset_graph_free(ctx, last);
        last = next;
        next = NULL;
    }
    *prepared_out = last;
    last = NULL;
done:
    coset_graph_free(ctx, last);
    return status;
}
