/* coset: the command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nearest.h"
#include "options.h"
#include "output.h"

static const verb *const verbs[] = {&verb_inspect,  &verb_run,  &verb_eval,
                                    &verb_compress, &verb_demo, &verb_ode};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(FILE *to)
{
    fprintf(to,
            "usage: coset VERB ...\nMakes trained neural networks smaller: ONNX in, ONNX out.\n\n");
    for (int k = 0; k < VERBS; k++)
        fprintf(to, "  coset %-9s %s\n  %15s %s\n", verbs[k]->name, verbs[k]->usage, "",
                verbs[k]->summary);
    fprintf(to, "\n  coset help VERB, coset VERB --help, coset compress --help METHOD, "
                "coset ode VERB --help\n"
                "  coset --version\n");
}

static const verb *find_verb(const char *name)
{
    const char *names[VERBS + 1] = {"help"};
    for (int k = 0; k < VERBS; k++) {
        if (strcmp(verbs[k]->name, name) == 0) return verbs[k];
        names[k + 1] = verbs[k]->name;
    }
    const char *near = nearest_word(name, names, VERBS + 1);
    if (near != NULL) {
        complain("unknown verb '%s'; did you mean '%s'?", name, near);
    } else {
        complain("unknown verb '%s'; see 'coset --help'", name);
    }
    return NULL;
}

/* coset help [VERB [METHOD]], coset help ode [VERB] */
static int help(int argc, char **argv)
{
    char flag[] = "--help";
    char *asked[2] = {flag, argc > 1 ? argv[1] : NULL};
    if (argc == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    const verb *named = find_verb(argv[0]);
    return named != NULL ? named->run(argc > 1 ? 2 : 1, asked) : EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc == 0) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("coset %s\n", coset_version());
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 ||
        strcmp(argv[0], "help") == 0)
        return help(argc - 1, argv + 1);
    if (argv[0][0] == '-') {
        complain("unknown flag '%s'; see 'coset --help'", argv[0]);
        return EXIT_USAGE;
    }
    const verb *named = find_verb(argv[0]);
    return named != NULL ? named->run(argc - 1, argv + 1) : EXIT_USAGE;
}

/* Threads that wait by spinning make every parallel step many times slower as soon as another program
 * wants the cores. OpenMP reads this setting before main, so the command starts itself again with it;
 * where that fails it just goes on. */
static void wait_without_spinning(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL) return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_without_spinning(argv);
    return output_finish(run(argc - 1, argv + 1));
}
