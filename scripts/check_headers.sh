#!/usr/bin/env bash
# Every public header compiles alone, as C17 and as C++17, with gcc and, if it is there, clang.
set -euo pipefail
cd "$(dirname "$0")/.."

headers=(include/coset/*.h)
if [ ! -e "${headers[0]}" ]; then
    echo "check_headers: no header in include/coset" >&2
    exit 1
fi

compilers=("gcc -x c -std=c17" "g++ -x c++ -std=c++17")
if command -v clang >/dev/null; then compilers+=("clang -x c -std=c17" "clang -x c++ -std=c++17"); fi

status=0
for header in "${headers[@]}"; do
    # Twice: the include guard is part of the promise.
    printf '#include <coset/%s>\n#include <coset/%s>\n' "${header##*/}" "${header##*/}" >"${source:=$(mktemp)}"
    for compiler in "${compilers[@]}"; do
        read -r -a command <<<"$compiler"
        if ! "${command[@]}" -Wall -Wextra -Werror -pedantic -fsyntax-only -Iinclude "$source"; then
            echo "check_headers: $header does not compile alone with $compiler" >&2
            status=1
        fi
    done
done
rm -f "$source"
if [ "$status" -eq 0 ]; then
    echo "check_headers: ${#headers[@]} headers compile alone with ${#compilers[@]} compilers"
fi
exit "$status"
