"""What the program says to wrong usage: exit code 2, one line that names what was wrong."""

import os
import resource
import subprocess
import unittest

import support
from support import JFK, CliTest, make_tiny_model, run, wav_bytes, whisper_base

COMMANDS = ["transcribe", "run", "chat", "eval", "bench", "profile", "convert", "inspect", "pull",
            "models"]


class Help(CliTest):
    def test_lists_every_command(self):
        result = run("--help")
        self.assert_done(result)
        for command in COMMANDS:
            self.assertRegex(result.out, rf"(?m)^  {command} ")

    def test_of_each_command_shows_its_usage(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = run(command, "--help")
                self.assert_done(result)
                self.assertIn(f"quintet {command}", result.out)

    def test_of_the_speech_commands_names_their_options(self):
        for command in ("transcribe", "eval", "bench", "profile"):
            out = run(command, "--help").out
            for option in ("--model", "--baseline", "--language", "--task", "--beams", "--vad",
                           "--batch"):
                with self.subTest(f"{command} {option}"):
                    self.assertIn(option, out)

    def test_shows_the_common_options(self):
        out = run("--help").out
        for option in ("--json", "--quiet", "--precision", "--threads"):
            self.assertIn(option, out)


class Version(CliTest):
    def test_is_one_line_with_a_number(self):
        result = run("--version")
        self.assert_done(result)
        self.assertRegex(result.out, r"\Aquintet \d+\.\d+\.\d+\S*\n\Z")


class WrongUsage(CliTest):
    # Arguments (MODEL and AUDIO stand for good ones), what the line on stderr has to name.
    TABLE = [
        ([], ["quintet --help"]),
        (["frobnicate"], ["frobnicate"]),
        (["--frobnicate"], ["--frobnicate"]),
        (["frobnicate", "--json"], ["frobnicate"]),
        (["transcribe"], ["--model"]),
        (["transcribe", "--model", "MODEL"], ["FILE"]),
        (["transcribe", "AUDIO"], ["--model"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--frobnicate"], ["--frobnicate"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--format"], ["--format"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--format", "docx"],
         ["format", "docx", "srt"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--format", ""], ["format", "srt"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--language", "klingon"],
         ["language", "klingon"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--language", "EN GB"], ["language"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--task", "summarise"],
         ["--task", "summarise", "translate"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--precision", "fp8"],
         ["precision", "fp8", "int8"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--threads", "-1"], ["--threads", "-1"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--threads", "1000000"],
         ["--threads", "1000000"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--threads", "99999999999999999999"],
         ["--threads"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--threads", "two"], ["--threads", "two"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--threads", "1.5"], ["--threads", "1.5"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--beams", "0"], ["beams", "0", "1 to 64"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--beams", "-1"], ["beams"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--beams", "1000"], ["beams", "1 to 64"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--beams", "9999999999"], ["beams"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--batch", "0"], ["--batch", "0"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--batch", "65"], ["--batch", "64"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--batch", "all"], ["--batch", "all"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--vad", "--condition-on-previous"],
         ["--condition-on-previous", "--vad"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--temperature", "-1"],
         ["temperature", "-1"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--temperature", "nan"],
         ["temperature", "nan"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--temperature", "inf"], ["temperature"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--temperature", "1e99"], ["temperature"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--temperature", "hot"], ["temperature"]),
        (["transcribe", "--model", "MODEL", "AUDIO", "--baseline", "--precision", "int8"],
         ["baseline", "fp32"]),
        (["eval", "--model", "MODEL"], ["--data"]),
        (["eval", "--model", "MODEL", "--data", "AUDIO", "--metric", "bleu"],
         ["--metric", "bleu", "wer"]),
        (["eval", "--model", "MODEL", "--data", "AUDIO", "--limit", "-1"], ["--limit"]),
        (["bench", "--model", "MODEL"], ["--input"]),
        (["bench", "--model", "MODEL", "--input", "AUDIO", "--repeat", "0"], ["--repeat", "0"]),
        (["bench", "--model", "MODEL", "--input", "AUDIO", "--repeat", "x"], ["--repeat"]),
        (["bench", "--model", "MODEL", "--input", "AUDIO", "--compare", "fp32,fp8"],
         ["fp8", "int8"]),
        (["bench", "--model", "MODEL", "--input", "AUDIO", "--baseline", "--precision", "int8"],
         ["baseline", "fp32"]),
        (["bench", "--model", "MODEL", "--input", "AUDIO", "--task", "x"], ["--task"]),
        (["profile", "--model", "MODEL"], ["--input"]),
        (["profile", "--input", "AUDIO"], ["--model"]),
        (["profile", "--model", "MODEL", "--input", "AUDIO", "--repeat", "0"], ["--repeat", "0"]),
        (["profile", "--model", "MODEL", "--input", "AUDIO", "--layers", "3"], ["3"]),
        (["profile", "--model", "MODEL", "--input", "AUDIO", "--svg"], ["--svg"]),
        (["profile", "--model", "MODEL", "--input", "AUDIO", "--precision", "fp8"],
         ["precision", "fp8", "int8"]),
        (["convert", "MODEL"], ["--output"]),
        (["convert", "-o", "OUT"], ["MODEL"]),
        (["convert", "MODEL", "-o", "OUT", "--to", "gguf"], ["--to", "gguf", "safetensors"]),
        (["convert", "MODEL", "-o", "OUT", "--to", "safetensors", "--dtype", "int3"],
         ["--dtype", "int3", "float16"]),
        (["convert", "MODEL", "-o", "OUT", "--precision", "int3"], ["precision", "int3"]),
        (["inspect"], ["PATH"]),
        (["inspect", "MODEL", "MODEL"], ["not expected"]),
        (["pull"], ["name"]),
        (["models", "surplus"], ["surplus"]),
    ]

    def test_is_named_in_one_line(self):
        model = make_tiny_model(self.folder / "model")
        audio = self.folder / "audio.wav"
        audio.write_bytes(JFK.read_bytes())
        places = {"MODEL": model, "AUDIO": audio, "OUT": self.folder / "out.qnt"}
        for arguments, fragments in self.TABLE:
            with self.subTest(" ".join(arguments)):
                result = run(*(places.get(a, a) for a in arguments))
                self.assert_one_line_error(result, 2, *fragments)
        self.assertFalse((self.folder / "out.qnt").exists())

    def test_of_a_value_is_found_before_a_missing_file_is_reported(self):
        model = make_tiny_model(self.folder / "model")
        for option, value in (("--format", "docx"), ("--task", "x"), ("--precision", "fp8")):
            with self.subTest(option):
                result = run("transcribe", "--model", model, "missing.wav", option, value)
                self.assert_one_line_error(result, 2, value)

    def test_with_several_files_is_said_once(self):
        # A wrong option has nothing to do with the files: it need not be said for each.
        model = make_tiny_model(self.folder / "model")
        for option, value in (("--language", "klingon"), ("--beams", "0"), ("--temperature", "-1")):
            with self.subTest(option):
                result = run("transcribe", "--model", model, JFK, JFK, option, value)
                self.assert_one_line_error(result, 2, value)


class GoodUsage(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.audio = self.folder / "silence.wav"
        self.audio.write_bytes(wav_bytes(bytes(32000)))

    def test_takes_common_options_on_both_sides_of_the_command(self):
        for arguments in (
            ["--json", "--threads", "1", "transcribe", "--model", self.model, self.audio],
            ["transcribe", "--model", self.model, self.audio, "--json", "--threads", "1"],
        ):
            result = run(*arguments)
            self.assert_done(result)
            self.assertEqual(result.json()["text"], "")

    def test_takes_one_temperature_in_front_of_the_file(self):
        result = run("transcribe", "--model", self.model, "--temperature", "0", self.audio)
        self.assert_done(result)

    def test_takes_several_temperatures(self):
        result = run("transcribe", "--model", self.model, self.audio, "--temperature", "0", "0.4")
        self.assert_done(result)

    def test_takes_a_file_whose_name_begins_with_a_dash_after_two(self):
        path = self.folder / "-dash.wav"
        path.write_bytes(self.audio.read_bytes())
        result = run("transcribe", "--model", self.model, "--json", "--", path)
        self.assert_done(result)

    def test_takes_the_widest_beam_and_every_thread(self):
        result = run("transcribe", "--model", self.model, self.audio, "--beams", "64",
                     "--threads", "64")
        self.assert_done(result)

    def test_reports_that_the_output_cannot_be_written(self):
        for arguments in (
            ["transcribe", "--model", self.model, JFK],
            ["transcribe", "--model", self.model, JFK, "--json"],
            ["inspect", self.model],
            ["inspect", self.model, "--json"],
            ["models", "--json"],
        ):
            with self.subTest(arguments[0] + (" --json" if "--json" in arguments else "")):
                with open("/dev/full", "wb") as full:
                    result = run(*arguments, stdout=full)
                self.assertEqual(result.code, 1, str(result))
                self.assertRegex(result.err, r"\Aquintet: [^\n]+\n\Z", str(result))


class ScarceResources(CliTest):
    def transcribe_with(self, limit, *arguments):
        process = subprocess.run(
            [support.BINARY, "transcribe", *map(str, arguments)], capture_output=True,
            preexec_fn=limit, timeout=support.TIMEOUT_SECONDS)
        return support.Run(["transcribe"], process.returncode, process.stdout.decode(),
                           process.stderr.decode())

    def setUp(self):
        super().setUp()
        if os.environ.get("QUINTET_SANITIZE"):
            self.skipTest("a sanitizer needs more address space than these limits leave")

    def test_of_memory_end_in_one_line(self):
        model = whisper_base()
        for megabytes in (200, 300, 400):
            def limit(size=megabytes << 20):
                resource.setrlimit(resource.RLIMIT_AS, (size, size))

            with self.subTest(f"{megabytes} MB"):
                result = self.transcribe_with(limit, "--model", model, JFK, "--threads", "2",
                                              "--precision", "fp32")
                self.assert_one_line_error(result, 1, "memory")

    def test_of_threads_end_in_one_line_or_in_fewer_threads(self):
        model = make_tiny_model(self.folder / "model")
        size = 1 << 30

        def limit():
            # 200 stacks of 8 MB do not fit.
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

        result = self.transcribe_with(limit, "--model", model, JFK, "--threads", "200",
                                      "--format", "json")
        if result.code != 0:
            self.assert_one_line_error(result, 1, "thread|memory")


class Models(CliTest):
    def test_lists_the_catalogue_and_nothing_installed_in_an_empty_home(self):
        result = run("models", "--json", environment={"QUINTET_HOME": str(self.folder)})
        self.assert_done(result)
        models = {m["name"]: m for m in result.json()["models"]}
        self.assertIn("whisper-base", models)
        self.assertFalse(models["whisper-base"]["installed"])

    def test_finds_an_installed_model_by_its_name(self):
        make_tiny_model(self.folder / "models" / "tiny")
        home = {"QUINTET_HOME": str(self.folder)}
        result = run("models", "--json", environment=home)
        installed = [m["name"] for m in result.json()["models"] if m["installed"]]
        self.assertEqual(installed, ["tiny"])
        self.assert_done(run("inspect", "tiny", environment=home))

    def test_pull_of_a_name_that_does_not_exist_names_those_that_do(self):
        home = {"QUINTET_HOME": str(self.folder)}
        for name in ("no-such-model", "", "../escape", "hf:", "hf:a/b/c"):
            with self.subTest(name):
                result = run("pull", name, environment=home)
                self.assertIn(result.code, (1, 2), str(result))
                self.assertRegex(result.err, r"\Aquintet: [^\n]+\n\Z", str(result))
        result = run("pull", "no-such-model", environment=home)
        self.assertRegex(result.err, "no-such-model.*whisper-base", str(result))


if __name__ == "__main__":
    unittest.main()
