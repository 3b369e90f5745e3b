"""Rows on rankings of units: expressiveness, its hybrids, and the structured baselines. Each function yields
(case, target, measured, verdict).
"""

import json

import numpy as np

import convnets

ALPHAS = (.1, .25, .5, .75, .9)


def hybrid(alpha, importance="l1"):
    return ["expressiveness", "--expressiveness.alpha", f"{alpha:g}", "--expressiveness.importance", importance]


# name in the table: method and its settings
RANKINGS = {
    "expressiveness": ["expressiveness"],
    **{f"hybrid {alpha:g}": hybrid(alpha) for alpha in ALPHAS},
    "l1": ["magnitude", "--magnitude.structured", "true", "--magnitude.scope", "layer"],
    "l2": ["magnitude", "--magnitude.structured", "true", "--magnitude.scope", "layer", "--magnitude.norm", "l2"],
    "wanda": ["wanda", "--wanda.structured", "true"],
    "flap": ["flap"],
    "geometric-median": ["geometric-median"],
    "random": ["random"],
    "select": ["select"],
    "auto": ["auto"],
}


def resnet(tool):
    """resnet20 at 60 % of its MACs by every ranking; the best hybrid against its parts."""
    case, labels = convnets.cifar(tool, "cifar_resnet/resnet20")
    before = convnets.score(case, labels, case.original())
    found = {}
    for name, method in RANKINGS.items():
        run, cost, out, (said, good) = case.compress("--method", *method, "--macs", "60%")
        after = convnets.score(case, labels, convnets.judge.run(out, case.x))
        cut = run.report["stages"][0]["rel_l2"]
        found[name] = after
        yield (f"resnet20, `--macs 60%`, {name}", "", f"{after:.4f} (original {before:.4f}), rel_l2 {cut:.2f} after the cut, "
               f"{case.deviation(out):.3f} recovered, at {case.sizes(out)}; {said}; {cost}",
               None if good and run.code == 0 else False)
    best = max((name for name in found if name.startswith("hybrid")), key=found.get)
    parts = {name: found[name] for name in ("expressiveness", "l1")}
    yield ("resnet20, `--macs 60%`, the best hybrid", "above both of its parts",
           f"{best}: {found[best]:.4f}; " + ", ".join(f"{name} {value:.4f}" for name, value in parts.items()),
           found[best] > max(parts.values()))


def ranks(values):
    """Ranks from 0, equal values sharing the mean of theirs."""
    values = np.asarray(values, float)
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[index]


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def scores(tool, model, *flags):
    """{group: scores} of expressiveness, from the plan."""
    plan = tool.work / "scores.json"
    tool.compress(model, tool.work / "scores.onnx", "--method", "expressiveness", "--ratio", "50%", "--recover", "none",
                  "--plan-out", plan, *flags)
    groups = json.loads(plan.read_text(encoding="utf-8"))["groups"]
    return {group["name"]: group["scores"] for group in groups if group.get("scores")}


def correlation(tool):
    case, _ = convnets.cifar(tool, "cifar_resnet/resnet20")
    metro, metro_data = tool.mlp("metro_relu")
    cases = [("resnet20", case.path, case.flags),
             ("mnist-net_256x4", tool.data / "models/mnistfc/mnist-net_256x4.onnx", tool.mnist()),
             ("metro_relu", metro, ["--data", metro_data])]
    for name, model, flags in cases:
        seen, drawn = scores(tool, model, *flags), scores(tool, model, *flags, "--calib", "random")
        per_group = [spearman(seen[group], drawn[group]) for group in seen]
        yield (f"{name}, rank correlation of expressiveness from data and from N(0, 1) inputs", "report",
               f"{np.nanmean(per_group):.2f} on the average of {len(per_group)} groups "
               f"({np.nanmin(per_group):.2f} to {np.nanmax(per_group):.2f})", None)


ROWS = {"rankings": resnet, "correlation": correlation}
