/* Tokens of a Jinja template: all of them at once, with white space control already applied. */
#ifndef GS_JINJA_LEX_H
#define GS_JINJA_LEX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "genset/slice.h"

/* X(token, how it is called in an error message) */
#define GS_JINJA_TOKENS(X)                                                                         \
    X(TK_EOF, "end of template")                                                                   \
    X(TK_DATA, "text")                                                                             \
    X(TK_BLOCK_BEGIN, "'{%'")                                                                      \
    X(TK_BLOCK_END, "'%}'")                                                                        \
    X(TK_VAR_BEGIN, "'{{'")                                                                        \
    X(TK_VAR_END, "'}}'")                                                                          \
    X(TK_NAME, "a name")                                                                           \
    X(TK_STRING, "a string")                                                                       \
    X(TK_INT, "a whole number")                                                                    \
    X(TK_FLOAT, "a number")                                                                        \
    X(TK_ADD, "'+'")                                                                               \
    X(TK_SUB, "'-'")                                                                               \
    X(TK_MUL, "'*'")                                                                               \
    X(TK_DIV, "'/'")                                                                               \
    X(TK_FLOORDIV, "'//'")                                                                         \
    X(TK_MOD, "'%'")                                                                               \
    X(TK_POW, "'**'")                                                                              \
    X(TK_TILDE, "'~'")                                                                             \
    X(TK_EQ, "'=='")                                                                               \
    X(TK_NE, "'!='")                                                                               \
    X(TK_LT, "'<'")                                                                                \
    X(TK_LE, "'<='")                                                                               \
    X(TK_GT, "'>'")                                                                                \
    X(TK_GE, "'>='")                                                                               \
    X(TK_ASSIGN, "'='")                                                                            \
    X(TK_LPAREN, "'('")                                                                            \
    X(TK_RPAREN, "')'")                                                                            \
    X(TK_LBRACKET, "'['")                                                                          \
    X(TK_RBRACKET, "']'")                                                                          \
    X(TK_LBRACE, "'{'")                                                                            \
    X(TK_RBRACE, "'}'")                                                                            \
    X(TK_DOT, "'.'")                                                                               \
    X(TK_COLON, "':'")                                                                             \
    X(TK_COMMA, "','")                                                                             \
    X(TK_PIPE, "'|'")                                                                              \
    X(TK_SEMICOLON, "';'")

enum gs_jinja_token {
#define GS_JINJA_TOKEN_ENUM(token, text) token,
    GS_JINJA_TOKENS(GS_JINJA_TOKEN_ENUM)
#undef GS_JINJA_TOKEN_ENUM
};

struct jtoken {
    enum gs_jinja_token kind;
    uint32_t off;         /* in the source */
    struct gs_slice text; /* TK_DATA: stripped; TK_STRING: unescaped; else as written */
    int64_t integer;      /* TK_INT */
    double real;          /* TK_FLOAT */
};

struct jtokens {
    struct jtoken *items; /* the last is TK_EOF */
    size_t len;
};

/* Text in `a`, tokens released by the caller with gs_free(). `source` is UTF-8 with '\n' as its
 * only line end.
 * errors: GS_ETEMPLATE with the position, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_jinja_lex(const char *name, struct gs_slice source,
                                          struct gs_arena *a, struct jtokens *out,
                                          struct gs_error *err);

const char *gs_jinja_token_text(enum gs_jinja_token kind);

#endif
