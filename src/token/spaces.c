/* White space: which characters are, how vocabularies spell it, and cutting a text at it where that
 * changes no id. */
#include "token/tokenizer.h"

/* Offset of the first U+2581 in s after some other character, or SIZE_MAX. */
static size_t find_inner_space(struct gs_slice s)
{
    const struct gs_slice space = GS_SLICE_LIT(GS_TOKEN_SPACE);
    size_t at = 0;

    while (gs_slice_starts(gs_slice_sub(s, at, s.len), space))
        at += space.len;
    return gs_slice_find(s, space, at);
}

bool gs_token_words_end_at_spaces(const struct gs_tokenizer *t)
{
    for (int32_t i = 0; i < t->n_tokens; i++)
        if (t->kinds[i] != GS_TOKEN_CONTROL && find_inner_space(t->spellings[i]) != SIZE_MAX)
            return false;
    return true;
}

struct gs_slice gs_token_next_word(const struct gs_tokenizer *t, struct gs_slice *rest)
{
    size_t end = t->words_at_spaces ? find_inner_space(*rest) : rest->len;

    end = GS_MIN(end, rest->len);
    if (end > GS_TOKEN_MAX_WORD_BYTES) {
        end = GS_TOKEN_MAX_WORD_BYTES;
        end -= gs_utf8_incomplete_tail(gs_slice(rest->ptr, end));
    }
    const struct gs_slice word = gs_slice(rest->ptr, end);
    *rest = gs_slice_sub(*rest, end, rest->len);
    return word;
}

void gs_token_escape_spaces(struct gs_buf *b, struct gs_slice text)
{
    while (text.len > 0) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT(" "), 0), text.len);
        gs_buf_slice(b, gs_slice_sub(text, 0, end));
        if (end < text.len)
            gs_buf_slice(b, GS_SLICE_LIT(GS_TOKEN_SPACE));
        text = gs_slice_sub(text, end + 1, text.len);
    }
}

bool gs_token_is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}
