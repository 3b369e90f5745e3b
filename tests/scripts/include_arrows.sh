#!/usr/bin/env bash
# scripts/check_includes.sh finds what goes against the arrows, and only that.
set -euo pipefail

# expect ok|wrong FILE INCLUDE: a tree whose one include is INCLUDE, in FILE.
expect() {
    rm -rf tree
    mkdir -p "tree/$(dirname "$2")" tree/src/{base,graph,onnx,ops,exec,ode,methods/afde,recover,report,api} tree/include/coset
    touch tree/src/{base/ctx,graph/ir,onnx/decode,ops/conv,exec/plan,ode/parse,report/json,api/load}.h
    printf '/* %s */\n#include %s\n' "$2" "$3" >"tree/$2"
    local found=ok
    "$COSET_SOURCE/scripts/check_includes.sh" tree >out.txt || found=wrong
    if [ "$found" != "$1" ]; then
        echo "in $2, #include $3 was found to be $found, expected $1:"
        cat out.txt
        exit 1
    fi
    if [ "$1" = wrong ] && ! grep -q "^$2:2: " out.txt; then
        echo "the complaint about $2 does not name file and line:"
        cat out.txt
        exit 1
    fi
}

expect ok src/graph/ir.c '"base/ctx.h"'
expect ok src/graph/ir.c '"graph/ir.h"'
expect ok src/graph/ir.c '<coset/status.h>'
expect ok src/graph/ir.c '<math.h>'
expect ok src/onnx/decode.c '"graph/ir.h"'
expect ok src/onnx/decode.c '<onnx.pb-c.h>'
expect ok src/linalg/gemm.c '<cblas.h>'
expect ok src/data/image_png.c '<png.h>'
expect ok src/ode/parse.c '"base/ctx.h"'
expect ok src/ode/integrate.c '<cvodes/cvodes.h>'
expect ok src/methods/afde/afde.c '"ode/parse.h"'
expect ok src/report/json.c '"onnx/decode.h"'
expect ok src/api/compress.c '"report/json.h"'
expect ok src/api/compress.c '"ode/parse.h"'
expect ok cli/main.c '<coset/coset.h>'
expect ok cli/main.c '"verbs.h"'
expect ok include/coset/graph.h '<coset/status.h>'

expect wrong src/base/ctx.c '"graph/ir.h"'
expect wrong src/base/ctx.h '"graph/ir.h"'
expect wrong src/ops/ops.def '"exec/plan.h"'
expect wrong src/onnx/decode.c '"ops/conv.h"'
expect wrong src/ops/conv.c '"onnx/decode.h"'
expect wrong src/ops/conv.c '<onnx.pb-c.h>'
expect wrong src/ops/conv.c '<cblas.h>'
expect wrong src/exec/batch.c '<turbojpeg.h>'
expect wrong src/ode/parse.c '"graph/ir.h"'
expect wrong src/linalg/gemm.c '<cvodes/cvodes.h>'
expect wrong include/coset/graph.h '<sundials/sundials_types.h>'
expect wrong src/graph/ir.c '"ode/parse.h"'
expect wrong src/exec/plan.c '<report/json.h>'
expect wrong src/recover/lift.c '"api/load.h"'
expect wrong src/graph/ir.c '"ir.h"'
expect wrong src/graph/ir.c '"../base/ctx.h"'
expect wrong src/graph/ir.c '"coset/status.h"'
expect wrong src/graph/ir.c '"nowhere/ctx.h"'
expect wrong cli/main.c '"base/ctx.h"'
expect wrong cli/main.c '"../src/base/ctx.h"'
expect wrong cli/main.c '<cblas.h>'
expect wrong include/coset/graph.h '"graph/ir.h"'
expect wrong include/coset/graph.h '<graph/ir.h>'
