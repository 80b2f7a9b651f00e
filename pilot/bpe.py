"""Byte-level BPE in the form that GGUF calls gpt2 with the pre-tokenizer qwen2: learning merges from
texts (Sennrich et al. 2016), and encoding. What it gives must equal `genset tokens`.

What is copied must be the same tokens in both places, so a word is spelt alike behind a space, a quote and an
underscore: letters join letters alone, a space joins a few words that are everywhere, and a quote what is written
around a value."""
import functools
import heapq
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict

# Control tokens are scaffolding and never come out as text; marks are text that is one token.
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tools>", "</tools>", "<function=", "</function>", "<tool_response>", "</tool_response>"]
SPECIAL = re.compile("(" + "|".join(map(re.escape, CONTROL + MARKS)) + ")")
N_SPACED = 60  # words that are one token with the space before them
LETTERS = re.compile(r"[A-Za-z\x80-\xff]+")
# Signs that may be one token: line breaks and what ends a line, repetitions, and JSON's, where a quote joins what opens a
# value or what follows one, and no sign that may be the value's own.
SIGNS = re.compile(r''' +|\n+|[.,:;)}]+\n+|(.)\1+|://|</|[ {\[(|,]?"|"[]}|:,.)?]+\n*|"\|"| [{\[(=<`|]|[})\]]+[,.:]?''')


def byte_alphabet():
    """GPT-2's map of bytes to characters: printable Latin-1 stays, the others move to U+0100..."""
    stays = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = iter(range(256, 512))
    return [chr(b) if b in stays else chr(next(moved)) for b in range(256)]


def char_class(initial):
    """The characters whose category begins with `initial`, as the inside of a [...]."""
    ranges, start = [], None
    for c in range(sys.maxunicode + 2):
        inside = c <= sys.maxunicode and unicodedata.category(chr(c))[0] == initial
        if inside and start is None:
            start = c
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{c - 1:08x}")
            start = None
    return "".join(ranges)


def word_pattern():
    letter, digit = char_class("L"), char_class("N")
    return re.compile(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
        rf"|[^\r\n{letter}{digit}]?[{letter}]+"
        rf"|[{digit}]"
        rf"| ?[^\s{letter}{digit}]+[\r\n]*"
        r"|\s*[\r\n]+"
        r"|\s+(?!\S)"
        r"|\s+"
    )


BYTES = byte_alphabet()
WORD = word_pattern()


def spell(word):
    return "".join(BYTES[b] for b in word.encode())


def plain(spelt):
    """Bytes of a token, as Latin-1."""
    return bytes(map(BYTES.index, spelt)).decode("latin-1")


@functools.lru_cache(None)
def joins(a, b):
    """Whether two tokens may become one."""
    a, b = plain(a), plain(b)
    if LETTERS.fullmatch(a) and LETTERS.fullmatch(b):
        return not (a[-1].islower() and b[0].isupper())
    return not LETTERS.search(a + b) and bool(SIGNS.fullmatch(a + b))


def learn(texts, n_vocab):
    """The merges of a vocabulary of `n_vocab` tokens."""
    counts = Counter()
    for text in texts:
        for part in SPECIAL.split(text)[::2]:
            counts.update(WORD.findall(part))
    merges = frequent_merges(counts, n_vocab - 256 - len(CONTROL) - len(MARKS) - N_SPACED)
    whole = {"".join(m) for m in merges}
    spaced = Counter({spell(w[1:]): n for w, n in counts.items() if w[0] == " " and spell(w[1:]) in whole and LETTERS.fullmatch(w[1:])})
    return merges + [(spell(" "), w) for w, _ in spaced.most_common(N_SPACED)]


def frequent_merges(counts, n_merges):
    """Of words, given with how often they occur."""
    words = [(list(spell(w)), n) for w, n in counts.items()]
    pairs, where = Counter(), defaultdict(set)
    for i, (parts, n) in enumerate(words):
        for pair in joints(parts):
            pairs[pair] += n
            where[pair].add(i)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    merges = []
    while len(merges) < n_merges and heap:
        n, pair = heapq.heappop(heap)
        if pairs[pair] != -n:
            if pairs[pair] > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        merges.append(pair)
        changed = set()
        for i in where.pop(pair):
            parts, n = words[i]
            for old in joints(parts):
                pairs[old] -= n
            parts[:] = merge(parts, pair)
            for new in joints(parts):
                pairs[new] += n
                where[new].add(i)
                changed.add(new)
        for new in changed:
            heapq.heappush(heap, (-pairs[new], new))
    return merges


def joints(parts):
    """The neighbours that may become one."""
    return [pair for pair in zip(parts, parts[1:]) if joins(*pair)]


def merge(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.ranks = {m: i for i, m in enumerate(self.merges)}
        self.tokens = [*BYTES, *("".join(m) for m in self.merges), *CONTROL, *MARKS]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.cache = {}
        self.end = self.ids["<|im_end|>"]
        self.pad = self.ids["<|endoftext|>"]

    @classmethod
    def load(cls, path):
        with open(path) as f:
            return cls(json.load(f))

    def save(self, path):
        with open(path, "w") as f:
            json.dump(self.merges, f)

    def kind(self, i):
        """The token type of GGUF: normal, control, user-defined."""
        return 3 if self.tokens[i] in CONTROL else 4 if self.tokens[i] in MARKS else 1

    def parts(self, parts):
        """The tokens that characters of spell() become."""
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
            if best not in self.ranks:
                break
            parts = merge(parts, best)
        return parts

    def encode(self, text):
        out = []
        for i, part in enumerate(SPECIAL.split(text)):
            if i % 2:
                out.append(self.ids[part])
                continue
            for word in WORD.findall(part):
                ids = self.cache.get(word)
                if ids is None:
                    ids = self.cache[word] = [self.ids[p] for p in self.parts(list(spell(word)))]
                out += ids
        return out

    def decode(self, ids):
        back = {c: b for b, c in enumerate(BYTES)}
        out = bytearray()
        for i in ids:
            text = self.tokens[i]
            out += text.encode() if self.kind(i) > 1 else bytes(back[c] for c in text)
        return out.decode(errors="replace")
