#!/usr/bin/env python3
"""Hugging Face Transformers as a contender of bench/whisper.py: Whisper in float32 on the CPU.

usage: hf_whisper.py MODEL_DIR --threads N [--language en]

MODEL_DIR is a Hugging Face folder (`quintet convert --to safetensors`). The program reads requests
from stdin, one a line, and answers each with one line of JSON:

    info      -> {"name": ..., "versions": {...}, "threads": N, "attention": "sdpa"}
    run FILE  -> {"text": ..., "tokens": N, "ms": {"preprocess", "encode", "decode", "total"}}

The run is what a user of the library writes: the feature extractor, then model.generate, greedy,
without timestamps, with the library's default attention and caches. Reading the audio file counts
as preprocessing, as it does for the other contenders; loading the model does not count.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy
import soundfile
import torch
import transformers


class Whisper:
    def __init__(self, folder: pathlib.Path, language: str):
        self.language = language
        self.features = transformers.WhisperFeatureExtractor(feature_size=self._mel_bins(folder))
        self.tokenizer = transformers.WhisperTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json")
        )
        self.model = transformers.WhisperForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self._complete_generation_config()
        self.encode_ms = 0.0
        encoder = self.model.get_encoder()
        encoder.register_forward_pre_hook(self._encoder_starts)
        encoder.register_forward_hook(self._encoder_ends)

    @staticmethod
    def _mel_bins(folder):
        return json.loads((folder / "config.json").read_text()).get("num_mel_bins", 80)

    def _complete_generation_config(self):
        """Fills in what generate() needs where the folder brings no generation_config.json."""
        token = self.tokenizer.convert_tokens_to_ids
        config = self.model.generation_config
        config.is_multilingual = True
        config.lang_to_id = {f"<|{self.language}|>": token(f"<|{self.language}|>")}
        config.task_to_id = {"transcribe": token("<|transcribe|>")}
        config.no_timestamps_token_id = token("<|notimestamps|>")
        config.decoder_start_token_id = token("<|startoftranscript|>")
        # Without the right end the search runs on to its longest length.
        config.eos_token_id = config.pad_token_id = token("<|endoftext|>")
        config.forced_decoder_ids = None
        config.max_length = self.model.config.max_target_positions
        for name in ("suppress_tokens", "begin_suppress_tokens"):
            ids = getattr(self.model.config, name, None)
            if getattr(config, name, None) is None and ids is not None:
                setattr(config, name, ids)

    def _encoder_starts(self, *_):
        self._encoder_start = time.perf_counter()

    def _encoder_ends(self, *_):
        self.encode_ms += (time.perf_counter() - self._encoder_start) * 1e3

    @torch.inference_mode()
    def run(self, path: str) -> dict:
        start = time.perf_counter()
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate != 16000:
            raise ValueError(f"{path}: has {rate} Hz; this contender takes 16000 Hz")
        mono = numpy.ascontiguousarray(samples.mean(axis=1))
        features = self.features(mono, sampling_rate=rate, return_tensors="pt").input_features
        ready = time.perf_counter()
        self.encode_ms = 0.0
        ids = self.model.generate(
            features, language=self.language, task="transcribe", return_timestamps=False,
            num_beams=1, do_sample=False,
        )
        text = self.tokenizer.decode(ids[0], skip_special_tokens=True).strip()
        end = time.perf_counter()
        preprocess, total = (ready - start) * 1e3, (end - start) * 1e3
        return {
            "text": text,
            "tokens": int(ids.shape[-1]),
            "ms": {
                "preprocess": preprocess,
                "encode": self.encode_ms,
                "decode": total - preprocess - self.encode_ms,
                "total": total,
            },
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    whisper = Whisper(options.model, options.language)

    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "info":
            answer = {
                "name": "Hugging Face Transformers float32",
                "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
                "threads": torch.get_num_threads(),
                "attention": whisper.model.config._attn_implementation,
            }
        elif command == "run":
            try:
                answer = whisper.run(argument)
            except Exception as error:  # The driver prints it and stops.
                answer = {"error": f"{type(error).__name__}: {error}"}
        else:
            answer = {"error": f"unknown request {command!r}; known: info, run FILE"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
