#!/usr/bin/env bash
# Real networks, run and compressed, judged by the onnx checker and by ONNX Runtime against `coset run`. See real.py.
set -euo pipefail
exec "$COSET_JUDGE" -B "$COSET_SOURCE/tests/judge/real.py"
