"""Simple instructions, and JSON."""
import json
import re

import prose
import values
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
    "country": lambda r: r.choice(COUNTRIES), "colour": lambda r: r.choice(words.COLOURS), "price": lambda r: round(r.uniform(1, 300), 2), "count": lambda r: r.randint(0, 10 ** r.randint(1, 7)),
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


def say_value(v, quote=""):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, list):
        return ", ".join(quote + x + quote for x in v)
    return quote + v + quote if isinstance(v, str) else str(v)


PAIRS = ["%k %v", "%k: %v", "%k = %v", "%k=%v", "the %k is %v", "%k set to %v", "%k is %v", "%k as %v", "%v as %k", "%v for %k", "%k -> %v", "a %k of %v", "%k being %v", "%k should be %v", "%k equal to %v",
         "%k with the value %v", "the value %v under %k", "its %k %v", "a key %k holding %v", "member %k = %v", "key %k (value %v)", "the entry %k being %v"]
JOINTS = [", ", ", ", " and ", "; ", "\n"]


def said(r, rng):
    """A record in words."""
    pair, quote, mark = rng.choice(PAIRS[:3] if rng.random() < 0.4 else PAIRS), rng.choice(["", "", "", '"', "'"]), rng.choice(["", "", "", "", '"', "`"])
    parts = [pair.replace("%k", mark + k + mark).replace("%v", say_value(v, quote)) for k, v in r.items()]
    if len(parts) > 1 and rng.random() < 0.3:
        return ", ".join(parts[:-1]) + rng.choice([" and ", ", and "]) + parts[-1]
    return rng.choice(JOINTS[:4] if rng.random() < 0.9 else JOINTS[4:]).join(parts)


def dump(v, rng=None):
    return json.dumps(v, ensure_ascii=False)


OBJECT = [
    # as an order
    "[write|give me|make|create|return|output|generate|produce|emit|send|type|print] [a json object|json|some json|an object in json|a piece of json] with %s", "[convert|turn|change|transform|translate] [this |the following |]into json: %s",
    "[write|return|put|express|encode|state] this as [a |]json[ object|]: %s", "[make|build|form] json of %s", "output only json: %s", "put this in json: %s", "represent %s [in|as] json", "put %s [in|into] [a|one] json object",
    "[format|serialise|serialize|render|print|show|encode|dump] %s as [a |]json[ object|]", "[build|form|assemble|construct] a json object [from|out of] %s", "make an object in json, its [members|keys and values|entries|properties] are %s",
    "[set|have] %s in [a|one] json object", "respond in json[ only|]: %s", "answer with [a|one] json object [that has|with|of] %s", "reply with json where %s", "write down as json that %s", "fill a json object: %s", "say this in json: %s",
    "create json, [the |]fields are %s", "create a json [document|record|dictionary|structure] with [the fields|the keys|the properties|the attributes|the members] %s", "make me a json [record|dict|map|entry] of %s",
    "[store|keep|write] %s as json", "[wrap|pack] %s [in|into] json", "produce nothing but the json object for %s", "take %s and [make|write] json of it", "use json to say %s", "give %s back as json",
    # without a verb
    "as json: %s", "json for %s", "%s. answer in json", "[a small|one|a] json [object|record] holding %s", "json please: %s", "[nothing but|just|only] json: %s", "%s - as json", "json object: %s", "json, %s", "%s, as json", "%s in json",
    "json object, [fields|keys|members]: %s", "fields: %s. format: json", "format json. %s", "one json object[, no more|]: %s", "%s => json", "json with %s", "json object with %s[, nothing else|]", "a record in json: %s", "%s (json please)",
    "data: %s. [wanted|output|answer]: json", "the following as a json object: %s",
    # as a question or a wish
    "i [want|would like] json that has %s", "[can you|could you|would you|please] write a json object [that has|where] %s", "how does %s look in json", "what would %s be in json", "what is the json for %s", "may i have json with %s",
    "i need [a json object|json] [with|where|in which] %s", "how do i write %s as json", "could i get %s as json", "[show me|tell me] what json with %s looks like", "would you mind giving me json with %s", "my program wants json: %s",
    "what does a json object with %s look like",
]
COLUMNS = ["json with [the |](keys|fields) %k and [the |]values %v", "[write|make|give me] a json object with [the |](keys|fields|members) %k, [the |]values are %v", "keys: %k. values: %v. json", "fields %k, values %v, as json", "json object, keys %k, values %v in this order"]


def listed(items, rng):
    if len(items) == 1 or rng.random() < 0.4:
        return ", ".join(items)
    return ", ".join(items[:-1]) + rng.choice([" and ", ", and "]) + items[-1]


def json_record(rng):
    r = record(rng)
    if rng.random() < 0.1 and not any(isinstance(v, list) for v in r.values()):
        q = choose(rng.choice(COLUMNS), rng)[0]
        return q.replace("%k", listed(list(r), rng)).replace("%v", listed([say_value(v) for v in r.values()], rng)), dump(r)
    return choose(rng.choice(OBJECT), rng)[0].replace("%s", said(r, rng)), dump(r)


LIST = [
    "[make|write|give me|return|create|output|print|build] [a json array|a json list|json, a list|an array in json] [of|with|from|holding|containing] %s", "[put|pack|write] %s [in|into] [a json array|a json list]", "[a json array|json array|a json list|json list]: %s",
    "[give me|send] %s as [a json array|a json list|json]", "[turn|convert|change] %s into [a json array|a json list]", "json array [with|of] [these|the] [items|elements|values]: %s", "[the list|list|items]: %s. [answer|output|write] [a json array|json]",
    "what is %s as [a json array|a json list]", "could you write %s as [a json list|a json array]", "i need [a json list|a json array] of %s", "an array of %s, in json", "elements %s, json array please", "how do i write the list %s in json",
    "return only a json array: %s", "json list with the elements %s", "make json of the list %s", "only json, a list of %s", "list these in json: %s",
]


def json_list(rng):
    kind = rng.random()
    if kind < 0.3:
        kind = rng.choice(list(LISTS))
        items = LISTS[kind][: rng.randint(2, 5)]
        n = rng.choice([str(len(items)), NUMBERS[len(items)]])
        return choose(f"[a json array of|json array of|a json list of|json list:|give me a json array of|write a json list of|i need a json array with|name as a json list|json, a list of] {n} {kind}", rng)[0], dump(items)
    if kind < 0.4:  # numbers in a row
        low, n = rng.randint(0, 50), rng.randint(2, 9)
        return choose(f"[a json array|json array|json list|write a json list|make a json array] of [the numbers|numbers|all numbers] from {low} to {low + n}", rng)[0], dump(list(range(low, low + n + 1)))
    if kind < 0.55:
        return json_records(rng)
    items = [rng.choice([rng.choice(THINGS), rng.choice(NAMES), rng.choice(CITIES), prose.word(rng), prose.word(rng), words.nonce(rng)]) for _ in range(rng.randint(1, 6))] if rng.random() < 0.65 else [rng.randint(0, 999) for _ in range(rng.randint(2, 6))]
    quote = rng.choice(["", "", "", '"', "'"])
    return choose(rng.choice(LIST), rng)[0].replace("%s", listed([say_value(x, quote) for x in items], rng)), dump(items)


def json_records(rng):
    """A list of objects with the same keys."""
    first = {k: v for k, v in record(rng, 1, 3).items() if not isinstance(v, list)} or {"id": 1}
    rows = [first] + [{k: FIELDS[k](rng) if k in FIELDS else prose.word(rng) for k in first} for _ in range(rng.randint(1, 2))]
    pair = rng.choice(["%k %v", "%k: %v", "%k = %v"])
    text = rng.choice(["; ", "\n", " / "]).join(", ".join(pair.replace("%k", k).replace("%v", say_value(v)) for k, v in row.items()) for row in rows)
    if rng.random() < 0.3:  # a table
        text = "\n".join(", ".join(line) for line in [list(first)] + [[say_value(v) for v in row.values()] for row in rows])
    q = rng.choice(["a json list of [%n |]objects: %s", "[write|make|return] a json array of objects: %s", "[%n |]records as a json array: %s", "json array, one object [each|per record]: %s", "turn these [records|rows|lines] into a json array of objects: %s",
                    "as a list of json objects: %s", "[rows|table] to json: %s", "an array of [%n |]objects, in json: %s"])
    return choose(q, rng)[0].replace("%n", str(len(rows))).replace("%s", text), dump(rows)


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
    q = rng.choice(["Extract the data as JSON after this schema: %s\n\n%t", "%t\n\nAnswer in JSON of this schema: %s", "Schema: %s\nText: %t\nJSON:", "Respond with JSON that fits %s. %t", "Here is a schema: %s\nFill it in: %t",
                    "%t\nSchema: %s", "JSON schema: %s. Data: %t", "Use the schema %s for this: %t", "Your answer must match %s.\n\n%t", "Make an object of the schema %s out of: %t", "Text: %t\n\nWhat is in it, by this schema? %s",
                    "%s\n\n%t", "Given %t, write the JSON that this schema asks for: %s"])
    return q.replace("%s", dump(schema)).replace("%t", said(flat, rng)), dump(r)


def schema_of(v):
    return {"type": "array", "items": {"type": "string"}} if isinstance(v, list) else {"type": TYPES[type(v)]}


EXTRACT = ["[extract|get|find|give me|read|pull out|take] %k [as json |in json |]from[ this text|]: %t", "%t [extract|give me|return] %k as json", "[which|what] %k [is|are] in this text? [answer in json|json]: %t", "json with %k from[ the text|]: %t",
           "%t json with the (keys|fields) %k", "text: %t fields: %k. json", "fill in %k [in json |]from: %t", "%k as json: %t", "make json with %k out of: %t", "%t what are %k? json please", "read this and [write|return] json with %k: %t",
           "from the sentence \"%t\" take %k, as json", "[what|which] %k does this [name|mention|give]? reply in json. %t", "i need %k in json from this: %t", "parse into json, (keys|fields) %k: %t"]


def json_extract(rng):
    name, age, city, thing = f"{rng.choice(NAMES)} {rng.choice([rng.choice(LAST), prose.proper(rng)])}", rng.randint(5, 95), rng.choice([rng.choice(CITIES), prose.proper(rng)]), rng.choice([rng.choice(THINGS), prose.word(rng)])
    day, country, animal = rng.choice(words.DAYS), rng.choice(COUNTRIES), rng.choice(words.ANIMALS)
    text, r = rng.choice([
        (f"{name} is {age} years old and lives in {city}.", {"name": name, "age": age, "city": city}),
        (f"{name} from {city} ordered {age} {animal}s.", {"name": name, "city": city, "quantity": age, "item": animal}),
        (f"The {thing} costs {age} dollars in {city}.", {"item": thing, "price": age, "city": city}),
        (f"On {day} {name} bought a {thing}.", {"name": name, "item": thing, "day": day}),
        (f"{name} moved from {city} to {rng.choice(CITIES)} with a {thing}.", {"name": name, "item": thing}),
        (f"My name is {name}, I am {age} and I come from {country}.", {"name": name, "age": age, "country": country}),
        (f"{name} has a {animal} that weighs {age} kilos.", {"name": name, "animal": animal, "weight": age}),
        (f"In {city} it was {age} degrees on {day}.", {"city": city, "temperature": age, "day": day}),
        (f"The meeting with {name} is on {day} in {city}.", {"name": name, "day": day, "city": city}),
        (f"{name} wrote \"The {thing.capitalize()}\" in {1900 + age}.", {"author": name, "title": f"The {thing.capitalize()}", "year": 1900 + age}),
        (f"Order {age}: one {thing} for {name}, {city}.", {"order": age, "item": thing, "name": name, "city": city}),
        (f"There are {age} {animal}s on the farm of {name} near {city}.", {"count": age, "animal": animal, "name": name, "city": city}),
    ])
    keys = list(r)
    rng.shuffle(keys)
    keys = keys[: rng.randint(1, len(keys))]
    q = choose(rng.choice(EXTRACT), rng)[0]
    if "json" not in q:
        q = "json: " + q
    return q.replace("%k", listed(keys, rng)).replace("%t", text), dump({k: r[k] for k in keys})


EDIT = {
    "again": ["[repeat|copy|echo|write] this json: %r", "%r - the same again[, please|]", "[print|send back|give back] the json %r", "json: %r. [copy it|say it again]", "answer with %r and nothing else"],
    "set": ["[change|set] %k to %v in %r", "%r [but|only] with %k %v", "in %r [replace|change] the value of %k by %v", "take %r and [let|make] %k %v", "%r: %k should be %v", "update %r, %k is now %v"],
    "drop": ["[remove|drop|delete] %k from %r", "%r without %k", "take %k out of %r", "%r, but leave %k away"],
    "add": ["add %k %v to %r", "%r and also %k %v", "[extend|complete] %r by %k: %v", "put %k = %v into %r as well", "%r needs %k, which is %v"],
}


def json_edit(rng):
    """JSON again, with a member changed, added or left away."""
    r, kind = record(rng, 1, 4), rng.choice(list(EDIT))
    key = rng.choice(list(r))
    value = record(rng, 1, 1).popitem()[1]
    q = choose(rng.choice(EDIT[kind]), rng)[0].replace("%r", dump(r))
    if kind == "drop":
        r = {k: v for k, v in r.items() if k != key}
    elif kind == "set":
        r = {**r, key: value}
    elif kind == "add":
        key = rng.choice([k for k in [*FIELDS, prose.word(rng)] if k not in r])
        r = {**r, key: value}
    return q.replace("%k", key).replace("%v", dump(value) if isinstance(value, list) else say_value(value)), dump(r)


# No conversation: what was there again, which is how copying is learnt

ANY = [values.path, values.command, values.code, values.date, values.clock, values.mail, values.url, values.host, values.title, values.phone, values.branch, values.image, values.variable,
       values.version, values.sql, values.commit, values.formula, values.symbol, values.currency, values.handle, values.symbol_name, values.sentence, values.errand, values.number]
MARKERS = "in at to for from with by of on is as near into about under over than via after before until since without".split()


def item(rng):
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(ANY)(rng)
    if kind < 0.5:
        return rng.choice([rng.randint(0, 10 ** rng.randint(1, 8)), values.capital_letters(rng, rng.randint(1, 5)), rng.choice(words.VERBS) + "_" + rng.choice(words.NOUNS)])
    return rng.choice([rng.choice(THINGS), rng.choice(NAMES), rng.choice(CITIES), words.nonce(rng), words.nonce(rng).capitalize(), prose.word(rng), prose.word(rng), prose.proper(rng), prose.fragment(rng, 4)])


def echo(rng):
    """Pieces: things at random, and the same once more, in order or as answers to their names."""
    kind = rng.random()
    if kind < 0.3:
        s = rng.choice([" ", ", ", "\n", " / "]).join(str(item(rng)) for _ in range(rng.randint(4, 20)))
        return [(s + "\n", False), (s + "<|endoftext|>", True)]
    if kind < 0.55:
        return lookup(rng)
    pairs = list({words.nonce(rng) if rng.random() < 0.3 else prose.word(rng): item(rng) for _ in range(rng.randint(2, 9))}.items())
    given = rng.choice([", ", "\n", "; ", " "]).join(f"{k}{rng.choice([' ', ' ', ': ', ' = '])}{v}" for k, v in pairs)
    rng.shuffle(pairs)
    return [(given + "\n", False), (dump(dict(pairs)) + "<|endoftext|>", True)]


def lookup(rng):
    """Things among words, and which stands behind one word or before another, as JSON whose keys are given."""
    keys = list(dict.fromkeys(rng.choice([rng.choice(MARKERS), prose.word(rng)]) for _ in range(rng.randint(2, 6))))
    wanted = {key: item(rng) for key in keys}
    said = []
    for key, v in wanted.items():
        spoken = f'"{v}"' if rng.random() < 0.2 else str(v)
        before = key not in MARKERS and rng.random() < 0.3
        filler = prose.fragment(rng, 3) + " " if rng.random() < 0.3 else ""
        said.append(filler + (f"{spoken} {key}" if before else f"{key} {spoken}"))
    rng.shuffle(keys)
    pieces = [(" ".join(said) + "\n", False)]
    for i, key in enumerate(keys):
        pieces.append((f'{" " if i else "{"}"{key}":', False))
        pieces.append((f" {dump(wanted[key])}" + ("," if i + 1 < len(keys) else "}<|endoftext|>"), True))
    return pieces


KINDS = [(repeat, 8), (count, 4), (case, 3), (enumerate_, 5), (arithmetic, 4), (hard_arithmetic, 1), (order, 2), (position, 2), (constrained, 2), (json_record, 20), (json_list, 8),
         (json_schema, 6), (json_extract, 6), (json_edit, 4)]
JSON = (json_record, json_list, json_schema, json_extract, json_edit)


def ask(rng):
    kinds, weights = zip(*KINDS)
    return rng.choices(kinds, weights)[0](rng)


def written(q, rng):
    if rng.random() < 0.6:
        q = re.sub(r"\bjson\b", "JSON", q)
    if rng.random() < 0.5:
        q = q[:1].upper() + q[1:]
    return q + rng.choice(["", "", "."] if not q.endswith((".", ":")) else [""])


def dialogue(rng):
    turns = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        q, a = ask(rng)
        turns.append((written(q, rng), a))
    return turns
