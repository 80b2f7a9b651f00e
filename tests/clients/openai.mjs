// The official openai SDK (Chat Completions, Completions, Embeddings) against genset serve, and
// against a model that follows a script.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { check, embedders, main, withModel, withScript } from "./serve.mjs";

const connect = (url) => new OpenAI({ baseURL: `${url}/v1/`, apiKey: "any", maxRetries: 0 });

// What a stream's chunks add up to, by choice.
async function collect(stream, textOf) {
  const choices = [];
  let usage;
  for await (const chunk of stream) {
    for (const choice of chunk.choices) {
      const sum = (choices[choice.index] ??= { text: "", reason: null });
      assert.equal(sum.reason, null, "a choice goes on after its end");
      sum.text += textOf(choice) ?? "";
      sum.reason = choice.finish_reason;
    }
    usage = chunk.usage ?? usage;
  }
  return { choices, usage };
}

async function refuses(promise, status, check = {}) {
  await assert.rejects(promise, (err) => {
    assert.ok(err instanceof OpenAI.APIError, String(err));
    assert.equal(err.status, status, err.message);
    for (const [key, want] of Object.entries(check)) {
      if (want instanceof RegExp) assert.match(err[key], want);
      else assert.equal(err[key], want);
    }
    return true;
  });
}

async function withAModel(url, model) {
  const client = connect(url);
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
    const [{ message, logprobs }] = one.choices;
    assert.equal(message.content, two.choices[0].message.content);
    assert.equal(one.system_fingerprint, two.system_fingerprint);
    assert.ok(logprobs.content.every((token) => token.logprob <= 0 && token.top_logprobs.length === 2));
    assert.equal(Buffer.from(logprobs.content.flatMap(({ bytes }) => bytes)).toString(), message.content);
    assert.equal(logprobs.refusal, null);
  });

  await check("n answers come whole in order, streamed mixed", async () => {
    const several = { ...request, n: 3, seed: 1, max_tokens: 8 };
    const one = await client.chat.completions.create({ ...several, n: 1 });
    const answer = await client.chat.completions.create(several);
    assert.deepEqual(answer.choices.map(({ index }) => index), [0, 1, 2]);
    assert.equal(answer.choices[0].message.content, one.choices[0].message.content);
    assert.equal(answer.usage.prompt_tokens, one.usage.prompt_tokens);
    assert.ok(answer.usage.completion_tokens > one.usage.completion_tokens);
    const stream = await client.chat.completions.create({ ...several, stream: true, stream_options: { include_usage: true } });
    const { choices, usage } = await collect(stream, ({ delta }) => delta.content);
    assert.deepEqual(choices.map(({ text }) => text), answer.choices.map(({ message }) => message.content));
    assert.ok(choices.every(({ reason }) => ["stop", "length"].includes(reason)));
    assert.deepEqual({ ...usage, prompt_tokens_details: null }, { ...answer.usage, prompt_tokens_details: null });
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

  await check("chat.completions.parse", async () => {
    const answer = await client.chat.completions.parse({
      ...request,
      max_tokens: 1000,
      response_format: { type: "json_schema", json_schema: { name: "pick", strict: true, schema } },
    });
    assert.ok(["red", "blue"].includes(answer.choices[0].message.parsed.color));
  });

  await check("formats in the words of vLLM and llama-server", async () => {
    const shaped = async (body) => (await client.chat.completions.create({ ...request, ...body })).choices[0].message.content;
    assert.ok(["north", "south"].includes(await shaped({ guided_choice: ["north", "south"] })));
    assert.match(await shaped({ structured_outputs: { regex: "[0-9]{3}" } }), /^[0-9]{3}$/);
    assert.equal(await shaped({ grammar: 'root ::= "yes"' }), "yes");
  });

  await check("completions.create", async () => {
    const answer = await client.completions.create({ model, prompt: "I am the" });
    const [choice] = answer.choices;
    assert.equal(answer.object, "text_completion");
    assert.ok(choice.text.length > 0);
    assert.equal(answer.usage.completion_tokens, 16);
    assert.equal(choice.finish_reason, "length");
    const stream = await client.completions.create({ model, prompt: "I am the", stream: true });
    const { choices } = await collect(stream, (one) => one.text);
    assert.equal(choices[0].text, choice.text);
  });

  await check("completions.create with several prompts, n, echo and logprobs", async () => {
    const prompts = { model, prompt: ["One", "Two"], n: 2, max_tokens: 3, temperature: 0 };
    const { choices } = await client.completions.create({ ...prompts, echo: true });
    assert.deepEqual(choices.map(({ text }) => text.slice(0, 3)), ["One", "One", "Two", "Two"]);
    const answer = await client.completions.create({ ...prompts, logprobs: 2 });
    for (const { text, logprobs } of answer.choices) {
      assert.equal(logprobs.tokens.join(""), text);
      assert.equal(logprobs.token_logprobs.length, 3);
      assert.ok(logprobs.top_logprobs.every((top) => Object.keys(top).length >= 2));
      assert.deepEqual(logprobs.text_offset, logprobs.tokens.map((_, i) => logprobs.tokens.slice(0, i).join("").length));
    }
    const tokens = await client.completions.create({ model, prompt: [[5, 6], [7]], max_tokens: 2 });
    assert.equal(tokens.choices.length, 2);
    assert.equal(tokens.usage.prompt_tokens, 3);
  });

  await check("what a model cannot take is refused by name", async () => {
    const user = (part) => ({ ...request, messages: [{ role: "user", content: [{ type: "text", text: "Look:" }, part] }] });
    await refuses(client.chat.completions.create(user({ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } })), 400, { message: /could not process image/ });
    await refuses(client.chat.completions.create(user({ type: "input_audio", input_audio: { data: "aGk=", format: "wav" } })), 400, { message: /input_audio/ });
    await refuses(client.chat.completions.create({ ...request, modalities: ["text", "audio"], audio: { voice: "ash", format: "wav" } }), 400, { param: "modalities[1]" });
    if (model === "standin") await refuses(client.completions.create({ model, prompt: "def f(", suffix: ")" }), 400, { message: /does not fill in/ });
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
      both.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[0].embedding[i]) < 1e-6));
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
    await refuses(client.chat.completions.create({ ...request, n: 17 }), 400, { type: "invalid_request_error", param: "n" });
    await refuses(client.chat.completions.create({ ...request, messages: [{ role: "user", content: "word ".repeat(400_000) }] }), 400, {
      code: "context_length_exceeded",
      message: /maximum context length is \d+ tokens/,
    });
    await refuses(client.models.retrieve("no-such-model"), 404, { code: "model_not_found" });
    await refuses(client.chat.completions.create({ model }), 400, { param: "messages" });
  });
}

const script = () => ({
  rules: [
    { if: { user: "wait" }, say: [{ text: "Once " }], fail: "hold" },
    { if: { user: "busy" }, fail: "busy" },
    { if: { user: "break" }, say: [{ text: "Half an " }], fail: "internal" },
    { if: { tool: "add", calls: 0 }, say: [{ call: "add", args: { a: 2, b: 3 } }] },
    { if: { tool: "add", result: "5" }, say: [{ text: "It is 5." }] },
    { if: { tool: "run" }, say: [{ call: "run", args: { input: 'echo "hi"\n' } }] },
    { if: { model: "thinker" }, say: [{ think: "Hm." }, { text: "Yes." }] },
  ],
});

const parameters = { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] };

async function withAScript(url, seen) {
  const client = connect(url);
  const ask = (content, more) => ({ model: "scripted", messages: [{ role: "user", content }], ...more });

  await check("chat.completions.runTools calls until there is an answer", async () => {
    const add = { name: "add", parameters, parse: JSON.parse, function: ({ a, b }) => String(a + b) };
    for (const stream of [false, true]) {
      const runner = client.chat.completions.runTools(ask("2 + 3?", { stream, tools: [{ type: "function", function: add }] }));
      assert.equal(await runner.finalContent(), "It is 5.");
    }
  });

  await check("functions are answered as before 2023-11", async () => {
    const old = ask("2 + 3?", { functions: [{ name: "add", parameters }] });
    const [choice] = (await client.chat.completions.create(old)).choices;
    assert.equal(choice.finish_reason, "function_call");
    assert.deepEqual(choice.message.function_call, { name: "add", arguments: '{"a":2,"b":3}' });
    const streamed = await client.chat.completions.stream(old).finalChatCompletion();
    assert.deepEqual(streamed.choices[0].message.function_call, choice.message.function_call);
  });

  await check("a custom tool gets its text", async () => {
    const custom = ask("run it", { tools: [{ type: "custom", custom: { name: "run" } }] });
    const [{ message, finish_reason }] = (await client.chat.completions.create(custom)).choices;
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls[0].type, "custom");
    assert.deepEqual(message.tool_calls[0].custom, { name: "run", input: 'echo "hi"\n' });
  });

  await check("reasoning comes apart, and is counted", async () => {
    const answer = await client.chat.completions.create(ask("Really?", { model: "thinker", reasoning_effort: "low" }));
    assert.equal(answer.choices[0].message.reasoning_content, "Hm.");
    assert.ok(answer.usage.completion_tokens_details.reasoning_tokens > 0);
    assert.equal(seen.at(-1).effort, "low");
  });

  await check("an aborted stream ends, and the server goes on", async () => {
    const stream = await client.chat.completions.create(ask("wait", { stream: true }));
    for await (const chunk of stream) if (chunk.choices[0].delta.content) stream.controller.abort();
    const abort = new AbortController();
    const before = seen.length;
    const refused = assert.rejects(client.chat.completions.create(ask("wait"), { signal: abort.signal }), OpenAI.APIUserAbortError);
    while (seen.length === before) await new Promise(setImmediate);
    abort.abort();
    await refused;
    assert.ok((await client.chat.completions.create(ask("Really?", { model: "thinker" }))).choices[0].message.content);
  });

  await check("overload is 503 with Retry-After", async () => {
    await assert.rejects(client.chat.completions.create(ask("busy")), (err) => {
      assert.equal(err.status, 503);
      assert.ok(Number(err.headers.get("retry-after")) <= 60);
      return true;
    });
  });

  await check("an answer that breaks off throws", async () => {
    await refuses(client.chat.completions.create(ask("break")), 500, { type: "server_error" });
    const stream = await client.chat.completions.create(ask("break", { stream: true }));
    await assert.rejects(collect(stream, ({ delta }) => delta.content), OpenAI.APIError);
  });
}

await main(async () => {
  await withModel(withAModel);
  await withScript(script, withAScript);
});
