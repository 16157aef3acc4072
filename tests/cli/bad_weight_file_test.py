"""Packed, CTranslate2 and GGUF files that are cut or changed: refused in one line."""

import os
import shutil
import struct
import unittest

from support import SOURCE, CliTest, make_tiny_model, pcm16, quoted, run, tone, wav_bytes, whisper_base


class Packed(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.packed = self.folder / "tiny.qnt"
        self.assert_done(run("convert", self.model, "-o", self.packed, "--precision", "int8"))
        self.content = self.packed.read_bytes()
        self.audio = self.folder / "audio.wav"
        self.audio.write_bytes(wav_bytes(pcm16(tone(1))))

    def transcribe(self, *arguments):
        return run("transcribe", "--model", self.packed, self.audio, *arguments)

    def test_file_that_is_cut_is_refused(self):
        size = len(self.content)
        for length in (0, 1, 7, 8, 16, 63, 64, 100, 1000, size // 4, size // 2, size - 4096,
                       size - 64, size - 1):
            with self.subTest(length):
                self.packed.write_bytes(self.content[:length])
                self.assert_one_line_error(self.transcribe(), 1, "tiny.qnt")
                self.assert_one_line_error(run("inspect", self.packed), 1, "tiny.qnt")

    def test_file_with_a_changed_header_is_refused(self):
        for position in [*range(0, 64, 4), 80, 200, 1000, 5000]:
            with self.subTest(position):
                changed = bytearray(self.content)
                changed[position] ^= 0x41
                self.packed.write_bytes(changed)
                self.assert_one_line_error(self.transcribe(), 1, "tiny.qnt")

    def test_file_with_bytes_behind_it_does_not_crash(self):
        self.packed.write_bytes(self.content + b"more")
        result = self.transcribe()
        if result.code != 0:
            self.assert_one_line_error(result, 1, "tiny.qnt")

    def test_file_cannot_be_loaded_at_another_precision(self):
        result = self.transcribe("--precision", "fp32")
        self.assert_one_line_error(result, 2, "tiny.qnt", "int8", "convert")
        self.assert_one_line_error(self.transcribe("--baseline"), 2, "tiny.qnt", "int8")

    def test_file_without_a_tokenizer_is_refused(self):
        (self.model / "tokenizer.json").unlink()
        self.assert_done(run("convert", self.model, "-o", self.packed))
        self.assert_one_line_error(self.transcribe(), 1, "tiny.qnt", "tokenizer")


class CTranslate2(CliTest):
    """The published model.bin, broken. One copy, changed in place."""

    def setUp(self):
        super().setUp()
        source = whisper_base()
        if not (source / "model.bin").exists():
            self.skipTest(f"{source} is not in the format of CTranslate2")
        self.model = self.folder / "whisper-base"
        self.model.mkdir()
        for name in ("config.json", "tokenizer.json"):
            os.symlink(source / name, self.model / name)
        self.weights = self.model / "model.bin"
        shutil.copyfile(source / "model.bin", self.weights)
        self.audio = self.folder / "audio.wav"
        self.audio.write_bytes(wav_bytes(pcm16(tone(1))))

    def assert_refused(self, *fragments):
        result = run("transcribe", "--model", self.model, self.audio, "--threads", "2")
        self.assert_one_line_error(result, 1, quoted(self.weights), *fragments)
        self.assert_one_line_error(run("inspect", self.model), 1, quoted(self.weights), *fragments)

    def test_file_that_is_cut_is_refused(self):
        size = self.weights.stat().st_size
        # From the end: each cut shortens the one copy further.
        for length in (size - 1, size - 5000, size // 2, 10**6, 200, 40, 20, 6, 4):
            with self.subTest(length):
                os.truncate(self.weights, length)
                self.assert_refused("cut|bytes")
        for length in (3, 0):
            with self.subTest(length):
                os.truncate(self.weights, length)
                self.assert_refused("known format|empty|cut|bytes")

    def test_file_with_one_changed_byte_in_its_header_is_refused(self):
        with open(self.weights, "r+b") as file:
            start = file.read(4096)
            (name_length,) = struct.unpack_from("<H", start, 4)
            count = 4 + 2 + name_length + 4
            first = count + 4
            (first_length,) = struct.unpack_from("<H", start, first)
            rank = first + 2 + first_length
            dimensions = start[rank]
            for name, position, value in (
                ("version too new", 0, 200),
                ("version of nothing", 0, 0),
                ("not a version", 3, 0x7F),
                ("length of the name", 4, 255),
                ("length of the name 0", 4, 0),
                ("NUL of the name", 6 + name_length - 1, 65),
                ("more tensors", count, start[count] + 1),
                ("fewer tensors", count, start[count] - 1),
                ("millions of tensors", count + 3, 0x7F),
                ("length of a tensor's name", first + 1, 0xFF),
                ("dimensions", rank, 200),
                ("one dimension more", rank, dimensions + 1),
                ("type", rank + 1 + 4 * dimensions, 77),
                ("another type", rank + 1 + 4 * dimensions, 0),
                ("bytes", rank + 2 + 4 * dimensions, 2),
                ("gigabytes", rank + 5 + 4 * dimensions, 0x7F),
            ):
                with self.subTest(name):
                    file.seek(position)
                    file.write(bytes([value]))
                    file.flush()
                    self.assert_refused()
                    file.seek(position)
                    file.write(start[position : position + 1])
                    file.flush()

    def test_file_with_a_renamed_tensor_is_refused(self):
        name = b"encoder/conv1/weight"
        with open(self.weights, "r+b") as file:
            at = file.read().find(name)
            self.assertGreater(at, 0)
            file.seek(at)
            file.write(b"encoder/conv9/weight")
        result = run("transcribe", "--model", self.model, self.audio, "--threads", "2")
        self.assert_one_line_error(result, 1, quoted(self.model), "encoder/conv1/weight")

    def test_without_its_other_files_is_refused(self):
        for name in ("tokenizer.json", "config.json"):
            with self.subTest(name):
                (self.model / name).unlink()
                result = run("transcribe", "--model", self.model, self.audio, "--threads", "2")
                self.assert_one_line_error(result, 1, quoted(self.model), name)


class Gguf(CliTest):
    def setUp(self):
        super().setUp()
        self.content = (SOURCE / "tests/goldens/gguf/types.gguf").read_bytes()
        self.model = self.folder / "model.gguf"

    def test_file_shows_types_and_shapes_of_its_values(self):
        self.model.write_bytes(self.content)
        tensors = {tensor["name"]: tensor for tensor in self.inspect().json()["tensors"]}
        self.assertEqual(tensors["q4_K"],
                         {"name": "q4_K", "dtype": "q4_K", "shape": [3, 512], "bytes": 864})
        self.assertEqual(tensors["bf16"]["dtype"], "BF16")
        text = run("inspect", self.folder)
        self.assert_done(text)
        self.assertRegex(text.out, r"q5_1 +\[3, 512\]")
        self.assertIn(r"test.string: 'Gr\xc3\xbc\xc3\x9fe\x0a'", text.out)

    def test_file_that_is_cut_is_refused(self):
        size = len(self.content)
        # Up to 31 bytes at the end pad the last tensor.
        for length in (0, 1, 3, 4, 8, 16, 24, 40, 100, 500, 1000, size // 2, size - 32):
            with self.subTest(length):
                self.model.write_bytes(self.content[:length])
                self.assert_one_line_error(run("inspect", self.model), 1, quoted(self.model))

    def test_file_with_changed_bytes_does_not_crash(self):
        for position in range(0, 1400, 7):
            with self.subTest(position):
                changed = bytearray(self.content)
                changed[position] ^= 0x81
                self.model.write_bytes(changed)
                result = run("inspect", self.model)
                if result.code != 0:
                    self.assert_one_line_error(result, 1, quoted(self.model))

    def inspect(self):
        result = run("inspect", self.model, "--json")
        self.assert_done(result)
        return result


if __name__ == "__main__":
    unittest.main()
