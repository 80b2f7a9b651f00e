// The official openai SDK (Chat Completions) against genset serve.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { check, withServer } from "./serve.mjs";

await withServer(async (url, model) => {
  const client = new OpenAI({ baseURL: `${url}/v1/`, apiKey: "any", maxRetries: 0 });
  const request = { model, max_tokens: 48, messages: [{ role: "user", content: "Say hello." }] };
  let text;

  await check("chat.completions.create", async () => {
    const answer = await client.chat.completions.create(request);
    const [choice] = answer.choices;
    assert.equal(answer.model, model);
    assert.ok(["stop", "length"].includes(choice.finish_reason));
    text = choice.message.content;
    assert.ok(text.length > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  });

  await check("chat.completions.create with stream: true", async () => {
    let streamed = "";
    let usage, reason;
    const stream = await client.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(streamed, text);
    assert.ok(["stop", "length"].includes(reason));
    assert.ok(usage.completion_tokens > 0);
  });

  await check("chat.completions.stream", async () => {
    const answer = await client.chat.completions.stream(request).finalChatCompletion();
    assert.equal(answer.choices[0].message.content, text);
  });

  await check("a seed makes an answer repeatable, logprobs come with it", async () => {
    const seeded = { ...request, seed: 7, temperature: 1, logprobs: true, top_logprobs: 2 };
    const [one, two] = [await client.chat.completions.create(seeded), await client.chat.completions.create(seeded)];
    assert.equal(one.choices[0].message.content, two.choices[0].message.content);
    assert.ok(one.choices[0].logprobs.content.length > 0);
    assert.ok(one.choices[0].logprobs.content[0].logprob <= 0);
  });

  await check("tools and their results are taken", async () => {
    const answer = await client.chat.completions.create({
      ...request,
      tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }],
      messages: [
        { role: "developer", content: "Be brief." },
        ...request.messages,
        { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }] },
        { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "sunny" }] },
      ],
    });
    assert.ok(answer.choices[0].finish_reason);
  });

  await check("what is ignored is said", async () => {
    const { response } = await client.chat.completions
      .create({ ...request, response_format: { type: "json_object" } })
      .withResponse();
    assert.equal(response.headers.get("x-genset-ignored"), "response_format");
  });

  await check("models.list and models.retrieve", async () => {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.length > 0);
    assert.equal((await client.models.retrieve(ids[0])).object, "model");
  });

  await check("errors are the API's", async () => {
    await assert.rejects(client.chat.completions.create({ ...request, n: 2 }), (err) => {
      assert.ok(err instanceof OpenAI.BadRequestError);
      assert.equal(err.type, "invalid_request_error");
      return true;
    });
    await assert.rejects(
      client.chat.completions.create({
        ...request,
        messages: [{ role: "user", content: "word ".repeat(400_000) }],
      }),
      (err) => {
        assert.equal(err.code, "context_length_exceeded");
        assert.match(err.message, /maximum context length is \d+ tokens/);
        return true;
      },
    );
  });
});
