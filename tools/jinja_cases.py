#!/usr/bin/python3
"""Ask the real Jinja2 (apt-get install python3-jinja2), set up as Hugging Face Transformers sets it
up, what every case of tests/data/jinja_cases.json should give, and write it there. To add a case, add
{"vars": SET, "template": TEXT} to the file and run this. A case ends up with "expected", or with
"fails": "compile" or "render".

    tools/jinja_cases.py [--check]"""
import copy
import datetime
import json
import os
import sys
from collections import abc

import jinja2
import jinja2.ext
import jinja2.sandbox

PATH = os.path.join(os.path.dirname(__file__), "..", "tests", "data", "jinja_cases.json")
NOW = datetime.datetime(2026, 1, 15, 9, 30, 0)

# Jinja2 3.1.5 forbids these two as well; older ones are brought up to it.
jinja2.sandbox._mutable_spec = tuple(
    (kind, names | {"clear", "pop"} if kind is abc.MutableSequence else names)
    for kind, names in jinja2.sandbox._mutable_spec)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def result(env, template, variables):
    try:
        compiled = env.from_string(template)
    except Exception:
        return {"fails": "compile"}
    try:
        return {"expected": compiled.render(**copy.deepcopy(variables))}
    except Exception:
        return {"fails": "render"}


def main():
    with open(PATH, encoding="utf-8") as f:
        data = json.load(f)
    env = environment()
    changed = 0
    for i, case in enumerate(data["cases"]):
        new = {"vars": case["vars"], "template": case["template"]}
        new.update(result(env, case["template"], data["vars"][case["vars"]]))
        changed += new != case
        data["cases"][i] = new
    if "--check" not in sys.argv:
        with open(PATH, "w", encoding="utf-8") as f:
            rows = (json.dumps(c, ensure_ascii=False) for c in data["cases"])
            f.write('{"vars": %s,\n"cases": [\n%s\n]}\n' %
                    (json.dumps(data["vars"], ensure_ascii=False), ",\n".join(rows)))
    print(f"{len(data['cases'])} cases, {changed} changed")
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
