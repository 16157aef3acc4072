"""The contenders of bench/language.py: Quintet, and the language peers of bench/peers.

A contender has a `name`; `run(request)` gives {"ids", "ms": {"prefill", "decode"}} of one warm run,
or None where it cannot; `perplexity(windows, text)`; `info()`; `close()`. Requests and windows are
the files that bench/peers/language_protocol.py describes.
"""

import functools
import json
import math
import pathlib

from contenders import (EXPORT_PYTHON, PEERS, PYTHON, ROOT, Failure, Peer, Quintet, cached,
                        check_output, installed_folder)

LLAMA_CPP = ROOT / ".cache/llama.cpp"


class QuintetLanguage(Quintet):
    """The program of this repository, started for each run: it loads, warms up, times one run."""

    def __init__(self, name, options, arguments):
        super().__init__(name, options, arguments)
        self.common = ["--model", options.model, "--threads", str(options.threads), "--json",
                       *arguments]

    def run(self, request):
        asked = json.loads(pathlib.Path(request).read_text())
        prompts = asked["prompts"]
        if len(prompts) > 1:
            return None
        done = json.loads(check_output(
            [self.program, "bench", *self.common, "--repeat", "1",
             "--prompt-tokens", str(len(prompts[0])), "--new-tokens", str(asked["new_tokens"])]))
        self.peak = max(self.peak, done.get("peak_resident_bytes", 0))
        ms = done["timings_ms"]
        ids = done.get("ids")
        return {"ids": ids and [ids], "ms": {"prefill": ms["prefill"], "decode": ms["decode"]}}

    def answer(self, request):
        return self.run(request)

    def perplexity(self, windows, text):
        done = json.loads(check_output([self.program, "eval", *self.common, "--data", text]))
        return done["value"]


class LanguagePeer(Peer):
    def perplexity(self, windows, text):
        done = self.answer(windows)
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
    return cached(f"gguf-{kind}", options, lambda path: check_output(
        [LLAMA_CPP / "build/bin/llama-quantize", "--allow-requantize", gguf_file(options), path,
         kind.upper(), str(options.threads)]))


def float_folder(options):
    return cached("hf", options, lambda path: check_output(
        [PYTHON, PEERS / "export_language.py", gguf_file(options), path,
         "--gguf-package", LLAMA_CPP / "vendor/llama.cpp/gguf-py"]))


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


def tokens_of(text, options):
    """The ids of a text file."""
    return json.loads(check_output([PYTHON, PEERS / "tokens_of.py", gguf_file(options), text]))
