/* A polynomial system as a flow: slopes and Jacobians at a point, for SUNDIALS. */
#ifndef COSET_ODE_SYSTEM_FLOW_H
#define COSET_ODE_SYSTEM_FLOW_H

#include "ode/integrate.h"

typedef struct system_flow {
    const ode_system *system; /* borrowed */
    system_evaluator *evaluator;
    system_pattern pattern;
    double *values;  /* [n + n_symbols], the point that was evaluated last, then the symbols */
    double *entries; /* of the Jacobian there, by pattern */
    bool entries_known;
} system_flow;

/*   values  [n + n_symbols]; NULL: those of the system; symbols are taken from it; borrowed
 * Close with system_flow_close, also after a failure. */
COSET_MUST_USE coset_status system_flow_open(system_flow *self, const ode_system *system,
                                             const double *values);
void system_flow_close(system_flow *self);

/* The flow; `self` must stay where it is. */
ode_flow system_flow_of(system_flow *self);

/* Brings `entries` to x. False if one of them is not finite. */
bool system_flow_entries(system_flow *self, const double *x);

#endif
