/* Running an If: an executor for each of its branches that may be taken. */
#ifndef COSET_EXEC_BRANCHES_H
#define COSET_EXEC_BRANCHES_H

#include "exec/exec.h"

typedef struct branch_run branch_run;

/* Plans the branches of a node that has some.
 *   facts  of the graph around it; borrowed for the result's life
 * Errors: those of executor_new, of a branch that may be taken. */
COSET_MUST_USE coset_status branch_run_new(coset_ctx *ctx, const graph_node *node,
                                           const graph_facts *facts, branch_run **run_out);
/* Runs the branch that the condition chooses.
 *   values  of the graph around: those that the node reads or captures have data
 *   out     [node->n_outputs] of the planned shapes; absent: data NULL
 * Errors: those of kernels. */
COSET_MUST_USE coset_status branch_run_step(branch_run *self, const array *values, array *out);
void branch_run_free(coset_ctx *ctx, branch_run *self);

#endif
