#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment, row by row. */
static size_t count_wrong(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) above[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(changed, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

void nearest_offer(nearest *self, const char *name)
{
    size_t length = strnlen(name, LONGEST + 1), allowed = 1 + self->length / 4;
    if (self->length < 2 || self->length > LONGEST || length > LONGEST) return;
    if (self->name != NULL) {
        if (self->distance == 0) return;
        allowed = self->distance - 1;
    }
    size_t apart = length > self->length ? length - self->length : self->length - length;
    if (apart > allowed) return;
    size_t distance = count_wrong(self->word, self->length, name, length);
    if (distance > allowed) return;
    self->name = name;
    self->distance = distance;
}
