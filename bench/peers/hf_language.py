#!/usr/bin/env python3
"""Hugging Face Transformers as a contender of bench/language.py: float32 on the CPU.

usage: hf_language.py MODEL_DIR --threads N

MODEL_DIR comes from export_language.py. The run is model.generate, greedy, with the library's default
attention and cache. language_protocol.py says what it reads and writes.
"""

import argparse
import time

import torch
import transformers

from language_protocol import serve
from protocol import versions


class Language:
    def __init__(self, folder):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32).eval()
        # All contenders make as many tokens as asked for.
        self.model.generation_config.eos_token_id = None
        self.model.generation_config.pad_token_id = 0
        self.first_step_end = None
        self.model.forward = self._noting_the_first_step(self.model.forward)

    def _noting_the_first_step(self, forward):
        def noted(*arguments, **named):
            result = forward(*arguments, **named)
            if self.first_step_end is None:
                self.first_step_end = time.perf_counter()
            return result

        return noted

    @torch.inference_mode()
    def generate(self, prompts, new_tokens):
        prompts = torch.tensor(prompts)
        self.first_step_end = None
        start = time.perf_counter()
        ids = self.model.generate(prompts, attention_mask=torch.ones_like(prompts),
                                  max_new_tokens=new_tokens, do_sample=False)
        end = time.perf_counter()
        return ids[:, prompts.shape[1]:], {"prefill": (self.first_step_end - start) * 1e3,
                                           "decode": (end - self.first_step_end) * 1e3}

    @torch.inference_mode()
    def logits(self, window, first):
        return self.model(torch.tensor([window])).logits[0, first:-1].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    language = Language(options.model)
    serve({"name": "Hugging Face Transformers float32", "threads": torch.get_num_threads(),
           "versions": versions("transformers", "torch"),
           "attention": language.model.config._attn_implementation},
          language.generate, language.logits)


if __name__ == "__main__":
    main()
