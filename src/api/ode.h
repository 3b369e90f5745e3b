/* What the calls on ODE models share. */
#ifndef COSET_API_ODE_H
#define COSET_API_ODE_H

#include <coset/ode.h>

#include "base/digest.h"
#include "ode/model.h"
#include "ode/reduce.h"
#include "report/report.h"

/* What coset_ode_set changed, for reports. The name is lent by the model. */
typedef struct ode_change {
    const char *name;
    double value;
} ode_change;

struct coset_ode {
    ode_model *model;
    char *path;               /* file or source that it was read from; NULL: made in memory */
    char digest[DIGEST_TEXT]; /* of that file or text; "": made in memory */
    ode_change *changes;      /* in the order in which they were made */
    int64_t n_changes, changes_capacity;
};

/* A handle for a model, which it takes over, also on failure. */
COSET_MUST_USE coset_status ode_own(coset_ctx *ctx, ode_model *model, coset_ode **ode_out);

/* A report of `coset ode VERB` (its fields: report/report.h) with "model", "set" and the model's file and
 * digest among the inputs.
 *   verb  "ode encode", "ode reduce", "ode simulate", "ode dataset"
 *   ode   NULL: no input; the caller fills "model" */
COSET_MUST_USE coset_status ode_report_new(coset_ctx *ctx, const char *verb, const coset_ode *ode,
                                           coset_report **report_out);

/* Puts the source before the error text: "file.ode:3:14: ..." where it begins with a place, otherwise
 * "file.ode: ...". Returns status; nothing happens for COSET_OK and COSET_EMEMORY. */
COSET_MUST_USE coset_status ode_fail(coset_ctx *ctx, coset_status status, const coset_ode *ode);

/* "file.ode", or the model's name if it was made in memory. Lent. */
const char *ode_source(const coset_ode *ode);

#endif
