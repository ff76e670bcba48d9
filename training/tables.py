"""Trains and measures every row of the studies: `python -m training.tables --data FOLDER:faces --backgrounds ZIP --budget 20000`.

Each row is a run of training/train.py with the same samples and steps; killed, the command continues where it was. All rows of a
seed share one copy of their samples, and data are read once. Results, and curves of every study, are written anew after each
row to training/RESULTS.md and training/curves/.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import statistics

import torch

from training import memory, train
from training.checkpoints import trained_network
from training.evaluate import evaluate
from training.export import manifest_of
from training.graph import count, prune
from training.images import load_mixture, parse_source, read_backgrounds
from training.integer import integer_network
from training.model import GraphModule
from training.pack import pack_bytes
from training.plot import draw
from training.table_rows import BASE, ROWS, Row
from training.tasks import TASKS

TITLES = {
    "topology": "Order, passes, number of U-Nets (float)",
    "supervision": "Detection and regression supervision (float; a comma separates passes)",
    "precision": "Bits of inputs, weights and gradients",
    "beyond": "Beyond the paper (1-bit weights, 8-bit inputs)",
}


def model_bytes(model: GraphModule) -> int:
    """Bytes of what inference needs at its precision: weights, and 16-bit norm pairs with quantised inputs, else float pairs."""
    bits = {"b1": 1, "t2": 2, "i8": 8, "f32": 32}
    nodes = prune(model.graph)["nodes"]
    weights = {n["weight"]: model.integer_weight(n).numel() * bits[n["encoding"]] for n in nodes if n["op"] == "conv2d"}
    pair = 4 if all(n["inputBits"] < 32 for n in nodes if n["op"] == "requantize") else 8
    return -(-sum(weights.values()) // 8) + count({**model.graph, "nodes": nodes})["norms"] * pair


def measure_row(row: Row, run: pathlib.Path, validations: dict) -> dict:
    """Figures of a trained row: accuracy on the whole validation set, bytes, memory and time of a step."""
    config = row.config
    model = trained_network(config.graph, run / "checkpoint.pt")
    result = evaluate(model, validations, config)
    need = memory.measure(config.graph, config.keep_bits, config.batch, repeats=2)
    counts = count({**model.graph, **prune(model.graph)})
    result |= {"weights": counts["weights"], "multiplyAdds": counts["multiplyAdds"], "bytes": model_bytes(model)}
    result |= {"kept": need.kept, "peak": need.peak, "seconds": need.seconds}
    if config.graph.input_bits < 32 and not config.graph.depthwise_growth:  # what packs hold
        network = integer_network(model)
        result["pack"] = len(pack_bytes(network, manifest_of(config, network, {})))
    return result


class Remembered(torch.utils.data.Dataset):
    """Samples that are made once, for all rows that ask for them."""

    def __init__(self, samples: torch.utils.data.Dataset) -> None:
        self.samples, self.made = samples, {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int):
        if i not in self.made:
            self.made[i] = self.samples[i]
        return self.made[i]


def train_row(row: Row, seed: int, runs: pathlib.Path, samples: Remembered, validations: dict, arguments: argparse.Namespace) -> None:
    """One run of training/train.py, continued if it was killed."""
    steps = arguments.budget // row.config.batch
    config = dataclasses.replace(row.config, seed=seed, steps=steps)
    command = ["--data", "given:here", "--runs", str(runs), "--threads", str(arguments.threads), "--workers", "0"]
    command += ["--validate-every", str(max(1, steps // 5)), "--log-every", str(max(1, steps // 20))]
    if row.teacher:
        command += ["--teacher", f"table-{row.teacher}:{runs / f'table-{row.teacher}' / 'checkpoint.pt'}"]
    train.train(config, samples, validations, train.parser().parse_args(command))


def write_results(runs: pathlib.Path, seeds: list[int], arguments: argparse.Namespace) -> None:
    """RESULTS.md and the curves from all results there are."""
    found = {}
    for row in ROWS:
        files = {seed: runs / str(seed) / row.config.name / "result.json" for seed in seeds}
        found[row.config.name] = {seed: json.loads(file.read_text()) for seed, file in files.items() if file.exists()}
    lines = [
        "# Studies", "",
        "Written by `python -m training.tables`; what the rows are stands in `table_rows.py`.", "",
        f"Budget: {arguments.budget:,} samples per row (batch {BASE.batch}), seeds {', '.join(map(str, seeds))}, the same samples and steps "
        f"for every row; {BASE.graph.input_size} px, {BASE.graph.channels} channels. NME on held-out labels in percent, one figure per seed. "
        "Bytes are weights and norms at their precision, the pack's size includes graph and manifest (packs hold neither float inputs nor grouped "
        "convolutions). Memory is what lives between forward and "
        f"backward of a batch of {BASE.batch}, step ms the processor time of one forward and backward pass of that on one thread; rows of "
        "the last table keep all features, the others recompute. TM and MS are memory and bytes relative to the float row, "
        "BI = NME^2 x TM x MS. Gain is how many points of NME less than another row: the one named, on the same seeds. The paper's figures "
        "(300-W, N = 4, 128 channels, 256 px) are remembered, not checked against its text.",
    ]
    missing = [row.label for row in ROWS if not found[row.config.name]]
    if missing:
        lines += ["", f"Not run yet: {'; '.join(missing)}."]
    whole = next(iter(found["table-float"].values()), None)
    for group, title in TITLES.items():
        rows = [row for row in ROWS if row.group == group and found[row.config.name]]
        if not rows:
            continue
        lines += ["", f"## {title}", ""]
        lines += ["| row | NME | mean | gain | FR 8 % | weights | M multiply-adds | kB | pack kB | memory MB | step ms | TM | MS | BI | paper |"]
        lines += ["| --- |" + " --- |" * 14]
        for row in rows:
            lines.append(table_line(row, found, whole))
        logs = {row.label: runs / str(seeds[0]) / row.config.name / "log.jsonl" for row in rows}
        logs = {label: path for label, path in logs.items() if path.exists()}
        if logs:
            draw(logs, arguments.out.parent / "curves" / f"table_{group}.png", BASE.batch)
            lines += ["", f"![curves](curves/table_{group}.png)"]
    arguments.out.write_text("\n".join(lines) + "\n")


def table_line(row: Row, found: dict[str, dict[int, dict]], whole: dict | None) -> str:
    """One line of Markdown of `found`, results by row and seed; `whole` is the float result that ratios refer to."""
    results, others = found[row.config.name], found[f"table-{row.against}"]
    first = next(iter(results.values()))
    nme = statistics.mean(r["nme"] for r in results.values())
    gains = [others[seed]["nme"] - r["nme"] for seed, r in results.items() if seed in others]
    gain = f"{statistics.mean(gains):+.2f} to {label_of(row.against)}" if gains and f"table-{row.against}" != row.config.name else "-"
    cells = [row.label, ", ".join(f"{r['nme']:.2f}" for r in results.values()), f"{nme:.2f}", gain]
    cells += [f"{statistics.mean(r['fr8'] for r in results.values()):.1f}"]
    cells += [f"{first['weights']:,}", f"{first['multiplyAdds'] / 1e6:.1f}", f"{first['bytes'] / 1000:.1f}"]
    cells += [f"{first['pack'] / 1000:.1f}" if "pack" in first else "-", f"{first['kept'] / 1e6:.1f}", f"{first['seconds'] * 1000:.0f}"]
    if whole:
        memory_ratio, size_ratio = first["kept"] / whole["kept"], first["bytes"] / whole["bytes"]
        cells += [f"{memory_ratio:.2f}", f"{size_ratio:.3f}", f"{balance_index(nme, memory_ratio, size_ratio):.2f}"]
    else:
        cells += ["-"] * 3
    return "| " + " | ".join([*cells, row.paper]) + " |"


def label_of(key: str) -> str:
    """What tables call the row `table-<key>`."""
    return next(row.label for row in ROWS if row.config.name == f"table-{key}")


def balance_index(nme: float, memory_ratio: float, size_ratio: float) -> float:
    """The paper's figure for a precision: squared error times training memory times model size, both relative to float."""
    return nme**2 * memory_ratio * size_ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=parse_source, action="append", required=True, help="FOLDER:STEM of 68-point faces")
    parser.add_argument("--backgrounds", type=pathlib.Path, help="zip of pictures without subjects")
    parser.add_argument("--budget", type=int, default=20_000, help="samples per row")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--rows", nargs="+", help="only these rows (keys of table_rows.py without `table-`) or groups")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("training/runs/tables"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("training/RESULTS.md"))
    parser.add_argument("--limit", type=int, help="use only the first images (for trying things)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    runs = arguments.runs / str(arguments.budget)
    torch.set_num_threads(1)
    wanted = [r for r in ROWS if not arguments.rows or {r.config.name.removeprefix("table-"), r.group} & set(arguments.rows)]
    needed = {name for r in wanted for name in (r.teacher, r.weights_of) if name}
    wanted = [r for r in ROWS if r in wanted or r.config.name.removeprefix("table-") in needed]
    task = TASKS[BASE.task]
    mixture = load_mixture(arguments.data, "train", arguments.limit)
    backgrounds = read_backgrounds(arguments.backgrounds, task.backgrounds) if arguments.backgrounds else []
    few, every = (task.validations(arguments.data, arguments.backgrounds, BASE, n) for n in (arguments.limit or 300, arguments.limit))
    for seed in arguments.seeds:
        samples = Remembered(task.samples(mixture, backgrounds, dataclasses.replace(BASE, seed=seed), 0, arguments.budget))
        for row in wanted:
            result = runs / str(seed) / row.config.name / "result.json"
            if result.exists():
                continue
            source = runs / str(seed) / (f"table-{row.weights_of}" if row.weights_of else row.config.name)
            if not row.weights_of:
                train_row(row, seed, runs / str(seed), samples, few, arguments)
            result.parent.mkdir(parents=True, exist_ok=True)
            result.write_text(json.dumps(measure_row(row, source, every)))
            write_results(runs, arguments.seeds, arguments)
    write_results(runs, arguments.seeds, arguments)


if __name__ == "__main__":
    main()
