/* Tensors: constant data as a model stores it (`tensor`), and data in a compute type (`array`). */
#ifndef COSET_GRAPH_TENSOR_H
#define COSET_GRAPH_TENSOR_H

#include <coset/dtype.h>

#include "base/ctx.h"

enum { TENSOR_MAX_RANK = 8 };
/* No tensor has more elements; a declared shape over it is refused. */
#define TENSOR_MAX_ELEMENTS ((int64_t)1 << 40)

/* rank -1: unknown rank; a dimension of -1: unknown size. */
typedef struct shape {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
} shape;

#define SHAPE_UNKNOWN ((shape){.rank = -1})

bool shape_known(const shape *self); /* rank and every dimension */
bool shape_equal(const shape *a, const shape *b);
/* Elements of a known shape; COSET_ELIMIT over TENSOR_MAX_ELEMENTS, COSET_EARGUMENT if unknown. */
COSET_MUST_USE coset_status shape_elements(coset_ctx *ctx, const shape *self, int64_t *count_out);
/* Product of dims[from..to) of a known shape; the caller knows that it fits (checked tensors do). */
int64_t shape_product(const shape *self, int from, int to);
/* "[2, ?, 5]" into text; always NUL-terminated. Returns text. */
const char *shape_text(const shape *self, char *text, size_t size);
enum { SHAPE_TEXT = 192 };

/* Constant data in its declared element type, as in a model file: little-endian, row-major, 4-bit
 * types packed two to a byte, bool one byte. Immutable once made; reference counted. */
typedef struct tensor {
    int references; /* atomic */
    coset_dtype dtype;
    shape shape;
    size_t bytes;
    const void *data; /* 64-byte aligned; owned */
    char **strings;   /* only for COSET_STRING: elements, one allocation; data is NULL */
} tensor;

/* Makes a tensor that takes over `data` (from ctx_alloc, `bytes` long; NULL allocates zeroed).
 * On failure data stays the caller's. Errors: COSET_EMEMORY, COSET_ELIMIT; COSET_EFORMAT if bytes
 * does not fit dtype and shape. */
COSET_MUST_USE coset_status tensor_new(coset_ctx *ctx, coset_dtype dtype, const shape *shape,
                                       void *data, size_t bytes, tensor **tensor_out);
/* Bytes that dtype and shape need. */
COSET_MUST_USE coset_status tensor_bytes(coset_ctx *ctx, coset_dtype dtype, const shape *shape,
                                         size_t *bytes_out);
tensor *tensor_retain(tensor *self);
void tensor_release(coset_ctx *ctx, tensor *self); /* NULL is allowed */
int64_t tensor_elements(const tensor *self);

/* True for F16, BF16, F32, F64 and the 8-bit and 4-bit floats: computed in f32. */
bool dtype_is_float(coset_dtype dtype);
/* True for the integers and BOOL: computed in int64_t. */
bool dtype_is_integer(coset_dtype dtype);

/* Data in a compute type: float for floating element types, int64_t for integers and BOOL. The
 * declared type is kept, so that integer results can wrap and results can be written back. Complex
 * and string data have no compute type (data is NULL). */
typedef struct array {
    coset_dtype dtype;
    shape shape;
    union {
        void *data;
        float *f;
        int64_t *i;
    };
} array;

/* Bytes of one element in its compute type: 4 or 8; 0 if there is none. */
size_t array_element_size(coset_dtype dtype);

/* Tensor -> compute type. Values are exact except f64 -> f32 (rounded to nearest).
 *   memory_out  NULL if array_out lends the tensor's own data (F32, I64), else an allocation that
 *               array_out points into; owned by the caller
 * Errors: COSET_EMEMORY; COSET_EUNSUPPORTED for complex and strings. */
COSET_MUST_USE coset_status tensor_to_array(coset_ctx *ctx, const tensor *self, array *array_out,
                                            void **memory_out);
/* Compute type -> tensor of array->dtype; f16 and the small floats round to nearest even, integers
 * wrap. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status tensor_from_array(coset_ctx *ctx, const array *values,
                                              tensor **tensor_out);
/* Elements [0, count) of a floating tensor as f64 / f64 as a tensor of a floating dtype. */
COSET_MUST_USE coset_status tensor_to_f64(coset_ctx *ctx, const tensor *self, double **values_out);
COSET_MUST_USE coset_status tensor_from_f64(coset_ctx *ctx, coset_dtype dtype, const shape *shape,
                                            const double *values, tensor **tensor_out);

/* One element of a floating tensor of 8 bits or more. */
double tensor_value(const tensor *self, int64_t index);

/* Brings every element to what its declared type can hold: integers wrap to their width, bool to
 * 0 or 1, f16 and smaller floats round. Nothing to do for F32, F64 and I64. */
void array_normalise(array *self);

/* Index of the first element that is NaN or Inf, or -1. */
int64_t tensor_find_nonfinite(const tensor *self);

#endif
