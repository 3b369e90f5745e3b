"""Rows on running: every model of the data folder in coset and in ONNX Runtime, and how fast both are."""

import pathlib
import tempfile

import numpy as np

import conv
import convnet_judge as judge

F16 = {"SqueezeNet_fp16"}
PHOTOS = {"yolox_nano": 416, "yunet_n_320_320": 320}  # BGR bytes: on noise their outputs are 0 but for rounding
SPEECH = {"silero_vad_16k_op15": 512, "silero_vad_op18_ifless": 512}  # samples of one frame at 16 kHz


def feeds(tool, path):
    """Inputs for a model: frames of noise for speech detectors, photos for detectors, else random numbers in 0..1."""
    rng = np.random.default_rng(0)
    if path.stem in SPEECH:
        return {"input": rng.normal(0, .1, (1, SPEECH[path.stem])).astype(np.float32),
                "state": np.zeros((2, 1, 128), np.float32), "sr": np.array(16000, np.int64)}
    (value,) = judge.open_session(path).get_inputs()
    images = sorted((tool.data / "vision/coco128/images/train2017").iterdir())[:2]
    if path.stem in PHOTOS:
        return {value.name: judge.normalised(judge.read_images(images[:1], PHOTOS[path.stem], "letterbox", True))}
    if path.stem == "ch_PP-OCRv3_det_infer":
        x = judge.draw_text(images, tool.work / "text_feed", 160)
        return {value.name: judge.normalised(x, 1 / 255, judge.IMAGENET_MEAN, judge.IMAGENET_STD)}
    shape = [size if isinstance(size, int) and size > 0 else 2 for size in value.shape]
    return {value.name: rng.random(shape, np.float32)}


def difference(tool, path, x):
    """The largest relative difference between what ONNX Runtime and `coset run` make of a feed or of an array."""
    source, target = tool.work / "moves_x.npz", tool.work / "moves_y.npz"
    session = judge.open_session(path)
    if not isinstance(x, dict):
        (feed,) = list(judge.batches(session, x))[:1]
    else:
        feed = judge.typed(session, x)
    np.savez(source, **feed)
    tool.run(path, source, target)
    names = [value.name for value in session.get_outputs()]
    with np.load(target) as file:
        got = [file[name].astype(np.float64) for name in names]
    want = [y.astype(np.float64) for y in session.run(None, feed)]
    return judge.largest_error(got, want)


def models(tool):
    folder = tool.data / "models"
    families = {}
    for path in sorted(folder.rglob("*.onnx")):
        families.setdefault(path.parent if path.parent.name == "acasxu" else path, []).append(path)
    for family, paths in families.items():
        name = f"{family.relative_to(folder)}" + (f", {len(paths)} models" if len(paths) > 1 else "")
        limit = 1e-2 if family.stem in F16 else 1e-4
        try:
            error = max(difference(tool, path, feeds(tool, path)) for path in paths)
        except Exception as failure:  # the other models must be measured all the same
            yield f"{name}: `coset run`", "", f"failed: {failure}".replace("|", "/"), False
            continue
        yield (f"{name}: `coset run`", f"ONNX Runtime's outputs within {limit:.0e}", f"{error:.1e}", error <= limit)


def speed(tool):
    library = tool.coset.parent / "libcoset.so"
    if not library.exists():
        raise RuntimeError(f"no shared library at {library}")
    for name, path, batch, size in (("resnet20, batch 128", "cifar_resnet/resnet20", 128, 32),
                                    ("SqueezeNet, batch 8", "SqueezeNet_fp16", 8, 224)):
        model, x = conv.network(tool.data / f"models/{path}.onnx", batch, size)
        with tempfile.TemporaryDirectory(dir=tool.work) as work:
            ratio, theirs, ours, error = conv.compare(conv.open_library(library), model, x, 15, pathlib.Path(work))
        yield (f"{name}, two threads, forward passes in turns", "≥ .5 of ONNX Runtime's throughput",
               f"{ratio:.2f} (best times {theirs * 1e3:.0f} ms in ONNX Runtime, {ours * 1e3:.0f} ms in coset; largest "
               f"difference {error:.0e})", ratio >= .5)


ROWS = {"models": models, "speed": speed}
