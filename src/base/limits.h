/* The ceiling of everything that grows. */
#ifndef GS_BASE_LIMITS_H
#define GS_BASE_LIMITS_H

#define GS_KIB ((size_t)1024)
#define GS_MIB (1024 * GS_KIB)
#define GS_GIB (1024 * GS_MIB)

#define GS_MAX_REQUEST_BYTES  (64 * GS_MIB)  /* one HTTP request body */
#define GS_MAX_RESPONSE_BYTES (64 * GS_MIB)  /* one HTTP response not streamed */
#define GS_MAX_PROMPT_BYTES   (64 * GS_MIB)  /* one rendered prompt */
#define GS_MAX_TEMPLATE_BYTES (1 * GS_MIB)   /* source of one chat template */
#define GS_MAX_CONFIG_BYTES   (1 * GS_MIB)   /* one configuration file */
#define GS_MAX_TEXT_BYTES     (256 * GS_MIB) /* any other text held in memory */
#define GS_MAX_KEPT_BYTES     (128 * GS_MIB) /* answers kept for later requests */
#define GS_MAX_KEPT           4096           /* and how many */
#define GS_MAX_JSON_DEPTH     200            /* nesting of a JSON document */
#define GS_MAX_SEQUENCES      64             /* sequences computed at once */
#define GS_MAX_ANSWERS        128            /* answers of one request */
#define GS_MAX_REPLAY_BYTES   (64 * GS_MIB)  /* answers kept as tokens, of one model */
#define GS_MAX_STOPS          64             /* stop strings of one request */
#define GS_MAX_THREADS        256            /* lanes of one pool */

#endif
