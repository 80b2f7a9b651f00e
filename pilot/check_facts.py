"""Checks what pilot is to know, without training anything: commands and options in answers exist, the words of
the docs they rely on are there (facts.py does so as it reads), invented ones are denied by name, and no
question of the evaluation is one of the training."""
import random

import facts
import help
import questions

N_DRAWN = 60000


def main():
    rng = random.Random(5)
    drawn = set()
    for _ in range(N_DRAWN):
        q, a, _ = help.ask(rng)
        bad = facts.strangers(a, q)
        if bad:
            raise SystemExit(f"pilot: the answer to \"{q}\" names what genset does not have: {', '.join(bad)}")
        drawn |= {questions.normal(q), questions.normal(help.written(q, rng))}
    for q in [q for file in questions.FILES for q in questions.load(file)]:
        if questions.normal(q.text) in drawn:
            raise SystemExit(f"pilot: a question of the evaluation is in the training: {q.text}")


if __name__ == "__main__":
    main()
