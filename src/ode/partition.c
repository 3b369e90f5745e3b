#include "ode/partition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

void partition_free(coset_ctx *ctx, partition *self)
{
    ctx_free(ctx, self->block_of);
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->members);
    *self = (partition){0};
}

/* ---- from labels ---- */

typedef struct labelled {
    uint64_t label;
    int64_t index;
} labelled;

static int by_label(const void *left, const void *right)
{
    const labelled *a = left, *b = right;
    if (a->label != b->label) return a->label < b->label ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Fills a partition whose block_of holds, for every variable, the smallest member of its block. */
static coset_status number_blocks(coset_ctx *ctx, partition *self)
{
    coset_status status = COSET_OK;
    int64_t n = self->n;
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->members, &self->members));
    for (int64_t i = 0; i < n; i++) {
        int64_t smallest = self->block_of[i];
        self->block_of[i] = smallest == i ? self->n_blocks++ : self->block_of[smallest];
    }
    TRY(ctx_alloc(ctx, self->n_blocks + 1, sizeof *self->start, &self->start));
    for (int64_t i = 0; i < n; i++) self->start[self->block_of[i] + 1]++;
    for (int64_t b = 0; b < self->n_blocks; b++) self->start[b + 1] += self->start[b];
    /* Filled from behind, start[b + 1] running down: it ends as the start of b. */
    for (int64_t i = n - 1; i >= 0; i--) self->members[--self->start[self->block_of[i] + 1]] = i;
    for (int64_t b = 0; b < self->n_blocks; b++) self->start[b] = self->start[b + 1];
    self->start[self->n_blocks] = n;
done:
    return status;
}

/* Sorts the pairs and makes a partition of them. */
static coset_status from_pairs(coset_ctx *ctx, labelled *pairs, int64_t n, partition *out)
{
    coset_status status = COSET_OK;
    partition self = {.n = n};
    TRY(ctx_alloc_raw(ctx, n, sizeof *self.block_of, &self.block_of));
    if (n > 1) qsort(pairs, (size_t)n, sizeof *pairs, by_label);
    for (int64_t i = 0, first = 0; i < n; i++) {
        if (i > 0 && pairs[i].label != pairs[i - 1].label) first = i;
        self.block_of[pairs[i].index] = pairs[first].index;
    }
    TRY(number_blocks(ctx, &self));
    *out = self;
    self = (partition){0};
done:
    partition_free(ctx, &self);
    return status;
}

coset_status partition_from_labels(coset_ctx *ctx, const int64_t *labels, int64_t n, partition *out)
{
    labelled *pairs = NULL;
    *out = (partition){0};
    coset_status status = ctx_alloc_raw(ctx, n, sizeof *pairs, &pairs);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < n; i++) pairs[i] = (labelled){(uint64_t)labels[i], i};
    status = from_pairs(ctx, pairs, n, out);
    ctx_free(ctx, pairs);
    return status;
}

coset_status partition_one(coset_ctx *ctx, int64_t n, partition *out)
{
    int64_t *labels = NULL;
    *out = (partition){0};
    coset_status status = ctx_alloc(ctx, n, sizeof *labels, &labels);
    if (status == COSET_OK) status = partition_from_labels(ctx, labels, n, out);
    ctx_free(ctx, labels);
    return status;
}

coset_status partition_by_initial(const ode_system *system, partition *out)
{
    labelled *pairs = NULL;
    *out = (partition){0};
    coset_status status = ctx_alloc_raw(system->ctx, system->n, sizeof *pairs, &pairs);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < system->n; i++) pairs[i] = (labelled){system->initial[i].residue, i};
    status = from_pairs(system->ctx, pairs, system->n, out);
    ctx_free(system->ctx, pairs);
    return status;
}

coset_status partition_copy(coset_ctx *ctx, const partition *from, partition *out)
{
    return partition_from_labels(ctx, from->block_of, from->n, out);
}

/* ---- comparing ---- */

bool partition_refines(const partition *finer, const partition *coarser)
{
    if (finer->n != coarser->n) return false;
    for (int64_t i = 0; i < finer->n; i++) {
        int64_t representative = finer->members[finer->start[finer->block_of[i]]];
        if (coarser->block_of[i] != coarser->block_of[representative]) return false;
    }
    return true;
}

bool partition_equal(const partition *a, const partition *b)
{
    return a->n == b->n && a->n_blocks == b->n_blocks &&
           (a->n == 0 || memcmp(a->block_of, b->block_of, (size_t)a->n * sizeof *a->block_of) == 0);
}

/* ---- from text ---- */

typedef struct partition_text {
    const ode_system *system;
    const char *text, *at;
    name_map names;
    int64_t *label; /* [n], 0: not named yet */
    char *word;     /* [length of the text + 1] the name that was read last */
    const char *word_at;
} partition_text;

static int column_of(const partition_text *self, const char *at)
{
    return (int)(at - self->text) + 1;
}

static void skip_space(partition_text *self)
{
    while (isspace((unsigned char)*self->at)) self->at++;
}

static bool take(partition_text *self, char what)
{
    skip_space(self);
    if (*self->at != what) return false;
    self->at++;
    return true;
}

static coset_status unexpected(const partition_text *self, const char *wanted)
{
    coset_ctx *ctx = self->system->ctx;
    if (*self->at == '\0')
        return ctx_fail(ctx, COSET_EARGUMENT, "partition, column %d: it ends, expected %s",
                        column_of(self, self->at), wanted);
    return ctx_fail(ctx, COSET_EARGUMENT, "partition, column %d: \"%.1s\", expected %s",
                    column_of(self, self->at), self->at, wanted);
}

static coset_status unknown_name(const partition_text *self)
{
    const ode_system *system = self->system;
    nearest known = {.word = self->word, .length = strlen(self->word)};
    int column = column_of(self, self->word_at);
    for (int64_t i = 0; i < system->n; i++)
        if (system->names[i] != NULL) nearest_offer(&known, system->names[i]);
    if (known.name != NULL)
        return ctx_fail(system->ctx, COSET_EARGUMENT,
                        "partition, column %d: no variable \"%.100s\"; did you mean \"%s\"?",
                        column, self->word, known.name);
    return ctx_fail(system->ctx, COSET_EARGUMENT, "partition, column %d: no variable \"%.100s\"",
                    column, self->word);
}

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* One name, put into the block `label`. */
static coset_status read_name(partition_text *self, int64_t label)
{
    skip_space(self);
    if (!in_name(*self->at)) return unexpected(self, "the name of a variable");
    size_t length = 0;
    self->word_at = self->at;
    while (in_name(*self->at)) self->word[length++] = *self->at++;
    self->word[length] = '\0';
    int64_t variable = name_map_get(&self->names, self->word, -1);
    if (variable < 0) return unknown_name(self);
    if (self->label[variable] != 0)
        return ctx_fail(self->system->ctx, COSET_EARGUMENT,
                        "partition, column %d: \"%.100s\" is there twice",
                        column_of(self, self->word_at), self->word);
    self->label[variable] = label;
    return COSET_OK;
}

static coset_status read_blocks(partition_text *self)
{
    coset_status status = COSET_OK;
    int64_t label = 0;
    skip_space(self);
    if (*self->at == '\0') return COSET_OK;
    do {
        label++;
        if (!take(self, '{')) return unexpected(self, "\"{\"");
        do TRY(read_name(self, label));
        while (take(self, ','));
        if (!take(self, '}')) return unexpected(self, "\",\" or \"}\"");
    } while (take(self, ','));
    skip_space(self);
    if (*self->at != '\0') status = unexpected(self, "\",\" or the end");
done:
    return status;
}

coset_status partition_parse(const ode_system *system, const char *text, partition *out)
{
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    partition_text self = {.system = system, .text = text, .at = text};
    *out = (partition){0};
    TRY(ctx_alloc(ctx, system->n, sizeof *self.label, &self.label));
    TRY(ctx_alloc_raw(ctx, (int64_t)strlen(text) + 1, 1, &self.word));
    for (int64_t i = 0; i < system->n; i++)
        if (system->names[i] != NULL)
            TRY(name_map_set(ctx, &self.names, system->names[i], i, NULL));
    TRY(read_blocks(&self));
    TRY(partition_from_labels(ctx, self.label, system->n, out));
done:
    name_map_free(ctx, &self.names);
    ctx_free(ctx, self.label);
    ctx_free(ctx, self.word);
    return status;
}
