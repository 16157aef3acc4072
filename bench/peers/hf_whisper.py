#!/usr/bin/env python3
"""Hugging Face Transformers as a contender of bench/whisper.py: Whisper in float32 on the CPU.

usage: hf_whisper.py MODEL_DIR --threads N [--language en]

MODEL_DIR is a Hugging Face folder (`quintet convert --to safetensors`). The run is what a user of
the library writes: the feature extractor, then model.generate, greedy, without timestamps, with the
library's default attention and caches; only the first 30 s of the audio are heard.
bench/peers/protocol.py says what it reads and writes.
"""

import argparse
import json
import pathlib
import time

import torch
import transformers

from protocol import RATE, Stopwatch, read_audio, serve, versions


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
        self.encoding = Stopwatch()
        encoder = self.model.get_encoder()
        encoder.forward = self.encoding.around(encoder.forward)

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

    @torch.inference_mode()
    def run(self, path: str) -> dict:
        start = time.perf_counter()
        features = self.features(
            read_audio(path), sampling_rate=RATE, return_tensors="pt"
        ).input_features
        ready = time.perf_counter()
        ids = self.model.generate(
            features, language=self.language, task="transcribe", return_timestamps=False,
            num_beams=1, do_sample=False,
        )
        text = self.tokenizer.decode(ids[0], skip_special_tokens=True).strip()
        encode = self.encoding.take()
        return {
            "text": text,
            "tokens": int(ids.shape[-1]),
            "ms": {
                "preprocess": (ready - start) * 1e3,
                "encode": encode,
                "decode": (time.perf_counter() - ready) * 1e3 - encode,
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
    serve({"name": "Hugging Face Transformers float32", "threads": torch.get_num_threads(),
           "versions": versions("transformers", "torch"),
           "attention": whisper.model.config._attn_implementation}, whisper.run)


if __name__ == "__main__":
    main()
