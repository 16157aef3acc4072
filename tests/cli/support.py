"""What the tests of the program share: running it, its contract, audio files, small models."""

import ctypes
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SPEECH = SOURCE / "tests" / "data" / "speech"
AUDIO_FORMATS = SOURCE / "tests" / "data" / "audio-formats"
TINY_WEIGHTS = SOURCE / "tests" / "goldens" / "tiny-whisper"
TINY_LANGUAGE = SOURCE / "tests" / "goldens" / "tiny-llama"
MODELS = pathlib.Path(os.environ.get("QUINTET_TEST_MODELS") or SOURCE / "models")
BINARY = os.environ.get("QUINTET_BINARY") or str(SOURCE / "build" / "bin" / "quintet")

JFK = SPEECH / "jfk.wav"
JFK_TEXT = (
    "And so my fellow Americans, ask not what your country can do for you, ask what you can do "
    "for your country."
)
TIMINGS = ["load", "preprocess", "encode", "prefill", "first_token", "decode", "total"]

# A run beyond this hangs: the slowest takes 3 s on a quiet machine.
TIMEOUT_SECONDS = 120


class Run:
    """How one run of the program ended."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def __str__(self):
        return (
            f"quintet {' '.join(self.arguments)[:400]}\n"
            f"exit code {self.code}\nstdout: {self.out[:1500]}\nstderr: {self.err[:1500]}"
        )

    def json(self):
        """The one object that --json promises on stdout."""
        value = json.loads(self.out)
        if not isinstance(value, dict):
            raise ValueError(f"not an object: {self.out[:200]}")
        return value


def drop_override_of_permissions():
    """Lets file modes hold for a child of root too, which stays root otherwise."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def mortal_can(statement):
    """Whether Python can do it where file modes hold; some file systems know no modes."""
    process = subprocess.run([sys.executable, "-c", statement], stderr=subprocess.DEVNULL,
                             preexec_fn=drop_override_of_permissions if os.geteuid() == 0 else None)
    return process.returncode == 0


def run(*arguments, stdin=b"", environment=None, as_mortal=False, stdout=subprocess.PIPE):
    """Runs the program. `environment` adds to that of the tests; `as_mortal`: file modes hold."""
    arguments = [str(a) for a in arguments]
    process = subprocess.run(
        [BINARY, *arguments],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        timeout=TIMEOUT_SECONDS,
        preexec_fn=drop_override_of_permissions if as_mortal and os.geteuid() == 0 else None,
    )
    out = (process.stdout or b"").decode("utf-8", "replace")
    return Run(arguments, process.returncode, out, process.stderr.decode("utf-8", "replace"))


class CliTest(unittest.TestCase):
    """A test with a folder of its own (self.folder), deleted afterwards."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="quintet-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def assert_done(self, result):
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(result.err, "", str(result))

    def assert_one_line_error(self, result, code, *fragments):
        """The contract of errors: the exit code, one line on stderr that names what is wrong."""
        self.assertEqual(result.code, code, str(result))
        self.assertRegex(result.err, r"\Aquintet: [^\n]+\n\Z", str(result))
        for fragment in filter(None, fragments):
            self.assertRegex(result.err, fragment, str(result))
        if result.out:
            self.assertIn("--json", result.arguments, str(result))
            result.json()

    def assert_no_leftovers(self, folder):
        left = [str(p) for p in pathlib.Path(folder).rglob("*partial*")]
        self.assertEqual(left, [])


def real_model(name):
    """Its folder. Without it tests fail in CI, or where a folder of models is named; elsewhere they
    are skipped."""
    folder = MODELS / name
    if (folder / "model.bin").exists() or (folder / "model.safetensors").exists():
        return folder
    reason = (
        f"{folder} is missing: run `quintet pull {name}` and name the folder of models in "
        "QUINTET_TEST_MODELS"
    )
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    if in_ci or os.environ.get("QUINTET_TEST_MODELS"):
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


def whisper_base():
    return real_model("whisper-base")


def voice_activity():
    return real_model("silero-vad")


# Audio


def wav_bytes(data, *, coding=1, channels=1, rate=16000, bits=16, declared=None):
    """A WAV file; `declared`: the size of the data that its header claims."""
    block = channels * bits // 8
    declared = len(data) if declared is None else declared
    form = struct.pack("<HHIIHH", coding, channels, rate, rate * block, block, bits)
    size = (4 + 8 + len(form) + 8 + declared) & 0xFFFFFFFF
    return (
        b"RIFF" + struct.pack("<I", size) + b"WAVE"
        + b"fmt " + struct.pack("<I", len(form)) + form
        + b"data" + struct.pack("<I", declared) + data
    )


def pcm16(samples):
    return struct.pack(
        f"<{len(samples)}h", *(max(-32768, min(32767, round(x * 32767))) for x in samples)
    )


def float_wav(samples):
    return wav_bytes(struct.pack(f"<{len(samples)}f", *samples), coding=3, bits=32)


def tone(seconds, hertz=440.0, rate=16000, amplitude=0.3):
    step = 2 * math.pi * hertz / rate
    return [amplitude * math.sin(step * i) for i in range(int(seconds * rate))]


def white_noise(seconds, amplitude, seed=1):
    generator = random.Random(seed)
    return [generator.uniform(-amplitude, amplitude) for _ in range(int(seconds * 16000))]


# Models


def read_safetensors(path):
    """(header, data): the header with its tensors' offsets, the bytes behind it."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def safetensors_bytes(header, data):
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


def tiny_tokenizer():
    """256 bytes and what a speech model needs, within the 512 tokens of the tiny model."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    special = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe"]
    special += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    added = [
        {"id": 256 + i, "content": f"<|{name}|>", "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for i, name in enumerate(special)
    ]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(alphabet)}, "merges": []},
    }


def make_tiny_model(folder):
    """A random model of 1 MB that loads in milliseconds and answers nonsense: for everything that
    does not depend on what was said. Whisper's special tokens are added to the golden's weights."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(TINY_WEIGHTS / name, folder / name)
    generation = {"is_multilingual": True, "suppress_tokens": [], "begin_suppress_tokens": []}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "tokenizer.json").write_text(json.dumps(tiny_tokenizer()))
    return folder


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IM_START, IM_END = 256, 257


def tiny_language_tokenizer():
    """Bytes, the two marks of a chat, and pairs of letters up to the 512 tokens of the model."""
    tokenizer = tiny_tokenizer()
    tokenizer["added_tokens"] = [
        {"id": id, "content": f"<|{name}|>", "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for id, name in ((IM_START, "im_start"), (IM_END, "im_end"))
    ]
    letters = "etaoinshrdlucmfwyp"
    pairs = [(a, b) for a in letters for b in letters][: 512 - 258]
    model = tokenizer["model"]
    model["vocab"].update({a + b: 258 + i for i, (a, b) in enumerate(pairs)})
    model["merges"] = [f"{a} {b}" for a, b in pairs]
    return tokenizer


def make_tiny_language_model(folder, context=1024):
    """A random language model that loads in milliseconds and answers nonsense."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(TINY_LANGUAGE / name, folder / name)
    edit_json(folder / "config.json", max_position_embeddings=context, eos_token_id=IM_END,
              bos_token_id=IM_START)
    edit_json(folder / "generation_config.json", eos_token_id=IM_END, bos_token_id=IM_START)
    (folder / "tokenizer.json").write_text(json.dumps(tiny_language_tokenizer()))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return folder


def edit_json(path, **changes):
    """Sets keys of a JSON file; a value of None takes the key away."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            content.pop(key, None)
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def quoted(path):
    return re.escape(str(path))
