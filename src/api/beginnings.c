/* The file is a JSON array of arrays of token ids, the latest beginning first: tokens, not words,
 * and readable by its owner alone. */
#include "api/beginnings.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "engine/engine.h"
#include "genset/chat.h"
#include "json/json.h"

#define MAX_KEPT     4
#define LEAST_TOKENS 1024 /* fewer are read in no time */
#define MOST_TOKENS  65536
#define MAX_FILE     (8 * GS_MIB)

struct beginning {
    int32_t *tokens;
    size_t n;
};

struct gs_beginnings {
    size_t n_vocab;
    struct gs_job *jobs[MAX_KEPT]; /* that compute what was read */
    pthread_mutex_t lock;          /* guards what follows, and the file */
    struct beginning kept[MAX_KEPT];
    size_t n;
    char path[];
};

/* ---- the list ---- */

static bool is_at(const struct gs_beginnings *b, size_t i, const int32_t *tokens, size_t n)
{
    return b->kept[i].n == n && memcmp(b->kept[i].tokens, tokens, n * sizeof(*tokens)) == 0;
}

/* Put a copy at place `i`, before what is there; the last one goes if there are too many. */
static bool put_at(struct gs_beginnings *b, size_t i, const int32_t *tokens, size_t n)
{
    int32_t *copy = gs_alloc_array(n, sizeof(*copy));

    if (!copy)
        return false;
    memcpy(copy, tokens, n * sizeof(*copy));
    if (b->n == MAX_KEPT)
        gs_free(b->kept[--b->n].tokens);
    memmove(&b->kept[i + 1], &b->kept[i], (b->n - i) * sizeof(b->kept[0]));
    b->kept[i] = (struct beginning){copy, n};
    b->n++;
    return true;
}

static void to_front(struct gs_beginnings *b, size_t i)
{
    const struct beginning one = b->kept[i];

    memmove(&b->kept[1], &b->kept[0], i * sizeof(b->kept[0]));
    b->kept[0] = one;
}

/* ---- the file ---- */

static void write_file(const struct gs_beginnings *b)
{
    struct gs_buf text;

    gs_buf_init(&text, MAX_FILE);
    gs_buf_putc(&text, '[');
    for (size_t i = 0; i < b->n; i++) {
        gs_buf_puts(&text, i ? ",\n[" : "[");
        for (size_t t = 0; t < b->kept[i].n; t++) {
            if (t > 0)
                gs_buf_putc(&text, ',');
            gs_buf_int(&text, b->kept[i].tokens[t]);
        }
        gs_buf_putc(&text, ']');
    }
    gs_buf_puts(&text, "]\n");
    if (gs_buf_ok(&text) && gs_os_replace_file(b->path, text.ptr, text.len, NULL) != GS_OK)
        gs_buf_reset(&text); /* it is a cache: the next run does without */
    gs_buf_clear(&text);
}

/* The ids of an array, in tokens[MOST_TOKENS]; 0 if it is none of ours. */
static size_t read_ids(const struct gs_beginnings *b, const struct gs_json *list, int32_t *tokens)
{
    const size_t n = list->kind == GS_JSON_ARRAY ? list->u.array.len : 0;

    if (n < LEAST_TOKENS || n > MOST_TOKENS)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *id = &list->u.array.items[i];
        if (id->kind != GS_JSON_INT || id->u.integer < 0 || id->u.integer >= (int64_t)b->n_vocab)
            return 0;
        tokens[i] = (int32_t)id->u.integer;
    }
    return n;
}

static enum gs_status read_file(struct gs_beginnings *b, struct gs_error *err)
{
    int32_t *tokens = gs_alloc_array(MOST_TOKENS, sizeof(*tokens));
    struct gs_json all = {.kind = GS_JSON_NULL};
    struct gs_buf text;
    struct gs_arena a;
    bool ok = tokens != NULL;

    gs_buf_init(&text, MAX_FILE);
    gs_arena_init(&a, 16 * MAX_FILE);
    if (gs_os_read_file(b->path, &text, NULL) == GS_OK &&
        gs_json_parse(gs_buf_view(&text), &a, &all, NULL) != GS_OK)
        all.kind = GS_JSON_NULL;
    const size_t n = all.kind == GS_JSON_ARRAY ? GS_MIN(all.u.array.len, (size_t)MAX_KEPT) : 0;
    for (size_t i = 0; ok && i < n; i++) {
        const size_t n_ids = read_ids(b, &all.u.array.items[i], tokens);
        ok = n_ids == 0 || put_at(b, b->n, tokens, n_ids);
    }
    gs_arena_clear(&a);
    gs_buf_clear(&text);
    gs_free(tokens);
    return ok ? GS_OK : gs_error_nomem(err, "read how conversations began");
}

/* ---- computing ---- */

static enum gs_flow on_prefill(void *ud, int64_t done, int64_t total)
{
    (void)ud;
    (void)done;
    (void)total;
    return GS_FLOW_CONTINUE;
}

static enum gs_flow on_token(void *ud, const struct gs_job_token *token)
{
    (void)ud;
    (void)token;
    return GS_FLOW_CONTINUE;
}

static void on_end(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err)
{
    (void)ud;
    (void)end;
    (void)stats;
    (void)err;
}

/* What a job computes is stored when it ends; its one token is nobody's. What the engine does not
 * take, because the context is smaller now, is not computed. */
static void compute(struct gs_beginnings *b, struct gs_engine *e)
{
    struct gs_job_options opt = {
        .max_tokens = 1,
        .on = {.on_prefill = on_prefill, .on_token = on_token, .on_end = on_end},
    };

    gs_sampling_init(&opt.sampling);
    opt.sampling.temperature = 0;
    for (size_t i = 0; i < b->n; i++) {
        opt.prompt = b->kept[i].tokens;
        opt.n_prompt = b->kept[i].n;
        if (gs_engine_submit(e, &opt, &b->jobs[i], NULL) != GS_OK)
            b->jobs[i] = NULL;
    }
}

/* ---- what others call ---- */

enum gs_status gs_beginnings_create(const char *path, size_t n_vocab, struct gs_engine *e,
                                    struct gs_beginnings **out_b, struct gs_error *err)
{
    const size_t len = strlen(path) + 1;
    struct gs_beginnings *b = gs_alloc_zero(sizeof(*b) + len);

    if (!b)
        return gs_error_nomem(err, "remember how conversations begin");
    memcpy(b->path, path, len);
    b->n_vocab = n_vocab;
    pthread_mutex_init(&b->lock, NULL);
    const enum gs_status st = read_file(b, err);
    if (st != GS_OK) {
        gs_beginnings_free(b);
        return st;
    }
    compute(b, e);
    *out_b = b;
    return GS_OK;
}

void gs_beginnings_free(struct gs_beginnings *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < MAX_KEPT; i++)
        gs_job_free(b->jobs[i]);
    for (size_t i = 0; i < b->n; i++)
        gs_free(b->kept[i].tokens);
    pthread_mutex_destroy(&b->lock);
    gs_free(b);
}

void gs_beginnings_note(struct gs_beginnings *b, const int32_t *tokens, size_t n)
{
    size_t i = 0;

    if (!b || n < LEAST_TOKENS || n > MOST_TOKENS)
        return;
    pthread_mutex_lock(&b->lock);
    while (i < b->n && !is_at(b, i, tokens, n))
        i++;
    if (i < b->n)
        to_front(b, i);
    else if (put_at(b, 0, tokens, n))
        write_file(b);
    pthread_mutex_unlock(&b->lock);
}
