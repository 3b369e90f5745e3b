#!/usr/bin/env bash
# Scores of the method expressiveness in plans, judged by activations of ONNX Runtime. See expressiveness.py.
set -euo pipefail
exec "$COSET_JUDGE" -B "$COSET_SOURCE/tests/judge/expressiveness.py"
