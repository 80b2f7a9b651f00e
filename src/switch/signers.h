/* Who signed which reasoning. What comes through a translation names its maker; of what a provider
 * says in the client's own API, and passes by as it is, a digest is kept, the latest ones. Private
 * to switch/. */
#ifndef GS_SWITCH_SIGNERS_H
#define GS_SWITCH_SIGNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "ledger/ledger.h"

struct gs_switch_signers {
    struct gs_ledger_signed *slots; /* all zero: nothing; NULL until there is one */
};

void gs_switch_signers_clear(struct gs_switch_signers *s);
struct gs_ledger_signed gs_switch_signers_digest(const char *maker, struct gs_slice signature);
/* Where there is no memory it is not known. */
void gs_switch_signers_note(struct gs_switch_signers *s, const struct gs_ledger_signed *made);
/* Whether `maker` signed it, and how. One that nobody is known to have signed is of whom the client
 * usually talks with: `is_home`. */
GS_MUST_CHECK bool gs_switch_signers_is(const struct gs_switch_signers *s, const char *maker,
                                        bool is_home, struct gs_slice signature,
                                        struct gs_slice *out_theirs);

#endif
