/* Running a model on named arrays, and the files that hold them. */
#ifndef COSET_RUN_H
#define COSET_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <coset/context.h>
#include <coset/dtype.h>
#include <coset/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A named array in its declared element type: row-major, little-endian, 4-bit types packed two to a
 * byte, bool one byte. Arrays that the library returns own name and data through `owner`; in arrays
 * that a caller fills in, everything is borrowed for the call and owner is NULL. */
typedef struct coset_array {
    const char *name; /* NULL is "" */
    coset_dtype dtype;
    int rank;         /* 0 to 8 */
    int64_t dims[8];  /* of [0, rank) */
    const void *data; /* aligned for its element type; NULL if there are no elements */
    size_t bytes;     /* of data */
    void *owner;
} coset_array;

/* Runs a model.
 *   inputs       one array for each graph input, by name, in any order; where the model has one input,
 *                a single array without a name is taken for it. Shapes as declared, any size in
 *                symbolic dimensions. Where only leading dimensions differ from the declared ones, all
 *                in the same way, they count samples, which run in batches that the model takes (a
 *                declared batch that cannot be changed is padded). Floating-point arrays of another
 *                type than declared are rounded to it; integers must fit it.
 *   outputs_out  the graph's outputs in its order, owned by the caller (coset_arrays_free); NULL on
 *                failure
 * Errors: COSET_EARGUMENT naming the input, what it must be and what it is; COSET_EUNSUPPORTED naming
 * the node that cannot be run; COSET_EMEMORY. */
COSET_API COSET_MUST_USE coset_status coset_run(coset_ctx *ctx, const coset_graph *graph,
                                                const coset_array *inputs, int64_t n_inputs,
                                                coset_array **outputs_out, int64_t *n_outputs_out);

/* Loads all arrays of a .npz file, or the one of a .npy file, whose name is "".
 * Errors: COSET_EIO; COSET_EFORMAT, COSET_EUNSUPPORTED and COSET_ELIMIT naming the file. */
COSET_API COSET_MUST_USE coset_status coset_arrays_load(coset_ctx *ctx, const char *path,
                                                        coset_array **arrays_out, int64_t *n_out);

/* Writes arrays to a .npz file, or one array to a .npy file, whole or not at all. Types that NumPy
 * lacks are widened without loss in .npz. Errors: COSET_EARGUMENT for another suffix, a name that is
 * there twice, or an array that is inconsistent; COSET_EUNSUPPORTED for strings; COSET_EIO. */
COSET_API COSET_MUST_USE coset_status coset_arrays_save(coset_ctx *ctx, const char *path,
                                                        const coset_array *arrays, int64_t n);

/* Frees arrays that the library returned; NULL is allowed. */
COSET_API void coset_arrays_free(coset_ctx *ctx, coset_array *arrays, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
