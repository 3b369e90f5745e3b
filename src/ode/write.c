#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ode/model.h"
#include "ode/text_buffer.h"
#include "ode/write_expression.h"

enum { WIDTH = 96 }; /* of a line of a partition, about */

static void put_name(text_buffer *into, const char *name)
{
    text_puts(into, "  ");
    text_puts(into, name);
}

/* Nothing may end the line of a comment before its end. */
static void put_in_line(text_buffer *into, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        text_putc(into, text[i] == '\n' || text[i] == '\r' ? ' ' : text[i]);
}

static size_t trimmed(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r\n\f\v", text[length - 1]) != NULL) length--;
    return length;
}

/* Lines of any text, each behind `mark`, without the blanks at their ends and the empty ones at its end. */
static void put_lines(text_buffer *into, const char *text, const char *mark)
{
    const char *end = text + trimmed(text, strlen(text));
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL) line_end = end;
        size_t length = trimmed(text, (size_t)(line_end - text));
        text_puts(into, mark);
        if (length > 0 && mark[0] == '/') text_putc(into, ' ');
        put_in_line(into, text, length);
        text_putc(into, '\n');
        text = line_end + 1;
    }
}

/* " // comment" on one line, without the blanks around it; nothing if it is empty. */
static void put_remark(text_buffer *into, const char *comment)
{
    comment += strspn(comment, " \t\n\r\f\v");
    size_t length = trimmed(comment, strlen(comment));
    if (length == 0) return;
    text_puts(into, " // ");
    put_in_line(into, comment, length);
}

static void write_parameters(const ode_model *model, text_buffer *into)
{
    if (model->n_parameters == 0) return;
    text_puts(into, " begin parameters\n");
    for (int64_t i = 0; i < model->n_parameters; i++) {
        put_name(into, model->parameters[i].name);
        text_puts(into, " = ");
        write_expression(into, model, model->parameters[i].value);
        text_putc(into, '\n');
    }
    text_puts(into, " end parameters\n");
}

static void write_init(const ode_model *model, text_buffer *into)
{
    text_puts(into, " begin init\n");
    for (int64_t i = 0; i < model->n_variables; i++) {
        const model_variable *variable = &model->variables[i];
        put_name(into, variable->name);
        if (variable->initial != NULL) {
            text_puts(into, " = ");
            write_expression(into, model, variable->initial);
        }
        if (variable->comment != NULL) put_remark(into, variable->comment);
        text_putc(into, '\n');
    }
    text_puts(into, " end init\n");
}

/* Sorted by label, and then, with the first member in place of the label, once more. */
typedef struct member {
    int64_t block, variable;
} member;

static int compare_members(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return (x->variable > y->variable) - (x->variable < y->variable);
}

static void write_blocks(const ode_model *model, const member *members, text_buffer *into)
{
    text_puts(into, " begin partition\n  {");
    int64_t line = into->length;
    for (int64_t i = 0; i < model->n_variables; i++) {
        if (i > 0 && members[i].block != members[i - 1].block) {
            text_puts(into, "},\n  {");
            line = into->length;
        } else if (i > 0) {
            bool full = into->length - line > WIDTH;
            text_puts(into, full ? ",\n   " : ", ");
            if (full) line = into->length;
        }
        text_puts(into, model->variables[members[i].variable].name);
    }
    text_puts(into, "}\n end partition\n");
}

/* Blocks in the order of their first members, whatever their labels are. */
static void write_partition(const ode_model *model, text_buffer *into)
{
    member *members = NULL;
    int64_t n = model->n_variables;
    if (model->block_of == NULL || n == 0 || into->status != COSET_OK) return;
    into->status = ctx_alloc(into->ctx, n, sizeof *members, &members);
    if (into->status != COSET_OK) return;
    for (int64_t v = 0; v < n; v++) members[v] = (member){model->block_of[v], v};
    qsort(members, (size_t)n, sizeof *members, compare_members);
    int64_t label = 0, first = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || members[i].block != label) {
            label = members[i].block;
            first = members[i].variable;
        }
        members[i].block = first;
    }
    qsort(members, (size_t)n, sizeof *members, compare_members);
    write_blocks(model, members, into);
    ctx_free(into->ctx, members);
}

static void write_side(const ode_model *model, const reaction_side *side, int32_t n,
                       text_buffer *into)
{
    for (int32_t i = 0; i < n; i++) {
        if (i > 0) text_puts(into, " + ");
        if (side[i].count != 1) {
            write_number(into, number_of(side[i].count));
            text_putc(into, '*');
        }
        text_puts(into, model->variables[side[i].variable].name);
    }
}

static void write_reactions(const ode_model *model, text_buffer *into)
{
    text_puts(into, " begin reactions\n");
    for (int64_t i = 0; i < model->n_reactions; i++) {
        const model_reaction *reaction = &model->reactions[i];
        text_puts(into, "  ");
        write_side(model, reaction->reagents, reaction->n_reagents, into);
        text_puts(into, reaction->n_reagents > 0 ? " -> " : "-> ");
        write_side(model, reaction->products, reaction->n_products, into);
        text_puts(into, reaction->n_products > 0 ? " , " : ", ");
        if (reaction->arbitrary) text_puts(into, "arbitrary ");
        write_expression(into, model, reaction->rate);
        text_putc(into, '\n');
        ctx_progress(into->ctx, "write", i + 1, model->n_reactions);
    }
    text_puts(into, " end reactions\n");
}

static void write_equations(const ode_model *model, text_buffer *into)
{
    text_puts(into, " begin ODE\n");
    for (int64_t i = 0; i < model->n_variables; i++) {
        if (model->variables[i].equation == NULL) continue;
        text_puts(into, "  d(");
        text_puts(into, model->variables[i].name);
        text_puts(into, ") = ");
        write_expression(into, model, model->variables[i].equation);
        text_putc(into, '\n');
        ctx_progress(into->ctx, "write", i + 1, model->n_variables);
    }
    text_puts(into, " end ODE\n");
}

static void write_views(const ode_model *model, text_buffer *into)
{
    if (model->n_views == 0) return;
    text_puts(into, " begin views\n");
    for (int64_t i = 0; i < model->n_views; i++) {
        put_name(into, model->views[i].name);
        text_puts(into, " = ");
        write_expression(into, model, model->views[i].value);
        text_putc(into, '\n');
    }
    text_puts(into, " end views\n");
}

static void write_commands(const ode_model *model, text_buffer *into)
{
    if (model->commands != NULL) {
        put_lines(into, model->commands, " ");
    } else if (isfinite(model->t_end)) {
        text_puts(into, " simulateODE(tEnd=");
        write_number(into, number_of_decimal(model->t_end));
        text_puts(into, ")\n");
    }
}

static void write_model(const ode_model *model, text_buffer *into)
{
    if (model->header != NULL) put_lines(into, model->header, "//");
    text_puts(into, "begin model ");
    text_puts(into, model->name);
    text_putc(into, '\n');
    write_parameters(model, into);
    write_init(model, into);
    write_partition(model, into);
    if (model->is_network)
        write_reactions(model, into);
    else
        write_equations(model, into);
    write_views(model, into);
    write_commands(model, into);
    text_puts(into, "end model\n");
}

coset_status model_text(const ode_model *model, char **text_out, size_t *size_out)
{
    coset_status status = COSET_OK;
    text_buffer text = {.ctx = model->ctx};
    *text_out = NULL;
    for (int64_t i = 0; i < model->n_variables && model->is_network; i++)
        if (model->variables[i].equation != NULL)
            FAIL(model->ctx, COSET_EARGUMENT, "variable '%.64s' has an equation beside reactions",
                 model->variables[i].name);
    write_model(model, &text);
    text_put(&text, "", 1);
    TRY(text.status);
    *size_out = (size_t)text.length - 1;
    *text_out = text.bytes;
    text.bytes = NULL;
done:
    ctx_free(model->ctx, text.bytes);
    return status;
}

coset_status model_save(const ode_model *model, const char *path)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    size_t size = 0;
    TRY(model_text(model, &text, &size));
    TRY(file_write(model->ctx, path, text, size));
done:
    ctx_free(model->ctx, text);
    return status;
}
