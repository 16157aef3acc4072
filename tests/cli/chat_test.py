"""Conversations with a random language model: turns, what is kept of them, and how they end."""

import json
import os
import pty
import signal
import subprocess
import unittest

import support
from support import CliTest, make_tiny_language_model, run

LONG = "the rain in spain stays mainly in the plain and that is what it always does. " * 2
# Without an end token answers go on to their length.
ENDLESS = ["--logit-bias", f"{support.IM_END}=-100"]


class ChatTest(CliTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_language_model(self.folder / "model")

    def command(self, *arguments, longest=20):
        return ["chat", "--model", str(self.model), "--precision", "fp32", "--threads", "2",
                "--max-tokens", str(longest), *ENDLESS, *map(str, arguments)]

    def chat(self, text, *arguments):
        return run(*self.command(*arguments), stdin=text.encode())

    def turns(self, text, *arguments):
        result = self.chat(text, "--json", *arguments)
        self.assert_done(result)
        return [json.loads(line) for line in result.out.splitlines()]


class Turns(ChatTest):
    def test_are_answered_line_by_line(self):
        turns = self.turns("hello\nand again\n")
        self.assertEqual(len(turns), 2)
        for turn in turns:
            self.assertEqual(turn["finish_reason"], "length")
            self.assertEqual(turn["new_tokens"], 20)
            self.assertNotEqual(turn["text"], "")
            self.assertEqual(list(turn["timings_ms"]), support.TIMINGS)
        self.assertGreater(turns[1]["prompt_tokens"], turns[0]["prompt_tokens"] + 20)

    def test_stream_the_text_that_json_holds(self):
        turns = self.turns("hello\nand again\n")
        result = self.chat("hello\nand again\n")
        self.assert_done(result)
        self.assertEqual(result.out, "".join(t["text"] + "\n" for t in turns))

    def test_after_the_first_use_what_was_computed_for_it(self):
        turns = self.turns(f"{LONG}\nmore\n")
        self.assertEqual(turns[0]["kept_tokens"], 0)
        self.assertGreaterEqual(turns[1]["kept_tokens"], 64)

    def test_go_on_after_a_backslash(self):
        (joined,) = self.turns("one\\\ntwo\\\nthree\n")
        (single,) = self.turns("one two three\n")
        self.assertEqual(joined["prompt_tokens"], single["prompt_tokens"])
        self.assertEqual(len(self.turns("one\\")), 1)

    def test_end_with_carriage_returns_and_without_a_last_newline_too(self):
        plain = self.turns("hello\nagain\n")
        other = self.turns("hello\r\nagain")
        self.assertEqual([t["text"] for t in plain], [t["text"] for t in other])

    def test_that_are_empty_are_skipped(self):
        self.assertEqual(self.turns("\n  \n\t\n"), [])
        self.assertEqual(self.turns(""), [])

    def test_may_hold_any_bytes(self):
        result = run(*self.command("--json"), stdin=b"\xff\xfe\x00\xc3\n\xf0\x9f\x98\x80\n")
        if result.code == 0:
            self.assertEqual(len(result.out.splitlines()), 2)
        else:
            self.assert_one_line_error(result, result.code)

    def test_begin_with_what_the_system_is_told(self):
        plain = self.turns("hello\n")
        told = self.turns("hello\n", "--system", "be brief")
        self.assertGreater(told[0]["prompt_tokens"], plain[0]["prompt_tokens"])


class Commands(ChatTest):
    def test_reset_begins_a_new_conversation(self):
        turns = self.turns("hello\n/reset\nhello\n", "--system", "be brief")
        self.assertEqual(turns[0]["text"], turns[1]["text"])
        self.assertEqual(turns[0]["prompt_tokens"], turns[1]["prompt_tokens"])

    def test_exit_leaves(self):
        self.assertEqual(len(self.turns("hello\n/exit \nagain\n")), 1)

    def test_help_lists_them(self):
        result = self.chat("/help\n")
        self.assert_done(result)
        for name in ("/reset", "/exit", "/help"):
            self.assertIn(name, result.out)

    def test_that_do_not_exist_are_named(self):
        self.assert_one_line_error(self.chat("/bye\n"), 2, "/bye", "/exit")


class Context(ChatTest):
    def setUp(self):
        super().setUp()
        self.model = make_tiny_language_model(self.folder / "model", context=256)

    def test_that_is_full_is_said(self):
        result = self.chat(f"{LONG}\n{LONG}\nmore\n")
        self.assertEqual(result.code, 1, str(result))
        last = result.err.splitlines()[-1]
        self.assertRegex(last, r"\Aquintet: .*context of 256 tokens is full; /reset.*--truncate")

    def test_that_is_full_loses_its_oldest_turns_where_asked(self):
        turns = self.turns(f"{LONG}\n" + "more of it\n" * 8, "--truncate")
        self.assertEqual(len(turns), 9)
        for turn in turns:
            self.assertEqual(turn["finish_reason"], "length")

    def test_is_too_short_for_one_turn(self):
        result = self.chat(LONG * 4 + "\n", "--truncate")
        self.assert_one_line_error(result, 1, "256 tokens")


class Interrupt(ChatTest):
    def start(self, *arguments, longest=20, **streams):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **streams}
        process = subprocess.Popen([support.BINARY, *self.command(*arguments, longest=longest)],
                                   stderr=subprocess.PIPE, **streams)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                self.addCleanup(stream.close)
        return process

    def test_stops_the_answer_and_goes_on(self):
        self.model = make_tiny_language_model(self.folder / "long", context=1 << 16)
        process = self.start("--no-lookup", longest=60000)
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        self.assertEqual(len(process.stdout.read(50)), 50)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(b"/help\n", timeout=support.TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn(b"/reset", out)
        self.assertLess(len(out), 50000)

    def test_leaves_where_no_answer_is_on_its_way(self):
        process = self.start("--json")
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline())["finish_reason"], "length")
        # From here on it waits for the next turn, or is about to.
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=support.TIMEOUT_SECONDS), 130)

    def test_of_a_terminal_has_a_prompt(self):
        ours, theirs = pty.openpty()
        process = self.start(longest=2, stdin=theirs, stdout=theirs)
        os.close(theirs)
        os.write(ours, b"hello\\\nworld\n/bye\n/exit\n")
        _, err = process.communicate(timeout=support.TIMEOUT_SECONDS)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass  # How the end of a terminal reads.
        os.close(ours)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(b"there is no command /bye", err)
        self.assertGreaterEqual(shown.count(b"> "), 3)
        self.assertIn(b". ", shown)


class PromptCache(ChatTest):
    def test_serves_the_next_conversation(self):
        cache = self.folder / "prompts.bin"
        first = self.turns(f"{LONG}\nmore\n", "--prompt-cache", cache)
        second = self.turns(f"{LONG}\nmore\n", "--prompt-cache", cache)
        self.assertEqual(first[0]["kept_tokens"], 0)
        self.assertGreaterEqual(second[0]["kept_tokens"], 64)
        self.assertEqual([t["text"] for t in first], [t["text"] for t in second])
        self.assert_no_leftovers(self.folder)


class Errors(ChatTest):
    def test_name_a_model_without_a_template(self):
        (self.model / "chat_template.jinja").unlink()
        self.assert_one_line_error(self.chat("hello\n"), 1, "no chat template", "model")

    def test_name_what_a_template_refuses(self):
        (self.model / "chat_template.jinja").write_text("{{ raise_exception('only one turn') }}")
        self.assert_one_line_error(self.chat("hello\n"), 2, "only one turn")

    def test_of_options_come_before_the_model_is_loaded(self):
        self.assert_one_line_error(self.chat("", "--logit-bias", "x"), 2, "logit-bias")


if __name__ == "__main__":
    unittest.main()
