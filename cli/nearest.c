#include "nearest.h"

#include <stdio.h>
#include <string.h>

#include "output.h"

enum { LONGEST = 40 };

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static int distance(const char *a, const char *b)
{
    int row[3][LONGEST + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (int i = 0; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m && i == 0; j++) now[j] = j;
        for (int j = 1; j <= m && i > 0; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *nearest_word(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int best_distance = 0;
    size_t letters = strlen(word) - strspn(word, "-");
    for (int k = 0; k < n; k++) {
        int away = distance(word, candidates[k]);
        if (best == NULL || away < best_distance) {
            best = candidates[k];
            best_distance = away;
        }
    }
    /* One mistake, and one more for every four letters; a single letter is no hint. */
    return letters > 1 && best_distance <= 1 + (int)letters / 4 ? best : NULL;
}

int check_method(const char *name)
{
    enum { MOST = 64 };
    const char *names[MOST];
    char list[512] = "";
    int n = 0;
    for (; n < MOST && coset_method_name(n) != NULL; n++) {
        names[n] = coset_method_name(n);
        if (strcmp(names[n], name) == 0) return 0;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", n > 0 ? ", " : "", names[n]);
    }
    const char *near = nearest_word(name, names, n);
    if (near != NULL) {
        complain("unknown method '%s'; did you mean '%s'?", name, near);
    } else {
        complain("unknown method '%s'; there are %s", name, list);
    }
    return EXIT_USAGE;
}

int check_methods(const char *names)
{
    char name[64];
    for (const char *at = names; at != NULL;) {
        size_t length = strcspn(at, "+");
        if (length == 0) {
            complain("--method '%s': a name is missing; methods in turn are written as "
                     "linearity+merge",
                     names);
            return EXIT_USAGE;
        }
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        int code = check_method(name);
        if (code != 0) return code;
        at = at[length] == '+' ? at + length + 1 : NULL;
    }
    return 0;
}
