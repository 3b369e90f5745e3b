/* Reads JSON (RFC 8259) from untrusted files, within fixed caps and with the context's memory.
 *
 * jansson, which writes our JSON, is not used for reading: its lexer (2.14) ignores failed allocations
 * and then overruns a buffer, its memory is not the context's, and it takes up to 200 bytes for one of
 * the file. */
#ifndef COSET_BASE_JSON_READER_H
#define COSET_BASE_JSON_READER_H

#include "base/ctx.h"

enum {
    JSON_MAX_NESTING = 64,     /* objects and lists inside each other */
    JSON_MAX_VALUES = 1 << 22, /* of all kinds */
    JSON_MAX_STRING = 1 << 16  /* bytes of a text or key */
};

typedef enum jvalue_kind {
    JVALUE_NULL,
    JVALUE_BOOL,
    JVALUE_INTEGER, /* written without fraction and exponent, and fits int64_t */
    JVALUE_REAL,    /* every other number; finite */
    JVALUE_TEXT,
    JVALUE_LIST,
    JVALUE_OBJECT
} jvalue_kind;

/* A value and all that it holds; lent by the document. */
typedef struct jvalue {
    const char *key; /* its name, in an object */
    jvalue_kind kind;
    int64_t n; /* entries of a list or object */
    union {
        bool truth;
        int64_t integer;
        double real;
        const char *text;           /* valid UTF-8 without NUL */
        const struct jvalue *items; /* [n]; an object's are sorted by key */
    };
} jvalue;

typedef struct json_document json_document;

/* Parses one JSON object.
 *   bytes         borrowed for the call; need not end in a NUL
 *   name          of the file, for messages
 *   document_out  owned by the caller (json_document_free); NULL on failure
 * Errors: COSET_ELIMIT over a cap; COSET_EFORMAT with the line for anything but one JSON object in UTF-8
 * without repeated keys; COSET_EMEMORY. Cost: one pass; at most 64 bytes a value at the peak, and the texts. */
COSET_MUST_USE coset_status json_read(coset_ctx *ctx, const void *bytes, size_t size,
                                      const char *name, json_document **document_out);
const jvalue *json_root(const json_document *self);
void json_document_free(coset_ctx *ctx, json_document *self);

/* True for UTF-8, which every text in JSON is. */
bool json_is_text(const char *text);

/* Entry of an object; NULL if `self` is NULL or no object, or has no such key. */
const jvalue *jvalue_get(const jvalue *self, const char *key);
/* Text of a value; NULL if `self` is NULL or no text. */
const char *jvalue_text(const jvalue *self);
/* True if there is no value, or null. */
bool jvalue_is_null(const jvalue *self);

#endif
