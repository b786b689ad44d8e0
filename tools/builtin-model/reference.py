"""Runs a GGUF file in plain NumPy: what llama.cpp must agree with.

The weights are read back from the exported file and the arithmetic shares no
code with the training, so rounding to F16, the order of axes, the names of
tensors and the rotary convention are all part of what is evaluated.
"""

import gguf
import numpy as np

import vocab


class Reference:
    """One chat at a time, with a cache of keys and values."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.tensors = {t.name: np.array(t.data, np.float32) for t in reader.tensors}

        def number(key):
            return reader.get_field(f"llama.{key}").contents()

        self.layers = number("block_count")
        self.heads = number("attention.head_count")
        self.epsilon = number("attention.layer_norm_rms_epsilon")
        self.head = number("embedding_length") // self.heads
        rates = number("rope.freq_base") ** (-np.arange(0, self.head, 2) / self.head)
        self.turns = np.exp(1j * np.arange(vocab.CONTEXT)[:, None] * rates)

    def matrix(self, layer, name, x):
        return x @ self.tensors[f"blk.{layer}.{name}.weight"].T

    def norm(self, name, x):
        scale = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon)
        return x / scale * self.tensors[f"{name}.weight"]

    def split(self, x):
        """(time, width) to (head, time, size of a head)."""
        return x.reshape(len(x), self.heads, self.head).transpose(1, 0, 2)

    def rotate(self, x, start):
        """Rotary embedding: each pair of neighbours is one complex number."""
        turned = (x[..., 0::2] + 1j * x[..., 1::2]) * self.turns[start : start + x.shape[1]]
        return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape).astype(np.float32)

    def attend(self, layer, x, cache, start):
        """Causal attention over the cache, which grows by this chunk."""
        end = start + len(x)
        query = self.rotate(self.split(self.matrix(layer, "attn_q", x)), start)
        cache[layer, 0, :, start:end] = self.rotate(self.split(self.matrix(layer, "attn_k", x)), start)
        cache[layer, 1, :, start:end] = self.split(self.matrix(layer, "attn_v", x))
        key, value = cache[layer, :, :, :end]
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(self.head)
        later = np.arange(end)[None] > np.arange(start, end)[:, None]
        scores = np.where(later, -np.inf, scores)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ value
        return self.matrix(layer, "attn_output", mixed.transpose(1, 0, 2).reshape(len(x), -1))

    def logits(self, tokens, cache, start):
        """Logits after the last of a chunk of tokens that begins at `start`."""
        x = self.tensors["token_embd.weight"][tokens]
        for layer in range(self.layers):
            x = x + self.attend(layer, self.norm(f"blk.{layer}.attn_norm", x), cache, start)
            normed = self.norm(f"blk.{layer}.ffn_norm", x)
            gate = self.matrix(layer, "ffn_gate", normed)
            hidden = gate / (1 + np.exp(-gate)) * self.matrix(layer, "ffn_up", normed)
            x = x + self.matrix(layer, "ffn_down", hidden)
        return self.tensors["output.weight"] @ self.norm("output_norm", x[-1:])[0]

    def generate(self, prompt, temperature, noise):
        """One answer by plain sampling, ended by END or by the context."""
        cache = np.zeros((self.layers, 2, self.heads, vocab.CONTEXT, self.head), np.float32)
        tokens, seen = list(prompt), 0
        while True:
            logits = self.logits(tokens[seen:], cache, seen)
            seen = len(tokens)
            tokens.append(vocab.draw(logits, temperature, noise))
            if tokens[-1] == vocab.END or len(tokens) >= vocab.CONTEXT:
                return vocab.decode(tokens[len(prompt) :]).removesuffix("<|end|>")
