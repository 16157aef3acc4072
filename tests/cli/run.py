#!/usr/bin/env python3
"""Runs the tests of the program and lists each in a file of results.

usage: run.py [--xml FILE] [NAME...]

NAME is a module, class or test such as bad_audio_test.BadAudio; without it every *_test.py runs.
QUINTET_BINARY names the program, QUINTET_TEST_MODELS the folder of pulled models.
"""

import pathlib
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree

FOLDER = pathlib.Path(__file__).resolve().parent


class TimedResult(unittest.TextTestResult):
    """Remembers what each test took; a test with failing cases counts once."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seconds = {}

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.seconds[test.id()] = time.monotonic() - self.started


def write_results(path, result):
    """In the form that GoogleTest writes, which tools/count_tests.py reads."""
    # A failing case (sub-test) names the test it stands in.
    failed = {getattr(t, "test_case", t).id() for t, _ in result.failures + result.errors}
    skipped = {t.id() for t, _ in result.skipped}
    names = sorted({*result.seconds, *failed, *skipped})
    root = ElementTree.Element("testsuites", tests=str(len(names)), failures=str(len(failed)),
                               errors="0", disabled="0", name="cli")
    suite = ElementTree.SubElement(root, "testsuite", name="cli")
    for name in names:
        ElementTree.SubElement(
            suite, "testcase", name=name, time=f"{result.seconds.get(name, 0):.3f}",
            status="run", result="skipped" if name in skipped else "completed")
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def main():
    arguments = sys.argv[1:]
    results = None
    if arguments[:1] == ["--xml"] and len(arguments) > 1:
        results = pathlib.Path(arguments[1])
        arguments = arguments[2:]
    sys.path.insert(0, str(FOLDER))
    loader = unittest.TestLoader()
    if arguments:
        tests = loader.loadTestsFromNames(arguments)
    else:
        tests = loader.discover(str(FOLDER), pattern="*_test.py")
    result = unittest.TextTestRunner(resultclass=TimedResult).run(tests)
    for name, seconds in sorted(result.seconds.items(), key=lambda x: -x[1])[:5]:
        print(f"{seconds:6.1f} s  {name}", file=sys.stderr)
    if results:
        write_results(results, result)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
