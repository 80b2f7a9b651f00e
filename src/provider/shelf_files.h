/* What the disk thread does with files. Private to provider/. */
#ifndef GS_PROVIDER_SHELF_FILES_H
#define GS_PROVIDER_SHELF_FILES_H

#include "base/compiler.h"
#include "genset/models.h"

struct gs_local_upload;

/* COPY, DELETE, CREATE or BLOB_FIND in genset's own folder `own` (NULL: there is none); the model
 * that is copied, deleted or created from is e->models[0].
 * errors: GS_EINVAL (name, digest), GS_ENOTFOUND, GS_EUNSUPPORTED (not ours), GS_EIO. */
GS_MUST_CHECK enum gs_status gs_local_files_do(const char *own, const struct gs_errand *e,
                                               struct gs_error *err);

/* Fill in what SHOW tells of e->models[0]. */
GS_MUST_CHECK enum gs_status gs_local_card_fill(struct gs_errand *e, struct gs_error *err);

/* A blob that comes in pieces; it is seen under its name when it is complete and what its digest
 * says it is. errors of all: GS_EINVAL (digest), GS_EIO, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_local_upload_create(const char *own, struct gs_slice digest,
                                                    struct gs_local_upload **out_u,
                                                    struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_local_upload_write(struct gs_local_upload *u, struct gs_slice bytes,
                                                   struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_local_upload_finish(struct gs_local_upload *u,
                                                    struct gs_error *err);
/* What was not finished is removed. NULL is allowed. */
void gs_local_upload_free(struct gs_local_upload *u);

#endif
