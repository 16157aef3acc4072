#!/usr/bin/env python3
"""Writes a Hugging Face Whisper folder as an OpenVINO folder with int8 weights, as its makers do.

usage: .venv-export/bin/python bench/peers/export_openvino.py MODEL_DIR OUTPUT_DIR

MODEL_DIR is what `quintet convert --to safetensors` writes. The export is that of
`optimum-cli export openvino --weight-format int8`: stateful decoder, asymmetric int8 weights by
output channel, tokenizer and detokenizer as models.
"""

import argparse
import json
import pathlib
import tempfile

import transformers
from optimum.exporters.openvino import main_export
from optimum.intel import OVConfig, OVWeightQuantizationConfig


def complete(source: pathlib.Path, folder: pathlib.Path):
    """`source` with the files that its makers would have published beside the weights."""
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        (folder / name).symlink_to((source / name).resolve())
    bins = json.loads((source / "config.json").read_text()).get("num_mel_bins", 80)
    transformers.WhisperFeatureExtractor(feature_size=bins).save_pretrained(folder)
    # No added tokens beside the file's own: the file already has every token of Whisper.
    tokenizer = transformers.WhisperTokenizerFast(tokenizer_file=str(source / "tokenizer.json"))
    tokenizer.save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        complete(options.model, pathlib.Path(folder))
        main_export(
            folder, options.output, task="automatic-speech-recognition-with-past",
            ov_config=OVConfig(quantization_config=OVWeightQuantizationConfig(bits=8)),
            local_files_only=True)


if __name__ == "__main__":
    main()
