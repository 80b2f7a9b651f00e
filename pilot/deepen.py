"""Gives a file more layers, to go on from: deepen.py FILE.gguf OUT.pt LAYER...

Behind each LAYER named comes a copy of it that adds nothing yet, so that the network computes what it did (block
expansion, Wu 2024, LLaMA Pro); training does the rest."""
import sys

import torch

import export

OUTPUTS = ("attn_output.weight", "ffn_down.weight")


def main():
    path, out, copied = sys.argv[1], sys.argv[2], [int(a) for a in sys.argv[3:]]
    state = export.read(path)
    n_layer = state["shape"]["n_layer"]
    if not copied or not all(0 <= i < n_layer for i in copied):
        raise SystemExit(f"deepen: {path} has the layers 0 to {n_layer - 1}")
    torch.save(deeper(state, copied), out)


def deeper(state, copied):
    """The state of export.read with a copy behind each layer that is named, as often as it is."""
    weights, n = {name: w for name, w in state["model"].items() if not name.startswith("blk.")}, 0
    for i in range(state["shape"]["n_layer"]):
        for again in range(1 + copied.count(i)):
            weights.update(layer(state["model"], i, n, again))
            n += 1
    return {"shape": {**state["shape"], "n_layer": n}, "model": weights}


def layer(weights, source, n, again):
    """The weights of a layer as those of layer n."""
    head = f"blk.{source}."
    parts = {name[len(head) :]: w for name, w in weights.items() if name.startswith(head)}
    return {f"blk.{n}.{part}": torch.zeros_like(w) if again and part in OUTPUTS else w for part, w in parts.items()}


if __name__ == "__main__":
    main()
