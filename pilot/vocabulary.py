"""Learns the vocabulary, or takes a file's: vocabulary.py OUT.json [N_VOCAB | FILE.gguf]"""
import random
import sys

import bpe
import data
import gguf
import prose


def main():
    wanted = sys.argv[2] if len(sys.argv) > 2 else "4096"
    merges = of_file(wanted) if wanted.endswith(".gguf") else learnt(int(wanted))
    bpe.Tokenizer(merges).save(sys.argv[1])


def of_file(path):
    return [merge.split(" ") for merge in gguf.read(path)[0]["tokenizer.ggml.merges"]]


def learnt(n_vocab):
    texts = ["".join(t for t, _ in pieces) for pieces in data.documents(0, 40000)]
    books = prose.BOOK_PARAGRAPHS
    texts += random.Random(0).sample(books, min(len(books), 3000))
    return bpe.learn(texts, n_vocab)


if __name__ == "__main__":
    main()
