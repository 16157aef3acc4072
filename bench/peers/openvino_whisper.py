#!/usr/bin/env python3
"""OpenVINO GenAI as a contender of bench/: Whisper with int8 weights, computing as it does by
default (bfloat16 where the processor has it).

usage: openvino_whisper.py MODEL_DIR --threads N [--language en]

MODEL_DIR comes from export_openvino.py. bench/peers/protocol.py says what it reads and writes.
"""

import argparse

import openvino
import openvino_genai

from protocol import read_audio, serve, versions


MAX_TOKENS = 440  # Of a window of 30 s: the exported folder does not say.


def precision_of(core):
    return core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    pipeline = openvino_genai.WhisperPipeline(
        options.model, "CPU", INFERENCE_NUM_THREADS=options.threads, PERFORMANCE_HINT="LATENCY")

    def run(path):
        result = pipeline.generate(read_audio(path), language=f"<|{options.language}|>",
                                   task="transcribe", return_timestamps=False,
                                   max_new_tokens=MAX_TOKENS)
        stages = result.perf_metrics.whisper_raw_metrics
        encode = sum(stages.encode_inference_durations) / 1e3
        decode = sum(stages.decode_inference_durations) / 1e3
        features = sum(stages.features_extraction_durations) / 1e3
        return {"text": result.texts[0].strip(),
                "ms": {"preprocess": features, "encode": encode, "decode": decode}}

    serve({"name": "OpenVINO GenAI, int8 weights",
           "versions": versions("openvino", "openvino-genai"), "threads": options.threads,
           "compute": precision_of(openvino.Core())}, run)


if __name__ == "__main__":
    main()
