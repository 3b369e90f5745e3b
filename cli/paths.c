#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

static void add(path_use *uses, int *n, const char *flag, const char *path)
{
    if (path == NULL || *n == PATHS_MAX) return;
    uses[*n].flag = flag;
    snprintf(uses[*n].path, PATHS_LENGTH, "%s", path);
    (*n)++;
}

void paths_read(path_set *self, const char *flag, const char *path)
{
    add(self->inputs, &self->n_inputs, flag, path);
}

void paths_write(path_set *self, const char *flag, const char *path)
{
    add(self->outputs, &self->n_outputs, flag, path);
}

void plan_matrices(const char *path, char *text_out)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash + 1 : path, '.');
    size_t stem = dot != NULL ? (size_t)(dot - path) : strlen(path);
    snprintf(text_out, PATHS_LENGTH, "%.*s.safetensors", (int)stem, path);
}

void paths_read_plan(path_set *self, const char *flag, const char *path)
{
    char matrices[PATHS_LENGTH];
    if (path == NULL) return;
    plan_matrices(path, matrices);
    paths_read(self, flag, path);
    paths_read(self, flag, matrices);
}

void paths_write_plan(path_set *self, const char *flag, const char *path)
{
    char matrices[PATHS_LENGTH];
    if (path == NULL) return;
    plan_matrices(path, matrices);
    paths_write(self, flag, path);
    paths_write(self, flag, matrices);
}

bool has_suffix(const char *path, const char *suffixes)
{
    size_t length = strlen(path);
    while (*suffixes != '\0') {
        size_t n = strcspn(suffixes, "|");
        if (length > n && strncmp(path + length - n, suffixes, n) == 0) return true;
        suffixes += n + (suffixes[n] == '|');
    }
    return false;
}

/* Folder of a path with its slash, "./" if it has none. */
static void folder_of(const char *path, char *text_out)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        memcpy(text_out, "./", 3);
    } else {
        snprintf(text_out, PATHS_LENGTH, "%.*s/", (int)(slash - path), path);
    }
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* True if both paths lead to one file, or would: also for files that are not there yet. */
static bool same_file(const char *a, const char *b)
{
    struct stat at_a, at_b;
    char folder_a[PATHS_LENGTH], folder_b[PATHS_LENGTH];
    if (strcmp(a, b) == 0) return true;
    if (stat(a, &at_a) == 0 && stat(b, &at_b) == 0)
        return at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino;
    folder_of(a, folder_a);
    folder_of(b, folder_b);
    return strcmp(name_of(a), name_of(b)) == 0 && stat(folder_a, &at_a) == 0 &&
           stat(folder_b, &at_b) == 0 && at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino;
}

/* The library checks again when it writes; this spares the user the work before. */
static int check_writable(const path_use *output)
{
    struct stat at;
    char folder[PATHS_LENGTH];
    const char *path = output->path;
    if (strlen(path) + 1 >= PATHS_LENGTH || strlen(name_of(path)) > NAME_MAX) {
        complain("%s: the output's path is too long", path);
        return EXIT_FAILED;
    }
    if (*name_of(path) == '\0') {
        complain("%s: %s names a file, not a folder", path, output->flag);
        return EXIT_FAILED;
    }
    if (stat(path, &at) == 0) {
        if (S_ISDIR(at.st_mode)) {
            complain("%s: is a folder, not a file", path);
        } else if (!S_ISREG(at.st_mode)) {
            complain("%s: exists and is not a regular file", path);
        } else if (access(path, W_OK) != 0) {
            complain("%s: cannot be written: %s", path, strerror(errno));
        } else {
            return 0;
        }
        return EXIT_FAILED;
    }
    folder_of(path, folder);
    if (stat(folder, &at) != 0 || access(folder, W_OK | X_OK) != 0) {
        complain("%s: cannot be written: its folder: %s", path, strerror(errno));
        return EXIT_FAILED;
    }
    return 0;
}

/* An existing file of a data set that is a folder (of idx files) is an input as well. */
static bool is_input(const char *output, const char *input)
{
    struct stat at;
    char folder[PATHS_LENGTH];
    if (same_file(output, input)) return true;
    if (strstr(name_of(output), "-ubyte") == NULL) return false;
    if (stat(input, &at) != 0 || !S_ISDIR(at.st_mode) || stat(output, &at) != 0) return false;
    folder_of(output, folder);
    return same_file(folder, input);
}

int paths_check(const path_set *self, bool force)
{
    for (int k = 0; k < self->n_outputs; k++) {
        const path_use *output = &self->outputs[k];
        for (int i = 0; i < self->n_inputs && !force; i++)
            if (is_input(output->path, self->inputs[i].path)) {
                complain("%s: is an input (%s) and would be overwritten by %s; --force allows it",
                         output->path, self->inputs[i].flag, output->flag);
                return EXIT_USAGE;
            }
        for (int i = 0; i < k; i++)
            if (same_file(output->path, self->outputs[i].path)) {
                complain("%s: would be written by both %s and %s", output->path,
                         self->outputs[i].flag, output->flag);
                return EXIT_USAGE;
            }
        int code = check_writable(output);
        if (code != 0) return code;
    }
    return 0;
}
