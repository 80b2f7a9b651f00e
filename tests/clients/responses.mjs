// The official openai SDK (Responses) against genset serve and against a model that follows a script.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { check, main, withModel, withScript } from "./serve.mjs";

// What the script saw arrives by a pipe of its own, some time.
const until = async (holds) => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

const connect = (url) => new OpenAI({ baseURL: `${url}/v1/`, apiKey: "any", maxRetries: 0 });

const schema = {
  type: "object",
  properties: { color: { enum: ["red", "blue"] }, n: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["color", "n"],
  additionalProperties: false,
};

async function answers() {
  await withModel(async (url, model) => {
    const client = connect(url);
    const request = { model, input: "Say hello.", max_output_tokens: 48 };
    let text;

    await check("responses.create", async () => {
      const answer = await client.responses.create(request);
      assert.equal(answer.object, "response");
      assert.equal(answer.model, model);
      assert.ok(["completed", "incomplete"].includes(answer.status));
      text = answer.output_text;
      assert.ok(text.length > 0);
      assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
      assert.equal(answer.max_output_tokens, 48);
    });

    await check("responses.create with stream: true, numbered in order", async () => {
      let streamed = "";
      const types = [];
      for await (const event of await client.responses.create({ ...request, stream: true })) {
        assert.equal(event.sequence_number, types.length);
        types.push(event.type);
        if (event.type === "response.output_text.delta") streamed += event.delta;
      }
      assert.equal(streamed, text);
      assert.deepEqual(types.slice(0, 4), [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
      ]);
      assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
    });

    await check("responses.stream", async () => {
      const stream = client.responses.stream(request);
      assert.equal((await stream.finalResponse()).output_text, text);
    });

    await check("an answer that max_output_tokens cuts is incomplete", async () => {
      const answer = await client.responses.create({ ...request, max_output_tokens: 2 });
      assert.equal(answer.status, "incomplete");
      assert.equal(answer.incomplete_details.reason, "max_output_tokens");
    });

    await check("the warm-up of Codex: no input, one token", async () => {
      await client.responses.create({ model, input: "", max_output_tokens: 1 });
    });

    await check("text.format shapes the answer", async () => {
      const answer = await client.responses.parse({
        ...request,
        max_output_tokens: 1000,
        text: { format: { type: "json_schema", name: "pick", strict: true, schema } },
      });
      assert.deepEqual(Object.keys(answer.output_parsed), ["color", "n"]);
      assert.ok(["red", "blue"].includes(answer.output_parsed.color));
    });

    await check("a demanded tool is called", async () => {
      const answer = await client.responses.create({
        ...request,
        max_output_tokens: 1000,
        tools: [{ type: "function", name: "pick", parameters: schema, strict: true }],
        tool_choice: { type: "function", name: "pick" },
      });
      const [call] = answer.output;
      assert.equal(call.type, "function_call");
      assert.equal(call.name, "pick");
      assert.ok(["red", "blue"].includes(JSON.parse(call.arguments).color));
    });

    await check("logprobs come when asked for", async () => {
      const answer = await client.responses.create({
        ...request,
        include: ["message.output_text.logprobs"],
        top_logprobs: 2,
      });
      const { logprobs } = answer.output.at(-1).content[0];
      assert.ok(logprobs.length > 0);
      assert.ok(logprobs.every((one) => one.logprob <= 0 && one.top_logprobs.length === 2));
    });

    await check("a response is kept, found and deleted", async () => {
      const { id } = await client.responses.create(request);
      assert.equal((await client.responses.retrieve(id)).output_text, text);
      const items = [];
      for await (const item of client.responses.inputItems.list(id)) items.push(item);
      assert.equal(items.length, 1);
      assert.equal(items[0].content[0].text, "Say hello.");
      await client.responses.delete(id);
      await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
      await assert.rejects(client.responses.create({ ...request, previous_response_id: id }), (err) => {
        assert.ok(err instanceof OpenAI.BadRequestError);
        assert.equal(err.code, "previous_response_not_found");
        assert.equal(err.param, "previous_response_id");
        return true;
      });
      const { id: dropped } = await client.responses.create({ ...request, store: false });
      await assert.rejects(client.responses.retrieve(dropped), OpenAI.NotFoundError);
    });

    await check("tokens are counted", async () => {
      const { input_tokens } = await client.responses.inputTokens.count({ model, input: "Say hello." });
      const answer = await client.responses.create(request);
      assert.equal(input_tokens, answer.usage.input_tokens);
    });

    await check("errors are the API's", async () => {
      const refused = (body, param) =>
        assert.rejects(client.responses.create({ ...request, ...body }), (err) => {
          assert.ok(err instanceof OpenAI.BadRequestError, err);
          assert.equal(err.type, "invalid_request_error");
          assert.equal(err.param, param);
          return true;
        });
      await refused({ temperature: 9 }, "temperature");
      await refused({ background: true }, null);
      await refused({ conversation: "conv_1" }, null);
      await assert.rejects(client.responses.create({ ...request, input: "word ".repeat(400_000) }), (err) => {
        assert.equal(err.code, "context_length_exceeded");
        return true;
      });
      await assert.rejects(client.responses.cancel("resp_1"), OpenAI.BadRequestError);
    });

    await check("a prompt that is too long ends its stream with response.failed", async () => {
      const events = [];
      const stream = await client.responses.create({ ...request, input: "word ".repeat(400_000), stream: true });
      for await (const event of stream) events.push(event);
      assert.equal(events[0].type, "response.created");
      assert.equal(events.at(-1).type, "response.failed");
      assert.equal(events.at(-1).response.error.code, "context_length_exceeded");
    });
  });
}

const TOOLS = [
  { type: "function", name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  { type: "namespace", name: "home", description: "Lights.", tools: [{ type: "function", name: "light" }] },
  { type: "custom", name: "patch", description: "Takes a patch." },
  { type: "web_search" },
];

async function turns() {
  const script = () => ({
    rules: [
      { if: { user: "think" }, say: [{ think: "Hm, hm." }, { text: "Yes." }] },
      {
        if: { calls: 0 },
        say: [
          { text: "Looking." },
          { call: "weather", args: { city: "Paris" } },
          { call: "home__light", args: {} },
          { call: "patch", args: { input: 'a "b"\n' } },
        ],
      },
      { if: { calls: 3, results: 3, result: "patched" }, say: [{ text: "All done." }] },
      { say: [{ text: "What?" }] },
    ],
  });
  const results = (output) =>
    output.flatMap(({ type, call_id, name }) =>
      type === "function_call"
        ? [{ type: "function_call_output", call_id, output: `${name} is fine` }]
        : type === "custom_tool_call"
          ? [{ type: "custom_tool_call_output", call_id, output: [{ type: "input_text", text: "patched" }] }]
          : [],
    );
  await withScript(script, async (url, seen) => {
    const client = connect(url);
    const request = { model: "scripted", input: "Go.", tools: TOOLS };

    await check("tools of all kinds are called by the names they have", async () => {
      const answer = await client.responses.create(request);
      const [message, weather, light, patch] = answer.output;
      assert.equal(message.content[0].text, "Looking.");
      assert.deepEqual([weather.name, weather.arguments], ["weather", '{"city":"Paris"}']);
      assert.deepEqual([light.name, light.namespace], ["light", "home"]);
      assert.deepEqual([patch.type, patch.name, patch.input], ["custom_tool_call", "patch", 'a "b"\n']);
      await until(() => seen.length > 0);
      assert.deepEqual(seen[0].tools, ["weather", "home__light", "patch"]);
    });

    await check("the conversation goes on with all its items", async () => {
      const first = await client.responses.create(request);
      const input = [{ role: "user", content: "Go." }, ...first.output, ...results(first.output)];
      assert.equal((await client.responses.create({ ...request, input })).output_text, "All done.");
    });

    await check("or with the id of the response", async () => {
      const first = await client.responses.create(request);
      const second = await client.responses.create({
        ...request,
        input: results(first.output),
        previous_response_id: first.id,
      });
      assert.equal(second.output_text, "All done.");
      await until(() => seen.at(-1).user === "Go." && seen.at(-1).results === 3);
      const items = [];
      for await (const item of client.responses.inputItems.list(second.id, { limit: 2, order: "asc" })) items.push(item);
      assert.equal(items.length, 8);
      assert.equal(items[0].content[0].text, "Go.");
    });

    await check("or with the ids of its items", async () => {
      const first = await client.responses.create(request);
      const references = first.output.map(({ id }) => ({ type: "item_reference", id }));
      const input = [{ role: "user", content: "Go." }, ...references, ...results(first.output)];
      assert.equal((await client.responses.create({ ...request, input })).output_text, "All done.");
      await assert.rejects(
        client.responses.create({ ...request, input: [{ type: "item_reference", id: "msg_0_0" }] }),
        OpenAI.NotFoundError,
      );
    });

    await check("a stream tells the same", async () => {
      const stream = client.responses.stream(request);
      const deltas = {};
      for await (const event of stream)
        if (event.type.endsWith(".delta"))
          deltas[event.item_id] = (deltas[event.item_id] ?? "") + event.delta;
      const { output } = await stream.finalResponse();
      const whole = Object.fromEntries(
        output.map((item) => [item.id, item.arguments ?? item.input ?? item.content[0].text]),
      );
      assert.deepEqual(deltas, whole);
    });

    await check("reasoning goes out as text, or as the summary that was asked for", async () => {
      const plain = await client.responses.create({ model: "scripted", input: "think" });
      assert.deepEqual(plain.output[0].content, [{ type: "reasoning_text", text: "Hm, hm." }]);
      const asked = { model: "scripted", input: "think", reasoning: { effort: "low", summary: "auto" } };
      const stream = client.responses.stream(asked);
      let summary = "";
      for await (const event of stream)
        if (event.type === "response.reasoning_summary_text.delta") summary += event.delta;
      const { output, output_text } = await stream.finalResponse();
      assert.equal(summary, "Hm, hm.");
      assert.deepEqual(output[0].summary, [{ type: "summary_text", text: "Hm, hm." }]);
      assert.equal(output_text, "Yes.");
      await until(() => seen.at(-1).effort === "low");
    });

    await check("a stream can be left", async () => {
      const stream = await client.responses.create({ ...request, stream: true });
      for await (const event of stream) if (event.type === "response.output_text.delta") break;
      assert.ok(stream.controller.signal.aborted);
    });
  });
}

await main(async () => {
  await answers();
  await turns();
});
