"""Stories from a grammar: long enough to watch a stream, never twice the same."""

ANIMALS = "fox bear owl rabbit turtle badger otter mouse cat hedgehog crow frog goat deer wolf squirrel".split()
NAMES = "Milo Luna Pip Ada Bruno Tilda Oscar Nell Hugo Wren Juno Felix Mara Otto Ivy Sam".split()
TRAITS = "brave curious small clever quiet cheerful patient sleepy gentle stubborn proud lonely".split()
PLACES = [
    "at the edge of a deep forest", "under an old stone bridge", "on a hill above the sea",
    "in a house with a red door", "beside a slow green river", "in the tower of a windmill",
    "behind the village bakery", "in a valley full of fog",
]
HABITS = [
    "counted the stars", "swept the path", "baked a loaf of bread", "sang to the moon",
    "mended old clocks", "watered the beans", "wrote a letter to nobody", "climbed the tallest tree",
]
TIMES = ["morning", "evening", "night", "Sunday", "autumn day"]
DAYS = ["rainy", "windy", "bright", "cold", "misty", "golden"]
FINDS = [
    "a silver key", "a map with one corner missing", "a lantern that would not go out",
    "a tiny wooden boat", "a bell without a sound", "a blue feather", "a box that hummed", "a letter with no name",
]
SPOTS = ["in the grass", "under a root", "by the well", "on the doorstep", "inside a hollow log", "among the reeds"]
LINES = [
    "I know where that belongs.", "May I come with you?", "I have been looking for that.",
    "Follow me, and hurry!", "Be careful with it.", "My grandmother had one too.",
]
ROADS = [
    "through the dark woods", "over three hills", "along the shore", "across the frozen lake",
    "past the sleeping village", "up the winding stairs",
]
TROUBLES = [
    "the bridge was gone", "the night fell early", "a storm rolled in", "the path split in two",
    "a great gate stood shut", "they lost their way",
]
ANSWERS = [
    "built a raft from branches", "asked the wind for help", "lit a small fire", "listened until it was clear",
    "tied two ropes together", "told a joke so good that the stones laughed",
]
ENDINGS = [
    "they shared every supper", "nobody in the valley felt alone", "the door was never locked",
    "they met there each spring", "the light could be seen for miles", "they were the best of friends",
]
LENGTH = range(310, 411)


def article(word):
    """The word with "a" or "an" before it."""
    return ("an " if word[:1].lower() in "aeiou" else "a ") + word


def draft(rng, hero):
    """One story of seven or eight sentences, of any length."""
    pick = rng.choice
    name, friend = rng.sample(NAMES, 2)
    trait, other = rng.sample(TRAITS, 2)
    hero = hero or pick(ANIMALS)
    opening = pick(["Once upon a time, {} lived {}.", "Long ago, {} lived {}.", "There once was {} who lived {}."])
    first, second = rng.sample(ANSWERS, 2)
    meet = pick(["met", "ran into", "woke", "called for"])
    lines = [
        opening.format(f"{article(trait)} {hero} named {name}", pick(PLACES)),
        f"Every {pick(TIMES)}, {name} {pick(HABITS)}.",
        f"One {pick(DAYS)} day, {name} found {pick(FINDS)} {pick(SPOTS)}.",
        f"Soon {name} {meet} {article(other)} {pick(ANIMALS)} named {friend}.",
        f'"{pick(LINES)}" said {friend}.',
        f"So they went {pick(ROADS)}, but {pick(TROUBLES)}.",
        f"{name} {first}, and {friend} {second}.",
        pick(["At last they were safe.", "It worked.", "In the end they made it home.", "And so they came through."]),
        f"From that day on, {pick(ENDINGS)}.",
    ]
    for spare in sorted(rng.sample([1, 4, 7], rng.randint(1, 2)), reverse=True):
        del lines[spare]
    return " ".join(lines)


def story(rng, hero=None):
    """A story whose length in bytes lies in LENGTH."""
    while True:
        text = draft(rng, hero)
        if len(text.encode()) in LENGTH:
            return text
