#!/usr/bin/env python3
"""Writes the token ids of a text as JSON, by llama.cpp with the tokenizer of a GGUF file.

usage: tokens_of.py MODEL.gguf TEXT_FILE OUTPUT
"""

import json
import pathlib
import sys

from llama_library import load, tokenize


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: tokens_of.py MODEL.gguf TEXT_FILE OUTPUT")
    model = load(sys.argv[1], vocabulary_only=True)
    ids = tokenize(model, pathlib.Path(sys.argv[2]).read_text())
    pathlib.Path(sys.argv[3]).write_text(json.dumps(ids))


if __name__ == "__main__":
    main()
