#!/usr/bin/env bash
# test.sh BUILD [CTEST ARGUMENT...]   Runs the tests of a build folder, then says in one place what failed, and what
# was left out and why.
set -euo pipefail

build=$1
shift
if [ ! -e "$build/CTestTestfile.cmake" ]; then
    echo "test: $build holds no tests" >&2
    exit 1
fi

status=0
ctest --test-dir "$build" --output-on-failure --no-tests=error "$@" || status=$?

log=$build/Testing/Temporary/LastTest.log
skips=$(awk '
    /^[0-9]+\/[0-9]+ Testing: / { test = $3 }
    /^SKIP: / { print test ": " substr($0, 7) }
    # A skipped case of cmocka that gave no reason. cmocka lists each once more at the end.
    /^\[ RUN  / { said = 0 }
    /^SKIP: / { said = 1 }
    /^\[  SKIPPED \] [^ ]+$/ { if (!said && !(test $4 in seen)) print test ": " $4; seen[test $4] }
' "$log" | sort -u)
if [ -n "$skips" ]; then
    echo
    echo "Left out:"
    while IFS= read -r line; do echo "    $line"; done <<<"$skips"
fi
echo
if [ "$status" -eq 0 ]; then
    echo "All tests of $build passed$([ -z "$skips" ] || echo ', except for what was left out')."
else
    echo "Tests of $build FAILED; their output is above and in $log."
fi
exit "$status"
