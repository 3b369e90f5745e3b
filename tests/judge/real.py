"""Real networks against the onnx checker and ONNX Runtime.

Every *.onnx below COSET_DATA/models is inspected and run on random inputs of its kind; then those with layers to cut
are compressed in several ways, and the results are judged like those of models.py: the checker accepts them, ONNX
Runtime loads them, and it and `coset run` agree; every group that stays as it is has a reason; the report's sizes are
those of the file.

Fails if anything differs or too little was judged. Arguments: parts of names, to judge only those.
"""

import json
import os
import pathlib
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

import models
from models import coset, fail

RNG = np.random.default_rng(0)

# Compressed beside being run, with a share of parameters or MACs that suits each.
SURGERY = ("cifar_resnet", "cifar10_resnet", "collins_rul", "SqueezeNet_fp16", "yolox_nano", "yolov8n_random", "yunet",
           "PP-OCRv3", "espcn", "mnist_cntk", "mnist_conv_zoo", "onnx2c_mnist", "silero")
VARIANTS = [text.split() for text in (
    "--method random --ratio 50%",
    "--method magnitude --magnitude.structured true --params 80%",
    "--method merge --params 60%",
    "--method afde --ratio 70%",
    "--method random --macs 70% --round-to 4",
    "--method magnitude --params 60%",
)]
NO_LAYERS = ("op18_ifless",)  # all layers are in the branches of an If


def text_page(shape):
    """What a text detector sees: dark strokes on white, normalised."""
    page = np.full(shape, 2.2)
    for _ in range(60):
        y, x = RNG.integers(0, shape[2] - 12), RNG.integers(0, shape[3] - 4)
        page[:, :, y:y + RNG.integers(2, 12), x:x + RNG.integers(1, 4)] = -2
    return page


def feed_of(path, model):
    """Arrays for the inputs, as they would be for what the network is made for."""
    constants = {tensor.name for tensor in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name in constants:
            continue
        shape = [dim.dim_value or 1 for dim in kind.shape.dim]
        if "silero" in str(path):
            shape = {"input": [1, 512], "state": [2, 1, 128], "h": [2, 1, 64], "c": [2, 1, 64], "sr": []}[value.name]
        if "PP-OCR" in path.name:
            array = text_page([1, 3, 96, 160])
        elif value.name == "sr":
            array = np.full(shape, 16000)
        elif len(shape) == 4:  # images: 0..255 for detectors
            array = RNG.random(shape) * (255 if path.name.startswith("yu") or "yolox" in path.name else 2)
        else:
            array = RNG.normal(size=shape)
        feed[value.name] = array.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return feed


def tolerance_of(model):
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
    return 1e-2 if half else 1e-4


def deviation(path, feed, tolerance):
    """(None or what is wrong, largest relative L2 error of an output, largest error relative to an output's largest
    element): ONNX Runtime against `coset run`."""
    session = models.open_session(None, path)
    names = [output.name for output in session.get_outputs()]
    wanted = session.run(names, feed)
    given, got = models.WORK / "x.npz", models.WORK / "y.npz"
    np.savez(given, **feed)
    done = coset("run", path, "--input", given, "-o", got, "-q")
    if done.returncode != 0:
        return f"coset run: exit {done.returncode}: {done.stderr.strip()}", np.nan, np.nan
    worst_l2 = worst = 0
    with np.load(got) as arrays:
        for name, want in zip(names, wanted):
            found = arrays[name]
            if found.dtype != want.dtype or found.shape != want.shape:
                return f"{name}: expected {want.dtype}{list(want.shape)}, got {found.dtype}{list(found.shape)}", \
                    np.nan, np.nan
            found, want = found.astype(np.float64), want.astype(np.float64)
            # ONNX Runtime approximates logistic functions to within about 1e-6 of their range.
            floor = 1e-2 if want.min(initial=0) >= 0 and want.max(initial=0) <= 1 else 0
            size = max(np.linalg.norm(want) / np.sqrt(want.size), floor)
            l2 = np.linalg.norm(found - want) / np.sqrt(want.size) / size if size > 0 else np.linalg.norm(found)
            worst_l2, worst = max(worst_l2, l2), max(worst, np.abs(found - want).max(initial=0) /
                                                     max(np.abs(want).max(initial=0), floor, 1e-30))
    wrong = None if worst_l2 <= tolerance and worst <= tolerance else f"relative error {worst_l2:.2g} (L2), {worst:.2g}"
    return wrong, worst_l2, worst


def judge_inspect(path):
    """Every group can be cut or says why not."""
    done = coset("inspect", path, "--json", "-q")
    if done.returncode != 0:
        fail(f"inspect {path}: exit {done.returncode}: {done.stderr.strip()}")
        return 0, 0
    report = json.loads(done.stdout)
    groups = report["groups"]
    if not groups and not report["skipped"]:
        fail(f"inspect {path}: there are no groups and nothing says why")
    for group in groups:
        if not group["cuttable"] and not group.get("reason"):
            fail(f"inspect {path}: group {group['name']} cannot be cut and does not say why")
    return sum(group["cuttable"] for group in groups), len(groups)


def counted(model):
    """Elements of floating constants that are no scalars, as the report counts parameters at most."""
    return sum(numpy_helper.to_array(tensor).size for tensor in models.constants_of(model).values()
               if tensor.data_type in models.FLOATS and len(tensor.dims))


def judge_cut(path, feed, flags, tolerance):
    """Compresses a model in one way; returns whether the result was cut and judged."""
    out = models.WORK / "small.onnx"
    out.unlink(missing_ok=True)
    what = f"{path.name} {' '.join(flags)}"
    done = coset("compress", path, "-o", out, "--json", "-q", *flags)
    if done.returncode == 5 and "--macs" in flags and "not known" in done.stderr:
        print(f"  {what}: {done.stderr.strip()}")
        return False
    if done.returncode not in (0, 3):
        fail(f"{what}: exit {done.returncode}: {done.stderr.strip()}")
        return False
    model = models.check(out)
    if model is None:
        return False
    report = json.loads(done.stdout)
    wrong, l2, _ = deviation(out, feed, tolerance)
    if wrong:
        fail(f"{what}: {wrong}")
    for entry in report["skipped"]:
        if not entry["reason"]:
            fail(f"{what}: group {entry['name']} was skipped and does not say why")
    if report["compressed"]["params"] > counted(model):
        fail(f"{what}: {report['compressed']['params']} parameters reported, {counted(model)} counted")
    cut = sum(entry["kept"] < entry["units"] for entry in report["groups"])
    before, after = report["original"], report["compressed"]
    shares = [f"{after[key] / before[key]:.3f}" if before[key] else "-" for key in ("params", "nonzero", "macs")]
    print(f"  {what}: {cut} of {len(report['groups'])} groups cut, params {shares[0]}, non-zero {shares[1]}, "
          f"MACs {shares[2]}, {l2:.1e}{' (target not reached)' if done.returncode else ''}", flush=True)
    return after["nonzero"] < before["nonzero"]


def main():
    data = os.environ.get("COSET_DATA")
    if not data:
        print("SKIP: no real networks (COSET_DATA)")
        sys.exit(77)
    only, ran, cut = sys.argv[1:], 0, 0
    paths = sorted((pathlib.Path(data) / "models").rglob("*.onnx"))
    acasxu = [path for path in paths if "acasxu" in path.parts]  # 45 of one kind
    for path in [path for path in paths if path not in acasxu[1:]]:
        name = str(path.relative_to(pathlib.Path(data) / "models"))
        if only and not any(part in name for part in only):
            continue
        model = onnx.load(path)
        feed, tolerance = feed_of(path, model), tolerance_of(model)
        cuttable, groups = judge_inspect(path)
        wrong, l2, worst = deviation(path, feed, tolerance)
        print(f"{name}: {groups} groups, {cuttable} can be cut; relative error {l2:.1e} (L2), {worst:.1e}", flush=True)
        if wrong:
            fail(f"{name}: {wrong}")
        ran += 1
        if not any(part in name for part in SURGERY):
            continue
        if (cuttable == 0) != any(part in name for part in NO_LAYERS):
            fail(f"{name}: {cuttable} groups can be cut")
        for flags in VARIANTS:
            cut += judge_cut(path, feed, flags, tolerance)
    print(f"{ran} networks run, {cut} compressed; {models.failures} failures")
    if not only and (ran < 30 or cut < 90):
        fail("too little was judged")
    sys.exit(1 if models.failures else 0)


if __name__ == "__main__":
    main()
