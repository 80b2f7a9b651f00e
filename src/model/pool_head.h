/* What follows the last layer where a text becomes a vector: the pooling of the file, and small
 * layers over the pooled states. */
#ifndef GS_MODEL_POOL_HEAD_H
#define GS_MODEL_POOL_HEAD_H

#include <stdbool.h>

#include "model/arch.h"

enum gs_pool_act { GS_POOL_ACT_TANH, GS_POOL_ACT_GELU };

struct gs_pool_head {
    enum gs_pooling pooling;
    bool reads_last; /* GS_POOLING_RANK: the last token's state, else the first's */
    /* Dense layers without activation (EmbeddingGemma), {D, n} and {n, out}; NULL: none */
    const struct gs_tensor *dense[2];
    /* The classifier: out = W_out norm(act(W x + b)) + b_out; each may be missing */
    const struct gs_tensor *cls;
    const float *cls_bias, *cls_norm;
    enum gs_pool_act act;
    const struct gs_tensor *cls_out;
    const float *cls_out_bias;
    bool softmax; /* of the scores: the shares of labels such as "yes" and "no" */
    float eps;
};

/* Fill m->pool_head and what model.h says of pooling. Without a word in the file encoders take the
 * mean, others the last token. Errors stay in the loader. */
void gs_load_pool_head(struct gs_loader *ld, struct gs_model *m);

/* The layers over `pooled` [n][D], n of them at most w.n_rows; out is [n][n_pooled]. */
void gs_block_pool_head_plan(const struct gs_model *m, struct gs_work w);
void gs_block_pool_head(struct gs_lane *lane, const struct gs_model *m, struct gs_rows out,
                        struct gs_rows pooled, struct gs_work w);

#endif
