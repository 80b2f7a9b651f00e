// A session of Claude Code, forty turns, recorded and then sent to models of two kinds, with other
// requests between its turns and too little memory to keep them all: after the first turn at least
// 95 % of the prompts' tokens must not be computed again. Then turns that the models write themselves:
// of reasoning and calls all but the last token must stand in the next prompt as it was written.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { WITH_TOOLS, claude, steps } from "./claude.mjs";
import { check, inFolder, main, withModel, withScript } from "./serve.mjs";

const TURNS = 40;
const LEAST = 0.95;
const KV_MEMORY = "16MiB"; // the session and a few of the requests between its turns fit

// Run `body(url)` with a server that hands everything on to `target` and keeps what is posted.
async function recording(target, posted, body) {
  const server = createServer((incoming, outgoing) => {
    const chunks = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => {
      const bytes = Buffer.concat(chunks);
      if (incoming.method === "POST") posted.push({ path: incoming.url, body: bytes.toString("utf8") });
      const { method, headers } = incoming;
      const onward = request(target + incoming.url, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      onward.end(bytes);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function record() {
  const posted = [];
  await withScript(
    () => steps(TURNS - 1),
    (target, seen, folder) =>
      recording(target, posted, async (url) => {
        const result = JSON.parse(await claude(["-p", "Do the steps.", ...WITH_TOOLS], url, folder));
        assert.equal(result.num_turns, TURNS);
      }),
  );
  const turns = posted.filter(({ path }) => path.startsWith("/v1/messages?")).map(({ body }) => JSON.parse(body));
  assert.equal(turns.length, TURNS);
  return turns;
}

// The answer; what its prompt has, and what of that was computed before.
async function ask(url, body) {
  const answer = await fetch(`${url}/v1/messages?beta=true`, {
    method: "POST",
    headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ ...body, stream: false }),
  });
  const { content, usage, error } = await answer.json();
  assert.equal(answer.status, 200, error?.message);
  const cached = usage.cache_read_input_tokens;
  const prompt = usage.input_tokens + usage.cache_creation_input_tokens + cached;
  return { content, cached, prompt, written: usage.output_tokens };
}

// Requests that come between, as of titles and sub-agents: each is another.
const side = (i) => ({ model: "any", max_tokens: 8, system: `Task ${i}. ${"Name it in a few words. ".repeat(200)}`, messages: [{ role: "user", content: `Number ${i}` }] });

async function replay(url, turns) {
  const usages = [];
  for (const [i, turn] of turns.entries()) {
    usages.push(await ask(url, { ...turn, max_tokens: 8 }));
    await ask(url, side(i));
  }
  return usages;
}

// A conversation of forced calls after reasoning that a budget ends.
async function converse(url, display) {
  const properties = { path: { type: "string", maxLength: 20 }, line: { type: "integer", minimum: 0, maximum: 99 } };
  const request = {
    model: "any",
    max_tokens: 400,
    tools: [{ name: "Read", input_schema: { type: "object", properties, required: ["path"], additionalProperties: false } }],
    tool_choice: { type: "any", disable_parallel_tool_use: true },
    thinking: { type: "enabled", budget_tokens: 20, display },
  };
  const messages = [{ role: "user", content: "Read the files." }];
  let computed = 0;
  let reasoned = 0;
  for (let turn = 0; turn < 6; turn++) {
    const { content, cached, prompt, written } = await ask(url, { ...request, messages });
    const call = content.at(-1);
    assert.equal(call.type, "tool_use");
    for (const block of content.slice(0, -1)) {
      assert.equal(block.type, "thinking");
      assert.equal(block.thinking === "", display === "omitted");
      reasoned++;
    }
    assert.ok(cached >= computed - 1, `${cached} of ${computed} tokens were not computed again`);
    computed = prompt + written;
    const result = { type: "tool_result", tool_use_id: call.id, content: `line ${turn}` };
    messages.push({ role: "assistant", content }, { role: "user", content: [result] });
  }
  assert.ok(reasoned > 3); // a model of random weights may begin with the end
}

const sum = (list, key) => list.reduce((total, item) => total + item[key], 0);

await main(async () => {
  const turns = await record();
  await inFolder(async (models) => {
    execFileSync(process.env.GENSET_TINY_MODELS, [models]);
    for (const name of ["tiny-attention", "tiny-qwen35"])
      await withModel(
        async (url) => {
          const [first, ...later] = await replay(url, turns);
          const share = sum(later, "cached") / sum(later, "prompt");
          await check(
            `${name}: ${(100 * share).toFixed(2)} % of ${sum(later, "prompt")} prompt tokens were not computed again ` +
              `(turn 1: ${first.prompt}, turn ${TURNS}: ${later.at(-1).prompt})`,
            async () => assert.ok(share >= LEAST, JSON.stringify(later)),
          );
          for (const display of ["summarized", "omitted"])
            await check(`${name}: its own turns, reasoning ${display}, are not computed again`, () => converse(url, display));
        },
        models,
        join(models, `${name}.gguf`),
        ["--kv-memory", KV_MEMORY],
      );
  });
});
