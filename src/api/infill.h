/* Prompts whose answer goes between two texts. */
#ifndef GS_API_INFILL_H
#define GS_API_INFILL_H

#include "api/llm.h"

/* Whether the model has such marks. */
bool gs_llm_can_infill(const struct gs_llm *llm);
/* Append prefix and suffix with the marks that the model was trained with; the answer then is the
 * middle. errors: GS_EUNSUPPORTED (the model has no such marks), GS_EFORMAT, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_llm_infill_tokens(const struct gs_llm *llm,
                                                  const struct gs_chat *chat,
                                                  struct gs_token_ids *ids, struct gs_error *err);

#endif
