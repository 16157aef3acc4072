#!/usr/bin/env python3
"""Makes warpers.json: what Hugging Face transformers' own logits processors, in the order in which
its generate() runs them, leave of random logits.

Needs the Python packages `transformers` and `torch`; made with 5.23.0 and seed 7. Logits are numbers
of three digits, so that they are the same in every format; no two of a row are equal.
"""

import itertools
import json
import pathlib
import random

import torch
from transformers.generation import logits_process

VOCABULARY = 150
ROWS = 3
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]


def settings():
    grid = {
        "temperature": [0.4, 1.7],
        "top_k": [0, 1, 7, 500],
        "top_p": [1.0, 0.1, 0.6, 0.95],
        "min_p": [0.0, 0.02, 0.5],
    }
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values))
    for penalty in (0.7, 1.3, 2.0):
        yield {"repetition_penalty": penalty, "temperature": 1.0}
        yield {"repetition_penalty": penalty, "temperature": 0.8, "top_k": 20, "top_p": 0.9}
    bias = [[5, 4.5], [9, -100.0], [17, 8.0]]
    yield {"logit_bias": bias, "temperature": 1.0}
    yield {"logit_bias": bias, "temperature": 1.2, "repetition_penalty": 1.3, "top_p": 0.8, "min_p": 0.05}


def processors(case):
    made = logits_process.LogitsProcessorList()
    if "logit_bias" in case:
        bias = {(token,): value for token, value in case["logit_bias"]}
        made.append(logits_process.SequenceBiasLogitsProcessor(bias))
    if "repetition_penalty" in case:
        made.append(logits_process.RepetitionPenaltyLogitsProcessor(case["repetition_penalty"]))
    made.append(logits_process.TemperatureLogitsWarper(case["temperature"]))
    if case.get("top_k"):
        made.append(logits_process.TopKLogitsWarper(case["top_k"]))
    if case.get("top_p", 1.0) < 1:
        made.append(logits_process.TopPLogitsWarper(case["top_p"]))
    if case.get("min_p"):
        made.append(logits_process.MinPLogitsWarper(case["min_p"]))
    return made


def main():
    rng = random.Random(7)
    rows = []
    for _ in range(ROWS):
        row = set()
        while len(row) < VOCABULARY:
            row.add(round(rng.gauss(0, 3), 3))
        rows.append(rng.sample(sorted(row), VOCABULARY))
    cases = []
    for number, case in enumerate(settings()):
        row = number % ROWS
        scores = torch.tensor([rows[row]], dtype=torch.float64)
        probabilities = processors(case)(torch.tensor([PROMPT]), scores).softmax(-1)[0]
        # What float32 cannot hold is never drawn.
        kept = (probabilities > 2**-126).nonzero().flatten().tolist()
        cases.append(case | {"row": row, "tokens": kept,
                             "probabilities": [float(f"{probabilities[t].item():.7g}") for t in kept]})
    folder = pathlib.Path(__file__).parent
    lines = ",\n".join(json.dumps(case) for case in cases)
    (folder / "warpers.json").write_text(
        f'{{"logits": {json.dumps(rows)},\n"prompt": {PROMPT},\n"cases": [\n{lines}\n]}}\n')


main()
