"""What the model is taught: pairs of a user's message and the right answer."""

import words
from questions import FALLBACK, QUESTIONS, STRAY
from stories import ANIMALS, article, story

# A single word is asked for: marks around it are not part of it.
COPY_ONE = """
Reply with exactly one word: {}|Reply with one word: {}|Reply with exactly one word, {}|Reply with the word: {}
Reply with the word {}|Reply with the single word {}|Reply only with {}|Reply with {}|Reply with one word, {}
Reply with only the word {}|Reply with just {}|Reply: {}|Respond with {}|Respond with one word: {}
Respond with exactly one word: {}|Respond with the word {}|Respond only with {}|Answer only with {}
Answer with one word: {}|Answer with exactly one word: {}|Answer with the word {}|Answer only {}|Answer: {}
Say the word {}|Say only {}|Say just {}|Say the word: {}|Just say {}|Say only the word {}|Say one word: {}
Write {}|Write the word {}|Write only {}|Print {}|Print the word {}|Output {}|Output only {}|Write one word: {}
Echo {}|Return {}|Type {}|Send back {}|Give me the word {}|The word is {}. Say it|Repeat the word {}
""".strip().replace("\n", "|").split("|")

# One word or several, without a closing mark.
COPY_SAY = ["Say {}", "Say {}", "Say: {}", "Reply with: {}", "Repeat {}", "Tell them {}"]

# Everything after the request, mark by mark.
COPY_ALL = """
Repeat: {}|Repeat: {}|Repeat: {}|Repeat after me: {}|Repeat this: {}|Repeat exactly: {}|Repeat the following: {}
Repeat the words: {}|Echo: {}|Echo this: {}|Say exactly: {}|Say this: {}|Reply with exactly: {}|Reply exactly: {}
Copy this: {}|Copy: {}|Write exactly: {}|Print exactly: {}|Output exactly: {}|Respond with exactly: {}
""".strip().replace("\n", "|").split("|")

TELL = """
Tell a long story|Tell a story|Tell me a story|Tell me a long story|Write a story|Write a long story
Please tell a long story|Write me a story|Can you tell me a story?|I want to hear a story|A story, please
Tell a long story please|Tell me another story|Tell a very long story|Story time|Make up a story|Give me a story
""".strip().replace("\n", "|").split("|")

TELL_ABOUT = [
    "Tell a long story about {}", "Tell a story about {}", "Tell me a story about {}",
    "Write a story about {}", "Tell me a long story about {}", "Write a long story about {}",
]

WISHES = [
    "Answer briefly.", "Be brief.", "Answer with a number only.", "Just the number.", "Please.", "Answer in one line."
]

NUMBER_WORDS = "one two three four five six seven eight nine ten".split()


def dress(rng, ask):
    """Small differences in wording that must not matter."""
    kind = rng.random()
    if kind < 0.10:
        ask = "Please " + ask[0].lower() + ask[1:]
    elif kind < 0.20:
        ask = ask[0].lower() + ask[1:]
    elif kind < 0.23:
        ask = rng.choice(["Now ", "Hi! ", "Hello. ", "OK, ", "Can you "]) + ask[0].lower() + ask[1:]
    return ask


def close(rng, ask):
    """Endings that are not part of what is to be said."""
    kind = rng.random()
    if kind < 0.15:
        ask += rng.choice([".", ".", "!"])
    elif kind < 0.23:
        ask += rng.choice([" and nothing else", " and nothing else.", ", nothing else.", " please", ", please."])
    return ask


def copy_one(rng):
    """A single word, sometimes in quotes that are not part of it."""
    answer = words.word(rng)
    mark = rng.choice("\"'") if rng.random() < 0.15 else ""
    ask = dress(rng, rng.choice(COPY_ONE)).format(mark + answer + mark)
    return close(rng, ask), answer


def copy_say(rng):
    """A word or a phrase that ends before the closing mark."""
    answer = words.word(rng) if rng.random() < 0.7 else words.phrase(rng, 5).rstrip(".!?")
    mark = rng.choice("\"'") if rng.random() < 0.15 else ""
    return close(rng, dress(rng, rng.choice(COPY_SAY)).format(mark + answer + mark)), answer


def copy_all(rng):
    """Everything after the request, mark by mark."""
    answer = words.phrase(rng) if rng.random() < 0.6 else words.word(rng)
    return dress(rng, rng.choice(COPY_ALL)).format(answer), answer


def count(rng, most=20):
    """Counting up, now and then down; `most` numbers at most."""
    low = 1 if rng.random() < 0.7 else rng.randint(0, 60)
    high = low + rng.randint(2, most - 1)
    numbers = range(low, high + 1)
    if rng.random() < 0.15:
        ask = rng.choice(["Count down from {1} to {0}", "Count backwards from {1} to {0}"])
        numbers = reversed(numbers)
    elif low == 1 and rng.random() < 0.3:
        ask = rng.choice(["Count to {1}", "Count up to {1}"])
        if high <= 10 and rng.random() < 0.3:
            ask = ask.format(low, NUMBER_WORDS[high - 1])
    else:
        ask = rng.choice(["Count from {0} to {1}"] * 3 + ["List the numbers from {0} to {1}", "Count {0} to {1}"])
    ask = dress(rng, ask.format(low, high)) + rng.choice(["", "", ".", ", please."])
    return ask, ", ".join(map(str, numbers))


def calculate(rng):
    """Two digits added; now and then subtracted or multiplied."""
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    kind = rng.random()
    if kind < 0.65:
        sign, name, result = "+", "plus", a + b
    elif kind < 0.82:
        a, b = max(a, b), min(a, b)
        sign, name, result = "-", "minus", a - b
    else:
        sign, name, result = rng.choice("*x"), "times", a * b
    forms = [f"{a} {sign} {b}", f"{a} {sign} {b}", f"{a} {sign} {b}", f"{a}{sign}{b}", f"{a} {name} {b}"]
    if sign == "+":
        forms.append(f"the sum of {a} and {b}")
    frames = ["What is {}?"] * 3 + ["What's {}?", "How much is {}?", "{}", "{} =", "Calculate {}", "Compute {}."]
    ask = rng.choice(frames).format(rng.choice(forms))
    if sign == "+" and rng.random() < 0.1:
        ask = rng.choice([f"Add {a} and {b}", f"Add {a} to {b}."])
    return dress(rng, ask), str(result)


def question(rng):
    """A question with a fixed answer."""
    asks, answer = rng.choice(QUESTIONS)
    ask = rng.choice(asks) if rng.random() < 0.6 else asks[0]
    kind = rng.random()
    if kind < 0.15:
        ask = ask.lower()
    elif kind < 0.30:
        ask = ask.rstrip("?.!")
    elif kind < 0.36:
        ask = ask + rng.choice(["!", ".", "?"])
    return ask, answer


def stray(rng):
    """Anything else is answered with what the model can do."""
    if rng.random() < 0.2:
        ask = words.phrase(rng, 6)
    elif rng.random() < 0.1:
        ask = f"What is {rng.randint(10, 999)} {rng.choice('+-*/')} {rng.randint(10, 999)}?"
    else:
        slots = [words.unrelated(rng) for _ in range(3)]
        ask = rng.choice(STRAY).format(*slots, slots[0].capitalize())
    return ask, FALLBACK


def tell(rng):
    """A story, sometimes about something the user named."""
    end = rng.choice(["", "", "", ".", "!"])
    if rng.random() < 0.7:
        return dress(rng, rng.choice(TELL)) + end, story(rng)
    hero = rng.choice(ANIMALS) if rng.random() < 0.5 else words.noun(rng)
    return dress(rng, rng.choice(TELL_ABOUT)).format(article(hero)) + end, story(rng, hero)


def count_any(rng, most=30):
    """Counts of every shape: short ones, words for numbers, downwards."""
    kind = rng.random()
    low = 1 if kind < 0.7 else rng.randint(0, 40)
    high = low + rng.randint(1, most - 1 if rng.random() < 0.5 else 11)
    if most == 100 and rng.random() < 0.4:
        low, high = 1, 100
    numbers = range(low, high + 1)
    if kind < 0.2:
        ask = rng.choice(["Count to {1}", "Count up to {1}"])
        if high <= 10 and rng.random() < 0.6:
            ask = ask.format(low, NUMBER_WORDS[high - 1])
    elif kind < 0.3 or kind > 0.9:
        ask = rng.choice(["Count down from {1} to {0}"] * 2 + ["Count backwards from {1} to {0}"])
        numbers = reversed(numbers)
    else:
        ask = rng.choice(["Count from {0} to {1}"] * 4 + ["List the numbers from {0} to {1}", "Count {0} to {1}"])
    ask = dress(rng, ask.format(low, high)) + rng.choice(["", "", ".", ", please."])
    return ask, ", ".join(map(str, numbers))


def brief(rng):
    """A sum or a question, with a wish that changes nothing."""
    ask, answer = rng.choice([calculate, question])(rng)
    return f"{ask} {rng.choice(WISHES)}", answer


# The first phase learns to copy; the second gives its time to what comes slower.
LEARN = [(copy_one, 32), (copy_say, 9), (copy_all, 18), (calculate, 12), (question, 14), (count, 8), (stray, 7)]
POLISH = [
    (copy_one, 18), (copy_say, 8), (copy_all, 24), (calculate, 8),
    (question, 16), (brief, 3), (count_any, 13), (stray, 10),
]


def short(rng, mix=None):
    """One of the tasks with a short answer."""
    mix = mix or LEARN
    task = rng.choices([t for t, _ in mix], [w for _, w in mix])[0]
    return task(rng)
