"""Tools as people make them, and requests as people say them: those of catalogue/, under names like theirs.

Tools of one family resemble each other; what one of a realm does, others of it may do as well."""
import json
import os
import re
from dataclasses import dataclass, field

import facts
import prose
import values
import words

NEXT = 0.5  # of what resembles another tool, that stands beside it in the catalogue
DECIDING = 3  # how often a tool is drawn that cannot be called without a choice, or yes or no
FURTHER = 0.35  # of the tools, that take one of some words besides, or yes or no
MISSED = 0.15  # of the parameters that may be left out, that are required
NESTED = 0.1  # of the tools, some of whose parameters are members of one
OFTEN = {"shell": 10, "files": 3, "git": 2, "weather": 6, "switches": 3, "lights": 2}  # families that are drawn more often than others
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

    def worded(self):
        """Parameters whose values requests say in words of their own."""
        return {m[1] for text in self.requests for m in SLOT.finditer(text) if m[2]}

    def decides(self):
        return any(p.required and ("enum" in p.schema or p.schema["type"] == "boolean") for p in self.params.values())

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
    """The files of catalogue/, one for each realm. Lines: @ family and realms; names: descriptions; parameters = kinds, indented;
    - requests, where [a|b] is one of both, <name> a value, <name:yes/no> a boolean in words, <name=value> a value that is not said."""
    out, family = [], None
    names = sorted(os.listdir(os.path.join(facts.ROOT, "pilot", "catalogue")))
    for line in [line.rstrip() for n in names for line in facts.read(f"pilot/catalogue/{n}").splitlines() if line.strip()]:
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
DRAWN = [e for e in REAL for _ in range(OFTEN.get(e.family, 1) * (DECIDING if e.decides() else 1))]
ABLE = "able"  # the realm of tools that can do nearly anything


def plain(v):
    return {True: "true", False: "false"}[v] if isinstance(v, bool) else str(v)


def together(said, rng):
    """Parts of a request, the last two at times with an "and"."""
    return [*said[:-2], " and ".join(said[-2:])] if len(said) > 1 and rng.random() < 0.3 else said


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
OUTER = "recipient person target item place who what address filter options details range settings data config owner".split()
SWITCHES = "urgent dry_run force silent public private notify confirm enabled active verbose recursive secure quick shared visible locked test draft on".split()


def choice(options):
    return {"type": "string", "enum": options}, lambda r: r.choice(options)


def some_words(rng):
    if rng.random() < 0.5:
        some = rng.choice(CHOICES)
        return rng.sample(some, min(len(some), rng.randint(2, 4)))
    return values.distinct([rng.choice([prose.word, prose.word, words.nonce])(rng) for _ in range(rng.randint(2, 4))])


def further(rng):
    """A parameter as any tool may have: one of some words, or yes or no."""
    required = rng.random() < 0.7
    if rng.random() < 0.3:
        name = rng.choice([*SWITCHES, prose.word(rng), prose.word(rng)])
        return name, Param([name], required, {"type": "boolean"}, lambda r: r.random() < 0.6)
    name = rng.choice(["size", "style", "mode", "grade", "variant", "group", "model", "season", "zone", "side", "phase", "tier", prose.word(rng), prose.word(rng)])
    return name, Param([name], required, *choice(some_words(rng)))


def varied(p, worded, rng):
    """A parameter like `p`, so that what a tool takes is to be read and not known by heart: a choice of other words, or one
    where there was none, unless requests are `worded` for its values."""
    required, schema, draw = p.required or rng.random() < MISSED, p.schema, p.draw
    own = schema.get("enum")
    if worded:
        pass
    elif own and rng.random() < 0.6:
        kept = rng.sample(own, rng.randint(0, min(3, len(own))))
        schema, draw = choice(values.distinct(kept + some_words(rng)[: 4 - len(kept)]))
    elif schema == {"type": "string"} and rng.random() < 0.12:
        options = values.distinct([p.draw(rng) for _ in range(rng.randint(2, 4))])
        if all(len(v) < 20 for v in options):
            schema, draw = choice(options)
    return Param(p.names, required, schema, draw)


def told(n, v, rng, say):
    """A parameter and its value in words, by one of some patterns."""
    if isinstance(v, bool) and rng.random() < 0.5:
        say = ["%k", "with %k", "%k on", "%k: yes", "%k yes"] if v else ["no %k", "without %k", "not %k", "%k off", "%k: no", "%k no"]
    return filled(rng.choice(say), n, spoken(v, rng), rng)


def filled(say, name, text, rng):
    """A pattern of a parameter's name and value; a text of several words is mostly in quotes: where it ends could not be told otherwise."""
    quote = rng.choice("\"\"\"'") if " " in text and '"' not in say + text and rng.random() < 0.7 else ""
    return say.replace("%k", name).replace("%v", quote + text + quote)


class RealTool:
    """One of REAL, under a name like one of its own; of the family of `near` where that is given."""

    def __init__(self, rng, taken, near=None, entries=()):
        """`taken`: names that there are; `entries`: what is there already."""
        choices = [e for e in FAMILIES[near.family] if e not in entries] if near else []
        if rng.random() < NEXT:
            choices = [e for e in choices if abs(REAL.index(e) - REAL.index(near)) < 3] or choices
        self.entry = rng.choice(choices or [e for e in DRAWN if e not in entries])
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
        worded = self.entry.worded()
        for key, p in self.entry.params.items():
            p = varied(p, key in worded, rng)
            n = words.nonce(rng) if obscure else rng.choice(p.names)
            if not obscure and rng.random() < 0.08:
                n += "_" + rng.choice(["name", "value", "text", "arg"])
            while n in used:
                n = words.nonce(rng)
            used[n] = True
            self.params.append((key, n, p))
        if rng.random() < FURTHER:
            n, p = further(rng)
            if n not in used and n not in self.entry.params:
                used[n] = True
                self.params.append((n, n, p))
        if not obscure and rng.random() < 0.3:
            rng.shuffle(self.params)
        self.outer, self.inner = rng.choice([*OUTER, prose.word(rng)]), ()
        if self.params and rng.random() < NESTED and self.outer not in used:
            at = rng.randrange(len(self.params))
            self.inner = [n for _, n, _ in self.params[at : at + rng.randint(1, 3)]]
        self.described = rng.random() < (0.7 if obscure else 0.25)

    def packed(self, members):
        """Members by name, some of them within one."""
        out = {}
        for n, v in members:
            (out.setdefault(self.outer, {}) if n in self.inner else out)[n] = v
        return out

    def schema(self, rng):
        props = self.packed([(n, dict(p.schema, **({"description": f"The {key.replace('_', ' ')}"} if self.described else {}))) for key, n, p in self.params])
        required = self.packed([(n, True) for _, n, p in self.params if p.required])
        if self.inner:
            props[self.outer] = {"type": "object", "properties": props[self.outer], "required": list(required.get(self.outer, ()))}
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": {
            "type": "object", "properties": props, "required": list(required)}}}

    def value(self, name, rng):
        return next(p.draw(rng) for _, n, p in self.params if n == name)

    def called(self, n, rng):
        """A parameter's name in words."""
        spelt = n if rng.random() < 0.3 else re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", n).lower()
        return f"{self.outer} {spelt}" if n in self.inner and rng.random() < 0.5 else spelt

    def call(self, rng):
        """Arguments, and a request in words that says them."""
        kind = rng.random()
        drawn, text = self.literal(rng) if kind < 0.08 else self.stated(rng) if kind < 0.43 else self.asked(rng)
        return self.packed([(n, drawn[n]) for _, n, _ in self.params if n in drawn]), text

    def asked(self, rng):
        """A request as people say it."""
        text = facts.choose(rng.choice(self.entry.requests), rng)[0]
        drawn, of_key = {}, {key: (n, p) for key, n, p in self.params}

        def said(m):
            (n, p), sign, forms = of_key[m[1]], m[2], m[3]
            if sign == "=":
                drawn[n] = forms if p.schema["type"] == "string" else json.loads(forms)
                return ""
            v = drawn[n] = p.draw(rng)
            return forms.split("/")[0 if v else 1] if sign else spoken(v, rng)

        text = " ".join(SLOT.sub(said, text).split())
        for _, n, p in self.params:
            if n not in drawn and (p.required or rng.random() < 0.15):
                drawn[n] = p.draw(rng)
                say = [", %k %v", " with %k %v", ", %k: %v", " (%k %v)", ", %k = %v"] + [" %v", ", %v", " in %v", " to %v", " as %v"] * ("enum" in p.schema)
                more = told(self.called(n, rng), drawn[n], rng, say)
                text += more if more[0] in " ," else rng.choice([" ", ", "]) + more
        return drawn, text

    def stated(self, rng):
        """A request in the words of its name or description, and of its parameters."""
        args = {n: p.draw(rng) for _, n, p in self.params if p.required or rng.random() < 0.4}
        name = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", self.name.split("__")[-1])).lower()
        what = rng.choice([name, self.description.rstrip("."), f"{self.verb} {rng.choice(['', '', 'the', 'a', 'my'])} {self.noun}"])
        what = rng.choice(["", "", "", "please ", "can you ", "could you ", "i want to ", "i need to "]) + what[0].lower() + what[1:]
        alone = len(args) == 1 or rng.random() < 0.2
        say = ["%v", "%v", "%k %v", ": %v"] if alone else ["%k %v", "%k %v", "%k: %v", "%k = %v", "with %k %v", "%k is %v"]
        said = [told(self.called(n, rng), v, rng, say) for n, v in args.items()]
        joint = rng.choice([" ", " ", ", "])
        return args, " ".join(joint.join([what, *together(said, rng)]).split()).replace(joint + ":", ":")

    def literal(self, rng):
        """A request that names the tool and its parameters."""
        args = {n: p.draw(rng) for _, n, p in self.params if p.required or rng.random() < 0.5}
        said = [told(n, v, rng, ["%k %v", "%k: %v", "%k = %v"]) for n, v in args.items()]
        return args, rng.choice(["use ", "call ", "run ", ""]) + self.name + rng.choice([" with ", " ", ": "] if said else [""]) + ", ".join(together(said, rng))
