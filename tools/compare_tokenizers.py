#!/usr/bin/env python3
"""Compares the tokenizers of quintet/io/tokenizers with Hugging Face tokenizers and SentencePiece.

usage: compare_tokenizers.py [--smollm2 FILE.gguf] [--strings N] [--io-test build/bin/io_test]
       compare_tokenizers.py --write-goldens [--smollm2 FILE.gguf]

Encodes N texts (12,000: scripts, marks, emoji, code, numbers, white space, control characters,
added tokens inside text, what is left of broken UTF-8) with each kind of tokenizer, with special
tokens and without, and decodes what came out, with special tokens and without; the test
TokenizerGoldens.* of io_test then does the same. Texts with broken UTF-8 are compared too, as far
as that can be: Hugging Face takes none, so what is expected are its tokens of the valid text before
and behind, and between them those of the bytes (of the merging model alone).

Kinds: a SentencePiece-type BPE trained here with Hugging Face tokenizers in the styles of Llama 2,
Gemma, Mistral and others; one trained with SentencePiece itself and read as GGUF; SmolLM2's
vocabulary, read from its GGUF file.

--write-goldens trains, and writes tests/goldens/tokenizers/: the small tokenizers, and every sixth
text with a hash for each kind.

Needs the Python packages tokenizers, sentencepiece and gguf; made with 0.23.3, 0.2.3 and 0.19.0.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tokenizer_strings import CODE, SENTENCES, Strings

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests/goldens/tokenizers"
SMOLLM2 = "smollm2-135m"  # Folder among the models of the tests.
SPACE = "\u2581"
SEED = 20240229

TO_METASPACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
FROM_METASPACE = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
FALLBACK = [FROM_METASPACE, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def sequence(key, parts):
    return {"type": "Sequence", key: parts}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


def template(before, after=()):
    tokens = {"<unk>": 0, "<s>": 1, "</s>": 2}
    special = [[{"SpecialToken": {"id": t, "type_id": 0}} for t in side] for side in (before, after)]
    return {
        "type": "TemplateProcessing",
        "single": special[0] + [{"Sequence": {"id": "A", "type_id": 0}}] + special[1],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {t: {"id": t, "ids": [tokens[t]], "tokens": [t]}
                           for t in [*before, *after]},
    }


PREPEND = {"type": "Prepend", "prepend": SPACE}
LLAMA2 = {
    "normalizer": sequence("normalizers", [PREPEND, TO_METASPACE]),
    "pre_tokenizer": None,
    "post_processor": template(["<s>"]),
    "decoder": sequence("decoders", FALLBACK + [STRIP]),
}
GEMMA = {
    "normalizer": TO_METASPACE,
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "invert": False,
                      "behavior": "MergedWithPrevious"},
    "post_processor": template(["<s>"], ["</s>"]),
    "decoder": sequence("decoders", FALLBACK),
}
KINDS = {
    "llama2": LLAMA2,
    "gemma": GEMMA,
    "metaspace_first": {
        "normalizer": None,
        "pre_tokenizer": metaspace("first", False),
        "post_processor": template(["<s>"]),
        "decoder": sequence("decoders", FALLBACK + [STRIP]),
    },
    "metaspace_always": {
        "normalizer": None,
        "pre_tokenizer": metaspace("always", True),
        "post_processor": sequence("processors", [
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
            template(["<s>", "<unk>"], ["</s>"])]),
        "decoder": sequence("decoders", [{"type": "ByteFallback"}, metaspace("always", True)]),
    },
    "metaspace_never": {
        "normalizer": None,
        "pre_tokenizer": sequence("pretokenizers", [
            {"type": "Digits", "individual_digits": True}, metaspace("never", True)]),
        "post_processor": None,
        "decoder": sequence("decoders", [{"type": "ByteFallback"}, metaspace("never", True)]),
    },
    "unknown_fused": {
        **LLAMA2,
        "model": {"byte_fallback": False, "fuse_unk": True},
        "normalizer": sequence("normalizers", [
            {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFKC"},
            {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": SPACE},
            PREPEND]),
        "post_processor": None,
    },
    "unknown_apart": {**GEMMA, "model": {"byte_fallback": False, "fuse_unk": False}},
    "whole_words": {**GEMMA, "model": {"ignore_merges": True}},
}


def train():
    """The tokenizer that all styles share: tokens in plain UTF-8, byte tokens, runs of spaces."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"{SPACE}*[^{SPACE}]+"), "isolated")
    corpus = Strings(0).prose + (SENTENCES + CODE) * 8
    trainer = trainers.BpeTrainer(vocab_size=3000, limit_alphabet=500, show_progress=False,
                                  special_tokens=["<unk>", "<s>", "</s>", *bytes_])
    tokenizer.train_from_iterator((SPACE + t.replace(" ", SPACE) for t in corpus), trainer)
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [t for t in file["added_tokens"] if t["content"] not in bytes_]
    size = len(file["model"]["vocab"])
    for token in [
        AddedToken("<|im_start|>", special=True, normalized=False),
        AddedToken("<|im_end|>", special=True, normalized=False, rstrip=True),
        AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False),
        AddedToken("quintet", single_word=True, normalized=False),
        AddedToken("<tag>", normalized=False),
        AddedToken("<tagged>", rstrip=True, normalized=False),
        AddedToken("Étoile", normalized=True),
    ]:
        file["added_tokens"].append({
            "id": size, "content": token.content, "single_word": token.single_word,
            "lstrip": token.lstrip, "rstrip": token.rstrip, "normalized": token.normalized,
            "special": token.special})
        size += 1
    return file


def train_sentencepiece(path):
    """A GGUF file with nothing but a vocabulary of SentencePiece's own training."""
    prefix = str(path.with_suffix(""))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(Strings(0).prose + (SENTENCES + [c.split("\n")[0] for c in CODE]) * 8),
        model_prefix=prefix, model_type="bpe", vocab_size=1500, byte_fallback=True,
        character_coverage=0.995, normalization_rule_name="identity",
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, minloglevel=2)
    model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    ids = range(model.vocab_size())
    types = [gguf.TokenType.UNKNOWN if model.is_unknown(i) else
             gguf.TokenType.CONTROL if model.is_control(i) else
             gguf.TokenType.BYTE if model.is_byte(i) else gguf.TokenType.NORMAL for i in ids]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([model.id_to_piece(i) for i in ids])
    writer.add_token_scores([model.get_score(i) for i in ids])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_eos_token(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return prefix + ".model"


def smollm2(path):
    """As its tokenizer.json: digits apart, then GPT-2's words; all control tokens special."""
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([t for t, kind in zip(tokens, types) if kind == 3])
    return tokenizer


class HuggingFace:
    def __init__(self, tokenizer, continued):
        self.tokenizer = tokenizer
        self.continued = continued  # The same for text that goes on; None: not known.

    def results(self, text):
        plain = self.tokenizer.encode(text, add_special_tokens=False).ids
        special = self.tokenizer.encode(text).ids
        return [plain, special, self.tokenizer.decode(special, skip_special_tokens=True),
                self.tokenizer.decode(plain, skip_special_tokens=False)]

    def broken(self, before, wrong, behind):
        if self.continued is None:
            return None
        def ids(t):
            return self.continued.encode(t, add_special_tokens=False).ids
        first = self.tokenizer.encode(before, add_special_tokens=False).ids
        return first + self.byte_ids(wrong) + ids(behind)

    def byte_ids(self, wrong):
        ids = [self.tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in wrong]
        if None not in ids:
            return ids
        alphabet = ByteAlphabet()
        return [t.id for t in self.tokenizer.model.tokenize("".join(alphabet[b] for b in wrong))]


class ByteAlphabet(list):
    def __init__(self):
        printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
        others = [b for b in range(256) if b not in printable]
        super().__init__(chr(b if b in printable else 256 + others.index(b)) for b in range(256))


class SentencePiece:
    def __init__(self, path):
        self.model = sentencepiece.SentencePieceProcessor(model_file=path)

    def results(self, text):
        # It takes control tokens in text as text.
        if any(t in text for t in ("<s>", "</s>", "<unk>")) or "\0" in text:
            return None
        ids = self.model.encode(text)
        return [ids, [1, *ids, 2], self.model.decode(ids), self.model.decode(ids)]

    def broken(self, *_):
        return None


def text_of(results):
    if results is None:
        return ""
    if isinstance(results[0] if results else 0, int):
        return ",".join(map(str, results))
    return "|".join(",".join(map(str, r)) if isinstance(r, list) else r for r in results)


def fnv(text):
    value = 0x811c9dc5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xffffffff
    return f"{value:08x}"


def style(base, parts):
    file = json.loads(json.dumps(base))
    for key, value in parts.items():
        if key == "model":
            file["model"].update(value)
        else:
            file[key] = value
    return file


def contenders(folder, args):
    """Per kind: where io_test finds it, and who says what is right."""
    base = json.loads((folder / "trained.json").read_text())
    out = {}
    for name, parts in KINDS.items():
        tokenizer = Tokenizer.from_str(json.dumps(style(base, parts)))
        known = name in ("gemma", "metaspace_never", "llama2")
        going_on = {**parts, "normalizer": TO_METASPACE} if name == "llama2" else parts
        continued = Tokenizer.from_str(json.dumps(style(base, going_on))) if known else None
        out[name] = ({"base": "trained.json", "parts": parts}, HuggingFace(tokenizer, continued))
    out["sentencepiece"] = ({"gguf": "sentencepiece.gguf"}, SentencePiece(args.sentencepiece))
    if args.smollm2:
        tokenizer = smollm2(args.smollm2)
        where = SMOLLM2 if args.write_goldens else os.path.abspath(args.smollm2)
        out["smollm2"] = ({"gguf": where}, HuggingFace(tokenizer, tokenizer))
    return out


def cases(kinds, args):
    strings = Strings(SEED)
    texts = strings.make(args.strings)
    if args.write_goldens:
        texts = texts[::6]
    write = fnv if args.write_goldens else (lambda text: text)
    for text in texts:
        results = [text_of(who.results(text)) for _, who in kinds.values()]
        yield {"text": text, "want": [write(r) if r else "" for r in results]}
    for before, wrong, behind in strings.broken(100 if args.write_goldens else 1000):
        results = [text_of(who.broken(before, wrong, behind)) for _, who in kinds.values()]
        yield {"before": before, "wrong": list(wrong), "behind": behind,
               "want": [write(r) if r else "" for r in results]}


def write_cases(folder, kinds, args):
    count = 0
    with open(folder / "cases.jsonl", "w", encoding="utf-8") as out:
        head = {"kinds": [{"name": name, **where} for name, (where, _) in kinds.items()]}
        out.write(json.dumps(head, ensure_ascii=False) + "\n")
        for case in cases(kinds, args):
            out.write(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", help="SmolLM2's GGUF file")
    parser.add_argument("--strings", type=int, default=12000)
    parser.add_argument("--io-test", default=str(ROOT / "build/bin/io_test"))
    parser.add_argument("--write-goldens", action="store_true")
    args = parser.parse_args()
    random.seed(SEED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = GOLDENS if args.write_goldens else pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        base = train()
        (folder / "trained.json").write_text(
            json.dumps(base, ensure_ascii=False, separators=(",", ":")) + "\n")
        gguf_path = pathlib.Path(temporary) / "sentencepiece.gguf"
        args.sentencepiece = train_sentencepiece(gguf_path)
        if args.write_goldens:
            (folder / "sentencepiece.gguf").write_bytes(gguf_path.read_bytes())
        kinds = contenders(folder, args)
        count = write_cases(folder, kinds, args)
        print(f"{count} texts in {len(kinds)} kinds: {', '.join(kinds)}", flush=True)
        if args.write_goldens:
            return 0
        environment = {**os.environ, "QUINTET_TOKENIZER_CASES": str(folder)}
        return subprocess.run([args.io_test, "--gtest_brief=1",
                               "--gtest_filter=TokenizerGoldens.*"], env=environment).returncode


sys.exit(main())
