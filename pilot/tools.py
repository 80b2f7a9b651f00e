"""Tool calls over invented tools: which to call, with what, several at once, none where none fits, and
results turned into answers. No tool of the evaluation is among them; names are drawn at random."""
import json
import re

import prose
import words
from facts import choose
from words import CITIES, LAST, NAMES, THINGS

# What a parameter may be: its names, its schema, its values, how a user says it (%v the value).
def text(values, *names, say=("%k %v", "with %k %v", "%k: %v", "the %k is %v"), **more):
    return names, {"type": "string", **more}, values, say


def sentence(r):
    kind = r.random()
    if kind < 0.6:
        return prose.fragment(r, 10)
    return r.choice(words.SENTENCES) if kind < 0.75 else f"{r.choice(words.VERBS)} the {r.choice(words.ADJECTIVES)} {r.choice(THINGS)}"


def path(r):
    folders = ["src", "docs", "home", "tmp", "data", "lib", "test", "etc", "var", words.nonce(r), prose.word(r), r.choice(words.NOUNS)]
    parts = r.sample(folders, r.randint(0, 2)) + [r.choice([words.nonce(r), prose.word(r), prose.word(r), r.choice(words.NOUNS), r.choice(THINGS)]) + r.choice([".txt", ".py", ".c", ".md", ".json", ".log", ".csv", ""])]
    return r.choice(["/", "", "./", "~/"]) + "/".join(parts)


def command(r):
    return r.choice(["ls", "ls -la", "git status", "git log", "make test", "pwd", "date", "df -h", "cat %p", "wc -l %p", "rm %p", "head %p", "python %p", "mkdir %p", "uptime", "echo %w", "grep %w %p", "git %w", "make %w", "%w %w", "%w -%l %p", "%w --%w"]).replace(
        "%p", path(r)).replace("%l", r.choice("abcdefghklnprstuvx")).replace("%w", r.choice([words.nonce(r), prose.word(r), prose.word(r)]))


def code(r):
    return "".join(r.choice("ABCDEFGHKLMNPQRSTUVWXYZ") for _ in range(r.randint(1, 3))) + r.choice(["-", "", ""]) + str(r.randint(1, 9999))


def date(r):
    return f"{r.randint(2020, 2032)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def clock(r):
    return f"{r.randint(0, 23):02}:{r.choice(['00', '15', '30', '45', '05', '20'])}"


def thing(r):
    kind = r.random()
    if kind < 0.2:
        return r.choice(THINGS)
    if kind < 0.75:
        return prose.word(r) if kind < 0.5 else prose.fragment(r, 4)
    return f"{r.choice(words.ADJECTIVES)} {r.choice(THINGS)}" if kind < 0.85 else words.nonce(r)


def city(r):
    kind = r.random()
    return r.choice(CITIES) if kind < 0.5 else prose.proper(r) if kind < 0.8 else words.nonce(r).capitalize()


def name(r):
    kind = r.random()
    return r.choice(NAMES) if kind < 0.5 else prose.proper(r) if kind < 0.8 else words.nonce(r).capitalize()


def word(r):
    return r.choice(THINGS) if r.random() < 0.3 else prose.word(r)


def last(r):
    return r.choice(LAST) if r.random() < 0.5 else prose.proper(r)


def domain(r):
    return f"{r.choice(['example', 'mail', 'test', words.nonce(r), prose.word(r), prose.word(r)])}.{r.choice(['com', 'org', 'net', 'io', 'de'])}"


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
    (("count", "limit", "n", "amount", "quantity", "number", "people", "size", "level", "max_results"), {"type": "integer"}, lambda r: r.randint(1, 10 ** r.randint(1, 4)), ("%v", "%k %v", "with %k %v", "%v as %k", "%k = %v")),
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
    return name, schema, values, lambda r, v: r.choice(say).replace("%k", name.replace("_", " ") if r.random() < 0.7 else name).replace("%v", plain(v))


def distinct(items):
    return list(dict.fromkeys(items))


def enumeration(v):
    v = [plain(x) for x in v]
    return v[0] if len(v) == 1 else ", ".join(v[:-1]) + " and " + v[-1]


def plain(v):
    return {True: "true", False: "false"}[v] if isinstance(v, bool) else str(v)


class Tool:
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
                                  f"{self.noun}", f"use {self.name} [for|to get] [the|] {self.noun}", f"[call|use|run] {self.name}"]), rng)[0]
        joint = rng.choice([" ", " ", ", "])
        request = joint.join([what, *said]).strip()
        return args, request


# Tools as people make them, and requests as people say them: names, description, parameters (name, ? for
# optional: schema or type, values), requests that say the parameters by number.
STRING, INTEGER, NUMBER, BOOLEAN = ({"type": k} for k in ("string", "integer", "number", "boolean"))
room = lambda r: r.choice("cellar hall garage attic garden lounge study porch".split()) if r.random() < 0.4 else prose.word(r)
currency = lambda r: "".join(r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(3))
language = lambda r: r.choice(["Swedish", "Czech", "Greek", "Turkish", "Hindi", "Korean"]) if r.random() < 0.5 else prose.proper(r)
title = lambda r: " ".join(w.capitalize() for w in prose.fragment(r, 4).split()) if r.random() < 0.5 else prose.proper(r)
small = lambda r: r.randint(1, 60)
REAL = [
    ("forecast|get_forecast|weatherForecast|weather", "Weather forecast of a place", [("place|location|where", STRING, city), ("days?|n_days?", INTEGER, lambda r: r.randint(1, 9))],
     ["what will the weather be in {0}", "is it going to rain in {0}", "weather {0} for {1} days", "forecast for {0}, {1} days", "do i need an umbrella in {0}", "how cold is it in {0}", "{1} days of weather in {0}"]),
    ("read_file|ReadFile|view|open_file|cat_file", "Read a file", [("path|file|filename", STRING, path)], ["read {0}", "show me {0}", "what is in {0}", "open the file {0}", "print {0}", "look into {0}"]),
    ("write_file|WriteFile|save_file|create_file", "Write a file", [("path|file", STRING, path), ("content|text|contents", STRING, sentence)],
     ["write \"{1}\" to {0}", "create {0} with the content \"{1}\"", "save \"{1}\" as {0}", "make a file {0} that says \"{1}\""]),
    ("run_command|shell|exec|terminal|run_shell", "Run a shell command", [("command|cmd", STRING, command)], ["run {0}", "execute {0}", "run `{0}`", "please run the command {0}", "what does {0} print", "{0}"]),
    ("search_files|find_in_files|SearchCode|rg", "Search files for a text", [("query|text|regex", STRING, thing), ("folder?|dir?", STRING, path)], ["search for {0}", "find {0} in the code", "where is {0} used", "search {1} for {0}", "look for {0} in {1}"]),
    ("list_directory|ls|listFiles|list_folder", "List a folder", [("path|folder|directory", STRING, path)], ["list {0}", "what files are in {0}", "show the folder {0}", "ls {0}"]),
    ("web_search|search_web|google|SearchInternet", "Search the web", [("query|q", STRING, thing)], ["search the web for {0}", "google {0}", "look up {0} online", "find pages about {0}"]),
    ("fetch_url|get_page|http_get|download", "Fetch a web page", [("url|link", STRING, lambda r: f"https://{words.nonce(r)}.{r.choice(['com', 'org'])}")], ["fetch {0}", "download {0}", "get the page {0}", "what does {0} say"]),
    ("mail|email_send|compose_mail|sendMail", "Send a mail", [("recipient|address", STRING, lambda r: f"{name(r).lower()}@{words.nonce(r)}.org"), ("subject|title", STRING, word), ("text|message", STRING, sentence)],
     ["send a mail to {0} about {1}: {2}", "mail {0}, subject {1}, text \"{2}\"", "write to {0} with the subject {1} and the text \"{2}\""]),
    ("set_timer|timer|startTimer|countdown", "Set a timer", [("minutes|duration_minutes|mins", INTEGER, small), ("name?|title?", STRING, word)], ["set a timer for {0} minutes", "wake me in {0} minutes", "{0} minutes timer called {1}", "timer {0} minutes", "remind me in {0} minutes of the {1}"]),
    ("set_alarm|alarm|addAlarm", "Set an alarm", [("time|at", STRING, clock)], ["wake me up at {0}", "set an alarm for {0}", "alarm at {0}"]),
    ("add_reminder|remind|reminder", "Remind the user of something", [("text|what", STRING, lambda r: f"{r.choice(['buy', 'call', 'clean', 'return', 'fetch', prose.word(r)])} the {word(r)}"), ("when|date", STRING, date)], ["remind me to {0} on {1}", "reminder on {1}: {0}", "do not let me forget to {0}, {1}"]),
    ("switch_lamp|lamp|lights|turn_light", "Turn a light on or off", [("room|place", STRING, room), ("on|state", BOOLEAN, None)],
     ["turn {1:on|off} the light in the {0}", "lights {1:on|off} in the {0}", "switch the {0} lamp {1:on|off}", "make it {1:bright|dark} in the {0}"]),
    ("thermostat|set_temperature|heat", "Set the temperature of a room", [("room|zone", STRING, room), ("temperature|celsius|value", NUMBER, lambda r: r.choice([r.randint(12, 27), r.randint(24, 54) / 2]))],
     ["set the {0} to {1} degrees", "make it {1} degrees in the {0}", "heat the {0} to {1}", "temperature of {1} in the {0}"]),
    ("calculate|calc|subtract|divide|power|sum", "Compute with two numbers", [("a|x|left|first", NUMBER, lambda r: r.choice([r.randint(0, 999), round(r.uniform(0, 99), 2)])), ("b|y|right|second", NUMBER, lambda r: r.choice([r.randint(1, 999), round(r.uniform(0, 99), 1)]))],
     ["{0} and {1}", "use {0} and {1}", "with {0} and {1}", "compute it for {0} and {1}"]),
    ("exchange|currency|convert_money|exchangeRate", "Convert between currencies", [("value|sum|money", NUMBER, lambda r: r.randint(1, 9000)), ("from|from_currency|have", STRING, currency), ("to|to_currency|want", STRING, currency)],
     ["how much are {0} {1} in {2}", "convert {0} {1} to {2}", "change {0} {1} into {2}", "{0} {1} in {2}"]),
    ("quote|share|ticker|get_stock", "Price of a share", [("symbol|ticker|stock", STRING, lambda r: "".join(r.choice("ABCDEFGHIKLMNOPRSTUVXZ") for _ in range(r.randint(2, 4))))], ["how is {0} doing", "price of {0}", "what does a share of {0} cost", "stock {0}", "{0} share price"]),
    ("hotel|book_hotel|reserve_hotel", "Book a hotel", [("city|town", STRING, city), ("nights", INTEGER, lambda r: r.randint(1, 14)), ("stars?", INTEGER, lambda r: r.randint(2, 5))], ["book a hotel in {0} for {1} nights", "i need a room in {0}, {1} nights", "hotel in {0} with {2} stars for {1} nights", "{1} nights in {0}"]),
    ("train|find_train|connection|trains", "Find a train", [("from|start|origin", STRING, city), ("to|goal|destination", STRING, city), ("at?|time?", STRING, clock)], ["train from {0} to {1}", "how do i get from {0} to {1}", "trains from {0} to {1} at {2}", "i must go from {0} to {1}", "next train to {1} from {0}"]),
    ("play|play_music|music|playTrack", "Play music", [("title|track|what", STRING, title), ("artist?|by?", STRING, lambda r: name(r) if r.random() < 0.5 else f"{name(r)} {last(r)}")], ["play {0}", "play {0} by {1}", "i want to hear {0}", "put on {0} by {1}"]),
    ("volume|setVolume|loudness", "Set the volume", [("level|value|volume", INTEGER, lambda r: r.randint(0, 100))], ["volume to {0}", "set the volume to {0} percent", "make it {0} percent loud", "volume {0}"]),
    ("sql|run_sql|db_query|execute_query", "Run an SQL query", [("query|statement|q", STRING, lambda r: f"select {r.choice(['*', 'name', 'count(*)', 'id, name'])} from {r.choice(words.NOUNS)}s")], ["run {0}", "query: {0}", "what does \"{0}\" give", "execute \"{0}\" on the database"]),
    ("translate|translator|translateText", "Translate a text", [("text|phrase", STRING, sentence), ("language|target|lang", STRING, language)], ["translate \"{0}\" to {1}", "how do you say \"{0}\" in {1}", "what is \"{0}\" in {1}", "\"{0}\" in {1} please"]),
    ("ticket|new_ticket|create_bug|bug", "Open a ticket", [("title|summary", STRING, lambda r: f"{word(r).capitalize()} {r.choice(['is broken', 'does not open', 'is missing', 'is too slow', prose.fragment(r, 4)])}"), ("priority|level", {"type": "string", "enum": ["low", "normal", "high"]}, None)],
     ["open a ticket \"{0}\" with {1} priority", "report that \"{0}\", priority {1}", "new {1} ticket: {0}", "file a bug \"{0}\", {1}"]),
    ("parcel|track|shipment|where_is", "Where a parcel is", [("code|tracking|id", STRING, code)], ["where is my parcel {0}", "track {0}", "has {0} arrived", "status of shipment {0}"]),
    ("define|dictionary|lookup|meaning", "Meaning of a word", [("word|term", STRING, lambda r: r.choice([word(r), words.nonce(r)]))], ["what does {0} mean", "define {0}", "meaning of {0}", "look {0} up"]),
    ("whois|user|get_person|profile", "Look a user up", [("id|user_id|uid", INTEGER, lambda r: r.randint(1, 99999))], ["who is user {0}", "show user {0}", "get the profile {0}", "details of user {0}"]),
    ("deploy|release|rollout", "Deploy something", [("app|project|what", STRING, lambda r: r.choice([word(r), words.nonce(r)])), ("stage|env|target", {"type": "string", "enum": ["dev", "test", "live"]}, None)], ["deploy {0} to {1}", "bring {0} to {1}", "release {0} on {1}", "roll {0} out to {1}"]),
    ("todo|add_task|tasks_add|note", "Add to a list", [("items|entries", {"type": "array", "items": STRING}, lambda r: distinct([word(r) for _ in range(r.randint(1, 4))]))], ["add {0}", "put {0} on the list", "note {0}", "i need {0}"]),
    ("time_now|now|clock|today|list_jobs|status|logout|refresh", "No parameters", [], ["what time is it", "now", "show it", "do it", "go ahead"]),
]


def respelled(name, rng):
    """A name with a word more or less, in any style: names are to be read, not known by heart."""
    parts = [p.lower() for p in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    if rng.random() < 0.6:
        extra = rng.choice([rng.choice(words.NOUNS), rng.choice(words.VERBS), words.nonce(rng), prose.word(rng), prose.word(rng), "tool", "api", "my"])
        parts.insert(rng.choice([0, len(parts)]), extra)
    style = rng.random()
    if style < 0.6:
        return "_".join(parts)
    if style < 0.75:
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    if style < 0.87:
        return "".join(p.capitalize() for p in parts)
    return "-".join(parts) if style < 0.95 else f"mcp__{words.nonce(rng)}__" + "_".join(parts)


class RealTool:
    """One of REAL, under a name like one of its own."""

    def __init__(self, rng, taken):
        names, self.description, params, self.requests = rng.choice(REAL)
        self.name = respelled(rng.choice(names.split("|")), rng)
        while self.name in taken:
            self.name += "_" + rng.choice(words.NOUNS)
        self.verb, self.noun = names.split("|")[0], self.description.lower()
        self.params = []
        for alternatives, schema, values in params:
            n = rng.choice(alternatives.split("|"))
            if rng.random() < 0.4:
                n = rng.choice([words.nonce(rng), prose.word(rng), prose.word(rng), n.rstrip("?") + "_" + rng.choice(["name", "value", "text", "arg"])])
            while n.rstrip("?") in [p[0] for p in self.params]:
                n = words.nonce(rng)
            if "enum" in schema:
                values = lambda r, e=schema["enum"]: r.choice(e)
            if schema is BOOLEAN:
                values = lambda r: r.random() < 0.5
            self.params.append((n.rstrip("?"), not n.endswith("?") and "?" not in alternatives, schema, values))
        self.described = rng.random() < 0.3

    def schema(self, rng):
        props = {n: dict(s, **({"description": f"The {n.replace('_', ' ')}"} if self.described else {})) for n, _, s, _ in self.params}
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": {
            "type": "object", "properties": props, "required": [n for n, required, _, _ in self.params if required]}}}

    def call(self, rng):
        request = rng.choice(self.requests)
        if not self.params:
            return {}, f"{request} ({self.name})" if rng.random() < 0.3 else f"{self.name.replace('_', ' ')}, {request}"
        args = {}
        for i, (n, _, _, values) in enumerate(self.params):
            if f"{{{i}" in request:
                v = args[n] = values(rng)
                request = re.sub(r"\{%d:(\w+)\|(\w+)\}" % i, lambda m: m[1] if v else m[2], request)
                request = request.replace(f"{{{i}}}", enumeration(v) if isinstance(v, list) else plain(v))
        if self.description.startswith("Compute"):
            request = f"{self.name.replace('_', ' ')} {request}"
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


def request_written(q, rng):
    style = rng.random()
    if style < 0.5:
        q = q[0].upper() + q[1:]
    return q + rng.choice(["", "", ".", "?", "!", " please"])


def call_message(calls):
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in calls]}


def dialogue(rng, other):
    """Messages, and tools. `other` draws a question and its answer that no tool is needed for."""
    taken, tools = set(), []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 2, 3, 3, 4, 5])):
        akin = rng.choice(tools) if tools and rng.random() < 0.5 else None
        t = RealTool(rng, taken) if rng.random() < 0.4 else Tool(rng, taken, akin)
        taken.add(t.name)
        tools.append(t)
    messages = []
    for _ in range(rng.choice([1, 1, 2, 3, 4, 5, 6])):  # many to a list of tools: it is the calls that are learnt
        kind = rng.random()
        if kind < 0.14:
            q, a = other(rng)
            messages += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
            continue
        if kind < 0.22:  # something to do that none of them does
            stranger = Tool(rng, taken)
            if any(t.verb == stranger.verb or set(t.noun.split()) & set(stranger.noun.split()) for t in tools):
                continue
            _, q = stranger.call(rng)
            messages += [{"role": "user", "content": request_written(q.replace(stranger.name, "a tool"), rng)}, {"role": "assistant", "content": NO_TOOL}]
            continue
        chosen = [rng.choice(tools)]
        if kind < 0.38:  # two calls at once, of one tool or two
            chosen.append(rng.choice(tools))
        calls, requests = [], []
        for t in chosen:
            args, q = t.call(rng)
            calls.append((t.name, args))
            requests.append(q)
        q = rng.choice([" and ", ", then ", ", and ", " and also "]).join(requests)
        messages += [{"role": "user", "content": request_written(q, rng)}, call_message(calls)]
        if rng.random() < 0.85:
            said = []
            for _, args in calls:
                r, a = result(rng, args)
                messages.append({"role": "tool", "content": r})
                said.append(a)
            messages.append({"role": "assistant", "content": " ".join(said)})
        else:
            break
    return messages, [t.schema(rng) for t in tools]
