/* The conversation at a terminal. */
#ifndef GS_CLI_REPL_H
#define GS_CLI_REPL_H

#include "config/config.h"
#include "genset/genset.h"

/* Read, answer, until /bye or the end of input; an exit code. `event_fd` is the descriptor of
 * gs_cli_interrupt_catch(). */
int gs_cli_repl(struct gs_config *c, gs_llm *llm, int event_fd);
/* Tokens and speed of an answer, on standard error. */
void gs_cli_stats(const struct gs_usage *usage);

#endif
