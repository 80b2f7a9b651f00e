/* The models of this machine, and errands: requests about a model that ask for no answer, but for
 * its file, its tokenizer, or whether it is open. */
#ifndef GENSET_MODELS_H
#define GENSET_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/chat.h"

struct gs_arena;

/* What a model is made for. */
enum gs_local_purpose { GS_LOCAL_WRITING, GS_LOCAL_EMBEDDING, GS_LOCAL_RANKING };

struct gs_local_model {
    const char *name; /* file name without ".gguf"; in genset's own folder with its folder's */
    const char *path;
    int64_t file_bytes;
    int64_t modified_s;       /* wall clock */
    const char *arch, *quant; /* from the file's metadata */
    int64_t n_params;
    int64_t ctx_tokens; /* the model's own limit */
    enum gs_local_purpose purpose;
    bool is_own;      /* in genset's own folder: can be deleted */
    uint64_t version; /* another after the file was replaced */
    bool is_loaded;
    int64_t fit_tokens; /* what one conversation may use here; 0 while it is not loaded */
    int64_t expires_us; /* loaded: wall clock of its closing if nobody asks for it; INT64_MAX */
};

enum gs_errand_kind {
    GS_ERRAND_OPEN,  /* the model, and let it stay as `keep` says */
    GS_ERRAND_CLOSE, /* it, once its answers are complete */
    GS_ERRAND_TOKENIZE,
    GS_ERRAND_DETOKENIZE,
    GS_ERRAND_RENDER,
    GS_ERRAND_FACTS, /* of the open model */
    GS_ERRAND_LIST,
    GS_ERRAND_FIND, /* by its name alone: no other model stands for it */
    GS_ERRAND_SHOW,
    GS_ERRAND_COPY,
    GS_ERRAND_DELETE,
    GS_ERRAND_CREATE,
    GS_ERRAND_BLOB_FIND,
    GS_ERRAND_BLOB_ADD,
};

/* A model of another computer that may be asked for here. */
struct gs_remote_model {
    struct gs_slice name;
    struct gs_slice model, url; /* what it is called there, and where that is */
};

/* One request. What goes in lives as long as the request; what comes out lives in `arena`, which
 * nobody else touches until the last event. */
struct gs_errand {
    enum gs_errand_kind kind;
    struct gs_arena *arena;
    struct gs_slice model;      /* as the client spelled it; empty: the default */
    struct gs_slice target;     /* COPY, CREATE: the new name */
    struct gs_slice digest;     /* BLOB: "sha256:..."; CREATE: of the file, if not from `model` */
    struct gs_keep keep;        /* OPEN */
    const struct gs_chat *chat; /* RENDER */
    bool add_special, parse_special, wants_pieces; /* TOKENIZE */
    bool wants_lists;                              /* SHOW: also the metadata's long lists */

    const struct gs_remote_model *remotes; /* LIST: all; SHOW: of this name, if any */
    size_t n_remotes;

    struct gs_slice text;          /* TOKENIZE: in; DETOKENIZE, RENDER: out */
    const int32_t *tokens;         /* DETOKENIZE: in; TOKENIZE: out */
    size_t n_tokens;               /* of them */
    const struct gs_slice *pieces; /* TOKENIZE, if wanted: their bytes */

    const struct gs_local_model *models; /* LIST: all; else the one, if it is not remote */
    size_t n_models;
    struct gs_slice metadata;                          /* SHOW: the file's, a JSON object */
    struct gs_slice tensors;                           /* SHOW: a JSON array */
    struct gs_slice chat_template, bos_text, eos_text; /* SHOW, FACTS */
    bool calls_tools, reasons, fills_in;               /* SHOW, FACTS: what the model can do */
    int32_t n_slots;                                   /* FACTS: answers computed at once */
};

#endif
