"""Runs the command under measurement, and holds the folders that the rows work with."""

import collections
import gzip
import json
import pathlib
import shutil
import subprocess
import sys

Run = collections.namedtuple("Run", "code report seconds peak_bytes error")

MEASURE = pathlib.Path(__file__).with_name("measure.py")


class Tool:
    def __init__(self, coset, data, work, say):
        self.coset = coset
        self.data = data
        self.work = work
        self.say = say  # what happens, for whoever waits

    def compress(self, model, out, *flags):
        """`coset compress --json`; exit code 3 (target not reached) is a result, any other one but 0 an error."""
        run = self.measured("compress", model, "-o", out, "--json", "-q", *flags)
        if run.code not in (0, 3):
            raise RuntimeError(f"coset compress {model} {' '.join(map(str, flags))}: exit {run.code}: {run.error}")
        return run

    def measured(self, *arguments):
        self.say(" ".join(["coset", *map(str, arguments)]))
        result = self.work / "measured.json"
        command = [sys.executable, "-I", "-S", MEASURE, result, self.coset, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        cost = json.loads(result.read_text(encoding="utf-8"))
        report = json.loads(done.stdout) if done.stdout.startswith("{") else None
        return Run(cost["code"], report, cost["seconds"], cost["peak_bytes"], done.stderr.strip())

    def run(self, model, x, y):
        """`coset run`: from the array file x to y."""
        run = self.measured("run", model, "--input", x, "-o", y, "-q")
        if run.code != 0:
            raise RuntimeError(f"coset run {model}: exit {run.code}: {run.error}")

    def unpacked(self, packed):
        """The path of an uncompressed copy of a .gz file."""
        path = self.work / packed.stem
        if not path.exists():
            with gzip.open(packed) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target)
        return path

    def mlp(self, name):
        """(model, data) of one of the networks on tables, "hepc_relu"."""
        folder = self.data / "models/pytorch_mlp"
        return folder / f"{name}.onnx", folder / f"{name.rsplit('_', 1)[0]}_data.npz"

    def mnist(self):
        """Flags for the MNIST data."""
        return ["--data", self.data / "vision/mnist", "--scale", "1/255"]
