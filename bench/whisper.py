#!/usr/bin/env python3
"""Speech to text: Quintet beside its peers, answers compared before any clock counts.

usage: bench/whisper.py [--model whisper-base] [--threads N] [--rounds 7] [--output FILE.json] [CLIP...]

Every contender transcribes every clip once, untimed; one whose words differ from those of the
reference (the first contender that computes in float32 by another engine, else the first) gets no
time. Then the contenders take turns for the given number of rounds, every other round in reverse
order, so that drift of the machine falls on all alike. Printed are the median, the minimum and the
spread (interquartile range over median) in milliseconds, and ratios, which are medians of the
ratios within one round. Loading the model is not part of any time. scripts/bench-peers installs the
peers.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from words import words

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = ("preprocess", "encode", "decode", "total")
INTERESTING_FLAGS = ("sse4_2", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16",
                     "avx512_fp16", "amx_int8", "amx_bf16")


class Failure(Exception):
    pass


class Quintet:
    """The program of this repository, started for each run: it loads, warms up, then times one run."""

    is_peer = False

    def __init__(self, name, program, model, threads, options):
        self.name, self.program = name, program
        self.common = ["--model", model, "--threads", str(threads), "--json", *options]

    def _bench(self, clip):
        command = [self.program, "bench", *self.common, "--language", "en", "--input", clip,
                   "--repeat", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def info(self):
        version = subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout
        return {"versions": {"quintet": version.strip()}, "options": self.common}

    def text(self, clip):
        return self._bench(clip)["text"]

    def milliseconds(self, clip):
        timings = self._bench(clip)["timings_ms"]
        timings["decode"] += timings["prefill"]  # Peers do not tell the two apart.
        return {stage: timings[stage] for stage in STAGES}

    def close(self):
        pass


class Peer:
    """A program of bench/peers: one process, one line of JSON for each request."""

    is_peer = True

    def __init__(self, name, command):
        self.name, self.command = name, [str(word) for word in command]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def _ask(self, request):
        try:
            print(request, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failure(f"{self.name}: ended without an answer: {' '.join(self.command)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{self.name}: {answer['error']}")
        return answer

    def info(self):
        return self._ask("info")

    def text(self, clip):
        return self._ask(f"run {clip}")["text"]

    def milliseconds(self, clip):
        return self._ask(f"run {clip}")["ms"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def hugging_face_folder(program, model):
    """The weights of `model` as a Hugging Face folder, converted on first use."""
    folder = ROOT / ".cache" / ("hf-" + re.sub(r"[^\w.-]", "_", model))
    if not (folder / "model.safetensors").exists():
        subprocess.run([program, "convert", model, "--to", "safetensors", "-o", folder],
                       check=True)
    return folder


def make_contenders(options):
    program = options.program
    contenders = [
        Quintet("quintet fp32 baseline", program, options.model, options.threads,
                ["--precision", "fp32", "--baseline"]),
        Quintet("quintet", program, options.model, options.threads, []),
    ]
    python = ROOT / ".venv-bench" / "bin" / "python"
    if python.exists():
        folder = options.hf_model or hugging_face_folder(program, options.model)
        contenders.append(
            Peer("Transformers float32", [python, ROOT / "bench/peers/hf_whisper.py", folder,
                                          "--threads", options.threads]))
    else:
        print("bench/whisper.py: no .venv-bench; scripts/bench-peers makes it", file=sys.stderr)
    if options.only:
        for contender in contenders:
            if contender.name not in options.only:
                contender.close()
        contenders = [c for c in contenders if c.name in options.only]
    if not contenders:
        raise Failure("no contender has a name given by --only")
    return contenders


def measure(contenders, clip, rounds):
    """{"reference", "texts", "refused", "ms": {name: {stage: [one number a round]}}}"""
    reference = next((c for c in contenders if c.is_peer), contenders[0])
    texts = {c.name: c.text(clip) for c in contenders}
    agreeing = [c for c in contenders if words(texts[c.name]) == words(texts[reference.name])]
    ms = {c.name: {} for c in agreeing}
    for index in range(rounds):
        for contender in agreeing if index % 2 == 0 else reversed(agreeing):
            for stage, value in contender.milliseconds(clip).items():
                ms[contender.name].setdefault(stage, []).append(value)
    refused = [c.name for c in contenders if c not in agreeing]
    return {"reference": reference.name, "texts": texts, "refused": refused, "ms": ms}


def spread(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)


def ratio(values, base):
    return statistics.median(a / b for a, b in zip(values, base))


def table(clip, result):
    """One Markdown table for a clip."""
    ms = result["ms"]
    columns = list(dict.fromkeys([result["reference"], next(iter(ms))]))
    head = ["contender", "median ms", "min", "spread", *(f"of {name}" for name in columns),
            *(f"{stage} ms" for stage in STAGES[:-1])]
    lines = [f"\n{clip.name}\n", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, stages in ms.items():
        total = stages["total"]
        row = [name, f"{statistics.median(total):.1f}", f"{min(total):.1f}",
               f"{100 * spread(total):.0f} %"]
        row += [f"{ratio(total, ms[column]['total']):.3f}" for column in columns]
        row += [f"{statistics.median(stages[stage]):.1f}" if stage in stages else ""
                for stage in STAGES[:-1]]
        lines.append("| " + " | ".join(row) + " |")
    lines += [f"\n{name}: no time, because its words differ: {result['texts'][name]!r}"
              for name in result["refused"]]
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


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=pathlib.Path,
                        default=[ROOT / "tests/data/speech" / n for n in ("jfk.wav", "austen.wav")])
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--hf-model", type=pathlib.Path, help="folder of the same weights")
    parser.add_argument("--program", default=ROOT / "build/bin/quintet")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", help="name of a contender; may repeat")
    parser.add_argument("--output", type=pathlib.Path, help="writes every figure as JSON")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    return options


def main():
    options = parse_options()
    contenders = make_contenders(options)
    try:
        report = {
            "command": " ".join(sys.argv),
            "machine": machine(),
            "threads": options.threads,
            "rounds": options.rounds,
            "contenders": {c.name: c.info() for c in contenders},
            "clips": {},
        }
        for clip in options.clips:
            result = measure(contenders, clip.resolve(), options.rounds)
            report["clips"][clip.name] = result
            print(table(clip, result), flush=True)
    finally:
        for contender in contenders:
            contender.close()
    where = report["machine"]
    print(f"\n{where['cpu']}, {options.threads} threads of {where['processors']} processors, "
          f"{' '.join(where['instruction_sets'])}; {where['date']}; {options.rounds} rounds; "
          f"load {where['load_before']:.1f} before; `{report['command']}`")
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(r["refused"] for r in report["clips"].values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench/whisper.py: {failure}")
