"""Models that the judge compresses: small random networks of every kind that the command must handle.

Each function adds one kind; `every()` gives them as Specimen: a model, arrays for all its inputs, and the rows for
--data (None: the model has several inputs, or its samples are no rows, so it is compressed without data).
"""

import collections
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Specimen = collections.namedtuple("Specimen", "name model feed rows traits")

F16, F32, F64 = np.float16, np.float32, np.float64
ROWS = 96
SPECIMENS = []


def kind(function):
    SPECIMENS.append(function)
    return function


class Net:
    """A network under construction; names are unique, weights are drawn from a generator of its own."""

    def __init__(self, name, opset=13, ir=8, dtype=F32, constants="initializer"):
        self.name, self.opset, self.ir, self.dtype, self.constants = name, opset, ir, dtype, constants
        self.rng = np.random.default_rng(sum(map(ord, name)) + opset)
        self.nodes, self.initializers, self.inputs, self.outputs, self.feed = [], [], [], [], {}
        self.counter = 0

    def fresh(self, what):
        self.counter += 1
        return f"{what}_{self.counter}"

    def input(self, shape, name="x", batch="N"):
        """A graph input; 0 in the shape is the batch."""
        dims = [batch if size == 0 else size for size in shape]
        sizes = [(ROWS if batch == "N" else batch) if size == 0 else size for size in shape]
        self.inputs.append(helper.make_tensor_value_info(name, self.type(), dims))
        self.feed[name] = self.rng.normal(size=sizes).astype(self.dtype)
        return name

    def type(self):
        return helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))

    def constant(self, array, what="c"):
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(self.dtype)
        name = self.fresh(what)
        if self.constants == "node":
            self.nodes.append(helper.make_node("Constant", [], [name], name=f"make_{name}",
                                               value=numpy_helper.from_array(array, name)))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def op(self, op, *inputs, out=None, **attributes):
        out = out or self.fresh(op.lower())
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=f"node_{out}", **attributes))
        return out

    def weight(self, *shape, gain=1.4):
        return self.rng.normal(size=shape, scale=gain / np.sqrt(shape[0]))

    def gemm(self, x, n_in, n_out, bias=True):
        inputs = [x, self.constant(self.weight(n_in, n_out).T, "w")]
        if bias:
            inputs.append(self.constant(self.rng.normal(size=n_out) * .3, "b"))
        return self.op("Gemm", *inputs, transB=1)

    def dense(self, x, n_in, n_out):
        """MatMul and Add."""
        product = self.op("MatMul", x, self.constant(self.weight(n_in, n_out), "w"))
        return self.op("Add", product, self.constant(self.rng.normal(size=n_out) * .3, "b"))

    def finish(self, y, data=True, traits=()):
        for name in [y] if isinstance(y, str) else y:
            self.outputs.append(onnx.ValueInfoProto(name=name))
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=self.ir,
                                  producer_name="zoo")
        # Ranks and types of the outputs, as an exporter would write them.
        inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(
            untyped(model), strict_mode=True, data_prop=True).graph.value_info}
        for output in model.graph.output:
            output.CopyFrom(inferred[output.name])
        sample = next(iter(self.feed.values())).shape[1:]
        rows = self.rng.normal(size=(ROWS, *sample)) if data else None
        return Specimen(f"{self.name}_{self.opset}", model, self.feed, rows, set(traits))


def untyped(model):
    """The model with its outputs as inner values, so that inference gives their types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = 8  # before 4, inference knows no initialisers that are not inputs
    del copy.graph.output[:]
    last = helper.make_tensor_value_info("untyped_end", TensorProto.INT64, None)
    copy.graph.node.append(helper.make_node("Shape", [model.graph.output[0].name], ["untyped_end"]))
    copy.graph.output.append(last)
    return copy


def mlp(net, activation="Relu", widths=(6, 20, 16, 3), dense=False, **attributes):
    x = net.input((0, widths[0]))
    for k in range(len(widths) - 1):
        x = (net.dense if dense else net.gemm)(x, widths[k], widths[k + 1])
        if k < len(widths) - 2:
            x = net.op(activation, x, **attributes)
    return x


@kind
def opsets():
    for opset in range(7, 22):
        net = Net("mlp", opset, ir=8 if opset > 8 else 3)
        if net.ir == 3:
            yield with_inputs(net.finish(mlp(net), traits=["relu", "few"]))
        else:
            yield net.finish(mlp(net), traits=["relu", "few"])
        net = Net("matmul", opset, ir=10)
        yield net.finish(net.op("Softmax", mlp(net, "Tanh", dense=True), axis=1), traits=["few"])


@kind
def activations():
    for op, opset in (("Sigmoid", 13), ("Tanh", 7), ("LeakyRelu", 13), ("Elu", 11), ("Softplus", 9), ("Gelu", 20),
                      ("HardSigmoid", 13), ("Identity", 13), ("Erf", 13), ("Abs", 13)):
        net = Net(op.lower(), opset, ir=9)
        yield net.finish(mlp(net, op))
    net = Net("relu6", 13)
    x = net.op("Clip", net.gemm(net.input((0, 6)), 6, 20), net.constant(np.float32(0)), net.constant(np.float32(6)))
    yield net.finish(net.gemm(x, 20, 3))
    net = Net("linear", 13)
    x = net.dense(net.dense(net.dense(net.input((0, 6)), 6, 20), 20, 16), 16, 2)
    yield net.finish(x)
    net = Net("silu", 13)
    z = net.gemm(net.input((0, 6)), 6, 20)
    yield net.finish(net.gemm(net.op("Mul", z, net.op("Sigmoid", z)), 20, 3))


@kind
def slopes():
    for shape in ((1,), (20,), (1, 20)):
        net = Net(f"prelu{len(shape)}{shape[-1]}", 16)
        x = net.gemm(net.input((0, 6)), 6, 20)
        yield net.finish(net.gemm(net.op("PRelu", x, net.constant(net.rng.uniform(.1, .5, shape))), 20, 3))


@kind
def norms():
    for before in (True, False):
        for opset in (9, 15):
            net = Net("bn_before" if before else "bn_after", opset)
            x = net.gemm(net.input((0, 6)), 6, 20)
            parameters = [net.constant(array, "n") for array in
                          (net.rng.uniform(.5, 2, 20), net.rng.normal(size=20), net.rng.normal(size=20),
                           net.rng.uniform(.3, 3, 20))]
            if not before:
                x = net.op("Relu", x)
            x = net.op("BatchNormalization", x, *parameters, epsilon=1e-3)
            if before:
                x = net.op("Relu", x)
            yield net.finish(net.gemm(x, 20, 3))


@kind
def branches():
    net = Net("concat")
    x = net.input((0, 6))
    a, b = net.op("Relu", net.gemm(x, 6, 12)), net.op("Tanh", net.gemm(x, 6, 10))
    yield net.finish(net.gemm(net.op("Relu", net.gemm(net.op("Concat", a, x, b, axis=1), 28, 14)), 14, 3))
    net = Net("residual")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    for _ in range(2):
        h = net.op("Relu", net.op("Add", net.gemm(net.op("Relu", net.gemm(h, 18, 14)), 14, 18), h))
    yield net.finish(net.gemm(h, 18, 3))
    net = Net("gate")
    x = net.input((0, 6))
    gated = net.op("Mul", net.op("Sigmoid", net.gemm(x, 6, 16)), net.dense(x, 6, 16))
    yield net.finish(net.gemm(gated, 16, 3))
    net = Net("two_consumers")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    yield net.finish([net.gemm(h, 18, 3), net.op("Softmax", net.dense(h, 18, 4), axis=-1)])
    net = Net("hidden_output")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    g = net.op("Relu", net.gemm(h, 18, 14))
    yield net.finish([net.gemm(g, 14, 3), h])
    net = Net("two_inputs")
    a, b = net.input((0, 6), "a"), net.input((0, 4), "b")
    h = net.op("Relu", net.op("Add", net.gemm(a, 6, 18), net.gemm(b, 4, 18)))
    yield net.finish(net.gemm(h, 18, 3), data=False)


@kind
def sharing():
    net = Net("shared_bias")
    bias = net.constant(net.rng.normal(size=16), "b")
    x = net.input((0, 6))
    for n_in in (6, 16, 16):
        x = net.op("Relu", net.op("Gemm", x, net.constant(net.weight(n_in, 16), "w"), bias))
    yield net.finish(net.gemm(x, 16, 3))
    net = Net("tied_square")
    w = net.constant(net.weight(16, 16), "w")
    x = net.op("Relu", net.gemm(net.input((0, 6)), 6, 16))
    for _ in range(3):
        x = net.op("Relu", net.op("MatMul", x, w))
    yield net.finish(net.gemm(x, 16, 3))
    net = Net("tied_transpose")
    w = net.constant(net.weight(6, 20), "w")
    h = net.op("Sigmoid", net.op("Gemm", net.input((0, 6)), w, net.constant(net.rng.normal(size=20), "b")))
    yield net.finish(net.op("Gemm", h, w, net.constant(net.rng.normal(size=6), "b"), transB=1))
    net = Net("tied_layers")
    w, b = net.constant(net.weight(6, 20), "w"), net.constant(net.rng.normal(size=20), "b")
    x = net.input((0, 6))
    sides = [net.op("Tanh", net.op("Gemm", side, w, b)) for side in (x, net.op("Neg", x))]
    yield net.finish(net.gemm(net.op("Sub", *sides), 20, 3))
    net = Net("shared_scalar")
    half = net.constant(np.float32(.5), "half")
    h = net.op("Mul", net.op("Relu", net.gemm(net.input((0, 6)), 6, 16)), half)
    h = net.op("Relu", net.gemm(net.op("Add", h, half), 16, 12))
    yield net.finish(net.gemm(net.op("Pow", h, half), 12, 3))


@kind
def shapes():
    net = Net("flatten")
    h = net.op("Relu", net.gemm(net.op("Flatten", net.input((0, 2, 3))), 6, 18))
    yield net.finish(net.gemm(h, 18, 3))
    net = Net("reshape")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    h = net.op("Reshape", net.op("Reshape", h, net.constant(np.array([-1, 3, 6]))), net.constant(np.array([-1, 18])))
    yield net.finish(net.gemm(h, 18, 3))
    net = Net("sequence")
    h = net.op("Relu", net.dense(net.input((0, 5, 6)), 6, 18))
    h = net.op("ReduceMean", net.op("Relu", net.dense(h, 18, 14)), axes=[1], keepdims=0)
    yield net.finish(net.gemm(h, 14, 3))
    net = Net("reduced_units")
    h = net.op("Relu", net.dense(net.input((0, 6)), 6, 18))
    yield net.finish(net.op("ReduceSum", h, net.constant(np.array([1])), keepdims=1))
    net = Net("transposed")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    h = net.op("Gemm", net.op("Transpose", h, perm=[1, 0]), net.constant(net.weight(18, 4), "w"),
               net.constant(net.rng.normal(size=4), "b"), transA=1, alpha=.5, beta=2.0)
    yield net.finish(h)
    net = Net("left")
    x = net.input((6, 0))
    h = net.op("MatMul", net.constant(net.weight(6, 18).T, "w"), x)
    h = net.op("Relu", net.op("Add", h, net.constant(net.rng.normal(size=(18, 1)), "b")))
    yield net.finish(net.op("MatMul", net.constant(net.weight(18, 3).T, "w"), h), data=False)
    net = Net("squeezed")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    axes = net.constant(np.array([1]))
    h = net.op("Squeeze", net.op("Tanh", net.op("Unsqueeze", h, axes)), axes)
    yield net.finish(net.gemm(h, 18, 3))
    net = Net("gathered")
    h = net.op("Relu", net.gemm(net.input((0, 6)), 6, 18))
    h = net.op("Gather", h, net.constant(np.arange(17, -1, -1)), axis=1)
    yield net.finish(net.gemm(h, 18, 3))
    net = Net("scaled_input")
    x = net.op("Div", net.op("Sub", net.input((0, 6)), net.constant(net.rng.normal(size=6))),
               net.constant(net.rng.uniform(.5, 2, 6)))
    h = net.op("Dropout", net.op("Relu", net.gemm(x, 6, 18)))
    yield net.finish(net.op("Mul", net.gemm(h, 18, 3), net.constant(net.rng.normal(size=3))))
    net = Net("inner_softmax")
    h = net.op("Softmax", net.gemm(net.input((0, 6)), 6, 18), axis=1)
    yield net.finish(net.gemm(net.op("Relu", net.gemm(h, 18, 12)), 12, 3))
    net = Net("fixed_batch")
    h = net.op("Relu", net.gemm(net.op("Flatten", net.input((0, 6, 1), batch=1)), 6, 18))
    yield net.finish(net.gemm(h, 18, 3))


@kind
def element_types():
    for dtype, name in ((F16, "half"), (F64, "double")):
        net = Net(name, 13, dtype=dtype)
        yield net.finish(mlp(net, "Relu"), traits=["half"] if dtype is F16 else [])
        net = Net(f"{name}_dense", 13, dtype=dtype)
        yield net.finish(mlp(net, "Tanh", dense=True), traits=["half"] if dtype is F16 else [])
    net = Net("half_weights")
    x = net.input((0, 6))
    for n_in, n_out in ((6, 20), (20, 3)):
        net.initializers.append(numpy_helper.from_array(net.weight(n_in, n_out).astype(F16), net.fresh("w16")))
        w = net.op("Cast", net.initializers[-1].name, to=TensorProto.FLOAT)
        x = net.op("Relu", net.op("MatMul", x, w))
    yield net.finish(x)


@kind
def storage():
    net = Net("constant_nodes", constants="node")
    yield net.finish(mlp(net))
    net = Net("constant_dense", 9, constants="node")
    yield net.finish(mlp(net, "Sigmoid", dense=True))
    net = Net("no_bias", 11)
    h = net.op("Sigmoid", net.gemm(net.input((0, 6)), 6, 18, bias=False))
    yield net.finish(net.gemm(h, 18, 3, bias=False))
    net = Net("ir3", 8, ir=3)
    yield with_inputs(net.finish(mlp(net)))
    net = Net("ir3_dense", 7, ir=3)
    yield with_inputs(net.finish(mlp(net, "Tanh", dense=True)))
    net = Net("external", 13)
    yield net.finish(mlp(net), traits=["external"])
    net = Net("float_data", 13)
    specimen = net.finish(mlp(net))
    for tensor in specimen.model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        tensor.ClearField("raw_data")
        tensor.float_data.extend(array.ravel().tolist())
    yield specimen
    net = Net("annotated", 15)
    yield annotated(net.finish(mlp(net, widths=(6, 20, 16, 12, 3))))
    net = Net("annotated_dense", 17)
    yield annotated(net.finish(mlp(net, "Tanh", dense=True)))
    net = Net("duplicates")
    first = net.weight(6, 10)
    h = net.op("Relu", net.op("MatMul", net.input((0, 6)), net.constant(np.concatenate([first, first], 1), "w")))
    yield net.finish(net.gemm(h, 20, 3))


@kind
def random_graphs():
    """Graphs drawn step by step: layers, sums and products of equal widths, joints, norms, repeated weights."""
    for seed in range(16):
        net = Net(f"random{seed}", (9, 11, 13, 15, 17)[seed % 5])
        rng = np.random.default_rng(seed)
        seen = [(net.input((0, 6)), 6)]
        square = net.constant(net.weight(12, 12), "square")
        for _ in range(9):
            x, width = seen[rng.integers(max(0, len(seen) - 3), len(seen))]
            equal = [name for name, other in seen if other == width and name != x]
            step = rng.integers(6)
            if step == 0 and equal:
                x = net.op(str(rng.choice(["Add", "Sub", "Mul"])), x, str(rng.choice(equal)))
            elif step == 1 and len(seen) > 1 and width < 20:
                y, more = seen[rng.integers(len(seen))]
                x, width = net.op("Concat", x, y, axis=1), width + more
            elif step == 2:
                x = net.op("BatchNormalization", x, *(net.constant(array, "n") for array in (
                    rng.uniform(.5, 2, width), rng.normal(size=width), rng.normal(size=width),
                    rng.uniform(.5, 2, width))))
            elif step == 3 and width == 12:
                x = net.op("MatMul", x, square)
            else:
                n_out = int(rng.choice([8, 12, 16]))
                x = net.gemm(x, width, n_out) if rng.integers(2) else net.dense(x, width, n_out)
                width = n_out
            x = net.op(str(rng.choice(["Relu", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Identity"])), x)
            seen.append((x, width))
        yield net.finish(net.gemm(seen[-1][0], seen[-1][1], 3))


@kind
def architectures():
    """The small networks of tests/contract/architectures."""
    folder = pathlib.Path(__file__).parent.parent / "contract" / "architectures"
    for path in sorted(folder.glob("*.onnx")):
        model = onnx.load(path)
        rng = np.random.default_rng(0)
        feed = {value.name: rng.normal(size=[dim.dim_value or ROWS for dim in value.type.tensor_type.shape.dim])
                .astype(F32) for value in model.graph.input}
        (_, first), *more = feed.items()
        traits = {"few", "shuffle"} if "shuffle" in path.stem else {"few"}
        yield Specimen(f"net_{path.stem}", model, feed, None if more else rng.normal(size=first.shape), traits)


def with_inputs(specimen):
    """IR 3: every initialiser is declared as an input too."""
    for tensor in specimen.model.graph.initializer:
        specimen.model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return specimen


def annotated(specimen):
    """Types of all inner values, metadata and doc strings."""
    model = onnx.shape_inference.infer_shapes(specimen.model, strict_mode=True, data_prop=True)
    model.doc_string, model.graph.doc_string = "the model's text", "the graph's text"
    model.domain, model.model_version, model.producer_version = "org.example", 7, "1.2"
    for key in ("author", "license"):
        model.metadata_props.add(key=key, value=f"{key} of the model")
    for node in model.graph.node:
        node.doc_string = f"text of {node.name}"
    for value in [*model.graph.input, *model.graph.output]:
        value.doc_string = f"text of {value.name}"
    return specimen._replace(model=model)


def every():
    for function in SPECIMENS:
        yield from function()
