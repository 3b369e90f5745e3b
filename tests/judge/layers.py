"""Cases for ops.py: comparisons and logic, operands of any number, recurrent layers, quantisation, Einsum."""

import numpy as np
from onnx import TensorProto, helper

F32, F16, I32, I64, U8, I8, BOOL = np.float32, np.float16, np.int32, np.int64, np.uint8, np.int8, np.bool_

UNARY = [  # operator, first opset, low, high, attributes
    ("HardSwish", 14, -5, 5, {}), ("Mish", 18, -5, 25, {}), ("Selu", 7, -5, 5, {}),
    ("Selu", 7, -5, 5, {"alpha": 0.5, "gamma": 2.0}), ("Celu", 12, -5, 5, {}), ("Celu", 12, -5, 5, {"alpha": 0.5}),
    ("ThresholdedRelu", 10, -5, 5, {}), ("ThresholdedRelu", 10, -5, 5, {"alpha": 0.25}), ("Softsign", 7, -5, 5, {}),
    ("Sign", 9, -5, 5, {}), ("Floor", 7, -5, 5, {}), ("Ceil", 7, -5, 5, {}), ("Round", 11, -5, 5, {}),
    ("Reciprocal", 7, 0.3, 5, {}), ("Sin", 7, -5, 5, {}), ("Cos", 7, -5, 5, {}),
]

SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((), (2, 3)), ((2, 1), (3,)), ((2, 3, 4, 5), (3, 1, 1)),
          ((2, 3, 1, 4), (1, 3, 5, 4)), ((0, 3), (3,)), ((300, 1), (1, 211))]


def comparison_cases(values, one, opsets, rng):
    for opset in opsets:
        for a, b in SHAPES:
            for op, since in (("Equal", 11), ("Less", 7), ("Greater", 7), ("LessOrEqual", 12), ("GreaterOrEqual", 12)):
                if opset >= since:
                    yield one(op, opset, {"a": values(a), "b": values(b)})
                if opset >= max(since, 9) or op == "Equal":
                    yield one(op, opset, {"a": values(a, I64, -2, 2), "b": values(b, I64, -2, 2)})
            for op in ("And", "Or", "Xor"):
                flags = [np.asarray(values(shape, I64, 0, 1) > 0) for shape in (a, b)]
                yield one(op, opset, {"a": flags[0], "b": flags[1]})
            if opset >= 9:
                condition = np.asarray(values((3, 1) if a == (2, 3) and b == () else b, I64, 0, 1) > 0)
                for dtype in (F32, I64):
                    yield one("Where", opset, {"c": condition, "x": values(a, dtype), "z": values(b, dtype)},
                              constants=rng.choice(["z", ""], 1))
        yield one("Not", opset, {"x": values((4, 5), I64, 0, 1) > 0})
        yield one("Size", opset, {"x": values((4, 5))})


def variadic_cases(values, one, opsets, rng):
    for opset in opsets:
        for op in ("Max", "Min", "Sum", "Mean"):
            for a, b in SHAPES if opset >= 8 else SHAPES[:1]:
                yield one(op, opset, {"a": values(a), "b": values(b)})
                yield one(op, opset, {"a": values(a), "b": values(b), "c": values(a)}, constants=["b"])
            yield one(op, opset, {"a": values((2, 3))})
            if op in ("Max", "Min") and opset >= 12:
                yield one(op, opset, {"a": values((2, 3), I64, -9, 9), "b": values((3,), I64, -9, 9)})
        if opset >= 10:
            for dtype in (I64, I32):
                divisor = values((3,), dtype, 1, 4) * np.array([1, -1, 1], dtype)
                yield one("Mod", opset, {"a": values((2, 3), dtype, -9, 9), "b": divisor})
                yield one("Mod", opset, {"a": values((2, 3), dtype, -9, 9), "b": divisor}, fmod=1)
            yield one("Mod", opset, {"a": values((2, 3)), "b": values((3,), F32, 0.5, 2)}, fmod=1)


FUNCTIONS = ["Sigmoid", "Tanh", "Relu", "LeakyRelu", "HardSigmoid", "Elu", "Softsign", "Softplus", "Affine",
             "ScaledTanh", "ThresholdedRelu"]
ALPHA = {"LeakyRelu", "HardSigmoid", "Elu", "Affine", "ScaledTanh", "ThresholdedRelu"}
BETA = {"HardSigmoid", "Affine", "ScaledTanh"}


def functions(count, rng):
    """Attributes that name `count` functions."""
    names = [str(name) for name in rng.choice(FUNCTIONS, count)]
    alpha = [float(np.float32(rng.uniform(0.1, 0.9))) for name in names if name in ALPHA]
    beta = [float(np.float32(rng.uniform(0.1, 0.9))) for name in names if name in BETA]
    attrs = {"activations": names}
    if alpha:
        attrs["activation_alpha"] = alpha
    if beta:
        attrs["activation_beta"] = beta
    return attrs


def recurrent_case(op, opset, one, rng):
    gates, count, outputs = {"LSTM": (4, 3, 3), "GRU": (3, 2, 2), "RNN": (1, 1, 2)}[op]
    steps, batch, width, hidden = (int(n) for n in rng.integers(1, 7, 4))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    d = 2 if direction == "bidirectional" else 1

    def draw(*shape):
        return rng.uniform(-0.7, 0.7, shape).astype(F32)

    inputs = {"x": draw(steps, batch, width), "w": draw(d, gates * hidden, width), "r": draw(d, gates * hidden, hidden),
              "b": None, "lengths": None, "h": None}
    attrs = {"hidden_size": hidden, "direction": direction}
    if rng.integers(2):
        inputs["b"] = draw(d, 2 * gates * hidden)
    if rng.integers(3) == 0:
        inputs["lengths"] = rng.integers(1, steps + 1, batch).astype(I32)
    if rng.integers(2):
        inputs["h"] = draw(d, batch, hidden)
    if op == "LSTM":
        inputs["c"] = draw(d, batch, hidden) if rng.integers(2) else None
        inputs["p"] = draw(d, 3 * hidden) if rng.integers(2) else None
        if rng.integers(4) == 0 and inputs["p"] is None:
            attrs["input_forget"] = 1
    if op == "GRU" and rng.integers(2):
        attrs["linear_before_reset"] = 1
    if rng.integers(3) == 0:
        attrs["clip"] = 0.5
    if rng.integers(2):
        attrs.update(functions(d * count, rng))
    while list(inputs.values())[-1] is None:
        inputs.popitem()
    return one(op, opset, inputs, constants=["w", "r", "b", "p"], outputs=("y", "h_out", "c_out")[:outputs], **attrs)


def recurrent_cases(values, one, opsets, rng):
    for opset in opsets:
        for op in ("LSTM", "GRU", "RNN"):
            for _ in range(12):
                yield recurrent_case(op, opset, one, rng)
    for op, gates in (("LSTM", 4), ("GRU", 3)):  # as large as in use
        inputs = {"x": values((20, 3, 40), F32, -1, 1), "w": values((1, gates * 64, 40), F32, -0.2, 0.2),
                  "r": values((1, gates * 64, 64), F32, -0.2, 0.2), "b": values((1, 2 * gates * 64), F32, -0.2, 0.2)}
        yield one(op, 14, inputs, constants=["w", "r", "b"], hidden_size=64)


def quantise_cases(values, one, opsets, rng):
    for opset in opsets:
        if opset < 10:
            continue
        for dtype in (U8, I8):
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            zero = np.array(rng.integers(low, high + 1), dtype)
            scale = np.array(rng.uniform(0.01, 0.1), F32)
            x = values((3, 4, 5), F32, -9, 9)
            yield one("QuantizeLinear", opset, {"x": x, "s": scale, "z": zero}, constants=["s", "z"])
            yield one("DequantizeLinear", opset, {"x": values((3, 4, 5), dtype, low, high), "s": scale, "z": zero})
            if opset < 13:
                continue
            for axis, n in ((0, 3), (1, 4), (-1, 5)):
                scales = values((n,), F32, 0.01, 0.1)
                zeros = values((n,), dtype, low, high)
                yield one("QuantizeLinear", opset, {"x": x, "s": scales, "z": zeros}, constants=["s", "z"], axis=axis)
                levels = values((3, 4, 5), dtype, low, high)
                yield one("DequantizeLinear", opset, {"x": levels, "s": scales, "z": zeros}, axis=axis)
        yield one("QuantizeLinear", opset, {"x": values((7,), F32, -9, 300), "s": np.array(1.5, F32)})
        yield one("DequantizeLinear", opset, {"x": values((7,), I32, -10**6, 10**6), "s": np.array(0.25, F32)})
        if opset >= 21:
            x = values((2, 6), F32, -9, 9)
            blocks = {"s": values((2, 2), F32, 0.05, 0.1), "z": values((2, 2), U8, 0, 255)}
            yield one("QuantizeLinear", opset, {"x": x, **blocks}, axis=1, block_size=3)
            yield one("DequantizeLinear", opset, {"x": values((2, 6), U8, 0, 255), **blocks}, axis=1, block_size=3)
        if opset >= 11:
            for low, high in ((-3, 5), (1, 2), (-2, -1)):
                yield one("DynamicQuantizeLinear", opset, {"x": values((3, 4), F32, low, high)},
                          outputs=("y", "scale", "zero"))


def einsum_cases(values, one, opsets, rng):
    size = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 1}
    for opset in opsets:
        if opset < 12:
            continue
        for equation in ("ab->ba", "ab->", "aa->a", "aab->b", "abc->ca", "ab,bc->ac", "ab,cb->ca", "abc,cd->abd",
                         "abc,bcd->ad", "abcd,aced->abce", "abd,acd->abc", "a,b->ab", "ab,ab->a", "ab,ab->",
                         "ab,ac->abc", "abc,a->bc", "ba,ba", "ab,bc,cd->ad", "aab,bc->ac"):
            terms = equation.split("->")[0].split(",")
            inputs = {f"x{i}": values([size[c] for c in term]) for i, term in enumerate(terms)}
            yield one("Einsum", opset, inputs, constants=rng.choice(["x1", ""], 1), equation=equation)
        for equation, shapes in (("...ab,...bc->...ac", ((2, 3, 4), (2, 4, 5))),
                                 ("...ab,...bc->...ac", ((6, 2, 3, 4), (1, 1, 4, 5))),
                                 ("...a,ab->...b", ((2, 3, 4), (4, 5))), ("a...->...a", ((2, 3, 4),))):
            inputs = {f"x{i}": values(shape) for i, shape in enumerate(shapes)}
            yield one("Einsum", opset, inputs, equation=equation)
        yield one("Einsum", opset, {"a": values((2, 3), I64, -9, 9), "b": values((3,), I64, -9, 9)}, must=False,
                  equation="ab,b->a")


def branch(name, nodes):
    """A subgraph that gives out what its last node makes."""
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT,
                                                                             None)])


def if_cases(values, one, opsets, rng):
    for opset in opsets:
        for flag in (True, False):
            inner = helper.make_node("If", ["n"], ["i"],
                                     then_branch=branch("a", [helper.make_node("Abs", ["x"], ["a"])]),
                                     else_branch=branch("b", [helper.make_node("Mul", ["x", "w"], ["b"])]))
            nodes = [helper.make_node("If", ["c"], ["y"],
                                      then_branch=branch("t", [helper.make_node("Not", ["c"], ["n"]), inner,
                                                               helper.make_node("Neg", ["i"], ["t"])]),
                                      else_branch=branch("e", [helper.make_node("Add", ["x", "w"], ["e"])]))]
            case = one("If", opset, {"c": np.array(flag), "x": values((2, 3)), "w": values((3,))},
                       constants=["w", str(rng.choice(["c", ""]))])
            yield case._replace(nodes=nodes)


def all_cases(values, one, opsets, rng):
    for cases in (comparison_cases, variadic_cases, recurrent_cases, quantise_cases, einsum_cases, if_cases):
        yield from cases(values, one, opsets, rng)
