"""The rows of the paper's studies at the small scale, as configurations. What is compared, not how it is run (training/tables.py).

All rows share data, steps, batch and schedule. Studies of topology and supervision are in float, as in the paper; quantised rows keep
features packed in the bits of their inputs, so the training memory they report is the one they were trained with.
"""

from __future__ import annotations

import dataclasses

from training.config import Config
from training.graph import GraphConfig
from training.precision import FLOAT, kept_bits, with_precision

GRAPH = GraphConfig(
    landmarks=68, stacks=4, order=1, channels=24, growth=6, depth=2, input_size=64, stem_kernel=5, shared_skip_norm=True
)
BASE = Config(name="table", task="face", graph=GRAPH.float_twin(), batch=8, warmup=50, keep_bits=32)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table. `teacher` names the row whose network teaches this one, `weights_of` the row whose trained network is
    only decoded otherwise, `paper` the paper's figure for the line (300-W full set, N = 4; remembered, not checked), `against` the
    row that gains are counted from."""

    group: str
    label: str
    config: Config
    paper: str = "-"
    teacher: str | None = None
    weights_of: str | None = None
    against: str = "float"


AGAINST = {"supervision": "detection", "beyond": "shipped"}
"""Where it is another row than `float` that a group's gains are counted from, and the row names none of its own."""


def _row(group: str, key: str, label: str, graph: dict | None = None, base: Config = BASE, paper: str = "-", **config) -> Row:
    links = {name: config.pop(name) for name in ("teacher", "weights_of", "against") if name in config}
    links.setdefault("against", links.get("weights_of", AGAINST.get(group, "float")))
    changed = dataclasses.replace(base, name=f"table-{key}", graph=dataclasses.replace(base.graph, **graph or {}), **config)
    return Row(group, label, changed, paper, **links)


def _precise(key: str, name: str, paper: str) -> Row:
    graph = with_precision(GRAPH, name)
    return Row("precision", name, dataclasses.replace(BASE, name=f"table-{key}", graph=graph, keep_bits=kept_bits(graph)), paper)


SHIPPED = dataclasses.replace(BASE, graph=GRAPH, keep_bits=0)
"""1-bit weights, 8-bit inputs, float gradients: what packs are trained with."""
REGRESSED = dataclasses.replace(SHIPPED, losses=("regression",))
SUPERVISION = {
    "detection": (("detection",), "4.01"), "regression": (("regression",), "3.36 to 3.38"),
    "detection-detection": (("detection", "detection"), "3.93"), "detection-regression": (("detection", "regression"), "3.37"),
    "regression-regression": (("regression", "regression"), "3.28"),
}

ROWS = [
    _row("topology", "float", "N = 4, order 1"),
    _row("topology", "order-0", "N = 4, order 0", {"order": 0}),
    _row("topology", "order-2", "N = 4, order 2", {"order": 2}),
    _row("topology", "order-3", "N = 4, order 3", {"order": 3}),
    _row("topology", "two-passes", "N = 4, order 1, two passes", {"refinements": 1}),
    _row("topology", "doubled", "N = 8, order 1", {"stacks": 8}),
    _row("topology", "supervised-ends", "N = 4, order 1, losses at U-Nets 2 and 4", {"supervised": (2, 4)}),
    _row("topology", "naive-dense", "naive dense U-Net", {"stacks": 1, "order": 0, "layers": 8}),
    *(
        _row("supervision", key, key.replace("-", ", "), {"refinements": len(losses) - 1}, paper=paper, losses=losses)
        for key, (losses, paper) in SUPERVISION.items()
    ),
    Row("precision", FLOAT, dataclasses.replace(BASE, name="table-float"), "3.38, BI 11.4"),
    _precise("bw", "BW", "3.75, BI 0.42"),
    _precise("bw-alpha", "BW-alpha", "3.58, BI 0.38"),
    _precise("tw", "TW", "3.73, BI 0.83"),
    _precise("bw-818", "BW-QIG(818)", "4.30, BI 0.14"),
    _precise("bw-alpha-818", "BW-alpha-QIG(818)", "4.47, BI 0.15"),
    _precise("bw-616", "BW-QIG(616)", "5.93, BI 0.18"),
    _precise("tw-626", "TW-QIG(626)", "4.27, BI 0.19"),
    _precise("tw-828", "TW-QIG(828)", "4.13, BI 0.26"),
    _row("beyond", "shipped", "as shipped: BW-QI(818), likelihood", base=SHIPPED),
    _row("beyond", "regressed", "regression, sub-cell targets", base=REGRESSED),
    _row("beyond", "cell-targets", "regression, targets at cells", base=REGRESSED, subcell=False, against="regressed"),
    _row("beyond", "quarter", "regression, decoded as in the paper", base=REGRESSED, decoder="quarter", weights_of="regressed"),
    _row("beyond", "dark", "regression, decoded by DARK", base=REGRESSED, decoder="dark", weights_of="regressed"),
    _row("beyond", "shipped-dark", "likelihood, decoded by DARK", base=SHIPPED, decoder="dark", weights_of="shipped"),
    _row("beyond", "adaptive-wing", "adaptive wing", base=SHIPPED, losses=("adaptive_wing",)),
    _row("beyond", "distilled", "taught by the float network", base=SHIPPED, distillation=1.0, teacher="float"),
    _row("beyond", "progressive", "float weights for half of the steps", base=SHIPPED, float_weights=0.5),
    _row("beyond", "learned-clip", "learned input clip", {"learned_clip": True}, base=SHIPPED),
    _row("beyond", "depthwise", "depthwise growth convolution", {"depthwise_growth": True}, base=SHIPPED),
    _row("beyond", "averaged", "averaged weights, decay 0.998", base=SHIPPED, average=0.998),
    _row("beyond", "settled", "the same, settled for the last quarter", base=SHIPPED, average=0.998, settle=0.25),
]


def config_of(name: str) -> Config:
    """The configuration of the row called `table-<key>`; KeyError if there is none."""
    return {row.config.name: row.config for row in ROWS}[name]
