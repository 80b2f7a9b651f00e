/* The insides of an executor and a sequence, shared by exec.c and sequence.c. */
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
    uint32_t ring_pages; /* what a sequence has of the layers with a window, at most */
    struct gs_state_pool states;
    uint8_t *memory; /* of every forward: its batch, logits and activations */
};

/* The table of full pages has one for every GS_KV_PAGE_TOKENS tokens. That of layers with a window
 * has ring_pages and then the same ones again and again:
 *
 *     tokens    0-31  32-63  64-95  96-127  128-159 ...
 *     full        7      2      9      4       1
 *     window      3      8      0      3       8         (ring_pages = 3)
 *
 * A ring holds the window and one batch: what a batch writes is over tokens that none of its rows
 * sees any more. */
struct gs_seq {
    struct gs_exec *exec;
    uint64_t len;                 /* tokens computed */
    uint64_t written;             /* the most that len has been since it was 0 */
    uint64_t reserved;            /* tokens there is memory for */
    uint32_t slot;                /* of recurrent state */
    bool in_batch;                /* only inside gs_exec_forward() */
    uint32_t n_pages;             /* of each kind */
    uint32_t *pages[GS_KV_KINDS]; /* into tables */
    uint32_t tables[];            /* [kind][pages of ctx_tokens] */
};

/* Pages of that many tokens. */
uint64_t gs_seq_pages(uint64_t tokens);

#endif
