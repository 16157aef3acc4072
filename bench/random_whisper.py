#!/usr/bin/env python3
"""Makes a Whisper of a published size with random weights that says one given sentence.

usage: .venv-bench/bin/python bench/random_whisper.py --size small|medium|large-v3|turbo OUTPUT_DIR

For timing sizes whose weights are not at hand: shapes only, it hears nothing. It is written as a
Hugging Face folder, for which bench/whisper.py takes --model; configuration, vocabulary and
generation settings come from whisper-base. The weights are random but for the decoder's positions:
the one at which a token of the sentence is due points at that token's embedding and outweighs what
the layers add, so that every contender, in every precision, decodes the same tokens to the end.
Use it with recordings of 30 s at most, and without timestamps.
"""

import argparse
import json
import pathlib
import shutil

import numpy
import safetensors.numpy
import tokenizers

from contenders import ROOT, hugging_face_folder

# Name -> width, encoder layers, decoder layers, heads, mel bins (openai/whisper, model cards).
SIZES = {
    "small": (768, 12, 12, 12, 80),
    "medium": (1024, 24, 24, 16, 80),
    "large-v3": (1280, 32, 32, 20, 128),
    "turbo": (1280, 32, 4, 20, 128),
}
POSITIONS = {"encoder": 1500, "decoder": 448}
PROMPT = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
END = "<|endoftext|>"
RECORDINGS = ROOT / "tests/data/speech/speech.jsonl"
EMBEDDING_SPREAD = 0.02
LAYER_GAIN = 0.02  # Of what a block adds to its input: 0.2 in each element after all layers.
POSITION_GAIN = 100.0  # Times an embedding: 2 in each element.


class Weights:
    def __init__(self, width, seed):
        self.width, self.tensors = width, {}
        self.generator = numpy.random.Generator(numpy.random.PCG64(seed))

    def random(self, name, shape, spread):
        values = self.generator.standard_normal(shape, dtype=numpy.float32) * spread
        self.tensors[name] = values.astype(numpy.float16)

    def linear(self, name, outputs, inputs, gain=1.0, bias=True):
        self.random(f"{name}.weight", (outputs, inputs), gain / inputs**0.5)
        if bias:
            self.random(f"{name}.bias", (outputs,), EMBEDDING_SPREAD)

    def norm(self, name):
        self.tensors[f"{name}.weight"] = numpy.ones(self.width, numpy.float16)
        self.tensors[f"{name}.bias"] = numpy.zeros(self.width, numpy.float16)

    def attention(self, name):
        for part in ("q", "k", "v"):
            self.linear(f"{name}.{part}_proj", self.width, self.width, bias=part != "k")
        self.linear(f"{name}.out_proj", self.width, self.width, LAYER_GAIN)
        self.norm(f"{name}_layer_norm")

    def layer(self, name, crossing):
        self.attention(f"{name}.self_attn")
        if crossing:
            self.attention(f"{name}.encoder_attn")
        self.linear(f"{name}.fc1", 4 * self.width, self.width)
        self.linear(f"{name}.fc2", self.width, 4 * self.width, LAYER_GAIN)
        self.norm(f"{name}.final_layer_norm")


def convolution(weights, name, width, inputs):
    weights.random(f"{name}.weight", (width, inputs, 3), (3 * inputs) ** -0.5)
    weights.random(f"{name}.bias", (width,), EMBEDDING_SPREAD)


def due_tokens(folder):
    """The token that is due behind each position of the decoder: the words of austen.wav."""
    items = [json.loads(line) for line in RECORDINGS.read_text().splitlines()]
    text = " ".join(item["text"] for item in items if item["kind"] == "austen")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    sentence = tokenizer.encode(" " + text, add_special_tokens=False).ids
    prompt = [tokenizer.token_to_id(token) for token in PROMPT]
    due = prompt[1:] + sentence
    return due + [tokenizer.token_to_id(END)] * (POSITIONS["decoder"] - len(due))


def make_weights(size, vocabulary, due):
    width, encoder_layers, decoder_layers, _, bins = SIZES[size]
    weights = Weights(width, seed=1)
    convolution(weights, "model.encoder.conv1", width, bins)
    convolution(weights, "model.encoder.conv2", width, width)
    weights.random("model.encoder.embed_positions.weight", (POSITIONS["encoder"], width), 1.0)
    for stack, layers in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        for index in range(layers):
            weights.layer(f"model.{stack}.layers.{index}", crossing=stack == "decoder")
        weights.norm(f"model.{stack}.layer_norm")
    embedding = "model.decoder.embed_tokens.weight"
    weights.random(embedding, (vocabulary, width), EMBEDDING_SPREAD)
    weights.tensors["model.decoder.embed_positions.weight"] = (
        weights.tensors[embedding][due] * numpy.float16(POSITION_GAIN))
    return weights.tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/quintet")
    parser.set_defaults(model="whisper-base")
    options = parser.parse_args()
    base = hugging_face_folder(options)
    width, encoder_layers, decoder_layers, heads, bins = SIZES[options.size]
    config = json.loads((base / "config.json").read_text())
    config.update(
        d_model=width, encoder_layers=encoder_layers, decoder_layers=decoder_layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width, num_mel_bins=bins, num_hidden_layers=encoder_layers)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name in ("tokenizer.json", "generation_config.json"):
        shutil.copyfile(base / name, options.output / name)
    tensors = make_weights(options.size, config["vocab_size"], due_tokens(base))
    safetensors.numpy.save_file(tensors, options.output / "model.safetensors",
                                metadata={"format": "pt"})


if __name__ == "__main__":
    main()
