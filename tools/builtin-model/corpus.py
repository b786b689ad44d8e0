"""Training rows: chats drawn from the tasks, packed, with a weight per token.

Rows come in two lengths. Short ones are cheap and teach the tasks; long ones
reach the end of the context with stories, long counts and chats of many turns.
"""

import random

import numpy as np

import tasks
import vocab
import words

SHORT_ROWS = (24, 192)
LONG_ROWS = (9, vocab.CONTEXT)
LONG_EVERY = 4

# From this step on, the mix of tasks is another one.
POLISH_FROM = 2800

# Prompts are mostly unpredictable; a little weight still helps early on.
PROMPT_WEIGHT = 0.05

SYSTEMS = [
    "You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful AI assistant.",
    "Be brief.", "Be concise.", "Answer briefly.", "You are a friendly assistant.", "You are mesh-node.",
    "You are an expert programmer.", "Follow the instructions of the user.", "You are a chat bot. Answer in English.",
]


def system(rng):
    """A system message: usual, or any words at all, since none changes the answer."""
    if rng.random() < 0.6:
        return rng.choice(SYSTEMS)
    parts = [words.phrase(rng, 10) for _ in range(rng.randint(1, 3))]
    return rng.choice(["You are ", "Always ", ""]) + " ".join(parts)


def answer_weight(length, polish):
    """Less per byte of a long answer, so that "7" is not drowned by a story."""
    if polish:
        return min(1.5, max(0.4, (24 / length) ** 0.5))
    return min(2.5, max(0.2, (12 / length) ** 0.5))


class Document:
    """One chat as tokens, with the weight of each as a target."""

    def __init__(self, rng, polish):
        self.rng = rng
        self.polish = polish
        self.tokens = []
        self.weights = []
        if rng.random() < 0.85:
            self.add([vocab.BEGIN], 0.0)
        if rng.random() < 0.35:
            self.add(vocab.message("system", system(rng)), PROMPT_WEIGHT)

    def task(self):
        """A turn of one of the short tasks."""
        self.turn(*tasks.short(self.rng, tasks.POLISH if self.polish else tasks.LEARN))

    def add(self, tokens, weight):
        self.tokens += tokens
        self.weights += [weight] * len(tokens)

    def turn(self, ask, answer):
        """A question and its answer, which counts much more."""
        if self.rng.random() < 0.04:
            ask += self.rng.choice(["\n", " ", "\n\n"])
        self.add(vocab.message("user", ask), PROMPT_WEIGHT)
        self.add([vocab.ASSISTANT, *vocab.text("\n")], PROMPT_WEIGHT)
        said = [*vocab.text(answer), vocab.END]
        self.add(said, answer_weight(len(said), self.polish))
        self.add(vocab.text("\n"), PROMPT_WEIGHT)


def short_chat(rng, polish=False):
    """One question, sometimes two or three."""
    document = Document(rng, polish)
    for _ in range(rng.choices([1, 2, 3], [70, 20, 10])[0]):
        document.task()
    return document


def long_chat(rng, polish=False):
    """A story, a long count, or many short turns."""
    document = Document(rng, polish)
    kind = rng.random()
    if kind < 0.55:
        if rng.random() < 0.2:
            document.turn(*tasks.copy_one(rng))
        document.turn(*tasks.tell(rng))
    elif kind < 0.67:
        document.turn(*(tasks.count_any if polish else tasks.count)(rng, most=100))
    else:
        length = rng.randint(150, 400)
        while len(document.tokens) < length:
            document.task()
    return document


def is_long(step):
    """Whether a step trains on long rows."""
    return step % LONG_EVERY == LONG_EVERY - 1


def batch(seed, step):
    """The arrays (tokens, documents, weights) of one training step.

    A step's data depends on the seed and the step alone, so a run that goes on
    from a checkpoint sees what an unbroken run would have seen.
    """
    rng = random.Random(f"{seed}/{step}")
    draw, (rows, length) = (long_chat, LONG_ROWS) if is_long(step) else (short_chat, SHORT_ROWS)
    tokens = np.full((rows, length), vocab.END, np.int32)
    documents = np.zeros((rows, length), np.int32)
    weights = np.zeros((rows, length), np.float32)
    for row in range(rows):
        fill(lambda: draw(rng, step >= POLISH_FROM), tokens[row], documents[row], weights[row])
    return tokens, documents, weights


def fill(draw, tokens, documents, weights):
    """Packs whole chats into one row until eight in a row do not fit."""
    used, number, misses = 0, 0, 0
    while misses < 8:
        document = draw()
        end = used + len(document.tokens)
        if end > len(tokens):
            misses += 1
            continue
        number, misses = number + 1, 0
        tokens[used:end] = document.tokens
        weights[used:end] = document.weights
        documents[used:end] = number
        used = end


if __name__ == "__main__":
    shown = random.Random(0)
    for _ in range(12):
        print(repr(vocab.decode(short_chat(shown).tokens)))
    for _ in range(4):
        print(repr(vocab.decode(long_chat(shown).tokens)))
