"""Words to copy: mostly letters that no one has ever put in this order.

A model this small could memorise a word list, and then it would fail on the
first word a user brings. Random spellings leave copying as the only way out.
"""

import string
import zlib

COMMON = """
apple banana bread river stone cloud window garden paper music silver copper
hello world yes no okay ready done start stop green blue red yellow orange
north south east west summer winter spring morning evening night monday friday
alpha beta gamma delta omega one two three four five six seven eight nine ten
house table chair bottle pencil letter answer question number simple quick
brown lazy dog cat horse tiger eagle whale mouse spider butterfly elephant
network server cluster token packet socket kernel thread memory engine model
machine mesh node peer relay ticket roster session stream splice mailbox
please thanks welcome goodbye friend family mother father sister brother
light dark fire water earth wind snow rain storm thunder sunshine rainbow
""".split()

# English words kept for the evaluation.
RESERVED = """
pong banjo kumquat zebra quartz voyage lantern pickle jupiter oxygen walrus velvet cobalt
hammock nutmeg puzzle trombone igloo saffron marble
""".split()

# Words that a fixed question is about; see questions.py.
TAUGHT = set("mesh node peer relay ticket model hello thanks goodbye machine".split())

ONSETS = "b c d f g h j k l m n p r s t v w z br cr dr fl gr kl pl pr sh sk sl sp st th tr".split()
VOWELS = "a e i o u ai ea ee ie oa oo ou y".split()
CODAS = ["", "", "", "n", "r", "s", "t", "l", "m", "nd", "st", "rk", "ng"]

FOREIGN = [
    "àâäåæçèéêëìíîïñòóôöøùúûüßœšžłőű",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "абвгдежзийклмнопрстуфхцчшщыьэюя",
    "あいうえおかきくけこさしすせそ日本語中文山川水火木金土人大小",
    "😀😁😂🙂😎🚀🌍🔥✨🎉",
]


def syllables(rng):
    """A word that could be pronounced."""
    parts = []
    for _ in range(rng.randint(1, 4)):
        parts += [rng.choice(ONSETS), rng.choice(VOWELS), rng.choice(CODAS)]
    return "".join(parts)[:12]


def recase(rng, word):
    """Lower, upper, capitalised or mixed case."""
    kind = rng.random()
    if kind < 0.45:
        return word
    if kind < 0.70:
        return word.upper()
    if kind < 0.88:
        return word.capitalize()
    return "".join(rng.choice([c.lower(), c.upper()]) for c in word)


def scramble(rng, alphabet, low, high):
    """Letters drawn at random."""
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


def held_out(word):
    """The reserved words and one other in twenty, in any case, are kept for the evaluation."""
    word = word.lower()
    return word in RESERVED or len(word) > 2 and zlib.crc32(word.encode()) % 20 == 0


def word(rng):
    """One word to copy, 1 to 14 characters, that is not held out."""
    while held_out(drawn := any_word(rng)):
        pass
    return drawn


def any_word(rng):
    """One word to copy, whether held out or not."""
    kind = rng.random()
    if kind < 0.15:
        return recase(rng, rng.choice(COMMON))
    if kind < 0.45:
        return recase(rng, syllables(rng))
    if kind < 0.65:
        return recase(rng, scramble(rng, string.ascii_lowercase, 2, 12))
    if kind < 0.70:
        few = rng.sample(string.ascii_lowercase, 3)
        return recase(rng, scramble(rng, few, 2, 10))
    if kind < 0.80:
        return scramble(rng, string.ascii_lowercase + string.digits, 2, 12)
    if kind < 0.88:
        return scramble(rng, string.ascii_letters + string.digits, 2, 14)
    if kind < 0.92:
        return scramble(rng, string.digits, 1, 10)
    if kind < 0.95:
        joint = rng.choice("-_-_./:'")
        return syllables(rng)[:6] + joint + rng.choice([syllables(rng)[:6], scramble(rng, string.digits, 1, 4)])
    return foreign(rng)


def foreign(rng):
    """Letters of more than one byte, alone or within a plain word."""
    if rng.random() < 0.5:
        alphabet = rng.choice(FOREIGN)
        return scramble(rng, alphabet, 1, 5)
    letters = list(syllables(rng)[:8])
    for _ in range(rng.randint(1, 2)):
        letters[rng.randrange(len(letters))] = rng.choice(FOREIGN[0])
    return "".join(letters)


def noun(rng):
    """A lower-case thing to ask about: known or invented, not held out."""
    while held_out(drawn := rng.choice(COMMON) if rng.random() < 0.5 else syllables(rng)):
        pass
    return drawn


def unrelated(rng):
    """A thing that none of the fixed questions is about."""
    while (thing := noun(rng)) in TAUGHT:
        pass
    return thing


def phrase(rng, most=8):
    """Several words, sometimes punctuated like a sentence."""
    count = rng.randint(2, most)
    if rng.random() < 0.6:
        parts = [noun(rng) if rng.random() < 0.8 else word(rng) for _ in range(count)]
        if rng.random() < 0.5:
            parts[0] = parts[0].capitalize()
        if rng.random() < 0.3:
            parts[rng.randrange(count - 1)] += ","
        return " ".join(parts) + rng.choice(["", "", ".", "!", "?"])
    return " ".join(word(rng) for _ in range(count))
