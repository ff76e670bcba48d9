"""The training script itself: it learns, and a stopped run continues to the same weights."""

import argparse
import json
import pathlib
import subprocess
import sys

import pytest
import torch

from training.graph import GraphConfig, build_graph
from training.images import Source, parse_source
from training.model import GraphModule
from training.tests.helpers import write_face_set
from training.train import start_from


def run(folder, runs, *extra: str) -> None:
    command = [sys.executable, "-m", "training.train", "--config", "smoke", "--data", f"{folder}:faces", "--runs", str(runs)]
    result = subprocess.run([*command, "--workers", "0", "--threads", "1", *extra], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_stopped_run_continues_to_the_same_weights(tmp_path):
    write_face_set(tmp_path, "faces_train", 12)
    write_face_set(tmp_path, "faces_val", 4, seed=1)
    run(tmp_path, tmp_path / "whole")
    run(tmp_path, tmp_path / "parts", "--stop-after", "7")
    run(tmp_path, tmp_path / "parts")
    whole = torch.load(tmp_path / "whole/smoke/checkpoint.pt", weights_only=True)
    parts = torch.load(tmp_path / "parts/smoke/checkpoint.pt", weights_only=True)
    assert whole["step"] == parts["step"] == 12
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name
    rows = [json.loads(line) for line in (tmp_path / "whole/smoke/log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 12 and "nme" in rows[-1]


def test_a_warm_start_takes_everything_but_heads(tmp_path):
    torch.manual_seed(1)
    other = GraphModule(build_graph(GraphConfig(landmarks=68, channels=16, growth=4, input_size=64)))
    torch.save({"model": other.state_dict()}, tmp_path / "checkpoint.pt")
    model = GraphModule(build_graph(GraphConfig(landmarks=16, channels=16, growth=4, input_size=64, stem_kernel=5)))
    head, stem = model.weights["u1/head"].clone(), model.weights["stem"].clone()
    left = start_from(model, tmp_path / "checkpoint.pt")
    assert torch.equal(model.weights["u0/d0/neck"], other.weights["u0/d0/neck"])
    assert torch.equal(model.weights["u1/head"], head) and torch.equal(model.weights["stem"], stem)
    assert {"weights.u0/head", "weights.u1/head", "weights.stem"} < set(left)
    assert all("head" in name or "stem" in name for name in left)


def test_sources_are_folder_stem_and_share():
    assert parse_source("a/b:faces") == Source(pathlib.Path("a/b"), "faces", 1.0)
    assert parse_source("a:people:0.25").share == 0.25
    for wrong in ("a", "a:", "a:b:0", "a:b:x", "a:b:1:2"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected FOLDER:STEM"):
            parse_source(wrong)
