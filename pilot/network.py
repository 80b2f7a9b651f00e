"""The network of pilot in PyTorch: qwen3 (norms before each part and of each head, rotary positions in
halves, grouped keys and values, SwiGLU), small.

Embeddings begin at length 1 for each value and are not those of the output: so that which token it was is not
lost among what the layers add."""
import math
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Shape:
    n_vocab: int = 4096
    n_embd: int = 256
    n_layer: int = 9
    n_head: int = 4
    n_head_kv: int = 2
    n_head_dim: int = 64
    n_ff: int = 640
    rope_base: float = 100000.0
    eps: float = 1e-6
    ctx_tokens: int = 131072

    dict = asdict


class Norm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
        self.eps = eps

    def forward(self, x):
        return NormFn.apply(x, self.weight, self.eps)


class NormFn(torch.autograd.Function):
    """RMSNorm with few passes over memory in both directions."""

    @staticmethod
    def forward(ctx, x, weight, eps):
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale = scale.add_(eps).rsqrt_()
        xhat = x * scale
        ctx.save_for_backward(xhat, weight, scale)
        return xhat * weight

    @staticmethod
    def backward(ctx, g):
        xhat, weight, scale = ctx.saved_tensors
        n = xhat.shape[-1]
        g_weight = (g * xhat).reshape(-1, n).sum(0)
        gw = g * weight
        dot = (gw * xhat).sum(-1, keepdim=True).div_(n)
        return gw.sub_(xhat * dot).mul_(scale), g_weight, None


class LinearFn(torch.autograd.Function):
    """A product in bfloat16 of float32 values: three times as fast on processors that have it."""

    @staticmethod
    def forward(ctx, x, weight):
        x, weight = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight).float()

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        g = g.bfloat16()
        flat = g.reshape(-1, g.shape[-1])
        return (g @ weight).float(), (flat.t() @ x.reshape(-1, x.shape[-1])).float()


class Linear(nn.Module):
    exact = False  # float32 throughout, to compare with the engine

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) * n_in**-0.5)

    def forward(self, x):
        return F.linear(x, self.weight) if Linear.exact else LinearFn.apply(x, self.weight)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.attn_norm = Norm(s.n_embd, s.eps)
        self.ffn_norm = Norm(s.n_embd, s.eps)
        self.attn_q_norm = Norm(s.n_head_dim, s.eps)
        self.attn_k_norm = Norm(s.n_head_dim, s.eps)
        self.attn_q = Linear(s.n_embd, s.n_head * s.n_head_dim)
        self.attn_k = Linear(s.n_embd, s.n_head_kv * s.n_head_dim)
        self.attn_v = Linear(s.n_embd, s.n_head_kv * s.n_head_dim)
        self.attn_output = Linear(s.n_head * s.n_head_dim, s.n_embd)
        self.ffn_gate = Linear(s.n_embd, s.n_ff)
        self.ffn_up = Linear(s.n_embd, s.n_ff)
        self.ffn_down = Linear(s.n_ff, s.n_embd)
        self.attn_output.weight.data.zero_()
        self.ffn_down.weight.data.zero_()

    def attention(self, x, cos, sin, mask):
        s, (b, t, _) = self.s, x.shape
        group = s.n_head // s.n_head_kv
        q = self.attn_q_norm(self.attn_q(x).view(b, t, s.n_head, s.n_head_dim))
        k = self.attn_k_norm(self.attn_k(x).view(b, t, s.n_head_kv, s.n_head_dim))
        v = self.attn_v(x).view(b, t, s.n_head_kv, s.n_head_dim)
        q = rotate(q, cos, sin).mul_(s.n_head_dim**-0.5)
        k = rotate(k, cos, sin)
        # the heads of a group are further rows of queries: [b, kv, group * t, d]
        q = q.view(b, t, s.n_head_kv, group, -1).permute(0, 2, 3, 1, 4).reshape(b, s.n_head_kv, group * t, -1)
        k, v = k.permute(0, 2, 3, 1), v.transpose(1, 2)
        if not Linear.exact:
            q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
        scores = (q @ k).float().view(b, s.n_head_kv, group, t, t) + mask
        p = scores.softmax(-1).view(b, s.n_head_kv, group * t, t)
        if not Linear.exact:
            p = p.bfloat16()
        y = (p @ v).float().view(b, s.n_head_kv, group, t, -1)
        return self.attn_output(y.permute(0, 3, 1, 2, 4).reshape(b, t, -1))

    def forward(self, x, cos, sin, mask):
        x = x + self.attention(self.attn_norm(x), cos, sin, mask)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Pilot(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.token_embd = Linear(s.n_embd, s.n_vocab)
        self.token_embd.weight.data.normal_(0, 1)
        self.blk = nn.ModuleList(Block(s) for _ in range(s.n_layer))
        self.output_norm = Norm(s.n_embd, s.eps)
        self.output = Linear(s.n_embd, s.n_vocab)
        self.output.weight.data.zero_()

    def forward(self, ids, positions=None):
        """The hidden states [b][t][n_embd] that head() turns into logits."""
        t = ids.shape[1]
        if positions is None:
            positions = torch.arange(t)[None]
        half = self.s.n_head_dim // 2
        angle = positions[..., None].float() * self.s.rope_base ** (-torch.arange(half) / half)
        cos, sin = angle.cos()[:, :, None], angle.sin()[:, :, None]
        mask = torch.full((t, t), -math.inf).triu_(1)
        x = F.embedding(ids, self.token_embd.weight)
        for block in self.blk:
            x = block(x, cos, sin, mask)
        return self.output_norm(x)

    def head(self, x):
        return self.output(x)
