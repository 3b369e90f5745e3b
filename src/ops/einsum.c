/* Einsum: sums of products over indices, as the equation says. Two floating-point operands become
 * one product of matrices for each index that both and the result share:
 *   A (shared, only A's, contracted) B (shared, contracted, only B's)
 * Source: ONNX Einsum-12. */
#include "ops/einsum.h"

#include <string.h>

#include "base/size.h"
#include "linalg/blas.h"
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/product.h"

/* Indices in an order, with their sizes. */
typedef struct index_list {
    int n;
    int letter[EINSUM_LETTERS];
    int64_t size[EINSUM_LETTERS];
} index_list;

static void list_add(index_list *list, const einsum *equation, int letter)
{
    for (int i = 0; i < list->n; i++)
        if (list->letter[i] == letter) return;
    list->letter[list->n] = letter;
    list->size[list->n++] = equation->size[letter];
}

static void list_join(index_list *list, const index_list *more)
{
    for (int i = 0; i < more->n; i++) {
        list->letter[list->n] = more->letter[i];
        list->size[list->n++] = more->size[i];
    }
}

/* Elements; INT64_MAX if they are more. */
static int64_t list_count(const index_list *list)
{
    int64_t count = 1;
    for (int i = 0; i < list->n; i++) count = product_macs(count, list->size[i], 1);
    return count;
}

/* How far each index moves in an operand (n: the result); 0 where it is repeated. Diagonals move
 * along several axes at once. */
static void operand_steps(const einsum *equation, int o, const shape *operand, int64_t *step)
{
    int64_t stride = 1;
    memset(step, 0, EINSUM_LETTERS * sizeof *step);
    for (int a = operand->rank - 1; a >= 0; a--) {
        if (operand->dims[a] > 1) step[equation->letter[o][a]] += stride;
        stride *= operand->dims[a];
    }
}

/* The same for data that lie in the order of a list. */
static void list_steps(const index_list *list, int64_t *step)
{
    int64_t stride = 1;
    memset(step, 0, EINSUM_LETTERS * sizeof *step);
    for (int i = list->n - 1; i >= 0; i--) {
        if (list->size[i] > 1) step[list->letter[i]] = stride;
        stride *= list->size[i];
    }
}

/* Moves to the next element of a list, and with it `n` places; false behind the last one, with all
 * at the first again. */
static bool list_next(const index_list *list, int64_t *position, int n,
                      const int64_t (*step)[EINSUM_LETTERS], int64_t *at)
{
    for (int i = list->n - 1; i >= 0; i--) {
        const int letter = list->letter[i];
        for (int o = 0; o < n; o++) at[o] += step[o][letter];
        if (++position[i] < list->size[i]) return true;
        for (int o = 0; o < n; o++) at[o] -= position[i] * step[o][letter];
        position[i] = 0;
    }
    return false;
}

/* ---- the plain loop ---------------------------------------------------------------------------- */

typedef struct plain {
    index_list kept, summed;
    int64_t step[EINSUM_OPERANDS][EINSUM_LETTERS];
} plain;

static plain plain_of(const op_call *call, const einsum *equation)
{
    plain self = {.kept = {0}};
    for (int a = 0; a < equation->rank[equation->n]; a++)
        list_add(&self.kept, equation, equation->letter[equation->n][a]);
    for (int letter = 0; letter < EINSUM_LETTERS; letter++)
        if (equation->used[letter] && !einsum_has(equation, equation->n, letter))
            list_add(&self.summed, equation, letter);
    for (int o = 0; o < equation->n; o++)
        operand_steps(equation, o, &call->in[o].shape, self.step[o]);
    return self;
}

static double sum_f32(const op_call *call, const plain *self, int n, int64_t *at)
{
    int64_t position[EINSUM_LETTERS] = {0};
    double sum = 0;
    do {
        double product = 1;
        for (int o = 0; o < n; o++) product *= (double)call->in[o].f[at[o]];
        sum += product;
    } while (list_next(&self->summed, position, n, self->step, at));
    return sum;
}

static int64_t sum_i64(const op_call *call, const plain *self, int n, int64_t *at)
{
    int64_t position[EINSUM_LETTERS] = {0};
    uint64_t sum = 0;
    do {
        uint64_t product = 1;
        for (int o = 0; o < n; o++) product *= (uint64_t)call->in[o].i[at[o]];
        sum += product;
    } while (list_next(&self->summed, position, n, self->step, at));
    return (int64_t)sum;
}

static void run_plain(op_call *call, const einsum *equation)
{
    const plain self = plain_of(call, equation);
    array *y = &call->out[0];
    int64_t position[EINSUM_LETTERS] = {0}, at[EINSUM_OPERANDS] = {0}, element = 0;
    const bool is_float = dtype_is_float(y->dtype), empty = list_count(&self.summed) == 0;
    if (list_count(&self.kept) == 0) return;
    do {
        if (is_float)
            y->f[element++] = empty ? 0.0F : (float)sum_f32(call, &self, equation->n, at);
        else
            y->i[element++] = empty ? 0 : sum_i64(call, &self, equation->n, at);
    } while (list_next(&self.kept, position, equation->n, self.step, at));
}

/* ---- products of matrices ---------------------------------------------------------------------- */

/* Two operands as batches of matrices. */
typedef struct pairing {
    index_list shared, left, right, contracted;
    index_list summed[2]; /* indices of one operand alone that are summed up */
    index_list a, b, c;   /* the orders of the packed operands and of the product */
    int64_t batches, m, n, k;
} pairing;

static pairing pairing_of(const einsum *equation)
{
    pairing self = {.batches = 0};
    for (int i = 0; i < equation->rank[2]; i++) {
        const int letter = equation->letter[2][i];
        const bool a = einsum_has(equation, 0, letter), b = einsum_has(equation, 1, letter);
        list_add(a && b ? &self.shared : a ? &self.left : &self.right, equation, letter);
    }
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < equation->rank[o]; i++) {
            const int letter = equation->letter[o][i];
            if (einsum_has(equation, 2, letter)) continue;
            list_add(einsum_has(equation, 1 - o, letter) ? &self.contracted : &self.summed[o],
                     equation, letter);
        }
    list_join(&self.a, &self.shared);
    list_join(&self.a, &self.left);
    list_join(&self.a, &self.contracted);
    list_join(&self.b, &self.shared);
    list_join(&self.b, &self.contracted);
    list_join(&self.b, &self.right);
    list_join(&self.c, &self.shared);
    list_join(&self.c, &self.left);
    list_join(&self.c, &self.right);
    self.batches = list_count(&self.shared);
    self.m = list_count(&self.left);
    self.n = list_count(&self.right);
    self.k = list_count(&self.contracted);
    return self;
}

/* Data with these steps lie in the order of the list already. */
static bool in_order(const index_list *list, const index_list *summed, const int64_t *step)
{
    int64_t want[EINSUM_LETTERS];
    list_steps(list, want);
    for (int i = 0; i < list->n; i++)
        if (list->size[i] > 1 && step[list->letter[i]] != want[list->letter[i]]) return false;
    return list_count(summed) == 1;
}

/* Copies data with given steps into the order of a list, summing over `summed`. */
static void pack(const float *from, const int64_t (*step)[EINSUM_LETTERS], const index_list *list,
                 const index_list *summed, float *to)
{
    int64_t position[EINSUM_LETTERS] = {0}, at = 0, element = 0;
    if (list_count(list) == 0) return;
    do {
        int64_t inner[EINSUM_LETTERS] = {0};
        double sum = 0;
        if (list_count(summed) > 0) do {
                sum += (double)from[at];
            } while (list_next(summed, inner, 1, step, &at));
        to[element++] = (float)sum;
    } while (list_next(list, position, 1, step, &at));
}

/* An operand in the order of its list: where it lies, or a copy at *memory, which moves on. */
static const float *packed(const op_call *call, const einsum *equation, int o,
                           const index_list *list, const index_list *summed, float **memory)
{
    int64_t step[1][EINSUM_LETTERS];
    operand_steps(equation, o, &call->in[o].shape, step[0]);
    if (in_order(list, summed, step[0])) return call->in[o].f;
    float *copy = *memory;
    pack(call->in[o].f, (const int64_t(*)[EINSUM_LETTERS])step, list, summed, copy);
    *memory += list_count(list);
    return copy;
}

static void run_product(op_call *call, const einsum *equation)
{
    const pairing self = pairing_of(equation);
    const index_list none = {0};
    array *y = &call->out[0];
    float *memory = call->scratch;
    int64_t step[1][EINSUM_LETTERS], result[EINSUM_LETTERS];
    const float *a = packed(call, equation, 0, &self.a, &self.summed[0], &memory);
    const float *b = packed(call, equation, 1, &self.b, &self.summed[1], &memory);
    operand_steps(equation, 2, &y->shape, result);
    float *c = in_order(&self.c, &none, result) ? y->f : memory;
    for (int64_t i = 0; i < self.batches; i++)
        gemm_f32(call->at.ctx, false, false, self.m, self.n, self.k, 1.0F, a + i * self.m * self.k,
                 self.k, b + i * self.k * self.n, self.n, 0.0F, c + i * self.m * self.n, self.n);
    if (c == y->f) return;
    index_list kept = {0};
    for (int i = 0; i < equation->rank[2]; i++) list_add(&kept, equation, equation->letter[2][i]);
    list_steps(&self.c, step[0]);
    pack(c, (const int64_t(*)[EINSUM_LETTERS])step, &kept, &none, y->f);
}

/* ---- the row ----------------------------------------------------------------------------------- */

static coset_status parse(const op_infer *call, einsum *equation, bool *known)
{
    const shape *operands[EINSUM_OPERANDS] = {NULL};
    for (int o = 0; o < call->at.n_in && o < EINSUM_OPERANDS; o++) operands[o] = &call->in[o].shape;
    return einsum_parse(&call->at, operands, equation, known);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    einsum equation;
    bool known = false;
    fact *out = &call->out[0];
    for (int o = 0; o < call->at.n_in; o++) {
        TRY(infer_takes(call, o, TAKES_NUMBER));
        TRY(infer_same_type(call, 0, o));
        if (out->dtype == COSET_UNDEFINED) out->dtype = call->in[o].dtype;
    }
    TRY(parse(call, &equation, &known));
    if (!known) goto done;
    out->shape.rank = equation.rank[equation.n];
    for (int a = 0; a < out->shape.rank; a++)
        out->shape.dims[a] = equation.size[equation.letter[equation.n][a]];
done:
    return status;
}

static size_t scratch(const op_infer *call)
{
    einsum equation;
    bool known = false;
    if (call->at.n_in != 2 || parse(call, &equation, &known) != COSET_OK || !known) return 0;
    const pairing self = pairing_of(&equation);
    const int64_t counts[3] = {list_count(&self.a), list_count(&self.b), list_count(&self.c)};
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        size_t more = 0;
        if (!size_mul((size_t)counts[i], sizeof(float), &more) || !size_add(bytes, more, &bytes))
            return SIZE_MAX;
    }
    return bytes;
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    einsum equation;
    bool known = false;
    const shape *operands[EINSUM_OPERANDS] = {NULL};
    TRY(call_same_kind(call, call->at.n_in));
    for (int o = 0; o < call->at.n_in && o < EINSUM_OPERANDS; o++) operands[o] = &call->in[o].shape;
    TRY(einsum_parse(&call->at, operands, &equation, &known));
    if (equation.n == 2 && dtype_is_float(call->out[0].dtype))
        run_product(call, &equation);
    else
        run_plain(call, &equation);
    array_normalise(&call->out[0]);
done:
    return status;
}

/* ---- labels and cost --------------------------------------------------------------------------- */

static bool has_twice(const einsum *equation, int o)
{
    for (int a = 0; a < equation->rank[o]; a++)
        for (int b = 0; b < a; b++)
            if (equation->letter[o][a] == equation->letter[o][b]) return true;
    return false;
}

/* Where a letter stands in an operand; -1: nowhere. */
static int axis_of(const einsum *equation, int o, int letter)
{
    for (int a = 0; a < equation->rank[o]; a++)
        if (equation->letter[o][a] == letter) return a;
    return -1;
}

/* A matrix (or vector) w: one of its indices is contracted with x, the other one is new in the
 * result, which has all else that x has. */
static bool is_product(const op_labels *call, const einsum *equation, int x, int w, int *w_in_out,
                       int *w_out_out)
{
    *w_in_out = *w_out_out = -1;
    if (equation->rank[w] < 1 || equation->rank[w] > 2) return false;
    if (has_twice(equation, x) || has_twice(equation, w)) return false;
    for (int a = 0; a < equation->rank[w]; a++) {
        const int letter = equation->letter[w][a];
        const bool in_x = einsum_has(equation, x, letter), out = einsum_has(equation, 2, letter);
        if (in_x == out) return false;
        if (in_x)
            *w_in_out = a;
        else
            *w_out_out = a;
    }
    if (*w_in_out < 0 || (equation->rank[w] == 2 && *w_out_out < 0)) return false;
    for (int a = 0; a < equation->rank[x]; a++) {
        const int letter = equation->letter[x][a];
        if (letter == equation->letter[w][*w_in_out]) {
            if (call->in[x].shape.dims[a] != call->in[w].shape.dims[*w_in_out]) return false;
        } else if (!einsum_has(equation, 2, letter)) {
            return false;
        }
    }
    return true;
}

static coset_status contract(op_labels *call, const einsum *equation, int x, int w)
{
    int w_in = -1, w_out = -1, out_axis = -1, from[TENSOR_MAX_RANK];
    if (!is_product(call, equation, x, w, &w_in, &w_out))
        return labels_freeze_all(call, "it is in an Einsum that is no product with a matrix");
    for (int a = 0; a < equation->rank[2]; a++) {
        from[a] = axis_of(equation, x, equation->letter[2][a]);
        if (from[a] < 0) out_axis = a;
    }
    const int x_axis = axis_of(equation, x, equation->letter[w][w_in]);
    return labels_contract(call, x, x_axis, w, w_in, w_out, out_axis, from);
}

static coset_status labels(op_labels *call)
{
    einsum equation;
    bool known = false;
    if (call->at.n_in != 2)
        return labels_freeze_all(call, "it is in an Einsum that is no product with a matrix");
    const shape *operands[2] = {&call->in[0].shape, &call->in[1].shape};
    coset_status status = einsum_parse(&call->at, operands, &equation, &known);
    if (status != COSET_OK) return status;
    const bool left = labels_none(&call->labels[0]), right = labels_none(&call->labels[1]);
    if (!left && !right) return labels_freeze_all(call, "it is multiplied with another activation");
    return contract(call, &equation, right ? 0 : 1, right ? 1 : 0);
}

static int64_t macs(const op_infer *call)
{
    einsum equation;
    bool known = false;
    int64_t count = 1;
    if (parse(call, &equation, &known) != COSET_OK || !known) return 0;
    for (int letter = 0; letter < EINSUM_LETTERS; letter++)
        if (equation.used[letter]) count = product_macs(count, equation.size[letter], 1);
    return count;
}

const coset_op op_einsum = {
    .type = "Einsum",
    .domain = "",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
    .macs = macs,
};
