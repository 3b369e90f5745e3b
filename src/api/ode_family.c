#include <string.h>

#include "api/ode.h"
#include "base/nearest.h"
#include "ode/families.h"

typedef struct family {
    const char *name;
    int64_t size; /* by default; 0: it has no sizes */
    coset_status (*make)(coset_ctx *ctx, int64_t size, double perturbation, ode_model **model_out);
} family;

static coset_status make_polymers(coset_ctx *ctx, int64_t size, double perturbation,
                                  ode_model **model_out)
{
    (void)size;
    return family_polymers(ctx, perturbation, model_out);
}

/* The default sizes are those of the models in the literature: hTreeCircuit3_1 and e2. */
static const family families[] = {{"htree", 3, family_htree},
                                  {"polymers", 0, make_polymers},
                                  {"phosphorylation", 2, family_phosphorylation}};
enum { FAMILIES = sizeof families / sizeof *families };

coset_status coset_ode_family(coset_ctx *ctx, const char *name, int64_t size, double perturbation,
                              coset_ode **ode_out)
{
    coset_status status = COSET_OK;
    const family *found = NULL;
    ode_model *model = NULL;
    *ode_out = NULL;
    if (name == NULL) name = "";
    nearest best = {name, strlen(name), NULL, 0};
    for (int k = 0; k < FAMILIES; k++) {
        if (strcmp(name, families[k].name) == 0) found = &families[k];
        nearest_offer(&best, families[k].name);
    }
    if (found == NULL && best.name != NULL)
        FAIL(ctx, COSET_EARGUMENT, "there is no family '%.64s'; did you mean '%s'?", name,
             best.name);
    if (found == NULL)
        FAIL(ctx, COSET_EARGUMENT,
             "there is no family '%.64s'; there are htree, polymers and phosphorylation", name);
    TRY(found->make(ctx, size == 0 ? found->size : size, perturbation, &model));
    TRY(ode_own(ctx, model, ode_out));
done:
    return status;
}
