// Running the real Codex CLI, headless.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@openai");
const PLATFORM = readdirSync(PACKAGES).find((name) => name.startsWith("codex-"));
const VENDOR = join(PACKAGES, PLATFORM, "vendor");
const CODEX = join(VENDOR, readdirSync(VENDOR)[0], "bin", "codex");
const LIMIT_MS = 120_000;

export const provider = (url) => [
  "model_provider=genset",
  `model_providers.genset={name="genset",base_url="${url}/v1",wire_api="responses"}`,
];

// What it says, an event a line, and how it ended; nothing of this machine's own Codex is known to it.
export function codex(args, url, folder, settings = provider(url), env = {}) {
  const home = join(folder, "home");
  const work = join(folder, "work");
  mkdirSync(home, { recursive: true });
  mkdirSync(work, { recursive: true });
  return new Promise((resolve, reject) => {
    const child = execFile(
      CODEX,
      ["exec", ...settings.flatMap((option) => ["-c", option]), "--skip-git-repo-check", "--json", ...args],
      { cwd: work, timeout: LIMIT_MS, maxBuffer: 64 << 20, env: { PATH: process.env.PATH, HOME: home, ...env } },
      (err, stdout, stderr) => {
        if (err?.killed) return reject(new Error(`codex took too long\n${stdout}\n${stderr}`));
        const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
        const items = events.filter(({ type }) => type === "item.completed").map(({ item }) => item);
        resolve({
          code: err?.code ?? 0,
          text: items.filter(({ type }) => type === "agent_message").at(-1)?.text,
          items,
          usage: events.find(({ type }) => type === "turn.completed")?.usage,
          out: stdout + stderr,
        });
      },
    );
    child.stdin.end();
  });
}
