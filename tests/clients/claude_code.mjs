// The real Claude Code CLI, headless: its answer from genset serve, its work with tools from a model
// that follows a script.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { JSON_OUT, WITH_TOOLS, claude, steps } from "./claude.mjs";
import { check, main, withModel, withScript } from "./serve.mjs";

const DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const promptTokens = (usage) =>
  usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;

async function answers() {
  await withModel(async (url, model, folder) => {
    const client = new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 });
    const direct = await client.messages.create({
      model,
      max_tokens: 16,
      messages: [{ role: "user", content: "Say hello" }],
    });

    await check("claude -p prints the answer of this server", async () => {
      const out = await claude(["-p", "Say hello", "--model", model, "--output-format", "json"], url, folder);
      const result = JSON.parse(out);
      assert.equal(result.is_error, false, out);
      assert.equal(result.subtype, "success", out);
      assert.ok(result.result.length > 0);
      assert.ok(promptTokens(result.usage) > 1000, out);
      assert.ok(result.usage.output_tokens > 0);
      if (model === "standin")
        assert.ok(
          result.result.trim().startsWith(direct.content[0].text.trim().slice(0, 20)),
          "the stand-in says what it always says",
        );
    });

    await check("claude -p shows the answer as it comes", async () => {
      const out = await claude(
        ["-p", "Say hello", "--model", model, "--output-format", "stream-json", "--verbose", "--include-partial-messages"],
        url,
        folder,
      );
      const lines = out.trim().split("\n").map((line) => JSON.parse(line));
      const deltas = lines.filter((line) => line.event?.type === "content_block_delta");
      assert.ok(deltas.length > 1, out);
      assert.equal(lines.at(-1).is_error, false, out);
    });
  });
}

// Claude Code runs what the script calls, and hands back what came of it.
async function tools() {
  const script = (folder) => ({
    rules: [
      {
        if: { tool: "Bash", calls: 0 },
        say: [{ text: "Let me look." }, { call: "Bash", args: { command: "echo so-$((6*7))" } }],
      },
      {
        if: { calls: 1, result: "so-42" },
        say: [{ think: "Now the file." }, { call: "Read", args: { file_path: join(folder, "work", "notes.txt") } }],
      },
      { if: { calls: 2, result: "remember the milk" }, say: [{ text: "It says: remember the milk." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    mkdirSync(join(folder, "work"));
    writeFileSync(join(folder, "work", "notes.txt"), "remember the milk\n");
    await check("a loop of Bash and Read ends with the answer", async () => {
      const result = JSON.parse(await claude(["-p", "What is in notes.txt?", ...WITH_TOOLS], url, folder));
      assert.equal(result.result, "It says: remember the milk.");
      assert.equal(result.is_error, false);
      assert.equal(result.num_turns, 3);
      assert.deepEqual(seen.map(({ rule }) => rule), [0, 1, 2]);
    });
  });
}

async function longSession() {
  await withScript(() => steps(39), async (url, seen, folder) => {
    await check("forty turns, 39 of them calls", async () => {
      const result = JSON.parse(await claude(["-p", "Do the steps.", ...WITH_TOOLS], url, folder));
      assert.equal(result.result, "All steps are done.");
      assert.equal(result.num_turns, 40);
      assert.deepEqual(seen.map(({ calls }) => calls), [...Array(40).keys()]);
      seen.forEach(({ calls, results }) => assert.equal(results, calls));
    });
  });
}

// A prompt that is too long is answered so that Claude Code shortens the conversation and goes on.
async function compaction() {
  const script = () => ({
    ctx_tokens: 11_000,
    rules: [
      { if: { user: "Respond with TEXT ONLY" }, say: [{ text: "<summary>Two steps were done.</summary>" }] },
      { if: { calls: [0, 1] }, say: [{ call: "Bash", args: { command: "echo step %calls%" } }] },
      { if: { calls: 2, times: 1 }, fail: "context" },
      { say: [{ text: "Done after all." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    await check("a prompt that is too long is compacted", async () => {
      const result = JSON.parse(await claude(["-p", "Do the steps.", ...WITH_TOOLS], url, folder));
      assert.equal(result.result, "Done after all.");
      assert.deepEqual(seen.map(({ rule }) => rule), [1, 1, 2, 0, 1, 3]);
    });
  });
}

// A model that reads text only refuses an image in words that Claude Code knows: it goes on without.
async function images() {
  const words = 'model "scripted": could not process image: it reads text only'; // as of chat/
  const script = (folder) => ({
    rules: [
      { if: { image: true }, fail: "unsupported", words },
      { if: { tool: "Read", calls: 0 }, say: [{ call: "Read", args: { file_path: join(folder, "work", "dot.png") } }] },
      { if: { calls: 1 }, say: [{ text: "It is a dot." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    mkdirSync(join(folder, "work"));
    writeFileSync(join(folder, "work", "dot.png"), Buffer.from(DOT, "base64"));
    await check("an image that is refused is left out", async () => {
      const result = JSON.parse(await claude(["-p", "What is dot.png?", ...WITH_TOOLS], url, folder));
      assert.equal(result.result, "It is a dot.");
      assert.deepEqual(seen.map(({ rule }) => rule), [1, 0, 2]);
      assert.match(seen[2].result, /^\[Image removed: /);
    });
  });
}

await main(async () => {
  await answers();
  await tools();
  await longSession();
  await compaction();
  await images();
});
