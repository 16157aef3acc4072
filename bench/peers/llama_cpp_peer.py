#!/usr/bin/env python3
"""llama.cpp as a contender of bench/language.py: its defaults, greedy.

usage: llama_cpp_peer.py MODEL.gguf --threads N

Prompts go through in batches of 2048 tokens, 512 at a time, as llama-bench does; several sequences
take their steps in one batch. language_protocol.py says what it reads and writes.
"""

import argparse
import time

import numpy

import llama_library
from language_protocol import serve
from llama_library import library
from protocol import versions

BATCH = 2048


class Context:
    """Room for some sequences of some length."""

    def __init__(self, model, threads, sequences, length):
        params = library.llama_context_default_params()
        params.n_ctx = sequences * length
        params.n_seq_max = sequences
        params.n_batch = BATCH
        params.n_threads = params.n_threads_batch = threads
        self.context = library.llama_init_from_model(model, params)
        if not self.context:
            raise ValueError(f"llama.cpp makes no context for {sequences} times {length} tokens")
        self.batch = library.llama_batch_init(BATCH, 0, 1)
        self.vocabulary = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))

    def clear(self):
        library.llama_memory_clear(library.llama_get_memory(self.context), True)

    def logits(self, place):
        values = library.llama_get_logits_ith(self.context, place)
        return numpy.ctypeslib.as_array(values, (self.vocabulary,))

    def all_logits(self, count):
        """Those of the last step's wanted rows [count, vocabulary], until the next step."""
        values = library.llama_get_logits(self.context)
        return numpy.ctypeslib.as_array(values, (count, self.vocabulary))

    def step(self, rows):
        """One batch of (token, position, sequence, whether logits are wanted)."""
        self.batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            self.batch.token[i], self.batch.pos[i] = token, position
            self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, sequence
            self.batch.logits[i] = wanted
        if library.llama_decode(self.context, self.batch) != 0:
            raise ValueError("llama_decode failed")

    def prefill(self, prompts):
        """The next token of each prompt, which all have one length."""
        rows = [(token, position, sequence, position == len(prompt) - 1)
                for sequence, prompt in enumerate(prompts)
                for position, token in enumerate(prompt)]
        following = []
        for begin in range(0, len(rows), BATCH):
            part = rows[begin:begin + BATCH]
            self.step(part)
            following += [int(self.logits(i).argmax()) for i, row in enumerate(part) if row[3]]
        return following

    def close(self):
        library.llama_batch_free(self.batch)
        library.llama_free(self.context)


class Language:
    def __init__(self, path, threads):
        self.model, self.threads = llama_library.load(path), threads
        self.shape, self.context = None, None

    def _context(self, sequences, length):
        """An empty one, kept from request to request."""
        if self.shape != (sequences, length):
            if self.context:
                self.context.close()
            self.context = Context(self.model, self.threads, sequences, length)
            self.shape = sequences, length
        self.context.clear()
        return self.context

    def generate(self, prompts, new_tokens):
        context = self._context(len(prompts), len(prompts[0]) + new_tokens)
        start = time.perf_counter()
        ids = [context.prefill(prompts)]
        ready = time.perf_counter()
        for position in range(len(prompts[0]), len(prompts[0]) + new_tokens - 1):
            context.step([(token, position, sequence, True)
                          for sequence, token in enumerate(ids[-1])])
            ids.append([int(context.logits(i).argmax()) for i in range(len(prompts))])
        end = time.perf_counter()
        return zip(*ids), {"prefill": (ready - start) * 1e3, "decode": (end - ready) * 1e3}

    def logits(self, window, first):
        context = self._context(1, len(window))
        context.step([(token, i, 0, first <= i < len(window) - 1)
                      for i, token in enumerate(window)])
        return context.all_logits(len(window) - 1 - first)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    language = Language(options.model, options.threads)
    serve({"name": "llama.cpp", "threads": options.threads, "versions": versions("numpy"),
           "built for": library.llama_print_system_info().decode().strip()},
          language.generate, language.logits)


if __name__ == "__main__":
    main()
