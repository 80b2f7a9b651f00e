// OpenCode and Qwen Code, headless, with a model that follows a script: an answer, and a loop of tools
// that ends with one. Both speak Chat Completions.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, main, withScript } from "./serve.mjs";

const MODULES = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const LIMIT_MS = 120_000;

// Output of a program that knows nothing of this machine's own settings.
function run(program, args, folder, env) {
  const home = join(folder, "home");
  const cwd = join(folder, "work");
  mkdirSync(home, { recursive: true });
  const options = { cwd, timeout: LIMIT_MS, maxBuffer: 64 << 20, env: { PATH: process.env.PATH, HOME: home, ...env } };
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, options, (err, stdout, stderr) =>
      err ? reject(new Error(`${program}: ${err.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    );
    child.stdin.end();
  });
}

// The native program of this platform: where there are two, the one that runs on every processor.
const OPENCODE = readdirSync(MODULES).find((name) => name.startsWith("opencode-linux-"));

function opencode(prompt, url, folder) {
  const config = {
    autoupdate: false,
    share: "disabled",
    provider: {
      genset: {
        npm: "@ai-sdk/openai-compatible",
        name: "genset",
        options: { baseURL: `${url}/v1` },
        models: { scripted: { name: "scripted" } },
      },
    },
  };
  const args = ["run", prompt, "--model", "genset/scripted", "--format", "json"];
  return run(join(MODULES, OPENCODE, "bin", "opencode"), args, folder, {
    OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
    OPENCODE_DISABLE_AUTOUPDATE: "1",
  });
}

function qwen(prompt, url, folder) {
  const args = [join(MODULES, "@qwen-code", "qwen-code", "cli.js"), "--auth-type", "openai", "--yolo", "--output-format", "json", prompt];
  return run(process.execPath, args, folder, {
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_API_KEY: "any",
    OPENAI_MODEL: "scripted",
  });
}

const ANSWER = "It is done — 完了.";

// A model that has a command write a file, then answers; asked otherwise it answers at once.
const script = (folder, tool) => ({
  rules: [
    { if: { tools: 0 }, say: [{ text: "A title" }] },
    { if: { user: "Say hello" }, say: [{ think: "They greet." }, { text: "Hello there." }] },
    {
      if: { calls: 0, tool },
      say: [
        { text: "I write." },
        {
          call: tool,
          args: { command: `echo $((6*7)) > ${join(folder, "work", "out.txt")}`, description: "Writes a file", is_background: false },
        },
      ],
    },
    { if: { calls: 1, results: 1 }, say: [{ text: ANSWER }] },
    { say: [{ text: "Nothing to do." }] },
  ],
});

const written = (folder) => readFileSync(join(folder, "work", "out.txt"), "utf8").trim();
const prepare = (folder) => {
  mkdirSync(join(folder, "work"), { recursive: true });
  writeFileSync(join(folder, "work", "README.md"), "A folder.\n");
};

await main(async () => {
  await withScript(
    (folder) => script(folder, "bash"),
    async (url, seen, folder) => {
      prepare(folder);
      const events = async (prompt) =>
        (await opencode(prompt, url, folder)).trim().split("\n").map((line) => JSON.parse(line));
      const texts = (lines) => lines.filter(({ type }) => type === "text").map(({ part }) => part.text);

      await check("opencode prints an answer", async () => {
        assert.deepEqual(texts(await events("Say hello")), ["Hello there."]);
      });
      await check("opencode runs a command and goes on", async () => {
        const lines = await events("Write the file.");
        assert.equal(lines.find(({ type }) => type === "tool_use").part.state.status, "completed");
        assert.equal(texts(lines).at(-1), ANSWER);
        assert.equal(written(folder), "42");
      });
    },
  );
  await withScript(
    (folder) => script(folder, "run_shell_command"),
    async (url, seen, folder) => {
      prepare(folder);
      const result = async (prompt) => JSON.parse(await qwen(prompt, url, folder)).at(-1);

      await check("qwen prints an answer", async () => {
        assert.equal((await result("Say hello")).result, "Hello there.");
      });
      await check("qwen runs a command and goes on", async () => {
        const { result: text, is_error } = await result("Write the file.");
        assert.equal(text, ANSWER);
        assert.equal(is_error, false);
        assert.equal(written(folder), "42");
      });
    },
  );
});
