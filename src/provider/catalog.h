/* The models found on this machine, and which of them a name means. */
#ifndef GS_PROVIDER_CATALOG_H
#define GS_PROVIDER_CATALOG_H

#include "base/arena.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "provider/local.h"

struct gs_local_catalog {
    struct gs_arena a;             /* names and paths */
    struct gs_local_model *models; /* by name */
    size_t n, cap;
};

/* Where models are. */
struct gs_local_places {
    const char *const *paths; /* files, or folders that are searched */
    size_t n_paths;
    const char *extra; /* a file that is added if it was not found, or NULL */
    const char *own;   /* genset's own folder, or NULL; need not be there */
};

/* Search all places. With `old`, which stays as it is, the files it knows are not opened again, and
 * places that are gone are no error. The catalog must be cleared also after an error.
 * errors as of gs_local_create(). */
GS_MUST_CHECK enum gs_status gs_local_catalog_init(struct gs_local_catalog *c,
                                                   const struct gs_local_places *places,
                                                   const struct gs_local_catalog *old,
                                                   struct gs_error *err);
void gs_local_catalog_clear(struct gs_local_catalog *c);

/* Copy a model; false if memory is short. */
GS_MUST_CHECK bool gs_local_catalog_copy(struct gs_arena *a, const struct gs_local_model *from,
                                         struct gs_local_model *out);
/* Index of the model that `name` means by itself (see local.h), or SIZE_MAX. */
size_t gs_local_catalog_find(const struct gs_local_catalog *c, struct gs_slice name);
/* Of the model whose name it is, whatever the case; or SIZE_MAX. */
size_t gs_local_catalog_find_exact(const struct gs_local_catalog *c, struct gs_slice name);
/* "-00001-of-00003" before the ".gguf" of a path: its length, or 0. */
size_t gs_local_catalog_split(struct gs_slice path, int64_t *out_part, int64_t *out_n);
/* A file of this name in a folder is a model, or the first part of one. */
bool gs_local_catalog_is_model(struct gs_slice file);
/* Set GS_ENOTFOUND with the names there are. */
enum gs_status gs_local_catalog_not_found(const struct gs_local_catalog *c, struct gs_slice name,
                                          struct gs_error *err);

#endif
