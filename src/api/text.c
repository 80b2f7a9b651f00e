/* Text and tokens: tokenising, rendering, counting. */
#include <string.h>

#include "api/llm.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "jinja/template.h"
#include "json/json.h"

_Static_assert((int)GS_TOKENIZE_ADD_SPECIAL == (int)GS_TOKEN_ADD_SPECIAL &&
                   (int)GS_TOKENIZE_PARSE_SPECIAL == (int)GS_TOKEN_PARSE_SPECIAL,
               "flags are handed on as they are");

enum gs_status gs_llm_need_tokenizer(const struct gs_llm *llm, struct gs_error *err)
{
    if (llm->tok)
        return GS_OK;
    if (err)
        *err = llm->tok_err;
    return llm->tok_err.code;
}

enum gs_status gs_llm_tokenize(const gs_llm *llm, struct gs_slice text, unsigned flags,
                               int32_t **out_ids, size_t *out_n, struct gs_error *err)
{
    struct gs_token_ids ids = {0};
    enum gs_status st = gs_llm_need_tokenizer(llm, err);

    if (st != GS_OK)
        return st;
    st = gs_token_encode(llm->tok, text, flags, &ids, err);
    if (st != GS_OK) {
        gs_token_ids_clear(&ids);
        return st;
    }
    *out_ids = ids.ids;
    *out_n = ids.len;
    return GS_OK;
}

void gs_free_tokens(int32_t *ids)
{
    gs_free(ids);
}

struct gs_slice gs_llm_token_text(const gs_llm *llm, int32_t id)
{
    if (!llm->tok || id < 0 || id >= gs_token_vocab_len(llm->tok))
        return (struct gs_slice){"", 0};
    return gs_token_bytes(llm->tok, id);
}

/* ---- prompts ---- */

/* Hand the text of a buffer to the caller, who releases it with gs_free_text(). */
static enum gs_status take_text(struct gs_buf *b, char **out_text, size_t *out_len,
                                struct gs_error *err)
{
    size_t len;
    char *text = gs_buf_take(b, &len);

    if (!text)
        return gs_error_nomem(err, "render a prompt");
    *out_text = text;
    *out_len = len;
    return GS_OK;
}

enum gs_status gs_llm_render(const gs_llm *llm, const struct gs_chat *chat, char **out_text,
                             size_t *out_len, struct gs_error *err)
{
    struct gs_prompt_shape shape = {.ends = NULL};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    enum gs_status st = gs_llm_prompt_text(llm, chat, &shape, &b, err);
    if (st == GS_OK)
        st = take_text(&b, out_text, out_len, err);
    gs_buf_clear(&b);
    return st;
}

enum gs_status gs_llm_count(const gs_llm *llm, const struct gs_chat *chat, int64_t *out_tokens,
                            struct gs_error *err)
{
    struct gs_llm_prompt p;

    const enum gs_status st = gs_llm_prompt_make(llm, chat, &p, err);
    if (st == GS_OK) {
        *out_tokens = (int64_t)p.ids.len;
        gs_llm_prompt_clear(&p);
    }
    return st;
}

void gs_free_text(char *text)
{
    gs_free(text);
}

/* ---- templates by themselves ---- */

/* Two or four digits at *at, then `sep` (0 = none). */
static bool read_digits(struct gs_slice *s, size_t n, char sep, int64_t *out)
{
    if (s->len < n + (sep != 0) || !gs_slice_to_i64(gs_slice_sub(*s, 0, n), out) || *out < 0)
        return false;
    if (sep != 0 && s->ptr[n] != sep)
        return false;
    *s = gs_slice_sub(*s, n + (sep != 0), s->len);
    return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar: whole years from March on, so that
 * the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = month > 2 ? year : year - 1;
    const int64_t m = month > 2 ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* "2026-01-15T09:30:00", with or without Z. */
static enum gs_status parse_time(const char *iso, int64_t *out_us, struct gs_error *err)
{
    struct gs_slice s = gs_slice_str(iso);
    int64_t year, month, day, hour, minute, second;

    if (read_digits(&s, 4, '-', &year) && read_digits(&s, 2, '-', &month) &&
        read_digits(&s, 2, 'T', &day) && read_digits(&s, 2, ':', &hour) &&
        read_digits(&s, 2, ':', &minute) && read_digits(&s, 2, 0, &second) && month >= 1 &&
        month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60 &&
        (s.len == 0 || gs_slice_eq_str(s, "Z"))) {
        *out_us = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000000;
        return GS_OK;
    }
    return gs_error_set(err, GS_EINVAL, "expected a time such as 2026-01-15T09:30:00, found \"%s\"",
                        iso);
}

static enum gs_status render_vars(const struct gs_template *tpl, struct gs_slice vars_json,
                                  int64_t now_us, struct gs_buf *b, struct gs_error *err)
{
    struct gs_json vars;
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_json_parse(vars_json, &a, &vars, err);
    if (st == GS_OK && vars.kind != GS_JSON_OBJECT)
        st = gs_error_set(err, GS_EINVAL, "the variables of a template are an object, found %s",
                          gs_json_kind_name(vars.kind));
    if (st == GS_OK)
        st = gs_template_render(tpl, &vars, now_us, b, err);
    gs_arena_clear(&a);
    return st;
}

enum gs_status gs_render_template(const char *name, struct gs_slice source,
                                  struct gs_slice vars_json, const char *now_iso, char **out_text,
                                  size_t *out_len, struct gs_error *err)
{
    struct gs_template *tpl = NULL;
    int64_t now_us = gs_clock_wall_us();
    enum gs_status st = now_iso ? parse_time(now_iso, &now_us, err) : GS_OK;
    struct gs_buf b;

    if (st != GS_OK)
        return st;
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    st = gs_template_parse(name, source, &tpl, err);
    if (st == GS_OK)
        st = render_vars(tpl, vars_json, now_us, &b, err);
    if (st == GS_OK)
        st = take_text(&b, out_text, out_len, err);
    gs_template_free(tpl);
    gs_buf_clear(&b);
    return st;
}
