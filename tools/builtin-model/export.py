"""Writes the trained weights as a GGUF file that llama.cpp loads."""

import argparse
import hashlib
import pathlib
import pickle

import gguf
import numpy as np

import vocab
from model import SHAPE
from train import BUILD

OUTPUT = pathlib.Path(__file__).parents[2] / "runtime/drivers/llama/model/builtin.gguf"
LIMIT = 4 * 1024 * 1024

# Scales the logits, so that sampling at temperature 1 behaves like 1/SHARPEN.
# Choices that training made equally likely stay equally likely; what training
# left as noise next to a sure answer all but vanishes.
SHARPEN = 1.25

MATRICES = {
    "query": "attn_q", "key": "attn_k", "value": "attn_v", "attention_out": "attn_output",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}
NORMS = {"attention_norm": "attn_norm", "ffn_norm": "ffn_norm"}


def byte_names():
    """GPT-2's printable name for every byte: llama.cpp expects these as tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(spare)) for b in range(256)]


def write_header(writer):
    """General facts and the sizes of the architecture."""
    writer.add_name("builtin")
    writer.add_description("The tiny built-in model of mesh-node: byte-level, trained from scratch on generated text")
    writer.add_license("MIT OR Apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(vocab.CONTEXT)
    writer.add_embedding_length(SHAPE.width)
    writer.add_block_count(SHAPE.layers)
    writer.add_feed_forward_length(SHAPE.hidden)
    writer.add_head_count(SHAPE.heads)
    writer.add_head_count_kv(SHAPE.heads)
    writer.add_rope_dimension_count(SHAPE.width // SHAPE.heads)
    writer.add_rope_freq_base(SHAPE.rope_base)
    writer.add_layer_norm_rms_eps(SHAPE.epsilon)
    writer.add_vocab_size(vocab.SIZE)


def write_tokenizer(writer):
    """Byte-level BPE without merges, so that a token is a byte.

    llama.cpp wants the list of merges and the format has no empty list, so
    one merge stands in that never applies: its left side is a pair of zero
    bytes, which no merge forms.
    """
    names = byte_names()
    kinds = [gguf.TokenType.NORMAL] * vocab.BYTES + [gguf.TokenType.CONTROL] * len(vocab.SPECIALS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names + vocab.SPECIALS)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{names[0]}{names[0]} {names[0]}"])
    writer.add_bos_token_id(vocab.BEGIN)
    writer.add_eos_token_id(vocab.END)
    writer.add_eot_token_id(vocab.END)
    writer.add_pad_token_id(vocab.END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(vocab.CHAT_TEMPLATE)


def write_weights(writer, params):
    """Matrices as F16 in (output, input) order, norms as F32."""
    def half(name, matrix):
        writer.add_tensor(name, np.ascontiguousarray(matrix, dtype=np.float16))

    half("token_embd.weight", params["embed"])
    half("output.weight", params["output"].T)
    writer.add_tensor("output_norm.weight", (SHARPEN * params["output_norm"]).astype(np.float32))
    for index in range(SHAPE.layers):
        for ours, theirs in MATRICES.items():
            half(f"blk.{index}.{theirs}.weight", params["layers"][ours][index].T)
        for ours, theirs in NORMS.items():
            writer.add_tensor(f"blk.{index}.{theirs}.weight", params["layers"][ours][index].astype(np.float32))


def export(checkpoint, output):
    """Writes the file and prints its size and digest."""
    _, params, _ = pickle.loads(checkpoint.read_bytes())
    output.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(output, "llama")
    write_header(writer)
    write_tokenizer(writer)
    write_weights(writer, params)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = output.read_bytes()
    assert len(data) <= LIMIT, f"{len(data)} bytes are more than the {LIMIT} allowed"
    print(f"{output.name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=BUILD / "checkpoint.pickle")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    options = parser.parse_args()
    export(options.checkpoint, options.output)
