"""Hugging Face folders as exporters want them."""

import json
import pathlib

import transformers


def complete(source: pathlib.Path, folder: pathlib.Path):
    """`source` with the files that its makers would have published beside the weights."""
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        (folder / name).symlink_to((source / name).resolve())
    bins = json.loads((source / "config.json").read_text()).get("num_mel_bins", 80)
    transformers.WhisperFeatureExtractor(feature_size=bins).save_pretrained(folder)
    # No added tokens beside the file's own: the file already has every token of Whisper.
    tokenizer = transformers.WhisperTokenizerFast(tokenizer_file=str(source / "tokenizer.json"))
    tokenizer.save_pretrained(folder)
