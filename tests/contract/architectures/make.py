"""Writes the networks of this folder: one small network with random weights for each way in which published
architectures connect their layers. test_architectures.c cuts them. Needs onnx and numpy; the same bytes every time.

Blocks are written as exporters write them: BatchNormalization behind its convolution, target shapes computed by nodes.
"""

import pathlib
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NETS = []


def network(function):
    NETS.append(function)
    return function


class Net:
    def __init__(self, name, opset):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.counter = 0

    def input(self, *shape, name="x"):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]))
        return name

    def constant(self, array):
        self.counter += 1
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        self.initializers.append(numpy_helper.from_array(array, f"c{self.counter}"))
        return f"c{self.counter}"

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def op(self, op, *inputs, outputs=1, **attributes):
        self.counter += 1
        names = [f"{op.lower()}{self.counter}" + (f"_{o}" if outputs > 1 else "") for o in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    # ---- layers ----

    def conv(self, x, n_in, n_out, size=3, stride=1, group=1, bias=True, dims=2, **attributes):
        weight = self.rng.normal(size=(n_out, n_in // group, *[size] * dims))
        weight *= 1.5 / np.sqrt(weight[0].size)
        attributes.setdefault("pads", [size // 2] * 2 * dims)
        if attributes["pads"] is None:
            del attributes["pads"]
        attributes.setdefault("strides", [stride] * dims)
        inputs = [x, self.constant(weight)] + ([self.constant(self.rng.normal(size=n_out) * .3)] if bias else [])
        return self.op("Conv", *inputs, kernel_shape=[size] * dims, group=group, **attributes)

    def depthwise(self, x, n, size=3, **rest):
        return self.conv(x, n, n, size, group=n, **rest)

    def norm(self, x, n):
        arrays = self.rng.uniform(.6, 1.6, n), self.rng.normal(size=n) * .3, self.rng.normal(size=n) * .2, \
            self.rng.uniform(.5, 2, n)
        return self.op("BatchNormalization", x, *map(self.constant, arrays), epsilon=1e-5)

    def block(self, x, n_in, n_out, size=3, act="Relu", **rest):
        """Convolution, normalisation, activation (None: none)."""
        y = self.norm(self.conv(x, n_in, n_out, size, bias=False, **rest), n_out)
        return self.act(y, act)

    def act(self, x, act):
        if act == "Silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if act == "Relu6":
            return self.op("Clip", x, self.constant(np.float32(0)), self.constant(np.float32(6)))
        return x if act is None else self.op(act, x)

    def gemm(self, x, n_in, n_out):
        weight = self.rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        return self.op("Gemm", x, self.constant(weight), self.constant(self.rng.normal(size=n_out) * .3), transB=1)

    def dim(self, x, axis):
        """Size of an axis as a list of one, computed by nodes."""
        size = self.op("Gather", self.op("Shape", x), self.constant(np.int64(axis)), axis=0)
        return self.op("Unsqueeze", size, self.ints(0))

    def flatten(self, x):
        """x.view(x.size(0), -1)"""
        return self.op("Reshape", x, self.op("Concat", self.dim(x, 0), self.ints(-1), axis=0))

    def head(self, x, n, classes=3):
        return self.gemm(self.op("Flatten", self.op("GlobalAveragePool", x)), n, classes)

    def output(self, *names, shape=None):
        """shape: without the batch, where the checker cannot infer it."""
        self.outputs.extend((name, shape) for name in names)

    def model(self):
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape and ["N", *shape])
                   for name, shape in self.outputs]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8,
                                  producer_name="make.py")
        known = {v.name: v for v in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output}
        for output in model.graph.output:
            if not output.type.tensor_type.HasField("shape"):
                output.CopyFrom(known[output.name])
        onnx.checker.check_model(model, full_check=True)
        return model


# ---- residual ----


@network
def residual(net=Net("residual", 13)):
    """ResNet: two blocks, the second with stride 2 and a 1x1 convolution in its shortcut."""
    x = net.block(net.input(3, 8, 8), 3, 6)
    y = net.block(net.block(x, 6, 5), 5, 6, act=None)
    x = net.op("Relu", net.op("Add", y, x))
    y = net.block(net.block(x, 6, 7, stride=2), 7, 8, act=None)
    x = net.op("Relu", net.op("Add", y, net.block(x, 6, 8, 1, act=None, stride=2)))
    net.output(net.head(net.op("Relu", net.op("Add", x, net.block(x, 8, 8, act=None))), 8))
    return net


@network
def padded_shortcut(net=Net("padded_shortcut", 13)):
    """ResNet of CIFAR-10: the shortcut takes every second pixel and pads channels with zeros, by computed amounts."""
    x = net.block(net.input(3, 8, 8), 3, 4)
    y = net.block(net.block(x, 4, 6, stride=2), 6, 8, act=None)
    size = 2 ** 31
    short = net.op("Slice", x, net.ints(0, 0), net.ints(size, size), net.ints(2, 3), net.ints(2, 2))
    amounts = net.op("Concat", net.ints(0), net.ints(2), net.ints(0, 0, 0), net.ints(2), net.ints(0, 0), axis=0)
    short = net.op("Pad", short, amounts, mode="constant")
    x = net.op("Relu", net.op("Add", y, short))
    net.output(net.gemm(net.flatten(net.op("AveragePool", x, kernel_shape=[4, 4])), 8, 3))
    return net


@network
def preactivation(net=Net("preactivation", 9)):
    """Normalisation and activation in front of the convolution: BatchNormalization behind a sum."""
    x = net.conv(net.input(2, 6, 6), 2, 6)
    for _ in range(2):
        y = net.conv(net.op("Relu", net.norm(x, 6)), 6, 5)
        x = net.op("Add", x, net.conv(net.op("Relu", net.norm(y, 5)), 5, 6))
    net.output(net.head(net.op("Relu", net.norm(x, 6)), 6))
    return net


# ---- concatenation ----


@network
def dense_block(net=Net("dense_block", 13)):
    """DenseNet: every layer reads all before it; a transition halves the width."""
    x, n = net.conv(net.input(3, 8, 8), 3, 6, bias=False), 6
    for _ in range(3):
        y = net.conv(net.op("Relu", net.norm(x, n)), n, 8, 1, bias=False)
        y = net.conv(net.op("Relu", net.norm(y, 8)), 8, 4, bias=False)
        x, n = net.op("Concat", x, y, axis=1), n + 4
    x = net.conv(net.op("Relu", net.norm(x, n)), n, 7, 1, bias=False)
    x = net.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    net.output(net.head(net.op("Relu", net.norm(x, 7)), 7))
    return net


@network
def inception(net=Net("inception", 11)):
    """Branches of several sizes, one behind pooling, joined."""
    x = net.block(net.input(3, 8, 8), 3, 6)
    a = net.block(x, 6, 4, 1)
    b = net.block(net.block(x, 6, 5, 1), 5, 6)
    c = net.block(net.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]), 6, 3, 1)
    x = net.op("Concat", a, b, c, axis=1)
    net.output(net.gemm(net.op("Flatten", net.op("MaxPool", net.block(x, 13, 5), kernel_shape=[4, 4],
                                                 strides=[4, 4])), 20, 3))
    return net


@network
def fire(net=Net("fire", 12)):
    """SqueezeNet: a narrow layer read by two wide ones; a convolution as the classifier."""
    x = net.op("Relu", net.conv(net.input(3, 9, 9), 3, 8, stride=2, pads=[0, 0, 0, 0]))
    for n in (8, 11):
        s = net.op("Relu", net.conv(x, n, 4, 1))
        x = net.op("Concat", net.op("Relu", net.conv(s, 4, 5, 1)), net.op("Relu", net.conv(s, 4, 6)), axis=1)
    x = net.op("Relu", net.conv(net.op("Dropout", x), 11, 3, 1))
    net.output(net.op("Softmax", net.op("Flatten", net.op("GlobalAveragePool", x)), axis=1))
    return net


# ---- depthwise, gates, shuffles ----


@network
def inverted_residual(net=Net("inverted_residual", 13)):
    """MobileNetV2: expand, depthwise, project without activation; a sum around it."""
    x = net.block(net.input(3, 8, 8), 3, 5, act="Relu6", stride=2)
    y = net.block(x, 5, 10, 1, act="Relu6")
    y = net.block(y, 10, 10, group=10, act="Relu6")
    x = net.op("Add", x, net.block(y, 10, 5, 1, act=None))
    y = net.block(net.block(x, 5, 9, 1, act="Relu6"), 9, 9, group=9, stride=2, act="Relu6")
    net.output(net.head(net.block(net.block(y, 9, 6, 1, act=None), 6, 12, 1, act="Relu6"), 12))
    return net


@network
def squeeze_excite(net=Net("squeeze_excite", 14)):
    """MobileNetV3: gates computed from the mean of every channel, by convolutions and by dense layers."""
    x = net.block(net.input(3, 8, 8), 3, 6, act="HardSwish")
    y = net.depthwise(net.block(x, 6, 10, 1), 10)
    gate = net.op("Relu", net.conv(net.op("GlobalAveragePool", y), 10, 4, 1))
    gate = net.op("HardSigmoid", net.conv(gate, 4, 10, 1), alpha=1 / 6)
    x = net.op("Add", x, net.block(net.op("Mul", gate, y), 10, 6, 1, act=None))
    y = net.block(x, 6, 8, act="Silu")
    mean = net.op("ReduceMean", y, axes=[2, 3], keepdims=0)
    gate = net.op("Sigmoid", net.gemm(net.op("Relu", net.gemm(mean, 8, 3)), 3, 8))
    gate = net.op("Reshape", gate, net.op("Concat", net.dim(gate, 0), net.ints(8, 1, 1), axis=0))
    net.output(net.head(net.op("Mul", y, gate), 8))
    return net


@network
def split_shuffle(net=Net("split_shuffle", 13)):
    """ShuffleNetV2: half of the channels pass, half are computed; then the halves are interleaved."""
    x = net.block(net.input(3, 8, 8), 3, 8)
    for _ in range(2):
        a, b = net.op("Split", x, net.ints(4, 4), axis=1, outputs=2)
        b = net.block(net.block(net.block(b, 4, 6, 1), 6, 6, group=6, act=None), 6, 4, 1)
        x = net.op("Concat", a, b, axis=1)
        x = net.op("Reshape", x, net.ints(-1, 2, 4, 8, 8))
        x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3, 4]), net.ints(-1, 8, 8, 8))
    net.output(net.head(net.block(x, 8, 9, 1), 9))
    return net


@network
def ghost(net=Net("ghost", 13)):
    """GhostNet: half of the channels are cheap functions of the other half."""
    x = net.input(3, 6, 6)
    n_in = 3
    for n in (5, 4):
        y = net.block(x, n_in, n, 1)
        x, n_in = net.op("Concat", y, net.block(y, n, n, group=n), axis=1), 2 * n
    net.output(net.head(x, 8))
    return net


@network
def grouped(net=Net("grouped", 13)):
    """ResNeXt: convolutions of two groups, and one that multiplies channels (depth multiplier 2)."""
    x = net.block(net.input(3, 8, 8), 3, 8)
    y = net.block(net.block(net.block(x, 8, 12, 1), 12, 12, group=2), 12, 8, 1, act=None)
    x = net.op("Relu", net.op("Add", x, y))
    y = net.block(x, 8, 16, group=8)
    net.output(net.head(net.block(y, 16, 6, 1), 6))
    return net


@network
def convnext(net=Net("convnext", 17)):
    """Depthwise 5x5, normalisation over channels (which freezes them), a dense pair in between, a scale, a sum."""
    x = net.conv(net.input(3, 8, 8), 3, 6, 2, stride=2, pads=[0, 0, 0, 0])
    y = net.op("Transpose", net.depthwise(x, 6, 5), perm=[0, 2, 3, 1])
    y = net.op("LayerNormalization", y, net.constant(net.rng.uniform(.5, 2, 6)), net.constant(net.rng.normal(size=6)))
    for n_in, n_out in ((6, 10), (10, 6)):
        y = net.op("Add", net.op("MatMul", y, net.constant(net.rng.normal(size=(n_in, n_out)) / 3)),
                   net.constant(net.rng.normal(size=n_out)))
        if n_out == 10:
            y = net.op("Mul", y, net.op("Sigmoid", net.op("Mul", y, net.constant(np.float32(1.702)))))
    y = net.op("Mul", y, net.constant(net.rng.uniform(.5, 1, 6)))
    x = net.op("Add", x, net.op("Transpose", y, perm=[0, 3, 1, 2]))
    net.output(net.head(net.op("Relu", net.conv(x, 6, 7)), 7))
    return net


# ---- up and down ----


@network
def unet(net=Net("unet", 13)):
    """Down by pooling, up by transposed convolution, with the other side's channels beside it."""
    a = net.block(net.input(1, 8, 8), 1, 4)
    b = net.block(net.op("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2]), 4, 6)
    c = net.block(net.op("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2]), 6, 8)
    for skip, n_in, n in ((b, 8, 6), (a, 6, 4)):
        weight = net.rng.normal(size=(n_in, n, 2, 2)) / np.sqrt(n_in)
        up = net.op("ConvTranspose", c, net.constant(weight), net.constant(net.rng.normal(size=n) * .3),
                    kernel_shape=[2, 2], strides=[2, 2])
        c = net.block(net.op("Concat", skip, up, axis=1), 2 * n, n)
    net.output(net.op("Sigmoid", net.conv(c, 4, 2, 1)))
    return net


@network
def pyramid(net=Net("pyramid", 13)):
    """Feature pyramid: sums of resized levels whose sizes are computed; one head's weights on every level."""
    a = net.block(net.input(3, 8, 8), 3, 5)
    b = net.block(a, 5, 7, stride=2)
    top = net.conv(b, 7, 6, 1)
    sizes = net.op("Concat", net.op("Slice", net.op("Shape", top), net.ints(0), net.ints(2), net.ints(0)),
                   net.op("Slice", net.op("Shape", a), net.ints(2), net.ints(4), net.ints(0)), axis=0)
    up = net.op("Resize", top, "", "", sizes, mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")
    low = net.op("Add", net.conv(a, 5, 6, 1), up)
    tower = [net.constant(net.rng.normal(size=(6, 6, 3, 3)) / 7), net.constant(net.rng.normal(size=6))]
    last = [net.constant(net.rng.normal(size=(4, 6, 1, 1)) / 2), net.constant(net.rng.normal(size=4))]
    for level in (low, top):
        y = net.op("Relu", net.op("Conv", level, *tower, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        net.output(net.op("Conv", y, *last, kernel_shape=[1, 1]))
    return net


@network
def pixel_shuffle(net=Net("pixel_shuffle", 13)):
    """Super-resolution: channels become pixels, once by DepthToSpace, once by a reshape."""
    x = net.op("Relu", net.conv(net.input(1, 5, 5), 1, 6))
    x = net.op("DepthToSpace", net.op("Relu", net.conv(x, 6, 12)), blocksize=2, mode="CRD")
    x = net.op("Relu", net.conv(x, 3, 5))
    x = net.op("Reshape", net.conv(x, 5, 8, 1), net.ints(-1, 2, 2, 2, 10, 10))
    x = net.op("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    net.output(net.conv(net.op("Reshape", x, net.ints(-1, 2, 20, 20)), 2, 1, 1))
    return net


# ---- detectors ----


@network
def c2f(net=Net("c2f", 17)):
    """YOLOv8: halves by Slice at computed places, a sum inside, all parts joined; pooling thrice; two heads."""
    x = net.block(net.input(3, 16, 16), 3, 8, act="Silu", stride=2)
    y = net.block(x, 8, 8, 1, act="Silu")
    half = net.op("Mul", net.op("Div", net.op("Add", net.dim(y, 1), net.ints(1)), net.ints(2)), net.ints(1))
    parts = [net.op("Slice", y, net.ints(0), half, net.ints(1)),
             net.op("Slice", y, half, net.op("Mul", half, net.ints(2)), net.ints(1))]
    for _ in range(2):
        z = net.block(net.block(parts[-1], 4, 4, act="Silu"), 4, 4, act="Silu")
        parts.append(net.op("Add", parts[-1], z))
    x = net.block(net.op("Concat", *parts, axis=1), 16, 8, 1, act="Silu")
    y = net.block(x, 8, 4, 1, act="Silu")
    pooled = [y]
    for _ in range(3):
        pooled.append(net.op("MaxPool", pooled[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
    x = net.block(net.op("Concat", *pooled, axis=1), 16, 8, 1, act="Silu")
    box = net.conv(net.block(x, 8, 5, act="Silu"), 5, 8, 1)
    kind = net.conv(net.block(x, 8, 6, act="Silu"), 6, 3, 1)
    y = net.op("Reshape", net.op("Concat", box, kind, axis=1), net.ints(-1, 11, 64))
    box, kind = net.op("Split", y, net.ints(8, 3), axis=1, outputs=2)
    box = net.op("Softmax", net.op("Transpose", net.op("Reshape", box, net.ints(-1, 4, 2, 64)), perm=[0, 2, 1, 3]),
                 axis=1)
    box = net.op("Reshape", net.conv(box, 2, 1, 1, bias=False), net.ints(-1, 4, 64))
    net.output(net.op("Concat", box, net.op("Sigmoid", kind), axis=1))
    return net


@network
def focus_csp(net=Net("focus_csp", 13)):
    """YOLOX: pixels into channels by strided slices, a cross-stage block, upsampling, levels joined at the end."""
    x = net.input(3, 16, 16)
    big = 2 ** 31
    quarters = []
    for left, top in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = net.op("Slice", x, net.ints(top), net.ints(big), net.ints(2), net.ints(2))
        quarters.append(net.op("Slice", rows, net.ints(left), net.ints(big), net.ints(3), net.ints(2)))
    x = net.block(net.op("Concat", *quarters, axis=1), 12, 6, 1, act="Silu")
    a, b = net.block(x, 6, 4, 1, act="Silu"), net.block(x, 6, 5, 1, act="Silu")
    y = net.block(net.depthwise(net.block(a, 4, 4, 1, act="Silu"), 4), 4, 4, 1, act="Silu")
    x = net.block(net.op("Concat", net.op("Add", a, y), b, axis=1), 9, 6, 1, act="Silu")
    low = net.block(x, 6, 7, stride=2, act="Silu")
    up = net.op("Resize", low, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
                nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    x = net.block(net.op("Concat", up, x, axis=1), 13, 6, 1, act="Silu")
    flat = []
    for level, n in ((x, 6), (low, 7)):
        y = net.block(level, n, 5, 1, act="Silu")
        out = net.op("Concat", net.conv(y, 5, 4, 1), net.op("Sigmoid", net.conv(y, 5, 2, 1)), axis=1)
        shape = net.op("Concat", net.dim(out, 0), net.dim(out, 1), net.ints(-1), axis=0)
        flat.append(net.op("Reshape", out, shape))
    net.output(net.op("Transpose", net.op("Concat", *flat, axis=2), perm=[0, 2, 1]), shape=[80, 6])
    return net


# ---- others ----


@network
def flattened(net=Net("flattened", 13)):
    """VGG: a channel is several columns of the dense layer behind Flatten; biases by Add; slopes per channel."""
    x = net.conv(net.input(1, 8, 8), 1, 5, bias=False)
    x = net.op("Add", x, net.constant(net.rng.normal(size=(1, 5, 1, 1)) * .3))
    x = net.op("PRelu", x, net.constant(net.rng.uniform(.1, .5, (5, 1, 1))))
    x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.norm(net.op("Relu", net.conv(x, 5, 6)), 6)
    x = net.flatten(net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    net.output(net.gemm(net.op("Relu", net.gemm(x, 24, 7)), 7, 3))
    return net


@network
def channels_last(net=Net("channels_last", 13)):
    """TensorFlow: transposed around a convolution, flattened with channels last, MatMul and Add."""
    x = net.op("Transpose", net.input(6, 6, 2), perm=[0, 3, 1, 2])
    x = net.op("Relu", net.conv(x, 2, 5, auto_pad="SAME_UPPER", pads=None))
    x = net.op("Relu", net.conv(x, 5, 4, stride=2, auto_pad="SAME_UPPER", pads=None))
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.ints(-1, 36))
    for n_in, n_out in ((36, 6), (6, 2)):
        x = net.op("Add", net.op("MatMul", x, net.constant(net.rng.normal(size=(n_in, n_out)) / 4)),
                   net.constant(net.rng.normal(size=n_out)))
        if n_out == 6:
            x = net.op("Tanh", x)
    net.output(x)
    return net


@network
def audio(net=Net("audio", 13)):
    """WaveNet: dilated 1-D convolutions with gates, residual and skip sums; statistics over time at the end."""
    x = net.conv(net.input(1, 40), 1, 6, dims=1)
    skips = []
    for dilation in (1, 2, 4):
        rest = {"dims": 1, "dilations": [dilation], "pads": [dilation] * 2}
        z = net.op("Mul", net.op("Tanh", net.conv(x, 6, 5, **rest)), net.op("Sigmoid", net.conv(x, 6, 5, **rest)))
        skips.append(net.conv(z, 5, 7, 1, dims=1))
        x = net.op("Add", x, net.conv(z, 5, 6, 1, dims=1))
    y = net.op("Relu", net.op("Sum", *skips))
    both = [net.op("ReduceMean", y, axes=[2], keepdims=0), net.op("ReduceMax", y, axes=[2], keepdims=0)]
    net.output(net.gemm(net.op("Concat", *both, axis=1), 14, 3))
    return net


@network
def recurrent(net=Net("recurrent", 14)):
    """Speech: strided 1-D convolutions, an LSTM over time (whose own units and inputs stay), a dense layer."""
    x = net.op("Relu", net.conv(net.input(1, 32), 1, 6, stride=2, dims=1))
    x = net.op("Relu", net.conv(x, 6, 5, stride=2, dims=1))
    x = net.op("Transpose", x, perm=[2, 0, 1])
    arrays = net.rng.normal(size=(1, 16, 5)) / 3, net.rng.normal(size=(1, 16, 4)) / 3, net.rng.normal(size=(1, 32)) / 3
    y = net.op("LSTM", x, *map(net.constant, arrays), hidden_size=4, outputs=3)
    y = net.op("Squeeze", y[0], net.ints(1))
    y = net.op("Add", net.op("MatMul", y, net.constant(net.rng.normal(size=(4, 6)))), net.constant(net.rng.normal(size=6)))
    net.output(net.op("Sigmoid", net.op("MatMul", net.op("Relu", y), net.constant(net.rng.normal(size=(6, 1))))))
    return net


@network
def siamese(net=Net("siamese", 13)):
    """One trunk on two inputs, compared: weights that two convolutions share stay shared."""
    first = [net.constant(net.rng.normal(size=(5, 2, 3, 3)) / 3), net.constant(net.rng.normal(size=5))]
    second = [net.constant(net.rng.normal(size=(6, 5, 3, 3)) / 5), net.constant(net.rng.normal(size=6))]
    sides = []
    for name in ("left", "right"):
        y = net.input(2, 6, 6, name=name)
        for weights in (first, second):
            y = net.op("Relu", net.op("Conv", y, *weights, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        sides.append(net.op("Flatten", net.op("GlobalAveragePool", y)))
    net.output(net.gemm(net.op("Abs", net.op("Sub", *sides)), 6, 1))
    return net


# ---- combinations ----


@network
def grouped_shuffle(net=Net("grouped_shuffle", 13)):
    """ShuffleNetV1: grouped 1x1 convolutions with a shuffle in between, a sum around, and pooling beside them."""
    x = net.block(net.input(3, 8, 8), 3, 8)
    y = net.block(x, 8, 12, 1, group=2)
    y = net.op("Reshape", y, net.op("Concat", net.dim(y, 0), net.ints(2, 6, 8, 8), axis=0))
    y = net.op("Reshape", net.op("Transpose", y, perm=[0, 2, 1, 3, 4]), net.ints(0, 12, 8, 8))
    y = net.block(net.block(y, 12, 12, group=12, act=None), 12, 8, 1, group=2, act=None)
    x = net.op("Relu", net.op("Add", x, y))
    short = net.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = net.block(net.block(x, 8, 6, 1), 6, 6, group=6, stride=2, act=None)
    x = net.op("Relu", net.op("Concat", short, net.block(y, 6, 5, 1, act=None), axis=1))
    net.output(net.head(x, 13))
    return net


@network
def style(net=Net("style", 13)):
    """Style transfer: reflected edges, normalisation of every instance, sums, upsampling by a computed size."""
    x = net.op("Pad", net.input(3, 8, 8), net.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    x = net.conv(x, 3, 6, pads=[0, 0, 0, 0])

    def instance(y, n):
        return net.op("InstanceNormalization", y, net.constant(net.rng.uniform(.5, 2, n)),
                      net.constant(net.rng.normal(size=n)))

    x = net.op("Relu", instance(net.conv(x, 6, 6, stride=2), 6))
    y = net.op("Relu", instance(net.conv(x, 6, 7), 7))
    x = net.op("Add", x, instance(net.conv(y, 7, 6), 6))
    sides = net.op("Mul", net.op("Slice", net.op("Shape", x), net.ints(2), net.ints(4), net.ints(0)), net.ints(2))
    sizes = net.op("Concat", net.op("Slice", net.op("Shape", x), net.ints(0), net.ints(2), net.ints(0)), sides, axis=0)
    x = net.op("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    net.output(net.op("Tanh", net.conv(net.op("Elu", net.conv(x, 6, 5)), 5, 3, 1)))
    return net


@network
def aspp(net=Net("aspp", 13)):
    """DeepLab: dilated branches, one that is the mean of the whole image spread over it again, joined; upsampled."""
    x = net.block(net.block(net.input(3, 12, 12), 3, 6), 6, 8, stride=2)
    parts = [net.block(x, 8, 4, 1)]
    parts += [net.block(x, 8, 4, dilations=[d, d], pads=[d] * 4) for d in (1, 2)]
    mean = net.block(net.op("GlobalAveragePool", x), 8, 3, 1)
    parts.append(net.op("Expand", mean, net.op("Concat", net.dim(mean, 0), net.dim(mean, 1), net.ints(6, 6), axis=0)))
    x = net.block(net.op("Concat", *parts, axis=1), 15, 6, 1)
    x = net.op("Resize", net.conv(x, 6, 3, 1), "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
               coordinate_transformation_mode="align_corners")
    net.output(net.op("Softmax", x, axis=1))
    return net


@network
def hourglass(net=Net("hourglass", 13)):
    """Pose: depthwise down and up (a transposed convolution for every channel), sums of both sides, two outputs."""
    x = net.block(net.input(3, 8, 8), 3, 6, act="LeakyRelu")
    y = net.block(net.depthwise(x, 6, stride=2), 6, 8, 1, act="LeakyRelu")
    weight = net.rng.normal(size=(8, 1, 2, 2))
    up = net.op("ConvTranspose", y, net.constant(weight), group=8, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Add", x, net.conv(up, 8, 6, 1))
    gate = net.op("Sigmoid", net.constant(net.rng.normal(size=(1, 6, 1, 1))))
    x = net.op("Mul", x, gate)
    net.output(net.conv(net.op("Relu", net.conv(x, 6, 5)), 5, 4, 1))
    net.output(net.conv(net.op("Max", net.conv(x, 6, 4), net.conv(x, 6, 4, 1)), 4, 2, 1))
    return net


@network
def vision_transformer(net=Net("vision_transformer", 17)):
    """Patches as tokens, attention of two heads, a dense pair: what may be cut is inside that pair and behind."""
    x = net.conv(net.input(3, 8, 8), 3, 6, 4, stride=4, pads=[0, 0, 0, 0])
    x = net.op("Transpose", net.op("Reshape", x, net.op("Concat", net.dim(x, 0), net.ints(6, 4), axis=0)), perm=[0, 2, 1])
    x = net.op("Add", x, net.constant(net.rng.normal(size=(1, 4, 6))))

    def norm(y):
        return net.op("LayerNormalization", y, net.constant(net.rng.uniform(.5, 2, 6)),
                      net.constant(net.rng.normal(size=6)))

    def dense(y, n_in, n_out):
        product = net.op("MatMul", y, net.constant(net.rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)))
        return net.op("Add", net.constant(net.rng.normal(size=n_out) * .3), product)

    y = norm(x)
    heads = []
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
        part = net.op("Reshape", dense(y, 6, 6), net.op("Concat", net.dim(y, 0), net.ints(4, 2, 3), axis=0))
        heads.append(net.op("Transpose", part, perm=perm))
    scores = net.op("Div", net.op("MatMul", heads[0], heads[1]), net.constant(np.float32(3 ** .5)))
    y = net.op("Transpose", net.op("MatMul", net.op("Softmax", scores, axis=-1), heads[2]), perm=[0, 2, 1, 3])
    y = net.op("Reshape", y, net.op("Concat", net.dim(y, 0), net.ints(4, 6), axis=0))
    x = net.op("Add", x, dense(y, 6, 6))
    y = dense(norm(x), 6, 12)
    y = net.op("Mul", net.op("Mul", y, net.op("Add", net.op("Erf", net.op("Div", y, net.constant(np.float32(2 ** .5)))),
                                              net.constant(np.float32(1)))), net.constant(np.float32(.5)))
    x = norm(net.op("Add", x, dense(y, 12, 6)))
    x = net.op("Tanh", dense(net.op("ReduceMean", x, axes=[1], keepdims=0), 6, 7))
    net.output(dense(x, 7, 3))
    return net


def main():
    folder = pathlib.Path(__file__).parent
    for function in NETS:
        net = function()
        (folder / f"{net.name}.onnx").write_bytes(net.model().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
