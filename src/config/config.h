/* The configuration: every option once, in options.def, and everything made from that table.
 *
 * A value comes from, in falling order: a flag, an environment variable, the configuration file,
 * the default. The file is YAML: $XDG_CONFIG_HOME/genset/config.yaml if it is there, or --config
 * FILE.
 *
 *     struct gs_config c;
 *     struct gs_buf report;
 *     gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
 *     if (gs_config_load(&c, &source, &report) != GS_OK) ... print the report, exit 2 ...
 *     ... c.listen, c.ctx_tokens ...
 *     gs_config_clear(&c); */
#ifndef GS_CONFIG_CONFIG_H
#define GS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "config/routes.h"
#include "genset/slice.h"
#include "genset/status.h"

enum gs_command {
#define GS_COMMAND(id, ...) GS_COMMAND_##id,
#include "config/commands.def"
    GS_COMMAND_COUNT
};

enum gs_option {
#define GS_OPTION(type, field, ...) GS_OPTION_##field,
#include "config/options.def"
    GS_OPTION_COUNT
};

enum gs_config_origin { GS_ORIGIN_DEFAULT, GS_ORIGIN_FILE, GS_ORIGIN_ENV, GS_ORIGIN_FLAG };

struct gs_config_list {
    const char **items;
    size_t len;
};

/* What an option of each type is in C. */
#define GS_CONFIG_TYPE_BOOL     bool
#define GS_CONFIG_TYPE_INT      int64_t
#define GS_CONFIG_TYPE_REAL     double
#define GS_CONFIG_TYPE_BYTES    int64_t
#define GS_CONFIG_TYPE_DURATION int64_t /* milliseconds */
#define GS_CONFIG_TYPE_ENUM     int     /* index of the word */
#define GS_CONFIG_TYPE_STRING   const char *
#define GS_CONFIG_TYPE_SECRET   const char * /* never printed */
#define GS_CONFIG_TYPE_ADDRESS  const char *
#define GS_CONFIG_TYPE_PATH     const char *
#define GS_CONFIG_TYPE_STRINGS  struct gs_config_list
#define GS_CONFIG_TYPE_PATHS    struct gs_config_list

/* What it is read from. */
struct gs_config_source {
    enum gs_command command;
    const char *const *argv; /* what follows the command */
    size_t argc;
    const char *(*env)(void *ud, const char *name); /* NULL for a variable that is not set */
    void *env_ud;
};

/* The settings in effect. Unset strings are NULL, unset numbers 0; everything lives as long as the
 * arena. */
struct gs_config {
#define GS_OPTION(type, field, ...) GS_CONFIG_TYPE_##type field;
#include "config/options.def"
    struct gs_config_list args;     /* what is no option */
    struct gs_config_routes routes; /* where the command has to do with other computers */
    const char *file;               /* the configuration file read, or NULL */
    const char *file_wanted;        /* the same, or where it would be; NULL: unknown */
    const char *data_dir;           /* $XDG_DATA_HOME/genset */
    const char *cache_dir;          /* $XDG_CACHE_HOME/genset */
    const char *state_dir;          /* $XDG_STATE_HOME/genset */
    enum gs_config_origin origin[GS_OPTION_COUNT];
    struct gs_config_source source; /* what it was read from */
    struct gs_arena arena;
};

#define GS_CONFIG_IS_SET(c, field) ((c)->origin[GS_OPTION_##field] != GS_ORIGIN_DEFAULT)

/* Read everything. All errors found are written to `report`, ready to be printed.
 *
 * owns:   *c is released with gs_config_clear(), after an error too.
 * errors: GS_ECONFIG (see the report), GS_ENOMEM. With --help among the flags nothing else is
 *         looked at. */
GS_MUST_CHECK enum gs_status
gs_config_load(struct gs_config *c, const struct gs_config_source *source, struct gs_buf *report);
/* The defaults alone. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_config_init(struct gs_config *c);
/* Read a configuration file's text over what is set; `name` is quoted in errors. `home` is what ~
 * stands for, or NULL. */
GS_MUST_CHECK enum gs_status gs_config_read_yaml(struct gs_config *c, const char *name,
                                                 struct gs_slice text, const char *home,
                                                 struct gs_buf *report);
void gs_config_clear(struct gs_config *c);

/* ---- commands and values ---- */

bool gs_config_command_find(const char *name, enum gs_command *out_command);
const char *gs_config_command_name(enum gs_command command);
/* The command most like a name that is none, or NULL. */
const char *gs_config_command_suggest(const char *name);
/* The word of an ENUM option. */
struct gs_slice gs_config_word(enum gs_option option, int idx);

/* Parse an option's text as the configuration does; err says what was expected. */
GS_MUST_CHECK enum gs_status gs_config_set(struct gs_config *c, enum gs_option option,
                                           struct gs_slice text, struct gs_error *err);
/* The option of a flag name (without dashes) that `command` takes. */
bool gs_config_option_find(enum gs_command command, struct gs_slice flag,
                           enum gs_option *out_option);

/* Split "host:port" or "[v6]:port". errors: GS_EINVAL. */
GS_MUST_CHECK enum gs_status gs_config_address_split(const char *address, char *host, size_t cap,
                                                     int *out_port, struct gs_error *err);

/* ---- what is made from the table ---- */

void gs_config_write_overview(struct gs_buf *b);
void gs_config_write_help(enum gs_command command, struct gs_buf *b);
void gs_config_write_man(struct gs_buf *b);
void gs_config_write_schema(struct gs_buf *b);
/* false: a shell we do not know. */
bool gs_config_write_completion(const char *shell, struct gs_buf *b);
/* The settings in effect as YAML, each with where it comes from; secrets are masked. */
void gs_config_write_settings(const struct gs_config *c, struct gs_buf *b);

#endif
