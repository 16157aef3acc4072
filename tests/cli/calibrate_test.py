"""quintet convert --calibrate: what it writes, shows and refuses."""

import json
import unittest

from support import CliTest, make_tiny_model, pcm16, quoted, run, tone, wav_bytes


class Calibrate(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.target = self.folder / "out.qnt"
        for name, hertz in (("a", 300), ("b", 900)):
            (self.folder / f"{name}.wav").write_bytes(wav_bytes(pcm16(tone(1.5, hertz))))
        # The random model says nothing of it: as many words as it can say bound the error rate.
        self.data = self.write_data([{"audio": "a.wav", "text": "word " * 300},
                                     {"audio": "b.wav", "text": "word " * 300, "language": "en"}])

    def write_data(self, items, name="data.jsonl"):
        path = self.folder / name
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
        return path

    def calibrate(self, *arguments, data=None, model=None):
        return run("convert", model or self.model, "--calibrate", data or self.data, "-o",
                   self.target, *arguments)

    def test_writes_a_file_that_says_what_was_found(self):
        result = self.calibrate("--max-drop", "100", "--json")
        self.assert_done(result)
        report = result.json()
        self.assertEqual(report["precision"], "int8")
        self.assertEqual(report["bytes"], self.target.stat().st_size)
        check = report["accuracy_check"]
        self.assertEqual((check["data"], check["items"], check["words"]), ("data.jsonl", 2, 600))
        self.assertRegex(check["date"], r"\A\d{4}-\d\d-\d\d\Z")
        for key in ("word_error_rate_fp32", "word_error_rate", "difference"):
            low, high = check[key]["interval"]
            self.assertLessEqual(low, high)
        layer = report["layers"]["encoder.layers.0.qkv"]
        self.assertIn(layer["format"], ("int8", "bf16"))
        self.assertGreater(layer["snr_db"], 10)
        self.assertEqual(report["layers"]["encoder.conv1"]["format"], "bf16")

        inspected = run("inspect", "--json", self.target)
        self.assert_done(inspected)
        metadata = inspected.json()["metadata"]
        self.assertEqual(json.loads(metadata["accuracy_check"]), check)
        self.assertEqual(json.loads(metadata["layers"]), report["layers"])
        text = run("inspect", self.target)
        self.assert_done(text)
        self.assertIn("accuracy of int8 against fp32", text.out)
        self.assertIn("signal to noise at int8", text.out)
        self.assert_done(run("transcribe", "--model", self.target, self.folder / "a.wav"))

    def test_tries_the_precision_that_is_asked_for(self):
        result = self.calibrate("--max-drop", "100", "--precision", "bf16")
        self.assert_done(result)
        self.assertIn("accuracy of bf16 against fp32", result.out)

    def test_that_misses_its_target_writes_nothing_and_says_so(self):
        # A few words of reference: any other length of the nonsense is a large difference.
        data = self.write_data([{"audio": "a.wav", "text": "one two"},
                                {"audio": "b.wav", "text": "three", "language": "en"}])
        result = self.calibrate("--max-drop", "0", "--precision", "bf16", data=data)
        if result.code == 0:
            self.skipTest("bf16 happens to give words as good as those of float32")
        self.assert_one_line_error(result, 3, quoted(self.model), "within 0 points of float32")
        self.assertFalse(self.target.exists())

    def test_refuses_what_it_cannot_do(self):
        packed = self.folder / "packed.qnt"
        self.assert_done(run("convert", self.model, "-o", packed, "--precision", "int8"))
        self.assert_one_line_error(self.calibrate("--precision", "fp32"), 2, "fp32")
        self.assert_one_line_error(self.calibrate("--to", "safetensors"), 2, "--calibrate")
        self.assert_one_line_error(self.calibrate("--max-drop", "-1"), 2, "--max-drop")
        self.assert_one_line_error(run("convert", self.model, "-o", self.target, "--max-drop", "2"),
                                   2, "--calibrate")
        self.assert_one_line_error(self.calibrate(model=packed), 1, quoted(packed), "packed")
        self.assertFalse(self.target.exists())

    def test_finds_out_before_the_work_that_it_cannot_write(self):
        self.target = self.folder / "nowhere" / "out.qnt"
        data = self.folder / "not-read.jsonl"
        self.assert_one_line_error(self.calibrate(data=data), 1, "nowhere", "no such folder")

    def test_refuses_what_is_no_name_and_no_number(self):
        nameless = run("convert", self.model, "--calibrate", "", "-o", self.target)
        self.assert_one_line_error(nameless, 2, "--calibrate")
        self.assert_one_line_error(self.calibrate("--max-drop", "nan"), 2, "max-drop is nan")
        self.assertFalse(self.target.exists())
        data = self.folder / "not-read.jsonl"
        self.target = ""
        self.assert_one_line_error(self.calibrate(data=data), 2, "file to write is empty")
        self.target = self.folder
        self.assert_one_line_error(self.calibrate(data=data), 1, "is a directory")
        self.assert_no_leftovers(self.folder)

    def test_recordings_that_nobody_can_hear_decide_nothing(self):
        (self.folder / "silence.wav").write_bytes(wav_bytes(pcm16([0.0] * 32000)))
        data = self.write_data([{"audio": "silence.wav", "text": "one"}])
        self.assert_one_line_error(self.calibrate(data=data), 1, quoted(data), "can be heard")
        self.assertFalse(self.target.exists())

    def test_names_what_is_wrong_in_the_data(self):
        missing = self.folder / "missing.jsonl"
        self.assert_one_line_error(self.calibrate(data=missing), 1, quoted(missing))
        for name, items, fragment in (
            ("empty", [], "no items"),
            ("question", [{"image": "a.png", "prompt": "?", "answer": "!"}], "line 1"),
            ("two", [{"audio": ["a.wav", "b.wav"], "text": "x"}], ":1: "),
            ("gone", [{"audio": "a.wav", "text": "x"}, {"audio": "c.wav", "text": "y"}], "line 2"),
            ("language", [{"audio": "a.wav", "text": "x", "language": "xx"}], "line 1"),
        ):
            with self.subTest(name):
                data = self.write_data(items, f"{name}.jsonl")
                result = self.calibrate("--max-drop", "100", data=data)
                self.assert_one_line_error(result, 1, quoted(data), fragment)
                self.assertFalse(self.target.exists())


if __name__ == "__main__":
    unittest.main()
