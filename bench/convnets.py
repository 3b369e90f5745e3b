"""Rows on convolutional networks, published ones above all. Each function yields (case, target, measured, verdict).

Calibration sees images without labels (`--target none`), and never one that a score is taken from: for CIFAR it has
calib.npz (2000 images: 1500 calibrate, 500 choose), scores are those of the 5000 of test.npz; of the 300 images of
imagenet300 and the 128 of coco128 every third one scores and the others calibrate. Sizes, multiply-accumulates, scores
and times are found by convnet_judge.py.
"""

import shutil

import numpy as np

import convnet_judge as judge
import convnet_moves
from judge import accuracy, read_mnist_test

CIFAR = {"cifar_resnet": (judge.IMAGENET_MEAN, judge.IMAGENET_STD), "cifar10_resnet": (judge.CIFAR_MEAN, judge.CIFAR_STD)}
METHODS = {"auto": [], "merge": [], "select": [], "random": [], "afde": [],
           "magnitude": ["--magnitude.structured", "true"]}
TOLERANCE = {"SqueezeNet_fp16": 1e-2}  # ONNX Runtime and coset, where weights are f16


class Case:
    """A model, the flags that give its data to coset, and the inputs that the judge scores it on."""

    def __init__(self, tool, path, flags, x):
        self.tool, self.path, self.flags, self.x = tool, tool.data / "models" / f"{path}.onnx", flags, x
        self.name = self.path.stem
        self.want = None

    def original(self):
        """What the original makes of x; run once."""
        if self.want is None:
            self.want = judge.run(self.path, self.x)
        return self.want

    def compress(self, *flags, data=True):
        """(report of the command, its cost as text, the written model, what is wrong with it)"""
        out = self.tool.work / f"{self.name}_small.onnx"
        run = self.tool.compress(self.path, out, *(self.flags if data else []), *flags)
        return run, f"{run.seconds:.0f} s, {run.peak_bytes / 2 ** 20:.0f} MiB", out, self.judge_file(out)

    def judge_file(self, out):
        """"checker passes, `coset run` within E" and whether both hold."""
        said = judge.complaint(out)
        if said and not judge.complaint(self.path):
            return f"the onnx checker refuses it: {said}", False
        error = convnet_moves.difference(self.tool, out, self.x[:8])
        return f"ONNX Runtime and `coset run` differ by {error:.0e}", error <= TOLERANCE.get(self.name, 1e-4)

    def shares(self, out):
        """Shares kept of the parameters and of the multiply-accumulates."""
        feed = judge.first_feed(self.path, self.x)
        return (judge.parameters(out) / judge.parameters(self.path), judge.macs(out, feed) / judge.macs(self.path, feed))

    def sizes(self, out):
        params, macs = self.shares(out)
        return f"{params:.1%} of parameters, {macs:.1%} of MACs"

    def deviation(self, out):
        return judge.rel_l2(judge.run(out, self.x), self.original())


def flags_of(scale, mean, std):
    return ["--scale", scale, "--mean", ",".join(map(str, mean)), "--std", ",".join(map(str, std))]


def cifar(tool, path):
    """(Case, labels)"""
    mean, std = CIFAR[path.split("/")[0]]
    folder = tool.data / "vision/cifar10"
    with np.load(folder / "test.npz") as file:
        x, labels = file["x"], file["y"]
    flags = ["--data", folder / "calib.npz", "--test", folder / "test.npz", "--target", "none", "--layout", "nhwc",
             *flags_of("1/255", mean, std)]
    return Case(tool, path, flags, judge.normalised(x, 1 / 255, mean, std)), labels


def split_images(tool, name, paths):
    """(folder of those that calibrate, folder of those that score, paths of the latter): every third one scores."""
    folders = [tool.work / f"{name}_{part}" for part in ("calib", "test")]
    chosen = [path for k, path in enumerate(paths) if k % 3 == 2]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    for path in paths:
        target = folders[path in chosen] / path.name
        if not target.exists():
            shutil.copyfile(path, target)
    return *folders, chosen


def photos(tool, path, name, size, fit, bgr, mean=(0, 0, 0), std=(1, 1, 1), scale=1):
    source = tool.data / ("vision/imagenet300" if name == "imagenet300" else "vision/coco128/images/train2017")
    calib, test, chosen = split_images(tool, name, sorted(p for p in source.iterdir() if p.suffix != ".csv"))
    flags = ["--data", calib, "--test", test, "--target", "none", "--resize", f"{size}x{size}", "--fit", fit,
             "--channels", "bgr" if bgr else "rgb", *flags_of("1/255" if scale != 1 else "1", mean, std)]
    return Case(tool, path, flags, judge.normalised(judge.read_images(chosen, size, fit, bgr), scale, mean, std))


def text(tool):
    """Photos with text drawn on them, for the detector of text: without any its outputs are 0 but for rounding."""
    paths = sorted((tool.data / "vision/coco128/images/train2017").iterdir())
    parts = [paths[k::2] for k in range(2)]
    folders = [tool.work / f"text_{part}" for part in ("calib", "test")]
    _, x = (judge.draw_text(part, folder, 160) for part, folder in zip(parts, folders))
    flags = ["--data", folders[0], "--test", folders[1], "--target", "none",
             *flags_of("1/255", judge.IMAGENET_MEAN, judge.IMAGENET_STD)]
    return Case(tool, "ch_PP-OCRv3_det_infer", flags, judge.normalised(x, 1 / 255, judge.IMAGENET_MEAN,
                                                                       judge.IMAGENET_STD))


def score(case, labels, y):
    return accuracy(y[0].reshape(len(case.x), -1), labels)


def inner_groups(case):
    """Groups within a block: those whose units come from one convolution, which another one reads, and no output."""
    run = case.tool.measured("inspect", case.path, "--json")
    groups = [g for g in run.report["groups"] if g["cuttable"] and len(g["producers"]) == 1]
    return "^(" + "|".join(g["name"].replace(".", "[.]") for g in groups) + ")$", len(groups)


def inner(tool):
    case, labels = cifar(tool, "cifar_resnet/resnet20")
    names, n = inner_groups(case)
    before = score(case, labels, case.original())
    for method, flags in [*METHODS.items(), ("magnitude", [*METHODS["magnitude"], "--recover", "none"])]:
        run, cost, out, (said, good) = case.compress("--method", method, "--ratio", "50%", "--only", names, *flags)
        got = judge.run(out, case.x)
        after = score(case, labels, got)
        near = abs(run.report["deviation"]["rel_l2"] - judge.rel_l2(got, case.original())) < 1e-3
        met = {"auto": good and near and n == 9 and after >= .66}.get(method, None if good and near else False)
        yield (f"resnet20, `{' '.join([method, *flags])} --ratio 50%`, inner groups ({n})",
               "accuracy ≥ .66" if method == "auto" else "",
               f"{after:.4f} (original {before:.4f}) at {case.sizes(out)}; {said}; {cost}", met)


def points(tool, path, rule, most):
    case, labels = cifar(tool, path)
    run, cost, out, (said, good) = case.compress(*rule)
    before, after = (score(case, labels, y) for y in (case.original(), judge.run(out, case.x)))
    kept = case.shares(out)[1]
    yield (f"{case.name}, `auto {' '.join(rule)}`", f"within {most} points",
           f"{after:.4f} (original {before:.4f}: {100 * (before - after):.1f} points) at {case.sizes(out)}; {said}; {cost}",
           good and run.code == 0 and kept <= .7 and before - after <= most / 100)


def resnets(tool):
    for path, most in (("cifar_resnet/resnet20", 4), ("cifar_resnet/resnet32", 4), ("cifar10_resnet/resnet_2b", 3),
                       ("cifar10_resnet/resnet_4b", 3)):
        yield from points(tool, path, ["--macs", "70%"], most)


def windows(rng, n, height):
    """Random windows of 20 columns as in the properties of the benchmark: standardised sensors that wander, a level
    0 to 10, the time that is left, the phase as one of five, flags."""
    x = np.zeros((n, 1, height, 20), np.float32)
    walk = rng.normal(size=(n, 1, 8)) + np.cumsum(rng.normal(0, .1, (n, height, 8)), axis=1)
    phase = (np.arange(height) * rng.uniform(.02, .2, (n, 1)) + rng.uniform(0, 5, (n, 1))).astype(int)
    x[:, 0, :, :8] = walk + rng.normal(size=(n, 5, 8))[np.arange(n)[:, None], phase % 5]  # sensors follow the phase
    x[:, 0, :, 8] = rng.uniform(0, 10, (n, 5))[np.arange(n)[:, None], phase % 5]
    x[:, 0, :, 10] = rng.uniform(-1.5, 1.5, (n, 1)) - .017 * np.arange(height)
    np.put_along_axis(x[:, 0, :, 11:16], (phase % 5)[:, :, None], 1, axis=2)
    x[:, 0, :, 16:19] = rng.integers(0, 2, (n, 1, 3))
    return x


def collins(tool):
    rng = np.random.default_rng(0)
    for name, height in (("full_window_20", 20), ("small_window_20", 20), ("full_window_40", 40)):
        parts = {part: tool.work / f"windows_{height}_{part}.npy" for part in ("calib", "test")}
        x = [windows(rng, 2048, height) for _ in parts]
        for file, rows in zip(parts.values(), x):
            np.save(file, rows)
        case = Case(tool, f"collins_rul/NN_rul_{name}", ["--data", parts["calib"], "--test", parts["test"], "--target",
                                                          "none"], x[1])
        run, cost, out, (said, good) = case.compress("--params", "30%")
        error, spread = case.deviation(out), case.original()[0]
        kept = case.shares(out)[0]
        yield (f"{case.name}, `auto --params 30%`, random windows in the ranges of its properties", "rel_l2 ≤ .05",
               f"rel_l2 {error:.4f} on 2048 other windows (outputs {spread.mean():.0f} ± {spread.std():.0f}) at "
               f"{case.sizes(out)}; {said}; {cost}", good and run.code == 0 and kept <= .3 and error <= .05)


def squeezenet(tool):
    case = photos(tool, "SqueezeNet_fp16", "imagenet300", 224, "crop", True, mean=(104, 117, 123))
    run, cost, out, (said, good) = case.compress("--macs", "75%")
    want, got = case.original(), judge.run(out, case.x)
    same, kept = np.mean(judge.top1(want) == judge.top1(got)), case.shares(out)[1]
    yield ("SqueezeNet_fp16, `auto --macs 75%`, imagenet300: 200 images calibrate", "top-1 agreement ≥ .80",
           f"{same:.2f} on the other {len(case.x)} at {case.sizes(out)}; {said}; {cost}",
           bool(good and run.code == 0 and kept <= .75 and same >= .8))


def yolox(tool):
    case = photos(tool, "yolox_nano", "coco128", 416, "letterbox", True)
    run, cost, out, (said, good) = case.compress("--macs", "80%")
    kept = case.shares(out)[1]
    yield ("yolox_nano, `auto --macs 80%`, coco128: 86 images calibrate", "runs in ONNX Runtime",
           f"rel_l2 of raw outputs {case.deviation(out):.3f} on the other {len(case.x)} at {case.sizes(out)}; {said}; "
           f"{cost}", good and run.code == 0 and kept <= .8)


def widest_ratio(case, share):
    """The largest --ratio, in steps of 1 %, that keeps at most this share of the parameters; found by bisection."""
    low, high = 1, 100
    while high - low > 1:
        middle = (low + high) // 2
        run, _, _, _ = case.compress("--ratio", f"{middle}%", data=False)
        low, high = (middle, high) if run.report["compressed"]["params"] <= share * run.report["original"]["params"] \
            else (low, middle)
    return f"{low}%"


def yolov8n(tool):
    x = np.random.default_rng(0).random((2, 3, 640, 640), np.float32)
    case = Case(tool, "yolov8n_random", [], x)
    rules = [["--params", "44.6%"], ["--ratio", widest_ratio(case, .446)]]
    for rule in rules:
        run, cost, out, (said, good) = case.compress(*rule)
        params, macs = case.shares(out)
        ratio, before, after = judge.speedup(case.path, out, {"images": x[:1]}, threads=2)
        yield (f"yolov8n_random, `auto {' '.join(rule)}`, no data", "55.4% of parameters gone, ≥ 46.1% of MACs with them",
               f"{1 - params:.1%} of parameters and {1 - macs:.1%} of MACs gone; {said}; ONNX Runtime, two threads: "
               f"{before * 1e3:.0f} to {after * 1e3:.0f} ms ({ratio:.2f}x); {cost}",
               bool(good and run.code == 0 and params <= .4465 and macs <= 1 - .461))


def small_cases(tool):
    yield photos(tool, "yunet_n_320_320", "coco128", 320, "letterbox", True)
    yield text(tool)
    with np.load(tool.data / "vision/cifar10/calib.npz") as file:
        tiles = judge.normalised(file["x"][:, 14:18, 14:18], 1 / 255)
    np.save(tool.work / "tiles.npy", tiles[:1500])
    yield Case(tool, "espcn_subpixel_float", ["--data", tool.work / "tiles.npy", "--target", "none"], tiles[1500:])
    x = read_mnist_test(tool.data / "vision/mnist")[0][:1000]
    for name, scale in (("mnist_cntk", 255), ("mnist_conv_zoo", 255), ("onnx2c_mnist_pytorch", 1)):
        flags = ["--data", tool.data / "vision/mnist", "--scale", "1/255" if scale == 1 else "1"]
        yield Case(tool, name, flags, (x * scale).astype(np.float32))


def skipped(run):
    """"frozen: 3 (it is a graph output: 2; ...)" of a report."""
    reasons = [group["reason"].split(" at node")[0] for group in run.report["skipped"]]
    counts = ", ".join(f"{reason}: {reasons.count(reason)}" for reason in sorted(set(reasons)))
    return f"{len(run.report['groups'])} groups cut, {len(reasons)} frozen" + (f" ({counts})" if counts else "")


def small(tool):
    for case in small_cases(tool):
        run, cost, out, (said, good) = case.compress("--params", "80%")
        kept = case.shares(out)[0]
        yield (f"{case.name}, `auto --params 80%`", "loads in ONNX Runtime",
               f"rel_l2 {case.deviation(out):.3f} on {len(case.x)} other inputs at {case.sizes(out)}; {skipped(run)}; "
               f"{said}; {cost}", good and run.code == 0 and kept <= .8)


def silero(tool):
    for name in ("silero_vad_op18_ifless", "silero_vad_16k_op15"):
        model, out = tool.data / f"models/silero/{name}.onnx", tool.work / f"{name}_small.onnx"
        run = tool.compress(model, out, "--params", "80%")
        feed = convnet_moves.feeds(tool, model)
        error = judge.rel_l2(judge.run(out, feed), judge.run(model, feed))
        own = convnet_moves.difference(tool, out, feed)
        said = judge.complaint(out) if not judge.complaint(model) else ""
        # Its layers lie in branches of If, which are left as they are: exit code 3 and a message that says so.
        told = run.code == 0 or (run.code == 3 and "target could not be reached" in run.error)
        yield (f"{name}, `auto --params 80%`, no data", "loads in ONNX Runtime",
               f"exit code {run.code}: {run.error.splitlines()[0].split('.onnx: ')[-1] if run.error else ''}; "
               f"{judge.parameters(out) / max(1, judge.parameters(model)):.1%} of parameters; {skipped(run)}; rel_l2 "
               f"{error:.3f}; ONNX Runtime and `coset run` differ by {own:.0e}", told and not said and own <= 1e-4)


def round_cases(tool):
    yield cifar(tool, "cifar_resnet/resnet20")[0], 64
    yield cifar(tool, "cifar_resnet/resnet32")[0], 64
    yield cifar(tool, "cifar10_resnet/resnet_4b")[0], 1
    yield photos(tool, "SqueezeNet_fp16", "imagenet300", 224, "crop", True, mean=(104, 117, 123)), 1
    yield photos(tool, "yolox_nano", "coco128", 416, "letterbox", True), 1
    yield photos(tool, "yunet_n_320_320", "coco128", 320, "letterbox", True), 1
    yield Case(tool, "yolov8n_random", [], np.random.default_rng(0).random((1, 3, 640, 640), np.float32)), 1


def rounded(tool):
    for case, rows in round_cases(tool):
        few = ["--calib-samples", "64", "--recover", "lift"] if case.flags else []
        for rule in ("66%", "45%"):
            run, _, out, (_, good) = case.compress("--macs", rule, "--round-to", "auto", *few)
            (name,) = (value.name for value in judge.open_session(case.path).get_inputs())
            kept = case.shares(out)[1]
            ratio, before, after = judge.speedup(case.path, out, {name: case.x[:rows]})
            yield (f"{case.name}, `auto --macs {rule} --round-to auto`, {rows} rows in ONNX Runtime on one thread",
                   "faster when a third of the MACs is gone",
                   f"{before * 1e3:.2f} to {after * 1e3:.2f} ms ({ratio:.2f}x) at {kept:.1%} of MACs, exit code {run.code}",
                   bool(good and ratio > 1) if kept <= 2 / 3 else None)



ROWS = {"inner": inner, "resnets": resnets, "collins": collins, "squeezenet": squeezenet, "yolox": yolox,
        "yolov8n": yolov8n, "small": small, "silero": silero, "rounded": rounded, **convnet_moves.ROWS}
