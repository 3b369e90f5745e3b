/* Writes plans.   Format: docs/plan-format.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/json_reader.h"
#include "lump/plan_format.h"
#include "lump/safetensors.h"

const char *plan_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

coset_status plan_matrices_path(coset_ctx *ctx, const char *path, char **path_out)
{
    const char *name = plan_file_name(path), *dot = strrchr(name, '.');
    size_t stem = dot != NULL && dot != name ? (size_t)(dot - path) : strlen(path);
    *path_out = NULL;
    if (strcmp(path + stem, ".safetensors") == 0)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "%s: a plan is JSON; its matrices go into the .safetensors file beside it",
                        path);
    return ctx_format(ctx, path_out, "%.*s.safetensors", (int)stem, path);
}

void plan_prefix(int64_t index, char *prefix)
{
    prefix[0] = '\0';
    if (index > 0) snprintf(prefix, PLAN_ENTRY_PREFIX, "next.%lld.", (long long)index - 1);
}

/* ---- matrices ---------------------------------------------------------------------------------- */

typedef struct matrices {
    coset_ctx *ctx;
    char prefix[PLAN_ENTRY_PREFIX]; /* of the names of one plan of a chain */
    safetensors_entry *entries;
    int64_t n, capacity;
    arena names;
} matrices;

static coset_status add_matrix(matrices *self, coset_dtype dtype, int64_t rows, int64_t columns,
                               const void *data, const char *kind, int64_t index, const char *part)
{
    coset_status status =
        ctx_reserve(self->ctx, &self->entries, &self->capacity, self->n + 1, sizeof *self->entries);
    if (status != COSET_OK) return status;
    safetensors_entry *entry = &self->entries[self->n];
    char name[PLAN_ENTRY_NAME];
    int length =
        snprintf(name, sizeof name, "%s%s.%lld.%s", self->prefix, kind, (long long)index, part);
    *entry = (safetensors_entry){.dtype = dtype, .data = data};
    entry->shape = columns > 0 ? (shape){2, {rows, columns}} : (shape){1, {rows}};
    status = tensor_bytes(self->ctx, dtype, &entry->shape, &entry->bytes);
    if (status == COSET_OK)
        status = arena_string(self->ctx, &self->names, name, (size_t)length, &entry->name);
    if (status == COSET_OK) self->n++;
    return status;
}

static coset_status gather_one(matrices *self, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    for (int64_t g = 0; g < plan->n_groups; g++) {
        const lumping *map = plan->groups[g].map;
        if (map == NULL) continue;
        TRY(add_matrix(self, COSET_F64, map->n, 0, map->reduce, "group", g, "reduce"));
        TRY(add_matrix(self, COSET_F64, map->n, 0, map->scale, "group", g, "scale"));
        if (map->lift != NULL)
            TRY(add_matrix(self, COSET_F64, map->n, map->k, map->lift, "group", g, "lift"));
        if (map->shift != NULL)
            TRY(add_matrix(self, COSET_F64, map->n, 0, map->shift, "group", g, "shift"));
        if (map->slope != NULL)
            TRY(add_matrix(self, COSET_F64, map->n, 0, map->slope, "group", g, "slope"));
    }
    for (int64_t m = 0; m < plan->n_masks; m++)
        TRY(add_matrix(self, COSET_U8, plan->masks[m].elements, 0, plan->masks[m].keep, "mask", m,
                       "keep"));
done:
    return status;
}

static coset_status gather(matrices *self, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    for (int64_t index = 0; status == COSET_OK && plan != NULL; index++, plan = plan->next) {
        plan_prefix(index, self->prefix);
        status = gather_one(self, plan);
    }
    return status;
}

static void matrices_free(matrices *self)
{
    ctx_free(self->ctx, self->entries);
    arena_free(self->ctx, &self->names);
}

/* ---- JSON: one line for each group and mask ----------------------------------------------------- */

/* Where JSON goes. */
typedef struct sink {
    coset_ctx *ctx;
    file_writer *writer;
    const char *path;
    coset_status status; /* of the writer: jansson (2.14) ignores some failures of its callback */
} sink;

static int receive(const char *text, size_t size, void *user)
{
    sink *self = user;
    if (self->status == COSET_OK) self->status = file_writer_put(self->writer, text, size);
    return self->status == COSET_OK ? 0 : -1;
}

static coset_status put_text(sink *self, const char *text)
{
    return file_writer_put(self->writer, text, strlen(text));
}

/* Writes a value and takes its reference; NULL: it could not be made. */
static coset_status put_json(sink *self, json_t *value)
{
    coset_status status = COSET_OK;
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    bool dumped = value != NULL && json_dump_callback(value, receive, self, flags) == 0;
    if (self->status != COSET_OK)
        status = self->status;
    else if (!dumped)
        status = ctx_fail(self->ctx, COSET_EMEMORY, "%s: no memory to write it", self->path);
    json_decref(value);
    return status;
}

static coset_status check_text(sink *self, const char *text)
{
    if (text == NULL || json_is_text(text)) return COSET_OK;
    return ctx_fail(self->ctx, COSET_EARGUMENT, "%s: the name '%s' is not UTF-8 text", self->path,
                    text);
}

/* A list of n values, of integers or, where they are NULL, of reals. */
static json_t *list_of(const int64_t *integers, const double *reals, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; list != NULL && i < n; i++) {
        json_t *value = integers != NULL ? json_integer(integers[i]) : json_real(reals[i]);
        if (json_array_append_new(list, value) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *number_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static coset_status put_group(sink *self, const plan_group *group)
{
    coset_status status = COSET_OK;
    const lumping *map = group->map;
    TRY(check_text(self, group->name));
    TRY(check_text(self, group->method));
    TRY(check_text(self, group->skipped));
    json_t *kept = map != NULL ? list_of(map->keep, NULL, map->k) : json_null();
    json_t *blocks = map != NULL ? list_of(map->block, NULL, map->n) : json_null();
    json_t *scores = group->score != NULL ? list_of(NULL, group->score, group->units) : json_null();
    TRY(put_json(self,
                 json_pack("{s:s, s:I, s:o, s:o, s:s?, s:o, s:o, s:o, s:s?}", "name", group->name,
                           "units", (json_int_t)group->units, "kept", kept, "blocks", blocks,
                           "method", group->method, "height", number_of(group->height), "error",
                           number_of(group->error), "scores", scores, "skipped", group->skipped)));
done:
    return status;
}

static coset_status put_lines(sink *self, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    TRY(put_text(self, ",\n \"groups\": ["));
    for (int64_t g = 0; g < plan->n_groups; g++) {
        TRY(put_text(self, g > 0 ? ",\n  " : "\n  "));
        TRY(put_group(self, &plan->groups[g]));
    }
    TRY(put_text(self, "],\n \"masks\": ["));
    for (int64_t m = 0; m < plan->n_masks; m++) {
        const plan_mask *mask = &plan->masks[m];
        TRY(put_text(self, m > 0 ? ",\n  " : "\n  "));
        TRY(check_text(self, mask->weight));
        TRY(put_json(self, json_pack("{s:s, s:I}", "weight", mask->weight, "elements",
                                     (json_int_t)mask->elements)));
    }
    TRY(put_text(self, "]"));
done:
    return status;
}

static coset_status put_value(sink *self, const char *key, const char *text)
{
    coset_status status = COSET_OK;
    TRY(check_text(self, text));
    TRY(put_text(self, "\""));
    TRY(put_text(self, key));
    TRY(put_text(self, "\": "));
    TRY(put_json(self, text != NULL ? json_string(text) : json_null()));
done:
    return status;
}

static coset_status put_field(sink *self, const char *key, const char *text)
{
    coset_status status = put_text(self, ",\n ");
    return status == COSET_OK ? put_value(self, key, text) : status;
}

/* The plans behind the first one of a chain. */
static coset_status put_next(sink *self, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    TRY(put_text(self, ",\n \"next\": ["));
    for (bool first = true; plan != NULL; plan = plan->next, first = false) {
        TRY(put_text(self, first ? "\n {" : ",\n {"));
        TRY(put_value(self, "method", plan->method));
        TRY(put_field(self, "rule", plan->rule));
        TRY(put_lines(self, plan));
        TRY(put_text(self, "}"));
    }
    TRY(put_text(self, "]"));
done:
    return status;
}

/* What a reader must know: of the first version it would overlook plans that follow, and bypasses. */
static int version_of(const coset_plan *plan)
{
    bool plain = plan->next == NULL;
    for (int64_t g = 0; g < plan->n_groups; g++)
        if (plan->groups[g].map != NULL && plan->groups[g].map->slope != NULL) plain = false;
    return plain ? 1 : PLAN_VERSION;
}

static coset_status put_plan(sink *self, const coset_plan *plan, const char *matrices_name,
                             const char *sha256)
{
    coset_status status = COSET_OK;
    char head[64];
    snprintf(head, sizeof head, "{\"format\": \"" PLAN_FORMAT "\",\n \"version\": %d",
             version_of(plan));
    TRY(put_text(self, head));
    TRY(put_field(self, "coset", coset_version()));
    TRY(put_field(self, "model_sha256", plan->model_digest != NULL ? plan->model_digest : ""));
    TRY(put_field(self, "method", plan->method));
    TRY(put_field(self, "rule", plan->rule));
    TRY(put_field(self, "matrices", matrices_name));
    TRY(put_field(self, "matrices_sha256", sha256));
    TRY(put_lines(self, plan));
    if (plan->next != NULL) TRY(put_next(self, plan->next));
    TRY(put_text(self, "}\n"));
done:
    return status;
}

/* ---- both files --------------------------------------------------------------------------------- */

/* What plan_load would refuse is not written. */
static coset_status check_size(coset_ctx *ctx, const coset_plan *plan, const char *path)
{
    int64_t values = 0, entries = 0, steps = 0;
    for (; plan != NULL; plan = plan->next) {
        for (int64_t g = 0; g < plan->n_groups; g++) {
            const plan_group *group = &plan->groups[g];
            if (group->map != NULL) values += group->map->n + group->map->k;
            if (group->score != NULL) values += group->units;
        }
        entries += plan->n_groups + plan->n_masks;
        steps++;
    }
    if (steps > PLAN_STEPS)
        return ctx_fail(ctx, COSET_ELIMIT, "%s: a plan is a chain of at most %d", path, PLAN_STEPS);
    if (entries > PLAN_ENTRIES)
        return ctx_fail(ctx, COSET_ELIMIT, "%s: a plan holds at most %d groups and masks", path,
                        PLAN_ENTRIES);
    if (values > PLAN_UNITS)
        return ctx_fail(ctx, COSET_ELIMIT,
                        "%s: a plan holds at most %d units, kept units and scores together", path,
                        PLAN_UNITS);
    return COSET_OK;
}

coset_status plan_save(coset_ctx *ctx, const coset_plan *plan, const char *path)
{
    coset_status status = COSET_OK;
    matrices all = {.ctx = ctx};
    char *matrices_path = NULL, sha256[DIGEST_TEXT];
    file_writer *data = NULL, *text = NULL;
    TRY(check_size(ctx, plan, path));
    TRY(plan_matrices_path(ctx, path, &matrices_path));
    TRY(gather(&all, plan));
    TRY(file_writer_open(ctx, matrices_path, &data));
    TRY(file_writer_open(ctx, path, &text));
    TRY(safetensors_put(ctx, data, all.entries, all.n, PLAN_FORMAT, sha256));
    sink out = {ctx, text, path, COSET_OK};
    TRY(put_plan(&out, plan, plan_file_name(matrices_path), sha256));
    /* The JSON comes last: it vouches for the matrices. */
    file_writer *ready = data;
    data = NULL;
    TRY(file_writer_commit(ready));
    ready = text;
    text = NULL;
    TRY(file_writer_commit(ready));
done:
    file_writer_abort(data);
    file_writer_abort(text);
    matrices_free(&all);
    ctx_free(ctx, matrices_path);
    return status;
}
