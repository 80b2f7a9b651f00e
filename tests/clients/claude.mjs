// Running the real Claude Code CLI, headless.
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

// The native program of this platform's package: whether npm runs the install script that links it
// into .bin is a matter of its settings.
const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@anthropic-ai");
const PLATFORM = readdirSync(PACKAGES).find((name) => name.startsWith("claude-code-"));
const CLAUDE = join(PACKAGES, PLATFORM, "claude");
const LIMIT_MS = 280_000;

// Where it works, and an environment that holds nothing of this machine's own Claude Code.
function place(url, folder, env) {
  const home = join(folder, "home");
  const work = join(folder, "work");
  mkdirSync(home, { recursive: true });
  mkdirSync(work, { recursive: true });
  return {
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
      ...env,
    },
  };
}

// Its output.
export function claude(args, url, folder, env = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(CLAUDE, args, { ...place(url, folder, env), maxBuffer: 64 << 20 }, (err, stdout, stderr) =>
      err ? reject(new Error(`claude: ${err.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    );
    child.stdin.end();
  });
}

const STREAMED = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose", "--include-partial-messages"];

// What it says in a conversation of these prompts: for each one its events.
export async function converse(prompts, args, url, folder, env = {}) {
  const child = spawn(CLAUDE, ["-p", ...STREAMED, ...args], { ...place(url, folder, env), stdio: ["pipe", "pipe", "ignore"] });
  const turns = [];
  const next = () => {
    const content = prompts[turns.length];
    if (content === undefined) return child.stdin.end();
    child.stdin.write(`${JSON.stringify({ type: "user", message: { role: "user", content } })}\n`);
    turns.push([]);
  };
  next();
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    turns.at(-1).push(event);
    if (event.type === "result") next();
  }
  return turns;
}

export const JSON_OUT = ["--output-format", "json"];
export const WITH_TOOLS = [...JSON_OUT, "--dangerously-skip-permissions", "--model", "scripted"];

// A model that has so many commands run, one after the other, before it says that it is done.
const command = "echo step %calls%: $((%calls% * 7))";
export const steps = (n) => ({
  rules: [
    { if: { tool: "Bash", calls: [0, n - 1] }, say: [{ text: "Step %calls%." }, { call: "Bash", args: { command } }] },
    { if: { calls: n, result: `step ${n - 1}: ${(n - 1) * 7}` }, say: [{ text: "All steps are done." }] },
  ],
});
