// Fake providers (tests/fault/fake_provider.h) beside a server that asks them, and the answer of a
// server as each SDK tells it, with the bytes it came in.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { Ollama } from "ollama";

// Run `body(fake)` with a process of fake providers; fake.port and the others are where they are.
export async function withFake(place, folder, body) {
  const child = spawn(process.env.GENSET_FAKE_PROVIDER, ["--place", place, "--tls", folder], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the fake provider ended with ${code}`)));
    });
    const at = JSON.parse(line);
    const url = `http://127.0.0.1:${at.control}/control`;
    const get = async (path) => (await fetch(url + path)).json();
    await body({
      ...at,
      // What was asked for this model: bodies, heads, what went out.
      requests: async (model) => (await get("/requests")).filter(({ body }) => !model || body.includes(JSON.stringify(model))),
      counts: () => get("/counts"),
      wait: (what, n) => get(`/wait?${what}=${n}`),
      order: async (orders) => (await fetch(url, { method: "POST", body: JSON.stringify(orders) })).json(),
    });
  } finally {
    child.stdin.end();
    child.kill("SIGKILL");
  }
}

// All of a body, as far as it came.
async function collect(body) {
  const chunks = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch {
    // it broke off
  }
  return Buffer.concat(chunks).toString("utf8");
}

// A fetch that keeps what came: status, headers and bytes.
function recorder(signal, more = {}) {
  const wire = { status: 0, headers: null, body: null };
  const record = async (target, init) => {
    const signals = [init?.signal, signal].filter(Boolean);
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    const answer = await fetch(target, { ...init, headers, signal: signals.length ? AbortSignal.any(signals) : undefined });
    wire.status = answer.status;
    wire.headers = answer.headers;
    if (!answer.body) return answer;
    const [mine, theirs] = answer.body.tee();
    wire.body = collect(mine);
    return new Response(theirs, { status: answer.status, headers: answer.headers });
  };
  return [wire, record];
}

const WEATHER = { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } }, required: ["city"] };
const nothing = () => ({ text: "", thought: "", calls: [], finish: null, usage: null, model: null });

async function anthropic(url, { model, prompt, stream, messages, more }, fetch, key) {
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, fetch });
  const request = {
    model,
    max_tokens: 1000,
    messages: messages ?? [{ role: "user", content: prompt }],
    tools: [{ name: "get_weather", input_schema: WEATHER }],
    ...more,
  };
  const out = nothing();
  const take = (block) => {
    if (block.type === "text") out.text += block.text;
    if (block.type === "thinking") out.thought += block.thinking;
    if (block.type === "tool_use") out.calls.push({ name: block.name, args: block.input });
  };
  const message = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
  message.content.forEach(take);
  const { input_tokens, output_tokens } = message.usage;
  return { ...out, finish: message.stop_reason, model: message.model, usage: [input_tokens, output_tokens] };
}

async function chat(url, { model, prompt, stream, messages, more }, fetch, key) {
  const client = new OpenAI({ baseURL: `${url}/v1/`, apiKey: key, maxRetries: 0, fetch });
  const request = {
    model,
    messages: messages ?? [{ role: "user", content: prompt }],
    tools: [{ type: "function", function: { name: "get_weather", parameters: WEATHER } }],
    ...more,
  };
  const out = nothing();
  const calls = [];
  const take = (part, choice) => {
    out.text += part.content ?? "";
    out.thought += part.reasoning_content ?? "";
    for (const [i, call] of (part.tool_calls ?? []).entries()) {
      const sum = (calls[call.index ?? i] ??= { name: "", args: "" });
      sum.name += call.function.name ?? "";
      sum.args += call.function.arguments ?? "";
    }
    out.finish = choice.finish_reason ?? out.finish;
  };
  if (stream)
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
      for (const choice of chunk.choices) take(choice.delta, choice);
      out.usage = chunk.usage ? [chunk.usage.prompt_tokens, chunk.usage.completion_tokens] : out.usage;
      out.model = chunk.model;
    }
  else {
    const answer = await client.chat.completions.create(request);
    take(answer.choices[0].message, answer.choices[0]);
    out.usage = [answer.usage?.prompt_tokens, answer.usage?.completion_tokens];
    out.model = answer.model;
  }
  if (stream) assert.ok(out.finish, "a stream that ends has a finish reason");
  return { ...out, calls: calls.map(({ name, args }) => ({ name, args: JSON.parse(args) })) };
}

async function responses(url, { model, prompt, stream, messages, more }, fetch, key) {
  const client = new OpenAI({ baseURL: `${url}/v1/`, apiKey: key, maxRetries: 0, fetch });
  const request = {
    model,
    input: messages ?? prompt,
    tools: [{ type: "function", name: "get_weather", parameters: WEATHER, strict: false }],
    reasoning: { summary: "auto" },
    ...more,
  };
  const out = nothing();
  let end = stream ? null : await client.responses.create(request);
  let streamed = "";
  if (stream)
    for await (const event of await client.responses.create({ ...request, stream: true })) {
      if (event.type === "response.output_text.delta") streamed += event.delta;
      if (event.type === "response.failed") throw Object.assign(new Error(event.response.error.message), event.response.error);
      if (["response.completed", "response.incomplete"].includes(event.type)) end = event.response;
    }
  assert.ok(end, "the stream has no end");
  for (const item of end.output) {
    if (item.type === "message") for (const part of item.content) out.text += part.text;
    if (item.type === "reasoning") for (const part of [...item.summary, ...(item.content ?? [])]) out.thought += part.text;
    if (item.type === "function_call") out.calls.push({ name: item.name, args: JSON.parse(item.arguments) });
  }
  if (stream) assert.equal(streamed, out.text, "what was streamed is what is there at the end");
  return { ...out, finish: end.status, model: end.model, usage: [end.usage?.input_tokens, end.usage?.output_tokens] };
}

async function ollama(url, { model, prompt, stream, messages, more }, fetch, key) {
  const client = new Ollama({ host: url, fetch, headers: { authorization: `Bearer ${key}` } });
  const request = {
    model,
    messages: messages ?? [{ role: "user", content: prompt }],
    tools: [{ type: "function", function: { name: "get_weather", parameters: WEATHER } }],
    ...more,
  };
  const out = nothing();
  const take = (part) => {
    out.text += part.message.content ?? "";
    out.thought += part.message.thinking ?? "";
    for (const call of part.message.tool_calls ?? []) out.calls.push({ name: call.function.name, args: call.function.arguments });
    if (part.done) Object.assign(out, { finish: part.done_reason, usage: [part.prompt_eval_count, part.eval_count] });
    out.model = part.model;
  };
  if (stream) for await (const part of await client.chat({ ...request, stream: true })) take(part);
  else take(await client.chat(request));
  assert.ok(out.finish, "the answer has an end");
  return out;
}

export const APIS = {
  anthropic: { path: "/v1/messages", send: anthropic },
  chat: { path: "/v1/chat/completions", send: chat },
  responses: { path: "/v1/responses", send: responses },
  ollama: { path: "/api/chat", send: ollama },
};

// Ask in one API by its SDK: {answer} or {error}, and what was on the wire. Of `request`: model,
// prompt or messages, stream, `more` members of the body, `headers`, a `signal` to leave by.
export async function ask(api, url, request, key = "sk-test-of-the-client") {
  const [wire, fetch] = recorder(request.signal, request.headers);
  const result = await APIS[api].send(url, request, fetch, key).then(
    (answer) => ({ answer }),
    (error) => ({ error }),
  );
  return { ...result, status: wire.status, headers: wire.headers, body: (await wire.body) ?? "", servedBy: wire.headers?.get("x-genset-served-by") ?? "" };
}

// The pieces of a streamed answer's text, each as soon as it is asked for.
export async function* pieces(api, url, model, prompt) {
  const messages = [{ role: "user", content: prompt }];
  const openai = new OpenAI({ baseURL: `${url}/v1/`, apiKey: "any", maxRetries: 0 });
  const [events, text] = {
    anthropic: () => [new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 }).messages.create({ model, max_tokens: 1e6, messages, stream: true }), (e) => e.delta?.text],
    chat: () => [openai.chat.completions.create({ model, messages, stream: true }), (e) => e.choices[0]?.delta.content],
    responses: () => [openai.responses.create({ model, input: prompt, stream: true }), (e) => e.type === "response.output_text.delta" && e.delta],
    ollama: () => [new Ollama({ host: url }).chat({ model, messages, stream: true }), (e) => e.message.content],
  }[api]();
  for await (const event of await events) yield text(event) || "";
}

// An error of the API within the stream, and nothing that looks like an end.
export function checkError(api, got) {
  assert.ok(got.error, `no error: ${got.body}`);
  const ends = { anthropic: /message_stop/, chat: /\[DONE\]|"finish_reason":"[a-z]/, responses: /response\.(completed|incomplete)"/, ollama: /"done":true/ };
  assert.doesNotMatch(got.body, ends[api]);
  assert.match(got.body, { anthropic: /event: error/, chat: /"error":/, responses: /response\.failed|event: error/, ollama: /"error":/ }[api]);
}
