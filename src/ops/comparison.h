/* Comparisons and logic: two operands to bool. */
#ifndef COSET_OPS_COMPARISON_H
#define COSET_OPS_COMPARISON_H

#include "ops/elementwise.h"

/* Output 0 is bool, of the shape to which inputs 0 and 1 broadcast; their common type is one of
 * `takes`. */
COSET_MUST_USE coset_status comparison_infer(op_infer *call, unsigned takes);

/* binary_forward with the kernel for the type of the inputs; NULL: there is none.
 * Errors: COSET_EUNSUPPORTED for types without a kernel, or without a compute type. */
COSET_MUST_USE coset_status comparison_forward(op_call *call, binary_kernel f32, binary_kernel i64,
                                               binary_kernel u64);

/* Defines a binary_kernel from operands of `type` to int64_t, whose element is `expression` of a
 * and b. */
#define COMPARISON_KERNEL(name, type, expression)                                                  \
    static bool name(const void *a_, int64_t a_step, const void *b_, int64_t b_step, void *y_,     \
                     int64_t n_)                                                                   \
    {                                                                                              \
        const type *restrict as_ = a_, *restrict bs_ = b_;                                         \
        int64_t *restrict out_ = y_;                                                               \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                      \
            const type a = as_[i_ * a_step], b = bs_[i_ * b_step];                                 \
            out_[i_] = (expression);                                                               \
        }                                                                                          \
        return true;                                                                               \
    }

#endif
