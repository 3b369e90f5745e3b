#!/usr/bin/env bash
# Every model that tests wrote, and models of every kind compressed by every method, judged by the onnx checker and by
# ONNX Runtime against `coset run`. See models.py.
set -euo pipefail
exec "$COSET_JUDGE" -B "$COSET_SOURCE/tests/judge/models.py"
