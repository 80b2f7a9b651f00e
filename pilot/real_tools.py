"""Tools as people make them, and requests as people say them: those of tools.txt, under names like theirs.

Tools of one family resemble each other; what one of a realm does, others of it may do as well."""
import json
import os
import re
from dataclasses import dataclass, field

import facts
import prose
import values
import words

NEXT = 0.5  # of what resembles another tool, that stands beside it in tools.txt
FURTHER = 0.25  # of the tools, that take one of some words besides
OBSCURE = 0.04  # of the tools, whose parameters have names that mean nothing
SMALL_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
SLOT = re.compile(r"<(\w+)(?:([:=])([^>]*))?>")


@dataclass
class Param:
    names: list
    required: bool
    schema: dict
    draw: object


@dataclass(eq=False)
class Entry:
    family: str
    realms: set
    names: list
    descriptions: list
    params: dict = field(default_factory=dict)  # by the first name
    requests: list = field(default_factory=list)

    def check(self):
        """Requests name parameters that there are, and all that are required."""
        for text in self.requests:
            said = {m[1] for m in SLOT.finditer(text)}
            if said - set(self.params) or any(p.required and k not in said for k, p in self.params.items()):
                raise SystemExit(f"pilot: a request of {self.names[0]} and its parameters differ: {text}")


def param(line):
    names, kind = (part.strip() for part in line.split("=", 1))
    schema, draw = typed(kind)
    return Param(names.replace("?", "").split("|"), "?" not in names, schema, draw)


def typed(kind):
    """A schema, and a function drawing values of it: a..b, bool, one|another, [a list of what it is], text with a function of values.py."""
    if kind == "bool":
        return {"type": "boolean"}, lambda r: r.random() < 0.5
    if kind.startswith("["):
        schema, draw = typed(kind[1:-1])
        return {"type": "array", "items": schema}, lambda r: values.distinct([draw(r) for _ in range(r.randint(1, 4))])
    if "|" in kind:
        options = kind.split("|")
        return {"type": "string", "enum": options}, lambda r: r.choice(options)
    if ".." in kind:
        low, high = kind.split("..")
        if "." in low:
            return {"type": "number"}, lambda r: r.choice([r.randint(int(float(low)), int(high)), round(r.uniform(float(low), int(high)), r.randint(1, 2))])
        return {"type": "integer"}, lambda r: r.randint(int(low), int(high))
    if kind in ("number", "integer"):
        return {"type": kind}, getattr(values, kind)
    schema = {"type": "string"}
    if kind.startswith("*."):
        return schema, values.of_kind(*kind[2:].split(","))
    return schema, getattr(values, kind)


def load():
    """Lines of tools.txt: @ family and realms; names: descriptions; parameters = kinds, indented; - requests."""
    out, family = [], None
    with open(os.path.join(facts.ROOT, "pilot", "tools.txt"), encoding="utf-8") as f:
        lines = [line.rstrip() for line in f if line.strip() and line[0] != "#"]
    for line in lines:
        if line[0] == "@":
            family = line[1:].split()
        elif line.startswith("- "):
            out[-1].requests += [text.strip() for text in line[2:].split(" / ")]
        elif line[0] == " ":
            p = param(line)
            out[-1].params[p.names[0]] = p
        else:
            names, descriptions = line.split(": ", 1)
            out.append(Entry(family[0], set(family[1].split(",")), names.split("|"), descriptions.split("|")))
    for entry in out:
        entry.check()
    return out


REAL = load()
FAMILIES = {}
for _entry in REAL:
    FAMILIES.setdefault(_entry.family, []).append(_entry)
ABLE = "able"  # the realm of tools that can do nearly anything


def plain(v):
    return {True: "true", False: "false"}[v] if isinstance(v, bool) else str(v)


def enumeration(v):
    v = [plain(x) for x in v]
    return v[0] if len(v) == 1 else ", ".join(v[:-1]) + " and " + v[-1]


def spoken(v, rng):
    if isinstance(v, list):
        return enumeration(v)
    if type(v) is int and 1 < v <= 12 and rng.random() < 0.05:
        return SMALL_NUMBERS[v]
    return plain(v)


def respelled(name, rng):
    """A name, sometimes with a word more, in any style: names are to be read, not known by heart."""
    parts = [p.lower() for p in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    if rng.random() < 0.25:
        extra = rng.choice([words.nonce(rng), prose.word(rng), prose.word(rng), "tool", "api", "my"])
        parts.insert(rng.choice([0, len(parts)]), extra)
    style = rng.random()
    if style < 0.6:
        return "_".join(parts)
    if style < 0.75:
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    if style < 0.87:
        return "".join(p.capitalize() for p in parts)
    return "-".join(parts) if style < 0.95 else f"mcp__{words.nonce(rng)}__" + "_".join(parts)


CHOICES = [words.COLOURS, words.DAYS, words.METALS, words.ANIMALS, words.FRUITS, *(line.split() for line in (
    "tiny medium large huge", "test beta live", "north south east west", "old new used", "spring summer autumn winter", "fast normal slow"))]


def further_choice(rng):
    """A parameter that is one of some words, as any tool may have."""
    name = rng.choice(["size", "style", "mode", "grade", "variant", "group", "model", "season", "zone", "side", "phase", "tier", prose.word(rng), prose.word(rng)])
    options = values.distinct([rng.choice([prose.word, prose.word, words.nonce])(rng) for _ in range(rng.randint(2, 4))])
    if rng.random() < 0.5:
        some = rng.choice(CHOICES)
        options = rng.sample(some, min(len(some), rng.randint(2, 4)))
    return name, Param([name], rng.random() < 0.7, {"type": "string", "enum": options}, lambda r: r.choice(options))


class RealTool:
    """One of REAL, under a name like one of its own; of the family of `near` where that is given."""

    def __init__(self, rng, taken, near=None, entries=()):
        """`taken`: names that there are; `entries`: what is there already."""
        choices = [e for e in FAMILIES[near.family] if e not in entries] if near else []
        if rng.random() < NEXT:
            choices = [e for e in choices if abs(REAL.index(e) - REAL.index(near)) < 3] or choices
        self.entry = rng.choice(choices or [e for e in REAL if e not in entries])
        self.name = respelled(rng.choice(self.entry.names), rng)
        obscure = rng.random() < OBSCURE
        if obscure and rng.random() < 0.3:
            self.name = respelled(words.nonce(rng), rng)
        while self.name in taken:
            self.name += "_" + rng.choice(words.NOUNS)
        self.verb, _, self.noun = self.entry.names[0].partition("_")
        self.noun = self.noun.replace("_", " ") or rng.choice(words.NOUNS)
        self.description = rng.choice(self.entry.descriptions) + rng.choice(["", "", "."])
        self.params, used = [], {}
        for key, p in self.entry.params.items():
            n = words.nonce(rng) if obscure else rng.choice(p.names)
            if not obscure and rng.random() < 0.08:
                n += "_" + rng.choice(["name", "value", "text", "arg"])
            while n in used:
                n = words.nonce(rng)
            used[n] = True
            self.params.append((key, n, p))
        if rng.random() < FURTHER:
            n, p = further_choice(rng)
            if n not in used and n not in self.entry.params:
                self.params.append((n, n, p))
        if not obscure and rng.random() < 0.3:
            rng.shuffle(self.params)
        self.described = rng.random() < (0.7 if obscure else 0.25)

    def schema(self, rng):
        props = {n: dict(p.schema, **({"description": f"The {key.replace('_', ' ')}"} if self.described else {})) for key, n, p in self.params}
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": {
            "type": "object", "properties": props, "required": [n for _, n, p in self.params if p.required]}}}

    def call(self, rng):
        """Arguments, and a request in words that says them."""
        if rng.random() < 0.08:
            return self.literal(rng)
        if rng.random() < 0.4:
            return self.stated(rng)
        text = facts.choose(rng.choice(self.entry.requests), rng)[0]
        drawn = {}

        def said(m):
            key, sign, forms = m[1], m[2], m[3]
            if sign == "=":
                drawn[key] = forms if self.entry.params[key].schema["type"] == "string" else json.loads(forms)
                return ""
            v = drawn[key] = self.entry.params[key].draw(rng)
            return forms.split("/")[0 if v else 1] if sign else spoken(v, rng)

        text = " ".join(SLOT.sub(said, text).split())
        for key, n, p in self.params:
            if key not in drawn and (p.required or rng.random() < 0.15):
                drawn[key] = p.draw(rng)
                say = [", %k %v", " with %k %v", ", %k: %v", " (%k %v)", ", %k = %v"] + [" %v", ", %v", " in %v", " to %v", " as %v"] * ("enum" in p.schema)
                text += rng.choice(say).replace("%k", n.replace("_", " ") if rng.random() < 0.5 else n).replace("%v", spoken(drawn[key], rng))
        return {n: drawn[key] for key, n, _ in self.params if key in drawn}, text

    def stated(self, rng):
        """A request in the words of its name or description, and of its parameters."""
        args = {n: p.draw(rng) for _, n, p in self.params if p.required or rng.random() < 0.4}
        name = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", self.name.split("__")[-1])).lower()
        what = rng.choice([name, self.description.rstrip("."), f"{self.verb} {rng.choice(['', '', 'the', 'a', 'my'])} {self.noun}"])
        what = rng.choice(["", "", "", "please ", "can you ", "could you ", "i want to ", "i need to "]) + what[0].lower() + what[1:]
        alone = len(args) == 1 or rng.random() < 0.2
        say = ["%v", "%v", "%k %v", ": %v"] if alone else ["%k %v", "%k %v", "%k: %v", "%k = %v", "with %k %v", "%k is %v"]
        said = [rng.choice(say).replace("%k", n if rng.random() < 0.3 else re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", n).lower()).replace("%v", spoken(v, rng)) for n, v in args.items()]
        joint = rng.choice([" ", " ", ", "])
        return args, " ".join(joint.join([what, *said]).split()).replace(joint + ":", ":")

    def literal(self, rng):
        """A request that names the tool and its parameters."""
        args = {n: p.draw(rng) for _, n, p in self.params if p.required or rng.random() < 0.5}
        said = [rng.choice(["%k %v", "%k: %v", "%k = %v"]).replace("%k", n).replace("%v", spoken(v, rng)) for n, v in args.items()]
        return args, rng.choice(["use ", "call ", "run ", ""]) + self.name + rng.choice([" with ", " ", ": "] if said else [""]) + ", ".join(said)
