/* Models: loading, saving, and what is in them. */
#ifndef COSET_GRAPH_H
#define COSET_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include <coset/context.h>
#include <coset/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A checked model. Immutable: every rewrite makes a new one; large constants are shared. */
typedef struct coset_graph coset_graph;

/* Loads an ONNX file with its external data (only from the file's own folder).
 *   path       borrowed
 *   graph_out  owned by the caller; NULL on failure
 * Errors: COSET_EIO; COSET_EFORMAT for a damaged or invalid model, COSET_ELIMIT over a fixed cap,
 * COSET_ENUMERIC for NaN or Inf in a weight: each names file, node and what was expected.
 * Cost: one pass; peak memory about the file's size on top of the mapped file. */
COSET_API COSET_MUST_USE coset_status coset_graph_load(coset_ctx *ctx, const char *path,
                                                       coset_graph **graph_out);

/* The same from memory; external data is looked for in `folder` (NULL: refused).
 *   bytes  borrowed for the call only
 *   name   for messages */
COSET_API COSET_MUST_USE coset_status coset_graph_decode(coset_ctx *ctx, const void *bytes,
                                                         size_t size, const char *name,
                                                         const char *folder,
                                                         coset_graph **graph_out);

/* Writes a model as one ONNX file, whole or not at all. An unchanged model is written back byte for
 * byte; otherwise names, metadata, doc strings, opset imports and unknown fields are kept, and
 * weights keep their element type. Errors: COSET_EIO with path and reason, COSET_EMEMORY. */
COSET_API COSET_MUST_USE coset_status coset_graph_save(coset_ctx *ctx, const coset_graph *graph,
                                                       const char *path);

/* The same to memory; bytes_out is released with coset_memory_free. */
COSET_API COSET_MUST_USE coset_status coset_graph_encode(coset_ctx *ctx, const coset_graph *graph,
                                                         void **bytes_out, size_t *size_out);

COSET_API void coset_graph_free(coset_ctx *ctx, coset_graph *graph);

/* Size of a model. params counts the elements of floating-point constants that operators read as
 * weights, biases or norm parameters (every floating constant of two or more elements, or of rank
 * >= 1, that is not shape arithmetic); nonzero those that are not 0; macs is for one sample and -1
 * if a shape is unknown; bytes is the encoded size of the constants. */
typedef struct coset_graph_size {
    int64_t params, nonzero, macs, bytes;
} coset_graph_size;

COSET_API COSET_MUST_USE coset_status coset_graph_measure(coset_ctx *ctx, const coset_graph *graph,
                                                          coset_graph_size *size_out);

/* Graph inputs that are not initialisers, and outputs. Names are lent. */
COSET_API int64_t coset_graph_inputs(const coset_graph *graph);
COSET_API int64_t coset_graph_outputs(const coset_graph *graph);
COSET_API const char *coset_graph_input_name(const coset_graph *graph, int64_t index);
COSET_API const char *coset_graph_output_name(const coset_graph *graph, int64_t index);
/* Declared shape: rank, and -1 for symbolic dimensions; dims has room for 8. rank -1: undeclared. */
COSET_API coset_dtype coset_graph_input_type(const coset_graph *graph, int64_t index, int *rank_out,
                                             int64_t *dims_out);

#ifdef __cplusplus
}
#endif

#endif
