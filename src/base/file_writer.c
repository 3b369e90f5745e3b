#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { BUFFER = 256 * 1024 };

struct file_writer {
    coset_ctx *ctx;
    int folder, fd;               /* open descriptors, -1: none */
    bool made;                    /* the temporary file exists */
    char path[PATH_MAX];          /* for messages: as the caller wrote it */
    char name[NAME_MAX + 1];      /* of the target, in the folder */
    char temporary[NAME_MAX + 1]; /* of the temporary file, in the folder */
    size_t used;
    uint8_t buffer[BUFFER];
};

/* Number of the last temporary file of this process. */
static atomic_long last_number;

/* Longest part of the target's name that a temporary file's name repeats: the rest of the name is
 * ".", ".coset-", two numbers, "-" and ".tmp". */
enum { STEM = NAME_MAX - 60 };

static void temporary_name(const char *name, long number, char *text, size_t size)
{
    snprintf(text, size, ".%.*s.coset-%ld-%ld.tmp", STEM, name, (long)getpid(), number);
}

/* Reads the numbers of a temporary file of the target `name`; false if it is something else. */
static bool temporary_parse(const char *name, const char *entry, long *pid_out, long *number_out)
{
    char prefix[NAME_MAX + 1];
    int length = snprintf(prefix, sizeof prefix, ".%.*s.coset-", STEM, name);
    int end = 0;
    if (strncmp(entry, prefix, (size_t)length) != 0) return false;
    if (sscanf(entry + length, "%9ld-%18ld.tmp%n", pid_out, number_out, &end) != 2) return false;
    return end > 0 && entry[length + end] == '\0' && *pid_out > 0 && *number_out > 0;
}

/* True if the writer of a temporary file is gone. Its process number alone could mislead: it may have
 * been given again, or count in another container; a living writer also holds a lock. */
static bool writer_is_dead(int folder, const char *entry, long pid, long number)
{
    if (pid == (long)getpid()) {
        if (number <= atomic_load(&last_number)) return false;
    } else if (kill((pid_t)pid, 0) == 0 || errno != ESRCH) {
        return false;
    }
    int fd = openat(folder, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return false;
    struct stat st;
    bool dead = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return dead;
}

/* Removes what writers of the same target left behind when they were killed. Best effort. */
static void sweep(int folder, const char *name)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        long pid = 0, number = 0;
        if (temporary_parse(name, entry->d_name, &pid, &number) &&
            writer_is_dead(folder, entry->d_name, pid, number))
            unlinkat(folder, entry->d_name, 0);
    }
    closedir(entries);
}

static coset_status fail_write(file_writer *self, const char *what)
{
    return ctx_fail(self->ctx, COSET_EIO, "%s: cannot be written: %s%s", self->path, what,
                    strerror(errno));
}

/* Opens the target's folder and finds the target's name in it; through a link, that of the file it
 * points to, so that the link stays. */
static coset_status open_folder(file_writer *self)
{
    char resolved[PATH_MAX];
    struct stat st;
    const char *path = self->path;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        if (realpath(path, resolved) == NULL) return fail_write(self, "it is a link: ");
        path = resolved;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ctx_fail(self->ctx, COSET_EIO, "%s: is a folder, not a file", self->path);
    if (strlen(name) > NAME_MAX) {
        errno = ENAMETOOLONG;
        return fail_write(self, "");
    }
    memcpy(self->name, name, strlen(name) + 1);
    char folder[PATH_MAX] = ".";
    if (slash != NULL) {
        /* With its slash, which also says right for the root. */
        memcpy(folder, path, (size_t)(slash - path) + 1);
        folder[slash - path + 1] = '\0';
    }
    self->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return self->folder < 0 ? fail_write(self, "its folder: ") : COSET_OK;
}

/* What is at the target now: nothing, or a regular file that may be written. */
static coset_status check_target(file_writer *self, struct stat *st_out, bool *exists_out)
{
    *exists_out = fstatat(self->folder, self->name, st_out, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*exists_out) return errno == ENOENT ? COSET_OK : fail_write(self, "");
    if (S_ISDIR(st_out->st_mode))
        return ctx_fail(self->ctx, COSET_EIO, "%s: is a folder, not a file", self->path);
    if (!S_ISREG(st_out->st_mode))
        return ctx_fail(self->ctx, COSET_EIO, "%s: exists and is not a regular file", self->path);
    /* A rename would replace a read-only file as well, but its owner did not mean that. */
    if (faccessat(self->folder, self->name, W_OK, AT_EACCESS) != 0) return fail_write(self, "");
    return COSET_OK;
}

static coset_status make_temporary(file_writer *self)
{
    for (int attempt = 0; attempt < 1000 && self->fd < 0; attempt++) {
        long number = atomic_fetch_add(&last_number, 1) + 1;
        temporary_name(self->name, number, self->temporary, sizeof self->temporary);
        self->fd = openat(self->folder, self->temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (self->fd < 0 && errno != EEXIST) break;
    }
    if (self->fd < 0) return fail_write(self, "a temporary file beside it: ");
    self->made = true;
    /* Only tells sweepers that the writer lives; file systems without locks do without. */
    (void)flock(self->fd, LOCK_EX | LOCK_NB);
    return COSET_OK;
}

coset_status file_writer_open(coset_ctx *ctx, const char *path, file_writer **writer_out)
{
    coset_status status = COSET_OK;
    file_writer *self = NULL;
    struct stat st = {0};
    bool exists = false;
    *writer_out = NULL;
    if (strlen(path) >= PATH_MAX) FAIL(ctx, COSET_EIO, "the output's path is too long");
    TRY(ctx_alloc_raw(ctx, 1, sizeof *self, &self));
    self->ctx = ctx;
    self->folder = self->fd = -1;
    self->made = false;
    self->used = 0;
    memcpy(self->path, path, strlen(path) + 1);
    TRY(open_folder(self));
    TRY(check_target(self, &st, &exists));
    sweep(self->folder, self->name);
    TRY(make_temporary(self));
    if (exists) {
        /* Ownership can only be kept by the superuser; without it the permissions still hold. */
        if (st.st_uid != geteuid() || st.st_gid != getegid())
            if (fchown(self->fd, st.st_uid, st.st_gid) != 0) errno = 0;
        if (fchmod(self->fd, st.st_mode & 0777) != 0) {
            status = fail_write(self, "permissions: ");
            goto done;
        }
    }
    *writer_out = self;
    self = NULL;
done:
    file_writer_abort(self);
    return status;
}

static coset_status write_all(file_writer *self, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(self->fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return fail_write(self, "");
        bytes += n;
        size -= (size_t)n;
    }
    return COSET_OK;
}

static coset_status flush(file_writer *self)
{
    size_t used = self->used;
    self->used = 0;
    return write_all(self, self->buffer, used);
}

coset_status file_writer_put(file_writer *self, const void *bytes, size_t size)
{
    if (size == 0) return COSET_OK;
    if (size > BUFFER - self->used) {
        coset_status status = flush(self);
        if (status != COSET_OK) return status;
    }
    if (size >= BUFFER) return write_all(self, bytes, size);
    memcpy(self->buffer + self->used, bytes, size);
    self->used += size;
    return COSET_OK;
}

coset_status file_writer_commit(file_writer *self)
{
    coset_status status = COSET_OK;
    TRY(flush(self));
    if (fsync(self->fd) != 0) {
        status = fail_write(self, "");
        goto done;
    }
    int fd = self->fd;
    self->fd = -1;
    if (close(fd) != 0 && errno != EINTR) {
        status = fail_write(self, "");
        goto done;
    }
    if (renameat(self->folder, self->temporary, self->folder, self->name) != 0) {
        status = fail_write(self, "");
        goto done;
    }
    self->made = false;
    /* Some file systems cannot sync folders and say EINVAL. */
    if (fsync(self->folder) != 0 && errno != EINVAL) status = fail_write(self, "its folder: ");
done:
    file_writer_abort(self);
    return status;
}

void file_writer_abort(file_writer *self)
{
    if (self == NULL) return;
    if (self->made) unlinkat(self->folder, self->temporary, 0);
    if (self->fd >= 0) close(self->fd);
    if (self->folder >= 0) close(self->folder);
    ctx_free(self->ctx, self);
}

coset_status file_write(coset_ctx *ctx, const char *path, const void *bytes, size_t size)
{
    file_writer *writer = NULL;
    coset_status status = file_writer_open(ctx, path, &writer);
    if (status == COSET_OK) status = file_writer_put(writer, bytes, size);
    if (status == COSET_OK) return file_writer_commit(writer);
    file_writer_abort(writer);
    return status;
}
