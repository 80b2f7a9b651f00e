/* How another computer is asked to go on with an answer that broke off. Pure. */
#ifndef GS_SWITCH_RESUME_H
#define GS_SWITCH_RESUME_H

#include "base/arena.h"
#include "base/compiler.h"
#include "config/routes.h"
#include "dialect/client.h"
#include "genset/chat.h"
#include "switch/seam.h"

/* What it gets to read. */
struct gs_resume {
    struct gs_dialect_turns turns; /* behind those of the client's own request */
    bool has_turns;                /* SKIP has none: it is asked as the first one was */
    struct gs_chat chat;           /* the same as a chat */
};

/* How it is asked first, if gs_splice_kind() allows an open turn: as one where its API and model
 * are known to go on with that, and nobody refused it lately (`is_refused`); else by an anchor. An
 * OpenAI-compatible server of the same house probably does; of one out there nobody knows. */
enum gs_seam_kind gs_resume_kind(const struct gs_config_provider *p,
                                 const struct gs_dialect_client *client, struct gs_slice model,
                                 bool is_refused);
/* The last message of `handed` is what broke off; `chat` is what was asked first; `anchor` the end
 * of that message, if it is asked for. Lives in `a` and in what it is made from. */
GS_MUST_CHECK bool gs_resume_make(enum gs_seam_kind kind, const struct gs_chat *chat,
                                  const struct gs_chat *handed, struct gs_slice anchor,
                                  struct gs_arena *a, struct gs_resume *out);

/* Who refused an open turn, for an hour. Zeroed is empty. */
#define GS_RESUME_REFUSALS 32

struct gs_resume_refusals {
    struct gs_resume_refusal {
        uint64_t who;
        int64_t until_us;
    } items[GS_RESUME_REFUSALS];
    size_t n; /* noted so far */
};

void gs_resume_refused(struct gs_resume_refusals *r, struct gs_slice provider,
                       struct gs_slice model, int64_t now_us);
bool gs_resume_is_refused(const struct gs_resume_refusals *r, struct gs_slice provider,
                          struct gs_slice model, int64_t now_us);

#endif
