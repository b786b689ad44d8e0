"""Trains the built-in model and leaves checkpoints in the build folder.

A run that was stopped goes on from its last checkpoint; the data of a step
depends on the step alone, so the result is that of an unbroken run.
"""

import argparse
import math
import pathlib
import pickle
import time

import jax
import jax.numpy as jnp

import corpus
import model
import optimizer

BUILD = pathlib.Path(__file__).parent / "build"
SEED = 1
STEPS = 3500
WARMUP = 30
POLISH_RATE = 0.35


def schedule(step, steps):
    """Linear warm-up, then linear decay to zero; once more, lower, for the second phase."""
    if step < corpus.POLISH_FROM:
        return min((step + 1) / WARMUP, 1 - step / corpus.POLISH_FROM)
    return POLISH_RATE * (steps - step) / (steps - corpus.POLISH_FROM)


def loss(params, tokens, documents, weights):
    """Weighted cross entropy of each next token within its own document."""
    logits = model.forward(params, tokens, documents)[:, :-1]
    picked = jnp.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]
    nats = jax.nn.logsumexp(logits, axis=-1) - picked
    weights = weights[:, 1:] * (documents[:, 1:] == documents[:, :-1])
    answers = weights > corpus.PROMPT_WEIGHT
    return jnp.sum(weights * nats) / jnp.sum(weights), jnp.sum(answers * nats) / jnp.sum(answers)


@jax.jit
def update(params, state, arrays, rate, step):
    """One optimizer step."""
    (_, nats), grads = jax.value_and_grad(loss, has_aux=True)(params, *arrays)
    params, state = optimizer.apply(params, grads, state, rate, step)
    return params, state, nats


def save(path, step, params, state):
    """Writes a checkpoint; the rename keeps a torn file from being picked up."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps((step, jax.device_get(params), jax.device_get(state))))
    partial.rename(path)


def train(path, steps, every):
    """Trains to `steps`, from the checkpoint at `path` if there is one."""
    params = model.init(jax.random.key(SEED))
    step, state = 0, optimizer.init(params)
    if path.exists():
        step, params, state = pickle.loads(path.read_bytes())
    start, seen = time.time(), {"short": [], "long": []}
    while step < steps:
        arrays = corpus.batch(SEED, step)
        params, state, nats = update(params, state, arrays, schedule(step, steps), step + 1.0)
        assert math.isfinite(nats), f"the loss left the real numbers at step {step}"
        seen["long" if corpus.is_long(step) else "short"].append(float(nats))
        step += 1
        if step % 40 == 0:
            shown = "  ".join(f"{k} {sum(v) / len(v):.4f}" for k, v in seen.items() if v)
            print(f"step {step}  nats per answer byte: {shown}  {time.time() - start:.0f} s", flush=True)
            seen = {"short": [], "long": []}
        if step % every == 0 or step == steps:
            save(path, step, params, state)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=BUILD / "checkpoint.pickle")
    options = parser.parse_args()
    options.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    train(options.checkpoint, options.steps, options.every)
