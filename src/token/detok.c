/* Ids back to text, piece by piece. Bytes wait in `held` until they make a character; bytes that
 * never will come out as U+FFFD. */
#include "token/tokenizer.h"

#define REPLACEMENT GS_SLICE_LIT("\xEF\xBF\xBD")

void gs_detok_init(struct gs_detok *d, const struct gs_tokenizer *t, bool with_control)
{
    *d = (struct gs_detok){.t = t, .at_start = true, .with_control = with_control};
}

/* Write the characters that are complete; keep the rest. */
static void drain(struct gs_detok *d, struct gs_buf *b)
{
    size_t pos = 0;

    while (pos < d->n_held) {
        const struct gs_slice rest = gs_slice(d->held + pos, d->n_held - pos);
        uint32_t cp;
        if (gs_utf8_incomplete_tail(rest) == rest.len)
            break;
        const size_t n = gs_utf8_decode(rest, 0, &cp);
        gs_buf_slice(b, cp == 0xFFFD ? REPLACEMENT : gs_slice(rest.ptr, n));
        pos += n;
    }
    d->n_held -= pos;
    memmove(d->held, d->held + pos, d->n_held);
}

void gs_detok_feed(struct gs_detok *d, int32_t id, struct gs_buf *b)
{
    const enum gs_token_kind kind = gs_token_kind_of(d->t, id);
    const bool is_control = kind == GS_TOKEN_CONTROL || kind == GS_TOKEN_UNKNOWN;
    struct gs_slice bytes = gs_token_bytes(d->t, id);

    if (is_control && !d->with_control)
        return;
    if (d->at_start && !is_control && bytes.len > 0) {
        if (d->t->drop_first_space && bytes.ptr[0] == ' ')
            bytes = gs_slice_sub(bytes, 1, bytes.len);
        d->at_start = false;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        d->held[d->n_held++] = bytes.ptr[i];
        drain(d, b);
    }
}

void gs_detok_finish(struct gs_detok *d, struct gs_buf *b)
{
    if (d->n_held > 0)
        gs_buf_slice(b, REPLACEMENT);
    d->n_held = 0;
}
