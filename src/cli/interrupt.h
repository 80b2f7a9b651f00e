/* Ctrl-C as an event: it wakes whoever polls the descriptor. */
#ifndef GS_CLI_INTERRUPT_H
#define GS_CLI_INTERRUPT_H

#include <stdbool.h>

#include "base/compiler.h"

/* From now on SIGINT signals `event_fd` instead of ending the program. -1: it ends it again. */
void gs_cli_interrupt_catch(int event_fd);
/* Was there one since the last take? */
bool gs_cli_interrupt_pending(void);
/* The same, and forget it. */
bool gs_cli_interrupt_take(void);

#endif
