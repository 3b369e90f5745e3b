/* Texts of models for the tests of their reader. */
#ifndef COSET_TESTS_SUPPORT_ODE_TEXTS_H
#define COSET_TESTS_SUPPORT_ODE_TEXTS_H

#include "support/files.h"

#include "ode/model.h"

/* Texts whose sections say little are put into this frame. */
static inline char *frame(const char *sections)
{
    char *text = NULL;
    assert_true(asprintf(&text, "begin model m\n%s\nend model\n", sections) > 0);
    return text;
}

static inline ode_model *read_text(coset_ctx *ctx, const char *text)
{
    ode_model *model = NULL;
    if (model_parse(ctx, text, strlen(text), "t", &model) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return model;
}

static inline ode_model *read_sections(coset_ctx *ctx, const char *sections)
{
    char *text = frame(sections);
    ode_model *model = read_text(ctx, text);
    free(text);
    return model;
}

/* before, then part, middle, part_behind, each as often, then behind; freed by the caller. */
static inline char *repeated(const char *before, const char *part, int64_t times,
                             const char *middle, const char *part_behind, const char *behind)
{
    size_t a = strlen(part), b = strlen(part_behind);
    char *text =
        malloc(strlen(before) + (a + b) * (size_t)times + strlen(middle) + strlen(behind) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (int64_t i = 0; i < times; i++) at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (int64_t i = 0; i < times; i++) at = stpcpy(at, part_behind);
    strcpy(at, behind);
    return text;
}

/* A parameter between them makes a model. */
#define BEFORE "begin model m begin parameters p = "
#define BEHIND " end parameters begin init x end init begin ODE end ODE end model"

/* Something of everything, and text behind "model", its end. */
#define EVERYTHING                                                                                 \
    "\xEF\xBB\xBF// first line\r\n"                                                                \
    "/* second\n"                                                                                  \
    " * third */\r"                                                                                \
    "begin model big [logger = true]\r\n"                                                          \
    "begin\tparameters a=2 b = a*3 /* twice */ c=-b+1E-2 d = min(a, 4) e=2^-1 // end parameters\n" \
    "end parameters\n"                                                                             \
    "setIC(species=x, expr=1) // a command between sections\n"                                     \
    "begin  init x = a + b y z=0.5 (\"the z\") w // the w \r\n v end init\n"                       \
    "begin partition {x,y}/*, {z}*/ , {w} end partition\n"                                         \
    "begin reactions\n"                                                                            \
    "x + 2*y -> z + x, -a\n"                                                                       \
    "z -> w, a  w + w -> 3*x + y + y, arbitrary a*x^2/(1 + y) [r1 r2]\n"                           \
    "-> x, 1 x ->, 2*b\n"                                                                          \
    "x->y,1  2*z -> w, (b)\n"                                                                      \
    "end reactions\n"                                                                              \
    "begin views x = x total = x+y*a end views\n"                                                  \
    "write(file=\"a // b.ode\", list={[(1)]},\n"                                                   \
    "   deep=f(g( h )))\n\n"                                                                       \
    "simulateODE ( csv = \"t(1)\" , tEnd = 2.5e1 )\n"                                              \
    "nonsense %$& ~ 'it is' \" open\n"                                                             \
    "end /* really */\n"                                                                           \
    "model and more \x01 text /* that nobody reads"

#endif
