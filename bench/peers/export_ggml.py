#!/usr/bin/env python3
"""Writes a Hugging Face Whisper folder as a model file of whisper.cpp.

usage: export_ggml.py MODEL_DIR OUTPUT.bin --type f16|q8_0|q5_1|q4_0

MODEL_DIR is what `quintet convert --to safetensors` writes. The file holds, all little-endian: the
magic number, eleven sizes, the mel filters, the text tokens, and then each tensor with its name.
Matrices are of the given type; convolutions are float16, vectors and positions float32. Blocks are
quantised to the nearest value, as whisper.cpp's own tool does.
"""

import argparse
import json
import pathlib
import re
import struct

import numpy
import safetensors.numpy
import transformers

MAGIC = 0x67676D6C
QUANTIZATION_VERSION = 2
BLOCK = 32
# Name of the type -> its number for a tensor, and for a file.
TYPES = {"f32": (0, 0), "f16": (1, 1), "q4_0": (2, 2), "q5_1": (7, 9), "q8_0": (8, 7)}

NAMES = [(re.compile(pattern), name) for pattern, name in (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"(self|encoder)_attn\.k_proj", r"\1_attn.key"),
    (r"(self|encoder)_attn\.v_proj", r"\1_attn.value"),
    (r"(self|encoder)_attn\.q_proj", r"\1_attn.query"),
    (r"(self|encoder)_attn\.out_proj", r"\1_attn.out"),
    (r"self_attn_layer_norm", "attn_ln"),
    (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"self_attn", "attn"),
    (r"encoder_attn", "cross_attn"),
    (r"final_layer_norm", "mlp_ln"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
    (r"^encoder\.layer_norm", "encoder.ln_post"),
    (r"^decoder\.layer_norm", "decoder.ln"),
    (r"embed_positions\.weight", "positional_embedding"),
    (r"embed_tokens", "token_embedding"),
)]


def name_of(name):
    for pattern, replacement in NAMES:
        name = pattern.sub(replacement, name)
    return name


def round_away(values):
    return numpy.trunc(values + numpy.copysign(0.5, values))


def q8_0(blocks):
    scale = numpy.abs(blocks).max(axis=1, keepdims=True) / 127
    inverse = numpy.divide(1, scale, out=numpy.zeros_like(scale), where=scale != 0)
    return scale.astype("<f2"), round_away(blocks * inverse).astype(numpy.int8)


def halves(values):
    """Values below 16: the first half of a block in the low, the second in the high four bits."""
    return (values[:, : BLOCK // 2] | values[:, BLOCK // 2:] << 4).astype(numpy.uint8)


def q4_0(blocks):
    at = numpy.abs(blocks).argmax(axis=1)
    scale = (numpy.take_along_axis(blocks, at[:, None], 1) / -8).astype(numpy.float32)
    inverse = numpy.divide(1, scale, out=numpy.zeros_like(scale), where=scale != 0)
    values = numpy.clip(numpy.trunc(blocks * inverse + 8.5), 0, 15).astype(numpy.uint8)
    return scale.astype("<f2"), halves(values)


def q5_1(blocks):
    low = blocks.min(axis=1, keepdims=True)
    scale = (blocks.max(axis=1, keepdims=True) - low) / 31
    inverse = numpy.divide(1, scale, out=numpy.zeros_like(scale), where=scale != 0)
    values = numpy.clip(numpy.trunc((blocks - low) * inverse + 0.5), 0, 31).astype(numpy.uint8)
    fifth = numpy.packbits(values >> 4, axis=1, bitorder="little")
    return scale.astype("<f2"), low.astype("<f2"), fifth, halves(values & 15)


QUANTIZERS = {"q8_0": q8_0, "q4_0": q4_0, "q5_1": q5_1}


def encode(tensor, kind):
    if kind == "f32":
        return tensor.astype("<f4").tobytes()
    if kind == "f16":
        return tensor.astype("<f2").tobytes()
    fields = QUANTIZERS[kind](tensor.astype(numpy.float32).reshape(-1, BLOCK))
    rows = [field.view(numpy.uint8).reshape(len(field), -1) for field in fields]
    return numpy.concatenate(rows, axis=1).tobytes()


def type_of(name, tensor, matrices):
    if name.endswith("positional_embedding") or tensor.ndim == 1:
        return "f32"
    return "f16" if tensor.ndim == 3 else matrices


def text_tokens(folder):
    """The bytes of every text token, by number; the special ones behind them are left out."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable}
    byte_of.update({chr(256 + index): byte for index, byte in enumerate(rest)})
    tokens = sorted(model["vocab"].items(), key=lambda pair: pair[1])
    return [bytes(byte_of[c] for c in token) for token, _ in tokens if not token.startswith("<|")]


def write_header(file, folder, config, matrices):
    number = TYPES[matrices][1]
    if matrices in QUANTIZERS:
        number += 1000 * QUANTIZATION_VERSION
    file.write(struct.pack(
        "<12i", MAGIC, config["vocab_size"], config["max_source_positions"], config["d_model"],
        config["encoder_attention_heads"], config["encoder_layers"],
        config["max_target_positions"], config["d_model"], config["decoder_attention_heads"],
        config["decoder_layers"], config["num_mel_bins"], number))
    extractor = transformers.WhisperFeatureExtractor(feature_size=config["num_mel_bins"])
    filters = extractor.mel_filters.T
    file.write(struct.pack("<2i", *filters.shape))
    file.write(filters.astype("<f4").tobytes())
    tokens = text_tokens(folder)
    file.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        file.write(struct.pack("<i", len(token)) + token)


def write_tensor(file, name, tensor, matrices):
    kind = type_of(name, tensor, matrices)
    if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        tensor = tensor.reshape(-1, 1)  # whisper.cpp adds it to a transposed result.
    file.write(struct.pack("<3i", tensor.ndim, len(name), TYPES[kind][0]))
    file.write(struct.pack(f"<{tensor.ndim}i", *reversed(tensor.shape)))
    file.write(name.encode() + encode(tensor, kind))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--type", choices=[kind for kind in TYPES if kind != "f32"], required=True)
    options = parser.parse_args()
    config = json.loads((options.model / "config.json").read_text())
    tensors = safetensors.numpy.load_file(options.model / "model.safetensors")
    with open(options.output, "wb") as file:
        write_header(file, options.model, config, options.type)
        for name, tensor in tensors.items():
            if name != "proj_out.weight":  # The token embedding once more.
                write_tensor(file, name_of(name), tensor, options.type)


if __name__ == "__main__":
    main()
