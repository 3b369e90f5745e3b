/* Any number of operands, folded one by one: Max, Min, Sum, Mean. */
#ifndef COSET_OPS_VARIADIC_H
#define COSET_OPS_VARIADIC_H

#include "ops/elementwise.h"

/* y[i] = f(y[i], x[i * x_step]) for i in [0, n); the step is 0 (repeated) or 1. */
typedef void (*fold_kernel)(void *y, const void *x, int64_t x_step, int64_t n);

/* Output 0 has the common type of the inputs, one of `takes`, and the shape to which they all
 * broadcast. */
COSET_MUST_USE coset_status variadic_infer(op_infer *call, unsigned takes);

/* Starts with input 0, folds the others in their order and brings the result to its type.
 * Errors: COSET_EUNSUPPORTED if the kernel for the type is NULL. */
COSET_MUST_USE coset_status variadic_forward(op_call *call, fold_kernel f32, fold_kernel i64);

/* Defines a fold_kernel over `type` whose element is `expression` of y and x. */
#define FOLD_KERNEL(name, type, expression)                                                        \
    static void name(void *y_, const void *x_, int64_t x_step, int64_t n_)                         \
    {                                                                                              \
        const type *restrict in_ = x_;                                                             \
        type *restrict out_ = y_;                                                                  \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                      \
            const type y = out_[i_], x = in_[i_ * x_step];                                         \
            out_[i_] = (expression);                                                               \
        }                                                                                          \
    }

#endif
