#!/usr/bin/env bash
# Bad input: one line that names the culprit, the right exit code, and every existing file as it was.
. "$COSET_SOURCE/tests/support/cli.bash"
mkdir work
cp "$data"/* work
echo "secret of 96 bytes, which no model may read; it is filled up with dots ........................." >secret.bin
cd work || exit 1

# Models.
size=$(stat -c %s mlp.onnx)
for part in 1 2 3; do head -c $((size * part / 4)) mlp.onnx >"cut$part.onnx"; done
printf '' >empty.onnx
head -c 4096 /dev/zero >zeros.onnx
gzip -c mlp.onnx >packed.onnx
mkdir folder.onnx
echo "precious" >kept.onnx
snapshot >../before

unchanged() {
    snapshot >../after
    cmp -s ../before ../after || {
        fail "files changed: $(diff ../before ../after)"
        snapshot >../before
    }
}

for model in cut1 cut2 cut3 empty zeros cycle overflow outside nan; do
    refused 5 "$model.onnx" inspect "$model.onnx"
    refused 5 "$model.onnx" eval "$model.onnx" --data table.csv
    refused 5 "$model.onnx" eval mlp.onnx --against "$model.onnx" --data table.csv
    refused 5 "$model.onnx" run "$model.onnx" --input x.npz -o y.npz
    refused 5 "$model.onnx" compress "$model.onnx" -o kept.onnx
    unchanged
done
refused 5 "relu0" inspect cycle.onnx
refused 5 "w0" inspect overflow.onnx
refused 5 "../secret.bin" inspect outside.onnx
refused 5 "w1" inspect nan.onnx
refused 5 "gzip" inspect packed.onnx
refused 1 "missing.onnx" inspect missing.onnx
refused 1 "missing.onnx" compress missing.onnx -o kept.onnx
refused 1 "folder.onnx" inspect folder.onnx
refused 1 ".: is a folder" compress . -o kept.onnx
unchanged

# An operator that is not there: fine until the model has to run.
expect 0 inspect unknown_op.onnx
says out Mystery "odd"
refused 5 "Mystery" run unknown_op.onnx --input x.npz -o y.npz
refused 5 "Mystery" eval unknown_op.onnx --data table.csv
unchanged

# Data.
refused 2 "narrow.csv" eval mlp.onnx --data narrow.csv
refused 2 "narrow.csv" compress mlp.onnx --data narrow.csv -o kept.onnx
printf 'a,b,c,d,y\n1,2,3,4,5\n1,,3,4,5\n' >missing.csv
printf 'a,b,c,d,y\n1,2,3,4,5\n1,2,3,5\n' >ragged.csv
printf 'a,b,c,d,y\n1,2,3,4,5\n1,nan,3,4,5\n' >nan.csv
printf 'a,b,c,d,y\n' >header.csv
head -c 100 x.npz >cut.npz
snapshot >../before
for table in missing.csv ragged.csv nan.csv header.csv cut.npz; do
    refused 5 "$table" eval mlp.onnx --data "$table"
    refused 5 "$table" compress mlp.onnx --data "$table" -o kept.onnx
done
refused 1 "nosuch.csv" eval mlp.onnx --data nosuch.csv
refused 5 "cut.npz" run mlp.onnx --input cut.npz -o y.npz
refused 1 "nosuch.npz" run mlp.onnx --input nosuch.npz -o y.npz
unchanged

# Data that fits, but is not what the model was trained for: said once, and no error.
printf 'a,b,c,d,y\n1,2,3,4,1e6\n2,3,1,4,1e6\n4,3,1,2,2e6\n3,3,3,3,3e6\n' >alien.csv
printf 'a,b,c,d,y\n1,2,3,4,5\n2,3,1,4,5\n4,3,1,2,5\n3,3,3,3,5\n' >flat.csv
for table in alien flat; do
    expect 0 compress mlp.onnx -o small.onnx --data $table.csv --test $table.csv
    [ "$(grep -c warning err)" = 1 ] || fail "$table.csv: $(cat err)"
    says err "$table.csv"
    expect 0 eval mlp.onnx --data $table.csv
    [ "$(grep -c warning err)" = 1 ] || fail "$table.csv: $(cat err)"
done
rm small.onnx
snapshot >../before

# Outputs that cannot be written.
for out in /dev/full folder.onnx nosuch/small.onnx mlp.onnx/small.onnx ''; do
    refused 1 "$out" compress mlp.onnx -o "$out"
done
refused 1 "nosuch/r.json" compress mlp.onnx -o kept.onnx --report nosuch/r.json
refused 1 "nosuch/p.json" compress mlp.onnx -o kept.onnx --plan-out nosuch/p.json
refused 1 "nosuch/y.npz" run mlp.onnx --input x.npz -o nosuch/y.npz
refused 1 "$(printf '%0300d' 1)" compress mlp.onnx -o "$(printf '%0300d' 1).onnx"
unchanged
if [ "$(id -u)" = 0 ]; then
    echo "SKIP: a read-only folder: root may write everywhere"
else
    mkdir locked
    cp kept.onnx locked
    chmod 555 locked
    snapshot >../before
    refused 1 "locked/small.onnx" compress mlp.onnx -o locked/small.onnx
    chmod 444 locked/kept.onnx
    refused 1 "locked/kept.onnx" compress mlp.onnx -o locked/kept.onnx
    unchanged
    chmod 755 locked
fi

# Inputs are never overwritten, whatever name they go by.
ln -s mlp.onnx link.onnx
ln mlp.onnx hard.onnx
snapshot >../before
for out in mlp.onnx ./mlp.onnx ../work/mlp.onnx link.onnx hard.onnx; do
    refused 2 "$out" compress mlp.onnx -o "$out"
done
refused 2 "table.csv" compress mlp.onnx --data table.csv -o table.csv
refused 2 "x.npz" run mlp.onnx --input x.npz -o x.npz
refused 2 "both.json" compress mlp.onnx -o small.onnx --report both.json --plan-out both.json
unchanged

# A message stays one line, and harmless to terminals, whatever a name holds.
name=$(printf 'a\nb\033[31mc.onnx')
refused 1 "b?[31mc.onnx" inspect "$name"
finish
