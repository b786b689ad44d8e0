"""Runs a GGUF file with llama.cpp, through the package llama-cpp-python."""

import ctypes

import llama_cpp
import numpy as np

import vocab

CHAT = [("system", "Be brief."), ("user", "Say Grün"), ("assistant", "Grün"), ("user", "0 + 0 =\n\n")]


class LlamaCpp:
    """One thread: two spin against each other on a busy machine."""

    def __init__(self, path):
        self.model = llama_cpp.Llama(
            str(path), n_ctx=vocab.CONTEXT, n_threads=1, n_threads_batch=1, verbose=False, logits_all=False
        )

    def check_format(self):
        """Tokens are bytes, and every way to render the template agrees."""
        rendered = self.render_jinja(CHAT)
        assert rendered == self.render_native(CHAT), rendered
        tokens = self.model.tokenize(rendered.encode(), add_bos=True, special=True)
        assert tokens == vocab.prompt(CHAT), tokens
        every = "".join(map(chr, range(0x250))).encode()
        assert self.model.tokenize(every, add_bos=False, special=False) == list(every)
        assert self.model.token_eos() == vocab.END and self.model.token_bos() == vocab.BEGIN

    def render_jinja(self, chat):
        """The template in the file, rendered by Jinja."""
        formatter = llama_cpp.llama_chat_format.Jinja2ChatFormatter(
            template=self.model.metadata["tokenizer.chat_template"], eos_token="", bos_token=""
        )
        return formatter(messages=[{"role": r, "content": c} for r, c in chat]).prompt

    def render_native(self, chat):
        """The same chat through llama.cpp's list of known formats."""
        chat = [(r.encode(), c.encode()) for r, c in chat]
        array = (llama_cpp.llama_chat_message * len(chat))(*[llama_cpp.llama_chat_message(r, c) for r, c in chat])
        buffer = ctypes.create_string_buffer(4096)
        template = self.model.metadata["tokenizer.chat_template"].encode()
        length = llama_cpp.llama_chat_apply_template(template, array, len(chat), True, buffer, len(buffer))
        return buffer.raw[:length].decode()

    def generate(self, prompt, temperature, noise):
        """One answer by plain sampling (no top-k, top-p or penalty), ended by END or by the context."""
        self.model.reset()
        self.model.eval(prompt)
        tokens = list(prompt)
        while True:
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.model.ctx, -1), (vocab.SIZE,))
            tokens.append(vocab.draw(logits, temperature, noise))
            if tokens[-1] == vocab.END or len(tokens) >= vocab.CONTEXT:
                return vocab.decode(tokens[len(prompt) :]).removesuffix("<|end|>")
            self.model.eval(tokens[-1:])
