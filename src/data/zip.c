#include "data/zip.h"

#include <string.h>
#include <zlib.h>

#include "base/size.h"
#include "data/inflate.h"

enum {
    LOCAL = 0x04034B50,
    CENTRAL = 0x02014B50,
    END = 0x06054B50,
    END64 = 0x06064B50,
    LOCATOR64 = 0x07064B50
};
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR64_SIZE = 20 };
enum { MAX_ENTRIES = 65536, MAX_COMMENT = 65535 };

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* Where the directory lies. */
typedef struct directory {
    uint64_t entries, size, offset;
} directory;

static coset_status fail_damaged(coset_ctx *ctx, const zip *self, const char *what)
{
    return ctx_fail(ctx, COSET_EFORMAT, "%s: damaged zip archive: %s", self->source, what);
}

/* The zip64 end record that a locator right before the end record points to, if there is one. */
static coset_status find_end64(coset_ctx *ctx, const zip *self, size_t end, directory *found)
{
    if (end < LOCATOR64_SIZE) return COSET_OK;
    const uint8_t *locator = self->bytes + end - LOCATOR64_SIZE;
    if (number(locator, 4) != LOCATOR64) return COSET_OK;
    uint64_t offset = number(locator + 8, 8);
    if (!range_inside(offset, END64_SIZE, end) || number(self->bytes + offset, 4) != END64)
        return fail_damaged(ctx, self, "no zip64 end record where it should be");
    const uint8_t *record = self->bytes + offset;
    if (number(record + 16, 4) != 0 || number(record + 20, 4) != 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: a zip archive of several files",
                        self->source);
    *found = (directory){number(record + 32, 8), number(record + 40, 8), number(record + 48, 8)};
    return COSET_OK;
}

static coset_status find_directory(coset_ctx *ctx, const zip *self, directory *found)
{
    if (self->size < END_SIZE)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a zip archive", self->source);
    size_t end = self->size - END_SIZE;
    size_t last = end > MAX_COMMENT ? end - MAX_COMMENT : 0;
    for (;; end--) {
        const uint8_t *at = self->bytes + end;
        if (number(at, 4) == END && number(at + 20, 2) == self->size - END_SIZE - end) break;
        if (end == last)
            return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a zip archive, or cut off",
                            self->source);
    }
    const uint8_t *at = self->bytes + end;
    *found = (directory){number(at + 10, 2), number(at + 12, 4), number(at + 16, 4)};
    coset_status status = find_end64(ctx, self, end, found);
    if (status != COSET_OK) return status;
    uint64_t disk = number(at + 4, 2);
    if (disk != 0 && disk != 0xFFFF)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: a zip archive of several files",
                        self->source);
    if (!range_inside(found->offset, found->size, end))
        return fail_damaged(ctx, self, "its directory lies outside");
    if (found->entries > MAX_ENTRIES)
        return ctx_fail(ctx, COSET_ELIMIT, "%s: more than %d entries", self->source, MAX_ENTRIES);
    if (found->entries * CENTRAL_SIZE > found->size)
        return fail_damaged(ctx, self, "its directory is too short");
    return COSET_OK;
}

/* Replaces the sizes that are all ones by those of the zip64 extra field. */
static bool read_extra64(const uint8_t *extra, size_t size, zip_entry *entry)
{
    uint64_t *fields[] = {&entry->size, &entry->packed, &entry->offset};
    bool needed = false;
    for (int i = 0; i < 3; i++) needed |= *fields[i] == 0xFFFFFFFF;
    if (!needed) return true;
    while (size >= 4) {
        size_t length = (size_t)number(extra + 2, 2);
        if (length > size - 4) return false;
        if (number(extra, 2) == 1) {
            const uint8_t *at = extra + 4;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xFFFFFFFF) continue;
                if (length < 8) return false;
                *fields[i] = number(at, 8);
                at += 8;
                length -= 8;
            }
            return true;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    /* Without the field, all ones is the size itself. */
    return true;
}

/* Reads one directory record of at most `size` bytes and tells how long it is. */
static coset_status read_central(coset_ctx *ctx, zip *self, const uint8_t *at, size_t size,
                                 zip_entry *entry, size_t *length_out)
{
    if (size < CENTRAL_SIZE || number(at, 4) != CENTRAL)
        return fail_damaged(ctx, self, "its directory is cut off");
    size_t name = (size_t)number(at + 28, 2), extra = (size_t)number(at + 30, 2);
    size_t length = CENTRAL_SIZE + name + extra + (size_t)number(at + 32, 2);
    if (length > size) return fail_damaged(ctx, self, "its directory is cut off");
    const char *text = (const char *)at + CENTRAL_SIZE;
    if (memchr(text, '\0', name) != NULL)
        return fail_damaged(ctx, self, "an entry's name holds a zero byte");
    coset_status status = arena_string(ctx, &self->arena, text, name, &entry->name);
    if (status != COSET_OK) return status;
    entry->method = (int)number(at + 10, 2);
    entry->crc = (uint32_t)number(at + 16, 4);
    entry->packed = number(at + 20, 4);
    entry->size = number(at + 24, 4);
    entry->offset = number(at + 42, 4);
    *length_out = length;
    if (number(at + 8, 2) & 1)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: '%s' is encrypted", self->source,
                        entry->name);
    if (entry->method != 0 && entry->method != Z_DEFLATED)
        return ctx_fail(ctx, COSET_EUNSUPPORTED,
                        "%s: '%s' is compressed by method %d; stored and deflate are read",
                        self->source, entry->name, entry->method);
    if (!read_extra64(at + CENTRAL_SIZE + name, extra, entry))
        return fail_damaged(ctx, self, "a zip64 field is cut off");
    return COSET_OK;
}

coset_status zip_open(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *source,
                      zip *self)
{
    coset_status status = COSET_OK;
    directory found = {0};
    *self = (zip){.bytes = bytes, .size = size, .source = source};
    TRY(find_directory(ctx, self, &found));
    TRY(arena_alloc(ctx, &self->arena, (int64_t)found.entries, sizeof *self->entries,
                    &self->entries));
    const uint8_t *at = bytes + found.offset;
    size_t left = (size_t)found.size, total = 0, length = 0;
    for (uint64_t i = 0; i < found.entries; i++) {
        zip_entry *entry = &self->entries[i];
        TRY(read_central(ctx, self, at, left, entry, &length));
        at += length;
        left -= length;
        /* Entries that share bytes would let a small file hold any amount of data. */
        if (entry->packed > size || !size_add(total, (size_t)entry->packed, &total) ||
            total > size) {
            status = fail_damaged(ctx, self, "its entries are larger than the archive");
            goto done;
        }
        self->n++;
    }
done:
    if (status != COSET_OK) zip_close(ctx, self);
    return status;
}

void zip_close(coset_ctx *ctx, zip *self)
{
    arena_free(ctx, &self->arena);
    *self = (zip){0};
}

coset_status zip_read(coset_ctx *ctx, const zip *self, const zip_entry *entry,
                      const uint8_t **bytes_out, void **memory_out)
{
    coset_status status = COSET_OK;
    uint8_t *memory = NULL;
    *bytes_out = NULL;
    *memory_out = NULL;
    if (!range_inside(entry->offset, LOCAL_SIZE, self->size) ||
        number(self->bytes + entry->offset, 4) != LOCAL)
        FAIL(ctx, COSET_EFORMAT, "%s: '%s': damaged zip archive: no local header", self->source,
             entry->name);
    /* Names and extra fields may differ from the directory's, the data begins behind these. */
    const uint8_t *local = self->bytes + entry->offset;
    uint64_t begin = entry->offset + LOCAL_SIZE + number(local + 26, 2) + number(local + 28, 2);
    if (!range_inside(begin, entry->packed, self->size))
        FAIL(ctx, COSET_EFORMAT, "%s: '%s' is cut off", self->source, entry->name);
    const uint8_t *contents = self->bytes + begin;
    if (entry->method == 0 && entry->packed != entry->size)
        FAIL(ctx, COSET_EFORMAT, "%s: '%s' is stored, but its two sizes differ", self->source,
             entry->name);
    if (entry->method != 0) {
        status = inflate_raw(ctx, contents, (size_t)entry->packed, entry->name, (size_t)entry->size,
                             &memory);
        if (status != COSET_OK) {
            status = ctx_fail_in(ctx, status, "%s", self->source);
            goto done;
        }
        contents = memory;
    }
    if (crc32_z(0, contents, (size_t)entry->size) != entry->crc)
        FAIL(ctx, COSET_EFORMAT, "%s: '%s' is damaged: its checksum does not match", self->source,
             entry->name);
    *bytes_out = contents;
    *memory_out = memory;
    memory = NULL;
done:
    ctx_free(ctx, memory);
    return status;
}
