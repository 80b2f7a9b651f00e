// A server of its own for each test, on a free port, stopped at the end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 60_000;
export const EMBEDDERS = join(process.env.GENSET_SHARED ?? "/nowhere", "golden", "embed");

// Names of models that make vectors and rank, or null where the golden data is not there.
export const embedders = existsSync(EMBEDDERS) ? { embed: "bert-mean", rank: "bert-rerank" } : null;

// Resolves with the base URL once the server says that it listens.
function listening(child) {
  return new Promise((resolve, reject) => {
    child.log = "";
    const fail = (why) => reject(new Error(`the server ${why}:\n${child.log}`));
    const timer = setTimeout(() => fail("did not start"), START_MS);
    child.stderr.on("data", (bytes) => {
      child.log += bytes;
      const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(child.log);
      if (found) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    });
    child.on("error", (err) => fail(err.message));
    child.on("exit", (code) => fail(`ended with ${code}`));
  });
}

// Run `body(url, child)` against a server of its own, which must stop cleanly. `folder` is its home.
export async function serving(program, args, folder, body) {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    await body(await listening(child), child);
    const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    child.kill("SIGTERM");
    assert.equal(await ended, 0, "the server stops cleanly");
  } catch (err) {
    const code = child.exitCode ?? child.signalCode; // whoever asks it then is refused
    throw code === null ? err : new Error(`the server had ended with ${code}:\n${child.log.slice(-4000)}`, { cause: err });
  } finally {
    child.kill("SIGKILL");
  }
}

// Run `body(folder)` with a temporary folder.
export async function inFolder(body) {
  const folder = mkdtempSync(join(tmpdir(), "genset-clients-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// Run `body(url, model, folder)` against genset serve with these options, which finds `models` too;
// `folder` is temporary.
export function withModel(body, models = EMBEDDERS, model = process.env.GENSET_TEST_MODEL ?? "standin", options = []) {
  const args = ["serve", model, "--listen", "127.0.0.1:0", ...(existsSync(models) ? ["--models", models] : []), ...options];
  return inFolder((folder) =>
    serving(process.env.GENSET, args, folder, (url, child) => {
      child.stdout.resume();
      return body(url, model, folder);
    }),
  );
}

// Run `body(url, seen, folder, child)` against a model that follows a script (see scripted.c), which
// `script(folder)` makes; `seen` is what it was asked so far. `more` may be a file of routes.
export function withScript(script, body, more = []) {
  return inFolder((folder) => {
    const path = join(folder, "script.json");
    const seen = [];
    writeFileSync(path, JSON.stringify(script(folder)));
    return serving(process.env.GENSET_SCRIPTED, [path, ...more], folder, (url, child) => {
      createInterface({ input: child.stdout }).on("line", (line) => seen.push(JSON.parse(line)));
      return body(url, seen, folder, child);
    });
  });
}

// Run `body()` as the whole test: the process ends with status 1 if something was not as it must be.
export async function main(body) {
  let failed = false;
  await body().catch((err) => {
    console.error(err);
    failed = true;
  });
  process.exit(failed ? 1 : 0);
}

// A test of nothing but genset serve.
export const withServer = (body) => main(() => withModel(body));

// Say what holds, as it is found to hold.
export async function check(what, body) {
  await body();
  console.log(`ok: ${what}`);
}
