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

/* Search `paths`, then add `extra` (a file, or NULL) if it is not among what was found. The catalog
 * must be cleared also after an error. errors as of gs_local_create(). */
GS_MUST_CHECK enum gs_status gs_local_catalog_init(struct gs_local_catalog *c,
                                                   const char *const *paths, size_t n_paths,
                                                   const char *extra, struct gs_error *err);
void gs_local_catalog_clear(struct gs_local_catalog *c);

/* Index of the model that `name` means by itself (see local.h), or SIZE_MAX. */
size_t gs_local_catalog_find(const struct gs_local_catalog *c, struct gs_slice name);
/* Set GS_ENOTFOUND with the names there are. */
enum gs_status gs_local_catalog_not_found(const struct gs_local_catalog *c, struct gs_slice name,
                                          struct gs_error *err);

#endif
