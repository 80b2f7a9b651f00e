"""terminal.py PROGRAM: a conversation with the stand-in at a pseudo-terminal: prompt, answer, several lines,
slash commands, Ctrl-C, history."""
import os
import pty
import select
import stat
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
TIMEOUT_S = 60


class Terminal:
    """The program at a pseudo-terminal; with `stdin`, its input comes from that file."""

    def __init__(self, home, *args, stdin=None):
        self.seen = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if stdin:
                os.dup2(os.open(stdin, os.O_RDONLY), 0)
            keep = {k: v for k, v in os.environ.items() if k.endswith('_OPTIONS')}
            os.chdir(home)
            os.execve(PROGRAM, [PROGRAM, *args],
                      {'HOME': home, 'TERM': 'dumb', 'PATH': os.environ['PATH'], **keep})

    def wait_for(self, text):
        """Read until `text` has come; return what came before it."""
        text = text.encode()
        end = time.monotonic() + TIMEOUT_S
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            try:
                data = os.read(self.fd, 65536) if ready else b''
            except OSError:
                data = b''
            if not data:
                sys.exit(f'waited for {text!r}, got {self.seen[-2000:]!r}')
            self.seen += data
        before, self.seen = self.seen.split(text, 1)
        return before.decode(errors='replace')

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Exit status."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')
    print(f'ok: {what}')


def ask(t, line):
    t.type(line + '\n')
    return t.wait_for('>>> ')


def main():
    try:
        pty.openpty()
    except OSError as e:
        print(f'skipped: no pseudo-terminal on this machine ({e})')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as home:
        t = Terminal(home, 'run', 'standin', '-n', '16', '--seed', '1', '-v')
        t.wait_for('>>> ')
        check('/clear' in ask(t, '/help'), '/help lists the commands')
        check('answer 16 tokens' in ask(t, 'hello'), 'an answer of 16 tokens')
        check('threads' in ask(t, '/info'), '/info tells of the engine')
        ask(t, '/set max-tokens 4')
        check('answer 4 tokens' in ask(t, 'hello'), '/set changes the next answer')
        check('expected' in ask(t, '/set temperature hot'), '/set refuses what is wrong')
        check('changed here' in ask(t, '/set threads 3'), '/set refuses what is fixed')
        t.type('"""one\n')
        t.wait_for('... ')
        check('answer 4 tokens' in ask(t, 'two"""'), 'a message of two lines')
        ask(t, '/clear')
        ask(t, '/system be brief, 你好')
        check('你好' in ask(t, '/set'), 'what is typed is UTF-8')
        check('unknown' in ask(t, '/frobnicate'), 'an unknown command is told')

        t.type('\x03')
        t.wait_for('/bye')
        t.wait_for('>>> ')
        check(True, 'Ctrl-C at the prompt does not leave')

        t.type('half a li')
        t.type('\x03')
        t.wait_for('/bye')
        t.wait_for('>>> ')
        check('threads' in ask(t, '/info'), 'nor does it in the middle of a line')
        t.type('/bye\n')
        check(t.end() == 0, '/bye leaves with status 0')

        history = os.path.join(home, '.local/state/genset/history')
        check(stat.S_IMODE(os.stat(history).st_mode) == 0o600, 'history is for the user only')
        with open(history) as f:
            check('/frobnicate' in f.read(), 'history is kept')

        t = Terminal(home, 'run', 'standin')
        t.wait_for('>>> ')
        t.type('\x04')
        check(t.end() == 0, 'Ctrl-D leaves with status 0')

        prompt = os.path.join(home, 'prompt')
        with open(prompt, 'w') as f:
            f.write('word ' * 40000)
        t = Terminal(home, 'run', 'standin', stdin=prompt)
        t.wait_for('reading the prompt')
        t.type('\x03')
        check(t.end() == 130, 'Ctrl-C stops an answer, with status 130')


main()
