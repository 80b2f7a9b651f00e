/* Line editing with libedit, slash commands, turns. */
#include "cli/repl.h"

#include <errno.h>
#include <histedit.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/repl_input.h"
#include "cli/talk.h"

#define HISTORY_LINES 1000

struct repl {
    struct gs_config *c;
    gs_llm *llm;
    struct gs_llm_info info;
    int event_fd;
    struct gs_cli_talk talk;
    struct gs_cli_input input;
    bool is_more; /* the next line goes on with a message */
    EditLine *edit;
    History *history;
    char history_path[4096]; /* "" when there is no place for it */
    int code;
};

/* ---- the terminal ---- */

static char *prompt(EditLine *edit)
{
    static char first[] = ">>> ";
    static char more[] = "... ";
    struct repl *r = NULL;

    el_get(edit, EL_CLIENTDATA, &r);
    return r->is_more ? more : first;
}

/* A byte of standard input. 1, 0 at the end, -1 when Ctrl-C came first: it is looked for in the
 * same poll, because a signal just before a read would not wake it. */
static ssize_t read_byte(const struct repl *r, char *out)
{
    struct pollfd ready[] = {{.fd = r->event_fd, .events = POLLIN},
                             {.fd = STDIN_FILENO, .events = POLLIN}};

    for (;;) {
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[0].revents) {
            gs_os_event_drain(r->event_fd);
            if (gs_cli_interrupt_pending())
                return -1;
        } else {
            return read(STDIN_FILENO, out, 1);
        }
    }
}

/* libedit's source of characters. */
static int read_char(EditLine *edit, wchar_t *out)
{
    struct repl *r = NULL;
    char bytes[4];
    size_t len = 0;
    uint32_t cp = 0;

    el_get(edit, EL_CLIENTDATA, &r);
    do {
        const ssize_t n = read_byte(r, bytes + len);
        if (n <= 0)
            return (int)n;
        len++;
    } while (len < sizeof(bytes) && gs_utf8_incomplete_tail(gs_slice(bytes, len)) > 0);
    (void)gs_utf8_decode(gs_slice(bytes, len), 0, &cp);
    *out = (wchar_t)cp;
    return 1;
}

static void open_history(struct repl *r)
{
    HistEvent ev;

    r->history = history_init();
    if (!r->history)
        return;
    history(r->history, &ev, H_SETSIZE, HISTORY_LINES);
    history(r->history, &ev, H_SETUNIQUE, 1);
    el_set(r->edit, EL_HIST, history, r->history);
    if (!r->c->state_dir || gs_os_make_dirs(r->c->state_dir, NULL) != GS_OK)
        return;
    const int len =
        snprintf(r->history_path, sizeof(r->history_path), "%s/history", r->c->state_dir);
    if (len < 0 || (size_t)len >= sizeof(r->history_path))
        r->history_path[0] = '\0';
    else
        history(r->history, &ev, H_LOAD, r->history_path);
}

static void close_history(struct repl *r)
{
    HistEvent ev;

    if (r->history && r->history_path[0])
        history(r->history, &ev, H_SAVE, r->history_path);
    if (r->history)
        history_end(r->history);
}

static bool open_terminal(struct repl *r)
{
    r->edit = el_init("genset", stdin, stdout, stderr);
    if (!r->edit)
        return false;
    el_set(r->edit, EL_CLIENTDATA, r);
    el_set(r->edit, EL_PROMPT, prompt);
    el_set(r->edit, EL_GETCFN, read_char);
    el_set(r->edit, EL_EDITOR, "emacs");
    /* Else the system drops, with Ctrl-C, output that was written since. */
    el_set(r->edit, EL_SETTY, "-d", "+noflsh", NULL);
    open_history(r);
    el_source(r->edit, NULL); /* the user's ~/.editrc */
    return true;
}

/* One line; false at the end of input. An interrupted line is dropped and asked for again. */
static bool read_line(struct repl *r, struct gs_slice *out)
{
    HistEvent ev;
    int len = 0;

    for (;;) {
        errno = 0;
        /* el_gets() shows the prompt first: a key that comes before the terminal is ready is lost.
         */
        el_set(r->edit, EL_PREP_TERM, 1);
        const char *line = el_gets(r->edit, &len);
        if (line && len > 0) {
            *out = gs_slice(line, (size_t)len);
            if (out->ptr[out->len - 1] == '\n')
                out->len--;
            if (r->history && out->len > 0)
                history(r->history, &ev, H_ENTER, line);
            return true;
        }
        if (!gs_cli_interrupt_take())
            return false;
        tcflush(STDIN_FILENO, TCIFLUSH);
        fputs("\n(type /bye or press Ctrl-D to leave)\n", stdout);
        fflush(stdout);
        gs_cli_input_reset(&r->input);
        r->is_more = false;
    }
}

/* ---- slash commands ---- */

static void say(struct gs_slice text)
{
    struct gs_buf b;

    gs_buf_init(&b, 1 << 20);
    gs_cli_put_harmless(&b, text);
    fwrite(b.len ? b.ptr : "", 1, b.len, stdout);
    fflush(stdout);
    gs_buf_clear(&b);
}

static void say_help(void)
{
    say(GS_SLICE_LIT(
        "/help                 this\n"
        "/clear                forget the conversation\n"
        "/system [TEXT]        set the system prompt, or remove it\n"
        "/set [NAME [VALUE]]   change a setting (temperature, max-tokens, think...), "
        "or show them\n"
        "/info                 about the model\n"
        "/bye                  leave (also Ctrl-D)\n"
        "\n"
        "Ctrl-C stops an answer. A line that ends with \\ goes on; a message may stand "
        "between\n\"\"\" and \"\"\".\n"));
}

static void say_info(const struct repl *r)
{
    const struct gs_llm_info *info = &r->info;
    struct gs_buf b;

    gs_buf_init(&b, 1 << 16);
    gs_buf_printf(&b, "%s (%s, %s, ", info->name, info->arch, info->quant);
    gs_cli_put_count(&b, info->n_params);
    gs_buf_printf(&b, " parameters)\ncontext %" PRId64 " of %" PRId64 " tokens, KV cache ",
                  info->ctx_tokens, info->ctx_train_tokens);
    gs_cli_put_size(&b, info->kv_bytes_per_token);
    gs_buf_printf(&b, " a token\n%" PRId32 " threads, %s\n", info->n_threads, info->cpu);
    say(gs_buf_view(&b));
    gs_buf_clear(&b);
}

/* Settings of an answer can be changed; those of the engine are fixed once it runs. */
static bool is_changeable(enum gs_option option)
{
    return (option >= GS_OPTION_system && option <= GS_OPTION_stop) || option == GS_OPTION_verbose;
}

static void set_option(struct repl *r, struct gs_slice rest)
{
    struct gs_error err;
    struct gs_buf b;
    enum gs_option option;
    size_t len = 0;

    if (rest.len == 0) {
        gs_buf_init(&b, 1 << 20);
        gs_config_write_settings(r->c, &b);
        say(gs_buf_view(&b));
        gs_buf_clear(&b);
        return;
    }
    while (len < rest.len && rest.ptr[len] != ' ')
        len++;
    const struct gs_slice name = gs_slice_sub(rest, 0, len);
    struct gs_slice value = gs_slice_trim(gs_slice_sub(rest, len, rest.len));
    if (!gs_config_option_find(GS_COMMAND_RUN, name, &option) || !is_changeable(option)) {
        gs_error_set(&err, GS_EINVAL, "no setting \"%.*s\" can be changed here", (int)name.len,
                     name.ptr);
        gs_cli_fail(&err, GS_EXIT_OK);
        return;
    }
    if (value.len == 0)
        value = GS_SLICE_LIT("true"); /* of a switch; no other setting takes it */
    if (gs_config_set(r->c, option, value, &err) != GS_OK) {
        gs_error_prefix(&err, "%.*s", (int)name.len, name.ptr);
        gs_cli_fail(&err, GS_EXIT_OK);
    }
}

static void set_system(struct repl *r, struct gs_slice text)
{
    struct gs_error err;

    if (gs_config_set(r->c, GS_OPTION_system, text, &err) != GS_OK)
        gs_cli_fail(&err, GS_EXIT_OK);
}

/* ---- turns ---- */

static void answer(struct repl *r, struct gs_slice text)
{
    const struct gs_slice none = {NULL, 0};
    const bool is_raw = r->info.chat_template[0] == '\0';
    struct gs_cli_answer a = {0};
    struct gs_chat chat;
    struct gs_error err;

    enum gs_status st = gs_cli_talk_add(&r->talk, GS_ROLE_USER, text, none, &err);
    if (st != GS_OK) {
        gs_cli_fail(&err, GS_EXIT_OK);
        return;
    }
    st = gs_cli_talk_chat(&r->talk, r->c, is_raw, &chat, &err);
    if (st == GS_OK)
        st = gs_cli_answer_print(r->llm, &chat, r->event_fd, false, &a, &err);
    if (st == GS_OK)
        st = gs_cli_talk_add(&r->talk, GS_ROLE_ASSISTANT, gs_buf_view(&a.text),
                             gs_buf_view(&a.reasoning), &err);
    if (st != GS_OK) {
        gs_cli_fail(&err, GS_EXIT_OK);
        gs_cli_talk_undo(&r->talk);
    } else if (r->c->verbose) {
        gs_cli_stats(&a.usage);
    }
    if (a.write_failed)
        r->code = GS_EXIT_FAILED;
    gs_cli_answer_clear(&a);
}

/* False: leave. */
static bool take_message(struct repl *r)
{
    const struct gs_slice text = gs_buf_view(&r->input.text);
    struct gs_slice rest = {NULL, 0};

    switch (gs_cli_slash_parse(text, &rest)) {
    case GS_SLASH_NONE:
        if (gs_slice_trim(text).len > 0)
            answer(r, text);
        break;
    case GS_SLASH_HELP:
        say_help();
        break;
    case GS_SLASH_CLEAR:
        gs_cli_talk_clear(&r->talk);
        break;
    case GS_SLASH_SYSTEM:
        set_system(r, rest);
        break;
    case GS_SLASH_SET:
        set_option(r, rest);
        break;
    case GS_SLASH_INFO:
        say_info(r);
        break;
    case GS_SLASH_BYE:
        return false;
    case GS_SLASH_UNKNOWN:
        say(GS_SLICE_LIT("unknown command, try /help\n"));
        break;
    }
    return r->code == GS_EXIT_OK;
}

static void loop(struct repl *r)
{
    struct gs_slice line;

    while (read_line(r, &line)) {
        r->is_more = gs_cli_input_line(&r->input, line) == GS_INPUT_MORE;
        if (r->is_more)
            continue;
        const bool goes_on = take_message(r);
        gs_cli_input_reset(&r->input);
        if (!goes_on)
            return;
    }
    fputc('\n', stdout);
    fflush(stdout);
}

int gs_cli_repl(struct gs_config *c, gs_llm *llm, int event_fd)
{
    struct repl r = {.c = c, .llm = llm, .event_fd = event_fd, .code = GS_EXIT_OK};
    struct gs_error err;

    gs_llm_info(llm, &r.info);
    if (!open_terminal(&r)) {
        gs_error_nomem(&err, "edit lines");
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    gs_cli_talk_init(&r.talk);
    gs_cli_input_init(&r.input);
    if (r.info.chat_template[0] == '\0')
        say(GS_SLICE_LIT("This model has no chat template: it continues your text.\n"));
    loop(&r);
    gs_cli_input_clear(&r.input);
    gs_cli_talk_clear(&r.talk);
    close_history(&r);
    el_end(r.edit);
    return r.code;
}
