#!/usr/bin/env bash
# Files are written whole or not at all: a write that fails half-way leaves the old file and nothing else.
. "$COSET_SOURCE/tests/support/cli.bash"
cp "$data"/* .
echo "an older result" >bad_old.onnx
echo "an older result" >old.npz
echo "an older result" >old.json
snapshot >../before.$$

# Every write fails, as on a full disk; err is a pipe, which has no size.
limited() {
    local culprit=$1 got=0
    shift
    (trap '' XFSZ && ulimit -f 0 && exec "$COSET_BIN" "$@") 2>&1 >/dev/null | cat >err
    got=${PIPESTATUS[0]}
    [ "$got" = 1 ] || fail "coset $*: exit code $got, expected 1: $(cat err)"
    says err "$culprit"
    rm -f err out
    snapshot >../after.$$
    cmp -s ../before.$$ ../after.$$ || fail "coset $*: $(diff ../before.$$ ../after.$$)"
}

limited old.npz run mlp.onnx --input x.npz -o old.npz
limited new.npz run mlp.onnx --input x.npz -o new.npz
limited bad_old.onnx compress mlp.onnx -o bad_old.onnx
limited new.onnx compress mlp.onnx -o new.onnx
limited old.json compress mlp.onnx --dry-run --report old.json
limited old. compress mlp.onnx --dry-run --plan-out old.json # the matrices come first
rm -f ../before.$$ ../after.$$
finish
