"""Landmarks to heatmap targets and back; twin of src/pipeline/heatmap_codec.ts. Coordinates here are heatmap cells.

`decode` is the codec of packs. `decode_quarter` (the paper's) and `decode_dark` are for comparisons in training.

Continuous coordinates: cell c spans c..c+1, its centre is c + 0.5. A crop pixel coordinate is cell coordinate * stride.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


def peaks(logits: Tensor) -> Tensor:
    """Column and row of the first largest cell, long [n, J, 2]."""
    size = logits.shape[-1]
    peak = logits.flatten(-2).argmax(-1)
    return torch.stack([peak % size, peak // size], -1)


def decode_quarter(logits: Tensor) -> Tensor:
    """Positions [n, J, 2] in cells as the paper decodes: the peak cell, a quarter of a cell towards the larger neighbour of each axis.

    At the border a peak stays at its cell's centre.
    """
    size = logits.shape[-1]
    peak = peaks(logits)
    before, after = (neighbours(logits, peak, step) for step in (-1, 1))
    inner = (peak > 0) & (peak < size - 1)
    return peak + 0.5 + 0.25 * torch.sign(after - before) * inner


def neighbours(logits: Tensor, peak: Tensor, step: int) -> Tensor:
    """Values beside the peak in x and in y, [n, J, 2]; clamped at the border."""
    size, flat = logits.shape[-1], logits.flatten(-2)
    x, y = (peak + step).clamp(0, size - 1).unbind(-1)
    index = torch.stack([peak[..., 1] * size + x, y * size + peak[..., 0]], -1)
    return torch.gather(flat, -1, index)


def decode_dark(logits: Tensor, sigma: float) -> Tensor:
    """Positions [n, J, 2] in cells by DARK (Zhang et al., "Distribution-Aware Coordinate Representation", CVPR 2020).

    The distribution over cells is smoothed with the target's Gaussian; one Newton step on its logarithm leaves the peak cell. A peak
    at the border or on a ridge without a maximum stays where it is; a step is at most one cell.
    """
    n, joints, size, _ = logits.shape
    r = max(1, round(3 * sigma))
    offsets = torch.arange(-r, r + 1, dtype=logits.dtype, device=logits.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    p = logits.flatten(-2).softmax(-1).view(n * joints, 1, size, size)
    p = F.conv2d(p, kernel.view(1, 1, 1, -1), padding=(0, r))
    p = F.conv2d(p, kernel.view(1, 1, -1, 1), padding=(r, 0)).view(n, joints, size, size)
    peak = peaks(p)
    centre = peak.clamp(1, size - 2)
    flat = p.clamp_min(1e-30).log().flatten(-2)

    def at(dx: int, dy: int) -> Tensor:
        return torch.gather(flat, -1, ((centre[..., 1] + dy) * size + centre[..., 0] + dx).unsqueeze(-1)).squeeze(-1)

    gx, gy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    xx, yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0), at(0, 1) - 2 * at(0, 0) + at(0, -1)
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    determinant = xx * yy - xy * xy
    usable = (determinant > 1e-12) & (xx < 0) & (peak == centre).all(-1)
    safe = torch.where(usable, determinant, torch.ones_like(determinant))
    step = torch.stack([xy * gy - yy * gx, xy * gx - xx * gy], -1) / safe.unsqueeze(-1)
    return peak + 0.5 + step.clamp(-1, 1) * usable.unsqueeze(-1)
