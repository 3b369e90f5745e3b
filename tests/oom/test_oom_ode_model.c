/* Every allocation of reading, copying, setting and writing a model fails once, and every one after it: an
 * error comes back, nothing leaks, and the next call works. */
#include <string.h>

#include "ode/model.h"
#include "support/files.h"

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    int64_t made = self->made++;
    if (self->at >= 0 && (self->from_there_on ? made >= self->at : made == self->at)) return NULL;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *memory)
{
    ((failing_memory *)user)->alive--;
    free(memory);
}

typedef struct attempt {
    coset_ctx *ctx;
    const char *text;
    const ode_model *model;
} attempt;

typedef coset_status (*trial)(const attempt *self);

static coset_status try_parse(const attempt *self)
{
    ode_model *model = NULL;
    coset_status status = model_parse(self->ctx, self->text, strlen(self->text), "t", &model);
    assert_true((status == COSET_OK) == (model != NULL));
    model_free(model);
    return status;
}

static coset_status try_load(const attempt *self)
{
    ode_model *model = NULL;
    coset_status status = model_load(self->ctx, "m.ode", &model);
    assert_true((status == COSET_OK) == (model != NULL));
    model_free(model);
    return status;
}

static coset_status try_clone(const attempt *self)
{
    ode_model *model = NULL;
    coset_status status = model_clone(self->model, &model);
    assert_true((status == COSET_OK) == (model != NULL));
    model_free(model);
    return status;
}

static coset_status try_text(const attempt *self)
{
    char *text = NULL;
    size_t size = 0;
    coset_status status = model_text(self->model, &text, &size);
    assert_true((status == COSET_OK) == (text != NULL));
    if (text != NULL) assert_string_equal(text, self->text);
    ctx_free(self->ctx, text);
    return status;
}

static coset_status try_save(const attempt *self)
{
    coset_status status = model_save(self->model, "m.ode");
    files_expect("m.ode", self->text); /* the old one or the same */
    return status;
}

static int64_t fail_each(failing_memory *memory, trial what, const attempt *self)
{
    int64_t failed = 0;
    for (int mode = 0; mode < 2; mode++) {
        coset_status status = COSET_EMEMORY;
        int64_t alive = memory->alive;
        for (int64_t at = 0; status != COSET_OK; at++) {
            memory->made = 0;
            memory->at = at;
            memory->from_there_on = mode == 1;
            status = what(self);
            memory->at = -1;
            assert_true(status == COSET_OK || status == COSET_EMEMORY);
            assert_int_equal(memory->alive, alive);
            assert_int_equal(what(self), COSET_OK);
            failed += status == COSET_EMEMORY;
        }
    }
    return failed;
}

/* As the writer writes it. */
static char *long_text(void)
{
    char *text = malloc(400000), *at = text;
    assert_non_null(text);
    at = stpcpy(at, "// header \xEF\xBF\xBD\nbegin model m\n begin parameters\n");
    for (int i = 0; i < 300; i++) at += sprintf(at, "  p%d = 1/3 + %d\n", i, i);
    at = stpcpy(at, " end parameters\n begin init\n");
    for (int i = 0; i < 300; i++) at += sprintf(at, "  x%d = p%d // comment\n", i, i);
    at = stpcpy(at, " end init\n begin partition\n  {x0}");
    for (int i = 1; i < 300; i++) at += sprintf(at, ",\n  {x%d}", i);
    at = stpcpy(at, "\n end partition\n begin reactions\n");
    for (int i = 0; i < 300; i++)
        at += sprintf(at, "  2*x%d -> x%d + x0 , 3*p%d^2\n", i, 299 - i, i);
    at = stpcpy(at, " end reactions\n begin views\n");
    for (int i = 0; i < 300; i++) at += sprintf(at, "  v%d = abs(x%d)\n", i, i);
    strcpy(at, " end views\n run(x)\n simulateODE(tEnd=7)\nend model\n");
    return text;
}

static void models_fail_cleanly(void **state)
{
    (void)state;
    static const trial trials[] = {try_parse, try_load, try_clone, try_text, try_save};
    failing_memory memory = {0, 0, -1, false};
    coset_allocator allocator = {failing_alloc, failing_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    attempt self = {NULL, NULL, NULL};
    ode_model *model = NULL;
    char *text = long_text();
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &self.ctx), COSET_OK);
    files_start("oom");
    files_put_text("m.ode", text);
    self.text = text;
    if (model_parse(self.ctx, text, strlen(text), "t", &model) != COSET_OK)
        fail_msg("%s", coset_ctx_error(self.ctx));
    self.model = model;
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        assert_true(fail_each(&memory, trials[i], &self) >= 4);
    /* A byte that is no UTF-8 takes copies of its own. */
    memcpy(strstr(text, "\xEF\xBF\xBD"), "\xFF\xFF\xFF", 3);
    assert_true(fail_each(&memory, try_parse, &self) > 40);
    model_free(model);
    coset_ctx_free(self.ctx);
    assert_int_equal(memory.alive, 0);
    free(text);
}

static void setting_fails_cleanly(void **state)
{
    (void)state;
    failing_memory memory = {0, 0, -1, false};
    coset_allocator allocator = {failing_alloc, failing_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    ode_model *model = NULL;
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    assert_int_equal(model_add_variable(model, "x", NULL, NULL), COSET_OK);
    coset_status status = COSET_OK;
    memory.made = memory.at = 0;
    memory.from_there_on = true;
    /* The arena has room for some. */
    for (int i = 0; status == COSET_OK; i++) {
        const expression *before = model->variables[0].initial;
        status = model_set(model, "x", i);
        if (status != COSET_OK) assert_ptr_equal(model->variables[0].initial, before);
    }
    assert_int_equal(status, COSET_EMEMORY);
    memory.at = -1;
    assert_int_equal(model_set(model, "x", 1), COSET_OK);
    model_free(model);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_fail_cleanly),
        cmocka_unit_test(setting_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
