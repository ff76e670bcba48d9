"""The training script itself: it learns, and a stopped run continues to the same weights."""

import json
import subprocess
import sys

import torch

from training.tests.helpers import write_face_set


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
