/* The option table as data, shared by the files of config/. */
#ifndef GS_CONFIG_CONFIG_TABLE_H
#define GS_CONFIG_CONFIG_TABLE_H

#include "config/config.h"

enum gs_config_type {
    GS_CONFIG_BOOL,
    GS_CONFIG_INT,
    GS_CONFIG_REAL,
    GS_CONFIG_BYTES,
    GS_CONFIG_DURATION,
    GS_CONFIG_ENUM,
    GS_CONFIG_STRING,
    GS_CONFIG_SECRET,
    GS_CONFIG_ADDRESS,
    GS_CONFIG_PATH,
    GS_CONFIG_STRINGS,
    GS_CONFIG_PATHS,
    /* of the sections about other computers (routes.def) */
    GS_CONFIG_URL,
    GS_CONFIG_KEY,
    GS_CONFIG_WORDS,     /* one or a list of words: bits */
    GS_CONFIG_CONDITION, /* enum gs_condition */
    GS_CONFIG_USD,       /* billionths of a dollar */
    GS_CONFIG_PRICE,     /* the same for one token, written for a million */
    GS_CONFIG_MATCH,     /* one or a list of names, joined by '|' */
    GS_CONFIG_TARGETS,   /* one or a list */
    GS_CONFIG_GROUP,     /* a mapping */
};

struct gs_config_errors;
struct gs_config_node;

struct gs_config_option {
    enum gs_config_type type;
    uint32_t commands; /* bits of enum gs_command */
    size_t field_off;  /* in struct gs_config */
    const char *flag;
    const char *key;    /* NULL: flag only */
    const char *preset; /* default as text, or NULL */
    double lo, hi;      /* of a DURATION: lo < 0 allows "none", -1; of an ENUM: lo is the first */
    const char *value;  /* its name, or the words of an ENUM or WORDS */
    const char *help;
    char letter; /* 0: none */
};

struct gs_config_command {
    const char *name;
    const char *args;
    size_t min_args, max_args;
    const char *summary;
    const char *text;
};

/* Which commands an option belongs to. */
#define GS_ON(id) (1u << GS_COMMAND_##id)
#define GS_ON_ALL ((1u << GS_COMMAND_COUNT) - 1)
#define GS_ON_JSON                                                                                 \
    (GS_ON(RUN) | GS_ON(SHOW) | GS_ON(TOKENS) | GS_ON(BENCH) | GS_ON(DOCTOR) | GS_ON(LOG) |        \
     GS_ON(STATUS) | GS_ON(COST) | GS_ON(TRACE) | GS_ON(VERSION))
#define GS_ON_ENGINE                                                                               \
    (GS_ON(RUN) | GS_ON(SERVE) | GS_ON(LOGITS) | GS_ON(EMBED) | GS_ON(BENCH) | GS_ON(DOCTOR))
#define GS_ON_TOOLS   (GS_ON(LAUNCH) | GS_ON(ENV))
#define GS_ON_ADDRESS (GS_ON(SERVE) | GS_ON_TOOLS | GS_ON(STATUS) | GS_ON(TRACE))
#define GS_ON_MODELS                                                                               \
    (GS_ON_ENGINE | GS_ON(SHOW) | GS_ON(TOKENS) | GS_ON(PROMPT) | GS_ON(DEQUANT) | GS_ON_TOOLS)
#define GS_ON_ROUTED     (GS_ON(SERVE) | GS_ON(HERMIT) | GS_ON(COST) | GS_ON(CONFIG))
#define GS_ON_CONFIGURED (GS_ON_MODELS | GS_ON_ADDRESS | GS_ON_ROUTED | GS_ON(LOG))

#define GS_ENV_BYTES   64 /* name of an environment variable */
#define GS_FOUND_CHARS 48 /* of a wrong value quoted in an error */

extern const struct gs_config_option gs_config_options[GS_OPTION_COUNT];
extern const struct gs_config_command gs_config_commands[GS_COMMAND_COUNT];

/* Does any setting of the file matter to this command? */
bool gs_config_command_is_configured(enum gs_command command);
/* Does it have to do with other computers, so that these sections of the file are read? */
bool gs_config_command_is_routed(enum gs_command command);
/* "GENSET_KV_TYPE" */
void gs_config_env_name(const struct gs_config_option *o, char out[GS_ENV_BYTES]);
/* Word `idx` of "a|b|c"; an empty slice past the last. */
struct gs_slice gs_config_words_get(const char *words, size_t idx);
bool gs_config_type_is_list(enum gs_config_type type);
bool gs_config_option_applies(const struct gs_config_option *o, enum gs_command command);
/* A BOOL that is on unless switched off: people see it as --no-x. */
bool gs_config_option_is_on(const struct gs_config_option *o);

/* The candidate most like `word`: at most two edits away and a third of its length, or begun by
 * it. */
struct gs_config_guess {
    struct gs_slice word;
    size_t best;           /* distance of the best so far, or what it must beat */
    struct gs_slice found; /* empty: none */
};
void gs_config_guess_init(struct gs_config_guess *g, struct gs_slice word);
void gs_config_guess_try(struct gs_config_guess *g, struct gs_slice candidate);

/* ---- values ---- */

/* Parse `text` into the option's field; a list gets one item more. `home` replaces a leading ~,
 * NULL leaves it. The field is untouched after an error. */
GS_MUST_CHECK enum gs_status gs_config_value_parse(struct gs_config *c, enum gs_option option,
                                                   struct gs_slice text, const char *home,
                                                   struct gs_error *err);
/* The same for any row of a table: `field` is of its type. */
GS_MUST_CHECK enum gs_status gs_config_value_read(const struct gs_config_option *o, void *field,
                                                  struct gs_arena *a, struct gs_slice text,
                                                  const char *home, struct gs_error *err);
/* Empty the option's list before the items of a stronger source. */
void gs_config_value_reset(struct gs_config *c, enum gs_option option);
/* What a value of this option is: "a whole number from 1 to 64". */
void gs_config_value_expected(const struct gs_config_option *o, struct gs_buf *b);
/* "PATH: expected ..., found a list": the node is no scalar. */
void gs_config_value_unfit(const struct gs_config_option *o, const char *path,
                           const struct gs_config_node *n, struct gs_error *err);
/* A wrong value as an error may show it: short, in quotes, nothing that moves a cursor. */
void gs_config_value_quote(struct gs_slice text, struct gs_buf *b);
GS_MUST_CHECK bool gs_config_list_add(struct gs_arena *a, struct gs_config_list *list,
                                      struct gs_slice item);

/* ---- sources and reports ---- */

/* The options of the file: the whole of it is `root`. */
void gs_config_read_options(struct gs_config *c, const struct gs_config_node *root,
                            const char *home, struct gs_config_errors *errors);

GS_MUST_CHECK enum gs_status gs_config_read_args(struct gs_config *c,
                                                 const struct gs_config_source *source,
                                                 const char *home, struct gs_buf *report);
/* "genset: error: MSG", then the hint on a line of its own. */
void gs_config_report(struct gs_buf *report, const struct gs_error *err);
/* "FILE:LINE:COL: error: MSG", the line, and a caret under `n_chars` characters, with the hint;
 * without the line where n_chars is 0. */
void gs_config_report_in(struct gs_buf *report, const struct gs_error *err, struct gs_slice text,
                         size_t n_chars);

#endif
