"""What the judge knows of convolutional networks: images, sizes, agreement, and time; numpy, Pillow and ONNX Runtime.

Images are decoded and resized by Pillow, multiply-accumulates are counted over the shapes that ONNX Runtime saw while
it ran the model, and models are checked by the onnx package. Nothing here comes from coset.
"""

import math
import statistics
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

CIFAR_MEAN, CIFAR_STD = (.4914, .4822, .4465), (.2470, .2435, .2616)
IMAGENET_MEAN, IMAGENET_STD = (.485, .456, .406), (.229, .224, .225)


def normalised(x, scale=1, mean=(0, 0, 0), std=(1, 1, 1)):
    """NHWC bytes to NCHW f32."""
    y = (x.astype(np.float64) * scale - np.array(mean)) / np.array(std)
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2), np.float32)


def read_images(paths, size, fit, bgr):
    """Bytes [n, size, size, 3]: scaled to cover the square and cut in the middle, or to lie inside it at the top left."""
    from PIL import Image  # only the rows on images need it
    out = np.full((len(paths), size, size, 3), 114, np.uint8)
    for k, path in enumerate(paths):
        with Image.open(path) as file:
            image = file.convert("RGB")
        factor = (max if fit == "crop" else min)(size / image.width, size / image.height)
        width, height = (max(1, size if abs(side * factor - size) < 1e-6 else int(side * factor)) for side in image.size)
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        if fit == "crop":
            top, left = round((height - size) / 2), round((width - size) / 2)
            out[k] = pixels[top:top + size, left:left + size]
        else:
            out[k, :height, :width] = pixels
    return out[..., ::-1] if bgr else out


def draw_text(paths, folder, size):
    """Writes a copy of every photo with lines of letters and digits on it, for detectors of text; [n, size, size, 3]."""
    from PIL import Image, ImageDraw, ImageFont
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    out = np.empty((len(paths), size, size, 3), np.uint8)
    for k, path in enumerate(paths):
        with Image.open(path) as file:
            image = file.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        draw = ImageDraw.Draw(image)
        for _ in range(rng.integers(1, 5)):
            line = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJ 0123456789"), rng.integers(3, 12)))
            draw.text(tuple(rng.integers(0, size - size // 5, 2)), line, tuple(map(int, rng.integers(0, 256, 3))),
                      ImageFont.load_default(int(rng.integers(size // 14, size // 6))))
        image.save(folder / f"{path.stem}.png")
        out[k] = np.asarray(image)
    return out


def options(threads):
    chosen = onnxruntime.SessionOptions()
    chosen.log_severity_level = 4
    chosen.intra_op_num_threads, chosen.inter_op_num_threads = threads, 1
    return chosen


def open_session(model, threads=2):
    """A session of a path or a model."""
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(source, options(threads), ["CPUExecutionProvider"])


def typed(session, feed):
    kinds = {"tensor(float16)": np.float16, "tensor(float)": np.float32, "tensor(double)": np.float64,
             "tensor(int64)": np.int64}
    return {value.name: np.asarray(feed[value.name], kinds[value.type]) for value in session.get_inputs()}


def batches(session, x):
    """The feeds for the rows of x, in as many runs as the declared shape asks for."""
    (value,) = session.get_inputs()
    dims = [size if isinstance(size, int) and size > 0 else None for size in value.shape]
    rows = dims[0] or 64
    shape = [given or have for given, have in zip(dims[1:], (*x.shape[1:], *[1] * len(dims)))]
    x = x.reshape(len(x), *shape)
    for start in range(0, len(x), rows):
        yield typed(session, {value.name: x[start:start + rows]})


def run(path, feed):
    """All outputs, f64, of a feed, or of an array whose rows are samples: then outputs of all runs, one below another."""
    session = open_session(path)
    if isinstance(feed, dict):
        return [y.astype(np.float64) for y in session.run(None, typed(session, feed))]
    parts = [session.run(None, part) for part in batches(session, feed)]
    return [np.concatenate(part).astype(np.float64) for part in zip(*parts)]


def rel_l2(got, want):
    """|got - want| / |want| over all outputs together."""
    error = math.sqrt(sum(float(np.sum((a - b) ** 2)) for a, b in zip(got, want)))
    return error / math.sqrt(sum(float(np.sum(b ** 2)) for b in want))


def top1(y):
    return y[0].reshape(len(y[0]), -1).argmax(axis=1)


def largest_error(got, want):
    """The largest error of an element relative to the largest element of its output, over all outputs.

    An output below .01 everywhere counts as one of .01: where sigmoids of a detector that finds nothing are 1e-5, ONNX
    Runtime's still are multiples of 6e-8.
    """
    return max(float(np.abs(a.reshape(b.shape) - b).max() / max(np.abs(b).max(), .01)) for a, b in zip(got, want))


def complaint(path):
    """What the onnx checker says of a model; "" if it says nothing."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
        return ""
    except Exception as error:
        return str(error).splitlines()[0]


def constants(model):
    out = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                out[node.output[0]] = numpy_helper.to_array(attribute.t)
    return out


def parameters(path):
    """Elements of the constants that Conv, ConvTranspose, Gemm, MatMul, BatchNormalization, PRelu and Add read."""
    model = onnx.load(path)
    known, names = constants(model), set()
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu", "Add", "Reshape"):
            names |= {name for name in node.input if name in known and known[name].dtype.kind == "f"}
    return sum(known[name].size for name in names if known[name].ndim)


def macs(path, feed):
    """Multiply-accumulates of one run: products of sizes that ONNX Runtime saw at Conv, ConvTranspose, Gemm, MatMul."""
    model = onnx.load(path)
    known = {name: value.shape for name, value in constants(model).items()}
    nodes = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")]
    wanted = {name for n in nodes for name in (*n.input[:2], n.output[0])} - set(known)
    inputs, outputs = ({v.name for v in values} for values in (model.graph.input, model.graph.output))
    for name in sorted(wanted - inputs - outputs):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = open_session(model)
    given = typed(session, feed)
    names = [value.name for value in session.get_outputs()]
    known |= {name: value.shape for name, value in zip(names, session.run(None, given))}
    known |= {name: value.shape for name, value in given.items()}
    return sum(node_macs(node, known) for node in nodes)


def node_macs(node, shapes):
    left, right, out = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    if node.op_type == "Conv":  # every output reads one filter: channels / groups, and the window
        return math.prod(out) * math.prod(right[1:])
    if node.op_type == "ConvTranspose":  # every input goes to outputs / groups channels, and the window
        return math.prod(left) * math.prod(right[1:])
    swapped = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(out) * left[-2 if swapped else -1]


def first_feed(path, x):
    """A feed of one sample for a model with one input."""
    (value,) = open_session(path).get_inputs()
    dims = [size if isinstance(size, int) and size > 0 else None for size in value.shape]
    shape = [given or have for given, have in zip(dims[1:], (*x.shape[1:], *[1] * len(dims)))]
    return {value.name: x[:1].reshape(1, *shape)}


def speedup(before, after, feed, seconds=4, threads=1):
    """(median ratio of the times, median seconds before and after): runs alternate, so that both meet the same load."""
    sessions = [open_session(path, threads) for path in (before, after)]
    feeds = [typed(session, feed) for session in sessions]
    times = ([], [])
    stop = time.perf_counter() + seconds
    while len(times[0]) < 7 or (time.perf_counter() < stop and len(times[0]) < 400):
        for session, given, taken in zip(sessions, feeds, times):
            started = time.perf_counter()
            session.run(None, given)
            taken.append(time.perf_counter() - started)
    kept = [taken[2:] for taken in times]  # the first runs allocate
    return statistics.median(a / b for a, b in zip(*kept)), *(statistics.median(taken) for taken in kept)
