/* The sections about other computers as a table of keys, shared by what reads, writes and explains
 * them. */
#ifndef GS_CONFIG_CONFIG_ROUTES_H
#define GS_CONFIG_CONFIG_ROUTES_H

#include "config/config_table.h"
#include "config/routes.h"

struct gs_config_errors;
struct gs_config_node;

enum gs_config_part {
    GS_PART_PROVIDER,
    GS_PART_DEADLINES,
    GS_PART_ROUTE,
    GS_PART_WHEN,
    GS_PART_BUDGET,
    GS_PART_CLIENT,
    GS_PART_PRICE,
    GS_PART_RULE,
};

struct gs_config_routes_key {
    enum gs_config_part part;
    enum gs_config_part group; /* of a GROUP: where its keys are */
    struct gs_config_option o;
};
extern const struct gs_config_routes_key gs_config_routes_keys[];
extern const size_t gs_config_n_routes_keys;

/* A section: a key at the top of the file. */
struct gs_config_section {
    const char *key;
    enum gs_config_part part;
    bool is_list;     /* of mappings; else a mapping of names to mappings */
    const char *name; /* "PROVIDER", what the names are */
    const char *help;
};
extern const struct gs_config_section gs_config_sections[];
#define GS_CONFIG_SECTION_COUNT 6

bool gs_config_is_section(const char *key);

/* It does not apply to every request for its models at all times. */
bool gs_config_is_conditional(const struct gs_config_route *r);

/* Read the sections out of a tree; *out_routes is set if errors->st is still GS_OK then. */
void gs_config_routes_of_tree(const struct gs_config_routes_source *source,
                              const struct gs_config_node *root, struct gs_arena *a,
                              struct gs_config_routes *out_routes, struct gs_config_errors *errors);

/* ---- URLs ---- */

struct gs_config_url {
    struct gs_slice host; /* without brackets */
    int port;             /* the scheme's own where none is given */
    struct gs_slice path;
    bool is_tls;
};
/* http or https, without credentials, query and fragment. */
bool gs_config_url_split(struct gs_slice url, struct gs_config_url *out);
/* "user@" is in it. */
bool gs_config_url_has_credentials(struct gs_slice url);
/* A word that has the look of a key, and is not shown. */
bool gs_config_looks_secret(struct gs_slice word);
/* localhost, 127.0.0.0/8 and ::1 */
bool gs_config_host_is_loopback(struct gs_slice host);
/* These, and private addresses and names of local networks: reached without the internet. */
bool gs_config_host_is_near(struct gs_slice host);

#endif
