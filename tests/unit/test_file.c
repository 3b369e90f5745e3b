/* Files: confined opening with and without openat2, and writers under faults and kills. */
#include "support/files.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/file.h"

/* ---- faults: these definitions stand before libc's -------------------------------------------- */

typedef enum fault {
    NO_FAULT,
    WRITE_EIO,
    WRITE_FULL,
    WRITE_SHORT,
    WRITE_INTERRUPTED,
    SYNC_FILE,
    SYNC_FOLDER,
    RENAME_FAILS
} fault;

static fault active;
static bool without_openat2;
static int calls_until_kill = -1; /* of the calls below; -1: never */

static void count_call(void)
{
    if (calls_until_kill >= 0 && calls_until_kill-- == 0) _exit(42);
}

/* Reads six arguments, however many there are, as the kernel does. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
    typedef long (*function)(long, long, long, long, long, long, long);
    static function real;
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2 && without_openat2) {
        errno = ENOSYS;
        return -1;
    }
    if (real == NULL) real = (function)dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    typedef ssize_t (*function)(int, const void *, size_t);
    static function real;
    static bool interrupted;
    if (real == NULL) real = (function)dlsym(RTLD_NEXT, "write");
    count_call();
    if (active == WRITE_EIO || active == WRITE_FULL) {
        errno = active == WRITE_EIO ? EIO : ENOSPC;
        return -1;
    }
    if (active == WRITE_INTERRUPTED) {
        interrupted = !interrupted;
        errno = EINTR;
        if (interrupted) return -1;
    }
    return real(fd, bytes, active == WRITE_SHORT && size > 3 ? 3 : size);
}

int fsync(int fd)
{
    typedef int (*function)(int);
    static function real;
    struct stat st;
    if (real == NULL) real = (function)dlsym(RTLD_NEXT, "fsync");
    count_call();
    bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (active == (folder ? SYNC_FOLDER : SYNC_FILE)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int renameat(int from, const char *old_name, int to, const char *new_name)
{
    typedef int (*function)(int, const char *, int, const char *);
    static function real;
    if (real == NULL) real = (function)dlsym(RTLD_NEXT, "renameat");
    count_call();
    if (active == RENAME_FAILS) {
        errno = EXDEV;
        return -1;
    }
    return real(from, old_name, to, new_name);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void expect_refused(coset_ctx *ctx, coset_status found, coset_status expected,
                           const char *named)
{
    assert_int_equal(found, expected);
    assert_non_null(strstr(coset_ctx_error(ctx), named));
    assert_null(strchr(coset_ctx_error(ctx), '\n'));
}

static void test_map(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    file_view view;
    (void)state;
    files_start("map");
    files_put_text("some", "contents");
    files_put_text("empty", "");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(file_map(ctx, "some", &view), COSET_OK);
    assert_int_equal(view.size, 8);
    assert_memory_equal(view.bytes, "contents", 8);
    file_unmap(&view);
    assert_null(view.bytes);
    file_unmap(&view);
    assert_int_equal(file_map(ctx, "empty", &view), COSET_OK);
    assert_int_equal(view.size, 0);
    assert_non_null(view.bytes);
    file_unmap(&view);
    expect_refused(ctx, file_map(ctx, "absent", &view), COSET_EIO, "absent: ");
    expect_refused(ctx, file_map(ctx, "folder", &view), COSET_EIO, "is a folder");
    expect_refused(ctx, file_map(ctx, "fifo", &view), COSET_EIO, "not a regular file");
    expect_refused(ctx, file_map(ctx, "/dev/null", &view), COSET_EIO, "not a regular file");
    assert_null(view.bytes);
    counted_ctx_end(ctx, &memory);
}

static void check_inside(coset_ctx *ctx)
{
    static const char *const unsafe[] = {
        "",     "/etc/passwd", "../outside",        "..",   "sub/../inside", "sub/..", "sub/",
        "link", "sub/link",    "folderlink/inside", "hard", "loop/x"};
    static const char *const unreadable[] = {"absent",   "sub",        "fifo",
                                             "inside/x", "sub/absent", "."};
    file_view view;
    assert_int_equal(file_map_inside(ctx, "model", "inside", &view), COSET_OK);
    assert_memory_equal(view.bytes, "in", 2);
    file_unmap(&view);
    assert_int_equal(file_map_inside(ctx, "model", "./sub//deep/file.bin", &view), COSET_OK);
    assert_memory_equal(view.bytes, "deep", 4);
    file_unmap(&view);
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        coset_status status = file_map_inside(ctx, "model", unsafe[i], &view);
        if (status != COSET_EFORMAT) print_error("'%s': %s\n", unsafe[i], coset_ctx_error(ctx));
        expect_refused(ctx, status, COSET_EFORMAT, unsafe[i]);
        assert_null(view.bytes);
    }
    for (size_t i = 0; i < sizeof unreadable / sizeof unreadable[0]; i++)
        expect_refused(ctx, file_map_inside(ctx, "model", unreadable[i], &view), COSET_EIO,
                       unreadable[i]);
    expect_refused(ctx, file_map_inside(ctx, "nofolder", "inside", &view), COSET_EIO, "nofolder");
    char longer[400] = {0};
    memset(longer, 'x', sizeof longer - 1);
    expect_refused(ctx, file_map_inside(ctx, "model", longer, &view), COSET_EIO, "xxx");
}

static void test_map_inside(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("inside");
    assert_int_equal(mkdir("model", 0700), 0);
    assert_int_equal(mkdir("model/sub", 0700), 0);
    assert_int_equal(mkdir("model/sub/deep", 0700), 0);
    files_put_text("outside", "secret");
    files_put_text("model/inside", "in");
    files_put_text("model/sub/deep/file.bin", "deep");
    files_put_text("model/hard", "hard");
    assert_int_equal(link("model/hard", "hard"), 0);
    assert_int_equal(symlink("../outside", "model/link"), 0);
    assert_int_equal(symlink("../inside", "model/sub/link"), 0);
    assert_int_equal(symlink("..", "model/folderlink"), 0);
    assert_int_equal(symlink("loop", "model/loop"), 0);
    assert_int_equal(mkfifo("model/fifo", 0600), 0);
    check_inside(ctx);
    without_openat2 = true;
    check_inside(ctx);
    without_openat2 = false;
    counted_ctx_end(ctx, &memory);
}

static void test_same_and_folder(void **state)
{
    static const char *const cases[][2] = {{"a/b.onnx", "a"}, {"b.onnx", "."}, {"/b", "/"},
                                           {"//b", "/"},      {"a//b", "a"},   {"/a/b/c", "/a/b"}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("same");
    files_put_text("a", "x");
    files_put_text("b", "x");
    assert_int_equal(symlink("a", "c"), 0);
    assert_true(file_same("a", "./a"));
    assert_true(file_same("a", "c"));
    assert_false(file_same("a", "b"));
    assert_false(file_same("a", "absent"));
    assert_false(file_same("absent", "absent"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = NULL;
        assert_int_equal(file_folder(ctx, cases[i][0], &folder), COSET_OK);
        assert_string_equal(folder, cases[i][1]);
        ctx_free(ctx, folder);
    }
    counted_ctx_end(ctx, &memory);
}

/* FIPS 180-4 examples. */
static void test_digest(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    char text[65];
    (void)state;
    files_start("digest");
    file_digest("abc", 3, text);
    assert_string_equal(text, abc);
    files_put_text("abc", "abc");
    files_put_text("none", "");
    assert_int_equal(file_digest_of(ctx, "abc", text), COSET_OK);
    assert_string_equal(text, abc);
    assert_int_equal(file_digest_of(ctx, "none", text), COSET_OK);
    assert_string_equal(text, none);
    expect_refused(ctx, file_digest_of(ctx, "absent", text), COSET_EIO, "absent");
    assert_string_equal(text, "");
    counted_ctx_end(ctx, &memory);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void test_write(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("write");
    umask(022);
    assert_int_equal(file_write(ctx, "new", "first", 5), COSET_OK);
    files_expect("new", "first");
    assert_int_equal(mode_of("new") & 0777, 0644);
    assert_int_equal(chmod("new", 0640), 0);
    assert_int_equal(file_write(ctx, "./new", "second", 6), COSET_OK);
    files_expect("new", "second");
    assert_int_equal(mode_of("new") & 0777, 0640);
    assert_int_equal(file_write(ctx, "new", "", 0), COSET_OK);
    files_expect("new", "");
    assert_int_equal(symlink("new", "link"), 0);
    assert_int_equal(file_write(ctx, "link", "through", 7), COSET_OK);
    assert_true(S_ISLNK(mode_of("link")));
    files_expect("new", "through");
    char name[NAME_MAX + 1];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    assert_int_equal(file_write(ctx, name, "long", 4), COSET_OK);
    files_expect(name, "long");
    assert_int_equal(files_count("."), 3);
    counted_ctx_end(ctx, &memory);
}

/* Pieces of all sizes around the buffer's, against one write of the whole. */
static void test_write_pieces(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    file_writer *writer = NULL;
    size_t size = 0, total = 3000000;
    char *bytes = malloc(total);
    rng random = rng_seed(1, 1);
    (void)state;
    files_start("pieces");
    assert_non_null(bytes);
    for (size_t i = 0; i < total; i++) bytes[i] = (char)rng_u64(&random);
    assert_int_equal(file_writer_open(ctx, "whole", &writer), COSET_OK);
    for (size_t at = 0, n = 0; at < total; at += n) {
        n = (size_t)rng_below(&random, 1 << rng_below(&random, 20));
        if (n > total - at) n = total - at;
        assert_int_equal(file_writer_put(writer, bytes + at, n), COSET_OK);
    }
    assert_int_equal(file_writer_commit(writer), COSET_OK);
    char *found = files_get("whole", &size);
    assert_int_equal(size, total);
    assert_memory_equal(found, bytes, total);
    free(found);
    free(bytes);
    counted_ctx_end(ctx, &memory);
}

static void test_write_faults(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("faults");
    files_put_text("file", "old");
    for (fault f = WRITE_EIO; f <= RENAME_FAILS; f++) {
        active = f;
        bool survives = f == WRITE_SHORT || f == WRITE_INTERRUPTED;
        coset_status existing = file_write(ctx, "file", "newer", 5);
        if (!survives) expect_refused(ctx, existing, COSET_EIO, "file: cannot be written: ");
        coset_status fresh = file_write(ctx, "fresh", "newer", 5);
        active = NO_FAULT;
        assert_int_equal(existing, survives ? COSET_OK : COSET_EIO);
        assert_int_equal(fresh, existing);
        /* The folder is synced last: the new file is there, but may not outlive a power cut. */
        bool there = survives || f == SYNC_FOLDER;
        files_expect("file", there ? "newer" : "old");
        assert_int_equal(files_count("."), there ? 2 : 1);
        files_put_text("file", "old");
        unlink("fresh");
    }
    counted_ctx_end(ctx, &memory);
}

/* A kill at every system call leaves the old file or the new one, and the next writer sweeps. */
static void test_write_killed(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("killed");
    files_put_text(".other.coset-1-1.tmp", "not ours");
    int kills = 0;
    for (int at = 0;; at++, kills++) {
        files_put_text("file", "old");
        pid_t child = fork();
        if (child == 0) {
            calls_until_kill = at;
            _exit(file_write(ctx, "file", "new", 3) == COSET_OK ? 0 : 1);
        }
        int result = 0;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFEXITED(result));
        if (WEXITSTATUS(result) == 0) break;
        assert_int_equal(WEXITSTATUS(result), 42);
        /* write, fsync, renameat, fsync of the folder */
        files_expect("file", at < 3 ? "old" : "new");
        assert_int_equal(files_count("."), at < 3 ? 3 : 2);
        assert_int_equal(file_write(ctx, "file", "again", 5), COSET_OK);
        files_expect("file", "again");
        assert_int_equal(files_count("."), 2);
    }
    assert_int_equal(kills, 4);
    files_expect(".other.coset-1-1.tmp", "not ours");
    counted_ctx_end(ctx, &memory);
}

/* Only what a dead writer of the same target left is swept. */
static void test_sweep(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    file_writer *first = NULL, *second = NULL;
    char own[64], alive[64];
    (void)state;
    files_start("sweep");
    /* The same process number from before a reboot, with a number that this process has not given. */
    snprintf(own, sizeof own, ".file.coset-%d-999999999.tmp", (int)getpid());
    snprintf(alive, sizeof alive, ".file.coset-%d-1.tmp", (int)getppid());
    files_put_text(own, "left behind");
    files_put_text(alive, "of a living process");
    files_put_text(".file.coset-1-x.tmp", "another name");
    files_put_text(".file.coset-999999999-1.tmpx", "another name");
    files_put_text(".file.coset-999999999-1.tmp", "left behind");
    assert_int_equal(file_writer_open(ctx, "file", &first), COSET_OK);
    assert_int_equal(files_count("."), 4);
    assert_int_equal(file_writer_open(ctx, "file", &second), COSET_OK);
    assert_int_equal(files_count("."), 5);
    assert_int_equal(file_writer_put(first, "one", 3), COSET_OK);
    assert_int_equal(file_writer_commit(first), COSET_OK);
    assert_int_equal(file_writer_put(second, "two", 3), COSET_OK);
    file_writer_abort(second);
    file_writer_abort(NULL);
    files_expect("file", "one");
    assert_int_equal(files_count("."), 4);
    counted_ctx_end(ctx, &memory);
}

static void test_write_refused(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("refused");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink("absent", "dangling"), 0);
    static const char *const paths[] = {"folder",    "folder/",        ".",       "", "/dev/full",
                                        "/dev/null", "no/such/folder", "dangling"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_refused(ctx, file_write(ctx, paths[i], "x", 1), COSET_EIO, paths[i]);
    char *longer = calloc(1, 70000);
    assert_non_null(longer);
    memset(longer, 'x', 69999);
    assert_int_equal(file_write(ctx, longer, "x", 1), COSET_EIO);
    longer[300] = '\0';
    assert_int_equal(file_write(ctx, longer, "x", 1), COSET_EIO);
    free(longer);
    files_put_text("readonly", "kept");
    assert_int_equal(chmod("readonly", 0444), 0);
    if (geteuid() != 0) {
        expect_refused(ctx, file_write(ctx, "readonly", "x", 1), COSET_EIO, "readonly");
    } else {
        printf("SKIP: read-only target: the superuser may write everything\n");
    }
    files_expect("readonly", "kept");
    assert_int_equal(files_count("."), 3);
    memory.fail_from = memory.made;
    assert_int_equal(file_write(ctx, "fresh", "x", 1), COSET_EMEMORY);
    assert_int_equal(files_count("."), 3);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_inside),
        cmocka_unit_test(test_same_and_folder),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_pieces),
        cmocka_unit_test(test_write_faults),
        cmocka_unit_test(test_write_killed),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_write_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
