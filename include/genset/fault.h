/* What can be wrong with an attempt to have somebody else answer, each kind once: breakers,
 * records and reports all speak of faults in these words. */
#ifndef GENSET_FAULT_H
#define GENSET_FAULT_H

#include <stdbool.h>

#include "genset/status.h"

/* Whom a fault is held against. */
enum gs_blame {
    GS_BLAME_NOBODY,     /* no fault, a client that left, or one we cannot pin on anybody */
    GS_BLAME_NETWORK,    /* our uplink or the provider: told apart by what the others do */
    GS_BLAME_PROVIDER,   /* counts against provider and model */
    GS_BLAME_CREDENTIAL, /* benches the key, not the model */
    GS_BLAME_REQUEST,    /* the client asked for something wrong: another would refuse it too */
    GS_BLAME_TARGET,     /* this provider cannot answer this: another may; nothing is counted */
};

/* X(name, word, blame, meaning) */
#define GS_FAULT_MAP(X)                                                                            \
    X(NONE, "none", NOBODY, "answered")                                                            \
    X(CANCELLED, "cancelled", NOBODY, "the client left")                                           \
    X(DNS, "dns", NETWORK, "its name could not be resolved")                                       \
    X(REFUSED, "refused", NETWORK, "the connection was refused")                                   \
    X(CONNECT_TIMEOUT, "connect-timeout", NETWORK, "it could not be reached in time")              \
    X(TLS, "tls", PROVIDER, "no trusted TLS connection")                                           \
    X(PROXY, "proxy", NETWORK, "the proxy would not let us through")                               \
    X(RESET, "reset", NETWORK, "the connection broke before the answer's head")                    \
    X(PORTAL, "portal", NETWORK, "a web page answered instead")                                    \
    X(REDIRECT, "redirect", PROVIDER, "it sends us elsewhere")                                     \
    X(HEADERS_TIMEOUT, "headers-timeout", PROVIDER, "no answer's head in time")                    \
    X(FIRST_TOKEN_TIMEOUT, "first-token-timeout", PROVIDER, "no first token in time")              \
    X(STALL, "stall", PROVIDER, "it fell silent")                                                  \
    X(SLOW, "slow", PROVIDER, "it became too slow")                                                \
    X(TOTAL_TIMEOUT, "total-timeout", PROVIDER, "not done in time")                                \
    X(RATE_LIMIT, "rate-limit", PROVIDER, "too many requests")                                     \
    X(QUOTA, "quota", PROVIDER, "its quota is used up")                                            \
    X(OVERLOADED, "overloaded", PROVIDER, "it is overloaded")                                      \
    X(SERVER_ERROR, "server-error", PROVIDER, "it failed")                                         \
    X(AUTH, "auth", CREDENTIAL, "it does not take the key")                                        \
    X(BILLING, "billing", CREDENTIAL, "the account cannot pay")                                    \
    X(MODEL_GONE, "model-gone", PROVIDER, "it does not have the model")                            \
    X(CONTEXT, "context", TARGET, "the prompt does not fit its context")                           \
    X(TOO_LARGE, "too-large", TARGET, "the request is too large for it")                           \
    X(UNFIT, "unfit", TARGET, "it cannot do what the request needs")                               \
    X(POLICY, "policy", REQUEST, "its policy forbids the content")                                 \
    X(BAD_REQUEST, "bad-request", REQUEST, "the request is wrong")                                 \
    X(EMPTY, "empty", PROVIDER, "an empty answer")                                                 \
    X(MALFORMED, "malformed", PROVIDER, "an answer that makes no sense")                           \
    X(ERROR_EVENT, "error-event", PROVIDER, "an error within the answer")                          \
    X(CUT, "cut", PROVIDER, "the answer broke off")                                                \
    X(DIVERGED, "diverged", TARGET, "it does not go on with the answer that broke off")            \
    X(LOOP, "loop", PROVIDER, "the answer repeats itself for ever")                                \
    X(TOO_BIG, "too-big", PROVIDER, "an answer beyond every limit")                                \
    X(OURS, "ours", NOBODY, "this machine could not: memory, limits")

enum gs_fault {
#define GS_FAULT_ENUM(name, word, blame, meaning) GS_FAULT_##name,
    GS_FAULT_MAP(GS_FAULT_ENUM)
#undef GS_FAULT_ENUM
};

/* "connect-timeout"; never NULL. */
GS_API const char *gs_fault_word(enum gs_fault f);
/* "it could not be reached in time"; never NULL. */
GS_API const char *gs_fault_meaning(enum gs_fault f);
GS_API enum gs_blame gs_fault_blame(enum gs_fault f);
/* The fault of a word; false if there is none such. */
GS_API bool gs_fault_find(const char *word, enum gs_fault *out_fault);

#endif
