#!/usr/bin/env python3
"""Language models: Quintet beside its peers, perplexity compared before any clock counts.

usage: bench/language.py [--rounds 5] [--only NAME]... [--quintet NAME=OPTIONS]... [--json]
       [--prompt-tokens 512] [--new-tokens 64] [--batch 4] [--windows 8] [--text FILE] [--shapes]

Every contender gets the same token ids. First each tells its perplexity over the start of the text:
windows of 512 tokens one after the other, of which the second half counts. It stands beside the
times; where it is more than half as large again as that of the reference (Transformers in float32,
else the next peer), something is broken, and there is no time. Then the contenders take turns
for the given number of rounds, every other round in reverse order: the start of the text as a
prompt, and as many prompts side by side as --batch says, each continued greedily. A turn is two runs
of which the second is timed.

`prefill` ends with the first new token; the other tokens are `decode`. Ratios are medians of the
ratios within one round. Tokens in which quantised models first differ from the reference are no
defect: `same tokens` tells how many come before. Models of random_language.py need --shapes: their
perplexity means nothing, so nobody computes it, and the table says what they are.
scripts/bench-peers installs the peers.
"""

import argparse
import json
import pathlib
import shlex
import statistics
import sys
import tempfile

import contenders
from contenders import ROOT, Failure
from language_contenders import PEER_COMMANDS, LanguagePeer, QuintetLanguage, tokens_of
from whisper import closing_line, machine, ratio, spread

MOST_WORSE = 1.5  # Perplexity over that of the reference.
WINDOW = 512
QUINTET = {"quintet fp32 baseline": "--precision fp32 --baseline", "quintet": "",
           "quintet int8": "--precision int8", "quintet int4": "--precision int4",
           "quintet int4 cache": "--precision int4 --cache int8"}
PEERS = ("Transformers float32", "OpenVINO GenAI int8", "OpenVINO GenAI int4",
         "llama.cpp as published", "llama.cpp q8_0", "llama.cpp q4_0")


def write_requests(folder, options):
    """{name: path} of the requests, all from the text's tokens."""
    tokens = tokens_of(options.text, folder, options)
    length = options.prompt_tokens
    windows = [tokens[i:i + WINDOW] for i in range(0, len(tokens) - WINDOW + 1, WINDOW)]
    if len(tokens) < length * options.batch or not windows:
        raise Failure(f"{options.text}: has {len(tokens)} tokens, too few")
    prompts = [tokens[i * length:(i + 1) * length] for i in range(options.batch)]
    requests = {
        "windows": {"windows": windows[:options.windows], "first": WINDOW // 2},
        "single": {"prompts": prompts[:1], "new_tokens": options.new_tokens},
        "batch": {"prompts": prompts, "new_tokens": options.new_tokens},
    }
    paths = {}
    for name, request in requests.items():
        paths[name] = pathlib.Path(folder, f"{name}.json")
        paths[name].write_text(json.dumps({**request, "text": str(options.text.resolve())}))
    return paths


def take_turns(competing, request, rounds):
    """{"ids": {name: ids}, "ms": {name: {stage: [one a round]}}}."""
    ids = {c.name: c.answer(request)["ids"] for c in competing}
    ms = {c.name: {} for c in competing}
    for index in range(rounds):
        for contender in competing if index % 2 == 0 else reversed(competing):
            stages = contender.run(request)["ms"]
            for stage in ("prefill", "decode"):
                ms[contender.name].setdefault(stage, []).append(stages[stage])
    return {"ids": ids, "ms": ms}


def measure(competing, requests, options):
    names = [c.name for c in competing]
    reference = next((n for n in PEER_COMMANDS if n in names), names[0])
    perplexity = ({} if options.shapes else
                  {c.name: c.perplexity(requests["windows"]) for c in competing})
    admitted = [c for c in competing if options.shapes
                or perplexity[c.name] <= MOST_WORSE * perplexity[reference]]
    kinds = ["single"] + (["batch"] if options.batch > 1 else [])
    return {"reference": reference, "perplexity": perplexity,
            "refused": [c.name for c in competing if c not in admitted],
            **{kind: take_turns(admitted, requests[kind], options.rounds) for kind in kinds}}


def same_tokens(ids, expected):
    """How many tokens of the first answer come before another one than expected."""
    pairs = zip(ids[0], expected[0])
    return str(next((i for i, (a, b) in enumerate(pairs) if a != b), len(expected[0])))


def rates(ms, prompt_tokens, new_tokens):
    """Tokens a second of both stages."""
    prefill, decode = statistics.median(ms["prefill"]), statistics.median(ms["decode"])
    return f"{1e3 * prompt_tokens / prefill:.0f}", f"{1e3 * new_tokens / decode:.1f}"


def table(result, infos, options):
    single, reference = result["single"], result["reference"]
    steps, length = options.new_tokens - 1, options.prompt_tokens
    head = ["contender", "perplexity", "prefill tokens/s", "spread", "of reference",
            "decode tokens/s", "spread", "of reference", f"batch {options.batch}: prefill",
            "decode", "same tokens", "peak MB"]
    label = (f"Shapes of {pathlib.Path(options.model).name} with random weights: times only; "
             if options.shapes else "")
    lines = [f"\n{label}{length} prompt tokens, {options.new_tokens} new; reference: {reference}\n",
             "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, ms in single["ms"].items():
        base = single["ms"][reference]
        prefill, decode = rates(ms, length, steps)
        row = [name, "" if options.shapes else f"{result['perplexity'][name]:.3f}",
               prefill, f"{100 * spread(ms['prefill']):.0f} %",
               f"{ratio(ms['prefill'], base['prefill']):.3f}",
               decode, f"{100 * spread(ms['decode']):.0f} %",
               f"{ratio(ms['decode'], base['decode']):.3f}"]
        batch = result["batch"]["ms"][name] if "batch" in result else None
        row += (rates(batch, length * options.batch, steps * options.batch) if batch
                else ("", ""))
        row += [same_tokens(single["ids"][name], single["ids"][reference]),
                f"{infos[name]['peak_resident_bytes'] / 1e6:.0f}"]
        lines.append("| " + " | ".join(row) + " |")
    for name in result["refused"]:
        lines.append(f"\n{name}: no time, because its perplexity is "
                     f"{result['perplexity'][name]:.3f}")
    return "\n".join(lines)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4, help="prompts side by side; 1: none")
    parser.add_argument("--windows", type=int, default=8, help="of the perplexity, from the start")
    parser.add_argument("--shapes", action="store_true",
                        help="the model has random weights: no perplexity")
    parser.add_argument("--text", type=pathlib.Path, default=ROOT / "bench/data/austen.txt")
    options = contenders.parse_options(
        parser, QUINTET, PEERS, rounds=5, commands=PEER_COMMANDS, model="smollm2-135m",
        model_help="installed model, folder or file with a GGUF model")
    if options.prompt_tokens < 1 or options.new_tokens < 2 or options.batch < 1:
        parser.error("--prompt-tokens, --batch: at least 1; --new-tokens: at least 2")
    if options.windows < 1:
        parser.error("--windows: at least 1")
    return options


def main():
    options = parse_options()
    report = {"command": shlex.join(sys.argv), "machine": machine(), "threads": options.threads,
              "rounds": options.rounds, "random weights": options.shapes}
    competing = contenders.make_contenders(options, QuintetLanguage, peer=LanguagePeer)
    try:
        with tempfile.TemporaryDirectory() as folder:
            report |= measure(competing, write_requests(folder, options), options)
        report["contenders"] = {c.name: c.info() for c in competing}
    finally:
        for contender in competing:
            contender.close()
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(table(report, report["contenders"], options))
        print(closing_line(report))
    return 1 if report["refused"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench/language.py: {failure}")
