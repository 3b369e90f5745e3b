#include "ops/product.h"

#include "base/size.h"

/* Signed overflow is undefined; wrapping goes through uint64_t. */
void product_i64(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, int64_t alpha,
                 const int64_t *a, int64_t lda, const int64_t *b, int64_t ldb, int64_t beta,
                 int64_t *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++) {
        int64_t *row = c + i * ldc;
        for (int64_t j = 0; j < n; j++)
            row[j] = beta == 0 ? 0 : (int64_t)((uint64_t)beta * (uint64_t)row[j]);
        for (int64_t l = 0; l < k; l++) {
            uint64_t left = (uint64_t)alpha * (uint64_t)(trans_a ? a[l * lda + i] : a[i * lda + l]);
            for (int64_t j = 0; j < n; j++) {
                uint64_t right = (uint64_t)(trans_b ? b[j * ldb + l] : b[l * ldb + j]);
                row[j] = (int64_t)((uint64_t)row[j] + left * right);
            }
        }
    }
}

int64_t product_macs(int64_t m, int64_t n, int64_t k)
{
    int64_t product = 0;
    if (m == 0 || n == 0 || k == 0) return 0;
    return dim_mul(m, n, &product) && dim_mul(product, k, &product) ? product : INT64_MAX;
}
