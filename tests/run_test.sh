#!/usr/bin/env bash
# run_test.sh SUITE TMP COMMAND...   Runs one test as ctest does. The test finds in its environment:
#   COSET_BIN            the built command
#   COSET_SOURCE         the source tree
#   COSET_TMP            a new empty folder of its own, where it is started; kept until its next run
#   COSET_TESTS_TMP      the folder of all those folders, for the judge, which runs after all other tests
# and, each set only if it is usable (what the caller set goes before the default):
#   COSET_DATA           models and data sets                        default: ../shared/data beside the source tree
#   COSET_ONNX_TESTDATA  the official cases: folders node, simple    default: those of libonnx-testdata
#   COSET_JUDGE          Python with onnx, onnxruntime and numpy     default: the one that scripts/judge.sh makes
#   COSET_REQUIRE_JUDGE  1: what cannot ask the judge fails instead of skipping
# A test that cannot run at all exits 77; one that leaves a part out prints a line "SKIP: what and why".
set -euo pipefail

suite=$1
tmp=$2
shift 2

: "${COSET_DATA=$COSET_SOURCE/../shared/data}"
: "${COSET_ONNX_TESTDATA=/usr/share/libonnx-testdata/data}"
if [ -d "$COSET_DATA" ]; then
    COSET_DATA=$(realpath "$COSET_DATA")
    export COSET_DATA
else
    unset COSET_DATA
fi
if [ -d "$COSET_ONNX_TESTDATA" ]; then
    export COSET_ONNX_TESTDATA
else
    unset COSET_ONNX_TESTDATA
fi
if [ -z "${COSET_JUDGE:-}" ] && "$COSET_SOURCE/scripts/judge.sh" --check; then
    COSET_JUDGE=$COSET_SOURCE/build/judge/bin/python
fi
if [ -x "${COSET_JUDGE:-}" ]; then
    export COSET_JUDGE
else
    unset COSET_JUDGE
    if [ "$suite" = judge ]; then
        echo "SKIP: no Python with onnx and onnxruntime (scripts/judge.sh makes one)"
        if [ "${COSET_REQUIRE_JUDGE:-}" = 1 ]; then exit 1; fi
        exit 77
    fi
fi

# With as many tests at once as processors, threads that spin while they wait would take time from each other.
export OMP_WAIT_POLICY=passive

export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
# An allocation too large for the sanitizer fails, as it would without it, instead of ending the test.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}

rm -rf "$tmp"
mkdir -p "$tmp"
export COSET_TMP=$tmp
COSET_TESTS_TMP=$(dirname "$tmp")
export COSET_TESTS_TMP
cd "$tmp"
exec "$@"
