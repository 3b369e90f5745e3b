/* Reads plans back; a plan is untrusted input.   Format: docs/plan-format.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_reader.h"
#include "lump/plan_format.h"
#include "lump/safetensors.h"

/* ---- fields ------------------------------------------------------------------------------------ */

/* A copy of a text; null and a missing key are NULL if `optional`. */
static coset_status read_text(coset_ctx *ctx, const jvalue *object, const char *key, bool optional,
                              char **text_out)
{
    const jvalue *value = jvalue_get(object, key);
    *text_out = NULL;
    if (optional && jvalue_is_null(value)) return COSET_OK;
    if (jvalue_text(value) == NULL)
        return ctx_fail(ctx, COSET_EFORMAT, "\"%s\" must be a text", key);
    return ctx_strdup(ctx, value->text, text_out);
}

static coset_status read_count(coset_ctx *ctx, const jvalue *object, const char *key,
                               int64_t *count_out)
{
    const jvalue *value = jvalue_get(object, key);
    *count_out = 0;
    if (value == NULL || value->kind != JVALUE_INTEGER || value->integer < 0 ||
        value->integer > TENSOR_MAX_ELEMENTS)
        return ctx_fail(ctx, COSET_EFORMAT, "\"%s\" must be a whole number, 0 or more", key);
    *count_out = value->integer;
    return COSET_OK;
}

static bool is_number(const jvalue *value)
{
    return value->kind == JVALUE_INTEGER || value->kind == JVALUE_REAL;
}

static double number_in(const jvalue *value)
{
    return value->kind == JVALUE_REAL ? value->real : (double)value->integer;
}

/* Heights and errors: numbers of 0 or more; null is unknown. */
static coset_status read_measure(coset_ctx *ctx, const jvalue *object, const char *key,
                                 double *value_out)
{
    const jvalue *value = jvalue_get(object, key);
    *value_out = (double)NAN;
    if (jvalue_is_null(value)) return COSET_OK;
    if (!is_number(value))
        return ctx_fail(ctx, COSET_EFORMAT, "\"%s\" must be a number or null", key);
    *value_out = number_in(value);
    return COSET_OK;
}

static bool is_list(const jvalue *value)
{
    return value != NULL && value->kind == JVALUE_LIST;
}

/* The whole numbers of a list. */
static coset_status read_list(coset_ctx *ctx, const jvalue *list, const char *key,
                              int64_t **values_out)
{
    coset_status status = COSET_OK;
    int64_t *values = NULL;
    *values_out = NULL;
    TRY(ctx_alloc(ctx, list->n, sizeof *values, &values));
    for (int64_t i = 0; i < list->n; i++) {
        if (list->items[i].kind != JVALUE_INTEGER)
            FAIL(ctx, COSET_EFORMAT, "entry %lld of \"%s\" is not a whole number", (long long)i,
                 key);
        values[i] = list->items[i].integer;
    }
    *values_out = values;
    values = NULL;
done:
    ctx_free(ctx, values);
    return status;
}

/* Scores: one finite number for each unit, or null. */
static coset_status read_scores(coset_ctx *ctx, const jvalue *object, plan_group *group)
{
    const jvalue *list = jvalue_get(object, "scores");
    if (jvalue_is_null(list)) return COSET_OK;
    if (!is_list(list) || list->n != group->units)
        return ctx_fail(ctx, COSET_EFORMAT, "\"scores\" must list %lld units",
                        (long long)group->units);
    coset_status status = ctx_alloc(ctx, list->n, sizeof *group->score, &group->score);
    for (int64_t u = 0; status == COSET_OK && u < list->n; u++) {
        if (!is_number(&list->items[u]))
            return ctx_fail(ctx, COSET_EFORMAT, "entry %lld of \"scores\" is not a number",
                            (long long)u);
        group->score[u] = number_in(&list->items[u]);
    }
    return status;
}

/* ---- matrices ---------------------------------------------------------------------------------- */

/* The matrices of one plan of a chain. */
typedef struct stored {
    const safetensors *file;
    char prefix[PLAN_ENTRY_PREFIX]; /* of their names */
} stored;

/* A copy of tensor KIND.INDEX.PART with `count` elements in the given dims; an absent one is NULL if
 * `optional`. */
static coset_status read_matrix(coset_ctx *ctx, const stored *from, const char *kind, int64_t index,
                                const char *part, coset_dtype dtype, const shape *dims,
                                bool optional, void *copy_out)
{
    char name[PLAN_ENTRY_NAME], text[SHAPE_TEXT];
    void *copy = NULL;
    memcpy(copy_out, &copy, sizeof copy);
    snprintf(name, sizeof name, "%s%s.%lld.%s", from->prefix, kind, (long long)index, part);
    const safetensors_entry *entry = safetensors_find(from->file, name);
    if (entry == NULL && optional) return COSET_OK;
    if (entry == NULL || entry->dtype != dtype || !shape_equal(&entry->shape, dims))
        return ctx_fail(ctx, COSET_EFORMAT,
                        "the matrices need a tensor '%s' of type %s and shape %s", name,
                        dtype == COSET_F64 ? "F64" : "U8", shape_text(dims, text, sizeof text));
    coset_status status = ctx_alloc_raw(ctx, (int64_t)entry->bytes, 1, &copy);
    if (status != COSET_OK) return status;
    if (entry->bytes > 0) memcpy(copy, entry->data, entry->bytes);
    memcpy(copy_out, &copy, sizeof copy);
    return COSET_OK;
}

/* ---- groups and masks --------------------------------------------------------------------------- */

static coset_status read_map(coset_ctx *ctx, const jvalue *object, const stored *from,
                             int64_t index, plan_group *group)
{
    coset_status status = COSET_OK;
    const jvalue *kept = jvalue_get(object, "kept");
    const jvalue *blocks = jvalue_get(object, "blocks");
    lumping *map = NULL;
    if (jvalue_is_null(kept) && jvalue_is_null(blocks)) goto done;
    int64_t n = group->units, k = is_list(kept) ? kept->n : -1;
    if (!is_list(blocks) || k < 0 || k > n || blocks->n != n)
        FAIL(ctx, COSET_EFORMAT, "\"kept\" and \"blocks\" must list up to %lld and %lld units",
             (long long)n, (long long)n);
    const shape row = {1, {n}}, matrix = {2, {n, k}};
    TRY(ctx_alloc(ctx, 1, sizeof *map, &map));
    map->n = n;
    map->k = k;
    TRY(read_list(ctx, kept, "kept", &map->keep));
    TRY(read_list(ctx, blocks, "blocks", &map->block));
    TRY(read_matrix(ctx, from, "group", index, "reduce", COSET_F64, &row, false, &map->reduce));
    TRY(read_matrix(ctx, from, "group", index, "scale", COSET_F64, &row, false, &map->scale));
    TRY(read_matrix(ctx, from, "group", index, "lift", COSET_F64, &matrix, true, &map->lift));
    TRY(read_matrix(ctx, from, "group", index, "shift", COSET_F64, &row, true, &map->shift));
    TRY(read_matrix(ctx, from, "group", index, "slope", COSET_F64, &row, true, &map->slope));
    TRY(lumping_check(ctx, map));
    group->map = map;
    map = NULL;
done:
    lumping_free(ctx, map);
    return status;
}

static coset_status read_group(coset_ctx *ctx, const jvalue *object, const stored *from,
                               int64_t index, plan_group *group)
{
    coset_status status = COSET_OK;
    if (object->kind != JVALUE_OBJECT) FAIL(ctx, COSET_EFORMAT, "is not an object");
    TRY(read_text(ctx, object, "name", false, &group->name));
    TRY(read_count(ctx, object, "units", &group->units));
    TRY(read_text(ctx, object, "method", true, &group->method));
    TRY(read_text(ctx, object, "skipped", true, &group->skipped));
    TRY(read_measure(ctx, object, "height", &group->height));
    TRY(read_measure(ctx, object, "error", &group->error));
    TRY(read_scores(ctx, object, group));
    TRY(read_map(ctx, object, from, index, group));
done:
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "group %lld", (long long)index);
    return status;
}

static coset_status read_mask(coset_ctx *ctx, const jvalue *object, const stored *from,
                              int64_t index, plan_mask *mask)
{
    coset_status status = COSET_OK;
    if (object->kind != JVALUE_OBJECT) FAIL(ctx, COSET_EFORMAT, "is not an object");
    TRY(read_text(ctx, object, "weight", false, &mask->weight));
    TRY(read_count(ctx, object, "elements", &mask->elements));
    const shape row = {1, {mask->elements}};
    TRY(read_matrix(ctx, from, "mask", index, "keep", COSET_U8, &row, false, &mask->keep));
    for (int64_t i = 0; i < mask->elements; i++)
        if (mask->keep[i] > 1)
            FAIL(ctx, COSET_EFORMAT, "element %lld is %d, not 0 or 1", (long long)i, mask->keep[i]);
done:
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "mask %lld", (long long)index);
    return status;
}

/* ---- the plan ----------------------------------------------------------------------------------- */

static coset_status check_version(coset_ctx *ctx, const jvalue *root)
{
    const char *format = jvalue_text(jvalue_get(root, "format"));
    const jvalue *version = jvalue_get(root, "version");
    if (format == NULL || strcmp(format, PLAN_FORMAT) != 0)
        return ctx_fail(ctx, COSET_EFORMAT,
                        "is not a plan: \"format\" must be \"" PLAN_FORMAT "\"");
    if (version == NULL || version->kind != JVALUE_INTEGER || version->integer < 1)
        return ctx_fail(ctx, COSET_EFORMAT, "\"version\" must be a whole number, 1 or more");
    if (version->integer > PLAN_VERSION)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "version %lld of the format is newer than %d",
                        (long long)version->integer, PLAN_VERSION);
    return COSET_OK;
}

/* What one plan of a chain holds. *entries_left: groups and masks that may still come. */
static coset_status read_step(coset_ctx *ctx, const jvalue *object, const stored *from,
                              int64_t *entries_left, coset_plan *plan)
{
    coset_status status = COSET_OK;
    const jvalue *groups = jvalue_get(object, "groups"), *masks = jvalue_get(object, "masks");
    TRY(read_text(ctx, object, "method", true, &plan->method));
    TRY(read_text(ctx, object, "rule", true, &plan->rule));
    if (!is_list(groups)) FAIL(ctx, COSET_EFORMAT, "\"groups\" must be a list");
    if (masks != NULL && !is_list(masks)) FAIL(ctx, COSET_EFORMAT, "\"masks\" must be a list");
    int64_t n_masks = masks != NULL ? masks->n : 0;
    if (groups->n + n_masks > *entries_left)
        FAIL(ctx, COSET_ELIMIT, "holds more than %d groups and masks", PLAN_ENTRIES);
    *entries_left -= groups->n + n_masks;
    TRY(ctx_alloc(ctx, groups->n, sizeof *plan->groups, &plan->groups));
    plan->n_groups = groups->n;
    for (int64_t g = 0; g < plan->n_groups; g++)
        TRY(read_group(ctx, &groups->items[g], from, g, &plan->groups[g]));
    TRY(ctx_alloc(ctx, n_masks, sizeof *plan->masks, &plan->masks));
    plan->n_masks = n_masks;
    for (int64_t m = 0; m < plan->n_masks; m++)
        TRY(read_mask(ctx, &masks->items[m], from, m, &plan->masks[m]));
done:
    return status;
}

/* The plans behind the first one. */
static coset_status read_next(coset_ctx *ctx, const jvalue *list, const safetensors *file,
                              int64_t *entries_left, coset_plan *plan)
{
    coset_status status = COSET_OK;
    stored from = {.file = file};
    int64_t s = 0;
    if (!is_list(list)) return ctx_fail(ctx, COSET_EFORMAT, "\"next\" must be a list");
    if (list->n >= PLAN_STEPS)
        return ctx_fail(ctx, COSET_ELIMIT, "is a chain of more than %d plans", PLAN_STEPS);
    for (; s < list->n; s++, plan = plan->next) {
        plan_prefix(s + 1, from.prefix);
        TRY(ctx_alloc(ctx, 1, sizeof *plan->next, &plan->next));
        TRY(ctx_strdup(ctx, plan->model_digest, &plan->next->model_digest));
        if (list->items[s].kind != JVALUE_OBJECT) FAIL(ctx, COSET_EFORMAT, "is not an object");
        TRY(read_step(ctx, &list->items[s], &from, entries_left, plan->next));
    }
done:
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "next %lld", (long long)s);
    return status;
}

static coset_status read_plan(coset_ctx *ctx, const jvalue *root, const safetensors *file,
                              coset_plan *plan)
{
    coset_status status = COSET_OK;
    const jvalue *next = jvalue_get(root, "next");
    const stored from = {.file = file, .prefix = ""};
    int64_t entries_left = PLAN_ENTRIES;
    TRY(check_version(ctx, root));
    TRY(read_text(ctx, root, "model_sha256", false, &plan->model_digest));
    TRY(read_step(ctx, root, &from, &entries_left, plan));
    if (!jvalue_is_null(next)) TRY(read_next(ctx, next, file, &entries_left, plan));
done:
    return status;
}

static coset_status plan_from(coset_ctx *ctx, const jvalue *root, const safetensors *file,
                              const char *name, coset_plan **plan_out)
{
    coset_status status = COSET_OK;
    coset_plan *plan = NULL;
    *plan_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *plan, &plan));
    status = read_plan(ctx, root, file, plan);
    if (status != COSET_OK) {
        status = ctx_fail_in(ctx, status, "%s", name);
        goto done;
    }
    *plan_out = plan;
    plan = NULL;
done:
    plan_free(ctx, plan);
    return status;
}

coset_status plan_decode(coset_ctx *ctx, const void *text, size_t text_size, const void *matrices,
                         size_t matrices_size, const char *name, coset_plan **plan_out)
{
    coset_status status = COSET_OK;
    json_document *json = NULL;
    safetensors *file = NULL;
    *plan_out = NULL;
    TRY(json_read(ctx, text, text_size, name, &json));
    TRY(safetensors_decode(ctx, matrices, matrices_size, "its matrices", &file));
    TRY(plan_from(ctx, json_root(json), file, name, plan_out));
done:
    json_document_free(ctx, json);
    safetensors_free(ctx, file);
    return status;
}

/* Maps the matrices that a plan names, beside it, and makes sure that they are those it was saved with. */
static coset_status map_matrices(coset_ctx *ctx, const char *path, const jvalue *root,
                                 char **name_out, file_view *view_out)
{
    coset_status status = COSET_OK;
    char *folder = NULL, found[DIGEST_TEXT];
    const char *expected = jvalue_text(jvalue_get(root, "matrices_sha256"));
    TRY(read_text(ctx, root, "matrices", false, name_out));
    if (strchr(*name_out, '/') != NULL)
        FAIL(ctx, COSET_EFORMAT, "the matrices must lie beside the plan, not at '%s'", *name_out);
    if (expected == NULL) FAIL(ctx, COSET_EFORMAT, "\"matrices_sha256\" must be a text");
    TRY(file_folder(ctx, path, &folder));
    TRY(file_map_inside(ctx, folder, *name_out, view_out));
    file_digest(view_out->bytes, view_out->size, found);
    if (strcmp(found, expected) != 0)
        FAIL(ctx, COSET_EFORMAT,
             "'%s' is not the file that the plan was saved with (sha256 %s, not %s)", *name_out,
             found, expected);
done:
    ctx_free(ctx, folder);
    return status;
}

coset_status plan_load(coset_ctx *ctx, const char *path, coset_plan **plan_out)
{
    coset_status status = COSET_OK;
    json_document *json = NULL;
    safetensors *file = NULL;
    file_view text = {0}, data = {0};
    char *name = NULL;
    *plan_out = NULL;
    TRY(file_map(ctx, path, &text));
    TRY(json_read(ctx, text.bytes, text.size, path, &json));
    status = check_version(ctx, json_root(json));
    if (status == COSET_OK) status = map_matrices(ctx, path, json_root(json), &name, &data);
    if (status == COSET_OK) status = safetensors_decode(ctx, data.bytes, data.size, name, &file);
    if (status != COSET_OK) {
        status = ctx_fail_in(ctx, status, "%s", path);
        goto done;
    }
    TRY(plan_from(ctx, json_root(json), file, path, plan_out));
done:
    json_document_free(ctx, json);
    safetensors_free(ctx, file);
    file_unmap(&text);
    file_unmap(&data);
    ctx_free(ctx, name);
    return status;
}
