#!/usr/bin/env python3
"""Prints the token ids of a text file as JSON, by llama.cpp with the tokenizer of a GGUF file.

usage: tokens_of.py MODEL.gguf TEXT_FILE
"""

import json
import pathlib
import sys

from llama_library import load, tokenize


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: tokens_of.py MODEL.gguf TEXT_FILE")
    model = load(sys.argv[1], vocabulary_only=True)
    print(json.dumps(tokenize(model, pathlib.Path(sys.argv[2]).read_text())))


if __name__ == "__main__":
    main()
