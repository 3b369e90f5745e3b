# Sourced by tests/cli/*.sh: runs the command and checks what it says.
set -uo pipefail

data=$COSET_SOURCE/tests/cli/data
failures=0

fail() {
    echo "FAIL: ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $*"
    failures=$((failures + 1))
}

# expect CODE ARGUMENTS...   Runs the command; its output is in the files out and err.
expect() {
    local want=$1 got=0
    shift
    "$COSET_BIN" "$@" >out 2>err || got=$?
    if [ "$got" != "$want" ]; then
        echo "FAIL: line ${BASH_LINENO[0]}: coset $*: exit code $got, expected $want"
        sed 's/^/    /' out err
        failures=$((failures + 1))
    fi
}

# refused CODE CULPRIT ARGUMENTS...   The command fails with one line that names the culprit, and says nothing else.
refused() {
    local want=$1 culprit=$2 got=0
    shift 2
    "$COSET_BIN" "$@" >out 2>err || got=$?
    if [ "$got" != "$want" ] || [ "$(wc -l <err)" != 1 ] || ! grep -q '^coset: ' err || ! grep -qF -- "$culprit" err ||
        [ -s out ]; then
        echo "FAIL: line ${BASH_LINENO[0]}: coset $*: exit code $got, expected $want and one line with '$culprit'"
        sed 's/^/    /' out err
        failures=$((failures + 1))
    fi
}

# says FILE TEXT...   Every text stands in the file.
says() {
    local file=$1 text
    shift
    for text in "$@"; do
        grep -qF -- "$text" "$file" || {
            echo "FAIL: line ${BASH_LINENO[0]}: $file does not say '$text':"
            sed 's/^/    /' "$file"
            failures=$((failures + 1))
        }
    done
}

# valid FILE FIELD...   The file is JSON and has the fields, as "a.b".
valid() {
    local file=$1
    shift
    if [ -z "${COSET_JUDGE:-}" ]; then
        for field in "$@"; do # an entry of a list has no name of its own
            [[ ${field##*.} =~ ^[0-9]+$ ]] || says "$file" "\"${field##*.}\":"
        done
        return
    fi
    "$COSET_JUDGE" - "$file" "$@" <<'END' || fail "$file: see above"
import json, sys
root = json.load(open(sys.argv[1], encoding="utf-8"), parse_constant=lambda name: sys.exit("holds " + name))
for path in sys.argv[2:]:
    at = root
    for name in path.split("."):
        if isinstance(at, list):
            at = at[int(name)]
        elif name in at:
            at = at[name]
        else:
            sys.exit("no field " + path)
END
}

digest() {
    sha256sum "$1" | cut -d' ' -f1
}

# Digests of every file in the folder but out and err: what must not change.
snapshot() {
    find . -type f ! -path ./out ! -path ./err -exec sha256sum {} + | sort -k2
}

finish() {
    if [ "$failures" != 0 ]; then
        echo "$failures failed"
        exit 1
    fi
    exit 0
}
