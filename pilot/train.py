"""Trains pilot: train.py FOLDER [--tokens N] [--decay-from N] ...

The folder holds the tokenizer and all that training leaves, and training goes on where it stopped
(SIGTERM makes it save). Data is drawn anew, a shard at a time, by data.py beside the training. Matrices are trained with Muon
(momentum made orthogonal, Jordan 2024), all else with AdamW; the rate is constant until --decay-from tokens,
then falls to zero at --tokens. What is exported is the running mean of the weights."""
import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

# Large blocks of memory are kept rather than given back to the kernel and zeroed again: twice as fast.
# A thread computes alone on what it takes from a queue: two that share each product wait for each other
# wherever something else runs on one of the processors.
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:"
    "glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456",
    "OMP_NUM_THREADS": "1",
}

MARK_WEIGHT = 4  # how often a mark counts
DECAY = 0.1  # of the matrices, times the rate
HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser(description="trains pilot, or goes on")
    p.add_argument("folder")
    p.add_argument("--tokens", type=float, default=110e6, help="end of training")
    p.add_argument("--decay-from", type=float, default=80e6, help="where the rate begins to fall")
    p.add_argument("--batch", type=int, default=4096, help="tokens of a step")
    p.add_argument("--micro", type=int, default=512, help="tokens computed at once")
    p.add_argument("--rate", type=float, default=0.015, help="of Muon")
    p.add_argument("--embedding-rate", type=float, default=0.02, help="of AdamW for embeddings")
    p.add_argument("--adam-rate", type=float, default=3e-3, help="of AdamW for the output and norms")
    p.add_argument("--warmup", type=int, default=50, help="steps")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--shard", type=int, default=12000, help="dialogues drawn at a time")
    p.add_argument("--save-every", type=float, default=180, help="seconds")
    p.add_argument("--shape", default="", help="as n_embd=128,n_layer=2")
    p.add_argument("--from", dest="origin", default="", help="checkpoint or GGUF file to begin from, in a new folder")
    return p.parse_args()


def main(args):
    import numpy as np
    import torch

    import bpe
    import export
    import gradient
    import network

    checkpoint = os.path.join(args.folder, "checkpoint.pt")
    shape = network.Shape(**{k: int(v) for k, v in (s.split("=") for s in args.shape.split(",") if s)})
    torch.manual_seed(1)
    state = None
    if args.origin and not os.path.exists(args.origin):
        raise SystemExit(f"train: there is no {args.origin} to begin from")
    for path in (checkpoint, args.origin):
        if path and os.path.exists(path):
            state = export.read(path) if path.endswith(".gguf") else torch.load(path)
            shape = network.Shape(**state["shape"])
            break
    n_tokens = len(bpe.Tokenizer.load(os.path.join(args.folder, "tokenizer.json")).tokens)
    if shape.n_vocab != n_tokens:
        raise SystemExit(f"train: the network has {shape.n_vocab} tokens, the folder's vocabulary {n_tokens}")
    model = network.Pilot(shape)
    pool = ThreadPoolExecutor(args.threads)
    ends = [model.token_embd.weight, model.output.weight]
    matrices = [p for p in model.parameters() if p.ndim == 2 and not any(p is e for e in ends)]
    norms = [p for p in model.parameters() if p.ndim == 1]
    groups = [(ends[:1], args.embedding_rate), (ends[1:] + norms, args.adam_rate)]
    adam = torch.optim.AdamW([{"params": ps} for ps, _ in groups], betas=(0.9, 0.95), weight_decay=0.0)
    moments = [torch.zeros_like(p) for p in matrices]
    step, seen, shard = 0, 0, 1
    if state:
        model.load_state_dict(state["model"])
    mean = {n: p.detach().clone() for n, p in model.named_parameters()}
    if state and "adam" in state:  # not of a GGUF file
        adam.load_state_dict(state["adam"])
        moments, mean = state["moments"], state["mean"]
        step, seen, shard = state["step"], state["seen"], state["shard"] + 1
    workers = gradient.workers(model, args.threads)

    def parallel(job):
        """What job(i) gives in each thread i."""
        return list(pool.map(job, range(args.threads)))

    def compute(worker, queue, scale):
        """Take batches from the queue until it is empty; the sum of the model's own losses, and their number."""
        total = own = 0.0
        while True:
            try:
                x, following, learnt, positions = queue.pop()
            except IndexError:
                return total, own
            loss, n = worker.add(x, following, learnt, positions, scale)
            total += loss
            own += n

    log = open(os.path.join(args.folder, "log.txt"), "a", buffering=1)

    def say(text):
        text = time.strftime("%H:%M:%S ") + text
        print(text, flush=True)
        log.write(text + "\n")

    n_params = sum(p.numel() for p in model.parameters())
    say(f"{'going on' if state else 'beginning'}: {n_params} parameters, step {step}, {seen / 1e6:.2f} M tokens, to {args.tokens / 1e6:.0f} M")

    def save(path):
        torch.save({"shape": shape.dict(), "model": model.state_dict(), "adam": adam.state_dict(), "moments": moments, "mean": mean,
                    "step": step, "seen": seen, "shard": shard}, path + ".new")
        os.replace(path + ".new", path)

    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    saved, told, told_seen, losses = time.time(), time.time(), seen, []
    following = draw_shard(args, shard)
    while seen < args.tokens:
        following.wait()
        data = np.load(shard_path(args, shard))
        drawn = [data["ids"].astype(np.int64), data["weights"].astype(np.float32), data["marks"].astype(np.int64)]
        starts = data["starts"]
        rng = np.random.default_rng(shard)
        os.remove(shard_path(args, shard))
        following = draw_shard(args, shard + 1)
        batches = make_batches(starts, args.micro, rng)
        while batches and seen < args.tokens:
            micro, n = [], 0
            while batches and n < args.batch:
                docs = batches.pop()
                packed = pack(drawn, starts, docs, rng)
                micro.append((*packed, gaps(packed[0].shape[1], rng)))
                n += sum(starts[d + 1] - starts[d] for d in docs)
            scale = 1 / sum(int((learnt > 0).sum()) for _, _, learnt, _ in micro)
            parallel(lambda i: workers[i].prepare(i, args.threads))
            total, own = map(sum, zip(*parallel(lambda i: compute(workers[i], micro, scale))))
            for p, *parts in zip(model.parameters(), *(w.gradients for w in workers)):
                p.grad = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0].clone()
                for part in parts:
                    part.zero_()
            rate = min(1.0, (step + 1) / args.warmup)
            if seen > args.decay_from:
                rate *= max(0.0, (args.tokens - seen) / (args.tokens - args.decay_from))
            for group, (_, own_rate) in zip(adam.param_groups, groups):
                group["lr"] = own_rate * rate
            adam.step()
            pairs = list(zip(matrices, moments))
            parallel(lambda i: muon(pairs[i :: args.threads], args.rate * rate, torch))
            step += 1
            seen += int(n)
            keep = min(1 - 0.003 / max(rate, 0.003), step / (step + 20))  # the last, where the rate is nothing
            with torch.no_grad():
                for name, p in model.named_parameters():
                    mean[name].lerp_(p, 1 - keep)
            losses.append(total / max(own, 1))
            if step % 25 == 0:
                now = time.time()
                say(f"step {step} tokens {seen / 1e6:.3f} M loss {sum(losses) / len(losses):.4f} rate {rate:.3f} {(seen - told_seen) / (now - told):.0f} tokens/s")
                told, told_seen, losses = now, seen, []
            if stopped or time.time() - saved > args.save_every:
                save(checkpoint)
                saved = time.time()
            if stopped:
                following.kill()
                return say("stopped")
        shard += 1
    save(checkpoint)
    save(os.path.join(args.folder, f"done-{seen // 1000000}M.pt"))
    following.wait()
    say("done")


def shard_path(args, shard):
    return os.path.join(args.folder, f"shard-{shard}.npz")


def draw_shard(args, shard):
    return subprocess.Popen([sys.executable, os.path.join(HERE, "data.py"), shard_path(args, shard)[:-4], os.path.join(args.folder, "tokenizer.json"),
                             str(args.shard), str(1000 + shard)], stdout=subprocess.DEVNULL)


def make_batches(starts, micro, rng):
    """Lists of documents of about the same length, `micro` tokens together, in random order."""
    lens = np_diff(starts)
    order = (lens * rng.uniform(0.9, 1.1, len(lens))).argsort()
    batches, batch, longest = [], [], 0
    for d in order:
        if batch and (len(batch) + 1) * max(longest, lens[d]) > micro:
            batches.append(batch)
            batch, longest = [], 0
        batch.append(d)
        longest = max(longest, lens[d])
    batches.append(batch)
    rng.shuffle(batches)
    return batches


def np_diff(starts):
    return starts[1:] - starts[:-1]


def pack(drawn, starts, docs, rng):
    """Tokens [document][t], what follows them, and how that is learnt (gradient.Torch.add): the next token, or a mark.
    A weight below 1 is the probability that one of the others' is."""
    import numpy as np
    import torch

    t = -(-max(starts[d + 1] - starts[d] for d in docs) // 16) * 16  # few shapes: each is prepared once
    ids, weights, marks = drawn
    x, following, w = (np.zeros((len(docs), t), kind) for kind in (np.int64, np.int64, np.float32))
    for row, d in enumerate(docs):
        a, b = starts[d], starts[d + 1]
        x[row, : b - a] = ids[a:b]
        following[row, : b - a - 1], w[row, : b - a - 1] = ids[a + 1 : b], weights[a + 1 : b]
        at = marks[a:b].nonzero()[0]
        following[row, at], w[row, at] = marks[a + at], MARK_WEIGHT
    learnt = (rng.random(w.shape) < w) + np.where(w >= 1, w, 0).astype(np.int8)
    return torch.from_numpy(x), torch.from_numpy(following), torch.from_numpy(learnt)


def gaps(t, rng):
    """Positions, now and then with a gap, so that long distances are no surprise (PoSE, Zhu 2023)."""
    import torch

    positions = torch.arange(t)[None]
    if t > 200 and rng.random() < 0.3:
        at = int(rng.integers(1, t * 6 // 10))
        positions[:, at:] += int(2 ** rng.uniform(4, 15))
    return positions


def muon(pairs, rate, torch):
    with torch.no_grad():
        for p, m in pairs:
            m.lerp_(p.grad, 0.05)
            g = p.grad.lerp(m, 0.95).bfloat16()
            tall = g.shape[0] > g.shape[1]
            if tall:
                g = g.t()
            g = g / (g.norm() + 1e-7)
            for _ in range(5):
                a = g @ g.t()
                g = 3.4445 * g + (-4.7750 * a + 2.0315 * (a @ a)) @ g
            g = g.float()
            if tall:
                g = g.t()
            p.mul_(1 - rate * DECAY).add_(g, alpha=-rate * max(1, p.shape[0] / p.shape[1]) ** 0.5)


if __name__ == "__main__":
    if not ENVIRONMENT.items() <= os.environ.items():
        os.environ.update(ENVIRONMENT)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main(arguments())
