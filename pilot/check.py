"""Checks that need no training: check.py GENSET FOLDER

The tokenizer and the template give what genset gives, a word is spelt one way, marks say what is called; the engine
computes the logits that PyTorch does, on a tiny random model, and copied layers change nothing; gradient.c differentiates as PyTorch does; and
check_facts.py."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

import bpe
import chat
import check_facts
import data
import deepen
import export
import facts
import gguf
import gradient
import network
import tools

MAX_GRADIENT_REL_L2 = 3e-2  # its products are of bfloat16
MAX_REL_L2 = {gguf.F32: 1e-5, gguf.Q8_0: 3e-2}  # with Q8_0 the engine quantises activations, too


def genset(*args, stdin=""):
    out = subprocess.run([sys.argv[1], *args], input=stdin, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(f"genset {' '.join(args)}: {out.stderr}")
    return out.stdout


def check_template(rng, tmp):
    for _ in range(60):
        messages, tool_list = drawn_messages(rng)
        prompt = rng.random() < 0.5
        want = "".join(t for t, _ in chat.render(messages, tool_list, prompt))
        variables = {"messages": messages, "tools": tool_list, "add_generation_prompt": prompt}
        got = genset("prompt", "--template", os.path.join(facts.ROOT, "pilot/template.jinja"), stdin=json.dumps(variables))
        if got.rstrip("\n") != want.rstrip("\n"):
            raise SystemExit(f"template: wanted\n{want}\ngot\n{got}")


def drawn_messages(rng):
    while True:
        messages, tool_list = tools.dialogue(rng, data.other)
        if messages:
            return ([{"role": "system", "content": "Be brief."}] if rng.random() < 0.3 else []) + messages, tool_list


def check_tokens(model, tokenizer, tmp):
    texts = ["".join(t for t, _ in pieces) for pieces in data.documents(99, 400)]
    texts += ["\u00e4\u00f6\u00fc \u4f60\u597d \U0001f600 x\u0301 \u00b2\u00bd", "  a\n\n b\t\r\n c  ", "don't I'LL 12345 --ctx=9"]
    path = os.path.join(tmp, "texts.json")
    with open(path, "w") as f:
        json.dump(texts, f)
    for text, ids in zip(texts, json.loads(genset("tokens", model, "--texts", path))):
        if ids != tokenizer.encode(text):
            raise SystemExit(f"tokenizer: differs for {text!r}")


def check_spelling(tokenizer):
    """A word is the same tokens behind a quote, an underscore and, unless it is everywhere, a space."""
    for word in ["malloc", "thermostat", "EUR", "Reykjavik"]:
        spelt = [tokenizer.encode(sign + word)[1:] for sign in '"_/ ']
        if any(ids != spelt[0] for ids in spelt):
            raise SystemExit(f"tokenizer: {word} is spelt differently: {spelt}")


def check_marks(rng, tokenizer):
    """What is marked behind a parameter begins its value."""
    found = 0
    for _ in range(100):
        messages, tool_list = drawn_messages(rng)
        marks = data.marked(messages, tool_list)
        listing = next(text for text, _ in chat.render(messages, tool_list) if text.endswith("</tools><|im_end|>\n"))
        last = max(i for i, m in enumerate(messages) if m["role"] == "user")
        calls = {c["function"]["name"]: c["function"]["arguments"] for m in messages[last:] for c in reversed(m.get("tool_calls", []))}
        ids = tokenizer.encode(listing)
        for i, mark in enumerate(data.marks_of(ids, marks, tokenizer)):
            if mark in (0, tokenizer.end, tokenizer.pad):
                continue
            read = tokenizer.decode(ids[: i + 1])
            tool, key = re.findall(r"<function=([^>]*)>", read)[-1], re.findall(r'"([^"]*)"\??: ', read)[-1]
            members = [calls[tool], *(v for v in calls[tool].values() if isinstance(v, dict))]
            if not any(json.dumps(m.get(key), ensure_ascii=False).strip('["').startswith(tokenizer.decode([mark]).lstrip('["')) for m in members):
                raise SystemExit(f"marks: {tokenizer.decode([mark])!r} is not how {key} begins: {calls[tool]}")
            found += 1
    if not found:
        raise SystemExit("marks: no value is marked")


def check_logits(tokenizer, tmp):
    torch.manual_seed(7)
    shape = network.Shape(n_embd=64, n_layer=2, n_head=4, n_head_kv=2, n_head_dim=32, n_ff=96)
    model = network.Pilot(shape)
    network.Linear.exact = True
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
        if p.ndim == 2:
            p.data = torch.from_numpy(gguf.rounded(p.data.numpy()))
    ids = torch.randint(0, shape.n_vocab, (1, 70))
    with torch.no_grad():
        want = model.head(model(ids))[0].numpy()
    path, tokens, out = (os.path.join(tmp, n) for n in ("tiny.gguf", "tokens.json", "logits"))
    with open(tokens, "w") as f:
        json.dump(ids[0].tolist(), f)
    for kind, limit in MAX_REL_L2.items():
        export.write(path, shape, dict(model.named_parameters()), tokenizer, kind)
        genset("logits", path, "--tokens", tokens, "--out", out)
        got = np.fromfile(out, "<f4").reshape(want.shape)
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        print(f"logits: relative error {error:.1e}")
        if not error < limit:
            raise SystemExit("logits: too far from PyTorch's")
    check_deeper(shape, model, ids, want)
    return path


def check_deeper(shape, model, ids, want):
    state = deepen.deeper({"shape": shape.dict(), "model": model.state_dict()}, [0, 1, 1])
    more = network.Pilot(network.Shape(**state["shape"]))
    more.load_state_dict(state["model"])
    with torch.no_grad():
        got = more.head(more(ids))[0].numpy()
    if state["shape"]["n_layer"] != shape.n_layer + 3 or not np.array_equal(got, want):
        raise SystemExit("layers: copied ones change what is computed")


def check_gradients():
    torch.manual_seed(8)
    shape = network.Shape(n_vocab=128, n_embd=64, n_layer=2, n_head=4, n_head_kv=2, n_head_dim=32, n_ff=96)
    model = network.Pilot(shape)
    for p in model.parameters():
        p.data += 0.2 * torch.randn_like(p)
    fast, exact = gradient.workers(model, 1)[0], gradient.Torch(model)
    fast.prepare(0, 1)
    ids, positions = torch.randint(0, shape.n_vocab, (3, 72)), torch.arange(72)[None] * 3
    following, learnt = torch.randint(0, shape.n_vocab, (3, 72)), torch.randint(0, 5, (3, 72), dtype=torch.int8)
    losses = [w.add(ids, following, learnt, positions, 0.01) for w in (fast, exact)]
    if losses[0][1] != losses[1][1] or abs(losses[0][0] / losses[1][0] - 1) > 1e-2:
        raise SystemExit(f"losses: {losses}")
    names = [n for n, _ in model.named_parameters()]
    for name, got, want in zip(names, fast.gradients, exact.gradients):
        error = float((got - want).norm() / want.norm())
        if not error < MAX_GRADIENT_REL_L2:
            raise SystemExit(f"gradients: {name} is {error:.1e} from PyTorch's")


def main():
    tokenizer = bpe.Tokenizer.load(os.path.join(sys.argv[2], "tokenizer.json"))
    with tempfile.TemporaryDirectory() as tmp:
        model = check_logits(tokenizer, tmp)
        check_gradients()
        check_tokens(model, tokenizer, tmp)
        check_spelling(tokenizer)
        check_marks(random.Random(4), tokenizer)
        check_template(random.Random(3), tmp)
    check_facts.main()
    print("pilot: checked")


if __name__ == "__main__":
    main()
