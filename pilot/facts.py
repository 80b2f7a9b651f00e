"""What pilot is to know: the option table, the commands and the docs read as data, and the hand-written
facts of facts/*.txt.

A fact is a block of lines:

    # name            what it is called in reports
    ? pattern         a question; [a|b] and (a|b) are choices, {how} a choice from MACROS
    ! answer          goes on over the following lines up to the next fact or @;
                      {default:NAME} is the default of an option, {0} what was chosen in the first (...)
    @ file: words     the answer relies on these words of the file; any of several, divided by |

Every command and option named in an answer must exist, every word relied upon must still be there:
else nothing is generated. So answers cannot drift from the program."""
import os
import re
from dataclasses import dataclass, field

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

MACROS = {
    "how": "how do i|how can i|how to|how do i|how can i|how to|how would i|how should i|what's the way to"
    "|what is the best way to|can you tell me how to|tell me how to|i want to|i need to|i'd like to|help me"
    "|show me how to|is there a way to|how does one|what do i have to do to|how do you|how could i|where do i"
    "|which command lets me|what command do i use to|i am trying to|i'd love to|i wish to|could you show me how to"
    "|how might i|any way to|what do i type to|what should i do to|would you tell me how to|i don't know how to"
    "|teach me to|steps to|instructions to|please|can i|can one|is it possible to|how is it possible to|it would be nice to"
    "|what must one do to|i would like to|i have to|what does it take to|let me|i cannot figure out how to|my plan is to"
    "|what are the steps to|the docs should say how to|walk me through how to|what's the command to|how on earth do i"
    "|is there any way to|is there some way to|i was wondering how to|wondering how to|any idea how to|anyone know how to"
    "|i'm trying to|trying to|would love to|gotta|what would it take to|how would one|how can someone|is there an easy way to"
    "|what's the trick to|whats the right way to|got no clue how to|do you know how to|am i able to|am i allowed to"
    "|what is needed to|i'm looking to|looking for a way to|we would like to|we need to|my goal is to|how am i supposed to"
    "|where should i look to|what exactly must i type to|could someone tell me how to|in which way can i|i'd rather|i'm supposed to"
    "|what's the proper way to|what's the simplest way to|is there a trick to|does anybody know how to|it'd be handy to|let's",
    "how2": "how do i|how can i|how to|how would i|can i|i want to|which command lets me|what do i type to",
    "whatis": "what is|what's|whats|what is|what's|what exactly is|explain|tell me about|describe|what do you know about"
    "|can you explain|define|what is meant by|i don't understand|what's the idea of|what is the point of|what's the purpose of"
    "|how would you describe|remind me what is|in short, what is|i keep reading about|what do you mean by|meaning of"
    "|please explain|give me the definition of|could you say what is|what is this|talk to me about|i would like to know about"
    "|a few words about|something about|info on|information about|details about|i have a question about|what about"
    "|could you explain|i've never heard of|never heard of|i stumbled over|the docs mention|somebody mentioned|what on earth is"
    "|help me understand|i'm confused about|eli5|quick explanation of|i can't make sense of|what does one mean by|wtf is|wth is"
    "|what should i know about|what role plays|can someone explain|the story behind|give me the gist of|in plain words, what is",
    "who": "who|what|which model",
    "machine": "laptop|desktop|box|pc|workstation|rig|server|machine|computer|mini pc|thinkpad|home server|old laptop|notebook|tower|vm|nuc",
    "ram": "8|12|16|24|32|48|64|96|128|256",
    "gguf": "llama-3.2-3b-q4_k_m.gguf|qwen3-8b-q4_k_m.gguf|gemma-3-4b-it-q8_0.gguf|mistral-7b-instruct.gguf|phi-4-mini.gguf"
    "|gpt-oss-20b.gguf|tinyllama.gguf|qwen2.5-coder-7b.gguf|smollm3-3b.gguf|granite-8b.gguf|my-model.gguf|deepseek-r1.gguf|model.gguf",
    "llm": "qwen3-8b|llama 3.1 8b|gemma 3 12b|mistral 7b|phi-4|gpt-oss 20b|qwen 30b|llama 70b|deepseek r1|smollm3|a 7b|a 13b|a 32b model",
    "distro": "debian|ubuntu|fedora|arch|mint|nixos|opensuse|alpine|debian 12|ubuntu 24.04|rocky linux",
    "gpu": "rtx 4090|rtx 3060|gtx 1080|radeon 7900|geforce|a100|intel arc|quadro|h100|tesla t4|rtx 5090|radeon card|nvidia card",
    "lang": "python|typescript|javascript|go|rust|java|ruby|php|c#|kotlin|bash|perl|node|swift|elixir",
    "cloud": "anthropic|openai|the cloud|openrouter|my provider|the provider|claude's api|the upstream|groq|azure|bedrock",
    "slow": "slow|sluggish|laggy|painfully slow|terribly slow|crawling|dog slow|taking forever|slower than a snail|dead slow",
    "fails": "fails|dies|crashes|breaks|goes down|has a hiccup|has an outage|falls over|stops working|is out|goes dark|chokes|collapses",
    "person": "colleague|friend|coworker|boss|flatmate|wife|husband|son|daughter|teammate|neighbour|student|intern|customer|brother",
    "phone": "iphone|android phone|tablet|ipad|phone|chromebook|galaxy|pixel|smartphone",
    "doc": "notes.txt|readme.md|report.txt|error.log|main.c|minutes.md|todo.txt|syslog|book.txt|diff.patch",
}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


# The tables of the program


def c_calls(text, name):
    """The arguments of each `name(...)` of a .def file, as lists of C expressions; literals joined."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for m in re.finditer(rf"^{name}\(", text, flags=re.M):
        args, depth, quoted, at, start = [], 1, False, m.end(), m.end()
        while depth:
            c = text[at]
            if c == "\\" and quoted:
                at += 1
            elif c == '"':
                quoted = not quoted
            elif not quoted and c in "()":
                depth += 1 if c == "(" else -1
            if not quoted and (depth == 0 or (depth == 1 and c == ",")):
                args.append(text[start:at].strip())
                start = at + 1
            at += 1
        yield [c_value(a) for a in args]


def c_value(arg):
    if arg == "NULL":
        return None
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', arg)
    return "".join(parts) if arg.startswith('"') else " ".join(arg.split())


@dataclass
class Option:
    type: str
    flag: str
    letter: str
    key: str
    commands: list
    preset: str
    value: str
    help: str

    @property
    def variable(self):
        return "GENSET_" + self.flag.upper().replace("-", "_")


@dataclass
class Command:
    name: str
    args: str
    summary: str
    text: str


def load_commands():
    rows = c_calls(read("src/config/commands.def"), "GS_COMMAND")
    return {r[1]: Command(r[1], r[2] or "", r[5], r[6]) for r in rows}


def load_options(commands):
    sets = {}
    header = read("src/config/config_table.h").replace("\\\n", " ")
    for name, body in re.findall(r"#define (GS_ON_\w+)\s+(.*)", header):
        sets[name] = body

    def expand(text):
        if "GS_ON_ALL" in text:
            return set(commands)
        names = {n.lower() for n in re.findall(r"GS_ON\((\w+)\)", text)} & set(commands)
        for other in re.findall(r"GS_ON_\w+", text):
            names |= expand(sets[other])
        return names

    options = {}
    for r in c_calls(read("src/config/options.def"), "GS_OPTION"):
        letter = r[3].strip("'") if r[3] != "0" else ""
        of = expand(r[5])
        where = [c for c in commands if c in of]
        if r[2] not in options:  # the same flag may mean two things; the first is the usual one
            options[r[2]] = Option(r[0], r[2], letter, r[4], where, r[6], r[9], r[10])
    return options


@dataclass
class Key:
    path: str
    type: str
    value: str
    help: str


def load_keys():
    """The keys about other computers, as docs/routes.md lists them."""
    keys = []
    for row in tables("docs/routes.md"):
        if len(row) == 3 and row[0].startswith("`") and row[0] != "key":
            keys.append(Key(row[0].strip("`"), "", row[1].replace("`", ""), row[2]))
    return keys


def load_faults():
    return [
        (word, blame, meaning)
        for word, blame, meaning in re.findall(
            r'X\(\w+, "([\w-]+)", (\w+), "([^"]+)"\)', read("include/genset/fault.h")
        )
    ]


def tables(path):
    """The rows of all tables of a Markdown file, without their heads."""
    lines = read(path).splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if i + 1 < len(lines) and set(lines[i + 1]) <= set("|-: ") and lines[i + 1].startswith("|"):
            continue
        yield [c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


COMMANDS = load_commands()
OPTIONS = load_options(COMMANDS)
KEYS = load_keys()
FAULTS = load_faults()
TOOLS = COMMANDS["launch"].args.split("|")


# What an answer may name


def strangers(text, allowed=""):
    """Commands and options in a text that genset does not have, but for those in `allowed`."""
    bad = []
    for code in re.findall(r"`([^`]+)`", text) + re.findall(r"^    (.+)$", text, flags=re.M):
        for word in re.findall(r"(?:^|[;|(]\s*|/)genset +([a-z][\w-]*)", code):
            if word not in COMMANDS and word not in allowed.lower():
                bad.append(f"genset {word}")
    for flag in re.findall(r"(?<![\w-])--([a-z][\w-]*)", text):
        base = flag[3:] if flag.startswith("no-") else flag
        foreign = ("--" + flag) in ("--auth-type", "--json")
        if base not in OPTIONS and not foreign and flag not in allowed.lower():
            bad.append("--" + flag)
    return bad


# Facts


@dataclass
class Fact:
    name: str
    questions: list = field(default_factory=list)
    answer: str = ""
    sources: list = field(default_factory=list)


def load_facts(path):
    facts, at = [], ""
    for line in read(path).split("\n"):
        mark, rest = line[:2], line[2:]
        if mark == "# ":
            facts.append(Fact(rest))
            at = "#"
        elif mark == "? ":
            facts[-1].questions.append(rest)
        elif mark == "! ":
            facts[-1].answer = rest
            at = "!"
        elif mark == "@ ":
            facts[-1].sources.append(rest)
            at = "@"
        elif at == "!" and mark != "% ":
            facts[-1].answer += "\n" + line
    for fact in facts:
        fact.answer = re.sub(
            r"\{default:([\w-]+)\}", lambda m: OPTIONS[m[1]].preset, fact.answer.strip()
        )
        check_fact(path, fact)
    return facts


def check_fact(path, fact):
    place = f"{path}: {fact.name}"
    if not fact.questions or not fact.answer:
        raise SystemExit(f"{place}: a question or the answer is missing")
    bad = strangers(fact.answer)
    if bad:
        raise SystemExit(f"{place}: genset has no {', '.join(bad)}")
    for source in fact.sources:
        file, words = source.split(": ", 1)
        text = " ".join(read(file).split())
        if not any(" ".join(w.split()) in text for w in [words, *words.split("|")]):
            raise SystemExit(f"{place}: {file} does not say: {words}")


# Patterns


def choose(pattern, rng):
    """One of the texts a pattern stands for, and what was chosen in its (...)."""
    chosen = []

    def expand(text):
        out, at = "", 0
        while at < len(text):
            c = text[at]
            if c in "[(":
                depth, start, parts = 1, at + 1, []
                at += 1
                while depth:
                    d = text[at]
                    if d in "[(":
                        depth += 1
                    elif d in "])":
                        depth -= 1
                    if depth == 0 or (d == "|" and depth == 1):
                        parts.append(text[start:at])
                        start = at + 1
                    at += 1
                part = expand(rng.choice(parts))
                if c == "(":
                    chosen.append(part)
                out += part
            elif c == "{":
                end = text.index("}", at)
                out += rng.choice(MACROS[text[at + 1 : end]].split("|"))
                at = end + 1
            else:
                out += c
                at += 1
        return out

    return re.sub(r" +", " ", expand(pattern)).strip(), chosen
