#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A bar shows a stage that has lasted this long, and moves at most so often; without a terminal there
 * is a line every few seconds. */
static const double bar_after = 0.5, bar_every = 0.1, line_every = 5;

/* Stages may run inside others: the bar is of the innermost one that lasts. */
enum { STAGES = 4 };

typedef struct stage {
    char name[64];
    double began, share; /* done so far, in [0, 1) */
} stage;

static struct {
    bool quiet, terminal;
    int verbose;
    bool drawn; /* a bar stands on the current line */
    stage stages[STAGES];
    int n_stages;
    double last; /* when a bar or line was last printed */
} state;

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static void clear_bar(void)
{
    if (state.drawn) fputs("\r\033[K", stderr);
    state.drawn = false;
}

static void print_line(const char *kind, const char *text)
{
    char line[2048];
    size_t n = strlen(text);
    if (n >= sizeof line) n = sizeof line - 1;
    memcpy(line, text, n);
    line[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) line[i] = '?';
    clear_bar();
    fprintf(stderr, "coset: %s%s\n", kind, line);
}

void complain(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_line("", text);
}

static void on_log(void *user, coset_log_level level, const char *text)
{
    (void)user;
    if (state.quiet || (int)level > state.verbose) return;
    print_line(level == COSET_LOG_WARNING ? "warning: " : "", text);
}

static void draw(const stage *at)
{
    enum { CELLS = 30 };
    char cells[CELLS + 1];
    int full = (int)(at->share * CELLS);
    if (!state.terminal) {
        fprintf(stderr, "coset: %s: %d%%\n", at->name, (int)(100 * at->share));
        return;
    }
    for (int i = 0; i < CELLS; i++) cells[i] = i < full ? '#' : '.';
    cells[CELLS] = '\0';
    fprintf(stderr, "\r\033[K%-20.36s [%s] %3d%%", at->name, cells, (int)(100 * at->share));
    state.drawn = true;
}

/* The open stage of this name, inside of which nothing runs any more; a new one if there is none. */
static stage *open_stage(const char *name, double at)
{
    for (int k = 0; k < state.n_stages; k++)
        if (strncmp(state.stages[k].name, name, sizeof state.stages[k].name - 1) == 0) {
            state.n_stages = k + 1;
            return &state.stages[k];
        }
    if (state.n_stages == STAGES) state.n_stages--;
    stage *opened = &state.stages[state.n_stages++];
    snprintf(opened->name, sizeof opened->name, "%s", name);
    opened->began = at;
    return opened;
}

static void on_progress(void *user, const char *name, int64_t done, int64_t total)
{
    (void)user;
    double at = now();
    if (total < 1 || done < 0) return;
    stage *current = open_stage(name, at);
    current->share = (double)done / (double)total;
    if (done >= total) state.n_stages--;
    if (at - state.last < (state.terminal ? bar_every : line_every)) return;
    for (int k = state.n_stages - 1; k >= 0; k--)
        if (at - state.stages[k].began > bar_after) {
            draw(&state.stages[k]);
            state.last = at;
            return;
        }
    clear_bar();
}

int exit_code(coset_status status)
{
    switch (status) {
    case COSET_OK: return EXIT_DONE;
    case COSET_EARGUMENT: return EXIT_USAGE;
    case COSET_EFORMAT:
    case COSET_EUNSUPPORTED:
    case COSET_ELIMIT:
    case COSET_ENUMERIC: return EXIT_INPUT;
    case COSET_ETARGET: return EXIT_TARGET;
    case COSET_ECHECK: return EXIT_CHECK;
    case COSET_EMEMORY:
    case COSET_EIO: break;
    }
    return EXIT_FAILED;
}

int complain_status(const coset_ctx *ctx, coset_status status)
{
    const char *text = coset_ctx_error(ctx);
    complain("%s", text[0] != '\0' ? text : coset_status_name(status));
    return exit_code(status);
}

int context_make(const common_options *common, coset_ctx **ctx_out)
{
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    const char *term = getenv("TERM");
    state.quiet = common->quiet;
    state.verbose = common->verbose;
    state.terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    state.last = now();
    options.threads = (int)common->threads;
    options.seed = (uint64_t)common->seed;
    options.log = on_log;
    if (!common->quiet) options.progress = on_progress;
    coset_status status = coset_ctx_new(&options, ctx_out);
    if (status == COSET_OK) return 0;
    complain("out of memory");
    return EXIT_FAILED;
}

int report_print(coset_ctx *ctx, const coset_report *report, bool json)
{
    char *text = NULL;
    coset_status status =
        json ? coset_report_json(ctx, report, &text) : coset_report_text(ctx, report, &text);
    if (status != COSET_OK) return complain_status(ctx, status);
    clear_bar();
    fputs(text, stdout);
    coset_memory_free(ctx, text);
    return EXIT_DONE;
}

int output_finish(int code)
{
    clear_bar();
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    complain("standard output cannot be written: %s", strerror(errno != 0 ? errno : EIO));
    return EXIT_FAILED;
}
