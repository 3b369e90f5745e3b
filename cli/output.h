/* What the command says and how it ends: messages, progress, results, exit codes. */
#ifndef COSET_CLI_OUTPUT_H
#define COSET_CLI_OUTPUT_H

#include <coset/coset.h>

#include "options.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* a file could not be read or written, no memory */
    EXIT_USAGE = 2,
    EXIT_TARGET = 3, /* the target was not reached, the best result is written */
    EXIT_CHECK = 4,  /* a check of the result failed */
    EXIT_INPUT = 5   /* unsupported or damaged input */
};

/* The exit code that goes with a status. */
int exit_code(coset_status status);

/* Prints "coset: text" as one line on standard error, in place of the progress bar if there is one.
 * Control characters are replaced: names in messages come from files. */
void complain(const char *format, ...) COSET_PRINTF(1, 2);

/* Prints the error of a failed call and returns its exit code. */
int complain_status(const coset_ctx *ctx, coset_status status);

/* A context whose messages and progress go to standard error. Returns 0 or an exit code, after one
 * line on standard error. */
int context_make(const common_options *common, coset_ctx **ctx_out);

/* Prints a report on standard output, as JSON or as text. Returns an exit code. */
int report_print(coset_ctx *ctx, const coset_report *report, bool json);

/* Ends the progress bar, flushes standard output and returns `code`, or EXIT_FAILED with one line if
 * standard output could not be written. */
int output_finish(int code);

#endif
