"""Language models: packed files answer as the folder they were made of, broken ones in one line."""

import json
import shutil
import unittest

from support import SOURCE, CliTest, edit_json, quoted, run, tiny_tokenizer

FAMILIES = ("llama", "llama-bias", "llama3-rope", "mistral", "qwen2", "qwen3", "gemma3-text", "phi3")


def make_language_model(folder, family="llama"):
    """The golden of a family with a tokenizer of bytes: it loads in no time and answers nonsense."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(SOURCE / "tests" / "goldens" / f"tiny-{family}" / name, folder / name)
    (folder / "tokenizer.json").write_text(json.dumps(tiny_tokenizer()))
    return folder


def answer(model, precision="auto"):
    return run("run", "--model", model, "--raw", "some words", "--max-tokens", "8", "--json",
               "--precision", precision, "--threads", "2")


class Convert(CliTest):
    def test_packs_every_family(self):
        for family in FAMILIES:
            for precision in ("fp32", "bf16", "int8", "int4"):
                with self.subTest(f"{family} {precision}"):
                    model = make_language_model(self.folder / family, family)
                    packed = self.folder / "packed.qnt"
                    self.assert_done(run("convert", model, "-o", packed, "--precision", precision))
                    expected, found = answer(model, precision), answer(packed)
                    self.assert_done(expected)
                    self.assert_done(found)
                    self.assertEqual(found.json()["precision"], precision)
                    for key in ("text", "tokens", "log_probs"):
                        self.assertEqual(found.json()[key], expected.json()[key])

    def test_is_shown_by_inspect(self):
        packed = self.folder / "packed.qnt"
        model = make_language_model(self.folder / "model")
        self.assert_done(run("convert", model, "-o", packed, "--precision", "int4"))
        result = run("inspect", packed)
        self.assert_done(result)
        self.assertRegex(result.out, r"architecture: language\n")
        self.assertRegex(result.out, r"layers\.2\.gate +int4 ")
        self.assertEqual(run("inspect", packed, "--json").json()["metadata"]["precision"], "int4")

    def test_refuses_what_only_speech_models_can(self):
        model = make_language_model(self.folder / "model")
        target = self.folder / "target"
        for arguments, fragment in (
            (["--calibrate", self.folder / "data.jsonl"], "--calibrate.*language model"),
            (["--to", "safetensors"], "only speech models"),
        ):
            result = run("convert", model, "-o", target, *arguments)
            self.assert_one_line_error(result, 1, quoted(model), fragment)
            self.assertFalse(target.exists())


class Broken(CliTest):
    def test_folders_are_refused_in_one_line(self):
        model = self.folder / "model"
        for key, value in (("hidden_size", 2**40), ("num_hidden_layers", -1), ("vocab_size", "512"),
                           ("vocab_size", 511), ("num_key_value_heads", 3), ("head_dim", 0),
                           ("rms_norm_eps", -1), ("rope_parameters", []), ("model_type", "other"),
                           ("sliding_window", 1.5), ("intermediate_size", 500000)):
            with self.subTest(f"{key} {value}"):
                make_language_model(model)
                edit_json(model / "config.json", **{key: value})
                self.assert_one_line_error(answer(model), 1, quoted(model))
                target = self.folder / "target.qnt"
                self.assert_one_line_error(run("convert", model, "-o", target), 1, quoted(model))
                self.assertFalse(target.exists())

    def test_packed_files_that_are_cut_are_refused(self):
        model = make_language_model(self.folder / "model")
        packed = self.folder / "packed.qnt"
        self.assert_done(run("convert", model, "-o", packed, "--precision", "int4"))
        content = packed.read_bytes()
        for length in (0, 8, 100, len(content) // 2, len(content) - 1):
            with self.subTest(length):
                packed.write_bytes(content[:length])
                self.assert_one_line_error(answer(packed), 1, quoted(packed))


if __name__ == "__main__":
    unittest.main()
