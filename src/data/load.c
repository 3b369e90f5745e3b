/* From files to samples: which format a file has, and which of its arrays or columns mean what. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/idx.h"
#include "data/inflate.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/samples.h"

typedef enum format { UNKNOWN, NPZ, NPY, IDX, CSV, TEXT, ARFF } format;

/* A file's contents, unpacked if it was gzipped. */
typedef struct content {
    const char *name; /* borrowed */
    file_view view;   /* empty if the bytes are the caller's */
    uint8_t *unpacked;
    const uint8_t *bytes;
    size_t size;
    format format;
} content;

/* ---- contents ---------------------------------------------------------------------------------- */

/* True if the name, without ".gz", ends in this extension. */
static bool has_extension(const char *name, const char *extension)
{
    size_t length = strlen(name), wanted = strlen(extension);
    if (length > 3 && strcasecmp(name + length - 3, ".gz") == 0) length -= 3;
    return length > wanted && strncasecmp(name + length - wanted, extension, wanted) == 0;
}

static format format_of(const content *self)
{
    static const struct {
        const char *extension;
        format format;
    } rows[] = {{".npz", NPZ},   {".npy", NPY},  {".csv", CSV},  {".tsv", CSV},
                {".arff", ARFF}, {".txt", TEXT}, {".dat", TEXT}, {".data", TEXT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (has_extension(self->name, rows[i].extension)) return rows[i].format;
    if (idx_is(self->bytes, self->size)) return IDX;
    return strstr(self->name, "-ubyte") || has_extension(self->name, ".idx") ? IDX : UNKNOWN;
}

static coset_status content_of_bytes(coset_ctx *ctx, const void *bytes, size_t size,
                                     const char *name, content *self)
{
    coset_status status = COSET_OK;
    *self = (content){.name = name, .bytes = bytes, .size = size};
    if (inflate_is_gzip(bytes, size)) {
        TRY(inflate_gzip(ctx, bytes, size, name, &self->unpacked, &self->size));
        self->bytes = self->unpacked;
    }
    self->format = format_of(self);
    if (self->format == UNKNOWN)
        FAIL(ctx, COSET_EUNSUPPORTED,
             "%s: unknown kind of data; .npz, .npy, .csv, .tsv, .arff, .txt, .dat, .data and idx "
             "files are read",
             name);
done:
    return status;
}

static void content_free(coset_ctx *ctx, content *self)
{
    ctx_free(ctx, self->unpacked);
    file_unmap(&self->view);
    *self = (content){0};
}

/* Digests of several files are digested once more, in the order in which they were read. */
static void add_digest(const content *self, char *digest)
{
    char texts[129];
    file_digest(self->view.bytes, self->view.size, texts + 64);
    if (digest[0] == '\0') {
        memcpy(digest, texts + 64, 65);
    } else {
        memcpy(texts, digest, 64);
        file_digest(texts, 128, digest);
    }
}

static coset_status content_open(coset_ctx *ctx, const char *path, content *self, char *digest)
{
    file_view view = {0};
    *self = (content){0};
    coset_status status = file_map(ctx, path, &view);
    if (status != COSET_OK) return status;
    status = content_of_bytes(ctx, view.bytes, view.size, path, self);
    self->view = view;
    add_digest(self, digest);
    if (status != COSET_OK) content_free(ctx, self);
    return status;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static bool is_table(format kind)
{
    return kind == CSV || kind == TEXT || kind == ARFF;
}

static coset_status read_table(coset_ctx *ctx, const content *from, table *out)
{
    const char *text = (const char *)from->bytes, *end = text + from->size;
    if (from->format == ARFF) return table_arff(ctx, text, from->size, from->name, out);
    if (from->format == CSV) return table_csv(ctx, text, from->size, from->name, out);
    /* Many .data and .txt files are separated by commas: the first line that is no comment tells. */
    const char *line = text;
    size_t length = 0;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        length = (size_t)((newline != NULL ? newline : end) - line);
        if (length > 0 && *line != '#' && *line != '%' && *line != '\r') break;
        line += length + (newline != NULL);
    }
    bool separated = line < end && (memchr(line, ',', length) || memchr(line, ';', length));
    if (separated) return table_csv(ctx, text, from->size, from->name, out);
    return table_text(ctx, text, from->size, from->name, out);
}

static coset_status tables_to_samples(coset_ctx *ctx, const content *train, const content *test,
                                      const char *target, samples *out)
{
    coset_status status = COSET_OK;
    table tables[2] = {{0}, {0}};
    TRY(read_table(ctx, train, &tables[0]));
    if (test != NULL) TRY(read_table(ctx, test, &tables[1]));
    TRY(samples_from_tables(ctx, &tables[0], test != NULL ? &tables[1] : NULL, target, out));
done:
    table_free(ctx, &tables[0]);
    table_free(ctx, &tables[1]);
    return status;
}

/* ---- arrays ------------------------------------------------------------------------------------ */

/* Reads the array called `name`, or else `other` (may be NULL); none of them is not an error. */
static coset_status read_array(coset_ctx *ctx, const npz *archive, const char *name,
                               const char *other, tensor **out)
{
    int64_t index = npz_find(archive, name);
    if (index < 0 && other != NULL) index = npz_find(archive, other);
    return index < 0 ? COSET_OK : npz_read(ctx, archive, index, out);
}

static coset_status fail_no_x(coset_ctx *ctx, const npz *archive, const char *source,
                              const char *wanted)
{
    char names[200] = "";
    size_t used = 0;
    for (int64_t i = 0; i < npz_count(archive) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 npz_name(archive, i));
    return ctx_fail(ctx, COSET_EFORMAT, "%s: has no array %s; it has: %s", source, wanted, names);
}

static coset_status npz_to_samples(coset_ctx *ctx, const content *from, bool test_file, bool no_y,
                                   samples *out)
{
    coset_status status = COSET_OK;
    npz *archive = NULL;
    TRY(npz_decode(ctx, from->bytes, from->size, from->name, &archive));
    if (test_file) {
        TRY(read_array(ctx, archive, "x_test", "x", &out->x_test));
        if (!no_y) TRY(read_array(ctx, archive, "y_test", "y", &out->y_test));
        if (out->x_test == NULL) status = fail_no_x(ctx, archive, from->name, "x_test or x");
    } else {
        TRY(read_array(ctx, archive, "x_train", "x", &out->x));
        TRY(read_array(ctx, archive, "x_test", NULL, &out->x_test));
        if (!no_y) TRY(read_array(ctx, archive, "y_train", "y", &out->y));
        if (!no_y) TRY(read_array(ctx, archive, "y_test", NULL, &out->y_test));
        if (out->x == NULL) status = fail_no_x(ctx, archive, from->name, "x_train or x");
    }
done:
    npz_close(ctx, archive);
    return status;
}

static coset_status read_single(coset_ctx *ctx, const content *from, tensor **out)
{
    if (from->format == NPY) return npy_decode(ctx, from->bytes, from->size, from->name, out);
    if (from->format == IDX) return idx_decode(ctx, from->bytes, from->size, from->name, out);
    return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: .npy or idx data is needed here", from->name);
}

static coset_status read_single_file(coset_ctx *ctx, const char *path, tensor **out, char *digest)
{
    content file = {0};
    coset_status status = content_open(ctx, path, &file, digest);
    if (status == COSET_OK) status = read_single(ctx, &file, out);
    content_free(ctx, &file);
    return status;
}

/* ---- a folder with MNIST ----------------------------------------------------------------------- */

/* Reads folder/part-kind under one of the names that it is handed out with; none is not an error. */
static coset_status read_mnist(coset_ctx *ctx, const char *folder, const char *part,
                               const char *kind, tensor **out, char *digest)
{
    static const char *const endings[][2] = {{"-", ".gz"}, {"-", ""}, {".", ".gz"}, {".", ""}};
    const char *rank = strcmp(kind, "images") == 0 ? "idx3" : "idx1";
    coset_status status = COSET_OK;
    for (size_t i = 0; i < 4 && *out == NULL && status == COSET_OK; i++) {
        struct stat st;
        char *path = NULL;
        status = ctx_format(ctx, &path, "%s/%s-%s%s%s-ubyte%s", folder, part, kind, endings[i][0],
                            rank, endings[i][1]);
        if (status == COSET_OK && stat(path, &st) == 0)
            status = read_single_file(ctx, path, out, digest);
        ctx_free(ctx, path);
    }
    return status;
}

static coset_status load_folder(coset_ctx *ctx, const char *path, bool no_y, samples *out,
                                char *digest)
{
    coset_status status = COSET_OK;
    TRY(read_mnist(ctx, path, "train", "images", &out->x, digest));
    if (!no_y) TRY(read_mnist(ctx, path, "train", "labels", &out->y, digest));
    TRY(read_mnist(ctx, path, "t10k", "images", &out->x_test, digest));
    if (!no_y) TRY(read_mnist(ctx, path, "t10k", "labels", &out->y_test, digest));
    if (out->x == NULL)
        FAIL(ctx, COSET_EUNSUPPORTED,
             "%s: is a folder without images (.jpg, .jpeg, .png) and without "
             "train-images-idx3-ubyte[.gz]",
             path);
    if (!no_y && out->y == NULL)
        FAIL(ctx, COSET_EFORMAT, "%s: has no train-labels-idx1-ubyte[.gz]", path);
done:
    return status;
}

/* ---- files ------------------------------------------------------------------------------------- */

static bool is_none(const char *target)
{
    return target != NULL && strcmp(target, "none") == 0;
}

static coset_status fail_target(coset_ctx *ctx, const char *name)
{
    return ctx_fail(ctx, COSET_EARGUMENT,
                    "%s: here the target can only be 'none'; the arrays' names or the files' names "
                    "say what y is",
                    name);
}

static coset_status load_arrays(coset_ctx *ctx, const content *first,
                                const coset_data_options *options, samples *out, char *digest)
{
    coset_status status = COSET_OK;
    bool no_y = options->target == NULL || is_none(options->target);
    if (options->test != NULL && !no_y)
        FAIL(ctx, COSET_EARGUMENT,
             "%s: a test file can be given to .npy and idx data only without a target; "
             "use an .npz with x_train, y_train, x_test, y_test",
             first->name);
    TRY(read_single(ctx, first, &out->x));
    if (!no_y) TRY(read_single_file(ctx, options->target, &out->y, digest));
    if (options->test != NULL) TRY(read_single_file(ctx, options->test, &out->x_test, digest));
done:
    return status;
}

static coset_status load_npz(coset_ctx *ctx, const content *first,
                             const coset_data_options *options, samples *out, char *digest)
{
    coset_status status = COSET_OK;
    content test = {0};
    bool no_y = is_none(options->target);
    if (options->target != NULL && !no_y) return fail_target(ctx, first->name);
    TRY(npz_to_samples(ctx, first, false, no_y, out));
    if (options->test != NULL) {
        tensor_release(ctx, out->x_test);
        tensor_release(ctx, out->y_test);
        out->x_test = out->y_test = NULL;
        TRY(content_open(ctx, options->test, &test, digest));
        if (test.format != NPZ)
            FAIL(ctx, COSET_EARGUMENT, "%s: the test file of an .npz must be one, too", test.name);
        TRY(npz_to_samples(ctx, &test, true, no_y, out));
    }
done:
    content_free(ctx, &test);
    return status;
}

static coset_status load_tables(coset_ctx *ctx, const content *first,
                                const coset_data_options *options, samples *out, char *digest)
{
    coset_status status = COSET_OK;
    content test = {0};
    if (options->test != NULL) {
        TRY(content_open(ctx, options->test, &test, digest));
        if (!is_table(test.format))
            FAIL(ctx, COSET_EARGUMENT, "%s: the test file of a table must be one, too", test.name);
    }
    TRY(tables_to_samples(ctx, first, options->test != NULL ? &test : NULL, options->target, out));
done:
    content_free(ctx, &test);
    return status;
}

coset_status samples_load(coset_ctx *ctx, const char *path, const coset_data_options *options,
                          samples *out, char *digest_out)
{
    coset_status status = COSET_OK;
    content first = {0};
    struct stat st;
    *out = (samples){0};
    digest_out[0] = '\0';
    if (stat(path, &st) != 0)
        FAIL(ctx, COSET_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        bool no_y = is_none(options->target);
        if (options->test != NULL)
            FAIL(ctx, COSET_EARGUMENT, "%s: a folder takes no test file", path);
        if (options->target != NULL && !no_y) {
            status = fail_target(ctx, path);
            goto done;
        }
        TRY(load_folder(ctx, path, no_y, out, digest_out));
        goto done;
    }
    TRY(content_open(ctx, path, &first, digest_out));
    if (is_table(first.format))
        TRY(load_tables(ctx, &first, options, out, digest_out));
    else if (first.format == NPZ)
        TRY(load_npz(ctx, &first, options, out, digest_out));
    else
        TRY(load_arrays(ctx, &first, options, out, digest_out));
done:
    content_free(ctx, &first);
    if (status != COSET_OK) samples_free(ctx, out);
    return status;
}

coset_status samples_decode(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                            const coset_data_options *options, samples *out)
{
    coset_status status = COSET_OK;
    content first = {0};
    bool no_y = is_none(options->target);
    *out = (samples){0};
    if (options->test != NULL)
        FAIL(ctx, COSET_EARGUMENT, "%s: data in memory takes no test file", name);
    TRY(content_of_bytes(ctx, bytes, size, name, &first));
    if (is_table(first.format)) {
        TRY(tables_to_samples(ctx, &first, NULL, options->target, out));
        goto done;
    }
    if (options->target != NULL && !no_y) {
        status = fail_target(ctx, name);
        goto done;
    }
    if (first.format == NPZ)
        TRY(npz_to_samples(ctx, &first, false, no_y, out));
    else
        TRY(read_single(ctx, &first, &out->x));
done:
    content_free(ctx, &first);
    if (status != COSET_OK) samples_free(ctx, out);
    return status;
}
