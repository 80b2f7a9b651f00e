/* genset run: a conversation at a terminal, or one answer to a prompt from the command line or
 * standard input. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/repl.h"
#include "cli/talk.h"
#include "json/json.h"

static double per_second(int64_t n, int64_t us)
{
    return us > 0 ? (double)n * 1e6 / (double)us : 0;
}

void gs_cli_stats(const struct gs_usage *u)
{
    gs_cli_note("prompt %" PRId64 " tokens (%" PRId64 " cached), %.1f/s; answer %" PRId64
                " tokens, %.1f/s",
                u->prompt_tokens, u->cached_tokens,
                per_second(u->prompt_tokens - u->cached_tokens, u->prefill_us), u->answer_tokens,
                per_second(u->answer_tokens, u->decode_us));
}

static const char *stop_name(enum gs_stop_reason stop)
{
    switch (stop) {
    case GS_STOP_END:
        return "end";
    case GS_STOP_LENGTH:
        return "length";
    case GS_STOP_CONTEXT:
        return "context";
    case GS_STOP_SEQUENCE:
        return "sequence";
    case GS_STOP_TOOL_CALL:
        return "tool_call";
    case GS_STOP_REFUSAL:
        return "refusal";
    }
    return "end";
}

static void put_json(struct gs_buf *out, const gs_llm *llm, const struct gs_cli_answer *a)
{
    struct gs_llm_info info;

    gs_llm_info(llm, &info);
    gs_buf_puts(out, "{\"model\":");
    gs_json_write_string(out, gs_slice_str(info.name));
    gs_buf_puts(out, ",\"text\":");
    gs_json_write_string(out, gs_buf_view(&a->text));
    gs_buf_puts(out, ",\"reasoning\":");
    gs_json_write_string(out, gs_buf_view(&a->reasoning));
    gs_buf_printf(out,
                  ",\"stop\":\"%s\",\"prompt_tokens\":%" PRId64 ",\"cached_tokens\":%" PRId64
                  ",\"answer_tokens\":%" PRId64 ",\"prefill_us\":%" PRId64 ",\"decode_us\":%" PRId64
                  "}\n",
                  stop_name(a->stop), a->usage.prompt_tokens, a->usage.cached_tokens,
                  a->usage.answer_tokens, a->usage.prefill_us, a->usage.decode_us);
}

/* ---- one answer ---- */

/* The words after the model, or standard input without the newline at its end. */
static enum gs_status read_prompt(const struct gs_config *c, struct gs_buf *b, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t i = 1; i < c->args.len; i++)
        gs_buf_printf(b, "%s%s", i > 1 ? " " : "", c->args.items[i]);
    if (c->args.len < 2)
        st = gs_os_read_file("-", b, err);
    if (st == GS_OK && !gs_buf_ok(b))
        st = gs_error_nomem(err, "hold the prompt");
    while (b->len > 0 && b->ptr[b->len - 1] == '\n')
        b->len--;
    if (st == GS_OK && b->len == 0)
        st = gs_error_set(err, GS_EINVAL, "the prompt is empty");
    return st;
}

static int answer_once(const struct gs_config *c, gs_llm *llm, struct gs_slice prompt, int event_fd,
                       struct gs_buf *out)
{
    const struct gs_slice none = {NULL, 0};
    struct gs_cli_answer a = {0};
    struct gs_llm_info info;
    struct gs_cli_talk talk;
    struct gs_chat chat;
    struct gs_error err;
    int code = GS_EXIT_OK;

    gs_llm_info(llm, &info);
    gs_cli_talk_init(&talk);
    enum gs_status st = gs_cli_talk_add(&talk, GS_ROLE_USER, prompt, none, &err);
    if (st == GS_OK)
        st = gs_cli_talk_chat(&talk, c, info.chat_template[0] == '\0', &chat, &err);
    if (st == GS_OK)
        st = gs_cli_answer_print(llm, &chat, event_fd, c->json, &a, &err);
    if (st != GS_OK)
        code = gs_cli_fail(&err, GS_EXIT_FAILED);
    else if (a.was_interrupted)
        code = GS_EXIT_INTERRUPTED;
    else if (a.write_failed)
        code = GS_EXIT_FAILED;
    else if (c->json)
        put_json(out, llm, &a);
    if (code == GS_EXIT_OK && c->verbose)
        gs_cli_stats(&a.usage);
    gs_cli_answer_clear(&a);
    gs_cli_talk_clear(&talk);
    return code;
}

/* ---- both ---- */

static int open_and_talk(struct gs_config *c, const struct gs_buf *prompt, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_error err;
    gs_llm *llm = NULL;
    int event_fd = -1;
    int code;

    gs_cli_llm_options(c, &opt);
    opt.max_sequences = 1;
    if (gs_cli_model_open(c, c->args.len ? c->args.items[0] : NULL, &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    if (gs_os_event_create(&event_fd, &err) != GS_OK) {
        gs_llm_close(llm);
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    gs_cli_interrupt_catch(event_fd);
    if (prompt)
        code = answer_once(c, llm, gs_buf_view(prompt), event_fd, out);
    else
        code = gs_cli_repl(c, llm, event_fd);
    gs_cli_interrupt_catch(-1);
    close(event_fd);
    gs_llm_close(llm);
    return code;
}

int gs_cli_run(struct gs_config *c, struct gs_buf *out)
{
    struct gs_error err;
    struct gs_buf prompt;

    if (c->hermit && gs_os_forbid_network(&err) != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    if (c->args.len < 2 && isatty(STDIN_FILENO))
        return open_and_talk(c, NULL, out);
    gs_buf_init(&prompt, GS_MAX_PROMPT_BYTES);
    const enum gs_status st = read_prompt(c, &prompt, &err);
    const int code = st == GS_OK
                         ? open_and_talk(c, &prompt, out)
                         : gs_cli_fail(&err, st == GS_EINVAL ? GS_EXIT_USAGE : GS_EXIT_FAILED);
    gs_buf_clear(&prompt);
    return code;
}
