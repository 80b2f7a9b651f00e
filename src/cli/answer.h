/* One answer of a model, printed as it comes. */
#ifndef GS_CLI_ANSWER_H
#define GS_CLI_ANSWER_H

#include "base/buf.h"
#include "genset/genset.h"

struct gs_cli_answer {
    struct gs_buf text;      /* all of it */
    struct gs_buf reasoning; /* of it */
    struct gs_usage usage;
    enum gs_stop_reason stop;
    bool was_interrupted; /* by Ctrl-C: what there is of the answer is kept */
    bool write_failed;    /* standard output is gone; told */
};

/* Answer `chat` and print the text on standard output unless `is_quiet`. Reasoning is printed only
 * on a terminal, dimmed. `event_fd` is the descriptor of gs_cli_interrupt_catch().
 *
 * owns:   *a is released with gs_cli_answer_clear(), after an error too.
 * errors: of gs_llm_answer() and of the engine; text printed before stays. */
GS_MUST_CHECK enum gs_status gs_cli_answer_print(gs_llm *llm, const struct gs_chat *chat,
                                                 int event_fd, bool is_quiet,
                                                 struct gs_cli_answer *a, struct gs_error *err);
void gs_cli_answer_clear(struct gs_cli_answer *a);

#endif
