"""Scores of the method expressiveness against ONNX Runtime and numpy.

The plan of `coset compress --method expressiveness` holds every unit's score. Here it is computed again from what ONNX
Runtime says goes into the activations: signs on every sample, compared pair by pair, the mean over places, then over a
group's producers, relative to the group's mean. Of seven rows the command calibrates with six: the scores of all groups
must be those of one and the same six. Kept units are those with the highest scores.

Fails if anything differs or too little was judged.
"""

import json

import numpy as np
import onnx
from onnx import helper, numpy_helper

import models
import zoo
from models import coset, fail

ROWS, HELD = 7, 1


def perceptron():
    net = zoo.Net("express_mlp")
    return net.finish(zoo.mlp(net, "Tanh", (6, 24, 17, 3), dense=True))


def convolutions():
    """Conv, BatchNorm, a sum of two convolutions, channels flattened."""
    net = zoo.Net("express_conv")

    def conv(x, n_in, n_out, size, normalise):
        w = net.constant(net.weight(n_in * size * size, n_out).T.reshape(n_out, n_in, size, size), "w")
        y = net.op("Conv", x, w, net.constant(net.rng.normal(size=n_out) * .3, "b"), pads=[size // 2] * 4)
        if not normalise:
            return y
        scale, shift, mean = (net.constant(net.rng.normal(size=n_out), what) for what in ("scale", "shift", "mean"))
        return net.op("BatchNormalization", y, scale, shift, mean, net.constant(net.rng.uniform(.5, 2, n_out), "var"))

    h = net.op("Relu", conv(net.input((0, 2, 8, 8)), 2, 12, 3, True))
    inner = net.op("Relu", conv(h, 12, 10, 3, True))
    h = net.op("MaxPool", net.op("Relu", net.op("Add", conv(inner, 10, 12, 1, False), h)), kernel_shape=[2, 2],
               strides=[2, 2])
    return net.finish(net.gemm(net.op("Flatten", h), 12 * 16, 3))


def result_of(model, node):
    """Name of what goes into the activation: the node's output, or that of the bias or BatchNorm behind it."""
    constants = {constant.name for constant in model.graph.initializer}
    (output,) = node.output
    readers = [reader for reader in model.graph.node if output in reader.input]
    if len(readers) == 1 and readers[0].op_type in ("Add", "BatchNormalization") and \
            all(name in constants for name in readers[0].input if name != output):
        return readers[0].output[0]
    return output


def values_of(model, names, x):
    """ONNX Runtime's values, (samples, units, places) each."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    del tapped.graph.output[:]
    tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    typed = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    for output in tapped.graph.output:
        output.CopyFrom(typed[output.name])
    got = models.open_session(tapped).run(names, {model.graph.input[0].name: x})
    return {name: z.reshape(*z.shape[:2], -1) for name, z in zip(names, got)}


def told_apart(z):
    """Share of the pairs of samples on which a unit's sign differs, the mean over places."""
    on = z > 0
    pairs = [on[i] != on[j] for i in range(len(on)) for j in range(i)]
    return np.mean(pairs, axis=(0, 2))


def norms(model, nodes):
    """L2 norm of each unit's incoming weights and biases of MatMul and Add."""
    constants = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    squares = 0
    for node in nodes:
        add = next(reader for reader in model.graph.node if node.output[0] in reader.input)
        names = [name for part in (node, add) for name in part.input if name in constants]
        arrays = [constants[name].astype(np.float64) for name in names]
        squares = squares + sum((array ** 2).reshape(-1, array.shape[-1]).sum(axis=0) for array in arrays)
    return np.sqrt(squares)


def judge(specimen, alpha):
    """Returns the number of scores that were judged."""
    model, work = specimen.model, models.WORK
    x = np.random.default_rng(5).normal(size=(ROWS, *specimen.rows.shape[1:])).astype(np.float32)
    onnx.save(model, work / "net.onnx")
    np.savez(work / "data.npz", x_train=x, x_test=x)
    inspected = coset("inspect", work / "net.onnx", "--json", "-q")
    done = coset("compress", work / "net.onnx", "-o", work / "small.onnx", "--data", work / "data.npz", "-q",
                 "--ratio", "60%", "--recover", "none", "--plan-out", work / "plan.json", "--method", "expressiveness",
                 "--expressiveness.alpha", alpha, "--expressiveness.importance", "l2")
    if inspected.returncode or done.returncode:
        fail(f"{specimen.name}: {inspected.stderr}{done.stderr}")
        return 0
    nodes = {node.name: node for node in model.graph.node}
    producers = {group["name"]: [nodes[name] for name in group["producers"]]
                 for group in json.loads(inspected.stdout)["groups"]}
    groups = [group for group in json.loads((work / "plan.json").read_text())["groups"] if group.get("scores")]
    names = sorted({result_of(model, node) for group in groups for node in producers[group["name"]]})
    values = values_of(model, names, x)
    worst = []
    for held in range(ROWS):
        rows = np.delete(np.arange(ROWS), held)
        errors = [0]
        for group in groups:
            score = np.mean([told_apart(values[result_of(model, node)][rows]) for node in producers[group["name"]]],
                            axis=0)
            score = alpha * score / score.mean()
            if alpha < 1:
                norm = norms(model, producers[group["name"]])
                score = score + (1 - alpha) * norm / norm.mean()
            errors.append(np.abs(score - group["scores"]).max())
        worst.append(max(errors))
    for group in groups:
        kept = [unit for unit, block in enumerate(group["blocks"]) if block >= 0]
        others = [score for unit, score in enumerate(group["scores"]) if unit not in kept]
        if min(group["scores"][unit] for unit in kept) < max(others):
            fail(f"{specimen.name}: group {group['name']} keeps units with smaller scores than others have")
    # Norms are sums of f32 weights, in f64 on both sides; counts are whole numbers.
    if sum(error < 1e-9 for error in worst) != HELD:
        fail(f"{specimen.name}, alpha {alpha}: scores differ by {min(worst):.3g} at least, whichever row is left out")
    return sum(len(group["scores"]) for group in groups)


def main():
    judged = judge(perceptron(), 1) + judge(perceptron(), .3) + judge(convolutions(), 1)
    print(f"judged {judged} scores")
    if judged < 2 * (24 + 17) + 12 + 10:
        fail(f"only {judged} scores were judged")
    if models.failures:
        raise SystemExit(f"{models.failures} failures")


main()
