"""Recordings that are none: one line each, and the others are still transcribed."""

import os
import re
import struct
import subprocess
import unittest

import support
from support import (AUDIO_FORMATS, JFK, CliTest, float_wav, make_tiny_model, mortal_can, pcm16,
                     run, tone, wav_bytes)

GOOD = JFK.read_bytes()


def with_bytes(content, position, replacement):
    return content[:position] + replacement + content[position + len(replacement) :]


def cut(path, part):
    content = (AUDIO_FORMATS / path).read_bytes()
    return content[: int(len(content) * part)]


# File name: (content, what the error has to say behind the name).
BAD_FILES = {
    "empty.wav": (b"", "empty"),
    "text.wav": (b"This is not a recording, whatever its name says.\n" * 20, "not an audio file"),
    "short-text.wav": (b"RI", "not an audio file|cut"),
    "binary.mp3": (bytes(range(256)) * 40, "not an audio file|not read|cannot"),
    "zeros.wav": (bytes(10000), "not an audio file"),
    "header-4.wav": (GOOD[:4], "cut"),
    "header-11.wav": (GOOD[:11], "cut"),
    "header-12.wav": (GOOD[:12], "cut"),
    "header-20.wav": (GOOD[:20], "cut"),
    "header-30.wav": (GOOD[:30], "cut"),
    "header-40.wav": (GOOD[:40], "cut"),
    "cut.wav": (GOOD[: len(GOOD) // 2], "cut off"),
    "ten-hours.wav": (wav_bytes(b"", declared=10 * 3600 * 32000), "cut off"),
    "hundred-hours.wav": (wav_bytes(bytes(64), declared=0x7FFFDFFE), "cut off"),
    "no-channels.wav": (with_bytes(GOOD, 22, struct.pack("<H", 0)), "0 channels"),
    "many-channels.wav": (with_bytes(GOOD, 22, struct.pack("<H", 65535)), "channels"),
    "no-rate.wav": (with_bytes(GOOD, 24, struct.pack("<I", 0)), "0 Hz"),
    "absurd-rate.wav": (with_bytes(GOOD, 24, struct.pack("<I", 0xFFFFFFFF)), "Hz"),
    "no-bits.wav": (with_bytes(GOOD, 34, struct.pack("<H", 0)), "bit|damaged|cannot|format"),
    "absurd-bits.wav": (with_bytes(GOOD, 34, struct.pack("<H", 999)), "bit|damaged|cannot|format"),
    "unknown-coding.wav": (with_bytes(GOOD, 20, struct.pack("<H", 0x1234)), "coding 4660"),
    "nan.wav": (float_wav(tone(1)[:-1] + [float("nan")]), "NaN|not a number|infinite"),
    "inf.wav": (float_wav([float("inf")] + tone(1)), "NaN|not a number|infinite"),
    "minus-inf.wav": (float_wav(tone(1) + [float("-inf")]), "NaN|not a number|infinite"),
    "huge.wav": (float_wav(tone(1) + [3e38]), "large|NaN|infinite|beyond"),
    "cut.flac": (cut("chinese.flac", 0.6), "cut|end|damaged"),
    "header.flac": (cut("chinese.flac", 0.0005), "cut|end|damaged|header|cannot|read"),
    "cut.aiff": (cut("french.aiff", 0.5), "cut"),
    "header.mp3": (cut("jfk.mp3", 0.0001), "cut|damaged|not an audio|no audio|cannot"),
    "tag.mp3": (b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10), "ID3|no audio"),
    "ogg.ogg": (b"OggS" + bytes(200), "[Oo]gg|damaged|cannot|format|read"),
    "video.mp4": (b"\0\0\0\x20ftypisom" + bytes(200), "MP4.*convert"),
    "web.webm": (b"\x1a\x45\xdf\xa3" + bytes(200), "WebM.*convert"),
}


class BadAudio(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.good = self.folder / "good.wav"
        self.good.write_bytes(wav_bytes(pcm16(tone(1))))

    def transcribe(self, *arguments, **options):
        return run("transcribe", "--model", self.model, "--threads", "2", *arguments, **options)

    def test_is_refused_file_by_file(self):
        folder = self.folder / "bad"
        folder.mkdir()
        paths = {name: folder / name for name in BAD_FILES}
        for name, (content, _) in BAD_FILES.items():
            paths[name].write_bytes(content)
        result = self.transcribe("--json", *paths.values(), self.good)
        self.assertEqual(result.code, 1, str(result))
        results = result.json()["results"]
        self.assertEqual([r["file"] for r in results],
                         [str(p) for p in [*paths.values(), self.good]])
        lines = result.err.splitlines()
        for (name, (_, expected)), answer in zip(BAD_FILES.items(), results):
            with self.subTest(name):
                self.assertIn("error", answer, name)
                self.assertRegex(answer["error"], expected)
                self.assertTrue(answer["error"].startswith(str(paths[name]) + ": "), answer)
                self.assertIn("quintet: " + answer["error"], lines)
        with self.subTest("the good one"):
            self.assertIn("text", results[-1])
        self.assertEqual(len(lines), sum("error" in r for r in results), result.err)

    def test_alone_gives_one_line_and_nothing_on_stdout(self):
        for name in ("empty.wav", "cut.wav", "nan.wav", "text.wav"):
            with self.subTest(name):
                path = self.folder / name
                path.write_bytes(BAD_FILES[name][0])
                self.assert_one_line_error(self.transcribe(path), 1, name)
                as_json = self.transcribe(path, "--json")
                self.assert_one_line_error(as_json, 1, name)
                self.assertIn(name, as_json.json()["error"])

    def test_that_is_no_file(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        table = {
            self.folder: "directory",
            self.folder / "missing.wav": "[Nn]o such file",
            self.folder / "good.wav" / "below": "[Nn]o such file|[Nn]ot a directory",
            self.folder / ("x" * 300): "too long",
            pipe: "regular file",
            "/dev/null": "regular file|empty",
            "/dev/zero": "regular file",
            "": "name|empty|such file",
        }
        for path, expected in table.items():
            with self.subTest(str(path)[-40:]):
                self.assert_one_line_error(self.transcribe(path), 1, expected)

    def test_that_may_not_be_read(self):
        path = self.folder / "secret.wav"
        path.write_bytes(GOOD)
        path.chmod(0)
        if mortal_can(f"open({str(path)!r})"):
            self.skipTest("this user reads files of mode 000")
        result = self.transcribe(path, as_mortal=True)
        self.assert_one_line_error(result, 1, "secret.wav", "[Pp]ermission")

    def test_is_not_what_a_file_without_samples_is(self):
        path = self.folder / "no-samples.wav"
        path.write_bytes(wav_bytes(b""))
        result = self.transcribe(path, "--json")
        self.assert_done(result)
        self.assertEqual((result.json()["text"], result.json()["duration"]), ("", 0))

    def test_on_standard_input(self):
        for name, content, expected in (
            ("empty", b"", "standard input: .*empty"),
            ("garbage", bytes(range(256)) * 100, "standard input: "),
            ("text", b"hello\n", "standard input: .*not an audio file"),
            ("cut", GOOD[:50000], "standard input: .*cut off"),
        ):
            with self.subTest(name):
                self.assert_one_line_error(self.transcribe("-", stdin=content), 1, expected)

    def test_given_twice_on_standard_input_fails_the_second_time_only(self):
        result = self.transcribe("-", "-", "--json", stdin=self.good.read_bytes())
        self.assertEqual(result.code, 1, str(result))
        first, second = result.json()["results"]
        self.assertIn("text", first)
        self.assertIn("error", second)

    def test_with_a_line_break_in_its_name_stays_one_line(self):
        result = self.transcribe(self.folder / "two\nlines.wav")
        self.assert_one_line_error(result, 1, "two lines.wav")

    def test_with_a_name_that_is_not_utf8_is_named(self):
        path = os.fsencode(self.folder) + b"/\xff.wav"
        with open(path, "wb") as file:
            file.write(b"")
        process = subprocess.run(
            [support.BINARY, "transcribe", "--model", str(self.model), "--json", path],
            capture_output=True, timeout=support.TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn(b"empty", process.stdout)

    def test_in_a_data_file_is_named(self):
        (self.folder / "empty.wav").write_bytes(b"")
        data = self.folder / "data.jsonl"
        data.write_text('{"audio": "empty.wav", "text": "x"}\n')
        result = run("eval", "--model", self.model, "--data", data)
        self.assert_one_line_error(result, 1, re.escape(str(data)), "empty.wav")

    def test_for_a_bench_is_named(self):
        (self.folder / "empty.wav").write_bytes(b"")
        for path, expected in ((self.folder / "missing.wav", "[Nn]o such file"),
                               (self.folder / "empty.wav", "empty"),
                               (self.folder, "directory")):
            with self.subTest(path.name):
                result = run("bench", "--model", self.model, "--input", path, "--repeat", "1")
                self.assert_one_line_error(result, 1, path.name, expected)


class OutputFolder(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")

    def test_that_is_a_file_is_named(self):
        (self.folder / "file").write_text("keep")
        for output in (self.folder / "file", self.folder / "file" / "below"):
            result = run("transcribe", "--model", self.model, JFK, "--output", output)
            self.assert_one_line_error(result, 1, re.escape(str(output)))
        self.assertEqual((self.folder / "file").read_text(), "keep")

    def test_that_may_not_be_written_is_named(self):
        locked = self.folder / "locked"
        locked.mkdir()
        locked.chmod(0o500)
        if mortal_can(f"open({str(locked / 'x')!r}, 'w')"):
            self.skipTest("this user writes into folders of mode 500")
        result = run("transcribe", "--model", self.model, JFK, "--output", locked, as_mortal=True)
        self.assert_one_line_error(result, 1, "locked", "[Pp]ermission")
        self.assertEqual(list(locked.iterdir()), [])

    def test_keeps_the_results_of_files_with_the_same_name_apart(self):
        silence = wav_bytes(bytes(32000))
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            (self.folder / name / "same.wav").write_bytes(silence)
        out = self.folder / "out"
        result = run("transcribe", "--model", self.model, self.folder / "a" / "same.wav",
                     self.folder / "b" / "same.wav", "--output", out)
        if result.code == 0:
            self.assertEqual(len(list(out.iterdir())), 2, "one result replaced the other")
        else:
            self.assertRegex(result.err, "same.wav")

    def test_is_filled_with_json_too(self):
        out = self.folder / "out"
        result = run("transcribe", "--model", self.model, JFK, "--output", out, "--json")
        self.assert_done(result)
        self.assertIn("file", result.json())
        self.assertEqual([p.name for p in out.iterdir()], ["jfk.wav.txt"])


if __name__ == "__main__":
    unittest.main()
