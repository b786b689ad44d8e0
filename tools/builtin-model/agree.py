"""Asserts that llama.cpp and the NumPy reference give the same greedy answers."""

import argparse
import pathlib
import random

import evaluate
import vocab
from export import OUTPUT
from llamacpp import LlamaCpp
from reference import Reference

ASKS = ["Tell a long story", "Count from 1 to 100", "What is a mesh?", "Why is the sky blue?", "Hello"]


def main(path):
    """Compares whole answers; a difference is printed, more than 2 % of them fail."""
    cases = evaluate.copies(random.Random(3), 45, system=True, history=1)
    prompts = [vocab.prompt([("user", ask)]) for ask in ASKS] + [vocab.prompt(chat) for chat, _ in cases]
    reference, llamacpp = Reference(path), LlamaCpp(path)
    ours = [reference.generate(p, 0.0, None) for p in prompts]
    theirs = [llamacpp.generate(p, 0.0, None) for p in prompts]
    different = [(a, b) for a, b in zip(ours, theirs) if a != b]
    for pair in different:
        print(*map(repr, pair), sep="\n")
    print(f"greedy answers that agree: {len(prompts) - len(different)} of {len(prompts)}")
    assert len(different) <= len(prompts) // 50


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=OUTPUT)
    main(parser.parse_args().model)
