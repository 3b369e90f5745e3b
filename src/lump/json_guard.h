/* JSON from untrusted files: what a text may cost is bounded before jansson sees it. */
#ifndef COSET_LUMP_JSON_GUARD_H
#define COSET_LUMP_JSON_GUARD_H

#include <jansson.h>

#include "base/ctx.h"

/* jansson takes some 40 bytes for a number and 200 for an object or array. */
enum {
    JSON_GUARD_NESTING = 64,      /* objects and arrays inside each other */
    JSON_GUARD_VALUES = 1 << 22,  /* of all kinds, keys among them */
    JSON_GUARD_PARENTS = 1 << 20, /* objects and arrays */
    JSON_GUARD_STRING = 6 << 16   /* bytes between quotes: 64 KiB, each escaped in six */
};

/* Parses one JSON object.
 *   bytes     borrowed; need not end in a NUL
 *   name      of the file, for messages
 *   json_out  owned by the caller (json_decref); NULL on failure
 * Errors: COSET_ELIMIT over a cap; COSET_EFORMAT for what is not one JSON object in UTF-8 without
 * repeated keys; COSET_EMEMORY. Cost: one more pass over the bytes. */
COSET_MUST_USE coset_status json_guard_parse(coset_ctx *ctx, const void *bytes, size_t size,
                                             const char *name, json_t **json_out);

#endif
