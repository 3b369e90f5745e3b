"""The independent judge: what a model scores and how large it is, found with numpy and ONNX Runtime alone.

Nothing here comes from coset: data are read by numpy, models by the onnx package, and run by ONNX Runtime.
"""

import gzip
import statistics
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def read_npz(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def read_idx(path):
    """The array of a gzipped idx file of bytes."""
    with gzip.open(path, "rb") as file:
        raw = file.read()
    rank = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * k:8 + 4 * k], "big") for k in range(rank)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_mnist_test(folder):
    """Images of the test part in 0..1, one row each, and labels."""
    images = read_idx(folder / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    return (images.reshape(len(images), -1) / 255).astype(np.float32), labels


def read_box(path):
    """Lower and upper bounds of X_0, X_1, ... of a vnnlib file."""
    bounds = {"<=": {}, ">=": {}}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.replace("(", " ").replace(")", " ").split()
        if len(words) == 4 and words[0] == "assert" and words[2].startswith("X_"):
            bounds[words[1]][int(words[2][2:])] = float(words[3])
    n = len(bounds["<="])
    return np.array([bounds[">="][k] for k in range(n)]), np.array([bounds["<="][k] for k in range(n)])


def free_batch(model):
    """Makes the first dimension of every input and output symbolic, so that all samples run at once."""
    constants = {constant.name for constant in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output]:
        if value.name not in constants:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return model


def open_model(path, threads=0):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    model = free_batch(onnx.load(path))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def feed_of(session, x):
    """The model's only input by name, with the rows of x in the shape that it declares."""
    (declared,) = session.get_inputs()
    return {declared.name: np.ascontiguousarray(x.reshape(len(x), *declared.shape[1:]))}


def run(path, x):
    """The first output on all rows of x, [rows, outputs] f64."""
    session = open_model(path)
    y = session.run(None, feed_of(session, x))[0]
    return y.reshape(len(x), -1).astype(np.float64)


def r2(y, want):
    """1 - SSE / SST, SST about each output's mean."""
    want = want.astype(np.float64).reshape(y.shape)
    return float(1 - np.sum((want - y) ** 2) / np.sum((want - want.mean(axis=0)) ** 2))


def accuracy(y, labels):
    return float(np.mean(y.argmax(axis=1) == labels.ravel()))


def count(path):
    """(elements of floating-point constants of rank >= 1, those that are not 0)."""
    model = onnx.load(path)
    tensors = list(model.graph.initializer)
    for node in model.graph.node:
        tensors += [a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"]
    arrays = [numpy_helper.to_array(t) for t in tensors if t.data_type in FLOATS and len(t.dims)]
    return sum(a.size for a in arrays), int(sum(np.count_nonzero(a) for a in arrays))


def latency(path, x, seconds=0.4):
    """Median seconds of one run of ONNX Runtime on x, on one thread."""
    session = open_model(path, threads=1)
    feed = feed_of(session, x)
    for _ in range(3):
        session.run(None, feed)
    times, stop = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < stop:
        started = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def largest_relative(got, want):
    """(largest error of one element relative to it or, where it is nearly 0, to 1 % of the RMS; relative L2)."""
    scale = np.maximum(np.abs(want), 0.01 * np.sqrt(np.mean(want ** 2)))
    return float(np.max(np.abs(got - want) / scale)), float(np.linalg.norm(got - want) / np.linalg.norm(want))
