/* The main job: a smaller model from a model, with or without data. */
#ifndef COSET_COMPRESS_H
#define COSET_COMPRESS_H

#include <stdbool.h>

#include <coset/data.h>
#include <coset/graph.h>
#include <coset/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far to cut. Shares are of the original model, in (0, 1]. */
typedef enum coset_rule {
    COSET_RULE_EPS,     /* cut every group's path at this height */
    COSET_RULE_RATIO,   /* keep this share of the units of every group */
    COSET_RULE_PARAMS,  /* keep at most this share of the parameters (masks: of the non-zeros) */
    COSET_RULE_MACS,    /* keep at most this share of the multiply-accumulates */
    COSET_RULE_MAX_DROP /* the smallest model whose metric (without labels: 1 - rel_l2 against the
                           original) falls by at most this much on training rows held out from
                           calibration */
} coset_rule;

/* What scores and statistics of methods are taken on. */
typedef enum coset_calib {
    COSET_CALIB_DATA,  /* rows of the training part; without data, methods see weights alone */
    COSET_CALIB_RANDOM /* inputs drawn from N(0, 1) with the shapes of the real ones: methods that
                          need statistics work without data. Recovery uses the data, if there is any */
} coset_calib;

/* A method's own parameter: name "afde.equivalence", value "backward". */
typedef struct coset_setting {
    const char *name, *value;
} coset_setting;

/* Multiples that runtimes compute at once: 16 of the 32 or more channels of a convolution, 8 of other
 * units. */
#define COSET_ROUND_AUTO (-1)

typedef struct coset_compress_options {
    const char *method; /* name from coset_method_name, or several, "a+b": run in turn, each on what
                           the one before gave, recovered */
    coset_rule rule;
    double value;        /* of the rule; for several methods that of the last, see `values` */
    const char *recover; /* "none" or a comma list of lift, reconstruct, batchnorm; NULL:
                            lift,reconstruct where there is data, else none */
    int64_t round_to;    /* widths become multiples of this (never over the original); 0, 1: any;
                            or COSET_ROUND_AUTO */
    const char *only, *ignore; /* POSIX extended regular expressions against the names of a group's
                                  producing nodes (without a name: of its output); NULL: no
                                  restriction */
    int64_t calib_samples;     /* rows of the training part, or random inputs, at most */
    const coset_setting *settings; /* each of one of the methods */
    int64_t n_settings;
    const char *plan_in;  /* apply this plan instead of finding one; NULL */
    const char *plan_out; /* write the plan there (and its .safetensors); NULL */
    /* One value of the rule for each of several methods, in their order; NULL: from `value` V, with m
     * methods: PARAMS and MACS V^(i/m) after method i, EPS V for each, RATIO V^(1/m) of the units that
     * each finds. PARAMS and MACS are always shares of the original model: no method may be given more
     * than one before it that counts the same. MAX_DROP takes a single value. A method with rounds goes
     * its way from the value before it to its own in so many equal parts. */
    const double *values;
    int64_t n_values;  /* 0, 1 (the same as `value`), or as many as there are methods */
    coset_calib calib; /* what methods take their statistics from */
} coset_compress_options;

#define COSET_COMPRESS_OPTIONS_INIT                                                                \
    {                                                                                              \
        "auto", COSET_RULE_PARAMS, 0.5, NULL, 1, NULL, NULL, 2048, NULL, 0, NULL, NULL, NULL, 0,   \
            COSET_CALIB_DATA                                                                       \
    }

/* Compresses a model.
 *   graph       borrowed, unchanged
 *   data        NULL: methods that work on weights alone (afde, magnitude, random, merge, select), or all
 *               of them with COSET_CALIB_RANDOM; no recovery
 *   small_out   the smaller model, owned by the caller; NULL: dry run, only the plan and the report
 *   report_out  owned by the caller; also set on COSET_ETARGET
 * Everything is measured against `graph`, whatever number of methods there is; with several the report has
 * a list "methods" with the method, rule, groups and size of each, and its "groups" are those of `graph`.
 * Weights that a method set to zero stay zero: after a mask nothing is lifted or reconstructed any more.
 * Errors: COSET_EARGUMENT for an unknown method, setting or value, or if a method needs data and there is
 * none; COSET_ETARGET if the rule could not be met (the smallest or best model is still returned; with
 * `values` every one counts, else the last); those of coset_eval; COSET_ELIMIT for methods and rounds that
 * make more than 64 steps; COSET_EUNSUPPORTED if an operator cannot be run, or an input cannot be drawn. */
COSET_API COSET_MUST_USE coset_status coset_compress(coset_ctx *ctx, const coset_graph *graph,
                                                     const coset_data *data,
                                                     const coset_compress_options *options,
                                                     coset_graph **small_out,
                                                     coset_report **report_out);

/* Methods by index; NULL past the end. Summaries are one line. */
COSET_API const char *coset_method_name(int64_t index);
COSET_API const char *coset_method_summary(int64_t index);
/* True if there is a method of this name with this setting ("structured"). */
COSET_API bool coset_method_has_setting(const char *method, const char *setting);
/* What a method does, its settings with ranges, defaults and source; released with
 * coset_memory_free. Errors: COSET_EARGUMENT naming the methods that there are. */
COSET_API COSET_MUST_USE coset_status coset_method_help(coset_ctx *ctx, const char *name,
                                                        char **text_out);

#ifdef __cplusplus
}
#endif

#endif
