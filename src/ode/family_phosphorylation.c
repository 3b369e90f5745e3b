#include "base/rng.h"
#include "ode/compose.h"
#include "ode/families.h"

enum { MAX_SITES = 8 };
/* Streams of the seed (base/rng.h). */
enum { STREAM_SITES = 0x9405 };

/* What a site is in. A species of the substrate is a word of such digits, the first site first. */
enum { FREE, BOUND_E, PHOSPHORYLATED, BOUND_F, STATES };

enum { ON_E, OFF_E, CAT_E, ON_F, OFF_F, CAT_F, RATES };
static const char *const rate_names[RATES] = {"kOnE", "kOffE", "kCatE", "kOnF", "kOffF", "kCatF"};
static const char *const rate_values[RATES] = {"0.7", "3", "5.0", "0.7", "3", "5.1"};

typedef struct phosphorylation {
    composer composer;
    int64_t sites, words; /* words: 4^sites */
    name_id enzyme[2];    /* E, F */
    name_id rates[MAX_SITES][RATES];
} phosphorylation;

/* Word w is the species S(w + 2). */
static name_id word_id(const phosphorylation *self, int64_t word)
{
    return ~(name_id)(name_index(self->enzyme[1]) + 1 + word);
}

static void compose_rates(phosphorylation *self, double perturbation)
{
    composer *c = &self->composer;
    rng random = rng_seed(c->model->ctx->seed, STREAM_SITES);
    for (int64_t site = 0; site < self->sites; site++)
        for (int r = 0; r < RATES; r++) {
            formula value = compose_decimal(c, rate_values[r]);
            if (perturbation == 0) {
                self->rates[site][r] =
                    site > 0 ? self->rates[0][r] : compose_parameter(c, value, "%s", rate_names[r]);
                continue;
            }
            if (value != NULL)
                value = compose_number(c, value->number.value *
                                              (1 + perturbation * (2 * rng_uniform(&random) - 1)));
            self->rates[site][r] =
                compose_parameter(c, value, "%s%d", rate_names[r], (int)site + 1);
        }
}

/* Totals as in e2 for two sites and fewer, as in e3 and e4 for more. */
static void compose_species(phosphorylation *self)
{
    composer *c = &self->composer;
    bool small = self->sites <= 2;
    name_id totals[3];
    totals[0] = compose_parameter(c, compose_decimal(c, small ? "2" : "300"), "Etot");
    totals[1] = compose_parameter(c, compose_decimal(c, small ? "2" : "300"), "Ftot");
    totals[2] = compose_parameter(c, compose_decimal(c, small ? "3" : "3000"), "Stot");
    for (int e = 0; e < 2; e++)
        self->enzyme[e] = compose_variable(c, compose_name(c, totals[e]), "S%d", e);
    for (int64_t word = 0; word < self->words; word++)
        compose_variable(c, word == 0 ? compose_name(c, totals[2]) : NULL, "S%lld",
                         (long long)word + 2);
}

/* enzyme + free -> bound */
static void bind(phosphorylation *self, int enzyme, int64_t free, int64_t bound, name_id rate)
{
    const name_id left[2] = {self->enzyme[enzyme], word_id(self, free)};
    const name_id right[1] = {word_id(self, bound)};
    compose_reaction(&self->composer, left, 2, right, 1, compose_name(&self->composer, rate));
}

/* bound -> enzyme + free */
static void release(phosphorylation *self, int enzyme, int64_t bound, int64_t free, name_id rate)
{
    const name_id left[1] = {word_id(self, bound)};
    const name_id right[2] = {self->enzyme[enzyme], word_id(self, free)};
    compose_reaction(&self->composer, left, 1, right, 2, compose_name(&self->composer, rate));
}

/* What the site that is worth `place` in a word does next. */
static void compose_site(phosphorylation *self, int64_t word, int64_t place, const name_id *rates)
{
    int64_t state = word / place % STATES;
    int64_t base = word - state * place; /* the word with the site free */
    switch (state) {
    case FREE: bind(self, 0, word, base + BOUND_E * place, rates[ON_E]); break;
    case BOUND_E:
        release(self, 0, word, base, rates[OFF_E]);
        release(self, 0, word, base + PHOSPHORYLATED * place, rates[CAT_E]);
        break;
    case PHOSPHORYLATED: bind(self, 1, word, base + BOUND_F * place, rates[ON_F]); break;
    default:
        release(self, 1, word, base + PHOSPHORYLATED * place, rates[OFF_F]);
        release(self, 1, word, base, rates[CAT_F]);
        break;
    }
}

static void compose_reactions(phosphorylation *self)
{
    for (int64_t word = 0; word < self->words && self->composer.status == COSET_OK; word++)
        for (int64_t site = 0, place = self->words / STATES; site < self->sites;
             site++, place /= STATES)
            compose_site(self, word, place, self->rates[site]);
}

/* The views of e2: free enzymes, and what of the substrate is phosphorylated at its first site. */
static void compose_views(phosphorylation *self)
{
    composer *c = &self->composer;
    formula sum = NULL;
    for (int64_t word = self->words / 2; word < self->words; word++) {
        formula one = compose_name(c, word_id(self, word));
        sum = sum == NULL ? one : compose_operator(c, EXPRESSION_ADD, sum, one);
    }
    compose_view(c, compose_name(c, self->enzyme[0]), "Efree");
    compose_view(c, compose_name(c, self->enzyme[1]), "Ffree");
    compose_view(c, sum, "S1P");
}

coset_status family_phosphorylation(coset_ctx *ctx, int64_t sites, double perturbation,
                                    ode_model **model_out)
{
    coset_status status = COSET_OK;
    phosphorylation self = {.sites = sites, .words = 1};
    ode_model *model = NULL;
    *model_out = NULL;
    if (sites < 1 || sites > MAX_SITES)
        FAIL(ctx, COSET_EARGUMENT, "phosphorylation: there are %lld sites; 1 to %d are possible",
             (long long)sites, MAX_SITES);
    if (!(perturbation >= 0 && perturbation < 1))
        FAIL(ctx, COSET_EARGUMENT,
             "phosphorylation: the perturbation is %g; it must be from 0 to below 1", perturbation);
    for (int64_t site = 0; site < sites; site++) self.words *= STATES;
    TRY(model_new(ctx, "phosphorylation", &model));
    self.composer.model = model;
    compose_rates(&self, perturbation);
    compose_species(&self);
    compose_reactions(&self);
    compose_views(&self);
    TRY(self.composer.status);
    TRY(arena_alloc(ctx, &model->arena, model->n_variables, sizeof *model->block_of,
                    &model->block_of));
    for (int64_t v = 0; v < model->n_variables; v++) model->block_of[v] = v < 2 ? v : 2;
    model->t_end = 1;
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    return status;
}
