"""Makes the models and data of tests/cli. Needs onnx and numpy; run it in this folder after a change here.

The files are committed, so that the tests need no Python. All of them are tiny and deterministic.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save


def weight(name, *shape, seed):
    """Multiples of 1/64: exact in text and in every element type."""
    values = np.random.default_rng(seed).integers(-64, 65, shape) / 64
    return numpy_helper.from_array(values.astype(np.float32), name)


def gemm(index, source, target):
    return helper.make_node("Gemm", [source, f"w{index}", f"b{index}"], [target], f"fc{index}", transB=1)


def relu(index, source, target):
    return helper.make_node("Relu", [source], [target], f"relu{index}")


def model(nodes, weights, outputs=1, inputs=4):
    graph = helper.make_graph(
        nodes, "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("example.org", 1)],
                             producer_name="tests/cli/data/make.py")
    made.ir_version = 8
    return made


def layers(outputs=1):
    return [weight("w0", 6, 4, seed=1), weight("b0", 6, seed=2), weight("w1", 5, 6, seed=3), weight("b1", 5, seed=4),
            weight("w2", outputs, 5, seed=5), weight("b2", outputs, seed=6)]


def chain():
    return [gemm(0, "x", "h0"), relu(0, "h0", "a0"), gemm(1, "a0", "h1"), relu(1, "h1", "a1"), gemm(2, "a1", "y")]


def forward(weights, x):
    w = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in weights}
    for k in range(3):
        x = x @ w[f"w{k}"].T + w[f"b{k}"]
        if k < 2:
            x = np.maximum(x, 0)
    return x


def table(path, head, rows):
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(head) + "\n")
        for row in rows:
            file.write(",".join(str(v) for v in row) + "\n")


def main():
    save(model(chain(), layers()), "mlp.onnx")
    save(model(chain(), layers(3), 3), "classes.onnx")

    # Damaged in one way each.
    around = chain()
    around[0].input[0] = "a1"
    save(model(around, layers()), "cycle.onnx")

    huge = layers()
    huge[0].dims[:] = [1 << 40, 1 << 40]
    save(model(chain(), huge), "overflow.onnx")

    outside = layers()
    outside[0].ClearField("raw_data")
    outside[0].data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("length", "96")):
        entry = outside[0].external_data.add()
        entry.key, entry.value = key, value
    save(model(chain(), outside), "outside.onnx")

    bad = layers()
    values = numpy_helper.to_array(bad[2]).copy()
    values[2, 3] = np.nan
    bad[2].CopyFrom(numpy_helper.from_array(values, "w1"))
    save(model(chain(), bad), "nan.onnx")

    # An operator that nobody has: loads, can be inspected, cannot be run.
    strange = chain()
    strange[1] = helper.make_node("Mystery", ["h0"], ["a0"], "odd", domain="example.org")
    save(model(strange, layers()), "unknown_op.onnx")

    # The model's own answers as targets: r2 is 1 but for the last digits of the text.
    x = np.random.default_rng(7).integers(-64, 65, (40, 4)) / 32
    y = forward(layers(), x)
    table("table.csv", ["a", "b", "c", "d", "y"], np.hstack([x, y]))
    table("narrow.csv", ["a", "b", "y"], np.hstack([x[:, :2], y]))
    np.savez("x.npz", x=x[:3].astype(np.float32))
    np.save("x.npy", x[:3].astype(np.float32))
    labels = forward(layers(3), x).argmax(axis=1)
    np.savez("classes.npz", x=x.astype(np.float32), y=labels.astype(np.int64))


if __name__ == "__main__":
    main()
