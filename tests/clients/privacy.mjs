// What must not leave the machine, as the official SDKs and Claude Code see it (shared design
// "faults", section H): a provider far away, which a proxy on this machine stands for, records every
// byte that it gets; the client reads what it would have read without any rule.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { JSON_OUT, claude } from "./claude.mjs";
import { APIS, ask, withFake } from "./fakes.mjs";
import { check, inFolder, main, withScript } from "./serve.mjs";

const MAILS = ["ann.lee@corp-mail.de", "bob@corp-mail.de"];
const SECRETS = `mail ${MAILS[0]} and ${MAILS[1]}, ${MAILS[0]} again`;
const KEY = [
  "-----BEGIN EC PRIVATE KEY-----",
  "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49",
  "AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q",
  "-----END EC PRIVATE KEY-----",
].join("\n");
const HERE = "It stays here.";
const WORDS = "w0 w1 w2 w3 w4 w5 w6 w7";
const ALL = Object.keys(APIS);

const config = ({ port }) => `
providers:
  far: {kind: genset, url: "http://far.invalid", key: none, proxy: "http://127.0.0.1:${port}", apis: [messages, chat, responses, ollama]}
  near: {kind: genset, url: "http://127.0.0.1:${port}", key: none, apis: [messages, chat, responses, ollama]}
  chat: {kind: openai, url: "http://far.invalid/v1", key: none, proxy: "http://127.0.0.1:${port}", apis: chat}
routes:
  - {match: "far@*", targets: [far, local/words]}
  - {match: "chat@*", targets: [chat, local/words]}
  - {match: "near@*", targets: [near, far, local/words]}
  - {targets: [local/words]}
privacy:
  - {find: email, class: redact}
  - {find: private-key, class: local-only}
  - {path: "**/.env", class: local-only}
`;

// The model that answers here.
const script = () => ({
  model: "words",
  rules: [{ if: { user: "recite" }, say: [{ text: SECRETS }] }, { say: [{ text: HERE }] }],
});

let n_models = 0;
const name = (route, fault = "ok") => `${route}@${fault}#${n_models++}`;

// What was asked for this model, after a look at every byte of it.
async function asked(far, model) {
  const requests = await far.requests(model);
  for (const { head, body } of requests)
    for (const secret of [...MAILS, "corp-mail", "MHcCAQ"])
      assert.ok(!head.includes(secret) && !body.includes(secret), `${secret} left: ${head}${body}`);
  return requests;
}

async function testSdks(url, far) {
  await check("H1, H5 what is found goes out veiled, and every SDK reads it as if it had not", async () => {
    for (const api of ALL)
      for (const route of ["far", "chat"])
        for (const stream of [true, false]) {
          const model = name(route);
          const got = await ask(api, url, { model, prompt: `think, call get_weather recite ${SECRETS}`, stream });
          assert.ok(got.answer, `${got.error?.stack} ${got.body}`);
          assert.equal(got.answer.text, SECRETS);
          assert.equal(got.answer.thought, SECRETS);
          assert.equal(got.answer.calls[0].args.city, SECRETS);
          assert.match(got.headers.get("x-genset-privacy"), /^redact; email=\d+$/);
          assert.ok(got.servedBy.startsWith(route), got.servedBy);
          assert.ok((await asked(far, model))[0].body.includes("[REDACTED_EMAIL_2]"));
        }
  });
  await check("H1 after a break this machine goes on with what the client has", async () => {
    for (const api of ALL)
      for (const after of [1, 4, 7]) {
        const model = name("far", `cut-after-${after}`);
        const got = await ask(api, url, { model, prompt: `recite ${SECRETS}`, stream: true });
        assert.equal(got.answer?.text, SECRETS, `${got.error?.stack} ${got.body}`);
        assert.equal((await asked(far, model)).length, 1);
      }
  });
  await check("H1, H2 a private key keeps its conversation here, also when it is cut out of it", async () => {
    for (const api of ALL) {
      const model = name("far");
      const first = { role: "user", content: `first of ${api}, in ${model}` };
      const turn = (text) => ({ model, messages: [first, { role: "assistant", content: "Yes?" }, { role: "user", content: text }], stream: true });
      assert.match((await ask(api, url, turn("say 3"))).servedBy, /^far/);
      for (const text of [`what is this? ${KEY}`, "say 3"]) {
        const got = await ask(api, url, turn(text));
        assert.equal(got.answer?.text, HERE, `${got.error?.stack} ${got.body}`);
        assert.match(got.headers.get("x-genset-privacy"), /^local-only/);
      }
      assert.equal((await asked(far, model)).length, 1);
    }
  });
}

// A call of an earlier turn, with these arguments.
const called = (args) => [
  { role: "user", content: "say 3" },
  { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: args } }] },
  { role: "tool", tool_call_id: "call_1", content: "sunny" },
  { role: "user", content: "say 3" },
];

async function testUnsearched(url, far) {
  const stays = async (model, got) => {
    assert.match(got.servedBy || got.headers.get("x-genset-served-by"), /^local/);
    assert.match(got.headers.get("x-genset-privacy"), /^local-only/);
    assert.equal((await far.requests(model)).length, 0, "it left");
  };
  await check("H3 what cannot be searched stays here", async () => {
    for (const [depth, leaves] of [[100, true], [300, false]])
      for (const stream of [true, false]) {
        const model = name("far");
        const got = await ask("chat", url, { model, messages: called("[".repeat(depth) + "]".repeat(depth)), stream });
        assert.ok(got.answer, `${got.error?.stack} ${got.body}`);
        if (leaves) assert.match(got.servedBy, /^far/);
        else await stays(model, got);
      }
  });
}

async function testOthers(url, far) {
  const refusals = ["500,ok", "empty,ok", "error-first,ok"];
  const classes = {
    any: { prompt: "say 8" },
    "local-only": { prompt: `say 8 ${KEY}` },
    "local-only, as its header says": { prompt: "say 8", headers: { "x-genset-privacy": "local-only" } },
  };
  for (const [what, request] of Object.entries(classes))
    await check(`H6 the next target is asked only what it may get: ${what}`, async () => {
      const leaves = what === "any";
      for (const api of ALL)
        for (const fault of refusals) {
          const model = name("near", fault);
          const got = await ask(api, url, { model, ...request, stream: true });
          assert.equal(got.answer?.text, leaves ? WORDS : HERE, `${got.error?.stack} ${got.body}`);
          assert.match(got.servedBy, leaves ? /^far/ : /^local/);
          assert.equal((await far.requests(model)).length, leaves ? 2 : 1);
        }
    });
}

async function testClaudeCode(url, far, folder) {
  await check("H1, H5 Claude Code reads its answer whole, and the provider none of it", async () => {
    const model = name("far");
    const out = await claude(["-p", `recite ${SECRETS}`, "--model", model, ...JSON_OUT], url, folder);
    assert.equal(JSON.parse(out).result, SECRETS);
    assert.ok((await asked(far, model)).length > 0);
  });
}

await main(() =>
  inFolder((keys) =>
    withFake("0", keys, async (far) => {
      const path = join(keys, "config.yaml");
      writeFileSync(path, config(far));
      await withScript(
        script,
        async (url, seen, folder) => {
          await testSdks(url, far);
          await testUnsearched(url, far);
          await testOthers(url, far);
          await testClaudeCode(url, far, folder);
        },
        [path],
      );
    }),
  ),
);
