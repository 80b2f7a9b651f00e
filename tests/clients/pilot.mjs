// The model in the box through real clients: what it knows, what it writes, and that what is far too long
// for it only makes it silly.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { JSON_OUT, claude } from "./claude.mjs";
import { check, main, withModel } from "./serve.mjs";

const user = (content) => [{ role: "user", content }];

async function knows(client, model) {
  const questions = [
    ["Who are you?", /pilot/],
    ["How do I connect Claude Code?", /genset launch claude/],
    ["What is a circuit breaker?", /fail/],
    ["Why does my model not fit?", /--ctx|genset show/],
    ["What is the capital of Peru?", /do not know/],
  ];
  for (const [question, wanted] of questions)
    await check(`pilot answers: ${question}`, async () => {
      const request = { model, max_tokens: 200, messages: user(question) }; // its file says to be greedy
      const message = await client.messages.create(request);
      assert.equal(message.stop_reason, "end_turn");
      assert.match(message.content[0].text, wanted);
    });
}

async function calls(client, model) {
  const tool = (name, description, parameter) => {
    const properties = { [parameter]: { type: "string" } };
    const parameters = { type: "object", properties, required: [parameter] };
    return { type: "function", function: { name, description, parameters } };
  };
  const tools = [tool("read_file", "Read a file", "path"), tool("get_weather", "Weather of a city", "city")];

  await check("pilot calls the tool that fits, and none where none does", async () => {
    const request = { model, max_tokens: 200, tools };
    for (const [question, name, args] of [
      ["Show me the file notes.txt", "read_file", { path: "notes.txt" }],
      ["Weather in Oslo", "get_weather", { city: "Oslo" }],
    ]) {
      const { choices } = await client.chat.completions.create({ ...request, messages: user(question) });
      const call = choices[0].message.tool_calls[0].function;
      assert.equal(call.name, name);
      assert.deepEqual(JSON.parse(call.arguments), args);
    }
    const other = await client.chat.completions.create({ ...request, messages: user("Hello!") });
    assert.equal(other.choices[0].finish_reason, "stop");
    assert.match(other.choices[0].message.content, /pilot/);
  });

  await check("pilot writes JSON", async () => {
    const request = { model, max_tokens: 100, messages: user("Write JSON with name Ada and age 36") };
    const { choices } = await client.chat.completions.create(request);
    assert.deepEqual(JSON.parse(choices[0].message.content), { name: "Ada", age: 36 });
  });
}

await main(() =>
  withModel(
    async (url, model, folder) => {
      await knows(new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 }), model);
      await calls(new OpenAI({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 }), model);
      await check("claude -p with pilot ends well, whatever it says", async () => {
        const result = JSON.parse(await claude(["-p", "Hello", "--model", model, ...JSON_OUT], url, folder));
        assert.equal(result.is_error, false);
      });
    },
    undefined,
    "pilot",
  ),
);
