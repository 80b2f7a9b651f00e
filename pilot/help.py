"""Questions about genset and their answers: the hand-written facts, and those made of the tables."""
import re

import facts
import words
from facts import COMMANDS, FAULTS, KEYS, OPTIONS, TOOLS, choose

HAND = facts.load_facts("pilot/facts/help.txt")
SELF = facts.load_facts("pilot/facts/self.txt")
KNOWN = {f.name: f for f in HAND + SELF}
TOLD = {"hermit", "log", "status", "cost", "trace"}  # commands that have a fact of their own


def sentences(text, limit):
    """The first sentences of a text, at most `limit` characters of them, at least one."""
    parts = re.split(r"(?<=[.;:])\s+(?=[A-Z`-])", " ".join(text.split()))
    out = parts[0]
    for part in parts[1:]:
        if len(out) + len(part) >= limit:
            break
        out += " " + part
    return out


def listing(items, last="and"):
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" {last} " + items[-1]


# Commands

ASK_COMMAND = [
    "{whatis} genset %s", "what does [genset |the command |]%s do", "what is [genset |the command |]%s [for|good for]",
    "[the|] command %s", "genset %s[| command| meaning]", "{how} use genset %s", "when do i [need|use] genset %s",
    "explain the [command %s|%s command]", "usage of genset %s", "what happens [if i type|when i run] genset %s",
]
ASK_OPTIONS = [
    "[what|which] options does [genset |]%s [have|take]", "options of [genset |]%s", "list the [options|flags] of genset %s",
    "[what|which] flags [can i give|are there for] genset %s", "parameters of genset %s",
]


def tell_command(name):
    c = COMMANDS[name]
    args = f" {c.args}" if c.args and len(c.args) < 40 else ""
    return f"`genset {name}{args}`: {c.summary}. {sentences(c.text, 260)}"


def tell_options(name):
    flags = [o.flag for o in OPTIONS.values() if name in o.commands and o.flag not in ("config", "help")]
    if name == "hermit":
        return "`genset hermit` takes the options of serve; `genset help hermit` explains them."
    if not flags:
        return f"`genset {name}` has no options of its own; `genset help {name}` explains it."
    shown = [f"`--{f}`" for f in flags[:8]]
    more = " and more" if len(flags) > 8 else ""
    return f"`genset {name}` has {', '.join(shown)}{more}; `genset help {name}` explains them."


def ask_command(rng):
    name = rng.choice(list(COMMANDS))
    if name in TOLD or rng.random() < 0.3:
        return choose(rng.choice(ASK_OPTIONS).replace("%s", name), rng)[0], tell_options(name), ("command", name)
    return choose(rng.choice(ASK_COMMAND).replace("%s", name), rng)[0], tell_command(name), ("command", name)


FOREIGN = {
    "pull": "get-model", "download": "get-model", "install": "get-model", "fetch": "get-model",
    "list": "list-models", "ls": "list-models", "models": "list-models", "ps": "status", "rm": "delete-model",
    "delete": "delete-model", "remove": "delete-model", "chat": "run-model", "talk": "run-model", "start": "serve-model",
    "stop": "stop-server", "server": "serve-model", "login": "accounts", "signin": "accounts", "logout": "accounts",
    "update": "update", "upgrade": "update", "train": "training", "finetune": "training", "quantize": "other-formats",
    "convert": "other-formats", "init": "first-steps", "setup": "first-steps", "web": "web-ui", "ui": "web-ui",
    "push": None, "create": None, "copy": None, "search": None, "daemon": "systemd", "service": "systemd",
    "restart": None, "kill": "stop-server", "info": "show", "inspect": "show", "benchmark": "bench", "test": "tests",
    "connect": None, "add": None, "use": None, "compare": None, "export": None, "import": None, "clean": None,
    "proxy": None, "generate": "run-model", "ask": "run-model", "prompt-cache": None, "agent": None, "plugin": "plugins",
}
ASK_FOREIGN = [
    "what does genset %s do", "{how} use genset %s", "genset %s", "is there a genset %s[| command]", "explain genset %s",
    "does genset have [a|the] command %s", "what is genset %s[| for]", "genset %s [does not work|fails|says error]",
    "why does genset %s [fail|not work]", "i typed genset %s and it failed", "[can i|should i] run genset %s",
    "options of genset %s", "where is the %s command",
]


def ask_foreign_command(rng):
    name = rng.choice(list(FOREIGN)) if rng.random() < 0.6 else words.nonce(rng)
    if rng.random() < 0.15:
        name = rng.choice(words.VERBS)
    if name in COMMANDS:
        return ask_command(rng)
    answer = f"genset has no command `{name}`; `genset help` lists those it has."
    known = KNOWN.get(FOREIGN.get(name) or "")
    if known:
        answer = f"genset has no command `{name}`. " + known.answer.split("\n")[0]
    return choose(rng.choice(ASK_FOREIGN).replace("%s", name), rng)[0], answer, None


# Options

ASK_OPTION = [
    "what does [the option |the flag |]--%s [do|mean]", "{whatis} [the option |]--%s", "--%s", "what is --%s [for|good for]",
    "{how} use --%s", "explain [the flag |the option |]--%s", "[the|] %s option", "what does the %s [option|flag|setting] do",
    "meaning of --%s", "when [do|should] i use --%s", "option --%s",
]
ASK_DEFAULT = ["what is the default (of|for) --%s", "what's the default for --%s", "default (of|for|value of) --%s", "what is --%s [by default|if i don't set it|when unset]",
               "--%s default", "which value has --%s [by default|normally]"]
ASK_VARIABLE = ["[what is|which is|what's] the environment variable (of|for) --%s", "{how2} set --%s (with|by|as) an environment variable",
                "environment variable (of|for) --%s", "--%s as an environment variable", "env var (of|for) --%s"]
ASK_KEY = ["[what is|which is] the config key (of|for) --%s", "{how2} set --%s in the config[uration|] file", "config key (of|for) --%s",
           "where does --%s go in config.yaml", "--%s in the config[| file]"]
ASK_OF = ["which commands (take|have|know|accept) --%s", "where can i use --%s", "[which command|what] is --%s (of|for)", "--%s belongs to which command"]
ASK_SHORT = ["[is there a|what is the] short form (of|for) --%s", "short (flag|option) (of|for) --%s", "abbreviation of --%s"]
ASK_VALUES = ["[which|what] values (does --%s take|can --%s have|are allowed for --%s)", "possible values of --%s", "[choices|values] (for|of) --%s"]
FOLLOW = {
    "default": ["[what is|what's|and|] [its|the] default[| value]", "and by default", "what if i don't set it", "default"],
    "variable": ["[is there|and] an environment variable[| for it]", "as [an |]environment variable", "and the env var", "can i set it by environment"],
    "key": ["and in the config[| file|uration]", "[what is|and] its config key", "{how2} set it in the config file", "in config.yaml"],
    "of": ["which commands (take|have) it", "where can i use it", "for which commands"],
    "short": ["[is there|has it] a short form", "and the short form", "short flag"],
    "values": ["[which|what] values (does it take|can it have|are allowed)", "possible values", "what can i give it"],
}


def full(o):
    """The option as help spells it."""
    value = o.value if o.value and "|" not in o.value else None
    return f"`--{o.flag} {value}`" if value else f"`--{o.flag}`"


def tell_option(o):
    text = f"{full(o)}: {o.help}."
    if o.type == "ENUM":
        text += f" It is {listing(o.value.split('|'), 'or')}."
    if o.type == "BOOL":
        if o.preset == "true":
            text += f" It is on; `--no-{o.flag}` switches it off."
    elif o.preset is not None:
        text += f" The default is {o.preset}."
    return text


def tell_attribute(o, what):
    if what == "default":
        if o.preset is None:
            return f"`--{o.flag}` is unset by default."
        if o.type == "BOOL":
            return f"`--{o.flag}` is {'on' if o.preset == 'true' else 'off'} by default."
        return f"The default of `--{o.flag}` is {o.preset}."
    if what == "variable":
        if not o.key:
            return f"There is none: `--{o.flag}` is for the command line only."
        return f"The environment variable of `--{o.flag}` is {o.variable}."
    if what == "key":
        if not o.key:
            return f"There is none: `--{o.flag}` is for the command line only."
        group, _, last = o.key.rpartition(".")
        return f"In `~/.config/genset/config.yaml` the key of `--{o.flag}` is `{last}`" + (f" under `{group}`." if group else ".")
    if what == "of":
        return f"`--{o.flag}` belongs to " + (listing(o.commands) if len(o.commands) < len(COMMANDS) else "every command") + "."
    if what == "short":
        return f"The short form of `--{o.flag}` is `-{o.letter}`." if o.letter else f"`--{o.flag}` has no short form."
    values = {"ENUM": lambda: listing(o.value.split("|"), "or"), "BOOL": lambda: f"no value: `--{o.flag}` switches it on, `--no-{o.flag}` off"}
    return f"`--{o.flag}` takes " + values.get(o.type, lambda: f"{o.value}: {o.help.split(';')[0]}")() + "."


ATTRIBUTES = {"default": ASK_DEFAULT, "variable": ASK_VARIABLE, "key": ASK_KEY, "of": ASK_OF, "short": ASK_SHORT, "values": ASK_VALUES}


def ask_option(rng):
    o = rng.choice(list(OPTIONS.values()))
    kind = rng.random()
    if kind < 0.5:
        return choose(rng.choice(ASK_OPTION).replace("%s", o.flag), rng)[0], tell_option(o), ("option", o)
    if kind < 0.62:  # from what it does
        head = re.split(r"[;:,]", o.help)[0]
        q = rng.choice(["which option (is for|means|sets|does this:) ", "option for ", "is there an option (for|:) ", "flag for ", "{how2} set "])
        return choose(q, rng)[0] + " " + head, tell_option(o), ("option", o)
    if kind < 0.7 and o.key:
        q = rng.choice(["what does %s do", "{whatis} %s", "%s", "meaning of %s"]) % rng.choice([o.variable, "the config key " + o.key.split(".")[-1]])
        return choose(q, rng)[0], tell_option(o), ("option", o)
    what = rng.choice(list(ATTRIBUTES))
    return choose(rng.choice(ATTRIBUTES[what]).replace("%s", o.flag), rng)[0], tell_attribute(o, what), ("option", o)


def ask_option_of(rng):
    """Whether a command has an option."""
    name, o = rng.choice(list(COMMANDS)), rng.choice(list(OPTIONS.values()))
    if name == "hermit":
        name = "serve"
    if rng.random() < 0.5:
        name = rng.choice(o.commands)
    q = rng.choice(["does genset %s have --%s", "can i use --%s with genset %s", "is --%s an option of genset %s", "genset %s --%s[| ok]"])
    first, second = (name, o.flag) if q.index("genset") < q.index("--") else (o.flag, name)
    yes = name in o.commands
    answer = f"Yes. {tell_option(o)}" if yes else f"No: {tell_attribute(o, 'of')}"
    return choose(q % (first, second), rng)[0], answer, ("option", o)


def ask_foreign_option(rng):
    flag = rng.choice(["gpu", "gpu-layers", "ngl", "n-gpu-layers", "quiet", "debug", "port", "host", "output", "format", "stream",
                       "password", "user", "force", "yes", "background", "daemon", "lora", "fast", "cache", "timeout", "retry",
                       "proxy", "insecure", "color", "log-file", "ctx-size", "no-mmap", "flash-attn", "prompt", "file", "url", "provider",
                       "route", "budget", "key", "token", "language", "voice", "image", "template-file", "rope-scale", "draft", "slots"])
    if rng.random() < 0.4:
        flag = words.nonce(rng) + rng.choice(["", "-" + rng.choice(words.NOUNS)])
    if flag in OPTIONS:
        return ask_option(rng)
    hints = {"port": " `--listen HOST:PORT` sets the address.", "host": " `--listen HOST:PORT` sets the address.", "ctx-size": " `--ctx TOKENS` sets the context.",
             "gpu": " genset computes on the processor.", "gpu-layers": " genset computes on the processor.", "ngl": " genset computes on the processor.",
             "n-gpu-layers": " genset computes on the processor.", "debug": " `genset serve --log-level debug` tells more."}
    answer = f"genset has no option --{flag}." + hints.get(flag, " `genset help COMMAND` lists those a command has.")
    return choose(rng.choice(ASK_OPTION).replace("%s", flag), rng)[0], answer, None


# Keys of the configuration, faults, fields of the APIs


def ask_key(rng):
    k = rng.choice(KEYS)
    name = k.path if rng.random() < 0.4 else k.path.split(".")[-1]
    same = [x for x in KEYS if x.path.split(".")[-1] == k.path.split(".")[-1]]
    if name != k.path and len({x.help for x in same}) > 1:
        name = k.path
    q = rng.choice(["what does [the key |]%s [do|mean]", "{whatis} [the config key |the key |]%s", "config key %s", "what is %s [for|in the config]",
                    "%s in config.yaml", "[which|what] values can %s have", "{how} use %s in the config[| file]", "what do i write for %s"])
    first = same[0] if name != k.path else k
    return choose(q.replace("%s", name.replace("[]", "")), rng)[0], f"`{first.path}`: {first.help}. Its value is {first.value}.", None


BLAME = {
    "NOBODY": "It is held against nobody.", "NETWORK": "It is the network's fault, ours or the provider's.",
    "PROVIDER": "It counts against the provider's model.", "CREDENTIAL": "It benches the key, not the model.",
    "REQUEST": "Another provider would refuse the request too.", "TARGET": "Another provider may answer; nothing is counted.",
}


def ask_fault(rng):
    word, blame, meaning = rng.choice([f for f in FAULTS if f[0] not in ("none", "ours")])
    q = rng.choice(["what does [the fault |]%s mean[| in the log| in genset log| in genset status]", "{whatis} [the fault |a fault |]%s[| fault]",
                    "genset log says %s", "why %s", "[the attempt|my request|a provider] failed with %s", "%s [fault|error]", "fault %s",
                    "what is %s in genset (log|status|trace)", "the provider shows %s", "attempt ended with %s"])
    said = word if rng.random() < 0.7 else word.replace("-", " ")
    return choose(q.replace("%s", said), rng)[0], f"`{word}` means: {meaning}. {BLAME[blame]}", ("fault", word)


def load_fields():
    fields, seen = [], {}
    for api, path in (("Anthropic", "docs/anthropic.md"), ("OpenAI", "docs/openai.md"), ("Ollama", "docs/ollama.md")):
        for row in facts.tables(path):
            if len(row) != 2 or not row[0].startswith("`"):
                continue
            for name in re.findall(r"`([^`]+)`", row[0]):
                text = re.sub(r"`([^`]*)`", r"\1", row[1])
                fields.append((api, name, sentences(text, 240)))
                seen.setdefault(name, set()).add(api)
    return [(api, name, text, len(seen[name]) > 1) for api, name, text in fields if len(name) > 1]


FIELDS = load_fields()


def ask_field(rng):
    api, name, text, shared = rng.choice(FIELDS)
    place = choose("[in|of] the %s api" % api if shared or rng.random() < 0.5 else "", rng)[0]
    q = rng.choice(["what (does genset do with|happens with|about|becomes of) %s", "is [the field |]%s (supported|read|ignored|possible)",
                    "does genset (support|know|read|honour) %s", "%s", "what does [the field |]%s do", "field %s", "can i (send|use) %s"])
    text = text[0].lower() + text[1:] if text[:2].istitle() and not text.startswith(api) else text
    text = text.rstrip(".")
    return choose(q.replace("%s", name), rng)[0] + " " + place, f"`{name}` in the {api} API: {text}.", None


# Models


def load_models():
    models = {}
    for row in facts.tables("docs/models.md"):
        archs = re.findall(r"`([\w-]+)`", row[0])
        for arch in archs:
            models[arch] = (arch, row[1])
            for name in re.split(r",| and |:", row[1]):
                name = name.strip()
                if re.fullmatch(r"[A-Z][\w. -]{2,20}", name) and not name.startswith("E models"):
                    models[name] = (arch, row[1])
    return models


MODELS = load_models()
NOT_MODELS = """Mamba|RWKV|Falcon|BLOOM|GPT-2|GPT-J|GPT-NeoX|Command R|OLMo|StarCoder2|InternLM|Baichuan|MiniCPM|Jamba|StableLM|T5
Stable Diffusion|Flux|Whisper|Nemotron|EXAONE|DBRX|Grok|Yi|Orion|PLaMo|LFM2|Hunyuan|Kimi Linear|Gemma 1|Phi-2|MPT|OPT|Pythia|CLIP|LLaVA|Qwen2-VL
Claude|GPT-4|Gemini""".replace("\n", "|").split("|")
QUANTS = """F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q3_K_M Q4_K_M Q4_K_S Q5_K_M Q2_K_S IQ1_S IQ1_M IQ2_XXS
IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4 NVFP4""".split()
NOT_QUANTS = "AWQ GPTQ EXL2 EXL3 HQQ FP8 INT8 INT4 Q4_0_4_4 Q4_0_8_8 Q3_0 Q2_0 NF4 bitsandbytes AQLM".split()


def ask_model(rng):
    q = rng.choice(["[does it|does genset|can it|can genset|will it] (support|run|load|work with|read) %s[| models| files]", "is %s supported",
                    "%s support", "can i (use|run) %s[| with genset| here]", "{how2} run %s"])
    if rng.random() < 0.35:
        name = rng.choice(QUANTS if rng.random() < 0.6 else NOT_QUANTS)
        if name in QUANTS:
            answer = f"Yes: genset reads GGUF files in {name}."
        else:
            answer = f"No: genset does not have {name}. It reads GGUF files in F32, F16, BF16, Q8_0, Q2_K to Q6_K, IQ1_S to IQ4_XS and others."
    elif rng.random() < 0.6:
        name = rng.choice(list(MODELS))
        arch = MODELS[name][0]
        answer = f"Yes, as a GGUF file: {name} is of the architecture `{arch}`." if name != arch else f"Yes: the architecture `{arch}` is there ({MODELS[name][1]})."
    else:
        name = rng.choice(NOT_MODELS) if rng.random() < 0.8 else words.nonce(rng).capitalize()
        answer = f"I do not find {name} among the models genset runs; docs/models.md has the table. What it does not have it refuses by name."
    return choose(q.replace("%s", name), rng)[0], answer, ("model", name)


# What nobody told it

ASK_WORLD = [
    "what is the capital of (%COUNTRIES)", "how (big|old|far|heavy|expensive) is (a|an|the) (%ANIMALS|%THINGS|%METALS)", "who (is|was|invented|wrote|discovered) (the |)(%THINGS|%NAMES %LAST|%METALS)",
    "when was (%NAMES %LAST|the %THINGS) (born|invented|built|found)", "why (is|are) (the |)(sky|sea|grass|%THINGS|%ANIMALS) (blue|green|%ADJECTIVES|%COLOURS)",
    "how do i (cook|bake|grow|clean|repair|draw|build|sell|buy) (a |)(%THINGS|%FRUITS|%VEGETABLES)", "what do (%ANIMALS)s eat", "where (is|do i find) (%CITIES|a %THINGS)",
    "how many (%ANIMALS|%THINGS|people) (live|are) in (%CITIES|%COUNTRIES)", "tell me about (%CITIES|%COUNTRIES|%ANIMALS|%METALS|%PLANETS|%NAMES %LAST|history|music|politics|football)",
    "what is (a|an|the) (%ANIMALS|%THINGS|%METALS|black hole|quasar|neutron|derivative|sonnet|enzyme|verb|integral)", "who (won|plays|lost) (in|for) (%CITIES|%COUNTRIES)",
    "explain (gravity|evolution|inflation|%METALS|chess|democracy|electricity|the moon|recursion|quantum theory|photosynthesis|bitcoin)", "what does (%THINGS|%ADJECTIVES) mean",
    "how tall is (%NAMES %LAST|the tower of %CITIES)", "is (%METALS|%FRUITS) (good|bad|%ADJECTIVES)[ for me|]", "who is the (president|king|mayor|prime minister) of (%COUNTRIES|%CITIES)",
    "what (happened|was there) in (17|18|19)%DIGIT%DIGIT", "recommend me (a|some) (%THINGS|book|film|restaurant in %CITIES|music)", "what should i (eat|wear|read|watch|do) (today|tonight|tomorrow|in %CITIES)",
    "what is (the |)(price|colour|weight|population|history|meaning) of (%FRUITS|%METALS|%CITIES|%COUNTRIES|%THINGS)", "(%NAMES %LAST)", "(%CITIES)",
    "how do (%ANIMALS)s (sleep|live|hunt|swim|fly)", "can (%ANIMALS)s (fly|swim|talk|climb)", "what is the (best|worst|largest|smallest) (%ANIMALS|%FRUITS|%THINGS|country|city|river)",
]
WORLD = [
    "I do not know: I am a very small model that knows genset. A bigger one can tell you: `genset run /path/to/model.gguf`.",
    "That I do not know. I am pilot and know genset and little else; ask a bigger model.",
]


def ask_world(rng):
    def fill(m):
        if m[1] == "DIGIT":
            return str(rng.randint(0, 9))
        return rng.choice(getattr(words, m[1]))

    q, _ = choose(re.sub(r"%([A-Z]+)", fill, rng.choice(ASK_WORLD)), rng)
    return q, WORLD[0] if rng.random() < 0.8 else WORLD[1], None


# One question, one that follows


def ask_fact(rng):
    f = rng.choice(HAND)
    return ask_known(f, rng)


def ask_self(rng):
    f = rng.choice(SELF)
    return ask_known(f, rng)


def ask_known(f, rng):
    q, chosen = choose(rng.choice(f.questions), rng)
    answer = f.answer.replace("{0}", chosen[0]) if chosen else f.answer
    return q, answer, ("fact", f.name)


KINDS = [(ask_fact, 44), (ask_self, 11), (ask_command, 6), (ask_foreign_command, 4), (ask_option, 12), (ask_option_of, 3),
         (ask_foreign_option, 3), (ask_key, 4), (ask_fault, 4), (ask_field, 4), (ask_model, 4), (ask_world, 8)]
CLIENTS = {"claude": "connect-claude", "claude code": "connect-claude", "codex": "codex", "opencode": "opencode", "qwen code": "qwen-code", "cline": "cline",
           "copilot": "copilot", "gemini": "gemini-cli", "vscode": "vscode", "jetbrains": "jetbrains", "open webui": "open-webui", "n8n": "n8n"}


def ask(rng):
    kinds, weights = zip(*KINDS)
    return rng.choices(kinds, weights)[0](rng)


def ask_follow(about, rng):
    """A question that is understood only after one about `about`; None: there is none."""
    if not about:
        return None
    kind, what = about
    if kind == "option":
        attribute = rng.choice(list(FOLLOW))
        return choose(rng.choice(FOLLOW[attribute]), rng)[0], tell_attribute(what, attribute), about
    if kind == "command":
        q = choose(rng.choice(["[which|what] options does it (have|take)", "and its options", "does it have options", "options"]), rng)[0]
        return q, tell_options(what), about
    if kind == "fault":
        word, blame, meaning = rng.choice(FAULTS[1:-1])
        return choose("(and|what about|how about) %s" % word, rng)[0], f"`{word}` means: {meaning}. {BLAME[blame]}", ("fault", word)
    if kind == "fact" and what in CLIENTS.values():
        client = rng.choice(list(CLIENTS))
        return choose("(and|what about|how about|and for|and with) %s" % client, rng)[0], KNOWN[CLIENTS[client]].answer, ("fact", CLIENTS[client])
    return None


# How people write

PROPER = {"claude code": "Claude Code", "openai": "OpenAI", "ollama": "Ollama", "anthropic": "Anthropic", "json": "JSON", "gguf": "GGUF", "api": "API",
          "url": "URL", "http": "HTTP", "https": "HTTPS", "i": "I", "i'm": "I'm", "i'd": "I'd", "gpu": "GPU", "cpu": "CPU", "ram": "RAM", "vs code": "VS Code",
          "hugging face": "Hugging Face", "codex": "Codex", "opencode": "OpenCode", "yaml": "YAML", "tls": "TLS", "kv": "KV", "llama": "Llama", "qwen": "Qwen",
          "english": "English", "german": "German", "french": "French", "linux": "Linux", "windows": "Windows", "python": "Python", "docker": "Docker"}
PROPER_RE = re.compile(r"(?<![\w./`-])(" + "|".join(sorted(map(re.escape, PROPER), key=len, reverse=True)) + r")(?![\w/`-])")
SYNONYMS = {
    "see": ["view", "look at", "check", "find"], "show": ["display", "print", "view"], "change": ["modify", "alter", "adjust", "edit"],
    "set": ["specify", "configure", "define"], "start": ["launch", "fire up", "boot", "begin"], "stop": ["halt", "terminate", "end"],
    "delete": ["erase", "remove"], "machine": ["computer", "box", "pc", "host"], "computer": ["machine", "box", "pc"], "fast": ["quick", "speedy"],
    "slow": ["sluggish", "laggy"], "big": ["large", "huge"], "use": ["employ", "work with", "utilise", "get going with"], "need": ["require"],
    "support": ["handle", "understand"], "answer": ["reply", "response"], "why": ["how come", "for what reason"], "get": ["obtain", "have"],
    "find": ["locate", "discover"], "happens": ["goes on", "will happen"], "model": ["llm", "language model"], "models": ["llms"],
    "program": ["application", "software"], "folder": ["directory"], "option": ["switch", "parameter", "flag"], "explain": ["clarify", "describe"],
    "connect": ["hook up", "attach", "plug in", "wire up"], "make": ["get", "have"], "want": ["wish", "would like"], "file": ["document"],
    "tell": ["inform"], "wrong": ["incorrect", "bad"], "request": ["query", "call"], "requests": ["queries", "calls"], "keep": ["retain", "hold"],
    "down": ["offline", "unavailable", "not answering"], "fails": ["breaks", "goes wrong", "errors"], "list": ["enumerate", "name"],
    "limit": ["restrict", "cap"], "local": ["own", "on-device"], "server": ["service", "daemon"], "check": ["test", "verify"],
    "default": ["standard", "preset"], "setting": ["option", "preference"], "settings": ["options", "preferences"], "port": ["tcp port"],
}
STOP = set("how do i can to the a an is are what does of for it my me in on want would like please tell".split())
BEFORE = ["hi, ", "hello, ", "hey, ", "please tell me: ", "quick question: ", "hey pilot, ", "ok, ", "so ", "um, ", "sorry, ", "pilot, ", "one question: ",
          "hello! ", "can you tell me ", "do you know ", "good day, ", "question: ", "i was wondering, ", "ok so ", "next: ", "now ", "and ", "genset: "]
SETTING = """I have a laptop with 16 GB of memory.|I just installed genset.|I'm new here.|I am writing a small web app.|My machine has no GPU.
We are a team of five.|I have read the docs, but one thing is not clear.|I run Debian.|I use it at work.|My friend told me about genset.|I'm on the train.
I've got a question.|This may be a stupid question.|I tried for an hour.|I am a beginner.|It worked yesterday.|I am not sure if this is possible.
I have a server in the basement.|I use Claude Code every day.|My colleague asks me this.|I need this for a script.|I'm in a hurry.|Sorry to bother you.
I could not find it in the help.|We have a proxy at work.|I like the terminal.|I moved from Ollama.|I used llama.cpp before.|My disk is small.
The documentation is long.|Genset runs on my desktop.|I am testing genset.|I'm setting up a new computer.|There is something I do not get.|I have two machines.
My boss wants to know.|I'm preparing a talk.|I am curious.|I have several clients.|Everything else works.""".replace("\n", "|").split("|")
AFTER = [", please", " please", " thanks", ", thank you", " in genset", " with genset", " pls", " then", " exactly", " again", " here", " for me", " now"]


def typo(text, rng):
    spots = [m.span() for m in re.finditer(r"(?<![-/`.\w])[a-z]{4,}(?![-/`.\w])", text)]
    if not spots:
        return text
    start, end = rng.choice(spots)
    at = rng.randint(start + 1, end - 2)
    kind = rng.randint(0, 3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    return text[:at] + rng.choice("abcdefghijklmnoprstuw") + text[at + 1 :]


def written(q, rng, plain=False):
    """The question as somebody would type it."""
    code = "`" in q or "://" in q
    if not plain and not code and rng.random() < 0.35:
        parts = q.split(" ")
        for i, w in enumerate(parts):
            if w in SYNONYMS and rng.random() < 0.4:
                parts[i] = rng.choice(SYNONYMS[w])
        q = " ".join(parts)
    if not plain and rng.random() < 0.08:
        kept = [w for w in q.split(" ") if w not in STOP]
        q = " ".join(kept) if len(kept) > 1 else q
    if not plain and rng.random() < 0.15:
        q = rng.choice(BEFORE) + q
    if not plain and rng.random() < 0.12 and len(q) > 12:
        q += rng.choice(AFTER)
    if rng.random() < 0.1:
        q = typo(q, rng)
    style = rng.random()
    if style < 0.5:
        q = PROPER_RE.sub(lambda m: PROPER[m[1]], q)
        q = q[:1].upper() + q[1:]
        q += rng.choice(["?", "?", "?", "?", ".", "", " ?"])
    elif style < 0.97:
        q += rng.choice(["", "", "", "?", "?", "??", "...", "!", "."])
    elif not code and "--" not in q and "GENSET" not in q:
        q = q.upper()
    if not plain and rng.random() < 0.1:
        setting = rng.choice(SETTING)
        q = f"{setting} {q}" if style < 0.5 else f"{setting.lower().rstrip('.')}{rng.choice(['. ', ', ', '; '])}{q}"
    return q


def dialogue(rng):
    """Turns of a user and of pilot: [(question, answer), ...]."""
    turns, about = [], None
    for _ in range(rng.choice([1, 1, 1, 1, 1, 1, 2, 2, 3, 4])):
        follow = ask_follow(about, rng) if rng.random() < 0.6 else None
        q, a, about = follow or ask(rng)
        turns.append((written(q, rng), a))
    return turns
