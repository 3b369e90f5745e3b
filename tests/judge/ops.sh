#!/usr/bin/env bash
# Small random graphs of every operator, run by ONNX Runtime and by `coset run`. See ops.py.
set -euo pipefail
exec "$COSET_JUDGE" "$COSET_SOURCE/tests/judge/ops.py" --source "$COSET_SOURCE" --coset "$COSET_BIN" --work "$COSET_TMP"
