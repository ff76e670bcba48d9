"""The training script itself: a stopped run continues to the same weights, two processes learn what one does."""

import argparse
import json
import pathlib
import subprocess
import sys
import time
import zipfile

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training import train
from training.checkpoints import start_from
from training.export import save_master
from training.graph import GraphConfig, build_graph
from training.images import Source, parse_source
from training.model import GraphModule
from training.tests.helpers import write_face_set


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_face_set(folder, "faces_train", 12)
    write_face_set(folder, "faces_val", 4, seed=1)
    return folder


def options(folder, runs, config: str, *extra: str) -> list[str]:
    return ["--config", config, "--data", f"{folder}:faces", "--runs", str(runs), "--workers", "0", "--threads", "1", *extra]


def run(monkeypatch, *arguments) -> None:
    monkeypatch.setattr("sys.argv", ["train", *options(*arguments)])
    train.main()


def rows(runs, config: str) -> list[dict]:
    return [json.loads(line) for line in (runs / config / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("config", "extra", "continued"),
    # Workers make the samples that the run itself would have made.
    [("smoke", ("--tensorboard",), ("--workers", "2")), ("smoke_paper", ("--autocast", "bf16"), ())],
)
def test_a_stopped_run_continues_to_the_same_weights(tmp_path, monkeypatch, faces, config, extra, continued):
    run(monkeypatch, faces, tmp_path / "whole", config, *extra)
    run(monkeypatch, faces, tmp_path / "parts", config, *extra, "--stop-after", "7")
    run(monkeypatch, faces, tmp_path / "parts", config, *extra, *continued)
    whole, parts = (torch.load(tmp_path / name / config / "checkpoint.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 12
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name
    if config == "smoke_paper":
        for name, value in whole["average"]["tensors"].items():
            assert torch.equal(value, parts["average"]["tensors"][name]), name
    last = rows(tmp_path / "whole", config)[-1]
    assert last["step"] == 12 and "nme" in last and not last.get("skipped")
    if "--tensorboard" in extra:
        assert scalars(tmp_path / "whole" / config / "tensorboard")["nme"] == [(12, pytest.approx(last["nme"]))]
        assert [step for step, _ in scalars(tmp_path / "parts" / config / "tensorboard")["loss"]] == [7, 12]


def scalars(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by name that TensorBoard shows of a folder."""
    board = EventAccumulator(str(folder)).Reload()
    return {name: [(e.step, e.value) for e in board.Scalars(name)] for name in board.Tags()["scalars"]}


def test_another_seed_is_another_run_and_compiling_wants_naive_features(tmp_path, monkeypatch, faces):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run(monkeypatch, faces, tmp_path / name, "smoke", "--steps", "2", "--seed", seed)
    a, b, c = (torch.load(tmp_path / n / "smoke" / "checkpoint.pt", weights_only=True)["model"] for n in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["weights.stem"], c["weights.stem"])
    with pytest.raises(SystemExit, match="--compile with keep_bits 8: expected 0"):
        run(monkeypatch, faces, tmp_path / "d", "smoke_paper", "--compile")


def test_a_killed_run_continues_to_the_same_weights(tmp_path, monkeypatch, faces):
    run(monkeypatch, faces, tmp_path / "whole", "smoke")
    checkpoint = tmp_path / "killed" / "smoke" / "checkpoint.pt"
    command = [sys.executable, "-m", "training.train", *options(faces, tmp_path / "killed", "smoke", "--save-every", "2")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not checkpoint.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert 0 < torch.load(checkpoint, weights_only=True)["step"] < 12
    run(monkeypatch, faces, tmp_path / "killed", "smoke")
    whole, continued = (torch.load(tmp_path / name / "smoke" / "checkpoint.pt", weights_only=True) for name in ("whole", "killed"))
    assert continued["step"] == 12
    for name, value in whole["model"].items():
        assert torch.equal(value, continued["model"][name]), name


def test_two_processes_have_the_loss_curve_of_one(tmp_path, monkeypatch, faces):
    extra = ("--steps", "4", "--log-every", "1")
    run(monkeypatch, faces, tmp_path / "one", "smoke", *extra)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training.train"]
    result = subprocess.run([*torchrun, *options(faces, tmp_path / "two", "smoke", *extra)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    one, two = (rows(tmp_path / name, "smoke") for name in ("one", "two"))
    assert [r["step"] for r in two] == [1, 2, 3, 4]
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-3)
    # Sums in another order round some activation levels the other way, and from then on the weights differ a little;
    # gradients are compared in test_distributed.py.
    for a, b in zip(one, two, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=2e-2)


def test_settled_weights_stay_while_the_rest_is_trained(tmp_path, monkeypatch, faces):
    run(monkeypatch, faces, tmp_path / "one", "smoke")
    first = torch.load(tmp_path / "one" / "smoke" / "checkpoint.pt", weights_only=True)["model"]
    run(monkeypatch, faces, tmp_path / "two", "smoke", "--init", str(tmp_path / "one" / "smoke" / "checkpoint.pt"), "--settle", "1")
    second = torch.load(tmp_path / "two" / "smoke" / "checkpoint.pt", weights_only=True)["model"]
    moved = {name for name in first if not torch.equal(first[name], second[name])}
    assert not {name for name in moved if name.startswith("weights.")} - {"weights.stem", "weights.u0/head", "weights.u1/head"}
    assert {"weights.stem", "weights.u1/head", "norms.u0/d0/neck.gamma", "norms.u0/d0/neck.mean"} <= moved


def test_weights_settle_as_the_average_has_them(tmp_path, monkeypatch, faces):
    # Of 12 steps the last 6; the average of the first 6 is in the checkpoint of step 6.
    run(monkeypatch, faces, tmp_path, "smoke_paper", "--stop-after", "6")
    average = torch.load(tmp_path / "smoke_paper" / "checkpoint.pt", weights_only=True)["average"]["tensors"]
    run(monkeypatch, faces, tmp_path, "smoke_paper")
    model = torch.load(tmp_path / "smoke_paper" / "checkpoint.pt", weights_only=True)["model"]
    assert torch.equal(model["weights.u1/d0/neck"], average["weights.u1/d0/neck"].clamp(-1, 1))
    assert not torch.equal(model["norms.u1/d0/neck.gamma"], average["norms.u1/d0/neck.gamma"])


def test_a_teacher_and_its_weight_come_together(tmp_path, monkeypatch, faces):
    with pytest.raises(SystemExit, match="expected both or neither"):
        run(monkeypatch, faces, tmp_path, "smoke", "--teacher", "smoke:none.pt")


def test_finders_make_their_own_negatives(tmp_path, monkeypatch, faces):
    picture = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("room_0.jpg", picture)
    zipped = str(tmp_path / "b.zip")
    with pytest.raises(SystemExit, match="'face-finder' composes its frames: expected no --negatives"):
        run(monkeypatch, faces, tmp_path, "face-finder", "--backgrounds", zipped, "--negatives", zipped)


def small(**changed) -> GraphModule:
    shape = {"landmarks": 5, "stacks": 2, "order": 1, "channels": 16, "growth": 4, "depth": 1, "input_size": 32}
    return GraphModule(build_graph(GraphConfig(**shape | changed)))


def saved(model: GraphModule, folder: pathlib.Path) -> pathlib.Path:
    """A checkpoint of the network, after statistics of its own have been put into its norms."""
    for name, value in model.state_dict().items():
        if name.startswith("norms."):
            value.copy_(torch.rand_like(value) + 0.5)
    torch.save({"model": model.state_dict()}, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


@pytest.mark.parametrize("shape", [{}, {"learned_clip": True}, {"depthwise_growth": True}, {"refinements": 1}, {"weights": "t2"}])
def test_a_warm_start_from_an_equal_shape_is_the_same_network(tmp_path, shape):
    other, model = small(**shape), small(**shape)
    assert start_from(model, saved(other, tmp_path)) == []
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        for a, b in zip(other.eval()(image), model.eval()(image), strict=True):
            assert torch.equal(a, b)


def test_a_warm_start_takes_master_weights(tmp_path):
    other, model = small(), small()
    save_master(other, tmp_path / "m.safetensors")
    assert start_from(model, tmp_path / "m.safetensors") == []
    assert torch.equal(model.weights["u0/d0/neck"], other.weights["u0/d0/neck"].half().float())


def test_a_warm_start_leaves_heads_of_other_landmarks_and_larger_kernels(tmp_path):
    other, model = small(), small(landmarks=7, stem_kernel=9)
    names = ("u0/head", "u1/head", "stem")
    before = {name: model.weights[name].clone() for name in names}
    assert start_from(model, saved(other, tmp_path)) == sorted(f"weights.{name}" for name in names)
    assert all(torch.equal(model.weights[name], before[name]) for name in names)
    assert torch.equal(model.weights["u0/d0/neck"], other.weights["u0/d0/neck"])
    assert torch.equal(model.norms["u1/head"].mean, other.norms["u1/head"].mean)


def test_a_wider_network_starts_with_the_narrower_one_in_its_first_channels(tmp_path):
    other, model = small(), small(channels=24, growth=6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert start_from(model, saved(other, tmp_path)) == []
    # The first bottleneck reads the stem: 16 of 24 inputs, 4 * 4 = 16 of 4 * 6 = 24 outputs.
    assert torch.equal(model.weights["u0/d0/neck"][:16, :16], other.weights["u0/d0/neck"])
    assert torch.equal(model.weights["u0/d0/neck"][16:], before["weights.u0/d0/neck"][16:])
    assert torch.equal(model.weights["u0/d0/neck"][:, 16:], before["weights.u0/d0/neck"][:, 16:])
    # Growth: 3x3, 4 of 6 outputs. All landmarks of a head, 16 of 24 inputs. Stem: all colours.
    assert torch.equal(model.weights["u1/u0/grow"][:4, :16], other.weights["u1/u0/grow"])
    assert torch.equal(model.weights["u1/head"][:, :16], other.weights["u1/head"])
    assert torch.equal(model.weights["stem"][:16], other.weights["stem"])
    # The second U-Net's up block reads what came up (24), the skip (24) and the first one's growth feature (6): the narrower
    # one's 16 + 16 + 4 channels are 0..15, 24..39 and 48..51 of those.
    read = [*range(16), *range(24, 40), *range(48, 52)]
    rest = [i for i in range(54) if i not in read]
    wide, narrow = model.weights["u1/u0/neck"], other.weights["u1/u0/neck"]
    assert wide.shape == (24, 54, 1, 1) and narrow.shape == (16, 36, 1, 1)
    assert torch.equal(wide[:16][:, read], narrow)
    assert torch.equal(wide[:16][:, rest], before["weights.u1/u0/neck"][:16][:, rest])
    for part in ("gamma", "beta", "mean", "variance"):
        norm = getattr(model.norms["u1/u0/neck"], part)
        assert torch.equal(norm[read], getattr(other.norms["u1/u0/neck"], part))
        assert torch.equal(norm[rest], before[f"norms.u1/u0/neck.{part}"][rest])


def test_a_smaller_kernel_starts_as_the_middle_of_a_larger_one(tmp_path):
    other, model = small(stem_kernel=7), small(stem_kernel=3)
    assert start_from(model, saved(other, tmp_path)) == []
    assert torch.equal(model.weights["stem"], other.weights["stem"][:, :, 2:5, 2:5])


def test_levels_that_are_wider_start_with_the_narrower_ones_in_their_first_channels(tmp_path):
    other, model = small(depth=2), small(depth=2, deep_channels=(20, 24), deep_growth=(6, 8))
    before = model.weights["u0/u0/neck"].clone()
    assert start_from(model, saved(other, tmp_path)) == []
    # The last up block reads what came up (20, of which 16 are the narrower one's) and the skip of its own level (16).
    read = [*range(16), *range(20, 36)]
    assert torch.equal(model.weights["u0/u0/neck"][:, read], other.weights["u0/u0/neck"])
    assert torch.equal(model.weights["u0/u0/neck"][:, 16:20], before[:, 16:20])


@pytest.mark.parametrize("encoding", ["i8", "f32"])
def test_a_second_pass_starts_as_a_repetition_of_the_first(tmp_path, encoding):
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    other = small(supervised=(2,))
    for _ in range(200):  # statistics of its own
        other(images)
    torch.save({"model": other.state_dict()}, tmp_path / "one.pt")
    model = small(supervised=(2,), refinements=1, overrides=(("refine.", "b1"), ("refine", encoding)))
    left = start_from(model, tmp_path / "one.pt")
    assert left and all("refine" in name and name != "weights.refine" for name in left)
    with torch.no_grad():
        first, second = model.eval()(images)
        assert torch.equal(first, other.eval()(images)[0])
    # Rounding to 32 levels a standard deviation's double is what lies between them.
    assert torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1] > 0.9
    assert (second.std() / first.std()).item() == pytest.approx(1, abs=0.1)


def test_depthwise_filters_follow_their_channels(tmp_path):
    other, model = small(depthwise_growth=True), small(channels=24, growth=6, depthwise_growth=True)
    assert start_from(model, saved(other, tmp_path)) == []
    assert torch.equal(model.weights["u0/d0/depthwise"][:16], other.weights["u0/d0/depthwise"])


def test_a_warm_start_takes_nothing_of_wider_tensors(tmp_path):
    other, model = small(channels=24, growth=6), small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    left = start_from(model, saved(other, tmp_path))
    assert left == sorted(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_sources_are_folder_stem_and_share():
    assert parse_source("a/b:faces") == Source(pathlib.Path("a/b"), "faces", 1.0)
    assert parse_source("a:people:0.25").share == 0.25
    for wrong in ("a", "a:", "a:b:0", "a:b:x", "a:b:1:2"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected FOLDER:STEM"):
            parse_source(wrong)
