// The real Codex CLI, headless: its answer from genset serve, its work with tools from a model that
// follows a script.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codex, provider } from "./codex_cli.mjs";
import { check, main, withModel, withScript } from "./serve.mjs";

const UNGUARDED = ["--dangerously-bypass-approvals-and-sandbox", "-m", "scripted"];

async function answers() {
  await withModel(async (url, model, folder) => {
    await check("codex exec prints the answer, and the next turn begins where it ended", async () => {
      const { code, text, usage, out } = await codex(["-m", model, "Say hello"], url, folder);
      assert.equal(code, 0, out);
      assert.ok(text.length > 0, out);
      if (model === "standin") assert.match(text, /^I am the stand-in model/);
      assert.ok(usage.input_tokens > 1000 && usage.output_tokens > 0, out);
      const next = await codex(["-m", model, "resume", "--last", "More, please"], url, folder);
      assert.ok(next.usage.cached_input_tokens > 0.95 * usage.input_tokens, next.out);
    });

    for (const local of ["lmstudio", "ollama"]) {
      await check(`codex --oss takes this server for ${local}`, async () => {
        const args = ["--oss", "--local-provider", local, "-m", model, "Say hello"];
        const { code, text, out } = await codex(args, url, folder, [], { CODEX_OSS_BASE_URL: `${url}/v1` });
        assert.equal(code, 0, out);
        assert.ok(text.length > 0, out);
      });
    }
  });
}

// Codex runs what the script calls, and hands back what came of it.
async function tools() {
  const script = () => ({
    rules: [
      {
        if: { tool: "exec_command", calls: 0 },
        say: [
          { think: "I should look." },
          { text: "Let me look." },
          { call: "exec_command", args: { cmd: "echo so-$((6*7))" } },
        ],
      },
      {
        if: { calls: 1, result: "so-42" },
        say: [
          { call: "exec_command", args: { cmd: "cat notes.txt" } },
          { call: "exec_command", args: { cmd: "echo both" } },
        ],
      },
      { if: { calls: 3, result: "both" }, say: [{ text: "It says: remember the milk." }] },
      { if: { calls: 3, result: "remember the milk" }, say: [{ text: "It says: remember the milk." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    mkdirSync(join(folder, "work"));
    writeFileSync(join(folder, "work", "notes.txt"), "remember the milk\n");
    await check("a loop of commands ends with the answer", async () => {
      const { code, text, items, out } = await codex([...UNGUARDED, "What is in notes.txt?"], url, folder);
      assert.equal(code, 0, out);
      assert.equal(text, "It says: remember the milk.", out);
      assert.equal(items.filter(({ type }) => type === "command_execution").length, 3, out);
      assert.match(out, /I should look\./);
      assert.deepEqual(seen.map(({ results }) => results), [0, 1, 3]);
      assert.equal(seen[2].thought, "I should look.");
    });
    await check("thoughts that are not shown come back too", async () => {
      const before = seen.length;
      const settings = [...provider(url), "model_reasoning_summary=none"];
      const { text, out } = await codex([...UNGUARDED, "What is in notes.txt?"], url, folder, settings);
      assert.equal(text, "It says: remember the milk.", out);
      assert.doesNotMatch(out, /I should look\./);
      assert.equal(seen[before + 2].thought, "I should look.");
    });
    await check("a conversation is taken up again", async () => {
      const { code, out } = await codex(["resume", "--last", "And now?"], url, folder);
      assert.equal(code, 0, out);
      assert.deepEqual(seen.at(-1).calls, 3);
      assert.equal(seen.at(-1).user, "And now?");
    });
  });
}

// A tool in a namespace is called by both its names: Codex knows it by no other.
async function namespaces() {
  const script = () => ({
    rules: [
      { if: { calls: 0 }, say: [{ call: "multi_agent_v1__close_agent", args: { target: "x" } }] },
      { if: { calls: 1 }, say: [{ text: "Closed." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    await check("a tool in a namespace is found", async () => {
      const { text, out } = await codex([...UNGUARDED, "Close x."], url, folder);
      assert.equal(text, "Closed.", out);
      assert.ok(seen[0].tools.includes("multi_agent_v1__close_agent"));
      assert.match(seen[1].result, /invalid agent id/);
      assert.doesNotMatch(seen[1].result, /unsupported call/);
    });
  });
}

async function longSession() {
  const cmd = "echo step %calls%: $((%calls% * 7))";
  const script = () => ({
    rules: [
      { if: { calls: [0, 28] }, say: [{ text: "Step %calls%." }, { call: "exec_command", args: { cmd } }] },
      { if: { calls: 29, result: "step 28: 196" }, say: [{ text: "All steps are done." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    await check("thirty turns, 29 of them calls", async () => {
      const { text, out } = await codex([...UNGUARDED, "Do the steps."], url, folder);
      assert.equal(text, "All steps are done.", out);
      assert.deepEqual(seen.map(({ calls }) => calls), [...Array(30).keys()]);
      seen.forEach(({ calls, results }) => assert.equal(results, calls));
    });
  });
}

// Codex shortens the conversation by what it is told of its length.
async function compaction() {
  const cmd = "printf %030000d 7";
  const script = () => ({
    rules: [
      { if: { user: "CONTEXT CHECKPOINT COMPACTION" }, say: [{ text: "A step was done." }] },
      { if: { times: 1 }, say: [{ call: "exec_command", args: { cmd } }] },
      { say: [{ text: "Done after all." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    await check("a long conversation is compacted", async () => {
      const settings = [...provider(url), "model_auto_compact_token_limit=10500"];
      const { text, out } = await codex([...UNGUARDED, "Do the step."], url, folder, settings);
      assert.equal(text, "Done after all.", out);
      assert.deepEqual(seen.map(({ rule }) => rule), [1, 0, 2]);
      assert.equal(seen[2].calls, 0);
    });
  });
}

// Each failure is told so that Codex does the best there is to do.
async function failures() {
  const script = () => ({
    rules: [
      { if: { user: "overlong" }, fail: "context" },
      { if: { user: "busy", times: 1 }, fail: "busy" },
      { if: { user: "full" }, say: [{ text: "As far as it goes" }], stop: "context" },
      { if: { user: "mute" }, say: [{ think: "Hm" }], stop: "context" },
      { say: [{ text: "Fine." }] },
    ],
  });
  await withScript(script, async (url, seen, folder) => {
    const ask = async (prompt) => {
      const before = seen.length;
      const answer = await codex([...UNGUARDED, prompt], url, folder);
      return { ...answer, n: seen.length - before };
    };
    await check("a prompt that is too long is told at once, not tried again", async () => {
      const { code, n, out } = await ask("overlong");
      assert.equal(code, 1, out);
      assert.equal(n, 1, out);
      assert.match(out, /ran out of room in the model's context window/);
    });
    await check("a server that is busy is asked again", async () => {
      const { text, n, out } = await ask("busy");
      assert.equal(text, "Fine.", out);
      assert.equal(n, 2, out);
    });
    await check("an answer that filled the context is one", async () => {
      const { code, text, out } = await ask("full");
      assert.equal(code, 0, out);
      assert.equal(text, "As far as it goes", out);
    });
    await check("nothing but thoughts is none", async () => {
      const { code, out } = await ask("mute");
      assert.equal(code, 1, out);
      assert.match(out, /[Ii]ncomplete/);
    });
  });
}

await main(async () => {
  await answers();
  await tools();
  await namespaces();
  await longSession();
  await compaction();
  await failures();
});
