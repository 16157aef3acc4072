"""Good recordings: the right text, in every format, encoding and way of asking."""

import json
import re
import unittest
import wave

from support import (AUDIO_FORMATS, JFK, JFK_TEXT, MODELS, SPEECH, TIMINGS, CliTest, float_wav,
                     make_tiny_model, pcm16, run, tone, voice_activity, wav_bytes, white_noise,
                     whisper_base)

JFK_SECONDS = 11.0
SAME_RECORDINGS = [
    [JFK, AUDIO_FORMATS / "jfk.mp3"],
    sorted(AUDIO_FORMATS.glob("audio-*")),
]
SRT_CUE = re.compile(
    r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n(.+)\n\n")
VTT_CUE = re.compile(
    r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\n(.+)\n\n")


def seconds(hours, minutes, whole, milliseconds):
    return int(hours) * 3600 + int(minutes) * 60 + int(whole) + int(milliseconds) / 1000


def parse_srt(text):
    """[(start, end, text)]; fails where anything stands between the cues."""
    if SRT_CUE.sub("", text) != "":
        raise ValueError(f"not SubRip: {text!r}")
    cues = SRT_CUE.findall(text)
    if [int(c[0]) for c in cues] != list(range(1, len(cues) + 1)):
        raise ValueError(f"the cues are not counted from 1 on: {text!r}")
    return [(seconds(*c[1:5]), seconds(*c[5:9]), c[9]) for c in cues]


def parse_vtt(text):
    if not text.startswith("WEBVTT\n\n") or VTT_CUE.sub("", text[8:]) != "":
        raise ValueError(f"not WebVTT: {text!r}")
    return [(seconds(*c[0:4]), seconds(*c[4:8]), c[8]) for c in VTT_CUE.findall(text)]


class Speech(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.model = whisper_base()

    def transcribe(self, *arguments, **options):
        result = run("transcribe", "--model", self.model, "--threads", "2", *arguments, **options)
        self.assert_done(result)
        return result

    def transcribe_whole(self, *arguments, **options):
        """Encodes 30 s as published: the text is then the same to the comma, whatever the way."""
        return self.transcribe("--full-length", *arguments, **options)

    def assert_rising_times(self, spans, duration):
        self.assertGreater(len(spans), 0)
        last = 0.0
        for start, end in spans:
            self.assertLessEqual(last, start + 1e-9)
            self.assertLessEqual(start, end)
            last = start
        self.assertLessEqual(max(end for _, end in spans), duration + 1e-3)

    def assert_says(self, text):
        self.assertEqual(spoken(text), spoken(JFK_TEXT), text)


def spoken(text):
    return re.findall(r"\w+", text.lower())


class Formats(Speech):
    def test_text_is_one_line(self):
        self.assertEqual(self.transcribe_whole(JFK).out, JFK_TEXT + "\n")

    def test_json_holds_the_text(self):
        out = self.transcribe_whole(JFK, "--format", "json").out
        self.assertEqual(json.loads(out), {"text": JFK_TEXT})

    def test_srt_and_vtt_are_parsed_and_agree(self):
        srt = parse_srt(self.transcribe_whole(JFK, "--format", "srt").out)
        vtt = parse_vtt(self.transcribe_whole(JFK, "--format", "vtt").out)
        self.assertEqual(srt, vtt)
        self.assertEqual(" ".join(text for _, _, text in srt), JFK_TEXT)
        self.assert_rising_times([(start, end) for start, end, _ in srt], JFK_SECONDS)

    def test_verbose_json_has_rising_times_of_segments_and_words(self):
        out = self.transcribe_whole(JFK, "--format", "verbose_json", "--word-timestamps").out
        answer = json.loads(out)
        self.assertEqual(answer["text"], JFK_TEXT)
        self.assertEqual(answer["language"], "english")
        self.assertEqual(answer["task"], "transcribe")
        self.assertAlmostEqual(answer["duration"], JFK_SECONDS, places=2)
        self.assert_rising_times([(s["start"], s["end"]) for s in answer["segments"]], JFK_SECONDS)
        self.assert_rising_times([(w["start"], w["end"]) for w in answer["words"]], JFK_SECONDS)
        self.assertEqual("".join(w["word"] for w in answer["words"]).replace(" ", ""),
                         JFK_TEXT.replace(" ", ""))
        for word in answer["words"]:
            self.assertTrue(0 <= word["probability"] <= 1, word)

    def test_output_folder_gets_one_file_per_input(self):
        for name, ending in (("text", ".txt"), ("srt", ".srt"), ("verbose_json", ".json")):
            with self.subTest(name):
                folder = self.folder / name / "made on the way"
                result = self.transcribe_whole(JFK, SPEECH / "cards-001.wav", "--format", name,
                                               "--output", folder)
                self.assertEqual(result.out, "")
                self.assertEqual(sorted(p.name for p in folder.iterdir()),
                                 ["cards-001.wav" + ending, "jfk.wav" + ending])
                content = (folder / ("jfk.wav" + ending)).read_text()
                if name == "text":
                    self.assertEqual(content, JFK_TEXT + "\n")
                elif name == "srt":
                    self.assertEqual(" ".join(c[2] for c in parse_srt(content)), JFK_TEXT)
                else:
                    self.assertEqual(json.loads(content)["text"], JFK_TEXT)

    def test_times_go_on_behind_the_first_window(self):
        with wave.open(str(JFK)) as file:
            samples = file.readframes(file.getnframes())
        path = self.folder / "44-seconds.wav"
        path.write_bytes(wav_bytes(samples * 4))
        cues = parse_srt(self.transcribe(path, "--format", "srt", "--language", "en").out)
        self.assert_rising_times([(start, end) for start, end, _ in cues], 4 * JFK_SECONDS)
        self.assertGreater(cues[-1][1], 40)


class Json(Speech):
    def assert_has_timings(self, answer):
        self.assertEqual(list(answer["timings_ms"]), TIMINGS)
        for key, value in answer["timings_ms"].items():
            self.assertGreater(value, 0, key)
        parts = [answer["timings_ms"][k] for k in ("preprocess", "encode", "prefill", "decode")]
        self.assertLessEqual(sum(parts), answer["timings_ms"]["total"] + 0.01)
        self.assertGreater(answer["tokens_per_second"], 0)

    def test_of_one_file_is_its_object(self):
        answer = self.transcribe_whole(JFK, "--json").json()
        self.assertEqual(answer["file"], str(JFK))
        self.assertEqual(answer["text"], JFK_TEXT)
        self.assertEqual(answer["language"], "en")
        self.assertAlmostEqual(answer["duration"], JFK_SECONDS, places=2)
        self.assert_has_timings(answer)

    def test_of_several_files_holds_them_in_order_also_the_failed(self):
        missing = self.folder / "missing.wav"
        files = [JFK, missing, SPEECH / "cards-001.wav"]
        result = run("transcribe", "--model", self.model, "--threads", "2", "--full-length", "--json",
                     *files)
        self.assert_one_line_error(result, 1, "missing.wav")
        answer = result.json()
        self.assertEqual(list(answer), ["results"])
        self.assertEqual([r["file"] for r in answer["results"]], [str(f) for f in files])
        first, second, third = answer["results"]
        self.assertEqual(first["text"], JFK_TEXT)
        self.assertIn("missing.wav", second["error"])
        self.assertNotIn("text", second)
        self.assertEqual(third["text"], "Ten of clubs.")
        for good in (first, third):
            self.assert_has_timings(good)

    def test_with_word_timestamps_shows_the_words(self):
        answer = self.transcribe(JFK, "--json", "--word-timestamps").json()
        self.assertIn("words", answer)
        self.assert_rising_times([(w["start"], w["end"]) for w in answer["words"]], JFK_SECONDS)

    def test_names_the_language_the_same_way_in_every_format(self):
        plain = self.transcribe(JFK, "--json").json()
        verbose = self.transcribe(JFK, "--json", "--format", "verbose_json").json()
        self.assertEqual(plain["language"], verbose["language"])


class Input(Speech):
    def test_on_standard_input_gives_the_same_text(self):
        for path in (JFK, AUDIO_FORMATS / "jfk.mp3"):
            with self.subTest(path.name):
                out = self.transcribe_whole("-", stdin=path.read_bytes()).out
                self.assertEqual(out, JFK_TEXT + "\n")

    def test_in_every_encoding_gives_the_same_text(self):
        for files in SAME_RECORDINGS:
            self.assertGreater(len(files), 1)
            results = self.transcribe_whole("--json", *files).json()["results"]
            texts = {r["text"] for r in results}
            self.assertEqual(len(texts), 1, results)
            self.assertNotEqual(texts, {""})

    def test_of_the_english_recording_is_what_is_said(self):
        out = self.transcribe(SAME_RECORDINGS[1][0]).out
        self.assertRegex(out.lower(), r"\A(1|one), (2|two), (3|three)\W*\n\Z")

    def test_in_other_languages_is_detected(self):
        results = self.transcribe("--json", AUDIO_FORMATS / "french.aiff",
                                  AUDIO_FORMATS / "chinese.flac").json()["results"]
        self.assertEqual([r["language"] for r in results], ["fr", "zh"])
        self.assertIn("dictée", results[0]["text"])

    def test_can_be_translated(self):
        french = AUDIO_FORMATS / "french.aiff"
        answer = self.transcribe("--json", "--task", "translate", french).json()
        self.assertEqual(answer["language"], "fr")
        self.assertNotEqual(answer["text"], "")
        self.assertNotIn("dictée", answer["text"])

    def test_takes_languages_by_code_and_name(self):
        for language in ("en", "English"):
            with self.subTest(language):
                out = self.transcribe_whole(JFK, "--language", language).out
                self.assertEqual(out, JFK_TEXT + "\n")

    def test_is_decoded_alike_at_every_precision_and_width(self):
        for arguments in (["--precision", "fp32"], ["--precision", "bf16"], ["--precision", "int8"],
                          ["--baseline"]):
            with self.subTest(" ".join(arguments)):
                out = self.transcribe_whole(JFK, *arguments).out
                self.assertEqual(out, JFK_TEXT + "\n")
        # Two beams of the int8 model leave out a comma.
        self.assert_says(self.transcribe_whole(JFK, "--beams", "2", "--temperature", "0").out)

    def test_encoded_for_its_own_length_has_the_same_words(self):
        for arguments in ([], ["--precision", "fp32"], ["--precision", "bf16"],
                          ["--beams", "2", "--temperature", "0"]):
            with self.subTest(" ".join(arguments)):
                self.assert_says(self.transcribe(JFK, *arguments).out)
        srt = parse_srt(self.transcribe(JFK, "--format", "srt").out)
        self.assert_says(" ".join(text for _, _, text in srt))


class Batch(Speech):
    FILES = [JFK, *sorted(SPEECH.glob("cards-*.wav")), AUDIO_FORMATS / "french.aiff"]

    def test_gives_the_texts_of_one_file_after_the_other(self):
        one_by_one = self.transcribe("--batch", "1", "--format", "srt", *self.FILES).out
        for width in ("2", "8"):
            with self.subTest(width):
                together = self.transcribe("--batch", width, "--format", "srt", *self.FILES).out
                self.assertEqual(together, one_by_one)

    def test_shares_its_time_among_the_files(self):
        results = self.transcribe("--json", *self.FILES).json()["results"]
        self.assertEqual([r["file"] for r in results], [str(f) for f in self.FILES])
        for result in results:
            self.assertEqual(list(result["timings_ms"]), TIMINGS)
            self.assertGreater(result["timings_ms"]["total"], 0)

    def test_names_every_file_that_failed(self):
        broken = self.folder / "broken.wav"
        broken.write_bytes(JFK.read_bytes()[:1000])
        missing = self.folder / "missing.wav"
        result = run("transcribe", "--model", self.model, broken, JFK, missing)
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual(result.out, f"{JFK}: {JFK_TEXT}\n")
        first, second = result.err.splitlines()
        self.assertIn("broken.wav", first)
        self.assertIn("missing.wav", second)


class CutAtSilences(Speech):
    PAUSE_SECONDS = 6

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        voice_activity()

    def transcribe_long(self, *arguments):
        with wave.open(str(JFK)) as file:
            samples = file.readframes(file.getnframes())
        path = self.folder / "long.wav"
        path.write_bytes(wav_bytes((samples + bytes(2 * 16000 * self.PAUSE_SECONDS)) * 4))
        return self.transcribe(path, "--language", "en", *arguments,
                               environment={"QUINTET_HOME": str(MODELS.parent)})

    def test_gives_the_same_text_at_every_width(self):
        texts = {self.transcribe_long("--vad", "--batch", n, "--format", "srt").out for n in "138"}
        self.assertEqual(len(texts), 1)
        words = " ".join(text for _, _, text in parse_srt(texts.pop()))
        self.assertEqual(words.lower().count("ask not what your country can do for you"), 4, words)

    def test_keeps_the_times_of_the_recording(self):
        cues = parse_srt(self.transcribe_long("--vad", "--format", "srt").out)
        whole = JFK_SECONDS + self.PAUSE_SECONDS
        self.assert_rising_times([(start, end) for start, end, _ in cues], 4 * whole)
        for start, end, text in cues:
            if "ask not" in text:
                self.assertLess(start % whole, JFK_SECONDS, cues)
        self.assertGreater(cues[-1][1], 3 * whole)

    def test_needs_the_network_and_says_how_to_get_it(self):
        result = run("transcribe", "--model", self.model, JFK, "--vad",
                     environment={"QUINTET_HOME": str(self.folder)})
        self.assert_one_line_error(result, 1, "silero-vad", "quintet pull silero-vad")


class NoSpeech(Speech):
    def recordings(self):
        quiet = {"silence": [0.0] * 32000}
        for amplitude in (0.001, 0.01, 0.1):
            quiet[f"white noise of {amplitude}"] = white_noise(5, amplitude)
        return quiet

    def test_gives_no_text(self):
        recordings = self.recordings()
        paths = []
        for name, samples in recordings.items():
            paths.append(self.folder / f"{name}.wav")
            paths[-1].write_bytes(wav_bytes(pcm16(samples)))
        for options in ([], ["--format", "srt", "--language", "en"]):
            results = self.transcribe("--json", *options, *paths).json()["results"]
            for name, answer in zip(recordings, results):
                with self.subTest(" ".join([name, *options])):
                    self.assertEqual(answer["text"], "")

    def test_gives_well_formed_files_of_every_format(self):
        path = self.folder / "silence.wav"
        path.write_bytes(wav_bytes(bytes(64000)))
        self.assertEqual(self.transcribe(path).out, "\n")
        self.assertEqual(parse_srt(self.transcribe(path, "--format", "srt").out), [])
        self.assertEqual(parse_vtt(self.transcribe(path, "--format", "vtt").out), [])
        verbose = json.loads(self.transcribe(path, "--format", "verbose_json").out)
        self.assertEqual((verbose["text"], verbose["segments"]), ("", []))


class Nonsense(CliTest):
    """The random model emits broken UTF-8, control characters and odd times: what is printed has to
    be well formed all the same."""

    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")

    def test_is_valid_json(self):
        for arguments in (["--json"], ["--format", "json"], ["--format", "verbose_json"],
                          ["--format", "verbose_json", "--word-timestamps"],
                          ["--json", "--format", "srt"]):
            with self.subTest(" ".join(arguments)):
                result = run("transcribe", "--model", self.model, JFK, *arguments)
                self.assert_done(result)
                result.json()

    def test_has_times_within_the_recording(self):
        path = self.folder / "tone.wav"
        path.write_bytes(wav_bytes(pcm16(tone(4.5))))
        for file, duration in ((JFK, JFK_SECONDS), (path, 4.5)):
            result = run("transcribe", "--model", self.model, file, "--format", "verbose_json",
                         "--word-timestamps")
            self.assert_done(result)
            answer = result.json()
            for part in answer["segments"] + answer.get("words", []):
                self.assertTrue(0 <= part["start"] <= part["end"] <= duration + 1e-3, part)

    def test_comes_from_odd_recordings_too(self):
        one_second = tone(1)
        streamed = wav_bytes(pcm16(one_second), declared=0xFFFFFFFF)
        recordings = {
            "one sample": wav_bytes(pcm16([0.5])),
            "two samples": wav_bytes(pcm16([0.5, -0.5])),
            "399 samples": wav_bytes(pcm16(one_second[:399])),
            "8 channels": wav_bytes(pcm16(one_second), channels=8),
            "64 channels": wav_bytes(pcm16(one_second), channels=64),
            "1000 Hz": wav_bytes(pcm16(one_second), rate=1000),
            "768000 Hz": wav_bytes(pcm16(one_second * 4), rate=768000),
            "8 bits": wav_bytes(bytes(128 + round(100 * x) for x in one_second), bits=8),
            "u-law": wav_bytes(bytes(range(256)) * 60, coding=7, bits=8),
            "loud": float_wav([1e6 * x for x in one_second]),
            "very loud": float_wav([1e29 * x for x in one_second]),
            "denormal": float_wav([1e-40 * x for x in one_second]),
            "square": wav_bytes(pcm16([1.0 if i // 40 % 2 else -1.0 for i in range(16000)])),
            "constant": wav_bytes(pcm16([1.0] * 16000)),
            "exactly a window": wav_bytes(pcm16(tone(3))),
            "a sample more than a window": wav_bytes(pcm16(tone(3) + [0.1])),
            "size of a stream": streamed,
            "size of 0 of a stream": wav_bytes(pcm16(one_second), declared=0),
            "surplus byte": wav_bytes(pcm16(one_second) + b"x"),
        }
        seconds_of = {
            "one sample": 0, "two samples": 0, "399 samples": 0.025, "8 channels": 1 / 8,
            "64 channels": 1 / 64, "1000 Hz": 16, "768000 Hz": 1 / 12, "u-law": 0.96,
            "exactly a window": 3, "a sample more than a window": 3,
        }
        paths = []
        for name, content in recordings.items():
            paths.append(self.folder / f"{name}.wav")
            paths[-1].write_bytes(content)
        result = run("transcribe", "--model", self.model, "--json", "--format", "verbose_json",
                     "--word-timestamps", *paths)
        self.assert_done(result)
        for name, answer in zip(recordings, result.json()["results"]):
            with self.subTest(name):
                self.assertAlmostEqual(answer["duration"], seconds_of.get(name, 1), delta=2e-3)
        self.assertEqual(run("transcribe", "--model", self.model, "-", stdin=streamed).code, 0)

    def test_follows_odd_prompts_too(self):
        for prompt in ("", " ", "<|endoftext|>", "<|notimestamps|><|en|>", "word " * 5000,
                       "\u00e9\u4e2d\U0001f600", b"\xff\xfe".decode("utf-8", "surrogateescape")):
            with self.subTest(ascii(prompt[:20])):
                result = run("transcribe", "--model", self.model, JFK, "--prompt", prompt, "--json",
                             "--condition-on-previous")
                self.assert_done(result)
                result.json()


if __name__ == "__main__":
    unittest.main()
