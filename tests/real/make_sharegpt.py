#!/usr/bin/env python3
"""make_sharegpt.py ROWS [LONG_EVERY]: conversations in the ShareGPT form on stdout, the same each time.

Made-up text: questions of 5 to 150 words (which the tiny model's tokens split into a few hundred at most), answers of 5
to 80. A tenth begins with the assistant, as rows of the real file do where a conversation was cut. With LONG_EVERY n each
n-th question has 5000 words, more than a tiny model takes.
"""
import json
import random
import sys

WORDS = ("the of and to in is that it was for on are as with at be this have from or one had by word but not what all "
         "were we when your can said there use an each which she do how their if will up other about out many then "
         "them these so some her would make like him into time has look two more write go see number no way could "
         "people my than first water been call who oil its now find long down day did get come made may part "
         "café naïve 東京 🙂 \"quoted\" back\\slash tab\there").split(" ")


def text(rng, low, high):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high))).capitalize() + "."


def row(rng, number, is_long):
    question = text(rng, 5000, 5000) if is_long else text(rng, 5, 150)
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": text(rng, 5, 80)}]
    if rng.random() < 0.1:
        turns.insert(0, {"from": "gpt", "value": text(rng, 5, 20)})
    if rng.random() < 0.3:
        turns += [{"from": "human", "value": text(rng, 5, 40)}, {"from": "gpt", "value": text(rng, 5, 80)}]
    return {"id": f"row-{number}", "conversations": turns}


def main():
    rng = random.Random(1)
    rows, long_every = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    made = [row(rng, number, long_every and number % long_every == long_every - 1) for number in range(rows)]
    json.dump(made, sys.stdout, ensure_ascii=False, indent=1)


main()
