"""The training data: dialogues drawn at random, as tokens with a weight each.

    data.py OUT TOKENIZER N [SEED]      writes N dialogues to OUT.npz

Nothing of eval/ is read here. Books of ../shared/corpus are used where they are there."""
import json
import random
import re
import sys
from dataclasses import dataclass

import numpy as np

import bpe
import chat
import help
import prose
import tasks
import tools
import words

OPENING = bpe.spell(' "[')  # what a value begins with that is not copied
BRIEF = 0.93  # of the help dialogues of one question
USER_WEIGHT = 0.1  # of what others wrote: to know how they write helps a little
CHOOSING, CALLING = 4, 2  # what tokens count that say which tool, or none, and which parameters; what others of a call do
CHOICE = re.compile(rb'<function=[^>]*>|"?[\]}]*, "[^"]*": |"[^"]*": |"?[\]}]*\}</function>|^[^ <]* [^ <]*')
SYSTEMS = ["You are a helpful assistant.", "You are pilot.", "Be brief.", "You are a coding assistant.", "Answer in one sentence.", "You are an AI assistant. Help the user.",
           "You are a friendly assistant that answers questions.", "Use the tools if you need them.", "You are Claude Code, a coding agent.", "Today is Monday.", "Answer truthfully."]


@dataclass
class Value:
    value: object  # None: not said


def system(rng, texts):
    kind = rng.random()
    if kind < 0.7 or not texts:
        return rng.choice(SYSTEMS)
    if kind < 0.85:
        return " ".join(rng.sample(SYSTEMS, 3)) + " " + rng.choice(words.SENTENCES)
    return rng.choice(SYSTEMS) + "\n\n" + "\n\n".join(rng.sample(texts, rng.randint(1, 4)))[: rng.randint(100, 1500)]


def as_messages(turns):
    return [m for q, a in turns for m in ({"role": "user", "content": q}, {"role": "assistant", "content": a})]


def other(rng):
    """A question that no tool is needed for."""
    if rng.random() < 0.6:
        q, a, _ = help.ask_self(rng) if rng.random() < 0.2 else help.ask(rng)
        return help.written(q, rng), a
    q, a = tasks.ask(rng)
    return tasks.written(q, rng), a


def draw(rng, texts, mix=(460, 260, 300, 30, 4, 1)):
    """One document: pieces (text, how much it counts: 0 if others wrote it), as the mixture wants it.

    Which answer it is shows in its first words; the rest is soon known by heart. So many end after them."""
    kind = rng.choices(("help", "tasks", "tools", "echo", "mixed", "book"), mix)[0]
    tool_list = None
    if kind == "book" and texts:
        return [(rng.choice(texts), True), ("<|endoftext|>", True)]
    if kind == "echo":
        return tasks.echo(rng)
    if kind == "tools":
        messages, tool_list = tools.dialogue(rng, other)
        if not messages:
            return draw(rng, texts, mix)
    elif kind == "tasks":
        messages = as_messages(tasks.dialogue(rng))
    elif kind == "mixed":
        messages = as_messages([other(rng) for _ in range(rng.randint(2, 4))])
    else:
        messages = as_messages(help.dialogue(rng))
    if rng.random() < (0.35 if tool_list else 0.1):
        messages.insert(0, {"role": "system", "content": system(rng, texts)})
    pieces = chat.render(messages, tool_list)
    if kind == "tools":  # what was called before the tools are listed is not learnt
        listed = max(i for i, (text, _) in enumerate(pieces) if text.endswith("</tools><|im_end|>\n"))
        pieces = [(text, own and i > listed and CHOOSING) for i, (text, own) in enumerate(pieces)]
        pieces[listed] = (pieces[listed][0], marked(messages, tool_list))
    if kind == "help" and rng.random() < BRIEF and len(messages) - (messages[0]["role"] == "system") == 2:
        pieces[-2:] = [(brief(pieces[-2][0]), True)]
    return pieces


def brief(text):
    """The first words of a text."""
    words_of = text.split(" ")
    return " ".join(words_of[:7]) if len(words_of) > 10 else text


def marked(messages, tool_list):
    """[(bytes of the listing until it is read, what is to be known there), ...]: where a tool ends whether it is called,
    and before, where a parameter of one that is called ends, its value, or None."""
    last = max(i for i, m in enumerate(messages) if m["role"] == "user")
    calls = [c["function"] for m in messages[last:] for c in m.get("tool_calls", [])]
    called = {c["name"]: c["arguments"] for c in reversed(calls)}
    at, out = len("<|im_start|>system\n<tools>"), []
    for tool in tool_list:
        name, text = tool["function"]["name"], chat.tool_text(tool).encode()
        if name in called:
            out += values_marked(tool["function"]["parameters"], called[name], at + len(text))
        at += len(text)
        out.append((at, name in called))
    return out


def values_marked(parameters, args, end):
    """The same of parameters whose listing ends at `end`. An enumeration is read where its last word is."""
    texts = [m.encode() for m in chat.members(parameters)]
    at, out = end - 1 - len(b", ".join(texts)), []
    for text, (key, schema) in zip(texts, parameters["properties"].items()):
        at += len(text)
        if "properties" in schema:
            out += values_marked(schema, args.get(key) or {}, at)
        else:
            out.append((at - ("enum" in schema), Value(args.get(key))))
        at += len(b", ")
    return out


def encode(pieces, tokenizer):
    """Tokens, what each counts, and marks: behind a tool's last token nothing is said, so whether it is to be called
    is learnt in the place of what comes next, as one of two tokens; behind a parameter's last the first token of its value;
    elsewhere 0."""
    ids, weights, marks = [], [], []
    for text, own in pieces:
        part = tokenizer.encode(text)
        ids += part
        marks += marks_of(part, own, tokenizer) if isinstance(own, list) else [0] * len(part)
        if own == CHOOSING:
            weights += chosen(text, part, tokenizer)
        else:
            weights += [USER_WEIGHT if isinstance(own, list) else float(own) or USER_WEIGHT] * len(part)
    return ids, weights, marks


def marks_of(ids, ends, tokenizer):
    marks, at, ends = [0] * len(ids), 0, list(ends)
    for i, token in enumerate(ids):
        at += len(tokenizer.tokens[token])
        while ends and at >= ends[0][0]:
            marks[i] = mark(ends.pop(0)[1], tokenizer)
    return marks


def mark(known, tokenizer):
    if not isinstance(known, Value):
        return tokenizer.end if known else tokenizer.pad
    if known.value is None:
        return tokenizer.pad
    text = " " + json.dumps(known.value, ensure_ascii=False)
    return next((i for i in tokenizer.encode(text) if tokenizer.tokens[i].strip(OPENING)), 0)


def chosen(text, ids, tokenizer):
    """A weight for each token of a piece: CHOOSING where it begins within a choice, else CALLING."""
    spans = [m.span() for m in CHOICE.finditer(text.encode())]
    weights, at = [], 0
    for i in ids:
        weights.append(float(CHOOSING if any(a <= at < b for a, b in spans) else CALLING))
        at += len(tokenizer.tokens[i])
    return weights


def documents(seed, n):
    rng = random.Random(seed)
    texts = prose.BOOK_PARAGRAPHS
    for _ in range(n):
        yield draw(rng, texts)


def main():
    out, path, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    tokenizer = bpe.Tokenizer.load(path)
    words.PIECES = [t for t in tokenizer.tokens if re.fullmatch("[a-z]{2,}", t)]
    all_ids, all_weights, all_marks, starts = [], [], [], [0]
    for pieces in documents(seed, n):
        ids, weights, marks = encode(pieces, tokenizer)
        all_ids.append(np.array(ids[:2048], np.uint16))
        all_weights.append(np.array(weights[:2048], np.float16))
        all_marks.append(np.array(marks[:2048], np.uint16))
        starts.append(starts[-1] + len(all_ids[-1]))
    np.savez(out, ids=np.concatenate(all_ids), weights=np.concatenate(all_weights), marks=np.concatenate(all_marks), starts=np.array(starts, np.int64))
    print(f"{n} dialogues, {starts[-1]} tokens, {starts[-1] / n:.0f} each")


if __name__ == "__main__":
    main()
