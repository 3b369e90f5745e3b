#!/usr/bin/env bash
# Help, usage errors and their exit codes.
. "$COSET_SOURCE/tests/support/cli.bash"
cp "$data"/* .

# Help goes to standard output and is no error; no verb at all is one.
expect 0 --version
grep -qE '^coset [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version says $(cat out)"
expect 0 --help
says out inspect run eval compress demo ode
cp out help
expect 0 help
cmp -s out help || fail "help and --help differ"
expect 2
says err "usage: coset"
for verb in inspect run eval compress demo ode; do
    expect 0 "$verb" --help
    says out "usage: coset $verb"
    cp out help
    expect 0 help "$verb"
    cmp -s out help || fail "help $verb and $verb --help differ"
    expect 0 "$verb" -h
done
expect 0 compress --help
says out --method --structured --eps --ratio --params --macs --max-drop --recover --round-to --only --ignore --plan-out --plan \
    --report --calib --calib-samples --seed -j --dry-run --json -q -v --force --data --test --target --layout --scale --mean \
    --std --resize --fit --pad-value --channels --standardise --test-share afde linearity expressiveness magnitude wanda flap \
    geometric-median random merge select auto
expect 0 eval --help
says out --data --against --json
expect 0 compress --help afde
says out afde equivalence linkage scale
expect 0 help compress afde
expect 0 compress --help=magnitude
expect 0 compress mlp.onnx --dry-run --help # whatever else there is

# Unknown words get the nearest known one.
refused 2 "did you mean 'compress'" comprss mlp.onnx
refused 2 "'frobnicate'" frobnicate
refused 2 "'--frobnicate'" --frobnicate
refused 2 "did you mean '--params'" compress mlp.onnx -o small.onnx --parms 50%
refused 2 "'--params'" compress mlp.onnx -o small.onnx --parms=50%
refused 2 "'--nonsense'" inspect mlp.onnx --nonsense
refused 2 "'-x'" inspect mlp.onnx -x
refused 2 "did you mean 'afde'" compress mlp.onnx -o small.onnx --method adfe
refused 2 "'zzzz'" compress mlp.onnx -o small.onnx --method zzzz
refused 2 "'zzzz'" compress --help zzzz
refused 2 "did you mean 'afde'" compress mlp.onnx -o small.onnx --afed.linkage single
refused 2 "linkge" compress mlp.onnx -o small.onnx --method afde --afde.linkge single
refused 2 "sideways" compress mlp.onnx -o small.onnx --method afde --afde.linkage sideways
refused 2 "--structured: method auto has no such setting; it is one of magnitude" \
    compress mlp.onnx -o small.onnx --structured
refused 2 "unknown verb 'comprss'" help comprss

# Methods in turn.
refused 2 "did you mean 'merge'" compress mlp.onnx -o small.onnx --method select+mrege
refused 2 "a name is missing" compress mlp.onnx -o small.onnx --method select++merge
refused 2 "a name is missing" compress mlp.onnx -o small.onnx --method select+
refused 2 "a name is missing" compress mlp.onnx -o small.onnx --method ''
refused 2 "--params has 3 values" compress mlp.onnx -o small.onnx --method afde+merge --params 50%,40%,30%
refused 2 "--params has 2 values" compress mlp.onnx -o small.onnx --params 50%,40%
refused 2 "60% for merge" compress mlp.onnx -o small.onnx --method afde+merge --params 50%,60%
refused 2 "--params must be a share" compress mlp.onnx -o small.onnx --method afde+merge --params 50%,
refused 2 "--params must be a share" compress mlp.onnx -o small.onnx --method afde+merge --params 50%,x
refused 2 "--eps must be" compress mlp.onnx -o small.onnx --method afde+merge --eps 1,-1
refused 2 "--max-drop takes one value" compress mlp.onnx -o small.onnx --method afde+merge --data table.csv \
    --max-drop 1%,2%
refused 2 "--select.ridge is not a setting of method afde+merge" compress mlp.onnx -o small.onnx --method afde+merge \
    --select.ridge 0.1
refused 2 "saves no MACs" compress mlp.onnx -o small.onnx --method magnitude+afde --macs 50%
refused 2 "method linearity, with these settings, needs data (--data)" compress mlp.onnx -o small.onnx --method linearity
refused 2 "--linearity.low 1 is above --linearity.high 0" compress mlp.onnx -o small.onnx --method linearity \
    --linearity.mode provable --linearity.low 1 --linearity.high 0
refused 2 "method wanda needs data (--data), or inputs drawn at random" compress mlp.onnx -o small.onnx \
    --method afde+wanda
refused 2 "--calib must be one of data|random" compress mlp.onnx -o small.onnx --calib noise

# What is missing, or too much.
refused 2 "MODEL" inspect
refused 2 "MODEL" compress -o small.onnx
refused 2 "-o OUT" compress mlp.onnx
refused 2 "--data" eval mlp.onnx
refused 2 "--input" run mlp.onnx -o y.npz
refused 2 "-o Y" run mlp.onnx --input x.npz
refused 2 "'more.onnx'" inspect mlp.onnx more.onnx
refused 2 "--params needs a value" compress mlp.onnx -o small.onnx --params
refused 2 "-o needs a value" compress mlp.onnx -o --params 50%
refused 2 "--json takes no value" inspect mlp.onnx --json=yes

# Values.
for share in 0 1.5 -1 101% 0% x 5x '' nan inf 0x1 '5 %' 50%%; do
    refused 2 "--params must be a share" compress mlp.onnx -o small.onnx --params "$share"
done
refused 2 "--max-drop must be a share" compress mlp.onnx -o small.onnx --data table.csv --max-drop -1%
refused 2 "--eps must be" compress mlp.onnx -o small.onnx --eps -1
refused 2 "--eps must be" compress mlp.onnx -o small.onnx --eps 10%
refused 2 "-j must be" inspect mlp.onnx -j 0
refused 2 "-j must be" inspect mlp.onnx -j 1025
refused 2 "--seed must be" compress mlp.onnx -o small.onnx --seed 1.5
refused 2 "--seed must be" compress mlp.onnx -o small.onnx --seed -1
refused 2 "--round-to must be" compress mlp.onnx -o small.onnx --round-to 0
refused 2 "--calib-samples must be" compress mlp.onnx -o small.onnx --calib-samples 0
refused 2 "--scale must be" eval mlp.onnx --data table.csv --scale 1/0
refused 2 "--mean must be" eval mlp.onnx --data table.csv --mean 1,,2
refused 2 "--mean must be" eval mlp.onnx --data table.csv --mean 1,2,
refused 2 "--std must be" eval mlp.onnx --data table.csv --std 1,0,1,1
refused 2 "--mean has 2" eval mlp.onnx --data table.csv --mean 1,2 --std 1,2,3
refused 2 "--layout must be" eval mlp.onnx --data table.csv --layout hwc
for size in 32 32x 0x32 32x-1 ax2 32x32x3 16385x1 ' 3x3' 99999999999999999999x1; do
    refused 2 "--resize must be" eval mlp.onnx --data table.csv --resize "$size"
done
refused 2 "--fit must be" eval mlp.onnx --data table.csv --fit pad
refused 2 "--fit says" eval mlp.onnx --data table.csv --fit crop
refused 2 "--pad-value" eval mlp.onnx --data table.csv --resize 2x2 --fit crop --pad-value 0
refused 2 "--channels must be" eval mlp.onnx --data table.csv --channels rbg
refused 2 "--resize" compress mlp.onnx -o small.onnx --resize 2x2 # without --data
refused 2 "only images are resized" eval mlp.onnx --data table.csv --resize 2x2
refused 2 "--test-share must be" eval mlp.onnx --data table.csv --test-share 100%
refused 2 "--scale" compress mlp.onnx -o small.onnx --scale 2 # without --data
refused 2 "--eps and --params" compress mlp.onnx -o small.onnx --eps 0 --params 50%
refused 2 "report.txt" compress mlp.onnx -o small.onnx --report report.txt
refused 2 "y.txt" run mlp.onnx --input x.npz -o y.txt
refused 2 "nosuchcolumn" eval mlp.onnx --data table.csv --target nosuchcolumn
[ ! -e small.onnx ] || fail "a usage error wrote a model"

# Both ways to write a flag, and flags in any place.
expect 0 eval --data=table.csv mlp.onnx --test-share=50% --scale=1/1 --seed=3 -j1
says out "20 test samples"
expect 0 eval -q --data table.csv --test-share 0.5 --seed 3 -j 1 -- mlp.onnx
says out "20 test samples"
[ ! -s err ] || fail "-q says $(cat err)"
expect 0 inspect -vv mlp.onnx

# Results that cannot be written are an error.
got=0
"$COSET_BIN" inspect mlp.onnx >/dev/full 2>err || got=$?
[ "$got" = 1 ] || fail "a full standard output gives exit code $got"
says err "standard output"
finish
