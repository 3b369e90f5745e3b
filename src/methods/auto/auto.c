/* auto: per group the better of merge and select at the width that the cut rule chooses; and, where
 * there is data, select everywhere and merge everywhere, of which the best on held-out rows is kept: what
 * the estimates do not see is how errors of different groups meet and what recovery mends. Without
 * data afde stands in: it was measured far ahead of both (docs/choosing-a-method.md).
 * Source: ours (METHODS.md section 5). */
#include <math.h>

#include "methods/data_paths.h"

enum { RIDGE };
enum { MIX, SELECT, MERGE, N_VARIANTS };

static const char *const variants[N_VARIANTS] = {"mix", "select", "merge"};

static const method_param params[] = {
    {"ridge", PARAM_NUMBER, NULL, "0.001", 0, 1, "as --select.ridge", "ours"},
};

static coset_status auto_path(const method_call *call, int64_t g, const coset_plan *so_far,
                              path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    path *made = NULL;
    int64_t n = call->groups->groups[g].n;
    if (call->variant == SELECT) return select_path(call, g, call->values[RIDGE], path_out);
    if (call->variant == MERGE) return merge_path(call, g, true, path_out);
    *path_out = NULL;
    TRY(path_new(call->ctx, "auto", n, &made));
    TRY(select_path(call, g, call->values[RIDGE], &made->choice[0]));
    TRY(merge_path(call, g, true, &made->choice[1]));
    for (int64_t k = 0; k < n; k++) {
        made->error[k] = fmin(made->choice[0]->error[k], made->choice[1]->error[k]);
        made->height[k] = fmin(made->choice[0]->height[k], made->choice[1]->height[k]);
    }
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    path_free(call->ctx, made);
    return status;
}

const coset_method method_auto = {
    .name = "auto",
    .summary = "select, merge or a mixture, whichever is best on held-out rows; the default",
    .source = "ours",
    .help =
        "Builds the paths of merge and of select for every group and takes, at the width that the\n"
        "rule chooses, the one with the smaller estimated output error. With data, this mix, select\n"
        "everywhere and merge everywhere are carried out and the best on held-out rows is kept.\n"
        "Without data afde stands in: estimates from weights alone do not tell the two apart.",
    .without_data = "afde",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .variants = variants,
    .n_variants = N_VARIANTS,
    .path = auto_path,
};
