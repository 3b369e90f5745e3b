/* Bytes of safetensors files, made by hand in tests. */
#ifndef COSET_TESTS_SUPPORT_TENSORS_H
#define COSET_TESTS_SUPPORT_TENSORS_H

#include "support/linalg.h"

#include <string.h>

/* Bytes of a safetensors file with this header and so many zero bytes of data. */
static inline char *tensors(const char *header, size_t data, size_t *size_out)
{
    size_t length = strlen(header);
    char *bytes = calloc(8 + length + data + 1, 1);
    assert_non_null(bytes);
    for (int b = 0; b < 8; b++) bytes[b] = (char)((uint64_t)length >> 8 * b);
    memcpy(bytes + 8, header, length);
    *size_out = 8 + length + data;
    return bytes;
}

#endif
