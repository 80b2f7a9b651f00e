/* llama-server, what asks for no answer: /tokenize, /detokenize, /apply-template and /props
 * (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md). A body need not name
 * a model. The path of a model stays ours: its file's name is told. */
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "dialect/llama.h"
#include "dialect/openai_chat.h"
#include "dialect/reader.h"
#include "dialect/texts.h"
#include "dialect/writer.h"
#include "genset/models.h"
#include "json/json.h"

struct request {
    struct gs_errand errand; /* first: the context points here */
    struct gs_chat chat;
};

/* ---- requests ---- */

static void read_tokenize(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_errand *e)
{
    e->kind = GS_ERRAND_TOKENIZE;
    e->parse_special = true;
    gs_dialect_get_string(r, body, "content", &e->text);
    gs_dialect_get_bool(r, body, "add_special", &e->add_special);
    gs_dialect_get_bool(r, body, "parse_special", &e->parse_special);
    gs_dialect_get_bool(r, body, "with_pieces", &e->wants_pieces);
}

static void read_detokenize(struct gs_dialect_reader *r, const struct gs_json *body,
                            struct gs_errand *e)
{
    const struct gs_json *tokens = gs_dialect_get_array(r, body, "tokens");
    struct gs_embed_input in = {0};

    e->kind = GS_ERRAND_DETOKENIZE;
    if (tokens && r->status == GS_OK)
        gs_dialect_read_tokens(r, tokens, "tokens", &in);
    e->tokens = in.tokens;
    e->n_tokens = in.n_tokens;
}

static enum gs_status read_body(struct gs_dialect_reader *r, struct gs_slice text, const char *path,
                                struct gs_errand *e)
{
    struct gs_json body;
    const enum gs_status st = gs_dialect_parse(text, r->a, &body, r->err);

    if (st != GS_OK)
        return st;
    gs_dialect_get_string(r, &body, "model", &e->model);
    if (strcmp(path, "/tokenize") == 0)
        read_tokenize(r, &body, e);
    else
        read_detokenize(r, &body, e);
    return r->status;
}

static enum gs_status read_request(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice text, const char *path, struct gs_arena *a,
                                   struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct request *q = gs_arena_alloc(a, sizeof(*q));
    enum gs_status st = GS_OK;

    if (!q)
        return gs_error_nomem(err, "read the request");
    *q = (struct request){.errand = {.kind = GS_ERRAND_FACTS, .arena = a}};
    if (strcmp(path, "/apply-template") == 0) {
        st = gs_dialect_openai_chat_read(&q->chat, out_ctx, text, path, a, err);
        q->errand.kind = GS_ERRAND_RENDER;
        q->errand.chat = &q->chat;
        q->errand.model = q->chat.model;
    } else if (strcmp(path, "/props") != 0) {
        st = read_body(&r, text, path, &q->errand);
    }
    if (st != GS_OK)
        return st;
    *out_chat = (struct gs_chat){0};
    *out_ctx = (struct gs_dialect_context){.model = q->errand.model, .errand = &q->errand};
    return GS_OK;
}

/* ---- answers ---- */

/* As text, or, where it is no UTF-8 by itself, as its bytes. */
static void write_piece(struct gs_buf *b, struct gs_slice piece)
{
    if (gs_utf8_valid(piece)) {
        gs_json_write_string(b, piece);
        return;
    }
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < piece.len; i++)
        gs_buf_printf(b, "%s%u", i ? "," : "", (unsigned)(unsigned char)piece.ptr[i]);
    gs_buf_putc(b, ']');
}

static void write_tokens(struct gs_buf *b, const struct gs_errand *e)
{
    gs_buf_puts(b, "{\"tokens\":");
    if (!e->pieces) {
        gs_dialect_write_tokens(b, e->tokens, e->n_tokens);
        gs_buf_putc(b, '}');
        return;
    }
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < e->n_tokens; i++) {
        gs_buf_puts(b, i ? ",{\"id\":" : "{\"id\":");
        gs_buf_int(b, e->tokens[i]);
        gs_buf_puts(b, ",\"piece\":");
        write_piece(b, e->pieces[i]);
        gs_buf_putc(b, '}');
    }
    gs_buf_puts(b, "]}");
}

static void write_props(struct gs_buf *b, const struct gs_dialect_context *ctx)
{
    const struct gs_errand *e = ctx->errand;
    const struct gs_local_model *m = &e->models[0];
    const char *slash = strrchr(m->path, '/');

    gs_buf_printf(b,
                  "{\"default_generation_settings\":{\"id\":0,\"n_ctx\":%lld,"
                  "\"speculative\":false,\"is_processing\":false,\"params\":{\"temperature\":0.8,"
                  "\"top_k\":40,\"top_p\":0.95,\"min_p\":0.05,\"n_predict\":-1,\"seed\":-1}},"
                  "\"total_slots\":%d,",
                  (long long)m->fit_tokens, (int)e->n_slots);
    gs_dialect_write_member(b, "model_alias", gs_slice_str(m->name));
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "model_path", gs_slice_str(slash ? slash + 1 : m->path));
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "chat_template", e->chat_template);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "bos_token", e->bos_text);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "eos_token", e->eos_text);
    gs_buf_puts(b, ",\"modalities\":{\"vision\":false,\"audio\":false},");
    gs_dialect_write_member(b, "build_info", ctx->fingerprint);
    gs_buf_putc(b, '}');
}

static void write_text(struct gs_buf *b, const char *key, struct gs_slice text)
{
    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, key, text);
    gs_buf_putc(b, '}');
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    (void)state;
    if (ev->kind != GS_EVENT_STOP)
        return;
    if (ctx->errand->kind == GS_ERRAND_TOKENIZE)
        write_tokens(b, ctx->errand);
    else if (ctx->errand->kind == GS_ERRAND_FACTS)
        write_props(b, ctx);
    else
        write_text(b, ctx->errand->kind == GS_ERRAND_RENDER ? "prompt" : "content",
                   ctx->errand->text);
}

const struct gs_dialect gs_dialect_llama_errands = {
    .name = "llama-errands",
    .stream_content_type = "application/json",
    .state_bytes = 1,
    .overload_status = 503,
    .read_request = read_request,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = gs_dialect_no_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
