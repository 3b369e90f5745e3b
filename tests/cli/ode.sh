#!/usr/bin/env bash
# coset ode: every verb, its files and its errors.
. "$COSET_SOURCE/tests/support/cli.bash"
cp "$data"/mlp.onnx "$data"/x.npy "$data"/x.npz "$data"/table.csv .
always=(coset verb seed threads inputs outputs model seconds peak_rss_bytes)

# Two species that decay into a third, nearly at one rate.
cat >pair.ode <<'END'
begin model pair
 begin parameters
  ka = 1
  kb = 1.1
  twice = 2 * ka
  unused = 4
 end parameters
 begin init
  a = 3
  b = 1
  c
 end init
 begin partition
  {a, b}, {c}
 end partition
 begin ODE
  d(a) = -ka * a
  d(b) = -kb * b
  d(c) = ka * a + kb * b
 end ODE
 begin views
  ab = a + b
  weighted = a + 2 * b
  all = (a + b) / 2 - c
  product = a * b
 end views
 simulateODE(tEnd=2)
end model
END

# Help.
expect 0 ode --help
says out "coset ode reduce" "coset ode simulate" "coset ode encode" "coset ode dataset"
cp out help
expect 0 help ode
cmp -s out help || fail "help ode and ode --help differ"
for verb in reduce simulate encode dataset; do
    expect 0 ode "$verb" --help
    says out "usage: coset ode $verb"
    cp out help
    expect 0 help ode "$verb"
    cmp -s out help || fail "help ode $verb and ode $verb --help differ"
    expect 0 ode help "$verb"
    cmp -s out help || fail "ode help $verb and ode $verb --help differ"
done
expect 0 ode reduce --help
says out --forward --backward --eps --sweep --linkage --partition --set --perturb --bound --dt -o --closest --json --force \
    --seed -j -q -v
expect 0 ode simulate --help
says out --t-end --steps --times --method --rtol --atol --set --views --forward --svg
expect 0 ode encode --help
says out --drift --degree --range --split --input --row --data
expect 0 ode dataset --help
says out --target --dt --t-end --trajectories --pairs --spread --size --perturb --test-share glycolysis htree
expect 0 --help
says out "coset ode"

# Usage errors.
refused 2 "a verb is missing" ode
refused 2 "did you mean 'ode reduce'" ode redcue pair.ode
refused 2 "there are reduce" ode frobnicate
refused 2 "did you mean 'ode simulate'" ode help simulat
refused 2 "'--frobnicate'" ode --frobnicate
refused 2 "did you mean '--forward'" ode reduce pair.ode --foward
refused 2 "see 'coset ode reduce --help'" ode reduce pair.ode --nonsense
refused 2 "--forward or --backward is missing" ode reduce pair.ode
refused 2 "--forward and --backward" ode reduce pair.ode --forward --backward
refused 2 "a FILE is missing" ode reduce --forward
refused 2 "--eps and --sweep" ode reduce pair.ode --forward --eps 1 --sweep
refused 2 "--eps must be" ode reduce pair.ode --forward --eps -1
refused 2 "--linkage must be one of single|complete" ode reduce pair.ode --forward --eps 1 --linkage ward
refused 2 "no --eps" ode reduce pair.ode --forward --linkage single
refused 2 "no --eps" ode reduce pair.ode --forward --perturb all
refused 2 "no --bound" ode reduce pair.ode --forward --dt 0.1
refused 2 "--bound must be" ode reduce pair.ode --forward --bound 0
refused 2 "--dt must be" ode reduce pair.ode --forward --bound 1 --dt 2
refused 2 "ends in .ode" ode reduce pair.ode --forward -o out.txt
refused 2 "is an input" ode reduce pair.ode --forward -o pair.ode
refused 2 "written by both" ode reduce pair.ode --forward -o x.ode --closest x.ode
refused 2 "--set must be NAME=VALUE" ode reduce pair.ode --forward --set ka
refused 2 "--set must be NAME=VALUE" ode reduce pair.ode --forward --set ka=
refused 2 "--set must be NAME=VALUE" ode reduce pair.ode --forward --set =1
refused 2 "--set must be NAME=VALUE" ode reduce pair.ode --forward --set ka=nan
refused 2 "--set must be NAME=VALUE" ode reduce pair.ode --forward --set ka=1e999
refused 2 "twice" ode reduce pair.ode --forward --set twise=1
refused 2 "no --forward or --backward" ode simulate pair.ode --eps 1
refused 2 "--times and --t-end" ode simulate pair.ode --times 0,1 --t-end 2
refused 2 "--times must ascend" ode simulate pair.ode --times 0,1,1
refused 2 "--times are 0" ode simulate pair.ode --times 1,2
refused 2 "--times must be" ode simulate pair.ode --times 0,,1
refused 2 "--t-end must be over 0" ode simulate pair.ode --t-end 0
refused 2 "--steps must be" ode simulate pair.ode --steps 0
refused 2 "--method must be" ode simulate pair.ode --method rk4
refused 2 "--rtol must be" ode simulate pair.ode --rtol 0
refused 2 "from 1e-14 to" ode simulate pair.ode --rtol 1e-15
refused 5 "output times are too close" ode simulate pair.ode --times 0,1e-300
refused 2 "ends in .csv, .npz or .svg" ode simulate pair.ode -o out.txt
refused 2 "ends in .svg" ode simulate pair.ode --svg out.csv
refused 2 "-o OUT.ode is missing" ode encode mlp.onnx
refused 2 "a MODEL is missing" ode encode -o net.ode
refused 2 "--drift must be" ode encode mlp.onnx -o net.ode --drift cubic
refused 2 "--degree belongs to" ode encode mlp.onnx -o net.ode --degree 3
refused 2 "--range must be" ode encode mlp.onnx -o net.ode --drift polynomial --range 1,0
refused 2 "--range and --data" ode encode mlp.onnx -o net.ode --drift polynomial --range 0,1 --data table.csv
refused 2 "--row is of the array" ode encode mlp.onnx -o net.ode --row 1
refused 2 "no row 99" ode encode mlp.onnx -o net.ode --input x.npy --row 99
refused 2 "a NAME or FILE is missing" ode dataset -o set
refused 2 "-o DIR is missing" ode dataset htree
refused 2 "did you mean 'htree'" ode dataset htre -o set
refused 2 "there are glycolysis" ode dataset frobnicate -o set
refused 5 "htree: 10 pairs of each" ode dataset htree -o set --trajectories 1000000000
refused 2 "--size does not go with" ode dataset polymers -o set --size 3
refused 2 "--size does not go with" ode dataset pair.ode -o set --size 3
refused 2 "--perturb does not go with" ode dataset glycolysis -o set --perturb 0.1
refused 2 "--set does not go with" ode dataset glycolysis -o set --set ka=1
refused 2 "--size must be" ode dataset htree -o set --size 9
refused 2 "--dt is the step" ode dataset htree -o set --target derivative --dt 1
refused 2 "--trajectories must be" ode dataset htree -o set --trajectories 1
[ ! -e set ] || fail "a usage error made a folder"

# Files that are not there, or cannot be written.
refused 1 "nowhere.ode" ode reduce nowhere.ode --forward
refused 1 "nowhere.ode" ode simulate nowhere.ode
refused 1 "nowhere/x.ode" ode reduce pair.ode --forward -o nowhere/x.ode
refused 1 "nowhere/x.csv" ode simulate pair.ode -o nowhere/x.csv
refused 1 "nowhere/set" ode dataset htree -o nowhere/set
touch plain
refused 1 "plain: is no folder" ode dataset htree -o plain

# Input that is damaged or not polynomial, with its place.
sed 's/d(a) = -ka \* a/d(a) = -ka * * a/' pair.ode >damaged.ode
refused 5 "damaged.ode:17:" ode reduce damaged.ode --forward
refused 5 "damaged.ode:17:" ode simulate damaged.ode
refused 5 "damaged.ode:17:" ode dataset damaged.ode -o set
sed 's/d(b) = -kb \* b/d(b) = -kb \/ b/' pair.ode >quotient.ode
refused 5 "quotient.ode:18:" ode reduce quotient.ode --forward
refused 5 "not polynomial" ode simulate quotient.ode
: >empty.ode
refused 5 "empty.ode:1:1:" ode reduce empty.ode --forward
sed '/begin partition/,/end partition/d' pair.ode >whole.ode
refused 2 "no partition" ode simulate whole.ode --forward --partition file
sed '/simulateODE/d' pair.ode >endless.ode
refused 2 "simulateODE command says when to end; give a time (--t-end)" ode simulate endless.ode
refused 2 "give a time (--t-end)" ode dataset endless.ode -o set
{ # of many columns, the first and the last
    printf 'begin model many\n begin init\n'
    for k in $(seq 100); do echo "  v$k = $k"; done
    printf ' end init\n begin ODE\n  d(v1) = 0\n end ODE\nend model\n'
} >many.ode
expect 0 ode simulate many.ode --t-end 1
says out "v20 " "..." "v81 " "v100 " "and 60 more columns"
sed '/begin views/,/end views/d' pair.ode >blind.ode
refused 2 "no views" ode simulate blind.ode --views

# reduce: nothing is equal exactly; with one rate for both, or a tolerance, two of three variables are left.
expect 0 ode reduce pair.ode --forward --json
valid out "${always[@]}" equivalence eps linkage partition variables.original variables.reduced monomials.original \
    terms.reduced parameters.original blocks.0.representative blocks.0.members.0 violation warnings
says out '"reduced": 3' '"verb": "ode reduce"' "the model's partition" "$(digest pair.ode)"
[ ! -s err ] || fail "reduce says $(cat err)"
expect 0 ode reduce pair.ode --forward --set kb=1 --set ka=1.0 -o small.ode --json
valid out set.ka set.kb blocks.1.members.0
says out '"reduced": 2' "$(digest small.ode)"
says small.ode "begin model pairFE" "Forward reduction of pair by coset" "2 of 3 variables" "a: block of 2: a, b" "ab = a" \
    "simulateODE"
grep -qE "weighted|product|twice|unused" small.ode && fail "small.ode has what it cannot or need not have: $(cat small.ode)"
expect 0 ode reduce small.ode --forward --partition '{a},{c}' --json
says out '"reduced": 2'
cp small.ode first.ode
expect 0 ode reduce pair.ode --forward --set kb=1 -o small.ode # over an older result, the same but for the settings
cmp -s small.ode first.ode || fail "two runs differ"
says out "wrote small.ode" "with kb = 1"

expect 0 ode reduce pair.ode --forward --eps 0.7 --bound 2 -o near.ode --closest exact.ode --json
valid out closest.perturbed.0.name closest.perturbed.0.from closest.perturbed.0.to closest.change_l2 closest.change_max \
    closest.residual closest.equations bound.t_end bound.dt bound.lambda bound.jacobian bound.perturbation bound.bound \
    bound.safe_bound bound.aggregated_lambda bound.aggregated_bound bound.aggregated_safe_bound bound.deviation \
    bound.deviation_of
says out '"to": 1.05' "$(digest near.ode)" "$(digest exact.ode)"
expect 0 ode reduce exact.ode --forward --json # the closest system is exactly reducible, also when it is read again
says out '"reduced": 2'
expect 0 ode reduce pair.ode --forward --eps 0.7 --bound 2 --dt 0.5
says out "2 of 3 variables" "up to 0.7" "Closest exactly reducible system" "1.05" "Deviation from the original up to t = 2"
expect 0 ode reduce pair.ode --forward --eps 0.7 --perturb kb --json
says out '"to": 1.0'
grep -q '"name": "ka"' out && fail "--perturb kb changed ka: $(cat out)"
expect 0 ode reduce pair.ode --forward --eps 0.7 --perturb coefficients --closest free.ode
expect 0 ode reduce free.ode --forward --partition '{a,b},{c}' --json
says out '"reduced": 2'
expect 0 ode reduce exact.ode --forward --eps 0.7 # which is what --closest wrote
says out "nothing has to change"
# Without parameters, coefficients are what can change; a sign stands at the first factor of a term.
sed -e '/begin parameters/,/end parameters/d' -e 's/-ka \* a/-1 * a/' -e 's/-kb \* b/-1.1 * b * c^2/' -e 's/d(c) = .*/d(c) = -(a^2) * c/' \
    pair.ode >numbers.ode
expect 0 ode reduce numbers.ode --backward --partition one --eps 2.2 -o near.ode --json
valid out closest.free
says out '"free": "coefficients"'
expect 0 ode reduce numbers.ode --backward --partition one --eps 2.2 --bound 1
says out "coefficients: |change|_2" "largest change of a coefficient"
refused 5 "perturbing 'coefficients'" ode reduce numbers.ode --backward --partition one --eps 2.2 --perturb all
expect 0 ode reduce numbers.ode --forward -o signs.ode
says signs.ode "d(b) = -1.1*b*c^2" "d(c) = -(a^2)*c"
expect 0 ode reduce pair.ode --forward -o signs.ode
says signs.ode "d(a) = -ka*a"
refused 2 "twice" ode reduce pair.ode --forward --eps 0.7 --perturb twice
refused 2 "made from other parameters" ode reduce pair.ode --forward --eps 0.7 --perturb twice
refused 2 "'a' is a variable" ode reduce pair.ode --forward --eps 0.7 --perturb ka,a
refused 2 "not ','" ode reduce pair.ode --forward --eps 0.7 --perturb ,
refused 2 "no parameter 'kc'" ode reduce pair.ode --forward --eps 0.7 --perturb kc
expect 0 ode reduce pair.ode --forward --sweep --json
valid out sweep.0.eps sweep.0.blocks sweep.1.partition.0.0
expect 0 ode reduce pair.ode --forward --sweep
says out "Partitions by eps" "0.6"

expect 0 ode reduce pair.ode --backward --set kb=1 --json # a and b obey one equation but start apart
says out '"reduced": 2' "do not start from one value"
says err "warning: pair.ode:" "--partition"
expect 0 ode reduce pair.ode --backward --set kb=1 --partition initial --json
says out '"reduced": 3' '"warnings": []'
expect 0 ode reduce pair.ode --backward --set kb=1 --set a=1 --partition initial -q
says out "2 of 3 variables"
[ ! -s err ] || fail "-q says $(cat err)"

for partition in '{a,b' '{a},{a}' '{a,z}' 'a,b' two ''; do
    refused 2 "" ode reduce pair.ode --forward --partition "$partition"
done
refused 2 '"z"' ode reduce pair.ode --forward --partition '{a,z}'

# simulate
expect 0 ode simulate pair.ode --json
valid out "${always[@]}" t_end steps method rtol atol columns.0.name columns.0.first columns.2.last warnings
says out '"t_end": 2.0' '"steps": 200' '"method": "bdf"'
expect 0 ode simulate pair.ode -o t.csv --svg t.svg --steps 4
[ "$(head -1 t.csv)" = "t,a,b,c" ] || fail "t.csv begins with $(head -1 t.csv)"
[ "$(wc -l <t.csv)" = 6 ] || fail "t.csv has $(wc -l <t.csv) lines"
grep -qE '^2,0\.40600[0-9]*,0\.1108[0-9]*,3\.483[0-9]*$' t.csv || fail "t.csv ends with $(tail -1 t.csv)"
says t.svg "<svg" "</svg>" "pair.ode"
says out "wrote t.csv" "wrote t.svg"
cp t.csv first.csv
expect 0 ode simulate pair.ode -o t.csv --times 0,0.5,1,1.5,2 --method bdf
cmp -s t.csv first.csv || fail "the same times give other bytes"
expect 0 ode simulate pair.ode -o t.csv --times 0,0.1 --method adams --rtol 1e-6 --atol 1e-9
sed -n 3p t.csv | grep -q '^0\.10000000000000001,' || fail "times are rounded: $(cat t.csv)"
expect 0 ode simulate pair.ode --views -o v.npz --t-end 1 --json
says out '"ab"' '"weighted"' "$(digest v.npz)"
expect 0 ode simulate pair.ode --forward --set kb=1 -o both.csv --svg both.svg --json
valid out reduction.equivalence reduction.variables.reduced deviation.max_abs deviation.column deviation.relative
[ "$(head -1 both.csv)" = "t,a,a.reduced,c,c.reduced" ] || fail "both.csv begins with $(head -1 both.csv)"
says both.svg "reduced"
expect 0 ode simulate pair.ode --forward --set kb=1 --views -o views.csv
[ "$(head -1 views.csv)" = "t,ab,ab.reduced,weighted,all,all.reduced,product" ] ||
    fail "views.csv begins with $(head -1 views.csv)"
# Both are integrated to a relative tolerance of 1e-8, over some hundred steps.
awk -F, 'NR > 1 && (($2 - $3) ^ 2 > 1e-12 || ($5 - $6) ^ 2 > 1e-12) { wrong = 1 } END { exit wrong }' views.csv ||
    fail "views of the reduced model differ from the original's"
expect 0 ode simulate pair.ode --backward --set kb=1 --set b=3 --views -o views.csv
[ "$(head -1 views.csv)" = "t,ab,ab.reduced,weighted,weighted.reduced,all,all.reduced,product,product.reduced" ] ||
    fail "views.csv begins with $(head -1 views.csv)"
expect 0 ode simulate pair.ode --forward --eps 0.7
says out "largest deviation of the two"
# A solution that runs away, and a view without a value.
cat >blow.ode <<'END'
begin model blow
 begin init
  x = 1
 end init
 begin ODE
  d(x) = x ^ 2
 end ODE
 begin views
  inverse = 1 / (x - x)
 end views
end model
END
refused 5 "at t = " ode simulate blow.ode --t-end 2
refused 5 "'inverse'" ode simulate blow.ode --t-end 0.5 --views -o never.csv
[ ! -e never.csv ] || fail "a failure left never.csv"

# Files are written whole or not at all.
echo "an older result" >old.csv
cp old.csv old.ode
cp old.csv old.npz
cp old.csv old.svg
limited() {
    local target=$1 got=0
    shift
    (trap '' XFSZ && ulimit -f 0 && exec "$COSET_BIN" "$@") 2>&1 >/dev/null | cat >err
    got=${PIPESTATUS[0]}
    [ "$got" = 1 ] || fail "coset $*: exit code $got, expected 1: $(cat err)"
    says err "$target"
    cmp -s "$target" old.csv || fail "coset $*: $target changed"
}
limited old.csv ode simulate pair.ode -o old.csv
limited old.npz ode simulate pair.ode -o old.npz
limited old.svg ode simulate pair.ode -o old.svg
limited old.ode ode reduce pair.ode --forward -o old.ode
limited old.ode ode reduce pair.ode --forward --closest old.ode
limited old.ode ode encode mlp.onnx -o old.ode

# What others read: the picture is XML, the arrays are NumPy's, the numbers those of the csv file.
if [ -z "${COSET_JUDGE:-}" ]; then
    echo "SKIP: reading plots and arrays with another parser: no Python of the judge"
else
    expect 0 ode simulate pair.ode -o same.npz
    expect 0 ode simulate pair.ode -o same.csv
    "$COSET_JUDGE" - <<'END' || fail "see above"
import numpy, xml.dom.minidom
for name in ("t.svg", "both.svg"):
    lines = xml.dom.minidom.parse(name).getElementsByTagName("polyline")
    assert len(lines) >= 6, name
arrays = numpy.load("same.npz")
assert sorted(arrays) == ["a", "b", "c", "t"], list(arrays)
table = numpy.genfromtxt("same.csv", delimiter=",", names=True)
for name in arrays:
    assert (arrays[name] == table[name]).all(), name
exact = 3 * numpy.exp(-arrays["t"])
assert abs(arrays["a"] - exact).max() < 1e-6
END
fi

# encode
expect 0 ode encode mlp.onnx -o net.ode --json
valid out "${always[@]}" drift variables terms layers.0.variables
says out "$(digest mlp.onnx)" "$(digest net.ode)" '"drift": "linear"'
expect 0 ode reduce net.ode --backward
expect 0 ode encode mlp.onnx -o net.ode --input x.npy --row 1
expect 0 ode simulate net.ode --t-end 60 -o net.csv
expect 0 ode encode mlp.onnx -o net.ode --drift polynomial --degree 3 --range -4,4 --split --json
valid out fits.0.error fits.0.low fits.0.high
expect 0 ode encode mlp.onnx -o net.ode --drift polynomial --data table.csv --input x.npz
refused 5 "" ode encode mlp.onnx -o never.ode --drift exact # relu is not among what it knows
[ ! -e never.ode ] || fail "a failure left never.ode"

# dataset
expect 0 ode dataset htree -o set --size 2 --trajectories 10 --pairs 3 --t-end 1 --json
valid out coset verb seed outputs model seconds rows.train rows.test columns.x columns.y target dt t_end
says out "$(digest set/data.npz)" "$(digest set/model.ode)" '"train": 24' '"test": 6'
expect 0 ode reduce set/model.ode --forward
expect 0 ode dataset htree -o again --size 2 --trajectories 10 --pairs 3 --t-end 1
cmp -s set/data.npz again/data.npz || fail "two data sets with one seed differ"
expect 0 ode dataset htree -o again --size 2 --trajectories 10 --pairs 3 --t-end 1 --seed 1
cmp -s set/data.npz again/data.npz && fail "two data sets with two seeds are the same"
expect 0 ode dataset pair.ode -o own --target derivative --trajectories 5 --pairs 2 --set ka=2
says out "derivatives" "wrote own/data.npz"
expect 0 ode dataset glycolysis -o yeast --trajectories 3 --pairs 2 --t-end 1
[ ! -e yeast/model.ode ] || fail "glycolysis has a model.ode"
mkdir inside
cp pair.ode inside/model.ode
refused 2 "is an input" ode dataset inside/model.ode -o inside

# On the files of ERODE.
if [ -z "${COSET_DATA:-}" ] || [ ! -d "$COSET_DATA/ode" ]; then
    echo "SKIP: models of ERODE: no data"
else
    reduces() {
        local file=$1 before=$2 after=$3
        shift 3
        expect 0 ode reduce "$COSET_DATA/ode/$file" "$@" -q --json -o "r_$file"
        tr -d ' \n' <out | grep -q "\"variables\":{\"original\":$before,\"reduced\":$after}" ||
            fail "$file $*: $(grep -A3 '"variables"' out)"
        expect 0 ode reduce "r_$file" --forward -q
    }
    reduces andrea_e2.ode 18 12 --forward
    reduces andrea_e3.ode 66 22 --forward
    reduces andrea_kaic.ode 4 1 --forward --partition one
    reduces andrea_hTreeCircuit3_1.ode 7 3 --backward --eps 0.0006
    expect 0 ode simulate "$COSET_DATA/ode/andrea_e2.ode" --t-end 1 --forward -q -o e2.svg --json
    valid out deviation.max_abs
fi

# Nothing else is left: no temporary file of a writer.
leftovers=$(find . -name '.*' -type f)
[ -z "$leftovers" ] || fail "left over: $leftovers"
finish
