#!/usr/bin/env bash
# Makes build/judge, a Python environment with the independent judge of written models: the onnx package, ONNX Runtime
# and numpy, in the versions of tests/judge/requirements.txt. Does nothing if it is there already.
# Without a network the tests that need it are skipped; with COSET_REQUIRE_JUDGE=1 that is an error.
#   scripts/judge.sh           make it
#   scripts/judge.sh --check   exit 0 if it is ready, without a word
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=tests/judge/requirements.txt
ready=build/judge/requirements.txt # copied there last, so its presence says that the rest worked

is_ready() { [ -x build/judge/bin/python ] && cmp -s "$wanted" "$ready"; }

fail() {
    {
        echo "judge: $1"
        echo "judge: THE TESTS THAT CHECK WRITTEN MODELS WITH ONNX AND ONNX RUNTIME WILL BE SKIPPED"
    } >&2
    if [ "${COSET_REQUIRE_JUDGE:-}" = 1 ]; then exit 1; fi
    exit 0
}

case "${1:-}" in
"") ;;
--check)
    is_ready
    exit
    ;;
*)
    echo "usage: scripts/judge.sh [--check]" >&2
    exit 2
    ;;
esac

if is_ready; then exit 0; fi
mkdir -p build
exec 9>build/judge.lock
flock 9
if is_ready; then exit 0; fi

# Debian's own Python first: another one in PATH may be older, or lack venv.
python=
for candidate in ${COSET_PYTHON:-/usr/bin/python3 python3}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then fail "found no Python 3.11 or newer with venv"; fi

echo "judge: making build/judge with $python" >&2
rm -rf build/judge
log=build/judge.log
if ! "$python" -m venv build/judge >"$log" 2>&1 ||
    ! build/judge/bin/python -m pip install --disable-pip-version-check --no-input --retries 1 --only-binary :all: \
        -r "$wanted" >>"$log" 2>&1 ||
    ! build/judge/bin/python -c 'import numpy, onnx, onnxruntime' >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "could not install $wanted (all of it: $log)"
fi
cp "$wanted" "$ready"
