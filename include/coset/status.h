/* Status codes and the visibility and must-use markers that every public declaration carries. */
#ifndef COSET_STATUS_H
#define COSET_STATUS_H

#if defined(__GNUC__)
#define COSET_API __attribute__((visibility("default")))
#define COSET_MUST_USE __attribute__((warn_unused_result))
#define COSET_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define COSET_API
#define COSET_MUST_USE
#define COSET_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Result of every fallible call. The text that goes with it is coset_ctx_error(ctx). */
typedef enum coset_status {
    COSET_OK = 0,
    COSET_EMEMORY,      /* an allocation failed */
    COSET_EARGUMENT,    /* an argument, option or flag is wrong */
    COSET_EIO,          /* a file could not be read or written */
    COSET_EFORMAT,      /* damaged or invalid input */
    COSET_EUNSUPPORTED, /* valid input that needs something which is not there */
    COSET_ELIMIT,       /* input exceeds a fixed cap or budget */
    COSET_ENUMERIC,     /* NaN, Inf or a singular system where a finite result is needed */
    COSET_ETARGET, /* the requested size or quality was not reached; the best result is there */
    COSET_ECHECK   /* a check of the result failed */
} coset_status;

/* Name of a status, "COSET_EIO"; a constant string, never NULL. */
COSET_API const char *coset_status_name(coset_status status);

#ifdef __cplusplus
}
#endif

#endif
