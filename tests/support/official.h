/* The official ONNX test cases: folders with model.onnx and test_data_set_N/{input,output}_I.pb. */
#ifndef TESTS_OFFICIAL_H
#define TESTS_OFFICIAL_H

#include "graph/ir.h"

enum { OFFICIAL_MAX_VALUES = 16 };

/* Folder of the cases (with node/, simple/, ...); NULL if they are not installed. */
const char *official_folder(void);

/* Calls visit for each case below `group` ("node") in the order of their names.
 *   name    "node/test_relu"
 *   folder  path of the case */
void official_each(const char *group,
                   void (*visit)(void *user, const char *name, const char *folder), void *user);

/* Inputs or outputs of one data set. */
typedef struct official_values {
    int n;
    tensor *tensors[OFFICIAL_MAX_VALUES];
    array values[OFFICIAL_MAX_VALUES];
    void *memory[OFFICIAL_MAX_VALUES];
} official_values;

/* Reads test_data_set_`set`/`prefix`_0.pb, _1.pb, ...; n = 0 if there are none. Some cases hold the
 * bits of bfloat16 as uint16: they are taken for what the graph declares of values[i].
 *   values  [n_values] graph->inputs or graph->outputs; borrowed
 * Errors: those of decoding; COSET_EUNSUPPORTED for element types without a compute type. */
COSET_MUST_USE coset_status official_read(coset_ctx *ctx, const char *folder, int set,
                                          const char *prefix, const coset_graph *graph,
                                          const int32_t *values, int64_t n_values,
                                          official_values *values_out);
void official_free(coset_ctx *ctx, official_values *values);
/* Number of data sets of a case. */
int official_sets(const char *folder);

#endif
