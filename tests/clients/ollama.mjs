// The official ollama package against genset serve.
import assert from "node:assert/strict";
import { Ollama } from "ollama";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { check, embedders, withServer } from "./serve.mjs";

// The file of the model that is inside genset.
function standinPath(folder) {
  const cache = join(folder, ".cache", "genset");
  const name = readdirSync(cache).find((entry) => entry.startsWith("standin-"));
  return join(cache, name, "standin.gguf");
}

await withServer(async (url, model, folder) => {
  const client = new Ollama({ host: url });
  const request = {
    model,
    messages: [{ role: "user", content: "Say hello." }],
    options: { num_predict: 48, temperature: 0, num_ctx: 8192 },
  };
  let text;

  await check("chat", async () => {
    const answer = await client.chat(request);
    assert.ok(answer.done);
    assert.ok(["stop", "length"].includes(answer.done_reason));
    text = answer.message.content;
    assert.ok(text.length > 0);
    assert.ok(answer.prompt_eval_count > 0);
    assert.ok(answer.eval_count > 0);
    assert.ok(answer.total_duration > 0);
  });

  await check("chat with stream: true", async () => {
    let streamed = "";
    let last;
    for await (const part of await client.chat({ ...request, stream: true, think: false })) {
      streamed += part.message.content;
      last = part;
    }
    assert.equal(streamed, text);
    assert.ok(last.done);
  });

  await check("generate, streamed or not", async () => {
    const prompt = { model, prompt: "Say hello.", options: request.options };
    const answer = await client.generate(prompt);
    let streamed = "";
    for await (const part of await client.generate({ ...prompt, stream: true })) streamed += part.response;
    assert.ok(answer.response.length > 0);
    assert.equal(streamed, answer.response);
  });

  await check("generate goes on from a context", async () => {
    const prompt = { model, prompt: "Say hello.", options: { ...request.options, num_predict: 4 } };
    const first = await client.generate(prompt);
    const next = await client.generate({ ...prompt, prompt: "Again.", context: first.context });
    assert.equal(first.context.length, first.prompt_eval_count + first.eval_count);
    assert.ok(next.prompt_eval_count > first.context.length);
    assert.deepEqual(next.context.slice(0, first.context.length), first.context);
    const raw = await client.generate({ ...prompt, raw: true });
    assert.equal(raw.context, undefined);
    assert.ok(raw.prompt_eval_count < first.prompt_eval_count);
  });

  await check("logprobs", async () => {
    const { logprobs, eval_count } = await client.chat({ ...request, logprobs: true, top_logprobs: 2 });
    assert.ok(logprobs.length > 0 && logprobs.length <= eval_count);
    for (const { token, logprob, top_logprobs } of logprobs) {
      assert.equal(typeof token, "string");
      assert.ok(logprob <= 0);
      assert.equal(top_logprobs.length, 2);
    }
    const [part] = (await Array.fromAsync(await client.generate({ model, prompt: "Hi", stream: true, logprobs: true })));
    assert.equal(part.logprobs[0].top_logprobs.length, 0);
  });

  await check("images and templates are refused clearly", async () => {
    const image = Buffer.from("GIF89a").toString("base64");
    await assert.rejects(client.generate({ model, prompt: "What is it?", images: [image] }), /image/);
    await assert.rejects(client.generate({ model, prompt: "x", template: "{{ .Prompt }}" }), /template/);
  });

  await check("a chat without messages loads the model", async () => {
    assert.equal((await client.chat({ model, messages: [] })).done_reason, "load");
  });

  await check("tools are taken", async () => {
    const answer = await client.chat({
      ...request,
      tools: [{ type: "function", function: { name: "f", description: "d", parameters: { type: "object", properties: {} } } }],
      messages: [
        ...request.messages,
        { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: {} } }] },
        { role: "tool", tool_name: "f", content: "sunny" },
      ],
    });
    assert.ok(answer.done);
  });

  if (embedders) {
    const model = embedders.embed;

    await check("embed and embeddings", async () => {
      const { embeddings, prompt_eval_count } = await client.embed({ model, input: ["the sun", "a tree"] });
      const { embedding } = await client.embeddings({ model, prompt: "the sun" });
      const length = Math.hypot(...embedding);
      assert.equal(embeddings.length, 2);
      assert.ok(prompt_eval_count > 0);
      assert.ok(Math.abs(Math.hypot(...embeddings[1]) - 1) < 1e-5);
      embedding.forEach((x, i) => assert.ok(Math.abs(x / length - embeddings[0][i]) < 1e-5));
    });

    await check("embed cuts texts unless told not to", async () => {
      const input = "word ".repeat(4000);
      assert.equal((await client.embed({ model, input, dimensions: 8 })).embeddings[0].length, 8);
      await assert.rejects(client.embed({ model, input, truncate: false }), /tokens/);
    });
  }

  await check("list, ps, version", async () => {
    const { models } = await client.list();
    assert.ok(models.length > 0);
    assert.equal(models[0].details.format, "gguf");
    assert.ok((await client.ps()).models.length > 0);
    assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
  });

  await check("show", async () => {
    const card = await client.show({ model });
    const arch = card.model_info["general.architecture"];
    assert.ok(card.model_info[`${arch}.context_length`] > 0);
    assert.ok(card.model_info["general.basename"].length > 0);
    assert.ok(card.model_info["general.parameter_count"] > 0);
    assert.ok(card.capabilities.includes("completion"));
    assert.equal(card.details.family, arch);
    assert.equal(card.model_info["tokenizer.ggml.tokens"], null);
    assert.equal(card.tensors, undefined);
    const { model_info, tensors } = await client.show({ model, verbose: true });
    assert.ok(model_info["tokenizer.ggml.tokens"].length > 0);
    assert.ok(tensors.length > 0);
  });

  await check("keep_alive loads, unloads, and says until when", async () => {
    const running = async () => (await client.ps()).models.find((m) => m.name === model);
    const last = (keep_alive) => client.generate({ model, prompt: "", keep_alive });
    assert.equal((await last("5m")).done_reason, "load");
    const { expires_at, context_length } = await running();
    assert.ok(new Date(expires_at) > Date.now() && new Date(expires_at) <= Date.now() + 300_000);
    assert.ok(context_length > 0);
    assert.equal((await last(-1)).done_reason, "load");
    assert.equal(new Date((await running()).expires_at).getUTCFullYear(), 9999);
    assert.equal((await last(0)).done_reason, "unload");
    assert.equal((await client.chat({ model, messages: [], keep_alive: "0s" })).done_reason, "unload");
    assert.equal(await running(), undefined);
    assert.ok((await client.chat(request)).total_duration > 0);
  });

  await check("a file put into the folder is a model", async () => {
    const models = join(folder, ".local", "share", "genset", "models");
    mkdirSync(models, { recursive: true });
    copyFileSync(standinPath(folder), join(models, "new-comer.gguf"));
    assert.ok((await client.list()).models.some((m) => m.name === "new-comer"));
    await client.delete({ model: "new-comer" });
    assert.ok(!(await client.list()).models.some((m) => m.name === "new-comer"));
    assert.ok(!existsSync(join(models, "new-comer.gguf")));
  });

  await check("create, copy, delete", async () => {
    assert.equal((await client.create({ model: "mine", from: model })).status, "success");
    const parts = [];
    for await (const part of await client.create({ model: "mine", from: model, stream: true })) parts.push(part.status);
    assert.equal(parts.at(-1), "success");
    await client.copy({ source: "mine", destination: "me/yours:1b" });
    const names = (await client.list()).models.map((m) => m.name);
    assert.ok(names.includes("mine") && names.includes("me/yours-1b"));
    assert.ok((await client.generate({ ...request, model: "me/yours:1b", prompt: "Hi" })).done);
    await client.delete({ model: "me/yours:1b" });
    await client.delete({ model: "mine:latest" });
    await assert.rejects(client.delete({ model: "mine" }), { status_code: 404 });
    await assert.rejects(client.copy({ source: model, destination: "../x" }), /cannot be the name/);
    await assert.rejects(client.create({ model: "x", from: model, system: "Be brief." }), /system/);
  });

  await check("create from a file that was sent", async () => {
    const bytes = readFileSync(standinPath(folder));
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const send = (to, body) => fetch(`${url}/api/blobs/${to}`, { method: "POST", body, duplex: "half" });
    const head = async () => (await fetch(`${url}/api/blobs/${digest}`, { method: "HEAD" })).status;
    const blobs = () => readdirSync(join(folder, ".local", "share", "genset", "models", ".blobs"));
    assert.equal(await head(), 404);
    assert.equal((await send(digest, bytes)).status, 200);
    assert.equal(await head(), 200);
    assert.equal((await send(digest, new Blob([bytes]).stream())).status, 200); // in chunks
    const wrong = await send(`sha256:${"0".repeat(64)}`, bytes);
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).error, new RegExp(digest));
    assert.equal((await send("sha256:../../x", bytes)).status, 400);
    assert.deepEqual(blobs(), [digest.replace(":", "-")]);
    assert.equal((await client.create({ model: "sent", files: { "model.gguf": digest } })).status, "success");
    assert.ok((await client.generate({ ...request, model: "sent", prompt: "Hi" })).done);
    await client.delete({ model: "sent" });
    assert.deepEqual(blobs(), []);
    const text = Buffer.from("not a model");
    const other = `sha256:${createHash("sha256").update(text).digest("hex")}`;
    await send(other, text);
    await assert.rejects(client.create({ model: "text", files: { "x.gguf": other } }), /GGUF/i);
  });

  await check("a large file is not held in memory", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const hash = createHash("sha256");
    const n = 80; // MiB, more than a request may have otherwise
    for (let i = 0; i < n; i++) hash.update(piece);
    const body = new ReadableStream({
      start: () => {},
      pull(controller) {
        if (this.left === undefined) this.left = n;
        if (this.left-- > 0) controller.enqueue(piece);
        else controller.close();
      },
    });
    const digest = `sha256:${hash.digest("hex")}`;
    const sent = await fetch(`${url}/api/blobs/${digest}`, { method: "POST", body, duplex: "half" });
    assert.equal(sent.status, 200, await sent.text());
    assert.equal((await fetch(`${url}/api/blobs/${digest}`, { method: "HEAD" })).status, 200);
  });

  await check("pull of what is here, and of what is not", async () => {
    assert.equal((await client.pull({ model })).status, "success");
    const parts = [];
    for await (const part of await client.pull({ model: `${model}:latest`, stream: true })) parts.push(part.status);
    assert.equal(parts.at(-1), "success");
    await assert.rejects(client.pull({ model: "llama9:1t" }), /not found/);
    await assert.rejects(async () => {
      for await (const _ of await client.pull({ model: "llama9:1t", stream: true }));
    }, /not found/);
    await assert.rejects(client.push({ model }), /not sent anywhere/);
  });

  await check("probes", async () => {
    for (const path of ["/", "/api/tags", "/api/ps", "/api/version", "/api/status"]) {
      const head = await fetch(url + path, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal(await head.text(), "");
    }
    assert.equal((await fetch(`${url}/api/me`, { method: "POST" })).status, 401);
    assert.equal((await fetch(`${url}/api/signout`, { method: "POST" })).status, 200);
    const blob = await fetch(`${url}/api/blobs/sha256:${"0".repeat(64)}`, { method: "HEAD" });
    assert.equal(blob.status, 404);
  });

  await check("errors are the API's", async () => {
    await assert.rejects(client.chat({ ...request, options: { temperature: -1 } }), /temperature/);
    await assert.rejects(
      client.chat({ ...request, messages: [{ role: "user", content: "word ".repeat(400_000) }] }),
      /tokens/,
    );
  });

  await check("a stream can be aborted", async () => {
    // The headers come before the prompt is computed: a long one is not over when we abort.
    const messages = [{ role: "user", content: "word ".repeat(20_000) }];
    const stream = await client.chat({ model, messages, stream: true });
    stream.abort();
    await assert.rejects(async () => {
      for await (const _ of stream);
    }, { name: "AbortError" });
    assert.ok((await client.chat(request)).done);
  });
});
