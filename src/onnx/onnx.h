/* ONNX decoding beside the public calls of coset/graph.h. */
#ifndef COSET_ONNX_ONNX_H
#define COSET_ONNX_ONNX_H

#include "graph/ir.h"

/* Decodes a lone TensorProto, as the official test data has them (input_0.pb).
 *   bytes       borrowed for the call
 *   tensor_out  one reference, owned by the caller
 * Errors: COSET_EFORMAT, COSET_EUNSUPPORTED, COSET_ELIMIT, COSET_EMEMORY. */
COSET_MUST_USE coset_status onnx_decode_tensor(coset_ctx *ctx, const void *bytes, size_t size,
                                               tensor **tensor_out);

#endif
