"""Random convolutions for ops.py: ranks, groups, strides, dilations, pads and sizes, small and large."""

import numpy as np


def pick(rng, *choices):
    return int(rng.choice(choices))


def spatial(rng, rank, transposed):
    """Attributes and sizes of `rank` axes; dilated windows fit into what is padded."""
    kernel = [pick(rng, 1, 2, 3, 3, 5) for _ in range(rank)]
    stride = [pick(rng, 1, 1, 2, 3) for _ in range(rank)]
    dilation = [pick(rng, 1, 1, 2, 3) for _ in range(rank)]
    attrs = {"kernel_shape": kernel, "strides": stride, "dilations": dilation}
    covered = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    size = [max(c if not transposed else 1, pick(rng, 1, 5, 8, 13, 17, 35)) for c in covered]
    way = pick(rng, 0, 1, 2, 3)
    if way == 0:
        pads = [(c - 1) // 4 if transposed else int(rng.integers(0, c)) for c in covered + covered]
        attrs["pads"] = pads
    elif way == 1:
        attrs["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
        if not transposed:  # ONNX Runtime refuses dilations with it
            attrs["dilations"] = [1] * rank
    elif way == 2:
        attrs["auto_pad"] = "VALID"
    if transposed and way in (0, 3) and pick(rng, 0, 1):
        attrs["output_padding"] = [int(rng.integers(0, s)) for s in stride]
    return attrs, size, kernel


def channels(rng, transposed):
    """Groups, channels of x and y, and those that the weight's second axis has."""
    groups = pick(rng, 1, 1, 1, 2, 3, 4)
    inner, outer = pick(rng, 1, 2, 3, 5, 17), pick(rng, 1, 2, 3, 5, 6, 7, 8, 11, 19)
    if pick(rng, 0, 0, 1):
        groups, inner = pick(rng, 2, 4, 7, 20), 1
        outer = pick(rng, 1, 1, 2, 3)
    return groups, inner * groups, outer * groups, (outer if transposed else inner)


def case(rng, one, values, op, opset, rank):
    transposed = op == "ConvTranspose"
    attrs, size, kernel = spatial(rng, rank, transposed)
    groups, inner, outer, second = channels(rng, transposed)
    feed = {"x": values((pick(rng, 1, 2, 5), inner, *size)),
            "w": values((inner if transposed else outer, second, *kernel), low=-1, high=1)}
    if pick(rng, 0, 1):
        feed["b"] = values((outer,))
    if groups > 1:
        attrs["group"] = groups
    if pick(rng, 0, 1):
        del attrs["kernel_shape"]
    return one(op, opset, feed, constants=["w", "b"] if pick(rng, 0, 1, 1) else [], **attrs)


def wide(rng, one, values, opset):
    """Rows, channels and windows that do not fit into one block, and several samples."""
    x = values((1, 3, 2, 70000), low=-1, high=1)
    yield one("Conv", opset, {"x": x, "w": values((5, 3, 2, 9), low=-1, high=1)}, pads=[0, 4, 0, 4])
    x = values((1, 400, 9, 40), low=-1, high=1)
    yield one("Conv", opset, {"x": x, "w": values((9, 400, 3, 3), low=-1, high=1), "b": values((9,))}, strides=[1, 2])
    x = values((2, 2, 90, 90), low=-1, high=1)
    yield one("Conv", opset, {"x": x, "w": values((3, 2, 33, 41), low=-1, high=1), "b": values((3,))}, pads=[7, 3, 5, 0])
    x = values((1, 1, 12), low=-1, high=1)
    yield one("Conv", opset, {"x": x, "w": values((2, 1, 3))}, dilations=[1000], pads=[1000, 1000])
    x = values((1, 40, 60, 60), low=-1, high=1)
    yield one("ConvTranspose", opset, {"x": x, "w": values((40, 7, 4, 4)), "b": values((7,))}, strides=[2, 2],
              pads=[1, 1, 1, 1])
    yield one("ConvTranspose", opset, {"x": values((1, 4, 3, 5)), "w": values((4, 2, 3, 3))}, strides=[2, 3],
              output_shape=[7, 16])


def all_cases(values, one, opsets, rng):
    for op in ("Conv", "ConvTranspose"):
        for opset in opsets:
            for rank in (1, 2, 2, 2, 3):
                for _ in range(3):
                    yield case(rng, one, values, op, opset, rank)
    yield from wide(rng, one, values, 13)
