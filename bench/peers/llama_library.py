"""llama.cpp's library, as scripts/bench-peers builds it, through the bindings of llama-cpp-python."""

import ctypes
import os
import pathlib
import sys
import types

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".cache/llama.cpp"
BINARIES = FOLDER / "build/bin"

os.environ["LLAMA_CPP_LIB_PATH"] = str(BINARIES)
# The package itself would import more packages than the bindings need.
package = types.ModuleType("llama_cpp")
package.__path__ = [str(FOLDER / "llama_cpp")]
sys.modules["llama_cpp"] = package
import llama_cpp.llama_cpp as library  # noqa: E402


@library.llama_log_callback
def _silent(level, text, user_data):
    pass


library.llama_log_set(_silent, ctypes.c_void_p(0))
library.llama_backend_init()


def load(path, vocabulary_only=False):
    params = library.llama_model_default_params()
    params.vocab_only = vocabulary_only
    params.n_gpu_layers = 0
    model = library.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ValueError(f"{path}: llama.cpp cannot load it")
    return model


def tokenize(model, text):
    """The ids of a text, without tokens that the model adds at its ends."""
    raw = text.encode()
    room = len(raw) + 8
    ids = (library.llama_token * room)()
    vocabulary = library.llama_model_get_vocab(model)
    count = library.llama_tokenize(vocabulary, raw, len(raw), ids, room, False, False)
    return list(ids[:count])
