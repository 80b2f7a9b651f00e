/* What a server means by refusing, told from status and words: one table for all APIs, for
 * gateways spell any provider's words in any of them. Private to dialect/. */
#ifndef GS_DIALECT_REFUSAL_H
#define GS_DIALECT_REFUSAL_H

#include "genset/fault.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_json;

/* As gs_dialect_client.read_refusal, of every API: {"error": {"type", "code", "message"}},
 * {"error": "words"}, {"detail": ...}, a list of one of them, text, a web page. */
enum gs_fault gs_dialect_read_refusal(int status, struct gs_slice body, struct gs_error *err);
/* The same of an error within an answer: `v` is the frame or the error itself. What says no more
 * than that it failed is GS_FAULT_ERROR_EVENT. */
enum gs_fault gs_dialect_read_error(const struct gs_json *v, struct gs_error *err);
/* A fault of which the server says nothing; its meaning is its words. Returns it. */
enum gs_fault gs_dialect_fault(enum gs_fault fault, struct gs_error *err);
/* An answer's body that is no JSON: GS_FAULT_PORTAL of a web page, else GS_FAULT_MALFORMED. */
enum gs_fault gs_dialect_read_nonsense(struct gs_slice body, struct gs_error *err);

#endif
