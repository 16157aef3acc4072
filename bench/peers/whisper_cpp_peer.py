#!/usr/bin/env python3
"""whisper.cpp, through pywhispercpp, as a contender of bench/: greedy, flash attention.

usage: whisper_cpp_peer.py MODEL.bin --threads N [--short-context] [--language en]

MODEL.bin comes from export_ggml.py. --short-context sets audio_ctx from the length of the audio,
with the margin of 128 positions that its users recommend; else the encoder runs over 30 s.
bench/peers/protocol.py says what it reads and writes.
"""

import argparse
import math
import os
import re
import tempfile

import _pywhispercpp
from pywhispercpp.model import Model

from protocol import RATE, read_audio, serve, versions

POSITIONS, MARGIN = 1500, 128  # Of the encoder: 50 a second.


def short_context(samples):
    return min(POSITIONS, math.ceil(len(samples) / RATE * 50) + MARGIN)


def stages(model):
    """{stage: milliseconds} since the last call; the library only prints them."""
    with tempfile.TemporaryFile("w+") as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        model.print_timings()
        os.dup2(kept, 2)
        os.close(kept)
        file.seek(0)
        found = re.findall(r"(\w+) time = *([\d.]+) ms", file.read())
    _pywhispercpp.whisper_reset_timings(model._ctx)
    ms = {name: float(value) for name, value in found}
    decode = sum(ms.get(name, 0.0) for name in ("sample", "decode", "batchd", "prompt"))
    return {"preprocess": ms.get("mel", 0.0), "encode": ms.get("encode", 0.0), "decode": decode}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--short-context", action="store_true")
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    model = Model(options.model, n_threads=options.threads, language=options.language,
                  redirect_whispercpp_logs_to=None, print_progress=False, print_timestamps=False,
                  context_params={"flash_attn": True, "use_gpu": False})

    def run(path):
        samples = read_audio(path)
        context = short_context(samples) if options.short_context else 0
        long = len(samples) > 30 * RATE
        segments = model.transcribe(samples, audio_ctx=context, no_timestamps=not long,
                                    greedy={"best_of": 1})
        return {"text": " ".join(segment.text.strip() for segment in segments),
                "ms": stages(model)}

    serve({"name": "whisper.cpp", "versions": versions("pywhispercpp"), "threads": options.threads,
           "built for": _pywhispercpp.whisper_print_system_info().strip()}, run)


if __name__ == "__main__":
    main()
