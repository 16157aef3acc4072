#!/usr/bin/env bash
# Installs into an empty folder, builds examples/transcribe against that, and runs it.
# usage: install_test.sh BUILD_FOLDER SOURCE_FOLDER
set -euo pipefail
build=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/installed" >"$folder/log"
"$folder/installed/bin/quintet" --help >"$folder/log"
cmake -S "$source/examples/transcribe" -B "$folder/example" -G Ninja \
  -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$folder/installed"
cmake --build "$folder/example"
"$folder/example/transcribe" "${QUINTET_TEST_MODELS:?names the folder of pulled models}/whisper-base" \
  "$source/tests/data/speech/jfk.wav" | tee "$folder/text"
grep -qi 'ask not what your country can do for you' "$folder/text"
