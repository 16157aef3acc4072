#!/usr/bin/env python3
"""Makes small.json: small tokenizers of several kinds with the ids that Hugging Face tokenizers gives.

Needs the Python package `tokenizers`; made with 0.23.3. whisper.json (texts and ids of the real
Whisper tokenizer) was made with transformers 5.23.0.
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

CORPUS = [
    "And so, my fellow Americans: ask not what your country can do for you.",
    "The naïve café serves crème brûlée for 12,345.67 dollars; don't ask, it's good!",
    "def f(x):\n    return x ** 2\n\n\nprint(f(10))  # a hundred 100 1000 2024\n",
    "What colour is the shape left of the red circle? It's a blue square, I'll say.",
    "你好，世界。 こんにちは世界 🙂👍🏽 emoji",
] * 3

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEXTS = [
    "",
    " ",
    "Hello world",
    " And so, my fellow Americans",
    "naïve café — “quotes”",
    "  double  spaces\n\tand tabs   ",
    "\n\n  \n x\r\n\r\ny",
    "你好，世界",
    "emoji 🙂👍🏽",
    "I'll we've don't IT'S",
    "12,345.67 and 1234567890 ½ Ⅻ",
    "a" * 40,
    "cafe\u0301 e\u0301",
    "nbsp\u00a0wide\u3000space\u2028line",
    "def f(x):\n    return x**2\n",
    "<|sep|>",
    "x<|sep|>y <|sep|> z",
    "some [MASK] here",
    "  [MASK]  [MASK]x",
    "word wordy sword word",
    "caf\u00e9tok cafe\u0301tok",
    "<tag><tagged>",
]


def train(tokenizer):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(["<|sep|>"])
    tokenizer.add_tokens([
        AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False),
        AddedToken("caf\u00e9tok", normalized=True),
        AddedToken("<tag>", normalized=False),
        AddedToken("<tagged>", rstrip=True, normalized=False),
    ])


def byte_level(**options):
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, **options})


def split(pattern, behavior, invert=False):
    return pre_tokenizers.Split(pattern, behavior, invert)


KINDS = {
    "gpt2": (None, byte_level()),
    "gpt2_prefix_space": (None, byte_level(add_prefix_space=True)),
    "smollm": (None, [pre_tokenizers.Digits(True), byte_level()]),
    "digits_together": (None, [pre_tokenizers.Digits(False), byte_level()]),
    "llama3": (None, [split(Regex(LLAMA3), "isolated"), byte_level(use_regex=False)]),
    "qwen2_nfc": (
        normalizers.NFC(),
        [split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"), byte_level(use_regex=False)],
    ),
    "nfkc_merged_next": (
        normalizers.Sequence([normalizers.NFD(), normalizers.NFKC()]),
        [split(" ", "merged_with_next"), byte_level(use_regex=False)],
    ),
    "merged_previous": (None, [split(Regex("e|,"), "merged_with_previous"), byte_level()]),
    "contiguous_prefix": (
        None,
        [split(Regex("[aeiou]"), "contiguous"), byte_level(add_prefix_space=True, use_regex=False)],
    ),
    "removed": (None, [split(Regex(r"\s+"), "removed"), byte_level(use_regex=False)]),
    "removed_inverted": (
        None,
        [split(Regex(r"\p{L}+|[^\s\p{L}]+"), "removed", True), byte_level(use_regex=False)],
    ),
    "empty_matches": (None, [split(Regex("x*"), "isolated"), byte_level(use_regex=False)]),
}


def main():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = byte_level()
    train(trained)
    base = json.loads(trained.to_str())
    kinds = []
    for name, (normalizer, pre_tokenizer) in KINDS.items():
        for ignore_merges in (False, True) if name in ("gpt2", "llama3") else (False,):
            tokenizer = Tokenizer.from_str(json.dumps(base))
            tokenizer.model.ignore_merges = ignore_merges
            if normalizer is not None:
                tokenizer.normalizer = normalizer
            if isinstance(pre_tokenizer, list):
                pre_tokenizer = pre_tokenizers.Sequence(pre_tokenizer)
            tokenizer.pre_tokenizer = pre_tokenizer
            # Written and read again: added tokens are normalised with the normalizer of the file.
            tokenizer = Tokenizer.from_str(tokenizer.to_str())
            parts = json.loads(tokenizer.to_str())
            kinds.append({
                "name": name + ("_ignore_merges" if ignore_merges else ""),
                "normalizer": parts["normalizer"],
                "pre_tokenizer": parts["pre_tokenizer"],
                "ignore_merges": ignore_merges,
                "ids": [tokenizer.encode(t, add_special_tokens=False).ids for t in TEXTS],
            })
    document = {
        "added_tokens": base["added_tokens"],
        "vocab": base["model"]["vocab"],
        "merges": base["model"]["merges"],
        "texts": TEXTS,
        "kinds": kinds,
    }
    path = pathlib.Path(__file__).parent / "small.json"
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
