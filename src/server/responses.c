/* A hash table for finding, a list for forgetting. */
#include "server/responses.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"
#include "server/state.h"
#include "json/json.h"

struct gs_server_kept {
    struct gs_server_kept *prev, *next; /* by last use */
    struct gs_server_kept *chain;       /* of its bucket */
    size_t bytes;
    struct gs_dialect_record record; /* its texts follow */
    char texts[];
};

/* ---- the table ---- */

static struct gs_server_kept **bucket_of(struct gs_server_responses *rs, struct gs_slice id)
{
    return &rs->buckets[gs_hash_bytes(id.ptr, id.len, rs->seed) % GS_SERVER_RESPONSES_BUCKETS];
}

static struct gs_server_kept *look_up(struct gs_server_responses *rs, struct gs_slice id)
{
    struct gs_server_kept *k = *bucket_of(rs, id);

    while (k && !gs_slice_eq(k->record.id, id))
        k = k->chain;
    return k;
}

static void unlink_kept(struct gs_server_responses *rs, struct gs_server_kept *k)
{
    *(k->prev ? &k->prev->next : &rs->first) = k->next;
    *(k->next ? &k->next->prev : &rs->last) = k->prev;
}

static void put_first(struct gs_server_responses *rs, struct gs_server_kept *k)
{
    k->prev = NULL;
    k->next = rs->first;
    *(k->next ? &k->next->prev : &rs->last) = k;
    rs->first = k;
}

static void touch(struct gs_server_responses *rs, struct gs_server_kept *k)
{
    unlink_kept(rs, k);
    put_first(rs, k);
}

static void drop(struct gs_server_responses *rs, struct gs_server_kept *k)
{
    struct gs_server_kept **at = bucket_of(rs, k->record.id);

    while (*at != k)
        at = &(*at)->chain;
    *at = k->chain;
    unlink_kept(rs, k);
    rs->n--;
    rs->bytes -= k->bytes;
    gs_free(k);
}

/* ---- the store ---- */

static enum gs_status find(void *self, struct gs_slice id, struct gs_arena *a,
                           struct gs_dialect_record *out_record)
{
    struct gs_server_responses *rs = self;
    struct gs_dialect_record r;
    enum gs_status st = GS_ENOTFOUND;

    pthread_mutex_lock(&rs->lock);
    struct gs_server_kept *k = look_up(rs, id);
    if (k) {
        touch(rs, k);
        st = gs_arena_dup(a, k->record.id, &r.id) &&
                     gs_arena_dup(a, k->record.previous, &r.previous) &&
                     gs_arena_dup(a, k->record.input, &r.input) &&
                     gs_arena_dup(a, k->record.body, &r.body)
                 ? GS_OK
                 : GS_ENOMEM;
    }
    pthread_mutex_unlock(&rs->lock);
    if (st == GS_OK)
        *out_record = r;
    return st;
}

static struct gs_slice copy(char **at, struct gs_slice text)
{
    char *to = *at;

    if (text.len)
        memcpy(to, text.ptr, text.len);
    *at += text.len;
    return gs_slice(to, text.len);
}

static struct gs_server_kept *kept_create(const struct gs_dialect_record *r, size_t max_bytes)
{
    size_t bytes = sizeof(struct gs_server_kept);

    if (!gs_add_size(bytes, r->id.len, &bytes) || !gs_add_size(bytes, r->previous.len, &bytes) ||
        !gs_add_size(bytes, r->input.len, &bytes) || !gs_add_size(bytes, r->body.len, &bytes) ||
        bytes > max_bytes)
        return NULL;
    struct gs_server_kept *k = gs_alloc(bytes);
    if (!k)
        return NULL;
    char *at = k->texts;
    *k = (struct gs_server_kept){.bytes = bytes};
    k->record.id = copy(&at, r->id);
    k->record.previous = copy(&at, r->previous);
    k->record.input = copy(&at, r->input);
    k->record.body = copy(&at, r->body);
    return k;
}

static void add(struct gs_server_responses *rs, struct gs_server_kept *k)
{
    struct gs_server_kept **bucket = bucket_of(rs, k->record.id);

    k->chain = *bucket;
    *bucket = k;
    put_first(rs, k);
    rs->n++;
    rs->bytes += k->bytes;
    for (k = look_up(rs, k->record.previous); k; k = look_up(rs, k->record.previous))
        touch(rs, k);
    while (rs->n > rs->max_n || rs->bytes > rs->max_bytes)
        drop(rs, rs->last);
}

static void keep(void *self, const struct gs_dialect_record *record)
{
    struct gs_server_responses *rs = self;
    struct gs_server_kept *k = kept_create(record, rs->max_bytes);

    if (!k)
        return;
    pthread_mutex_lock(&rs->lock);
    add(rs, k);
    pthread_mutex_unlock(&rs->lock);
}

bool gs_server_responses_drop(struct gs_server_responses *rs, struct gs_slice id)
{
    pthread_mutex_lock(&rs->lock);
    struct gs_server_kept *k = look_up(rs, id);
    if (k)
        drop(rs, k);
    pthread_mutex_unlock(&rs->lock);
    return k != NULL;
}

void gs_server_responses_init(struct gs_server_responses *rs, size_t max_n, size_t max_bytes)
{
    *rs = (struct gs_server_responses){
        .store = {.self = rs, .find = find, .keep = keep},
        .max_n = max_n,
        .max_bytes = max_bytes,
        .seed = gs_os_random_u64(),
    };
    pthread_mutex_init(&rs->lock, NULL);
}

void gs_server_responses_clear(struct gs_server_responses *rs)
{
    while (rs->last)
        drop(rs, rs->last);
    pthread_mutex_destroy(&rs->lock);
}

/* ---- /v1/responses/ID ---- */

static void reply_failure(struct gs_server *s, struct gs_http_request *r, const char *id,
                          const struct gs_error *err)
{
    const struct gs_dialect *d = &gs_dialect_openai_responses;

    gs_server_reply_error(s, r, d, id, gs_dialect_status(d, err), err);
}

static enum gs_status say_missing(struct gs_slice of, struct gs_error *err)
{
    gs_error_set(err, GS_ENOTFOUND, "there is no response \"%.*s\"", (int)GS_MIN(of.len, 100),
                 of.ptr);
    gs_error_hint(err, "Responses are kept in memory, the latest ones, unless \"store\" is false.");
    gs_error_pos(err, "response_not_found", 0, 0);
    return GS_ENOTFOUND;
}

static enum gs_status get(struct gs_server *s, struct gs_slice of, struct gs_buf *b,
                          struct gs_error *err)
{
    const struct gs_dialect_store *store = &s->responses.store;
    struct gs_dialect_record record;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    const enum gs_status st = store->find(store->self, of, &a, &record);
    if (st == GS_OK)
        gs_buf_slice(b, record.body);
    gs_arena_clear(&a);
    if (st == GS_ENOTFOUND)
        return say_missing(of, err);
    return st == GS_OK ? GS_OK : gs_error_nomem(err, "hand out the response");
}

static enum gs_status forget(struct gs_server *s, struct gs_slice of, struct gs_buf *b,
                             struct gs_error *err)
{
    if (!gs_server_responses_drop(&s->responses, of))
        return say_missing(of, err);
    gs_buf_puts(b, "{\"id\":");
    gs_json_write_string(b, of);
    gs_buf_puts(b, ",\"object\":\"response.deleted\",\"deleted\":true}");
    return GS_OK;
}

void gs_server_responses_request(struct gs_server *s, struct gs_http_request *r, struct gs_slice of,
                                 const char *id)
{
    const struct gs_http_head *head = gs_http_request_head(r);
    const size_t slash = gs_slice_find(of, GS_SLICE_LIT("/"), 0);
    const struct gs_slice what = gs_slice_sub(of, slash, of.len);
    const struct gs_slice name = gs_slice_sub(of, 0, slash);
    struct gs_error err = {0};
    struct gs_buf b;
    enum gs_status st;

    gs_buf_init(&b, 2 * GS_MAX_RESPONSE_BYTES);
    if (head->method == GS_HTTP_DELETE && !what.len)
        st = forget(s, name, &b, &err);
    else if (head->method != GS_HTTP_POST && !what.len)
        st = get(s, name, &b, &err);
    else if (head->method == GS_HTTP_GET && gs_slice_eq_str(what, "/input_items"))
        st = gs_dialect_responses_list(&s->responses.store, name, head->query, &b, &err);
    else if (head->method == GS_HTTP_POST && gs_slice_eq_str(what, "/cancel"))
        st = gs_error_set(&err, GS_EUNSUPPORTED,
                          "responses are not made in the background here: there is nothing to "
                          "cancel");
    else
        st = gs_error_set(&err, GS_ENOTFOUND, "there is nothing at this path of a response");
    if (st == GS_OK)
        gs_server_reply_json(s, r, &b);
    else
        reply_failure(s, r, id, &err);
    gs_buf_clear(&b);
}
