#!/usr/bin/env python3
"""Makes golden.safetensors: what the published implementation of Silero VAD makes of our inputs.

Needs the Python packages `silero-vad` (made with 6.2.3), `tinygrad` (0.14.0), `torch` (2.15.0; the
package asks for it), `safetensors` and `numpy`. Run with DEV=CPU. The network is the package's
tinygrad_model.py with silero_vad_16k.safetensors; the spans are those of
get_speech_timestamps_from_probs without padding.

jfk, noise     probabilities [chunks] of tests/data/speech/jfk.wav and of noise()
walk           probabilities [2000] of a random walk, made here
walk_spans     [spans, 2]: begin and end in samples of speech in `walk`, otherwise with the defaults
exact_spans    the same where speech of 416 ms is dropped and silence of 192 ms ends speech: whole
               numbers of chunks, so that spans of just these lengths occur
"""

import importlib.resources
import pathlib
import wave

import numpy as np
from safetensors.numpy import save_file
from silero_vad.tinygrad_model import TinySileroVAD
from silero_vad.utils_vad import get_speech_timestamps_from_probs
from tinygrad import Tensor
from tinygrad.nn.state import load_state_dict, safe_load

HERE = pathlib.Path(__file__).resolve().parent


def jfk():
    with wave.open(str(HERE.parents[1] / "data/speech/jfk.wav")) as file:
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768


def noise():
    """48000 samples, evenly distributed in [-0.25, 0.25): the test makes the same ones."""
    state = 1
    samples = np.empty(48000, np.float32)
    for i in range(len(samples)):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        samples[i] = (state >> 40) / 2**25 - 0.25
    return samples


def probabilities(samples):
    model = TinySileroVAD()
    weights = importlib.resources.files("silero_vad") / "data/silero_vad_16k.safetensors"
    load_state_dict(model, safe_load(str(weights)))
    samples = np.pad(samples, (64, -len(samples) % 512))
    state = None
    result = []
    for begin in range(0, len(samples) - 64, 512):
        chunk = np.ascontiguousarray(samples[None, begin:begin + 576])
        probability, state = model(Tensor(chunk), state)
        state = state.realize()
        result.append(probability.numpy()[0, 0])
    return np.array(result, np.float32)


def walk():
    random = np.random.default_rng(4)
    position = np.cumsum(random.normal(0, 0.6, 2000))
    return (1 / (1 + np.exp(-4 * np.sin(position)))).astype(np.float32)


def borders(spans):
    return np.array([[span["start"], span["end"]] for span in spans], np.int64)


def main():
    chances = walk()
    spans = get_speech_timestamps_from_probs(chances, speech_pad_ms=0)
    exact = get_speech_timestamps_from_probs(
        chances, speech_pad_ms=0, min_speech_duration_ms=416, min_silence_duration_ms=192)
    tensors = {
        "jfk": probabilities(jfk()),
        "noise": probabilities(noise()),
        "walk": chances,
        "walk_spans": borders(spans),
        "exact_spans": borders(exact),
    }
    save_file(tensors, HERE / "golden.safetensors")


if __name__ == "__main__":
    main()
