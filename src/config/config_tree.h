/* A YAML file as a tree with places, and what is said about it: the ground under all that reads the
 * configuration. */
#ifndef GS_CONFIG_CONFIG_TREE_H
#define GS_CONFIG_CONFIG_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"

enum gs_config_node_kind { GS_CONFIG_SCALAR, GS_CONFIG_LIST, GS_CONFIG_MAP };

struct gs_config_node {
    enum gs_config_node_kind kind;
    bool is_plain;  /* a scalar without quotes */
    int line, col;  /* from 1 */
    size_t n_chars; /* of it in that line */
    struct gs_slice text;
    struct gs_config_node *first; /* of a list; of a mapping keys and values take turns */
    struct gs_config_node *next;
};

/* The errors of one file, told as they are found: after 20 no more. */
struct gs_config_errors {
    const char *name; /* of the file */
    struct gs_slice text;
    struct gs_buf *report;
    int n;
    enum gs_status st; /* of the whole */
};

/* Read the one document of errors->text, as far as it can be read, into the arena; *out_root is
 * NULL if it is empty. Why it could not be read further is in `problem` (code GS_OK: nothing), to
 * be told after what is wrong with the part that could: problem_chars as of gs_config_report_in().
 * errors: GS_ENOMEM, told in `problem` too. */
struct gs_config_tree {
    struct gs_config_node *root;
    struct gs_error problem;
    size_t problem_chars;
};
void gs_config_tree_read(struct gs_config_tree *t, const char *name, struct gs_slice text,
                         struct gs_arena *a);

/* No value at all: "key:". */
bool gs_config_node_is_nothing(const struct gs_config_node *n);
/* "a list", "a mapping", "a value" */
const char *gs_config_node_word(const struct gs_config_node *n);

/* Tell an error about a node. */
void gs_config_errors_at(struct gs_config_errors *e, const struct gs_config_node *n,
                         struct gs_error *err);
/* The same without the line of the file, which may hold a secret. */
void gs_config_errors_at_secret(struct gs_config_errors *e, const struct gs_config_node *n,
                                struct gs_error *err);
/* Tell what kept the tree from being read whole, if anything did. */
void gs_config_errors_tree(struct gs_config_errors *e, struct gs_config_tree *t);

#endif
