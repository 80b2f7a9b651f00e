/* genset logits: token ids in, the logits of every position out. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"

#define LEAST_CTX_TOKENS 512 /* of the reference that golden data is compared with */
#define CHUNK_TOKENS     64  /* computed and written at a time */

static enum gs_status compute(gs_session *s, const int32_t *ids, size_t n, size_t n_vocab,
                              const char *path, FILE *fp, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t done = 0; st == GS_OK && done < n;) {
        const size_t rows = GS_MIN(n - done, CHUNK_TOKENS);
        st = gs_session_feed(s, ids + done, rows, rows, err);
        if (st == GS_OK && fwrite(gs_session_logits(s), sizeof(float) * n_vocab, rows, fp) != rows)
            st = gs_error_errno(err, GS_EIO, errno, "could not write file \"%s\"", path);
        done += rows;
    }
    return st;
}

static enum gs_status compute_to(const char *path, gs_session *s, const int32_t *ids, size_t n,
                                 size_t n_vocab, struct gs_error *err)
{
    const bool is_stdout = gs_slice_eq_str(gs_slice_str(path), "-");

    FILE *fp = is_stdout ? stdout : fopen(path, "wb");
    if (!fp)
        return gs_error_errno(err, GS_EIO, errno, "could not create file \"%s\"", path);
    enum gs_status st = compute(s, ids, n, n_vocab, path, fp, err);
    const bool is_written = is_stdout ? fflush(fp) == 0 : fclose(fp) == 0;
    if (st == GS_OK && !is_written)
        st = gs_error_errno(err, GS_EIO, errno, "could not write file \"%s\"", path);
    return st;
}

int gs_cli_logits(struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err;
    gs_session *s = NULL;
    gs_llm *llm = NULL;
    int32_t *ids = NULL;
    size_t n = 0;

    (void)out; /* the logits have a file of their own */
    if (!c->tokens_path || !c->out_path)
        return gs_cli_fail_usage("command \"logits\" needs --tokens and --out",
                                 "Usage: genset logits MODEL --tokens FILE --out FILE");
    enum gs_status st = gs_cli_read_tokens(c->tokens_path, &ids, &n, &err);
    if (st != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    gs_cli_llm_options(c, &opt);
    if (!GS_CONFIG_IS_SET(c, kv_type))
        opt.kv_type = GS_KV_F32;
    opt.max_sequences = 1;
    if (opt.ctx_tokens == 0)
        opt.ctx_tokens = (int64_t)GS_MAX(n, LEAST_CTX_TOKENS);
    st = gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err);
    if (st != GS_OK) {
        gs_free(ids);
        return gs_cli_fail_model(&err);
    }
    gs_llm_info(llm, &info);
    st = gs_session_create(llm, opt.ctx_tokens, &s, &err);
    if (st == GS_OK)
        st = compute_to(c->out_path, s, ids, n, (size_t)info.n_vocab, &err);
    gs_session_free(s);
    gs_llm_close(llm);
    gs_free(ids);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}
