#include "switch/signers.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/slice.h"
#include "dialect/client.h"

#define N_SLOTS    8192 /* a power of two */
#define N_WAYS     4    /* slots that one digest may be in */
#define LOCAL_LEN  32   /* hexadecimal digits: this machine's */
#define DIGEST_SET 0x67656e736574u

static uint64_t digest(struct gs_slice s)
{
    return gs_hash_bytes(s.ptr, s.len, DIGEST_SET) | 1;
}

static size_t first_of(uint64_t signature)
{
    return (signature >> 8) % (N_SLOTS / N_WAYS) * N_WAYS;
}

void gs_switch_signers_clear(struct gs_switch_signers *s)
{
    gs_free(s->slots);
    s->slots = NULL;
}

struct gs_ledger_signed gs_switch_signers_digest(const char *maker, struct gs_slice signature)
{
    return (struct gs_ledger_signed){digest(signature), digest(gs_slice_str(maker))};
}

void gs_switch_signers_note(struct gs_switch_signers *s, const struct gs_ledger_signed *made)
{
    if (!s->slots)
        s->slots = gs_alloc_zero(N_SLOTS * sizeof(*s->slots));
    if (!s->slots)
        return;
    struct gs_ledger_signed *ways = &s->slots[first_of(made->signature)];
    size_t n = 0;
    while (n + 1 < N_WAYS && ways[n].signature != made->signature)
        n++;
    for (; n > 0; n--) /* the latest first */
        ways[n] = ways[n - 1];
    ways[0] = *made;
}

static const struct gs_ledger_signed *find(const struct gs_switch_signers *s,
                                           struct gs_slice signature)
{
    const uint64_t wanted = digest(signature);
    const size_t first = first_of(wanted);

    for (size_t i = 0; s->slots && i < N_WAYS; i++)
        if (s->slots[first + i].signature == wanted)
            return &s->slots[first + i];
    return NULL;
}

static bool is_local(struct gs_slice signature)
{
    for (size_t i = 0; i < signature.len; i++) {
        const char c = signature.ptr[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
    }
    return signature.len == LOCAL_LEN;
}

bool gs_switch_signers_is(const struct gs_switch_signers *s, const char *maker, bool is_home,
                          struct gs_slice signature, struct gs_slice *out_theirs)
{
    const struct gs_ledger_signed *known = find(s, signature);
    struct gs_slice named;

    *out_theirs = signature;
    if (known)
        return known->maker == digest(gs_slice_str(maker));
    if (gs_dialect_signed_by(signature, &named, out_theirs))
        return gs_slice_eq_str(named, maker);
    return is_home && !is_local(signature);
}
