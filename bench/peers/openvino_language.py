#!/usr/bin/env python3
"""OpenVINO GenAI as a contender of bench/language.py, computing and caching as it does by default
(bfloat16 where the processor has it, an int8 cache of keys and values), but without reusing what it
still knows of an earlier request with the same prompt: each run computes its whole prefill.

usage: openvino_language.py MODEL_DIR --threads N

MODEL_DIR comes from export_openvino_language.py. Logits are those of the same model in OpenVINO's
runtime, because the pipeline gives none. language_protocol.py says what it reads and writes.
"""

import argparse
import time

import numpy
import openvino
import openvino_genai

from language_protocol import serve
from openvino_whisper import precision_of
from protocol import versions


# As in the pipeline's own settings: a prompt goes through in one piece.
UNLIMITED = 2**63 - 1


class Logits:
    """The network without the pipeline around it."""

    def __init__(self, folder, properties):
        core = openvino.Core()
        self.request = core.compile_model(f"{folder}/openvino_model.xml", "CPU",
                                          properties).create_infer_request()

    def __call__(self, window, first):
        self.request.reset_state()
        positions = numpy.arange(len(window), dtype=numpy.int64)[None]
        result = self.request.infer({
            "input_ids": numpy.array([window], dtype=numpy.int64), "position_ids": positions,
            "attention_mask": numpy.ones_like(positions), "beam_idx": numpy.zeros(1, numpy.int32)})
        return result["logits"][0, first:-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    properties = {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY"}
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    scheduler.max_num_batched_tokens = UNLIMITED
    pipeline = openvino_genai.LLMPipeline(options.model, "CPU", scheduler_config=scheduler,
                                          **properties)
    loaded = []  # The network alone, once somebody asks.

    def generate(prompts, new_tokens):
        ids = numpy.array(prompts, dtype=numpy.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids),
                                                openvino.Tensor(numpy.ones_like(ids)))
        config = openvino_genai.GenerationConfig(max_new_tokens=new_tokens, ignore_eos=True,
                                                 do_sample=False)
        start = time.perf_counter()
        result = pipeline.generate(inputs, config)
        total = (time.perf_counter() - start) * 1e3
        prefill = result.perf_metrics.get_ttft().mean
        return result.tokens, {"prefill": prefill, "decode": total - prefill}

    def logits(window, first):
        if not loaded:
            loaded.append(Logits(options.model, properties))
        return loaded[0](window, first)

    serve({"name": "OpenVINO GenAI", "versions": versions("openvino", "openvino-genai"),
           "threads": options.threads, "compute": precision_of(openvino.Core())}, generate, logits)


if __name__ == "__main__":
    main()
