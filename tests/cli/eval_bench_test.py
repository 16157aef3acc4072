"""Accuracy on a data file and timing: good ones, and data files that are broken."""

import json
import re
import unittest

from support import (JFK, JFK_TEXT, SPEECH, TIMINGS, CliTest, make_tiny_model, pcm16, quoted, run,
                     tone, wav_bytes, whisper_base)


class EvalOfBrokenData(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        (self.folder / "a.wav").write_bytes(wav_bytes(pcm16(tone(0.5))))
        self.data = self.folder / "data.jsonl"
        self.good = '{"audio": "a.wav", "text": "ten of clubs"}'

    def evaluate(self, content, *arguments):
        self.data.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run("eval", "--model", self.model, "--data", self.data, "--threads", "2", *arguments)

    def test_names_the_file_and_the_line(self):
        good = self.good
        deep = '{"a":' * 100000
        for name, line, expected in (
            ("broken", '{"audio": "a.wav", "text"', ""),
            ("no JSON", "audio: a.wav", ""),
            ("list", "[]", "object"),
            ("number", "1", "object"),
            ("no audio", '{"text": "x"}', "audio"),
            ("no text", '{"audio": "a.wav"}', "text"),
            ("text is a number", '{"audio": "a.wav", "text": 1}', "text"),
            ("audio is a number", '{"audio": 1, "text": "x"}', "audio"),
            ("two recordings", '{"audio": ["a.wav", "a.wav"], "text": "x"}', "one"),
            ("empty path", '{"audio": "", "text": "x"}', "path"),
            ("zero byte", '{"audio": "a\\u0000.wav", "text": "x"}', "path"),
            ("text and answer", '{"audio": "a.wav", "text": "x", "answer": "y"}', "both"),
            ("question", '{"audio": "a.wav", "prompt": "what?", "answer": "x"}', "text"),
            ("picture", '{"image": "a.png", "prompt": "what?", "answer": "x"}', "audio"),
            ("missing recording", '{"audio": "missing.wav", "text": "x"}', "missing.wav"),
            ("recording is a folder", '{"audio": "model", "text": "x"}', "directory"),
            ("unknown language", '{"audio": "a.wav", "text": "x", "language": "xx"}', "xx"),
            ("deep", deep, ""),
            ("two objects", good + good, ""),
        ):
            with self.subTest(name):
                result = self.evaluate(f"{good}\n\n{line}\n")
                self.assert_one_line_error(result, 1, quoted(self.data), expected)
                self.assertRegex(result.err, r"data\.jsonl(:| line |: line )3\b", str(result))

    def test_without_items_is_refused(self):
        for name, content in (("empty", ""), ("blank", "\n \n\r\n"), ("mark", b"\xef\xbb\xbf")):
            with self.subTest(name):
                result = self.evaluate(content)
                self.assert_one_line_error(result, 1, quoted(self.data), "no items")

    def test_that_is_no_file_is_refused(self):
        for path in (self.folder / "missing.jsonl", self.folder):
            result = run("eval", "--model", self.model, "--data", path)
            self.assert_one_line_error(result, 1, quoted(path))

    def test_that_is_binary_is_refused(self):
        for content in (bytes(range(256)) * 10, b"\x80\n", (self.folder / "a.wav").read_bytes()):
            self.assert_one_line_error(self.evaluate(content), 1, quoted(self.data))

    def test_takes_blank_lines_and_a_mark_of_byte_order(self):
        content = b"\xef\xbb\xbf" + f"{self.good}\r\n\r\n{self.good}".encode()
        result = self.evaluate(content, "--json")
        self.assert_done(result)
        self.assertEqual(result.json()["items"], 2)

    def test_with_a_reference_of_no_words_gives_numbers(self):
        result = self.evaluate('{"audio": "a.wav", "text": ""}\n', "--json")
        if result.code != 0:
            self.assert_one_line_error(result, 1, quoted(self.data))
            return
        answer = result.json()
        self.assertIsInstance(answer["value"], (int, float), str(result))
        for bound in answer["interval"]:
            self.assertIsInstance(bound, (int, float), str(result))


class Eval(CliTest):
    def test_reports_the_word_error_rate_by_kind(self):
        data = SPEECH / "speech.jsonl"
        items = [json.loads(line) for line in data.read_text().splitlines()]
        result = run("eval", "--model", whisper_base(), "--data", data, "--threads", "2", "--json")
        self.assert_done(result)
        answer = result.json()
        for key in ("metric", "value", "interval", "items", "by_kind"):
            self.assertIn(key, answer)
        self.assertEqual((answer["metric"], answer["items"]), ("wer", len(items)))
        low, high = answer["interval"]
        self.assertTrue(0 <= low <= answer["value"] <= high, answer)
        self.assertLess(answer["value"], 10)
        self.assertEqual(set(answer["by_kind"]), {item["kind"] for item in items})
        self.assertEqual(sum(k["items"] for k in answer["by_kind"].values()), len(items))
        self.assertEqual(answer["by_kind"]["jfk"]["value"], 0)
        ids = {item["id"] for item in items}
        for differing in answer["differing"]:
            self.assertIn(differing["id"], ids)
            self.assertGreater(differing["value"], 0)

    def test_gives_the_same_answers_at_every_width(self):
        model = make_tiny_model(self.folder / "model")
        reports = []
        for width in ("1", "8"):
            result = run("eval", "--model", model, "--data", SPEECH / "speech.jsonl", "--limit",
                         "6", "--batch", width, "--json")
            self.assert_done(result)
            reports.append({k: v for k, v in result.json().items()
                            if k not in ("timings_ms", "tokens_per_second")})
        self.assertEqual(reports[0], reports[1])
        self.assertGreater(len(reports[0]["differing"]), 0)

    def test_reports_every_stage_and_the_speed(self):
        model = make_tiny_model(self.folder / "model")
        result = run("eval", "--model", model, "--data", SPEECH / "speech.jsonl", "--limit", "2",
                     "--json")
        self.assert_done(result)
        answer = result.json()
        self.assertEqual(answer["items"], 2)
        self.assertEqual(list(answer["timings_ms"]), TIMINGS)
        self.assertIn("tokens_per_second", answer)

    def test_takes_the_character_error_rate_and_a_limit(self):
        model = make_tiny_model(self.folder / "model")
        arguments = ["--data", SPEECH / "speech.jsonl", "--metric", "cer", "--limit", "1"]
        result = run("eval", "--model", model, *arguments, "--json")
        self.assert_done(result)
        self.assertEqual((result.json()["metric"], result.json()["items"]), ("cer", 1))
        text = run("eval", "--model", model, *arguments)
        self.assert_done(text)
        self.assertRegex(text.out, r"(?m)^cer: [\d.]+ % \(95 % interval .*, 1 items?\)$")


class Bench(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")

    def test_reports_medians_of_every_stage(self):
        result = run("bench", "--model", self.model, "--input", JFK, "--repeat", "2", "--json",
                     "--compare", "baseline,int8", "--threads", "2")
        self.assert_done(result)
        answer = result.json()
        self.assertEqual(list(answer["timings_ms"]), TIMINGS)
        self.assertEqual((answer["repeat"], answer["threads"]), (2, 2))
        self.assertEqual([s["setting"] for s in answer["settings"]], ["baseline", "int8"])
        for setting in answer["settings"]:
            self.assertEqual(list(setting["timings_ms"]), TIMINGS)
            self.assertLessEqual(setting["total_ms_min"], setting["timings_ms"]["total"] + 1e-3)
            self.assertGreater(setting["inferences_per_second"], 0)

    def test_reports_the_speed_beside_the_stages(self):
        result = run("bench", "--model", self.model, "--input", JFK, "--repeat", "1", "--json")
        self.assert_done(result)
        self.assertIn("tokens_per_second", result.json())

    def test_of_the_published_model_answers_right(self):
        result = run("bench", "--model", whisper_base(), "--input", JFK, "--repeat", "1", "--json",
                     "--threads", "2")
        self.assert_done(result)
        self.assertEqual(result.json()["text"], JFK_TEXT)

    def test_prints_a_table_without_json(self):
        result = run("bench", "--model", self.model, "--input", JFK, "--repeat", "1")
        self.assert_done(result)
        self.assertRegex(result.out, r"median ms +total +min")
        self.assertRegex(result.out, re.escape(str(JFK)) + ", 11.0 s of audio")

    def test_of_silence_gives_numbers(self):
        path = self.folder / "silence.wav"
        path.write_bytes(wav_bytes(bytes(32000)))
        for content in (bytes(32000), b""):
            path.write_bytes(wav_bytes(content))
            result = run("bench", "--model", self.model, "--input", path, "--repeat", "1", "--json")
            if result.code != 0:
                self.assert_one_line_error(result, 1, "silence.wav")
                continue
            for setting in result.json()["settings"]:
                for key in ("inferences_per_second", "audio_seconds_per_second"):
                    self.assertIsInstance(setting[key], (int, float), str(result))


if __name__ == "__main__":
    unittest.main()
