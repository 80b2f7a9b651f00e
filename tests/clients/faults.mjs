// Every fault that a provider can have (shared design "faults", sections A to E), as the official
// SDKs see it through genset: rows of a table, each in every API, streamed and whole. Nobody sees
// the fault: another provider or this machine answers, or goes on where the answer broke off.
//
//   node faults.mjs [WORD]     only rows and checks whose name has this word
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APIS, ask, checkError, withFake } from "./fakes.mjs";
import { JSON_OUT, claude } from "./claude.mjs";
import { check, inFolder, main, serving, withScript } from "./serve.mjs";
import { endpoints } from "./shapes.mjs";

const WORDS = "w0 w1 w2 w3 w4 w5 w6 w7";
const MANY = Array.from({ length: 30 }, (_, i) => `w${i}`).join(" ");
const LETTERS = "a b c d e f g h i j k l m n o p";
const GREEK = "λ0 ñ1 €2 😀3 λ4 ñ5 €6 😀7";
const THOUGHTS = "t0 t1 t2";
const CALL = { name: "get_weather", args: { city: "w0 w1 w2 w3", days: 3 } };
const ALL = Object.keys(APIS);
const SSE = ["anthropic", "chat", "responses"];
const AT_ONCE = 12;
const only = process.argv[2];

const test = (what, body) => (!only || what.includes(only) ? check(what, body) : undefined);

const BOTH = [true, false];
const STREAMED = [true];
const WHOLE = [false];

// A row: the fault's words; whose answer the client gets ("fake", "other", "local"; "spliced": begun
// by the fake, ended by local; a number: this refusal; "error": an error in the stream and no end).
// Further: route (first part of the model's name), apis, ways (streamed or not), prompt, asked (how
// often the fake is), again (what a second request for the same model gets, and how often the fake
// was asked by then), text, finish; on (who goes on, as the stream's comment says), asks (how the
// second provider is asked in the end), said (by the second one, and not told), has (how many
// lines are like that), tokens (of the answer), names (the model, at its end).
const row = (id, fault, by, more = {}) => ({ id, fault, by, route: "fake", apis: ALL, ways: BOTH, prompt: "say 8", ...more });

const LONG = { route: "two", ways: STREAMED, prompt: "say 30", text: MANY };
const END_MARK = [/^event: message_stop$|^data: \[DONE\]$|^event: response.completed$/, 1];
const ANCHOR = /The last characters that I have/;
const benched = { again: { by: "local", asked: 1 } };
const ROWS = [
  row("ok", "ok", "fake"),
  row("ok think", "ok", "fake", { prompt: "say 8 and think" }),
  row("ok call", "ok", "fake", { prompt: "say 8 and call get_weather" }),

  row("A1 dns", "ok", "local", { route: "dns", asked: 0 }),
  row("A2 refused", "ok", "local", { route: "refused", asked: 0 }),
  row("A3 black hole", "ok", "local", { route: "hole", asked: 0 }),
  row("A4 expired certificate", "ok", "local", { route: "expired", asked: 0 }),
  row("A4 unknown authority", "ok", "local", { route: "unknown", asked: 0 }),
  row("A4 no TLS there", "ok", "local", { route: "plain", asked: 0 }),
  row("A4 (well) own authority", "ok", "fake", { route: "trusted", asked: 0 }),
  row("A5 portal", "portal", "local"),
  row("A5 web page", "200-html", "local"),
  row("A6 reset before the head", "reset", "local"),
  row("A6 end before the head", "eof", "local"),
  row("A6 noise", "noise", "local"),
  row("A7 interim heads", "interim", "fake"),
  row("A7 407", "407", "local"),
  row("A7 proxy refuses", "ok", "local", { route: "proxy", asked: 0 }),
  row("A7 redirect", "redirect", "local"),
  row("A8 body shorter than declared", "long-length", "local", { ways: WHOLE }),
  row("A8 body longer than declared", "short-length", "local", { ways: WHOLE }),

  row("B1 429, seconds", "429-retry-after-60,ok", "local", benched),
  row("B1 429, date", "429-retry-date-60,ok", "local", benched),
  row("B1 429, ms", "429-retry-ms-60000,ok", "local", benched),
  row("B1 429, x-ms", "429-retry-xms-60000,ok", "local", benched),
  row("B2 429", "429", "local"),
  row("B2 429, another answers", "429;ok", "other", { route: "two" }),
  row("B3 429, quota", "429-quota,ok", "local", benched),
  row("B4 429, bare", "429-empty", "local"),
  row("B5 500", "500", "local"),
  ...[502, 503, 504, 529, 424, 418, 408, 409, 425, 413, 431].map((status) => row(`B6-8,15,16 ${status}`, `${status}`, "local")),
  row("B6 502, page", "502-html", "local"),
  row("B6 529, both", "529;529", "local", { route: "two" }),
  row("B11 400, context", "400-context", "local"),
  row("B12 400, policy", "400-policy", 400),
  row("B13 400", "400", 400),
  row("B13 422", "422", 422),
  row("B13 400, aggregator", "400-provider", "local"),
  row("B14 404, model", "404-model,ok", "local", benched),

  row("C1 error first", "error-first", "local"),
  row("C2 error after opening", "error-open", "local"),
  row("C3 empty", "empty", "local"),
  row("C4 no choices", "no-choices", "local"),
  row("C5 zero bytes", "zero", "local"),
  row("C5 zero bytes, cut", "zero-cut", "local"),
  row("C6 failed", "failed", "local"),
  row("C7 only reasoning", "think-only", "fake", { text: "", finish: { anthropic: "max_tokens", chat: "length", responses: "incomplete", ollama: "length" } }),
  row("C9 no head", "silent", "local", { ways: STREAMED }),
  row("C9 no first token", "stall-after-0", "local", { ways: STREAMED }),
  row("C9 comments only", "comments-after-0", "local", { ways: STREAMED }),
  row("C9 pings only", "pings-after-0", "local", { ways: STREAMED }),
  row("C10 trickle", "drip-after-3", "spliced", { route: "drip", ways: STREAMED, prompt: `recite ${LETTERS}`, text: LETTERS, on: "local" }),

  ...["cut", "end", "rst", "stall", "error", "rate", "malformed", "comments", "pings"].flatMap((what) => [
    row(`D ${what} in text`, `${what}-after-3`, "spliced", { ways: STREAMED }),
    row(`D ${what} in reasoning`, `${what}-after-2`, "spliced", { ways: STREAMED, prompt: "say 8 and think" }),
  ]),
  row("D1 cut in a call", "cut-after-10", "spliced", { ways: STREAMED, apis: SSE, prompt: "say 8 and call get_weather" }),
  row("D3 stall in a call", "stall-after-10", "spliced", { ways: STREAMED, apis: SSE, prompt: "say 8 and call get_weather" }),
  row("D4 finish reason error", "finish-error-after-3", "spliced", { ways: STREAMED, apis: ["chat"] }),
  row("D6 split", "split", "fake", { prompt: "say 8 greek", text: GREEK, ways: STREAMED }),
  row("D6 CRLF", "crlf", "fake", { ways: STREAMED }),
  row("D6 comments", "remarks", "fake", { ways: STREAMED }),
  row("D6 data on lines", "multiline", "fake", { ways: STREAMED }),
  row("D6 all, cut", "split+crlf+remarks+cut-after-5", "spliced", { prompt: "say 8 greek", text: GREEK, ways: STREAMED }),
  row("D7 giant event", "giant-after-3", "spliced", { ways: STREAMED }),
  row("D11 another model's name", "rename-after-3", "fake", { ways: STREAMED, apis: ["chat", "responses", "ollama"], names: "another-model" }),
  row("D cut, none may go on", "cut-after-3", "error", { route: "err", ways: STREAMED }),
  row("D stall, none may go on", "stall-after-3", "error", { route: "err", ways: STREAMED }),
  row("D cut in a whole answer", "cut-after-2", "local", { ways: WHOLE }),
  row("D rst in a whole answer", "rst-after-2", "local", { ways: WHOLE }),
  row("D malformed whole answer", "malformed-after-2", "local", { ways: WHOLE }),

  row("E1 no end mark", "no-done", "fake", { ways: STREAMED, apis: ["anthropic", "chat"] }),
  row("E2 two end marks", "two-dones", "fake", { ways: STREAMED, apis: SSE, has: END_MARK }),
  row("E3 usage in each", "usage-each", "fake", { ways: STREAMED, apis: ["chat"], tokens: 8 }),
  row("E3 usage in each, translated", "usage-each", "fake", { route: "completions", ways: STREAMED, tokens: 8 }),
  row("E4 no usage", "no-usage", "fake", { lacksUsage: true }),
  row("E7 length", "length", "fake", { finish: { anthropic: "max_tokens", chat: "length", responses: "incomplete", ollama: "length" } }),
  row("E8 trailing bytes", "trailing", "fake", { ways: STREAMED, has: [/bye|garbage/, 0] }),
  row("D1 cut behind the content", "cut-after-8", "spliced", { ways: STREAMED }),

  // another computer goes on, and after it perhaps this machine
  ...["cut", "rst", "stall", "error"].map((what) => row(`G ${what}`, `${what}-after-3;ok`, "spliced", { route: "two", ways: STREAMED })),
  row("G1 prefill refused, once more", "cut-after-3;no-prefill", "spliced", { route: "two", ways: STREAMED, on: "two" }),
  row("G1 prefill refused, by an anchor", "cut-after-20;no-prefill", "spliced", { ...LONG, on: "two", asks: ANCHOR }),
  row("G2 cut in a call", "cut-after-10;ok", "spliced", { route: "two", ways: STREAMED, apis: SSE, prompt: "say 8 and call get_weather" }),
  row("G3 call delivered", "cut-after-99", "spliced", { ways: STREAMED, prompt: "say 8 and call get_weather" }),
  row("G7 greek", "cut-after-5;no-prefill", "spliced", { route: "two", ways: STREAMED, prompt: "say 8 greek", text: GREEK }),
  row("G11 the second dies too", "cut-after-3;cut-after-2", "spliced", { route: "two", ways: STREAMED }),
  row("G12 the second is sorry", "cut-after-20;no-prefill+anchor-sorry", "spliced", { ...LONG, on: "local", asks: ANCHOR, said: / sorry,/ }),
  row("G12 the second begins anew", "cut-after-20;no-prefill+anchor-anew", "spliced", { ...LONG, on: "two", asks: ANCHOR }),
  row("G12 the second takes the turn for complete", "cut-after-20;new-turn", "spliced", { ...LONG, route: "anew", on: "anew" }),
  row("G13 the end once more", "cut-after-20;no-prefill+anchor-quoted", "spliced", { ...LONG, on: "two", asks: ANCHOR }),

  // a client's API that the provider does not speak
  ...["messages", "completions", "items", "lines"].flatMap((route) => [
    row(`translated to ${route}`, "ok", "fake", { route }),
    row(`translated to ${route}, reasoning, call`, "ok", "fake", { route, prompt: "say 8, think, call get_weather" }),
    row(`translated to ${route}, cut`, "cut-after-3", "spliced", { route, ways: STREAMED }),
    row(`translated to ${route}, refused`, "529", "local", { route }),
    row(`translated to ${route}, error first`, "error-first", "local", { route }),
  ]),
];

// The model that answers here: what the fake says, all of it or the rest.
const script = () => {
  const text = { text: WORDS };
  const call = { call: CALL.name, args: CALL.args };
  const bash = { call: "Bash", args: { command: "echo w0 w1 w2 w3" } };
  return {
    model: "words",
    rules: [
      { if: { result: "w0 w1" }, say: [{ text: "It is done." }] },
      { if: { user: "call Bash" }, say: [text, bash] },
      { if: { user: "think, call get_weather" }, say: [{ think: THOUGHTS }, text, call] },
      { if: { user: "call get_weather" }, say: [text, call], piece: 5 },
      { if: { user: "think" }, say: [{ think: THOUGHTS }, text] },
      { if: { user: "say 30" }, say: [{ text: MANY }] },
      { if: { user: LETTERS }, say: [{ text: LETTERS }] },
      { if: { user: "greek" }, say: [{ text: GREEK }], piece: 3 },
      { say: [text] },
    ],
  };
};

function config(one, two, folder) {
  const at = (port) => `http://127.0.0.1:${port}`;
  const every = "apis: [messages, chat, responses, ollama]";
  const genset = (name, url, more = "") => `  ${name}: {kind: genset, url: "${url}", key: none, ${every}${more}}`;
  const speaks = (name, kind, api, path = "", fake = one) => `  ${name}: {kind: ${kind}, url: "${at(fake.port)}${path}", key: none, apis: [${api}]}`;
  const route = (name, targets, more = "", stall = "500ms") =>
    `  - {match: "${name}@*", targets: [${targets}], deadlines: {connect: 400ms, headers: 1s, first_token: 1s, stall: ${stall}}${more}}`;
  return [
    "providers:",
    genset("one", at(one.port)),
    genset("two", at(two.port)),
    genset("dns", "http://nowhere.invalid"),
    genset("refused", at(one.closed)),
    genset("hole", at(one.hole)),
    genset("expired", `https://127.0.0.1:${one.tls_expired}`, `, ca_file: "${join(folder, "expired.pem")}"`),
    genset("unknown", `https://127.0.0.1:${one.tls}`),
    genset("plain", `https://127.0.0.1:${one.port}`),
    genset("trusted", `https://127.0.0.1:${one.tls}`, `, ca_file: "${join(folder, "cert.pem")}"`),
    genset("proxied", "https://api.invalid", `, proxy: "${at(one.port)}"`),
    speaks("messages", "anthropic", "messages"),
    speaks("completions", "openai", "chat", "/v1"),
    speaks("items", "openai", "responses", "/v1"),
    speaks("lines", "ollama", "ollama"),
    speaks("anew", "openai", "chat", "/v1", two),
    ...["dead", "poor"].map((name) => `  ${name}: {kind: genset, url: "${at(one.port)}", key: "command:echo sk-${name}-key", ${every}}`),
    `  keyed: {kind: genset, url: "${at(one.port)}", key: client, ${every}}`,
    "routes:",
    route("fake", "one, local/words"),
    route("two", "one, two, local/words"),
    route("anew", "one, anew, local/words"),
    route("drip", "one, local/words", "", "1s"),
    route("err", "one, local/words", ", on_break: error"),
    ...["dns", "refused", "hole", "expired", "unknown", "plain", "trusted", "messages", "completions", "items", "lines", "dead", "poor", "keyed"].map(
      (name) => route(name, `${name}, local/words`),
    ),
    route("proxy", "proxied, local/words"),
    '  - {match: "*", targets: [local/words]}',
    "",
  ].join("\n");
}

// What was said, whoever said it.
function checkWords(r, answer) {
  assert.equal(answer.text, r.text ?? WORDS);
  if (r.prompt.includes("think")) assert.equal(answer.thought, THOUGHTS);
  assert.deepEqual(answer.calls, r.prompt.includes("call") ? [CALL] : []);
  const finish = r.finish ?? (r.prompt.includes("call")
    ? { anthropic: "tool_use", chat: "tool_calls", responses: "completed", ollama: "stop" }
    : { anthropic: "end_turn", chat: "stop", responses: "completed", ollama: "stop" });
  return finish;
}

function checkAnswer(r, api, stream, got) {
  const { answer, error } = got;
  assert.ok(answer, `${error?.stack}\n${got.status} ${got.body}`);
  assert.equal(answer.finish, checkWords(r, answer)[api]);
  if (r.has) assert.equal(got.body.split(/\r?\n/).filter((line) => r.has[0].test(line)).length, r.has[1], `lines with ${r.has[0]}:\n${got.body}`);
  if (r.names) assert.equal(answer.model, r.names);
  if (r.tokens) assert.equal(answer.usage?.[1], r.tokens);
  if (!r.lacksUsage) {
    assert.ok(answer.usage && answer.usage.every((n) => n > 0), `usage ${answer.usage}`);
    const { path } = APIS[api];
    const request = { stream_options: { include_usage: true } };
    if (r.by !== "fake" && r.by !== "other") {
      if (stream) endpoints[path].streamed(got.body.replaceAll("\r\n", "\n"), request, path);
      else endpoints[path].whole(JSON.parse(got.body), request, path);
    }
  }
}

function checkGot(r, api, stream, got) {
  if (r.by === "error") {
    checkError(api, got);
  } else if (typeof r.by === "number") {
    assert.equal(got.error?.status ?? got.error?.status_code, r.by, `${got.error?.stack} ${got.body}`);
    assert.ok(!String(got.error).includes("genset"), String(got.error));
  } else {
    checkAnswer(r, api, stream, got);
    const who = { fake: /^(?!local|two)/, other: /^two/, local: /^local/, spliced: /^(?!local)/ }[r.by];
    assert.match(got.servedBy, who, "x-genset-served-by");
    if (r.on && api !== "ollama") assert.deepEqual([...got.body.matchAll(/^: (.*) goes on$/gm)].map(([, name]) => name), [r.on]);
  }
}

let n_models = 0;

async function testRow(url, one, two, r, api, stream) {
  const fault = r.fault === "redirect" ? `redirect-${two.port}` : r.fault;
  const model = `${r.route}@${fault}#${n_models++}`;
  const send = (prompt) => ask(api, url, { model, prompt, stream });
  const got = await send(r.prompt);
  checkGot(r, api, stream, got);
  if (r.asks) assert.match((await two.requests(model)).at(-1).body, r.asks);
  if (r.said) {
    assert.match((await two.requests(model)).at(-1).sent, r.said);
    assert.doesNotMatch(got.body, r.said);
  }
  if (r.asked === undefined) assert.ok((await one.requests(model)).length >= 1, "the provider was asked");
  else assert.equal((await one.requests(model)).length, r.asked, "how often the provider was asked");
  if (r.fault === "redirect") assert.equal((await two.requests(model)).length, 0, "the redirect was followed");
  if (!r.again) return;
  checkGot({ ...r, by: r.again.by }, api, stream, await send(r.prompt));
  assert.equal((await one.requests(model)).length, r.again.asked, "how often it was asked by the second time");
}

// All variants of all rows, some at a time; what fails is told at the end.
async function testRows(url, one, two) {
  const variants = ROWS.filter(({ id }) => !only || id.includes(only)).flatMap((r) =>
    r.apis.flatMap((api) => r.ways.map((stream) => ({ r, api, stream, name: `${r.id}: ${api}, ${stream ? "streamed" : "whole"}` }))),
  );
  const failures = [];
  let next = 0;
  const work = async () => {
    while (next < variants.length) {
      const { r, api, stream, name } = variants[next++];
      await testRow(url, one, two, r, api, stream).then(
        () => console.log(`ok: ${name}`),
        (err) => failures.push({ name, err }),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const { name, err } of failures) console.log(`FAILED: ${name}: ${err.message.slice(0, 1500)}`);
  assert.equal(failures.length, 0, `${failures.length} of ${variants.length} failed`);
}

// Faults that are about more than one request.
async function testState(url, one) {
  const say = (api, model, prompt = "say 8") => ask(api, url, { model, prompt, stream: true });
  const answered = (got, by) => {
    assert.equal(got.answer?.text, WORDS, `${got.error?.stack} ${got.body}`);
    assert.match(got.servedBy, by);
  };

  await test("A6 a connection that died while idle is replaced, silently", async () => {
    for (const api of ALL)
      for (const fault of ["reset-reused", "eof-reused", "eof-idle"]) {
        const model = `fake@${fault}#${n_models++}`;
        for (let i = 0; i < 3; i++) answered(await say(api, model), /^one/);
      }
  });

  await test("B9, B10 a key that is dead is benched, not the model; its 401 is not shown", async () => {
    for (const [name, status] of [["dead", 401], ["poor", 402]]) {
      const first = `${name}@${status},ok#${n_models++}`;
      answered(await say("anthropic", first), /^local/);
      for (const api of ALL) {
        const other = `${name}@ok#${n_models++}`;
        answered(await say(api, other), /^local/);
        assert.equal((await one.requests(other)).length, 0, "it was asked again with that key");
      }
    }
  });

  await test("B9 a client hears that its own key is dead; another's is asked with", async () => {
    const model = `keyed@401,ok#${n_models++}`;
    const request = { model, prompt: "say 8", stream: true };
    const dead = await ask("anthropic", url, request, "sk-ant-api03-dead-dead-dead-dead");
    assert.equal(dead.error?.status, 401);
    answered(await ask("anthropic", url, request, "sk-ant-api03-good-good-good-good"), /^keyed/);
    const keys = (await one.requests(model)).map(({ head }) => /(?:x-api-key:|authorization: Bearer) (\S+)/i.exec(head)?.[1]);
    assert.deepEqual(keys, ["sk-ant-api03-dead-dead-dead-dead", "sk-ant-api03-good-good-good-good"]);
  });

  await test("B13 a client's mistakes do not count against the provider", async () => {
    const model = `fake@400,400,400,400,400,ok#${n_models++}`;
    for (let i = 0; i < 5; i++) assert.equal((await say("chat", model)).error?.status, 400);
    answered(await say("chat", model), /^one/);
  });

  await test("C8 one conversation that gets empty answers does not bench the model for others", async () => {
    const model = `fake@empty,empty,empty,empty,empty,empty,ok#${n_models++}`;
    for (let i = 0; i < 6; i++) answered(await say("anthropic", model, "say 8, the stuck one"), /^local/);
    const asked = (await one.requests(model)).length;
    const again = await say("anthropic", model, "say 8, another");
    assert.equal((await one.requests(model)).length, asked + 1, "the model is benched for another conversation");
    assert.equal(again.answer?.text, WORDS);
  });

  await test("F3 three failures in a row open the breaker: then it is not asked", async () => {
    const model = `fake@503,503,503,ok#${n_models++}`;
    for (let i = 0; i < 5; i++) answered(await say("anthropic", model), /^local/);
    assert.equal((await one.requests(model)).length, 3);
  });

  await test("D10 an answer that repeats itself for ever is ended", async () => {
    for (const api of ALL) {
      const got = await say(api, `fake@loop-after-3#${n_models++}`);
      checkError(api, got);
    }
  });
}

// A server that has no model: the provider is all there is.
const testAlone = (config) =>
  inFolder((folder) =>
    serving(process.env.GENSET, ["serve", "--listen", "127.0.0.1:0", "--config", config], folder, async (url) => {
      const everyWay = async (fault, see) => {
        for (const api of ALL)
          for (const stream of BOTH) see(await ask(api, url, { model: `${fault}#${n_models++}`, prompt: "say 8", stream }));
      };
      await test("B1 who is alone and names a short wait is waited for", () =>
        everyWay("fake@429-retry-ms-200,ok", (got) => {
          assert.equal(got.answer?.text, WORDS, `${got.error?.stack} ${got.body}`);
          assert.match(got.servedBy, /^one/);
        }),
      );
      for (const [name, words] of [["dead@401", /does not take .*providers\.dead\.key/], ["poor@402", /Top up the account of genset's key/]])
        await test(`B9, B10 a key of genset's own that is ${name} is a 502 where nobody else can be asked`, () =>
          everyWay(name, ({ error }) => {
            assert.equal(error?.status ?? error?.status_code, 502, error?.stack);
            assert.match(String(error), words);
          }),
        );
    }),
  );

// Claude Code is not told that anything went wrong.
async function testClaudeCode(url, folder) {
  const run = async (model, prompt, more = []) => {
    const out = await claude(["-p", prompt, "--model", model, ...JSON_OUT, ...more], url, folder, { CLAUDE_CODE_MAX_RETRIES: "0" });
    return JSON.parse(out);
  };
  for (const fault of ["ok", "429-retry-after-60", "529", "401", "cut-after-3", "stall-after-3", "error-after-3"])
    await test(`claude -p: ${fault}`, async () => {
      const result = await run(`fake@${fault}#claude`, "say 8");
      assert.equal(result.is_error, false);
      assert.equal(result.result, WORDS);
    });
  for (const fault of ["ok", "cut-after-10", "rst-after-12", "stall-after-10"])
    await test(`claude -p with a tool: ${fault}`, async () => {
      const result = await run(`fake@${fault},ok#claude`, "say 8 and call Bash", ["--dangerously-skip-permissions"]);
      assert.equal(result.is_error, false, JSON.stringify(result));
      assert.equal(result.num_turns, 2);
    });
}

await main(() =>
  inFolder((keys) =>
    withFake("0", keys, (one) =>
      inFolder((otherKeys) =>
        withFake("1", otherKeys, (two) => {
          const path = join(keys, "config.yaml");
          writeFileSync(path, config(one, two, keys));
          return withScript(
            script,
            async (url, seen, folder) => {
              mkdirSync(join(folder, "work"), { recursive: true });
              await testRows(url, one, two);
              await testState(url, one);
              await testAlone(path);
              await testClaudeCode(url, folder);
            },
            [path],
          );
        }),
      ),
    ),
  ),
);
