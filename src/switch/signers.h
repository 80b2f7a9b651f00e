/* Who signed which reasoning. What comes through a translation names its maker; of what a provider
 * says in the client's own API, and passes by as it is, a digest is kept, the latest ones; over a
 * restart in a file. Private to switch/. */
#ifndef GS_SWITCH_SIGNERS_H
#define GS_SWITCH_SIGNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct gs_switch_signers {
    struct gs_signed {
        uint64_t signature, maker; /* digests; 0: nothing */
    } * slots;                     /* NULL until there is one */
};

void gs_switch_signers_clear(struct gs_switch_signers *s);
/* Take up what is in a file, or write it there, once there is something. Both block, and where they
 * fail it is not known. NULL is allowed. */
void gs_switch_signers_load(struct gs_switch_signers *s, const char *path);
void gs_switch_signers_save(const struct gs_switch_signers *s, const char *path);
/* Where there is no memory it is not known. */
void gs_switch_signers_note(struct gs_switch_signers *s, const char *maker,
                            struct gs_slice signature);
/* Whether `maker` signed it, and how. One that nobody is known to have signed is of whom the client
 * usually talks with: `is_home`. */
GS_MUST_CHECK bool gs_switch_signers_is(const struct gs_switch_signers *s, const char *maker,
                                        bool is_home, struct gs_slice signature,
                                        struct gs_slice *out_theirs);

#endif
