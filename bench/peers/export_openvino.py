#!/usr/bin/env python3
"""Writes a Hugging Face Whisper folder as an OpenVINO folder with int8 weights, as its makers do.

usage: .venv-export/bin/python bench/peers/export_openvino.py MODEL_DIR OUTPUT_DIR

MODEL_DIR is what `quintet convert --to safetensors` writes. The export is that of
`optimum-cli export openvino --weight-format int8`: stateful decoder, asymmetric int8 weights by
output channel, tokenizer and detokenizer as models.
"""

import argparse
import pathlib
import tempfile

import nncf
import openvino
from optimum.exporters.openvino import main_export

from hugging_face import complete


def quantize(path: pathlib.Path):
    model = nncf.compress_weights(openvino.Core().read_model(path),
                                  mode=nncf.CompressWeightsMode.INT8_ASYM)
    written = path.with_name("quantized.xml")
    openvino.save_model(model, written)
    del model  # It maps the file that is replaced now.
    for suffix in (".xml", ".bin"):
        written.with_suffix(suffix).replace(path.with_suffix(suffix))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        complete(options.model, pathlib.Path(folder))
        main_export(folder, options.output, task="automatic-speech-recognition-with-past",
                    convert_tokenizer=True, local_files_only=True)
    for part in ("encoder", "decoder"):
        quantize(options.output / f"openvino_{part}_model.xml")


if __name__ == "__main__":
    main()
