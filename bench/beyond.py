"""Rows beyond the acceptance table: other seeds, networks, sizes and methods, so that it can be seen whether what
the table shows holds elsewhere. Each function yields (case, target, measured, verdict); nothing here has a target.
"""

import statistics

import judge
from rows import AUTO, size_of, table_r2

METHODS = ("auto", "merge", "select", "afde", "magnitude", "wanda", "random")
TABLES = ("abalone", "glyc", "hepc", "metro", "protein")


def score(tool, model, method, share, data_flags, measure):
    """"metric" of a method at a share as text: with ! if the target was not reached, and why there is none."""
    out = tool.work / "beyond.onnx"
    run = tool.compress(model, out, *data_flags, "--method", method, "--params", f"{share}%")
    masked = method in ("magnitude", "wanda")
    kept = size_of(run, model, out, masked)
    if kept is None:
        return "counts differ"
    value = measure(out)
    mark = "!" if run.code == 3 else ""
    return f"{method} {value:.3f}{mark}"


def seeds(tool):
    for name, (share, want) in AUTO.items():
        model, data = tool.mlp(name)
        values = []
        for seed in range(5):
            out = tool.work / "seed.onnx"
            tool.compress(model, out, "--data", data, "--params", share, "--seed", seed)
            values.append(table_r2(out, data))
        yield (f"{name}, `auto --params {share}`, seeds 0 to 4", "",
               f"lowest {min(values):.4f}, median {statistics.median(values):.4f}; "
               f"{sum(value >= want for value in values)} of 5 reach {want}", None)


def tables(tool):
    for name in [f"{table}_{function}" for table in TABLES for function in ("relu", "tanh")]:
        model, data = tool.mlp(name)
        for share in (50, 26, 13, 7):
            cells = [score(tool, model, method, share, ["--data", data], lambda path: table_r2(path, data))
                     for method in METHODS]
            yield f"{name} at {share}%", f"original {table_r2(model, data):.3f}", ", ".join(cells), None


def images(tool):
    x, labels = judge.read_mnist_test(tool.data / "vision/mnist")

    def measure(path):
        return judge.accuracy(judge.run(path, x), labels)

    for layers in (2, 4, 6):
        model = tool.data / f"models/mnistfc/mnist-net_256x{layers}.onnx"
        for share in (40, 20, 10):
            cells = [score(tool, model, method, share, tool.mnist(), measure) for method in METHODS]
            yield f"mnist-net_256x{layers} at {share}%", f"original {measure(model):.3f}", ", ".join(cells), None


def deep(tool):
    x, labels = judge.read_mnist_test(tool.data / "vision/mnist")

    def measure(path):
        return judge.accuracy(judge.run(path, x), labels)

    model = tool.data / "models/mnist_mlp_deep.onnx"
    for share in (40, 20, 5):
        cells = [score(tool, model, method, share, tool.mnist(), measure) for method in METHODS]
        yield f"mnist_mlp_deep at {share}%", f"original {measure(model):.3f}", ", ".join(cells), None


def latency(tool):
    cases = [(*tool.mlp(name), share, []) for name, (share, _) in AUTO.items()]
    cases += [(tool.data / "models/mnistfc/mnist-net_256x4.onnx", None, "20%", tool.mnist())]
    for model, data, share, flags in cases:
        if data is None:
            x = judge.read_mnist_test(tool.data / "vision/mnist")[0]
        else:
            x, flags = judge.read_npz(data)["x_test"], ["--data", data]
        out = tool.work / "latency.onnx"
        tool.compress(model, out, *flags, "--params", share)
        parts = []
        for rows in (1, 1024):
            before, after = (judge.latency(path, x[:rows]) for path in (model, out))
            parts.append(f"{rows} rows: {before * 1e6:.0f} to {after * 1e6:.0f} us ({before / after:.1f}x)")
        yield f"{model.stem}, `auto --params {share}`, ONNX Runtime on one thread", "", "; ".join(parts), None


BY_METHOD = ("tables", "images", "deep")  # rows whose measured text is "METHOD VALUE, METHOD VALUE, ..."
ROWS = {"seeds": seeds, "tables": tables, "images": images, "deep": deep, "latency": latency}
