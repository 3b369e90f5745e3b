"""Draws the figures of the method pages from the results of the bench.

    python bench/figures.py RESULTS.json... docs/methods

RESULTS are what `bench/run.sh --json` wrote for the sections linearity and expressiveness. Writes linearity.svg (accuracy
over size, both modes) and rankings.svg (accuracy of one network at one size by ranking).
"""

import json
import pathlib
import re
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 300, 56, 44, 24, 150
COLOURS = ("#1f5a96", "#b5462f", "#3a7d44", "#7a5195")


def text(x, y, words, anchor="middle", size=12):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def frame(title, body, height=HEIGHT):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                      'font-family="sans-serif" fill="#222">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
                      text(WIDTH / 2, 16, title, size=13), *body, "</svg>", ""])


def lines(title, series, axis, low, high):
    """series {name: [(share in percent, value in percent)]}, larger shares to the left."""
    def at(share, value):
        x = LEFT + (100 - share) / 80 * (WIDTH - LEFT - RIGHT)
        return x, TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    body = []
    for k in range(5):
        value = low + (high - low) * k / 4
        y = at(100, value)[1]
        body += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
                 text(LEFT - 6, y + 4, f"{value:.0f} %", "end", 11)]
    body += [text(at(share, low)[0], HEIGHT - BOTTOM + 16, f"{share} %", size=11) for share in (100, 75, 50, 25)]
    body.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, axis))
    for k, (name, points) in enumerate(series.items()):
        colour = COLOURS[k % len(COLOURS)]
        marks = [at(share, max(value, low)) for share, value in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in marks)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in marks]
        body.append(f'<g fill="{colour}">{text(WIDTH - RIGHT + 10, TOP + 16 + 18 * k, name, "start")}</g>')
    return frame(title, body)


def bars(title, values, original):
    height = TOP + 20 * len(values) + 30
    scale = (WIDTH - 200) / original
    body = [f'<line x1="{140 + original * scale:.1f}" x2="{140 + original * scale:.1f}" y1="{TOP}" y2="{height - 26}" '
            'stroke="#888" stroke-dasharray="4 3"/>',
            text(140 + original * scale, height - 10, f"original {original:.4f}", size=11)]
    for k, (name, value) in enumerate(sorted(values.items(), key=lambda item: -item[1])):
        y = TOP + 20 * k
        colour = COLOURS[1] if name.startswith(("hybrid", "expressiveness")) else COLOURS[0]
        body += [text(134, y + 14, name, "end"),
                 f'<rect x="140" y="{y + 3}" width="{value * scale:.1f}" height="14" fill="{colour}"/>',
                 f'<g fill="white">{text(140 + value * scale - 6, y + 14, f"{value:.4f}", "end", 11)}</g>']
    return frame(title, body, height)


def linearity(results):
    series = {}
    for result in results:
        if result["row"] != "linear_deep":
            continue
        mode = "affine" if ", affine," in result["case"] else "rate"
        name = f"{mode}, {'as cut' if '--recover none' in result['case'] else 'recovered'}"
        points = [(float(size), float(value)) for size, value in re.findall(r"(\d+)%: ([\d.]+)%", result["measured"])]
        original = float(re.search(r"original ([\d.]+)%", result["case"]).group(1))
        series[name] = [(100, original), *points]
    return lines("MNIST, 784-1024-1024-512-512-256-256-10: accuracy after linearity", series, "parameters left", 90, 100)


def rankings(results):
    values, original = {}, None
    for result in results:
        name = result["case"].rpartition(", ")[2]
        found = re.match(r"([\d.]+) \(original ([\d.]+)\)", result["measured"])
        if result["row"] == "rankings" and found:
            values[name], original = float(found.group(1)), float(found.group(2))
    return bars("ResNet-20 at 60 % of its MACs, recovered: accuracy by ranking", values, original)


def main():
    *files, folder = sys.argv[1:]
    results = [result for file in files for result in json.loads(pathlib.Path(file).read_text(encoding="utf-8"))["results"]]
    for name, draw in (("linearity", linearity), ("rankings", rankings)):
        pathlib.Path(folder, f"{name}.svg").write_text(draw(results), encoding="utf-8")


main()
