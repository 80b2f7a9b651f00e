"""Simple instructions, and JSON."""
import json

import prose
import words
from facts import choose
from words import CITIES, COUNTRIES, LAST, NAMES, SENTENCES, THINGS

LISTS = {
    "fruits": words.FRUITS, "animals": words.ANIMALS, "colours": words.COLOURS, "colors": words.COLOURS, "vegetables": words.VEGETABLES,
    "planets": words.PLANETS, "days of the week": words.DAYS, "months": words.MONTHS, "cities": CITIES, "countries": COUNTRIES, "metals": words.METALS,
    "first names": NAMES, "names": NAMES, "things in a house": ["lamp", "table", "chair", "window", "door", "carpet", "clock", "mirror"],
}
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()


def phrase(rng):
    """A few words to be handled as they are."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(SENTENCES)
    if kind < 0.4:
        return prose.word(rng) if kind < 0.25 else prose.fragment(rng)
    if kind < 0.5:
        return " ".join(rng.sample(THINGS, rng.randint(1, 4)))
    if kind < 0.65:
        return words.nonce(rng) + ("" if rng.random() < 0.5 else " " + words.nonce(rng))
    if kind < 0.8:
        return rng.choice(["OK", "yes", "no", "hello world", "pong", "done", "ready", "hello", "works", "42", "test passed", "good morning", "one two three"])
    if kind < 0.9:
        return f"{rng.choice(NAMES)} {rng.choice(words.VERBS)}s {rng.choice(words.ADJECTIVES)} {rng.choice(THINGS)}s"
    return str(rng.randint(0, 10 ** rng.randint(1, 6)))


def repeat(rng):
    p = phrase(rng)
    q = choose(rng.choice(["repeat[ after me|]: %s", "say %s", "say \"%s\"", "[please |]write %s", "reply with %s", "[reply|answer|respond] with only: %s",
                           "answer only with %s", "echo %s", "repeat the following: %s", "respond with [exactly |]\"%s\"", "say exactly: %s",
                           "just say %s", "print %s", "output the text: %s", "reply [with |]the word %s[ and nothing else|]",
                           "respond with [just|only] the [word|words|text] %s", "say [the words|this]: %s"]), rng)[0]
    return q.replace("%s", p), p


def count(rng):
    a, n = (1, rng.randint(2, 15)) if rng.random() < 0.7 else (rng.randint(2, 20), rng.randint(3, 8))
    b = a + n - 1
    q = choose(rng.choice([f"count [from {a} |]to {b}" if a == 1 else f"count from {a} to {b}", f"[write|list|say|give me] the numbers [from |]{a} to {b}", f"numbers {a} to {b}"]), rng)[0]
    down = rng.random() < 0.15
    if down:
        return f"count down from {b} to {a}", ", ".join(map(str, range(b, a - 1, -1)))
    return q, ", ".join(map(str, range(a, b + 1)))


def case(rng):
    w = " ".join(rng.sample(THINGS + words.FRUITS + words.ANIMALS, rng.randint(1, 3)))
    if rng.random() < 0.7:
        return choose(f"[write|put|print|say|convert|turn] {w} in [upper case|capitals|uppercase|capital letters|caps|all caps]", rng)[0], w.upper()
    return choose(f"[write|put|print|convert|turn] {w.upper()} in [lower case|lowercase|small letters]", rng)[0], w.lower()


def enumerate_(rng):
    kind = rng.choice(list(LISTS))
    n = rng.randint(2, min(7, len(LISTS[kind])))
    ordered = kind in ("planets", "days of the week", "months")
    items = LISTS[kind][:n] if ordered else rng.sample(LISTS[kind][:16], n)
    number = rng.choice([str(n), NUMBERS[n]])
    q = choose(f"[list|name|give me|tell me|write|write down|i need] {number} {kind}[| please]", rng)[0]
    style = rng.choice(["comma", "lines", "dash"])
    if style == "lines":
        return q + rng.choice([" as a numbered list", ", numbered"]), "\n".join(f"{i}. {x}" for i, x in enumerate(items, 1))
    if style == "dash":
        return q + rng.choice([" as a list", " as bullet points", ", one per line"]), "\n".join(f"- {x}" for x in items)
    return q, ", ".join(items)


def arithmetic(rng):
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    op = rng.choice("++-*")
    if op == "-" and a < b:
        a, b = b, a
    word = {"+": ["plus", "+", "and"], "-": ["minus", "-"], "*": ["times", "*", "x"]}[op]
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    w = rng.choice(word)
    gap = rng.choice([" ", " ", ""]) if len(w) == 1 else " "
    return choose(rng.choice(["what is %s", "what's %s", "%s", "how much is %s", "compute %s", "calculate %s", "%s ="]), rng)[0].replace("%s", f"{a}{gap}{w}{gap}{b}"), f"{a} {op} {b} = {value}"


def hard_arithmetic(rng):
    a, b = rng.randint(100, 99999), rng.randint(100, 9999)
    return f"{rng.choice(['what is', 'compute', 'how much is', ''])} {a} {rng.choice('*/+-')} {b}".strip(), "I am too small to compute that reliably."


def order(rng):
    items = rng.sample(THINGS + words.FRUITS + words.ANIMALS, rng.randint(3, 5))
    if rng.random() < 0.6:
        return choose(f"[sort|order|put in alphabetical order][ these words|]: {', '.join(items)}", rng)[0] + rng.choice(["", " alphabetically"]), ", ".join(sorted(items))
    i = rng.choice([0, -1])
    return choose(f"what is the {'first' if i == 0 else 'last'} [word|item] (of|in)[ this list|]: {', '.join(items)}", rng)[0], items[i]


def position(rng):
    xs = rng.choice([words.DAYS, words.MONTHS])
    i = rng.randrange(len(xs))
    after = rng.random() < 0.6
    q = choose(f"[what|which] [day|month] [comes|is] {'after' if after else 'before'} {xs[i]}".replace("[day|month]", "day" if xs is words.DAYS else "month"), rng)[0]
    return q, xs[(i + (1 if after else -1)) % len(xs)]


def constrained(rng):
    """Answers of a form that was asked for."""
    if rng.random() < 0.5:
        yes = rng.random() < 0.5
        x = rng.choice(THINGS + words.ANIMALS)
        kind = "an animal" if x in words.ANIMALS else "a thing"
        asked = kind if yes else ("an animal" if kind == "a thing" else "a thing")
        return f"is a {x} {asked}? answer {rng.choice(['with yes or no', 'yes or no', 'in one word'])}", "Yes" if yes else "No"
    names = rng.sample(NAMES, 2)
    s = f"{names[0]} {rng.choice(['gave', 'sold', 'sent', 'showed'])} {names[1]} a {rng.choice(THINGS)}."
    if rng.random() < 0.5:
        return f"{s} Who got it?", names[1] + "."
    return f"{s} What did {names[1]} get?", f"A {s.split()[-1]}"


# JSON

FIELDS = {
    "name": lambda r: f"{r.choice(NAMES)} {r.choice(LAST)}" if r.random() < 0.5 else r.choice(NAMES), "city": lambda r: r.choice(CITIES), "age": lambda r: r.randint(1, 99),
    "country": lambda r: r.choice(COUNTRIES), "colour": lambda r: r.choice(words.COLOURS), "price": lambda r: round(r.uniform(1, 300), 2), "count": lambda r: r.randint(0, 500),
    "title": lambda r: f"The {r.choice(words.ADJECTIVES)} {r.choice(THINGS)}", "year": lambda r: r.randint(1700, 2030), "active": lambda r: r.random() < 0.5,
    "id": lambda r: r.randint(1, 99999), "email": lambda r: f"{r.choice(NAMES).lower()}@{r.choice(['example.com', 'mail.org', 'test.net'])}", "animal": lambda r: r.choice(words.ANIMALS),
    "fruit": lambda r: r.choice(words.FRUITS), "day": lambda r: r.choice(words.DAYS), "tags": lambda r: r.sample(THINGS, r.randint(1, 3)), "weight": lambda r: round(r.uniform(0.1, 90), 1),
    "done": lambda r: r.random() < 0.5, "status": lambda r: r.choice(["open", "closed", "new", "failed"]), "item": lambda r: r.choice(THINGS), "quantity": lambda r: r.randint(1, 40),
    "width": lambda r: r.randint(1, 999), "height": lambda r: r.randint(1, 999), "language": lambda r: r.choice(["English", "German", "French"]), "code": lambda r: words.nonce(r).upper(),
}
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array"}


def record(rng, least=1, most=5):
    keys = rng.sample(list(FIELDS), rng.randint(least, most))
    if rng.random() < 0.3:
        keys = [rng.choice([words.nonce, prose.word])(rng) if rng.random() < 0.5 else k for k in keys]
    made = {k: FIELDS.get(k, lambda r: r.choice([r.randint(0, 99), r.choice(THINGS), prose.word(r), prose.fragment(r, 3)]))(rng) for k in keys}
    return {k: rng.choice([prose.word, prose.proper])(rng) if isinstance(v, str) and rng.random() < 0.3 else v for k, v in made.items()}


def say_value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    return ", ".join(v) if isinstance(v, list) else str(v)


def said(r, rng):
    """A record in words."""
    style = rng.randint(0, 3)
    pairs = [(k, say_value(v)) for k, v in r.items()]
    if style == 0:
        return ", ".join(f"{k} {v}" for k, v in pairs)
    if style == 1:
        return ", ".join(f"{k}: {v}" for k, v in pairs)
    if style == 2:
        return " and ".join(f"{k} = {v}" for k, v in pairs)
    return "; ".join(f"the {k} is {v}" for k, v in pairs)


def dump(v, rng=None):
    return json.dumps(v, ensure_ascii=False)


def json_record(rng):
    r = record(rng)
    q = choose(rng.choice(["[write|give me|make|create|return|output|generate] [a json object|json|a json] with %s", "[convert|turn] [this |]into json: %s", "as json: %s", "json for %s",
                           "[write|return] this as [a |]json[ object|]: %s", "make json of %s", "output only json: %s", "%s. answer in json", "put this in json: %s",
                           "[a small|one] json [object|] holding %s", "represent %s [in|as] json", "[format|serialise|render|print|show] %s as [a |]json[ object|]", "json please: %s", "[build|form] a json object [from|out of] %s",
                           "i [want|would like] json that has %s", "[nothing but|just|only] json: %s", "[can you|would you|please] write a json object [that has|where] %s", "%s - as json", "json object: %s",
                           "make an object in json, its [members|keys and values|entries] are %s", "[set|have] %s in [a|one] json object"]), rng)[0]
    return q.replace("%s", said(r, rng)), dump(r)


def json_list(rng):
    if rng.random() < 0.5:
        kind = rng.choice(list(LISTS))
        items = LISTS[kind][: rng.randint(2, 5)]
        return choose(f"[a json array|json array|a json list|json list] of {len(items)} {kind}", rng)[0], dump(items)
    items = [rng.choice([rng.choice(THINGS), rng.choice(NAMES), rng.choice(CITIES), prose.word(rng), prose.word(rng)]) for _ in range(rng.randint(2, 6))] if rng.random() < 0.6 else [rng.randint(0, 999) for _ in range(rng.randint(2, 6))]
    q = choose("[make|write|give me|return] [a json array|a json list] [of|with|from]", rng)[0] + " " + ", ".join(map(str, items))
    return q, dump(items)


def json_schema(rng):
    """An object after a schema, from a text; sometimes with a list or an object within."""
    r = record(rng, 2, 5)
    if rng.random() < 0.2:
        r[rng.choice(["address", "owner", "details", "parent"])] = record(rng, 1, 2)
    props = {}
    for k, v in r.items():
        if isinstance(v, dict):
            props[k] = {"type": "object", "properties": {a: schema_of(b) for a, b in v.items()}}
        else:
            props[k] = schema_of(v)
    schema = {"type": "object", "properties": props, "required": list(r)}
    flat = {}
    for k, v in r.items():
        flat.update({f"{k} {a}": b for a, b in v.items()} if isinstance(v, dict) else {k: v})
    q = rng.choice(["Extract the data as JSON after this schema: %s\n\n%t", "%t\n\nAnswer in JSON of this schema: %s", "Schema: %s\nText: %t\nJSON:", "Respond with JSON that fits %s. %t"])
    return q.replace("%s", dump(schema)).replace("%t", said(flat, rng)), dump(r)


def schema_of(v):
    return {"type": "array", "items": {"type": "string"}} if isinstance(v, list) else {"type": TYPES[type(v)]}


def json_extract(rng):
    name, age, city, thing = f"{rng.choice(NAMES)} {rng.choice(LAST)}", rng.randint(5, 95), rng.choice(CITIES), rng.choice(THINGS)
    options = [
        (f"{name} is {age} years old and lives in {city}.", {"name": name, "age": age, "city": city}),
        (f"{name} from {city} ordered {age} {thing}s.", {"name": name, "city": city, "quantity": age, "item": thing}),
        (f"The {thing} costs {age} dollars in {city}.", {"item": thing, "price": age, "city": city}),
        (f"On {rng.choice(words.DAYS)} {name} bought a {thing}.", {"name": name, "item": thing}),
        (f"{name} moved from {city} to {rng.choice(CITIES)} with a {thing}.", {"name": name, "item": thing}),
    ]
    text, r = rng.choice(options)
    keys = list(r)
    rng.shuffle(keys)
    keys = keys[: rng.randint(1, len(keys))]
    q = choose(f"[extract|get|find|give me] {', '.join(keys)} [as json |in json |]from[ this text|]:", rng)[0]
    if "json" not in q:
        q = "json: " + q
    return f"{q} {text}", dump({k: r[k] for k in keys})


# No conversation: what was there again, which is how copying is learnt


def echo(rng):
    """Pieces: things at random, and the same once more, in order or as answers to their names."""
    def item():
        return rng.choice([rng.choice(THINGS), rng.choice(NAMES), rng.choice(CITIES), words.nonce(rng), words.nonce(rng), prose.word(rng), prose.word(rng), prose.proper(rng), prose.fragment(rng, 4), str(rng.randint(0, 10 ** rng.randint(1, 5))),
                           rng.choice(words.VERBS) + "_" + rng.choice(words.NOUNS)])

    if rng.random() < 0.5:
        s = rng.choice([" ", ", ", "\n", " / "]).join(item() for _ in range(rng.randint(5, 25)))
        return [(s + "\n", False), (s + "<|endoftext|>", True)]
    pairs = list({words.nonce(rng) if rng.random() < 0.4 else prose.word(rng): item() for _ in range(rng.randint(2, 9))}.items())
    given = rng.choice([", ", "\n", "; ", " "]).join(f"{k}{rng.choice([' ', ' ', ': ', ' = '])}{v}" for k, v in pairs)
    rng.shuffle(pairs)
    return [(given + "\n", False), (dump(dict(pairs)) + "<|endoftext|>", True)]


KINDS = [(repeat, 8), (count, 4), (case, 3), (enumerate_, 5), (arithmetic, 4), (hard_arithmetic, 1), (order, 2), (position, 2), (constrained, 2), (json_record, 14), (json_list, 6),
         (json_schema, 6), (json_extract, 6)]
JSON = (json_record, json_list, json_schema, json_extract)


def ask(rng):
    kinds, weights = zip(*KINDS)
    return rng.choices(kinds, weights)[0](rng)


def written(q, rng):
    if rng.random() < 0.5:
        q = q[:1].upper() + q[1:]
    return q + rng.choice(["", "", "."] if not q.endswith((".", ":")) else [""])


def dialogue(rng):
    turns = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        q, a = ask(rng)
        turns.append((written(q, rng), a))
    return turns
