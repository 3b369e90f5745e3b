/* The main job: a smaller model from a model, with or without data. */
#ifndef COSET_COMPRESS_H
#define COSET_COMPRESS_H

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

/* A method's own parameter: name "afde.equivalence", value "backward". */
typedef struct coset_setting {
    const char *name, *value;
} coset_setting;

/* Multiples that runtimes compute at once: 16 of the 32 or more channels of a convolution, 8 of other
 * units. */
#define COSET_ROUND_AUTO (-1)

typedef struct coset_compress_options {
    const char *method; /* name from coset_method_name */
    coset_rule rule;
    double value;        /* of the rule */
    const char *recover; /* "none" or a comma list of lift, reconstruct, batchnorm; NULL:
                            lift,reconstruct where there is data, else none */
    int64_t round_to;    /* widths become multiples of this (never over the original); 0, 1: any;
                            or COSET_ROUND_AUTO */
    const char *only, *ignore; /* POSIX extended regular expressions against the names of a group's
                                  producing nodes (without a name: of its output); NULL: no
                                  restriction */
    int64_t calib_samples;     /* rows of the training part at most */
    const coset_setting *settings;
    int64_t n_settings;
    const char *plan_in;  /* apply this plan instead of finding one; NULL */
    const char *plan_out; /* write the plan there (and its .safetensors); NULL */
} coset_compress_options;

#define COSET_COMPRESS_OPTIONS_INIT                                                                \
    {                                                                                              \
        "auto", COSET_RULE_PARAMS, 0.5, NULL, 1, NULL, NULL, 2048, NULL, 0, NULL, NULL             \
    }

/* Compresses a model.
 *   graph       borrowed, unchanged
 *   data        NULL: methods that work on weights alone (afde, magnitude, random, merge, select)
 *   small_out   the smaller model, owned by the caller; NULL: dry run, only the plan and the report
 *   report_out  owned by the caller; also set on COSET_ETARGET
 * Errors: COSET_EARGUMENT for an unknown method, setting or value; COSET_ETARGET if the rule could not
 * be met (the smallest or best model is still returned); those of coset_eval; COSET_EUNSUPPORTED if
 * the method needs data and there is none, or an operator cannot be run. */
COSET_API COSET_MUST_USE coset_status coset_compress(coset_ctx *ctx, const coset_graph *graph,
                                                     const coset_data *data,
                                                     const coset_compress_options *options,
                                                     coset_graph **small_out,
                                                     coset_report **report_out);

/* Methods by index; NULL past the end. Summaries are one line. */
COSET_API const char *coset_method_name(int64_t index);
COSET_API const char *coset_method_summary(int64_t index);
/* What a method does, its settings with ranges, defaults and source; released with
 * coset_memory_free. Errors: COSET_EARGUMENT naming the methods that there are. */
COSET_API COSET_MUST_USE coset_status coset_method_help(coset_ctx *ctx, const char *name,
                                                        char **text_out);

#ifdef __cplusplus
}
#endif

#endif
