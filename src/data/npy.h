/* NumPy's .npy format, versions 1 to 3 (numpy.lib.format). */
#ifndef COSET_DATA_NPY_H
#define COSET_DATA_NPY_H

#include "graph/tensor.h"

/* Decodes an array: bool, integers, floats of 16 to 64 bits and complex numbers, either byte order, C
 * or Fortran order (the result is row-major).
 *   bytes       borrowed
 *   source      for messages
 *   tensor_out  one reference, owned by the caller
 * Errors: COSET_EFORMAT, COSET_EUNSUPPORTED for strings, dates, objects and records, COSET_ELIMIT. */
COSET_MUST_USE coset_status npy_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                       const char *source, tensor **tensor_out);

/* Writes the header of a row-major little-endian array of this type and shape. Types that NumPy lacks
 * have none: COSET_EUNSUPPORTED. */
enum { NPY_HEADER = 320 };
COSET_MUST_USE coset_status npy_header(coset_ctx *ctx, coset_dtype dtype, const shape *dims,
                                       char text_out[NPY_HEADER], size_t *size_out);

#endif
