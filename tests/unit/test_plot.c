/* Plots: which lines are drawn and named, spikes, values that cannot be drawn. */
#include "support/files.h"

#include <math.h>

#include "report/plot.h"

enum { POINTS = 5000, LINES = 500 };

static counted_memory memory;
static coset_ctx *ctx;
static plot_line lines[LINES];
static char names[LINES][16];
static double x[POINTS];

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    for (int i = 0; i < LINES; i++) {
        snprintf(names[i], sizeof names[i], "line%d", i);
        lines[i] = (plot_line){names[i], -1};
    }
    for (int k = 0; k < POINTS; k++) x[k] = 0.5 * k;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static char *draw(const double *values, int64_t n_points, int64_t n_lines, const char *title)
{
    const plot self = {title, "t", x, values, lines, n_points, n_lines};
    char *text = NULL;
    assert_int_equal(plot_svg(ctx, &self, &text), COSET_OK);
    assert_non_null(strstr(text, "</svg>\n"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    return text;
}

static int count(const char *text, const char *word)
{
    int found = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) found++;
    return found;
}

/* The lines that move most have names, further ones are pale, and there is an end to those. */
static void many_lines(void **state)
{
    (void)state;
    static double values[2 * LINES];
    for (int i = 0; i < LINES; i++) values[LINES + i] = i;
    char *text = draw(values, 2, LINES, "many");
    assert_int_equal(count(text, ">line"), PLOT_LABELLED);
    assert_non_null(strstr(text, ">line499<"));
    assert_null(strstr(text, ">line479<"));
    assert_int_equal(count(text, "class=\"pale\" points"), PLOT_DRAWN - PLOT_LABELLED);
    assert_non_null(strstr(text, "and 480 more"));
    coset_memory_free(ctx, text);
}

/* One point among thousands is seen: its height is that of the plane's upper end. */
static void spikes(void **state)
{
    (void)state;
    static double values[POINTS];
    memset(values, 0, sizeof values);
    char *flat = draw(values, POINTS, 1, "flat");
    values[3333] = 1;
    char *spiked = draw(values, POINTS, 1, "spiked");
    assert_true(strlen(spiked) < 100000);
    const char *points = strstr(spiked, "points=");
    double lowest = HUGE_VAL, highest = -HUGE_VAL;
    for (points += 8; *points != '"';) {
        char *end = NULL;
        strtod(points, &end);
        double y = strtod(end + 1, &end);
        lowest = fmin(lowest, y);
        highest = fmax(highest, y);
        points = end + 1;
    }
    assert_true(highest - lowest > 300);
    coset_memory_free(ctx, flat);
    coset_memory_free(ctx, spiked);
}

/* A line beside another has its dashes and no name. */
static void comparisons(void **state)
{
    (void)state;
    const double values[] = {0, 0, 1, 1};
    lines[1].beside = 0;
    char *text = draw(values, 2, 2, "two");
    assert_int_equal(count(text, "class=\"beside\" points"), 2); /* the line and its legend */
    assert_int_equal(count(text, ">line"), 1);
    assert_non_null(strstr(text, ">reduced<"));
    lines[1].beside = -1;
    coset_memory_free(ctx, text);
}

static void strange_values(void **state)
{
    (void)state;
    const double odd[] = {(double)NAN, 1, HUGE_VAL, -HUGE_VAL, 2, (double)NAN};
    const double huge[] = {-1.7e308, 1.7e308}, tiny[] = {5e-324, 1e-323};
    const double near[] = {1, 1 + 1e-15};
    const char *const titles[] = {"<&\"", "caf\xC3\xA9", "\xFF\x01 bytes", ""};
    for (int k = 0; k < 4; k++) coset_memory_free(ctx, draw(odd, 6, 1, titles[k]));
    coset_memory_free(ctx, draw(odd, 1, 1, "one point without a value"));
    coset_memory_free(ctx, draw(odd, 0, 3, "no points"));
    coset_memory_free(ctx, draw(odd, 3, 0, "no lines"));
    coset_memory_free(ctx, draw(huge, 2, 1, "huge"));
    coset_memory_free(ctx, draw(tiny, 2, 1, "tiny"));
    coset_memory_free(ctx, draw(near, 2, 1, "near"));
    char *text = draw(odd, 6, 1, "<&\"\x01");
    assert_non_null(strstr(text, "<title>&lt;&amp;&quot;?</title>"));
    coset_memory_free(ctx, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(spikes, setup, teardown),
        cmocka_unit_test_setup_teardown(comparisons, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_values, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
