/* Plans made by hand in tests. */
#ifndef COSET_TESTS_SUPPORT_PLANS_H
#define COSET_TESTS_SUPPORT_PLANS_H

#include "support/linalg.h"

#include <string.h>

#include "lump/plan.h"

static inline char *plans_text(coset_ctx *ctx, const char *text)
{
    char *copy = NULL;
    if (text != NULL) assert_int_equal(ctx_strdup(ctx, text, &copy), COSET_OK);
    return copy;
}

static inline coset_plan *plans_empty(coset_ctx *ctx, int64_t n_groups, int64_t n_masks)
{
    coset_plan *plan = NULL;
    assert_int_equal(ctx_alloc(ctx, 1, sizeof *plan, &plan), COSET_OK);
    plan->model_digest = plans_text(ctx, "");
    assert_int_equal(ctx_alloc(ctx, n_groups, sizeof *plan->groups, &plan->groups), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, n_masks, sizeof *plan->masks, &plan->masks), COSET_OK);
    plan->n_groups = n_groups;
    plan->n_masks = n_masks;
    for (int64_t g = 0; g < n_groups; g++) {
        plan->groups[g].units = 1;
        plan->groups[g].name = plans_text(ctx, "");
        plan->groups[g].height = plan->groups[g].error = (double)NAN;
    }
    return plan;
}

/* A random lumping of n units: each unit in one of k blocks or dropped, factors of every size. */
static inline lumping *plans_lumping(coset_ctx *ctx, rng *random, int64_t n, int64_t k, bool lift,
                                     bool shift)
{
    lumping *map = NULL;
    int64_t *order = calloc((size_t)n, sizeof *order), *keep = calloc((size_t)k, sizeof *keep);
    assert_true(order != NULL && keep != NULL);
    rng_permutation(random, n, order);
    for (int64_t u = 0, b = 0; u < n; u++) /* the units whose rank is below k, ascending */
        if (order[u] < k) keep[b++] = u;
    assert_int_equal(lumping_select(ctx, n, keep, k, &map), COSET_OK);
    for (int64_t u = 0; u < n; u++) {
        if (map->block[u] < 0) map->block[u] = rng_below(random, k + 1) - 1;
        map->reduce[u] = rng_normal(random) * pow(10, rng_uniform(random) * 600 - 300);
        map->scale[u] = rng_normal(random);
    }
    if (lift) {
        assert_int_equal(ctx_alloc(ctx, n * k, sizeof *map->lift, &map->lift), COSET_OK);
        for (int64_t i = 0; i < n * k; i++) map->lift[i] = rng_normal(random);
    }
    if (shift) {
        assert_int_equal(ctx_alloc(ctx, n, sizeof *map->shift, &map->shift), COSET_OK);
        for (int64_t u = 0; u < n; u++) map->shift[u] = rng_normal(random);
    }
    free(order);
    free(keep);
    return map;
}

/* The same with units that are bypassed instead of dropped: of all units now and then. */
static inline lumping *plans_bypass(coset_ctx *ctx, rng *random, int64_t n)
{
    lumping *map = NULL;
    int64_t k = 0, *keep = calloc((size_t)n + 1, sizeof *keep);
    double *slope = random_doubles(random, n), *shift = random_doubles(random, n);
    double share = rng_uniform(random) * 1.4;
    assert_non_null(keep);
    for (int64_t u = 0; u < n; u++)
        if (rng_uniform(random) > share) keep[k++] = u;
    assert_int_equal(lumping_bypass(ctx, n, keep, k, slope, shift, &map), COSET_OK);
    if (rng_below(random, 4) == 0) {
        ctx_free(ctx, map->shift);
        map->shift = NULL;
    }
    free(keep);
    free(slope);
    free(shift);
    return map;
}

/* A plan with everything that a plan can hold. */
static inline coset_plan *plans_random(coset_ctx *ctx, rng *random, int64_t n_groups,
                                       int64_t n_masks)
{
    coset_plan *plan = plans_empty(ctx, n_groups, n_masks);
    plan->method = plans_text(ctx, "auto");
    plan->rule = plans_text(ctx, "params <= 25%");
    for (int64_t g = 0; g < n_groups; g++) {
        plan_group *group = &plan->groups[g];
        group->units = 1 + rng_below(random, 12);
        ctx_free(ctx, group->name);
        group->name = plans_text(ctx, g % 2 ? "dense \"q\"\n\\ \xc3\xa4 \x01" : "/layer/MatMul");
        if (g % 4 == 3) {
            group->skipped = plans_text(ctx, "Softmax: it mixes units at node 'x'");
            continue;
        }
        int64_t k = 1 + rng_below(random, group->units);
        if (g % 4 == 2)
            group->map = plans_bypass(ctx, random, group->units);
        else
            group->map = plans_lumping(ctx, random, group->units, k, g % 3 == 1, g % 3 != 0);
        group->method = plans_text(ctx, "merge");
        group->height = fabs(rng_normal(random)) * 1e-3;
        group->error = g % 2 ? 5e-324 : (double)NAN;
        if (g % 5 == 2) continue;
        assert_int_equal(ctx_alloc(ctx, group->units, sizeof *group->score, &group->score),
                         COSET_OK);
        for (int64_t u = 0; u < group->units; u++)
            group->score[u] = rng_normal(random) * pow(10, rng_uniform(random) * 600 - 300);
    }
    for (int64_t m = 0; m < n_masks; m++) {
        plan_mask *mask = &plan->masks[m];
        mask->weight = plans_text(ctx, m % 2 ? "w.\xe2\x82\xac" : "w");
        mask->elements = rng_below(random, 40);
        assert_int_equal(ctx_alloc(ctx, mask->elements, 1, &mask->keep), COSET_OK);
        for (int64_t i = 0; i < mask->elements; i++) mask->keep[i] = rng_below(random, 2) == 1;
    }
    return plan;
}

/* A chain of such plans. */
static inline coset_plan *plans_chain(coset_ctx *ctx, rng *random, int64_t n_plans,
                                      int64_t n_groups, int64_t n_masks)
{
    coset_plan *first = plans_random(ctx, random, n_groups, n_masks), *last = first;
    for (int64_t p = 1; p < n_plans; p++, last = last->next)
        last->next = plans_random(ctx, random, (n_groups + p) % 5, (n_masks + p) % 3);
    return first;
}

static inline void plans_same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL) assert_string_equal(a, b);
}

/* Bit for bit, so that -0 and subnormals count. */
static inline void plans_same_doubles(const double *a, const double *b, int64_t n)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL && n > 0) assert_memory_equal(a, b, (size_t)n * sizeof *a);
}

static inline void plans_same_lumping(const lumping *a, const lumping *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a == NULL) return;
    assert_true(a->n == b->n && a->k == b->k);
    assert_memory_equal(a->keep, b->keep, (size_t)a->k * sizeof *a->keep);
    assert_memory_equal(a->block, b->block, (size_t)a->n * sizeof *a->block);
    plans_same_doubles(a->reduce, b->reduce, a->n);
    plans_same_doubles(a->scale, b->scale, a->n);
    plans_same_doubles(a->lift, b->lift, a->n * a->k);
    plans_same_doubles(a->shift, b->shift, a->n);
    plans_same_doubles(a->slope, b->slope, a->n);
}

static inline void plans_same_measure(double a, double b)
{
    assert_true(isnan(a) == isnan(b));
    if (!isnan(a)) plans_same_doubles(&a, &b, 1);
}

static inline void plans_same_one(const coset_plan *a, const coset_plan *b)
{
    plans_same_text(a->model_digest, b->model_digest);
    plans_same_text(a->method, b->method);
    plans_same_text(a->rule, b->rule);
    assert_true(a->n_groups == b->n_groups && a->n_masks == b->n_masks);
    for (int64_t g = 0; g < a->n_groups; g++) {
        assert_true(a->groups[g].units == b->groups[g].units);
        plans_same_text(a->groups[g].name, b->groups[g].name);
        plans_same_text(a->groups[g].method, b->groups[g].method);
        plans_same_text(a->groups[g].skipped, b->groups[g].skipped);
        plans_same_measure(a->groups[g].height, b->groups[g].height);
        plans_same_measure(a->groups[g].error, b->groups[g].error);
        plans_same_doubles(a->groups[g].score, b->groups[g].score, a->groups[g].units);
        plans_same_lumping(a->groups[g].map, b->groups[g].map);
    }
    for (int64_t m = 0; m < a->n_masks; m++) {
        plans_same_text(a->masks[m].weight, b->masks[m].weight);
        assert_true(a->masks[m].elements == b->masks[m].elements);
        assert_memory_equal(a->masks[m].keep, b->masks[m].keep, (size_t)a->masks[m].elements);
    }
}

static inline void plans_same(const coset_plan *a, const coset_plan *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next) plans_same_one(a, b);
    assert_true(a == NULL && b == NULL);
}

#endif
