"""Measures what coset promises, and prints a table: case, target, measured, verdict.

Models are compressed by the command; what the results score and how large they are is found by judge.py, which knows
numpy and ONNX Runtime and nothing of coset. Time and peak memory are those that the kernel reports for the command.
Exit code 1 if a row falls short of its target. Started by run.sh.
"""

import argparse
import json
import os
import pathlib
import platform
import sys
import tempfile

import numpy
import onnx
import onnxruntime

import beyond
import convnets
import expressiveness
import linearity
import ode
import rows
from tool import Tool

VERDICTS = {True: "met", False: "SHORT", None: ""}
SECTIONS = {"acceptance": rows.ROWS, "convnets": convnets.ROWS, "ode": ode.ROWS,
            "linearity": linearity.ROWS, "expressiveness": expressiveness.ROWS, "beyond": beyond.ROWS}
TITLES = {"acceptance": "Acceptance", "convnets": "Convolutional networks", "ode": "ODE systems",
          "linearity": "Linearity", "expressiveness": "Expressiveness and structured baselines",
          "beyond": "Beyond the table"}


def chosen(only):
    """[(section, name, function)] of the rows that --only names: sections or rows."""
    every = [(section, name, function) for section, group in SECTIONS.items() for name, function in group.items()]
    if not only:
        return every
    unknown = set(only) - {name for section, row, _ in every for name in (section, row)}
    if unknown:
        sys.exit(f"bench: no row {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}, "
                 f"{', '.join(name for _, name, _ in every)}")
    return [entry for entry in every if entry[0] in only or entry[1] in only]


def machine():
    cpu = platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":", 1)[1].strip() for line in info.read_text(encoding="utf-8").splitlines()
                    if line.startswith("model name")), cpu)
    return (f"{len(os.sched_getaffinity(0))} cores, {cpu}; numpy {numpy.__version__}, onnx {onnx.__version__}, "
            f"ONNX Runtime {onnxruntime.__version__}")


def by_method_line(result):
    cells = [cell.partition(" ")[2] for cell in result["measured"].split(", ")]
    return f"| {result['case']} | {result['target'].removeprefix('original ')} | {' | '.join(cells)} |"


def markdown(results, about):
    lines = ["# Measured results", "",
             "Written by `make bench BENCH_ARGS='--markdown docs/results.md'`, which repeats all of it. Every score is "
             "that of ONNX",
             "Runtime on the written model and the test part of the data; every size is counted in the file; time and "
             "peak memory",
             "are those of the whole command, with reading the data and scoring both models on the test part.", "",
             about, ""]
    for section, title in TITLES.items():
        part = [result for result in results if result["section"] == section]
        if not part:
            continue
        lines += [f"## {title}", ""]
        if section == "beyond":
            lines += ["No targets; other seeds, networks and sizes with every method, all given the same data. "
                      "`magnitude` and `wanda`",
                      "set weights to zero: their share is one of non-zeros, and the model gets no smaller. `!`: the "
                      "share was not reached.", ""]
        single = [r for r in part if r["row"] not in beyond.BY_METHOD]
        lines += ["| case | target | measured | |", "|---|---|---|---|"]
        lines += [f"| {r['case']} | {r['target']} | {r['measured']} | {VERDICTS[r['verdict']]} |" for r in single]
        lines.append("")
        by_method = [r for r in part if r["row"] in beyond.BY_METHOD]
        if by_method:
            lines += [f"| R² or accuracy | original | {' | '.join(beyond.METHODS)} |",
                      "|---|---" + "|---" * len(beyond.METHODS) + "|"]
            lines += [by_method_line(r) for r in by_method]
            lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("--only", action="append", metavar="ROW", help="a row or a section; may be given again")
    parser.add_argument("--json", metavar="F", help="write the results there too")
    parser.add_argument("--markdown", metavar="F", help="write the results there too")
    parser.add_argument("-v", "--verbose", action="store_true", help="say every command")
    arguments = parser.parse_args()
    todo = chosen(arguments.only)
    results = []
    with tempfile.TemporaryDirectory(prefix="coset-bench-") as work:
        say = (lambda text: print("  " + text, file=sys.stderr)) if arguments.verbose else (lambda text: None)
        tool = Tool(pathlib.Path(os.environ["COSET_BIN"]).resolve(), pathlib.Path(os.environ["COSET_DATA"]).resolve(),
                    pathlib.Path(work), say)
        for section, name, function in todo:
            try:
                for case, target, measured, verdict in function(tool):
                    print(f"{case} | {target} | {measured} | {VERDICTS[verdict]}", flush=True)
                    results.append({"section": section, "row": name, "case": case, "target": target,
                                    "measured": measured, "verdict": verdict})
            except Exception as error:  # one row that cannot be measured must not hide the others
                print(f"{name} | | {error} | SHORT", flush=True)
                results.append({"section": section, "row": name, "case": name, "target": "",
                                "measured": f"failed: {error}".replace("|", "/"), "verdict": False})
    short = sum(result["verdict"] is False for result in results)
    met = sum(result["verdict"] is True for result in results)
    print(f"{met} met, {short} short of their target")
    about = f"Measured on {machine()}."
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"about": about, "results": results}, file, indent=2)
    if arguments.markdown:
        with open(arguments.markdown, "w", encoding="utf-8") as file:
            file.write(markdown(results, about))
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
