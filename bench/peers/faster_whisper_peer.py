#!/usr/bin/env python3
"""faster-whisper (CTranslate2) as a contender of bench/: Whisper in int8, greedy.

usage: faster_whisper_peer.py MODEL_DIR --threads N [--batch N] [--compute int8] [--language en]

MODEL_DIR is a CTranslate2 folder. With --batch the batched pipeline runs, which cuts the audio at
silences; without it, window after window. bench/peers/protocol.py says what it reads and writes.
"""

import argparse

from faster_whisper import BatchedInferencePipeline, WhisperModel

from protocol import Stopwatch, read_audio, serve, versions


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--compute", default="int8")
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    model = WhisperModel(options.model, device="cpu", compute_type=options.compute,
                         cpu_threads=options.threads, num_workers=1, local_files_only=True)
    features, encoder = Stopwatch(), Stopwatch()
    model.feature_extractor.__class__.__call__ = features.around(
        model.feature_extractor.__class__.__call__)
    model.encode = encoder.around(model.encode)
    search = {"beam_size": 1, "language": options.language}
    if options.batch:
        pipeline = BatchedInferencePipeline(model)
        search["batch_size"] = options.batch
    else:
        pipeline = model
        search["condition_on_previous_text"] = False

    def run(path):
        samples = read_audio(path)
        # Without timestamps only the first 30 s of each piece would be read.
        long = len(samples) > 30 * model.feature_extractor.sampling_rate
        segments, _ = pipeline.transcribe(
            samples, without_timestamps=bool(options.batch) or not long, **search)
        text = " ".join(segment.text.strip() for segment in segments)
        return {"text": text, "ms": {"preprocess": features.take(), "encode": encoder.take()}}

    serve({"name": f"faster-whisper {options.compute}",
           "versions": versions("faster-whisper", "ctranslate2"), "threads": options.threads,
           "batch": options.batch}, run)


if __name__ == "__main__":
    main()
