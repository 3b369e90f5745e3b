#!/usr/bin/env bash
# format.sh           formats every C file in place
# format.sh --check   fails if one would change, and shows where
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
"") options=(-i) ;;
--check) options=(--dry-run --Werror) ;;
*)
    echo "usage: scripts/format.sh [--check]" >&2
    exit 2
    ;;
esac

folders=()
for folder in include src cli tests fuzz bench examples; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
done
# Other versions format differently.
clang_format=$(command -v clang-format-14 || command -v clang-format)
find "${folders[@]}" -name '*.[ch]' -print0 | xargs -0 -r "$clang_format" --style=file "${options[@]}"
