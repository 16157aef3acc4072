"""The contenders of bench/language.py: Quintet, and the language peers of bench/peers.

A contender has a `name`; `run(request)` gives {"ids", "ms": {"prefill", "decode"}} of one warm run,
`answer(request)` the same without care for warmth; `perplexity(request)`; `info()`; `close()`.
Requests are the files that bench/peers/language_protocol.py describes.
"""

import functools
import json
import math
import pathlib
import re

from contenders import (EXPORT_PYTHON, PEERS, PYTHON, ROOT, Failure, Peer, Quintet, cached,
                        check_output, installed_folder)

LLAMA_CPP = ROOT / ".cache/llama.cpp"
GGUF_PACKAGE = LLAMA_CPP / "vendor/llama.cpp/gguf-py"  # Folder of the Python package `gguf`.


class QuintetLanguage(Quintet):
    """The program of this repository, started for each run: it loads, warms up, times one run."""

    def __init__(self, name, options, arguments):
        super().__init__(name, options, arguments)
        self.common = ["--model", options.model, "--threads", str(options.threads), "--json",
                       *arguments]

    def run(self, request):
        asked = json.loads(pathlib.Path(request).read_text())
        prompts = asked["prompts"]  # Of the text's start, as it cuts them itself.
        done = json.loads(check_output(
            [self.program, "bench", *self.common, "--repeat", "1", "--input", asked["text"],
             "--sequences", len(prompts), "--prompt-tokens", len(prompts[0]),
             "--new-tokens", asked["new_tokens"]]))
        if done["prompts"] != prompts:
            raise Failure(f"{self.name}: cuts other prompts from {asked['text']}")
        self.peak = max(self.peak, done["peak_resident_bytes"])
        return {"ids": done["ids"], "ms": done["timings_ms"]}

    def answer(self, request):
        return self.run(request)

    def perplexity(self, request):
        asked = json.loads(pathlib.Path(request).read_text())
        done = json.loads(check_output(
            [self.program, "eval", *self.common, "--data", asked["text"],
             "--window", len(asked["windows"][0]), "--limit", len(asked["windows"])]))
        return done["value"]


class LanguagePeer(Peer):
    def perplexity(self, request):
        done = self.answer(request)
        return math.exp(done["nll"] / done["tokens"])


def gguf_file(options):
    """The model itself, or the only GGUF file in its folder or in that of the installed model."""
    given = pathlib.Path(options.model)
    if given.is_file():
        return given
    folder = given if given.is_dir() else installed_folder(options)
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise Failure(f"--model {options.model}: {len(files)} GGUF files in {folder}, one is needed")
    return files[0]


def quantized_file(kind, options):
    """The model itself where its name says that it is of this kind."""
    if re.search(rf"[-.]{kind}$", gguf_file(options).stem, re.IGNORECASE):
        return gguf_file(options)
    return cached(f"gguf-{kind}", options, lambda path: check_output(
        [LLAMA_CPP / "build/bin/llama-quantize", "--allow-requantize", gguf_file(options), path,
         kind.upper(), str(options.threads)]))


def float_folder(options):
    return cached("hf", options, lambda path: check_output(
        [PYTHON, PEERS / "export_language.py", gguf_file(options), path,
         "--gguf-package", GGUF_PACKAGE]))


def openvino_folder(weights, options):
    return cached(f"ov-{weights}", options, lambda path: check_output(
        [EXPORT_PYTHON, PEERS / "export_openvino_language.py", float_folder(options), path,
         "--weights", weights]))


def transformers(options):
    return ["hf_language.py", float_folder(options)]


def openvino(weights, options):
    return ["openvino_language.py", openvino_folder(weights, options)]


def llama_cpp(kind, options):
    return ["llama_cpp_peer.py", quantized_file(kind, options) if kind else gguf_file(options)]


# Name -> the command below bench/peers. The first is the reference: float32 by another engine.
PEER_COMMANDS = {
    "Transformers float32": transformers,
    "OpenVINO GenAI int8": functools.partial(openvino, "int8"),
    "OpenVINO GenAI int4": functools.partial(openvino, "int4"),
    "llama.cpp as published": functools.partial(llama_cpp, None),
    "llama.cpp f32": functools.partial(llama_cpp, "f32"),
    "llama.cpp q8_0": functools.partial(llama_cpp, "q8_0"),
    "llama.cpp q4_0": functools.partial(llama_cpp, "q4_0"),
}


def tokens_of(text, folder, options):
    """The ids of a text file; `folder` is for scratch files."""
    path = pathlib.Path(folder, "tokens.json")
    check_output([PYTHON, PEERS / "tokens_of.py", gguf_file(options), text, path])
    return json.loads(path.read_text())
