/* Decodes bytes as a plan and its matrices: the JSON up to the first NUL, the safetensors file behind it. A
 * plan that is accepted is sound and can be saved and read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lump/plan_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A folder of this process for the files that are saved; removed at its end. */
static char folder[1024], path[1100], matrices[1100];

static void remove_folder(void)
{
    unlink(path);
    unlink(matrices);
    rmdir(folder);
}

static void make_folder(void)
{
    if (folder[0] != '\0') return;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/fuzz-plan-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) abort();
    snprintf(path, sizeof path, "%s/p.json", folder);
    snprintf(matrices, sizeof matrices, "%s/p.safetensors", folder);
    atexit(remove_folder);
}

static void use(coset_ctx *ctx, const coset_plan *plan)
{
    static int accepted;
    coset_plan *back = NULL;
    for (const coset_plan *at = plan; at != NULL; at = at->next)
        for (int64_t g = 0; g < at->n_groups; g++)
            if (at->groups[g].map != NULL && lumping_check(ctx, at->groups[g].map) != COSET_OK)
                abort();
    /* Writing syncs to the disk: not every time. */
    if (accepted++ % 64 != 0) return;
    make_folder();
    if (plan_save(ctx, plan, path) != COSET_OK) return;
    if (plan_load(ctx, path, &back) != COSET_OK || back->n_groups != plan->n_groups) abort();
    plan_free(ctx, back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    coset_ctx *ctx = NULL;
    coset_plan *plan = NULL;
    const uint8_t *zero = size > 0 ? memchr(bytes, 0, size) : NULL;
    if (zero == NULL) return 0;
    size_t text = (size_t)(zero - bytes);
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (plan_decode(ctx, bytes, text, zero + 1, size - text - 1, "fuzz.json", &plan) == COSET_OK)
        use(ctx, plan);
    plan_free(ctx, plan);
    coset_ctx_free(ctx);
    return 0;
}
