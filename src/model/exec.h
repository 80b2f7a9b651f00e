/* Computing a model: an executor owns the lanes, the activations and the memory of sequences. */
#ifndef GS_MODEL_EXEC_H
#define GS_MODEL_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"
#include "gguf/type.h"

struct gs_compute;
struct gs_model;
struct gs_exec;
struct gs_seq;

struct gs_exec_options {
    enum gs_type kv_type; /* GS_TYPE_F16, GS_TYPE_F32 or GS_TYPE_Q8_0 */
    uint32_t batch_rows;  /* tokens of one forward at most */
    uint32_t output_rows; /* logits rows of one forward at most */
    uint32_t max_sequences;
    uint64_t kv_tokens;  /* tokens of all sequences together (rounded up to pages) */
    uint64_t ctx_tokens; /* of one sequence */
    bool states_only;    /* outputs are not logits but the last states, [n_embd] */
};

/* Bytes of KV per token in the layers that keep every token; of a sequence in the layers that keep
 * only a window (at most: its pages are taken with the tokens); of recurrent state per sequence;
 * and of an executor's activations. */
uint64_t gs_exec_kv_bytes_per_token(const struct gs_model *m, enum gs_type kv_type);
uint64_t gs_exec_window_bytes(const struct gs_model *m, const struct gs_exec_options *opt);
uint64_t gs_exec_state_bytes(const struct gs_model *m);
uint64_t gs_exec_scratch_bytes(const struct gs_model *m, const struct gs_exec_options *opt);

/* owns: borrows the model and the lanes. errors: GS_ENOMEM (needed/available), GS_EINVAL. */
GS_MUST_CHECK enum gs_status gs_exec_create(const struct gs_model *m, struct gs_compute *c,
                                            const struct gs_exec_options *opt,
                                            struct gs_exec **out_e, struct gs_error *err);
void gs_exec_free(struct gs_exec *e);

/* ---- sequences ---- */

/* An empty sequence with memory for `reserve_tokens` tokens: forward never fails for want of
 * memory within the reservation. errors: GS_ENOMEM when the pages or sequences are used up
 * (needed/available in tokens), GS_ECONTEXT beyond ctx_tokens. */
GS_MUST_CHECK enum gs_status gs_seq_create(struct gs_exec *e, uint64_t reserve_tokens,
                                           struct gs_seq **out_s, struct gs_error *err);
void gs_seq_free(struct gs_seq *s);
/* Grow the reservation to `tokens` in all. */
GS_MUST_CHECK enum gs_status gs_seq_reserve(struct gs_seq *s, uint64_t tokens,
                                            struct gs_error *err);
uint64_t gs_seq_len(const struct gs_seq *s); /* tokens computed */
/* Forget everything after the first n tokens. False, and nothing is forgotten, if the model cannot
 * go on from there: a recurrent state cannot be rolled back (unless n is 0), layers with a window
 * may have let go of tokens that the next one would see, and others may hold the tokens. Else,
 * without recurrent layers, n may always be as much as batch_rows below the furthest the sequence
 * has been. */
bool gs_seq_truncate(struct gs_seq *s, uint64_t n);
/* Tokens for which there is no reservation yet. */
uint64_t gs_exec_free_tokens(const struct gs_exec *e);

/* ---- what outlives a sequence (snapshot.c) ---- */

/* Tokens computed lie in pages of GS_KV_PAGE_TOKENS, "blocks" 0, 1, 2... of a sequence. Somebody
 * may keep pages beyond the sequence's life, each once, and let other sequences begin with them.
 * Where pages do not hold all that the next token needs, a snapshot holds the rest, at one length.
 * Pages and snapshots have numbers below these counts. */
uint32_t gs_exec_page_count(const struct gs_exec *e);
uint32_t gs_exec_slot_count(const struct gs_exec *e);
bool gs_exec_needs_snapshots(const struct gs_exec *e);

uint32_t gs_seq_page(const struct gs_seq *s, uint64_t block);
/* Keep a page with the rows it has now; it may get further ones from the same sequence. */
void gs_seq_keep_page(struct gs_seq *s, uint64_t block);
void gs_exec_drop_page(struct gs_exec *e, uint32_t page);
bool gs_exec_page_is_spare(const struct gs_exec *e, uint32_t page); /* no sequence has it */

/* A snapshot of the sequence as it is. is_last: the sequence will only be freed, and its state is
 * moved, not copied. False: no memory for it. */
bool gs_seq_snapshot(struct gs_seq *s, bool is_last, uint32_t *out_snapshot);
uint64_t gs_exec_snapshot_pages(const struct gs_exec *e); /* free pages that one takes, at most */
void gs_exec_drop_snapshot(struct gs_exec *e, uint32_t snapshot);

/* Begin an empty sequence, for which nothing is reserved, with n_tokens computed by others: their
 * pages, and their snapshot if the model needs one. */
void gs_seq_resume(struct gs_seq *s, const uint32_t *pages, uint64_t n_tokens, uint32_t snapshot);
/* Free pages that a reservation of `tokens` in all would take. */
uint64_t gs_seq_lacks(const struct gs_seq *s, uint64_t tokens);
uint64_t gs_exec_free_pages(const struct gs_exec *e);
/* Free pages if nothing were kept. */
uint64_t gs_exec_spare_pages(const struct gs_exec *e);

/* ---- forward ---- */

/* The next tokens of one sequence, maybe none; logits are computed for the last n_logits of them.
 */
struct gs_run {
    struct gs_seq *seq;
    const int32_t *tokens;
    uint32_t n_tokens;
    uint32_t n_logits;
    uint32_t segment_at; /* the first token of the second segment; 0 = all are of the first */
};

/* Compute all runs in one batch (each sequence at most once). *out_logits points to
 * [sum of n_logits][n_vocab] floats in order of the runs, valid until the next call. A run of an
 * encoder is a whole text.
 * errors: GS_EINVAL (token id outside the vocabulary, too many rows), GS_ELIMIT (beyond a
 *         sequence's reservation), GS_ECANCELLED (given up, see gs_exec_on_layer()). Sequences are
 *         unchanged then; but given up, those with recurrent layers are empty, and nothing is
 *         reserved for them. No allocation. */
GS_MUST_CHECK enum gs_status gs_exec_forward(struct gs_exec *e, const struct gs_run *runs,
                                             size_t n_runs, const float **out_logits,
                                             struct gs_error *err);
/* Have forwards ask, on the caller's thread before each layer, whether to give up. NULL: not. */
void gs_exec_on_layer(struct gs_exec *e, bool (*is_abandoned)(void *ud), void *ud);

#endif
