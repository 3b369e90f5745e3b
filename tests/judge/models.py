"""Written models against the onnx checker and ONNX Runtime.

1. Every *.onnx that other tests left in COSET_TESTS_TMP: the checker accepts it in full, and where both can run it,
   ONNX Runtime and `coset run` agree on random inputs. Left out are files that are no models on purpose: those whose
   name, or that of a folder above them up to the test's, begins with "bad" (in cli.bad_input everything is), and
   copies of files that are committed in tests/ and fuzz/, which tests read and did not write.
2. The networks of zoo.py, and real ones of COSET_DATA, compressed by every method in several ways. Each result is
   also compared with the model that it came from: names, metadata, doc strings, opset imports, inputs and outputs
   stay; element types stay; declared shapes of inner values are those that they have; weights are no more than before;
   and where everything is kept, the function is the same.

Prints what was judged, and fails if anything differs or too little was judged.
"""

import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import zoo

COSET = os.environ["COSET_BIN"]
WORK = pathlib.Path(os.environ["COSET_TMP"])
SOURCE = pathlib.Path(os.environ["COSET_SOURCE"])
RNG = np.random.default_rng(0)
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}

# Flags that every model is compressed with. data: only with --data; relu: only for homogeneous activations.
Variant = collections.namedtuple("Variant", "flags traits")
VARIANTS = [Variant(flags.split(), set(traits.split())) for flags, traits in (
    ("--params 60%", "data few"),
    ("--params 60%", "few"),
    ("--params 60% --recover none --round-to 4", "data"),
    ("--params 60% --recover lift --seed 5", "data"),
    ("--macs 60% --recover reconstruct", "data"),
    ("--ratio 100%", "data same"),
    ("--ratio 100%", "same"),
    ("--max-drop 2%", "data"),
    ("--method merge --ratio 50%", "data"),
    ("--method merge --ratio 50%", ""),
    ("--method merge --merge.canonical false --params 50%", "data"),
    ("--method merge --eps 0", "same"),
    ("--method select --eps 0", "same"),
    ("--method select --ratio 40%", "data"),
    ("--method select --params 50% --select.ridge 0.01", ""),
    ("--method afde --params 50%", "few"),
    ("--method afde --ratio 50%", "data"),
    ("--method afde --eps 0", "same"),
    ("--method afde --eps 0 --afde.equivalence forward", "same"),
    ("--method afde --eps 1 --afde.equivalence forward --afde.linkage complete", ""),
    ("--method afde --ratio 30% --afde.equivalence forward --afde.linkage single --afde.scale none", ""),
    ("--method afde --ratio 50% --afde.linkage average --afde.canonical true", ""),
    ("--method afde --ratio 50% --afde.form sums", "relu"),
    ("--method magnitude --params 50%", ""),
    ("--method magnitude --magnitude.scope layer --params 50%", ""),
    ("--method magnitude --magnitude.structured true --magnitude.norm l2 --params 50%", "data"),
    ("--method wanda --params 50%", "data"),
    ("--method wanda --wanda.pattern 2:4", "data"),
    ("--method expressiveness --params 50%", "data"),
    ("--method expressiveness --expressiveness.scope global --expressiveness.alpha 0.5 --params 50%", "data"),
    ("--method random --ratio 50% --seed 3", "data"),
    ("--method random --ratio 1% --seed 3", ""),
)]
REAL = ("pytorch_mlp/hepc_relu.onnx", "pytorch_mlp/abalone_tanh.onnx", "mnistfc/mnist-net_256x2.onnx",
        "acasxu/ACASXU_run2a_1_1_batch_2000.onnx")

failures = 0


def fail(text):
    global failures
    failures += 1
    print(f"FAIL {text}", flush=True)


def coset(*arguments):
    return subprocess.run([COSET, *map(str, arguments)], capture_output=True, text=True, check=False)


def open_session(model, path=None):
    """A session of ONNX Runtime; None if it has no kernel for an operator or its types."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        source = str(path) if path else model.SerializeToString()
        return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    except Exception as error:
        lacking = ("NOT_IMPLEMENTED", "is not a registered function/op", "No opset import", "Type Error")
        if any(text in str(error) for text in lacking):
            return None
        raise


def difference(got, want, tolerance):
    """None if two outputs agree, else what is wrong."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"expected {want.dtype}{list(want.shape)}, got {got.dtype}{list(got.shape)}"
    if want.size == 0 or want.dtype.kind != "f":
        return None if np.array_equal(got, want) else "other values"
    got, want = got.astype(np.float64), want.astype(np.float64)
    if not np.isfinite(want).all():
        return None if np.array_equal(np.isfinite(got), np.isfinite(want)) else "NaN or Inf in other places"
    # Where terms cancel, an element's error is relative to the others, whose terms are as large.
    bound = tolerance * (np.abs(want) + .1 * np.abs(want).max())
    worst = np.argmax(np.abs(got - want) - bound)
    if np.abs(got - want).flat[worst] <= bound.flat[worst]:
        return None
    return f"element {worst}: expected {want.flat[worst]:.9g}, got {got.flat[worst]:.9g}"


def compare_runs(path, model, feed, tolerance):
    """(verdict, outputs): ONNX Runtime against `coset run`; verdict is None or what is wrong."""
    session = open_session(model, path)
    if session is None:
        return "skipped", None
    names = [output.name for output in model.graph.output]
    want = session.run(names, feed)
    np.savez(WORK / "x.npz", **feed)
    done = coset("run", path, "--input", WORK / "x.npz", "-o", WORK / "y.npz", "-q")
    if done.returncode == 5:  # an operator that coset does not run: it says which one
        return "skipped", want
    if done.returncode != 0:
        return f"coset run: exit {done.returncode}: {done.stderr.strip()}", want
    with np.load(WORK / "y.npz") as got:
        for name, array in zip(names, want):
            text = difference(got[name], array, tolerance) if name in got else "missing"
            if text:
                return f"output {name}: {text}", want
    return None, want


def check(path):
    """The model, accepted by the checker; None after a failure."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
        return onnx.load(path)
    except Exception as error:
        fail(f"{path}: {' '.join(str(error).split())[:300]}")
        return None


# ---- models that tests left -------------------------------------------------------------------------------


def committed():
    """Digests of the models in the source tree: inputs of tests."""
    files = [path for folder in ("tests", "fuzz") for path in (SOURCE / folder).rglob("*") if path.is_file()]
    return {hashlib.sha256(path.read_bytes()).digest() for path in files}


def random_feed(model):
    """Random arrays for the inputs, 3 for every free dimension; None if a type or rank is not known."""
    constants = {tensor.name for tensor in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name in constants:
            continue
        if not kind.HasField("shape") or kind.elem_type not in FLOATS | {TensorProto.INT64, TensorProto.INT32}:
            return None
        shape = [dim.dim_value if dim.HasField("dim_value") else 3 for dim in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feed[value.name] = (RNG.normal(size=shape) if dtype.kind == "f" else RNG.integers(0, 2, shape)).astype(dtype)
    return feed


def judge_left(root):
    inputs = committed()
    counts = collections.Counter()
    for path in sorted(root.rglob("*.onnx")):
        test = path.relative_to(root).parts
        names = (test[0].partition(".")[2], *test[1:])
        if test[0].startswith("judge.") or path.is_dir():
            continue
        if any(name.startswith("bad") for name in names):
            counts["damaged on purpose"] += 1
            continue
        if hashlib.sha256(path.read_bytes()).digest() in inputs:
            counts["copied"] += 1
            continue
        model = check(path)
        if model is None:
            continue
        counts["checked"] += 1
        feed = random_feed(model)
        if feed is None:
            continue
        half = any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)
        try:
            verdict, _ = compare_runs(path, model, feed, 1e-2 if half else 1e-4)
        except Exception as error:
            verdict = " ".join(str(error).split())[:300]
        if verdict is None:
            counts["run"] += 1
        elif verdict != "skipped":
            fail(f"{path}: {verdict}")
    print("models of other tests: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))


# ---- models compressed here -------------------------------------------------------------------------------


def signature(values):
    """What is declared of inputs or outputs; the initialisers of IR 3 shrink, so only names and types of those."""
    return [(value.name, value.type.SerializeToString(), value.doc_string) for value in values]


def kept_fields(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        "ir_version": model.ir_version,
        "producer": (model.producer_name, model.producer_version, model.domain, model.model_version),
        "doc strings": (model.doc_string, model.graph.doc_string, model.graph.name),
        "opset imports": sorted((entry.domain, entry.version) for entry in model.opset_import),
        "metadata": [(entry.key, entry.value) for entry in model.metadata_props],
        "inputs": signature(value for value in model.graph.input if value.name not in constants),
        "outputs": signature(model.graph.output),
    }


def compare_nodes(before, after, traits):
    """Nodes that have the same name are the same operator with the same text. One that is gone, other than by folding,
    must not be there under another name: whole layers go where they are bypassed, and what only they read with them."""
    folded = {"BatchNormalization"} | ({"Reshape", "Transpose"} if "shuffle" in traits else set())
    old = {node.name: node for node in before.graph.node if node.name}
    for node in after.graph.node:
        was = old.get(node.name)
        if was is not None and (was.op_type, was.domain, was.doc_string) != (node.op_type, node.domain,
                                                                            node.doc_string):
            return f"node {node.name} was {was.op_type} '{was.doc_string}', is {node.op_type} '{node.doc_string}'"
    kept = {node.name for node in after.graph.node}
    gone = collections.Counter(node.op_type for name, node in old.items()
                               if node.op_type not in folded and name not in kept)
    fresh = collections.Counter(node.op_type for node in after.graph.node
                                if node.name not in old and node.op_type not in ("Add", "Concat"))  # biases, lines
    renamed = gone & fresh
    if renamed.total() > 1:
        return f"{renamed.total()} nodes lost their names: {dict(renamed)}"
    return None


def constants_of(model):
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors.update({node.output[0]: a.t for a in node.attribute if a.name == "value"})
    return tensors


def compare_constants(before, after):
    old, new = constants_of(before), constants_of(after)
    for name, tensor in new.items():
        if name in old and old[name].data_type != tensor.data_type:
            return f"constant {name} changed its type"
    size = [sum(numpy_helper.to_array(tensor).size for tensor in tensors.values() if tensor.data_type in FLOATS)
            for tensors in (old, new)]
    # A folded mean may add one bias to a layer that had none.
    return None if size[1] <= size[0] + 64 else f"{size[1]} weights, {size[0]} before"


def check_value_info(path, model, feed):
    """Declared shapes of inner values are those that ONNX Runtime gives them."""
    if not model.graph.value_info:
        return None
    probe = onnx.load(path)
    known = {output.name for output in probe.graph.output}
    declared = {value.name: value for value in probe.graph.value_info if value.name not in known}
    produced = {name for node in probe.graph.node for name in node.output}
    stale = set(declared) - produced - {t.name for t in probe.graph.initializer}
    if stale:
        return f"value_info of {sorted(stale)}, which nothing produces"
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in declared)
    session = open_session(probe)
    for name, array in zip(declared, session.run(list(declared), feed)):
        dims = declared[name].type.tensor_type.shape.dim
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
        if len(sizes) != array.ndim or any(a not in (None, b) for a, b in zip(sizes, array.shape)):
            return f"value_info of {name} says {sizes}, it is {list(array.shape)}"
    return None


def judge_compressed(specimen, source, variant, data):
    """Compresses one model in one way and judges the result; returns whether it was run in both."""
    out = WORK / "small.onnx"
    out.unlink(missing_ok=True)
    flags = [*variant.flags, *(["--data", data, "--target", "none"] if data else [])]
    what = f"{specimen.name} {' '.join(variant.flags)}{' --data' if data else ''}"
    done = coset("compress", source, "-o", out, "--json", "-q", *flags)
    if done.returncode not in (0, 3):
        fail(f"{what}: exit {done.returncode}: {done.stderr.strip()}")
        return False
    model = check(out)
    if model is None:
        fail(f"{what}: see above")
        return False
    tolerance = 1e-2 if "half" in specimen.traits else 1e-4
    before, after = kept_fields(specimen.model), kept_fields(model)
    problems = [f"{field} changed: {before[field]} -> {after[field]}" for field in before
                if before[field] != after[field]]
    problems.append(compare_nodes(specimen.model, model, specimen.traits))
    problems.append(compare_constants(specimen.model, model))
    problems.append(check_value_info(out, model, specimen.feed))
    verdict, outputs = compare_runs(out, model, specimen.feed, tolerance)
    if verdict != "skipped":
        problems.append(verdict)
    if "same" in variant.traits and done.returncode == 0 and outputs is not None:
        problems.append(compare_same(source, specimen, outputs, tolerance))
    problems.append(compare_size(json.loads(done.stdout), out))
    for problem in filter(None, problems):
        fail(f"{what}: {problem}")
    return verdict is None


def compare_same(source, specimen, outputs, tolerance):
    original = open_session(specimen.model, source)
    names = [output.name for output in specimen.model.graph.output]
    for name, got, want in zip(names, outputs, original.run(names, specimen.feed)):
        text = difference(got, want, tolerance)
        if text:
            return f"not the original's function: {name}: {text}"
    return None


def compare_size(report, out):
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    return None if digest in report["outputs"].values() else "the report has another digest of the model"


def write_specimen(specimen):
    """(path of the model, path of its data or None)."""
    path, data = WORK / "original.onnx", None
    if "external" in specimen.traits:
        copy = onnx.ModelProto()
        copy.CopyFrom(specimen.model)
        (WORK / "original.data").unlink(missing_ok=True)
        onnx.save(copy, path, save_as_external_data=True, location="original.data", size_threshold=0)
    else:
        onnx.save(specimen.model, path)
    onnx.checker.check_model(str(path), full_check=True)
    if specimen.rows is not None:
        data = WORK / "data.npz"
        np.savez(data, x=specimen.rows.astype(np.float32))
    return path, data


def real_specimens():
    folder = os.environ.get("COSET_DATA")
    if not folder:
        print("SKIP: compressing real models: no data (COSET_DATA)")
        return
    for name in REAL:
        path = pathlib.Path(folder) / "models" / name
        model = onnx.load(path)
        feed = random_feed(model)
        ((_, array),) = feed.items()
        rows = RNG.normal(size=(256, *array.shape[1:])).astype(np.float32)
        yield zoo.Specimen(path.stem, model, feed, rows, {"few"})


def judge_specimen(specimen, counts):
    source, data = write_specimen(specimen)
    verdict, _ = compare_runs(source, specimen.model, specimen.feed, 1e-2 if "half" in specimen.traits else 1e-4)
    if verdict not in (None, "skipped"):
        fail(f"{specimen.name}, the original: {verdict}")
    for variant in VARIANTS:
        if "few" in specimen.traits and "few" not in variant.traits:
            continue
        if ("data" in variant.traits and data is None) or ("relu" in variant.traits and
                                                           "relu" not in specimen.traits):
            continue
        counts["compressed"] += 1
        ran = judge_compressed(specimen, source, variant, data if "data" in variant.traits else None)
        counts["run"] += ran


def main():
    judge_left(pathlib.Path(os.environ["COSET_TESTS_TMP"]))
    counts = collections.Counter()
    only = sys.argv[1:]
    for specimens in (zoo.every(), real_specimens()):
        for specimen in specimens:
            if only and not any(specimen.name.startswith(name) for name in only):
                continue
            counts["models"] += 1
            judge_specimen(specimen, counts)
    print(f"{counts['models']} models compressed in {counts['compressed']} ways; {counts['run']} results run by ONNX "
          f"Runtime and by coset; {failures} failures")
    if not only and (counts["run"] < 900 or counts["run"] < .95 * counts["compressed"]):
        fail("too little was judged")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
