/* genset logits: token ids in, the logits of every position out. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

#define LEAST_CTX_TOKENS 512 /* of the reference that golden data is compared with */
#define CHUNK_TOKENS     64  /* computed and written at a time */

static enum gs_status read_tokens(const char *path, int32_t **out_ids, size_t *out_n,
                                  struct gs_error *err)
{
    struct gs_arena a;
    struct gs_json list;
    int32_t *ids = NULL;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_cli_read_json(path, &a, &list, err);
    if (st == GS_OK && (list.kind != GS_JSON_ARRAY || list.u.array.len == 0))
        st = gs_error_set(err, GS_EINVAL, "file \"%s\": expected an array of token ids", path);
    if (st != GS_OK)
        goto out;
    ids = gs_alloc_array(list.u.array.len, sizeof(*ids));
    if (!ids) {
        st = gs_error_nomem(err, "hold the tokens");
        goto out;
    }
    for (size_t i = 0; i < list.u.array.len; i++) {
        const struct gs_json *id = &list.u.array.items[i];
        if (id->kind != GS_JSON_INT || id->u.integer < 0 || id->u.integer > INT32_MAX) {
            st = gs_error_set(err, GS_EINVAL, "file \"%s\": no token id at index %zu", path, i);
            goto out;
        }
        ids[i] = (int32_t)id->u.integer;
    }
    *out_ids = ids;
    *out_n = list.u.array.len;
    ids = NULL;
out:
    gs_free(ids);
    gs_arena_clear(&a);
    return st;
}

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
    enum gs_status st = read_tokens(c->tokens_path, &ids, &n, &err);
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
