#include "api/ode.h"

#include <string.h>

#include "base/file.h"

/* ---- handles ----------------------------------------------------------------------------------- */

void coset_ode_free(coset_ctx *ctx, coset_ode *ode)
{
    if (ode == NULL) return;
    model_free(ode->model);
    ctx_free(ctx, ode->path);
    ctx_free(ctx, ode->changes);
    ctx_free(ctx, ode);
}

coset_status ode_own(coset_ctx *ctx, ode_model *model, coset_ode **ode_out)
{
    coset_ode *self = NULL;
    *ode_out = NULL;
    coset_status status = ctx_alloc(ctx, 1, sizeof *self, &self);
    if (status != COSET_OK) {
        model_free(model);
        return status;
    }
    self->model = model;
    *ode_out = self;
    return COSET_OK;
}

const char *ode_source(const coset_ode *ode)
{
    if (ode->path != NULL) return ode->path;
    return ode->model->name != NULL ? ode->model->name : "model";
}

coset_status ode_fail(coset_ctx *ctx, coset_status status, const coset_ode *ode)
{
    char text[sizeof ctx->error];
    if (status == COSET_OK || status == COSET_EMEMORY) return status;
    memcpy(text, ctx->error, sizeof text);
    size_t line = strspn(text, "0123456789");
    bool placed = line > 0 && text[line] == ':';
    return ctx_fail(ctx, status, "%s:%s%s", ode_source(ode), placed ? "" : " ", text);
}

/* ---- reading and writing ----------------------------------------------------------------------- */

coset_status coset_ode_parse(coset_ctx *ctx, const char *text, size_t size, const char *source,
                             coset_ode **ode_out)
{
    coset_status status = COSET_OK;
    ode_model *model = NULL;
    coset_ode *self = NULL;
    const char *name = source != NULL ? source : "text";
    *ode_out = NULL;
    TRY(model_parse(ctx, text != NULL ? text : "", text != NULL ? size : 0, name, &model));
    TRY(ode_own(ctx, model, &self));
    TRY(ctx_strdup(ctx, name, &self->path));
    *ode_out = self;
    self = NULL;
done:
    coset_ode_free(ctx, self);
    return status;
}

coset_status coset_ode_load(coset_ctx *ctx, const char *path, coset_ode **ode_out)
{
    coset_status status = COSET_OK;
    file_view view = {NULL, 0};
    *ode_out = NULL;
    /* Mapped here, not by model_load, so that the digest is that of the bytes that are parsed. */
    TRY(file_map(ctx, path, &view));
    TRY(coset_ode_parse(ctx, (const char *)view.bytes, view.size, path, ode_out));
    file_digest(view.bytes, view.size, (*ode_out)->digest);
done:
    file_unmap(&view);
    return status;
}

coset_status coset_ode_save(coset_ctx *ctx, const coset_ode *ode, const char *path)
{
    (void)ctx;
    return model_save(ode->model, path);
}

coset_status coset_ode_text(coset_ctx *ctx, const coset_ode *ode, char **text_out)
{
    size_t size = 0;
    (void)ctx;
    return model_text(ode->model, text_out, &size);
}

/* ---- names and values -------------------------------------------------------------------------- */

int64_t coset_ode_variables(const coset_ode *ode)
{
    return ode->model->n_variables;
}

const char *coset_ode_variable_name(const coset_ode *ode, int64_t index)
{
    return index >= 0 && index < ode->model->n_variables ? ode->model->variables[index].name : NULL;
}

/* The model's own copy of a name that is there. */
static const char *own_name(const ode_model *model, const char *name)
{
    name_id id = (name_id)name_map_get(&model->names, name, 0);
    int64_t index = name_index(id);
    return name_is_variable(id) ? model->variables[index].name : model->parameters[index].name;
}

coset_status coset_ode_set(coset_ctx *ctx, coset_ode *ode, const char *name, double value)
{
    coset_status status = COSET_OK;
    TRY(ctx_reserve(ctx, &ode->changes, &ode->changes_capacity, ode->n_changes + 1,
                    sizeof *ode->changes));
    TRY(model_set(ode->model, name, value));
    ode->changes[ode->n_changes++] = (ode_change){own_name(ode->model, name), value};
done:
    return status;
}

/* ---- reports ----------------------------------------------------------------------------------- */

coset_status ode_report_new(coset_ctx *ctx, const char *verb, const coset_ode *ode,
                            coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_report *report = NULL;
    report_node *root = NULL, *set = NULL;
    *report_out = NULL;
    TRY(report_new(ctx, REPORT_ODE, &report));
    root = report_root(report);
    TRY(report_text(ctx, root, "verb", verb));
    if (ode != NULL) {
        TRY(report_text(ctx, root, "model", ode_source(ode)));
        TRY(report_input(ctx, report, ode_source(ode), ode->digest));
    }
    if (ode != NULL && ode->n_changes > 0) {
        TRY(report_object(ctx, root, "set", &set));
        for (int64_t k = 0; k < ode->n_changes; k++)
            TRY(report_real(ctx, set, ode->changes[k].name, ode->changes[k].value));
    }
    *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    return status;
}
