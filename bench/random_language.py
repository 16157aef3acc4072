#!/usr/bin/env python3
"""Makes a language model of published shapes with random weights, as a GGUF file.

usage: .venv-bench/bin/python bench/random_language.py --shape qwen2.5-1.5b|llama-3.2-1b
       [--layers N] [--type q4_0] [--tokenizer MODEL] OUTPUT.gguf

For timing sizes whose weights are not at hand: shapes only, it speaks no language, and its
perplexity means nothing. bench/language.py --shapes --model OUTPUT.gguf takes it, peers included.
The tokenizer is that of another GGUF file, its vocabulary padded to the published size. Weights are
drawn with a fixed seed and scaled so that every layer adds about as much as the one before it,
attention picks few positions, logits have a standard deviation of LOGIT_SPREAD, and answers keep
changing: contenders in float32 agree on the tokens. --layers cuts the model for quick tests. Tensors
are drawn and written one by one, in float16, and quantised by llama-quantize.
"""

import argparse
import math
import pathlib
import sys
import typing

import numpy

import contenders
from language_contenders import GGUF_PACKAGE, LLAMA_CPP, gguf_file

sys.path.insert(0, str(GGUF_PACKAGE))
import gguf  # noqa: E402

LOGIT_SPREAD = 4.0
ATTENTION_GAIN = 1.6  # Of queries and keys: their products spread by its square.
OUTPUT_GAIN = 0.3  # Of attention's output; with 1, deep models say one token for ever.
BIAS_SPREAD = 0.3
NORM_SPREAD = 0.1  # Around 1.
ROWS_AT_ONCE = 4096


class Shape(typing.NamedTuple):
    architecture: str
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    context: int
    theta: float
    epsilon: float
    bias: bool  # Of queries, keys and values.
    scaling: tuple = ()  # Llama 3's: factor, low and high frequency factor, original positions.


# As in config.json of Qwen/Qwen2.5-1.5B-Instruct and meta-llama/Llama-3.2-1B-Instruct; the output
# layer of both is the embedding.
SHAPES = {
    "qwen2.5-1.5b": Shape("qwen2", 28, 1536, 8960, 12, 2, 128, 151936, 32768, 1e6, 1e-6, True),
    "llama-3.2-1b": Shape("llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072, 5e5, 1e-5, False,
                          (32.0, 1.0, 4.0, 8192)),
}


class Tensor(typing.NamedTuple):
    name: str
    shape: tuple
    spread: float
    mean: float = 0.0
    dtype: type = numpy.float32


def linear(name, outputs, inputs, gain=1.0):
    return Tensor(f"{name}.weight", (outputs, inputs), gain / inputs**0.5, dtype=numpy.float16)


def norm(name, width, mean=1.0):
    return Tensor(f"{name}.weight", (width,), NORM_SPREAD * mean, mean)


def layer_tensors(name, shape):
    queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    yield norm(f"{name}.attn_norm", shape.width)
    for part, outputs, gain in (("q", queries, ATTENTION_GAIN), ("k", keys, ATTENTION_GAIN),
                                ("v", keys, 1.0)):
        yield linear(f"{name}.attn_{part}", outputs, shape.width, gain)
        if shape.bias:
            yield Tensor(f"{name}.attn_{part}.bias", (outputs,), BIAS_SPREAD)
    yield linear(f"{name}.attn_output", shape.width, queries, OUTPUT_GAIN)
    yield norm(f"{name}.ffn_norm", shape.width)
    yield linear(f"{name}.ffn_gate", shape.feed_forward, shape.width)
    yield linear(f"{name}.ffn_up", shape.feed_forward, shape.width)
    yield linear(f"{name}.ffn_down", shape.width, shape.feed_forward)


def tensors_of(shape):
    yield linear("token_embd", shape.vocabulary, shape.width)
    for index in range(shape.layers):
        yield from layer_tensors(f"blk.{index}", shape)
    yield norm("output_norm", shape.width, LOGIT_SPREAD)


def draw(tensor, generator):
    values = numpy.empty(tensor.shape, tensor.dtype)
    for begin in range(0, tensor.shape[0], ROWS_AT_ONCE):
        part = values[begin:begin + ROWS_AT_ONCE]
        drawn = generator.standard_normal(part.shape, dtype=numpy.float32)
        drawn *= tensor.spread
        part[...] = drawn + numpy.float32(tensor.mean) if tensor.mean else drawn
    return values


def rope_divisors(shape):
    """Of each frequency, as llama.cpp's convert_hf_to_gguf.py computes them for Llama 3."""
    factor, low, high, positions = shape.scaling
    divisors = []
    for i in range(shape.head // 2):
        turns = positions * shape.theta ** (-2 * i / shape.head) / (2 * math.pi)
        share = min(max((turns - low) / (high - low), 0.0), 1.0)
        divisors.append(1 / ((1 - share) / factor + share))
    return numpy.array(divisors, numpy.float32)


def add_shape(writer, name, shape):
    writer.add_name(f"{name} shapes, random weights")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def add_tokenizer(writer, source, vocabulary):
    """That of the file `source`; the tokens that it lacks are unused ones."""
    reader = gguf.GGUFReader(source)
    for name, field in reader.fields.items():
        if not name.startswith("tokenizer."):
            continue
        values = field.contents()
        if name == "tokenizer.ggml.tokens":
            if len(values) > vocabulary:
                sys.exit(f"random_language.py: {source}: has {len(values)} tokens, "
                         f"at most {vocabulary} fit")
            values += [f"[unused {i}]" for i in range(len(values), vocabulary)]
        elif name == "tokenizer.ggml.token_type":
            values += [int(gguf.TokenType.UNUSED)] * (vocabulary - len(values))
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, values)
        else:
            writer.add_key_value(name, values, field.types[0])


def write(path, name, shape, tokenizer):
    writer = gguf.GGUFWriter(path, shape.architecture)
    add_shape(writer, name, shape)
    add_tokenizer(writer, tokenizer, shape.vocabulary)
    tensors = list(tensors_of(shape))
    for tensor in tensors:
        count = math.prod(tensor.shape)
        writer.add_tensor_info(tensor.name, tensor.shape, numpy.dtype(tensor.dtype),
                               count * numpy.dtype(tensor.dtype).itemsize)
    divisors = rope_divisors(shape) if shape.scaling else None
    if divisors is not None:
        writer.add_tensor_info("rope_freqs.weight", divisors.shape, divisors.dtype, divisors.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    generator = numpy.random.Generator(numpy.random.PCG64(1))
    for tensor in tensors:
        writer.write_tensor_data(draw(tensor, generator))
    if divisors is not None:
        writer.write_tensor_data(divisors)
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path, help="its name should end as in -q4_0.gguf")
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--layers", type=int, help="fewer than published, for quick tests")
    parser.add_argument("--type", default="q4_0", help="f16, or one that llama-quantize knows")
    parser.add_argument("--tokenizer", dest="model", default="smollm2-135m",
                        help="installed model, folder or file with a GGUF model")
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    if options.layers is not None:
        if not 1 <= options.layers <= shape.layers:
            parser.error(f"--layers: from 1 to {shape.layers}")
        shape = shape._replace(layers=options.layers)
    plain = options.output.with_name(options.output.name + ".f16")
    try:
        write(plain, options.shape, shape, gguf_file(options))
        if options.type == "f16":
            plain.rename(options.output)
        else:
            contenders.check_output([LLAMA_CPP / "build/bin/llama-quantize", plain, options.output,
                                     options.type.upper()])
    finally:
        plain.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        main()
    except contenders.Failure as failure:
        sys.exit(f"random_language.py: {failure}")
