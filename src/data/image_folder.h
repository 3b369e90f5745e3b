/* Which image files a folder holds, and what their folders say about them. */
#ifndef COSET_DATA_IMAGE_FOLDER_H
#define COSET_DATA_IMAGE_FOLDER_H

#include "base/ctx.h"

typedef struct image_entry {
    char *path; /* owned */
    int64_t
        label; /* index of its class folder among those of the training part; -1: there is none */
    int64_t bytes; /* of the file */
    bool test;
} image_entry;

typedef struct image_folder {
    image_entry *entries; /* training part first; in each by class, then by name */
    int64_t n, capacity;
    int64_t n_train;
    int64_t n_classes; /* 0: no labels */
} image_folder;

/* Looks through a folder: images (image_is_named), or one folder of images per class; or a folder
 * "train" and one of "test", "val" and "validation" (the first of them) of that kind, where all else is
 * ignored. Class folders are numbered in the order of their names' bytes; a single one is no class. What
 * begins with a point is not looked at, nor is what lies deeper. Nothing found is no error (n is 0), and
 * a folder with idx files has nothing to find.
 *   test        a second folder, with the test part; NULL: none
 *   folder_out  owned by the caller (image_folder_free); empty on failure
 * Errors: COSET_EIO; COSET_EFORMAT naming a folder with images both in it and in its folders, a class
 * folder without images, a class that only the test part has, parts of which one has no classes;
 * COSET_EARGUMENT for `test` beside a folder with both parts. */
COSET_MUST_USE coset_status image_folder_scan(coset_ctx *ctx, const char *path, const char *test,
                                              image_folder *folder_out);
void image_folder_free(coset_ctx *ctx, image_folder *self);

/* SHA-256 of the list of files: part, label, name without the folder's path, and size. Contents are not
 * read: they may be many gigabytes of which a run looks at a few. text_out has room for 65. */
COSET_MUST_USE coset_status image_folder_digest(coset_ctx *ctx, const image_folder *self,
                                                char *text_out);

#endif
