/* The coarsest exact equivalences, as lumpings of a graph. */
#include "base/rng.h"
#include "ode/lump_graph.h"
#include "ode/partition.h"

/* ---- forward ---- */

/* d m / d x at a random point r of the field, for every factor x of every monomial m.
 *   at_out  [all factors] residues
 * Two variables are to be told apart iff some d_i F_H - d_j F_H is not the zero polynomial. Instead of
 * comparing coefficients, monomial by monomial, we take its value at r: a polynomial of degree d < 64
 * that is not 0 vanishes at no more than d of 2^61 - 1 points (Schwartz and Zippel). The partition can be
 * wrong only if this happens for one of the pairs that are compared, with a probability of less than
 * 2^-55 for each; and it would still fail the check by system_violation. r is fixed, not the context's
 * seed: the same file has the same blocks, always. */
static coset_status derivatives(const ode_system *system, uint64_t **at_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    rng random = rng_seed(0x436F736574, 1);
    uint64_t *r = NULL, *at = NULL;
    TRY(ctx_alloc_raw(ctx, system->n, sizeof *r, &r));
    TRY(ctx_alloc_raw(ctx, system->factor_start[system->n_monomials], sizeof *at, &at));
    for (int64_t i = 0; i < system->n; i++)
        r[i] = (uint64_t)rng_below(&random, (int64_t)NUMBER_PRIME);
    for (int64_t m = 0; m < system->n_monomials; m++) {
        const factor *factors = system->factors;
        int64_t first = system->factor_start[m], end = system->factor_start[m + 1];
        uint64_t before = 1, after = 1;
        for (int64_t f = first; f < end; f++) {
            uint64_t power = (uint64_t)factors[f].power;
            uint64_t rest = residue_power(r[factors[f].id], power - 1);
            at[f] = residue_mul(before, residue_mul(power, rest));
            before = residue_mul(before, residue_mul(rest, r[factors[f].id]));
        }
        for (int64_t f = end - 1; f >= first; f--) {
            at[f] = residue_mul(at[f], after);
            after = residue_mul(after, residue_power(r[factors[f].id], (uint64_t)factors[f].power));
        }
    }
    *at_out = at;
    at = NULL;
done:
    ctx_free(ctx, r);
    ctx_free(ctx, at);
    return status;
}

static int64_t edges_of_terms(const ode_system *system)
{
    int64_t edges = 0;
    for (int64_t t = 0; t < system->row_start[system->n]; t++)
        edges += system->factor_start[system->monomial[t] + 1] -
                 system->factor_start[system->monomial[t]];
    return edges;
}

/* Appends the edges into variable k, one for each source.
 *   edge_of  [n] the last edge of a source, plus 1 */
static void forward_edges(const ode_system *system, const uint64_t *derivative, int64_t k,
                          int64_t *edge_of, lump_graph *graph)
{
    int64_t first = graph->start[k], used = first;
    for (int64_t t = system->row_start[k]; t < system->row_start[k + 1]; t++) {
        int64_t m = system->monomial[t];
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
            int32_t source = system->factors[f].id;
            uint64_t weight = residue_mul(system->coefficient[t].residue, derivative[f]);
            if (edge_of[source] > first) { /* is an edge into k */
                uint64_t *sum = &graph->weight[edge_of[source] - 1];
                *sum = residue_add(*sum, weight);
            } else {
                graph->source[used] = source;
                graph->weight[used] = weight;
                edge_of[source] = ++used;
            }
        }
    }
    for (int64_t e = first; e < used; e++) graph->weight[e] = lump_weight(graph->weight[e]);
    graph->start[k + 1] = used;
}

/* Edges i -> k with d_i f_k at a random point as weight: the Jacobian there. The sum into a block H
 * is d_i F_H. */
static coset_status forward_graph(const ode_system *system, lump_graph *graph)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    uint64_t *derivative = NULL;
    int64_t *edge_of = NULL, edges = edges_of_terms(system);
    graph->n = system->n;
    TRY(derivatives(system, &derivative));
    TRY(ctx_alloc(ctx, system->n, sizeof *edge_of, &edge_of));
    TRY(ctx_alloc(ctx, system->n + 1, sizeof *graph->start, &graph->start));
    TRY(ctx_alloc_raw(ctx, edges, sizeof *graph->source, &graph->source));
    TRY(ctx_alloc_raw(ctx, edges, sizeof *graph->weight, &graph->weight));
    for (int64_t k = 0; k < system->n; k++) forward_edges(system, derivative, k, edge_of, graph);
done:
    ctx_free(ctx, derivative);
    ctx_free(ctx, edge_of);
    return status;
}

/* ---- backward ---- */

/* Nodes are variables, then monomials. Edges i -> m with the coefficient of m in f_i, and m -> v with
 * the power of v in m: monomials in one block have equal powers of every block of variables, so they
 * become one when variables are replaced by representatives, and two variables of one block have equal
 * coefficients of what is one. */
static coset_status backward_graph(const ode_system *system, lump_graph *graph)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    int64_t n = system->n, n_factors = system->factor_start[system->n_monomials];
    int64_t *next = NULL; /* [nodes] where the next edge into a node goes */
    graph->n = n + system->n_monomials;
    TRY(ctx_alloc(ctx, graph->n + 1, sizeof *graph->start, &graph->start));
    TRY(ctx_alloc_raw(ctx, graph->n, sizeof *next, &next));
    for (int64_t f = 0; f < n_factors; f++) graph->start[system->factors[f].id + 1]++;
    for (int64_t t = 0; t < system->row_start[n]; t++) graph->start[n + system->monomial[t] + 1]++;
    for (int64_t i = 0; i < graph->n; i++) {
        next[i] = graph->start[i];
        graph->start[i + 1] += graph->start[i];
    }
    TRY(ctx_alloc_raw(ctx, graph->start[graph->n], sizeof *graph->source, &graph->source));
    TRY(ctx_alloc_raw(ctx, graph->start[graph->n], sizeof *graph->weight, &graph->weight));
    for (int64_t m = 0; m < system->n_monomials; m++) {
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
            int64_t edge = next[system->factors[f].id]++;
            graph->source[edge] = (int32_t)(n + m);
            graph->weight[edge] = (uint64_t)system->factors[f].power;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t t = system->row_start[i]; t < system->row_start[i + 1]; t++) {
            int64_t edge = next[n + system->monomial[t]]++;
            graph->source[edge] = (int32_t)i;
            graph->weight[edge] = lump_weight(system->coefficient[t].residue);
        }
    }
done:
    ctx_free(ctx, next);
    return status;
}

/* ---- both ---- */

/* Blocks of the nodes of a graph: of the variables as given, monomials, if they are nodes, in one. */
static coset_status initial_blocks(coset_ctx *ctx, const partition *initial, int64_t nodes,
                                   int32_t **block_out, int64_t *n_blocks_out)
{
    coset_status status = COSET_OK;
    int32_t *block = NULL;
    TRY(ctx_alloc_raw(ctx, nodes, sizeof *block, &block));
    for (int64_t i = 0; i < nodes; i++)
        block[i] = (int32_t)(i < initial->n ? initial->block_of[i] : initial->n_blocks);
    *block_out = block;
    *n_blocks_out = initial->n_blocks + (nodes > initial->n);
done:
    return status;
}

coset_status partition_refine_exact(const ode_system *system, equivalence kind,
                                    const partition *initial, partition *out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    lump_graph graph = {0};
    int32_t *block = NULL;
    int64_t *labels = NULL, n_blocks = 0;
    *out = (partition){0};
    if (system->n_symbols != 0 || initial->n != system->n)
        FAIL(ctx, COSET_EARGUMENT,
             "refinement needs numbers for all parameters and a partition of "
             "the system's own variables");
    if (system->n_monomials > INT32_MAX - system->n)
        FAIL(ctx, COSET_ELIMIT, "refinement of %lld variables with %lld monomials; the limit is %d",
             (long long)system->n, (long long)system->n_monomials, (int)INT32_MAX);
    TRY((kind == EQUIVALENCE_FORWARD ? forward_graph : backward_graph)(system, &graph));
    TRY(initial_blocks(ctx, initial, graph.n, &block, &n_blocks));
    TRY(lump_graph_refine(ctx, &graph, n_blocks, block));
    lump_graph_free(ctx, &graph);
    TRY(ctx_alloc_raw(ctx, system->n, sizeof *labels, &labels));
    for (int64_t i = 0; i < system->n; i++) labels[i] = block[i];
    TRY(partition_from_labels(ctx, labels, system->n, out));
done:
    lump_graph_free(ctx, &graph);
    ctx_free(ctx, block);
    ctx_free(ctx, labels);
    return status;
}
