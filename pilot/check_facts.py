"""Checks what pilot is to know, without training anything: commands and options in answers exist, the words of
the docs they rely on are there (facts.py does so as it reads), invented ones are denied by name, calls that are taught
fit their tools, and no question of the evaluation is one of the training, nor a tool's name, its description or how it is
asked for."""
import random
import re

import evaluate
import facts
import help
import questions
import real_tools
import tools

N_DRAWN = 60000
N_DIALOGUES = 3000


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
    check_calls(rng)
    check_tools(rng)


def check_calls(rng):
    for _ in range(N_DIALOGUES):
        messages, tool_list = tools.dialogue(rng, lambda r: ("hello", "Hello!"))
        schemas = {t["function"]["name"]: {"required": [], **t["function"]["parameters"]} for t in tool_list}
        for f in [c["function"] for m in messages for c in m.get("tool_calls", [])]:
            if not evaluate.fits(f["arguments"], schemas[f["name"]]):
                raise SystemExit(f"pilot: a call that is taught does not fit {schemas[f['name']]}: {f['arguments']}")


def without_values(text, args):
    """A request as words, with its values struck out."""
    values = []

    def walk(v):
        if isinstance(v, (dict, list)):
            for x in v.values() if isinstance(v, dict) else v:
                walk(x)
        elif not isinstance(v, bool):
            values.append(str(v))

    walk(args)
    for v in sorted(values, key=len, reverse=True):
        text = text.replace(v, "<>")
    return re.sub(r"[^a-z<>]+", " ", text.lower()).replace(" please", "").strip()


def check_tools(rng):
    plain = lambda name: re.sub(r"[_ -]", "", name).lower()
    names = {plain(n) for e in real_tools.REAL for n in e.names}
    descriptions = {d.lower() for e in real_tools.REAL for d in e.descriptions}
    requests = set()
    for e in real_tools.REAL:
        for text in e.requests:
            for _ in range(8):
                requests.add(without_values(real_tools.SLOT.sub("<>", facts.choose(text, rng)[0]), []))
    for tools, text, calls in [case for file in evaluate.CALLS for case in evaluate.load_calls(file)]:
        for t in tools:
            if plain(t["function"]["name"]) in names or t["function"]["description"].lower() in descriptions:
                raise SystemExit(f"pilot: a tool of the evaluation is in the training: {t['function']['name']}")
        if calls and without_values(text, [args for _, args in calls]) in requests:
            raise SystemExit(f"pilot: a request of the evaluation is in the training: {text}")


if __name__ == "__main__":
    main()
