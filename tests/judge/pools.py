"""Cases for ops.py: pooling, normalisation over channels and layers, reductions, places, TopK and CumSum."""

import numpy as np

F32, F16, I32, I64, I8, U8 = np.float32, np.float16, np.int32, np.int64, np.int8, np.uint8


def pick(rng, *choices):
    return int(rng.choice(choices))


def spatial(rng, rank, opset, op):
    """Attributes and sizes of `rank` axes whose windows fit into what is padded, by less than a window."""
    kernel = [pick(rng, 1, 2, 3, 3, 5) for _ in range(rank)]
    stride = [pick(rng, 1, 2, 2, 3) for _ in range(rank)]
    dilated = opset >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op]
    dilation = [pick(rng, 1, 1, 2) if dilated else 1 for _ in range(rank)]
    attrs = {"kernel_shape": kernel, "strides": stride}
    way = pick(rng, 0, 0, 1, 2)
    if way == 1:  # ONNX Runtime takes no dilations with it, and no stride over the kernel
        stride = attrs["strides"] = [min(s, k) for s, k in zip(stride, kernel)]
        attrs["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
        dilation = [1] * rank
    elif way == 0:
        attrs["pads"] = [int(rng.integers(0, k)) for k in kernel + kernel]
    if dilated:
        attrs["dilations"] = dilation
    covered = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    return attrs, [c + pick(rng, 0, 1, 4, 7, 13, 30) for c in covered]


def starts_inside(attrs, size):
    """With ceil_mode, whether no last window starts behind the input: the checker's shape inference would keep it,
    which ONNX Runtime does not."""
    rank = len(size)
    pads, dilations = attrs.get("pads", [0] * 2 * rank), attrs.get("dilations", [1] * rank)
    for a, stride in enumerate(attrs["strides"]):
        covered = (attrs["kernel_shape"][a] - 1) * dilations[a] + 1
        steps = -(-(size[a] + pads[a] + pads[rank + a] - covered) // stride)
        if steps * stride >= size[a] + pads[a]:
            return False
    return "auto_pad" not in attrs


def pool_cases(values, one, opsets, rng):
    for opset in tuple(opsets) + (19,):
        for _ in range(40):
            rank = pick(rng, 1, 2, 2, 2, 3)
            for op in ("MaxPool", "AveragePool", "LpPool"):
                attrs, size = spatial(rng, rank, opset, op)
                if op == "AveragePool":
                    attrs["count_include_pad"] = pick(rng, 0, 1)
                if op == "LpPool":
                    attrs["p"] = pick(rng, 1, 2, 3)
                if opset >= (18 if op == "LpPool" else 10) and starts_inside(attrs, size) and pick(rng, 0, 1):
                    attrs["ceil_mode"] = 1
                x = values([pick(rng, 1, 2), pick(rng, 1, 3), *size])
                yield one(op, opset, {"x": x}, **attrs)
                if op == "MaxPool" and opset >= 8 and pick(rng, 0, 1):
                    yield one(op, opset, {"x": x}, outputs=("y", "places"), storage_order=pick(rng, 0, 1), **attrs)
        for op in ("GlobalAveragePool", "GlobalMaxPool"):
            for shape in ((2, 3, 5), (1, 4, 7, 6), (2, 1, 3, 4, 5), (8, 64, 14, 14)):
                yield one(op, opset, {"x": values(shape)})
        if opset >= 12:
            for dtype in (I8, U8):
                yield one("MaxPool", opset, {"x": values((1, 2, 6, 5), dtype, 0, 100)}, kernel_shape=[2, 3],
                          strides=[2, 1])
        yield one("MaxPool", opset, {"x": values((4, 16, 56, 56))}, kernel_shape=[3, 3], strides=[2, 2],
                  pads=[1, 1, 1, 1])
        yield one("AveragePool", opset, {"x": values((2, 3, 300))}, kernel_shape=[5])


def normalisation_cases(values, one, opsets, rng):
    for opset in opsets:
        for shape in ((2, 3, 5), (1, 4, 6, 7), (2, 2, 3, 2, 4), (3, 8, 20, 31)):
            channels = {"scale": values(shape[1:2]), "bias": values(shape[1:2])}
            yield one("InstanceNormalization", opset, {"x": values(shape), **channels},
                      constants=rng.choice(["scale", ""], 1), **({"epsilon": 0.01} if pick(rng, 0, 1) else {}))
        for size in (1, 3, 5):  # ONNX Runtime refuses even ones
            yield one("LRN", opset, {"x": values((2, 7, 3, 4))}, size=size)
            yield one("LRN", opset, {"x": values((1, 4, 6, 5))}, size=size, alpha=0.5, beta=0.6, bias=1.5)
        for p in (1, 2):
            for axis in (0, 1, -1):
                yield one("LpNormalization", opset, {"x": values((3, 4, 5))}, p=p, axis=axis)
        if opset < 17:
            continue
        x = values((2, 3, 4, 5))
        for axis in (1, 2, 3, -1):
            parameters = {"scale": values(x.shape[axis:]), "bias": values(x.shape[axis:])}
            yield one("LayerNormalization", opset, {"x": x, **parameters}, axis=axis,
                      outputs=("y", "mean", "inverse"))
            yield one("LayerNormalization", opset, {"x": x, "scale": parameters["scale"]}, axis=axis, epsilon=0.1)
        if opset >= 21:
            for groups in (1, 2, 4):
                yield one("GroupNormalization", opset, {"x": values((2, 4, 3, 5)), "scale": values((4,)),
                                                        "bias": values((4,))}, num_groups=groups)


REDUCTIONS = ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceLogSum",
              "ReduceLogSumExp"]


def reduction_cases(values, one, opsets, rng):
    for opset in tuple(opsets) + (18,):
        for op in REDUCTIONS:
            low = 0.5 if op in ("ReduceLogSum", "ReduceProd") else -3
            for axes in ([0], [1], [0, 2], [1, 2], [3], [0, 1, 2, 3], [-2], None):
                if axes and min(axes) < 0 and opset < 11:
                    continue
                inputs, attrs = {"x": values((2, 3, 4, 9), F32, low, 1.5)}, {"keepdims": pick(rng, 0, 1)}
                if axes is not None and opset >= 18:
                    inputs["axes"] = np.array(axes, I64)
                elif axes is not None:
                    attrs["axes"] = axes
                yield one(op, opset, inputs, constants=["axes"], **attrs)
            yield one(op, opset, {"x": values((61, 803), F32, 0.99 if op == "ReduceProd" else low, 1.01)},
                      **({"axes": [1]} if opset < 18 else {}))
        for op in ("ReduceMax", "ReduceMin"):
            for dtype in (I32, I64):
                yield one(op, opset, {"x": values((3, 4), dtype, -9, 9)}, keepdims=0)


def place_cases(values, one, opsets, rng):
    for opset in opsets:
        for op in ("ArgMax", "ArgMin"):
            for axis in (0, 1, 2, -1):
                if axis < 0 and opset < 11:
                    continue
                for dtype in (F32, I32):  # small integers: many are equal
                    attrs = {"select_last_index": pick(rng, 0, 1)} if opset >= 12 else {}
                    yield one(op, opset, {"x": values((3, 4, 5), dtype, -2, 2)}, axis=axis, keepdims=pick(rng, 0, 1),
                              **attrs)
        for axis, k in ((0, 2), (1, 4), (2, 1), (2, 5), (-1, 3)):
            x = values((3, 4, 5), F32, -2, 2).round(0)
            if opset < 10:
                if axis >= 0:
                    yield one("TopK", opset, {"x": x}, outputs=("y", "places"), axis=axis, k=k)
                continue
            attrs = {"largest": pick(rng, 0, 1)} if opset >= 11 else {}
            if axis < 0 and opset < 11:
                continue
            yield one("TopK", opset, {"x": x, "k": np.array([k], I64)}, constants=["k"], outputs=("y", "places"),
                      axis=axis, **attrs)
        if opset < 11:
            continue
        for axis in (0, 1, 2, -3):
            for dtype in (F32, I64):
                yield one("CumSum", opset, {"x": values((3, 4, 21), dtype), "axis": np.array(axis, I32)},
                          constants=["axis"], exclusive=pick(rng, 0, 1), reverse=pick(rng, 0, 1))


def all_cases(values, one, opsets, rng):
    for cases in (pool_cases, normalisation_cases, reduction_cases, place_cases):
        yield from cases(values, one, opsets, rng)
