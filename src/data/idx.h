/* The idx format of MNIST (Y. LeCun's description): big-endian arrays. */
#ifndef COSET_DATA_IDX_H
#define COSET_DATA_IDX_H

#include "graph/tensor.h"

/* True if the bytes begin as an idx file does. */
bool idx_is(const uint8_t *bytes, size_t size);

/* Decodes unpacked idx bytes (borrowed). Errors: COSET_EFORMAT, COSET_ELIMIT naming the source. */
COSET_MUST_USE coset_status idx_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                       const char *source, tensor **tensor_out);

#endif
