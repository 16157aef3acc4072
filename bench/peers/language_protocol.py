"""What contenders with language models share: requests as files, for `run FILE` of protocol.py.

FILE is JSON, of one of two kinds; "text" names the file whose first tokens the ids are:

    {"prompts": [[id, ...], ...], "new_tokens": M, "text"}
        -> {"ids": [[id, ...], ...], "ms": {"prefill", "decode", "total"}}
    Prompts of one length, continued greedily by M tokens each, together, past any end token.
    `prefill` ends with the first new token of each, `decode` takes the M - 1 steps behind it.

    {"windows": [[id, ...], ...], "first": K, "text"}
        -> {"nll": sum, "tokens": N, "ms": {...}}
    The negative log-likelihood of every window's tokens from K + 1 on, given those before them in
    the window. exp(nll / tokens) is the perplexity; K is half of the window, as in llama.cpp's
    llama-perplexity, whose figures these repeat.
"""

import json
import math
import pathlib

import numpy

import protocol


def negative_log_likelihood(logits, targets):
    """Of targets [T] under logits [T, V]; sums in float64. A row at a time stays in the cache."""
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        shifted = row - row.max()
        wanted = float(shifted[target])
        total += math.log(numpy.exp(shifted, out=shifted).sum(dtype=numpy.float64)) - wanted
    return total


def serve(info, generate, logits):
    """Answers until stdin ends. generate(prompts [S, N], new_tokens) gives ids [S, M] and the
    milliseconds of the stages; logits(window [T], first) those after tokens first to T - 2."""

    def run(path):
        request = json.loads(pathlib.Path(path).read_text())
        if "prompts" in request:
            ids, ms = generate(request["prompts"], request["new_tokens"])
            return {"ids": [[int(token) for token in row] for row in ids], "ms": ms}
        total, count = 0.0, 0
        for window in request["windows"]:
            targets = window[request["first"] + 1:]
            total += negative_log_likelihood(logits(window, request["first"]), targets)
            count += len(targets)
        return {"nll": total, "tokens": count, "ms": {}}

    protocol.serve(info, run)
