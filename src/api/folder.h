/* Folders that verbs write several files to. */
#ifndef COSET_API_FOLDER_H
#define COSET_API_FOLDER_H

#include "base/ctx.h"

/* Makes a folder; one that is there is fine. Errors: COSET_EIO. */
COSET_MUST_USE coset_status folder_make(coset_ctx *ctx, const char *folder);
/* "folder/name"; owned by the caller. */
COSET_MUST_USE coset_status folder_path(coset_ctx *ctx, const char *folder, const char *name,
                                        char **path_out);

#endif
