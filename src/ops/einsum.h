/* The equation of an Einsum. */
#ifndef COSET_OPS_EINSUM_H
#define COSET_OPS_EINSUM_H

#include "graph/op.h"

/* 26 lower and 26 upper case letters, and the axes that "..." may stand for. */
enum { EINSUM_OPERANDS = 4, EINSUM_LETTERS = 52 + TENSOR_MAX_RANK };

/* The equation with "..." spelled out: every axis of every operand has a letter. Letters of "..."
 * are aligned at its end. */
typedef struct einsum {
    int n;                                            /* operands */
    int rank[EINSUM_OPERANDS + 1];                    /* [n]: the result */
    int letter[EINSUM_OPERANDS + 1][TENSOR_MAX_RANK]; /* of each axis */
    int64_t size[EINSUM_LETTERS];                     /* -1: unknown; 0 where not used */
    bool used[EINSUM_LETTERS];
} einsum;

/* Parses the node's equation for operands of these shapes; known_out is false if a rank must be known
 * first. Errors: COSET_EFORMAT for an equation that is malformed or does not fit the shapes;
 * COSET_EUNSUPPORTED for more operands than EINSUM_OPERANDS. */
COSET_MUST_USE coset_status einsum_parse(const op_node *at, const shape *const *operands,
                                         einsum *self_out, bool *known_out);

/* The letter occurs in operand `o` (n: in the result). */
bool einsum_has(const einsum *self, int o, int letter);

#endif
