#!/usr/bin/env python3
"""What settings of Quintet cost in accuracy, and what they gain in time, in one table.

usage: bench/accuracy.py [--data .cache/speech-corpus/corpus.jsonl] [--model whisper-base]
                         [--max-drop 1] [--show N] [--output FILE.json] SETTING...

A SETTING is one argument that holds options of `quintet transcribe`, after an optional name:

    bench/accuracy.py "--precision int8" "--precision bf16" "short windows=--precision int8 --exact"

Every setting, and once the float32 yardstick (`--baseline`; its answers are kept beside the data in
float32-MODEL.json, by the content of each recording), transcribes all items in one process. Printed
for all items, for each kind and for each length: word error rate (WER) of both against the text;
their difference in points, with a paired bootstrap interval over items; agreement, the share of
float32's words that the setting gives as well; and the time. bench/words.py says which words are
the same.
bench/speech_corpus.py makes the data; its quick.jsonl is for a first look.

The exit status is 1 where the difference over all items may be above --max-drop points (upper end
of the interval).
"""

import argparse
import datetime
import hashlib
import json
import pathlib
import random
import re
import shlex
import subprocess
import sys
import time

from words import word_errors, words

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENGTHS = (3, 6, 10, 15, 20, 25, 30)  # Seconds: upper ends of the rows by length.
RESAMPLES = 2000
CONFIDENCE = 0.95


class Failure(Exception):
    pass


def load_items(path):
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def audio_hash(options, item):
    return hashlib.sha256((options.data.parent / item["audio"]).read_bytes()).hexdigest()[:24]


def transcribe(options, items, setting):
    """{"texts", "ms", "seconds" of each item, "wall_s", "version"}, all items in one process."""
    command = [options.program, "transcribe", "--model", options.model, "--json", "--quiet",
               "--language", "en", *setting, *(item["audio"] for item in items)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=options.data.parent)
    if done.returncode != 0:
        raise Failure(f"quintet transcribe {shlex.join(setting)}: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    results = answer.get("results", [answer])
    version = subprocess.run([options.program, "--version"], capture_output=True, text=True)
    return {"texts": [r["text"] for r in results],
            "ms": [r["timings_ms"]["total"] for r in results],
            "seconds": [r["duration"] for r in results],
            "wall_s": time.perf_counter() - start,
            "version": version.stdout.strip()}


def float32_run(options, items):
    """Like transcribe(); only recordings that the kept file does not know are computed."""
    name = re.sub(r"[^\w.-]", "_", options.model)
    path = options.data.parent / f"float32-{name}.json"
    kept = json.loads(path.read_text()) if path.exists() and not options.fresh else {}
    keys = [audio_hash(options, item) for item in items]
    missing = {key: item for key, item in zip(keys, items) if key not in kept}
    if missing:
        run = transcribe(options, missing.values(), ["--precision", "fp32", "--baseline"])
        for key, text, ms, seconds in zip(missing, run["texts"], run["ms"], run["seconds"]):
            kept[key] = {"text": text, "ms": ms, "seconds": seconds, "version": run["version"]}
        path.write_text(json.dumps(kept, indent=0) + "\n")
    return {"texts": [kept[key]["text"] for key in keys], "ms": [kept[key]["ms"] for key in keys]}


def score(items, run, baseline):
    """One dict an item: words of the text, errors of both, words of float32, where they differ."""
    scored = []
    for item, answer, expected in zip(items, run["texts"], baseline["texts"], strict=True):
        text, answer, expected = words(item["text"]), words(answer), words(expected)
        scored.append({"words": len(text), "errors": word_errors(text, answer),
                       "base_errors": word_errors(text, expected),
                       "base_words": len(expected), "differing": word_errors(expected, answer)})
    return scored


def interval(scored, errors=lambda s: s["errors"] - s["base_errors"]):
    """Of an error rate in per cent (the difference of both): items are drawn with replacement."""
    rng = random.Random(1)
    pairs = [(errors(s), s["words"]) for s in scored]
    rates = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(pairs, k=len(pairs))
        rates.append(100 * sum(d for d, _ in drawn) / max(1, sum(w for _, w in drawn)))
    rates.sort()
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return rates[tail], rates[-1 - tail]


def length_name(seconds):
    low = 0
    for high in LENGTHS:
        if seconds <= high:
            return f"{low} to {high} s"
        low = high
    return f"over {low} s"


def parts(items, seconds):
    """{name of a row: indices}, everything first."""
    rows = {"all": list(range(len(items)))}
    kinds = {item.get("kind", "") for item in items}
    for kind in sorted(kinds) if len(kinds) > 1 else []:
        rows[kind] = [i for i, item in enumerate(items) if item.get("kind", "") == kind]
    for length in (*LENGTHS, LENGTHS[-1] + 1):
        name = length_name(length)
        rows[name] = [i for i, s in enumerate(seconds) if length_name(s) == name]
    return {name: indices for name, indices in rows.items() if indices}


def summary(indices, scored, run):
    """The figures of one row."""
    chosen = [scored[i] for i in indices]
    total = {key: sum(s[key] for s in chosen) for key in chosen[0]}
    count = max(1, total["words"])
    took = sum(run["ms"][i] for i in indices) / 1e3
    return {"items": len(chosen), "words": total["words"],
            "wer_float32": 100 * total["base_errors"] / count,
            "wer": 100 * total["errors"] / count,
            "difference": 100 * (total["errors"] - total["base_errors"]) / count,
            "interval": interval(chosen),
            "agreement": 100 * (1 - total["differing"] / max(1, total["base_words"])),
            "seconds": took,
            "times_real": sum(run["seconds"][i] for i in indices) / took}


def accuracy_check(options, scored, row):
    """As packed files and the catalogue keep it: quintet/engine/accuracy_check.h."""
    def rate(value, bounds):
        return {"value": round(value, 4), "interval": [round(bound, 4) for bound in bounds]}

    return {"data": options.data.name, "date": datetime.date.today().isoformat(),
            "items": row["items"], "words": row["words"],
            "word_error_rate_fp32": rate(row["wer_float32"],
                                         interval(scored, lambda s: s["base_errors"])),
            "word_error_rate": rate(row["wer"], interval(scored, lambda s: s["errors"])),
            "difference": rate(row["difference"], row["interval"]),
            "agreement_with_fp32": round(row["agreement"], 4), "max_drop": options.max_drop}


def print_table(name, rows):
    print(f"\n{name}\n\n| part | items | words | float32 WER | WER | difference, 95 % interval "
          "| agreement | time s | x real |\n" + "|---" * 9 + "|")
    for part, f in rows.items():
        low, high = f["interval"]
        cells = [part, f["items"], f["words"], f"{f['wer_float32']:.2f} %", f"{f['wer']:.2f} %",
                 f"{f['difference']:+.2f} ({low:+.2f} to {high:+.2f})", f"{f['agreement']:.2f} %",
                 f"{f['seconds']:.1f}", f"{f['times_real']:.1f}"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def print_worst(count, items, scored, run, baseline):
    order = sorted(range(len(items)), key=lambda i: scored[i]["base_errors"] - scored[i]["errors"])
    for i in order[:count]:
        s = scored[i]
        if s["errors"] <= s["base_errors"]:
            break
        print(f"\n{items[i]['audio']} ({items[i].get('kind', '')}, {run['seconds'][i]:.1f} s): "
              f"{s['errors']} wrong words, float32 {s['base_errors']}\n"
              f"  text:    {items[i]['text']}\n"
              f"  float32: {baseline['texts'][i]}\n  setting: {run['texts'][i]}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING")
    parser.add_argument("--data", type=pathlib.Path,
                        default=ROOT / ".cache/speech-corpus/corpus.jsonl")
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/quintet")
    parser.add_argument("--max-drop", type=float, default=1.0, help="points of word error rate")
    parser.add_argument("--show", type=int, default=0, help="so many of the worst items")
    parser.add_argument("--fresh", action="store_true", help="runs float32 again")
    parser.add_argument("--output", type=pathlib.Path,
                        help="writes every figure and text as JSON, and the check for the catalogue")
    options = parser.parse_args()
    options.data, options.program = options.data.resolve(), options.program.resolve()
    return options


def main():
    options = parse_options()
    items = load_items(options.data)
    baseline = float32_run(options, items)
    report, passed = {"float32": baseline, "settings": {}}, True
    for setting in options.settings:
        name, separator, arguments = setting.partition("=")
        if name.startswith("-") or not separator:
            name, arguments = setting, setting
        run = transcribe(options, items, shlex.split(arguments))
        scored = score(items, run, baseline)
        rows = {part: summary(indices, scored, run)
                for part, indices in parts(items, run["seconds"]).items()}
        print_table(name, rows)
        print_worst(options.show, items, scored, run, baseline)
        passed = passed and rows["all"]["interval"][1] <= options.max_drop
        report["settings"][name] = {"rows": rows, "run": run,
                                    "accuracy_check": accuracy_check(options, scored, rows["all"])}
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench/accuracy.py: {failure}")
