/* Cases of data movement: rows, versions and corners that the official cases leave out. */
#include "support/op_literals.h"

/* clang-format off */
#define INTS(attr, ...) \
    {.name = attr, .kind = ATTR_INTS, .ints = (const int64_t[]){__VA_ARGS__}, \
     .n = COUNT(int64_t, __VA_ARGS__)}
#define FLOATS(attr, ...) \
    {.name = attr, .kind = ATTR_FLOATS, .floats = (const float[]){__VA_ARGS__}, \
     .n = COUNT(float, __VA_ARGS__)}
#define IMAGE(type, h, w, ...)      {type, {4, {1, 1, h, w}}, (const double[]){__VA_ARGS__}}

const op_case op_cases_moves[] = {
    {.name = "slice by attributes", .domain = "", .type = "Slice", .opset = 9,
     ATTRS(INTS("starts", 1, -100), INTS("ends", 9223372036854775807, -1)),
     IN(MATRIX(COSET_F32, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
     OUT(MATRIX(COSET_F32, 2, 3, 5, 6, 7, 9, 10, 11))},
    {.name = "slice of integers backwards, with int32 bounds", .domain = "", .type = "Slice",
     .opset = 13,
     IN(VECTOR(COSET_I64, 5, 1, 2, 3, 4, 5), VECTOR(COSET_I32, 1, -1), VECTOR(COSET_I32, 1, -100),
         VECTOR(COSET_I32, 1, 0), VECTOR(COSET_I32, 1, -2)),
     OUT(VECTOR(COSET_I64, 3, 5, 3, 1))},
    {.name = "slice in a step that no integer can negate", .domain = "", .type = "Slice",
     .opset = 13,
     IN(VECTOR(COSET_I64, 3, 1, 2, 3), VECTOR(COSET_I64, 1, 2), VECTOR(COSET_I64, 1, -0x1p63),
         VECTOR(COSET_I64, 1, 0), VECTOR(COSET_I64, 1, -0x1p63)),
     OUT(VECTOR(COSET_I64, 1, 3))},
    {.name = "split with sizes in an attribute", .domain = "", .type = "Split", .opset = 11,
     ATTRS(INT("axis", -1), INTS("split", 1, 2)),
     IN(MATRIX(COSET_F32, 2, 3, 1, 2, 3, 4, 5, 6)),
     OUT(MATRIX(COSET_F32, 2, 1, 1, 4), MATRIX(COSET_F32, 2, 2, 2, 3, 5, 6))},
    {.name = "split with an empty part", .domain = "", .type = "Split", .opset = 13,
     IN(VECTOR(COSET_F32, 2, 1, 2), VECTOR(COSET_I64, 2, 2, 0)),
     OUT(VECTOR(COSET_F32, 2, 1, 2), {COSET_F32, {1, {0}}, NULL})},
    {.name = "pad one of the axes", .domain = "", .type = "Pad", .opset = 18,
     IN(MATRIX(COSET_F32, 2, 2, 1, 2, 3, 4), VECTOR(COSET_I64, 2, 1, 2), SCALAR(COSET_F32, -1),
         VECTOR(COSET_I64, 1, -1)),
     OUT(MATRIX(COSET_F32, 2, 5, -1, 1, 2, -1, -1, -1, 3, 4, -1, -1))},
    {.name = "pad by removing", .domain = "", .type = "Pad", .opset = 13,
     IN(VECTOR(COSET_I64, 5, 1, 2, 3, 4, 5), VECTOR(COSET_I64, 2, -2, 1)),
     OUT(VECTOR(COSET_I64, 4, 3, 4, 5, 0))},
    {.name = "pad by more than there is to reflect", .domain = "", .type = "Pad", .opset = 13,
     ATTRS(STRING("mode", "reflect")),
     IN(VECTOR(COSET_F32, 2, 1, 2), VECTOR(COSET_I64, 2, 3, 2)),
     OUT(VECTOR(COSET_F32, 7, 2, 1, 2, 1, 2, 1, 2))},
    {.name = "pad around in circles", .domain = "", .type = "Pad", .opset = 19,
     ATTRS(STRING("mode", "wrap")),
     IN(VECTOR(COSET_F32, 3, 1, 2, 3), VECTOR(COSET_I64, 2, 4, 1)),
     OUT(VECTOR(COSET_F32, 8, 3, 1, 2, 3, 1, 2, 3, 1))},
    {.name = "expand in both directions", .domain = "", .type = "Expand", .opset = 13,
     IN(MATRIX(COSET_F32, 2, 1, 1, 2), VECTOR(COSET_I64, 3, 2, 1, 2)),
     OUT(CUBE(COSET_F32, 2, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2))},
    {.name = "tile to nothing", .domain = "", .type = "Tile", .opset = 13,
     IN(MATRIX(COSET_F32, 1, 2, 1, 2), VECTOR(COSET_I64, 2, 3, 0)),
     OUT({COSET_F32, {2, {3, 0}}, NULL})},
    {.name = "resize down before there were modes", .domain = "", .type = "Resize", .opset = 10,
     IN(IMAGE(COSET_F32, 1, 4, 1, 2, 3, 4), VECTOR(COSET_F32, 4, 1, 1, 1, 0.5)),
     OUT(IMAGE(COSET_F32, 1, 2, 1, 3))},
    {.name = "resize integers linearly", .domain = "", .type = "Resize", .opset = 13,
     ATTRS(STRING("mode", "linear"), STRING("coordinate_transformation_mode", "align_corners")),
     IN(VECTOR(COSET_I64, 2, 0, 10), ABSENT, ABSENT, VECTOR(COSET_I64, 1, 4)),
     OUT(VECTOR(COSET_I64, 4, 0, 3, 6, 10))},
    {.name = "upsample by attributes", .domain = "", .type = "Upsample", .opset = 7,
     ATTRS(FLOATS("scales", 1, 1, 1, 2), STRING("mode", "linear")),
     IN(IMAGE(COSET_F32, 1, 2, 1, 2)),
     OUT(IMAGE(COSET_F32, 1, 4, 1, 1.5, 2, 2))},
    {.name = "range that is empty", .domain = "", .type = "Range", .opset = 11,
     IN(SCALAR(COSET_I64, 5), SCALAR(COSET_I64, 5), SCALAR(COSET_I64, -1)),
     OUT({COSET_I64, {1, {0}}, NULL})},
    {.name = "range to the ends of what there is", .domain = "", .type = "Range", .opset = 11,
     IN(SCALAR(COSET_I64, -0x1p63), SCALAR(COSET_I64, 0x1p62), SCALAR(COSET_I64, 0x1p62)),
     OUT(VECTOR(COSET_I64, 3, -0x1p63, -0x1p62, 0))},
    {.name = "constant of shape, scalar", .domain = "", .type = "ConstantOfShape", .opset = 9,
     IN({COSET_I64, {1, {0}}, NULL}),
     OUT(SCALAR(COSET_F32, 0))},
    {.name = "scatter sums that wrap", .domain = "", .type = "ScatterND", .opset = 16,
     ATTRS(STRING("reduction", "add")),
     IN(VECTOR(COSET_I32, 2, 2147483647, 5), MATRIX(COSET_I64, 2, 1, 0, -2),
         VECTOR(COSET_I32, 2, 1, 1)),
     OUT(VECTOR(COSET_I32, 2, -2147483647, 5))},
};
/* clang-format on */

const int n_op_cases_moves = sizeof op_cases_moves / sizeof op_cases_moves[0];
