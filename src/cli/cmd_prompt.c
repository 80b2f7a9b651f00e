/* genset prompt: a chat template and its variables in, the prompt out. */
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"

static enum gs_status render(const struct gs_config *c, const char *name, struct gs_slice source,
                             struct gs_buf *out, struct gs_error *err)
{
    struct gs_buf vars;
    char *text = NULL;
    size_t len = 0;

    gs_buf_init(&vars, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_os_read_file(c->input_path, &vars, err);
    if (st == GS_OK)
        st = gs_render_template(name, source, gs_buf_view(&vars), c->now, &text, &len, err);
    if (st == GS_OK)
        gs_buf_put(out, text, len);
    gs_free_text(text);
    gs_buf_clear(&vars);
    return st;
}

static int render_file(const struct gs_config *c, struct gs_buf *out)
{
    struct gs_error err;
    struct gs_buf source;

    gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
    enum gs_status st = gs_os_read_file(c->template_path, &source, &err);
    if (st == GS_OK)
        st = render(c, c->template_path, gs_buf_view(&source), out, &err);
    gs_buf_clear(&source);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}

static int render_model(const struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err;
    gs_llm *llm = NULL;

    gs_cli_llm_options(c, &opt);
    opt.weights_only = true;
    if (gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    gs_llm_info(llm, &info);
    enum gs_status st;
    if (info.chat_template[0] == '\0')
        st = gs_error_set(&err, GS_ENOTFOUND, "model \"%s\" has no chat template", info.name);
    else
        st = render(c, info.name, gs_slice_str(info.chat_template), out, &err);
    gs_llm_close(llm);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}

int gs_cli_prompt(struct gs_config *c, struct gs_buf *out)
{
    if ((c->template_path != NULL) == (c->args.len > 0))
        return gs_cli_fail_usage("a template is needed: a MODEL, or a file with --template",
                                 "Give one of them.");
    return c->template_path ? render_file(c, out) : render_model(c, out);
}
