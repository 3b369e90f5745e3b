#!/usr/bin/env bash
# Measures what coset promises, with ONNX Runtime and numpy as the judge. See acceptance.py.
#   bench/run.sh                          all rows, some ten minutes on two cores
#   bench/run.sh --only acceptance        the rows of the first table alone, a minute
#   bench/run.sh --markdown docs/results.md
# From the environment: COSET_BIN (build/release/coset), COSET_DATA (../shared/data), COSET_JUDGE (Python with onnx,
# onnxruntime and numpy; default the one that scripts/judge.sh makes).
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
: "${COSET_BIN=$source/build/release/coset}"
: "${COSET_DATA=$source/../shared/data}"
export COSET_BIN COSET_DATA

if [ ! -x "$COSET_BIN" ]; then
    echo "bench: no command at $COSET_BIN (make builds it; COSET_BIN says where another one is)" >&2
    exit 1
fi
if [ ! -d "$COSET_DATA" ]; then
    echo "bench: SKIP: no models and data at $COSET_DATA (COSET_DATA says where they are)" >&2
    exit 77
fi
if [ -z "${COSET_JUDGE:-}" ]; then
    COSET_REQUIRE_JUDGE=1 "$source/scripts/judge.sh"
    COSET_JUDGE=$source/build/judge/bin/python
fi
exec "$COSET_JUDGE" -B "$source/bench/acceptance.py" "$@"
