"""Landmarks to heatmap targets and back; twin of src/pipeline/heatmap_codec.ts. Coordinates here are heatmap cells.

Continuous coordinates: cell c spans c..c+1, its centre is c + 0.5. A crop pixel coordinate is cell coordinate * stride.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_targets(points: Tensor, size: int, sigma: float) -> Tensor:
    """Target distributions [n, J, size*size] for points [n, J, 2] in cells; each sums to 1 (sub-cell exact)."""
    centres = torch.arange(size, dtype=points.dtype, device=points.device) + 0.5
    gx = torch.exp(-((centres - points[..., :1]) ** 2) / (2 * sigma**2))
    gy = torch.exp(-((centres - points[..., 1:]) ** 2) / (2 * sigma**2))
    gx = gx / gx.sum(-1, keepdim=True).clamp_min(1e-12)
    gy = gy / gy.sum(-1, keepdim=True).clamp_min(1e-12)
    return (gy.unsqueeze(-1) * gx.unsqueeze(-2)).flatten(-2)


def window_expectation(log_p: Tensor, centre: Tensor, size: int, window: int) -> tuple[Tensor, Tensor]:
    """Mean position [n, J, 2] in cells and probability mass [n, J] of the window around `centre` (cells, long [n, J, 2]).

    log_p: log-probabilities [n, J, size*size]. Cells outside the map do not count.
    """
    r = window // 2
    offsets = torch.arange(-r, r + 1, device=log_p.device)
    x = centre[..., :1] + offsets
    y = centre[..., 1:] + offsets
    inside = ((y >= 0) & (y < size)).unsqueeze(-1) & ((x >= 0) & (x < size)).unsqueeze(-2)
    index = (y.clamp(0, size - 1).unsqueeze(-1) * size + x.clamp(0, size - 1).unsqueeze(-2)).flatten(-2)
    p = torch.gather(log_p, -1, index).exp() * inside.flatten(-2)
    p = p.unflatten(-1, (window, window))
    mass = p.sum((-1, -2))
    safe = mass.clamp_min(1e-12)
    mean_x = (p.sum(-2) * (x + 0.5)).sum(-1) / safe
    mean_y = (p.sum(-1) * (y + 0.5)).sum(-1) / safe
    return torch.stack([mean_x, mean_y], -1), mass


def decode(logits: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Positions [n, J, 2] in cells and scores [n, J] of logits [n, J, h, w]: peak, then the window's expectation."""
    n, joints, size, _ = logits.shape
    log_p = logits.flatten(-2).log_softmax(-1)
    peak = log_p.argmax(-1)
    centre = torch.stack([peak % size, peak // size], -1)
    return window_expectation(log_p, centre, size, window)
