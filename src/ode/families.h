/* Systems that are generated instead of read: the sources of data sets with a known structure. */
#ifndef COSET_ODE_FAMILIES_H
#define COSET_ODE_FAMILIES_H

#include "ode/model.h"

/* The RC circuit that distributes a clock: a binary H-tree of `depth` levels, 2^depth - 1 voltages.
 *     v11' = a11 (Vs - v11) - b2 (v11 - v21) - b3 (v11 - v22)
 *     vik' = aik (v[i-1, ceil(k/2)] - vik)              aik = 1 / (Ri Ci), b2 = b3 = 1 / (R2 C1), Vs = 2
 * with the level resistances 3.19 6.37 12.75 25.50 50 100 200 400 and capacitances
 * .28 .30 .13 .14 .07 .07 .035 .035.
 *   depth         1 to 8; depth 1 has no b2, b3
 *   perturbation  >= 0: R and C of every branch are multiplied by 1 + perturbation * uniform(-1, 1),
 *                 seeded by the context, < 1
 * Names as in the files of ERODE: vn1k1, an2k1, b2. Source: Cardelli et al., POPL 2016, with the
 * levels' constants of the project's design. */
COSET_MUST_USE coset_status family_htree(coset_ctx *ctx, int64_t depth, double perturbation,
                                         ode_model **model_out);

/* Polymerisation with two growing ends (HACA, hydrogen abstraction and acetylene addition): species A1 A2
 * A1p A2p H H2 C2H2 A1CHCHp A2CHCHp and the source I, 11 reactions.
 *   perturbation  >= 0, < 2: rates a, b, g of end 1 are 1, 2, 3 minus perturbation / 2, those of end 2
 *                 plus it, as in perturbedpolymers2 (.01); initial values as there */
COSET_MUST_USE coset_status family_polymers(coset_ctx *ctx, double perturbation,
                                            ode_model **model_out);

/* A substrate with `sites` >= 1 sites that are phosphorylated by a kinase E and dephosphorylated by a
 * phosphatase F, independently: every site is free, bound to E, phosphorylated, or phosphorylated and
 * bound to F: 4^sites + 2 species S0 = E, S1 = F, S2, ..., reactions and rates (kOnE, kOffE, kCatE, kOnF,
 * kOffF, kCatF) as in e2 and e3, which are its members with 2 and 3 sites but for the order of species.
 * The partition is theirs: {S0}, {S1}, the rest.
 *   sites         1 to 8
 *   perturbation  >= 0: every site has rates of its own (kOnE1, kOnE2, ...), multiplied by
 *                 1 + perturbation * uniform(-1, 1), seeded by the context, < 1 */
COSET_MUST_USE coset_status family_phosphorylation(coset_ctx *ctx, int64_t sites,
                                                   double perturbation, ode_model **model_out);

#endif
