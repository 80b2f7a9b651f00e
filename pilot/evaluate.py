"""Asks the engine the held-out questions: evaluate.py GENSET MODEL [--all]

Prints a table, with --all every answer that is not right. Calls and JSON are written without constraint:
what the file's template makes of the request is completed as a text."""
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

import facts
import questions

PORT = 18484


def post(path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def answer(messages):
    body = {"model": "any", "messages": messages, "temperature": 0, "max_tokens": 300}
    return post("/v1/chat/completions", body)["choices"][0]["message"]["content"] or ""


def complete(messages, tools=None):
    prompt = post("/apply-template", {"model": "any", "messages": messages, "tools": tools or []})["prompt"]
    return post("/v1/completions", {"model": "any", "prompt": prompt, "temperature": 0, "max_tokens": 300})["choices"][0]["text"]


# Help


def ask_help(file, missed):
    right = invented = 0
    all_questions = questions.load(file)
    for q in all_questions:
        messages = []
        for text in q.before + [q.text]:
            messages.append({"role": "user", "content": text})
            said = answer(messages)
            messages.append({"role": "assistant", "content": said})
        bad = facts.strangers(said, q.text)
        invented += bool(bad)
        right += q.right(said) and not bad
        if bad or not q.right(said):
            missed.append(f"{q.text}\n    {said}" + (f"\n    invented: {bad}" if bad else ""))
    return right, invented, len(all_questions)


# Calls

CALLS = ("eval/calls.txt", "eval/calls-unseen.txt")


def schema_of(t):
    if isinstance(t, str):
        return {"type": t}
    if isinstance(t, dict):
        return object_of(t)
    return {"type": "array", "items": schema_of(t[0][0])} if isinstance(t[0], list) else {"type": "string", "enum": t}


def object_of(params):
    props = {k.rstrip("?"): schema_of(v) for k, v in params.items()}
    return {"type": "object", "properties": props, "required": [k for k in params if not k.endswith("?")]}


def split_json(text):
    """A JSON value at the start of a text, and what follows."""
    value, end = json.JSONDecoder().raw_decode(text)
    return value, text[end:].strip()


def load_calls(file):
    cases, tools, fresh = [], [], True
    for line in facts.read(f"pilot/{file}").splitlines():
        if line.startswith("@ "):
            tools = [] if fresh else tools
            name, rest = line[2:].split(" ", 1)
            params, description = split_json(rest)
            tools = tools + [{"type": "function", "function": {"name": name, "description": description, "parameters": object_of(params)}}]
            fresh = False
        elif line.startswith("? "):
            text, wanted = line[2:].split(" => ")
            calls = []
            for one in wanted.split(" && ") if wanted != "none" else []:
                name, rest = one.split(" ", 1)
                calls.append((name, json.loads(rest)))
            cases.append((tools, text, calls))
        elif not line.strip():
            fresh = True
    return cases


def fits(v, s):
    kinds = {"string": str, "boolean": bool, "array": list, "object": dict}
    t = s["type"]
    if t in ("integer", "number"):
        return isinstance(v, (int,) if t == "integer" else (int, float)) and not isinstance(v, bool)
    if not isinstance(v, kinds[t]):
        return False
    if t == "array":
        return all(fits(x, s["items"]) for x in v)
    if t == "object":
        return set(s["required"]) <= set(v) <= set(s["properties"]) and all(fits(x, s["properties"][k]) for k, x in v.items())
    return "enum" not in s or v in s["enum"]


def read_calls(text):
    """The calls in a text; None: something in it is no call that can be read."""
    calls = []
    for name, args in re.findall(r"<function=(.*?)>(.*?)(?:</function>|$)", text, flags=re.S):
        try:
            calls.append((name, json.loads(args)))
        except ValueError:
            return None
    return calls


def ask_calls(file, missed):
    right = valid = wrote = 0
    cases = load_calls(file)
    for tools, text, wanted in cases:
        said = complete([{"role": "user", "content": text}], tools)
        calls = read_calls(said)
        schemas = {t["function"]["name"]: t["function"]["parameters"] for t in tools}
        if calls or calls is None or wanted:
            wrote += 1
            valid += bool(calls) and all(n in schemas and fits(a, schemas[n]) for n, a in calls)
        right += calls == wanted
        if calls != wanted:
            missed.append(f"{text}\n    {said}")
    return right, valid, wrote, len(cases)


def ask_json(missed):
    right = valid = 0
    cases = [line[2:].split(" => ") for line in facts.read("pilot/eval/json.txt").splitlines() if line.startswith("? ")]
    for text, wanted in cases:
        said = complete([{"role": "user", "content": text}])
        wanted = json.loads(wanted)
        try:
            value = json.loads(said)
        except ValueError:
            value = None
        valid += type(value) is type(wanted)
        ok = type(value) is type(wanted) and (not wanted or value == wanted)
        right += ok
        if not ok:
            missed.append(f"{text}\n    {said}")
    return right, valid, len(cases)


# Text and speed


def perplexity(genset, model):
    """Of the ends of the books that the training leaves out; None without the books."""
    import numpy as np

    path = os.path.join(facts.ROOT, "../shared/corpus/books/lewis-carroll_alices-adventures-in-wonderland_john-tenniel.txt")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with tempfile.TemporaryDirectory() as tmp:
        tokens, out, texts = (os.path.join(tmp, n) for n in ("tokens.json", "out", "texts.json"))
        with open(texts, "w") as f:
            json.dump([text[len(text) * 39 // 40 :]], f)
        ids = json.loads(subprocess.run([genset, "tokens", model, "--texts", texts], capture_output=True, check=True).stdout)[0][:1024]
        with open(tokens, "w") as f:
            json.dump(ids, f)
        subprocess.run([genset, "logits", model, "--tokens", tokens, "--out", out], check=True)
        logits = np.fromfile(out, "<f4").reshape(len(ids), -1).astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    chosen = logits[np.arange(len(ids) - 1), ids[1:]] - np.log(np.exp(logits[:-1]).sum(1))
    return math.exp(-chosen.mean())


def speed(genset, model):
    out = subprocess.run([genset, "bench", model, "-p", "512", "-n", "128", "-t", "2", "-r", "1", "--json"], capture_output=True, check=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def main():
    genset, model = sys.argv[1:3]
    missed = []
    with tempfile.TemporaryDirectory() as tmp:
        environment = dict(os.environ, XDG_DATA_HOME=tmp, XDG_CONFIG_HOME=tmp, XDG_CACHE_HOME=tmp, XDG_STATE_HOME=tmp)
        server = subprocess.Popen([genset, "serve", model, "--listen", f"127.0.0.1:{PORT}", "--no-ledger", "--log-level", "error"], env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(server)
            help_right, invented, n_help = ask_help(questions.FILES[0], missed)
            missed.append("---- far")
            far_right, far_invented, n_far = ask_help(questions.FILES[1], missed)
            missed.append("---- calls")
            calls_right, calls_valid, wrote, n_calls = ask_calls(CALLS[0], missed)
            unseen_right, unseen_valid, unseen_wrote, n_unseen = ask_calls(CALLS[1], [])  # not to be read
            missed.append("---- json")
            json_right, json_valid, n_json = ask_json(missed)
        finally:
            server.terminate()
            server.wait()
    ppl, figures = perplexity(genset, model), speed(genset, model)
    if "--all" in sys.argv:
        print("\n".join(missed) + "\n")
    percent = lambda a, b: f"{100 * a / b:.0f} % ({a} of {b})"
    print("| what | result |\n|---|---|")
    print(f"| help questions right | {percent(help_right, n_help)} |")
    print(f"| far-fetched help questions right | {percent(far_right, n_far)} |")
    print(f"| answers that name a command or option that does not exist | {invented + far_invented} of {n_help + n_far} |")
    print(f"| tool calls valid, without constraint | {percent(calls_valid, wrote)} |")
    print(f"| calls, or their absence, right in all arguments | {percent(calls_right, n_calls)} |")
    print(f"| unseen tools: calls valid | {percent(unseen_valid, unseen_wrote)} |")
    print(f"| unseen tools: calls right | {percent(unseen_right, n_unseen)} |")
    print(f"| JSON valid, without constraint | {percent(json_valid, n_json)} |")
    print(f"| JSON right | {percent(json_right, n_json)} |")
    if ppl:
        print(f"| perplexity of held-out prose, by token | {ppl:.1f} |")
    print(f"| tokens/s, two threads: reading, writing | {figures['prompt'][0]['tps']:.0f}, {figures['answer'][0]['tps']:.0f} |")


def wait_for(server):
    import time

    for _ in range(200):
        if server.poll() is not None:
            raise SystemExit("the server ended")
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health").read()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main()
