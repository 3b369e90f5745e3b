"""Cases for ops.py: operators that move data, resize it, or make it from shapes."""

import numpy as np
from onnx import TensorProto, helper

F32, F16, F64, I32, I64, U8 = np.float32, np.float16, np.float64, np.int32, np.int64, np.uint8


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def ints(*numbers):
    return np.array(numbers, I64)


def shape_of(rng, rank, low=1, high=6):
    return [int(rng.integers(low, high + 1)) for _ in range(rank)]


def slice_cases(values, one, opsets, rng):
    for opset in opsets:
        for _ in range(25):
            rank = pick(rng, 1, 2, 3, 4)
            x = values(shape_of(rng, rank, 1, 7), pick(rng, F32, F32, I64, I32))
            n = int(rng.integers(1, rank + 1))
            axes = [int(a) - pick(rng, 0, rank) for a in rng.permutation(rank)[:n]]
            starts = [pick(rng, 0, 1, 2, -1, -3, 5, 100, -100) for _ in axes]
            ends = [pick(rng, 1, 3, -1, 6, 2**31 - 1, -100, 0) for _ in axes]
            if opset < 10:
                if any(a < 0 for a in axes):
                    axes = [a % rank for a in axes]
                yield one("Slice", opset, {"x": x}, starts=starts, ends=ends, axes=axes)
                continue
            kind = pick(rng, I64, I64, I32)
            steps = [pick(rng, 1, 1, 2, 3, -1, -2) for _ in axes]
            # Upwards to the greatest number, ONNX Runtime takes a step backwards to lead to the front.
            ends = [-1 if s < 0 and e == 2**31 - 1 else e for s, e in zip(steps, ends)]
            given = {"x": x, "starts": np.array(starts, kind), "ends": np.array(ends, kind),
                     "axes": np.array(axes, kind), "steps": np.array(steps, kind)}
            if pick(rng, False, False, True):  # the first axes, in steps of 1
                del given["steps"], given["axes"]
            yield one("Slice", opset, given, constants=set(given) - {"x"})
        if opset >= 10:  # everything backwards: how exporters write flips
            yield one("Slice", opset, {"x": values((3, 4)), "starts": ints(-1), "ends": ints(-2**63 + 1),
                                       "axes": ints(1), "steps": ints(-1)},
                      constants=("starts", "ends", "axes", "steps"))


def split_cases(values, one, opsets, rng):
    for opset in tuple(opsets) + (18,):
        for _ in range(10):
            rank = pick(rng, 1, 2, 4)
            axis, parts = int(rng.integers(rank)), pick(rng, 1, 2, 3, 4)
            sizes = shape_of(rng, parts, 0, 3)
            dims = shape_of(rng, rank)
            dims[axis] = sum(sizes)
            outputs = [f"y{i}" for i in range(parts)]
            attrs = {"axis": axis - (pick(rng, 0, rank) if opset >= 11 else 0)}
            x = values(dims, pick(rng, F32, I64))
            if opset < 13:
                yield one("Split", opset, {"x": x}, outputs=outputs, split=sizes, **attrs)
            else:
                yield one("Split", opset, {"x": x, "sizes": ints(*sizes)}, constants=("sizes",), outputs=outputs,
                          **attrs)
            dims[axis] = parts * 2 - (opset >= 18 and parts > 1)
            if opset >= 18:
                attrs["num_outputs"] = parts
            yield one("Split", opset, {"x": values(dims)}, outputs=outputs, **attrs)


def pad_cases(values, one, opsets, rng):
    for opset in tuple(opsets) + (18, 19):
        for _ in range(30):
            rank = pick(rng, 1, 2, 3, 4)
            dims = shape_of(rng, rank, 4, 7)
            modes = ["constant", "constant", "reflect", "edge"] + ["wrap"] * (opset >= 19)
            mode = pick(rng, *modes)
            axes = list(range(rank))
            if opset >= 18 and pick(rng, False, True):
                axes = [int(a) for a in rng.permutation(rank)[:int(rng.integers(1, rank + 1))]]
            low = -1 if mode == "constant" else 0
            pads = [int(rng.integers(low, 4)) for _ in range(2 * len(axes))]
            dtype = pick(rng, F32, F32, I64) if opset >= 11 else F32
            x, fill = values(dims, dtype), pick(rng, 0, 0, -2)
            if opset < 11:
                yield one("Pad", opset, {"x": x}, pads=pads, mode=mode, value=float(fill))
                continue
            given = {"x": x, "pads": ints(*pads), "value": np.array(fill, dtype)}
            if pick(rng, False, True):
                given["value"] = None
            if len(axes) < rank or axes != sorted(axes):
                given["axes"] = ints(*axes)
            yield one("Pad", opset, given, constants=("pads", "value", "axes"), mode=mode)


def spread_cases(values, one, opsets, rng):
    for opset in opsets:
        for _ in range(10):
            rank = pick(rng, 1, 2, 3, 4)
            dims = shape_of(rng, rank, 1, 4)
            x = values(dims, pick(rng, F32, I64))
            yield one("Tile", opset, {"x": x, "repeats": ints(*shape_of(rng, rank, 0, 3))},
                      constants=("repeats",))
            if opset < 8:
                continue
            thin = [pick(rng, 1, d) for d in dims]
            wanted = ([2] if pick(rng, False, True) else []) + [pick(rng, d, 1) if t == d else d
                                                                for t, d in zip(thin, dims)]
            yield one("Expand", opset, {"x": values(thin), "shape": ints(*wanted)}, constants=("shape",))
        for _ in range(4):
            block, n = pick(rng, 1, 2, 3), pick(rng, 1, 2)
            c, h, w = shape_of(rng, 3, 1, 4)
            for mode in ("DCR", "CRD")[:1 + (opset >= 11)]:
                attrs = {"mode": mode} if opset >= 11 else {}
                yield one("DepthToSpace", opset, {"x": values((n, c * block * block, h, w))}, blocksize=block,
                          **attrs)
            yield one("SpaceToDepth", opset, {"x": values((n, c, h * block, w * block))}, blocksize=block)


def scatter_cases(values, one, opsets, rng):
    for opset in (11, 13, 16, 18, 21):
        for _ in range(12):
            rank = pick(rng, 1, 2, 3)
            dims = shape_of(rng, rank, 2, 5)
            named = int(rng.integers(1, rank + 1))
            lead = shape_of(rng, pick(rng, 0, 1, 2), 1, 3)
            reduction = pick(rng, *(["none"] + ["add", "mul"] * (opset >= 16) + ["max", "min"] * (opset >= 18)))
            attrs = {"reduction": reduction} if opset >= 16 else {}
            x = values(dims)
            cells = int(np.prod(lead, dtype=int))
            if reduction == "none":  # otherwise the order would decide
                cells = min(cells, int(np.prod(dims[:named])))
                lead = [cells]
            flat = rng.permutation(int(np.prod(dims[:named])))[:cells] if reduction == "none" else \
                rng.integers(0, int(np.prod(dims[:named])), cells)
            tuples = np.stack(np.unravel_index(flat, dims[:named]), -1).astype(I64).reshape(*lead, named)
            if pick(rng, False, True):
                tuples = tuples - np.array(dims[:named])
            updates = values([*lead, *dims[named:]])
            yield one("ScatterND", opset, {"x": x, "i": tuples, "u": updates}, **attrs)
            axis = int(rng.integers(rank))
            some = [int(rng.integers(1, d + 1)) for d in dims]
            index = np.argsort(rng.random(some), axis=axis).astype(I64)  # no place twice
            yield one("ScatterElements", opset, {"x": x, "i": index, "u": values(some)}, axis=axis, **attrs)
            yield one("GatherElements", opset, {"x": x, "i": index}, axis=axis)
            batch = int(rng.integers(0, rank)) if opset >= 13 else 0
            depth = int(rng.integers(1, rank - batch + 1))
            lead = [*dims[:batch], *shape_of(rng, 1, 1, 3)]
            tuples = np.stack([rng.integers(-d, d, lead) for d in dims[batch:batch + depth]], -1).astype(I64)
            yield one("GatherND", opset, {"x": x, "i": tuples}, **({"batch_dims": batch} if opset >= 13 else {}))
    yield one("Scatter", 9, {"x": values((3, 4)), "i": np.array([[0, 2], [1, 3]]), "u": values((2, 2))}, axis=1)


def resize_cases(values, one, opsets, rng):
    for opset in (7, 9):
        for mode in ("nearest", "linear"):
            scales = [1.0, 1.0, pick(rng, 2.0, 1.5, 3.0), pick(rng, 2.0, 1.0, 2.4)]
            x = values((2, 3, 4, 5))
            if opset == 7:
                yield one("Upsample", 7, {"x": x}, mode=mode, scales=scales)
            else:
                yield one("Upsample", 9, {"x": x, "scales": np.array(scales, F32)}, constants=("scales",), mode=mode)
    for opset in (10, 11, 13, 18, 19):
        for _ in range(50):
            mode = pick(rng, "nearest", "nearest", "linear", "cubic") if opset >= 11 else pick(rng, "nearest", "linear")
            h, w = shape_of(rng, 2, 2, 7)
            scales = [1.0, 1.0, pick(rng, 2.0, 0.6, 1.3, 3.0, 0.5), pick(rng, 2.0, 1.0, 0.7, 2.6)]
            if mode == "linear":  # ONNX Runtime interpolates two axes
                scales[3] = pick(rng, 2.0, 0.7, 2.6)
            # Sizes on which everyone agrees, and which are not the old ones: ONNX Runtime copies then.
            if any(s != 1 and int(s * d + 1e-3) in (0, d) or (s * d + 1e-3) % 1 < 2e-3 and s % 0.5 != 0
                   for s, d in zip(scales[2:], (h, w))):
                scales[2:] = [2.0, 2.0]
            x = values((2, 3, h, w))
            given, attrs = {"x": x}, {"mode": mode}
            if opset == 10:
                given["scales"] = np.array(scales, F32)
                yield one("Resize", opset, given, constants=("scales",), **attrs)
                continue
            places = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
            places += ["half_pixel_symmetric"] * (opset >= 19)
            attrs["coordinate_transformation_mode"] = pick(rng, *places)
            if mode == "nearest":
                attrs["nearest_mode"] = pick(rng, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
                if opset < 13 and pick(rng, False, True):
                    attrs["coordinate_transformation_mode"] = "tf_half_pixel_for_nn"
            if mode == "cubic":
                attrs["cubic_coeff_a"] = pick(rng, -0.75, -0.5)
                attrs["exclude_outside"] = pick(rng, 0, 1)
            given["roi"] = None
            if pick(rng, False, True):
                given["scales"] = np.array(scales, F32)
            else:
                given["scales"] = None if opset >= 13 else np.zeros(0, F32)
                given["sizes"] = ints(2, 3, *shape_of(rng, 2, 2, 11))
                if opset >= 18 and mode == "nearest" and pick(rng, False, True):
                    attrs["keep_aspect_ratio_policy"] = pick(rng, "stretch", "not_larger", "not_smaller")
                    attrs["axes"] = [2, 3]
                    given["sizes"] = ints(h * pick(rng, 2, 3), w * pick(rng, 2, 4))  # no ties in rounding
            if opset < 13 and given["roi"] is None:
                given["roi"] = np.zeros(0, F32)
            yield one("Resize", opset, given, constants=("roi", "scales", "sizes"), **attrs)


def made_cases(values, one, opsets, rng):
    for opset in opsets:
        if opset < 9:
            continue
        for dtype in (TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.UINT8):
            value = helper.make_tensor("value", dtype, [1], [1])
            yield one("ConstantOfShape", opset, {"shape": ints(*shape_of(rng, pick(rng, 1, 2, 3), 0, 4))},
                      constants=("shape",), value=value)
        if opset < 11:
            continue
        for dtype, low, high, step in ((I64, 1, 17, 3), (I64, 9, -4, -2), (I32, 3, 3, 1), (F32, 0.5, 4, 0.25),
                                       (F32, 2, -1, -0.5)):
            given = {"a": np.array(low, dtype), "b": np.array(high, dtype), "c": np.array(step, dtype)}
            yield one("Range", opset, given, constants=given)


def all_cases(values, one, opsets, rng):
    for cases in (slice_cases, split_cases, pad_cases, spread_cases, scatter_cases, resize_cases, made_cases):
        yield from cases(values, one, opsets, rng)
