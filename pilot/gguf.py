"""Writes and reads GGUF version 3: metadata, then tensors in F32 or Q8_0."""
import struct

import numpy as np

ALIGN = 32
F32, Q8_0 = 0, 8


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(v):
    """A value with its type before it; a list is an array of what its first item is."""
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + text(v)
    if isinstance(v[0], str):
        return struct.pack("<IIQ", 9, 8, len(v)) + b"".join(map(text, v))
    return struct.pack("<IIQ", 9, 5, len(v)) + struct.pack(f"<{len(v)}i", *v)


def quantise(x):
    """Blocks of 32 values with one scale: the scales as they are stored, and the whole numbers."""
    blocks = x.astype(np.float32).reshape(-1, 32)
    scale = (np.abs(blocks).max(1, keepdims=True) / 127).astype(np.float32)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    return scale.astype(np.float16), np.rint(blocks * inverse).astype(np.int8)


def rounded(x):
    """What Q8_0 makes of the values."""
    scale, whole = quantise(x)
    return (scale.astype(np.float32) * whole).reshape(x.shape)


def tensor_bytes(x, kind):
    if kind == F32:
        return x.astype("<f4").tobytes()
    scale, whole = quantise(x)
    return np.concatenate([scale.view(np.int8), whole], 1).tobytes()


def write(path, metadata, tensors):
    """`tensors`: {name: (array, F32 or Q8_0)}, rows last."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(text(k) + value(v) for k, v in metadata.items())
    data, at = [], 0
    for name, (x, kind) in tensors.items():
        b = tensor_bytes(x, kind)
        head += text(name) + struct.pack("<I", x.ndim) + struct.pack(f"<{x.ndim}Q", *reversed(x.shape)) + struct.pack("<IQ", kind, at)
        b += bytes(-len(b) % ALIGN)
        data.append(b)
        at += len(b)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGN) + b"".join(data))


def read(path):
    """Of a file as write() makes them: metadata, and {name: array of float32}."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def take_text():
        return take(f"{take('Q')}s").decode()

    def take_value(kind):
        if kind == 8:
            return take_text()
        if kind == 9:
            of, n = take("IQ")
            return [take_value(of) for _ in range(n)]
        return take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])

    magic, _, n_tensors, n_keys = take("4sIQQ")
    if magic != b"GGUF":
        raise ValueError(f"{path}: no GGUF file")
    metadata = {}
    for _ in range(n_keys):
        key = take_text()
        metadata[key] = take_value(take("I"))
    found = []
    for _ in range(n_tensors):
        name, n_dims = take_text(), take("I")
        shape = [take("Q") for _ in range(n_dims)][::-1]
        found.append((name, shape, *take("IQ")))
    begin = -(-at // ALIGN) * ALIGN
    return metadata, {name: values_of(data, begin + offset, shape, kind) for name, shape, kind, offset in found}


def values_of(data, at, shape, kind):
    n = int(np.prod(shape))
    if kind == F32:
        return np.frombuffer(data, "<f4", n, at).reshape(shape).copy()
    blocks = np.frombuffer(data, np.uint8, n // 32 * 34, at).reshape(-1, 34)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return (scale * blocks[:, 2:].view(np.int8)).reshape(shape)
