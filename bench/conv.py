"""Throughput of convolutions side by side: the shared library of coset and ONNX Runtime, both with two threads.

    python bench/conv.py --library build/release/libcoset.so [--only TEXT] [--rounds 9] [--data DIR]

Rows are single layers of the networks named, and the networks themselves where the data folder has them. Runs
alternate; the ratio is the median over rounds of ONNX Runtime's time / coset's time, so 2 is twice as fast, and
outputs must agree. Both sides get arrays in memory and give arrays back.
"""

import argparse
import ctypes
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin would slow down the other side

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

THREADS = 2
TARGET = 0.5  # of ONNX Runtime's throughput

LAYERS = [  # network, batch, channels, size, output channels, kernel, stride, pad, groups
    ("resnet20 conv1", 128, 3, 32, 16, 3, 1, 1, 1),
    ("resnet20 stage 1", 128, 16, 32, 16, 3, 1, 1, 1),
    ("resnet20 first of stage 2", 128, 16, 32, 32, 3, 2, 1, 1),
    ("resnet20 stage 2", 128, 32, 16, 32, 3, 1, 1, 1),
    ("resnet20 first of stage 3", 128, 32, 16, 64, 3, 2, 1, 1),
    ("resnet20 stage 3", 128, 64, 8, 64, 3, 1, 1, 1),
    ("squeezenet conv1", 8, 3, 224, 64, 3, 2, 0, 1),
    ("squeezenet fire2 squeeze", 8, 64, 55, 16, 1, 1, 0, 1),
    ("squeezenet fire2 expand 1x1", 8, 16, 55, 64, 1, 1, 0, 1),
    ("squeezenet fire2 expand 3x3", 8, 16, 55, 64, 3, 1, 1, 1),
    ("squeezenet fire4 expand 3x3", 8, 32, 27, 128, 3, 1, 1, 1),
    ("squeezenet fire6 expand 3x3", 8, 48, 13, 192, 3, 1, 1, 1),
    ("squeezenet fire8 expand 3x3", 8, 64, 13, 256, 3, 1, 1, 1),
    ("squeezenet conv10", 8, 512, 13, 1000, 1, 1, 0, 1),
    ("depthwise 112", 8, 32, 112, 32, 3, 1, 1, 32),
    ("depthwise 56, stride 2", 8, 96, 56, 96, 3, 2, 1, 96),
    ("depthwise 14", 8, 384, 14, 384, 3, 1, 1, 384),
    ("one sample 56", 1, 64, 56, 64, 3, 1, 1, 1),
    ("one sample 14", 1, 256, 14, 256, 3, 1, 1, 1),
]


class Array(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int),
                ("dims", ctypes.c_int64 * 8), ("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t),
                ("owner", ctypes.c_void_p)]


class Options(ctypes.Structure):
    _fields_ = [("allocator", ctypes.c_void_p), ("log", ctypes.c_void_p), ("progress", ctypes.c_void_p),
                ("user", ctypes.c_void_p), ("threads", ctypes.c_int), ("seed", ctypes.c_uint64)]


class Coset:
    """A model in the shared library."""

    def __init__(self, library, path):
        self.library, self.context, self.graph = library, ctypes.c_void_p(), ctypes.c_void_p()
        options = Options(threads=THREADS)
        self.check(library.coset_ctx_new(ctypes.byref(options), ctypes.byref(self.context)))
        self.check(library.coset_graph_load(self.context, os.fsencode(path), ctypes.byref(self.graph)))

    def check(self, status):
        if status:
            raise SystemExit("coset: " + self.library.coset_ctx_error(self.context).decode())

    def run(self, x):
        """(seconds, first output)"""
        given = Array(None, int(TensorProto.FLOAT), x.ndim, (ctypes.c_int64 * 8)(*x.shape), x.ctypes.data, x.nbytes)
        outputs, count = ctypes.POINTER(Array)(), ctypes.c_int64()
        start = time.perf_counter()
        self.check(self.library.coset_run(self.context, self.graph, ctypes.byref(given), ctypes.c_int64(1),
                                          ctypes.byref(outputs), ctypes.byref(count)))
        seconds = time.perf_counter() - start
        shape = tuple(outputs[0].dims[k] for k in range(outputs[0].rank))
        y = np.frombuffer(ctypes.string_at(outputs[0].data, outputs[0].bytes), np.float32).reshape(shape)
        self.library.coset_arrays_free(self.context, outputs, count)
        return seconds, y

    def close(self):
        self.library.coset_graph_free(self.context, self.graph)
        self.library.coset_ctx_free(self.context)


def open_library(path):
    library = ctypes.CDLL(str(path))
    library.coset_ctx_error.restype = ctypes.c_char_p
    library.coset_ctx_error.argtypes = [ctypes.c_void_p]
    library.coset_graph_load.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    library.coset_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p,
                                  ctypes.c_void_p]
    library.coset_arrays_free.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    library.coset_graph_free.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.coset_ctx_free.argtypes = [ctypes.c_void_p]
    return library


def layer_model(batch, channels, size, outputs, kernel, stride, pad, groups):
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(outputs, channels // groups, kernel, kernel)).astype(np.float32)
    out = (size + 2 * pad - kernel) // stride + 1
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[stride] * 2, pads=[pad] * 4, group=groups)
    graph = helper.make_graph(
        [node], "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, outputs, out, out])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.ones(outputs, np.float32), "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model, rng.normal(size=(batch, channels, size, size)).astype(np.float32)


def widened(model):
    """A copy in f32, whatever its batch."""
    graph = model.graph
    for k, constant in enumerate(graph.initializer):
        if constant.data_type == TensorProto.FLOAT16:
            wide = numpy_helper.to_array(constant).astype(np.float32)
            graph.initializer[k].CopyFrom(numpy_helper.from_array(wide, constant.name))
    for value in list(graph.input) + list(graph.output):
        kind = value.type.tensor_type
        if kind.elem_type == TensorProto.FLOAT16:
            kind.elem_type = TensorProto.FLOAT
        if kind.shape.dim:
            kind.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    return model


def network(path, batch, size):
    x = np.random.default_rng(2).random((batch, 3, size, size)).astype(np.float32)
    return widened(onnx.load(path)), x


def rows(data):
    for name, *shape in LAYERS:
        yield name, lambda shape=shape: layer_model(*shape)
    for name, path, batch, size in (("resnet20, batch 128", "models/cifar_resnet/resnet20.onnx", 128, 32),
                                    ("SqueezeNet, batch 8", "models/SqueezeNet_fp16.onnx", 8, 224)):
        if data is not None and (data / path).exists():
            yield name, lambda path=path, batch=batch, size=size: network(data / path, batch, size)
        else:
            print(f"SKIP {name}: no {path} in the data folder (--data)")


def compare(library, model, x, rounds, work):
    """Median ratio, best times of ONNX Runtime and coset, relative difference of the outputs."""
    path = work / "model.onnx"
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    ours = Coset(library, path)
    name, theirs, times = session.get_inputs()[0].name, [], []
    want, got = session.run(None, {name: x})[0], ours.run(x)[1]
    error = float(np.abs(got - want).max() / np.abs(want).max())
    for _ in range(rounds):
        start = time.perf_counter()
        session.run(None, {name: x})
        theirs.append(time.perf_counter() - start)
        time.sleep(0.02)  # until its threads have stopped to spin
        times.append(ours.run(x)[0])
    ours.close()
    return statistics.median(a / b for a, b in zip(theirs, times)), min(theirs), min(times), error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True, type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--only", default="", help="rows with this text")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    library, short = open_library(arguments.library.resolve()), 0
    print(f"{'':28} {'ratio':>6} {'ONNX Runtime':>14} {'coset':>10} {'rel. error':>11}")
    with tempfile.TemporaryDirectory() as work:
        for name, make in rows(arguments.data):
            if arguments.only not in name:
                continue
            ratio, theirs, ours, error = compare(library, *make(), arguments.rounds, pathlib.Path(work))
            print(f"{name:28} {ratio:6.2f} {theirs * 1e3:11.2f} ms {ours * 1e3:7.2f} ms {error:11.1e}")
            short += error > 1e-4 or ("batch" in name and ratio < TARGET)
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
