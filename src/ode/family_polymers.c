#include <math.h>

#include "ode/compose.h"
#include "ode/families.h"

enum { A1, A2, A1P, A2P, H, H2, C2H2, A1CHCHP, A2CHCHP, SOURCE, SPECIES };

static const struct {
    const char *name, *initial; /* NULL: 0 */
} species[SPECIES] = {{"A1", "10"},      {"A2", NULL}, {"A1p", NULL},  {"A2p", NULL},
                      {"H", "10"},       {"H2", "10"}, {"C2H2", "10"}, {"A1CHCHp", NULL},
                      {"A2CHCHp", NULL}, {"I", "1"}};

/* nominal - perturbation / 2 for end 1, + for end 2. */
static name_id end_rate(composer *self, const char *name, int end, const char *nominal,
                        double perturbation)
{
    formula value = compose_decimal(self, nominal);
    if (perturbation > 0) {
        formula half = compose_operator(self, EXPRESSION_DIV, compose_number(self, perturbation),
                                        compose_decimal(self, "2"));
        value = compose_operator(self, end == 1 ? EXPRESSION_SUB : EXPRESSION_ADD, value, half);
    }
    return compose_parameter(self, value, "%s%d", name, end);
}

static void react(composer *self, const name_id *ids, int a, int b, int c, int d, name_id rate)
{
    /* -1: nothing in that place */
    const name_id left[2] = {ids[a], b < 0 ? 0 : ids[b]}, right[2] = {ids[c], d < 0 ? 0 : ids[d]};
    compose_reaction(self, left, b < 0 ? 1 : 2, right, d < 0 ? 1 : 2, compose_name(self, rate));
}

static void compose_polymers(composer *self, double perturbation)
{
    name_id ids[SPECIES], a[2], b[2], g[2], a_back[2], b_back[2];
    name_id source = compose_parameter(self, compose_decimal(self, "10"), "r0");
    for (int e = 0; e < 2; e++) a[e] = end_rate(self, "a", e + 1, "1", perturbation);
    for (int e = 0; e < 2; e++) b[e] = end_rate(self, "b", e + 1, "2", perturbation);
    for (int e = 0; e < 2; e++) g[e] = end_rate(self, "g", e + 1, "3", perturbation);
    for (int e = 0; e < 2; e++)
        a_back[e] = compose_parameter(self, compose_decimal(self, "0.1"), "a%drev", e + 1);
    for (int e = 0; e < 2; e++)
        b_back[e] = compose_parameter(self, compose_decimal(self, "0.2"), "b%drev", e + 1);
    for (int s = 0; s < SPECIES; s++) {
        const char *initial = species[s].initial;
        ids[s] = compose_variable(self, initial != NULL ? compose_decimal(self, initial) : NULL,
                                  "%s", species[s].name);
    }
    react(self, ids, SOURCE, -1, SOURCE, A1, source);
    for (int e = 0; e < 2; e++) react(self, ids, A1 + e, H, A1P + e, H2, a[e]);
    for (int e = 0; e < 2; e++) react(self, ids, A1P + e, H2, A1 + e, H, a_back[e]);
    for (int e = 0; e < 2; e++) react(self, ids, A1P + e, C2H2, A1CHCHP + e, -1, b[e]);
    for (int e = 0; e < 2; e++) react(self, ids, A1CHCHP + e, -1, A1P + e, C2H2, b_back[e]);
    /* What grew at one end goes on at the other. */
    for (int e = 0; e < 2; e++) react(self, ids, A1CHCHP + e, C2H2, A2 - e, H, g[e]);
}

coset_status family_polymers(coset_ctx *ctx, double perturbation, ode_model **model_out)
{
    coset_status status = COSET_OK;
    composer self = {NULL, COSET_OK};
    *model_out = NULL;
    if (!(perturbation >= 0 && perturbation < 2))
        FAIL(ctx, COSET_EARGUMENT, "polymers: the perturbation is %g; it must be from 0 to below 2",
             perturbation);
    TRY(model_new(ctx, "polymers", &self.model));
    compose_polymers(&self, perturbation);
    TRY(self.status);
    self.model->t_end = 0.8;
    *model_out = self.model;
    self.model = NULL;
done:
    model_free(self.model);
    return status;
}
