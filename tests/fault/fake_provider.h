/* A provider that answers well, or in any way a provider can be wrong: Anthropic Messages (and its
 * count_tokens), OpenAI Chat Completions and Responses, Ollama's /api/chat, streamed and whole,
 * models. HTTP/1.1 over raw sockets, epoll, one thread.
 *
 *     struct fake_provider *p = fake_provider_start(&(struct fake_provider_options){.port = 0});
 *     ... ask http://127.0.0.1:fake_provider_port(p) for model "fake@cut-after-3" ...
 *     fake_provider_stop(p);
 *
 * What is wrong is said by the request's model, by fake_provider_script(), or by
 * fake_provider_default(), the first that says something:
 *
 *     fake@500,429-retry-after-2,ok   of the 1st, 2nd, 3rd and later requests for this very name
 *     fake@500;ok                     by the provider with place 0, with place 1 (the last: others)
 *     fake@crlf+split+cut-after-3     all of them at once
 *
 * fake_fault.h lists the words. The answer is made from the last user message: "say 5" words (w0 w1
 * w2...; 8 if nothing is said), "call NAME" a tool, "think" first, "greek" for letters of several
 * bytes; "recite TEXT" says all of TEXT, in thoughts and calls too, "confide" what no request has;
 * "sign" signs what was thought, as OpenRouter, and a call, as Google. An assistant message at the
 * end is continued. */
#ifndef GS_TESTS_FAKE_PROVIDER_H
#define GS_TESTS_FAKE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "genset/slice.h"

#define FAKE_CONFIDED "it is ann.lee@corp-mail.de and it is nobody else that could do all of this"

struct fake_provider;

struct fake_provider_options {
    int port;             /* 0 = any free one */
    const char *tls_cert; /* PEM; both, or neither for plain HTTP */
    const char *tls_key;
    int place;    /* which part of a script with ';' is ours */
    int pace_ms;  /* between the frames of an answer with content */
    bool forgets; /* keep no requests, count them only */
};

/* NULL, with the reason on stderr, where the port cannot be had. */
struct fake_provider *fake_provider_start(const struct fake_provider_options *opt);
void fake_provider_stop(struct fake_provider *p); /* NULL is allowed */
int fake_provider_port(const struct fake_provider *p);
/* Of POST /control and GET /control/..., as below, in JSON: see fake_provider.c. */
int fake_provider_control_port(const struct fake_provider *p);

/* ---- what is wrong; from any thread ---- */

/* Faults of the next requests whose model says nothing: words, separated by commas. */
void fake_provider_script(struct fake_provider *p, const char *words);
/* And of those after them; "ok" at first. */
void fake_provider_default(struct fake_provider *p, const char *words);
/* false: connections are refused, and those there are reset. */
void fake_provider_listen(struct fake_provider *p, bool listens);
void fake_provider_pace(struct fake_provider *p, int pace_ms);
/* Answers that wait at "hold" go on. */
void fake_provider_go(struct fake_provider *p);

/* ---- what it saw; from any thread ---- */

enum fake_provider_count {
    FAKE_CONNECTIONS, /* accepted */
    FAKE_OPEN,        /* of these, open now */
    FAKE_REQUESTS,    /* read whole */
    FAKE_GONE,        /* answers whose client left before their end */
    FAKE_HELD,        /* answers that reached "hold" or a stall */
    FAKE_FLOWING,     /* answers that have begun and not ended, now */
    FAKE_N_COUNTS,
};

size_t fake_provider_count(struct fake_provider *p, enum fake_provider_count what);
/* Wait until it is at least n. */
void fake_provider_wait(struct fake_provider *p, enum fake_provider_count what, size_t n);
/* The i-th request, as it came: head (with its empty line) and body, if i is below FAKE_REQUESTS;
 * valid until fake_provider_forget(). */
bool fake_provider_request(struct fake_provider *p, size_t i, struct gs_slice *out_head,
                           struct gs_slice *out_body);
/* Bytes of the answer's body to the i-th request, as far as they went out. */
bool fake_provider_sent(struct fake_provider *p, size_t i, struct gs_slice *out_bytes);
/* Requests, counts (but of open connections), scripts and attempts. */
void fake_provider_forget(struct fake_provider *p);

/* ---- what is no server ---- */

/* A port that swallows connections: its backlog is full. */
struct fake_hole;
struct fake_hole *fake_hole_open(int *out_port);
void fake_hole_close(struct fake_hole *h);
/* A port nobody listens on. */
int fake_closed_port(void);
/* DIR/cert.pem, DIR/key.pem (for 127.0.0.1 and localhost, its own authority), and DIR/expired.pem,
 * of the same key. */
bool fake_certificates(const char *dir);

#endif
