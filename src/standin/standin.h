/* The model of the tests: a few hundred kilobytes of GGUF, constructed by make_standin.c. */
#ifndef GS_STANDIN_STANDIN_H
#define GS_STANDIN_STANDIN_H

#include <stddef.h>

extern const unsigned char gs_standin_gguf[];
extern const size_t gs_standin_gguf_bytes;
extern const char gs_standin_gguf_hash[];

#endif
