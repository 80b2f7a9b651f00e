// The official @anthropic-ai/sdk against genset serve.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { check, withServer } from "./serve.mjs";

await withServer(async (url, model) => {
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
});
