#include <string.h>

#include "ops/einsum.h"

/* One term of the equation as written: letters, and where "..." stands among them. */
typedef struct term {
    int n, dots; /* dots: letters before "...", -1: none */
    int letters[TENSOR_MAX_RANK];
} term;

static coset_status malformed(const op_node *at, const char *what)
{
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "equation '%.200s': %s",
                     node_attr_string(at->node, "equation", ""), what);
}

/* Letters in an order of their own: A-Z, then a-z; the result of an equation without "->" is sorted
 * so. -1: no letter. */
static int letter_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return 26 + c - 'a';
    return -1;
}

/* Reads a term up to ',', "->" or the end, and moves *text there. */
static coset_status read_term(const op_node *at, const char **text, term *out)
{
    *out = (term){.dots = -1};
    for (; **text != '\0' && **text != ',' && **text != '-'; (*text)++) {
        if (**text == ' ') continue;
        if (**text == '.') {
            if (strncmp(*text, "...", 3) != 0) return malformed(at, "a single dot");
            if (out->dots >= 0) return malformed(at, "'...' twice in a term");
            out->dots = out->n;
            *text += 2;
            continue;
        }
        const int letter = letter_of(**text);
        if (letter < 0) return malformed(at, "expected letters, ',', '...' and '->'");
        if (out->n == TENSOR_MAX_RANK) return malformed(at, "a term has too many letters");
        out->letters[out->n++] = letter;
    }
    return COSET_OK;
}

/* The letters of a term with "..." replaced by `width` axes, the last `width` of its own letters. */
static coset_status spell(const op_node *at, const term *from, int width, int o, einsum *self)
{
    int n = 0;
    if (from->n + (from->dots >= 0 ? width : 0) > TENSOR_MAX_RANK)
        return malformed(at, "a term has too many axes");
    for (int i = 0; i <= from->n; i++) {
        for (int k = 0; i == from->dots && k < width; k++)
            self->letter[o][n++] = EINSUM_LETTERS - width + k;
        if (i < from->n) self->letter[o][n++] = from->letters[i];
    }
    self->rank[o] = n;
    return COSET_OK;
}

/* Size of an index that has size a in one operand and b in another; false if they do not fit. 1
 * broadcasts, so that 1 and an unknown size say nothing. */
static bool join(int64_t a, int64_t b, int64_t *size_out)
{
    *size_out = a == b || b == 1 ? a : a == 1 || a == -1 ? b : a;
    return a == b || a == 1 || b == 1 || a == -1 || b == -1;
}

static coset_status take_sizes(const op_node *at, const shape *operand, int o, einsum *self)
{
    char text[SHAPE_TEXT];
    for (int a = 0; a < operand->rank; a++) {
        const int letter = self->letter[o][a];
        const int64_t dim = operand->dims[a],
                      before = self->used[letter] ? self->size[letter] : dim;
        self->used[letter] = true;
        if (!join(before, dim, &self->size[letter]))
            return node_fail(at->ctx, at->node, COSET_EFORMAT,
                             "equation '%.200s': an index has sizes %lld and %lld (input %d of "
                             "shape %s)",
                             node_attr_string(at->node, "equation", ""), (long long)before,
                             (long long)dim, o, shape_text(operand, text, sizeof text));
    }
    return COSET_OK;
}

/* "..." and then the letters that occur once, in order. */
static coset_status imply_result(const op_node *at, const term *terms, term *out)
{
    int seen[52] = {0};
    *out = (term){.dots = -1};
    for (int o = 0; o < at->n_in; o++) {
        if (terms[o].dots >= 0) out->dots = 0;
        for (int i = 0; i < terms[o].n; i++) seen[terms[o].letters[i]]++;
    }
    for (int letter = 0; letter < 52; letter++) {
        if (seen[letter] != 1) continue;
        if (out->n == TENSOR_MAX_RANK) return malformed(at, "the result has too many axes");
        out->letters[out->n++] = letter;
    }
    return COSET_OK;
}

static coset_status read_terms(const op_node *at, term *terms, term *result)
{
    coset_status status = COSET_OK;
    const char *text = node_attr_string(at->node, "equation", NULL);
    if (text == NULL)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "it has no attribute equation");
    for (int o = 0; o < at->n_in; o++) {
        TRY(read_term(at, &text, &terms[o]));
        if (o + 1 == at->n_in) break;
        if (*text++ != ',') return malformed(at, "fewer terms than inputs");
    }
    if (*text == '\0') return imply_result(at, terms, result);
    if (strncmp(text, "->", 2) != 0) return malformed(at, "expected '->' behind the last term");
    text += 2;
    TRY(read_term(at, &text, result));
    if (*text != '\0') return malformed(at, "expected its end behind the result");
done:
    return status;
}

static coset_status check_result(const op_node *at, const einsum *self)
{
    const int n = self->n;
    for (int a = 0; a < self->rank[n]; a++) {
        if (!self->used[self->letter[n][a]])
            return malformed(at, "an index of the result is in no input");
        for (int b = 0; b < a; b++)
            if (self->letter[n][a] == self->letter[n][b])
                return malformed(at, "an index is twice in the result");
    }
    return COSET_OK;
}

coset_status einsum_parse(const op_node *at, const shape *const *operands, einsum *self_out,
                          bool *known_out)
{
    coset_status status = COSET_OK;
    term terms[EINSUM_OPERANDS], result;
    einsum self = {.n = at->n_in};
    int width = 0;
    *known_out = false;
    if (at->n_in > EINSUM_OPERANDS)
        return node_fail(at->ctx, at->node, COSET_EUNSUPPORTED, "more than %d operands",
                         EINSUM_OPERANDS);
    TRY(read_terms(at, terms, &result));
    for (int o = 0; o < self.n; o++) {
        const int rank = operands[o]->rank, spread = rank - terms[o].n;
        if (rank < 0) return COSET_OK;
        if (spread < 0 || (terms[o].dots < 0 && spread > 0)) {
            status = node_fail(at->ctx, at->node, COSET_EFORMAT,
                               "equation '%.200s': input %d has rank %d",
                               node_attr_string(at->node, "equation", ""), o, rank);
            goto done;
        }
        if (spread > width) width = spread;
    }
    for (int o = 0; o < self.n; o++) {
        TRY(spell(at, &terms[o], operands[o]->rank - terms[o].n, o, &self));
        TRY(take_sizes(at, operands[o], o, &self));
    }
    TRY(spell(at, &result, width, self.n, &self));
    TRY(check_result(at, &self));
    *self_out = self;
    *known_out = true;
done:
    return status;
}

bool einsum_has(const einsum *self, int o, int letter)
{
    for (int a = 0; a < self->rank[o]; a++)
        if (self->letter[o][a] == letter) return true;
    return false;
}
