#!/usr/bin/env python3
"""Linear layers, float32 in and out, int8 between: Quintet beside OpenVINO (oneDNN) in turns.

usage: bench/linear.py [--rounds 5] [--weights int8] [--program build/bin/engine_bench]

`--weights int4`: both have 4-bit weights with a zero for each 32 inputs, OpenVINO with dynamic
quantisation of the inputs, at the shapes of a language model. Otherwise OpenVINO runs one-operator models in its two fast ways: weights compressed to int8 per channel with
dynamic quantisation of the inputs, at the best of several group sizes, and a static quantisation
(FakeQuantize on the inputs, one scale for all). Each result is compared with float64 before the
clock starts. scripts/bench-peers installs OpenVINO; scripts/test builds engine_bench.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import time

import numpy
import openvino
from openvino import opset13 as op

ROOT = pathlib.Path(__file__).resolve().parent.parent
GROUP_SIZES = (32, 128, 2**63 - 1)


def weights(n, k):
    return numpy.random.default_rng(3).standard_normal((n, k)).astype(numpy.float32)


def finish(x, y, bias):
    return openvino.Model([op.add(y, op.constant(bias))], [x], "linear")


def dynamic_model(m, w, bias):
    x = op.parameter([m, w.shape[1]], numpy.float32)
    scale = numpy.abs(w).max(axis=1, keepdims=True) / 127
    stored = op.constant(numpy.rint(w / scale).astype(numpy.int8))
    dense = op.multiply(op.convert(stored, "f32"), op.constant(scale.astype(numpy.float32)))
    return finish(x, op.matmul(x, dense, False, True), bias)


def static_model(m, w, bias, inputs):
    x = op.parameter([m, w.shape[1]], numpy.float32)
    high = numpy.float32(numpy.abs(inputs).max())
    low = numpy.float32(-high * 128 / 127)
    coarse = op.fake_quantize(x, low, high, low, high, 256)
    top = numpy.abs(w).max(axis=1, keepdims=True).astype(numpy.float32)
    dense = op.fake_quantize(op.constant(w), -top, top, -top, top, 255)
    return finish(x, op.matmul(coarse, dense, False, True), bias)


def four_bit_model(m, w, bias):
    n, k = w.shape
    x = op.parameter([m, k], numpy.float32)
    groups = w.reshape(n, k // 32, 32)
    low = numpy.minimum(groups.min(axis=2, keepdims=True), 0)
    step = (numpy.maximum(groups.max(axis=2, keepdims=True), 0) - low) / 15
    zeros = numpy.rint(-low / step)

    def stored(codes):
        tensor = openvino.Tensor(openvino.Type.u4, list(codes.shape))
        flat = codes.clip(0, 15).astype(numpy.uint8).reshape(-1)
        tensor.data.reshape(-1)[:] = flat[0::2] | flat[1::2] << 4
        return op.convert(op.constant(tensor), "f16")

    codes = op.subtract(stored(numpy.rint(groups / step + zeros)), stored(zeros))
    dense = op.multiply(codes, op.constant(step.astype(numpy.float16)))
    dense = op.convert(op.reshape(dense, [n, k], False), "f32")
    return finish(x, op.matmul(x, dense, False, True), bias)


def compile_model(model, threads, **properties):
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32", **properties}
    return openvino.Core().compile_model(model, "CPU", settings).create_infer_request()


def timed(request, x, seconds=0.3):
    """Best and median of single calls, in seconds."""
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        request.infer()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def requests_for(m, n, k, threads, bits):
    rng = numpy.random.default_rng(4)
    x = rng.standard_normal((m, k)).astype(numpy.float32)
    w, bias = weights(n, k), rng.standard_normal(n).astype(numpy.float32)
    exact = x.astype(numpy.float64) @ w.T + bias
    model = four_bit_model if bits == "int4" else dynamic_model
    found = {f"dynamic {group if group < 2**32 else 'row'}": compile_model(
        model(m, w, bias), threads, DYNAMIC_QUANTIZATION_GROUP_SIZE=group)
        for group in GROUP_SIZES}
    if bits == "int8":
        found["static"] = compile_model(static_model(m, w, bias, x), threads)
    for name, request in found.items():
        y = list(request.infer([x]).values())[0]
        error = numpy.linalg.norm(y - exact) / numpy.linalg.norm(exact)
        assert error < (0.1 if bits == "int4" else 0.05), f"OpenVINO {name}, {m} x {n} x {k}: relative error {error:.3f}"
    return x, found


def quintet_seconds(program, m, n, k, threads, bits):
    name = f"run_linear/{bits.replace('nt', '')}/M:{m}/N:{n}/K:{k}/threads:{threads}/real_time"
    done = subprocess.run([program, f"--benchmark_filter=^{re.escape(name)}$",
                           "--benchmark_format=json", "--benchmark_min_time=0.3"],
                          check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)["benchmarks"][0]
    assert "error_message" not in result, result
    return result["real_time"] * 1e-9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/engine_bench")
    parser.add_argument("--weights", choices=("int8", "int4"), default="int8")
    options = parser.parse_args()
    print("| M x N x K | threads | quintet Gop/s | OpenVINO Gop/s, best | its way | time, ours of theirs |")
    print("|---|---|---|---|---|---|")
    if options.weights == "int4":
        shapes = [(m, n, k) for m in (832, 16, 1)
                  for n, k in ((960, 576), (576, 576), (3072, 576), (576, 1536))]
    else:
        shapes = [(m, n, k) for m in (1000, 1500) for d in (512, 768)
                  for n, k in ((d, d), (4 * d, d), (d, 4 * d))]
    for threads in (1, 2):
        for m, n, k in shapes:
            x, requests = requests_for(m, n, k, threads, options.weights)
            ours, theirs = [], {name: [] for name in requests}
            for _ in range(options.rounds):
                ours.append(quintet_seconds(options.program, m, n, k, threads, options.weights))
                for name, request in requests.items():
                    theirs[name].append(timed(request, x))
            best = min(theirs, key=lambda name: statistics.median(theirs[name]))
            ratio = statistics.median(a / b for a, b in zip(ours, theirs[best]))
            work = 2e-9 * m * n * k
            print(f"| {m} x {n} x {k} | {threads} | {work / statistics.median(ours):.0f} | "
                  f"{work / statistics.median(theirs[best]):.0f} | {best} | {ratio:.3f} |",
                  flush=True)


if __name__ == "__main__":
    main()
