#!/usr/bin/env python3
"""Writes a GGUF file of Llama or Qwen 2 as a Hugging Face folder in float32: the same weights,
de-quantised, for peers that do not read GGUF. No tokenizer: the contenders get token ids.

usage: export_language.py MODEL.gguf OUTPUT_DIR --gguf-package FOLDER

FOLDER holds the Python package `gguf`; llama.cpp's sources bring it along.
"""

import argparse
import json
import pathlib
import sys

import numpy
from safetensors.numpy import save_file

# Name in the file, without "blk.N." -> name in the layer.
LAYER = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# general.architecture -> the class; Qwen 2's files have queries and keys in published order.
CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def published_name(name):
    stem, _, suffix = name.rpartition(".")
    if stem in WHOLE:
        return f"{WHOLE[stem]}.{suffix}"
    _, layer, kind = stem.split(".")
    return f"model.layers.{layer}.{LAYER[kind]}.{suffix}"


def in_published_order(values, heads):
    """Rows of queries or keys of each head: GGUF has the pairs of a rotation side by side, Hugging
    Face the first halves before the second."""
    return values.reshape(heads, -1, 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)


def llama3_scaling(divisors):
    """Llama 3's settings, of which its files keep only what comes out: a divisor of each frequency.
    All but the factor are the same in every Llama 3."""
    return {"rope_type": "llama3", "factor": float(divisors.max()), "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


def config_of(architecture, field, tensors, divisors):
    heads = field("attention.head_count")
    scaling = {} if divisors is None else {"rope_scaling": llama3_scaling(divisors)}
    return {
        "architectures": [CLASSES[architecture]], "model_type": architecture,
        "torch_dtype": "float32", **scaling,
        "vocab_size": tensors["model.embed_tokens.weight"].shape[0],
        "hidden_size": field("embedding_length"),
        "intermediate_size": field("feed_forward_length"),
        "num_hidden_layers": field("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": field("attention.head_count_kv", heads),
        "max_position_embeddings": field("context_length"),
        "rms_norm_eps": field("attention.layer_norm_rms_epsilon"),
        "rope_theta": field("rope.freq_base", 10000.0), "hidden_act": "silu",
        "tie_word_embeddings": "lm_head.weight" not in tensors,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--gguf-package", type=pathlib.Path, required=True)
    options = parser.parse_args()
    sys.path.insert(0, str(options.gguf_package))
    import gguf

    reader = gguf.GGUFReader(options.model)
    architecture = reader.get_field("general.architecture").contents()
    if architecture not in CLASSES:
        sys.exit(f"export_language.py: {options.model}: is '{architecture}'; known are "
                 + ", ".join(CLASSES))

    def field(name, fallback=None):
        found = reader.get_field(f"{architecture}.{name}")
        return found.contents() if found else fallback

    heads = {}
    if architecture == "llama":
        heads["attn_q"] = field("attention.head_count")
        heads["attn_k"] = field("attention.head_count_kv", heads["attn_q"])
    tensors, divisors = {}, None
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        if tensor.name == "rope_freqs.weight":
            divisors = values
            continue
        for kind, count in heads.items():
            if f".{kind}." in tensor.name:
                values = in_published_order(values, count)
        tensors[published_name(tensor.name)] = numpy.ascontiguousarray(values)
    options.output.mkdir(parents=True)
    save_file(tensors, options.output / "model.safetensors", metadata={"format": "pt"})
    config = config_of(architecture, field, tensors, divisors)
    (options.output / "config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
