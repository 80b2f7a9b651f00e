/* Errands that need an open model. Private to provider/. */
#ifndef GS_PROVIDER_LOCAL_ERRAND_H
#define GS_PROVIDER_LOCAL_ERRAND_H

#include "base/compiler.h"
#include "genset/models.h"

struct gs_local_open;

/* TOKENIZE, DETOKENIZE, RENDER, FACTS, OPEN; results as errand.h says. errors: of the library. */
GS_MUST_CHECK enum gs_status gs_local_errand_do(const struct gs_local_open *m, int32_t n_slots,
                                                struct gs_errand *e, struct gs_error *err);

#endif
