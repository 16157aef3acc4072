#!/usr/bin/env python3
"""Prints "PASSED FAILED" for a folder of test results.

usage: count_tests.py FOLDER

FOLDER holds ctest.xml (ctest --output-junit) and, for test programs on GoogleTest, NAME.xml from the
program itself (tests/CMakeLists.txt). A program counts with its single tests; one that left no
results, or failed although its tests passed (a leak at exit), counts as one failure. One that skipped
itself counts as nothing.
"""

import pathlib
import sys
import xml.etree.ElementTree


def count(folder: pathlib.Path) -> tuple[int, int]:
    passed = failed = 0
    for case in xml.etree.ElementTree.parse(folder / "ctest.xml").getroot().iter("testcase"):
        succeeded = case.get("status") == "run"
        skipped = case.find("skipped")
        if skipped is not None and skipped.get("message", "").startswith("SKIP_"):
            continue
        own = folder / f"{case.get('name')}.xml"
        if not own.exists():
            passed += succeeded
            failed += not succeeded
            continue
        root = xml.etree.ElementTree.parse(own).getroot()
        failures = int(root.get("failures")) + int(root.get("errors", 0))
        not_run = int(root.get("disabled", 0)) + sum(
            test.get("result") == "skipped" for test in root.iter("testcase")
        )
        passed += int(root.get("tests")) - failures - not_run
        failed += failures if failures or succeeded else 1
    return passed, failed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[2])
    folder = pathlib.Path(sys.argv[1])
    if not (folder / "ctest.xml").exists():
        sys.exit(f"count_tests.py: {folder}: no ctest.xml; run ctest with --output-junit")
    print(*count(folder))


if __name__ == "__main__":
    main()
