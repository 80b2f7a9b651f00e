// What the constraint of a JSON schema allows is valid: random schemas, outputs sampled by
// genset-sample-schema, and ajv as the judge. GENSET_SCHEMAS is how many (default below),
// GENSET_SCHEMA_SEED the seed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const SCHEMAS = Number(process.env.GENSET_SCHEMAS ?? 10000);
const SEED = Number(process.env.GENSET_SCHEMA_SEED ?? 1);
const BATCH = 250; // schemas of one run, and of one validator: it keeps all it has compiled
const OUTPUTS = 9;
const DEPTH = 3;

// ---- chance ----

let state = 0;

function random() {
  // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const below = (n) => Math.floor(random() * n);
const chance = (p) => random() < p;
const pick = (list) => list[below(list.length)];
const times = (n, make) => Array.from({ length: n }, make);
const some = (list, p) => list.filter(() => chance(p));

// ---- schemas ----

const NAMES = ["a", "b", "ab", "abc", "id", "na me", "x-a", "x-b", "n1", "\u00e9", 'q"', "b\\"];
const FORMATS = [
  "date", "time", "date-time", "duration", "uuid", "email", "hostname", "ipv4", "ipv6", "uri",
];
const DEFS = ["one", "two", "self"];

// Groups are repeated a few times only: the judge's engine goes back and forth.
function expression(depth = 1) {
  const plain = () =>
    pick([
      ["a", "b", "x-", "\\.", "1", "\u00e9", '"', "\\\\", "/"],
      ["\\d", "\\w", "\\s", "\\S", "\\D", "\\W", "."],
      ["[a-c]", "[^a-z]", "[\\w.-]", "[0-9a-f]", '[^"]', "[\\u00e0-\\u00ff]"],
    ]);
  const group = () =>
    pick([
      () => `(${expression(depth - 1)})`,
      () => `(?:${expression(depth - 1)}|${expression(depth - 1)})`,
    ])() + pick(["", "?", "{2}"]);
  const part = () =>
    depth > 0 && chance(0.3)
      ? group()
      : pick(plain()) + pick(["", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "+?"]);
  return times(1 + below(3), part).join("");
}

const pattern = () => (chance(0.5) ? "^" : "") + expression() + (chance(0.5) ? "$" : "");

function value(depth = 1) {
  return pick([
    () => null,
    () => chance(0.5),
    () => below(20) - 10,
    () => (below(2000) - 1000) / 8,
    () => pick(["", "a", "b", "x\n\u00e9", "1", "\ud83d\ude00"]),
    () => (depth > 0 ? times(below(3), () => value(depth - 1)) : 0),
    () => (depth > 0 ? Object.fromEntries(some(NAMES, 0.2).map((k) => [k, value(0)])) : "o"),
  ])();
}

function bound() {
  return pick([
    () => below(10) - 5,
    () => below(2000) - 1000,
    () => (below(2000) - 1000) / 100,
    () => Number(((random() - 0.5) * 10).toFixed(1 + below(9))),
    () => Number((random() * 10 ** below(12)).toFixed(below(4))),
    () => -(10 ** below(15)) - below(2) * 0.5,
    () => pick([0, 1e-7, -1e-9, 9007199254740991, 1e15, 123456789012.5, 1e300, -0.1]),
  ])();
}

function number() {
  const [lo, hi] = [bound(), bound()].sort((x, y) => x - y);
  const s = { type: pick(["number", "integer"]) };
  if (chance(0.6)) s[pick(["minimum", "exclusiveMinimum"])] = lo;
  if (chance(0.6)) s[pick(["maximum", "exclusiveMaximum"])] = hi;
  if (chance(0.1)) s.minimum = bound();
  return s;
}

function string() {
  const s = { type: "string" };
  if (chance(0.35)) s.pattern = pattern();
  else if (chance(0.3)) s.format = pick(FORMATS);
  if (!(s.pattern || s.format) || chance(0.1)) {
    if (chance(0.5)) s.minLength = below(5);
    if (chance(0.5)) s.maxLength = (s.minLength ?? 0) + below(6);
  }
  return s;
}

function object(depth) {
  const s = { type: "object" };
  const names = some(NAMES, 0.25);
  if (chance(0.7))
    s.properties = Object.fromEntries(names.map((name) => [name, schema(depth - 1)]));
  if (chance(0.6)) s.required = chance(0.8) ? some(names, 0.5) : some(NAMES, 0.2);
  if (chance(0.4)) s.additionalProperties = pick([true, false, schema(depth - 1)]);
  if (chance(0.15))
    s.patternProperties = Object.fromEntries(
      times(1 + below(2), () => [
        chance(0.6) ? pick(["^x-", "^n", "^[a-c]+$", "b$", "^z"]) : pattern(),
        schema(depth - 1),
      ]),
    );
  if (chance(0.15))
    s.propertyNames = pick([
      () => ({ pattern: pattern() }),
      () => ({ maxLength: below(4) }),
      () => ({ enum: some(NAMES, 0.5).concat("a") }),
      () => schema(0),
    ])();
  if (chance(0.1)) s.minProperties = below(4);
  if (chance(0.1)) s.maxProperties = below(4);
  return s;
}

function array(depth) {
  const s = { type: "array" };
  if (chance(0.6)) s.items = pick([schema(depth - 1), schema(depth - 1), true, false]);
  if (chance(0.3)) s.prefixItems = times(1 + below(3), () => schema(depth - 1));
  if (chance(0.3)) s.minItems = below(3);
  if (chance(0.3)) s.maxItems = (s.minItems ?? 0) + below(3);
  return s;
}

// Schemas of types that differ, so that at most one holds.
function disjoint(depth) {
  return [
    number(), string(), object(depth), array(depth), { type: "boolean" }, { type: "null" },
    { const: "a" }, { const: 3 },
  ].filter(() => chance(0.3));
}

function combined(depth) {
  const parts = () => times(1 + below(3), () => schema(depth - 1));
  const alike = pick([number, string, () => object(depth - 1), () => array(depth - 1)]);
  return pick([
    () => ({ anyOf: parts() }),
    () => ({ oneOf: disjoint(depth - 1).concat({ const: true }) }),
    () => ({ oneOf: parts() }),
    () => ({ allOf: parts() }),
    () => ({ allOf: times(2 + below(2), alike) }),
    () => ({ ...alike(), allOf: [alike()] }),
    () => ({ ...alike(), anyOf: times(2, alike) }),
    () => ({ ...alike(), anyOf: [alike(), schema(depth - 1)], oneOf: disjoint(depth - 1).concat(true) }),
    () => ({ ...object(depth - 1), anyOf: times(2, () => ({ required: some(NAMES, 0.15) })) }),
    () => ({ ...alike(), enum: times(4, () => value()) }),
    () => ({ enum: times(4, () => value()), anyOf: parts() }),
    () => ({ const: value(), ...alike() }),
  ])();
}

function schema(depth) {
  const leaf = [number, number, string, string, () => ({ type: pick(["boolean", "null"]) }),
    () => ({ enum: times(1 + below(4), () => value()) }), () => ({ const: value(2) }), () => ({}),
    () => chance(0.9), () => ({ $ref: `#/$defs/${pick(DEFS)}` })];
  const tree = [object, object, object, array, array, combined, combined,
    () => ({ ...object(depth), ...string(), ...number(), ...array(depth),
      type: some(["object", "string", "number", "integer", "array", "null"], 0.4).concat("boolean") }),
    () => ({ ...pick([number, string])(), nullable: true }),
    () => ({ $ref: `#/$defs/${pick(DEFS)}`, ...object(depth - 1) })];
  if (chance(0.02)) {
    const bare = pick([number, string, () => object(depth)])();
    delete bare.type;
    return bare;
  }
  return depth <= 0 || chance(0.3) ? pick(leaf)() : pick(tree)(depth);
}

function document() {
  const root = schema(DEPTH);
  if (typeof root === "boolean") return root;
  return {
    ...root,
    $defs: {
      one: schema(1),
      two: object(1),
      self: {
        type: "object",
        properties: { v: schema(0), more: { type: "array", items: { $ref: "#/$defs/self" } } },
        required: some(["v"], 0.5),
      },
    },
  };
}

// ---- judging ----

async function samples(schemas) {
  const child = spawn(process.env.GENSET, [String(OUTPUTS)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (part) => (text += part));
  child.stdin.end(schemas.map((s) => `${JSON.stringify(s)}\n`).join(""));
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  assert.equal(code, 0);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

const count = { schemas: 0, empty: 0, endless: 0, judged: 0, outputs: 0, unfinished: 0 };
const ignored = {};
let wrong = 0;

function complain(schema, what) {
  if (wrong++ < 20) console.error(`${what}\n  schema: ${JSON.stringify(schema)}`);
}

// Null where ajv follows a definition that is nothing but itself.
function validator(ajv, schema) {
  try {
    return ajv.compile(schema);
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
    return null;
  }
}

function judge(ajv, schema, sample) {
  count.schemas++;
  if (sample.error !== null) {
    const empty = /allows nothing/.test(sample.error);
    const endless = /begins with itself|nested too deep|more than \d+ parts|enough memory/.test(sample.error);
    count.empty += empty;
    count.endless += endless; // what is merged with itself without end
    if (!empty && !endless) complain(schema, `refused: ${sample.error}`);
    return;
  }
  for (const keyword of sample.ignored.split(", ").filter(Boolean))
    ignored[keyword] = (ignored[keyword] ?? 0) + 1;
  count.outputs += sample.outputs.length;
  count.unfinished += sample.unfinished;
  if (sample.dead !== null) complain(schema, `nothing may follow: ${sample.dead}`);
  const valid = sample.ignored === "" && sample.outputs.length > 0 ? validator(ajv, schema) : null;
  count.judged += valid !== null;
  for (const output of sample.outputs) {
    let parsed;
    try {
      parsed = JSON.parse(output);
    } catch (err) {
      complain(schema, `no JSON: ${output}: ${err.message}`);
      return;
    }
    if (valid && !valid(parsed)) {
      complain(schema, `not valid: ${output}: ${ajv.errorsText(valid.errors)}`);
      return;
    }
  }
}

state = SEED;
let waiting = null;
for (let left = SCHEMAS; left > 0 || waiting; left -= BATCH) {
  const schemas = left > 0 ? times(Math.min(BATCH, left), document) : null;
  const running = schemas && { schemas, made: samples(schemas) }; // while the last are judged
  if (waiting) {
    const made = await waiting.made;
    const ajv = new Ajv({ strict: false, allErrors: false, logger: false, validateSchema: false });
    addFormats(ajv);
    assert.equal(made.length, waiting.schemas.length);
    made.forEach((sample, i) => judge(ajv, waiting.schemas[i], sample));
  }
  waiting = running;
}
console.log(JSON.stringify({ ...count, ignored, wrong }));
assert.equal(wrong, 0);
