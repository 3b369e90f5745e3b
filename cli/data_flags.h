/* The flags that name and describe a data set. */
#ifndef COSET_CLI_DATA_FLAGS_H
#define COSET_CLI_DATA_FLAGS_H

#include <math.h>

#include "options.h"
#include "paths.h"

typedef struct data_flags {
    const char *path;
    coset_data_options options;
    int layout; /* as coset_layout, minus 1; -1: as is */
    bool standardise;
    number_list mean, std;
    int64_t size[2];   /* height, width; 0, 0: as is */
    int fit, channels; /* as coset_fit and coset_channels; -1: not given */
    double pad;        /* HUGE_VAL: not given */
} data_flags;

#define DATA_FLAGS_INIT                                                                            \
    {                                                                                              \
        NULL, COSET_DATA_OPTIONS_INIT, -1, false, {NULL, 0}, {NULL, 0}, {0, 0}, -1, -1, HUGE_VAL   \
    }

/* Rows of an option table; `flags` is the address of a data_flags. */
#define DATA_OPTIONS(flags)                                                                          \
    {"--data",                                                                                       \
     "D",                                                                                            \
     ".npz .npy .csv .tsv .arff .txt .dat .data, idx, or a folder of images or idx files",           \
     OPTION_TEXT,                                                                                    \
     &(flags)->path,                                                                                 \
     0,                                                                                              \
     0,                                                                                              \
     NULL,                                                                                           \
     NULL},                                                                                          \
        {"--test",                                                                                   \
         "D",                                                                                        \
         "a second file with the test part",                                                         \
         OPTION_TEXT,                                                                                \
         &(flags)->options.test,                                                                     \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         NULL},                                                                                      \
        {"--target",                                                                                 \
         "T",                                                                                        \
         "column of y by name or index (default: the last), file of y, or none",                     \
         OPTION_TEXT,                                                                                \
         &(flags)->options.target,                                                                   \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         NULL},                                                                                      \
        {"--layout",  "nhwc|nchw", "how images are stored", OPTION_CHOICE, &(flags)->layout, 0, 0,   \
         "nhwc|nchw", NULL},                                                                         \
        {"--scale",                                                                                  \
         "S",                                                                                        \
         "multiplies raw values first; a number or a fraction such as 1/255",                        \
         OPTION_NUMBER,                                                                              \
         &(flags)->options.scale,                                                                    \
         -HUGE_VAL,                                                                                  \
         HUGE_VAL,                                                                                   \
         NULL,                                                                                       \
         NULL},                                                                                      \
        {"--mean",                                                                                   \
         "A,B,C",                                                                                    \
         "per channel, subtracted after --scale",                                                    \
         OPTION_NUMBERS,                                                                             \
         &(flags)->mean,                                                                             \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         NULL},                                                                                      \
        {"--std", "A,B,C", "per channel, divides after --mean", OPTION_NUMBERS, &(flags)->std, 0, 0, \
         NULL,    NULL},                                                                             \
        {"--resize",  "HxW",         "images: to this size, averaging where they shrink",            \
         OPTION_SIZE, (flags)->size, 1,                                                              \
         16384,       NULL,          NULL},                                                          \
        {"--fit",                                                                                    \
         "F",                                                                                        \
         "stretch (default), crop (cover, take the centre) or letterbox (pad right and below)",      \
         OPTION_CHOICE,                                                                              \
         &(flags)->fit,                                                                              \
         0,                                                                                          \
         0,                                                                                          \
         "stretch|crop|letterbox",                                                                   \
         NULL},                                                                                      \
        {"--pad-value", "V",           "of letterbox, before --scale (default 114)",                 \
         OPTION_NUMBER, &(flags)->pad, -1e9,                                                         \
         1e9,           NULL,          NULL},                                                        \
        {"--channels",                                                                               \
         "C",                                                                                        \
         "what the model wants: rgb (default), bgr or grey; --mean and --std go by it",              \
         OPTION_CHOICE,                                                                              \
         &(flags)->channels,                                                                         \
         0,                                                                                          \
         0,                                                                                          \
         "rgb|bgr|grey",                                                                             \
         NULL},                                                                                      \
        {"--standardise",                                                                            \
         NULL,                                                                                       \
         "tables: columns to mean 0 and deviation 1 of the training part",                           \
         OPTION_SWITCH,                                                                              \
         &(flags)->standardise,                                                                      \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         NULL},                                                                                      \
    {                                                                                                \
        "--test-share", "P", "rows for the test part where the file has none (default 20%)",         \
            OPTION_SHARE, &(flags)->options.test_share, 1e-9, 0.999999, NULL, NULL                   \
    }

/* Checks the flags against each other and adds the files to `paths`. Returns 0 or an exit code. */
int data_flags_check(data_flags *self, path_set *paths);

/* Loads the data set; data_out is NULL if there is no --data. Returns 0 or an exit code. */
int data_flags_load(coset_ctx *ctx, data_flags *self, coset_data **data_out);

void data_flags_free(data_flags *self);

#endif
