#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "report/buffer.h"

/* Pixels. The legend stands to the right of the plane. */
enum {
    WIDTH = 900,
    HEIGHT = 500,
    LEFT = 84,
    TOP = 44,
    BOTTOM = 48,
    LEGEND = 200,
    ROW = 20,
    PLANE_WIDTH = WIDTH - LEFT - LEGEND,
    PLANE_HEIGHT = HEIGHT - TOP - BOTTOM,
    BUCKETS = 2 * PLANE_WIDTH, /* points of a line, before they are thinned out */
    NAME = 22,                 /* characters of a name in the legend */
    HUES = 10
};

/* Plain colours first: not every viewer knows about colour schemes. */
static const char style[] =
    "<style>\n"
    ".paper { fill: #fff } text { font: 13px system-ui, sans-serif; fill: #222 }\n"
    ".title { font-weight: 600; font-size: 15px }\n"
    ".rule { stroke: #dde1e6; stroke-width: 1 } .axis { stroke: #222; stroke-width: 1 }\n"
    "polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }\n"
    ".pale { stroke: #c3c9d0; stroke-width: 1 }\n"
    ".beside { stroke: #222; stroke-width: 1.2; stroke-dasharray: 3 5 }\n"
    "@media (prefers-color-scheme: dark) {\n"
    ".paper { fill: #15181c } text { fill: #e4e6e9 } .rule { stroke: #31363d }\n"
    ".axis, .beside { stroke: #e4e6e9 } .pale { stroke: #4b525b }\n"
    "}\n</style>\n";
/* Mid tones that stand out from white as well as from black. */
static const char *const hues[HUES] = {"#2f80d0", "#e0762b", "#2e9e5b", "#d0485a", "#8a63d2",
                                       "#b08b2e", "#d465b4", "#2aa5b0", "#8f9a2f", "#8d8d8d"};

/* ---- which lines -------------------------------------------------------------------------------- */

typedef struct moved {
    double range;
    int64_t line;
} moved;

typedef struct drawing {
    const plot *plot;
    moved *order; /* lines that are compared with none, those that move most first */
    int *hue;     /* [n_lines] -1: pale, -2: not drawn */
    int64_t n_order, n_labelled, n_drawn;
    double x_low, x_high, y_low, y_high;
} drawing;

/* Most range first, then in the order given. */
static int compare_moved(const void *a, const void *b)
{
    const moved *left = a, *right = b;
    if (left->range != right->range) return left->range > right->range ? -1 : 1;
    return left->line < right->line ? -1 : left->line > right->line;
}

/* Smallest and largest finite value of a line; low > high if it has none. */
static void line_range(const plot *self, int64_t line, double *low, double *high)
{
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (int64_t k = 0; k < self->n_points; k++) {
        double value = self->values[k * self->n_lines + line];
        if (!isfinite(value)) continue;
        if (value < *low) *low = value;
        if (value > *high) *high = value;
    }
}

static coset_status choose_lines(coset_ctx *ctx, drawing *self)
{
    coset_status status = COSET_OK;
    const plot *of = self->plot;
    TRY(ctx_alloc(ctx, of->n_lines, sizeof *self->order, &self->order));
    TRY(ctx_alloc(ctx, of->n_lines, sizeof *self->hue, &self->hue));
    for (int64_t i = 0; i < of->n_lines; i++) {
        double low = 0, high = 0;
        self->hue[i] = -2;
        if (of->lines[i].beside >= 0) continue;
        line_range(of, i, &low, &high);
        self->order[self->n_order++] = (moved){high >= low ? high / 2 - low / 2 : -1, i};
    }
    qsort(self->order, (size_t)self->n_order, sizeof *self->order, compare_moved);
    self->n_labelled = self->n_order < PLOT_LABELLED ? self->n_order : PLOT_LABELLED;
    self->n_drawn = self->n_order < PLOT_DRAWN ? self->n_order : PLOT_DRAWN;
    for (int64_t k = 0; k < self->n_drawn; k++)
        self->hue[self->order[k].line] = k < self->n_labelled ? (int)(k % HUES) : -1;
    for (int64_t i = 0; i < of->n_lines; i++)
        if (of->lines[i].beside >= 0) self->hue[i] = self->hue[of->lines[i].beside];
done:
    return status;
}

/* Control characters may not stand in XML. */
static void add_text(buffer *out, const char *text, const char *end)
{
    for (const char *c = text; c < end; c++) {
        const char one[2] = {*c, '\0'};
        buffer_add_html(out, (unsigned char)*c < 0x20 || *c == 0x7F ? "?" : one);
    }
}

/* ---- the plane ---------------------------------------------------------------------------------- */

/* Makes room around [low, high], also if it is empty, a point, or endless. */
static void widen(double *low, double *high, double share)
{
    /* So that differences are finite, and steps between ticks are not 0. */
    const double most = 1e300, least = 1e-290;
    if (!(*low <= *high)) *low = *high = 0;
    *low = fmax(*low, -most);
    *high = fmin(*high, most);
    double size = fmax(fabs(*low), fabs(*high)), range = *high - *low;
    double room = range > 1e-9 * size ? share * range : size > 0 ? 0.1 * size : 1;
    if (room < least) room = least;
    *low -= room;
    *high += room;
}

static void choose_ranges(drawing *self)
{
    const plot *of = self->plot;
    self->y_low = HUGE_VAL;
    self->y_high = -HUGE_VAL;
    for (int64_t i = 0; i < of->n_lines; i++) {
        double low = 0, high = 0;
        if (self->hue[i] == -2) continue;
        line_range(of, i, &low, &high);
        if (low < self->y_low) self->y_low = low;
        if (high > self->y_high) self->y_high = high;
    }
    widen(&self->y_low, &self->y_high, 0.04);
    self->x_low = of->n_points > 0 ? of->x[0] : 0;
    self->x_high = of->n_points > 0 ? of->x[of->n_points - 1] : 1;
    if (!(self->x_high > self->x_low)) widen(&self->x_low, &self->x_high, 0);
}

static double place_x(const drawing *self, double x)
{
    return LEFT + PLANE_WIDTH * ((x - self->x_low) / (self->x_high - self->x_low));
}

static double place_y(const drawing *self, double y)
{
    return TOP + PLANE_HEIGHT * ((self->y_high - y) / (self->y_high - self->y_low));
}

/* The step 1, 2 or 5 times a power of ten that gives about `most` ticks. */
static double tick_step(double range, int most)
{
    double rough = range / most, power = pow(10, floor(log10(rough)));
    double rest = rough / power;
    return power * (rest <= 1.4 ? 1 : rest <= 2.8 ? 2 : rest <= 7 ? 5 : 10);
}

static const char *tick_text(double value, double step, char text[32])
{
    snprintf(text, 32, "%.6g", fabs(value) < 1e-6 * step ? 0.0 : value);
    return text;
}

static void add_axes(buffer *out, const drawing *self)
{
    char text[32];
    double step = tick_step(self->y_high - self->y_low, 7);
    for (double k = ceil(self->y_low / step); k * step <= self->y_high; k++) {
        double y = place_y(self, k * step);
        buffer_add(out,
                   "<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                   "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                   LEFT, LEFT + PLANE_WIDTH, y, y, LEFT - 8, y + 4.5,
                   tick_text(k * step, step, text));
    }
    step = tick_step(self->x_high - self->x_low, 8);
    for (double k = ceil(self->x_low / step); k * step <= self->x_high; k++) {
        double x = place_x(self, k * step);
        buffer_add(out,
                   "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                   "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                   x, x, TOP + PLANE_HEIGHT, TOP + PLANE_HEIGHT + 5, x, TOP + PLANE_HEIGHT + 20,
                   tick_text(k * step, step, text));
    }
    buffer_add(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT,
               LEFT + PLANE_WIDTH, TOP + PLANE_HEIGHT, TOP + PLANE_HEIGHT);
    buffer_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", LEFT + PLANE_WIDTH / 2,
               HEIGHT - 8);
    buffer_add_html(out, self->plot->x_name);
    buffer_add(out, "</text>\n");
}

/* ---- the lines ---------------------------------------------------------------------------------- */

static void add_point(buffer *out, const drawing *self, int64_t line, int64_t point)
{
    const plot *of = self->plot;
    double y = of->values[point * of->n_lines + line];
    if (isfinite(y)) buffer_add(out, "%.1f,%.1f ", place_x(self, of->x[point]), place_y(self, y));
}

/* Many points are thinned out to the lowest and highest of each bucket, so that spikes stay. */
static void add_points(buffer *out, const drawing *self, int64_t line)
{
    const plot *of = self->plot;
    int64_t n = of->n_points, width = n / BUCKETS + 1;
    for (int64_t from = 0; from < n; from += width) {
        int64_t end = from + width < n ? from + width : n, low = from, high = from;
        for (int64_t k = from; k < end; k++) {
            double value = of->values[k * of->n_lines + line];
            if (value < of->values[low * of->n_lines + line]) low = k;
            if (value > of->values[high * of->n_lines + line]) high = k;
        }
        add_point(out, self, line, low < high ? low : high);
        if (low != high) add_point(out, self, line, low < high ? high : low);
    }
}

static void add_line(buffer *out, const drawing *self, int64_t line)
{
    int hue = self->hue[line];
    if (self->plot->lines[line].beside >= 0) {
        buffer_add(out, "<polyline class=\"beside\" points=\"");
    } else if (hue < 0) {
        buffer_add(out, "<polyline class=\"pale\" points=\"");
    } else {
        buffer_add(out, "<polyline stroke=\"%s\" points=\"", hues[hue]);
    }
    add_points(out, self, line);
    buffer_add(out, "\"/>\n");
}

/* Pale ones at the back, those that move most in front of them, comparisons over all. */
static void add_lines(buffer *out, const drawing *self)
{
    for (int64_t k = self->n_drawn - 1; k >= 0; k--) add_line(out, self, self->order[k].line);
    for (int64_t i = 0; i < self->plot->n_lines; i++)
        if (self->plot->lines[i].beside >= 0 && self->hue[i] >= 0) add_line(out, self, i);
}

/* ---- the legend --------------------------------------------------------------------------------- */

static void add_name(buffer *out, const char *name)
{
    int64_t characters = 0;
    const char *end = name;
    for (; *end != '\0' && characters < NAME; characters++) end += utf8_length(end, strlen(end));
    add_text(out, name, end);
    if (*end != '\0') buffer_add(out, "...");
}

static void add_legend(buffer *out, const drawing *self)
{
    const int x = LEFT + PLANE_WIDTH + 16;
    bool compared = false;
    int row = 0;
    for (; row < self->n_labelled; row++) {
        int64_t line = self->order[row].line;
        int y = TOP + 4 + row * ROW;
        buffer_add(out, "<polyline stroke=\"%s\" points=\"%d,%d %d,%d\"/><text x=\"%d\" y=\"%d\">",
                   hues[self->hue[line]], x, y, x + 18, y, x + 26, y + 4);
        add_name(out, self->plot->lines[line].name);
        buffer_add(out, "</text>\n");
    }
    for (int64_t i = 0; i < self->plot->n_lines; i++)
        compared = compared || self->plot->lines[i].beside >= 0;
    if (compared) {
        int y = TOP + 4 + row++ * ROW;
        buffer_add(out,
                   "<polyline class=\"beside\" points=\"%d,%d %d,%d\"/><text x=\"%d\" y=\"%d\">"
                   "reduced</text>\n",
                   x, y, x + 18, y, x + 26, y + 4);
    }
    if (self->n_order > self->n_labelled)
        buffer_add(out, "<text x=\"%d\" y=\"%d\">and %lld more</text>\n", x, TOP + 8 + row * ROW,
                   (long long)(self->n_order - self->n_labelled));
}

coset_status plot_svg(coset_ctx *ctx, const plot *self, char **text_out)
{
    coset_status status = COSET_OK;
    drawing drawn = {.plot = self};
    buffer out = {.ctx = ctx};
    char *title = NULL;
    *text_out = NULL;
    TRY(utf8_copy(ctx, self->title, &title));
    TRY(choose_lines(ctx, &drawn));
    choose_ranges(&drawn);
    buffer_add(&out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\">\n<title>",
               WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_text(&out, title, title + strlen(title));
    buffer_add(&out, "</title>\n%s<rect width=\"%d\" height=\"%d\" class=\"paper\"/>\n", style,
               WIDTH, HEIGHT);
    buffer_add(&out, "<text class=\"title\" x=\"%d\" y=\"24\">", LEFT);
    add_text(&out, title, title + strlen(title));
    buffer_add(&out, "</text>\n");
    add_axes(&out, &drawn);
    add_lines(&out, &drawn);
    add_legend(&out, &drawn);
    buffer_add(&out, "</svg>\n");
    TRY(buffer_take(&out, text_out));
done:
    ctx_free(ctx, drawn.order);
    ctx_free(ctx, drawn.hue);
    ctx_free(ctx, title);
    return status;
}
