// What answers of each API look like: JSON schemas of whole bodies and of stream events, and the
// grammar of streams: `whole[api]` and `streamed[api]` check one, and complain by assert.
import assert from "node:assert/strict";
import Ajv from "ajv";

const ajv = new Ajv({ allErrors: true, strict: false });
const count = { type: "integer", minimum: 0 };
const text = { type: "string" };
const filled = { type: "string", minLength: 1 };
const nullable = (schema) => ({ anyOf: [schema, { type: "null" }] });
const list = (items) => ({ type: "array", items });
const one = (...values) => ({ enum: values });
// An object of which these members are required; a name that ends in "?" may be absent.
const object = (members, more = {}) => ({
  type: "object",
  required: Object.keys(members).filter((name) => !name.endsWith("?")),
  properties: Object.fromEntries(Object.entries(members).map(([name, schema]) => [name.replace("?", ""), schema])),
  ...more,
});

function shape(schema) {
  const valid = ajv.compile(schema);
  return (value) => assert.ok(valid(value), `${ajv.errorsText(valid.errors)}: ${JSON.stringify(value)?.slice(0, 2000)}`);
}

// "event: NAME\ndata: JSON\n\n" and comments.
function events(body) {
  assert.ok(body.endsWith("\n\n"), "the stream ends in the middle of an event");
  return body
    .split("\n\n")
    .map((block) => block.split("\n").filter((line) => line && !line.startsWith(":")))
    .filter((lines) => lines.length > 0)
    .map((lines) => ({
      name: lines.find((line) => line.startsWith("event: "))?.slice(7),
      data: lines.find((line) => line.startsWith("data: ")).slice(6),
    }));
}

const isObject = (json) => assert.equal(typeof JSON.parse(json), "object", json);

/* ---- Anthropic ---- */

const anthropicUsage = object({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: count,
  cache_read_input_tokens: count,
});
const anthropicBlock = {
  anyOf: [
    object({ type: one("text"), text }),
    object({ type: one("thinking"), thinking: text, signature: text }),
    object({ type: one("tool_use"), id: filled, name: filled, input: { type: "object" } }),
  ],
};
const stopReason = one("end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded");
const message = (stop, usage) =>
  object({
    id: { type: "string", pattern: "^msg_." },
    type: one("message"),
    role: one("assistant"),
    model: filled,
    content: list(anthropicBlock),
    stop_reason: stop,
    stop_sequence: nullable(text),
    usage,
  });
const anthropicMessage = shape(message(stopReason, anthropicUsage));
const anthropicDelta = {
  anyOf: [
    object({ type: one("text_delta"), text }),
    object({ type: one("thinking_delta"), thinking: text }),
    object({ type: one("signature_delta"), signature: text }),
    object({ type: one("input_json_delta"), partial_json: text }),
  ],
};
const anthropicEvent = Object.fromEntries(
  Object.entries({
    message_start: { message: message({ type: "null" }, anthropicUsage) },
    ping: {},
    content_block_start: { index: count, content_block: anthropicBlock },
    content_block_delta: { index: count, delta: anthropicDelta },
    content_block_stop: { index: count },
    message_delta: { delta: object({ stop_reason: stopReason, stop_sequence: nullable(text) }), usage: anthropicUsage },
    message_stop: {},
  }).map(([type, members]) => [type, shape(object({ type: one(type), ...members }))]),
);
const DELTA_OF = { text: ["text_delta"], thinking: ["thinking_delta", "signature_delta"], tool_use: ["input_json_delta"] };

// message_start (block_start block_delta* block_stop)* message_delta message_stop; ping anywhere.
function anthropicStream(body) {
  let expected = ["message_start"];
  let index = 0;
  let block = null;
  let args = "";
  for (const { name, data } of events(body)) {
    const event = JSON.parse(data);
    assert.equal(event.type, name);
    assert.ok(anthropicEvent[name], `unknown event ${name}`);
    anthropicEvent[name](event);
    if (name === "ping") continue;
    assert.ok(expected.includes(name), `${name} came where ${expected} must`);
    if (name.startsWith("content_block")) assert.equal(event.index, index);
    if (name === "content_block_start") {
      block = event.content_block;
      args = "";
      expected = ["content_block_delta", "content_block_stop"];
    } else if (name === "content_block_delta") {
      assert.ok(DELTA_OF[block.type].includes(event.delta.type), `${event.delta.type} in ${block.type}`);
      args += event.delta.partial_json ?? "";
    } else if (name === "content_block_stop") {
      if (block.type === "tool_use") isObject(args || "{}");
      index++;
      expected = ["content_block_start", "message_delta"];
    } else {
      expected = { message_start: ["content_block_start", "message_delta"], message_delta: ["message_stop"], message_stop: [] }[name];
    }
  }
  assert.deepEqual(expected, [], "the stream has no end");
}

/* ---- OpenAI chat completions, and the older completions ---- */

const finishReason = one("stop", "length", "tool_calls", "content_filter", "function_call");
const openaiUsage = object({ prompt_tokens: count, completion_tokens: count, total_tokens: count });
const toolCall = object({ id: filled, type: one("function"), function: object({ name: filled, arguments: text }) });
const chatCompletion = shape(
  object({
    id: filled,
    object: one("chat.completion"),
    created: count,
    model: filled,
    choices: {
      ...list(
        object({
          index: count,
          message: object({ role: one("assistant"), content: nullable(text), "tool_calls?": list(toolCall) }),
          finish_reason: finishReason,
        }),
      ),
      minItems: 1,
    },
    usage: openaiUsage,
  }),
);
const chatChunk = shape(
  object({
    id: filled,
    object: one("chat.completion.chunk"),
    created: count,
    model: filled,
    choices: list(
      object({
        index: count,
        delta: object({
          "role?": one("assistant"),
          "content?": nullable(text),
          "reasoning_content?": nullable(text),
          "tool_calls?": list(object({ index: count, "id?": filled, function: object({ "name?": filled, "arguments?": text }) })),
        }),
        finish_reason: nullable(finishReason),
      }),
    ),
    "usage?": nullable(openaiUsage),
  }),
);
const textCompletion = shape(
  object({
    id: filled,
    object: one("text_completion"),
    created: count,
    model: filled,
    choices: list(object({ index: count, text, finish_reason: nullable(finishReason) })),
    usage: openaiUsage,
  }),
);

// Chunks of one id, each choice finished once and last, calls numbered from 0, usage where it was
// asked for, "[DONE]" at the end.
function chatStream(body, request) {
  const all = events(body).map(({ data }) => data);
  const finished = new Set();
  const args = [];
  let id;
  let usage = null;
  assert.equal(all.pop(), "[DONE]");
  for (const data of all) {
    const chunk = JSON.parse(data);
    chatChunk(chunk);
    id ??= chunk.id;
    assert.equal(chunk.id, id);
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      assert.ok(!finished.has(choice.index), "a choice goes on after its end");
      for (const call of choice.delta.tool_calls ?? []) {
        if (call.index === args.length) {
          assert.ok(call.id && call.function.name, "a call begins with its name");
          args.push("");
        }
        assert.equal(call.index, args.length - 1);
        args[call.index] += call.function.arguments ?? "";
      }
      if (choice.finish_reason) finished.add(choice.index);
    }
  }
  args.forEach(isObject);
  assert.ok(finished.size > 0, "no choice has an end");
  assert.equal(usage !== null, Boolean(request.stream_options?.include_usage));
}

/* ---- OpenAI responses ---- */

const outputItem = object({ type: filled, id: filled });
const response = (status) =>
  object({
    id: filled,
    object: one("response"),
    created_at: { type: "number" },
    status,
    model: filled,
    output: list(outputItem),
    error: {},
    incomplete_details: {},
  });
const wholeResponse = shape(response(one("completed", "incomplete")));
const anyResponse = shape(response(filled));

// Numbered events: created, then items (added, what is in them, done) one after the other, then
// one end, which holds all items.
function responsesStream(body) {
  const items = [];
  let open = null;
  let end = null;
  events(body).forEach(({ name, data }, i) => {
    const event = JSON.parse(data);
    assert.equal(event.type, name);
    assert.equal(event.sequence_number, i);
    assert.equal(end, null, `${name} after the end`);
    if (i === 0) assert.equal(name, "response.created");
    if (event.response) anyResponse(event.response);
    if (event.output_index !== undefined) assert.equal(event.output_index, items.length);
    if (name === "response.output_item.added") {
      assert.equal(open, null);
      open = event.item.id;
    } else if (name === "response.output_item.done") {
      assert.equal(event.item.id, open);
      items.push(event.item);
      open = null;
    } else if (event.item_id !== undefined) {
      assert.equal(event.item_id, open);
    }
    if (["response.completed", "response.incomplete", "response.failed"].includes(name)) end = event;
  });
  assert.ok(end, "the stream has no end");
  assert.notEqual(end.type, "response.failed");
  assert.deepEqual(end.response.output.map(({ id }) => id), items.map(({ id }) => id));
}

/* ---- Ollama ---- */

const ollamaPart = (members) =>
  object({
    model: filled,
    created_at: { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\dT" },
    done: { type: "boolean" },
    "done_reason?": one("stop", "length", "load", "unload"),
    ...members,
  });
const ollamaMessage = object({
  role: one("assistant"),
  content: text,
  "thinking?": text,
  "tool_calls?": list(object({ function: object({ name: filled, arguments: { type: "object" } }) })),
});
const ollamaEnd = object({ done: one(true), done_reason: filled, total_duration: count, prompt_eval_count: count, eval_count: count });
const ollamaPartOf = { "/api/chat": shape(ollamaPart({ message: ollamaMessage })), "/api/generate": shape(ollamaPart({ response: text })) };
const ollamaLast = shape(ollamaEnd);

// Lines, of which the last, and only it, is done; empty ones keep the stream alive.
function ollamaStream(body, request, path) {
  const parts = body.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  parts.forEach((part, i) => {
    ollamaPartOf[path](part);
    assert.equal(part.done, i === parts.length - 1);
  });
  ollamaLast(parts.at(-1));
}

function ollamaWhole(answer, request, path) {
  ollamaPartOf[path](answer);
  ollamaLast(answer);
}

/* ---- lists and vectors ---- */

const vector = list({ type: "number" });
const v1Model = object({
  id: filled,
  object: one("model"),
  type: one("model"),
  created: count,
  created_at: filled,
  display_name: filled,
  owned_by: filled,
});
const tag = object({
  name: filled,
  model: filled,
  modified_at: filled,
  size: count,
  digest: filled,
  details: object({ format: text, family: text, families: nullable(list(text)), parameter_size: text, quantization_level: text }),
});

/* ---- errors ---- */

export const errors = {
  anthropic: shape(
    object({
      type: one("error"),
      error: object({
        type: one(
          "invalid_request_error",
          "authentication_error",
          "permission_error",
          "not_found_error",
          "request_too_large",
          "rate_limit_error",
          "api_error",
          "overloaded_error",
        ),
        message: filled,
      }),
      request_id: filled,
    }),
  ),
  openai: shape(object({ error: object({ message: filled, type: filled, param: {}, code: {} }) })),
  ollama: shape(object({ error: filled })),
};

/* ---- by path ---- */

// For each path its API and what is right there: a stream, a whole body; `GET` ones have no stream.
export const endpoints = {
  "/v1/messages": { api: "anthropic", whole: anthropicMessage, streamed: anthropicStream },
  "/v1/messages/count_tokens": { api: "anthropic", whole: shape(object({ input_tokens: { type: "integer", minimum: 1 } })) },
  "/v1/chat/completions": { api: "openai", whole: chatCompletion, streamed: chatStream },
  "/v1/completions": { api: "openai", whole: textCompletion },
  "/v1/responses": { api: "openai", whole: wholeResponse, streamed: responsesStream },
  "/v1/embeddings": {
    api: "openai",
    whole: shape(object({ object: one("list"), data: list(object({ object: one("embedding"), index: count, embedding: { anyOf: [text, vector] } })), model: filled })),
  },
  "/v1/models": {
    api: "openai",
    whole: shape(object({ object: one("list"), data: list(v1Model), has_more: { type: "boolean" }, first_id: nullable(text), last_id: nullable(text) })),
  },
  "/v1/models/mock-model": { api: "openai", whole: shape(v1Model) },
  "/api/chat": { api: "ollama", whole: ollamaWhole, streamed: ollamaStream, streams: true },
  "/api/generate": { api: "ollama", whole: ollamaWhole, streamed: ollamaStream, streams: true },
  "/api/embed": { api: "ollama", whole: shape(object({ model: filled, embeddings: list(vector) })) },
  "/api/embeddings": { api: "ollama", whole: shape(object({ embedding: vector })) },
  "/api/tags": { api: "ollama", whole: shape(object({ models: list(tag) })) },
  "/api/ps": { api: "ollama", whole: shape(object({ models: list(tag) })) },
  "/api/version": { api: "ollama", whole: shape(object({ version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+" } })) },
  "/api/show": { api: "ollama", whole: shape(object({ details: { type: "object" }, model_info: { type: "object" }, capabilities: list(text) })) },
  "/api/pull": { api: "ollama" },
  "/api/hello": { api: "anthropic" },
};
