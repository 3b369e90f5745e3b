#include "api/folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

coset_status folder_make(coset_ctx *ctx, const char *folder)
{
    struct stat found;
    if (mkdir(folder, 0777) == 0) return COSET_OK;
    int reason = errno;
    if (reason == EEXIST && stat(folder, &found) == 0 && S_ISDIR(found.st_mode)) return COSET_OK;
    return ctx_fail(ctx, COSET_EIO, "%s: cannot make the folder: %s", folder, strerror(reason));
}

coset_status folder_path(coset_ctx *ctx, const char *folder, const char *name, char **path_out)
{
    size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    return ctx_format(ctx, path_out, "%s%s%s", folder, slash, name);
}
