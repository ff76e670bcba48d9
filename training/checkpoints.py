"""Files of a run that can be killed at any moment: what they hold, how they are replaced, how another run starts from one."""

from __future__ import annotations

import pathlib

import torch
from torch import nn


def save(path: pathlib.Path, step: int, parts: dict[str, object]) -> None:
    """Writes the state of every part; a kill leaves either the old file or the new one."""
    partial = path.with_suffix(".part")
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, partial)
    partial.replace(path)


def load(path: pathlib.Path, parts: dict[str, object], device: torch.device) -> int:
    """Restores every part from a file of `save` and returns its step."""
    saved = torch.load(path, weights_only=True, map_location=device)
    for name, part in parts.items():
        if name not in saved:
            raise SystemExit(f"{path} has no '{name}': it is of a run with other options; continue with those or remove it")
        part.load_state_dict(saved[name])
    return saved["step"]


def start_from(model: nn.Module, path: pathlib.Path) -> list[str]:
    """Takes from another run's checkpoint every tensor whose name and shape fit, but no head; returns the names of the rest."""
    saved = torch.load(path, weights_only=True, map_location="cpu")["model"]
    own = model.state_dict()
    taken = {
        name: value for name, value in saved.items()
        if ".head" not in name.replace("/", ".") and name in own and own[name].shape == value.shape
    }
    model.load_state_dict(taken, strict=False)
    return sorted(own.keys() - taken.keys())
