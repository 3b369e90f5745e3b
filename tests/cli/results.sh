#!/usr/bin/env bash
# What the verbs print and write when all is well: JSON with the promised fields, files, exit codes.
. "$COSET_SOURCE/tests/support/cli.bash"
cp "$data"/* .

if [ -z "${COSET_JUDGE:-}" ]; then echo "SKIP: parsing JSON with another parser: no Python of the judge"; fi
always=(coset verb seed threads inputs outputs)

# inspect
expect 0 inspect mlp.onnx
says out "parameters" "fc0" "fc1" "relu" "it is a graph output"
expect 0 inspect mlp.onnx --json
valid out "${always[@]}" size.params size.nonzero size.macs size.bytes model.inputs.0.shape model.outputs.0.name \
    operators.0.type operators.0.count operators.0.runs groups.0.name groups.0.units groups.0.producers.0 \
    groups.0.constants.0.name groups.0.constants.0.axis groups.0.constants.0.role groups.0.function groups.0.cuttable \
    groups.2.reason
says out "$(digest mlp.onnx)" '"params": 71'
[ ! -s err ] || fail "inspect says $(cat err)"

# eval: the targets are the model's own answers.
expect 0 eval mlp.onnx --data table.csv --json
valid out "${always[@]}" metric.name metric.value seconds peak_rss_bytes
says out "$(digest mlp.onnx)" "$(digest table.csv)" '"name": "r2"' '"part": "test"' '"samples": 8'
grep -qE '"value": (1|0\.99999)' out || fail "r2 is not 1: $(cat out)"
expect 0 eval classes.onnx --data classes.npz --against classes.onnx --json
valid out "${always[@]}" metric.against deviation.rel_l2 deviation.max_abs deviation.agreement
says out '"name": "accuracy"' '"value": 1.0' '"rel_l2": 0.0' '"agreement": 1.0'

# run
expect 0 run mlp.onnx --input x.npz -o y.npz
says out "y float [3, 1]"
[ -s y.npz ] || fail "no y.npz"
expect 0 run mlp.onnx --input x.npy -o y.npy
[ -s y.npy ] || fail "no y.npy"

# compress
measures=(original.params original.nonzero original.macs original.bytes compressed.params compressed.nonzero
    compressed.macs compressed.bytes)
expect 0 compress mlp.onnx -o small.onnx --params 60% --json
valid out "${always[@]}" method rule "${measures[@]}" groups.0.name groups.0.units groups.0.kept groups.0.method \
    groups.0.height groups.0.error skipped stages seconds peak_rss_bytes
says out "$(digest mlp.onnx)" "$(digest small.onnx)"
[ ! -s err ] || fail "compress without a terminal says $(cat err)"
expect 0 inspect small.onnx
cp small.onnx first.onnx
expect 0 compress mlp.onnx -o small.onnx --params 60% # over an older result, the same bytes
cmp -s small.onnx first.onnx || fail "two runs differ"
says out "wrote small.onnx"

expect 0 compress mlp.onnx -o small.onnx --params 60% --data table.csv --json --report r.json --plan-out p.json
valid out "${always[@]}" "${measures[@]}" metric.name metric.original metric.compressed deviation.rel_l2 \
    deviation.max_abs deviation.agreement stages.0.name stages.0.seconds
says out "$(digest table.csv)" "$(digest small.onnx)" "$(digest p.json)"
cmp -s out r.json || fail "--report r.json and --json differ"
valid p.json
expect 0 compress mlp.onnx -o again.onnx --plan p.json --data table.csv --report r.html
says r.html "<svg" "</html>" "fc0"
cmp -s small.onnx again.onnx || fail "a plan gives another model than the run that wrote it"

# --structured is the setting of the method. Rankings write their scores into the plan.
expect 0 compress mlp.onnx -o units.onnx --method magnitude --structured --params 60% --plan-out units.json
expect 0 compress mlp.onnx -o same.onnx --method magnitude --magnitude.structured true --params 60%
cmp -s units.onnx same.onnx || fail "--structured and --magnitude.structured true differ"
says units.json '"scores":['

# Methods in turn: what two runs would do, in one plan.
expect 0 compress mlp.onnx -o turns.onnx --method afde+magnitude --eps 0.2,0.1 --plan-out turns.json --json
valid out "${always[@]}" "${measures[@]}" methods.0.method methods.0.rule methods.0.reached methods.0.size.params \
    methods.0.groups.0.kept methods.0.stages.0.name methods.1.method stages.0.method stages.1.name groups.0.units
says out '"method": "afde+magnitude"' '"rule": "eps = 0.2, 0.1"'
expect 0 compress mlp.onnx -o one.onnx --method afde --eps 0.2
expect 0 compress one.onnx -o two.onnx --method magnitude --eps 0.1
cmp -s turns.onnx two.onnx || fail "afde+magnitude differs from afde, then magnitude"
valid turns.json next.0.method next.0.groups.0.units next.0.masks
expect 0 compress mlp.onnx -o again.onnx --plan turns.json
says out "1 of 2: afde, eps = 0.2" "2 of 2: magnitude, eps = 0.1"
cmp -s turns.onnx again.onnx || fail "a chain of plans gives another model than the run that wrote it"
expect 0 compress mlp.onnx -o masked.onnx --method magnitude+random --params 60%,80% --data table.csv
says out "1 of 2: magnitude, params <= 60%" "2 of 2: random, params <= 80%" "stay zero"
expect 0 compress mlp.onnx -o rounds.onnx --method expressiveness --expressiveness.rounds 3 --params 50% --data table.csv
says out "3 of 3: expressiveness, round 3 of 3, params <= 50%"

# Inputs drawn at random instead of data.
expect 0 compress mlp.onnx -o drawn.onnx --method wanda --calib random --params 60% --json
says out '"calib": "random"'
expect 0 compress mlp.onnx -o same.onnx --method wanda --calib random --params 60% --data table.csv
cmp -s drawn.onnx same.onnx || fail "wanda with --calib random looks at the data"
# Layers of fewer than 8 units stay whole.
expect 0 compress mlp.onnx -o auto.onnx --ratio 50% --round-to auto --json
says out '"kept": 6' '"kept": 5'

# A dry run writes no model.
expect 0 compress mlp.onnx --dry-run --params 60% --json
valid out "${always[@]}" compressed.params
expect 0 compress mlp.onnx --dry-run -o never.onnx --plan-out dry.json
[ ! -e never.onnx ] || fail "a dry run wrote a model"
[ -s dry.json ] || fail "a dry run wrote no plan"

# A target out of reach: the best model is there all the same.
expect 3 compress mlp.onnx -o tiny.onnx --params 0.1% --json
[ -s tiny.onnx ] || fail "no model with exit code 3"
valid out compressed.params
grep -q '^coset: ' err || fail "exit code 3 without a reason"
expect 0 inspect tiny.onnx

# The same path with --force.
cp mlp.onnx own.onnx
expect 0 compress own.onnx -o own.onnx --params 60% --force
cmp -s own.onnx first.onnx || fail "--force wrote something else"
finish
