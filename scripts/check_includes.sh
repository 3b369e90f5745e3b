#!/usr/bin/env bash
# Fails if an include goes against the arrows between the folders of src/ (CONTRIBUTING.md), printing file:line and the
# arrow. An argument is the tree to check instead of this one.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

files=()
while IFS= read -r -d '' file; do files+=("$file"); done < <(
    find include src cli -type f \( -name '*.[ch]' -o -name '*.def' \) -print0 2>/dev/null | sort -z)
if [ "${#files[@]}" -eq 0 ]; then
    echo "check_includes: found no source in $PWD" >&2
    exit 1
fi

awk '
BEGIN {
    # A folder may include those on a lower level. Folders of one level may not include each other.
    rows = split("base; linalg; graph; onnx ops; exec; data stats; lump; methods; recover certify train; report; api", row, "; ")
    for (i = 1; i <= rows; i++) {
        n = split(row[i], names, " ")
        for (j = 1; j <= n; j++) level[names[j]] = i
    }
    # Apart from the ladder: what they may include, and the level from which on they may be included.
    only["ode"] = "base linalg"; from["ode"] = level["methods"]
    only["dist"] = "base linalg"; from["dist"] = level["stats"]
    # Foreign libraries that we keep behind our own names.
    owner["cblas.h"] = owner["lapacke.h"] = owner["lapack.h"] = "linalg"
    owner["onnx.pb-c.h"] = owner["protobuf-c/protobuf-c.h"] = "onnx"
    owner["png.h"] = owner["turbojpeg.h"] = "data"
    # Whole folders of foreign headers.
    n = split("cvodes nvector sundials sunlinsol sunmatrix sunnonlinsol", names, " ")
    for (i = 1; i <= n; i++) owner[names[i]] = "ode"
}

function complain(text) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, text, $0
    wrong++
}

function may_include(here, there,    names, n, i) {
    if (here == there) return 1
    if (here in only) {
        n = split(only[here], names, " ")
        for (i = 1; i <= n; i++) if (names[i] == there) return 1
        return 0
    }
    if (there in only) return level[here] >= from[there]
    return level[there] < level[here]
}

FNR == 1 {
    n = split(FILENAME, part, "/")
    here = part[1] == "src" ? (n > 2 ? part[2] : "") : part[1]
    if (part[1] == "src" && !(here in level) && !(here in only)) {
        printf "%s: src/%s is no folder of the ladder; give it a level in scripts/check_includes.sh\n", FILENAME, here
        wrong++
    }
}

/^[ \t]*#[ \t]*include/ {
    if (!match($0, /["<][^">]*[">]/)) {
        complain("an include is written out, not a macro")
        next
    }
    quoted = substr($0, RSTART, 1) == "\""
    target = substr($0, RSTART + 1, RLENGTH - 2)
    public = target ~ /^coset\//
    folder = target
    sub(/\/.*/, "", folder)
    has_folder = target ~ /\//
    if (!quoted && folder in owner) target = folder

    if (target ~ /(^|\/)\.\.?(\/|$)/) complain("includes are relative to src/, not to the file")
    else if (public && quoted) complain("public headers are included as <" target ">")
    else if (public) next
    else if (here == "include") {
        if (quoted || folder in level || folder in only) complain("arrow include -> " folder "; public headers include only public ones")
        else if (target in owner) complain("public headers do not show " target)
    } else if (here == "cli") {
        # Own headers stand beside the file: "verb.h".
        if (has_folder && (quoted || folder in level || folder in only)) complain("arrow cli -> " folder "; cli sees only <coset/...>")
        else if (target in owner) complain("arrow cli -> " target "; only src/" owner[target] " uses it")
    } else if (target in owner) {
        if (owner[target] != here) complain("arrow " here " -> " target "; only src/" owner[target] " uses it")
    } else if (quoted && !has_folder) complain("write it with its folder, as \"" here "/" target "\"")
    else if (folder in level || folder in only) {
        if (!quoted && system("test -e src/" target) != 0) next # a foreign header, such as <data/...>
        if (!may_include(here, folder)) complain("arrow " here " -> " folder)
    } else if (quoted) complain("no folder src/" folder)
}

END {
    if (wrong) {
        printf "check_includes: %d against the arrows\n", wrong
        exit 1
    }
}' "${files[@]}"
echo "check_includes: ${#files[@]} files follow the arrows"
