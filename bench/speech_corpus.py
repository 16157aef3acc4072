#!/usr/bin/env python3
"""Makes the generated speech on which precision and speed settings have to prove their accuracy.

usage: .venv-bench/bin/python bench/speech_corpus.py [--output .cache/speech-corpus] [--words 14000]

Reads bench/data/*.txt, has them spoken by espeak-ng and flite (voices, speeds of 130 to 200 words a
minute, pitches), adds noise to seven items of sixteen, and writes 16 kHz mono 16-bit wav files with

    corpus.jsonl   everything; an item has audio, text, language, kind, id, seconds, voice, wpm
    quick.jsonl    every seventh item of it, about 2000 words, and all of the real speech

Kinds: `clean`; `white-15`, `white-5`, `babble-15`, `babble-5` with the signal-to-noise ratio in dB
over the whole item (babble: six other items at once); `real`: the recordings of tests/data/speech.
Lengths are spread from 1 to 29 s, because a setting that computes over the audio there is has to be
right at every length; one item in a hundred is 40 to 120 s long. No word is spoken twice. The same
text, seed and versions of the two speakers give the same files.
"""

import argparse
import itertools
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import wave

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATE = 16000
LONGEST_SECONDS = 29.0  # Of items that are to fit into one window of 30 s.
LEVEL = 0.05            # Root mean square of the speech, of full scale 1: -26 dB.
BABBLE_SPEAKERS = 6
QUICK_EVERY = 7

# Of espeak-ng's voices those that Whisper base understands on the whole, alone and beside flite's;
# where float32 gets half of the words wrong, a difference between settings says little.
ESPEAK_VOICES = [accent + variant for accent in ("en-us", "en-gb", "en-gb-x-rp")
                 for variant in ("", "+m3", "+f2")] + ["en-gb-scotland+m3"]
# Voice of flite -> words a minute at its own speed.
FLITE_VOICES = {"slt": 170, "rms": 150, "awb": 165, "kal16": 165}
KINDS = ["clean"] * 9 + ["white-15"] * 2 + ["babble-15"] * 3 + ["white-5", "babble-5"]
ROOM = LEVEL / 1000  # Steady noise below everything: -60 dB.
# Seconds from, to, and how many items of 16: short ones are many, because they hold few words.
LENGTHS = [(1, 3, 4), (3, 6, 4), (6, 10, 3), (10, 15, 2), (15, 20, 1), (20, 25, 1), (25, 29, 1)]
LONG_LENGTH = (40, 120)


class Sentences:
    """A text that is read once, from its beginning, in pieces that end where clauses end."""

    def __init__(self, path):
        text = " ".join(path.read_text().split())
        self.clauses = re.split(r"(?<=[^.][.!?,;:])(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.) ", text)
        self.clauses.reverse()

    def take(self, words):
        """About so many words, at least one clause; "" at the end."""
        taken, count = [], 0
        while self.clauses and (count == 0 or count + len(self.clauses[-1].split()) / 2 <= words):
            taken.append(self.clauses.pop())
            count += len(taken[-1].split())
        return " ".join(taken)

    def give_back(self, text):
        self.clauses.append(text)


def read_wav(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        samples = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples.astype(numpy.float64) / 32768, file.getframerate()


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        scaled = numpy.round(numpy.clip(samples, -1, 1) * 32767)
        file.writeframes(scaled.astype("<i2").tobytes())


def resample(samples, rate):
    """Band-limited, by cutting the spectrum of the whole recording."""
    if rate == RATE:
        return samples
    count = round(len(samples) * RATE / rate)
    spectrum = numpy.fft.rfft(samples)[: count // 2 + 1]
    return numpy.fft.irfft(spectrum, count) * (count / len(samples))


def speak(text, voice, wpm, pitch, scratch):
    """Samples at RATE, the speech at LEVEL. `pitch` is 0 to 1, from low to high."""
    if voice in FLITE_VOICES:
        stretch = FLITE_VOICES[voice] / wpm
        hertz = (150 if voice == "slt" else 90) + 50 * pitch
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}",
                   "--setf", f"int_f0_target_mean={hertz:.0f}", "-t", text, "-o", scratch]
    else:
        command = ["espeak-ng", "-v", voice, "-s", str(wpm), "-p", str(round(20 + 60 * pitch)),
                   "-w", scratch, "--", text]
    subprocess.run(command, check=True)
    samples = resample(*read_wav(scratch))
    return samples * (LEVEL / numpy.sqrt(numpy.mean(samples**2)))


def add_pauses(samples, rng):
    """As in a recording: a moment before the first word and one after the last."""
    before, after = rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.6)
    return numpy.pad(samples, (int(before * RATE), int(after * RATE)))


def draw_voice(rng):
    voice = rng.choice(rng.choice([ESPEAK_VOICES, list(FLITE_VOICES)]))
    return voice, rng.randrange(130, 201, 5), rng.random()


def make_item(rng, sources, lengths, scratch):
    """(fields, samples) of the next item; None where the texts are at their end."""
    low, high = next(lengths)
    voice, wpm, pitch = draw_voice(rng)
    words = rng.uniform(low, high) * wpm / 60
    source = next((s for s in (sources if high <= 6 else sources[::-1]) if s.clauses), None)
    if source is None:
        return None
    text = source.take(words)
    while True:
        samples = add_pauses(speak(text, voice, wpm, pitch, scratch), rng)
        seconds = len(samples) / RATE
        if seconds <= LONGEST_SECONDS or high > LONGEST_SECONDS:
            break
        spoken = text.split()
        keep = int(len(spoken) * LONGEST_SECONDS / seconds) - 1
        source.give_back(" ".join(spoken[keep:]))
        text = " ".join(spoken[:keep])
    return {"text": text, "seconds": round(seconds, 2), "voice": voice, "wpm": wpm}, samples


def draw_lengths(rng):
    """(from, to) in seconds, for ever: LENGTHS in random order, and now and then a long one."""
    deck = [(low, high) for low, high, count in LENGTHS for _ in range(count)]
    for turn in itertools.count():
        if turn % 6 == 5:
            yield LONG_LENGTH
        yield from rng.sample(deck, len(deck))


def make_items(rng, words, scratch):
    """All items as (fields, samples), still without noise."""
    sources = [Sentences(ROOT / "bench/data" / name) for name in ("everyday.txt", "austen.txt")]
    lengths, items, count = draw_lengths(rng), [], 0
    while count < words:
        item = make_item(rng, sources, lengths, scratch)
        if item is None:
            sys.exit(f"speech_corpus.py: the texts hold {count} words; --words: at most that")
        items.append(item)
        count += len(item[0]["text"].split())
    return items


def add_noise(samples, kind, others, generator):
    """`samples` with noise of the kind ("white-15"); babble is mixed from `others`."""
    color, decibels = kind.split("-")
    if color == "white":
        noise = generator.standard_normal(len(samples))
    else:
        noise = sum(numpy.resize(numpy.roll(other, generator.integers(len(other))), len(samples))
                    for other in others)
    ratio = 10 ** (float(decibels) / 20)
    return samples + noise * (LEVEL / ratio / numpy.sqrt(numpy.mean(noise**2)))


def write_items(items, rng, folder):
    generator = numpy.random.Generator(numpy.random.PCG64(rng.getrandbits(64)))
    kinds = [kind for _ in range(len(items) // len(KINDS) + 1)
             for kind in rng.sample(KINDS, len(KINDS))]
    lines = []
    for index, ((fields, clean), kind) in enumerate(zip(items, kinds)):
        samples = clean + ROOM * generator.standard_normal(len(clean))
        if kind != "clean":
            others = [items[i][1] for i in rng.sample(range(len(items)), BABBLE_SPEAKERS + 1)
                      if i != index][:BABBLE_SPEAKERS]
            samples = add_noise(samples, kind, others, generator)
        name = f"{index:04d}.wav"
        write_wav(folder / name, samples)
        lines.append({"id": name, "audio": name, "text": fields["text"], "language": "en",
                      "kind": kind, **{k: fields[k] for k in ("seconds", "voice", "wpm")}})
    return lines


def copy_real(folder):
    source = ROOT / "tests/data/speech"
    lines = []
    for line in (source / "speech.jsonl").read_text().splitlines():
        item = json.loads(line)
        shutil.copyfile(source / item["audio"], folder / item["audio"])
        samples, rate = read_wav(folder / item["audio"])
        lines.append({**item, "kind": "real", "seconds": round(len(samples) / rate, 2)})
    return lines


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = sum(len(line["text"].split()) for line in lines)
    seconds = sum(line["seconds"] for line in lines)
    print(f"{path}: {len(lines)} items, {words} words, {seconds / 60:.1f} minutes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / ".cache/speech-corpus")
    parser.add_argument("--words", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for program in ("espeak-ng", "flite"):
        if not shutil.which(program):
            sys.exit(f"speech_corpus.py: no {program} here; scripts/setup bench installs it")
    shutil.rmtree(options.output, ignore_errors=True)
    options.output.mkdir(parents=True)
    scratch = options.output / "scratch.wav"
    rng = random.Random(options.seed)
    generated = write_items(make_items(rng, options.words, scratch), rng, options.output)
    scratch.unlink()
    real = copy_real(options.output)
    write_lines(options.output / "corpus.jsonl", generated + real)
    write_lines(options.output / "quick.jsonl", generated[::QUICK_EVERY] + real)


if __name__ == "__main__":
    main()
