#!/usr/bin/env bash
# check_install.sh [BUILD [MODEL]]   Installs a build (default build/release) into a temporary prefix, then builds and
# runs tests/consumer against it as a stranger would: with pkg-config alone, shared and static.
set -euo pipefail
source_dir=$(realpath "$(dirname "$0")/..")
build=$(realpath "${1:-$source_dir/build/release}")
model=()
if [ $# -gt 1 ]; then model=("$(realpath "$2")"); fi

fail() {
    echo "check_install: $1" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >install.log || { cat install.log; fail "cmake --install failed"; }

pc=$(find "$prefix" -name coset.pc)
if [ -z "$pc" ]; then fail "coset.pc was not installed"; fi
lib=$(realpath "$(dirname "$pc")/..")
export PKG_CONFIG_PATH=$lib/pkgconfig

for file in LICENSE README.md CHANGELOG.md; do
    if [ -z "$(find "$prefix/share/doc" -name "$file")" ]; then fail "$file was not installed"; fi
done
for header in "$source_dir"/include/coset/*.h; do
    cmp -s "$header" "$prefix/include/coset/${header##*/}" || fail "${header##*/} was not installed"
done

version=$(pkg-config --modversion coset)
command_version=$("$prefix/bin/coset" --version)
case "$command_version" in
*"$version"*) ;;
*) fail "coset.pc says $version, the command says $command_version" ;;
esac

flags=(-std=c17 -Wall -Wextra -Werror)
consumer=$source_dir/tests/consumer/consumer.c
read -r -a cflags <<<"$(pkg-config --cflags coset)"
read -r -a shared <<<"$(pkg-config --libs coset)"
# pkg-config cannot say which of libcoset.so and libcoset.a it wants; the linker can.
read -r -a static <<<"$(pkg-config --static --libs coset | sed 's/-lcoset\>/-l:libcoset.a/')"

cc "${flags[@]}" "${cflags[@]}" "$consumer" -o shared "${shared[@]}"
cc "${flags[@]}" "${cflags[@]}" "$consumer" -o static "${static[@]}"
if ! readelf -d shared | grep -q 'NEEDED.*libcoset\.so'; then fail "the shared consumer does not use libcoset.so"; fi
if readelf -d static | grep -q 'NEEDED.*libcoset\.so'; then fail "the static consumer uses libcoset.so"; fi

LD_LIBRARY_PATH=$lib ./shared "${model[@]}" >shared.txt || fail "the shared consumer failed"
./static "${model[@]}" >static.txt || fail "the static consumer failed"
cmp shared.txt static.txt || fail "the shared and the static library answer differently"
grep -qx "coset $version" shared.txt || fail "the library's version is not that of coset.pc, $version"

# All that leaves the shared library is public.
strangers=$(nm -D --defined-only "$lib/libcoset.so" | awk '$3 !~ /^coset_/ { print $3 }')
if [ -n "$strangers" ]; then fail "libcoset.so exports $strangers"; fi

echo "check_install: installed, linked shared and static, ran:"
sed 's/^/    /' shared.txt
