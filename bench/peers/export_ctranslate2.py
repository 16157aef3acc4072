#!/usr/bin/env python3
"""Writes a Hugging Face Whisper folder as a CTranslate2 folder, float16 as published ones are.

usage: .venv-export/bin/python bench/peers/export_ctranslate2.py MODEL_DIR OUTPUT_DIR
"""

import argparse
import pathlib
import tempfile

from ctranslate2.converters import TransformersConverter

from hugging_face import complete


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        complete(options.model, pathlib.Path(folder))
        converter = TransformersConverter(
            folder, copy_files=["tokenizer.json", "preprocessor_config.json"])
        converter.convert(str(options.output), quantization="float16")


if __name__ == "__main__":
    main()
