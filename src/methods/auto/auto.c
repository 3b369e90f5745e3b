/* auto: per group the better of merge and select at the width that the cut rule chooses; and, where
 * there is data, select everywhere, merge everywhere, the mix under measured errors, and the mix with bypasses, of
 * which the best on held-out rows is kept: what the estimates do not see is how errors of different groups and places
 * meet, and what recovery mends.
 * Without data afde stands in: it was measured far ahead of all (docs/choosing-a-method.md).
 * Source: ours (METHODS.md section 5). */
#include <math.h>

#include "lump/apply.h"
#include "methods/data_paths.h"

enum { RIDGE };
enum { N_CHOICES = 3 };
enum { MIX, SELECT, MERGE, PROBED, BYPASS, N_VARIANTS };

static const char *const variants[N_VARIANTS] = {"mix", "select", "merge", "probed", "bypass"};

static const method_param params[] = {
    {"ridge", PARAM_NUMBER, NULL, "0.001", 0, 1, "as --select.ridge", "ours"},
};

/* The bypass of a group, if it has one. */
static coset_status add_bypass(const method_call *call, int64_t g, path **path_out)
{
    bypass_lines *lines = NULL;
    coset_status status =
        bypass_lines_find(call->ctx, call->graph, call->groups->facts, call->groups, &lines);
    if (status == COSET_OK) status = bypass_path(call, g, lines, call->values[RIDGE], path_out);
    bypass_lines_free(call->ctx, lines);
    return status;
}

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
    if (call->variant == BYPASS && call->stats != NULL) TRY(add_bypass(call, g, &made->choice[2]));
    for (int64_t k = 0; k < n; k++) {
        made->error[k] = made->height[k] = (double)INFINITY;
        for (int c = 0; c < N_CHOICES && made->choice[c] != NULL; c++) {
            made->error[k] = fmin(made->error[k], made->choice[c]->error[k]);
            made->height[k] = fmin(made->height[k], made->choice[c]->height[k]);
        }
    }
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    path_free(call->ctx, made);
    return status;
}

/* Without a bypass in it, that variant is the mix again. */
static bool is_new(const method_call *call, const coset_plan *plan)
{
    return call->variant != BYPASS || plan_bypasses(plan);
}

static void configure(method_call *call)
{
    call->kinds = CALIBRATION_PAIRS | CALIBRATION_SKIPS;
}

const coset_method method_auto = {
    .name = "auto",
    .summary =
        "select, merge, bypasses or a mixture, whichever is best on held-out rows; the default",
    .source = "ours",
    .help =
        "Builds the paths of merge and of select for every group and takes, at the width that the\n"
        "rule chooses, the one with the smaller estimated output error. With data, this mix, the mix\n"
        "with errors measured group by group, the mix of these and bypasses (linearity), select\n"
        "everywhere and merge everywhere are carried out and the best on held-out rows is kept.\n"
        "Without data afde stands in: estimates from weights alone do not tell them apart.",
    .without_data = "afde",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .variants = variants,
    .n_variants = N_VARIANTS,
    .probed = PROBED,
    .is_new = is_new,
    .configure = configure,
    .path = auto_path,
};
