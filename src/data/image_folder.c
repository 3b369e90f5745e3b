#include "data/image_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/image.h"

typedef struct listed {
    char *name;
    int64_t bytes;
} listed;

typedef struct names {
    listed *items;
    int64_t n, capacity;
} names;

/* What of a folder's contents matters, each sorted by name. */
typedef struct listing {
    names images, folders;
    bool idx; /* it holds idx files */
} listing;

static void names_free(coset_ctx *ctx, names *self)
{
    for (int64_t i = 0; i < self->n; i++) ctx_free(ctx, self->items[i].name);
    ctx_free(ctx, self->items);
}

static void listing_free(coset_ctx *ctx, listing *self)
{
    names_free(ctx, &self->images);
    names_free(ctx, &self->folders);
    *self = (listing){0};
}

static coset_status names_add(coset_ctx *ctx, names *self, const char *name, int64_t bytes)
{
    coset_status status =
        ctx_reserve(ctx, &self->items, &self->capacity, self->n + 1, sizeof *self->items);
    if (status != COSET_OK) return status;
    status = ctx_strdup(ctx, name, &self->items[self->n].name);
    if (status != COSET_OK) return status;
    self->items[self->n++].bytes = bytes;
    return COSET_OK;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const listed *)left)->name, ((const listed *)right)->name);
}

static void names_sort(names *self)
{
    if (self->n > 1) qsort(self->items, (size_t)self->n, sizeof *self->items, by_name);
}

static bool names_has(const names *self, const char *name)
{
    for (int64_t i = 0; i < self->n; i++)
        if (strcmp(self->items[i].name, name) == 0) return true;
    return false;
}

static coset_status list(coset_ctx *ctx, const char *path, listing *out)
{
    coset_status status = COSET_OK;
    DIR *folder = opendir(path);
    *out = (listing){0};
    if (folder == NULL) FAIL(ctx, COSET_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    for (;;) {
        struct stat st;
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) break;
        if (entry->d_name[0] == '.') continue;
        if (strstr(entry->d_name, "-ubyte") != NULL) out->idx = true;
        if (fstatat(dirfd(folder), entry->d_name, &st, 0) != 0) continue; /* a dead link */
        if (S_ISDIR(st.st_mode)) TRY(names_add(ctx, &out->folders, entry->d_name, 0));
        if (S_ISREG(st.st_mode) && image_is_named(entry->d_name))
            TRY(names_add(ctx, &out->images, entry->d_name, st.st_size));
    }
    if (errno != 0) FAIL(ctx, COSET_EIO, "%s: cannot be read: %s", path, strerror(errno));
    names_sort(&out->images);
    names_sort(&out->folders);
done:
    if (folder != NULL) closedir(folder);
    if (status != COSET_OK) listing_free(ctx, out);
    return status;
}

/* ---- one part ---------------------------------------------------------------------------------- */

typedef struct scan {
    coset_ctx *ctx;
    image_folder *out;
    names classes; /* those of the training part */
} scan;

static coset_status add_images(scan *self, const char *path, const names *images, int64_t label,
                               bool test)
{
    coset_status status = COSET_OK;
    image_folder *out = self->out;
    TRY(ctx_reserve(self->ctx, &out->entries, &out->capacity, out->n + images->n,
                    sizeof *out->entries));
    for (int64_t i = 0; i < images->n; i++) {
        image_entry *entry = &out->entries[out->n];
        *entry = (image_entry){.label = label, .bytes = images->items[i].bytes, .test = test};
        TRY(ctx_format(self->ctx, &entry->path, "%s/%s", path, images->items[i].name));
        out->n++;
    }
done:
    return status;
}

/* The class that a folder's name stands for; -1: it is none of the training part. */
static int64_t class_of(const scan *self, const char *name)
{
    const listed key = {(char *)(uintptr_t)name, 0};
    if (self->classes.n == 0) return -1;
    const listed *found = bsearch(&key, self->classes.items, (size_t)self->classes.n,
                                  sizeof *self->classes.items, by_name);
    return found != NULL ? found - self->classes.items : -1;
}

/* One class folder: its images are added to the part. *empty_out: it has none. */
static coset_status add_class(scan *self, const char *path, const char *name, bool test,
                              bool *empty_out)
{
    coset_status status = COSET_OK;
    listing inside = {0};
    char *folder = NULL;
    int64_t label = class_of(self, name);
    TRY(ctx_format(self->ctx, &folder, "%s/%s", path, name));
    TRY(list(self->ctx, folder, &inside));
    *empty_out = inside.images.n == 0;
    if (*empty_out) goto done;
    if (label < 0)
        FAIL(self->ctx, COSET_EFORMAT, "%s: the training part has no class '%s'", folder, name);
    TRY(add_images(self, folder, &inside.images, label, test));
done:
    listing_free(self->ctx, &inside);
    ctx_free(self->ctx, folder);
    return status;
}

/* Folders of images; `contents` of the folder `path` loses the list of folders to the scan. */
static coset_status add_classes(scan *self, const char *path, listing *contents, bool test)
{
    coset_status status = COSET_OK;
    const char *without = NULL;
    names folders = contents->folders;
    int64_t before = self->out->n, full = 0;
    if (!test) {
        self->classes = folders;
        contents->folders = (names){0};
    }
    for (int64_t i = 0; i < folders.n; i++) {
        bool empty = false;
        TRY(add_class(self, path, folders.items[i].name, test, &empty));
        if (empty) without = folders.items[i].name;
        full += !empty;
    }
    if (self->out->n == before) goto done;
    if (contents->images.n > 0)
        FAIL(self->ctx, COSET_EFORMAT, "%s: has images both in it and in its folders", path);
    if (without != NULL)
        FAIL(self->ctx, COSET_EFORMAT,
             "%s/%s: has no images, but its neighbours have: is it a class?", path, without);
    if (!test) self->out->n_classes = full;
done:
    return status;
}

static coset_status scan_part(scan *self, const char *path, bool test)
{
    coset_status status = COSET_OK;
    listing contents = {0};
    TRY(list(self->ctx, path, &contents));
    if (contents.idx) goto done;
    int64_t before = self->out->n;
    TRY(add_classes(self, path, &contents, test));
    if (self->out->n == before) TRY(add_images(self, path, &contents.images, -1, test));
done:
    listing_free(self->ctx, &contents);
    return status;
}

/* ---- both parts -------------------------------------------------------------------------------- */

/* The name of the folder with the test part beside "train"; NULL: these are no parts. */
static const char *part_beside(const names *folders)
{
    static const char *const parts[] = {"test", "val", "validation"};
    if (!names_has(folders, "train")) return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (names_has(folders, parts[i])) return parts[i];
    return NULL;
}

static coset_status check_parts(const scan *self, const char *train, const char *test)
{
    const image_folder *out = self->out;
    if (out->n_train == 0 || out->n == out->n_train)
        return ctx_fail(self->ctx, COSET_EFORMAT, "%s: has no images",
                        out->n_train == 0 ? train : test);
    if ((out->entries[0].label < 0) != (out->entries[out->n - 1].label < 0))
        return ctx_fail(self->ctx, COSET_EFORMAT,
                        "of %s and %s only one has a folder for each class", train, test);
    return COSET_OK;
}

static coset_status scan_parts(scan *self, const char *train, const char *test)
{
    coset_status status = scan_part(self, train, false);
    if (status != COSET_OK) return status;
    self->out->n_train = self->out->n;
    status = scan_part(self, test, true);
    return status != COSET_OK ? status : check_parts(self, train, test);
}

coset_status image_folder_scan(coset_ctx *ctx, const char *path, const char *test,
                               image_folder *folder_out)
{
    coset_status status = COSET_OK;
    listing contents = {0};
    scan self = {.ctx = ctx, .out = folder_out};
    char *train = NULL, *other = NULL;
    *folder_out = (image_folder){0};
    TRY(list(ctx, path, &contents));
    const char *beside = part_beside(&contents.folders);
    if (beside != NULL && test != NULL)
        FAIL(ctx, COSET_EARGUMENT, "%s: has a test part, %s, so it takes no other", path, beside);
    if (beside != NULL) {
        TRY(ctx_format(ctx, &train, "%s/train", path));
        TRY(ctx_format(ctx, &other, "%s/%s", path, beside));
        TRY(scan_parts(&self, train, other));
    } else if (test != NULL) {
        TRY(scan_parts(&self, path, test));
    } else {
        TRY(scan_part(&self, path, false));
        folder_out->n_train = folder_out->n;
    }
    /* With one class there is nothing to tell apart. */
    for (int64_t i = 0; folder_out->n_classes < 2 && i < folder_out->n; i++)
        folder_out->entries[i].label = -1;
    if (folder_out->n_classes < 2) folder_out->n_classes = 0;
done:
    listing_free(ctx, &contents);
    names_free(ctx, &self.classes);
    ctx_free(ctx, train);
    ctx_free(ctx, other);
    if (status != COSET_OK) image_folder_free(ctx, folder_out);
    return status;
}

void image_folder_free(coset_ctx *ctx, image_folder *self)
{
    for (int64_t i = 0; i < self->n; i++) ctx_free(ctx, self->entries[i].path);
    ctx_free(ctx, self->entries);
    *self = (image_folder){0};
}

coset_status image_folder_digest(coset_ctx *ctx, const image_folder *self, char *text_out)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    int64_t used = 0, capacity = 0;
    for (int64_t i = 0; i < self->n; i++) {
        const image_entry *entry = &self->entries[i];
        const char *name = strrchr(entry->path, '/');
        name = name != NULL ? name + 1 : entry->path;
        int64_t most = (int64_t)strlen(name) + 64;
        TRY(ctx_reserve(ctx, &text, &capacity, used + most, 1));
        used += snprintf(text + used, (size_t)most, "%d %lld %lld %s\n", entry->test,
                         (long long)entry->label, (long long)entry->bytes, name);
    }
    file_digest(text, (size_t)used, text_out);
done:
    ctx_free(ctx, text);
    return status;
}
