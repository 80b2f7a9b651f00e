/* Pilot, the model inside the program: see pilot/README.md at the top of the tree. */
#ifndef GS_PILOT_PILOT_H
#define GS_PILOT_PILOT_H

#include <stddef.h>

extern const unsigned char gs_pilot_gguf[];
extern const size_t gs_pilot_gguf_bytes;
extern const char gs_pilot_gguf_hash[];

#endif
