"""What every contender of bench/peers speaks: requests on stdin, one a line, one line of JSON each.

    info      -> {"name": ..., "versions": {...}, "threads": N, "peak_resident_bytes": N, ...}
    run FILE  -> {"text": ..., "ms": {"preprocess", "encode", "decode", "total"}}

FILE is a recording; contenders with language models take what language_protocol.py describes.
Where a library does not tell how long decoding takes, it is the rest of the total. Reading the
audio file counts as preprocessing, loading the model does not count.
"""

import importlib.metadata
import json
import resource
import sys
import time

import numpy
import soundfile

RATE = 16000


def read_audio(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        raise ValueError(f"{path}: has {rate} Hz; this contender takes {RATE} Hz")
    return numpy.ascontiguousarray(samples.mean(axis=1))


def versions(*packages):
    return {package: importlib.metadata.version(package) for package in packages}


class Stopwatch:
    """Adds up how long a function takes, each time it is called."""

    def __init__(self):
        self.milliseconds = 0.0

    def around(self, function):
        def timed(*arguments, **named):
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.milliseconds += (time.perf_counter() - start) * 1e3

        return timed

    def take(self):
        taken, self.milliseconds = self.milliseconds, 0.0
        return taken


def serve(info, run):
    """Answers until stdin ends. `run` takes a path and gives the answer without the total time."""
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "info":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer = {**info, "peak_resident_bytes": peak}
        elif command == "run":
            try:
                start = time.perf_counter()
                answer = run(argument)
                total, ms = (time.perf_counter() - start) * 1e3, answer["ms"]
                ms.setdefault("decode", total - sum(ms.values()))
                ms["total"] = total
            except Exception as error:  # The driver prints it and stops.
                answer = {"error": f"{type(error).__name__}: {error}"}
        else:
            answer = {"error": f"unknown request {command!r}; known: info, run FILE"}
        print(json.dumps(answer), flush=True)
