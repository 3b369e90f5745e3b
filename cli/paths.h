/* Which files a verb reads and writes, checked before any work. */
#ifndef COSET_CLI_PATHS_H
#define COSET_CLI_PATHS_H

#include <stdbool.h>

enum { PATHS_MAX = 12, PATHS_LENGTH = 4096 };

typedef struct path_use {
    const char *flag; /* for messages: "-o", "MODEL" */
    char path[PATHS_LENGTH];
} path_use;

/* Zero-initialised is empty. */
typedef struct path_set {
    path_use inputs[PATHS_MAX], outputs[PATHS_MAX];
    int n_inputs, n_outputs;
} path_set;

/* NULL paths are passed over. */
void paths_read(path_set *self, const char *flag, const char *path);
void paths_write(path_set *self, const char *flag, const char *path);
/* The same for a plan, which is two files: PATH and its matrices. */
void paths_read_plan(path_set *self, const char *flag, const char *path);
void paths_write_plan(path_set *self, const char *flag, const char *path);

/* Name of a plan's matrices: PATH with its suffix replaced by .safetensors. */
void plan_matrices(const char *path, char *text_out);

/* Refuses an output that is an input (unless
 * `force`), two outputs of one name, an output that is a folder or no regular file, and one in a
 * folder that is not there or not writable. Returns 0, or an exit code after one line. */
int paths_check(const path_set *self, bool force);

/* True if `path` ends in one of the suffixes ".a|.b". */
bool has_suffix(const char *path, const char *suffixes);

#endif
