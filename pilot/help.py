"""Questions about genset and their answers: the hand-written facts, and those made of the tables."""
import re

import facts
import words
from facts import COMMANDS, FAULTS, KEYS, OPTIONS, TOOLS, choose

HAND = facts.load_facts("pilot/facts/help.txt")
SELF = facts.load_facts("pilot/facts/self.txt")
KNOWN = {f.name: f for f in HAND + SELF}
TOLD = {"hermit", "launch", "log", "status", "cost", "trace"}  # commands that have a fact of their own


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
    "i [saw|read|found|see] genset %s [in the docs|in a script|in a makefile|somewhere][, what does it do|. what is it for|. what's that]",
    "my {person} [typed|runs|uses] genset %s[, what is that|, what does it do|. why]", "is there a command [called |named |]%s and what does it do",
    "[what|which] [job|task|purpose] has genset %s", "tell me about genset %s", "genset %s[: what is it| explained| usage| does what| example]",
    "what would genset %s [do|print|show|give me]", "i don't understand genset %s", "the %s [subcommand|command][| of genset| in genset]",
    "[describe|summarise] genset %s", "what do i use genset %s for", "can you explain genset %s", "should i [use|run] genset %s", "genset's %s command",
]
ASK_OPTIONS = [
    "[what|which] options does [genset |]%s [have|take]", "options of [genset |]%s", "list the [options|flags] of genset %s",
    "[what|which] flags [can i give|are there for] genset %s", "parameters of genset %s", "genset %s [options|flags|parameters|switches|arguments]",
    "[what|which] [switches|parameters|arguments|settings] does genset %s [take|have|know|accept|understand]", "what can i [configure|set|pass|tune] [for|with|in] genset %s",
    "how can genset %s be [tuned|configured|influenced]", "[show|print|give|tell] me the [options|flags] of genset %s", "does genset %s [have|take] [any |][options|flags|arguments]",
    "i forgot the [options|flags] of genset %s", "which options belong to [genset |]%s", "what may i write after genset %s",
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
    "options of genset %s", "where is the %s command", "genset %s: [unknown command|command not found|no such command]", "i [expected|miss|want|need] [a|the] command genset %s",
    "my {person} [says|told me] to [run|type|use] genset %s", "a [blog|video|forum post] says [run|type] genset %s", "why is there no genset %s", "genset %s [gives|shows] [an error|nothing|usage]",
    "does genset %s [exist|work]", "genset %s [does not exist|is unknown|isn't there|please|?]", "i tried genset %s [but it fails|without success|in vain]",
    "[chatgpt|my notes|a friend] [says|say] genset %s [exists|is what i need|should work]", "when will there be a genset %s",
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
    "meaning of --%s", "when [do|should] i use --%s", "option --%s", "--%s[: what is that| explained| does what| meaning| what for|, why]",
    "i [saw|found|see] --%s [in a script|in the docs|in the unit file|in the help|somewhere][, what does it do|. what is it for|. what's that|]",
    "my {person} [always |][uses|sets|starts it with] --%s[, why|, what for|. what does it change|]", "what [changes|happens] [if i set|when i give|with|if i pass] --%s",
    "is --%s [useful|important|something i need|any good]", "tell me [about|something about|more about] --%s", "do i need --%s", "should i [set|use|give|pass] --%s",
    "[purpose|effect|use|sense] of --%s", "what [effect|influence] has --%s", "i don't understand --%s", "the --%s [flag|switch|option|parameter]", "can you explain --%s",
    "%s flag", "what would --%s do[| for me]", "the [switch|parameter] --%s",
]
ASK_DEFAULT = ["what is the default (of|for) --%s", "what's the default for --%s", "default (of|for|value of) --%s", "what is --%s [by default|if i don't set it|when unset]",
               "--%s default", "which value has --%s [by default|normally]",
               "if i [leave out|omit|don't give|never set] --%s, [what is used|what applies|which value counts]", "what does genset assume [for|without] --%s",
               "[standard|preset|initial|normal] value of --%s", "--%s when not given", "is --%s [set|on|given] by default", "without --%s, what [is|applies]"]
ASK_VARIABLE = ["[what is|which is|what's] the environment variable (of|for) --%s", "{how2} set --%s (with|by|as) an environment variable",
                "environment variable (of|for) --%s", "--%s as an environment variable", "env var (of|for) --%s",
                "[which|what] env var [sets|replaces|stands for|corresponds to] --%s", "--%s [through|via|by|from] the environment", "how is --%s called as [a|an environment] variable",
                "can --%s be set [by|through|with] [a variable|the environment|an env var]", "i use docker compose, what is the variable for --%s", "--%s env", "name of the variable for --%s"]
ASK_KEY = ["[what is|which is] the config key (of|for) --%s", "{how2} set --%s in the config[uration|] file", "config key (of|for) --%s",
           "where does --%s go in config.yaml", "--%s in the config[| file]", "[yaml|config] [key|entry|name|line] (of|for) --%s", "how do i write --%s in [yaml|config.yaml]",
           "i want --%s [permanently|in the config file|always], [which key|what do i write]", "make --%s permanent", "--%s as yaml", "under which [key|section] is --%s in the config",
           "can --%s [stand|be|go] in the [config|yaml]"]
ASK_OF = ["which commands (take|have|know|accept) --%s", "where can i use --%s", "which command is --%s (of|for)", "--%s belongs to which command",
          "with which [commands|command|subcommands] [does|can] --%s [work|be used]", "where does --%s [belong|work|apply]", "who [takes|knows|understands] --%s", "commands with --%s",
          "[which|what] subcommand[s|] [has|have|take] --%s"]
ASK_SHORT = ["[is there a|what is the] short form (of|for) --%s", "short (flag|option) (of|for) --%s", "abbreviation of --%s",
             "[one-letter|single letter] [form|flag|option] (of|for) --%s", "can i [abbreviate|shorten] --%s", "--%s is long to type, is there a short [form|one]", "[which|what] letter is --%s",
             "--%s in short"]
ASK_VALUES = ["[which|what] values (does --%s take|can --%s have|are allowed for --%s)", "possible values of --%s", "[choices|values] (for|of) --%s",
              "what [can|do|may|should] i [give|write|put|pass] [to|after|behind|for] --%s", "what comes after --%s", "which arguments does --%s [take|accept|want]", "[legal|valid|allowed|permitted] values for --%s",
              "[kind|type|form] of value for --%s", "does --%s [need|want|take] a value", "what does --%s [expect|accept]"]
FOLLOW = {
    "default": ["[what is|what's|and|] [its|the] default[| value]", "and by default", "what if i don't set it", "default", "which value has it normally", "and if i leave it out", "what is it set to otherwise"],
    "variable": ["[is there|and] an environment variable[| for it]", "as [an |]environment variable", "and the env var", "can i set it by environment", "what's the variable called", "through the environment"],
    "key": ["and in the config[| file|uration]", "[what is|and] its config key", "{how2} set it in the config file", "in config.yaml", "and in yaml", "how do i make it permanent"],
    "of": ["which commands (take|have) it", "where can i use it", "for which commands", "who takes it", "with which command does it work"],
    "short": ["[is there|has it] a short form", "and the short form", "short flag", "can i shorten it", "which letter"],
    "values": ["[which|what] values (does it take|can it have|are allowed)", "possible values", "what can i give it", "what does it accept", "what may i write after it"],
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
        q = rng.choice(["which option (is for|means|sets|does this:|stands for) ", "option for ", "is there an option (for|:) ", "flag for ", "{how2} set ", "which flag [is|stands for|controls|gives] ",
                        "i'm looking for the [option|flag|switch]: ", "what's the [flag|option|switch] for ", "how is the option called: ", "parameter for ", "i forgot the name of the option: "])
        return choose(q, rng)[0] + " " + head, tell_option(o), ("option", o)
    if kind < 0.7 and o.key:
        q = rng.choice(["what does %s do", "{whatis} %s", "%s", "meaning of %s", "what is %s for", "should i set %s", "i found %s in [a script|an old file|the docs]", "what happens if i set %s",
                        "tell me about %s", "do i need %s", "my {person} sets %s, why"]) % rng.choice([o.variable, "the config key " + o.key.split(".")[-1]])
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
    q = rng.choice(["does genset %s have --%s", "can i use --%s with genset %s", "is --%s an option of genset %s", "genset %s --%s[| ok| possible| valid|, right]", "does --%s work with genset %s",
                    "may i [pass|give] --%s to genset %s", "will genset %s [take|accept|understand] --%s", "is there --%s in genset %s", "i typed genset %s --%s[, is that right|, is that ok|]",
                    "does genset %s [know|accept|support] --%s", "genset %s with --%s[, possible|?| ok]", "is --%s [allowed|valid|known] in genset %s"])
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

ASK_CONFIG = [
    "what does %s [do|mean]", "{whatis} %s", "what is %s [for|in the config]", "%s in [config.yaml|the config|the yaml]", "[which|what] values can %s have", "{how} use %s in the config[| file]",
    "what do i write for %s", "what goes [in|into|behind] %s in the [yaml|config]", "i [see|found|read] %s in [an example|a config|my colleague's yaml][, what does it do|. what is it|]",
    "[example|meaning|purpose|sense|values] of %s[| in the config]", "do i need %s in the config", "what may %s be", "explain %s[| in the config| of the configuration]",
    "should i set %s in [config.yaml|the config]", "what happens if %s is [unset|missing|not set]", "what type has %s", "what can i put in %s",
]
ASK_FAULT = [
    "what does the fault %s mean[| in the log| in genset log| in genset status]", "what does %s mean in [the log|genset log|genset status|genset trace|the list of attempts]",
    "{whatis} [the fault|a fault] %s", "genset log says %s", "[the attempt|my request|a provider|a target|one attempt] failed with %s", "fault %s", "the fault %s",
    "what is %s in genset (log|status|trace)", "the provider shows %s in genset status", "[the|an] attempt ended with %s", "[i see|there is|it shows] %s in [the log|the trace|genset log]",
    "why did [an|the] attempt end with %s", "genset trace [says|shows|prints] %s[, why|, what is that|. is that bad|]", "fault: %s", "attempt 1: %s",
    "[{cloud}|openrouter|my vllm box] failed with the fault %s", "is the fault %s [bad|my fault|serious|counted]", "who is to blame for [the fault |a fault ]%s",
    "[whose fault is|who pays for] an attempt with %s", "many requests [end|ended|fail] with [the fault|fault] %s", "in the log i [read|see|find] the word %s",
]
ASK_FAULT_WORD = ["what does %s mean", "%s", "why %s", "meaning of %s", "what is %s", "%s error", "i get %s"]  # for words nobody else uses
ASK_FIELD = [
    "what (does genset do with|happens with|about|becomes of) %s", "is %s (supported|read|ignored|possible|respected|implemented)", "does genset (support|know|read|honour|understand|obey) %s",
    "%s", "what does %s do", "can i (send|use|set|pass) %s", "my [client|sdk|app|{lang} code] sends %s[, is that ok|, what happens|. is it read|]", "is %s [ignored|silently dropped|allowed]",
    "what if [a request has|i send|the body has] %s", "%s: [supported|ignored|read] or not", "how does genset treat %s", "do i have to send %s", "what is %s good for",
]
ASK_MODEL = [
    "[does it|does genset|can it|can genset|will it] (support|run|load|work with|read) %s[| models| files]", "is %s (supported|possible|known|readable)", "%s support", "can i (use|run) %s[| with genset| here]",
    "{how2} run %s", "i have %s as a gguf[, does it run|, will it load|. is that ok|]", "does %s (run|work|load)[| here| with genset| in genset]", "is there support for %s", "will %s [run|work|load][| in genset]",
    "%s[: yes or no| ok| possible|, does that work| supported]", "what about %s[| models| files]", "my [{person}|team|boss] wants %s[, is it supported|, does that run|, can genset run it]", "are %s [files|models] [supported|ok|fine]",
    "does genset know %s", "i'd like to [try|use|run] %s[, is that possible|, does it work|]", "%s gguf", "is %s compatible", "[planning to|i want to] download %s, [will it|does it] [run|load]",
]

def ask_key(rng):
    k = rng.choice(KEYS)
    name = k.path if rng.random() < 0.4 else k.path.split(".")[-1]
    same = [x for x in KEYS if x.path.split(".")[-1] == k.path.split(".")[-1]]
    if name != k.path and len({x.help for x in same}) > 1:
        name = k.path
    name = name.replace("[]", "")
    said = name if re.search("[._]", name) else "the key " + name  # many are everyday words
    first = same[0] if len(name.split(".")) == 1 else k
    return choose(rng.choice(ASK_CONFIG).replace("%s", said), rng)[0], f"`{first.path}`: {first.help}. Its value is {first.value}.", None


BLAME = {
    "NOBODY": "It is held against nobody.", "NETWORK": "It is the network's fault, ours or the provider's.",
    "PROVIDER": "It counts against the provider's model.", "CREDENTIAL": "It benches the key, not the model.",
    "REQUEST": "Another provider would refuse the request too.", "TARGET": "Another provider may answer; nothing is counted.",
}


def ask_fault(rng):
    word, blame, meaning = rng.choice([f for f in FAULTS if f[0] not in ("none", "ours")])
    said = word if rng.random() < 0.7 else word.replace("-", " ")
    own = "-" in said and word not in ("rate-limit", "bad-request", "server-error")
    q = rng.choice(ASK_FAULT_WORD if own and rng.random() < 0.3 else ASK_FAULT)
    return choose(q.replace("%s", said), rng)[0], f"`{word}` means: {meaning}. {BLAME[blame]}", ("fault", word)


def load_fields():
    fields, seen = [], {}
    for api, path in (("Anthropic", "docs/anthropic.md"), ("OpenAI", "docs/openai.md"), ("Ollama", "docs/ollama.md")):
        for row in facts.tables(path):
            if len(row) != 2 or not row[0].startswith("`"):
                continue
            for name in [n for n in re.findall(r"`([^`]+)`", row[0]) if api not in seen.get(n, ())]:
                text = re.sub(r"`([^`]*)`", r"\1", row[1])
                fields.append((api, name, sentences(text, 240)))
                seen.setdefault(name, set()).add(api)
    return [(api, name, text, len(seen[name]) > 1) for api, name, text in fields if len(name) > 1]


FIELDS = load_fields()


def ask_field(rng):
    api, name, text, shared = rng.choice(FIELDS)
    place = choose("[in|of] the %s api" % api if shared or rng.random() < 0.5 else "", rng)[0]
    said = name if place or name.startswith("/") else "the field " + name
    text = text[0].lower() + text[1:] if text[:2].istitle() and not text.startswith(api) else text
    text = text.rstrip(".")
    if place and rng.random() < 0.5:
        said, place = f"{said} {place}", ""
    q = choose(rng.choice(ASK_FIELD), rng)[0].replace("%s", said)
    return f"{q} {place}".strip(), f"`{name}` in the {api} API: {text}.", None


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
Nemotron|EXAONE|DBRX|Grok|Yi|Orion|PLaMo|LFM2|Hunyuan|Kimi Linear|Gemma 1|Phi-2|MPT|OPT|Pythia|GPT-4|GPT-5
Seed-OSS|Ernie|MiMo|Reka|Solar|Zephyr 3B|XGLM|Persimmon|Dream""".replace("\n", "|").split("|")
QUANTS = """F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q3_K_M Q4_K_M Q4_K_S Q5_K_M Q2_K_S IQ1_S IQ1_M IQ2_XXS
IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4 NVFP4""".split()
NOT_QUANTS = "EXL3 HQQ FP8 INT8 INT4 Q4_0_4_4 Q4_0_8_8 Q3_0 Q2_0 NF4 bitsandbytes AQLM".split()


def ask_model(rng):
    q = rng.choice(ASK_MODEL)
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
    "explain (gravity|evolution|inflation|%METALS|chess|democracy|electricity|the moon|recursion|quantum theory|bitcoin)", "what does (%THINGS|%ADJECTIVES) mean",
    "how tall is (%NAMES %LAST|the tower of %CITIES)", "is (%METALS|%FRUITS) (good|bad|%ADJECTIVES)[ for me|]", "who is the (president|king|mayor|prime minister) of (%COUNTRIES|%CITIES)",
    "what (happened|was there) in (17|18|19)%DIGIT%DIGIT", "recommend me (a|some) (%THINGS|book|film|restaurant in %CITIES|music)", "what should i (eat|wear|read|watch|do) (today|tonight|tomorrow|in %CITIES)",
    "what is (the |)(price|colour|weight|population|history|meaning) of (%FRUITS|%METALS|%CITIES|%COUNTRIES|%THINGS)", "(%NAMES %LAST)", "(%CITIES)",
    "how do (%ANIMALS)s (sleep|live|hunt|swim|fly)", "can (%ANIMALS)s (fly|swim|talk|climb)", "what is the (best|worst|largest|smallest) (%ANIMALS|%FRUITS|%THINGS|country|city|river)",
    "{how2} (install|configure|learn|uninstall|use|master|start with) %PROGRAMS", "(what is|explain|tell me about|who made) %PROGRAMS", "%PROGRAMS (tutorial|error|crashes|is broken|for beginners)",
    "my %PROGRAMS (does not start|is slow|shows an error|lost my data)", "(is|are) %PROGRAMS better than %PROGRAMS", "[tell me about|who was|when did|what did] %PEOPLE[ live| do| die|]",
    "(what|which) (books|music|wars|children|works) (did|had) %PEOPLE [write|have|make|]", "how do i (cook|make|prepare|season) %DISHES", "%DISHES (recipe|for six|without eggs)", "(recipe|ingredients) for %DISHES",
    "my %DEVICES (is broken|makes a noise|does not work|smells|won't start)[, what now|. can you help|]", "{how2} (repair|clean|sell|open|choose) (a|my) %DEVICES", "which %DEVICES should i buy",
    "(teach me|explain|what is|tell me about|i want to learn) %SUBJECTS", "(a question about|help me with|introduction to|history of) %SUBJECTS", "i need help with my (%SUBJECTS|maths|french) homework",
    "how (far|long) is it from %CITIES to %CITIES", "(flights|trains|hotels|buses) (to|in|from) %CITIES", "who is (richer|older|taller|better), %PEOPLE or %PEOPLE", "what is %DIGIT%DIGIT (percent|miles|pounds|degrees) in (euros|km|kilos|celsius)",
    "what (colour|size|shape|taste) (is|has) (a|an|the) (%ANIMALS|%FRUITS|%THINGS|%VEGETABLES)", "is it (true|possible) that (%ANIMALS)s (fly|talk|read|swim|dream)", "how many (legs|eyes|teeth|bones) has a %ANIMALS",
    "who (painted|composed|wrote|built|discovered) (the mona lisa|hamlet|the ninth symphony|faust|the eiffel tower|penicillin|america|the pyramids|gravity)", "capital of %COUNTRIES", "population of (%CITIES|%COUNTRIES)",
    "what (currency|language) (is used|is spoken|do they have) in %COUNTRIES", "(i am|we are) travelling to (%CITIES|%COUNTRIES)[, what should we see|. any tips|. what do i pack|]", "my %ANIMALS (is ill|eats too much|bites|has no name)",
    "(synonym|rhyme|opposite|plural|definition) (of|for) %ADJECTIVES", "how is (%THINGS|%METALS|%FRUITS) made", "why do (%ANIMALS)s (sleep|bite|sing|run away)", "%PEOPLE", "%SUBJECTS",
    "when (did|will) the (war|middle ages|world cup|ice age|empire|film) (begin|end|happen)", "what is the (square root|derivative|speed|boiling point|formula) of (%METALS|%DIGIT%DIGIT|light|water|x squared)",
    "(gift|present) for my {person}", "how (tall|old|rich|heavy|famous) (is|was) %PEOPLE", "in which (year|country|city) was %PEOPLE born", "what is the plot of (hamlet|star wars|the odyssey|titanic|dune)",
    "should i (learn|study|choose) %SUBJECTS or %SUBJECTS", "who invented the (wheel|telephone|radio|computer|zip|bicycle|internet|light bulb)", "how does (a|an|the) (%DEVICES|engine|fridge|rainbow|eclipse|vaccine|parliament) work",
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


KINDS = [(ask_fact, 75), (ask_self, 16), (ask_command, 6), (ask_foreign_command, 4), (ask_option, 12), (ask_option_of, 3),
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
    "answers": ["replies", "responses"], "faster": ["quicker", "speedier"], "works": ["functions", "runs"], "choose": ["pick", "select"], "remove": ["delete", "get rid of"], "save": ["store", "keep"],
    "internet": ["net"], "memory": ["ram"], "provider": ["upstream", "vendor"], "providers": ["upstreams", "vendors"], "terminal": ["console", "shell"], "download": ["fetch", "grab"],
    "possible": ["feasible", "doable"], "stays": ["remains"], "happened": ["went on", "occurred"], "broken": ["busted", "kaput"], "costs": ["expenses"], "money": ["cash", "dollars"], "limits": ["caps"],
    "waits": ["hangs"], "write": ["put down", "type"], "tool": ["agent", "client"], "tools": ["clients"], "client": ["app", "program"], "clients": ["apps", "programs"], "prompt": ["input"],
    "conversation": ["chat", "session"], "conversations": ["chats", "sessions"], "everything": ["all"], "somebody": ["someone"], "colleague": ["coworker"], "quickly": ["fast"], "correct": ["right"],
    "long": ["lengthy"], "needed": ["required"], "supported": ["possible", "implemented"], "open": ["load"], "kept": ["stored", "retained"], "secret": ["confidential"], "error": ["failure"],
}
STOP = set("how do i can to the a an is are what does of for it my me in on want would like please tell".split())
BEFORE = ["hi, ", "hello, ", "hey, ", "please tell me: ", "quick question: ", "hey pilot, ", "ok, ", "so ", "um, ", "sorry, ", "pilot, ", "one question: ",
          "hello! ", "can you tell me ", "do you know ", "good day, ", "question: ", "i was wondering, ", "ok so ", "next: ", "now ", "and ", "genset: ",
          "hey there, ", "yo, ", "guys, ", "hi pilot! ", "dear pilot, ", "well, ", "alright, ", "right, ", "hmm, ", "oh, ", "listen, ", "look, ", "by the way, ", "btw ",
          "another thing: ", "stupid question: ", "dumb question but ", "noob question: ", "silly question, ", "just curious: ", "out of curiosity: ", "just wondering: ",
          "help! ", "help: ", "urgent: ", "good morning, ", "good evening. ", "excuse me, ", "may i ask: ", "let me ask: ", "i have a question: ", "serious question: ", "honest question: ",
          "for my understanding: ", "tell me, ", "say, ", "first question: ", "second question: ", "last question: ", "one more: ", "also, ", "but ", "then ", "wait, ", "ok next. "]
SETTING = """i have a {machine} with {ram} gb of memory.|i just installed genset.|i'm new here.|i am writing a small web app.|my machine has no gpu.
we are a team of [three|five|ten|twenty].|i have read the docs, but one thing is not clear.|i run {distro}.|i use it at work.|my {person} told me about genset.|i'm on the train.
i've got a question.|this may be a stupid question.|i tried for [an hour|half a day|ages].|i am a beginner.|it worked yesterday.|i am not sure if this is possible.
i have a server in the [basement|attic|office|cellar].|i use [claude code|the terminal|linux] every day.|my {person} asks me this.|i need this for a [script|talk|project|customer].|i'm in a hurry.|sorry to bother you.
i could not find it in the [help|docs|manual|readme].|we have a proxy at work.|i like the terminal.|i moved from ollama.|i used llama.cpp before.|my disk is small.
the documentation is long.|genset runs on my {machine}.|i am testing genset.|i'm setting up a new {machine}.|there is something i do not get.|i have two machines.
my boss wants to know.|i'm preparing a talk.|i am curious.|i have several clients.|everything else works.|i'm a {lang} developer.|i know {lang} but not this.|i'm a [student|teacher|nurse|lawyer|sysadmin|data scientist|web designer|writer].
i've searched everywhere.|google didn't help.|nobody here knows.|it's [late|friday|monday morning] and i'm [stuck|tired].|english is not my first language.|i'm not very technical.|explain it slowly please.
we deploy on [monday|friday|tomorrow].|my {machine} runs {distro}.|i work at a [bank|school|hospital|startup|university].|this is for my thesis.|i only have ten minutes.|i'm typing on my {phone}.
i have used genset for [a week|a month|two days].|i installed it this morning.|i like it so far.|thanks for the help so far.|last one for today.|here is my problem.|here's what i want.|bear with me.|i'm lost.|i give up.|something simple.
i'm writing a [blog post|wiki page|tutorial] about this.|my setup is simple.|my setup is [complicated|unusual|old].|i'm [behind a firewall|at a customer's site|on call|in a meeting|in the data centre].|before i forget""".replace("\n", "|").split(".|")
AFTER = [", please", " please", " thanks", ", thank you", " in genset", " with genset", " pls", " then", " exactly", " again", " here", " for me", " now",
         " thx", ", any idea", ", anyone", " plz", ", or not", ", right", " somehow", " actually", " anyway", " at all", ", pilot", ", mate", " lol", ", do you know", " today", " real quick", " asap"]
TRAILING = ["thanks in advance.", "it's urgent.", "i could not find it in the docs.", "i'm on {distro}.", "my {person} wants to know.", "i'm new to this.", "short answer please.", "no essay please.", "cheers.",
            "sorry if this is obvious.", "i hope that is clear.", "i'm stuck.", "this is for work.", "my {machine} runs {distro}.", "thank you!", "please be brief.", "any help is welcome.", "i tried everything.",
            "it drives me mad.", "just wondering.", "i use a {machine}.", "many thanks.", "hope you can help."]
FILLERS = ["like", "basically", "just", "actually", "really", "maybe", "kind of", "simply", "please", "somehow", "quickly", "even"]
SLANG = {"you": "u", "your": "ur", "are": "r", "please": "plz", "because": "cuz", "with": "w/", "without": "w/o", "want to": "wanna", "going to": "gonna", "about": "abt", "and": "&", "through": "thru",
         "for": "4", "to": "2", "before": "b4", "message": "msg", "messages": "msgs", "something": "sth", "something is": "sth is", "people": "ppl", "okay": "k", "configuration": "conf",
         "directory": "dir", "password": "pw", "kubernetes": "k8s", "javascript": "js", "typescript": "ts", "python": "py", "i am": "im", "i don't": "i dont", "what is": "whats", "do not": "dont", "cannot": "cant"}
BROKEN = {"does it": "it does", "how do i": "how i", "how can i": "how i can", "what is the": "what is", "is there a": "there is", "i want to": "i want", "do i need": "i need", "can i": "i can", "why does": "why",
          "what does": "what", "doesn't": "don't", "is not": "no", "has": "have", "are": "is", "which": "what", "i am": "i", "i'm": "i", "does not": "not", "models": "model", "how many": "how much"}
KEYS_NEAR = {a: near for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for a, near in zip(row, [row[max(0, i - 1) : i] + row[i + 1 : i + 2] for i in range(len(row))])}


def typo(text, rng):
    spots = [m.span() for m in re.finditer(r"(?<![-/`.\w])[a-z]{4,}(?![-/`.\w])", text)]
    if not spots:
        return text
    start, end = rng.choice(spots)
    at = rng.randint(start + 1, end - 2)
    kind = rng.randint(0, 4)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    if kind == 3:
        return text[:at] + rng.choice("abcdefghijklmnoprstuw") + text[at + 1 :]
    return text[:at] + rng.choice(KEYS_NEAR[text[at]]) + text[at + 1 :]


def replaced(text, table, rng, rate):
    """Words of a table put for those they stand for, each at a rate."""
    for word, other in table.items():
        if word in text and rng.random() < rate:
            text = re.sub(rf"(?<![\w./`'-]){re.escape(word)}(?![\w/`'-])", other, text)
    return text


def worn(q, rng):
    """A question as people write who are in a hurry or at home in another language."""
    kind = rng.random()
    if kind < 0.25:
        return replaced(q, SLANG, rng, 0.5)
    if kind < 0.45:
        return re.sub(r"(?<![\w-])(the|an|a) (?=[a-z])", lambda m: "" if rng.random() < 0.8 else m[0], q)
    if kind < 0.6:
        return replaced(q, BROKEN, rng, 0.4)
    if kind < 0.8:
        return re.sub(r"(?<=[a-z])'(?=[a-z])", "", q)
    parts = q.split(" ")
    if len(parts) < 4:
        return q
    at = rng.randint(1, len(parts) - 1)
    return " ".join([*parts[:at], rng.choice(FILLERS), *parts[at:]])


def cased(q):
    """With capitals where they belong."""
    q = PROPER_RE.sub(lambda m: PROPER[m[1]], q)
    return re.sub(r"(^|[.!?] )([a-z])(?![\w-]*\.\w)", lambda m: m[1] + m[2].upper(), q)


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
    if not plain and not code and rng.random() < 0.12:
        q = worn(q, rng)
    if not plain and rng.random() < 0.15:
        q = rng.choice(BEFORE) + q
    if not plain and rng.random() < 0.12 and len(q) > 12:
        q += rng.choice(AFTER)
    setting = choose(rng.choice(SETTING), rng)[0] if not plain and rng.random() < 0.12 else ""
    trailing = choose(rng.choice(TRAILING), rng)[0] if not plain and rng.random() < 0.05 else ""
    if rng.random() < 0.12:
        q = typo(typo(q, rng), rng) if rng.random() < 0.2 else typo(q, rng)
    style = rng.random()
    if style < 0.5:
        q += rng.choice(["?", "?", "?", "?", ".", "", " ?"])
        return cased(" ".join(t for t in (setting and setting + ".", q + "." if trailing and q[-1:].isalnum() else q, trailing) if t))
    if style < 0.97:
        q += rng.choice(["", "", "", "?", "?", "??", "...", "!", "."])
        if trailing:
            q += (rng.choice([" ", ", ", " - ", "; "]) if q[-1:].isalnum() else " ") + trailing.rstrip(".")
    elif not code and "--" not in q and "GENSET" not in q:
        q = q.upper()
    return setting + rng.choice([". ", ", ", "; ", " - ", " "]) + q if setting else q


def dialogue(rng):
    """Turns of a user and of pilot: [(question, answer), ...]."""
    turns, about = [], None
    for _ in range(rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3])):
        follow = ask_follow(about, rng) if rng.random() < 0.6 else None
        q, a, about = follow or ask(rng)
        turns.append((written(q, rng), a))
    return turns
