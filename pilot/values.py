"""Values that tools are called with, each drawn by a function of a random generator. Most are made of pieces of real
texts, so that they must be copied and are not known by heart."""
import re

import prose
import words
from words import CITIES, LAST, NAMES, THINGS


def distinct(items):
    return list(dict.fromkeys(items))


def sentence(r):
    kind = r.random()
    if kind < 0.6:
        return prose.fragment(r, 10) if kind < 0.35 else phrase(r)
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
    if kind < 0.15:
        return r.choice(THINGS)
    if kind < 0.55:
        return prose.word(r) if kind < 0.4 else prose.fragment(r, 4)
    if kind < 0.93:
        return phrase(r) if kind < 0.75 else f"{r.choice(words.ADJECTIVES)} {r.choice(THINGS)}" if kind < 0.8 else compound(r)
    return words.nonce(r)


PHRASES = """%n is %a|%v the %n|%v the %n on %d|%n and %n|%n for %p|%a %n in %c|how to %v a %n|best %n in %c|%n %i|%n version %i|the %n of %p|new %n at %t|%n not %a|%p needs a %n|see you at %t|call %p
why %n is %a|%n near %c|cheap %n for %i people|%v %n before %d|%n with %n|%d %n|meet %p in %c|%n from %c|%i %n|no %n today|the %n did not %v|%a and %a|where is the %n|thanks for the %n""".replace("\n", "|").split("|")


def phrase(r):
    """A few words as people write them in titles, searches and notes."""
    drawn = {"n": lambda: word(r), "a": lambda: r.choice([r.choice(words.ADJECTIVES), prose.word(r)]), "v": lambda: r.choice([r.choice(words.VERBS), prose.word(r)]), "d": lambda: r.choice(words.DAYS),
             "p": lambda: name(r), "c": lambda: city(r), "t": lambda: clock(r), "i": lambda: str(r.randint(1, 99))}
    text = re.sub(r"%(\w)", lambda m: drawn[m[1]](), r.choice(PHRASES))
    return text[0].upper() + text[1:] if r.random() < 0.5 else text


def compound(r):
    return f"{r.choice([prose.word(r), r.choice(words.NOUNS)])} {r.choice([word(r), r.choice(words.NOUNS)])}"


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


def either(*functions):
    return lambda r: r.choice(functions)(r)


def known(listed, share, otherwise):
    """One of a list, or with a chance of 1 - share something else."""
    return lambda r: r.choice(listed) if r.random() < share else otherwise(r)


def capital_letters(r, n):
    return "".join(r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(n))


def folder(r):
    parts = [r.choice([words.nonce, prose.word, prose.word])(r) for _ in range(r.randint(1, 3))]
    return r.choice(["", "/", "./", "~/", "../"]) + "/".join(parts) + r.choice(["", "", "/"])


def of_kind(*endings):
    """A file name with one of some endings."""
    return lambda r: r.choice(["", "", folder(r).rstrip("/") + "/"]) + r.choice([prose.word, words.nonce])(r) + r.choice(["", "", f"_{r.randint(1, 99)}"]) + "." + r.choice(endings)


def when(r):
    kind = r.random()
    if kind < 0.5:
        return date(r)
    if kind < 0.65:
        return r.choice(["", "next ", "this "]) + r.choice(words.DAYS)
    if kind < 0.8:
        return f"{r.choice(words.MONTHS)} {r.randint(1, 28)}"
    return r.choice(["today", "tomorrow", "tonight", "next week"]) if kind < 0.9 else f"{r.randint(1, 28)}.{r.randint(1, 12)}.{r.randint(2020, 2032)}"


def hour(r):
    return clock(r) if r.random() < 0.6 else f"{r.randint(1, 12)}{r.choice([' ', ''])}{r.choice(['am', 'pm'])}" if r.random() < 0.8 else r.choice(["noon", "midnight"])


def person(r):
    return name(r) if r.random() < 0.5 else f"{name(r)} {last(r)}"


def mail(r):
    return f"{r.choice([name, last])(r).lower()}@{domain(r)}"


def url(r):
    return f"https://{domain(r)}" + r.choice(["", f"/{prose.word(r)}", f"/{prose.word(r)}/{words.nonce(r)}"])


def host(r):
    return r.choice([domain(r), f"{prose.word(r)}{r.randint(1, 30)}", f"{prose.word(r)}.{domain(r)}", ip(r)])


def ip(r):
    known = ["8.8.8.8", "1.1.1.1", "127.0.0.1", f"10.0.0.{r.randint(1, 99)}", f"192.168.{r.randint(0, 9)}.{r.randint(1, 99)}"]
    return r.choice(known) if r.random() < 0.3 else ".".join(str(r.randint(1, 254)) for _ in range(4))


def errand(r):
    return f"{r.choice(['buy', 'call', 'clean', 'return', 'fetch', 'repair', 'ask', prose.word(r), prose.word(r)])} {r.choice(['the', 'the', 'my', 'a'])} {word(r)}"


def title(r):
    return " ".join(w.capitalize() for w in prose.fragment(r, 4).split()) if r.random() < 0.5 else prose.proper(r)


def phone(r):
    return r.choice(["+", "0", "00"]) + " ".join(str(r.randint(10, 9999)) for _ in range(r.randint(2, 3)))


def street(r):
    return f"{r.randint(1, 199)} {prose.proper(r)} {r.choice(['Street', 'Road', 'Lane', 'Avenue', 'Square'])}"


def slug(r):
    return compound(r) if r.random() < 0.15 else label(r)


def label(r):
    """A name without spaces."""
    return r.choice([prose.word(r), words.nonce(r), f"{prose.word(r)}-{prose.word(r)}", f"{prose.word(r)}-{r.randint(1, 40)}", f"{prose.word(r)}_{words.nonce(r)}"])


def branch(r):
    return r.choice(["", "", "feature/", "fix/", "release/"]) + label(r)


def image(r):
    return label(r) + r.choice(["", ":latest", f":{r.randint(1, 20)}", f":{r.randint(1, 9)}.{r.randint(0, 30)}"])


def variable(r):
    return "_".join(prose.word(r).upper() for _ in range(r.randint(1, 2)))


def version(r):
    return r.choice(["", "v"]) + ".".join(str(r.randint(0, 30)) for _ in range(r.randint(2, 3)))


def sql(r):
    table = r.choice(words.NOUNS + [prose.word(r)] * 100)
    return r.choice([f"select * from {table}", f"select {prose.word(r)} from {table}", f"SELECT count(*) FROM {table}", f"select {prose.word(r)}, {prose.word(r)} from {table} where id = {r.randint(1, 999)}",
                     f"delete from {table} where {prose.word(r)} = {r.randint(1, 99)}", f"SELECT * FROM {table} LIMIT {r.randint(1, 100)}"])


def commit(r):
    return "".join(r.choice("0123456789abcdef") for _ in range(r.choice([7, 8, 12])))


def fault(r):
    return phrase(r) if r.random() < 0.4 else f"{word(r).capitalize()} {r.choice(['is broken', 'does not open', 'is missing', 'is too slow', 'crashes', prose.fragment(r, 4)])}"


def shopping(r):
    return r.choice([r.choice(words.FRUITS + words.VEGETABLES + words.DISHES), word(r), prose.word(r), compound(r), f"{r.choice(words.ADJECTIVES)} {word(r)}"])


def number(r):
    return r.choice([r.randint(0, 99), r.randint(0, 9999), round(r.uniform(0, 99), 1), round(r.uniform(0, 999), 2), r.randint(-50, -1)])


def formula(r):
    out = str(r.randint(1, 99))
    for _ in range(r.randint(2, 4)):  # one alone would be for a tool of its own
        out += r.choice([" + ", " - ", " * ", " / ", "+", "*"]) + r.choice([str(r.randint(1, 999)), f"({r.randint(1, 20)} + {r.randint(1, 20)})"])
    return out


def colour(r):
    return r.choice(words.COLOURS) if r.random() < 0.6 else "#" + "".join(r.choice("0123456789abcdef") for _ in range(6))


room = known("cellar hall garage attic garden lounge study porch bathroom kitchen bedroom".split(), 0.4, either(prose.word, compound, lambda r: f"{prose.word(r)} room"))
language = known("Swedish Czech Greek Turkish Hindi Korean Polish German French Portuguese Arabic".split(), 0.5, prose.proper)
country = known(words.COUNTRIES, 0.6, prose.proper)
currency = known("EUR USD GBP CHF SEK PLN CZK CAD".split(), 0.3, lambda r: capital_letters(r, 3))
proper = prose.proper
symbol = lambda r: capital_letters(r, r.randint(2, 4))
dish = known(words.DISHES, 0.4, lambda r: r.choice([prose.word(r), f"{word(r)} {r.choice(['soup', 'pie', 'salad', 'stew', 'cake'])}"]))
animal = known(words.ANIMALS, 0.5, either(prose.word, compound))
plant = known("rose fern cactus basil orchid ivy tulip palm".split() + words.VEGETABLES, 0.5, prose.word)
coin = known("bitcoin ethereum monero dogecoin solana litecoin".split(), 0.3, either(words.nonce, prose.word, symbol))
sport = known("tennis football chess basketball hockey cricket rugby handball".split(), 0.5, prose.word)
plate = lambda r: f"{capital_letters(r, r.randint(1, 3))}-{capital_letters(r, 2)} {r.randint(1, 9999)}"
cron = lambda r: " ".join(r.choice(["*", str(r.randint(0, n)), f"*/{r.randint(2, 9)}"]) for n in (59, 23, 28, 12, 6))
handle = lambda r: r.choice(["@", ""]) + r.choice([name(r).lower(), words.nonce(r), prose.word(r)]) + r.choice(["", str(r.randint(1, 99))])
channel = lambda r: r.choice(["#", ""]) + label(r)
unit = known("metres feet inches miles litres gallons ounces grams pounds kilos yards cups acres knots".split(), 0.8, prose.word)


def equation(r):
    return r.choice([f"{r.randint(2, 20)}x {r.choice('+-')} {r.randint(1, 99)} = {r.randint(1, 300)}", f"x^2 {r.choice('+-')} {r.randint(1, 20)}x = {r.randint(0, 99)}", f"{r.randint(2, 9)}*x = {r.randint(1, 99)}"])


prose_or_nonce = either(prose.word, words.nonce)
square = lambda r: r.choice("abcdefgh") + str(r.randint(1, 8))
month = lambda r: r.choice(words.MONTHS) + r.choice(["", f" {r.randint(2015, 2032)}"])
symbol_name = lambda r: r.choice([prose.word(r), f"{prose.word(r)}_{prose.word(r)}", prose.word(r) + prose.proper(r), words.nonce(r)])
