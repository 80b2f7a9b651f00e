#!/usr/bin/env python3
"""Write the seeds of fuzz_gguf: small files that together use every part of the format.

usage: make_gguf_corpus.py FOLDER
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
PACK = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?",
        U64: "Q", I64: "q", F64: "d"}
TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34),
         "Q6_K": (14, 256, 210)}  # name: id, values and bytes per block


def string(s):
    raw = s.encode()
    return struct.pack("<Q", len(raw)) + raw


def payload(kind, v):
    return string(v) if kind == STRING else struct.pack("<" + PACK[kind], v)


def value(key, kind, v):
    if isinstance(v, list):
        items = b"".join(payload(kind, item) for item in v)
        return string(key) + struct.pack("<IIQ", ARRAY, kind, len(v)) + items
    return string(key) + struct.pack("<I", kind) + payload(kind, v)


def model(values=(), tensors=(), version=3, alignment=32):
    """values: (key, kind, value or list); tensors: (name, type name, dims)."""
    described, data = b"", b""
    for name, type_name, dims in tensors:
        type_id, block_len, block_bytes = TYPES[type_name]
        n = 1
        for d in dims:
            n *= d
        described += string(name) + struct.pack("<I", len(dims))
        described += struct.pack("<%dQ" % len(dims), *dims)
        described += struct.pack("<IQ", type_id, len(data))
        data += bytes(i % 251 for i in range(n // block_len * block_bytes))
        data += bytes(-len(data) % alignment)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(value(*v) for v in values) + described
    return head + bytes(-len(head) % alignment) + data


NUMBERS = [("k.%d" % kind, kind, 1) for kind in PACK]
ARRAYS = [("a.%d" % kind, kind, [0, 1, 1]) for kind in PACK]
SEEDS = {
    "empty": model(),
    "version2": model([("general.architecture", STRING, "llama")], version=2),
    "numbers": model(NUMBERS),
    "arrays": model(ARRAYS + [("a.none", U32, [])]),
    "strings": model([("tokens", STRING, ["", "a", "\u00e9\u4e2d", "x" * 40]),
                      ("name", STRING, "a model")]),
    "tensors": model([("general.alignment", U32, 8)],
                     [("a", "F32", [3]), ("b", "F16", [4, 2]), ("c", "Q4_0", [64, 1, 1, 2]),
                      ("d", "Q6_K", [256, 2]), ("e", "Q8_0", [32, 1, 3])], alignment=8),
    "model": model([("general.architecture", STRING, "llama"), ("llama.block_count", U32, 1),
                    ("llama.rope.freq_base", F32, 10000.0), ("tokenizer.ggml.add_bos_token", BOOL, 1),
                    ("tokenizer.ggml.tokens", STRING, ["<s>", "</s>", "a", "b"]),
                    ("tokenizer.ggml.scores", F32, [0.0, 0.0, -1.0, -2.0])],
                   [("token_embd.weight", "F32", [4, 4]), ("output_norm.weight", "F32", [4])]),
    "split": model([("split.no", U16, 0), ("split.count", U16, 1),
                    ("split.tensors.count", I32, 1)], [("t", "F32", [1])]),
}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed, content in SEEDS.items():
        (folder / (seed + ".gguf")).write_bytes(content)
