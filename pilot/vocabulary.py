"""Learns the vocabulary: vocabulary.py OUT.json [N_VOCAB]"""
import random
import sys

import bpe
import data
import prose


def main():
    n_vocab = int(sys.argv[2]) if len(sys.argv) > 2 else 4096
    texts = ["".join(t for t, _ in pieces) for pieces in data.documents(0, 40000)]
    books = prose.BOOK_PARAGRAPHS
    texts += random.Random(0).sample(books, min(len(books), 3000))
    merges = bpe.learn(texts, n_vocab)
    bpe.Tokenizer(merges).save(sys.argv[1])


if __name__ == "__main__":
    main()
