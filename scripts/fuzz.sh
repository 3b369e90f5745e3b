#!/usr/bin/env bash
# fuzz.sh BUILD SECONDS   Runs every fuzz target of a build folder for so many seconds. Seeds are read from
# fuzz/corpus/NAME, what is found anew goes to BUILD/corpus/NAME, an input that fails to BUILD/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
seconds=$2
targets=("$build"/fuzz/fuzz_*)
if [ ! -x "${targets[0]}" ]; then
    echo "fuzz: $build holds no fuzz targets" >&2
    exit 1
fi

mkdir -p "$build/artifacts"
status=0
for target in "${targets[@]}"; do
    name=$(basename "$target")
    name=${name#fuzz_}
    mkdir -p "$build/corpus/$name"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        -artifact_prefix="$build/artifacts/$name-")
    if [ -e "fuzz/$name.dict" ]; then options+=(-dict="fuzz/$name.dict"); fi
    seeds=()
    if [ -d "fuzz/corpus/$name" ]; then seeds=("fuzz/corpus/$name"); fi

    echo "fuzz $name: $seconds s"
    log=$build/fuzz_$name.log
    if "$target" "${options[@]}" "$build/corpus/$name" "${seeds[@]}" >"$log" 2>&1; then
        grep -E '^stat::number_of_executed_units|^#[0-9]+.*DONE' "$log" || true
    else
        status=1
        tail -n 60 "$log"
        echo "fuzz $name: FAILED; the input is in $build/artifacts, the log in $log"
    fi
done
exit "$status"
