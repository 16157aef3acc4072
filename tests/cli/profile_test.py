"""Where the time goes: the table, the object, the picture, and what a user does wrong."""

import json
import unittest
import xml.etree.ElementTree as ElementTree

from support import (JFK, JFK_TEXT, TIMINGS, CliTest, make_tiny_model, quoted, run, wav_bytes,
                     whisper_base)

ROW = ["stage", "operator", "calls", "ms", "share", "operations", "weight_bytes",
       "activation_bytes", "gops", "gb_per_s", "bound_ms", "bound_by", "share_of_bound"]
SVG = "{http://www.w3.org/2000/svg}"


class Profile(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")

    def profile(self, *arguments):
        return run("profile", "--model", self.model, "--input", JFK, "--repeat", "1", *arguments)

    def test_reports_every_row_stage_and_rate(self):
        result = self.profile("--json", "--threads", "2", "--language", "en")
        self.assert_done(result)
        answer = result.json()
        self.assertEqual(list(answer["timings_ms"]), TIMINGS)
        self.assertEqual((answer["repeat"], answer["threads"]), (1, 2))
        self.assertEqual(answer["spans_dropped"], 0)
        for threads in ("one_thread", "all_threads"):
            rates = answer["roofline"][threads]
            self.assertEqual(list(rates), ["int8_gops", "bf16_gops", "fp32_gops",
                                           "memory_gb_per_s", "l3_gb_per_s", "l2_gb_per_s"])
            for rate, value in rates.items():
                self.assertGreater(value, 0, rate)
        for row in answer["rows"] + answer["layers"]:
            self.assertEqual(list(row), ROW)
        stages = [row["stage"] for row in answer["stages"]]
        self.assertEqual(stages, ["preprocess", "encode", "prefill", "decode", "(outside)"])

    def test_rows_add_up_to_the_total(self):
        answer = self.profile("--json").json()
        for rows in (answer["rows"], answer["layers"], answer["stages"]):
            self.assertAlmostEqual(sum(row["ms"] for row in rows), answer["timings_ms"]["total"],
                                   delta=2e-3)
            self.assertAlmostEqual(sum(row["share"] for row in rows), 1, places=6)

    def test_layers_add_up_to_their_operator(self):
        answer = self.profile("--json").json()
        layers = [r for r in answer["layers"] if r["operator"].endswith("/fc1")]
        (operator,) = [r for r in answer["rows"]
                       if (r["stage"], r["operator"]) == ("encode", "layers/fc1")]
        of_encoder = [r for r in layers if r["stage"] == "encode"]
        config = json.loads((self.model / "config.json").read_text())
        self.assertEqual(len(of_encoder), config["encoder_layers"])
        self.assertEqual(sum(r["operations"] for r in of_encoder), operator["operations"])
        self.assertEqual(sum(r["calls"] for r in of_encoder), operator["calls"])

    def test_operations_follow_from_the_shapes(self):
        # The baseline does not cut the rows into blocks: a call is a layer.
        answer = self.profile("--json", "--baseline").json()
        config = json.loads((self.model / "config.json").read_text())
        (row,) = [r for r in answer["rows"]
                  if (r["stage"], r["operator"]) == ("encode", "layers/fc1")]
        per_window = (2 * config["max_source_positions"] * config["d_model"]
                      * config["encoder_ffn_dim"] * config["encoder_layers"])
        self.assertGreater(row["calls"], 0)
        self.assertEqual(row["operations"] % per_window, 0)
        self.assertEqual(row["operations"] / per_window, row["calls"] / config["encoder_layers"])

    def test_prints_the_roofline_and_a_table(self):
        result = self.profile("--layers")
        self.assert_done(result)
        self.assertRegex(result.out, r"roofline, measured now +1 thread")
        self.assertRegex(result.out, r"(?m)^  int8 dot product +[\d.]+ +[\d.]+ Gop/s$")
        self.assertRegex(result.out, r"(?m)^stage +operator +calls +ms +share")
        self.assertRegex(result.out, r"(?m)^encode +layers\.0/fc1 +\d+ ")
        self.assertRegex(result.out, r"(?m)^total +[\d.]+ 100\.0 %$")

    def test_draws_a_picture_that_stands_alone(self):
        picture = self.folder / "out.svg"
        self.assert_done(self.profile("--svg", picture))
        root = ElementTree.parse(picture).getroot()
        self.assertEqual(root.tag, SVG + "svg")
        texts = ["".join(t.itertext()) for t in root.iter(SVG + "text")]
        self.assertIn("model, jfk.wav", texts)
        self.assertTrue(any(t.startswith("encode: ") for t in texts), texts)
        self.assertTrue(any("int8 peak" in t or "bandwidth" in t for t in texts), texts)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        self.assertEqual(tags, {"svg", "rect", "text", "g", "title"})
        self.assert_no_leftovers(self.folder)

    def test_escapes_odd_names_in_the_picture(self):
        audio = self.folder / "a<b>&\"c'.wav"
        audio.write_bytes(JFK.read_bytes())
        picture = self.folder / "out.svg"
        self.assert_done(run("profile", "--model", self.model, "--input", audio, "--repeat", "1",
                             "--svg", picture))
        texts = [t.text for t in ElementTree.parse(picture).getroot().iter(SVG + "text")]
        self.assertIn("model, " + audio.name, texts)

    def test_of_every_precision_and_the_baseline_names_it(self):
        for arguments, precision in ((["--precision", "bf16"], "bf16"), (["--baseline"], "fp32")):
            result = self.profile("--json", *arguments)
            self.assert_done(result)
            self.assertEqual(result.json()["precision"], precision)

    def test_of_silence_gives_numbers(self):
        for content in (bytes(32000), b""):
            path = self.folder / "silence.wav"
            path.write_bytes(wav_bytes(content))
            result = run("profile", "--model", self.model, "--input", path, "--repeat", "1",
                         "--json", "--svg", self.folder / "out.svg")
            if result.code != 0:
                self.assert_one_line_error(result, 1, "silence.wav")
                continue
            for row in result.json()["rows"]:
                for key in ("ms", "share", "gops", "share_of_bound"):
                    self.assertIsInstance(row[key], (int, float), str(result))
            ElementTree.parse(self.folder / "out.svg")

    def test_names_what_cannot_be_read_or_written(self):
        missing = self.folder / "missing" / "out.svg"
        self.assert_one_line_error(self.profile("--svg", missing), 1, "--svg", quoted(missing.parent))
        self.assert_one_line_error(self.profile("--svg", self.folder), 1, quoted(self.folder))
        result = run("profile", "--model", self.model, "--input", self.folder / "missing.wav")
        self.assert_one_line_error(result, 1, "missing.wav")
        result = run("profile", "--model", self.folder / "none", "--input", JFK)
        self.assert_one_line_error(result, 1, "none")

    def test_of_the_published_model_answers_right(self):
        result = run("profile", "--model", whisper_base(), "--input", JFK, "--repeat", "1",
                     "--json", "--threads", "2", "--full-length")
        self.assert_done(result)
        self.assertEqual(result.json()["text"], JFK_TEXT)


if __name__ == "__main__":
    unittest.main()
