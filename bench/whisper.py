#!/usr/bin/env python3
"""Speech to text: Quintet beside its peers, answers compared before any clock counts.

usage: bench/whisper.py [--rounds 7] [--only NAME]... [--quintet NAME=OPTIONS]... [--json] [CLIP...]

Every contender transcribes every clip once, untimed. One that gives other words than the reference
(Transformers in float32, else the first contender) is marked with how many differ; where it is more
than 2 % of them, it gets no time. Then the contenders take turns for the given number of rounds,
every other round in reverse order, so that drift of the machine falls on all alike. A turn is two
runs of which the second is timed: each contender finds its own weights in the caches.

Printed are the median, the minimum and the spread (interquartile range over median) of the total in
milliseconds, ratios, which are medians of the ratios within one round, the medians of the stages,
and the most memory that the process held. Loading the model is not part of any time.
scripts/bench-peers installs the peers; without it, name contenders of Quintet by --only.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import sys

import contenders
from contenders import ROOT, STAGES, Failure
from words import word_errors, words

MOST_DIFFERENT = 0.02  # Of the words of the reference.
QUINTET = {"quintet fp32 baseline": "--precision fp32 --baseline", "quintet": ""}
PEERS = ("Transformers float32", "OpenVINO GenAI int8/bf16", "faster-whisper int8",
         "whisper.cpp q8_0", "whisper.cpp q4_0", "whisper.cpp q8_0 audio_ctx")
INTERESTING_FLAGS = ("sse4_2", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16",
                     "avx512_fp16", "amx_int8", "amx_bf16")


def measure(competing, clip, rounds):
    """{"reference", "texts", "different", "refused", "ms": {name: {stage: [one a round]}}}"""
    names = [c.name for c in competing]
    reference = next((n for n in contenders.PEER_COMMANDS if n in names), names[0])
    texts = {c.name: c.text(clip) for c in competing}
    expected = words(texts[reference])
    different = {name: word_errors(expected, words(text)) for name, text in texts.items()}
    admitted = [c for c in competing if different[c.name] <= MOST_DIFFERENT * len(expected)]
    ms = {c.name: {} for c in admitted}
    for index in range(rounds):
        for contender in admitted if index % 2 == 0 else reversed(admitted):
            for stage, value in contender.run(clip)["ms"].items():
                ms[contender.name].setdefault(stage, []).append(value)
    refused = [name for name in names if name not in ms]
    return {"reference": reference, "words": len(expected), "texts": texts, "different": different,
            "refused": refused, "ms": ms}


def spread(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)


def ratio(values, base):
    return statistics.median(a / b for a, b in zip(values, base))


def table(clip, result, infos):
    """One Markdown table for a clip."""
    ms = result["ms"]
    columns = list(dict.fromkeys([result["reference"], *(n for n in ms if n.startswith("OpenVINO")),
                                  next(iter(ms))]))
    head = ["contender", "median ms", "min", "spread", *(f"of {name}" for name in columns),
            *(f"{stage} ms" for stage in STAGES[:-1]), "other words", "peak MB"]
    lines = [f"\n{clip.name}, {result['words']} words\n", "| " + " | ".join(head) + " |",
             "|---" * len(head) + "|"]
    for name, stages in ms.items():
        total = stages["total"]
        row = [name, f"{statistics.median(total):.1f}", f"{min(total):.1f}",
               f"{100 * spread(total):.0f} %"]
        row += [f"{ratio(total, ms[column]['total']):.3f}" for column in columns]
        row += [f"{statistics.median(stages[stage]):.1f}" if stage in stages else ""
                for stage in STAGES[:-1]]
        row += [str(result["different"][name] or ""),
                f"{infos[name]['peak_resident_bytes'] / 1e6:.0f}"]
        lines.append("| " + " | ".join(row) + " |")
    for name in result["refused"]:
        lines.append(f"\n{name}: no time, because {result['different'][name]} words differ: "
                     f"{result['texts'][name]!r}")
    return "\n".join(lines)


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", text)
    flags = re.search(r"flags\s*:\s*(.*)", text)
    flags = set(flags.group(1).split()) if flags else set()
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "instruction_sets": [flag for flag in INTERESTING_FLAGS if flag in flags],
        "processors": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "kernel": platform.release(),
        "date": datetime.date.today().isoformat(),
    }


def closing_line(report):
    where = report["machine"]
    return (f"\n{where['cpu']}, {report['threads']} threads of {where['processors']} processors, "
            f"{' '.join(where['instruction_sets'])}; {where['date']}; {report['rounds']} rounds; "
            f"load {where['load_before']:.1f} before; `{report['command']}`")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=pathlib.Path,
                        default=[ROOT / "tests/data/speech" / n for n in ("jfk.wav", "austen.wav")])
    parser.add_argument("--output", type=pathlib.Path, help="writes that JSON beside the tables")
    return contenders.parse_options(parser, QUINTET, PEERS, rounds=7)


def main():
    options = parse_options()
    report = {"command": shlex.join(sys.argv), "machine": machine(), "threads": options.threads,
              "rounds": options.rounds, "clips": {}}
    competing = contenders.make_contenders(options)
    try:
        for clip in options.clips:
            result = measure(competing, clip.resolve(), options.rounds)
            report["clips"][clip.name] = result
            report["contenders"] = {c.name: c.info() for c in competing}
            if not options.json:
                print(table(clip, result, report["contenders"]), flush=True)
    finally:
        for contender in competing:
            contender.close()
    print(json.dumps(report, indent=1) if options.json else closing_line(report))
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(r["refused"] for r in report["clips"].values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench/whisper.py: {failure}")
