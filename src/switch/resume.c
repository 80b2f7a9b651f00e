/* An anchor is asked for in the user's own words: what sounds like a notice of some machinery is
 * taken for an attempt to take over. */
#include "switch/resume.h"

#include "base/map.h"
#include "base/slice.h"
#include "switch/splice.h"

#define REFUSED_US      INT64_C(3600000000)
#define BYTES_PER_TOKEN 2 /* at least, of an anchor, which counts as answer once more */

/* ---- kinds ---- */

enum gs_seam_kind gs_resume_kind(const struct gs_config_provider *p,
                                 const struct gs_dialect_client *client, struct gs_slice model,
                                 bool is_refused)
{
    if (is_refused || !client->takes_open_turn || !client->takes_open_turn(model) ||
        (p->kind == GS_PROVIDER_OPENAI && !p->is_near))
        return GS_SEAM_ANCHOR;
    return p->kind == GS_PROVIDER_OPENAI ? GS_SEAM_GUESSED
           : client->trims_open_turn     ? GS_SEAM_TRIMMED
                                         : GS_SEAM_OPEN;
}

/* ---- what is asked ---- */

/* What the assistant has said in words. */
static bool join_texts(const struct gs_message *had, struct gs_arena *a, struct gs_slice *out)
{
    size_t len = 0, at = 0;

    for (size_t i = 0; i < had->n_blocks; i++)
        len += had->blocks[i].kind == GS_BLOCK_TEXT ? had->blocks[i].text.len : 0;
    char *text = gs_arena_alloc(a, len + 1);
    if (!text)
        return false;
    for (size_t i = 0; i < had->n_blocks; i++) {
        const struct gs_slice s = had->blocks[i].text;
        if (had->blocks[i].kind != GS_BLOCK_TEXT || s.len == 0)
            continue;
        memcpy(text + at, s.ptr, s.len);
        at += s.len;
    }
    *out = gs_slice(text, len);
    return true;
}

static struct gs_slice ask_for_anchor(struct gs_slice anchor, struct gs_arena *a)
{
    return gs_arena_printf(
        a,
        "My connection dropped while I was reading your last message, and the end of it is "
        "missing here. Please write the rest of that same message, from the exact place where it "
        "stops. So that I can put the two pieces together, begin by repeating the last characters "
        "that I have, exactly as they are, and go straight on from there, without a remark and "
        "without starting over. The last characters that I have:\n\n%.*s",
        (int)anchor.len, anchor.ptr);
}

/* The chat with these turns behind it. */
static bool add_turns(struct gs_resume *r, const struct gs_chat *chat, struct gs_arena *a)
{
    const size_t n = chat->n_messages;
    const struct gs_slice texts[] = {r->turns.said, r->turns.reply};
    struct gs_message *messages = gs_arena_array(a, n + 2, sizeof(*messages));
    struct gs_block *blocks = gs_arena_array(a, 2, sizeof(*blocks));

    if (!messages || !blocks)
        return false;
    for (size_t i = 0; i < n; i++)
        messages[i] = chat->messages[i];
    for (size_t i = 0; i < 2; i++) {
        blocks[i] = (struct gs_block){.kind = GS_BLOCK_TEXT, .text = texts[i]};
        messages[n + i] = (struct gs_message){
            .role = i ? GS_ROLE_USER : GS_ROLE_ASSISTANT, .blocks = &blocks[i], .n_blocks = 1};
    }
    r->chat.messages = messages;
    r->chat.n_messages = n + (r->turns.reply.len ? 2 : 1);
    r->chat.thinking = GS_THINKING_OFF; /* it was done */
    r->chat.max_tokens = r->turns.max_tokens;
    return true;
}

bool gs_resume_make(enum gs_seam_kind kind, const struct gs_chat *chat,
                    const struct gs_chat *handed, struct gs_slice anchor, struct gs_arena *a,
                    struct gs_resume *out)
{
    const struct gs_message *had = &handed->messages[handed->n_messages - 1];
    struct gs_resume r = {.chat = *chat};

    if (kind != GS_SEAM_SKIP) {
        r.has_turns = true;
        r.turns.max_tokens = handed->max_tokens;
        if (!join_texts(had, a, &r.turns.said))
            return false;
        if (kind == GS_SEAM_ANCHOR) {
            r.turns.reply = ask_for_anchor(anchor, a);
            if (!r.turns.reply.ptr)
                return false;
            if (r.turns.max_tokens > 0)
                r.turns.max_tokens += (int64_t)(anchor.len / BYTES_PER_TOKEN) + 1;
        } else {
            r.chat.continue_last = r.chat.broke_off = true;
        }
        if (!add_turns(&r, chat, a))
            return false;
    }
    *out = r;
    return true;
}

/* ---- who refused ---- */

static uint64_t hash_of(struct gs_slice provider, struct gs_slice model)
{
    return gs_hash_bytes(model.ptr, model.len, gs_hash_bytes(provider.ptr, provider.len, 1));
}

void gs_resume_refused(struct gs_resume_refusals *r, struct gs_slice provider,
                       struct gs_slice model, int64_t now_us)
{
    r->items[r->n++ % GS_RESUME_REFUSALS] =
        (struct gs_resume_refusal){hash_of(provider, model), now_us + REFUSED_US};
}

bool gs_resume_is_refused(const struct gs_resume_refusals *r, struct gs_slice provider,
                          struct gs_slice model, int64_t now_us)
{
    const uint64_t who = hash_of(provider, model);

    for (size_t i = 0; i < GS_RESUME_REFUSALS; i++)
        if (r->items[i].who == who && r->items[i].until_us > now_us)
            return true;
    return false;
}
