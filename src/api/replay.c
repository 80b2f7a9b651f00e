/* Answers in a list, the longest unused last, and a table from hashes of what they are found by to
 * them. The hash is seeded; whether an answer is the one meant is decided by its meaning. */
#include "api/replay.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/meaning.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"

#define N_BUCKETS       4096
#define MAX_CALL_IDS    128 /* of one answer; more are not looked for by id */
#define SIGNATURE_BYTES 32

struct key {
    struct gs_replay *replay;
    uint64_t hash;
    struct key *next; /* of its bucket */
};

struct gs_replay {
    /* while it is recorded: its answer's; then immutable */
    uint64_t seed;
    uint64_t before; /* hash of all that was said before */
    struct gs_meaning meaning;
    struct gs_buf opening;
    struct gs_buf tokens;
    struct gs_buf block; /* being said */
    struct gs_buf name;  /* of its call */
    char signature[SIGNATURE_BYTES + 1];
    struct key keys[MAX_CALL_IDS + 2];
    size_t n_keys;

    /* the store's lock */
    struct gs_replay *prev, *next; /* used later, earlier */
    size_t bytes;
    unsigned n_users;
    bool is_dropped; /* by the store; the last user releases it */
};

struct gs_replay_store {
    uint64_t seed;
    size_t max_bytes;
    pthread_mutex_t lock; /* guards the rest; a leaf */
    size_t bytes;
    struct gs_replay *newest, *oldest;
    struct key *buckets[N_BUCKETS];
};

/* ---- hashes ---- */

enum key_kind { KEY_CALL, KEY_SIGNATURE, KEY_CHAIN };

static uint64_t hash_of(uint64_t seed, enum key_kind kind, struct gs_slice s)
{
    return gs_hash_bytes(s.ptr, s.len, seed + kind);
}

/* `before`, and the message with this meaning after it. */
static uint64_t chain(uint64_t before, enum gs_role role, const struct gs_meaning *m)
{
    return gs_hash_bytes(m->said.ptr, m->said.len, before * 4 + role);
}

static bool mean(struct gs_meaning *m, const struct gs_message *message)
{
    gs_meaning_reset(m);
    for (size_t i = 0; i < message->n_blocks; i++)
        gs_meaning_add(m, &message->blocks[i]);
    return gs_meaning_finish(m);
}

/* ---- the store ---- */

enum gs_status gs_replay_store_create(size_t max_bytes, struct gs_replay_store **out_s,
                                      struct gs_error *err)
{
    struct gs_replay_store *s = gs_alloc_zero(sizeof(*s));

    if (!s)
        return gs_error_nomem(err, "remember answers");
    s->seed = gs_os_random_u64();
    s->max_bytes = max_bytes;
    pthread_mutex_init(&s->lock, NULL);
    *out_s = s;
    return GS_OK;
}

void gs_replay_store_free(struct gs_replay_store *s)
{
    if (!s)
        return;
    while (s->newest) {
        struct gs_replay *r = s->newest;
        s->newest = r->next;
        gs_replay_free(r);
    }
    pthread_mutex_destroy(&s->lock);
    gs_free(s);
}

static void unlink_replay(struct gs_replay_store *s, struct gs_replay *r)
{
    *(r->prev ? &r->prev->next : &s->newest) = r->next;
    *(r->next ? &r->next->prev : &s->oldest) = r->prev;
}

static void link_newest(struct gs_replay_store *s, struct gs_replay *r)
{
    r->prev = NULL;
    r->next = s->newest;
    *(s->newest ? &s->newest->prev : &s->oldest) = r;
    s->newest = r;
}

static void drop(struct gs_replay_store *s, struct gs_replay *r)
{
    for (size_t i = 0; i < r->n_keys; i++) {
        struct key **at = &s->buckets[r->keys[i].hash % N_BUCKETS];
        while (*at != &r->keys[i])
            at = &(*at)->next;
        *at = r->keys[i].next;
    }
    unlink_replay(s, r);
    s->bytes -= r->bytes;
    r->is_dropped = true;
    if (r->n_users == 0)
        gs_replay_free(r);
}

/* ---- recording ---- */

enum gs_status gs_replay_begin(const struct gs_replay_store *s, const struct gs_chat *chat,
                               struct gs_slice opening, struct gs_replay **out_r,
                               struct gs_error *err)
{
    struct gs_replay *r = gs_alloc_zero(sizeof(*r));
    bool ok = r != NULL;

    if (!r)
        return gs_error_nomem(err, "remember an answer");
    r->seed = r->before = s->seed;
    gs_meaning_init(&r->meaning);
    gs_buf_init(&r->opening, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r->tokens, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r->block, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r->name, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; ok && i < chat->n_messages; i++) {
        ok = mean(&r->meaning, &chat->messages[i]);
        r->before = chain(r->before, chat->messages[i].role, &r->meaning);
    }
    gs_meaning_reset(&r->meaning);
    gs_buf_slice(&r->opening, opening);
    snprintf(r->signature, sizeof(r->signature), "%016llx%016llx",
             (unsigned long long)gs_os_random_u64(), (unsigned long long)gs_os_random_u64());
    if (!ok || !gs_buf_ok(&r->opening)) {
        gs_replay_free(r);
        return gs_error_nomem(err, "remember an answer");
    }
    *out_r = r;
    return GS_OK;
}

void gs_replay_free(struct gs_replay *r)
{
    if (!r)
        return;
    gs_meaning_clear(&r->meaning);
    gs_buf_clear(&r->opening);
    gs_buf_clear(&r->tokens);
    gs_buf_clear(&r->block);
    gs_buf_clear(&r->name);
    gs_free(r);
}

static void add_key(struct gs_replay *r, uint64_t hash)
{
    r->keys[r->n_keys++] = (struct key){.replay = r, .hash = hash};
}

void gs_replay_take_token(struct gs_replay *r, int32_t id)
{
    gs_buf_put(&r->tokens, &id, sizeof(id));
}

void gs_replay_take_event(struct gs_replay *r, const struct gs_event *ev)
{
    if (ev->kind == GS_EVENT_BEGIN) {
        gs_buf_reset(&r->block);
        gs_buf_reset(&r->name);
        gs_buf_slice(&r->name, ev->name);
        if (ev->block == GS_BLOCK_TOOL_CALL && r->n_keys < MAX_CALL_IDS)
            add_key(r, hash_of(r->seed, KEY_CALL, ev->id));
    } else if (ev->kind == GS_EVENT_DELTA) {
        gs_buf_slice(&r->block, ev->text);
    } else if (ev->kind == GS_EVENT_END) {
        gs_meaning_add(&r->meaning, &(struct gs_block){.kind = ev->block,
                                                       .name = gs_buf_view(&r->name),
                                                       .args = gs_buf_view(&r->block),
                                                       .text = gs_buf_view(&r->block)});
    }
}

struct gs_slice gs_replay_signature(const struct gs_replay *r)
{
    return gs_slice_str(r->signature);
}

void gs_replay_keep(struct gs_replay_store *s, struct gs_replay *r)
{
    if (!gs_meaning_finish(&r->meaning) || !gs_buf_ok(&r->tokens) || !gs_buf_ok(&r->block) ||
        !gs_buf_ok(&r->name)) {
        gs_replay_free(r);
        return;
    }
    add_key(r, hash_of(r->seed, KEY_SIGNATURE, gs_replay_signature(r)));
    add_key(r, chain(r->before, GS_ROLE_ASSISTANT, &r->meaning));
    gs_buf_clear(&r->block);
    gs_buf_clear(&r->name);
    gs_buf_clear(&r->meaning.calls);
    r->bytes = sizeof(*r) + r->tokens.cap + r->opening.cap + r->meaning.said.cap +
               r->meaning.reasoning.cap;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < r->n_keys; i++) {
        struct key **bucket = &s->buckets[r->keys[i].hash % N_BUCKETS];
        r->keys[i].next = *bucket;
        *bucket = &r->keys[i];
    }
    link_newest(s, r);
    s->bytes += r->bytes;
    while (s->bytes > s->max_bytes)
        drop(s, s->oldest);
    pthread_mutex_unlock(&s->lock);
}

/* ---- finding ---- */

/* The newest answer under `hash` that means what `m` does. Held. */
static struct gs_replay *look_up(struct gs_replay_store *s, uint64_t hash,
                                 const struct gs_meaning *m)
{
    const struct gs_slice reasoning = gs_buf_view(&m->reasoning);
    struct key *k = s->buckets[hash % N_BUCKETS];

    while (k && !(k->hash == hash &&
                  gs_slice_eq(gs_buf_view(&k->replay->meaning.said), gs_buf_view(&m->said)) &&
                  (reasoning.len == 0 ||
                   gs_slice_eq(gs_buf_view(&k->replay->meaning.reasoning), reasoning))))
        k = k->next;
    if (!k)
        return NULL;
    k->replay->n_users++;
    unlink_replay(s, k->replay);
    link_newest(s, k->replay);
    return k->replay;
}

/* By what the client sends back of what was made up here, or else by what was said so far. */
static struct gs_replay *find(struct gs_replay_store *s, const struct gs_message *message,
                              const struct gs_meaning *m, uint64_t chained)
{
    struct gs_replay *r = NULL;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; !r && i < message->n_blocks; i++) {
        const struct gs_block *b = &message->blocks[i];
        if (b->kind == GS_BLOCK_TOOL_CALL && b->id.len > 0)
            r = look_up(s, hash_of(s->seed, KEY_CALL, b->id), m);
        else if (b->kind == GS_BLOCK_REASONING && b->signature.len > 0)
            r = look_up(s, hash_of(s->seed, KEY_SIGNATURE, b->signature), m);
    }
    if (!r)
        r = look_up(s, chained, m);
    pthread_mutex_unlock(&s->lock);
    return r;
}

enum gs_status gs_replay_find(struct gs_replay_store *s, const struct gs_chat *chat,
                              struct gs_arena *a, struct gs_replay_match **out_m, size_t *out_n,
                              struct gs_error *err)
{
    struct gs_replay_match *matches = gs_arena_array(a, chat->n_messages, sizeof(*matches));
    uint64_t said = s->seed;
    struct gs_meaning m;
    bool ok = matches != NULL;
    size_t n = 0;

    gs_meaning_init(&m);
    for (size_t i = 0; ok && i < chat->n_messages; i++) {
        const struct gs_message *message = &chat->messages[i];
        ok = mean(&m, message);
        said = chain(said, message->role, &m);
        struct gs_replay *r =
            ok && message->role == GS_ROLE_ASSISTANT ? find(s, message, &m, said) : NULL;
        if (r)
            matches[n++] = (struct gs_replay_match){
                .message_idx = i,
                .replay = r,
                .opening = gs_buf_view(&r->opening),
                .tokens = (const int32_t *)(const void *)r->tokens.ptr,
                .n_tokens = r->tokens.len / sizeof(int32_t),
            };
    }
    gs_meaning_clear(&m);
    if (!ok) {
        gs_replay_release(s, matches, n);
        return gs_error_nomem(err, "look for earlier answers");
    }
    *out_m = matches;
    *out_n = n;
    return GS_OK;
}

void gs_replay_release(struct gs_replay_store *s, const struct gs_replay_match *m, size_t n)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++) {
        struct gs_replay *r = m[i].replay;
        if (--r->n_users == 0 && r->is_dropped)
            gs_replay_free(r);
    }
    pthread_mutex_unlock(&s->lock);
}
