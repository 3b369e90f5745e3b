/* The list of operators (ops.def) and how a row is found. */
#include <string.h>

#include "graph/op.h"

#define OP(row) extern const coset_op row;
#include "ops/ops.def"
#undef OP

#define OP(row) &row,
static const coset_op *const rows[] = {
#include "ops/ops.def"
};
#undef OP

enum { N_ROWS = sizeof rows / sizeof rows[0] };

const coset_op *op_find(const char *domain, const char *type, int64_t version)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = ""; /* the specification makes them synonyms */
    const coset_op *found = NULL;
    for (int i = 0; i < N_ROWS; i++) {
        const coset_op *row = rows[i];
        if (row->type[0] != type[0] || strcmp(row->type, type) != 0) continue;
        if (row->since > version || strcmp(row->domain, domain) != 0) continue;
        if (!found || row->since > found->since) found = row;
    }
    return found;
}

const coset_op *op_at(int index)
{
    return index >= 0 && index < N_ROWS ? rows[index] : NULL;
}
