/* Ollama, models: /api/tags, ps, show, pull, push, create, copy, delete, blobs
 * (https://github.com/ollama/ollama/blob/main/docs/api.md). Models are the GGUF files of this
 * machine: pulling one that is here succeeds at once, pulling another or pushing one does not.
 * What create can say and a GGUF file cannot hold is refused by name. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "dialect/ollama.h"
#include "dialect/texts.h"
#include "dialect/writer.h"
#include "genset/models.h"
#include "json/json.h"

/* Year 9999: for ever, as Ollama's clients take it. */
#define FOREVER_US INT64_C(253402300799000000)

enum answer { ANSWER_TAGS, ANSWER_PS, ANSWER_CARD, ANSWER_STATUS, ANSWER_PULLED, ANSWER_NOTHING };

struct request {
    struct gs_errand errand; /* first: the context points here */
    enum answer answer;
};

/* ---- requests ---- */

/* "model", or "name", as it was called. */
static void read_model(struct gs_dialect_reader *r, const struct gs_json *body,
                       struct gs_slice *out)
{
    gs_dialect_get_string(r, body, "name", out);
    gs_dialect_get_string(r, body, "model", out);
    if (!out->len)
        gs_dialect_reader_fail(r, "model: a model must be named");
}

static void read_copy(struct gs_dialect_reader *r, const struct gs_json *body, struct gs_errand *e)
{
    gs_dialect_get_string(r, body, "source", &e->model);
    gs_dialect_get_string(r, body, "destination", &e->target);
    if (!e->model.len || !e->target.len)
        gs_dialect_reader_fail(r, "source, destination: both models must be named");
}

static bool is_empty(const struct gs_json *v)
{
    switch (v->kind) {
    case GS_JSON_NULL:
        return true;
    case GS_JSON_BOOL:
        return !v->u.boolean;
    case GS_JSON_STRING:
        return v->u.string.len == 0;
    case GS_JSON_ARRAY:
        return v->u.array.len == 0;
    case GS_JSON_OBJECT:
        return v->u.object.len == 0;
    case GS_JSON_INT:
    case GS_JSON_REAL:
        break;
    }
    return false;
}

/* The one file of "files", {"model.gguf": "sha256:..."}. */
static void read_file(struct gs_dialect_reader *r, const struct gs_json *body, struct gs_errand *e)
{
    const struct gs_json *files = gs_json_get(body, "files");

    if (!files || is_empty(files))
        return;
    if (files->kind != GS_JSON_OBJECT || files->u.object.len != 1 ||
        files->u.object.members[0].value.kind != GS_JSON_STRING) {
        gs_dialect_reader_fail(r, "files: expected one GGUF file, as {\"model.gguf\": \"sha256:"
                                  "...\"}");
        return;
    }
    e->digest = files->u.object.members[0].value.u.string;
}

static void read_create(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_errand *e)
{
    static const char *const refused[] = {
        "adapters",  "template",    "license",        "system",     "parameters",
        "messages",  "quantize",    "renderer",       "parser",     "requires",
        "modelfile", "draft_files", "draft_quantize", "remote_host"};

    read_model(r, body, &e->target);
    gs_dialect_get_string(r, body, "from", &e->model);
    read_file(r, body, e);
    for (size_t i = 0; i < GS_COUNT_OF(refused); i++) {
        const struct gs_json *v = gs_json_get(body, refused[i]);
        if (v && !is_empty(v))
            gs_dialect_reader_fail(r, "%s: a model is created from a GGUF file as it is",
                                   refused[i]);
    }
    if (!e->model.len == !e->digest.len)
        gs_dialect_reader_fail(r, "from, files: name another model, or one file");
}

/* What each path asks for, and how that is answered. */
static const struct {
    const char *path;
    enum gs_errand_kind kind;
    enum answer answer;
    bool has_body, streams;
} endpoints[] = {
    {"/api/tags", GS_ERRAND_LIST, ANSWER_TAGS, false, false},
    {"/api/ps", GS_ERRAND_LIST, ANSWER_PS, false, false},
    {"/api/show", GS_ERRAND_SHOW, ANSWER_CARD, true, false},
    {"/api/pull", GS_ERRAND_FIND, ANSWER_PULLED, true, true},
    {"/api/push", GS_ERRAND_FIND, ANSWER_STATUS, true, true},
    {"/api/create", GS_ERRAND_CREATE, ANSWER_STATUS, true, true},
    {"/api/copy", GS_ERRAND_COPY, ANSWER_NOTHING, true, false},
    {"/api/delete", GS_ERRAND_DELETE, ANSWER_NOTHING, true, false},
    {"/api/blobs/", GS_ERRAND_BLOB_FIND, ANSWER_NOTHING, false, false},
};

static size_t find_endpoint(const char *path)
{
    size_t i = 0;

    while (i + 1 < GS_COUNT_OF(endpoints) && strcmp(path, endpoints[i].path) != 0)
        i++;
    return i;
}

static void read_body(struct gs_dialect_reader *r, const struct gs_json *body, const char *path,
                      struct gs_errand *e)
{
    if (e->kind == GS_ERRAND_COPY) {
        read_copy(r, body, e);
        return;
    }
    if (e->kind == GS_ERRAND_CREATE) {
        read_create(r, body, e);
        return;
    }
    read_model(r, body, &e->model);
    gs_dialect_get_bool(r, body, "verbose", &e->wants_lists);
    if (strcmp(path, "/api/push") == 0 && r->status == GS_OK)
        r->status = gs_error_set(r->err, GS_EUNSUPPORTED,
                                 "push: models of this machine are not sent anywhere");
}

static enum gs_status read_request(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice text, const char *path, struct gs_arena *a,
                                   struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct request *q = gs_arena_alloc(a, sizeof(*q));
    const size_t at = find_endpoint(path);
    struct gs_dialect_context ctx = {.stream = endpoints[at].streams};
    struct gs_json body;

    if (!q)
        return gs_error_nomem(err, "read the request");
    *q = (struct request){.errand = {.kind = endpoints[at].kind, .arena = a},
                          .answer = endpoints[at].answer};
    if (endpoints[at].has_body) {
        const enum gs_status st = gs_dialect_parse(text, a, &body, err);
        if (st != GS_OK)
            return st;
        read_body(&r, &body, path, &q->errand);
        if (endpoints[at].streams)
            gs_dialect_get_bool(&r, &body, "stream", &ctx.stream);
    } else if (q->errand.kind == GS_ERRAND_BLOB_FIND) {
        q->errand.digest = gs_slice_str(path + strlen(endpoints[at].path));
    }
    ctx.model = q->errand.model;
    ctx.errand = &q->errand;
    ctx.streams_at_once = ctx.stream && q->answer == ANSWER_PULLED;
    *out_chat = (struct gs_chat){0};
    *out_ctx = ctx;
    return r.status;
}

/* ---- answers ---- */

static void write_time(struct gs_buf *b, int64_t wall_us)
{
    char when[40];

    gs_clock_format_us(wall_us, when, sizeof(when));
    gs_buf_printf(b, "\"%s\"", when);
}

/* "4.0B" */
static void write_parameter_size(struct gs_buf *b, int64_t n_params)
{
    if (n_params >= 1000000000)
        gs_buf_printf(b, "\"%.1fB\"", (double)n_params / 1e9);
    else if (n_params >= 1000000)
        gs_buf_printf(b, "\"%.0fM\"", (double)n_params / 1e6);
    else
        gs_buf_printf(b, "\"%.0fK\"", (double)n_params / 1e3);
}

static void write_details(struct gs_buf *b, const struct gs_local_model *m)
{
    const struct gs_slice arch = gs_slice_str(m->arch);

    gs_buf_puts(b, "\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",");
    gs_dialect_write_member(b, "family", arch);
    gs_buf_puts(b, ",\"families\":[");
    gs_json_write_string(b, arch);
    gs_buf_puts(b, "],\"parameter_size\":");
    write_parameter_size(b, m->n_params);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "quantization_level", gs_slice_str(m->quant));
    gs_buf_putc(b, '}');
}

/* The digest tells versions of a file apart: contents are not read. */
static void write_tag(struct gs_buf *b, const struct gs_local_model *m)
{
    const struct gs_slice name = gs_slice_str(m->name);

    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, "name", name);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "model", name);
    gs_buf_puts(b, ",\"modified_at\":");
    write_time(b, m->modified_s * 1000000);
    gs_buf_printf(b, ",\"size\":%lld,\"digest\":\"%016llx\",", (long long)m->file_bytes,
                  (unsigned long long)gs_hash_bytes(m->path, strlen(m->path), m->version));
    write_details(b, m);
}

/* What Ollama says of a model of its cloud: there is no file. */
static void write_remote(struct gs_buf *b, const struct gs_remote_model *m)
{
    gs_dialect_write_member(b, "remote_model", m->model);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "remote_host", m->url);
    gs_buf_puts(b, ",\"modified_at\":");
    write_time(b, 0);
    gs_buf_puts(
        b, ",\"details\":{\"parent_model\":\"\",\"format\":\"\",\"family\":\"\",\"families\":[],"
           "\"parameter_size\":\"\",\"quantization_level\":\"\"}");
}

static void write_remote_tag(struct gs_buf *b, const struct gs_remote_model *m)
{
    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, "name", m->name);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "model", m->name);
    gs_buf_printf(b, ",\"size\":0,\"digest\":\"%016llx\",",
                  (unsigned long long)gs_hash_bytes(m->name.ptr, m->name.len, 0));
    write_remote(b, m);
    gs_buf_putc(b, '}');
}

/* Nobody was asked what it can do: most can. */
static void write_remote_card(struct gs_buf *b, const struct gs_remote_model *m)
{
    gs_buf_puts(b, "{\"modelfile\":\"\",\"parameters\":\"\",\"template\":\"\",");
    write_remote(b, m);
    gs_buf_puts(b, ",\"model_info\":{},\"capabilities\":[\"completion\",\"tools\"]}");
}

static void write_list(struct gs_buf *b, const struct gs_errand *e, bool only_loaded)
{
    bool is_first = true;

    gs_buf_puts(b, "{\"models\":[");
    for (size_t i = 0; i < e->n_models; i++) {
        const struct gs_local_model *m = &e->models[i];
        if (only_loaded && !m->is_loaded)
            continue;
        if (!is_first)
            gs_buf_putc(b, ',');
        is_first = false;
        write_tag(b, m);
        if (only_loaded) {
            gs_buf_puts(b, ",\"expires_at\":");
            write_time(b, GS_MIN(m->expires_us, FOREVER_US));
            gs_buf_printf(b, ",\"size_vram\":0,\"context_length\":%lld", (long long)m->fit_tokens);
        }
        gs_buf_putc(b, '}');
    }
    for (size_t i = 0; !only_loaded && i < e->n_remotes; i++) {
        gs_buf_puts(b, is_first ? "" : ",");
        is_first = false;
        write_remote_tag(b, &e->remotes[i]);
    }
    gs_buf_puts(b, "]}");
}

static void write_abilities(struct gs_buf *b, const struct gs_errand *e)
{
    gs_buf_puts(b, "\"capabilities\":[");
    switch (e->models[0].purpose) {
    case GS_LOCAL_WRITING:
        gs_buf_puts(b, "\"completion\"");
        gs_buf_puts(b, e->calls_tools ? ",\"tools\"" : "");
        gs_buf_puts(b, e->reasons ? ",\"thinking\"" : "");
        gs_buf_puts(b, e->fills_in ? ",\"insert\"" : "");
        break;
    case GS_LOCAL_EMBEDDING:
        gs_buf_puts(b, "\"embedding\"");
        break;
    case GS_LOCAL_RANKING:
        gs_buf_puts(b, "\"rerank\"");
        break;
    }
    gs_buf_putc(b, ']');
}

static void write_card(struct gs_buf *b, const struct gs_errand *e)
{
    const struct gs_local_model *m = &e->models[0];

    gs_buf_puts(b, "{\"modelfile\":");
    struct gs_buf file;
    gs_buf_init(&file, b->max);
    gs_buf_printf(&file, "FROM %s\n", m->name);
    gs_json_write_string(b, gs_buf_view(&file));
    gs_dialect_writer_check(&file, b);
    gs_buf_clear(&file);
    gs_buf_puts(b, ",\"parameters\":\"\",");
    gs_dialect_write_member(b, "template", e->chat_template);
    gs_buf_putc(b, ',');
    write_details(b, m);
    gs_buf_puts(b, ",\"model_info\":");
    gs_buf_slice(b, e->metadata);
    if (e->tensors.len) {
        gs_buf_puts(b, ",\"tensors\":");
        gs_buf_slice(b, e->tensors);
    }
    gs_buf_putc(b, ',');
    write_abilities(b, e);
    gs_buf_puts(b, ",\"modified_at\":");
    write_time(b, m->modified_s * 1000000);
    gs_buf_putc(b, '}');
}

static void write_answer(const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    const struct request *q = (const struct request *)(const void *)ctx->errand;

    switch (q->answer) {
    case ANSWER_TAGS:
        write_list(b, &q->errand, false);
        break;
    case ANSWER_PS:
        write_list(b, &q->errand, true);
        break;
    case ANSWER_CARD:
        if (q->errand.n_remotes > 0)
            write_remote_card(b, &q->errand.remotes[0]);
        else
            write_card(b, &q->errand);
        break;
    case ANSWER_PULLED:
        gs_buf_puts(b, ctx->stream ? "{\"status\":\"pulling manifest\"}\n" : "");
        gs_buf_puts(b, "{\"status\":\"success\"}");
        break;
    case ANSWER_STATUS:
        gs_buf_puts(b, "{\"status\":\"success\"}");
        break;
    case ANSWER_NOTHING:
        break;
    }
    gs_buf_puts(b, ctx->stream ? "\n" : "");
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    (void)state;
    if (ev->kind == GS_EVENT_STOP) {
        write_answer(ctx, b);
    } else if (ev->kind == GS_EVENT_ERROR && ctx->stream) {
        gs_dialect_ollama_write_error(0, ev->error, ctx->request_id, b);
        gs_buf_putc(b, '\n');
    }
}

const struct gs_dialect gs_dialect_ollama_models = {
    .name = "ollama-models",
    .stream_content_type = "application/x-ndjson",
    .state_bytes = 1,
    .overload_status = 503,
    .fails_in_stream = true,
    .read_request = read_request,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = gs_dialect_no_state,
    .write_error = gs_dialect_ollama_write_error,
};

/* The blob itself follows. */
static enum gs_status read_blob(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                struct gs_slice text, const char *path, struct gs_arena *a,
                                struct gs_error *err)
{
    const enum gs_status st = read_request(out_chat, out_ctx, text, path, a, err);

    if (st == GS_OK)
        out_ctx->errand->kind = GS_ERRAND_BLOB_ADD;
    return st;
}

const struct gs_dialect gs_dialect_ollama_blob = {
    .name = "ollama-blob",
    .stream_content_type = "application/json",
    .state_bytes = 1,
    .overload_status = 503,
    .takes_pieces = true,
    .read_request = read_blob,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = gs_dialect_no_state,
    .write_error = gs_dialect_ollama_write_error,
};
