"""Models that are broken: every command that loads one says in one line what is wrong with it."""

import json
import re
import struct
import unittest

from support import (CliTest, edit_json, make_tiny_model, pcm16, quoted, read_safetensors, run,
                     safetensors_bytes, tone, wav_bytes)

NAME = "model.encoder.layers.0.fc1.weight"  # A tensor that the model needs.


class BrokenFolder(CliTest):
    """Each test breaks a copy of the tiny model in self.model."""

    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.weights = self.model / "model.safetensors"
        self.audio = self.folder / "audio.wav"
        self.audio.write_bytes(wav_bytes(pcm16(tone(1))))

    def transcribe(self, model=None):
        return run("transcribe", "--model", model or self.model, self.audio, "--threads", "2")

    def assert_refused(self, *fragments, model=None):
        """Transcribing and converting fail the same way; converting leaves nothing behind."""
        self.assert_one_line_error(self.transcribe(model), 1, *fragments)
        target = self.folder / "converted.qnt"
        result = run("convert", model or self.model, "-o", target, "--threads", "2")
        self.assert_one_line_error(result, 1, *fragments)
        self.assertFalse(target.exists())
        self.assert_no_leftovers(self.folder)

    def assert_survived(self, result):
        """Wrong, but not fatal: an answer or one line, never a crash."""
        if result.code == 0:
            self.assertEqual(result.err, "", str(result))
        else:
            self.assert_one_line_error(result, 1)

    def for_each(self, table, check):
        """Calls check(*case) for the cases of a table, each on a fresh copy."""
        for case in table:
            make_tiny_model(self.model)
            with self.subTest(" ".join(str(part) for part in case)[:60]):
                check(*case)


class Control(BrokenFolder):
    def test_the_tiny_model_itself_works(self):
        result = self.transcribe()
        self.assertEqual(result.code, 0, str(result))
        target = self.folder / "tiny.qnt"
        self.assert_done(run("convert", self.model, "-o", target))
        self.assertTrue(target.exists())


class MissingParts(BrokenFolder):
    def test_of_a_path_are_named(self):
        (self.folder / "empty").mkdir()
        (self.folder / "empty-file").write_bytes(b"")
        (self.folder / "text.bin").write_bytes(b"hello, this is no model\n" * 100)
        for path, fragments in (
            (self.folder / "missing", ["missing", "quintet pull"]),
            (self.folder / "empty", [quoted(self.folder / "empty"), "model.safetensors"]),
            (self.folder / "empty-file", ["empty-file"]),
            (self.folder / "text.bin", ["text.bin"]),
            (self.audio, ["audio.wav", "weight"]),
            ("/dev/zero", ["/dev/zero", "regular"]),
        ):
            with self.subTest(str(path)):
                self.assert_refused(*fragments, model=path)
                self.assert_one_line_error(run("inspect", path), 1, *fragments)
                self.assert_one_line_error(run("inspect", path, "--json"), 1, *fragments)

    def test_of_a_name_that_is_not_installed_says_what_to_pull(self):
        home = {"QUINTET_HOME": str(self.folder)}
        for name, expected in (("whisper-base", "quintet pull whisper-base"),
                               ("whisper-huge", "whisper-huge.*whisper-base"), ("", "model")):
            with self.subTest(name):
                result = run("transcribe", "--model", name, self.audio, environment=home)
                self.assert_one_line_error(result, 1, expected)

    def test_config_is_named(self):
        (self.model / "config.json").unlink()
        self.assert_refused(quoted(self.model), "config.json")

    def test_weights_are_named(self):
        self.weights.unlink()
        self.assert_refused(quoted(self.model), "model.safetensors")

    def test_tokenizer_is_named(self):
        (self.model / "tokenizer.json").unlink()
        self.assert_one_line_error(self.transcribe(), 1, quoted(self.model), "tokenizer.json")

    def test_that_are_folders_are_named(self):
        for name in ("config.json", "tokenizer.json", "generation_config.json",
                     "model.safetensors"):
            make_tiny_model(self.model)
            (self.model / name).unlink()
            (self.model / name).mkdir()
            with self.subTest(name):
                self.assert_one_line_error(self.transcribe(), 1, quoted(self.model))
            (self.model / name).rmdir()


class Config(BrokenFolder):
    def test_with_absurd_values_is_refused(self):
        table = [(key, value) for key in ("d_model", "encoder_layers", "decoder_layers",
                                          "encoder_attention_heads", "decoder_attention_heads",
                                          "encoder_ffn_dim", "decoder_ffn_dim", "vocab_size",
                                          "max_source_positions", "max_target_positions",
                                          "num_mel_bins")
                 for value in (0, -1, 2**31, 2**63, 10**30, 1.5, "64", [], None)]
        table += [("d_model", 128), ("encoder_layers", 3), ("decoder_layers", 250),
                  ("encoder_ffn_dim", 64), ("vocab_size", 511), ("vocab_size", 513),
                  ("max_source_positions", 151), ("max_target_positions", 65),
                  ("encoder_attention_heads", 3), ("decoder_attention_heads", 5),
                  ("num_mel_bins", 128)]
        def check(key, value):
            edit_json(self.model / "config.json", **{key: value})
            result = self.transcribe()
            self.assert_one_line_error(result, 1, quoted(self.model))

        self.for_each(table, check)

    def test_that_is_no_json_object_is_refused(self):
        good = (self.model / "config.json").read_bytes()
        table = [("empty", b""), ("null", b"null"), ("list", b"[]"), ("number", b"1"),
                 ("cut", good[: len(good) // 2]), ("deep", b"[" * 200000),
                 ("deep object", b'{"a":' * 200000), ("binary", bytes(range(256))),
                 ("not UTF-8", b'{"d_model": "\xff\xfe"}'), ("twice", good + good),
                 ("comment", b"// no\n" + good), ("NaN", b'{"d_model": NaN}'),
                 ("huge number", b'{"d_model": 1e999}')]
        def check(name, content):
            (self.model / "config.json").write_bytes(content)
            self.assert_refused(quoted(self.model), "config.json|d_model")

        self.for_each(table, check)

    def test_of_the_generation_with_absurd_values_does_not_crash(self):
        path = self.model / "generation_config.json"
        table = [("alignment_heads", v) for v in ([[99, 99]], [[-1, 0]], [[0]], [0], "x", {},
                                                  [[2**62, 2**62]])]
        for key in ("suppress_tokens", "begin_suppress_tokens"):
            table += [(key, v) for v in ([10**9], [-5], [2**62], ["x"], "x", {}, [512], [511],
                                         list(range(512)))]
        table += [("is_multilingual", v) for v in (False, "x", 1, [])]
        table += [("max_length", 10**12), ("max_initial_timestamp_index", -1),
                  ("no_timestamps_token_id", 10**9), ("lang_to_id", {"<|en|>": 10**9}),
                  ("lang_ids", [10**9])]
        def check(key, value):
            edit_json(path, **{key: value})
            result = run("transcribe", "--model", self.model, self.audio, "--format",
                         "verbose_json", "--word-timestamps")
            self.assert_survived(result)

        self.for_each(table, check)


class Tokenizer(BrokenFolder):
    def test_that_is_broken_is_refused(self):
        path = self.model / "tokenizer.json"
        good = path.read_text()

        def changed(change):
            content = json.loads(good)
            change(content)
            return json.dumps(content)

        table = [
            ("empty", ""), ("null", "null"), ("list", "[]"), ("cut", good[: len(good) // 2]),
            ("deep", "[" * 200000),
            ("no model", changed(lambda t: t.pop("model"))),
            ("other model", changed(lambda t: t["model"].update(type="Unigram"))),
            ("no special tokens", changed(lambda t: t.update(added_tokens=[]))),
            ("a special token without id", changed(lambda t: t["added_tokens"][0].pop("id"))),
            ("id below 0", changed(lambda t: t["added_tokens"][0].update(id=-1))),
            ("id beyond the model", changed(lambda t: t["added_tokens"][0].update(id=512))),
            ("id far beyond", changed(lambda t: t["added_tokens"][0].update(id=2**31 - 1))),
            ("id of 64 bits", changed(lambda t: t["added_tokens"][0].update(id=2**63))),
            ("merge of unknown tokens", changed(lambda t: t["model"].update(merges=["a zzz"]))),
            ("merges of another kind", changed(lambda t: t["model"].update(merges=[[1, 2]]))),
            ("no languages", changed(lambda t: [t["added_tokens"].pop(2) for _ in range(2)])),
            ("no vocabulary", changed(lambda t: t["model"].update(vocab={}))),
            ("pre-tokenizer", changed(lambda t: t.update(pre_tokenizer={"type": "Metaspace"}))),
            ("pattern", changed(lambda t: t.update(pre_tokenizer={
                "type": "Sequence", "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": "(((("}, "behavior": "Isolated"},
                    {"type": "ByteLevel"}]}))),
        ]
        def check(name, content):
            path.write_text(content)
            self.assert_one_line_error(self.transcribe(), 1, quoted(self.model))

        self.for_each(table, check)

    def test_with_tokens_in_odd_places_does_not_crash(self):
        path = self.model / "tokenizer.json"
        def check(name, ident):
            content = json.loads(path.read_text())
            for token in content["added_tokens"]:
                if token["content"] == name:
                    token["id"] = ident
            path.write_text(json.dumps(content))
            for arguments in (["--format", "srt"], ["--prompt", "some words before"],
                              ["--format", "verbose_json", "--word-timestamps"]):
                result = run("transcribe", "--model", self.model, self.audio, *arguments)
                self.assert_survived(result)

        self.for_each([("<|notimestamps|>", 511), ("<|notimestamps|>", 0), ("<|endoftext|>", 0),
                       ("<|startofprev|>", 511)], check)


class Safetensors(BrokenFolder):
    def test_that_contradict_themselves_are_refused(self):
        header, data = read_safetensors(self.weights)
        begin, end = header[NAME]["data_offsets"]
        other = next(n for n in header if n not in (NAME, "__metadata__"))

        def changed(**fields):
            return safetensors_bytes({**header, NAME: {**header[NAME], **fields}}, data)

        good = safetensors_bytes(header, data)
        far = len(data)
        table = [
            ("empty", b"", "model.safetensors"),
            ("seven bytes", good[:7], "model.safetensors"),
            ("length only", good[:8], "header|length"),
            ("header cut", good[:500], "header|length"),
            ("huge length", struct.pack("<Q", 2**63) + good[8:], "length"),
            ("largest length", struct.pack("<Q", 2**64 - 1) + good[8:], "length"),
            ("length beyond the file", struct.pack("<Q", len(good)) + good[8:], "length"),
            ("length 0", struct.pack("<Q", 0) + good[8:], "header"),
            ("header is a list", safetensors_bytes("[]", data), "header"),
            ("header is no JSON", safetensors_bytes('{"a"', data), "header"),
            ("deep header", safetensors_bytes('{"a":' + "[" * 100000, data), "header"),
            ("no tensors", safetensors_bytes({}, b""), "missing|weights"),
            ("data cut by one byte", good[:-1], "tensor|model.safetensors"),
            ("data cut in half", good[: len(good) // 2], "tensor|model.safetensors"),
            ("missing tensor", safetensors_bytes(
                {k: v for k, v in header.items() if k != NAME}, data), re.escape(NAME)),
            ("wrong shape", changed(shape=list(reversed(header[NAME]["shape"]))), "fc1"),
            ("one dimension", changed(shape=[(end - begin) // 4]), "fc1"),
            ("shape of another size", changed(shape=[1, 1]), re.escape(NAME)),
            ("negative shape", changed(shape=[-1, -64]), re.escape(NAME)),
            ("overflowing shape", changed(shape=[2**33, 2**33]), re.escape(NAME)),
            ("shape of text", changed(shape="64"), re.escape(NAME)),
            ("many dimensions", changed(shape=[1] * 1000), re.escape(NAME)),
            ("unknown type", changed(dtype="F8_E4M3"), re.escape(NAME)),
            ("type of a number", changed(dtype=32), re.escape(NAME)),
            ("wrong type", changed(dtype="F16"), re.escape(NAME)),
            ("offsets outside", changed(data_offsets=[far, far + end - begin]), re.escape(NAME)),
            ("offsets overflow", changed(data_offsets=[2**64 - (end - begin), 2**64 - 1]),
             re.escape(NAME)),
            ("offsets reversed", changed(data_offsets=[end, begin]), re.escape(NAME)),
            ("offsets negative", changed(data_offsets=[-4, end - begin - 4]), re.escape(NAME)),
            ("offsets of three", changed(data_offsets=[begin, end, end]), re.escape(NAME)),
            ("no offsets", changed(data_offsets=None), re.escape(NAME)),
            ("overlap", changed(data_offsets=[begin - 4, end - 4]), "overlap|share|tensor"),
            ("tensor is a number", safetensors_bytes({**header, other: 1}, data),
             re.escape(other)),
        ]
        def check(name, content, expected):
            self.weights.write_bytes(content)
            self.assert_refused(quoted(self.model), expected)

        self.for_each(table, check)

    def test_with_numbers_that_are_none_do_not_crash(self):
        header, data = read_safetensors(self.weights)
        begin, end = header[NAME]["data_offsets"]
        def check(name, value):
            filled = data[:begin] + struct.pack("<f", value) * ((end - begin) // 4) + data[end:]
            self.weights.write_bytes(safetensors_bytes(header, filled))
            for precision in ("fp32", "bf16", "int8"):
                result = run("transcribe", "--model", self.model, self.audio, "--precision",
                             precision, "--threads", "2")
                self.assert_survived(result)

        self.for_each([("NaN", float("nan")), ("infinity", float("inf")), ("largest", 3.4e38)],
                      check)

    def test_in_shards_are_read_and_their_index_is_checked(self):
        header, data = read_safetensors(self.weights)
        names = [n for n in header if n != "__metadata__"]
        index_path = self.model / "model.safetensors.index.json"
        shard = "model-00001-of-00001.safetensors"
        content = self.weights.read_bytes()

        def index(**changes):
            return {"metadata": {}, "weight_map": {**{n: shard for n in names}, **changes}}

        def put(value):
            make_tiny_model(self.model)
            self.weights.unlink()
            (self.model / shard).write_bytes(content)
            index_path.write_text(value if isinstance(value, str) else json.dumps(value))

        put(index())
        self.assertEqual(self.transcribe().code, 0)
        for name, value, expected in (
            ("itself", index(**{NAME: index_path.name}), "index.json"),
            ("only itself", {"weight_map": {n: index_path.name for n in names}}, "index.json"),
            ("missing shard", index(**{NAME: "missing.safetensors"}), "missing.safetensors"),
            ("parent", index(**{NAME: "../model.safetensors"}), "inside the folder"),
            ("absolute", index(**{NAME: "/etc/passwd"}), "inside the folder"),
            ("empty name", index(**{NAME: ""}), "inside the folder"),
            ("dots", index(**{NAME: ".."}), "inside the folder"),
            ("the folder", index(**{NAME: "."}), "inside the folder"),
            ("number", index(**{NAME: 1}), re.escape(NAME)),
            ("tensor that is not there", index(zzz=shard), "zzz"),
            ("no map", {"metadata": {}}, "weight_map"),
            ("map is a list", {"weight_map": []}, "weight_map"),
            ("empty map", {"weight_map": {}}, "missing|weights"),
            ("no JSON", "{", "index.json"),
            ("deep", "[" * 100000, "index.json"),
        ):
            with self.subTest(name):
                put(value)
                self.assert_refused(expected)


if __name__ == "__main__":
    unittest.main()
