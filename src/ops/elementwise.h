/* What elementwise operators share: type rules, broadcasting, loops over one and two operands. */
#ifndef COSET_OPS_ELEMENTWISE_H
#define COSET_OPS_ELEMENTWISE_H

#include "graph/labels.h"
#include "graph/op.h"

/* ---- inference ------------------------------------------------------------------------------- */

/* Element types that an input may have. */
enum {
    TAKES_FLOAT = 1,
    TAKES_INTEGER = 2,
    TAKES_BOOL = 4,
    TAKES_NUMBER = TAKES_FLOAT | TAKES_INTEGER
};

/* Fails unless input `index` has one of the kinds of `takes`; an unknown type passes. */
COSET_MUST_USE coset_status infer_takes(const op_infer *call, int index, unsigned takes);
/* Output 0 has type and shape of input 0, whose type is one of `takes`. */
COSET_MUST_USE coset_status infer_same(op_infer *call, unsigned takes);
/* infer_same for floating types / for floating types and integers. */
COSET_MUST_USE coset_status infer_same_float(op_infer *call);
COSET_MUST_USE coset_status infer_same_number(op_infer *call);
/* Output 0 has the common type of inputs 0 and 1, float or integer, and their broadcast shape. */
COSET_MUST_USE coset_status infer_broadcast(op_infer *call);
/* Shape that inputs `a` and `b` of the node broadcast to (multidirectional, as NumPy): an unknown
 * rank or dimension gives an unknown one unless the other operand decides it.
 * Errors: COSET_EFORMAT naming both shapes. */
COSET_MUST_USE coset_status shape_broadcast(const op_infer *call, int a, int b, shape *shape_out);
/* The same for all inputs of the node at once. */
COSET_MUST_USE coset_status shape_broadcast_all(const op_infer *call, shape *shape_out);

/* ---- kernels --------------------------------------------------------------------------------- */

/* y[0..n) from x[0..n); elements are float or int64_t as the operator's arrays have them. */
typedef void (*unary_kernel)(const void *x, void *y, int64_t n, const void *param);

/* y[i] = f(a[i * a_step], b[i * b_step]) for i in [0, n); a step is 0 (broadcast) or 1. False if an
 * element has no result. */
typedef bool (*binary_kernel)(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                              int64_t n);

/* Runs a kernel from input 0 to output 0, on call->threads threads if there is much to do, and
 * brings the result to its declared type. f32 or i64 is chosen by the type of input 0; `param` is
 * handed to it.
 * Errors: COSET_EUNSUPPORTED if the chosen kernel is NULL or data has no compute type. */
COSET_MUST_USE coset_status unary_forward(op_call *call, unary_kernel f32, unary_kernel i64,
                                          const void *param);

/* The same over inputs 0 and 1, broadcast to the shape of output 0.
 *   failure  text of the COSET_ENUMERIC error if a kernel returns false */
COSET_MUST_USE coset_status binary_forward(op_call *call, binary_kernel kernel,
                                           const char *failure);

/* Toward zero; what int64 cannot hold goes to its nearest end, NaN to 0. */
int64_t int64_truncate(double x);

/* Copies input 0 to output 0 (which has as many elements of the same type). */
COSET_MUST_USE coset_status copy_forward(op_call *call);

/* Defines a unary_kernel over `type` whose element is `expression` of x (and of param). */
#define UNARY_KERNEL(name, type, expression)                                                       \
    static void name(const void *x_, void *y_, int64_t n_, const void *param)                      \
    {                                                                                              \
        const type *restrict in_ = x_;                                                             \
        type *restrict out_ = y_;                                                                  \
        (void)param;                                                                               \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                      \
            const type x = in_[i_];                                                                \
            out_[i_] = (type)(expression);                                                         \
        }                                                                                          \
    }

/* Defines a binary_kernel over `type` whose element is `expression` of a and b. A loop for every
 * combination of steps keeps each of them simple enough to be vectorised. */
#define BINARY_KERNEL(name, type, expression)                                                      \
    static bool name(const void *a_, int64_t a_step, const void *b_, int64_t b_step, void *y_,     \
                     int64_t n_)                                                                   \
    {                                                                                              \
        const type *restrict as_ = a_, *restrict bs_ = b_;                                         \
        type *restrict out_ = y_;                                                                  \
        if (a_step && b_step) {                                                                    \
            for (int64_t i_ = 0; i_ < n_; i_++) {                                                  \
                const type a = as_[i_], b = bs_[i_];                                               \
                out_[i_] = (type)(expression);                                                     \
            }                                                                                      \
        } else if (a_step) {                                                                       \
            const type b = bs_[0];                                                                 \
            for (int64_t i_ = 0; i_ < n_; i_++) {                                                  \
                const type a = as_[i_];                                                            \
                out_[i_] = (type)(expression);                                                     \
            }                                                                                      \
        } else {                                                                                   \
            const type a = as_[0];                                                                 \
            for (int64_t i_ = 0; i_ < n_; i_++) {                                                  \
                const type b = bs_[b_step * i_];                                                   \
                out_[i_] = (type)(expression);                                                     \
            }                                                                                      \
        }                                                                                          \
        return true;                                                                               \
    }

/* ---- labels ---------------------------------------------------------------------------------- */

/* labels_elementwise with constant operands as SLOT_ADD / SLOT_SCALE. */
COSET_MUST_USE coset_status labels_added(op_labels *call);
COSET_MUST_USE coset_status labels_scaled(op_labels *call);

#endif
