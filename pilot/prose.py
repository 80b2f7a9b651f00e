"""Words and pieces of real texts, so that what is copied is not known by heart: of the documentation, and of books
of ../shared/corpus where they are there."""
import glob
import os
import re
from collections import Counter

import facts
import words

CORPUS = os.path.join(facts.ROOT, "..", "shared", "corpus")
BOOKS = ["aesop_fables*", "jacob-grimm*", "lewis-carroll*", "l-frank-baum*", "kenneth-grahame*", "rudyard-kipling*", "arthur-conan-doyle*", "jane-austen*"]


def paragraphs():
    """Paragraphs of the books; the last twentieth of each is held out."""
    out = []
    for name in BOOKS:
        for path in sorted(glob.glob(os.path.join(CORPUS, "books", name))):
            with open(path, encoding="utf-8") as f:
                parts = [p.strip() for p in f.read().split("\n\n") if 100 < len(p) < 2500]
            out += parts[: len(parts) * 19 // 20]
    return out


BOOK_PARAGRAPHS = paragraphs()
DOC_PARAGRAPHS = [p for path in sorted(glob.glob(os.path.join(facts.ROOT, "docs", "*.md"))) for p in open(path, encoding="utf-8").read().split("\n\n") if p[:1].isalpha() and len(p) > 100]
COUNTS = Counter(w for p in DOC_PARAGRAPHS + BOOK_PARAGRAPHS for w in re.findall(r"(?<![\w`/.-])[a-z]{3,12}(?![\w`/-])", p))
LEXICON = sorted(w for w, n in COUNTS.items() if n > 1)
FREQUENT = [w for w, _ in COUNTS.most_common(2000) if len(w) > 3]
# Runs of plain words, a text each.
RUNS = [r.split() for p in DOC_PARAGRAPHS + BOOK_PARAGRAPHS for r in re.findall(r"[A-Za-z][a-z]*(?: [A-Za-z][a-z]*){2,}", " ".join(p.split()))]


def word(rng):
    if rng.random() < 0.12:
        return words.nonce(rng)
    return rng.choice(FREQUENT if rng.random() < 0.25 else LEXICON)


def proper(rng):
    return word(rng).capitalize()


def fragment(rng, most=7):
    """A few words that stand beside each other somewhere."""
    run = rng.choice(RUNS)
    n = rng.randint(2, most)
    at = rng.randint(0, max(0, len(run) - n))
    text = " ".join(run[at : at + n])
    return text[0].upper() + text[1:] if rng.random() < 0.35 else text
