#include <string.h>
#include <zlib.h>

#include "data/zip.h"

/* 1 January 1980, the first date there is: the same content gives the same bytes. */
enum { DATE = 0x0021 };

/* Little-endian numbers one after the other. */
typedef struct record {
    uint8_t bytes[128];
    size_t size;
} record;

static void put(record *self, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) self->bytes[self->size++] = (uint8_t)(value >> (8 * i));
}

/* What needs a zip64 field, and what stands in the short field then. */
static bool is_big(const zip_writer *self, uint64_t value)
{
    return value >= (self->limit > 0 ? self->limit : 0xFFFFFFFF);
}

static uint64_t capped(const zip_writer *self, uint64_t value)
{
    return is_big(self, value) ? 0xFFFFFFFF : value;
}

/* From "version needed" to the sizes, as both kinds of header have it. Text is UTF-8 (bit 11). */
static void put_facts(record *self, const zip_entry *entry, bool big)
{
    put(self, big ? 45 : 20, 2);
    put(self, 1 << 11, 2);
    put(self, 0, 2);
    put(self, 0, 2);
    put(self, DATE, 2);
    put(self, entry->crc, 4);
    put(self, big ? 0xFFFFFFFF : entry->packed, 4);
    put(self, big ? 0xFFFFFFFF : entry->size, 4);
    put(self, strlen(entry->name), 2);
}

static coset_status write_local(zip_writer *self, const zip_entry *entry)
{
    record header = {.size = 0};
    bool big = is_big(self, entry->size);
    put(&header, 0x04034B50, 4);
    put_facts(&header, entry, big);
    put(&header, big ? 20 : 0, 2);
    coset_status status = file_writer_put(self->file, header.bytes, header.size);
    if (status == COSET_OK) status = file_writer_put(self->file, entry->name, strlen(entry->name));
    record extra = {.size = 0};
    if (big) {
        put(&extra, 1, 2);
        put(&extra, 16, 2);
        put(&extra, entry->size, 8);
        put(&extra, entry->packed, 8);
    }
    if (status == COSET_OK) status = file_writer_put(self->file, extra.bytes, extra.size);
    self->offset += header.size + strlen(entry->name) + extra.size;
    return status;
}

coset_status zip_writer_put(coset_ctx *ctx, zip_writer *self, const char *name, const void *head,
                            size_t head_size, const void *body, size_t body_size)
{
    coset_status status = COSET_OK;
    if (strlen(name) > 0xFFFF)
        FAIL(ctx, COSET_EARGUMENT, "an array's name is too long for a zip archive");
    TRY(ctx_reserve(ctx, &self->entries, &self->capacity, self->n + 1, sizeof *self->entries));
    zip_entry *entry = &self->entries[self->n];
    *entry = (zip_entry){.name = name, .offset = self->offset};
    entry->size = entry->packed = head_size + body_size;
    uLong crc = crc32_z(0, head, head_size);
    /* A NULL body would start the checksum anew. */
    entry->crc = (uint32_t)(body_size > 0 ? crc32_z(crc, body, body_size) : crc);
    TRY(write_local(self, entry));
    TRY(file_writer_put(self->file, head, head_size));
    TRY(file_writer_put(self->file, body, body_size));
    self->offset += entry->size;
    self->n++;
done:
    return status;
}

static coset_status write_central(zip_writer *self, const zip_entry *entry)
{
    record header = {.size = 0}, extra = {.size = 0};
    bool big = is_big(self, entry->size), far = is_big(self, entry->offset);
    if (big || far) {
        put(&extra, 1, 2);
        put(&extra, (big ? 16u : 0u) + (far ? 8u : 0u), 2);
        if (big) put(&extra, entry->size, 8);
        if (big) put(&extra, entry->packed, 8);
        if (far) put(&extra, entry->offset, 8);
    }
    put(&header, 0x02014B50, 4);
    put(&header, 45, 2);
    put_facts(&header, entry, big);
    put(&header, extra.size, 2);
    put(&header, 0, 2); /* comment */
    put(&header, 0, 2); /* disk */
    put(&header, 0, 2);
    put(&header, 0, 4); /* attributes */
    put(&header, capped(self, entry->offset), 4);
    coset_status status = file_writer_put(self->file, header.bytes, header.size);
    if (status == COSET_OK) status = file_writer_put(self->file, entry->name, strlen(entry->name));
    if (status == COSET_OK) status = file_writer_put(self->file, extra.bytes, extra.size);
    self->offset += header.size + strlen(entry->name) + extra.size;
    return status;
}

coset_status zip_writer_finish(zip_writer *self)
{
    coset_status status = COSET_OK;
    record end = {.size = 0};
    uint64_t begin = self->offset, n = (uint64_t)self->n;
    for (int64_t i = 0; i < self->n; i++) TRY(write_central(self, &self->entries[i]));
    uint64_t size = self->offset - begin;
    if (is_big(self, begin) || is_big(self, size) || n >= 0xFFFF) {
        put(&end, 0x06064B50, 4);
        put(&end, 44, 8); /* length of the rest of this record */
        put(&end, 45, 2);
        put(&end, 45, 2);
        put(&end, 0, 8); /* disks */
        put(&end, n, 8);
        put(&end, n, 8);
        put(&end, size, 8);
        put(&end, begin, 8);
        put(&end, 0x07064B50, 4);
        put(&end, 0, 4);
        put(&end, self->offset, 8);
        put(&end, 1, 4);
    }
    put(&end, 0x06054B50, 4);
    put(&end, 0, 4); /* disks */
    put(&end, n < 0xFFFF ? n : 0xFFFF, 2);
    put(&end, n < 0xFFFF ? n : 0xFFFF, 2);
    put(&end, capped(self, size), 4);
    put(&end, capped(self, begin), 4);
    put(&end, 0, 2);
    status = file_writer_put(self->file, end.bytes, end.size);
done:
    return status;
}

void zip_writer_free(coset_ctx *ctx, zip_writer *self)
{
    ctx_free(ctx, self->entries);
    *self = (zip_writer){0};
}
