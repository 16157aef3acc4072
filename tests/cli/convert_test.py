"""Models in another format answer the same; where they cannot be written nothing is left."""

import os
import resource
import signal
import stat
import subprocess
import unittest

import support
from support import (JFK, JFK_TEXT, CliTest, make_tiny_model, mortal_can, pcm16, quoted,
                     read_safetensors, run, tone, wav_bytes, whisper_base)


def names_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


class RoundTrip(CliTest):
    def test_gives_the_same_text_from_every_format(self):
        source = whisper_base()
        packed, hugging_face = self.folder / "base.qnt", self.folder / "hugging-face"
        self.assert_done(run("convert", source, "-o", packed, "--precision", "int8"))
        self.assert_done(run("convert", source, "-o", hugging_face, "--to", "safetensors"))
        self.assertEqual(names_below(self.folder),
                         ["base.qnt", "hugging-face", "hugging-face/config.json",
                          "hugging-face/generation_config.json", "hugging-face/model.safetensors",
                          "hugging-face/tokenizer.json"])
        for model in (source, packed, hugging_face):
            with self.subTest(model.name):
                result = run("transcribe", "--model", model, JFK, "--precision", "int8",
                             "--threads", "2")
                self.assert_done(result)
                self.assertEqual(result.out, JFK_TEXT + "\n")

    def test_of_the_tiny_model_keeps_the_weights(self):
        model = make_tiny_model(self.folder / "model")
        again, half = self.folder / "again", self.folder / "half"
        self.assert_done(run("convert", model, "-o", again, "--to", "safetensors"))
        header, data = read_safetensors(model / "model.safetensors")
        new_header, new_data = read_safetensors(again / "model.safetensors")
        for name in (n for n in new_header if n != "__metadata__"):
            old, new = header[name], new_header[name]
            self.assertEqual((old["shape"], old["dtype"]), (new["shape"], new["dtype"]), name)
            self.assertEqual(data[slice(*old["data_offsets"])],
                             new_data[slice(*new["data_offsets"])], name)
        self.assert_done(run("convert", again, "-o", half, "--to", "safetensors", "--dtype",
                             "float16"))
        half_header, half_data = read_safetensors(half / "model.safetensors")
        self.assertEqual({t["dtype"] for n, t in half_header.items() if n != "__metadata__"},
                         {"F16"})
        self.assertEqual(2 * len(half_data), len(new_data))

    def test_reports_the_sizes_as_json(self):
        model = make_tiny_model(self.folder / "model")
        target = self.folder / "tiny.qnt"
        result = run("convert", model, "-o", target, "--json")
        self.assert_done(result)
        answer = result.json()
        self.assertEqual(answer["path"], str(target))
        self.assertEqual(answer["bytes"], target.stat().st_size)
        self.assertEqual(answer["original_bytes"], (model / "model.safetensors").stat().st_size)

    def test_is_the_same_file_twice(self):
        model = make_tiny_model(self.folder / "model")
        for name in ("a.qnt", "b.qnt"):
            self.assert_done(run("convert", model, "-o", self.folder / name, "--precision", "int8"))
        self.assertEqual((self.folder / "a.qnt").read_bytes(), (self.folder / "b.qnt").read_bytes())

    def test_packs_every_precision(self):
        model = make_tiny_model(self.folder / "model")
        audio = self.folder / "audio.wav"
        audio.write_bytes(wav_bytes(pcm16(tone(1))))
        for precision in ("fp32", "bf16", "int8"):
            with self.subTest(precision):
                packed = self.folder / f"{precision}.qnt"
                self.assert_done(run("convert", model, "-o", packed, "--precision", precision))
                options = ["--precision", precision, "--temperature", "0", "--format", "json"]
                self.assertEqual(run("transcribe", "--model", packed, audio, *options).out,
                                 run("transcribe", "--model", model, audio, *options).out)


class Target(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_model(self.folder / "model")
        self.place = self.folder / "place"
        self.place.mkdir()

    def convert(self, target, to, **options):
        return run("convert", self.model, "-o", target, "--to", to, **options)

    def test_that_exists_is_replaced(self):
        target = self.place / "tiny.qnt"
        target.write_bytes(b"old")
        self.assert_done(self.convert(target, "packed"))
        self.assertGreater(target.stat().st_size, 1000)
        self.assertEqual(names_below(self.place), ["tiny.qnt"])

    def test_over_a_folder_leaves_it_alone(self):
        target = self.place / "folder"
        target.mkdir()
        (target / "file").write_text("keep")
        self.assert_one_line_error(self.convert(target, "packed"), 1, quoted(target), "directory")
        self.assertEqual(names_below(self.place), ["folder", "folder/file"])

    def test_over_an_empty_folder_leaves_it_alone(self):
        target = self.place / "folder"
        target.mkdir()
        self.assert_one_line_error(self.convert(target, "packed"), 1, quoted(target))
        self.assertEqual(names_below(self.place), ["folder"])

    def test_over_a_file_where_a_folder_is_due_leaves_it_alone(self):
        target = self.place / "file"
        target.write_text("keep")
        for path in (target, target / "below"):
            result = self.convert(path, "safetensors")
            self.assert_one_line_error(result, 1, quoted(path))
        self.assertEqual(target.read_text(), "keep")
        self.assertEqual(names_below(self.place), ["file"])

    def test_in_a_folder_that_does_not_exist_is_named(self):
        target = self.place / "missing" / "tiny.qnt"
        self.assert_one_line_error(self.convert(target, "packed"), 1, quoted(target))
        self.assertEqual(names_below(self.place), [])

    def test_without_a_name_is_named(self):
        for target in ("", f"{self.place}/"):
            with self.subTest(target):
                result = self.convert(target, "packed")
                self.assertIn(result.code, (1, 2), str(result))
                self.assertRegex(result.err, r"\Aquintet: [^\n]+\n\Z", str(result))
                self.assert_no_leftovers(self.folder)

    def test_that_is_no_regular_file_stays_what_it_is(self):
        # Renaming over /dev/null would replace it for the whole machine.
        pipe = self.place / "pipe"
        os.mkfifo(pipe)
        result = self.convert(pipe, "packed")
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode), str(result))
        self.assert_one_line_error(result, 1, quoted(pipe))

    def test_that_is_the_model_itself_does_not_break_it(self):
        before = {p.name: p.read_bytes() for p in self.model.iterdir()}
        result = self.convert(self.model, "safetensors")
        after = {p.name: p.read_bytes() for p in self.model.iterdir()}
        if result.code != 0:
            self.assertEqual(before, after, str(result))
        audio = self.folder / "audio.wav"
        audio.write_bytes(wav_bytes(pcm16(tone(1))))
        self.assert_done(run("transcribe", "--model", self.model, audio, "--format", "json"))

    def test_that_may_not_be_written_is_named(self):
        self.place.chmod(0o500)
        if mortal_can(f"open({str(self.place / 'x')!r}, 'w')"):
            self.skipTest("this user writes into folders of mode 500")
        for to, target in (("packed", self.place / "tiny.qnt"), ("safetensors", self.place / "new"),
                           ("safetensors", self.place)):
            with self.subTest(f"{to} {target.name}"):
                result = self.convert(target, to, as_mortal=True)
                self.assert_one_line_error(result, 1, quoted(target), "[Pp]ermission")
                self.assertEqual(names_below(self.place), [])

    def test_that_does_not_fit_on_the_disk_leaves_nothing(self):
        def limit():
            # Writing beyond 100 kB fails, as on a full disk.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        for to, target in (("packed", self.place / "tiny.qnt"),
                           ("safetensors", self.place / "new")):
            with self.subTest(to):
                process = subprocess.run(
                    [support.BINARY, "convert", str(self.model), "-o", str(target), "--to", to],
                    capture_output=True, preexec_fn=limit, restore_signals=False,
                    timeout=support.TIMEOUT_SECONDS)
                result = support.Run(["convert", to], process.returncode, process.stdout.decode(),
                                     process.stderr.decode())
                self.assert_one_line_error(result, 1, quoted(target), "[Tt]oo large")
                self.assertEqual([n for n in names_below(self.place) if n != "new"], [])

    def test_of_a_packed_model_as_safetensors_is_refused(self):
        packed = self.folder / "tiny.qnt"
        self.assert_done(run("convert", self.model, "-o", packed))
        result = run("convert", packed, "-o", self.place / "new", "--to", "safetensors")
        self.assert_one_line_error(result, 1, quoted(packed), "packed")
        self.assertEqual(names_below(self.place), [])


class SourceOfAnotherFormat(CliTest):
    def test_is_not_overwritten_by_its_own_conversion(self):
        # config.json means one thing beside model.bin and another beside model.safetensors.
        source = whisper_base()
        if not (source / "model.bin").exists():
            self.skipTest(f"{source} is not in the format of CTranslate2")
        model = self.folder / "model"
        model.mkdir()
        for path in source.iterdir():
            if path.is_file():
                os.symlink(path, model / path.name)
        before = (model / "config.json").read_bytes()
        result = run("convert", model, "-o", model, "--to", "safetensors")
        self.assert_one_line_error(result, 2, quoted(model))
        self.assertEqual((model / "config.json").read_bytes(), before)
        self.assertFalse((model / "model.safetensors").exists())


class Inspect(CliTest):
    def test_lists_the_tensors_of_every_format(self):
        model = make_tiny_model(self.folder / "model")
        packed = self.folder / "tiny.qnt"
        self.assert_done(run("convert", model, "-o", packed, "--precision", "fp32"))
        for path, kind in ((model, "safetensors"), (model / "model.safetensors", "safetensors"),
                           (packed, "packed")):
            with self.subTest(path.name):
                result = run("inspect", "--json", path)
                self.assert_done(result)
                answer = result.json()
                self.assertEqual((answer["path"], answer["format"]), (str(path), kind))
                self.assertGreater(len(answer["tensors"]), 20)
                for tensor in answer["tensors"]:
                    self.assertEqual(sorted(tensor), ["bytes", "dtype", "name", "shape"])
                text = run("inspect", path)
                self.assert_done(text)
                self.assertEqual(text.out.splitlines()[0].split(": ")[0], str(path))

    def test_of_the_published_model_adds_up(self):
        source = whisper_base()
        result = run("inspect", "--json", source)
        self.assert_done(result)
        answer = result.json()
        if answer["format"] == "ct2":
            self.assertEqual(answer["metadata"]["spec_name"], "WhisperSpec")
        self.assertGreater(sum(t["bytes"] for t in answer["tensors"]), 0.98 * answer["bytes"])
        self.assertEqual(len({t["name"] for t in answer["tensors"]}), len(answer["tensors"]))


if __name__ == "__main__":
    unittest.main()
