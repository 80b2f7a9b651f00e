/* The insides of an executor and a sequence, shared by exec.c, sequence.c and
 * snapshot.c. */
#ifndef GS_MODEL_EXECUTOR_H
#define GS_MODEL_EXECUTOR_H

#include "model/arch.h"
#include "model/exec.h"
#include "model/kv_pool.h"
#include "model/state_pool.h"

struct gs_exec {
    const struct gs_model *model;
    struct gs_compute *compute;
    struct gs_exec_options opt;
    struct gs_kv_pool kv[GS_KV_KINDS];
    uint32_t window_pages;          /* a sequence has of the layers with a window, at most */
    uint32_t snapshot_window_pages; /* a snapshot has, at most */
    uint32_t n_sequences, n_snapshots, most_snapshots;
    struct gs_state_pool states; /* its slots are sequences and snapshots */
    uint64_t *snapshot_lens;     /* [slot] tokens */
    uint32_t *snapshot_pages;    /* [slot][snapshot_window_pages] from the first that is seen */
    struct gs_abandon abandon;
    uint8_t *memory; /* of every forward: its batch, logits and activations */
};

/* A page for every GS_KV_PAGE_TOKENS tokens: of the layers that keep every token all that are
 * reserved, of those with a window the last ones that are computed.
 *
 *     tokens    0-31  32-63  64-95  96-127  128-159 ...
 *     full        7      2      9      4       1
 *     window                    0      3       8          begin 2, end 5
 *
 * Rows that are shared are never written again. The last page of a sequence that was resumed may be
 * another's, who may write on: then it is copied before the first token. */
struct gs_seq {
    struct gs_exec *exec;
    uint64_t len;      /* tokens computed */
    uint64_t reserved; /* tokens there is memory for */
    uint64_t shared;   /* tokens that others may hold too */
    bool borrows_last; /* the page of token len is another's */
    uint32_t slot;     /* of recurrent state */
    bool in_batch;     /* only inside gs_exec_forward() */
    uint32_t n_pages;  /* full ones */
    uint32_t window_begin, window_end;
    uint32_t *pages[GS_KV_KINDS]; /* into tables */
    uint32_t tables[];            /* [kind][pages of ctx_tokens] */
};

/* Pages of that many tokens. */
uint64_t gs_seq_pages(uint64_t tokens);
/* The first page of a window that the token after n others sees. */
uint32_t gs_seq_window_begin(const struct gs_exec *e, uint64_t n);
/* Window pages for the next n_tokens, those longest out of sight given back. */
void gs_seq_make_window(struct gs_seq *s, uint32_t n_tokens);
/* Give all memory back: the sequence is empty, and nothing reserved. */
void gs_seq_empty(struct gs_seq *s);

#endif
