"""The contenders of the benchmarks in this folder: Quintet, and the peers of bench/peers.

A contender has a `name`; `run(clip)` gives {"text", "ms": {stage: milliseconds}} of one warm run,
`text(clip)` its words alone; `info()` says versions and settings. Model files that a peer needs are
made on first use, in .cache, from the same weights.
"""

import functools
import json
import os
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/peers"
PYTHON = ROOT / ".venv-bench/bin/python"
EXPORT_PYTHON = ROOT / ".venv-export/bin/python"
STAGES = ("preprocess", "encode", "decode", "total")


class Failure(Exception):
    pass


def check_output(command, **named):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, **named)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Failure(f"{shlex.join(command)}: {lines[-1]}")
    return done.stdout


class Quintet:
    """The program of this repository, started for each run: it loads, warms up, times one run."""

    def __init__(self, name, options, arguments):
        self.name, self.program = name, options.program
        self.common = ["--model", options.model, "--threads", str(options.threads), "--json",
                       "--language", "en", *arguments]
        self.peak = 0

    def info(self):
        return {"versions": {"quintet": check_output([self.program, "--version"]).strip()},
                "options": shlex.join(self.common), "peak_resident_bytes": self.peak}

    def run(self, clip):
        done = json.loads(check_output(
            [self.program, "bench", *self.common, "--input", clip, "--repeat", "1"]))
        self.peak = max(self.peak, done["peak_resident_bytes"])
        ms = done["timings_ms"]
        # Peers do not tell the prompt from the steps.
        return {"text": done["text"], "ms": {**{stage: ms[stage] for stage in STAGES},
                                             "decode": ms["prefill"] + ms["decode"]}}

    def text(self, clip):
        return self.run(clip)["text"]

    def close(self):
        pass


class QuintetFile(Quintet):
    """The same for long audio: one `quintet transcribe`; a first run for warmth would not show."""

    def run(self, clip):
        done = json.loads(check_output([self.program, "transcribe", *self.common, clip]))
        return {"text": done["text"], "ms": {"total": done["timings_ms"]["total"]}}


class Peer:
    """A program of bench/peers: one process, one line of JSON for each request."""

    def __init__(self, name, command, warm_up=True):
        self.name, self.command = name, [str(word) for word in command]
        self.warm_up = warm_up
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def _ask(self, request):
        try:
            print(request, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failure(f"{self.name}: ended without an answer: {shlex.join(self.command)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{self.name}: {answer['error']}")
        return answer

    def info(self):
        return self._ask("info")

    def run(self, clip):
        """As with Quintet, the run before it is of the same contender: its weights are in cache."""
        if self.warm_up:
            self._ask(f"run {clip}")
        return self._ask(f"run {clip}")

    def answer(self, path):
        return self._ask(f"run {path}")

    def text(self, clip):
        return self.answer(clip)["text"]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # It has ended; whoever asked it last has said so.
        self.process.wait()


def cached(name, options, make):
    """.cache/NAME-MODEL, made by make(path) where it is not there yet."""
    model = re.sub(r"[^\w.-]", "_", pathlib.Path(options.model).name)
    model = model.removesuffix(".gguf")  # OpenVINO GenAI would take the folder for such a file.
    path = ROOT / ".cache" / f"{name}-{model}"
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        check_output(["rm", "-rf", partial])
        path.parent.mkdir(exist_ok=True)
        make(partial)
        partial.rename(path)
    return path


def hugging_face_folder(options):
    given = pathlib.Path(options.model)
    if (given / "model.safetensors").exists():
        return given
    return cached("hf", options, lambda path: check_output(
        [options.program, "convert", options.model, "--to", "safetensors", "-o", path]))


def openvino_folder(options):
    return cached("ov", options, lambda path: check_output(
        [EXPORT_PYTHON, PEERS / "export_openvino.py", hugging_face_folder(options), path],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}))


def installed_folder(options):
    home = os.environ.get("QUINTET_HOME") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "quintet")
    return pathlib.Path(home, "models", options.model)


def ctranslate2_folder(options):
    installed = installed_folder(options)
    if (installed / "model.bin").exists():
        return installed
    return cached("ct2", options, lambda path: check_output(
        [EXPORT_PYTHON, PEERS / "export_ctranslate2.py", hugging_face_folder(options), path]))


def ggml_file(kind, options):
    return cached(f"ggml-{kind}", options, lambda path: check_output(
        [PYTHON, PEERS / "export_ggml.py", hugging_face_folder(options), path, "--type", kind]))


def transformers(options):
    return ["hf_whisper.py", hugging_face_folder(options)]


def openvino(options):
    return ["openvino_whisper.py", openvino_folder(options)]


def faster_whisper(batch, options):
    return ["faster_whisper_peer.py", ctranslate2_folder(options),
            *(["--batch", batch] if batch else [])]


def whisper_cpp(kind, arguments, options):
    return ["whisper_cpp_peer.py", ggml_file(kind, options), *arguments]


# Name -> the command below bench/peers. The first is the reference: float32 by another engine.
PEER_COMMANDS = {
    "Transformers float32": transformers,
    "OpenVINO GenAI int8/bf16": openvino,
    "faster-whisper int8": functools.partial(faster_whisper, None),
    "faster-whisper int8 batch 8": functools.partial(faster_whisper, 8),
    "faster-whisper int8 batch 16": functools.partial(faster_whisper, 16),
    "whisper.cpp q8_0": functools.partial(whisper_cpp, "q8_0", []),
    "whisper.cpp q5_1": functools.partial(whisper_cpp, "q5_1", []),
    "whisper.cpp q4_0": functools.partial(whisper_cpp, "q4_0", []),
    "whisper.cpp q8_0 audio_ctx": functools.partial(whisper_cpp, "q8_0", ["--short-context"]),
    "whisper.cpp q4_0 audio_ctx": functools.partial(whisper_cpp, "q4_0", ["--short-context"]),
}


def parse_options(parser, quintet, peers, rounds, commands=PEER_COMMANDS, model="whisper-base",
                  model_help="installed model, or a Hugging Face folder"):
    """Options that choose contenders and say how often they run; `quintet` {name: options} and
    `peers`, which are names in `commands`, run by default, `rounds` times."""
    parser.add_argument("--model", default=model, help=model_help)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/quintet")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quintet", action="append", metavar="NAME=OPTIONS",
                        help="settings of Quintet; may repeat; by default: "
                        + ", ".join(f'"{name}={given}"' for name, given in quintet.items()))
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="peers and settings of Quintet that run; may repeat. Peers: "
                        + ", ".join(commands))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", action="store_true", help="every figure as JSON, no tables")
    parser.set_defaults(quintet_defaults=quintet, peer_defaults=peers, peer_commands=commands)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    return options


def quintet_settings(options):
    if not options.quintet:
        return options.quintet_defaults
    return {name: given for name, _, given in (text.partition("=") for text in options.quintet)}


def make_contenders(options, quintet=Quintet, warm_up=True, peer=Peer):
    """Quintet's settings and then the peers, in the order of their commands."""
    commands = options.peer_commands
    settings = quintet_settings(options)
    wanted = options.only or [*settings, *options.peer_defaults]
    unknown = [name for name in wanted if name not in settings and name not in commands]
    if unknown:
        raise Failure(f"no contender '{unknown[0]}'; there are: "
                      + ", ".join([*settings, *commands]))
    contenders = [quintet(name, options, shlex.split(given)) for name, given in settings.items()
                  if name in wanted]
    peers = [name for name in commands if name in wanted]
    if peers and not PYTHON.exists():
        raise Failure("the peers are not installed; scripts/bench-peers installs them")
    for name in peers:
        script, *arguments = commands[name](options)
        contenders.append(peer(name, [PYTHON, PEERS / script, *arguments,
                                      "--threads", options.threads], warm_up))
    return contenders
