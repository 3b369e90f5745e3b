/* How tables of cases are written. */
#ifndef TESTS_OP_LITERALS_H
#define TESTS_OP_LITERALS_H

#include "support/op_case.h"

/* clang-format off */
#define SCALAR(type, value)         {type, {.rank = 0}, (const double[]){value}}
#define VECTOR(type, n, ...)        {type, {1, {n}}, (const double[]){__VA_ARGS__}}
#define MATRIX(type, n, m, ...)     {type, {2, {n, m}}, (const double[]){__VA_ARGS__}}
#define CUBE(type, n, m, k, ...)    {type, {3, {n, m, k}}, (const double[]){__VA_ARGS__}}
#define ABSENT                      {COSET_UNDEFINED, {.rank = -1}, NULL}
#define FLOAT(attr, value)          {.name = attr, .kind = ATTR_FLOAT, .f = value}
#define INT(attr, value)            {.name = attr, .kind = ATTR_INT, .i = value}
#define STRING(attr, value) \
    {.name = attr, .kind = ATTR_STRING, .s = value, .n = sizeof value - 1}
#define COUNT(type, ...)            ((int)(sizeof((type[]){__VA_ARGS__}) / sizeof(type)))
#define ATTRS(...) \
    .n_attrs = COUNT(graph_attr, __VA_ARGS__), .attrs = (graph_attr[]){__VA_ARGS__}
#define IN(...)                     .n_in = COUNT(op_literal, __VA_ARGS__), .in = {__VA_ARGS__}
#define OUT(...)                    .n_out = COUNT(op_literal, __VA_ARGS__), .out = {__VA_ARGS__}
/* clang-format on */

#endif
