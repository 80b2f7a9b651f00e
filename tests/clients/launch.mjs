// `genset launch TOOL`: the first tool has a server started for it, the others find it there; each
// prints its answer.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, inFolder, main } from "./serve.mjs";

const MODULES = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const LIMIT_MS = 120_000;
const ANSWER = /I am the stand-in model/;

const within = (folder, start) => join(folder, readdirSync(folder).find((name) => name.startsWith(start)));

// The native programs of this platform, and Qwen Code's script, under the names that people type.
function install(bin) {
  const vendor = join(within(join(MODULES, "@openai"), "codex-"), "vendor");
  mkdirSync(bin);
  symlinkSync(join(within(join(MODULES, "@anthropic-ai"), "claude-code-"), "claude"), join(bin, "claude"));
  symlinkSync(join(within(vendor, ""), "bin", "codex"), join(bin, "codex"));
  symlinkSync(join(within(MODULES, "opencode-linux-"), "bin", "opencode"), join(bin, "opencode"));
  const qwen = join(MODULES, "@qwen-code", "qwen-code", "cli.js");
  writeFileSync(join(bin, "qwen"), `#!/bin/sh\nexec "${process.execPath}" "${qwen}" "$@"\n`, { mode: 0o755 });
}

// A port that was free a moment ago.
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function launch(tool, args, port, folder) {
  const env = {
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    HOME: join(folder, "home"),
    IS_SANDBOX: "1",
    DISABLE_AUTOUPDATER: "1",
    OPENCODE_DISABLE_AUTOUPDATE: "1",
  };
  const options = { cwd: join(folder, "work"), timeout: LIMIT_MS, maxBuffer: 64 << 20, env };
  return new Promise((resolve) => {
    const command = ["launch", tool, "--model", "standin", "--listen", `127.0.0.1:${port}`, "--", ...args];
    const child = execFile(process.env.GENSET, command, options, (err, stdout, stderr) =>
      resolve({ code: err ? (err.code ?? err.signal) : 0, stdout, stderr }),
    );
    child.stdin.end();
  });
}

main(() =>
  inFolder(async (folder) => {
    const port = await freePort();
    let server = null;
    install(join(folder, "bin"));
    mkdirSync(join(folder, "home"));
    mkdirSync(join(folder, "work"));
    const cases = {
      claude: ["-p", "Say hello"],
      codex: ["exec", "--skip-git-repo-check", "Say hello"],
      opencode: ["run", "Say hello"],
      qwen: ["Say hello"],
    };
    try {
      for (const [tool, args] of Object.entries(cases)) {
        await check(`${tool} answers`, async () => {
          const { code, stdout, stderr } = await launch(tool, args, port, folder);
          const started = /started a server at .*, process (\d+)/.exec(stderr);
          server ??= started && Number(started[1]);
          assert.equal(code, 0, stderr);
          assert.match(stdout, ANSWER, stderr);
          assert.equal(started !== null, tool === "claude", stderr);
        });
      }
    } finally {
      if (server) process.kill(server, "SIGTERM");
    }
  }),
);
