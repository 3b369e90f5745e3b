/* Matrix products of both compute types. */
#ifndef COSET_OPS_PRODUCT_H
#define COSET_OPS_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

/* C = alpha op(A) op(B) + beta C in integers that wrap at 64 bits, as gemm_f32 lays out its
 * operands. Cost: m n k steps. */
void product_i64(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, int64_t alpha,
                 const int64_t *a, int64_t lda, const int64_t *b, int64_t ldb, int64_t beta,
                 int64_t *c, int64_t ldc);

/* m * n * k for sizes >= 0; INT64_MAX if it is larger. */
int64_t product_macs(int64_t m, int64_t n, int64_t k);

#endif
