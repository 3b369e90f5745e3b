"""Rows on ODE systems: reductions that ERODE published, bounds, scale, and networks at rest.

What is right is found by ode_judge.py (its own parser, exact fractions, SciPy's LSODA) and by ONNX Runtime; the files
named FE and BE are results of ERODE itself.
"""

import numpy as np

import judge
import ode_scale
from ode_judge import Model

EXACT = {  # model: (direction, partition, what is set before)
    "e2": ("andrea_e2", "forward", "file", {}),
    "e3": ("andrea_e3", "forward", "file", {}),
    "htree forward": ("andrea_hTreeCircuit3_1RN", "forward", "one", "equal"),
    "htree backward": ("andrea_hTreeCircuit3_1RN", "backward", "one", "equal"),
    "kaic": ("andrea_kaic", "forward", "one", {}),
    "kaic, partition of the file": ("andrea_kaic", "forward", "file", {}),
    "AM": ("andrea_AM", "forward", "one", {}),
    "fceri_ji": ("fceri_ji", "forward", "one", {}),
    "OrderedPhosphorylation": ("OrderedPhosphorylation", "forward", "one", {}),
    "ProteinPhosphorylation4": ("ProteinPhosphorylation4", "forward", "one", {}),
    "ProteinPhosphorylation4 backward": ("ProteinPhosphorylation4", "backward", "initial", {}),
    "BIOMD0000000504 backward": ("BIOMD0000000504", "backward", "initial", {}),
}
BRANCHES = {"an2k2": .52, "an3k3": .60, "an3k4": .60}  # what makes the branches of the RN file equal
PUBLISHED = {"e2": ("andrea_e2FE", 12), "e3": ("andrea_e3FE", 22), "htree forward": ("andrea_htreeFE", 3),
             "htree backward": ("andrea_htreeBE", 3)}
MIB = 2 ** 20


def ode(tool, *arguments):
    run = tool.measured("ode", *arguments, "--json", "-q")
    if run.code != 0:
        raise RuntimeError(f"coset ode {' '.join(map(str, arguments))}: exit {run.code}: {run.error}")
    return run


def reduce(tool, name):
    """(original, reduced, report of the command, lumped names by representative) of one of EXACT."""
    file, direction, partition, sets = EXACT[name]
    sets = BRANCHES if sets == "equal" else sets
    path = tool.data / f"ode/{file}.ode"
    out = tool.work / "reduced.ode"
    flags = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    run = ode(tool, "reduce", path, f"--{direction}", "--partition", partition, *flags, "-o", out)
    blocks = {block["representative"]: block["members"] for block in run.report["blocks"]}
    return path, flags, Model(out), run, blocks


def published(tool):
    for name, (file, size) in PUBLISHED.items():
        path, _, small, run, blocks = reduce(tool, name)
        known = Model(tool.data / f"ode/{file}.ode")
        same = sorted(sorted(members) for members in blocks.values()) == known.erode_blocks()
        # The circuits of ERODE's files have other constants: an2k1 and so on are compared by their blocks alone.
        rates = small.difference(known) if name.startswith("e") else None
        good = len(blocks) == size and same and (rates is None or rates < 1e-12)
        text = "" if rates is None else f", rates differ by {rates:.0e}"
        yield (f"{name}, exact", f"{size} of {len(Model(path).slopes)}, blocks{' and rates' if text else ''} of {file}",
               f"{len(blocks)} variables, blocks {'the same' if same else 'others'}{text}; {run.seconds * 1e3:.0f} ms",
               good)
    _, _, small, run, blocks = reduce(tool, "kaic")
    yield "kaic, forward from one block", "1 of 4", f"{len(blocks)} of 4; {run.seconds * 1e3:.0f} ms", len(blocks) == 1


def aggregated(direction, names, values, blocks):
    """Columns of the reduced system made from the original's: sums or representatives."""
    place = {name: i for i, name in enumerate(names)}
    if direction == "forward":
        return np.stack([values[:, [place[m] for m in members]].sum(axis=1) for members in blocks.values()], axis=1)
    return np.stack([values[:, place[representative]] for representative in blocks], axis=1)


def relative(got, want):
    """Largest difference of a column in units of its largest magnitude, or of 1e-6 of the largest of all columns where
    that is more: integrators cannot see less of a variable that starts and ends at 0."""
    scale = np.abs(want).max(axis=0)
    return float((np.abs(got - want).max(axis=0) / np.maximum(scale, 1e-6 * scale.max())).max())


def with_values(model, sets):
    """The model's text with parameters set, as a second file would have it."""
    text = model.read_text(encoding="utf-8")
    for name, value in sets.items():
        lines = [f"{line.split(name)[0]}{name} = {value}" if line.strip().startswith(f"{name} =") else line
                 for line in text.splitlines()]
        text = "\n".join(lines)
    return text


def trajectories(tool):
    for name, (_, direction, _, sets) in EXACT.items():
        path, flags, small, run, blocks = reduce(tool, name)
        if sets == "equal":
            changed = tool.work / "changed.ode"
            changed.write_text(with_values(path, BRANCHES), encoding="utf-8")
            path = changed
        original = Model(path)
        times = 2 * np.linspace(0, 1, 21) ** 3  # much happens early
        want = aggregated(direction, list(original.slopes), original.trajectory(times), blocks)
        reduced = relative(small.trajectory(times)[:, [list(small.slopes).index(r) for r in blocks]], want)
        out = tool.work / "trajectory.csv"
        ode(tool, "simulate", tool.work / "reduced.ode", "--times", ",".join(map(repr, map(float, times))), "-o", out)
        table = np.genfromtxt(out, delimiter=",", names=True, deletechars="")
        own = np.stack([np.atleast_1d(table[r]) for r in blocks], axis=1)
        yield (f"{name}: {direction}, {len(blocks)} of {len(original.slopes)} variables, to t = 2",
               "reduced = aggregated original",
               f"SciPy on both files: {reduced:.0e}; `simulate` on the reduced file: {relative(own, want):.0e} "
               f"(relative to each column); reduce {run.seconds * 1e3:.0f} ms",
               reduced < 1e-6 and relative(own, want) < 1e-5)


def approximate(tool):
    path = tool.data / "ode/andrea_hTreeCircuit3_1.ode"
    yield from bound_row(tool, path, "backward", .0006, 7, [], "hTreeCircuit3_1, backward, eps .0006", "3 blocks",
                         lambda blocks: len(blocks) == 3)
    path = tool.data / "ode/andrea_perturbedpolymers2ODE.ode"

    def swapped(blocks):
        pairs = [sorted(members) for members in blocks.values() if len(members) > 1]
        return sorted(pairs) == [["A1", "A2"], ["A1CHCHp", "A2CHCHp"], ["A1p", "A2p"]]

    yield from bound_row(tool, path, "forward", .8, .06, ["--set", "r0=0"], "perturbedpolymers2ODE, forward, eps .8",
                         "indices 1 and 2 swap", swapped)


def bound_row(tool, path, direction, eps, t_end, flags, case, target, right):
    out, closest = tool.work / "reduced.ode", tool.work / "closest.ode"
    run = ode(tool, "reduce", path, f"--{direction}", "--eps", eps, "--bound", t_end, "-o", out, "--closest", closest,
              *flags)
    blocks = {block["representative"]: block["members"] for block in run.report["blocks"]}
    lumped = " ".join("{" + " ".join(members) + "}" for members in blocks.values() if len(members) > 1)
    yield case, target, f"{len(blocks)} blocks, those of more than one: {lumped}", right(blocks)
    sets = {flags[1].split("=")[0]: flags[1].split("=")[1]} if flags else {}
    changed = tool.work / "changed.ode"
    changed.write_text(with_values(path, sets), encoding="utf-8")
    original, exact, small = Model(changed), Model(closest), Model(out)
    times = np.linspace(0, t_end, 301)
    names = list(original.slopes)
    apart = np.abs(exact.trajectory(times) - original.trajectory(times)).max()
    want = aggregated(direction, names, original.trajectory(times), blocks)
    got = small.trajectory(times)[:, [list(small.slopes).index(r) for r in blocks]]
    deviation = np.abs(got - want).max()
    found = run.report["bound"]
    yield (f"{case}: closest exact system, bound to t = {t_end:g}", "bound holds",
           f"parameters moved by {run.report['closest']['change_max']:.2e}; lambda {found['lambda']:.4g}, bound "
           f"{found['bound']:.3e}, safe {found['safe_bound']:.3e}, of sums {found['aggregated_safe_bound']:.3e}; "
           f"SciPy: trajectories {apart:.3e} apart, reduced from aggregated {deviation:.3e}",
           bool(apart <= found["safe_bound"] and deviation <= found["aggregated_safe_bound"]))


def scale(tool):
    path, out = tool.work / "large.ode", tool.work / "small.ode"
    ode_scale.write(path, 10 ** 6, 0)
    for direction in ("forward", "backward"):
        run = ode(tool, "reduce", path, f"--{direction}", "-o", out)
        count, left = run.report["monomials"]["original"], run.report["variables"]["reduced"]
        yield (f"{count:,} monomials in {run.report['variables']['original']:,} variables, {direction}",
               "< 30 s, < 2 GB", f"{left} variables (planted: {ode_scale.BLOCKS}); {run.seconds:.1f} s, "
               f"{run.peak_bytes / MIB:.0f} MiB",
               run.seconds < 30 and run.peak_bytes < 2e9 and count >= 10 ** 6 and left == ode_scale.BLOCKS)


def rest(tool):
    """Encodings come to rest at what ONNX Runtime says of the same input."""
    for name in ("glyc_relu", "hepc_tanh"):
        model, data = tool.mlp(name)
        x = judge.read_npz(data)["x_test"][:1]
        np.save(tool.work / "x.npy", x)
        want = judge.run(model, x).ravel()
        for drift in ("linear",) if name.endswith("relu") else ("linear", "exact"):
            out, table = tool.work / "net.ode", tool.work / "net.csv"
            ode(tool, "encode", model, "-o", out, "--drift", drift, "--input", tool.work / "x.npy")
            run = ode(tool, "simulate", out, "--times", "0,80", "-o", table)
            last = np.genfromtxt(table, delimiter=",", names=True, deletechars="")[-1]
            got = np.array([last[f"y{k + 1}"] for k in range(want.size)])
            worst = np.abs(got - want).max()
            yield (f"{name} as an ODE, {drift} drift, one test input", "at rest at the network's output",
                   f"{worst:.1e} from ONNX Runtime; {run.seconds:.1f} s", bool(worst < 1e-5))


ROWS = {"ode-published": published, "ode-approximate": approximate, "ode-trajectories": trajectories,
        "ode-scale": scale, "ode-rest": rest}
