#!/usr/bin/env python3
"""Writes a Hugging Face language model as an OpenVINO folder with int8 or int4 weights.

usage: .venv-export/bin/python bench/peers/export_openvino_language.py MODEL_DIR OUTPUT_DIR
       --weights int8|int4

MODEL_DIR is what export_language.py writes. As `optimum-cli export openvino --weight-format` does:
int8 is asymmetric by output channel; int4 is asymmetric, with embeddings and head in int8, in groups
of 32 inputs like the 4-bit blocks of GGUF (its 128 do not divide 576). No tokenizer: the contender gets token ids.
"""

import argparse
import pathlib

import nncf
import openvino
from optimum.exporters.openvino import main_export

SETTINGS = {
    "int8": {"mode": nncf.CompressWeightsMode.INT8_ASYM},
    "int4": {"mode": nncf.CompressWeightsMode.INT4_ASYM, "group_size": 32, "ratio": 1.0},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--weights", choices=SETTINGS, required=True)
    options = parser.parse_args()
    main_export(str(options.model), options.output, task="text-generation-with-past",
                convert_tokenizer=False, local_files_only=True)
    path = options.output / "openvino_model.xml"
    model = nncf.compress_weights(openvino.Core().read_model(path), **SETTINGS[options.weights])
    written = path.with_name("quantized.xml")
    openvino.save_model(model, written)
    del model  # It maps the file that is replaced now.
    for suffix in (".xml", ".bin"):
        written.with_suffix(suffix).replace(path.with_suffix(suffix))


if __name__ == "__main__":
    main()
