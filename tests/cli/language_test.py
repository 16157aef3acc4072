"""Language models beside conversations: run, bench and eval, their output and their errors."""

import json
import unittest

import support
from support import (JFK, CliTest, edit_json, make_tiny_language_model, make_tiny_model, quoted,
                     run)

TEXT = "the rain in spain stays mainly in the plain and that is what it always does. " * 20


class LanguageTest(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_language_model(self.folder / "model")

    def ask(self, *arguments, **options):
        return run("run", "--model", self.model, "--threads", "2", *arguments, **options)

    def answer(self, *arguments, **options):
        result = self.ask("--json", *arguments, **options)
        self.assert_done(result)
        return result.json()


class Run(LanguageTest):
    def test_json_holds_the_answer_and_how_it_came(self):
        answer = self.answer("hello", "--max-tokens", "12", "--precision", "fp32")
        self.assertLessEqual(len(answer["tokens"]), 12)
        self.assertEqual(answer["new_tokens"], len(answer["tokens"]))
        self.assertEqual(len(answer["log_probs"]), len(answer["tokens"]))
        self.assertIn(answer["finish_reason"], ("end", "length"))
        self.assertEqual(answer["precision"], "fp32")
        self.assertEqual(list(answer["timings_ms"]), support.TIMINGS)
        self.assertGreaterEqual(answer["tokens_per_second"], 0)

    def test_prints_the_text_of_json(self):
        for precision in ("fp32", "bf16", "int8", "int4"):
            with self.subTest(precision):
                arguments = ("hello", "--max-tokens", "12", "--precision", precision)
                plain = self.ask(*arguments)
                self.assert_done(plain)
                self.assertEqual(plain.out, self.answer(*arguments)["text"] + "\n")

    def test_reads_the_prompt_from_standard_input(self):
        self.assertEqual(self.answer("-", stdin=b"hello")["tokens"], self.answer("hello")["tokens"])

    def test_takes_a_raw_prompt_as_it_is(self):
        raw = self.answer("--raw", "hello", "--max-tokens", "4")
        whole = self.answer("hello", "--max-tokens", "4")
        self.assertLess(raw["prompt_tokens"], whole["prompt_tokens"])

    def test_gives_the_same_with_and_without_running_ahead(self):
        arguments = ("--raw", "la la la la la la la", "--max-tokens", "80")
        self.assertEqual(self.answer(*arguments)["tokens"],
                         self.answer(*arguments, "--no-lookup")["tokens"])

    def test_gives_the_same_for_the_same_seed(self):
        arguments = ("hello", "--temperature", "1", "--seed", "5", "--max-tokens", "20")
        self.assertEqual(self.answer(*arguments)["tokens"], self.answer(*arguments)["tokens"])

    def test_shows_the_likeliest_tokens(self):
        answer = self.answer("hello", "--max-tokens", "3", "--top-log-probs", "4")
        for entry in answer["log_probs"]:
            self.assertEqual(len(entry["top"]), 4)
            self.assertEqual(entry["top"][0]["token"], entry["token"])

    def test_ends_before_a_stop_text(self):
        text = self.answer("hello", "--max-tokens", "20")["text"]
        stopped = self.answer("hello", "--max-tokens", "20", "--stop", text[6:8])
        self.assertEqual(stopped["finish_reason"], "stop")
        self.assertEqual(stopped["text"], text[: text.index(text[6:8])])

    def test_ends_where_the_context_is_full(self):
        self.model = make_tiny_language_model(self.folder / "short", context=64)
        answer = self.answer("--raw", "hello", "--logit-bias", f"{support.IM_END}=-100")
        self.assertEqual(answer["finish_reason"], "context")
        self.assertEqual(answer["prompt_tokens"] + answer["new_tokens"], 65)

    def test_shows_tokens_that_have_no_text_as_nothing(self):
        edit = json.loads((self.model / "tokenizer.json").read_text())
        edit["model"]["merges"] = []
        edit["model"]["vocab"] = {k: v for k, v in edit["model"]["vocab"].items() if v < 256}
        (self.model / "tokenizer.json").write_text(json.dumps(edit))
        answer = self.answer("hello", "--max-tokens", "40", "--temperature", "3")
        self.assertTrue(any(t >= 258 for t in answer["tokens"]), answer["tokens"])


class PromptCache(LanguageTest):
    def cached(self, *arguments):
        return self.ask("--raw", TEXT[:400], "--max-tokens", "10", "--prompt-cache",
                        self.folder / "cache", *arguments)

    def test_gives_the_same_text_with_less_work(self):
        for precision in ("fp32", "int8"):
            with self.subTest(precision):
                answers = [self.cached("--json", "--precision", precision) for _ in range(2)]
                for result in answers:
                    self.assert_done(result)
                first, second = (a.json() for a in answers)
                self.assertEqual(first["kept_tokens"], 0)
                self.assertGreater(second["kept_tokens"], 0)
                self.assertEqual(first["text"], second["text"])
                (self.folder / "cache").unlink()
        self.assert_no_leftovers(self.folder)

    def test_of_another_model_is_refused_and_kept(self):
        self.assert_done(self.cached())
        before = (self.folder / "cache").read_bytes()
        self.assert_one_line_error(self.cached("--precision", "int8"), 2, "cache", "another model")
        edit_json(self.model / "config.json", rms_norm_eps=1e-5)
        self.assert_one_line_error(self.cached(), 2, "cache", "another model")
        self.assertEqual((self.folder / "cache").read_bytes(), before)

    def test_that_is_damaged_cut_or_something_else_is_refused(self):
        self.assert_done(self.cached())
        good = (self.folder / "cache").read_bytes()
        middle = len(good) // 2
        damaged = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
        for content, says in ((damaged, "damaged"), (good[:-1], "cut"), (good[:30], "cut"),
                              (b"", "not a prompt cache"), (b"{}" * 500, "not a prompt cache"),
                              (good[:8] + b"\x09" + good[9:], "version 9")):
            with self.subTest(says):
                (self.folder / "cache").write_bytes(content)
                self.assert_one_line_error(self.cached(), 1, "cache", says)

    def test_that_cannot_be_written_is_said(self):
        result = self.ask("hello", "--prompt-cache", self.folder / "missing" / "cache")
        self.assert_one_line_error(result, 1, "missing")
        self.assert_one_line_error(self.ask("hello", "--prompt-cache", self.folder), 1)


class Bench(LanguageTest):
    def bench(self, *arguments):
        return run("bench", "--model", self.model, "--threads", "2", "--repeat", "2", *arguments)

    def test_reports_medians(self):
        result = self.bench("--prompt-tokens", "70", "--new-tokens", "5", "--sequences", "3", "--json")
        self.assert_done(result)
        report = result.json()
        self.assertEqual(list(report["timings_ms"]), support.TIMINGS)
        self.assertEqual([len(ids) for ids in report["ids"]], [5, 5, 5])
        self.assertGreater(report["tokens_per_second"], 0)

    def test_compares_settings_on_a_text(self):
        (self.folder / "x.txt").write_text(TEXT)
        arguments = ("--prompt-tokens", "70", "--new-tokens", "5", "--input", self.folder / "x.txt",
                     "--compare", "baseline,fp32,int8")
        result = self.bench(*arguments, "--json")
        self.assert_done(result)
        settings = result.json()["settings"]
        self.assertEqual([s["setting"] for s in settings], ["baseline", "fp32", "int8"])
        self.assertEqual(settings[0]["ids"], settings[1]["ids"])
        self.assertIn("answer tok/s", self.bench(*arguments).out)

    def test_refuses_more_tokens_than_there_are(self):
        (self.folder / "x.txt").write_text("short")
        result = self.bench("--prompt-tokens", "70", "--input", self.folder / "x.txt")
        self.assert_one_line_error(result, 2, "x.txt", "70")
        result = self.bench("--prompt-tokens", "2000")
        self.assert_one_line_error(result, 1, "2000 tokens", "1024")
        result = self.bench("--prompt-tokens", "16777216", "--sequences", "1024")
        self.assert_one_line_error(result, 1, "16777216 tokens", "1024")
        result = self.bench("--prompt-tokens", "1000", "--new-tokens", "100")
        self.assert_one_line_error(result, 1, "context")


class Eval(LanguageTest):
    def setUp(self):
        super().setUp()
        (self.folder / "x.txt").write_text(TEXT)

    def evaluate(self, *arguments):
        return run("eval", "--model", self.model, "--threads", "2", "--data", self.folder / "x.txt",
                   "--window", "128", *arguments)

    def test_gives_the_perplexity_with_its_interval(self):
        result = self.evaluate("--json", "--precision", "fp32")
        self.assert_done(result)
        report = result.json()
        self.assertEqual(report["metric"], "perplexity")
        self.assertLessEqual(report["interval"][0], report["value"])
        self.assertLessEqual(report["value"], report["interval"][1])
        self.assertIn("perplexity at fp32", self.evaluate("--precision", "fp32").out)

    def test_compares_two_precisions(self):
        result = self.evaluate("--json", "--precision", "fp32", "--against", "int4")
        self.assert_done(result)
        against = result.json()["against"]
        self.assertEqual(against["precision"], "int4")
        self.assertGreater(against["mean_kl"], 0)

    def test_refuses_a_text_that_is_too_short(self):
        (self.folder / "x.txt").write_text("a")
        self.assert_one_line_error(self.evaluate(), 2, "x.txt")


class Errors(LanguageTest):
    def test_name_a_missing_template(self):
        (self.model / "chat_template.jinja").unlink()
        self.assert_one_line_error(self.ask("hello"), 1, quoted(self.model), "--raw")
        self.assert_done(self.ask("--raw", "hello", "--max-tokens", "2"))

    def test_name_a_broken_template(self):
        (self.model / "chat_template.jinja").write_text("{% for m in %}")
        self.assert_one_line_error(self.ask("hello"), 1, quoted(self.model), "chat_template")

    def test_name_a_missing_tokenizer(self):
        (self.model / "tokenizer.json").unlink()
        self.assert_one_line_error(self.ask("--raw", "hello"), 1, quoted(self.model), "tokenizer")

    def test_name_a_bad_option(self):
        for option, value, says in (
            ("--logit-bias", "17", "17=-100"), ("--logit-bias", "x=1", "x=1"),
            ("--logit-bias", "512=1", "512"), ("--logit-bias", "1=1000", "logit_bias|bias"),
            ("--cache", "int3", "fp32, bf16 and int8"), ("--max-tokens", "0", "max-tokens"),
            ("--temperature", "-1", "temperature"), ("--top-p", "2", "top_p|top-p"),
            ("--stop", "", "stop"), ("--precision", "int3", "int3"),
        ):
            with self.subTest(f"{option} {value}"):
                self.assert_one_line_error(self.ask("hello", option, value), 2, says)

    def test_name_a_prompt_longer_than_the_cache(self):
        self.assert_done(self.ask("hello", "--cache-mb", "1", "--max-tokens", "2"))
        edit_json(self.model / "config.json", max_position_embeddings=1 << 20)
        self.assert_one_line_error(self.ask("-", "--cache-mb", "1", stdin=(TEXT * 10).encode()), 1,
                                   "tokens")

    def test_name_a_bad_schema_file(self):
        missing = self.folder / "no.json"
        self.assert_one_line_error(self.ask("hello", "--json-schema", missing), 1, quoted(missing))
        self.assert_one_line_error(self.ask("hello", "--json-schema", self.folder), 1,
                                   quoted(self.folder))

    def test_name_a_prompt_longer_than_the_context(self):
        self.assert_one_line_error(self.ask(TEXT), 1, "tokens", "1024")
        self.assert_one_line_error(self.ask("-", stdin=TEXT.encode()), 1, "tokens", "1024")

    def test_name_an_empty_raw_prompt(self):
        self.assert_one_line_error(self.ask("--raw", ""), 2, "prompt")

    def test_name_a_model_of_another_kind(self):
        speech = make_tiny_model(self.folder / "speech")
        for command in (["run", "hello"], ["chat"], ["bench", "--prompt-tokens", "5"]):
            with self.subTest(command[0]):
                result = run(command[0], "--model", speech, *command[1:])
                self.assert_one_line_error(result, 1, quoted(speech), "whisper")
        result = run("transcribe", "--model", self.model, JFK)
        self.assert_one_line_error(result, 1, quoted(self.model), "llama")

    def test_name_a_model_that_is_not_there(self):
        result = run("run", "--model", self.folder / "none", "hello")
        self.assert_one_line_error(result, 1, "none")


if __name__ == "__main__":
    unittest.main()
