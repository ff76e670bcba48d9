"""Rows, precisions and figures of the studies; the guide's example set."""

import argparse
import json

import numpy as np
import pytest
import torch

from training import memory, tables
from training.configs import load_config
from training.crops import transform
from training.graph import GraphConfig, build_graph
from training.images import load_set
from training.kites import write_kites
from training.landmark_sets import LANDMARK_SETS
from training.model import GraphModule
from training.precision import kept_bits, with_precision
from training.table_rows import GRAPH, ROWS, config_of
from training.tests.helpers import write_face_set


@pytest.mark.parametrize(
    ("name", "weights", "ends", "inputs", "gradients", "scaled"),
    [
        ("32-32-32", "f32", "f32", 32, 32, False), ("BW", "b1", "f32", 32, 32, False), ("BW-alpha", "b1", "f32", 32, 32, True),
        ("TW", "t2", "f32", 32, 32, False), ("BW-QIG(818)", "b1", "i8", 8, 8, False), ("BW-QIG(616)", "b1", "i8", 6, 6, False),
        ("TW-QIG(626)", "t2", "i8", 6, 6, False), ("TW-QIG(828)", "t2", "i8", 8, 8, False), ("BW-QI(818)", "b1", "i8", 8, 32, False),
    ],
)
def test_the_papers_names(name, weights, ends, inputs, gradients, scaled):
    graph = with_precision(GRAPH, name)
    assert (graph.weights, graph.end_weights, graph.input_bits) == (weights, ends, inputs)
    assert (graph.gradient_bits, graph.scaled) == (gradients, scaled)
    build_graph(graph)


@pytest.mark.parametrize("name", ["BW-QIG(828)", "TW-alpha", "XW", "BW-Q(818)", "BW-QIG(81)"])
def test_names_that_are_none(name):
    with pytest.raises(ValueError, match="expected 32-32-32"):
        with_precision(GRAPH, name)


def test_every_row_has_a_network_and_its_links():
    names = {row.config.name.removeprefix("table-") for row in ROWS}
    for row in ROWS:
        build_graph(row.config.graph)
        assert {row.teacher, row.weights_of} <= names | {None}
        assert (row.teacher is not None) == (row.config.distillation > 0)
        assert load_config(row.config.name) == config_of(row.config.name)
        assert (row.config.batch, row.config.rate, row.config.steps) == (8, 2e-3, 5400)


def test_balance_index_is_the_papers():
    # 300-W: 3.38^2 * 1 * 1 = 11.4 in float, 4.30^2 * 0.25 * 0.03 = 0.14 for BW-QIG(818).
    assert round(tables.balance_index(3.38, 1, 1), 1) == 11.4
    assert round(tables.balance_index(4.30, 0.25, 0.03), 2) == 0.14


def test_bytes_of_a_model_by_hand():
    shape = {"landmarks": 2, "stacks": 1, "order": 0, "channels": 8, "growth": 4, "depth": 1, "input_size": 16, "stem_kernel": 3}
    # Stem 9*3*8 = 216, head 16. Inner: neck 8->16 twice (d0, mid) 128 each and 16->16 (u0) 256; grow 9*16*4 = 576 thrice; ahead 12->8
    # twice 96 each and 20->8 160; skip 96. Together 2688 inner weights. Norms: 8+16+12+12, 8+16+12, 16+16+20, 8 = 144 channels.
    expected = {"BW-QIG(818)": (216 + 16) + 2688 // 8 + 144 * 4, "32-32-32": (216 + 16 + 2688) * 4 + 144 * 8, "TW": 232 * 4 + 2688 // 4 + 144 * 8}
    for name, size in expected.items():
        assert tables.model_bytes(GraphModule(build_graph(with_precision(GraphConfig(**shape), name)))) == size


def test_recomputing_keeps_a_third_and_packing_less():
    shape = GraphConfig(landmarks=4, stacks=2, channels=16, growth=4, depth=2, input_size=32)
    kept = [memory.measure(shape, bits, batch=1, repeats=1).kept for bits in (0, 32, 8)]
    assert kept[1] < kept[0] / 2 and kept[2] < kept[1] * 0.8


def test_results_name_the_budget_the_ratios_and_the_gains(tmp_path):
    result = {"fr8": 1.5, "weights": 1000, "multiplyAdds": 2_000_000, "bytes": 4000, "kept": 8_000_000, "seconds": 0.5}
    # The gain is counted on seed 1 alone, which both have.
    for seed, key, nme, factor in ((1, "float", 4.0, 1), (1, "bw-818", 3.5, 0.25), (2, "bw-818", 4.5, 0.25)):
        folder = tmp_path / str(seed) / f"table-{key}"
        folder.mkdir(parents=True)
        row = result | {"nme": nme, "kept": result["kept"] * factor, "bytes": result["bytes"] * factor}
        (folder / "result.json").write_text(json.dumps(row))
    out = tmp_path / "RESULTS.md"
    tables.write_results(tmp_path, [1, 2], argparse.Namespace(budget=320, out=out))
    text = out.read_text()
    assert "320 samples per row" in text
    assert "Not run yet: N = 4, order 0; N = 4, order 2;" in text and "naive dense" not in text.split("##")[1]
    assert (
        "| BW-QIG(818) | 3.50, 4.50 | 4.00 | +0.50 to N = 4, order 1 | 1.5 | 1,000 | 2.0 | 1.0 | - | 2.0 | 500 | 0.25 | 0.250 | 1.00 "
        "| 4.30, BI 0.14 |"
    ) in text
    assert "| 32-32-32 | 4.00 | 4.00 | - |" in text


def test_rows_share_samples_that_are_made_once():
    made = []
    samples = tables.Remembered(Made(made))
    assert len(samples) == 3 and [samples[i] for i in (0, 2, 0, 2)] == [0, 20, 0, 20] and made == [0, 2]


class Made(torch.utils.data.Dataset):
    """Items 0, 10, 20; notes which were made."""

    def __init__(self, made: list[int]) -> None:
        self.made = made

    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: int) -> int:
        self.made.append(i)
        return 10 * i


def test_a_row_is_trained_measured_and_written(tmp_path, monkeypatch):
    write_face_set(tmp_path, "faces_train", 6)
    write_face_set(tmp_path, "faces_val", 3, seed=1)
    command = ["tables", "--data", f"{tmp_path}:faces", "--budget", "32", "--threads", "1", "--rows", "quarter", "distilled"]
    command += ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "RESULTS.md")]
    monkeypatch.setattr("sys.argv", command)
    tables.main()
    results = sorted(path.parent.name for path in tmp_path.glob("runs/32/1/*/result.json"))
    # What others need is run with them: the teacher, and the network that is decoded otherwise.
    assert results == ["table-distilled", "table-float", "table-quarter", "table-regressed"]
    assert (tmp_path / "curves" / "table_beyond.png").exists()
    before = (tmp_path / "RESULTS.md").read_text()
    tables.main()  # nothing is left to do
    assert (tmp_path / "RESULTS.md").read_text() == before


@pytest.mark.parametrize("name", ["32-32-32", "BW-alpha", "TW-QIG(626)", "BW-QIG(818)"])
@pytest.mark.parametrize("recomputed", [False, True])
def test_every_precision_trains_with_16_bit_convolutions(name, recomputed):
    shape = GraphConfig(landmarks=4, stacks=2, channels=16, growth=4, depth=1, input_size=32)
    graph = with_precision(shape, name)
    image = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    found = []
    for is_cast in (False, True):
        torch.manual_seed(1)
        model = GraphModule(build_graph(graph), keep_bits=kept_bits(graph) if recomputed else 0).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_cast):
            outputs = model(image)
        sum(output.float().square().mean() for output in outputs).backward()
        found.append(torch.cat([p.grad.flatten() for p in model.weights.values()]))
    # bf16 has 8 significant bits, which moves activation levels, and 6-bit gradients are rounded at random: the direction stays.
    assert torch.nn.functional.cosine_similarity(*found, 0) > 0.7


def test_kites_have_their_points_and_mirror(tmp_path):
    write_kites(tmp_path, "kites_train", 3, 1)
    data = load_set(tmp_path, "kites_train")
    assert len(data.images) == 3 and data.points.shape == (3, 5, 2) and data.images[0].shape == (144, 144, 3)
    assert ((data.points > 0) & (data.points < 144)).all()
    kite = LANDMARK_SETS["kite"]
    shape = np.array([[0, -44], [-30, -12], [30, -12], [0, 34], [0, 56]], float)
    mirrored = transform(shape, np.array([[-1.0, 0, 0], [0, 1, 0]]))[list(kite.mirror)]
    assert np.allclose(mirrored, shape)
