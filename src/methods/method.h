/* What a method is: one const table entry that turns a group into a path, or a weight into scores. */
#ifndef COSET_METHODS_METHOD_H
#define COSET_METHODS_METHOD_H

#include <coset/compress.h>

#include "lump/cut.h"
#include "lump/path.h"
#include "lump/plan.h"
#include "lump/sites.h"

typedef enum param_kind {
    PARAM_CHOICE, /* one of `choices`, "a|b|c"; the value is its index */
    PARAM_FLAG,   /* true or false */
    PARAM_NUMBER, /* in [low, high] */
    PARAM_COUNT,  /* a whole number in [low, high] */
    PARAM_PATTERN /* "N:M" with 1 <= N <= M <= 64, or "none"; the value is PATTERN_BASE N + M, or 0 */
} param_kind;

enum { PATTERN_BASE = 128 };

typedef struct method_param {
    const char *name;
    param_kind kind;
    const char *choices;
    const char *otherwise; /* default, as the user would write it */
    double low, high;
    const char *summary, *source;
} method_param;

enum { METHOD_MAX_PARAMS = 8 };

/* The order in which groups are visited: a method may need the lumpings of the groups before it. */
typedef enum method_sweep {
    SWEEP_NONE,    /* a group's path depends on nothing but the group */
    SWEEP_FORWARD, /* on the lumpings of groups that its producers read */
    SWEEP_BACKWARD /* on the lumpings of groups that its consumers produce */
} method_sweep;

/* How a mask is cut from scores. */
typedef enum mask_scope { MASK_MODEL, MASK_LAYER, MASK_ROW } mask_scope;

typedef struct mask_ranking {
    mask_scope scope;
    int pattern_n, pattern_m; /* of every m weights along the input axis keep n; 0: no pattern */
} mask_ranking;

/* A cut that a method makes by a rule of its own. */
typedef struct method_cut {
    const bool *allowed;  /* [groups->n] */
    coset_rule rule;      /* not MAX_DROP */
    double value;         /* EPS: height; RATIO: share of units */
    int64_t budget;       /* PARAMS, MACS: cost that may not be exceeded */
    const int64_t *steps; /* [groups->n] widths are multiples of this; NULL: any */
} method_cut;

typedef struct method_call {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_groups *groups;
    const calibration *stats;         /* NULL: no data */
    double values[METHOD_MAX_PARAMS]; /* of the method's own params, in their order */
    int variant;                      /* which of the method's variants, 0 .. n_variants - 1 */
    /* The method's answers for these values (configure): */
    bool masks;           /* single weights are set to zero, by scores */
    mask_ranking ranking; /* how, if so */
    method_sweep sweep;
    cut_allocation allocation; /* of budgets */
    unsigned
        kinds; /* what calibration must collect besides: CALIBRATION_SIGNS, CALIBRATION_PAIRS */
    bool needs_data; /* it cannot do without; at first the method's own needs_data */
    int rounds; /* the way to the target is gone in so many rounds, scores computed anew in each; 1: at once */
} method_call;

typedef struct coset_method {
    const char *name, *summary, *source;
    const char *help; /* a paragraph: what it does and when to use it */
    const method_param *params;
    int n_params;
    bool needs_data; /* unless configure says otherwise */
    const char
        *without_data; /* the method that stands in, with its defaults, where there is no data;
                                 NULL: none does */
    /* Variants that are carried out side by side where there is data, of which the one with the
     * smallest held-out error is kept; 0 and 1: there is one. Their names: */
    const char *const *variants;
    int n_variants;
    int probed; /* the variant whose paths are scaled by what probes measure (api/probe.h); 0: none */
    /* Whether the plan of a variant can differ from those of the variants before it; NULL: always. */
    bool (*is_new)(const method_call *call, const coset_plan *plan);

    /* Fills the answers of a call from its values; NULL: no masks, SWEEP_NONE, CUT_BY_ERROR, no kinds, one round. */
    void (*configure)(method_call *call);

    /* Path of one group. `so_far` holds the lumpings chosen for groups visited before (sweeps only;
     * NULL maps: not cut). The result is owned by the caller. */
    coset_status (*path)(const method_call *call, int64_t group, const coset_plan *so_far,
                         path **path_out);

    /* Cuts by a rule of the method's own; NULL: along paths. Fills an empty plan; *reached_out false if even
     * the narrowest cut exceeds the budget. */
    coset_status (*cut)(const method_call *call, const method_cut *wanted, coset_plan *plan,
                        bool *reached_out);

    /* Scores of the single weights of one contraction in stored order: the smallest go first.
     * NULL for methods without masks. scores_out [elements of the weight]. */
    coset_status (*scores)(const method_call *call, int64_t contraction, double *scores_out);

} coset_method;

/* NULL if there is no such method. */
const coset_method *method_find(const char *name);
const coset_method *method_at(int64_t index);
/* As method_find. Errors: COSET_EARGUMENT naming the methods that there are. */
COSET_MUST_USE coset_status method_require(coset_ctx *ctx, const char *name,
                                           const coset_method **method_out);

/* Resolves "METHOD.PARAM" settings into call->values and configures the call.
 * Errors: COSET_EARGUMENT naming the setting, what it takes and what was given. */
COSET_MUST_USE coset_status method_configure(const coset_method *self, method_call *call,
                                             const coset_setting *settings, int64_t n_settings);

#endif
