/* Good answers, spelled as each API spells them. The content is the same everywhere: reasoning if
 * it is asked for, text, a tool call if one is asked for. */
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/slice.h"
#include "fake_answer.h"
#include "json/json.h"

#define EVENT_BYTES  ((size_t)4 << 20)
#define ARGS_PIECE   6
#define NEAR_BYTES   64 /* longer than a placeholder */
#define THOUGHTS     3
#define WHOLE_PIECES 4

struct speller {
    struct fake_plan *plan;
    const struct fake_ask *ask;
    const struct fake_fault *fault;
    const char *model; /* JSON */
    struct gs_slice text, thought, args;
    int64_t n_content, n_events, index;
    const char *finish; /* as Anthropic calls it */
};

/* ---- pieces ---- */

typedef struct gs_slice piece_fn(const struct speller *s, struct gs_slice text, size_t at);

static const char *quoted(struct fake_plan *p, struct gs_slice s)
{
    struct gs_slice copy = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, EVENT_BYTES);
    gs_json_write_string(&b, s);
    const bool ok = gs_arena_dup(&p->arena, gs_buf_view(&b), &copy);
    gs_buf_clear(&b);
    return ok ? copy.ptr : "\"\"";
}

static struct gs_slice words(struct fake_plan *p, const char *letter, int64_t n, bool is_greek)
{
    static const char *const greek[] = {"λ", "ñ", "€", "😀"};
    struct gs_slice copy = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, EVENT_BYTES);
    for (int64_t i = 0; i < n; i++)
        gs_buf_printf(&b, "%s%s%lld", i ? " " : "", is_greek ? greek[i % 4] : letter, (long long)i);
    if (!gs_arena_dup(&p->arena, gs_buf_view(&b), &copy))
        copy = gs_slice("", 0);
    gs_buf_clear(&b);
    return copy;
}

/* The next piece of s from `at`: up to the next space; placeholders come in small pieces. */
static struct gs_slice word_at(const struct speller *sp, struct gs_slice s, size_t at)
{
    const struct gs_slice around = gs_slice_sub(s, at - GS_MIN(at, NEAR_BYTES), at + NEAR_BYTES);

    if (sp->fault->manners & FAKE_MANNER_LETTERS)
        return gs_slice_sub(s, at, at + 1);
    if (gs_slice_find(around, GS_SLICE_LIT("[REDACTED"), 0) != SIZE_MAX)
        return gs_slice_sub(s, at, at + ARGS_PIECE);
    return gs_slice_sub(s, at, gs_slice_find(s, GS_SLICE_LIT(" "), at + 1));
}

static struct gs_slice args_at(const struct speller *sp, struct gs_slice s, size_t at)
{
    (void)sp;
    return gs_slice_sub(s, at, at + ARGS_PIECE);
}

/* ---- frames ---- */

static struct gs_slice sse(struct speller *s, const char *name, struct gs_slice data)
{
    const unsigned manners = s->fault->manners;
    const char *nl = manners & FAKE_MANNER_CRLF ? "\r\n" : "\n";
    const char *remark = manners & FAKE_MANNER_REMARKS ? ": remark" : NULL;
    const size_t cut = manners & FAKE_MANNER_MULTILINE && data.ptr[0] == '{' ? 1 : 0;

    return gs_arena_printf(&s->plan->arena, "%s%s%s%s%s%s%.*s%s%sdata: %.*s%s%s",
                           remark ? remark : "", remark ? nl : "", name ? "event: " : "",
                           name ? name : "", name ? nl : "", cut ? "data: " : "", (int)cut,
                           data.ptr, cut ? nl : "", "", (int)(data.len - cut), data.ptr + cut, nl,
                           nl);
}

static struct gs_slice line(struct speller *s, struct gs_slice data)
{
    return gs_arena_printf(&s->plan->arena, "%.*s%s", (int)data.len, data.ptr,
                           s->fault->manners & FAKE_MANNER_CRLF ? "\r\n" : "\n");
}

static void emit(struct speller *s, enum fake_step_kind kind, const char *name, const char *fmt,
                 ...) GS_PRINTF(4, 5);

static void emit(struct speller *s, enum fake_step_kind kind, const char *name, const char *fmt,
                 ...)
{
    char few[4096];
    va_list args;

    va_start(args, fmt);
    const int n = vsnprintf(few, sizeof(few), fmt, args);
    va_end(args);
    struct gs_slice data = gs_slice(few, (size_t)n);
    if ((size_t)n >= sizeof(few)) {
        char *many = gs_arena_alloc(&s->plan->arena, (size_t)n + 1);
        if (!many)
            return;
        va_start(args, fmt);
        vsnprintf(many, (size_t)n + 1, fmt, args);
        va_end(args);
        data = gs_slice(many, (size_t)n);
    }
    fake_plan_add(s->plan, kind,
                  s->ask->api == FAKE_API_OLLAMA ? line(s, data) : sse(s, name, data), 0);
    s->n_events++;
    s->n_content += kind == FAKE_STEP_CONTENT;
    if (s->fault->broken == FAKE_BREAK_RENAME && s->n_content >= s->fault->after)
        s->model = "\"another-model\"";
}

/* ---- Anthropic Messages ---- */

static const char *anthropic_usage(struct speller *s)
{
    return s->fault->manners & FAKE_MANNER_NO_USAGE
               ? "{}"
               : gs_arena_printf(&s->plan->arena,
                                 "{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,"
                                 "\"cache_read_input_tokens\":0,\"output_tokens\":%lld}",
                                 (long long)s->ask->prompt_tokens, (long long)s->n_content)
                     .ptr;
}

/* One block: `begin` is its content_block, `delta` what a piece is called. */
static void anthropic_block(struct speller *s, const char *begin, const char *type,
                            const char *member, struct gs_slice text, piece_fn *piece_at)
{
    const long long index = (long long)s->index++;

    emit(s, FAKE_STEP_OPEN, "content_block_start",
         "{\"type\":\"content_block_start\",\"index\":%lld,\"content_block\":%s}", index, begin);
    for (size_t at = 0; at < text.len;) {
        const struct gs_slice piece = piece_at(s, text, at);
        emit(s, FAKE_STEP_CONTENT, "content_block_delta",
             "{\"type\":\"content_block_delta\",\"index\":%lld,\"delta\":{\"type\":\"%s\","
             "\"%s\":%s}}",
             index, type, member, quoted(s->plan, piece));
        at += piece.len;
    }
    if (text.ptr == s->thought.ptr)
        emit(s, FAKE_STEP_OPEN, "content_block_delta",
             "{\"type\":\"content_block_delta\",\"index\":%lld,\"delta\":{\"type\":"
             "\"signature_delta\",\"signature\":\"c2lnbmVk\"}}",
             index);
    emit(s, FAKE_STEP_OPEN, "content_block_stop",
         "{\"type\":\"content_block_stop\",\"index\":%lld}", index);
}

static void anthropic_stream(struct speller *s)
{
    emit(s, FAKE_STEP_OPEN, "message_start",
         "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_fake%llu\",\"type\":\"message\","
         "\"role\":\"assistant\",\"model\":%s,\"content\":[],\"stop_reason\":null,"
         "\"stop_sequence\":null,\"usage\":%s}}",
         (unsigned long long)s->ask->number, s->model, anthropic_usage(s));
    emit(s, FAKE_STEP_OPEN, "ping", "{\"type\": \"ping\"}");
    if (s->thought.len)
        anthropic_block(s, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
                        "thinking_delta", "thinking", s->thought, word_at);
    if (s->text.len)
        anthropic_block(s, "{\"type\":\"text\",\"text\":\"\"}", "text_delta", "text", s->text,
                        word_at);
    if (s->args.len)
        anthropic_block(s,
                        gs_arena_printf(&s->plan->arena,
                                        "{\"type\":\"tool_use\",\"id\":\"toolu_fake%llu\","
                                        "\"name\":%s,\"input\":{}}",
                                        (unsigned long long)s->ask->number,
                                        quoted(s->plan, s->ask->call))
                            .ptr,
                        "input_json_delta", "partial_json", s->args, args_at);
    emit(s, FAKE_STEP_FINISH, "message_delta",
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null},"
         "\"usage\":%s}",
         s->finish, anthropic_usage(s));
    for (int i = s->fault->manners & FAKE_MANNER_TWO_DONES ? 2 : 1;
         i > 0 && !(s->fault->manners & FAKE_MANNER_NO_DONE); i--)
        emit(s, FAKE_STEP_FINISH, "message_stop", "{\"type\":\"message_stop\"}");
}

static struct gs_slice anthropic_whole(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    struct gs_slice out = gs_arena_printf(
        a,
        "{\"id\":\"msg_fake%llu\",\"type\":\"message\",\"role\":\"assistant\",\"model\":%s,"
        "\"content\":[",
        (unsigned long long)s->ask->number, s->model);
    const char *comma = "";

    if (s->thought.len) {
        out = gs_arena_printf(
            a, "%s{\"type\":\"thinking\",\"thinking\":%s,\"signature\":\"c2lnbmVk\"}", out.ptr,
            quoted(s->plan, s->thought));
        comma = ",";
    }
    if (s->text.len) {
        out = gs_arena_printf(a, "%s%s{\"type\":\"text\",\"text\":%s}", out.ptr, comma,
                              quoted(s->plan, s->text));
        comma = ",";
    }
    if (s->args.len)
        out = gs_arena_printf(
            a, "%s%s{\"type\":\"tool_use\",\"id\":\"toolu_fake%llu\",\"name\":%s,\"input\":%.*s}",
            out.ptr, comma, (unsigned long long)s->ask->number, quoted(s->plan, s->ask->call),
            (int)s->args.len, s->args.ptr);
    return gs_arena_printf(a, "%s],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":%s}",
                           out.ptr, s->finish, anthropic_usage(s));
}

/* ---- OpenAI Chat Completions ---- */

static const char *chat_finish(const struct speller *s)
{
    return s->finish[0] == 'm' ? "length" : s->finish[0] == 't' ? "tool_calls" : "stop";
}

static const char *chat_usage(struct speller *s)
{
    const long long in = (long long)s->ask->prompt_tokens;
    const long long out = (long long)s->n_content;

    return gs_arena_printf(&s->plan->arena,
                           "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                           "\"total_tokens\":%lld}",
                           in, out, in + out)
        .ptr;
}

static void chat_chunk(struct speller *s, enum fake_step_kind kind, const char *delta,
                       const char *finish)
{
    const bool each = s->fault->manners & FAKE_MANNER_USAGE_EACH;
    const char *choices =
        s->fault->content == FAKE_CONTENT_NO_CHOICES
            ? "[]"
            : gs_arena_printf(
                  &s->plan->arena,
                  "[{\"index\":0,\"delta\":%s,\"logprobs\":null,\"finish_reason\":%s%s%s}]", delta,
                  finish ? "\"" : "", finish ? finish : "null", finish ? "\"" : "")
                  .ptr;

    emit(
        s, kind, NULL,
        "{\"id\":\"chatcmpl-fake%llu\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":%s,\"system_fingerprint\":\"fp_fake\",\"choices\":%s%s%s}",
        (unsigned long long)s->ask->number, s->model, choices, each ? ",\"usage\":" : "",
        each ? chat_usage(s) : "");
}

static void chat_pieces(struct speller *s, const char *form, struct gs_slice text,
                        piece_fn *piece_at)
{
    for (size_t at = 0; at < text.len;) {
        const struct gs_slice piece = piece_at(s, text, at);
        chat_chunk(s, FAKE_STEP_CONTENT,
                   gs_arena_printf(&s->plan->arena, "{%s%s%s", form, quoted(s->plan, piece),
                                   form[1] == 't' ? "}}]}" : "}")
                       .ptr,
                   NULL);
        at += piece.len;
    }
}

#define SIGNED_CALL "\"extra_content\":{\"google\":{\"thought_signature\":\"c2lnbmVk\"}}"
#define SIGNED_DETAILS                                                                             \
    "\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"c2lnbmVk\"}]"

static void chat_stream(struct speller *s)
{
    const unsigned manners = s->fault->manners;

    chat_chunk(s, FAKE_STEP_OPEN, "{\"role\":\"assistant\",\"content\":\"\"}", NULL);
    chat_pieces(s, "\"reasoning_content\":", s->thought, word_at);
    if (s->ask->signs)
        chat_chunk(s, FAKE_STEP_OPEN, "{" SIGNED_DETAILS "}", NULL);
    chat_pieces(s, "\"content\":", s->text, word_at);
    if (s->args.len) {
        chat_chunk(
            s, FAKE_STEP_OPEN,
            gs_arena_printf(&s->plan->arena,
                            "{\"tool_calls\":[{\"index\":0,\"id\":\"call_fake%llu\",\"type\":"
                            "\"function\",\"function\":{\"name\":%s,\"arguments\":\"\"}%s}]}",
                            (unsigned long long)s->ask->number, quoted(s->plan, s->ask->call),
                            s->ask->signs ? "," SIGNED_CALL : "")
                .ptr,
            NULL);
        chat_pieces(s, "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":", s->args,
                    args_at);
    }
    chat_chunk(s, FAKE_STEP_FINISH, "{}", chat_finish(s));
    for (int i = manners & FAKE_MANNER_USAGE_EACH ? 2 : 1;
         i > 0 && s->ask->wants_usage && !(manners & FAKE_MANNER_NO_USAGE); i--)
        emit(s, FAKE_STEP_FINISH, NULL,
             "{\"id\":\"chatcmpl-fake%llu\",\"object\":\"chat.completion.chunk\","
             "\"created\":1700000000,\"model\":%s,\"choices\":[],\"usage\":%s}",
             (unsigned long long)s->ask->number, s->model, chat_usage(s));
    for (int i = manners & FAKE_MANNER_TWO_DONES ? 2 : 1; i > 0 && !(manners & FAKE_MANNER_NO_DONE);
         i--)
        emit(s, FAKE_STEP_FINISH, NULL, "[DONE]");
}

static struct gs_slice chat_whole(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    struct gs_slice more = gs_slice("", 0);

    if (s->thought.len)
        more = gs_arena_printf(a, ",\"reasoning_content\":%s%s", quoted(s->plan, s->thought),
                               s->ask->signs ? "," SIGNED_DETAILS : "");
    if (s->args.len)
        more = gs_arena_printf(
            a,
            "%s,\"tool_calls\":[{\"id\":\"call_fake%llu\",\"type\":\"function\",\"function\":"
            "{\"name\":%s,\"arguments\":%s}%s}]",
            more.ptr, (unsigned long long)s->ask->number, quoted(s->plan, s->ask->call),
            quoted(s->plan, s->args), s->ask->signs ? "," SIGNED_CALL : "");
    const struct gs_slice choice =
        gs_arena_printf(a,
                        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":%s%s},"
                        "\"finish_reason\":\"%s\"}",
                        quoted(s->plan, s->text), more.ptr, chat_finish(s));
    return gs_arena_printf(a,
                           "{\"id\":\"chatcmpl-fake%llu\",\"object\":\"chat.completion\","
                           "\"created\":1700000000,\"model\":%s,\"choices\":[%s]%s%s}",
                           (unsigned long long)s->ask->number, s->model,
                           s->fault->content == FAKE_CONTENT_NO_CHOICES ? "" : choice.ptr,
                           s->fault->manners & FAKE_MANNER_NO_USAGE ? "" : ",\"usage\":",
                           s->fault->manners & FAKE_MANNER_NO_USAGE ? "" : chat_usage(s));
}

/* ---- OpenAI Responses ---- */

static const char *response(struct speller *s, const char *status, const char *items)
{
    const bool is_over = status[0] != 'i' || status[2] == 'c'; /* not in_progress */
    const bool tells = is_over && !(s->fault->manners & FAKE_MANNER_NO_USAGE);
    const long long in = (long long)s->ask->prompt_tokens;
    const long long out = (long long)s->n_content;
    const char *usage = tells
                            ? gs_arena_printf(&s->plan->arena,
                                              "{\"input_tokens\":%lld,\"input_tokens_details\":"
                                              "{\"cached_tokens\":0},\"output_tokens\":%lld,"
                                              "\"output_tokens_details\":{\"reasoning_tokens\":0},"
                                              "\"total_tokens\":%lld}",
                                              in, out, in + out)
                                  .ptr
                            : "null";

    return gs_arena_printf(
               &s->plan->arena,
               "{\"id\":\"resp_fake%llu\",\"object\":\"response\",\"created_at\":1700000000,"
               "\"status\":\"%s\",\"error\":%s,\"incomplete_details\":%s,\"model\":%s,"
               "\"output\":[%s],\"parallel_tool_calls\":true,\"store\":false,\"tools\":[],"
               "\"usage\":%s,\"metadata\":{}}",
               (unsigned long long)s->ask->number, status,
               status[0] == 'f'
                   ? "{\"code\":\"server_error\",\"message\":\"The server had an error.\"}"
                   : "null",
               status[2] == 'c' ? "{\"reason\":\"max_output_tokens\"}" : "null", s->model, items,
               usage)
        .ptr;
}

/* How an item is spelled: names of its events, its part (NULL: it has none), where that stands. */
struct item {
    const char *id, *opened, *closed; /* JSON the last two */
    const char *text_event, *part_event, *part_type;
    const char *index, *member;
};

static void item_part(struct speller *s, const struct item *it, const char *what, long long index,
                      struct gs_slice text)
{
    char name[80];

    if (!it->part_event)
        return;
    snprintf(name, sizeof(name), "response.%s.%s", it->part_event, what);
    emit(s, FAKE_STEP_OPEN, name,
         "{\"type\":\"%s\",\"sequence_number\":%lld,\"item_id\":\"%s\",\"output_index\":%lld,"
         "%s\"part\":{\"type\":\"%s\",\"text\":%s}}",
         name, (long long)s->n_events, it->id, index, it->index, it->part_type,
         quoted(s->plan, text));
}

/* Added, [part added,] deltas, done, [part done,] done. */
static void item_stream(struct speller *s, const struct item *it, struct gs_slice text,
                        piece_fn *piece_at)
{
    const long long index = (long long)s->index++;
    char name[80];

    emit(s, FAKE_STEP_OPEN, "response.output_item.added",
         "{\"type\":\"response.output_item.added\",\"sequence_number\":%lld,\"output_index\":%lld,"
         "\"item\":%s}",
         (long long)s->n_events, index, it->opened);
    item_part(s, it, "added", index, gs_slice("", 0));
    snprintf(name, sizeof(name), "response.%s.delta", it->text_event);
    for (size_t at = 0; at < text.len;) {
        const struct gs_slice piece = piece_at(s, text, at);
        emit(s, FAKE_STEP_CONTENT, name,
             "{\"type\":\"%s\",\"sequence_number\":%lld,\"item_id\":\"%s\",\"output_index\":%lld,"
             "%s\"delta\":%s}",
             name, (long long)s->n_events, it->id, index, it->index, quoted(s->plan, piece));
        at += piece.len;
    }
    snprintf(name, sizeof(name), "response.%s.done", it->text_event);
    emit(s, FAKE_STEP_OPEN, name,
         "{\"type\":\"%s\",\"sequence_number\":%lld,\"item_id\":\"%s\",\"output_index\":%lld,"
         "%s\"%s\":%s}",
         name, (long long)s->n_events, it->id, index, it->index, it->member, quoted(s->plan, text));
    item_part(s, it, "done", index, text);
    emit(s, FAKE_STEP_OPEN, "response.output_item.done",
         "{\"type\":\"response.output_item.done\",\"sequence_number\":%lld,\"output_index\":%lld,"
         "\"item\":%s}",
         (long long)s->n_events, index, it->closed);
}

static struct item reasoning_item(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    const char *id = gs_arena_printf(a, "rs_fake%llu", (unsigned long long)s->ask->number).ptr;
    const char *text = quoted(s->plan, s->thought);
    const bool sums_up = s->ask->sums_up;

    return (struct item){
        .id = id,
        .opened =
            gs_arena_printf(a, "{\"type\":\"reasoning\",\"id\":\"%s\",\"summary\":[]}", id).ptr,
        .closed = gs_arena_printf(a,
                                  sums_up ? "{\"type\":\"reasoning\",\"id\":\"%s\",\"summary\":"
                                            "[{\"type\":\"summary_text\",\"text\":%s}]}"
                                          : "{\"type\":\"reasoning\",\"id\":\"%s\",\"summary\":[],"
                                            "\"content\":[{\"type\":\"reasoning_text\","
                                            "\"text\":%s}]}",
                                  id, text)
                      .ptr,
        .text_event = sums_up ? "reasoning_summary_text" : "reasoning_text",
        .part_event = sums_up ? "reasoning_summary_part" : "content_part",
        .part_type = sums_up ? "summary_text" : "reasoning_text",
        .index = sums_up ? "\"summary_index\":0," : "\"content_index\":0,",
        .member = "text",
    };
}

static struct item message_item(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    const char *id = gs_arena_printf(a, "msg_fake%llu", (unsigned long long)s->ask->number).ptr;

    return (struct item){
        .id = id,
        .opened = gs_arena_printf(a,
                                  "{\"type\":\"message\",\"id\":\"%s\",\"status\":"
                                  "\"in_progress\",\"role\":\"assistant\",\"content\":[]}",
                                  id)
                      .ptr,
        .closed = gs_arena_printf(a,
                                  "{\"type\":\"message\",\"id\":\"%s\",\"status\":\"%s\",\"role\":"
                                  "\"assistant\",\"content\":[{\"type\":\"output_text\","
                                  "\"annotations\":[],\"text\":%s}]}",
                                  id, s->finish[0] == 'm' ? "incomplete" : "completed",
                                  quoted(s->plan, s->text))
                      .ptr,
        .text_event = "output_text",
        .part_event = "content_part",
        .part_type = "output_text",
        .index = "\"content_index\":0,",
        .member = "text",
    };
}

static struct item call_item(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    const unsigned long long n = (unsigned long long)s->ask->number;
    const char *name = quoted(s->plan, s->ask->call);
    const char *id = gs_arena_printf(a, "fc_fake%llu", n).ptr;

    return (struct item){
        .id = id,
        .opened = gs_arena_printf(a,
                                  "{\"type\":\"function_call\",\"id\":\"%s\",\"status\":"
                                  "\"in_progress\",\"call_id\":\"call_fake%llu\",\"name\":%s,"
                                  "\"arguments\":\"\"}",
                                  id, n, name)
                      .ptr,
        .closed = gs_arena_printf(a,
                                  "{\"type\":\"function_call\",\"id\":\"%s\",\"status\":"
                                  "\"completed\",\"call_id\":\"call_fake%llu\",\"name\":%s,"
                                  "\"arguments\":%s}",
                                  id, n, name, quoted(s->plan, s->args))
                      .ptr,
        .text_event = "function_call_arguments",
        .index = "",
        .member = "arguments",
    };
}

/* The items of an answer, streamed if `streams`; they are returned, separated by commas. */
static const char *responses_items(struct speller *s, bool streams)
{
    const struct {
        struct gs_slice text;
        struct item (*make)(struct speller *s);
    } parts[] = {{s->thought, reasoning_item}, {s->text, message_item}, {s->args, call_item}};
    const char *all = "";

    for (size_t i = 0; i < GS_COUNT_OF(parts); i++) {
        if (!parts[i].text.len)
            continue;
        const struct item it = parts[i].make(s);
        if (streams)
            item_stream(s, &it, parts[i].text, i == 2 ? args_at : word_at);
        all = gs_arena_printf(&s->plan->arena, "%s%s%s", all, all[0] ? "," : "", it.closed).ptr;
    }
    return all;
}

static void responses_stream(struct speller *s)
{
    static const char *const opening[] = {"response.created", "response.in_progress"};

    for (int i = 0; i < 2; i++)
        emit(s, FAKE_STEP_OPEN, opening[i],
             "{\"type\":\"%s\",\"sequence_number\":%lld,\"response\":%s}", opening[i],
             (long long)s->n_events, response(s, "in_progress", ""));
    if (s->fault->content == FAKE_CONTENT_FAILED) {
        emit(s, FAKE_STEP_FINISH, "response.failed",
             "{\"type\":\"response.failed\",\"sequence_number\":%lld,\"response\":%s}",
             (long long)s->n_events, response(s, "failed", ""));
        return;
    }
    const char *items = responses_items(s, true);
    const char *end = s->finish[0] == 'm' ? "incomplete" : "completed";
    const char *name = gs_arena_printf(&s->plan->arena, "response.%s", end).ptr;
    for (int i = s->fault->manners & FAKE_MANNER_TWO_DONES ? 2 : 1;
         i > 0 && !(s->fault->manners & FAKE_MANNER_NO_DONE); i--)
        emit(s, FAKE_STEP_FINISH, name,
             "{\"type\":\"%s\",\"sequence_number\":%lld,\"response\":%s}", name,
             (long long)s->n_events, response(s, end, items));
}

static struct gs_slice responses_whole(struct speller *s)
{
    const char *status = s->fault->content == FAKE_CONTENT_FAILED ? "failed"
                         : s->finish[0] == 'm'                    ? "incomplete"
                                                                  : "completed";

    return gs_slice_str(response(s, status, status[0] == 'f' ? "" : responses_items(s, false)));
}

/* ---- Ollama ---- */

static struct gs_slice ollama_part(struct speller *s, const char *message, bool is_done)
{
    const bool tells = is_done && !(s->fault->manners & FAKE_MANNER_NO_USAGE);
    const char *usage =
        tells ? gs_arena_printf(&s->plan->arena, ",\"prompt_eval_count\":%lld,\"eval_count\":%lld",
                                (long long)s->ask->prompt_tokens, (long long)s->n_content)
                    .ptr
              : "";
    const char *end = is_done
                          ? gs_arena_printf(&s->plan->arena,
                                            ",\"done_reason\":\"%s\",\"total_duration\":1000000,"
                                            "\"load_duration\":1,\"prompt_eval_duration\":1,"
                                            "\"eval_duration\":1%s",
                                            s->finish[0] == 'm' ? "length" : "stop", usage)
                                .ptr
                          : "";

    return gs_arena_printf(&s->plan->arena,
                           "{\"model\":%s,\"created_at\":\"2026-01-01T00:00:00.000000Z\","
                           "\"message\":{\"role\":\"assistant\",%s},\"done\":%s%s}",
                           s->model, message, is_done ? "true" : "false", end);
}

static const char *ollama_call(struct speller *s)
{
    return gs_arena_printf(&s->plan->arena,
                           "\"tool_calls\":[{\"function\":{\"name\":%s,\"arguments\":%.*s}}]",
                           quoted(s->plan, s->ask->call), (int)s->args.len, s->args.ptr)
        .ptr;
}

static void ollama_pieces(struct speller *s, bool is_thought, struct gs_slice text)
{
    for (size_t at = 0; at < text.len;) {
        const struct gs_slice piece = word_at(s, text, at);
        const char *message =
            gs_arena_printf(&s->plan->arena, "\"content\":%s%s",
                            is_thought ? "\"\",\"thinking\":" : "", quoted(s->plan, piece))
                .ptr;
        emit(s, FAKE_STEP_CONTENT, NULL, "%s", ollama_part(s, message, false).ptr);
        at += piece.len;
    }
}

static void ollama_stream(struct speller *s)
{
    ollama_pieces(s, true, s->thought);
    ollama_pieces(s, false, s->text);
    if (s->args.len)
        emit(s, FAKE_STEP_CONTENT, NULL, "%s",
             ollama_part(
                 s, gs_arena_printf(&s->plan->arena, "\"content\":\"\",%s", ollama_call(s)).ptr,
                 false)
                 .ptr);
    if (!(s->fault->manners & FAKE_MANNER_NO_DONE))
        emit(s, FAKE_STEP_FINISH, NULL, "%s", ollama_part(s, "\"content\":\"\"", true).ptr);
}

static struct gs_slice ollama_whole(struct speller *s)
{
    struct gs_arena *a = &s->plan->arena;
    struct gs_slice message = gs_arena_printf(a, "\"content\":%s", quoted(s->plan, s->text));

    if (s->thought.len)
        message =
            gs_arena_printf(a, "%s,\"thinking\":%s", message.ptr, quoted(s->plan, s->thought));
    if (s->args.len)
        message = gs_arena_printf(a, "%s,%s", message.ptr, ollama_call(s));
    return ollama_part(s, message.ptr, true);
}

/* ---- all ---- */

/* The whole text, from about where it is to be repeated. */
static struct gs_slice after_anchor(struct fake_plan *p, const struct fake_ask *ask,
                                    const struct fake_fault *f, struct gs_slice text)
{
    const size_t end = gs_slice_trim(ask->had).len;
    const size_t n = f->anchor == FAKE_ANCHOR_SHORT  ? 16
                     : f->anchor == FAKE_ANCHOR_LONG ? 100
                                                     : ask->anchor.len;
    const struct gs_slice tail = gs_slice_sub(text, end > n ? end - n : 0, text.len);

    if (f->anchor == FAKE_ANCHOR_ANEW || !gs_slice_starts(text, gs_slice_trim(ask->had)))
        return text;
    if (f->anchor == FAKE_ANCHOR_SORRY)
        return GS_SLICE_LIT(
            "I am sorry, but I cannot see what you mean by that. Nothing has come.");
    if (f->anchor == FAKE_ANCHOR_LED)
        return gs_arena_printf(&p->arena, "Of course: %.*s", (int)tail.len, tail.ptr);
    if (f->anchor == FAKE_ANCHOR_QUOTED)
        return gs_arena_printf(&p->arena, "\"%.*s\"%.*s", (int)ask->anchor.len, tail.ptr,
                               (int)(tail.len - ask->anchor.len), tail.ptr + ask->anchor.len);
    return tail;
}

static struct speller begin(struct fake_plan *p, const struct fake_ask *ask,
                            const struct fake_fault *f)
{
    struct speller s = {.plan = p, .ask = ask, .fault = f, .model = quoted(p, ask->model)};
    int64_t n = ask->n_words;
    const bool is_empty = f->content == FAKE_CONTENT_EMPTY || f->content == FAKE_CONTENT_NO_CHOICES;

    s.finish = ask->call.len ? "tool_use" : "end_turn";
    if (f->manners & FAKE_MANNER_LENGTH || (ask->max_tokens && n > ask->max_tokens)) {
        n = ask->max_tokens && n > ask->max_tokens ? ask->max_tokens : n;
        s.finish = "max_tokens";
    }
    s.thought = s.text = s.args = gs_slice("", 0);
    if (is_empty)
        return s;
    if ((ask->thinks && !ask->partial.len) || f->content == FAKE_CONTENT_THINK_ONLY)
        s.thought = words(p, "t", THOUGHTS, ask->is_greek);
    if (f->content == FAKE_CONTENT_THINK_ONLY)
        return s;
    s.text = ask->recital.len ? ask->recital : words(p, "w", n, ask->is_greek);
    if (s.thought.len && ask->recital.len)
        s.thought = ask->recital;
    if (ask->anchor.len)
        s.text = after_anchor(p, ask, f, s.text);
    else if (gs_slice_starts(s.text, ask->partial) && !(f->manners & FAKE_MANNER_NEW_TURN))
        s.text = gs_slice_sub(s.text, ask->partial.len, s.text.len);
    if (ask->call.len && ask->recital.len)
        s.args = gs_arena_printf(&p->arena, "{\"city\":%s,\"days\":3}", quoted(p, ask->recital));
    else if (ask->call.len)
        s.args = gs_slice_eq_str(ask->call, "Bash")
                     ? GS_SLICE_LIT("{\"command\":\"echo w0 w1 w2 w3\"}")
                 : gs_slice_eq_str(ask->call, "exec_command")
                     ? GS_SLICE_LIT("{\"cmd\":\"echo w0 w1 w2 w3\"}")
                     : GS_SLICE_LIT("{\"city\":\"w0 w1 w2 w3\",\"days\":3}");
    return s;
}

void fake_spell_stream(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f)
{
    struct speller s = begin(p, ask, f);

    switch (ask->api) {
    case FAKE_API_MESSAGES:
        anthropic_stream(&s);
        break;
    case FAKE_API_CHAT:
        chat_stream(&s);
        break;
    case FAKE_API_RESPONSES:
        responses_stream(&s);
        break;
    case FAKE_API_OLLAMA:
        ollama_stream(&s);
        break;
    case FAKE_API_NONE:
    case FAKE_API_COUNT:
    case FAKE_API_MODELS:
    case FAKE_API_CONNECT:
        break;
    }
}

void fake_spell_whole(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f)
{
    struct speller s = begin(p, ask, f);
    struct gs_slice body = gs_slice("{}", 2);

    s.n_content = ask->n_words;
    if (ask->api == FAKE_API_MESSAGES)
        body = anthropic_whole(&s);
    else if (ask->api == FAKE_API_CHAT)
        body = chat_whole(&s);
    else if (ask->api == FAKE_API_RESPONSES)
        body = responses_whole(&s);
    else if (ask->api == FAKE_API_OLLAMA)
        body = ollama_whole(&s);
    else if (ask->api == FAKE_API_COUNT)
        body = gs_arena_printf(&p->arena, "{\"input_tokens\":%lld}", (long long)ask->prompt_tokens);
    else if (ask->api == FAKE_API_MODELS)
        body = GS_SLICE_LIT("{\"object\":\"list\",\"data\":[{\"id\":\"fake\",\"object\":\"model\","
                            "\"type\":\"model\",\"created\":1700000000}],\"models\":[]}");
    for (size_t i = 0; i < WHOLE_PIECES; i++)
        fake_plan_add(
            p, FAKE_STEP_CONTENT,
            gs_slice_sub(body, body.len * i / WHOLE_PIECES, body.len * (i + 1) / WHOLE_PIECES), 0);
}

/* ---- what is wrong ---- */

struct gs_slice fake_spell_ping(const struct fake_ask *ask, bool is_comment)
{
    if (ask->api == FAKE_API_OLLAMA)
        return GS_SLICE_LIT("\n");
    return is_comment || ask->api != FAKE_API_MESSAGES
               ? GS_SLICE_LIT(": keep-alive\n\n")
               : GS_SLICE_LIT("event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

static const char *error_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"}, {402, "billing_error"},
        {403, "permission_error"},      {404, "not_found_error"},      {413, "request_too_large"},
        {422, "invalid_request_error"}, {429, "rate_limit_error"},     {529, "overloaded_error"}};

    for (size_t i = 0; i < GS_COUNT_OF(types); i++)
        if (types[i].status == status)
            return types[i].type;
    return status >= 500 ? "api_error" : "invalid_request_error";
}

/* Who was to recite something quotes it. */
static const char *refusal_words(const struct fake_ask *ask, const struct fake_fault *f,
                                 struct gs_arena *a)
{
    struct gs_slice quote = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, EVENT_BYTES);
    gs_json_write_string(&b, ask->recital);
    if (ask->recital.len && f->refusal == FAKE_REFUSAL_PLAIN)
        quote = gs_arena_printf(a, "not this: %.*s", (int)b.len - 2, b.ptr + 1);
    gs_buf_clear(&b);
    if (quote.len)
        return quote.ptr;
    switch (f->refusal) {
    case FAKE_REFUSAL_QUOTA:
        return "You exceeded your current quota, please check your plan and billing details.";
    case FAKE_REFUSAL_CONTEXT:
        return "prompt is too long: This model's maximum context length is 100 tokens. However, "
               "your messages resulted in 200 tokens.";
    case FAKE_REFUSAL_POLICY:
        return "Output blocked by content filtering policy";
    case FAKE_REFUSAL_PROVIDER:
        return "Provider returned error";
    case FAKE_REFUSAL_MODEL:
        return "The model `fake` does not exist or you do not have access to it.";
    case FAKE_REFUSAL_PREFILL:
        return "This model does not support assistant message prefill. The conversation must end "
               "with a user message.";
    case FAKE_REFUSAL_PLAIN:
    case FAKE_REFUSAL_HTML:
    case FAKE_REFUSAL_EMPTY:
    case FAKE_REFUSAL_RETRY_NO:
        break;
    }
    return f->status == 429   ? "Too many requests"
           : f->status == 529 ? "Overloaded"
           : f->status == 401 ? "invalid x-api-key"
           : f->status == 402 ? "Your credit balance is too low"
                              : "it went wrong on purpose";
}

static const char *refusal_code(const struct fake_fault *f)
{
    switch (f->refusal) {
    case FAKE_REFUSAL_QUOTA:
        return "\"insufficient_quota\"";
    case FAKE_REFUSAL_CONTEXT:
        return "\"context_length_exceeded\"";
    case FAKE_REFUSAL_POLICY:
        return "\"content_policy_violation\"";
    case FAKE_REFUSAL_MODEL:
        return "\"model_not_found\"";
    case FAKE_REFUSAL_PROVIDER:
    case FAKE_REFUSAL_PREFILL:
    case FAKE_REFUSAL_PLAIN:
    case FAKE_REFUSAL_HTML:
    case FAKE_REFUSAL_EMPTY:
    case FAKE_REFUSAL_RETRY_NO:
        break;
    }
    return f->status == 401   ? "\"invalid_api_key\""
           : f->status == 429 ? "\"rate_limit_exceeded\""
                              : "null";
}

struct gs_slice fake_spell_refusal(const struct fake_ask *ask, const struct fake_fault *f,
                                   struct gs_arena *a)
{
    if (f->refusal == FAKE_REFUSAL_EMPTY)
        return gs_slice("", 0);
    if (f->refusal == FAKE_REFUSAL_HTML || f->manners & FAKE_MANNER_PORTAL)
        return GS_SLICE_LIT(
            "<!DOCTYPE html><html><body>Please log in to this network.</body></html>");
    if (ask->api == FAKE_API_MESSAGES || ask->api == FAKE_API_COUNT)
        return gs_arena_printf(a,
                               "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"},"
                               "\"request_id\":\"req_fake%llu\"}",
                               error_type(f->status), refusal_words(ask, f, a),
                               (unsigned long long)ask->number);
    if (ask->api == FAKE_API_OLLAMA)
        return gs_arena_printf(a, "{\"error\":\"%s\"}", refusal_words(ask, f, a));
    return gs_arena_printf(a,
                           "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,"
                           "\"code\":%s}}",
                           refusal_words(ask, f, a),
                           f->refusal == FAKE_REFUSAL_QUOTA ? "insufficient_quota"
                                                            : error_type(f->status),
                           refusal_code(f));
}

/* Of chat only: a finish reason that says that it failed. */
static void finish_error(struct speller *s)
{
    emit(
        s, FAKE_STEP_OPEN, NULL,
        "{\"id\":\"chatcmpl-fake%llu\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":%s,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":"
        "\"error\",\"native_finish_reason\":\"network_error\"}]}",
        (unsigned long long)s->ask->number, s->model);
    emit(s, FAKE_STEP_OPEN, NULL, "[DONE]");
}

void fake_spell_error(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f,
                      enum fake_break what)
{
    struct speller s = {.plan = p, .ask = ask, .fault = f, .model = quoted(p, ask->model)};
    const bool rate = what == FAKE_BREAK_RATE;
    const char *words_of_it = rate ? "Too many requests" : "Overloaded";

    if (what == FAKE_BREAK_FINISH_ERROR && ask->api == FAKE_API_CHAT)
        finish_error(&s);
    else if (what == FAKE_BREAK_MALFORMED)
        emit(&s, FAKE_STEP_OPEN, ask->api == FAKE_API_MESSAGES ? "content_block_delta" : NULL,
             "{\"type\":\"content_block_delta\",\"choices\":[{\"del");
    else if (ask->api == FAKE_API_MESSAGES)
        emit(&s, FAKE_STEP_OPEN, "error",
             "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
             rate ? "rate_limit_error" : "overloaded_error", words_of_it);
    else if (ask->api == FAKE_API_CHAT)
        emit(&s, FAKE_STEP_OPEN, NULL,
             "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":%d}}",
             words_of_it, rate ? "rate_limit_error" : "server_error", rate ? 429 : 503);
    else if (ask->api == FAKE_API_RESPONSES)
        emit(&s, FAKE_STEP_OPEN, "error",
             "{\"type\":\"error\",\"sequence_number\":%zu,\"code\":\"%s\",\"message\":\"%s\","
             "\"param\":null}",
             p->n_steps, rate ? "rate_limit_exceeded" : "server_error", words_of_it);
    else
        emit(&s, FAKE_STEP_OPEN, NULL, "{\"error\":\"%s\"}", words_of_it);
}
