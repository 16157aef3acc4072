#!/usr/bin/env python3
"""Ten minutes of speech: seconds of audio in a second, and word error rate, beside the peers.

usage: bench/throughput.py [--rounds 3] [--only NAME]... [--quintet NAME=OPTIONS]... [FILE...]

OPTIONS of Quintet are those of `quintet transcribe`, for example

    bench/throughput.py --quintet "one after another=" --quintet "batch 8=--batch 8 --vad"

Without FILEs two recordings are made in .cache: `readings`, the LibriVox recordings of
tests/data/speech again and again, with pauses of changing length; and `generated`, items of the
corpus of bench/speech_corpus.py one after another (without noise, with pauses). A FILE needs its
text beside it, FILE.txt. The contenders take turns. Reading the audio counts, loading a model does
not.
"""

import argparse
import json
import pathlib
import random
import shlex
import statistics
import sys
import wave

import contenders
from contenders import ROOT, Failure
from whisper import closing_line, machine, ratio, spread
from words import word_errors, words

RATE = 16000
SECONDS = 600
QUINTET = {"quintet": ""}
PEERS = ("OpenVINO GenAI int8/bf16", "faster-whisper int8", "faster-whisper int8 batch 8",
         "whisper.cpp q4_0")


def read_frames(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE), path
        return file.readframes(file.getnframes())


def write_recording(name, items):
    """.cache/NAME.wav and its text from (path, text) until it is long enough, pauses between."""
    path = ROOT / ".cache" / f"{name}.wav"
    rng, frames, texts = random.Random(1), bytearray(), []
    for audio, text in items:
        frames += read_frames(audio)
        texts.append(text)
        if len(frames) >= SECONDS * RATE * 2:
            break
        frames += bytes(2 * int(rng.uniform(0.2, 1.2) * RATE))
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(frames)
    path.with_name(path.name + ".txt").write_text("\n".join(texts) + "\n")
    return path


def load(data, wanted):
    lines = [json.loads(line) for line in data.read_text().splitlines()]
    return [(data.parent / item["audio"], item["text"]) for item in lines if wanted(item)]


def make_recordings():
    readings = load(ROOT / "tests/data/speech/speech.jsonl", lambda item: item["kind"] == "austen")
    corpus = ROOT / ".cache/speech-corpus/corpus.jsonl"
    if not corpus.exists():
        raise Failure(f"no {corpus.relative_to(ROOT)}; bench/speech_corpus.py makes it")
    generated = load(corpus, lambda item: item["kind"] == "clean" and item["seconds"] > 3)
    rounds = SECONDS // 10
    return [write_recording("readings", readings * rounds), write_recording("generated", generated)]


def measure(competing, clip, rounds):
    """{"seconds", "words", "errors": {name: N}, "texts", "ms": {name: [one a round]}}"""
    expected = words(clip.with_name(clip.name + ".txt").read_text())
    texts, ms = {}, {c.name: [] for c in competing}
    for index in range(rounds):
        for contender in competing if index % 2 == 0 else reversed(competing):
            answer = contender.run(clip)
            texts[contender.name] = answer["text"]
            ms[contender.name].append(answer["ms"]["total"])
    return {"seconds": len(read_frames(clip)) / 2 / RATE, "words": len(expected), "texts": texts,
            "errors": {name: word_errors(expected, words(text)) for name, text in texts.items()},
            "ms": ms}


def table(clip, result):
    first = next(iter(result["ms"]))
    head = ["contender", "seconds", "spread", "audio seconds a second", f"times {first}",
            "word error rate"]
    lines = [f"\n{clip.name}, {result['seconds']:.0f} s of audio, {result['words']} words\n",
             "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, ms in result["ms"].items():
        median = statistics.median(ms) / 1e3
        lines.append(f"| {name} | {median:.2f} | {100 * spread(ms):.0f} % "
                     f"| {result['seconds'] / median:.1f} | {ratio(result['ms'][first], ms):.3f} "
                     f"| {100 * result['errors'][name] / result['words']:.2f} % |")
    return "\n".join(lines)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    return contenders.parse_options(parser, QUINTET, PEERS, rounds=3)


def main():
    options = parse_options()
    files = options.files or make_recordings()
    report = {"command": shlex.join(sys.argv), "machine": machine(), "threads": options.threads,
              "rounds": options.rounds, "clips": {}}
    competing = contenders.make_contenders(options, contenders.QuintetFile, warm_up=False)
    try:
        for clip in files:
            result = measure(competing, clip.resolve(), options.rounds)
            report["clips"][clip.name] = result
            if not options.json:
                print(table(clip, result), flush=True)
        report["contenders"] = {c.name: c.info() for c in competing}
    finally:
        for contender in competing:
            contender.close()
    print(json.dumps(report, indent=1) if options.json else closing_line(report))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"bench/throughput.py: {failure}")
