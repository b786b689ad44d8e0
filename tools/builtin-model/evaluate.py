"""Measures what the exported model gets right, with either engine."""

import argparse
import pathlib
import random
import string

import numpy as np

import questions
import tasks
import vocab
import words
from export import OUTPUT

FORMS = ["Reply with exactly one word: {}", "Say {}", "Repeat: {}", "Reply with the word {}", "Please say {}."]
SYSTEM = ("system", "You are a helpful assistant.")
KINDS = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "mixed": string.ascii_letters,
    "digits": string.ascii_letters + string.digits,
}


def unseen(rng, count):
    """Words that training never showed, as `words.held_out` decides."""
    drawn = [words.recase(rng, w) for w in words.RESERVED]
    while len(drawn) < count:
        alphabet = list(KINDS.values())[len(drawn) % len(KINDS)]
        candidate = words.scramble(rng, alphabet, 3, 12)
        if words.held_out(candidate):
            drawn.append(candidate)
    return drawn


def copies(rng, count, system=False, history=0):
    """Chats that ask for an unseen word, and the word."""
    cases = []
    for index, answer in enumerate(unseen(rng, count)):
        chat = [SYSTEM] if system else []
        for _ in range(history):
            ask, said = tasks.short(rng)
            chat += [("user", ask), ("assistant", said)]
        chat.append(("user", FORMS[index % len(FORMS)].format(answer)))
        cases.append((chat, answer))
    return [c for c in cases if len(vocab.prompt(c[0])) < vocab.CONTEXT - 20]


def listed(numbers):
    """How the model counts."""
    return ", ".join(map(str, numbers))


def groups(rng):
    """Named groups of (chat, right answer)."""
    sums = [([("user", f"What is {a} + {b}?")], str(a + b)) for a in range(10) for b in range(10)]
    counts = [([("user", f"Count from 1 to {n}")], listed(range(1, n + 1))) for n in range(2, 21)]
    counts += [([("user", f"Count from {n} to {n + 9}")], listed(range(n, n + 10))) for n in range(2, 21)]
    downs = [([("user", f"Count down from {n} to 1")], listed(range(n, 0, -1))) for n in range(2, 21)]
    asked = [([("user", ask)], answer) for asks, answer in questions.QUESTIONS for ask in asks]
    return {
        "copy": copies(rng, 200),
        "copy, after a system message": copies(rng, 100, system=True),
        "copy, after two turns": copies(rng, 100, history=2),
        "repeat a phrase": [([("user", "Repeat: " + p)], p) for p in (words.phrase(rng, 6) for _ in range(50))],
        "add": sums,
        "count up": counts,
        "count down": downs,
        "count to 100": [([("user", "Count from 1 to 100")], listed(range(1, 101)))],
        "questions": asked,
        "stray questions": [([("user", tasks.stray(rng)[0])], questions.FALLBACK) for _ in range(50)],
    }


def score(engine, cases, temperature, seed, show):
    """How many answers are right to the byte; prints some that are not."""
    noise = np.random.default_rng(seed)
    answers = [engine.generate(vocab.prompt(chat), temperature, noise) for chat, _ in cases]
    wrong = [(c[-1][1], a) for (c, right), a in zip(cases, answers) if a != right]
    for ask, answer in wrong[:show]:
        print(f"    {ask!r} -> {answer!r}")
    return len(cases) - len(wrong)


def stories(engine, count):
    """Stories at temperature 1: how long, and how many distinct."""
    chat = vocab.prompt([SYSTEM, ("user", "Tell a long story")])
    told = [engine.generate(chat, 1.0, np.random.default_rng(seed)) for seed in range(count)]
    lengths = sorted(len(t.encode()) for t in told)
    print(f"stories, T=1: {len(set(told))} distinct of {count}, {lengths[0]} to {lengths[-1]} bytes")
    print(f"    {told[0]!r}")


def main(options):
    """Prints one line per group and temperature."""
    if options.engine == "llamacpp":
        from llamacpp import LlamaCpp

        engine = LlamaCpp(options.model)
        engine.check_format()
        print("tokens are bytes, templates agree")
    else:
        from reference import Reference

        engine = Reference(options.model)
    for name, cases in groups(random.Random(99)).items():
        for temperature in (0.0, 1.0):
            right = score(engine, cases, temperature, 5, options.show)
            print(f"{name}, T={temperature:.0f}: {right} of {len(cases)}", flush=True)
    stories(engine, 20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=OUTPUT)
    parser.add_argument("--engine", choices=["reference", "llamacpp"], default="reference")
    parser.add_argument("--show", type=int, default=0, help="wrong answers to print per line")
    main(parser.parse_args())
