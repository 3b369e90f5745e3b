/* Files of tests: written and read back in the folder that the test runs in, and faults of system
 * calls. */
#ifndef COSET_TESTS_SUPPORT_FILES_H
#define COSET_TESTS_SUPPORT_FILES_H

#include "support/linalg.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Moves into a new empty folder below the one that run_test.sh gives (or below the system's). */
static inline void files_start(const char *name)
{
    const char *base = getenv("COSET_TMP");
    char path[4096];
    if (base == NULL) base = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/%s-XXXXXX", base != NULL ? base : "/tmp", name);
    assert_non_null(mkdtemp(path));
    assert_int_equal(chdir(path), 0);
}

static inline void files_put(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void files_put_text(const char *path, const char *text)
{
    files_put(path, text, strlen(text));
}

/* Contents with a NUL behind them; freed by the caller. */
static inline char *files_get(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *bytes = calloc(1, (size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    if (size_out != NULL) *size_out = (size_t)size;
    return bytes;
}

static inline void files_expect(const char *path, const char *text)
{
    char *found = files_get(path, NULL);
    assert_string_equal(found, text);
    free(found);
}

/* Entries of a folder, without "." and "..". */
static inline int files_count(const char *folder)
{
    DIR *entries = opendir(folder);
    int count = 0;
    assert_non_null(entries);
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries))
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(entries);
    return count;
}

/* Path below COSET_DATA, or NULL after saying that a part is skipped; lent until the next call. */
static inline const char *files_data(const char *name)
{
    static char path[4096];
    const char *data = getenv("COSET_DATA");
    if (data == NULL) data = "../shared/data";
    snprintf(path, sizeof path, "%s/%s", data, name);
    if (access(path, R_OK) == 0) return path;
    printf("SKIP: %s: not in COSET_DATA\n", name);
    return NULL;
}

#endif
