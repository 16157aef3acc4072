#!/usr/bin/env python3
"""Writes tiny random decoders in Hugging Face format, each with golden tensors of transformers.

    tools/make_tiny_goldens.py tests/goldens [NAME ...]

Each becomes FOLDER/tiny-NAME with config.json, model.safetensors and golden.safetensors: token ids,
the states behind each layer, logits, and a greedy continuation. Needs torch, safetensors and
transformers. Weights are drawn on the CPU from fixed seeds, so a folder can be made again.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

BASE = dict(vocab_size=512, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
            tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2)

# Name: class, configuration beside BASE, what the model is there for.
MODELS = {
    "mistral": ("MistralForCausalLM", transformers.MistralConfig,
                dict(sliding_window=8, head_dim=16), "Sliding window 8 in every layer."),
    "phi3": ("Phi3ForCausalLM", transformers.Phi3Config,
             dict(sliding_window=8, tie_word_embeddings=False),
             "Fused qkv_proj and gate_up_proj, sliding window 8, untied head."),
    "llama-bias": ("LlamaForCausalLM", transformers.LlamaConfig,
                   dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
                   "Biases in attention and feed-forward, untied head."),
}
NEW_TOKENS = 24


def widen(model):
    """Draws weights that keep logits well apart: those of a fresh model are almost flat."""
    generator = torch.Generator().manual_seed(7)
    for name, weight in model.named_parameters():
        draw = torch.randn(weight.shape, generator=generator)
        if weight.dim() >= 2:
            weight.data = draw * 1.5 / weight[0].numel() ** 0.5
        elif "bias" in name:
            weight.data = draw * 0.05
        else:
            weight.data = 1 + draw * 0.1


def golden_tensors(model, vocabulary):
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(5, vocabulary, (2, 17), generator=generator)
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
        greedy = model.generate(ids[:1], max_new_tokens=NEW_TOKENS, do_sample=False,
                                pad_token_id=0, eos_token_id=-1)
    states = {f"hidden_{i}": state for i, state in enumerate(out.hidden_states)}
    return {"input_ids": ids, "logits": out.logits, **states, "greedy": greedy}


def write(folder, class_name, config, note):
    model = getattr(transformers, class_name)._from_config(
        config, attn_implementation="eager", dtype=torch.float32).eval()
    widen(model)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    golden = golden_tensors(model, config.vocab_size)
    save_file({k: v.contiguous().clone() for k, v in golden.items()},
              folder / "golden.safetensors")
    description = {
        "transformers": transformers.__version__, "torch": torch.__version__, "dtype": "float32",
        "attention": "eager", "tensors": {k: list(v.shape) for k, v in golden.items()},
        "note": f"{note} hidden_0 = embeddings, hidden_i = output of layer i (the last one after "
                f"the final norm); greedy = prompt row 0 followed by {NEW_TOKENS} greedy tokens"}
    (folder / "golden.json").write_text(json.dumps(description, indent=1))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    unknown = set(sys.argv[2:]) - set(MODELS)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(MODELS)}")
    for name in sys.argv[2:] or MODELS:
        class_name, config, changes, note = MODELS[name]
        write(Path(sys.argv[1]) / f"tiny-{name}", class_name, config(**{**BASE, **changes}), note)
        print(name)


if __name__ == "__main__":
    main()
