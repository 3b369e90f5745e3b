#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "ode/compose.h"
#include "ode/families.h"

enum { MAX_DEPTH = 8 };
/* Streams of the seed (base/rng.h). */
enum { STREAM_HTREE = 0x47EE };

/* Per level, as decimals. */
static const char *const resistances[MAX_DEPTH] = {"3.19", "6.37", "12.75", "25.50",
                                                   "50",   "100",  "200",   "400"};
static const char *const capacitances[MAX_DEPTH] = {".28", ".30", ".13",  ".14",
                                                    ".07", ".07", ".035", ".035"};

/* The branch k of level i has the index 2^(i - 1) - 1 + (k - 1), so its parent's is (index - 1) / 2. */
typedef struct htree {
    composer composer;
    int64_t depth, n;
    formula resistance[255], capacitance[255];
    name_id rate[255], voltage[255];
} htree;

static int64_t level_start(int64_t level)
{
    return ((int64_t)1 << (level - 1)) - 1;
}

/* The level's constant for one branch. It is perturbed as a decimal, so that the file that is written
 * shows it whole. */
static formula branch_constant(composer *self, const char *nominal, double perturbation,
                               rng *random)
{
    number value = {0, 0};
    if (perturbation == 0) return compose_decimal(self, nominal);
    bool known = number_parse(nominal, strlen(nominal), &value);
    if (!known) return compose_decimal(self, nominal); /* which says so */
    return compose_number(self, value.value * (1 + perturbation * (2 * rng_uniform(random) - 1)));
}

static void draw_constants(htree *self, double perturbation)
{
    rng random = rng_seed(self->composer.model->ctx->seed, STREAM_HTREE);
    for (int64_t level = 1; level <= self->depth; level++)
        for (int64_t b = level_start(level); b < level_start(level + 1); b++) {
            self->resistance[b] =
                branch_constant(&self->composer, resistances[level - 1], perturbation, &random);
            self->capacitance[b] =
                branch_constant(&self->composer, capacitances[level - 1], perturbation, &random);
        }
}

/* 1 / (R C) */
static formula inverse_time(composer *self, formula resistance, formula capacitance)
{
    formula time = compose_operator(self, EXPRESSION_MUL, resistance, capacitance);
    return compose_operator(self, EXPRESSION_DIV, compose_decimal(self, "1"), time);
}

/* rate * (from - to) */
static formula current(composer *self, name_id rate, formula from, name_id to)
{
    formula gap = compose_operator(self, EXPRESSION_SUB, from, compose_name(self, to));
    return compose_operator(self, EXPRESSION_MUL, compose_name(self, rate), gap);
}

static void compose_tree(htree *self)
{
    composer *c = &self->composer;
    name_id draw[2] = {0, 0};
    for (int64_t b = 1; b <= 2 && b < self->n; b++)
        draw[b - 1] = compose_parameter(
            c, inverse_time(c, self->resistance[b], self->capacitance[0]), "b%d", (int)b + 1);
    for (int64_t level = 1; level <= self->depth; level++)
        for (int64_t b = level_start(level); b < level_start(level + 1); b++)
            self->rate[b] =
                compose_parameter(c, inverse_time(c, self->resistance[b], self->capacitance[b]),
                                  "an%dk%d", (int)level, (int)(b - level_start(level) + 1));
    for (int64_t level = 1; level <= self->depth; level++)
        for (int64_t b = level_start(level); b < level_start(level + 1); b++)
            self->voltage[b] =
                compose_variable(c, NULL, "vn%dk%d", (int)level, (int)(b - level_start(level) + 1));
    formula root = current(c, self->rate[0], compose_decimal(c, "2.0"), self->voltage[0]);
    for (int64_t b = 1; b <= 2 && b < self->n; b++)
        root = compose_operator(
            c, EXPRESSION_SUB, root,
            current(c, draw[b - 1], compose_name(c, self->voltage[0]), self->voltage[b]));
    compose_equation(c, self->voltage[0], root);
    for (int64_t b = 1; b < self->n; b++)
        compose_equation(c, self->voltage[b],
                         current(c, self->rate[b], compose_name(c, self->voltage[(b - 1) / 2]),
                                 self->voltage[b]));
}

/* Four time constants of the slowest level: 7, as in the file, for a depth of 3. */
static double settling_time(int64_t depth)
{
    double slowest = 0;
    for (int64_t level = 1; level <= depth; level++) {
        number r = {0, 0}, c = {0, 0};
        bool known = number_parse(resistances[level - 1], strlen(resistances[level - 1]), &r) &&
                     number_parse(capacitances[level - 1], strlen(capacitances[level - 1]), &c);
        if (known) slowest = fmax(slowest, r.value * c.value);
    }
    return floor(4 * slowest);
}

coset_status family_htree(coset_ctx *ctx, int64_t depth, double perturbation, ode_model **model_out)
{
    coset_status status = COSET_OK;
    htree *self = NULL;
    ode_model *model = NULL;
    *model_out = NULL;
    if (depth < 1 || depth > MAX_DEPTH)
        FAIL(ctx, COSET_EARGUMENT, "htree: the depth is %lld; it must be from 1 to %d",
             (long long)depth, MAX_DEPTH);
    if (!(perturbation >= 0 && perturbation < 1))
        FAIL(ctx, COSET_EARGUMENT, "htree: the perturbation is %g; it must be from 0 to below 1",
             perturbation);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    TRY(model_new(ctx, "htree", &model));
    self->composer.model = model;
    self->depth = depth;
    self->n = level_start(depth + 1);
    draw_constants(self, perturbation);
    compose_tree(self);
    TRY(self->composer.status);
    model->t_end = settling_time(depth);
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    ctx_free(ctx, self);
    return status;
}
