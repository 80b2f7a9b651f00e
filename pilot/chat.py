"""A conversation as the template writes it (template.jinja; check.py compares the two), in pieces: each
with whether the model wrote it."""
import json


def kind(s):
    if "enum" in s:
        return "|".join(json.dumps(v, ensure_ascii=False) for v in s["enum"])
    if s.get("type") == "array":
        return "[" + (kind(s["items"]) if s.get("items") else "any") + "]"
    if "properties" in s:
        return "{" + ", ".join(members(s)) + "}"
    return s["type"] if isinstance(s.get("type"), str) else "any"


def members(s):
    """The parameters of an object's schema, as they are listed."""
    required = s.get("required") or []
    return [f"{json.dumps(k, ensure_ascii=False)}{'' if k in required else '?'}: {kind(v)}" for k, v in s["properties"].items()]


def tool_text(tool):
    """What it does, and what a call of it looks like: its name is read by who knows what it is for."""
    f = tool["function"]
    p = f.get("parameters") or {}
    said = "\n" + f["description"].strip().split("\n")[0] if f.get("description") else ""
    return f"{said}\n<function={f['name']}>" + (kind(p) if p.get("properties") else "{}")


def call_text(name, args):
    return f"<function={name}>{json.dumps(args, ensure_ascii=False)}</function>"


def render(messages, tools=None, prompt=False):
    """[(text, written by the model), ...]

    Tools come behind the last thing the user said, so that each is read by who knows what is wanted."""
    out = []
    users = [i for i, m in enumerate(messages) if m["role"] == "user"]
    listed = users[-1] if users else len(messages) - 1
    for i, m in enumerate(messages):
        role = m["role"]
        if role in ("user", "system"):
            out.append((f"<|im_start|>{role}\n{m['content']}<|im_end|>\n", False))
        elif role == "assistant":
            calls = [call_text(c["function"]["name"], c["function"]["arguments"]) for c in m.get("tool_calls") or []]
            out.append(("<|im_start|>assistant\n", False))
            out.append(("\n".join(([m["content"]] if m["content"] else []) + calls) + "<|im_end|>", True))
            out.append(("\n", False))
        elif role == "tool":
            begins = i == 0 or messages[i - 1]["role"] != "tool"
            ends = i + 1 == len(messages) or messages[i + 1]["role"] != "tool"
            out.append((("<|im_start|>user" if begins else "") + f"\n<tool_response>\n{m['content']}\n</tool_response>" + ("<|im_end|>\n" if ends else ""), False))
        if tools and i == listed:
            out.append(("<|im_start|>system\n<tools>" + "".join(map(tool_text, tools)) + "\n</tools><|im_end|>\n", False))
    if prompt:
        out.append(("<|im_start|>assistant\n", False))
    return out
