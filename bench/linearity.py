"""Rows on linearity: bypassed units, what they save and cost. Each function yields (case, target, measured, verdict)."""

import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import judge
from rows import size_of

TAUS = (1, .99, .95, .9, .8, .7, .6, .5)
SIZES = ("75%", "50%", "25%")
METHOD = ["--method", "linearity", "--linearity.mode"]


def dense_network(path, layers):
    """Writes an MLP with ReLU between its layers: [(weight (out, in), bias)], inputs x of any number of rows."""
    nodes, constants, value = [], [], "x"
    for index, (weight, bias) in enumerate(layers):
        for name, array in ((f"w{index}", weight), (f"b{index}", bias)):
            constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        last = index + 1 == len(layers)
        result = "y" if last else f"z{index}"
        nodes.append(helper.make_node("Gemm", [value, f"w{index}", f"b{index}"], [result], f"fc{index}", transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [result], [f"h{index}"], f"relu{index}"))
            value = f"h{index}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
            for name, width in (("x", layers[0][0].shape[1]), ("y", layers[-1][0].shape[0]))]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def text_network(tool):
    """The ONNX form of the MLP of which there are weights as text: `n = [widths]`, `W = [...]` with all weights, layer
    after layer, a row for every unit, and `B = [...]` with all biases."""
    path = tool.work / "mnist_100-100.onnx"
    if path.exists():
        return path
    text = (tool.data / "models/mnist_100-100_weights.dat").read_text(encoding="utf-8")
    widths = [int(w) for w in re.search(r"n = \[([^]]*)\]", text).group(1).split(",")]
    numbers = np.array([float(n) for n in re.findall(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?",
                                                     text[text.index("W = "):])])
    shapes = list(zip(widths[1:], widths[:-1]))
    if len(numbers) != sum(a * b + a for a, b in shapes):
        raise RuntimeError(f"mnist_100-100_weights.dat: {len(numbers)} numbers for layers of {widths}")
    weights, at = [], 0
    for rows, columns in shapes:
        weights.append(numbers[at:at + rows * columns].reshape(rows, columns))
        at += rows * columns
    biases = [numbers[at + sum(widths[1:k]):at + sum(widths[1:k + 1])] for k in range(1, len(widths))]
    return dense_network(path, list(zip(weights, biases)))


class Mnist:
    """One network on MNIST and what ONNX Runtime makes of its versions."""

    def __init__(self, tool, path):
        self.tool, self.path = tool, path
        self.x, self.labels = judge.read_mnist_test(tool.data / "vision/mnist")
        self.before = self.accuracy(path)

    def accuracy(self, path):
        return judge.accuracy(judge.run(path, self.x), self.labels)

    def cut(self, *flags):
        """(accuracy, share of parameters that the judge counts, report)"""
        out = self.tool.work / "linearity.onnx"
        run = self.tool.compress(self.path, out, *self.tool.mnist(), *flags)
        kept = size_of(run, self.path, out)
        if kept is None:
            raise RuntimeError(f"{self.path.stem}: coset and the judge count different parameters")
        return self.accuracy(out), kept, run


def bypassed(report):
    return sum(group["units"] - group["kept"] for group in report["groups"])


def tau(tool):
    folder = tool.data / "models/mnistfc"
    paths = [*(folder / f"mnist-net_256x{layers}.onnx" for layers in (2, 4, 6)), text_network(tool)]
    for path in paths:
        network = Mnist(tool, path)
        cells, grew = [], False
        for level in TAUS:
            after, kept, run = network.cut(*METHOD, "rate", "--eps", f"{1 - level:.4g}", "--recover", "none")
            refit = network.cut(*METHOD, "rate", "--eps", f"{1 - level:.4g}")[0]
            grew = grew or kept > 1
            cells.append(f"τ {level:g}: {bypassed(run.report)} units, {1 - kept:.1%} saved, {after:.2%} "
                         f"({refit:.2%} recovered)")
        yield (f"{path.stem}, `linearity`, rate, original {network.before:.2%}", "never more parameters",
               "; ".join(cells), not grew)


def deep(tool):
    network = Mnist(tool, tool.data / "models/mnist_mlp_deep.onnx")
    for recover in ("none", "lift,reconstruct"):
        found = {}
        for mode in ("rate", "affine"):
            found[mode] = [network.cut(*METHOD, mode, "--params", size, "--recover", recover)[:2] for size in SIZES]
            listed = ", ".join(f"{size}: {after:.2%} at {kept:.1%}" for size, (after, kept) in zip(SIZES, found[mode]))
            worse = [size for size, (rate, affine) in zip(SIZES, zip(found["rate"], found.get("affine", [])))
                     if affine[0] < rate[0]]
            yield (f"mnist_mlp_deep, `linearity`, {mode}, `--recover {recover}`, original {network.before:.2%}",
                   "affine at least as good as rate" if mode == "affine" else "", listed,
                   None if mode == "rate" else not worse)


def interference(tool):
    """What linearity costs a cut network is what it costs the whole one, if the two do not interfere."""
    network = Mnist(tool, tool.data / "models/mnist_mlp_deep.onnx")
    first = {"magnitude": ["--magnitude.structured", "true"], "expressiveness": []}
    for factor in (.9, .8):
        alone = network.cut(*METHOD, "affine", "--params", f"{factor:.0%}")[0] / network.before
        for method, flags in first.items():
            cut = network.cut("--method", method, *flags, "--params", "50%")[0] / network.before
            both, kept, _ = network.cut("--method", f"{method}+linearity", *flags, "--linearity.mode", "affine",
                                        "--params", f"50%,{50 * factor:g}%")
            expected = network.before * cut * alone
            yield (f"mnist_mlp_deep, `{method}+linearity`, `--params 50%,{50 * factor:g}%`", "within 1 point of the product",
                   f"{both:.2%} at {kept:.1%}; {method} alone {cut * network.before:.2%} at 50%, linearity alone "
                   f"{alone * network.before:.2%} at {factor:.0%}: product {expected:.2%}", both >= expected - .01)


def planted(tool):
    rng = np.random.default_rng(0)
    widths = (20, 64, 64, 10)
    layers = [[rng.normal(0, 1, (b, a)) / np.sqrt(a), rng.normal(0, .3, b)] for a, b in zip(widths, widths[1:])]
    for weight, bias in layers[:2]:
        bias[::2] = np.abs(weight[::2]).sum(axis=1) * (1 if weight.shape[1] == 20 else 8)
    path = dense_network(tool.work / "planted.onnx", layers)
    out = tool.work / "planted_small.onnx"
    run = tool.compress(path, out, *METHOD, "provable", "--linearity.low", "0", "--linearity.high", "1", "--eps", "0")
    x = rng.random((10000, 20), np.float32)
    worst, norm = judge.largest_relative(judge.run(out, x), judge.run(path, x))
    kept = size_of(run, path, out)
    found = [group["units"] - group["kept"] for group in run.report["groups"]]
    yield ("an MLP 20-64-64-10, every second hidden unit on wherever inputs lie in 0..1, `linearity`, provable, no data",
           "found, bypassed, outputs equal to 1e-6", f"bypassed {found}, {kept or 0:.1%} of parameters; on 10 000 inputs "
           f"worst element {worst:.1e}, L2 {norm:.1e}", bool(kept and kept < 1 and min(found) >= 32 and norm <= 1e-6))


def tll(tool):
    """Chains of layers without activations between them: merged where that is smaller."""
    for size in (24, 64):
        model = tool.unpacked(tool.data / f"models/tll/tll_{size}.onnx.gz")
        out = tool.work / f"tll_{size}_linear.onnx"
        run = tool.compress(model, out, *METHOD, "provable", "--eps", "0")
        x = np.random.default_rng(0).uniform(-1, 1, (5000, 2)).astype(np.float32)
        norm = judge.largest_relative(judge.run(out, x), judge.run(model, x))[1]
        kept = size_of(run, model, out)
        whole = [f"{group['name']}: {group['units']} to {group['kept']}" for group in run.report["groups"]]
        yield (f"tll_{size}, `linearity`, provable, no data and no box", "never more parameters",
               f"{kept or 0:.2%} of parameters; {'; '.join(whole)}; L2 {norm:.1e}",
               bool(kept and kept <= 1 and norm <= 1e-5))
        out.unlink()


ROWS = {"tau": tau, "linear_deep": deep, "interference": interference, "planted": planted, "tll_linear": tll}
