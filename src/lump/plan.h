/* A plan: what to do to a model, as a value that can be written, read back and applied again. */
#ifndef COSET_LUMP_PLAN_H
#define COSET_LUMP_PLAN_H

#include "graph/groups.h"
#include "lump/lumping.h"

typedef struct plan_group {
    char *name; /* of the group, owned */
    int64_t units;
    lumping *map;  /* NULL: left as it is */
    char *method;  /* which method chose the map; NULL if there is none */
    double height; /* tolerance at which the path was cut; NaN: unknown */
    double error;  /* estimated relative output error e^2; NaN: unknown */
    double *score; /* [units] by which a ranking method ranked them; NULL: none */
    char *skipped; /* why the group was left alone; NULL: it was not */
} plan_group;

/* Single weights set to zero. */
typedef struct plan_mask {
    char *weight; /* name of the constant */
    int64_t elements;
    uint8_t *keep; /* [elements] 0: set to zero */
} plan_mask;

typedef struct coset_plan {
    char *model_digest; /* sha256 of the file that it was made for; "" if unknown */
    char *method, *rule;
    int64_t n_groups;
    plan_group *groups; /* one per group of groups_find, in its order */
    int64_t n_masks;
    plan_mask *masks;
    struct coset_plan *next; /* what to do to the result; owned; NULL: that was all */
} coset_plan;

/* Most plans of a chain. */
enum { PLAN_STEPS = 64 };

/* An empty plan for these groups: nothing is cut; frozen groups carry their reasons. */
COSET_MUST_USE coset_status plan_new(coset_ctx *ctx, const coset_graph *graph,
                                     const graph_groups *groups, coset_plan **plan_out);
/* Text of a group's frozen reason with the operator and node at fault; owned by the caller. */
COSET_MUST_USE coset_status plan_reason(coset_ctx *ctx, const coset_graph *graph,
                                        const unit_group *group, char **text_out);
/* With all that follow it. */
void plan_free(coset_ctx *ctx, coset_plan *plan);

/* Applies one plan, not those that follow it: a new graph with fewer units (or masked weights) and its
 * declared shapes brought up to date; the input graph is untouched. Where a group has several readers of one
 * constant that are cut differently, the constant is copied. Errors: COSET_EARGUMENT if the plan does not fit
 * the groups; COSET_EUNSUPPORTED naming the node whose parameters cannot be cut; COSET_ENUMERIC if a new
 * weight is not finite. Cost: one pass over the weights plus the products with dense lifts. */
COSET_MUST_USE coset_status plan_apply(coset_ctx *ctx, const coset_graph *graph,
                                       const graph_facts *facts, const graph_groups *groups,
                                       const coset_plan *plan, coset_graph **graph_out);

/* What a plan and one for its result do together, as a plan for the first one's groups: keep and R of their
 * maps (lumping_compose), for recovery and reports; it cannot be applied. Groups are told by the values that
 * hold their units and nothing else, which keep their names; those that are new in the result are left out.
 *   groups  of `graph`, for which `first` is (NULL: it changes nothing); later: of the result
 * Errors: COSET_EARGUMENT if a group of the result has another number of units than the first plan keeps;
 * COSET_EMEMORY. Cost: linear in the labels of both graphs. */
COSET_MUST_USE coset_status plan_compose(coset_ctx *ctx, const coset_graph *graph,
                                         const graph_groups *groups, const coset_plan *first,
                                         const coset_graph *later, const graph_groups *later_groups,
                                         const coset_plan *second, coset_plan **plan_out);

/* Writes a plan with all that follow it as JSON (DESIGN.md, "How data flows") and, beside it, its matrices as
 * safetensors: PATH and PATH with its suffix replaced by .safetensors. Both are written whole or not at all. */
COSET_MUST_USE coset_status plan_save(coset_ctx *ctx, const coset_plan *plan, const char *path);
/* Reads a plan back. Untrusted input. Errors: COSET_EIO; COSET_EFORMAT naming what
 * is damaged, COSET_ELIMIT over a cap, COSET_ENUMERIC for factors that are not finite, COSET_EUNSUPPORTED
 * for a newer format. */
COSET_MUST_USE coset_status plan_load(coset_ctx *ctx, const char *path, coset_plan **plan_out);

#endif
