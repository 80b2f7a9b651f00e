/* The prefix store: what was computed, found again by the tokens it was computed from.
 *
 * A radix tree over token ids whose edges are blocks of GS_KV_PAGE_TOKENS tokens, the size of a
 * page; a shorter block is a leaf. A node is the page of its block and is numbered like it, so the
 * tree needs no memory of its own for what it holds.
 *
 *     (root) -- [The cat sat ..] -- [.. on the mat] -- [and slept]
 *                              \-- [.. on the roof]
 *
 * Sequences and the store share pages. A sequence can begin anywhere in what is stored, if pages
 * hold all that the next token needs; with recurrent layers or windows only where a snapshot was
 * taken, and then what no snapshot stands behind is not stored.
 *
 * The store gives way: whatever runs takes its memory. Leaves go first, those used once before
 * those used again, and the longest unused before others. A conversation that goes on counts as
 * used again with all that it adds, so requests beside it do not push it out.
 *
 * thread: that of the executor. */
#ifndef GS_ENGINE_PREFIX_H
#define GS_ENGINE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct gs_exec;
struct gs_prefix;
struct gs_seq;

struct gs_prefix_match {
    size_t n_tokens;   /* 0: none */
    uint32_t node;     /* of the last of them */
    uint32_t snapshot; /* to begin with, if the model needs one */
    bool is_end; /* nothing longer is stored behind it: who begins with it goes on with a talk */
};

enum gs_prefix_flags {
    GS_PREFIX_LAST = 1, /* the sequence will only be freed */
    GS_PREFIX_AGAIN =
        2, /* it goes on with what was stored: what it adds is not parted with first */
};

/* owns: borrows the executor, which must outlive it. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_prefix_create(struct gs_exec *e, struct gs_prefix **out_p,
                                              struct gs_error *err);
void gs_prefix_free(struct gs_prefix *p);

/* The longest stored beginning of tokens[0, n) that a sequence can begin with. Valid until the next
 * change of the store. */
struct gs_prefix_match gs_prefix_find(const struct gs_prefix *p, const int32_t *tokens, size_t n);
/* Pages of the match that no sequence has. */
size_t gs_prefix_spare_pages(const struct gs_prefix *p, const struct gs_prefix_match *m);
/* Begin s, an empty sequence, with the match. */
void gs_prefix_resume(struct gs_prefix *p, const struct gs_prefix_match *m, struct gs_seq *s);

/* Keep what s has computed, which are `tokens`, as far as there is memory. */
void gs_prefix_keep(struct gs_prefix *p, struct gs_seq *s, const int32_t *tokens, unsigned flags);
/* Part with the least worth; false if there is nothing. */
bool gs_prefix_evict(struct gs_prefix *p);
/* Part with things until there are so many free pages; with none if that would not do. */
void gs_prefix_make_room(struct gs_prefix *p, uint64_t n_pages);

#endif
