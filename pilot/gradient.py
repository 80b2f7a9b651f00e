"""Loss and gradients of pilot's network: by gradient.c where the processor multiplies bfloat16, else by PyTorch.

Both add to gradients of their own, so that threads can share the weights."""
import ctypes
import os
import subprocess
import tempfile

import torch
from torch.nn import functional as F

import network

HERE = os.path.dirname(os.path.abspath(__file__))


class Torch:
    def __init__(self, model):
        self.replica = network.Pilot(model.s)
        for p, shared in zip(self.replica.parameters(), model.parameters()):
            p.data = shared.data
            p.grad = torch.zeros_like(p)
        self.gradients = [p.grad for p in self.replica.parameters()]

    def prepare(self, part, of):
        """After the weights changed: take over a part of them."""

    def add(self, ids, following, learnt, positions, scale):
        """Add `scale` times the gradient of what is learnt behind each of ids [document][t], which is in `following`: learnt
        is 0 for no, 1 for others' tokens, n for the model's own that count n - 1 times. The loss of its own, summed, and their number."""
        h = self.replica(ids, positions)
        loss = F.cross_entropy(self.replica.head(h[learnt > 0]), following[learnt > 0], reduction="none")
        times = learnt[learnt > 0] - 1
        ((loss * times.clamp(min=1)).sum() * scale).backward()
        mask = times > 0
        return float(loss.detach()[mask].sum()), int(mask.sum())


def addresses(tensors):
    return (ctypes.c_void_p * len(tensors))(*[t.data_ptr() for t in tensors])


class Fast:
    """The same by gradient.c."""

    def __init__(self, library, network_handle, model):
        self.library, self.network = library, network_handle
        self.gradients = [torch.zeros_like(p) for p in model.parameters()]
        self.work = ctypes.c_void_p(library.gradient_work(network_handle, addresses(self.gradients)))

    def prepare(self, part, of):
        self.library.gradient_prepare(self.network, part, of)

    def add(self, ids, following, learnt, positions, scale):
        own, n_own = ctypes.c_double(), ctypes.c_int64()
        all_of = [x.contiguous() for x in (ids, following, learnt, positions)]
        at = [ctypes.c_void_p(x.data_ptr()) for x in all_of]
        if self.library.gradient_add(self.work, *at, *ids.shape, ctypes.c_float(scale), ctypes.byref(own), ctypes.byref(n_own)):
            raise MemoryError("no memory for a batch")
        return own.value, n_own.value


def build():
    """gradient.c as a library, None where this processor or machine cannot."""
    with open("/proc/cpuinfo") as f:
        if "avx512_bf16" not in f.read():
            return None
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "gradient.so")
        subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", path, os.path.join(HERE, "gradient.c"), "-lm"], check=True)
        library = ctypes.CDLL(path)
    library.gradient_network.restype = library.gradient_work.restype = ctypes.c_void_p
    return library


def workers(model, n):
    """One for each of n threads, over the model's weights, which must stay where they are."""
    s = model.s
    library = None if any(n % 32 for n in (s.n_vocab, s.n_embd, s.n_ff, s.n_head_dim)) else build()
    if not library:
        return [Torch(model) for _ in range(n)]
    dims = (ctypes.c_int * 7)(s.n_vocab, s.n_embd, s.n_layer, s.n_head, s.n_head_kv, s.n_head_dim, s.n_ff)
    handle = ctypes.c_void_p(library.gradient_network(dims, ctypes.c_float(s.rope_base), ctypes.c_float(s.eps), addresses(list(model.parameters()))))
    return [Fast(library, handle, model) for _ in range(n)]
