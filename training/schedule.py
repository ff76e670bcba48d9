"""What changes over the steps of a run: learning rate, stage of quantisation, averaged weights. Knows no data."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def learning_rate(step: int, config) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def has_float_weights(step: int, config) -> bool:
    """Whether low-bit weights are still float at this step: progressive quantisation after Bulat et al., "Improved training of
    binary networks for human pose estimation and image recognition", arXiv 1904.05868."""
    return step < config.float_weights * config.steps


def is_settling(step: int, config) -> bool:
    """Whether low-bit weights keep their values at this step, so that norms, stem and heads can fit to them: while signs still flip, the
    statistics and scales of the norms follow a network that is never the same twice."""
    return step >= (1 - config.settle) * config.steps


class Average:
    """Exponential moving average of a network's parameters and statistics.

    Young averages forget faster, min(decay, (1 + n) / (10 + n)) after n updates, so that the random start does not linger.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in model.state_dict().items():
            self.tensors[name].lerp_(value, 1 - decay)

    def state_dict(self) -> dict:
        return {"updates": self.updates, "tensors": self.tensors}

    def load_state_dict(self, state: dict) -> None:
        self.updates, self.tensors = state["updates"], state["tensors"]


def trained_weights(checkpoint: dict) -> dict[str, Tensor]:
    """What a checkpoint is evaluated and exported with: the averaged weights where a run kept them, else the last ones."""
    return checkpoint["average"]["tensors"] if "average" in checkpoint else checkpoint["model"]
