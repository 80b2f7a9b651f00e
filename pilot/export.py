"""Writes what was trained as a GGUF file: export.py FOLDER|CHECKPOINT... OUT.gguf [--last]

The running mean of the weights is written, with --last the weights of the last step; of several checkpoints the mean."""
import os
import sys

import torch

import bpe
import facts
import gguf
import network


def metadata(shape, tokenizer):
    return {
        "general.architecture": "qwen3",
        "general.name": "pilot",
        "general.description": "The model in the box of genset: it knows genset. See pilot/README.md.",
        "general.license": "apache-2.0",
        "general.file_type": 7,
        "general.sampling.temp": 0.0,  # it knows one answer
        "qwen3.block_count": shape.n_layer,
        "qwen3.context_length": shape.ctx_tokens,
        "qwen3.embedding_length": shape.n_embd,
        "qwen3.feed_forward_length": shape.n_ff,
        "qwen3.attention.head_count": shape.n_head,
        "qwen3.attention.head_count_kv": shape.n_head_kv,
        "qwen3.attention.key_length": shape.n_head_dim,
        "qwen3.attention.value_length": shape.n_head_dim,
        "qwen3.attention.layer_norm_rms_epsilon": shape.eps,
        "qwen3.rope.freq_base": shape.rope_base,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokenizer.tokens,
        "tokenizer.ggml.token_type": [tokenizer.kind(i) for i in range(len(tokenizer.tokens))],
        "tokenizer.ggml.merges": [" ".join(m) for m in tokenizer.merges],
        "tokenizer.ggml.eos_token_id": tokenizer.end,
        "tokenizer.ggml.padding_token_id": tokenizer.pad,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": facts.read("pilot/template.jinja"),
    }


def write(path, shape, weights, tokenizer, kind=gguf.Q8_0):
    tensors = {}
    for name, w in weights.items():
        tensors[name] = (w.detach().float().numpy(), kind if w.ndim == 2 else gguf.F32)
    gguf.write(path, metadata(shape, tokenizer), tensors)


def read(path):
    """What a file of write() has, as the beginning of another training."""
    known, weights = gguf.read(path)
    of = lambda key: known[f"qwen3.{key}"]
    shape = network.Shape(
        len(known["tokenizer.ggml.tokens"]), of("embedding_length"), of("block_count"), of("attention.head_count"), of("attention.head_count_kv"), of("attention.key_length"),
        of("feed_forward_length"), of("rope.freq_base"), of("attention.layer_norm_rms_epsilon"), of("context_length"))
    return {"shape": shape.dict(), "model": {name: torch.from_numpy(w) for name, w in weights.items()}}


def main():
    *given, out = [a for a in sys.argv[1:] if a != "--last"]
    paths = [os.path.join(p, "checkpoint.pt") if os.path.isdir(p) else p for p in given]
    states = [torch.load(p) for p in paths]
    last = states[-1]
    if any(s["shape"] != last["shape"] for s in states):
        raise SystemExit("export: the checkpoints are of different shapes")
    tokenizer = bpe.Tokenizer.load(os.path.join(os.path.dirname(paths[-1]), "tokenizer.json"))
    weights = [s["model" if "--last" in sys.argv else "mean"] for s in states]
    mean = {name: sum(w[name] for w in weights) / len(weights) for name in last["mean"]}
    write(out, network.Shape(**last["shape"]), mean, tokenizer)
    print(f"{out}: {os.path.getsize(out)} bytes, step {last['step']}, {last['seen'] / 1e6:.1f} M tokens")


if __name__ == "__main__":
    main()
