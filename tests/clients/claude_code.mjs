// The real Claude Code CLI, headless, gets its answer from genset serve.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Anthropic from "@anthropic-ai/sdk";
import { check, withServer } from "./serve.mjs";

// The native program of this platform's package: whether npm runs the install script that links it
// into .bin is a matter of its settings.
const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@anthropic-ai");
const PLATFORM = readdirSync(PACKAGES).find((name) => name.startsWith("claude-code-"));
const CLAUDE = join(PACKAGES, PLATFORM, "claude");
const LIMIT_MS = 280_000;

// Its output; the environment holds nothing of this machine's own Claude Code.
function claude(args, url, folder) {
  const home = join(folder, "home");
  const work = join(folder, "work");
  mkdirSync(home, { recursive: true });
  mkdirSync(work, { recursive: true });
  return new Promise((resolve, reject) => {
    const child = execFile(
      CLAUDE,
      args,
      {
        cwd: work,
        timeout: LIMIT_MS,
        env: {
          PATH: process.env.PATH,
          HOME: home,
          IS_SANDBOX: "1",
          ANTHROPIC_BASE_URL: url,
          ANTHROPIC_AUTH_TOKEN: "any",
          CLAUDE_CODE_MAX_RETRIES: "1",
          CLAUDE_CODE_MAX_OUTPUT_TOKENS: "64",
          DISABLE_AUTOUPDATER: "1",
          DISABLE_TELEMETRY: "1",
          DISABLE_ERROR_REPORTING: "1",
        },
      },
      (err, stdout, stderr) =>
        err ? reject(new Error(`claude: ${err.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    );
    child.stdin.end();
  });
}

await withServer(async (url, model, folder) => {
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
    assert.ok(result.usage.input_tokens + result.usage.cache_read_input_tokens > 1000, out);
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
