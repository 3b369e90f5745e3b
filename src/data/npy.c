#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

typedef struct npy_type {
    const char *code; /* without the byte order */
    coset_dtype dtype;
    size_t part; /* bytes that are reversed in the other byte order */
} npy_type;

static const npy_type types[] = {{"b1", COSET_BOOL, 1}, {"u1", COSET_U8, 1},   {"u2", COSET_U16, 2},
                                 {"u4", COSET_U32, 4},  {"u8", COSET_U64, 8},  {"i1", COSET_I8, 1},
                                 {"i2", COSET_I16, 2},  {"i4", COSET_I32, 4},  {"i8", COSET_I64, 8},
                                 {"f2", COSET_F16, 2},  {"f4", COSET_F32, 4},  {"f8", COSET_F64, 8},
                                 {"c8", COSET_C64, 4},  {"c16", COSET_C128, 8}};
enum { TYPES = sizeof types / sizeof types[0] };

typedef struct npy_facts {
    const npy_type *type;
    bool reversed, fortran;
    shape shape;
} npy_facts;

/* ---- the header: a Python literal -------------------------------------------------------------- */

typedef struct cursor {
    coset_ctx *ctx;
    const char *source, *at, *end;
} cursor;

static coset_status fail_header(const cursor *self, const char *what)
{
    return ctx_fail(self->ctx, COSET_EFORMAT, "%s: damaged .npy header: %s", self->source, what);
}

static void skip_space(cursor *self)
{
    while (self->at < self->end && (*self->at == ' ' || *self->at == '\n' || *self->at == '\t'))
        self->at++;
}

static bool take(cursor *self, char c)
{
    skip_space(self);
    if (self->at == self->end || *self->at != c) return false;
    self->at++;
    return true;
}

/* A string without escapes into text; false if there is none, or it is too long. */
static bool take_string(cursor *self, char *text, size_t size)
{
    skip_space(self);
    if (self->at == self->end || (*self->at != '\'' && *self->at != '"')) return false;
    char quote = *self->at++;
    size_t length = 0;
    while (self->at < self->end && *self->at != quote && length + 1 < size)
        text[length++] = *self->at++;
    text[length] = '\0';
    return take(self, quote);
}

static bool take_word(cursor *self, const char *word)
{
    skip_space(self);
    size_t length = strlen(word);
    if ((size_t)(self->end - self->at) < length || memcmp(self->at, word, length) != 0)
        return false;
    self->at += length;
    return true;
}

static bool take_dim(cursor *self, int64_t *dim_out)
{
    skip_space(self);
    int64_t value = 0;
    const char *begin = self->at;
    for (; self->at < self->end && *self->at >= '0' && *self->at <= '9'; self->at++)
        if (!dim_mul(value, 10, &value) || !dim_add(value, *self->at - '0', &value)) return false;
    *dim_out = value;
    bool found = self->at > begin;
    /* Python 2 wrote long integers with a suffix. */
    if (found && self->at < self->end && *self->at == 'L') self->at++;
    return found;
}

static coset_status take_shape(cursor *self, shape *shape_out)
{
    *shape_out = (shape){.rank = 0};
    if (!take(self, '(')) return fail_header(self, "no shape");
    while (!take(self, ')')) {
        if (shape_out->rank == TENSOR_MAX_RANK)
            return ctx_fail(self->ctx, COSET_ELIMIT, "%s: more than %d dimensions", self->source,
                            TENSOR_MAX_RANK);
        if (!take_dim(self, &shape_out->dims[shape_out->rank]))
            return fail_header(self, "its shape");
        shape_out->rank++;
        if (!take(self, ',') && !(self->at < self->end && *self->at == ')'))
            return fail_header(self, "its shape");
    }
    return COSET_OK;
}

static coset_status take_type(cursor *self, npy_facts *facts)
{
    char code[32];
    skip_space(self);
    if (self->at < self->end && *self->at == '[')
        return ctx_fail(self->ctx, COSET_EUNSUPPORTED, "%s: an array of records", self->source);
    if (!take_string(self, code, sizeof code)) return fail_header(self, "its element type");
    facts->reversed = code[0] == '>';
    for (int i = 0; i < TYPES; i++)
        if (code[0] != '\0' && strchr("<>|=", code[0]) && strcmp(code + 1, types[i].code) == 0)
            facts->type = &types[i];
    if (facts->type != NULL) return COSET_OK;
    const char *what = strchr(code, 'O') ? "Python objects (pickled data is never read)"
                       : strchr(code, 'U') || strchr(code, 'S') ? "strings"
                       : strchr(code, 'M') || strchr(code, 'm') ? "dates"
                                                                : "elements of an unknown type";
    return ctx_fail(self->ctx, COSET_EUNSUPPORTED,
                    "%s: an array of %s ('%s'): numbers and booleans are read", self->source, what,
                    code);
}

static coset_status read_header(cursor *self, npy_facts *facts)
{
    enum { DESCR = 1, FORTRAN = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    coset_status status = COSET_OK;
    if (!take(self, '{')) return fail_header(self, "no '{'");
    while (!take(self, '}')) {
        char key[32];
        if (!take_string(self, key, sizeof key) || !take(self, ':'))
            return fail_header(self, "its keys");
        int bit = 0;
        if (strcmp(key, "descr") == 0) {
            bit = DESCR;
            status = take_type(self, facts);
        } else if (strcmp(key, "fortran_order") == 0) {
            bit = FORTRAN;
            facts->fortran = take_word(self, "True");
            if (!facts->fortran && !take_word(self, "False"))
                status = fail_header(self, "its order");
        } else if (strcmp(key, "shape") == 0) {
            bit = SHAPE;
            status = take_shape(self, &facts->shape);
        }
        if (status != COSET_OK) return status;
        if (bit == 0 || (seen & bit)) return fail_header(self, "its keys");
        seen |= bit;
        if (!take(self, ',') && !(self->at < self->end && *self->at == '}'))
            return fail_header(self, "no '}'");
    }
    skip_space(self);
    if (self->at != self->end) return fail_header(self, "text behind it");
    return seen == ALL ? COSET_OK : fail_header(self, "a key is missing");
}

/* Splits the file into header and data; the length field has 2 bytes in version 1, 4 in 2 and 3. */
static coset_status find_header(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                const char *source, cursor *header_out)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a .npy array", source);
    int version = bytes[6];
    if (version < 1 || version > 3)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: .npy version %d; 1 to 3 are read", source,
                        version);
    size_t begin = version == 1 ? 10 : 12;
    if (size < begin) return ctx_fail(ctx, COSET_EFORMAT, "%s: is cut off", source);
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (!range_inside(begin, length, size))
        return ctx_fail(ctx, COSET_EFORMAT, "%s: is cut off in its header", source);
    const char *at = (const char *)bytes + begin;
    *header_out = (cursor){.ctx = ctx, .source = source, .at = at, .end = at + length};
    return COSET_OK;
}

/* ---- the data ---------------------------------------------------------------------------------- */

static void reverse_parts(uint8_t *data, size_t size, size_t part)
{
    for (size_t at = 0; at + part <= size; at += part)
        for (size_t i = 0; i < part / 2; i++) {
            uint8_t low = data[at + i];
            data[at + i] = data[at + part - 1 - i];
            data[at + part - 1 - i] = low;
        }
}

/* Column-major `from` -> row-major `to`: counts up the index of the row-major position and keeps the
 * column-major offset that belongs to it. */
static void copy_transposed(const shape *dims, size_t element, const uint8_t *from, uint8_t *to)
{
    int64_t index[TENSOR_MAX_RANK] = {0}, stride[TENSOR_MAX_RANK] = {0};
    int64_t count = 1, offset = 0;
    for (int i = 0; i < dims->rank; i++) {
        stride[i] = count;
        count *= dims->dims[i];
    }
    for (int64_t n = 0; n < count; n++) {
        memcpy(to + (size_t)n * element, from + (size_t)offset * element, element);
        for (int axis = dims->rank - 1; axis >= 0; axis--) {
            offset += stride[axis];
            if (++index[axis] < dims->dims[axis]) break;
            offset -= stride[axis] * dims->dims[axis];
            index[axis] = 0;
        }
    }
}

coset_status npy_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *source,
                        tensor **tensor_out)
{
    coset_status status = COSET_OK;
    cursor header = {0};
    npy_facts facts = {0};
    uint8_t *data = NULL;
    size_t need = 0;
    *tensor_out = NULL;
    TRY(find_header(ctx, bytes, size, source, &header));
    const uint8_t *contents = (const uint8_t *)header.end;
    size_t left = size - (size_t)(contents - bytes);
    TRY(read_header(&header, &facts));
    status = tensor_bytes(ctx, facts.type->dtype, &facts.shape, &need);
    if (status != COSET_OK) {
        status = ctx_fail_in(ctx, status, "%s", source);
        goto done;
    }
    if (left != need)
        FAIL(ctx, COSET_EFORMAT, "%s: holds %zu bytes of data, its header asks for %zu", source,
             left, need);
    TRY(ctx_alloc_raw(ctx, (int64_t)need, 1, &data));
    if (facts.fortran && facts.shape.rank > 1)
        copy_transposed(&facts.shape, coset_dtype_bits(facts.type->dtype) / 8, contents, data);
    else if (need > 0)
        memcpy(data, contents, need);
    if (facts.reversed) reverse_parts(data, need, facts.type->part);
    for (size_t i = 0; facts.type->dtype == COSET_BOOL && i < need; i++) data[i] = data[i] != 0;
    TRY(tensor_new(ctx, facts.type->dtype, &facts.shape, data, need, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

coset_status npy_header(coset_ctx *ctx, coset_dtype dtype, const shape *dims,
                        char text_out[NPY_HEADER], size_t *size_out)
{
    const npy_type *type = NULL;
    for (int i = 0; i < TYPES; i++)
        if (types[i].dtype == dtype) type = &types[i];
    if (type == NULL)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "NumPy has no type for %s",
                        coset_dtype_name(dtype));
    char list[SHAPE_TEXT];
    int length = 0;
    list[0] = '\0';
    for (int i = 0; i < dims->rank; i++)
        length +=
            snprintf(list + length, sizeof list - (size_t)length, "%s%lld%s", i > 0 ? " " : "",
                     (long long)dims->dims[i], i + 1 < dims->rank || dims->rank == 1 ? "," : "");
    int used = snprintf(text_out + 10, NPY_HEADER - 10,
                        "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                        type->part == 1 ? '|' : '<', type->code, list);
    /* Padded with spaces so that the data begins at a multiple of 64, and ended by a newline. */
    size_t total = ((size_t)used + 11 + 63) / 64 * 64;
    memset(text_out + 10 + used, ' ', total - 10 - (size_t)used);
    text_out[total - 1] = '\n';
    memcpy(text_out, "\x93NUMPY\x01\x00", 8);
    text_out[8] = (char)((total - 10) & 0xFF);
    text_out[9] = (char)((total - 10) >> 8);
    *size_out = total;
    return COSET_OK;
}
