"""Operators against ONNX Runtime.

Small random graphs, one or two nodes each, at opsets 7 to 21: the same inputs go through ONNX Runtime and
through `coset run`, and the outputs must agree to a relative error of 1e-4 (integers exactly).
Prints one line for each operator and fails if a result differs, if `coset` refuses a model that ONNX Runtime
runs, or if an operator could not be judged at an opset at which it exists.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import convolutions
import layers
import moves
import pools

OPSETS = (7, 9, 11, 13, 17, 21)
F32, F64, F16 = np.float32, np.float64, np.float16
I32, I64, U8 = np.int32, np.int64, np.uint8

# `feed` goes in as graph inputs, `constants` as initialisers; both are dicts of arrays by name. Nodes read
# these names and the last one writes y. must: ONNX Runtime has this kernel, so not judging it is a failure.
Case = collections.namedtuple("Case", "op opset nodes feed constants must outputs")

RNG = np.random.default_rng(0)

NOT_RUN = {"nonmaxsuppression"}  # rows without a kernel


def values(shape, dtype=F32, low=-3.0, high=3.0):
    """Random data; integers in [low, high]."""
    if np.issubdtype(dtype, np.floating):
        return RNG.uniform(low, high, shape).astype(dtype)
    return RNG.integers(int(low), int(high) + 1, shape).astype(dtype)


def one(op, opset, inputs, constants=(), must=True, outputs=("y",), domain="", **attrs):
    """A case of a single node. inputs: {name: array or None (absent)}; those named in `constants` are
    initialisers."""
    names = [name if array is not None else "" for name, array in inputs.items()]
    node = helper.make_node(op, names, list(outputs), domain=domain, **attrs)
    present = {name: array for name, array in inputs.items() if array is not None}
    return Case(op, opset, [node],
                {name: array for name, array in present.items() if name not in constants},
                {name: array for name, array in present.items() if name in constants}, must, outputs)


# ---- elementwise --------------------------------------------------------------------------------------

SHAPES = [(), (5,), (2, 3), (2, 3, 4), (2, 1, 3, 2, 2), (0, 3), (1,)]

UNARY = [  # operator, first opset, low, high, attributes. ONNX Runtime's sigmoid has an error of 1e-7: no small results
    ("Neg", 7, -3, 3, {}), ("Abs", 7, -3, 3, {}), ("Relu", 7, -3, 3, {}),
    ("Sqrt", 7, 0, 9, {}), ("Exp", 7, -20, 20, {}), ("Log", 7, 1e-3, 50, {}), ("Erf", 9, -4, 4, {}),
    ("Tanh", 7, -5, 5, {}), ("Sigmoid", 7, -5, 5, {}), ("Softplus", 7, -30, 30, {}),
    ("Elu", 7, -5, 5, {}), ("Elu", 7, -5, 5, {"alpha": 0.3}),
    ("LeakyRelu", 7, -5, 5, {}), ("LeakyRelu", 7, -5, 5, {"alpha": 0.2}),
    ("HardSigmoid", 7, -5, 5, {}), ("HardSigmoid", 7, -5, 5, {"alpha": 0.4, "beta": 0.3}),
    ("Gelu", 20, -6, 6, {}), ("Gelu", 20, -6, 6, {"approximate": "tanh"}),
    ("Identity", 7, -3, 3, {}),
    *layers.UNARY,
]


def unary_cases():
    for op, since, low, high, attrs in UNARY:
        for opset in OPSETS:
            if opset < since:
                continue
            for index in RNG.choice(len(SHAPES), 3, replace=False):
                yield one(op, opset, {"x": values(SHAPES[index], F32, low, high)}, **attrs)
            yield one(op, opset, {"x": values((300, 211), F32, low, high)}, **attrs)
            yield one(op, opset, {"x": values((2, 3), F64, low, high)}, must=False, **attrs)
            yield one(op, opset, {"x": values((4, 5), F16, max(low, -8), min(high, 8))}, must=False,
                      **attrs)
    for op in ("Neg", "Abs", "Identity"):
        for dtype in (I32, I64):
            yield one(op, 13, {"x": values((2, 3), dtype, -9, 9)})
    yield one("Relu", 17, {"x": values((2, 3), I32, -9, 9)})
    yield one("Gelu", 17, {"x": values((3, 4), F32, -6, 6)}, domain="com.microsoft")


PAIRS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3), ()), ((), (2, 3)), ((2, 1), (3,)), ((2, 3), (2, 1)),
         ((1,), (4, 5)), ((2, 3, 4), (3, 1)), ((2, 3, 4, 5), (3, 1, 1)), ((2, 1, 4, 1), (3, 1, 5)),
         ((1, 1), (2, 3, 4)), ((2, 3, 1, 4), (1, 3, 5, 4)), ((0, 3), (3,)), ((2, 1, 2, 1, 2, 3), (3, 1, 2, 1, 1)),
         ((300, 211), (211,)), ((300, 1), (1, 211))]


def binary_cases():
    for op in ("Add", "Sub", "Mul", "Div", "Pow"):
        low = 0.3 if op in ("Div", "Pow") else -3
        for opset in OPSETS:
            pairs = PAIRS if opset == 13 else [PAIRS[i] for i in RNG.choice(len(PAIRS), 5, replace=False)]
            for a, b in pairs:
                feed = {"a": values(a, F32, low), "b": values(b, F32, low)}
                yield one(op, opset, feed, constants=RNG.choice(["a", "b", ""], 1))
            for dtype in (F64, F16, I32, I64):
                first = 1 if op in ("Div", "Pow") else -9
                feed = {"a": values((2, 3), dtype, -9 if op == "Div" else first, 9),
                        "b": values((3,), dtype, first, 3)}
                yield one(op, opset, feed, must=False)
    for base, exponent in ((F32, I64), (I32, F32), (I64, I64), (I32, I32), (F32, I32)):
        feed = {"a": values((2, 3), base, 1, 4), "b": values((3,), exponent, 0, 3)}
        yield one("Pow", 13, feed)
    squared = {"a": values((4, 5)), "b": np.array(2, F32)}
    yield one("Pow", 13, squared, constants=["b"])


def prelu_cases():
    slopes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3), (1,)), ((2, 3, 4), (3, 1)), ((2, 3, 4, 5), (3, 1, 1)),
              ((2, 3), ())]
    for opset in OPSETS:
        for x, slope in slopes:
            yield one("PRelu", opset, {"x": values(x), "slope": values(slope)},
                      constants=RNG.choice(["slope", ""], 1))


def clip_cases():
    x = values((3, 7))
    for opset in OPSETS:
        if opset < 11:
            yield one("Clip", opset, {"x": x}, min=-1.0, max=0.5)
            yield one("Clip", opset, {"x": x}, max=0.25)
            yield one("Clip", opset, {"x": x})
            continue
        low, high = np.array(-1, F32), np.array(0.5, F32)
        for inputs in ({"x": x}, {"x": x, "low": low}, {"x": x, "low": None, "high": high},
                       {"x": x, "low": low, "high": high}):
            yield one("Clip", opset, inputs, constants=["low", "high"])
            yield one("Clip", opset, inputs)
        if opset >= 13:
            yield one("Clip", opset, {"x": values((9,), I64, -9, 9), "low": np.array(-2, I64),
                                      "high": np.array(3, I64)})


CASTS = [(F32, "INT32"), (F32, "INT64"), (F32, "UINT8"), (F32, "BOOL"), (F32, "FLOAT16"), (F32, "DOUBLE"),
         (F32, "FLOAT"), (F16, "FLOAT"), (F64, "FLOAT"), (F64, "INT64"), (I64, "FLOAT"), (I32, "UINT8"),
         (I64, "INT8"), (I64, "BOOL"), (np.bool_, "FLOAT"), (U8, "INT32"), (np.uint32, "INT16")]


def cast_cases():
    for opset in OPSETS:
        for dtype, to in CASTS:
            low = 0 if to.startswith("U") or np.dtype(dtype).kind in "ub" else -100
            high = 1 if dtype is np.bool_ else 100
            yield one("Cast", opset, {"x": values((3, 5), dtype, low, high)}, to=getattr(TensorProto, to))
    # ONNX Runtime cannot hand these types to NumPy: they are cast back. Values between 448 and 512 are left
    # out: without saturation it rounds some of them to 448 where the specification says NaN.
    x = np.concatenate([values((60,), F32, -440, 440), np.array([0, 1e5, -1e9], F32)])
    for to in ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "BFLOAT16"):
        for attrs in ({}, {"saturate": 0}) if to.startswith("FLOAT8") else ({},):
            nodes = [helper.make_node("Cast", ["x"], ["t"], to=getattr(TensorProto, to), **attrs),
                     helper.make_node("Cast", ["t"], ["y"], to=TensorProto.FLOAT)]
            yield Case("Cast", 21, nodes, {"x": x}, {}, True, ("y",))


def normalisation_cases():
    for opset in OPSETS:
        for shape in ((4, 3), (2, 3, 5), (2, 3, 4, 5), (300, 128), (1, 1, 7)):
            channels = (shape[1],)
            inputs = {"x": values(shape), "scale": values(channels), "bias": values(channels),
                      "mean": values(channels), "var": values(channels, F32, 0.1, 4)}
            parameters = ["scale", "bias", "mean", "var"]
            yield one("BatchNormalization", opset, inputs, constants=parameters)
            yield one("BatchNormalization", opset, inputs, epsilon=0.1)
        yield one("Dropout", opset, {"x": values((3, 4))})
        if opset >= 13:
            yield one("Dropout", opset, {"x": values((3, 4)), "ratio": np.array(0.3, F32)}, constants=["ratio"],
                      outputs=("y", "mask"))


def constant_cases():
    x = {"x": values((2, 3))}
    for opset in OPSETS:
        attributes = [{"value": numpy_helper.from_array(values((3,)))}]
        if opset >= 12:
            attributes += [{"value_float": 1.5}, {"value_floats": [1.0, -2.0, 3.0]}]
        for attribute in attributes:
            nodes = [helper.make_node("Constant", [], ["c"], **attribute),
                     helper.make_node("Add", ["x", "c"], ["y"])]
            yield Case("Constant", opset, nodes, x, {}, True, ("y",))


# ---- contractions and movement ---------------------------------------------------------------------------


def gemm_cases():
    m, k, n = 4, 5, 3
    for opset in OPSETS:
        for c in ((n,), (1, n), (m, n), (m, 1), (1,), (), None):
            if c is None and opset < 11:
                continue
            trans_a, trans_b = (int(RNG.integers(2)) for _ in range(2))
            inputs = {"a": values((k, m) if trans_a else (m, k)), "b": values((n, k) if trans_b else (k, n))}
            if c is not None:
                inputs["c"] = values(c)
            yield one("Gemm", opset, inputs, constants=RNG.choice(["b", ""], 1), transA=trans_a, transB=trans_b,
                      alpha=float(RNG.choice([1.0, 0.5])), beta=float(RNG.choice([1.0, 2.0])))
        yield one("Gemm", opset, {"a": values((70, 130)), "b": values((64, 130)), "c": values((64,))},
                  constants=["b", "c"], transB=1)


def matmul_cases():
    pairs = [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((2, 3, 4), (4, 5)),
             ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((3, 4), (2, 4, 5)), ((3,), (2, 3, 4)),
             ((2, 5, 3), (3,)), ((1, 7, 64), (64, 33)), ((0, 3), (3, 4))]
    for opset in OPSETS:
        for a, b in pairs:
            yield one("MatMul", opset, {"a": values(a), "b": values(b)}, constants=RNG.choice(["b", ""], 1))
        if opset >= 9:
            yield one("MatMul", opset, {"a": values((2, 3), I32, -9, 9), "b": values((3, 4), I32, -9, 9)},
                      must=False)


def movement_cases():
    x = values((2, 3, 4))
    for opset in OPSETS:
        for axis in (0, 1, 2, 3, -1):
            if axis >= 0 or opset >= 11:
                yield one("Flatten", opset, {"x": x}, axis=axis)
        for to in ([6, 4], [-1], [0, -1], [2, 2, 3, 2], [0, 0, 2, 2]):
            yield one("Reshape", opset, {"x": x, "shape": np.array(to, I64)}, constants=["shape"])
        for perm in ([0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1], None):
            yield one("Transpose", opset, {"x": x}, **({"perm": perm} if perm else {}))
        for axis in (0, 1, 2, -1):
            if axis < 0 and opset < 11:
                continue
            shape = list(x.shape)
            shape[axis] = 5
            yield one("Concat", opset, {"a": x, "b": values(shape), "c": x}, axis=axis)
            indices = np.array([[1, 0], [0, 1]], I64)
            yield one("Gather", opset, {"x": x, "i": indices}, constants=RNG.choice(["i", ""], 1), axis=axis)
        yield one("Gather", opset, {"x": x, "i": np.array(1, np.int32)}, axis=1)
        if opset >= 11:
            yield one("Gather", opset, {"x": x, "i": np.array([-1, -2], I64)}, axis=2)
        yield one("Shape", opset, {"x": x})
        yield from squeeze_cases(opset)
    yield one("Shape", 17, {"x": x}, start=1)
    yield one("Shape", 21, {"x": x}, start=-2, end=-1)


def squeeze_cases(opset):
    for op, shape, axes in (("Squeeze", (1, 3, 1, 2), [0, 2]), ("Squeeze", (1, 3, 1, 2), [0]),
                            ("Squeeze", (1, 3, 1, 2), None), ("Unsqueeze", (3, 2), [0, 2]),
                            ("Unsqueeze", (3, 2), [1]), ("Unsqueeze", (3, 2), [-1, 0])):
        if axes is not None and min(axes) < 0 and opset < 11:
            continue
        if opset >= 13:
            inputs = {"x": values(shape)}
            if axes is not None:
                inputs["axes"] = np.array(axes, I64)
            yield one(op, opset, inputs, constants=["axes"])
        else:
            yield one(op, opset, {"x": values(shape)}, **({} if axes is None else {"axes": axes}))


def reduction_cases():
    for opset in OPSETS:
        for op in ("Softmax", "LogSoftmax"):
            for shape in ((3, 5), (2, 3, 4), (70, 90)):
                for axis in range(len(shape)):
                    yield one(op, opset, {"x": values(shape, F32, -30, 30)}, axis=axis)
                yield one(op, opset, {"x": values(shape)})
                if opset >= 11:
                    yield one(op, opset, {"x": values(shape)}, axis=-1)
        for op, as_input in (("ReduceSum", 13), ("ReduceMean", 18)):
            for axes in ([0], [1], [0, 2], [2], None, [-1]):
                if axes and min(axes) < 0 and opset < 11:
                    continue
                keep = int(RNG.integers(2))
                inputs, attrs = {"x": values((3, 4, 5), F32, 0.5, 2)}, {"keepdims": keep}
                if axes is not None and opset >= as_input:
                    inputs["axes"] = np.array(axes, I64)
                elif axes is not None:
                    attrs["axes"] = axes
                yield one(op, opset, inputs, constants=["axes"], **attrs)
            yield one(op, opset, {"x": values((3, 4), I32, -9, 9)}, must=False, keepdims=0)
            if opset >= as_input:
                yield one(op, opset, {"x": values((3, 4))}, noop_with_empty_axes=1)


def all_cases():
    for cases in (unary_cases, binary_cases, prelu_cases, clip_cases, cast_cases, normalisation_cases,
                  constant_cases, gemm_cases, matmul_cases, movement_cases, reduction_cases):
        yield from cases()
    yield from convolutions.all_cases(values, one, OPSETS, RNG)
    yield from layers.all_cases(values, one, OPSETS, RNG)
    yield from pools.all_cases(values, one, OPSETS, RNG)
    yield from moves.all_cases(values, one, OPSETS, RNG)


# ---- judging --------------------------------------------------------------------------------------------


def make_model(case):
    inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
              for name, array in case.feed.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in case.outputs]  # typed once they are known
    graph = helper.make_graph(case.nodes, "judge", inputs, outputs,
                              [numpy_helper.from_array(array, name) for name, array in case.constants.items()])
    opsets = [helper.make_opsetid("", case.opset)]
    if case.nodes[0].domain:
        opsets.append(helper.make_opsetid(case.nodes[0].domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="judge")


def open_session(model):
    """A session of ONNX Runtime; None if it has no kernel for these types, or the opset does not allow them."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:
        if "NOT_IMPLEMENTED" in str(error) or ("Type Error" in str(error) and "is invalid" in str(error)):
            return None
        raise


def difference(got, want):
    """None if they agree, else what is wrong."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"expected {want.dtype}{list(want.shape)}, got {got.dtype}{list(got.shape)}"
    if not np.issubdtype(want.dtype, np.floating):
        return None if np.array_equal(got, want) else f"expected {want.ravel()[:5]}, got {got.ravel()[:5]}"
    # float16 holds 11 bits: results that are rounded once more or less differ by one of them.
    tolerance = 2e-3 if want.dtype == F16 else 1e-4
    got, want = got.astype(F64), want.astype(F64)
    if not (np.array_equal(np.isnan(got), np.isnan(want)) and np.array_equal(np.isinf(got), np.isinf(want))):
        return "NaN or Inf in other places"
    finite = np.isfinite(want)
    if not np.array_equal(got[np.isinf(want)], want[np.isinf(want)]):
        return "Inf of another sign"
    got, want = got[finite], want[finite]
    if want.size == 0:
        return None
    # Where terms cancel, an element's error is relative to the largest one, whose terms are as large.
    bound = tolerance * (np.abs(want) + 1e-2 * np.abs(want).max())
    worst = np.argmax(np.abs(got - want) - bound)
    if abs(got[worst] - want[worst]) <= bound[worst]:
        return None
    return f"element {worst}: expected {want[worst]:.9g}, got {got[worst]:.9g}"


def judge(case, coset, work):
    """(verdict, text): agrees, skipped or differs."""
    model = make_model(case)
    path, fed, result = work / "model.onnx", work / "x.npz", work / "y.npz"
    session = open_session(model)
    if session is None:
        return "skipped", "ONNX Runtime has no kernel"
    want = session.run(list(case.outputs), case.feed)
    del model.graph.output[:]
    for name, array in zip(case.outputs, want):
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        model.graph.output.append(helper.make_tensor_value_info(name, kind, array.shape))
    if not case.nodes[0].domain:
        onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    np.savez(fed, **case.feed)
    result.unlink(missing_ok=True)
    done = subprocess.run([coset, "run", path, "--input", fed, "-o", result], capture_output=True, text=True)
    if done.returncode != 0:
        return "differs", f"exit {done.returncode}: {done.stderr.strip()}"
    with np.load(result) as got:
        for name, array in zip(case.outputs, want):
            if name not in got:
                return "differs", f"no output {name}"
            text = difference(got[name], array)
            if text:
                return "differs", f"{name}: {text}"
    return "agrees", ""


def describe(case):
    arrays = {**case.feed, **case.constants}
    shapes = " ".join(f"{name}:{array.dtype}{list(array.shape)}" for name, array in arrays.items())
    attrs = " ".join(f"{a.name}={helper.get_attribute_value(a)}" for a in case.nodes[0].attribute
                     if a.type != onnx.AttributeProto.TENSOR)
    return f"{case.op} opset {case.opset} {shapes} {attrs}"


def rows(source):
    """Operators of src/ops/ops.def in lower case: OP(op_clip_11) is clip."""
    text = (source / "src/ops/ops.def").read_text()
    return {match.split("_")[0] for match in re.findall(r"^OP\(op_(\w+)\)", text, re.MULTILINE)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--coset", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one operator")
    arguments = parser.parse_args()
    global RNG
    RNG = np.random.default_rng(arguments.seed)
    counts, judged, failures = collections.Counter(), collections.defaultdict(set), 0
    wanted = collections.defaultdict(set)
    for case in all_cases():
        if arguments.only and case.op != arguments.only:
            continue
        wanted[case.op].add(case.opset)
        verdict, text = judge(case, arguments.coset, arguments.work)
        counts[case.op, verdict] += 1
        if verdict == "agrees":
            judged[case.op].add(case.opset)
        elif verdict == "differs" or case.must:
            failures += 1
            print(f"FAIL {describe(case)}: {text}")
    for op in sorted(wanted):
        missing = sorted(wanted[op] - judged[op])
        print(f"{op}: {counts[op, 'agrees']} agree, {counts[op, 'differs']} differ, {counts[op, 'skipped']} "
              f"without a kernel in ONNX Runtime; opsets {sorted(judged[op])}")
        if missing:
            failures += 1
            print(f"FAIL {op}: not judged at opsets {missing}")
    for op in sorted(rows(arguments.source) - {op.lower() for op in judged} - NOT_RUN):
        if not arguments.only:
            failures += 1
            print(f"FAIL {op}: a row of ops.def without a case here")
    if not judged:
        failures += 1
        print("FAIL: nothing was judged")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
