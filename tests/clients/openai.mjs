// The official openai SDK (Chat Completions) against genset serve.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { check, embedders, withServer } from "./serve.mjs";

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

  const schema = {
    type: "object",
    properties: { color: { enum: ["red", "blue"] }, n: { type: "integer", minimum: 1, maximum: 9 } },
    required: ["color", "n"],
    additionalProperties: false,
  };

  await check("a response_format shapes the answer", async () => {
    const answer = await client.chat.completions.create({
      ...request,
      max_tokens: 1000,
      response_format: { type: "json_schema", json_schema: { name: "pick", strict: true, schema } },
    });
    const value = JSON.parse(answer.choices[0].message.content);
    assert.deepEqual(Object.keys(value), ["color", "n"]);
    assert.ok(["red", "blue"].includes(value.color) && value.n >= 1 && value.n <= 9);
  });

  await check("what is ignored of a schema is said", async () => {
    const { response } = await client.chat.completions
      .create({
        ...request,
        response_format: { type: "json_schema", json_schema: { name: "n", schema: { enum: [1, 2], not: { const: 1 } } } },
      })
      .withResponse();
    assert.equal(response.headers.get("x-genset-ignored"), "not");
  });

  await check("a demanded tool is called", async () => {
    const answer = await client.chat.completions.create({
      ...request,
      max_tokens: 1000,
      tools: [{ type: "function", function: { name: "pick", parameters: schema } }],
      tool_choice: { type: "function", function: { name: "pick" } },
    });
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, "pick");
    assert.ok(["red", "blue"].includes(JSON.parse(call.function.arguments).color));
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
  });

  await check("models.list and models.retrieve", async () => {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.length > 0);
    assert.equal((await client.models.retrieve(ids[0])).object, "model");
  });

  if (embedders) {
    const { embed, rank } = embedders;

    await check("embeddings.create, by default in base64", async () => {
      const input = ["the sun", "a little tree"];
      const both = await client.embeddings.create({ model: embed, input });
      const plain = await client.embeddings.create({ model: embed, input: input[0], encoding_format: "float" });
      assert.equal(both.data.length, 2);
      assert.equal(both.data[1].index, 1);
      both.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[0].embedding[i]) < 1e-4));
      assert.ok(Math.abs(Math.hypot(...both.data[1].embedding) - 1) < 1e-5);
      assert.ok(both.usage.prompt_tokens > plain.usage.prompt_tokens);
    });

    await check("embeddings.create with dimensions, and of tokens", async () => {
      const { data } = await client.embeddings.create({ model: embed, input: [[5, 6, 7], [8]], dimensions: 8 });
      assert.deepEqual(data.map((d) => d.embedding.length), [8, 8]);
      assert.ok(Math.abs(Math.hypot(...data[0].embedding) - 1) < 1e-5);
    });

    await check("rerank puts documents in order", async () => {
      const documents = ["one", "two", { text: "three" }];
      const { results } = await client.post("/rerank", { body: { model: rank, query: "one", documents } });
      assert.deepEqual(results.map((r) => r.index).sort(), [0, 1, 2]);
      assert.ok(results.every((r, i) => i === 0 || r.relevance_score <= results[i - 1].relevance_score));
    });

    await check("what cannot embed is refused by name", async () => {
      await assert.rejects(client.embeddings.create({ model: rank, input: "x" }), (err) => {
        assert.ok(err instanceof OpenAI.BadRequestError);
        assert.match(err.message, /"bert-rerank" is made for ranking/);
        return true;
      });
      await assert.rejects(client.embeddings.create({ model: embed, input: "word ".repeat(4000) }), (err) => {
        assert.equal(err.code, "context_length_exceeded");
        return true;
      });
    });
  }

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
