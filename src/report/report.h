/* Inside of reports: an ordered JSON document, what fills it, and what draws it. */
#ifndef COSET_REPORT_REPORT_H
#define COSET_REPORT_REPORT_H

#include <coset/graph.h>
#include <coset/report.h>

#include "base/ctx.h"

/* An object or list of the document: jansson's json_t, lent by the report that it belongs to. */
typedef struct json_t report_node;

/* Which verb made it; the table and the page for people depend on it. Fields of each kind beside
 * those of report_new; fields that do not apply are left out or null, further ones are allowed.
 *   inspect   model {name, opset, file_bytes, nodes, inputs [], outputs []}, size {params, nonzero,
 *             macs, bytes}, operators [{type, domain, count, runs}], groups [{name, units, cuttable,
 *             reason, node, op, function, producers [], constants [{name, axis, role, repeats}]}]
 *   eval      model, against, data, part, samples, metric {name, value, against}, deviation {rel_l2,
 *             max_abs, agreement}, seconds, peak_rss_bytes
 *   compress  model, method, rule (text as "params <= 25%"), original {params, nonzero, macs, bytes},
 *             compressed {...}, metric {name, original, compressed}, samples, deviation {rel_l2,
 *             max_abs, agreement}, groups [{name, units, kept, method, height, error}], skipped
 *             [{name, reason}], stages [{name, rel_l2, seconds}], seconds, peak_rss_bytes; for several
 *             methods or rounds: stages with method, and methods [{method, round, rounds, rule, reached,
 *             size {...}, rel_l2, groups [...], skipped [...], stages [...], note}]
 *   demo      folder, original {...}, samples, metric {name, original}, results [{method, flags,
 *             target, reached, params, nonzero, macs, share, metric, rel_l2, seconds, file}], seconds,
 *             peak_rss_bytes; drawn as one row per method and one column per target
 *   ode       verb is "ode encode", "ode reduce", "ode simulate" or "ode dataset"; all: model, set
 *             {name: value} (values that were changed), warnings [], seconds, peak_rss_bytes
 *     encode    drift, degree, variables, terms, layers [{name, activation, variables}], fits [{name,
 *               function, degree, low, high, error}]
 *     reduce    equivalence, eps, linkage, partition (where it came from), variables {original,
 *               reduced}, monomials {...}, terms {...}, parameters {...}, blocks [{representative, size,
 *               members []}], violation, closest {perturbed [{name, from, to}], change_l2, change_max,
 *               residual, equations}, bound {t_end, dt, lambda, jacobian, perturbation, bound,
 *               safe_bound, aggregated_lambda, aggregated_bound, aggregated_safe_bound, deviation,
 *               deviation_at, deviation_of}, sweep [{eps, blocks, partition [[]]}]
 *     simulate  t_end, steps, method, rtol, atol, columns [{name, first, last}], reduction {equivalence,
 *               eps, variables {...}}, deviation {max_abs, relative, column, t}
 *     dataset   folder, target ("next", "derivative"), dt, t_end, trajectories, pairs, spread, rows
 *               {train, test}, columns {x, y}, left_out [] */
typedef enum report_kind {
    REPORT_INSPECT,
    REPORT_EVAL,
    REPORT_COMPRESS,
    REPORT_DEMO,
    REPORT_ODE
} report_kind;

struct coset_report {
    report_kind kind;
    report_node *root;
};

/* A report with "coset" (the version), "verb", "seed", "threads" and empty objects "inputs" and
 * "outputs", in this order; later fields follow in the order in which they are set. */
COSET_MUST_USE coset_status report_new(coset_ctx *ctx, report_kind kind, coset_report **report_out);
report_node *report_root(coset_report *report);

/* Each sets `key` of object `at`, in its old place if it is there. Errors: COSET_EMEMORY. */

/* NULL is written as null; bytes that are not UTF-8 become U+FFFD. */
COSET_MUST_USE coset_status report_text(coset_ctx *ctx, report_node *at, const char *key,
                                        const char *value);
COSET_MUST_USE coset_status report_count(coset_ctx *ctx, report_node *at, const char *key,
                                         int64_t value);
/* NaN and infinities are written as null: JSON has no such numbers. */
COSET_MUST_USE coset_status report_real(coset_ctx *ctx, report_node *at, const char *key,
                                        double value);
COSET_MUST_USE coset_status report_flag(coset_ctx *ctx, report_node *at, const char *key,
                                        bool value);
COSET_MUST_USE coset_status report_null(coset_ctx *ctx, report_node *at, const char *key);
/* The object or list that is there under this key already, or a new empty one. */
COSET_MUST_USE coset_status report_object(coset_ctx *ctx, report_node *at, const char *key,
                                          report_node **object_out);
COSET_MUST_USE coset_status report_list(coset_ctx *ctx, report_node *at, const char *key,
                                        report_node **list_out);

/* Each appends to a list. */
COSET_MUST_USE coset_status report_add_object(coset_ctx *ctx, report_node *list,
                                              report_node **object_out);
COSET_MUST_USE coset_status report_add_text(coset_ctx *ctx, report_node *list, const char *value);
COSET_MUST_USE coset_status report_add_count(coset_ctx *ctx, report_node *list, int64_t value);
COSET_MUST_USE coset_status report_add_list(coset_ctx *ctx, report_node *list,
                                            report_node **list_out);

/* {params, nonzero, macs, bytes} under `key`; macs of -1 (unknown) is null. */
COSET_MUST_USE coset_status report_size(coset_ctx *ctx, report_node *at, const char *key,
                                        const coset_graph_size *size);
/* Adds path and digest to "inputs"; nothing happens if the digest is "" (made in memory). */
COSET_MUST_USE coset_status report_input(coset_ctx *ctx, coset_report *report, const char *path,
                                         const char *digest);
/* A monotonic clock in seconds, and at the end "seconds" since `start` and "peak_rss_bytes". */
double report_clock(void);
COSET_MUST_USE coset_status report_finish(coset_ctx *ctx, coset_report *report, double start);

/* Numbers for people; each writes into text (REPORT_NUMBER bytes) and returns it. */
enum { REPORT_NUMBER = 32 };
const char *number_count(double value, char *text);   /* "34 305", "1.23 M" */
const char *number_bytes(double value, char *text);   /* "137 kB" */
const char *number_share(double value, char *text);   /* "25.0%" of 0.25 */
const char *number_real(double value, char *text);    /* "0.5817", "1.2e-07" */
const char *number_seconds(double value, char *text); /* "0.12 s", "3 min 20 s" */

#endif
