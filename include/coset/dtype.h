/* Element types. */
#ifndef COSET_DTYPE_H
#define COSET_DTYPE_H

#include <stddef.h>

#include <coset/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbered as TensorProto.DataType of the ONNX specification. */
typedef enum coset_dtype {
    COSET_UNDEFINED = 0,
    COSET_F32 = 1,
    COSET_U8 = 2,
    COSET_I8 = 3,
    COSET_U16 = 4,
    COSET_I16 = 5,
    COSET_I32 = 6,
    COSET_I64 = 7,
    COSET_STRING = 8,
    COSET_BOOL = 9,
    COSET_F16 = 10,
    COSET_F64 = 11,
    COSET_U32 = 12,
    COSET_U64 = 13,
    COSET_C64 = 14,
    COSET_C128 = 15,
    COSET_BF16 = 16,
    COSET_F8E4M3FN = 17,
    COSET_F8E4M3FNUZ = 18,
    COSET_F8E5M2 = 19,
    COSET_F8E5M2FNUZ = 20,
    COSET_U4 = 21,
    COSET_I4 = 22,
    COSET_F4E2M1 = 23
} coset_dtype;

/* Name as ONNX spells it in lower case, "float16"; "undefined" for what is not a type. */
COSET_API const char *coset_dtype_name(coset_dtype dtype);

/* Bits of one element: 4 for U4, I4 and F4E2M1; 0 for STRING, UNDEFINED and unknown types. */
COSET_API size_t coset_dtype_bits(coset_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
