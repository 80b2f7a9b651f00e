// A genset of its own for each test: `genset serve` on a free port, stopped at the end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 60_000;
const EMBEDDERS = join(process.env.GENSET_SHARED ?? "/nowhere", "golden", "embed");

// Names of models that make vectors and rank, or null where the golden data is not there.
export const embedders = existsSync(EMBEDDERS) ? { embed: "bert-mean", rank: "bert-rerank" } : null;

// Resolves with the base URL once the server says that it listens.
function listening(child) {
  return new Promise((resolve, reject) => {
    let log = "";
    const fail = (why) => reject(new Error(`genset serve ${why}:\n${log}`));
    const timer = setTimeout(() => fail("did not start"), START_MS);
    child.stderr.on("data", (bytes) => {
      log += bytes;
      const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(log);
      if (found) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    });
    child.on("error", (err) => fail(err.message));
    child.on("exit", (code) => fail(`ended with ${code}`));
  });
}

// Run `body(url, model, folder)` against a server; `folder` is temporary. Ends the process, with
// status 1 if something was not as it must be, or if the server did not stop cleanly.
export async function withServer(body) {
  const folder = mkdtempSync(join(tmpdir(), "genset-clients-"));
  const model = process.env.GENSET_TEST_MODEL ?? "standin";
  const models = embedders ? ["--models", EMBEDDERS] : [];
  const child = spawn(process.env.GENSET, ["serve", model, "--listen", "127.0.0.1:0", ...models], {
    env: { PATH: process.env.PATH, HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let failed = false;
  try {
    await body(await listening(child), model, folder);
    const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    child.kill("SIGTERM");
    assert.equal(await ended, 0, "genset serve stops cleanly");
  } catch (err) {
    console.error(err);
    child.kill("SIGKILL");
    failed = true;
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(failed ? 1 : 0);
}

// Say what holds, as it is found to hold.
export async function check(what, body) {
  await body();
  console.log(`ok: ${what}`);
}
