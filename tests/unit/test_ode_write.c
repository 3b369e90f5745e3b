/* The writer of models against the reader: real files and random models come back as they were. */
#include "support/files.h"

#include "ode/evaluate.h"
#include "ode/system.h"

static char *text_of(const ode_model *model)
{
    char *text = NULL;
    size_t size = 0;
    if (model_text(model, &text, &size) != COSET_OK) fail_msg("%s", coset_ctx_error(model->ctx));
    assert_int_equal(strlen(text), size);
    return text;
}

static ode_model *read_back(coset_ctx *ctx, const char *text)
{
    ode_model *model = NULL;
    if (model_parse(ctx, text, strlen(text), "t", &model) != COSET_OK)
        fail_msg("%s\n%s", coset_ctx_error(ctx), text);
    return model;
}

static void assert_numbers(const number *a, const number *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        assert_true(a[i].value == b[i].value && a[i].residue == b[i].residue);
}

static number *values_of(const ode_model *model)
{
    int64_t n = model->n_parameters;
    number *values = calloc((size_t)(n + model->n_variables) + 1, sizeof *values);
    assert_non_null(values);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_int_equal(model_initial_values(model, values, values + n), COSET_OK);
    return values;
}

static void assert_same_expression(const expression *a, const expression *b, const double *points)
{
    assert_true((a == NULL) == (b == NULL));
    if (a == NULL) return;
    double x = expression_value(a, points, points + 8), y = expression_value(b, points, points + 8);
    assert_true(x == y || (isnan(x) && isnan(y)));
}

static void assert_same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL) assert_string_equal(a, b);
}

static void assert_same_reactions(const ode_model *a, const ode_model *b, const double *points)
{
    assert_int_equal(a->n_reactions, b->n_reactions);
    for (int64_t i = 0; i < a->n_reactions; i++) {
        const model_reaction *x = &a->reactions[i], *y = &b->reactions[i];
        assert_true(x->n_reagents == y->n_reagents && x->n_products == y->n_products &&
                    x->arbitrary == y->arbitrary);
        if (x->n_reagents > 0)
            assert_memory_equal(x->reagents, y->reagents,
                                (size_t)x->n_reagents * sizeof *x->reagents);
        if (x->n_products > 0)
            assert_memory_equal(x->products, y->products,
                                (size_t)x->n_products * sizeof *x->products);
        if (points != NULL) assert_same_expression(x->rate, y->rate, points);
    }
}

static void assert_same_blocks(const ode_model *a, const ode_model *b)
{
    assert_true((a->block_of == NULL) == (b->block_of == NULL));
    for (int64_t i = 0; a->block_of != NULL && i < a->n_variables; i++)
        for (int64_t j = 0; j < i; j++)
            assert_true((a->block_of[i] == a->block_of[j]) == (b->block_of[i] == b->block_of[j]));
}

/* points: 8 values of parameters, then of variables; NULL: expressions are not compared */
static void assert_same_model(const ode_model *a, const ode_model *b, const double *points)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->n_parameters == b->n_parameters && a->n_variables == b->n_variables &&
                a->n_views == b->n_views && a->is_network == b->is_network);
    number *x = values_of(a), *y = values_of(b);
    assert_numbers(x, y, a->n_parameters + a->n_variables);
    free(x);
    free(y);
    for (int64_t i = 0; i < a->n_parameters; i++)
        assert_string_equal(a->parameters[i].name, b->parameters[i].name);
    for (int64_t i = 0; i < a->n_variables; i++) {
        assert_string_equal(a->variables[i].name, b->variables[i].name);
        assert_same_text(a->variables[i].comment, b->variables[i].comment);
        if (points != NULL)
            assert_same_expression(a->variables[i].equation, b->variables[i].equation, points);
    }
    for (int64_t i = 0; i < a->n_views; i++) {
        assert_string_equal(a->views[i].name, b->views[i].name);
        if (points != NULL) assert_same_expression(a->views[i].value, b->views[i].value, points);
    }
    assert_same_reactions(a, b, points);
    assert_same_blocks(a, b);
    assert_same_text(a->header, b->header);
    assert_true(a->t_end == b->t_end || (isnan(a->t_end) && isnan(b->t_end)));
}

/* Writes, reads, compares, writes again. */
static void check_round_trip(const ode_model *model, const double *points)
{
    char *text = text_of(model);
    ode_model *back = read_back(model->ctx, text);
    assert_same_model(model, back, points);
    char *again = text_of(back);
    assert_string_equal(text, again);
    ctx_free(model->ctx, again);
    ctx_free(model->ctx, text);
    model_free(back);
}

/* Real files ------------------------------------------------------------------------------------ */

static void assert_same_system(const ode_system *a, const ode_system *b)
{
    assert_true(a->n == b->n && a->n_monomials == b->n_monomials);
    assert_memory_equal(a->row_start, b->row_start, (size_t)(a->n + 1) * sizeof *a->row_start);
    assert_memory_equal(a->factor_start, b->factor_start,
                        (size_t)(a->n_monomials + 1) * sizeof *a->factor_start);
    assert_memory_equal(a->factors, b->factors,
                        (size_t)a->factor_start[a->n_monomials] * sizeof *a->factors);
    assert_memory_equal(a->monomial, b->monomial, (size_t)a->row_start[a->n] * sizeof *a->monomial);
    assert_numbers(a->coefficient, b->coefficient, a->row_start[a->n]);
    assert_numbers(a->initial, b->initial, a->n);
}

static void test_files(void **state)
{
    (void)state;
    const char *folder = files_data("ode");
    if (folder == NULL) return;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    char path[4096], base[4096];
    struct dirent **entries = NULL;
    int files = 0;
    snprintf(base, sizeof base, "%s", folder);
    int n = scandir(base, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        int length = snprintf(path, sizeof path, "%s/%s", base, name);
        if (length < (int)sizeof path && strcmp(path + length - 4, ".ode") == 0) {
            ode_model *model = NULL, *back = NULL;
            ode_system *system = NULL, *system_back = NULL;
            if (model_load(ctx, path, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
            check_round_trip(model, NULL);
            char *text = text_of(model);
            back = read_back(ctx, text);
            if (system_from_model(model, false, &system) != COSET_OK ||
                system_from_model(back, false, &system_back) != COSET_OK)
                fail_msg("%s: %s", name, coset_ctx_error(ctx));
            assert_same_system(system, system_back);
            system_free(system);
            system_free(system_back);
            ctx_free(ctx, text);
            model_free(back);
            model_free(model);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(files >= 16);
    counted_ctx_end(ctx, &memory);
}

/* Random models --------------------------------------------------------------------------------- */

static number random_number(rng *random)
{
    number a = number_of((double)rng_below(random, 200) - 100), b, out;
    switch (rng_below(random, 7)) {
    case 0: return a;
    case 1: return number_of_decimal(a.value / 8);
    case 2: return number_of(rng_normal(random));
    case 3: return number_of((float)rng_normal(random));
    case 4: return number_of_decimal(ldexp(rng_normal(random), (int)rng_below(random, 80) - 40));
    case 5:
        b = number_of_decimal((double)(1 + rng_below(random, 40)) / 10);
        assert_true(number_div(a, b, &out));
        return out;
    default: return number_of(0.1 * (double)rng_below(random, 10));
    }
}

static const expression *random_expression(ode_model *model, rng *random, int depth, bool variables)
{
    const expression *left = NULL, *right = NULL, *out = NULL;
    if (depth == 0 || rng_below(random, 5) == 0) {
        int64_t n = model->n_parameters, m = variables ? model->n_variables : 0;
        int64_t pick = rng_below(random, 2 * (n + m) + 4);
        name_id id = (name_id)(pick < n ? pick : ~(pick - n));
        if (pick < n + m)
            assert_int_equal(expression_name(model->ctx, &model->arena, id, &out), COSET_OK);
        else
            assert_int_equal(
                expression_number(model->ctx, &model->arena, random_number(random), &out),
                COSET_OK);
        return out;
    }
    expression_kind kind =
        (expression_kind)(EXPRESSION_NEGATE + (int)rng_below(random, EXPRESSION_ABS - 1));
    left = random_expression(model, random, depth - 1, variables);
    if (kind == EXPRESSION_POWER && rng_below(random, 4) > 0)
        assert_int_equal(expression_number(model->ctx, &model->arena,
                                           number_of((double)rng_below(random, 6) - 1), &right),
                         COSET_OK);
    else if (kind != EXPRESSION_NEGATE && kind != EXPRESSION_ABS)
        right = random_expression(model, random, depth - 1, variables);
    assert_int_equal(expression_make(model->ctx, &model->arena, kind, left, right, &out), COSET_OK);
    return out;
}

/* One that the reader accepts: its constant parts have values. */
static const expression *sound_expression(ode_model *model, rng *random, bool variables)
{
    number values[8];
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    for (;;) {
        number value;
        bool known = false;
        const expression *out =
            random_expression(model, random, (int)rng_below(random, 6), variables);
        if (expression_evaluate(model->ctx, out, values, NULL, &value, &known) == COSET_OK)
            return out;
    }
}

static const char *random_comment(coset_ctx *ctx, arena *into, rng *random, bool lines)
{
    static const char *const pieces[] = {"block",     " ",  "\t",       "*/ /*", "{a, b}",
                                         "end model", "//", "\xC3\xA9", "\"",    "\n"};
    char text[256] = "";
    const char *copy = NULL;
    for (int64_t i = rng_below(random, 8); i > 0; i--) {
        size_t length = strlen(text);
        /* Blanks at the end of a line are not kept. */
        bool blank = length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t');
        strcat(text, pieces[rng_below(random, lines && !blank ? 10 : 9)]);
    }
    strcat(text, "x");
    assert_int_equal(arena_string(ctx, into, text, strlen(text), &copy), COSET_OK);
    while (!lines && (*copy == ' ' || *copy == '\t')) copy++;
    return copy;
}

static void add_random_body(ode_model *model, rng *random)
{
    int64_t n = model->n_variables;
    if (rng_below(random, 2) == 0) {
        for (int64_t v = 0; v < n; v++)
            if (rng_below(random, 4) > 0)
                model->variables[v].equation = sound_expression(model, random, true);
        return;
    }
    for (int64_t i = rng_below(random, 6); i > 0; i--) {
        reaction_side sides[2][3];
        model_reaction reaction = {.reagents = sides[0], .products = sides[1]};
        for (int k = 0; k < 6; k++)
            sides[k / 3][k % 3] =
                (reaction_side){(int32_t)rng_below(random, n), (int32_t)(1 + rng_below(random, 3))};
        reaction.n_reagents = (int32_t)rng_below(random, 4);
        reaction.n_products = (int32_t)rng_below(random, 4);
        reaction.arbitrary = rng_below(random, 2) == 0;
        reaction.rate = sound_expression(model, random, true);
        assert_int_equal(model_add_reaction(model, &reaction), COSET_OK);
    }
}

static ode_model *random_model(coset_ctx *ctx, rng *random)
{
    static const char *const names[] = {"a", "k_1", "x", "d", "X9", "_", "abs", "model"};
    ode_model *model = NULL;
    int64_t n = 1 + rng_below(random, 7), p = rng_below(random, n);
    assert_int_equal(model_new(ctx, "random", &model), COSET_OK);
    for (int64_t i = 0; i < p; i++)
        assert_int_equal(
            model_add_parameter(model, names[i], sound_expression(model, random, false), NULL),
            COSET_OK);
    for (int64_t i = p; i < n; i++) {
        const expression *initial =
            rng_below(random, 3) > 0 ? sound_expression(model, random, false) : NULL;
        assert_int_equal(model_add_variable(model, names[i], initial, NULL), COSET_OK);
        if (rng_below(random, 2) == 0)
            model->variables[i - p].comment = random_comment(ctx, &model->arena, random, false);
    }
    add_random_body(model, random);
    if (rng_below(random, 2) == 0)
        assert_int_equal(model_add_view(model, "x", sound_expression(model, random, true)),
                         COSET_OK);
    if (rng_below(random, 2) == 0) model->header = random_comment(ctx, &model->arena, random, true);
    if (rng_below(random, 2) == 0) model->t_end = 0.1 * (double)(1 + rng_below(random, 30));
    if (rng_below(random, 2) == 0) {
        assert_int_equal(
            arena_alloc(ctx, &model->arena, n - p, sizeof *model->block_of, &model->block_of),
            COSET_OK);
        for (int64_t i = 0; i < n - p; i++)
            model->block_of[i] = (int64_t)rng_below(random, 3) * -1000000007;
    }
    return model;
}

static void test_random_models(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(11, 0);
    for (int i = 0; i < 4000; i++) {
        ode_model *model = random_model(ctx, &random), *copy = NULL;
        double points[16];
        for (int k = 0; k < 16; k++) points[k] = rng_normal(&random);
        check_round_trip(model, points);
        assert_int_equal(model_clone(model, &copy), COSET_OK);
        char *text = text_of(model), *copied = NULL;
        model_free(model);
        copied = text_of(copy);
        assert_string_equal(text, copied);
        ctx_free(ctx, text);
        ctx_free(ctx, copied);
        model_free(copy);
    }
    counted_ctx_end(ctx, &memory);
}

/* Layout ---------------------------------------------------------------------------------------- */

static const char LAYOUT[] = "// made by hand\n"
                             "//\n"
                             "//  twice\n"
                             "begin model m\n"
                             " begin parameters\n"
                             "  a = 0.1\n"
                             "  b = -(a + 2)*3/a - (1 - a)^2\n"
                             " end parameters\n"
                             " begin init\n"
                             "  x = min(a, b) // the first\n"
                             "  y\n"
                             "  z = 1/3\n"
                             " end init\n"
                             " begin partition\n"
                             "  {x, z},\n"
                             "  {y}\n"
                             " end partition\n"
                             " begin reactions\n"
                             "  x + 2*y -> x , a\n"
                             "  -> z , -b\n"
                             "  z -> , arbitrary -(z^2)/(1 + z) + -2*-a\n"
                             " end reactions\n"
                             " begin views\n"
                             "  x = abs(x - (y - z))^-2*(x^2)^-y\n"
                             " end views\n"
                             " simulateODE(tEnd=7)\n"
                             " write(fileOut=\"m.ode\",\n"
                             " format=ODE)\n"
                             "end model\n";

static void test_layout(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = read_back(ctx, LAYOUT);
    char *text = text_of(model);
    assert_string_equal(text, LAYOUT);
    files_start("write");
    assert_int_equal(model_save(model, "m.ode"), COSET_OK);
    files_expect("m.ode", LAYOUT);
    assert_int_equal(model_save(model, "no/folder/m.ode"), COSET_EIO);
    ctx_free(ctx, text);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* Texts that a program put there cannot become anything but comments. */
static void test_hostile_texts(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = NULL;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    assert_int_equal(model_add_variable(model, "x", NULL, NULL), COSET_OK);
    model->header = "a\rbegin model b \n\n /* ";
    model->variables[0].comment = " \r\n y = 1\n z = \x01 ";
    char *text = text_of(model);
    assert_string_equal(text,
                        "// a begin model b\n//\n//  /*\nbegin model m\n begin init\n"
                        "  x // y = 1  z = \x01\n end init\n begin ODE\n end ODE\nend model\n");
    ode_model *back = read_back(ctx, text);
    assert_string_equal(back->variables[0].comment, "y = 1  z = \x01");
    ctx_free(ctx, text);
    model_free(back);
    model->variables[0].comment = " \t\n";
    text = text_of(model);
    assert_non_null(strstr(text, "  x\n"));
    ctx_free(ctx, text);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = NULL;
    const expression *infinite = NULL;
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    assert_int_equal(
        expression_number(ctx, &model->arena, (number){(double)INFINITY, 1}, &infinite), COSET_OK);
    assert_int_equal(model_add_variable(model, "x", infinite, NULL), COSET_OK);
    assert_int_equal(model_text(model, &text, &size), COSET_ENUMERIC);
    assert_null(text);
    model->variables[0].equation = infinite;
    model->is_network = true;
    assert_int_equal(model_text(model, &text, &size), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "'x' has an equation beside reactions"));
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* Lines of a long block are wrapped. */
static void test_long_blocks(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = NULL;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    for (int i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        assert_int_equal(model_add_variable(model, name, NULL, NULL), COSET_OK);
    }
    assert_int_equal(
        arena_alloc(ctx, &model->arena, 3000, sizeof *model->block_of, &model->block_of), COSET_OK);
    for (int i = 0; i < 3000; i++) model->block_of[i] = i % 7;
    char *text = text_of(model);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") < 120);
    ctx_free(ctx, text);
    check_round_trip(model, NULL);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_random_models),
        cmocka_unit_test(test_layout),  cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_long_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
