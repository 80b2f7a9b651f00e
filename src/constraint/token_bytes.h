/* The vocabulary as a tree of bytes, laid out in the order of a walk. */
#ifndef GS_CONSTRAINT_TOKEN_BYTES_H
#define GS_CONSTRAINT_TOKEN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#define GS_VOCAB_MAX_TOKEN_BYTES 512 /* longer tokens never match */

struct gs_vocab_node {
    uint32_t after; /* the next node that is not below this one */
    int32_t token;  /* that ends here, or -1 */
    uint16_t depth; /* bytes from the root, this one included */
    uint8_t byte;
};

struct gs_constraint_vocab {
    struct gs_vocab_node *nodes;
    size_t n_nodes;
    int32_t *same; /* [n_tokens] the next token of the same bytes, or -1 */
    size_t n_tokens;
};

#endif
