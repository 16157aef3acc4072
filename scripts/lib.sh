# Sourced by the other scripts; changes to the root of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$(basename "$0"): $*"
  exit 1
}

# Where `quintet pull` puts models (quintet/io/catalogue/store.h).
models_folder() {
  echo "${QUINTET_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quintet}/models"
}

# configure FOLDER CMAKE_ARGUMENT...: runs CMake only where FOLDER was not configured with exactly
# these arguments; ninja notices changed CMake files by itself.
configure() {
  local folder=$1
  shift
  local stamp="$folder/.configured-with"
  [[ -f $folder/build.ninja && -f $stamp && $(<"$stamp") == "$*" ]] && return
  cmake "$@" >&2
  printf '%s' "$*" >"$stamp"
}
