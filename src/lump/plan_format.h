/* What the writer and the reader of saved plans share.   Source: docs/plan-format.md. */
#ifndef COSET_LUMP_PLAN_FORMAT_H
#define COSET_LUMP_PLAN_FORMAT_H

#include "lump/plan.h"

#define PLAN_FORMAT "coset-plan"
enum { PLAN_VERSION = 2, PLAN_ENTRY_NAME = 64, PLAN_ENTRY_PREFIX = 32 };

/* Most groups and masks together (of all plans of a chain), and most units, kept units and scores: so that the caps of json_read never stop
 * a plan that was saved. */
enum { PLAN_ENTRIES = 1 << 16, PLAN_UNITS = 1 << 21 };

/* Writes what the names of the matrices of plan `index` of a chain begin with; prefix [PLAN_ENTRY_PREFIX]. */
void plan_prefix(int64_t index, char *prefix);

/* Path of the matrices that belong to the plan at `path`; owned by the caller.
 * Errors: COSET_EARGUMENT if it were the plan's own path; COSET_EMEMORY. */
COSET_MUST_USE coset_status plan_matrices_path(coset_ctx *ctx, const char *path, char **path_out);
/* The part of a path behind its folders; lent. */
const char *plan_file_name(const char *path);

/* Reads a plan from the bytes of its two files; their digests are not compared.
 *   name  of the JSON file, for messages
 * Errors: those of plan_load except COSET_EIO. */
COSET_MUST_USE coset_status plan_decode(coset_ctx *ctx, const void *text, size_t text_size,
                                        const void *matrices, size_t matrices_size,
                                        const char *name, coset_plan **plan_out);

#endif
