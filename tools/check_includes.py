#!/usr/bin/env python3
"""Checks who may include whom, and what may stand only in one place.

usage: check_includes.py [--self-test]

The rules: core < net, kernels < io < engine < eval < compress, serve < cli, where modules between
the same two `<` do not see each other; names of models only in engine/models and above; sockets,
instruction sets and the environment each in their own folder. A word in a comment or in a string
that is not an include is no violation, except that strings count for model names outside io/.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A module may include itself and these.
MAY_INCLUDE = {
    "core": set(),
    "net": {"core"},
    "kernels": {"core"},
    "io": {"core", "net", "kernels"},
    "engine": {"core", "net", "kernels", "io"},
    "eval": {"core", "net", "kernels", "io", "engine"},
    "compress": {"core", "net", "kernels", "io", "engine", "eval"},
    "serve": {"core", "net", "kernels", "io", "engine", "eval"},
}
PUBLIC = {"core", "net", "kernels", "io", "engine", "eval", "compress", "serve"}

MODEL_NAMES = (
    "whisper", "llama", "smollm", "qwen", "gemma", "mistral", "phi3", "llava", "smolvlm",
    "idefics", "internvl", "blip", "clip_model", "clip_vision", "clip_text", "siglip", "wav2vec",
    "hubert", "silero", "scenes_vlm",
)
MODEL_NAME = re.compile("|".join(MODEL_NAMES), re.IGNORECASE)
# `clip` alone also means a piece of audio and the bounding of a value: only as a file or type name.
MODEL_FILE = re.compile(MODEL_NAME.pattern + r"|(?<![a-z])clip(?![a-z])", re.IGNORECASE)
MODEL_TYPE = re.compile(r"\bClip(?:Vision|Text|Model|Encoder|Config)\w*")
# Folders whose code may name models: the models themselves, the tasks that stand on them, whoever
# stands above the engine, and the public header. In io/ and net/ strings may: keys of metadata.
NAMES_MODELS = ("quintet/engine/models/", "quintet/engine/speech/", "quintet/engine/text/", "quintet/eval/",
                "quintet/compress/", "quintet/serve/")
STRINGS_NAME_MODELS = ("quintet/io/", "quintet/net/")

# (what, pattern in code without comments and strings, folders where it may stand).
ONLY_IN = [
    ("a listening socket", re.compile(r"(?<![\w>])::(?:listen|bind|accept4?)\s*\("
                                      r"|\bip::\w+::acceptor\b"),
     ("quintet/serve/http/", "quintet/serve/grpc/")),
    ("an outgoing connection", re.compile(r"(?<![\w>])::connect\s*\(|\bgetaddrinfo\s*\("
                                          r"|\bcurl_\w+\s*\(|#\s*include\s*<curl/"),
     ("quintet/net/",)),
    ("a socket", re.compile(r"#\s*include\s*<(?:sys/socket|netinet/\w+|netdb)\.h>"),
     ("quintet/net/", "quintet/serve/http/", "quintet/serve/grpc/")),
    ("an instruction set", re.compile(r"\b__(?:AVX|SSE|FMA|F16C|BMI|AMX|ARM_)\w*"
                                      r"|#\s*include\s*<\w*mmintrin\.h>|#\s*include\s*<arm_neon\.h>"
                                      r"|\b_mm\d*_\w+\s*\(|\bQT_ISA_(?:BEGIN|END)\b"),
     ("quintet/kernels/", "quintet/core/thread_pool.cc")),  # The pool's pause in its spin loop.
    ("the environment", re.compile(r"\b(?:secure_)?getenv\s*\("), ("quintet/core/",)),
]
# Tests talk to servers of their own and set the environment that they test.
TEST_MAY = {"a listening socket", "an outgoing connection", "a socket", "the environment"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)\"|\"(?:\\.|[^\"\\\n])*\""
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def blank(text: str, keep_strings: bool) -> str:
    """`text` with comments (and strings, includes excepted) replaced by spaces, line by line."""

    def replace(match):
        token = match.group()
        line_start = text.rfind("\n", 0, match.start()) + 1
        is_include = text[line_start:match.start()].lstrip().startswith("#")
        if token[0] != "/" and (keep_strings or is_include):
            return token
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(replace, text)


def module_of(path: str):
    parts = path.split("/")
    if parts[0] == "quintet" and len(parts) > 2:
        return parts[1]
    return "public" if parts[0] == "quintet" else parts[0]


def include_violations(path: str, code: str):
    module = module_of(path)
    for match in INCLUDE.finditer(code):
        included = match.group(1)
        line = code.count("\n", 0, match.start()) + 1
        target = module_of(included)
        if not included.startswith("quintet/"):
            if included.startswith("cli/") and module == "cli":
                continue
            if included.startswith("tests/") and path.endswith(("_test.cc", "_bench.cc", "_fuzz.cc")):
                continue
            if path.endswith("_test.cc") and included.startswith("tests/support/"):
                continue
            yield line, f'include "{included}": write it from the root, "quintet/..."'
        elif module in MAY_INCLUDE:
            if target != module and target not in MAY_INCLUDE[module]:
                allowed = ", ".join(sorted(MAY_INCLUDE[module])) or "nothing else of ours"
                yield line, f"{module} includes {target}; it may include {allowed}"
        elif module == "public" and target in {"compress", "serve"} and path.endswith("quintet.h"):
            yield line, f"the public header includes {target}"


def model_name_violations(path: str, text: str):
    if not path.startswith("quintet/") or path.startswith(NAMES_MODELS):
        return
    if module_of(path) == "public":
        return
    if name := MODEL_FILE.search(path):
        yield 1, f"a file below engine/models is named after a model: {name.group()}"
    if path.endswith(("_test.cc", "_bench.cc", "_fuzz.cc")):
        return  # They take real models and their shapes as examples.
    code = blank(text, keep_strings=not path.startswith(STRINGS_NAME_MODELS))
    for number, line in enumerate(code.splitlines(), 1):
        if line.lstrip().startswith("#include"):
            continue
        if name := MODEL_NAME.search(line) or MODEL_TYPE.search(line):
            yield number, f"'{name.group()}' names a model below engine/models"


def place_violations(path: str, text: str):
    code = blank(text, keep_strings=False)
    is_test = path.endswith("_test.cc") or path.startswith("tests/")
    for what, pattern, folders in ONLY_IN:
        if path.startswith(folders) or (is_test and what in TEST_MAY):
            continue
        for match in pattern.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            yield line, f"{what} ('{match.group().strip()}') belongs in {' or '.join(folders)}"


def violations(path: str, text: str):
    yield from include_violations(path, blank(text, keep_strings=True))
    yield from model_name_violations(path, text)
    yield from place_violations(path, text)


def check_tree() -> list[str]:
    found = []
    for folder in ("quintet", "cli"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in {".h", ".cc", ".inc"}:
                continue
            path = file.relative_to(ROOT).as_posix()
            for line, why in violations(path, file.read_text(errors="replace")):
                found.append(f"{path}:{line}: {why}")
    return found


SELF_TEST = [  # (path, text, whether it is a violation)
    ("quintet/core/a.cc", '#include "quintet/io/b.h"', True),
    ("quintet/net/a.cc", '#include "quintet/kernels/b.h"', True),
    ("quintet/kernels/a.cc", '#include "quintet/net/b.h"', True),
    ("quintet/compress/a.cc", '#include "quintet/serve/b.h"', True),
    ("quintet/io/a.cc", '#include "b.h"', True),
    ("quintet/io/a.cc", '#include "tests/support/b.h"', True),
    ("quintet/io/a_test.cc", '#include "tests/support/b.h"', False),
    ("quintet/io/a.cc", '#include "quintet/kernels/mel/mel.h"', False),
    ("quintet/io/a.cc", '// #include "quintet/engine/b.h"', False),
    ("cli/a.cc", '#include "quintet/serve/b.h"', False),
    ("quintet/net/a_test.cc", '#include "tests/support/b.h"', False),
    ("quintet/net/a.cc", '#include "tests/support/b.h"', True),
    ("quintet/engine/nn/a.cc", "struct WhisperLayer {};", True),
    ("quintet/engine/nn/a.cc", 'if (name == "llama") f();', True),
    ("quintet/engine/nn/a.cc", "// Source: WhisperEncoderLayer.", False),
    ("quintet/engine/nn/whisper_layer.h", "", True),
    ("quintet/engine/nn/clip.h", "", True),
    ("quintet/io/media/clipping.cc", "float clip(float x);", False),
    ("quintet/io/formats/a.cc", 'const char* key = "llama.block_count";', False),
    ("quintet/io/formats/a.cc", "int llama_blocks = 0;", True),
    ("quintet/engine/models/whisper/a.cc", "struct Whisper {};", False),
    ("quintet/net/a.cc", "::bind(fd, a, n);", True),
    ("quintet/engine/a.cc", "#include <sys/socket.h>", True),
    ("quintet/engine/a.cc", "weights.bind(x); bind(y);", False),
    ("quintet/net/a.cc", "curl_easy_init();", False),
    ("quintet/io/a.cc", "#include <curl/curl.h>", True),
    ("quintet/net/a_test.cc", "::listen(fd, 1);", False),
    ("quintet/serve/http/a.cc", "::listen(fd, 1);", False),
    ("quintet/io/a.cc", "auto f = std::bind(g, 1);", False),
    ("quintet/io/a.cc", "#include <immintrin.h>", True),
    ("quintet/engine/a.cc", "#if defined(__AVX2__)", True),
    ("quintet/kernels/a.cc", "_mm256_add_ps(a, b);", False),
    ("quintet/engine/a.cc", "std::getenv(name);", True),
    ("cli/a.cc", "std::getenv(name);", True),
    ("quintet/engine/a.cc", 'auto s = "getenv(";', False),
    ("quintet/engine/a.cc", "char c = '\"'; std::getenv(name); char d = '\"';", True),
    ("quintet/engine/a.cc", "int n = 1'000'000; std::getenv(name); int m = 2'000;", True),
]


def self_test() -> list[str]:
    return [
        f"{path}: {text!r} was {'not found' if expected else 'found by mistake'}"
        for path, text, expected in SELF_TEST
        if bool(list(violations(path, text))) != expected
    ]


if __name__ == "__main__":
    problems = self_test() if sys.argv[1:] == ["--self-test"] else check_tree()
    sys.exit("\n".join(problems) if problems else 0)
