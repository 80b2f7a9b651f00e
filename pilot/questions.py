"""The held-out questions of eval/."""
import re
from dataclasses import dataclass, field

import facts


@dataclass
class Question:
    text: str
    before: list = field(default_factory=list)  # questions of the same conversation
    wanted: list = field(default_factory=list)  # [[alternative, ...], ...]

    def right(self, answer):
        said = answer.lower()
        return all(any(a.lower() in said for a in one) for one in self.wanted)


FILES = ("eval/questions.txt", "eval/questions-far.txt")


def load(file):
    out = []
    for line in facts.read("pilot/" + file).splitlines():
        mark, rest = line[:2], line[2:].strip()
        if mark == "? ":
            out.append(Question(rest))
        elif mark == "> ":
            out.append(Question(rest, out[-1].before + [out[-1].text]))
        elif mark == "= ":
            out[-1].wanted.append([a.strip() for a in rest.split("||")])
    return out


def normal(text):
    """A question without what does not matter: case, punctuation, order."""
    return frozenset(re.findall(r"[a-z0-9]+", text.lower()))
