"""Takes a file over into another vocabulary, to go on from: respell.py FILE.gguf TOKENIZER.json OUT.pt

A token begins as the old one of the same letters, with or without a space before it, or as the mean of the old
ones that it was written with; training does the rest."""
import sys

import torch

import bpe
import export
import vocabulary


def main():
    path, wanted, out = sys.argv[1:4]
    state = export.read(path)
    old = bpe.Tokenizer(vocabulary.of_file(path))
    new = bpe.Tokenizer.load(wanted)
    sources = [source(token, new.kind(i), old) for i, token in enumerate(new.tokens)]
    for name in ("token_embd.weight", "output.weight"):
        weights = state["model"][name]
        length = weights.norm(dim=1).mean()
        rows = torch.stack([weights[ids].mean(0) for ids in sources])
        state["model"][name] = rows * (length / rows.norm(dim=1, keepdim=True)) if "embd" in name else rows
    state["shape"]["n_vocab"] = len(new.tokens)
    torch.save(state, out)


def source(token, kind, old):
    """The old tokens that a token begins as."""
    space = bpe.spell(" ")
    same = [old.ids[t] for t in (token, space + token) if t in old.ids]
    if same or kind != 1:
        return same
    return [old.ids[p] for p in old.parts(list(space + token.lstrip(space)))]


if __name__ == "__main__":
    main()
