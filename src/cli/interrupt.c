/* The one signal handler of `run`. */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>

#include "base/os.h"

static volatile sig_atomic_t was_interrupted;
static volatile sig_atomic_t wake_fd = -1;

static void on_interrupt(int sig)
{
    const int errnum = errno;

    (void)sig;
    was_interrupted = 1;
    gs_os_event_signal(wake_fd); /* one write(2) */
    errno = errnum;
}

void gs_cli_interrupt_catch(int event_fd)
{
    struct sigaction act = {.sa_handler = event_fd >= 0 ? on_interrupt : SIG_DFL,
                            .sa_flags = SA_RESTART};

    wake_fd = event_fd;
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
}

bool gs_cli_interrupt_pending(void)
{
    return was_interrupted;
}

bool gs_cli_interrupt_take(void)
{
    const bool was = was_interrupted;

    was_interrupted = 0;
    return was;
}
