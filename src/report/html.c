#include <string.h>

#include "base/utf8.h"
#include "report/buffer.h"
#include "report/page.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<style>\n"
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em;"
    " color: #222; background: #fff }\n"
    "h1 { font-size: 1.3em } h2 { font-size: 1.05em; margin: 1.8em 0 .4em }\n"
    "table { border-collapse: collapse }\n"
    "th, td { padding: .2em .9em .2em 0; text-align: left; vertical-align: top;"
    " overflow-wrap: anywhere }\n"
    "th { border-bottom: 1px solid #999; font-weight: 600 } .n { text-align: right;"
    " font-variant-numeric: tabular-nums; white-space: nowrap }\n"
    "svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif }\n"
    "</style>\n";

static void add_cell(buffer *out, const char *tag, const char *text, bool right)
{
    buffer_add(out, "<%s%s>", tag, right ? " class=\"n\"" : "");
    buffer_add_html(out, text);
    buffer_add(out, "</%s>", tag);
}

static void add_table(buffer *out, const page *self, const page_block *table)
{
    int n = table->n_columns;
    if (n == 0) return;
    buffer_add(out, "<table>\n<tr>");
    for (int c = 0; c < n; c++)
        add_cell(out, "th", table->columns[c].heading, table->columns[c].right);
    for (int64_t i = 0; i < table->n; i++) {
        if (i % n == 0) buffer_add(out, "</tr>\n<tr>");
        add_cell(out, "td", self->cells[table->first + i], table->columns[i % n].right);
    }
    buffer_add(out, "</tr>\n</table>\n");
}

/* One row per group: the original width as a pale bar, what is left as a dark one in front. */
static void add_bars(buffer *out, const page *self, const page_block *block)
{
    enum { ROW = 22, NAMES = 240, BARS = 420, NUMBERS = 110, CHARACTERS = 34 };
    double widest = 1;
    const page_bar *bars = self->bars + block->first;
    for (int64_t i = 0; i < block->n; i++)
        if (bars[i].before > widest) widest = bars[i].before;
    long long height = (long long)block->n * ROW + 4;
    buffer_add(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%lld\" "
        "viewBox=\"0 0 %d %lld\">\n<title>Units of every group, before and after</title>\n",
        NAMES + BARS + NUMBERS, height, NAMES + BARS + NUMBERS, height);
    for (int64_t i = 0; i < block->n; i++) {
        long long y = (long long)i * ROW;
        const char *name = bars[i].name;
        int64_t extra = utf8_columns(name) - CHARACTERS;
        for (int64_t c = 0; c < extra; c++) name += utf8_length(name, strlen(name));
        buffer_add(out, "<text x=\"%d\" y=\"%lld\" text-anchor=\"end\">", NAMES - 8, y + 15);
        buffer_add_html(out, extra > 0 ? "..." : "");
        buffer_add_html(out, name);
        buffer_add(out,
                   "</text><rect x=\"%d\" y=\"%lld\" width=\"%d\" height=\"14\" "
                   "fill=\"#cfd8e3\"/>",
                   NAMES, y + 4, (int)(BARS * bars[i].before / widest));
        buffer_add(out, "<rect x=\"%d\" y=\"%lld\" width=\"%d\" height=\"14\" fill=\"#2b6cb0\"/>",
                   NAMES, y + 4, (int)(BARS * bars[i].after / widest));
        buffer_add(out, "<text x=\"%d\" y=\"%lld\">%.0f of %.0f</text>\n",
                   NAMES + (int)(BARS * bars[i].before / widest) + 8, y + 15, bars[i].after,
                   bars[i].before);
    }
    buffer_add(out, "</svg>\n");
}

static void add_text(buffer *out, const char *tag, const char *text)
{
    buffer_add(out, "<%s>", tag);
    buffer_add_html(out, text);
    buffer_add(out, "</%s>\n", tag);
}

coset_status page_html(const page *self, char **text_out)
{
    buffer out = {.ctx = self->ctx, .status = self->status};
    buffer_add(&out, "%s", head);
    for (int64_t b = 0; b < self->n_blocks; b++)
        if (self->blocks[b].kind == PAGE_TITLE) add_text(&out, "title", self->blocks[b].text);
    buffer_add(&out, "</head>\n<body>\n");
    for (int64_t b = 0; b < self->n_blocks; b++) {
        const page_block *block = &self->blocks[b];
        switch (block->kind) {
        case PAGE_TITLE: add_text(&out, "h1", block->text); break;
        case PAGE_HEADING: add_text(&out, "h2", block->text); break;
        case PAGE_LINE: add_text(&out, "p", block->text); break;
        case PAGE_TABLE: add_table(&out, self, block); break;
        case PAGE_BARS: add_bars(&out, self, block); break;
        }
    }
    buffer_add(&out, "</body>\n</html>\n");
    return buffer_take(&out, text_out);
}

coset_status report_html(coset_ctx *ctx, const coset_report *report, char **text_out)
{
    page drawn = {.ctx = ctx};
    page_fill(&drawn, report);
    coset_status status = page_html(&drawn, text_out);
    page_free(&drawn);
    return status;
}
