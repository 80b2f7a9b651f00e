"""Tool calls, over invented tools and those of catalogue/: which to call, with what, several at once, none where
none fits, and results turned into answers. No tool of the evaluation is among them; names are drawn at random."""
import json
import re

import prose
import words
from facts import choose
from real_tools import ABLE, RealTool, enumeration, filled, plain, together
from values import city, clock, code, command, date, distinct, domain, last, name, path, sentence, thing, word

# What a parameter may be: its names, its schema, its values, how a user says it (%v the value).
def text(values, *names, say=("%k %v", "with %k %v", "%k: %v", "the %k is %v"), **more):
    return names, {"type": "string", **more}, values, say


PARAMS = [
    text(city, "city", "location", "place", "town", "destination", "origin", say=("in %v", "for %v", "%v", "at %v", "near %v", "%k %v", "of %v")),
    text(name, "name", "person", "user", "recipient", "contact", "author", "owner", "guest", say=("for %v", "to %v", "%k %v", "of %v", "named %v", "%v")),
    text(lambda r: f"{name(r)} {last(r)}", "full_name", "customer", "employee", "artist", "student", say=("for %v", "%k %v", "by %v", "of %v")),
    text(path, "path", "file", "file_path", "filename", "source", "target", "directory", say=("%v", "%k %v", "the file %v", "at %v", "of %v")),
    text(command, "command", "cmd", "script", say=("%v", "`%v`", "the command %v", "%k %v")),
    text(lambda r: f"https://{domain(r)}/{prose.word(r)}", "url", "link", "address", say=("%v", "from %v", "at %v", "%k %v")),
    text(lambda r: f"{name(r).lower()}@{domain(r)}", "email", "to", "sender", say=("to %v", "%v", "%k %v", "for %v")),
    text(date, "date", "day", "start_date", "deadline", "due", say=("on %v", "for %v", "%k %v", "by %v"), format="date"),
    text(clock, "time", "start", "at", "departure", say=("at %v", "for %v", "%k %v")),
    text(sentence, "message", "text", "body", "content", "note", "comment", "description", say=('saying "%v"', '"%v"', '%k "%v"', ': %v', 'with the text "%v"')),
    text(thing, "query", "q", "keyword", "search_term", "topic", "term", "pattern", say=("for %v", '"%v"', "about %v", "%v", "%k %v")),
    text(thing, "item", "product", "title", "subject", "label", "task", say=("%v", 'called "%v"', "%k %v", "the %v", '"%v"')),
    text(code, "id", "order_id", "code", "ticket", "flight", "reference", "sku", "tracking_number", say=("%v", "%k %v", "number %v", "of %v")),
    text(lambda r: f"{name(r).lower()}{r.randint(1, 99)}", "username", "account", "login", say=("%v", "%k %v", "of %v", "for %v")),
    text(lambda r: r.choice(["English", "German", "French", "Spanish", "Italian", "Dutch", "Polish", "Japanese"]), "language", "target_language", "lang", say=("in %v", "to %v", "into %v", "%k %v")),
    (("count", "limit", "n", "amount", "quantity", "number", "people", "size", "level", "max_results"), {"type": "integer"}, lambda r: r.randint(1, 10 ** r.randint(1, 6)), ("%v", "%k %v", "with %k %v", "%v as %k", "%k = %v")),
    (("days", "hours", "minutes", "seconds", "pages", "rows", "nights", "seats", "copies"), {"type": "integer"}, lambda r: r.randint(1, 60), ("for %v %k", "%v %k", "in %v %k")),
    (("price", "temperature", "rate", "weight", "distance", "radius", "volume", "x", "y", "a", "b", "latitude", "longitude"), {"type": "number"},
     lambda r: round(r.uniform(0, 200), r.randint(1, 2)) if r.random() < 0.6 else r.randint(0, 200), ("%k %v", "%v", "%k of %v", "%k = %v")),
    (("verbose", "recursive", "urgent", "force", "public", "enabled", "overwrite", "detailed", "dry_run", "private"), {"type": "boolean"}, lambda r: r.random() < 0.7, ("%k %v", "%k: %v", "%k = %v", "with %k %v")),
    (("unit", "units"), {"type": "string", "enum": words.UNITS}, None, ("in %v", "%k %v", "use %v")),
    (("priority", "severity", "importance"), {"type": "string", "enum": ["low", "medium", "high", "critical"]}, None, ("with %v %k", "%k %v", "%v %k")),
    (("format", "output_format", "type"), {"type": "string", "enum": ["json", "csv", "xml", "pdf", "html", "yaml", "text"]}, None, ("as %v", "in %v", "%k %v", "%k: %v")),
    (("status", "state", "mode"), {"type": "string", "enum": ["open", "closed", "on", "off", "active", "paused", "auto", "manual"]}, None, ("%v", "%k %v", "to %v", "set %k to %v")),
    (("color", "colour"), {"type": "string", "enum": words.COLOURS}, None, ("in %v", "%v", "%k %v", "to %v")),
    (("category", "genre", "kind", "department"), {"type": "string", "enum": ["food", "books", "music", "sports", "travel", "science", "news", "sales", "support"]}, None, ("in %v", "%k %v", "from %v", "of %k %v")),
    (("order", "sort", "sort_order", "direction"), {"type": "string", "enum": ["asc", "desc", "up", "down", "left", "right"]}, None, ("%k %v", "%v", "sorted %v")),
]


def scalar(rng):
    names, schema, values, say = rng.choice(PARAMS)
    schema = dict(schema)
    if values is None:
        enum = rng.sample(schema["enum"], rng.randint(2, min(4, len(schema["enum"]))))
        if rng.random() < 0.6:
            enum = distinct([words.nonce(rng) if rng.random() < 0.2 else prose.word(rng) for _ in range(rng.randint(2, 4))])
        schema["enum"] = enum
        values = lambda r: r.choice(enum)
    name = rng.choice(names)
    if rng.random() < 0.3:
        name = rng.choice([words.nonce(rng), prose.word(rng), prose.word(rng), f"{prose.word(rng)}_{prose.word(rng)}"])
        say = ("%k %v", "%k: %v", "%k = %v", "with %k %v")
    elif rng.random() < 0.08:
        name = f"{name}_{rng.choice(['id', 'name', 'value', 'key', 'new', 'old', 'first'])}"
    if rng.random() < 0.12:  # other spellings of names
        parts = name.split("_")
        name = parts[0] + "".join(p.capitalize() for p in parts[1:])
    return name, schema, values, say


def param(rng):
    """A parameter: (name, schema, a function drawing a value, a function saying it)."""
    name, schema, values, say = scalar(rng)
    kind = rng.random()
    if kind < 0.1 and "enum" not in schema and schema["type"] != "boolean":  # a list of them
        plural = name if name.endswith("s") else name + "s"
        schema = {"type": "array", "items": schema}
        return plural, schema, lambda r: distinct([values(r) for _ in range(r.randint(1, 3))]), lambda r, v: f"{plural.replace('_', ' ')} {enumeration(v)}"
    if kind < 0.16:  # an object
        inner, used = [], set()
        while len(inner) < rng.randint(1, 3):
            p = scalar(rng)
            if p[0] not in used:
                used.add(p[0])
                inner.append(p)
        outer = rng.choice(["address", "filter", "options", "details", "range", "settings", "data", "config"])
        schema = {"type": "object", "properties": {n: s for n, s, _, _ in inner}, "required": [n for n, _, _, _ in inner]}

        def say_object(r, v):
            return f"with {outer} " + ", ".join(f"{k} {plain(x)}" for k, x in v.items())

        return outer, schema, lambda r: {n: f(r) for n, _, f, _ in inner}, say_object
    return name, schema, values, lambda r, v: filled(r.choice(say), name.replace("_", " ") if r.random() < 0.7 else name, plain(v), r)


class Tool:
    entry = None  # it is none of REAL

    def __init__(self, rng, taken, like=None):
        """One that no name of `taken` is, akin to another tool where one is given."""
        while True:
            self.verb = rng.choice(words.VERBS) if rng.random() < 0.6 else prose.word(rng)
            self.noun = rng.choice(words.NOUNS) if rng.random() < 0.4 else prose.word(rng)
            if like and rng.random() < 0.5:
                self.verb = like.verb
            elif like:
                self.noun = like.noun
            extra = prose.word(rng) if rng.random() < 0.2 else ""
            parts = [self.verb, *self.noun.split()[:2]] + ([extra] if extra else [])
            self.noun = " ".join(parts[1:])
            if rng.random() < 0.07:
                parts = [words.nonce(rng)]
            style = rng.random()
            if style < 0.68:
                self.name = "_".join(parts)
            elif style < 0.8:
                self.name = parts[0] + "".join(p.capitalize() for p in parts[1:])
            elif style < 0.86:
                self.name = "".join(p.capitalize() for p in parts)
            elif style < 0.92:
                self.name = "-".join(parts)
            elif style < 0.95:
                self.name = parts[-1].capitalize()
            else:
                self.name = f"mcp__{words.nonce(rng)}__" + "_".join(parts)
            if self.name not in taken:
                break
        self.description = choose(rng.choice([
            f"{self.verb} [a|the|an] {self.noun}", f"{self.verb} {self.noun}[s|]", f"[this tool |]{self.verb}s [a|the] {self.noun}", f"use this to {self.verb} a {self.noun}",
            f"{self.verb} the {self.noun} [of a user|by name|in the system|for the given parameters]"]), rng)[0]
        if rng.random() < 0.15:
            self.description += " " + prose.fragment(rng)
        self.description = self.description[0].upper() + self.description[1:] + rng.choice(["", "."])
        self.params = {}
        for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4])):
            p = param(rng)
            self.params.setdefault(p[0], p)
        names = list(self.params)
        self.required = [n for n in names if rng.random() < 0.75]
        self.akin = like is not None  # then its noun alone may mean the other
        if like:
            like.akin = True
        self.described = rng.random() < 0.5
        self.more = rng.random()

    def schema(self, rng):
        props = {}
        for n, (_, s, _, _) in self.params.items():
            props[n] = dict(s)
            if self.described and rng.random() < 0.7:
                props[n]["description"] = choose(rng.choice(["[the |]%s", "%s of the " + self.noun, "[the |]%s to use", "which %s"]), rng)[0].replace("%s", n.replace("_", " ")).capitalize()
        parameters = {"type": "object", "properties": props}
        if self.required or self.more < 0.5:
            parameters["required"] = self.required
        if self.more < 0.1:
            parameters["additionalProperties"] = False
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": parameters}}

    def value(self, name, rng):
        return self.params[name][2](rng)

    def call(self, rng):
        """Arguments, and a request in words that says them."""
        args = {}
        for n, (_, _, values, _) in self.params.items():
            if n in self.required or rng.random() < 0.4:
                args[n] = values(rng)
        said = [self.params[n][3](rng, v) for n, v in args.items()]
        if rng.random() < 0.3:
            rng.shuffle(said)
        what = choose(rng.choice([f"{self.verb} [the|a|my|] {self.noun}", f"{self.verb} {self.noun}", f"[please|can you|could you|i want to|i need to|] {self.verb} [the|a|] {self.noun}",
                                  f"{self.verb if self.akin else ''} {self.noun}", f"use {self.name} [for|to get] [the|] {self.noun}", f"[call|use|run] {self.name}"]), rng)[0]
        joint = rng.choice([" ", " ", ", "])
        request = joint.join([what, *together(said, rng)]).strip()
        return args, request


RESULTS = ["ok", "done", "not found", "success", "error: timeout", "permission denied", "created", "no results", "queued"]


def result(rng, args):
    """What a tool answers, and what there is to say of it."""
    kind = rng.random()
    if kind < 0.3:
        r = rng.choice(RESULTS)
        bad = r in ("not found", "error: timeout", "permission denied", "no results")
        answer = f"That did not work: {r}." if bad else "Done." if r in ("ok", "done", "success") else f"Done: {r}."
        return (r if rng.random() < 0.5 else json.dumps({"status" if not bad else "error": r})), answer
    if kind < 0.7:
        k = rng.choice(["temperature", "price", "status", "name", "total", "count", "balance", "title", "city", "id", "date", "owner", "size", words.nonce(rng), prose.word(rng), prose.word(rng), prose.word(rng)])
        v = rng.choice([rng.randint(0, 999), round(rng.uniform(0, 99), 1), name(rng), city(rng), word(rng), prose.fragment(rng, 4), code(rng), date(rng)])
        more = {words.nonce(rng): rng.randint(0, 99)} if rng.random() < 0.2 else {}
        return json.dumps({k: v, **more}), f"The {k} is {v}." if not more else f"The {k} is {v}, the {list(more)[0]} {list(more.values())[0]}."
    if kind < 0.85:
        items = distinct([rng.choice([word, name, thing])(rng) for _ in range(rng.randint(2, 4))])
        return json.dumps(items) if rng.random() < 0.5 else "\n".join(items), f"I found {len(items)}: {', '.join(items)}."
    s = sentence(rng)
    return s, f"The result: {s}"


NO_TOOL = "None of my tools can do that."


def request_written(q, calls, rng):
    """A request as it is typed: what arguments say stays as it is."""
    said = [plain(x) for _, args in calls for v in args.values() for x in (v.values() if isinstance(v, dict) else [v])]
    if rng.random() < 0.5 and not any(q.startswith(v) for v in said):
        q = q[0].upper() + q[1:]
    return q + rng.choice(["", "", ".", "?", "!", " please"][: 4 if q.endswith("please") or any(q.endswith(v) for v in said) else 6])


def call_message(calls):
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in calls]}


def draw_tools(rng):
    """Invented ones, real ones, or both; those that resemble each other often stand together."""
    tools, share = [], rng.choice([0, 0, 0.5, 0.5, 1, 1])
    for _ in range(rng.choice([1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 6])):
        taken = {t.name for t in tools}
        akin = rng.choice(tools) if tools and rng.random() < 0.5 else None
        if rng.random() < share:
            tools.append(RealTool(rng, taken, akin and akin.entry, [t.entry for t in tools]))
        else:
            tools.append(Tool(rng, taken, akin))
    if rng.random() < 0.7:
        name_alike(tools, rng)
    return tools


def name_alike(tools, rng):
    """As one author names them: in one style, and often with one beginning."""
    style = rng.choice(["_", "_", "_", "_", "-", "camel", "Camel"])
    first = [rng.choice(words.VERBS)] if rng.random() < 0.35 else []
    begin = f"mcp__{rng.choice([words.nonce, prose.word])(rng)}__" if rng.random() < 0.2 else ""
    names = []
    for t in tools:
        parts = [p.lower() for p in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", t.name.split("__")[-1])]
        parts = first + [p for p in parts if p not in first]
        if "amel" in style:
            name = "".join(p.capitalize() for p in parts)
            name = name if style == "Camel" else name[0].lower() + name[1:]
        else:
            name = style.join(parts)
        names.append(begin + name)
    if len(set(names)) == len(names):
        for t, name in zip(tools, names):
            t.name = name


def realms_of(tools):
    return {realm for t in tools if t.entry for realm in t.entry.realms}


def stranger(rng, tools):
    """A request that none of the tools is for, or None."""
    real = realms_of(tools)
    if real and rng.random() < 0.6:
        t = RealTool(rng, (), None, [t.entry for t in tools])
        if (real | {ABLE}) & t.entry.realms or ABLE in real:
            return None
    else:
        t = Tool(rng, ())
        if any(known.verb == t.verb or set(known.noun.split()) & set(t.noun.split()) for known in tools):
            return None
    q = t.call(rng)[1]
    return None if t.name in q else q


def task(rng, tools, n):
    """A request, and the n calls it is for, of one tool or several: [(name, arguments), ...]."""
    t = rng.choice(tools)
    args, q = t.call(rng)
    calls, requests = [(t.name, args)], [q]
    both = twice(t, args, q, rng) if n == 2 and rng.random() < 0.12 else None
    if both:
        return both[1], [*calls, (t.name, both[0])]
    for _ in range(1, n):
        t = rng.choice(tools)
        args, q = t.call(rng)
        calls.append((t.name, args))
        requests.append(q)
    return rng.choice([" and ", ", then ", ", and ", " and also "]).join(requests), calls


def twice(t, args, q, rng):
    """Arguments of a second call, and a request for both, another value being named beside one of the first's; or None."""
    keys = [k for k, v in args.items() if isinstance(v, str) and q.count(v) == 1 and "`" not in q]
    if not keys:
        return None
    key = rng.choice(keys)
    v, w = args[key], t.value(key, rng)
    if v == w:
        return None
    quote = next((s for s in "\"'" if f"{s}{v}{s}" in q), "")
    v, second = f"{quote}{v}{quote}", f"{quote}{w}{quote}"
    before = q[: q.index(v)].rpartition(" ")[0].rpartition(" ")[2]
    if before in ("in", "for", "of", "to", "at", "from", "on", "with") and rng.random() < 0.5:
        second = f"{before} {second}"
    return {**args, key: w}, q.replace(v, f"{v} and {second}")


def dialogue(rng, other):
    """Messages, and tools. `other` draws a question and its answer that no tool is needed for."""
    tools = draw_tools(rng)
    realms = realms_of(tools)
    computes = "maths" in realms
    messages = []
    turns = rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 2, 3])  # few: tools are listed for the last alone
    for turn in range(turns):
        kind = rng.random()
        if kind < 0.14:
            q, a = other(rng)
            knows = a.startswith("I do not know: I ") and realms & {"know", "time"}  # the weather, say
            if not knows and not (computes and any(c.isdigit() for c in q)):
                messages += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
            continue
        if kind < 0.24:  # something to do that none of them does
            q = stranger(rng, tools)
            if q:
                messages += [{"role": "user", "content": request_written(q, [], rng)}, {"role": "assistant", "content": NO_TOOL}]
            continue
        q, calls = task(rng, tools, 2 if kind < 0.4 else 1)
        messages += [{"role": "user", "content": request_written(q, calls, rng)}, call_message(calls)]
        if turn + 1 < turns or rng.random() < 0.25:
            said = []
            for _, args in calls:
                r, a = result(rng, args)
                messages.append({"role": "tool", "content": r})
                said.append(a)
            messages.append({"role": "assistant", "content": " ".join(said)})
    return messages, [t.schema(rng) for t in tools]
