/* What the tokens of one answer may be: the request's format, and the schemas of its tools. */
#ifndef GS_API_GUIDE_H
#define GS_API_GUIDE_H

#include "api/llm.h"
#include "chat/parser.h"

struct gs_guide;

/* *out_g is NULL where anything goes. Keywords that are not enforced are appended to `ignored`.
 * errors: GS_EFORMAT (a bad schema, grammar or expression), GS_EINVAL (an unknown tool is
 *         demanded), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_guide_create(gs_llm *llm, const struct gs_chat *chat,
                                             const struct gs_prompt_traits *traits,
                                             struct gs_buf *ignored, struct gs_guide **out_g,
                                             struct gs_error *err);
void gs_guide_free(struct gs_guide *g);

/* The answer can no longer be held to what was demanded of it: it must not go on. */
bool gs_guide_failed(const struct gs_guide *g);

/* NULL if the token that was drawn may come where the parser is now; else the tokens that may. */
const uint64_t *gs_guide_mask(struct gs_guide *g, const struct gs_parser *p, int32_t drawn);
/* This token was chosen: the one drawn, or one of the mask. */
void gs_guide_accept(struct gs_guide *g, int32_t id);
/* The same of a part of a token: whether it may come, and that it has. */
bool gs_guide_allows(struct gs_guide *g, const struct gs_parser *p, struct gs_slice text);
void gs_guide_accept_text(struct gs_guide *g, const struct gs_parser *p, struct gs_slice text);

#endif
