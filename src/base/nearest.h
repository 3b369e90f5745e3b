/* The name that somebody probably meant: the one with the fewest letters wrong. */
#ifndef COSET_BASE_NEAREST_H
#define COSET_BASE_NEAREST_H

#include <stddef.h>

/* Zero-initialised but for `word` and `length`: nothing was offered. */
typedef struct nearest {
    const char *word; /* what was written, borrowed */
    size_t length;
    const char *name; /* the nearest so far, as it was offered; NULL: none is close */
    size_t distance; /* of it: letters put in, left out, changed, or swapped with their neighbour */
} nearest;

/* Considers a name. Close means one mistake, and one more for every four letters; a single letter is no
 * hint, and words over 64 bytes have no close ones. The first of equally close names stays. */
void nearest_offer(nearest *self, const char *name);

#endif
