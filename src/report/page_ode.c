#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/pages.h"

/* Long lists are cut off on the page; the JSON has them whole. */
enum { MOST_ROWS = 20, DIGITS = 32 };

/* Up to six digits: values of parameters have no natural scale, so number_real would say 0.0500. */
static const char *digits(double value, char *text)
{
    if (!isfinite(value)) return strcpy(text, "-");
    snprintf(text, DIGITS, "%.6g", value);
    return text;
}

static void digits_cell(page *self, const json_t *object, const char *key)
{
    char text[DIGITS];
    page_cell(self, digits(pages_number(object, key), text));
}

static void digits_row(page *self, const char *name, const json_t *object, const char *key)
{
    if (!json_is_number(json_object_get(object, key))) return;
    page_cell(self, name);
    digits_cell(self, object, key);
}

static void text_row(page *self, const char *name, const json_t *object, const char *key)
{
    if (!json_is_string(json_object_get(object, key))) return;
    page_cell(self, name);
    page_cell(self, pages_string(object, key, ""));
}

static void count_row(page *self, const char *name, const json_t *object, const char *key)
{
    char text[REPORT_NUMBER];
    if (!json_is_number(json_object_get(object, key))) return;
    page_cell(self, name);
    page_cell(self, number_count(pages_number(object, key), text));
}

static void more_line(page *self, size_t total, size_t shown, const char *what)
{
    char count[REPORT_NUMBER];
    if (total > shown)
        page_line(self, "  and %s more %s (all are in --json)",
                  number_count((double)(total - shown), count), what);
}

static const char *source(const json_t *root)
{
    return pages_string(root, "model", "model");
}

/* What was set by hand, and warnings: what a reader must know before the numbers. */
static void remarks(page *self, const json_t *root)
{
    json_t *set = json_object_get(root, "set"), *value = NULL, *warning = NULL;
    const char *name = NULL;
    size_t index = 0;
    char text[DIGITS];
    json_object_foreach(set, name, value)
        page_line(self, "  with %s = %s", name, digits(json_number_value(value), text));
    json_array_foreach(json_object_get(root, "warnings"), index, warning)
        page_line(self, "  warning: %s", json_string_value(warning));
}

static void two_counts(page *self, const json_t *root, const char *key)
{
    const json_t *pair = json_object_get(root, key);
    char text[REPORT_NUMBER];
    double original = pages_number(pair, "original"), reduced = pages_number(pair, "reduced");
    if (!(original > 0)) return;
    page_cell(self, key);
    page_cell(self, number_count(original, text));
    page_cell(self, number_count(reduced, text));
    page_cell(self, number_share(reduced / original, text));
}

/* ---- reduce ------------------------------------------------------------------------------------ */

static void reduce_title(page *self, const json_t *root)
{
    const json_t *variables = json_object_get(root, "variables");
    char text[DIGITS], original[REPORT_NUMBER], reduced[REPORT_NUMBER];
    double eps = pages_number(root, "eps");
    page_title(self, "%s: %s of %s variables", source(root),
               number_count(pages_number(variables, "reduced"), reduced),
               number_count(pages_number(variables, "original"), original));
    if (eps > 0) {
        page_line(self, "%s equivalence up to %s (%s linkage), refined from %s",
                  pages_string(root, "equivalence", ""), digits(eps, text),
                  pages_string(root, "linkage", ""), pages_string(root, "partition", ""));
    } else {
        page_line(self, "%s equivalence, refined from %s", pages_string(root, "equivalence", ""),
                  pages_string(root, "partition", ""));
    }
    remarks(self, root);
}

static void reduce_sizes(page *self, const json_t *root)
{
    page_line(self, "%s", "");
    page_table(self);
    page_column_add(self, "", false);
    page_column_add(self, "original", true);
    page_column_add(self, "reduced", true);
    page_column_add(self, "", true);
    two_counts(self, root, "variables");
    two_counts(self, root, "monomials");
    two_counts(self, root, "terms");
    two_counts(self, root, "parameters");
}

static void reduce_blocks(page *self, const json_t *blocks)
{
    size_t index = 0, shown = 0, several = 0;
    json_t *block = NULL;
    char text[REPORT_NUMBER];
    json_array_foreach(blocks, index, block) several += pages_number(block, "size") > 1;
    if (several == 0) {
        page_line(self, "%s", "");
        page_line(self, "No two variables share a block.");
        return;
    }
    page_heading(self, "Blocks of more than one variable");
    page_table(self);
    page_column_add(self, "variable", false);
    page_column_add(self, "size", true);
    page_column_add(self, "members", false);
    json_array_foreach(blocks, index, block)
    {
        if (!(pages_number(block, "size") > 1) || shown == MOST_ROWS) continue;
        page_cell(self, pages_string(block, "representative", ""));
        page_cell(self, number_count(pages_number(block, "size"), text));
        pages_cell(self, json_object_get(block, "members"), CELL_TEXT);
        shown++;
    }
    more_line(self, several, shown, "blocks");
}

static void reduce_closest(page *self, const json_t *closest)
{
    const json_t *perturbed = json_object_get(closest, "perturbed");
    size_t n = json_array_size(perturbed), shown = n < MOST_ROWS ? n : MOST_ROWS;
    char l2[DIGITS], largest[DIGITS], residual[DIGITS];
    if (!json_is_object(closest)) return;
    page_heading(self, "Closest exactly reducible system");
    if (n == 0 && pages_number(closest, "change_l2") == 0) {
        page_line(self, "  nothing has to change");
        return;
    }
    page_line(self, "  %s: |change|_2 = %s, largest %s, %.0f equations met to %s",
              pages_string(closest, "free", ""), digits(pages_number(closest, "change_l2"), l2),
              digits(pages_number(closest, "change_max"), largest),
              pages_number(closest, "equations"),
              digits(pages_number(closest, "residual"), residual));
    if (n == 0) return;
    page_table(self);
    page_column_add(self, "changed", false);
    page_column_add(self, "from", true);
    page_column_add(self, "to", true);
    for (size_t k = 0; k < shown; k++) {
        const json_t *row = json_array_get(perturbed, k);
        page_cell(self, pages_string(row, "name", ""));
        digits_cell(self, row, "from");
        digits_cell(self, row, "to");
    }
    more_line(self, n, shown, "changes");
}

static void reduce_bound(page *self, const json_t *bound, bool forward, bool coefficients)
{
    char text[DIGITS];
    if (!json_is_object(bound)) return;
    page_heading(self, "Deviation from the original up to t = %s",
                 digits(pages_number(bound, "t_end"), text));
    pages_values(self);
    digits_row(self, forward ? "bound on sums over blocks" : "bound", bound, "aggregated_bound");
    digits_row(self, "the same, safe between grid points", bound, "aggregated_safe_bound");
    if (forward) {
        digits_row(self, "bound on single variables", bound, "bound");
        digits_row(self, "the same, safe between grid points", bound, "safe_bound");
    }
    digits_row(self, "simulated", bound, "deviation");
    digits_row(self,
               coefficients ? "largest change of a coefficient" : "largest change of a parameter",
               bound, "perturbation");
    digits_row(self, "lambda", bound, "aggregated_lambda");
    digits_row(self, "grid step", bound, "dt");
}

static void reduce_sweep(page *self, const json_t *sweep)
{
    size_t n = json_array_size(sweep), most = 3 * MOST_ROWS, shown = n < most ? n : most;
    char text[REPORT_NUMBER];
    if (n == 0) return;
    page_heading(self, "Partitions by eps");
    page_table(self);
    page_column_add(self, "from eps", true);
    page_column_add(self, "blocks", true);
    for (size_t k = 0; k < shown; k++) {
        const json_t *rung = json_array_get(sweep, k);
        digits_cell(self, rung, "eps");
        page_cell(self, number_count(pages_number(rung, "blocks"), text));
    }
    more_line(self, n, shown, "partitions");
}

static void fill_reduce(page *self, const json_t *root)
{
    reduce_title(self, root);
    reduce_sizes(self, root);
    reduce_blocks(self, json_object_get(root, "blocks"));
    const json_t *closest = json_object_get(root, "closest");
    reduce_closest(self, closest);
    reduce_bound(self, json_object_get(root, "bound"),
                 strcmp(pages_string(root, "equivalence", ""), "forward") == 0,
                 strcmp(pages_string(closest, "free", ""), "coefficients") == 0);
    reduce_sweep(self, json_object_get(root, "sweep"));
}

/* ---- simulate ---------------------------------------------------------------------------------- */

static void simulate_reduction(page *self, const json_t *root)
{
    const json_t *reduction = json_object_get(root, "reduction");
    const json_t *deviation = json_object_get(root, "deviation");
    char original[REPORT_NUMBER], reduced[REPORT_NUMBER], largest[DIGITS], at[DIGITS];
    if (!json_is_object(reduction)) return;
    page_line(
        self, "  beside it the %s reduction: %s of %s variables",
        pages_string(reduction, "equivalence", ""),
        number_count(pages_number(json_object_get(reduction, "variables"), "reduced"), reduced),
        number_count(pages_number(json_object_get(reduction, "variables"), "original"), original));
    page_line(self, "  largest deviation of the two: %s, of %s at t = %s",
              digits(pages_number(deviation, "max_abs"), largest),
              pages_string(deviation, "column", "-"), digits(pages_number(deviation, "t"), at));
}

static void fill_simulate(page *self, const json_t *root)
{
    const json_t *columns = json_object_get(root, "columns");
    size_t n = json_array_size(columns), most = 2 * MOST_ROWS, shown = n < most ? n : most;
    char t_end[DIGITS], rtol[DIGITS], atol[DIGITS];
    page_title(self, "%s", source(root));
    page_line(self, "  t = 0 to %s in %.0f steps, %s, relative tolerance %s, absolute %s",
              digits(pages_number(root, "t_end"), t_end), pages_number(root, "steps"),
              pages_string(root, "method", ""), digits(pages_number(root, "rtol"), rtol),
              digits(pages_number(root, "atol"), atol));
    remarks(self, root);
    simulate_reduction(self, root);
    page_line(self, "%s", "");
    page_table(self);
    page_column_add(self, "", false);
    page_column_add(self, "first", true);
    page_column_add(self, "last", true);
    for (size_t k = 0; k < shown; k++) {
        /* Of many columns the first and the last: a network's outputs stand at the end. */
        const json_t *column = json_array_get(columns, k < most / 2 ? k : n - shown + k);
        if (n > shown && k == most / 2)
            for (int cell = 0; cell < 3; cell++) page_cell(self, "...");
        page_cell(self, pages_string(column, "name", ""));
        digits_cell(self, column, "first");
        digits_cell(self, column, "last");
    }
    more_line(self, n, shown, "columns");
}

/* ---- encode and dataset ------------------------------------------------------------------------- */

static void fill_encode(page *self, const json_t *root)
{
    static const cell_column layers[] = {{"name", "layer", CELL_TEXT, NULL},
                                         {"variables", "variables", CELL_COUNT, NULL},
                                         {"activation", "activation", CELL_TEXT, NULL}};
    static const cell_column fits[] = {
        {"name", "fit of", CELL_TEXT, NULL},    {"function", "function", CELL_TEXT, NULL},
        {"degree", "degree", CELL_COUNT, NULL}, {"low", "from", CELL_REAL, NULL},
        {"high", "to", CELL_REAL, NULL},        {"error", "largest error", CELL_REAL, NULL}};
    page_title(self, "%s as an ODE: %s drift", source(root), pages_string(root, "drift", "?"));
    remarks(self, root);
    page_line(self, "%s", "");
    pages_values(self);
    count_row(self, "variables", root, "variables");
    count_row(self, "terms", root, "terms");
    if (json_array_size(json_object_get(root, "layers")) > 0) {
        page_heading(self, "Layers");
        pages_objects(self, json_object_get(root, "layers"), layers, 3);
    }
    if (json_array_size(json_object_get(root, "fits")) > 0) {
        page_heading(self, "Polynomials for activations");
        pages_objects(self, json_object_get(root, "fits"), fits, 6);
    }
}

static void fill_dataset(page *self, const json_t *root)
{
    const json_t *rows = json_object_get(root, "rows"), *columns = json_object_get(root, "columns");
    bool slope = strcmp(pages_string(root, "target", ""), "derivative") == 0;
    page_title(self, "%s: %s", source(root),
               slope ? "states and their derivatives" : "states and the states after dt");
    remarks(self, root);
    page_line(self, "%s", "");
    pages_values(self);
    count_row(self, "rows for training", rows, "train");
    count_row(self, "rows for the test", rows, "test");
    count_row(self, "columns of x", columns, "x");
    count_row(self, "columns of y", columns, "y");
    count_row(self, "trajectories", root, "trajectories");
    count_row(self, "pairs of each", root, "pairs");
    digits_row(self, "up to t", root, "t_end");
    if (!slope) digits_row(self, "dt", root, "dt");
    digits_row(self, "spread of the initial values", root, "spread");
    text_row(self, "folder", root, "folder");
    if (json_array_size(json_object_get(root, "left_out")) > 0) {
        page_cell(self, "left out, as they never change");
        pages_cell(self, json_object_get(root, "left_out"), CELL_TEXT);
    }
}

void page_fill_ode(page *self, const json_t *root)
{
    const char *verb = pages_string(root, "verb", "");
    if (strcmp(verb, "ode reduce") == 0) {
        fill_reduce(self, root);
    } else if (strcmp(verb, "ode simulate") == 0) {
        fill_simulate(self, root);
    } else if (strcmp(verb, "ode encode") == 0) {
        fill_encode(self, root);
    } else {
        fill_dataset(self, root);
    }
    pages_ending(self, root);
}
