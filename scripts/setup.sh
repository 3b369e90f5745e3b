#!/usr/bin/env bash
# Installs the Debian packages that are absent, and nothing else. Does nothing, and needs no network, if none is.
#   scripts/setup.sh        what building and testing need
#   scripts/setup.sh --ci   also clang, for fuzzing and formatting, and shellcheck
set -euo pipefail

packages=(
    build-essential cmake ninja-build pkg-config
    libopenblas-openmp-dev liblapacke-dev
    libprotobuf-c-dev protobuf-c-compiler libonnx-dev
    libjansson-dev zlib1g-dev libmd-dev libsundials-dev
    libpng-dev libturbojpeg0-dev
    libcmocka-dev libonnx-testdata python3-venv
)
case "${1:-}" in
"") ;;
--ci) packages+=(clang clang-format libclang-rt-14-dev shellcheck) ;;
*)
    echo "usage: scripts/setup.sh [--ci]" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: not a Debian system; install yourself what these packages hold: ${packages[*]}" >&2
    exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
absent=()
for package in "${packages[@]}"; do
    if ! grep -qx "installed $package" <<<"$installed"; then absent+=("$package"); fi
done
if [ "${#absent[@]}" -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: as root: apt-get install ${absent[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "setup: installing ${absent[*]}" >&2
as_root+=(env DEBIAN_FRONTEND=noninteractive)
"${as_root[@]}" apt-get update -qq </dev/null >&2
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${absent[@]}" </dev/null >&2
