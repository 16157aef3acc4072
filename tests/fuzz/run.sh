#!/usr/bin/env bash
# Replays the corpus of one fuzz target, then fuzzes from it for QUINTET_FUZZ_SECONDS (2).
# usage: run.sh FOLDER/NAME_fuzz          the corpus is tests/fuzz/corpus/NAME/
# An input that fails is kept in fuzz-failures/ beside the program's folder.
set -euo pipefail
program=$1
name=$(basename "$program")
corpus="$(dirname "$0")/corpus/${name%_fuzz}"
seconds=${QUINTET_FUZZ_SECONDS:-2}

[[ -n $(ls -A "$corpus" 2>/dev/null) ]] || {
  echo "$name: $corpus is empty; a fuzz target needs a seed corpus"
  exit 1
}
failures="$(dirname "$program")/../fuzz-failures"
mkdir -p "$failures"
new_inputs=$(mktemp -d)
trap 'rm -rf "$new_inputs"' EXIT
limits=(-timeout=20 -rss_limit_mb=2048 -verbosity=0 "-artifact_prefix=$failures/$name-")

"$program" -runs=0 "${limits[@]}" "$corpus"
((seconds == 0)) || "$program" -max_total_time="$seconds" "${limits[@]}" "$new_inputs" "$corpus"
