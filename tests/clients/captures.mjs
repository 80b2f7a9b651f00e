// What real clients were seen to send, byte for byte, to genset serve and to a model that follows a
// script: every answer must be valid. Skipped where the captures are not there.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { request as send } from "node:http";
import { join } from "node:path";
import { EMBEDDERS, main, withModel, withScript } from "./serve.mjs";
import { endpoints, errors } from "./shapes.mjs";

const CAPTURES = join(process.env.GENSET_SHARED ?? "/nowhere", "captures");
const EMBEDDER = join(EMBEDDERS, "bert-mean.gguf");
const SKIPPED = 77;
if (!existsSync(CAPTURES)) {
  console.log("skipped: there are no captures");
  process.exit(SKIPPED);
}

const captures = readdirSync(CAPTURES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) =>
    readdirSync(join(CAPTURES, name))
      .filter((file) => /^request-\d+\.json$/.test(file))
      .map((file) => ({ file: `${name}/${file}`, ...JSON.parse(readFileSync(join(CAPTURES, name, file), "utf8")) })),
  );

// Resolves with the status, the headers, the text, and whether it broke off.
function exchange(url, { method, path, headers, body }) {
  const bytes = body ? Buffer.from(JSON.stringify(body)) : null;
  const sent = Object.fromEntries(
    Object.entries(headers ?? {}).filter(([name]) => !/^(host|content-length|connection|accept-encoding)$/i.test(name)),
  );
  if (bytes) sent["Content-Length"] = bytes.length;
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const request = send({ hostname, port, method, path, headers: sent }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", () => {}); // a body that breaks off ends too
      answer.on("close", () =>
        resolve({
          status: answer.statusCode,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString("utf8"),
          isWhole: answer.complete,
        }),
      );
    });
    request.on("error", reject);
    request.end(bytes ?? undefined);
  });
}

const pathOf = (capture) => capture.path.replace(/\?.*/, "").replace(/^\/v1\/v1\//, "/v1/");
const hasImage = (capture) => /"type":"image"|"images":\[/.test(JSON.stringify(capture.body ?? null));
const lastLine = (answer) => JSON.parse(answer.text.trim().split("\n").at(-1));
const bodyIn = (answer) => JSON.parse(answer.text);

// An answer that refuses, as its API words it.
function refused(answer, capture, endpoint, status) {
  const isAnthropic = Object.keys(capture.headers ?? {}).some((name) => name.toLowerCase() === "anthropic-version");
  assert.equal(answer.status, status, answer.text);
  errors[isAnthropic ? "anthropic" : endpoint.api](bodyIn(answer));
}

function accepted(answer, capture, endpoint) {
  const streams = capture.body?.stream ?? endpoint.streams ?? false;
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.isWhole, "the answer broke off");
  if (streams && endpoint.streamed) endpoint.streamed(answer.text, capture.body, pathOf(capture));
  else endpoint.whole?.(bodyIn(answer), capture.body, pathOf(capture));
}

function judge(answer, capture, model) {
  const path = pathOf(capture);
  const endpoint = endpoints[path] ?? { api: "openai" };
  assert.match(answer.headers["request-id"], /^req_/);
  if (capture.method === "HEAD") assert.equal(answer.status, 200);
  else if (path.startsWith("/v1beta/")) refused(answer, capture, endpoint, 404); // Gemini's API is not spoken
  else if (path === "/v1/models/mock-model") refused(answer, capture, endpoint, 404);
  else if (path === "/api/pull") errors.ollama(lastLine(answer)); // of what nobody has
  else if (capture.body?.thread) refused(answer, capture, endpoint, 400);
  else if (hasImage(capture) && !model.seesImages) refused(answer, capture, endpoint, 400);
  else if (/embed/.test(path) && !model.embeds) refused(answer, capture, endpoint, 400);
  else accepted(answer, capture, endpoint);
}

async function replay(url, model) {
  const wrong = [];
  for (const capture of captures) {
    try {
      judge(await exchange(url, capture), capture, model);
    } catch (err) {
      wrong.push(`${capture.file} ${capture.method} ${capture.path} (${capture.note}): ${err.message}`);
    }
  }
  assert.deepEqual(wrong, [], wrong.join("\n"));
  console.log(`ok: ${captures.length} captured requests get valid answers of ${model.name}`);
}

const script = () => ({
  rules: [
    { if: { format: true }, say: [{ text: '{"title": "Größe", "answer": "ok"}' }] },
    {
      if: { tools: [1, null], calls: 0 },
      say: [{ think: "Let me see: naïve?" }, { text: "I look." }, { call: "Bash", args: { command: "echo 'ä'" } }, { call: "Read", args: {} }],
      piece: 3,
    },
    { say: [{ think: "Hm." }, { text: "Hello — 世界 🎉." }], piece: 1 },
  ],
});

await main(async () => {
  await withModel((url, name) => replay(url, { name, embeds: existsSync(EMBEDDER) }), EMBEDDER);
  await withScript(script, (url) => replay(url, { name: "a script", seesImages: true }));
});
