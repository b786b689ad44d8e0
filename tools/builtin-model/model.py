"""A small LLaMA in JAX, laid out exactly as llama.cpp computes it.

Two conventions matter for the export. Rotary embedding turns neighbouring
pairs (2i, 2i+1) of a head, which is what llama.cpp does for the "llama"
architecture, so no weight is permuted on the way out. Matrices are stored
(input, output); GGUF wants (output, input).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

import vocab


class Shape(NamedTuple):
    """The sizes that both the weights and the GGUF header are built from."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 352
    rope_base: float = 10000.0
    epsilon: float = 1e-5


SHAPE = Shape()


def init(key, shape=SHAPE):
    """Fresh weights; the two matrices that write to the residual start at zero.

    Per-layer weights are stacked on a leading axis so that the optimizer
    handles all layers in one batched operation.
    """
    keys = iter(jax.random.split(key, 8))
    width, hidden, layers = shape.width, shape.hidden, shape.layers

    def matrix(rows, columns):
        scale = rows**-0.5
        return scale * jax.random.normal(next(keys), (layers, rows, columns))

    return {
        "embed": 0.5 * jax.random.normal(next(keys), (vocab.SIZE, width)),
        "output": jnp.zeros((width, vocab.SIZE)),
        "output_norm": jnp.ones(width),
        "layers": {
            "attention_norm": jnp.ones((layers, width)),
            "query": matrix(width, width),
            "key": matrix(width, width),
            "value": matrix(width, width),
            "attention_out": jnp.zeros((layers, width, width)),
            "ffn_norm": jnp.ones((layers, width)),
            "gate": matrix(width, hidden),
            "up": matrix(width, hidden),
            "down": jnp.zeros((layers, hidden, width)),
        },
    }


def rms_norm(x, weight, epsilon):
    """Root-mean-square norm, as in LLaMA."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def rope_tables(length, shape):
    """Cosine and sine of every (position, pair) angle."""
    head = shape.width // shape.heads
    rates = shape.rope_base ** (-jnp.arange(0, head, 2) / head)
    angles = jnp.arange(length)[:, None] * rates[None, :]
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x, tables):
    """Rotates neighbouring pairs of the last axis; x is (..., time, head)."""
    cos, sin = tables
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    even, odd = pairs[..., 0], pairs[..., 1]
    turned = jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return turned.reshape(x.shape)


def attention(x, layer, mask, tables, shape):
    """Multi-head attention over one packed row of documents."""
    batch, time, width = x.shape
    head = width // shape.heads

    def split(y):
        return y.reshape(batch, time, shape.heads, head).transpose(0, 2, 1, 3)

    query = rotate(split(x @ layer["query"]), tables)
    key = rotate(split(x @ layer["key"]), tables)
    value = split(x @ layer["value"])
    scores = query @ key.transpose(0, 1, 3, 2) * head**-0.5
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e30), axis=-1)
    mixed = (weights @ value).transpose(0, 2, 1, 3).reshape(batch, time, width)
    return mixed @ layer["attention_out"]


def forward(params, tokens, documents, shape=SHAPE):
    """Logits for (batch, time) tokens; a token sees only its own document."""
    time = tokens.shape[1]
    causal = jnp.tril(jnp.ones((time, time), bool))
    mask = (causal & (documents[:, :, None] == documents[:, None, :]))[:, None]
    tables = rope_tables(time, shape)
    x = params["embed"][tokens]
    for index in range(shape.layers):
        layer = jax.tree.map(lambda w: w[index], params["layers"])
        normed = rms_norm(x, layer["attention_norm"], shape.epsilon)
        x = x + attention(normed, layer, mask, tables, shape)
        normed = rms_norm(x, layer["ffn_norm"], shape.epsilon)
        x = x + (jax.nn.silu(normed @ layer["gate"]) * (normed @ layer["up"])) @ layer["down"]
    return rms_norm(x, params["output_norm"], shape.epsilon) @ params["output"]
