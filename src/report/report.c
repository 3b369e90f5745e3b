#include "report/page.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <jansson.h>

#include "base/file.h"
#include "base/utf8.h"
#include "report/buffer.h"

/* jansson has its own allocator for the whole process, which a library leaves alone: its failures
 * show as NULL and -1. */
static coset_status no_memory(coset_ctx *ctx)
{
    return ctx_fail(ctx, COSET_EMEMORY, "out of memory while writing a report");
}

static const char *const verbs[] = {"inspect", "eval", "compress", "demo", "ode"};

coset_status report_new(coset_ctx *ctx, report_kind kind, coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_report *self = NULL;
    report_node *object = NULL;
    *report_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->kind = kind;
    self->root = json_object();
    if (self->root == NULL) {
        status = no_memory(ctx);
        goto done;
    }
    TRY(report_text(ctx, self->root, "coset", coset_version()));
    TRY(report_text(ctx, self->root, "verb", verbs[kind]));
    if (coset_ctx_seed(ctx) <= INT64_MAX) {
        TRY(report_count(ctx, self->root, "seed", (int64_t)coset_ctx_seed(ctx)));
    } else { /* over what the JSON library holds */
        TRY(report_real(ctx, self->root, "seed", (double)coset_ctx_seed(ctx)));
    }
    TRY(report_count(ctx, self->root, "threads", coset_ctx_threads(ctx)));
    TRY(report_object(ctx, self->root, "inputs", &object));
    TRY(report_object(ctx, self->root, "outputs", &object));
    *report_out = self;
    self = NULL;
done:
    coset_report_free(ctx, self);
    return status;
}

void coset_report_free(coset_ctx *ctx, coset_report *report)
{
    if (report == NULL) return;
    json_decref(report->root);
    ctx_free(ctx, report);
}

report_node *report_root(coset_report *report)
{
    return report->root;
}

/* ---- filling ----------------------------------------------------------------------------------- */

/* Takes over `value`, which may be NULL after a failure to make it. */
static coset_status set(coset_ctx *ctx, report_node *at, const char *key, json_t *value)
{
    coset_status status = COSET_OK;
    char *copy = NULL;
    if (value == NULL) {
        status = no_memory(ctx);
        goto done;
    }
    TRY(utf8_copy(ctx, key, &copy));
    if (json_object_set(at, copy, value) != 0) status = no_memory(ctx);
done:
    ctx_free(ctx, copy);
    json_decref(value);
    return status;
}

/* Takes over `value`. */
static coset_status append(coset_ctx *ctx, report_node *list, json_t *value)
{
    if (value == NULL || json_array_append_new(list, value) != 0) return no_memory(ctx);
    return COSET_OK;
}

/* NULL text gives null. */
static coset_status make_text(coset_ctx *ctx, const char *text, json_t **value_out)
{
    char *copy = NULL;
    *value_out = NULL;
    if (text != NULL) {
        coset_status status = utf8_copy(ctx, text, &copy);
        if (status != COSET_OK) return status;
    }
    *value_out = text == NULL ? json_null() : json_string(copy);
    ctx_free(ctx, copy);
    return *value_out == NULL ? no_memory(ctx) : COSET_OK;
}

coset_status report_text(coset_ctx *ctx, report_node *at, const char *key, const char *value)
{
    json_t *text = NULL;
    coset_status status = make_text(ctx, value, &text);
    return status == COSET_OK ? set(ctx, at, key, text) : status;
}

coset_status report_count(coset_ctx *ctx, report_node *at, const char *key, int64_t value)
{
    return set(ctx, at, key, json_integer(value));
}

coset_status report_real(coset_ctx *ctx, report_node *at, const char *key, double value)
{
    return set(ctx, at, key, isfinite(value) ? json_real(value) : json_null());
}

coset_status report_flag(coset_ctx *ctx, report_node *at, const char *key, bool value)
{
    return set(ctx, at, key, json_boolean(value));
}

coset_status report_null(coset_ctx *ctx, report_node *at, const char *key)
{
    return set(ctx, at, key, json_null());
}

coset_status report_object(coset_ctx *ctx, report_node *at, const char *key,
                           report_node **object_out)
{
    *object_out = json_object_get(at, key);
    if (json_is_object(*object_out)) return COSET_OK;
    *object_out = json_object();
    coset_status status = set(ctx, at, key, *object_out);
    if (status != COSET_OK) *object_out = NULL;
    return status;
}

coset_status report_list(coset_ctx *ctx, report_node *at, const char *key, report_node **list_out)
{
    *list_out = json_object_get(at, key);
    if (json_is_array(*list_out)) return COSET_OK;
    *list_out = json_array();
    coset_status status = set(ctx, at, key, *list_out);
    if (status != COSET_OK) *list_out = NULL;
    return status;
}

coset_status report_add_object(coset_ctx *ctx, report_node *list, report_node **object_out)
{
    *object_out = json_object();
    coset_status status = append(ctx, list, *object_out);
    if (status != COSET_OK) *object_out = NULL;
    return status;
}

coset_status report_add_text(coset_ctx *ctx, report_node *list, const char *value)
{
    json_t *text = NULL;
    coset_status status = make_text(ctx, value, &text);
    return status == COSET_OK ? append(ctx, list, text) : status;
}

coset_status report_add_count(coset_ctx *ctx, report_node *list, int64_t value)
{
    return append(ctx, list, json_integer(value));
}

coset_status report_add_list(coset_ctx *ctx, report_node *list, report_node **list_out)
{
    *list_out = json_array();
    coset_status status = append(ctx, list, *list_out);
    if (status != COSET_OK) *list_out = NULL;
    return status;
}

coset_status report_size(coset_ctx *ctx, report_node *at, const char *key,
                         const coset_graph_size *size)
{
    coset_status status = COSET_OK;
    report_node *object = NULL;
    TRY(report_object(ctx, at, key, &object));
    TRY(report_count(ctx, object, "params", size->params));
    TRY(report_count(ctx, object, "nonzero", size->nonzero));
    if (size->macs >= 0) {
        TRY(report_count(ctx, object, "macs", size->macs));
    } else {
        TRY(report_null(ctx, object, "macs"));
    }
    TRY(report_count(ctx, object, "bytes", size->bytes));
done:
    return status;
}

coset_status report_input(coset_ctx *ctx, coset_report *report, const char *path,
                          const char *digest)
{
    report_node *inputs = NULL;
    if (digest[0] == '\0') return COSET_OK;
    coset_status status = report_object(ctx, report->root, "inputs", &inputs);
    return status == COSET_OK ? report_text(ctx, inputs, path, digest) : status;
}

double report_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

coset_status report_finish(coset_ctx *ctx, coset_report *report, double start)
{
    struct rusage usage = {0};
    coset_status status = report_real(ctx, report->root, "seconds", report_clock() - start);
    if (status != COSET_OK) return status;
    getrusage(RUSAGE_SELF, &usage);
    return report_count(ctx, report->root, "peak_rss_bytes", (int64_t)usage.ru_maxrss * 1024);
}

/* ---- what users call --------------------------------------------------------------------------- */

coset_status coset_report_set(coset_ctx *ctx, coset_report *report, const char *name,
                              const char *value)
{
    return report_text(ctx, report->root, name, value);
}

coset_status coset_report_add_output(coset_ctx *ctx, coset_report *report, const char *path)
{
    char digest[65];
    report_node *outputs = NULL;
    coset_status status = file_digest_of(ctx, path, digest);
    if (status == COSET_OK) status = report_object(ctx, report->root, "outputs", &outputs);
    return status == COSET_OK ? report_text(ctx, outputs, path, digest) : status;
}

/* The member of an object by name or of a list by index that path[0..length) names. */
static json_t *member(json_t *at, const char *path, size_t length)
{
    if (json_is_object(at)) return json_object_getn(at, path, length);
    if (!json_is_array(at) || length == 0 || length > 9) return NULL;
    size_t index = 0;
    for (size_t i = 0; i < length; i++) {
        if (path[i] < '0' || path[i] > '9') return NULL;
        index = index * 10 + (size_t)(path[i] - '0');
    }
    return json_array_get(at, index);
}

double coset_report_number(const coset_report *report, const char *path, double otherwise)
{
    json_t *at = report->root;
    while (at != NULL) {
        size_t length = strcspn(path, ".");
        at = member(at, path, length);
        if (path[length] == '\0') break;
        path += length + 1;
    }
    return json_is_number(at) ? json_number_value(at) : otherwise;
}

static int add_bytes(const char *bytes, size_t size, void *user)
{
    buffer *out = user;
    buffer_add(out, "%.*s", (int)size, bytes);
    return out->status == COSET_OK ? 0 : -1;
}

coset_status coset_report_json(coset_ctx *ctx, const coset_report *report, char **text_out)
{
    /* 12 digits: all that a metric or a height has to say, and 0.07 stays 0.07. */
    const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12);
    buffer out = {.ctx = ctx};
    if (json_dump_callback(report->root, add_bytes, &out, flags) != 0 && out.status == COSET_OK)
        out.status = no_memory(ctx);
    buffer_add(&out, "\n");
    return buffer_take(&out, text_out);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

coset_status coset_report_save(coset_ctx *ctx, const coset_report *report, const char *path)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    if (ends_with(path, ".json")) {
        TRY(coset_report_json(ctx, report, &text));
    } else if (ends_with(path, ".html")) {
        TRY(report_html(ctx, report, &text));
    } else {
        FAIL(ctx, COSET_EARGUMENT, "%s: a report's name ends in .json or .html", path);
    }
    status = file_write(ctx, path, text, strlen(text));
done:
    ctx_free(ctx, text);
    return status;
}
