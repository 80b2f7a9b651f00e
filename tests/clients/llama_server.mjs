// What clients of llama-server ask for, against genset serve. They have no package: fetch will do.
import assert from "node:assert/strict";
import { check, withServer } from "./serve.mjs";

await withServer(async (url) => {
  const get = (path) => fetch(url + path);
  const post = (path, body) => fetch(url + path, { method: "POST", body: JSON.stringify(body) });
  const ask = async (path, body) => {
    const answer = await post(path, body);
    assert.equal(answer.status, 200);
    return answer.json();
  };
  const request = { prompt: "Once upon a time", n_predict: 6, temperature: 0 };
  let tokens;

  await check("health and props", async () => {
    assert.deepEqual(await (await get("/health")).json(), { status: "ok" });
    const props = await (await get("/props")).json();
    assert.ok(props.default_generation_settings.n_ctx > 0);
    assert.ok(props.total_slots > 0);
    assert.ok(props.chat_template.length > 0);
    assert.match(props.model_path, /^[^/]+\.gguf$/);
    assert.match(props.build_info, /^genset-/);
  });

  await check("tokens and back", async () => {
    const content = "Grüße, 世界!";
    ({ tokens } = await ask("/tokenize", { content }));
    assert.ok(tokens.length > 1);
    assert.equal((await ask("/detokenize", { tokens })).content, content);
    const pieces = (await ask("/tokenize", { content, with_pieces: true })).tokens;
    assert.deepEqual(pieces.map(({ id }) => id), tokens);
    const bytes = pieces.flatMap(({ piece }) => (typeof piece === "string" ? [...Buffer.from(piece)] : piece));
    assert.equal(Buffer.from(bytes).toString("utf8"), content);
    assert.equal((await post("/detokenize", { tokens: [1 << 30] })).status, 400);
  });

  await check("apply-template", async () => {
    const { prompt } = await ask("/apply-template", { messages: [{ role: "user", content: "Hello there" }] });
    assert.match(prompt, /Hello there/);
  });

  await check("completion, streamed or not, of text or tokens", async () => {
    const whole = await ask("/completion", { ...request, n_probs: 2, return_tokens: true });
    assert.ok(whole.stop && whole.content.length > 0);
    assert.equal(whole.tokens_predicted, whole.tokens.length);
    assert.equal(whole.timings.predicted_n, whole.tokens_predicted);
    assert.equal(whole.timings.prompt_n + whole.timings.cache_n, whole.tokens_evaluated);
    assert.ok(whole.completion_probabilities.every(({ top_logprobs }) => top_logprobs.length === 2));
    const stream = await (await post("/completion", { ...request, stream: true })).text();
    const parts = stream.split("\n\n").filter((line) => line.startsWith("data: ")).map((line) => JSON.parse(line.slice(6)));
    assert.equal(parts.map(({ content }) => content).join(""), whole.content);
    assert.deepEqual(parts.map(({ stop }) => stop), parts.map((_, i) => i === parts.length - 1));
    const { tokens } = await ask("/tokenize", { content: request.prompt, add_special: true });
    assert.equal((await ask("/completions", { ...request, prompt: tokens })).content, whole.content);
    assert.equal((await ask("/completion", { ...request, prompt: [...tokens, "."] })).tokens_evaluated > tokens.length, true);
    const format = await ask("/completion", { ...request, n_predict: 60, grammar: 'root ::= "yes" | "no"' });
    assert.match(format.content, /^(yes|no)$/);
  });

  await check("infill needs a model made for it", async () => {
    const answer = await post("/infill", { input_prefix: "int f() {", input_suffix: "}", n_predict: 4 });
    if (answer.status === 200) assert.ok((await answer.json()).stop);
    else assert.match((await answer.json()).error.message, /fill in/);
    assert.equal((await post("/infill", { input_prefix: "x" })).status, 400);
  });

  await check("slots and metrics", async () => {
    const slots = await (await get("/slots")).json();
    assert.ok(slots.length > 0 && slots[0].n_ctx > 0);
    const metrics = await (await get("/metrics")).text();
    const value = (name) => Number(new RegExp(`^genset_${name} (\\S+)$`, "m").exec(metrics)[1]);
    assert.ok(value("requests_total") > 8);
    assert.ok(value("requests_refused_total") >= 2);
    assert.ok(value("answer_tokens_total") >= 12);
    assert.ok(value("prompt_tokens_total") >= value("cached_tokens_total"));
    assert.equal(value("requests_running"), 0);
  });
});
