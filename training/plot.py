"""Draws a run's curves: `python -m training.plot training/runs/face/log.jsonl --out training/curves/face.png`."""

from __future__ import annotations

import argparse
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def draw(logs: dict[str, pathlib.Path], out: pathlib.Path, batch: int) -> None:
    """Loss and validation NME over samples seen, one line per label; writes a picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    for i, (label, path) in enumerate(logs.items()):
        style = {"label": label, "color": f"C{i}", "linestyle": ("-", "--", ":")[i // 10]}
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        left.plot([r["step"] * batch / 1000 for r in rows], [r["loss"] for r in rows], **style)
        scored = [r for r in rows if "nme" in r]
        right.plot([r["step"] * batch / 1000 for r in scored], [r["nme"] for r in scored], marker="o", markersize=3, **style)
    left.set(xlabel="samples seen (thousands)", ylabel="training loss, all heads", yscale="log")
    right.set(xlabel="samples seen (thousands)", ylabel="NME on validation faces, %", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    right.legend(fontsize=7)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=pathlib.Path, nargs="+", help="log.jsonl of one or more runs")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    labels = {path.parent.name if path.name == "log.jsonl" else path.stem: path for path in arguments.logs}
    draw(labels, arguments.out, arguments.batch)


if __name__ == "__main__":
    main()
