/* Reports: what a verb found or did, as JSON and as text. */
#ifndef COSET_REPORT_H
#define COSET_REPORT_H

#include <coset/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coset_report coset_report;

/* The report as indented JSON / as a table for people, without colours; released with
 * coset_memory_free. Errors: COSET_EMEMORY. */
COSET_API COSET_MUST_USE coset_status coset_report_json(coset_ctx *ctx, const coset_report *report,
                                                        char **text_out);
COSET_API COSET_MUST_USE coset_status coset_report_text(coset_ctx *ctx, const coset_report *report,
                                                        char **text_out);

/* Writes a report as .json or .html (by suffix), whole or not at all. Errors: COSET_EARGUMENT for
 * another suffix, COSET_EIO. */
COSET_API COSET_MUST_USE coset_status coset_report_save(coset_ctx *ctx, const coset_report *report,
                                                        const char *path);

/* A number of the report by path, "compressed.params"; `otherwise` if there is none. */
COSET_API double coset_report_number(const coset_report *report, const char *path,
                                     double otherwise);

/* Adds a string field at the top level. */
COSET_API COSET_MUST_USE coset_status coset_report_set(coset_ctx *ctx, coset_report *report,
                                                       const char *name, const char *value);

/* Reads back a file that was written and adds its path and sha256 to "outputs". Errors: COSET_EIO. */
COSET_API COSET_MUST_USE coset_status coset_report_add_output(coset_ctx *ctx, coset_report *report,
                                                              const char *path);

COSET_API void coset_report_free(coset_ctx *ctx, coset_report *report);

#ifdef __cplusplus
}
#endif

#endif
