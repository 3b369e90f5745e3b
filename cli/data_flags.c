#include "data_flags.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "output.h"

static int check_images(data_flags *self)
{
    coset_data_options *options = &self->options;
    if (self->fit >= 0 && self->size[0] == 0) {
        complain("--fit says how images are resized, but there is no --resize");
        return EXIT_USAGE;
    }
    if (self->pad < HUGE_VAL && self->fit != (int)COSET_FIT_LETTERBOX) {
        complain("--pad-value is of --fit letterbox, which is not given");
        return EXIT_USAGE;
    }
    options->height = self->size[0];
    options->width = self->size[1];
    if (self->fit >= 0) options->fit = (coset_fit)self->fit;
    if (self->pad < HUGE_VAL) options->pad_value = self->pad;
    if (self->channels >= 0) options->channels = (coset_channels)self->channels;
    return 0;
}

int data_flags_check(data_flags *self, path_set *paths)
{
    struct stat at;
    coset_data_options *options = &self->options;
    if (self->path == NULL) {
        const char *given = options->test != NULL     ? "--test"
                            : options->target != NULL ? "--target"
                            : self->layout >= 0       ? "--layout"
                            : options->scale != 1     ? "--scale"
                            : self->mean.n > 0        ? "--mean"
                            : self->std.n > 0         ? "--std"
                            : self->standardise       ? "--standardise"
                            : self->size[0] > 0       ? "--resize"
                            : self->fit >= 0          ? "--fit"
                            : self->pad < HUGE_VAL    ? "--pad-value"
                            : self->channels >= 0     ? "--channels"
                                                      : NULL;
        if (given == NULL) return 0;
        complain("%s says something about data, but there is no --data", given);
        return EXIT_USAGE;
    }
    if (self->mean.n > 0 && self->std.n > 0 && self->mean.n != self->std.n) {
        complain("--mean has %lld values and --std has %lld", (long long)self->mean.n,
                 (long long)self->std.n);
        return EXIT_USAGE;
    }
    for (int64_t k = 0; k < self->std.n; k++)
        if (!(self->std.values[k] > 0)) {
            complain("--std must be over 0, not %g", (double)self->std.values[k]);
            return EXIT_USAGE;
        }
    int code = check_images(self);
    if (code != 0) return code;
    options->layout = (coset_layout)(self->layout + 1);
    options->standardise = self->standardise;
    options->mean = self->mean.n > 0 ? self->mean.values : NULL;
    options->std = self->std.n > 0 ? self->std.values : NULL;
    options->n_channels = self->mean.n > 0 ? self->mean.n : self->std.n;
    paths_read(paths, "--data", self->path);
    paths_read(paths, "--test", options->test);
    if (options->target != NULL && stat(options->target, &at) == 0)
        paths_read(paths, "--target", options->target);
    return 0;
}

int data_flags_load(coset_ctx *ctx, data_flags *self, coset_data **data_out)
{
    *data_out = NULL;
    if (self->path == NULL) return 0;
    coset_status status = coset_data_load(ctx, self->path, &self->options, data_out);
    return status == COSET_OK ? 0 : complain_status(ctx, status);
}

void data_flags_free(data_flags *self)
{
    free(self->mean.values);
    free(self->std.values);
}
