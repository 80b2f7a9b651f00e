/* The insides of an executor and a sequence, shared by exec.c and sequence.c. */
#ifndef GS_MODEL_EXECUTOR_H
#define GS_MODEL_EXECUTOR_H

#include "model/exec.h"
#include "model/kv_pool.h"
#include "model/state_pool.h"

struct gs_exec {
    const struct gs_model *model;
    struct gs_compute *compute;
    struct gs_exec_options opt;
    struct gs_kv_pool kv;
    struct gs_state_pool states;
    uint8_t *memory; /* of every forward: its batch, logits and activations */
};

struct gs_seq {
    struct gs_exec *exec;
    uint64_t len;      /* tokens computed */
    uint64_t reserved; /* tokens there is memory for */
    uint32_t slot;     /* of recurrent state */
    bool in_batch;     /* only inside gs_exec_forward() */
    uint32_t n_pages;
    uint32_t pages[]; /* room for ctx_tokens */
};

#endif
