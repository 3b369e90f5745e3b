/* Element types and the compute types: float, double and int64_t. Data is little-endian, 4-bit types
 * are packed two to a byte, the first element in the low half. Nothing here fails or allocates. */
#ifndef COSET_GRAPH_CONVERT_H
#define COSET_GRAPH_CONVERT_H

#include <coset/dtype.h>

#include <stdint.h>

/* `count` elements of a floating type (dtype_is_float) -> float or double. Exact, except F64 -> float,
 * which rounds to nearest. */
void convert_to_f32(coset_dtype dtype, const void *data, int64_t count, float *values_out);
void convert_to_f64(coset_dtype dtype, const void *data, int64_t count, double *values_out);

/* float or double -> `count` elements of a floating type, rounded once to nearest, ties to even. What
 * is too large becomes infinite in F16, BF16 and F32; the 8-bit and 4-bit types saturate, as ONNX
 * Cast does. NaN stays NaN (F4E2M1 has none: its largest value), infinities stay where the type has
 * them (F8E4M3FN, F4E2M1: largest value; FNUZ types: NaN). */
void convert_from_f32(coset_dtype dtype, const float *values, int64_t count, void *data_out);
void convert_from_f64(coset_dtype dtype, const double *values, int64_t count, void *data_out);

/* The same for integers and BOOL (dtype_is_integer). U64 keeps its bits; int64_t -> narrower types
 * wraps, BOOL becomes 0 or 1. */
void convert_to_i64(coset_dtype dtype, const void *data, int64_t count, int64_t *values_out);
void convert_from_i64(coset_dtype dtype, const int64_t *values, int64_t count, void *data_out);

/* Rounds or wraps one value to what the type can hold. */
float convert_round(coset_dtype dtype, float value);
int64_t convert_wrap(coset_dtype dtype, int64_t value);

#endif
