#include "data/inflate.h"

#include <limits.h>
#define ZLIB_CONST
#include <zlib.h>

static voidpf zlib_alloc(voidpf ctx, uInt items, uInt size)
{
    void *memory = NULL;
    return ctx_alloc_raw(ctx, (int64_t)items, size, &memory) == COSET_OK ? memory : NULL;
}

static void zlib_free(voidpf ctx, voidpf memory)
{
    ctx_free(ctx, memory);
}

/* Deflate cannot expand by more than 1032:1 (RFC 1951: 258 bytes from two bits). */
static bool size_is_possible(size_t size, size_t size_out)
{
    return size_out / 1032 <= size;
}

/* Inflates into `out`, which has room for size_out bytes and is filled whole or it is an error. zlib
 * counts in unsigned int, so that both sides are handed over in pieces. */
static coset_status inflate_whole(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                  const char *name, int window_bits, uint8_t *out, size_t size_out)
{
    coset_status status = COSET_OK;
    uint8_t over = 0; /* where a byte too many goes, to be noticed */
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = ctx};
    int result = inflateInit2(&stream, window_bits);
    if (result != Z_OK) return ctx_fail(ctx, COSET_EMEMORY, "%s: out of memory", name);
    stream.next_in = bytes;
    stream.next_out = out;
    while (result == Z_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = size > UINT_MAX ? UINT_MAX : (uInt)size;
            size -= stream.avail_in;
        }
        if (stream.avail_out == 0) {
            if (size_out == 0 && stream.next_out == &over + 1) break;
            if (size_out == 0) stream.next_out = &over;
            stream.avail_out = size_out == 0 ? 1 : size_out > UINT_MAX ? UINT_MAX : (uInt)size_out;
            size_out -= size_out == 0 ? 0 : stream.avail_out;
        }
        result = inflate(&stream, Z_NO_FLUSH);
    }
    bool full = size_out == 0 && (stream.avail_out == 0 || stream.next_out == &over);
    if (result == Z_MEM_ERROR)
        status = ctx_fail(ctx, COSET_EMEMORY, "%s: out of memory", name);
    else if (result != Z_STREAM_END)
        status = ctx_fail(ctx, COSET_EFORMAT, "%s: the compressed data is damaged: %s", name,
                          stream.msg ? stream.msg : "its length is wrong");
    else if (!full || stream.next_out == &over + 1 || stream.avail_in > 0 || size > 0)
        status = ctx_fail(ctx, COSET_EFORMAT,
                          "%s: the compressed data has another length than "
                          "declared",
                          name);
    inflateEnd(&stream);
    return status;
}

coset_status inflate_raw(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                         size_t size_out, uint8_t **bytes_out)
{
    *bytes_out = NULL;
    if (!size_is_possible(size, size_out))
        return ctx_fail(ctx, COSET_EFORMAT, "%s: declares %zu bytes in %zu compressed ones", name,
                        size_out, size);
    coset_status status = ctx_alloc_raw(ctx, (int64_t)size_out, 1, bytes_out);
    if (status == COSET_OK)
        status = inflate_whole(ctx, bytes, size, name, -MAX_WBITS, *bytes_out, size_out);
    if (status != COSET_OK) {
        ctx_free(ctx, *bytes_out);
        *bytes_out = NULL;
    }
    return status;
}

bool inflate_is_gzip(const uint8_t *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

coset_status inflate_gzip(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                          uint8_t **bytes_out, size_t *size_out)
{
    *bytes_out = NULL;
    *size_out = 0;
    if (size < 18) return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a whole gzip file", name);
    /* The last four bytes hold the length. */
    const uint8_t *end = bytes + size - 4;
    size_t length =
        (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    if (!size_is_possible(size, length))
        return ctx_fail(ctx, COSET_EFORMAT, "%s: declares %zu bytes in %zu compressed ones", name,
                        length, size);
    coset_status status = ctx_alloc_raw(ctx, (int64_t)length, 1, bytes_out);
    if (status == COSET_OK)
        status = inflate_whole(ctx, bytes, size, name, MAX_WBITS + 16, *bytes_out, length);
    if (status == COSET_OK) {
        *size_out = length;
    } else {
        ctx_free(ctx, *bytes_out);
        *bytes_out = NULL;
    }
    return status;
}
