/* What a stranger's first program does: the version, and the size of a model if one is named. */

#include <stdio.h>

#include <coset/coset.h>

static int print_size(coset_ctx *ctx, const char *path)
{
    coset_graph *graph = NULL;
    coset_graph_size size;
    coset_status status = coset_graph_load(ctx, path, &graph);
    if (status == COSET_OK) status = coset_graph_measure(ctx, graph, &size);
    if (status == COSET_OK) {
        printf("%lld parameters\n", (long long)size.params);
    } else {
        fprintf(stderr, "%s: %s\n", coset_status_name(status), coset_ctx_error(ctx));
    }
    coset_graph_free(ctx, graph);
    return status != COSET_OK;
}

int main(int argc, char **argv)
{
    coset_ctx *ctx = NULL;
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 1;
    printf("coset %s\n", coset_version());
    int failed = argc > 1 ? print_size(ctx, argv[1]) : 0;
    coset_ctx_free(ctx);
    return failed;
}
