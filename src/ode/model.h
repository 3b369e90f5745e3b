/* An ODE model as a file in the ERODE language states it: names, expressions, reactions.
 * What it means is an ode_system (ode/system.h). Source of the language: Cardelli, Tribastone,
 * Tschaikowski, Vandin, "ERODE", TACAS 2017, and the files that the tool writes. */
#ifndef COSET_ODE_MODEL_H
#define COSET_ODE_MODEL_H

#include "base/arena.h"
#include "base/map.h"
#include "ode/expression.h"

/* Caps of the parser; each names itself in the error. */
enum {
    MODEL_MAX_TEXT = 1 << 30,  /* bytes of a file */
    MODEL_MAX_NESTING = 64,    /* of parentheses, unary signs, functions and powers */
    MODEL_MAX_NAME = 65536,    /* bytes of a name */
    MODEL_MAX_NAMES = 1 << 24, /* variables, and as many parameters */
    MODEL_MAX_DEGREE = 64      /* of a monomial; also the highest power and stoichiometry */
};

typedef struct model_parameter {
    const char *name;
    const expression *value; /* of numbers and parameters declared before it */
    text_place place;
} model_parameter;

typedef struct model_variable {
    const char *name;
    const expression *initial;  /* of numbers and parameters; NULL: 0 */
    const expression *equation; /* right-hand side of d(name); NULL: 0, or a reaction network */
    const char *comment;        /* written behind it in the file; NULL: none */
    text_place place;
} model_variable;

/* count * variable, one side of a reaction. A variable may stand there several times. */
typedef struct reaction_side {
    int32_t variable, count;
} reaction_side;

/* reagents -> products, rate. The rate expression is the kinetic constant of mass action, or, if
 * `arbitrary`, the speed itself. Both may contain variables: files whose parameters were made variables
 * (fceri_ji) have them in kinetic constants, which then is a factor of the speed like any other. */
typedef struct model_reaction {
    const reaction_side *reagents, *products;
    int32_t n_reagents, n_products; /* 0 reagents or products: nothing */
    bool arbitrary;
    const expression *rate;
    text_place place;
} model_reaction;

typedef struct model_view {
    const char *name;
    const expression *value; /* of numbers, parameters and variables */
    text_place place;
} model_view;

/* Everything in it lives in the arena. Built by one thread, immutable afterwards but for model_set. */
typedef struct ode_model {
    coset_ctx *ctx;
    arena arena;
    const char *name;
    const char *header; /* comment lines before "begin model", without "//"; NULL: none */
    model_parameter *parameters;
    model_variable *variables;
    model_reaction *reactions;
    model_view *views;
    int64_t n_parameters, n_variables, n_reactions, n_views;
    int64_t parameters_capacity, variables_capacity, reactions_capacity, views_capacity;
    bool is_network;      /* the body is "begin reactions"; otherwise "begin ODE" */
    int64_t *block_of;    /* [n_variables] of the file's partition, variables that it does not name
                              share one more block; NULL: the file has none */
    double t_end;         /* of the first simulateODE command; NaN: none */
    const char *commands; /* text between the body and "end model" without comments; NULL: none */
    name_map names;       /* name -> name_id */
    name_map view_names;  /* name -> index of the view; views have names of their own */
} ode_model;

COSET_MUST_USE coset_status model_new(coset_ctx *ctx, const char *name, ode_model **model_out);
void model_free(ode_model *model); /* NULL is allowed */

/* Each appends; names are copied, expressions must live in the model's arena. The id goes to id_out
 * (may be NULL). Errors: COSET_EFORMAT for a name that is there already or is no name
 * (letter or _, then letters, digits, _; not begin, end, arbitrary); COSET_ELIMIT; COSET_EMEMORY. */
COSET_MUST_USE coset_status model_add_parameter(ode_model *model, const char *name,
                                                const expression *value, name_id *id_out);
COSET_MUST_USE coset_status model_add_variable(ode_model *model, const char *name,
                                               const expression *initial, name_id *id_out);
COSET_MUST_USE coset_status model_add_reaction(ode_model *model, const model_reaction *reaction);
COSET_MUST_USE coset_status model_add_view(ode_model *model, const char *name,
                                           const expression *value);

/* Sets a parameter or a variable's initial value to the number whose shortest decimal `value` is, so 0.1
 * is 1/10. Errors: COSET_EARGUMENT naming the
 * nearest name for one that is not there, or a value that is not finite. */
COSET_MUST_USE coset_status model_set(ode_model *model, const char *name, double value);

/* A second model with the same content. */
COSET_MUST_USE coset_status model_clone(const ode_model *model, ode_model **copy_out);

/* Reads a model. `source` names the text in messages. Comments (// and not nesting slash-star) may
 * stand anywhere between words, line ends mean nothing else. Sections stand in any order, but names are
 * declared before their use. What stands between sections or behind them is kept as the commands, whatever
 * it is; what stands behind "end model" is ignored. Names of reactions ("[r1]") are not kept.
 * -a^b and a^b^c, which ERODE reads as (-a)^b and (a^b)^c and mathematics otherwise, are refused.
 * Errors: COSET_EFORMAT "source:line:column: what was found and what was expected", also for a name
 * that is used before it is declared, that is declared twice, a division by zero or a value
 * that is not finite in an expression of constants, a partition that names a variable twice;
 * COSET_EUNSUPPORTED for Hill rates, functions other than min, max, abs, and sections that are not known
 * (algebraic equations, symbolic parameters);
 * COSET_ELIMIT for the caps above; COSET_EMEMORY. Memory: at most 64 bytes for each byte of text and
 * 1 MB. Cost: linear. */
COSET_MUST_USE coset_status model_parse(coset_ctx *ctx, const char *text, size_t size,
                                        const char *source, ode_model **model_out);
COSET_MUST_USE coset_status model_load(coset_ctx *ctx, const char *path, ode_model **model_out);

/* Writes a model in the language: reading it back gives the same system. Every number keeps its value and
 * its residue (number_text): decimals come back as they were, and numbers that no short decimal or
 * fraction is, such as 1/3 + 1e-9 or an f64 that was computed, as a decimal of up to 36 digits. Numbers below
 * 0 come back as a sign and a number. Blocks are written in the order of their first members, comments
 * of variables behind them, views and commands last; if there are no commands, t_end as simulateODE.
 * Writing what was read gives the same text again. ERODE itself has no reactions without reagents or products.
 * Errors: COSET_ENUMERIC for a number that is not finite; COSET_EARGUMENT for equations beside
 * reactions; COSET_EMEMORY. Deterministic.
 * text_out is NUL-terminated, owned by the caller. */
COSET_MUST_USE coset_status model_text(const ode_model *model, char **text_out, size_t *size_out);
COSET_MUST_USE coset_status model_save(const ode_model *model, const char *path);

/* Values of all parameters, in order: [n_parameters] written. Errors: COSET_EFORMAT with the
 * place, for a division by zero or a value that is not finite. */
COSET_MUST_USE coset_status model_parameter_values(const ode_model *model, number *values_out);
/* Initial values of all variables: [n_variables] written. */
COSET_MUST_USE coset_status model_initial_values(const ode_model *model, const number *parameters,
                                                 number *values_out);
/* Value of an expression in f64. `variables` may be NULL if it has none. */
double expression_value(const expression *self, const double *parameters, const double *variables);

#endif
