/* A made-up byte-level BPE vocabulary of any size. */
#ifndef GS_BENCH_VOCAB_H
#define GS_BENCH_VOCAB_H

#include "gguf/gguf_write.h"

/* Write the tokenizer.* metadata of a vocabulary of n_tokens (>= 512) tokens: the 256 bytes, then
 * what merges make of letters ("ab", " ab", "abcd"), and three special tokens at the end. */
GS_MUST_CHECK enum gs_status gs_bench_write_vocab(struct gs_gguf_writer *w, uint32_t n_tokens,
                                                  const char *pre, struct gs_error *err);

#endif
