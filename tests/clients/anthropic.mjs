// The official @anthropic-ai/sdk against genset serve, and against a model that follows a script.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { check, main, withModel, withScript } from "./serve.mjs";

async function model(url, model) {
  const client = new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 });
  const request = { model, max_tokens: 48, messages: [{ role: "user", content: "Say hello." }] };
  let text;

  await check("messages.create", async () => {
    const message = await client.messages.create({ ...request, system: "Be brief." });
    assert.equal(message.role, "assistant");
    assert.equal(message.model, model);
    assert.ok(["end_turn", "max_tokens"].includes(message.stop_reason));
    assert.equal(message.content[0].type, "text");
    text = message.content[0].text;
    assert.ok(text.length > 0);
    assert.ok(message.usage.input_tokens + message.usage.cache_read_input_tokens > 0);
    assert.ok(message.usage.output_tokens > 0);
  });

  await check("messages.create with stream: true", async () => {
    const types = [];
    for await (const event of await client.messages.create({ ...request, stream: true }))
      types.push(event.type);
    assert.equal(types[0], "message_start");
    assert.equal(types[1], "content_block_start");
    assert.deepEqual(types.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  });

  await check("messages.stream adds up to the same text", async () => {
    const stream = client.messages.stream({ ...request, system: "Be brief." });
    let streamed = "";
    stream.on("text", (piece) => (streamed += piece));
    const message = await stream.finalMessage();
    assert.equal(message.content[0].text, text);
    assert.equal(streamed, text);
    assert.ok(message.usage.output_tokens > 0);
  });

  await check("messages.countTokens counts what the answer is charged", async () => {
    const { max_tokens: _, ...prompt } = request;
    const count = await client.messages.countTokens(prompt);
    const { usage } = await client.messages.create(request);
    assert.equal(count.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
  });

  await check("tools are taken", async () => {
    const message = await client.messages.create({
      ...request,
      tools: [{ name: "get_weather", description: "w", input_schema: { type: "object", properties: {} } }],
      messages: [
        ...request.messages,
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "sunny" }] },
      ],
    });
    assert.equal(message.type, "message");
  });

  await check("message threads fall back to whole conversations", async () => {
    const message = await client.beta.messages.toolRunner({ ...request, tools: [] });
    assert.equal(message.role, "assistant");
  });

  await check("models.list and models.retrieve", async () => {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.length > 0);
    assert.equal((await client.models.retrieve(ids[0])).type, "model");
  });

  await check("pages of models", async () => {
    const all = await client.models.list();
    const ids = [];
    for await (const entry of client.models.list({ limit: 1 })) ids.push(entry.id);
    assert.deepEqual(ids, all.data.map(({ id }) => id));
    assert.equal(all.has_more, false);
  });

  await check("an answer goes on from the words it is given", async () => {
    const messages = [...request.messages, { role: "assistant", content: text.slice(0, 8) }];
    const message = await client.messages.create({ ...request, system: "Be brief.", messages });
    assert.ok(message.content[0].text.length > 0);
  });

  await check("settings of thinking are taken", async () => {
    const budget = { type: "enabled", budget_tokens: 1024, display: "omitted" };
    for (const thinking of [budget, { type: "disabled" }, { type: "adaptive" }])
      assert.equal((await client.messages.create({ ...request, max_tokens: 2048, thinking })).role, "assistant");
  });

  await check("what is marked to be cached is counted apart", async () => {
    const content = [{ type: "text", text: "Say hello.", cache_control: { type: "ephemeral" } }];
    const { usage } = await client.messages.create({ ...request, messages: [{ role: "user", content }] });
    const { input_tokens } = await client.messages.countTokens({ model, messages: request.messages });
    assert.equal(usage.input_tokens, 0);
    assert.equal(usage.cache_creation_input_tokens + usage.cache_read_input_tokens, input_tokens);
  });

  await check("the response tells what it cost", async () => {
    const { response } = await client.messages.create(request).withResponse();
    const told = (name) => Number(response.headers.get(name));
    assert.ok(told("x-genset-prompt-tokens") > 0);
    assert.ok(told("x-genset-cached-tokens") >= 0);
    assert.ok(told("anthropic-ratelimit-requests-remaining") < told("anthropic-ratelimit-requests-limit"));
  });

  if (model === "standin")
    await check("images are refused by name, in a tool's result too", async () => {
      const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw==" } };
      const result = { type: "tool_result", tool_use_id: "toolu_1", content: [image] };
      const call = { type: "tool_use", id: "toolu_1", name: "Read", input: {} };
      for (const messages of [
        [{ role: "user", content: [image] }],
        [{ role: "user", content: "a" }, { role: "assistant", content: [call] }, { role: "user", content: [result] }],
      ])
        await assert.rejects(client.messages.create({ ...request, messages }), (err) => {
          assert.ok(err instanceof Anthropic.BadRequestError);
          assert.match(err.error.error.message, /^model "[^"]+": could not process image/);
          return true;
        });
    });

  await check("a format shapes the answer", async () => {
    const properties = { city: { enum: ["Paris", "Rome"] }, days: { type: "integer", minimum: 1, maximum: 9 } };
    const schema = { type: "object", properties, required: ["city", "days"], additionalProperties: false };
    const format = { type: "json_schema", schema };
    const { content } = await client.messages.create({ ...request, max_tokens: 200, output_config: { format } });
    const { city, days } = JSON.parse(content[0].text);
    assert.ok(properties.city.enum.includes(city) && days >= 1 && days <= 9);
  });

  await check("batches are refused", async () => {
    await assert.rejects(client.messages.batches.create({ requests: [] }), Anthropic.NotFoundError);
  });

  await check("errors are the API's", async () => {
    await assert.rejects(client.messages.create({ ...request, messages: [] }), (err) => {
      assert.ok(err instanceof Anthropic.BadRequestError);
      assert.equal(err.error.error.type, "invalid_request_error");
      assert.match(err.requestID, /^req_/);
      return true;
    });
  });

  await check("a prompt beyond the context is refused with both numbers", async () => {
    const content = "word ".repeat(400_000);
    await assert.rejects(
      client.messages.create({ ...request, messages: [{ role: "user", content }] }),
      /prompt is too long: \d+ tokens > \d+ maximum/,
    );
  });

  await check("a stream that is left does not disturb the next", async () => {
    for await (const event of await client.messages.create({ ...request, stream: true }))
      if (event.type === "content_block_delta") break;
    assert.equal((await client.messages.create(request)).role, "assistant");
  });
}

const rules = [
  { if: { user: "weather", calls: 0 }, say: [
    { think: "Two cities." },
    { call: "get_weather", args: { city: "Zürich" } },
    { call: "get_weather", args: { city: "Rome", days: [1, 2] } },
  ] },
  { if: { calls: 2, results: 2, result: "rainy" }, say: [{ text: "Sunny and rainy." }] },
  { if: { user: "break" }, say: [{ text: "Half an" }], fail: "internal" },
  { if: { user: "busy" }, fail: "busy" },
  { if: { user: "hold" }, say: [{ text: "Once" }], fail: "hold" },
  { if: { user: "long" }, say: [{ text: "Once" }], stop: "length" },
  { say: [{ text: "Hello." }] },
];

async function scripted(url, seen) {
  const client = new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 });
  const ask = (content) => ({ model: "any", max_tokens: 99, messages: [{ role: "user", content }] });
  const tools = [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];

  await check("streamed calls, their results, and reasoning between", async () => {
    const request = { ...ask("weather"), tools, thinking: { type: "enabled", budget_tokens: 50 } };
    const call = await client.messages.stream(request).finalMessage();
    assert.equal(call.stop_reason, "tool_use");
    assert.deepEqual(call.content.map(({ type }) => type), ["thinking", "tool_use", "tool_use"]);
    assert.equal(call.content[0].thinking, "Two cities.");
    assert.deepEqual(call.content.slice(1).map(({ input }) => input), [{ city: "Zürich" }, { city: "Rome", days: [1, 2] }]);
    const results = call.content.slice(1).map(({ id }, i) => ({ type: "tool_result", tool_use_id: id, content: ["sunny", "rainy"][i] }));
    const messages = [...request.messages, call, { role: "user", content: results }].map(({ role, content }) => ({ role, content }));
    const answer = await client.messages.create({ ...request, messages });
    assert.equal(answer.content[0].text, "Sunny and rainy.");
    assert.equal(answer.stop_reason, "end_turn");
  });

  await check("reasoning that is not shown comes back all the same", async () => {
    const thinking = { type: "adaptive", display: "omitted" };
    const { content } = await client.messages.create({ ...ask("weather"), tools, thinking });
    assert.equal(content[0].thinking, "");
    assert.match(content[0].signature, /^genset1/);
    const { input_tokens: without } = await client.messages.countTokens({ model: "any", messages: ask("x").messages });
    const turns = [...ask("x").messages, { role: "assistant", content: [content[0], { type: "text", text: "" }] }];
    assert.ok((await client.messages.countTokens({ model: "any", messages: turns })).input_tokens > without + 1);
  });

  await check("an answer that breaks off throws", async () => {
    await assert.rejects(client.messages.create(ask("break")), Anthropic.InternalServerError);
    let text = "";
    const stream = client.messages.stream(ask("break")).on("text", (piece) => (text += piece));
    await assert.rejects(stream.finalMessage(), (err) => err.error?.error?.type === "api_error");
    assert.equal(text, "Half an");
  });

  await check("overload is 529 with Retry-After", async () => {
    await assert.rejects(client.messages.create(ask("busy")), (err) => {
      assert.equal(err.status, 529);
      assert.equal(err.error.error.type, "overloaded_error");
      assert.ok(Number(err.headers.get("retry-after")) > 0);
      return true;
    });
  });

  await check("an aborted stream ends, and the server goes on", async () => {
    const stream = client.messages.stream(ask("hold"));
    stream.on("text", () => stream.abort());
    await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
    assert.equal((await client.messages.create(ask("hi"))).content[0].text, "Hello.");
  });

  await check("why an answer ended is said", async () => {
    assert.equal((await client.messages.create(ask("long"))).stop_reason, "max_tokens");
  });
}

await main(async () => {
  await withModel(model);
  await withScript(() => ({ rules }), scripted);
});
