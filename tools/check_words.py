#!/usr/bin/env python3
"""Checks that no tracked file names the machine or place where it was written.

usage: check_words.py [--self-test]

Forbidden: absolute paths of work folders, paths that leave the repository, and hosts of package
registries or model hubs (addresses come from the user's configuration). The patterns have a bracket
around one letter, so that this file does not contain what it looks for.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

FORBIDDEN = {
    r"(?<![\w.-])/[w]ork/": "an absolute path of one machine",
    r"(?<![\w.-])/[f]arm\b": "an absolute path of one machine",
    r"(?<![\w.-])/(?:[h]ome|[U]sers)/\w": "an absolute path of one user",
    r"\.\./[s]hared\b": "a path outside the repository",
    r"\b[p]ypi\.(?:org|io)\b": "the host of a package registry",
    r"\b[f]iles\.pythonhosted\b": "the host of a package registry",
    r"\b[d]ownload\.pytorch\b": "the host of a package registry",
    r"\b[h]uggingface\.co\b": "the host of a model hub",
    r"\b[h]f\.co\b": "the host of a model hub",
}
PATTERN = re.compile("|".join(f"({pattern})" for pattern in FORBIDDEN))
REASONS = list(FORBIDDEN.values())


def violations(text: str):
    """(line number, what was found, why it is forbidden) for each place in `text`."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in PATTERN.finditer(line):
            yield number, match.group(), REASONS[match.lastindex - 1]


def check_tree() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file() or b"\0" in (content := path.read_bytes())[:4096]:
            continue  # Deleted but not yet committed, or binary.
        for number, what, why in violations(content.decode("utf-8", "replace")):
            found.append(f"{name}:{number}: '{what}' is {why}")
    return found


def self_test() -> list[str]:
    bad = ["cd /@work/main", "see ../@shared/data", "https://py@pi.org/simple", "/@home/ada/models",
           "https://hugging@face.co/x"]
    good = ["a /workspace for all", "the work/main folder", "pypi", "shared/", "$HOME/models",
            "https://example.org/home/x"]
    wrong = [f"not found: {text}" for text in bad if not any(violations(text.replace("@", "")))]
    return wrong + [f"found by mistake: {text}" for text in good if any(violations(text))]


if __name__ == "__main__":
    problems = self_test() if sys.argv[1:] == ["--self-test"] else check_tree()
    sys.exit("\n".join(problems) if problems else 0)
