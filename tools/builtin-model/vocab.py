"""The vocabulary and the chat format, shared by training, export and evaluation.

A token is a byte. Five more tokens mark where a message begins and ends, so
that no text a user can type collides with them once it is encoded as bytes.
"""

BYTES = 256
SPECIALS = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
BEGIN, END, SYSTEM, USER, ASSISTANT = range(BYTES, BYTES + len(SPECIALS))
SIZE = BYTES + len(SPECIALS)
CONTEXT = 512

ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}

# Written so that every renderer agrees: no whitespace control, no filters, no
# block tag right before a newline. For the three roles it equals the "phi3"
# format that llama.cpp knows without a template engine; any other role is
# shown to the model as a system message.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|user|>"
    "{% elif message['role'] == 'assistant' %}<|assistant|>"
    "{% else %}<|system|>{% endif %}"
    "{{ '\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


def text(string):
    """Encodes text without looking for special tokens in it."""
    return list(string.encode("utf-8"))


def message(role, content):
    """One message as the template renders it."""
    return [ROLES[role], *text("\n" + content), END, *text("\n")]


def prompt(messages):
    """A whole prompt: the chat, then the opening of the assistant's answer."""
    tokens = [BEGIN]
    for role, content in messages:
        tokens += message(role, content)
    return tokens + [ASSISTANT, *text("\n")]


def decode(tokens):
    """Turns generated tokens into text; special tokens show by name."""
    parts = [bytes([t]) if t < BYTES else SPECIALS[t - BYTES].encode() for t in tokens]
    return b"".join(parts).decode("utf-8", "replace")


def draw(logits, temperature, noise):
    """The next token: the likeliest, or one drawn by the Gumbel trick."""
    if temperature > 0:
        logits = logits / temperature + noise.gumbel(size=SIZE)
    return int(logits.argmax())
