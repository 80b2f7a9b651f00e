/* A table of small state machines. An entry is made by the first report of its key that counts, so
 * that asking for names nobody ever answered costs nothing; the table is small enough to be
 * searched from end to end by hash.
 *
 * `until_us` stands for two things: of an open entry the end of its cooldown, after which one probe
 * may go; of a closed one the end of a wait we were told (Retry-After), after which all may. */
#include "route/breaker.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/slice.h"
#include "route/ttft.h"

#define SECOND_US ((int64_t)1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)

#define N_IN_A_ROW        3
#define N_RATE            5
#define N_BUCKETS         10
#define BUCKET_US         (3 * SECOND_US) /* 10 of them: the 30 s of the rate */
#define COOLDOWN_US       (15 * SECOND_US)
#define COOLDOWN_MAX_US   (120 * SECOND_US)
#define QUIET_US          (5 * MINUTE_US)  /* closed so long: opened before is forgotten */
#define BENCH_US          (30 * MINUTE_US) /* keys and models that are not taken */
#define QUOTA_US          HOUR_US          /* where nobody says when it ends */
#define TOLD_MAX_US       (24 * HOUR_US)
#define PROBE_MAX_US      (15 * MINUTE_US) /* a probe out for longer is given up */
#define PROBE_GUESS_US    SECOND_US
#define FIRST_TOKEN_US    (10 * SECOND_US)
#define FIRST_TOKEN_LO_US (3 * SECOND_US)
#define FIRST_TOKEN_HI_US (60 * SECOND_US)
#define N_TALKS           4
#define N_OPENED_MAX      30

/* What an attempt has an entry for; also the index of gs_breaker_pass.probes. */
enum scope { SCOPE_MODEL, SCOPE_CREDENTIAL, SCOPE_BOTH, N_SCOPES };

struct bucket {
    int64_t slot; /* now_us / BUCKET_US */
    int32_t n, n_failed;
};

struct entry {
    char key[GS_BREAKER_KEY_BYTES];
    size_t key_len;
    enum gs_breaker_stand stand;
    enum gs_fault why;
    bool is_told; /* until_us is not of our own making */
    bool has_answered;
    int32_t n_failed, n_opened;
    int64_t until_us, closed_us, used_us;
    uint64_t probe; /* HALF_OPEN: whose it is */
    int64_t probe_us;
    struct bucket buckets[N_BUCKETS];
    uint64_t talks[N_TALKS]; /* conversations whose failure counted already */
    size_t talk_idx;
    struct gs_ttft ttft;
};

struct gs_breakers {
    struct gs_rng rng;
    uint64_t seed;
    uint64_t n_probes;
    gs_breaker_state_fn *on_change;
    void *ud;
    size_t n;
    uint64_t hashes[GS_BREAKERS_MAX];
    struct entry entries[GS_BREAKERS_MAX];
};

struct key {
    char text[GS_BREAKER_KEY_BYTES];
    size_t len;
};

/* ---- names ---- */

void gs_breaker_credential(struct gs_slice secret, char out[GS_BREAKER_CREDENTIAL])
{
    struct gs_sha256 s;
    uint8_t digest[GS_SHA256_BYTES];

    out[0] = '\0';
    if (secret.len == 0)
        return;
    gs_sha256_init(&s);
    gs_sha256_feed(&s, secret.ptr, secret.len);
    gs_sha256_finish(&s, digest);
    for (size_t i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void key_add(struct key *k, struct gs_slice s)
{
    const size_t n = GS_MIN(s.len, sizeof(k->text) - k->len);

    if (n > 0)
        memcpy(k->text + k->len, s.ptr, n);
    k->len += n;
}

/* "anthropic/claude-opus-5", "anthropic#1f..", "anthropic#1f../claude-opus-5": names of providers
 * have neither '/' nor '#', so no model's name makes one key into another. */
static struct gs_slice key_of(const struct gs_breaker_who *who, enum scope scope, struct key *k)
{
    k->len = 0;
    key_add(k, who->provider);
    if (scope != SCOPE_MODEL) {
        key_add(k, GS_SLICE_LIT("#"));
        key_add(k, who->credential);
    }
    if (scope != SCOPE_CREDENTIAL) {
        key_add(k, GS_SLICE_LIT("/"));
        key_add(k, who->model);
    }
    return gs_slice(k->text, k->len);
}

/* ---- the table ---- */

struct gs_breakers *gs_breakers_create(uint64_t seed)
{
    struct gs_breakers *b = gs_alloc_zero(sizeof(*b));

    if (!b)
        return NULL;
    gs_rng_seed(&b->rng, seed);
    b->seed = gs_rng_u64(&b->rng);
    return b;
}

void gs_breakers_free(struct gs_breakers *b)
{
    gs_free(b);
}

static size_t find(const struct gs_breakers *b, struct gs_slice key, uint64_t hash)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->hashes[i] == hash &&
            gs_slice_eq(gs_slice(b->entries[i].key, b->entries[i].key_len), key))
            return i;
    return b->n;
}

static const struct entry *lookup(const struct gs_breakers *b, const struct gs_breaker_who *who,
                                  enum scope scope)
{
    struct key k;
    const struct gs_slice key = key_of(who, scope, &k);
    const size_t i = find(b, key, gs_hash_bytes(key.ptr, key.len, b->seed));

    return i < b->n ? &b->entries[i] : NULL;
}

/* What is lost with an entry. Least with a name or a key that nobody ever took: clients can make up
 * any number of these. One that fails is on its way to be open, and worth the same: else new names
 * would push each other out of a full table before any of them is. */
static int worth(const struct entry *e, int64_t now_us)
{
    const bool was_refused = e->why == GS_FAULT_MODEL_GONE || e->why == GS_FAULT_AUTH;
    const bool is_open = e->stand == GS_BREAKER_OPEN;
    const bool is_failing = e->n_failed > 0 && now_us - e->used_us < QUIET_US;

    if (e->stand == GS_BREAKER_HALF_OPEN)
        return 3;
    if (!e->has_answered && (was_refused || (!is_open && !is_failing)))
        return 0;
    return (is_open ? now_us < e->until_us : is_failing) ? 2 : 1;
}

/* The least worth; of several the one that was used least recently. */
static size_t least(const struct gs_breakers *b, int64_t now_us)
{
    size_t at = 0;

    for (size_t i = 1; i < b->n; i++) {
        const struct entry *e = &b->entries[i];
        const struct entry *least = &b->entries[at];
        const int more = worth(e, now_us) - worth(least, now_us);
        if (more < 0 || (more == 0 && e->used_us < least->used_us))
            at = i;
    }
    return at;
}

/* Who was told of it is told that nothing is known of it any more. */
static void forget(const struct gs_breakers *b, const struct entry *e)
{
    const struct gs_breaker_state s = {
        .key = gs_slice(e->key, e->key_len), .p50_us = -1, .p95_us = -1};

    if (b->on_change && (e->n_opened > 0 || e->until_us > 0))
        b->on_change(b->ud, &s);
}

static struct entry *take_entry(struct gs_breakers *b, struct gs_slice key, int64_t now_us)
{
    const struct gs_slice cut = gs_slice_sub(key, 0, GS_BREAKER_KEY_BYTES);
    const uint64_t hash = gs_hash_bytes(cut.ptr, cut.len, b->seed);
    size_t i = find(b, cut, hash);

    if (i == b->n) {
        if (b->n < GS_BREAKERS_MAX) {
            b->n++;
        } else {
            i = least(b, now_us);
            forget(b, &b->entries[i]);
        }
        b->hashes[i] = hash;
        b->entries[i] = (struct entry){.key_len = cut.len};
        if (cut.len > 0)
            memcpy(b->entries[i].key, cut.ptr, cut.len);
    }
    b->entries[i].used_us = now_us;
    return &b->entries[i];
}

/* ---- what is shown ---- */

const char *gs_breaker_stand_word(enum gs_breaker_stand s)
{
    switch (s) {
    case GS_BREAKER_CLOSED:
        return "closed";
    case GS_BREAKER_OPEN:
        return "open";
    case GS_BREAKER_HALF_OPEN:
        return "half-open";
    }
    return "closed";
}

static void count_recent(const struct entry *e, int64_t now_us, int32_t *out_n,
                         int32_t *out_n_failed)
{
    const int64_t slot = now_us / BUCKET_US;

    *out_n = 0;
    *out_n_failed = 0;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        const struct bucket *k = &e->buckets[i];
        if (k->slot > slot - N_BUCKETS && k->slot <= slot) {
            *out_n += k->n;
            *out_n_failed += k->n_failed;
        }
    }
}

static void describe(const struct entry *e, int64_t now_us, struct gs_breaker_state *out)
{
    *out = (struct gs_breaker_state){
        .key = gs_slice(e->key, e->key_len),
        .stand = e->stand,
        .why = e->why,
        .n_failed = e->n_failed,
        .n_opened = e->n_opened,
        .wait_us = GS_MAX(e->until_us - now_us, 0),
        .p50_us = gs_ttft_quantile(&e->ttft, 0.5),
        .p95_us = gs_ttft_quantile(&e->ttft, 0.95),
    };
    count_recent(e, now_us, &out->n_recent, &out->n_recent_failed);
}

void gs_breakers_walk(const struct gs_breakers *b, int64_t now_us, gs_breaker_state_fn *fn,
                      void *ud)
{
    struct gs_breaker_state s;

    for (size_t i = 0; i < b->n; i++) {
        describe(&b->entries[i], now_us, &s);
        fn(ud, &s);
    }
}

void gs_breakers_on_change(struct gs_breakers *b, gs_breaker_state_fn *fn, void *ud)
{
    b->on_change = fn;
    b->ud = ud;
}

static void tell(const struct gs_breakers *b, const struct entry *e, int64_t now_us)
{
    struct gs_breaker_state s;

    if (!b->on_change)
        return;
    describe(e, now_us, &s);
    b->on_change(b->ud, &s);
}

/* ---- asking ---- */

static enum gs_breaker_verdict verdict_of(const struct entry *e, int64_t now_us, int64_t *out_wait)
{
    *out_wait = GS_MAX(e->until_us - now_us, 0);
    if (*out_wait > 0)
        return GS_BREAKER_WAIT;
    if (e->stand == GS_BREAKER_CLOSED)
        return GS_BREAKER_GO;
    if (e->stand == GS_BREAKER_OPEN || now_us - e->probe_us >= PROBE_MAX_US)
        return GS_BREAKER_PROBE;
    *out_wait = PROBE_GUESS_US;
    return GS_BREAKER_WAIT;
}

enum gs_breaker_verdict gs_breakers_look(const struct gs_breakers *b,
                                         const struct gs_breaker_who *who, int64_t now_us,
                                         int64_t *out_wait_us)
{
    enum gs_breaker_verdict all = GS_BREAKER_GO;
    int64_t wait_us = 0;

    for (enum scope scope = 0; scope < N_SCOPES; scope++) {
        const struct entry *e = lookup(b, who, scope);
        int64_t its_us;
        if (!e)
            continue;
        all = GS_MAX(all, verdict_of(e, now_us, &its_us));
        wait_us = GS_MAX(wait_us, its_us);
    }
    if (out_wait_us)
        *out_wait_us = wait_us;
    return all;
}

enum gs_fault gs_breakers_why(const struct gs_breakers *b, const struct gs_breaker_who *who,
                              int64_t now_us)
{
    enum gs_fault why = GS_FAULT_NONE;
    int64_t until_us = now_us;

    for (enum scope scope = 0; scope < N_SCOPES; scope++) {
        const struct entry *e = lookup(b, who, scope);
        if (!e || e->until_us <= until_us)
            continue;
        until_us = e->until_us;
        why = e->why;
    }
    return why;
}

enum gs_breaker_verdict gs_breakers_enter(struct gs_breakers *b, const struct gs_breaker_who *who,
                                          int64_t now_us, struct gs_breaker_pass *out_pass,
                                          int64_t *out_wait_us)
{
    const enum gs_breaker_verdict all = gs_breakers_look(b, who, now_us, out_wait_us);

    *out_pass = (struct gs_breaker_pass){0};
    for (enum scope scope = 0; all != GS_BREAKER_WAIT && scope < N_SCOPES; scope++) {
        struct entry *e = (struct entry *)lookup(b, who, scope);
        int64_t none;
        if (!e)
            continue;
        e->used_us = now_us;
        if (verdict_of(e, now_us, &none) != GS_BREAKER_PROBE)
            continue;
        e->stand = GS_BREAKER_HALF_OPEN;
        e->probe = out_pass->probes[scope] = ++b->n_probes;
        e->probe_us = now_us;
        tell(b, e, now_us);
    }
    return all;
}

/* ---- reports ---- */

static void count(struct entry *e, bool failed, int64_t now_us)
{
    const int64_t slot = now_us / BUCKET_US;
    struct bucket *k = &e->buckets[slot % N_BUCKETS];

    if (k->slot != slot)
        *k = (struct bucket){.slot = slot};
    if (k->n < INT32_MAX / N_BUCKETS) {
        k->n++;
        k->n_failed += failed;
    }
    if (!failed)
        e->n_failed = 0;
    else if (e->n_failed < INT32_MAX)
        e->n_failed++;
}

static void forget_recent(struct entry *e)
{
    memset(e->buckets, 0, sizeof(e->buckets));
    e->n_failed = 0;
}

static bool is_over_threshold(const struct entry *e, int64_t now_us)
{
    int32_t n;
    int32_t n_failed;

    count_recent(e, now_us, &n, &n_failed);
    return e->n_failed >= N_IN_A_ROW || (n >= N_RATE && 2 * (int64_t)n_failed >= n);
}

/* How long a fault keeps others away by itself; 0: as the thresholds say. */
static int64_t bench_of(enum gs_fault fault, int64_t told_us)
{
    switch (fault) {
    case GS_FAULT_AUTH:
    case GS_FAULT_BILLING:
    case GS_FAULT_MODEL_GONE:
        return BENCH_US;
    case GS_FAULT_QUOTA:
        return told_us > 0 ? told_us : QUOTA_US;
    default:
        return 0;
    }
}

static void open_entry(struct gs_breakers *b, struct entry *e, int64_t bench_us, int64_t now_us)
{
    if (e->stand == GS_BREAKER_CLOSED && now_us - e->closed_us > QUIET_US)
        e->n_opened = 0;
    const int64_t base_us = GS_MIN(COOLDOWN_US << GS_MIN(e->n_opened, 4), COOLDOWN_MAX_US);
    const int64_t cooldown_us = (int64_t)((double)base_us * (0.9 + 0.2 * gs_rng_double(&b->rng)));

    e->n_opened = GS_MIN(e->n_opened + 1, N_OPENED_MAX);
    e->stand = GS_BREAKER_OPEN;
    if (now_us + GS_MAX(cooldown_us, bench_us) > e->until_us) {
        e->until_us = now_us + GS_MAX(cooldown_us, bench_us);
        e->is_told = bench_us > cooldown_us;
    }
    tell(b, e, now_us);
}

/* An answer that one conversation never gets may be the conversation's own fault: it counts once.
 * True: it counted already. */
static bool is_known_talk(struct entry *e, const struct gs_breaker_report *r)
{
    if (r->talk == 0 || (r->fault != GS_FAULT_EMPTY && r->fault != GS_FAULT_LOOP))
        return false;
    for (size_t i = 0; i < N_TALKS; i++)
        if (e->talks[i] == r->talk)
            return true;
    e->talks[e->talk_idx++ % N_TALKS] = r->talk;
    return false;
}

static void fail(struct gs_breakers *b, struct entry *e, const struct gs_breaker_report *r,
                 bool was_probe, int64_t now_us)
{
    const int64_t told_us = GS_MIN(r->retry_after_us, TOLD_MAX_US);
    const int64_t bench_us = GS_MAX(bench_of(r->fault, told_us), told_us);
    const bool is_certain = bench_of(r->fault, told_us) > 0 || told_us > COOLDOWN_MAX_US;

    count(e, true, now_us);
    e->why = r->fault;
    if (was_probe ||
        (e->stand == GS_BREAKER_CLOSED && (is_certain || is_over_threshold(e, now_us)))) {
        open_entry(b, e, bench_us, now_us);
    } else if (bench_us > 0 && now_us + bench_us > e->until_us) {
        e->until_us = now_us + bench_us;
        e->is_told = true;
        tell(b, e, now_us);
    }
}

static void succeed(struct gs_breakers *b, struct entry *e, int64_t now_us)
{
    const bool is_lapsed =
        e->stand == GS_BREAKER_HALF_OPEN || (e->stand == GS_BREAKER_OPEN && now_us >= e->until_us);

    e->has_answered = true;
    if (is_lapsed) {
        forget_recent(e);
        e->stand = GS_BREAKER_CLOSED;
        e->closed_us = now_us;
        tell(b, e, now_us);
    }
    count(e, false, now_us);
}

static void give_back(struct gs_breakers *b, struct entry *e, int64_t now_us)
{
    e->stand = GS_BREAKER_OPEN; /* lapsed: the next one is the probe */
    tell(b, e, now_us);
}

/* Which entry a fault counts against; N_SCOPES: none. */
static enum scope scope_of(const struct gs_breaker_report *r)
{
    if (r->fault == GS_FAULT_RATE_LIMIT || r->fault == GS_FAULT_QUOTA)
        return SCOPE_BOTH;
    switch (gs_fault_blame(r->fault)) {
    case GS_BLAME_CREDENTIAL:
        return SCOPE_CREDENTIAL;
    case GS_BLAME_PROVIDER:
        return SCOPE_MODEL;
    case GS_BLAME_NETWORK:
        return r->is_uplink ? N_SCOPES : SCOPE_MODEL;
    case GS_BLAME_NOBODY:
    case GS_BLAME_REQUEST:
    case GS_BLAME_TARGET:
        break;
    }
    return N_SCOPES;
}

/* A first token that did not come in time counts as one that took all of it: a provider that became
 * slower is given more time, not shut out for good. Not so for a probe: who was out for an hour is
 * not thereby slow. */
static void learn_ttft(struct gs_breakers *b, const struct gs_breaker_who *who,
                       const struct gs_breaker_report *r, int64_t now_us)
{
    const bool was_late = r->fault == GS_FAULT_FIRST_TOKEN_TIMEOUT;
    struct key k;

    if (!was_late && (r->fault != GS_FAULT_NONE || r->ttft_us < 0))
        return;
    const int64_t us = was_late ? gs_breakers_first_token_us(b, who) : r->ttft_us;
    struct entry *e = take_entry(b, key_of(who, SCOPE_MODEL, &k), now_us);
    if (!was_late || e->stand == GS_BREAKER_CLOSED)
        gs_ttft_add(&e->ttft, us);
}

void gs_breakers_report(struct gs_breakers *b, const struct gs_breaker_who *who,
                        const struct gs_breaker_pass *pass, const struct gs_breaker_report *r,
                        int64_t now_us)
{
    const enum scope at_fault = scope_of(r);
    const bool answered = r->fault == GS_FAULT_NONE;

    learn_ttft(b, who, r, now_us);
    for (enum scope scope = 0; scope < N_SCOPES; scope++) {
        struct key k;
        struct entry *e = (struct entry *)lookup(b, who, scope);
        if (!e && (scope == at_fault || (answered && scope == SCOPE_MODEL)))
            e = take_entry(b, key_of(who, scope, &k), now_us);
        if (!e)
            continue;
        const bool was_probe = e->stand == GS_BREAKER_HALF_OPEN && pass->probes[scope] != 0 &&
                               e->probe == pass->probes[scope];
        if (answered)
            succeed(b, e, now_us);
        else if (scope == at_fault && !is_known_talk(e, r))
            fail(b, e, r, was_probe, now_us);
        else if (was_probe)
            give_back(b, e, now_us);
    }
}

/* ---- first tokens ---- */

bool gs_breakers_ttft(const struct gs_breakers *b, const struct gs_breaker_who *who,
                      int64_t *out_p50_us, int64_t *out_p95_us)
{
    const struct entry *e = lookup(b, who, SCOPE_MODEL);
    const int64_t p50_us = e ? gs_ttft_quantile(&e->ttft, 0.5) : -1;

    if (p50_us < 0)
        return false;
    *out_p50_us = p50_us;
    *out_p95_us = gs_ttft_quantile(&e->ttft, 0.95);
    return true;
}

int64_t gs_breakers_first_token_us(const struct gs_breakers *b, const struct gs_breaker_who *who)
{
    int64_t p50_us;
    int64_t p95_us;

    if (!gs_breakers_ttft(b, who, &p50_us, &p95_us))
        return FIRST_TOKEN_US;
    return GS_MIN(GS_MAX(4 * p95_us, FIRST_TOKEN_LO_US), FIRST_TOKEN_HI_US);
}

/* ---- times that change ---- */

void gs_breakers_woke(struct gs_breakers *b, int64_t slept_us, int64_t now_us)
{
    for (size_t i = 0; i < b->n; i++) {
        struct entry *e = &b->entries[i];
        const bool is_ours = gs_fault_blame(e->why) == GS_BLAME_NETWORK;
        const int64_t was_us = e->until_us;
        if (e->stand == GS_BREAKER_CLOSED && is_ours)
            forget_recent(e);
        if (e->until_us <= now_us)
            continue;
        if (e->is_told)
            e->until_us -= GS_MIN(slept_us, e->until_us - now_us);
        else if (is_ours || slept_us > 0)
            e->until_us = now_us;
        if (e->until_us != was_us)
            tell(b, e, now_us);
    }
}

void gs_breakers_restore(struct gs_breakers *b, const struct gs_breaker_state *s, int64_t now_us)
{
    struct entry *e = take_entry(b, s->key, now_us);
    const int64_t wait_us = GS_MIN(GS_MAX(s->wait_us, 0), TOLD_MAX_US);

    e->stand = s->stand == GS_BREAKER_CLOSED ? GS_BREAKER_CLOSED : GS_BREAKER_OPEN;
    e->why = s->why;
    e->n_failed = e->stand == GS_BREAKER_CLOSED ? 0 : GS_MAX(s->n_failed, 0);
    e->n_opened = GS_MIN(GS_MAX(s->n_opened, 0), N_OPENED_MAX);
    e->until_us = now_us + wait_us;
    e->closed_us = now_us;
    e->is_told = wait_us > COOLDOWN_MAX_US + COOLDOWN_MAX_US / 10;
}
