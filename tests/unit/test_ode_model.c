/* Models made in memory: names, reactions, values, setting, copies, walks over expressions. */
#include "support/linalg.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/nearest.h"
#include "ode/model.h"

static const expression *decimal(ode_model *model, double value)
{
    const expression *out = NULL;
    assert_int_equal(expression_number(model->ctx, &model->arena, number_of_decimal(value), &out),
                     COSET_OK);
    return out;
}

static const expression *name(ode_model *model, name_id id)
{
    const expression *out = NULL;
    assert_int_equal(expression_name(model->ctx, &model->arena, id, &out), COSET_OK);
    return out;
}

static const expression *make(ode_model *model, expression_kind kind, const expression *left,
                              const expression *right)
{
    const expression *out = NULL;
    assert_int_equal(expression_make(model->ctx, &model->arena, kind, left, right, &out), COSET_OK);
    return out;
}

static ode_model *new_model(coset_ctx *ctx)
{
    ode_model *model = NULL;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    return model;
}

static void test_names(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx), *none = NULL;
    name_id id = 0;
    assert_int_equal(model_add_parameter(model, "a", decimal(model, 1), &id), COSET_OK);
    assert_int_equal(id, 0);
    assert_int_equal(model_add_variable(model, "x", NULL, &id), COSET_OK);
    assert_true(name_is_variable(id) && name_index(id) == 0);
    assert_int_equal(model_add_variable(model, "y", NULL, &id), COSET_OK);
    assert_true(id == ~1 && name_index(id) == 1);
    static const char *const wrong[] = {"",         "1a",    "a-b", "a b",
                                        "\xC3\xA9", "begin", "end", "arbitrary"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(model_add_parameter(model, wrong[i], decimal(model, 1), NULL),
                         COSET_EFORMAT);
        assert_int_equal(model_add_variable(model, wrong[i], NULL, NULL), COSET_EFORMAT);
        assert_int_equal(model_add_view(model, wrong[i], decimal(model, 1)), COSET_EFORMAT);
        assert_int_equal(model_new(ctx, wrong[i], &none), COSET_EFORMAT);
        assert_null(none);
    }
    /* Parameters and variables share their names, views have theirs. */
    assert_int_equal(model_add_parameter(model, "x", decimal(model, 1), NULL), COSET_EFORMAT);
    assert_int_equal(model_add_variable(model, "a", NULL, NULL), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "'a' is declared already"));
    assert_int_equal(model_add_view(model, "x", decimal(model, 1)), COSET_OK);
    assert_int_equal(model_add_view(model, "x", decimal(model, 1)), COSET_EFORMAT);
    assert_true(model->n_parameters == 1 && model->n_variables == 2 && model->n_views == 1);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* The cap on names, with untouched pages in place of millions of parameters. */
static void test_most_names(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx);
    size_t size = (size_t)MODEL_MAX_NAMES * sizeof *model->parameters;
    model->parameters = mmap(NULL, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true((void *)model->parameters != MAP_FAILED);
    model->parameters_capacity = MODEL_MAX_NAMES;
    model->n_parameters = MODEL_MAX_NAMES - 1;
    assert_int_equal(model_add_parameter(model, "last", decimal(model, 1), NULL), COSET_OK);
    assert_int_equal(model_add_parameter(model, "more", decimal(model, 1), NULL), COSET_ELIMIT);
    assert_string_equal(coset_ctx_error(ctx), "more than 16777216 parameters");
    munmap(model->parameters, size);
    model->parameters = NULL;
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static void test_reactions(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx);
    assert_int_equal(model_add_variable(model, "x", NULL, NULL), COSET_OK);
    reaction_side sides[2] = {{0, 64}, {0, 1}};
    model_reaction reaction = {.reagents = sides, .products = sides, .rate = decimal(model, 1)};
    reaction.n_reagents = 1;
    reaction.n_products = 2;
    assert_int_equal(model_add_reaction(model, &reaction), COSET_OK);
    /* The sides are copied. */
    sides[0].count = 65;
    assert_int_equal(model->reactions[0].reagents[0].count, 64);
    assert_int_equal(model_add_reaction(model, &reaction), COSET_ELIMIT);
    sides[0].count = 64;
    reaction.n_reagents = 2;
    assert_int_equal(model_add_reaction(model, &reaction), COSET_ELIMIT);
    static const reaction_side wrong[] = {{-1, 1}, {1, 1}, {0, 0}, {0, -5}};
    for (int i = 0; i < 4; i++) {
        reaction.reagents = &wrong[i];
        reaction.n_reagents = 1;
        assert_int_equal(model_add_reaction(model, &reaction), COSET_EARGUMENT);
    }
    assert_true(model->n_reactions == 1 && model->is_network);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static void test_values(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx);
    number values[2], initial[2];
    const expression *a, *twice;
    assert_int_equal(model_add_parameter(model, "alpha", decimal(model, 0.1), NULL), COSET_OK);
    a = name(model, 0);
    twice = make(model, EXPRESSION_ADD, a, a);
    assert_int_equal(model_add_parameter(model, "beta", twice, NULL), COSET_OK);
    assert_int_equal(
        model_add_variable(model, "x", make(model, EXPRESSION_DIV, a, name(model, 1)), NULL),
        COSET_OK);
    assert_int_equal(model_add_variable(model, "y", NULL, NULL), COSET_OK);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_true(number_equal(values[1], number_of_decimal(0.2)));
    assert_int_equal(model_initial_values(model, values, initial), COSET_OK);
    assert_true(initial[0].value == 0.5 && number_is_zero(initial[1]));
    assert_int_equal(model_set(model, "alpha", -0.3), COSET_OK);
    assert_int_equal(model_set(model, "y", 2.5), COSET_OK);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_true(number_equal(values[1], number_of_decimal(-0.6)));
    assert_int_equal(model_initial_values(model, values, initial), COSET_OK);
    assert_true(initial[1].value == 2.5);
    assert_int_equal(model_set(model, "alhpa", 1), COSET_EARGUMENT);
    assert_string_equal(coset_ctx_error(ctx),
                        "no parameter or variable 'alhpa'; nearest is 'alpha'");
    assert_int_equal(model_set(model, "zz", 1), COSET_EARGUMENT);
    assert_string_equal(coset_ctx_error(ctx), "no parameter or variable 'zz'");
    assert_int_equal(model_set(model, "alpha", NAN), COSET_EARGUMENT);
    assert_int_equal(model_set(model, "alpha", (double)INFINITY), COSET_EARGUMENT);
    assert_int_equal(model_set(model, "beta", 0), COSET_OK);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_int_equal(model_initial_values(model, values, initial), COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(ctx), "division by zero");
    model->parameters[1].value = name(model, ~0);
    assert_int_equal(model_parameter_values(model, values), COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(ctx), "a variable stands where a constant is expected");
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* A copy does not notice what happens to the first. */
static void test_clone(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx), *copy = NULL;
    number value;
    assert_int_equal(model_add_parameter(model, "a", decimal(model, 2), NULL), COSET_OK);
    assert_int_equal(model_add_variable(model, "x", name(model, 0), NULL), COSET_OK);
    model->variables[0].equation = make(model, EXPRESSION_NEGATE, name(model, ~0), NULL);
    model->variables[0].comment = "c";
    model->variables[0].place = (text_place){3, 4};
    model->t_end = 5;
    model->commands = "run()";
    model->header = "h";
    assert_int_equal(model_add_view(model, "v", name(model, ~0)), COSET_OK);
    assert_int_equal(model_clone(model, &copy), COSET_OK);
    assert_int_equal(model_set(model, "a", 7), COSET_OK);
    model_free(model);
    assert_int_equal(model_parameter_values(copy, &value), COSET_OK);
    assert_true(value.value == 2);
    const double x = 4;
    assert_true(expression_value(copy->variables[0].equation, NULL, &x) == -4);
    assert_string_equal(copy->variables[0].comment, "c");
    assert_true(copy->variables[0].place.column == 4 && copy->t_end == 5 && !copy->is_network);
    assert_string_equal(copy->commands, "run()");
    assert_string_equal(copy->header, "h");
    assert_string_equal(copy->views[0].name, "v");
    assert_null(copy->block_of);
    assert_int_equal(model_set(copy, "x", 1), COSET_OK);
    model_free(copy);
    counted_ctx_end(ctx, &memory);
}

typedef struct visited {
    const expression *last;
    int64_t count, stop;
} visited;

static coset_status visit(void *user, const expression *node)
{
    visited *self = user;
    assert_true(node->left == self->last);
    self->last = node;
    return ++self->count == self->stop ? COSET_ECHECK : COSET_OK;
}

static void test_climb(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = new_model(ctx);
    const expression *top = decimal(model, 1), *one = top;
    for (int64_t length = 1; length < 5000; length++) {
        if (length < 200 || length % 977 == 0) {
            visited seen = {NULL, 0, 0}, part = {NULL, 0, (length + 1) / 2};
            assert_int_equal(expression_climb(top, visit, &seen), COSET_OK);
            assert_true(seen.last == top && seen.count == length);
            assert_int_equal(expression_climb(top, visit, &part), COSET_ECHECK);
            assert_int_equal(part.count, part.stop);
        }
        top = length % 3 ? make(model, EXPRESSION_SUB, top, one)
                         : make(model, EXPRESSION_NEGATE, top, NULL);
    }
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static const char *nearest_of(const char *word, const char *const *names)
{
    nearest best = {word, strlen(word), NULL, 0};
    for (; *names != NULL; names++) nearest_offer(&best, *names);
    return best.name;
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"alpha", "beta", "gamma", "alpine", "x", NULL};
    char word[80], same[80];
    assert_string_equal(nearest_of("alpha", names), "alpha");
    assert_string_equal(nearest_of("alhpa", names), "alpha");
    assert_string_equal(nearest_of("alphaa", names), "alpha");
    assert_string_equal(nearest_of("eta", names), "beta");
    assert_string_equal(nearest_of("gamm", names), "gamma");
    assert_null(nearest_of("kappa", names));
    assert_null(nearest_of("y", names));
    assert_null(nearest_of("", names));
    for (int length = 64; length < 66; length++) {
        memset(word, 'a', sizeof word);
        word[length] = '\0';
        strcpy(same, word);
        same[3] = 'b';
        const char *const long_names[] = {same, NULL};
        assert_true((nearest_of(word, long_names) != NULL) == (length == 64));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_most_names),
        cmocka_unit_test(test_reactions), cmocka_unit_test(test_values),
        cmocka_unit_test(test_clone),     cmocka_unit_test(test_climb),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
