// Running the real Claude Code CLI, headless.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// The native program of this platform's package: whether npm runs the install script that links it
// into .bin is a matter of its settings.
const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@anthropic-ai");
const PLATFORM = readdirSync(PACKAGES).find((name) => name.startsWith("claude-code-"));
const CLAUDE = join(PACKAGES, PLATFORM, "claude");
const LIMIT_MS = 280_000;

// Its output; the environment holds nothing of this machine's own Claude Code.
export function claude(args, url, folder, env = {}) {
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
        maxBuffer: 64 << 20,
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
      },
      (err, stdout, stderr) =>
        err ? reject(new Error(`claude: ${err.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    );
    child.stdin.end();
  });
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
