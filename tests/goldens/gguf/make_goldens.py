#!/usr/bin/env python3
"""Writes types.gguf, a file with a tensor of every type and metadata of every kind, and
expected.safetensors, the same tensors in float32 by the numpy conversions of the `gguf` package.

usage: python make_goldens.py          needs gguf (0.19.0), numpy and safetensors from PyPI

Blocks are random bytes, whose scales are set to ordinary half-precision numbers.
"""

import pathlib

import numpy
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
SHAPE = (3, 512)
# Format -> where in a block the half-precision numbers stand.
BLOCKS = {Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2],
          Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}


def random_blocks(random, kind, halves):
    values, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (SHAPE[0], SHAPE[1] // values, size), dtype=numpy.uint8)
    for at in halves:
        numbers = random.normal(0, 0.1, blocks.shape[:2]).astype(numpy.float16)
        blocks[..., at:at + 2] = numbers[..., None].view(numpy.uint8)
    return blocks.reshape(SHAPE[0], -1)


def add_metadata(writer):
    writer.add_block_count(2)
    writer.add_key_value("test.u8", 200, GGUFValueType.UINT8)
    writer.add_key_value("test.i8", -100, GGUFValueType.INT8)
    writer.add_key_value("test.u16", 60000, GGUFValueType.UINT16)
    writer.add_key_value("test.i16", -30000, GGUFValueType.INT16)
    writer.add_key_value("test.u32", 4000000000, GGUFValueType.UINT32)
    writer.add_key_value("test.i32", -2000000000, GGUFValueType.INT32)
    writer.add_key_value("test.u64", 2**63, GGUFValueType.UINT64)
    writer.add_key_value("test.i64", -2**62, GGUFValueType.INT64)
    writer.add_key_value("test.f32", 1e-5, GGUFValueType.FLOAT32)
    writer.add_key_value("test.f64", 0.1, GGUFValueType.FLOAT64)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "Grüße\n")
    writer.add_array("test.strings", ["", "a", "Ġb"])
    writer.add_array("test.ints", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -0.25])
    writer.add_array("test.bools", [True, False])
    writer.add_array("test.long", list(range(100)))


def main():
    random = numpy.random.default_rng(7)
    writer = GGUFWriter(HERE / "types.gguf", "test")
    add_metadata(writer)
    plain = random.normal(0, 1, (2, 3, 4)).astype(numpy.float32)
    writer.add_tensor("f32", plain)
    writer.add_tensor("f16", plain.astype(numpy.float16))
    writer.add_tensor("bf16", (plain.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8),
                      raw_dtype=Type.BF16)
    writer.add_tensor("i32", numpy.arange(5, dtype=numpy.int32))
    for kind, halves in BLOCKS.items():
        name = kind.name[:2].lower() + kind.name[2:]
        writer.add_tensor(name, random_blocks(random, kind, halves), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    reader = GGUFReader(HERE / "types.gguf")
    expected = {}
    for tensor in reader.tensors:
        values = (tensor.data.astype(numpy.float32) if tensor.tensor_type == Type.I32
                  else dequantize(tensor.data, tensor.tensor_type))
        expected[tensor.name] = numpy.ascontiguousarray(
            values.reshape(tensor.shape[::-1]).astype(numpy.float32))
    save_file(expected, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
