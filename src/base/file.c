#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- reading ----------------------------------------------------------------------------------- */

/* Maps an open descriptor of a regular file, whatever its name. */
static coset_status map_descriptor(coset_ctx *ctx, int fd, const char *name, file_view *view_out)
{
    static const uint8_t nothing[1] = {0};
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ctx_fail(ctx, COSET_EIO, "%s: cannot be read: %s", name, strerror(errno));
    if (S_ISDIR(st.st_mode)) return ctx_fail(ctx, COSET_EIO, "%s: is a folder, not a file", name);
    if (!S_ISREG(st.st_mode)) return ctx_fail(ctx, COSET_EIO, "%s: is not a regular file", name);
    if ((uintmax_t)st.st_size > PTRDIFF_MAX)
        return ctx_fail(ctx, COSET_EIO, "%s: is too large to be mapped", name);
    size_t size = (size_t)st.st_size;
    const void *bytes = nothing;
    if (size > 0) {
        bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            return ctx_fail(ctx, COSET_EIO, "%s: cannot be mapped: %s", name, strerror(errno));
    }
    *view_out = (file_view){.bytes = bytes, .size = size};
    return COSET_OK;
}

coset_status file_map(coset_ctx *ctx, const char *path, file_view *view_out)
{
    *view_out = (file_view){0};
    /* O_NONBLOCK: a fifo must not hang the open; it is refused afterwards. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return ctx_fail(ctx, COSET_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    coset_status status = map_descriptor(ctx, fd, path, view_out);
    close(fd);
    return status;
}

void file_unmap(file_view *view)
{
    if (view->bytes != NULL && view->size > 0) munmap((void *)(uintptr_t)view->bytes, view->size);
    *view = (file_view){0};
}

/* A relative name without ".." parts and not ending in '/': what a model may call its external data. */
static bool name_is_safe(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || name[0] == '/' || name[length - 1] == '/') return false;
    for (const char *part = name; part != NULL;) {
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0')) return false;
        part = strchr(part, '/');
        if (part != NULL) part++;
    }
    return true;
}

/* Opens a folder in a folder; a link is an error ELOOP. */
static int open_part(int at, const char *name)
{
    struct stat st;
    int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR) {
        bool link = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
        errno = link ? ELOOP : ENOTDIR;
    }
    return fd;
}

/* Opens part after part without following links, for kernels (or sandboxes) without openat2. Returns
 * a descriptor, or -1 with errno. */
static int open_by_parts(int folder, const char *name, int flags)
{
    int at = folder, found = -1;
    const char *part = name;
    for (;;) {
        char text[NAME_MAX + 1];
        size_t length = strcspn(part, "/");
        bool last = part[length] == '\0';
        if (length >= sizeof text) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(text, part, length);
        text[length] = '\0';
        int next = at;
        if (last)
            found = openat(at, text, flags | O_NOFOLLOW);
        else if (length > 0)
            next = open_part(at, text);
        if (last || next < 0) break;
        if (next != at && at != folder) close(at);
        at = next;
        part += length + 1;
    }
    int error = errno;
    if (at != folder) close(at);
    errno = error;
    return found;
}

static int open_beneath(int folder, const char *name)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct open_how how = {
        .flags = (unsigned)flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    do fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    /* Old kernels answer ENOSYS, sandboxes that do not know the call EPERM. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = open_by_parts(folder, name, flags);
    return fd;
}

coset_status file_map_inside(coset_ctx *ctx, const char *folder, const char *name,
                             file_view *view_out)
{
    coset_status status = COSET_OK;
    int at = -1, fd = -1;
    struct stat st;
    *view_out = (file_view){0};
    if (!name_is_safe(name))
        FAIL(ctx, COSET_EFORMAT, "external data '%s': must be a relative name without '..'", name);
    at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) FAIL(ctx, COSET_EIO, "%s: cannot be opened: %s", folder, strerror(errno));
    fd = open_beneath(at, name);
    if (fd < 0 && (errno == ELOOP || errno == EXDEV))
        FAIL(ctx, COSET_EFORMAT, "external data '%s': leaves the model's folder, or is a link",
             name);
    if (fd < 0)
        FAIL(ctx, COSET_EIO, "external data '%s' in %s: cannot be opened: %s", name, folder,
             strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink != 1)
        FAIL(ctx, COSET_EFORMAT, "external data '%s': is a hard link", name);
    TRY(map_descriptor(ctx, fd, name, view_out));
done:
    if (fd >= 0) close(fd);
    if (at >= 0) close(at);
    return status;
}

bool file_same(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

coset_status file_folder(coset_ctx *ctx, const char *path, char **folder_out)
{
    *folder_out = NULL;
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return ctx_strdup(ctx, ".", folder_out);
    while (slash > path && slash[-1] == '/') slash--;
    int length = slash == path ? 1 : (int)(slash - path);
    return ctx_format(ctx, folder_out, "%.*s", length, path);
}

/* ---- digests ----------------------------------------------------------------------------------- */

void file_digest(const void *bytes, size_t size, char *text_out)
{
    SHA256_CTX state;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Init(&state);
    SHA256Update(&state, bytes, size);
    SHA256Final(digest, &state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) snprintf(text_out + 2 * i, 3, "%02x", digest[i]);
}

coset_status file_digest_of(coset_ctx *ctx, const char *path, char *text_out)
{
    file_view view = {0};
    text_out[0] = '\0';
    coset_status status = file_map(ctx, path, &view);
    if (status == COSET_OK) file_digest(view.bytes, view.size, text_out);
    file_unmap(&view);
    return status;
}
