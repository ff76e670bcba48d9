"""Losses on a head's output. Tensors only."""

from __future__ import annotations

import torch
from torch import Tensor

from training import heatmap_codec as codec


def landmark_loss(
    logits: Tensor, points: Tensor, mask: Tensor, absent: Tensor, sigma: float, window: int, coordinate_weight: float
) -> Tensor:
    """Cross-entropy of each heatmap with its Gaussian target, plus the L1 distance of the window's expectation.

    logits [n, J, s, s]; points [n, J, 2] in cells; mask [n, J], weight of the position, 0 = unknown; absent [n, J], weight of the
    uniform distribution as target, so that heatmaps of nothing are flat and their scores low. The window of the coordinate term
    lies around the true cell.
    """
    size = logits.shape[-1]
    log_p = logits.flatten(-2).log_softmax(-1)
    target = codec.gaussian_targets(points, size, sigma)
    cross_entropy = -(target * log_p).sum(-1)
    total = mask.sum().clamp_min(1)
    loss = (cross_entropy * mask).sum() / total
    loss = loss - (log_p.mean(-1) * absent).mean(-1).sum() / max(len(absent), 1)
    if coordinate_weight > 0:
        centre = points.floor().long().clamp(0, size - 1)
        mean, _ = codec.window_expectation(log_p, centre, size, window)
        loss = loss + coordinate_weight * ((mean - points).abs().sum(-1) * mask).sum() / total
    return loss


def centers_loss(output: Tensor, heat: Tensor, weight: Tensor, values: Tensor, positive: Tensor) -> Tensor:
    """Penalty-reduced focal loss of the centre channel plus the L1 loss of the others (Zhou et al., "Objects as Points", 2019).

    output [n, C, s, s]; the targets are those of `centers_codec.encode`, stacked. The focal loss is summed over cells and divided
    by the number of centres, the L1 loss by the weight of the cells it counts.
    """
    center = output[:, 0]
    p = center.sigmoid()
    log_p, log_not = torch.nn.functional.logsigmoid(center), torch.nn.functional.logsigmoid(-center)
    is_center = heat >= 1
    focal = torch.where(is_center, (1 - p) ** 2 * log_p, (1 - heat) ** 4 * p**2 * log_not * weight)
    loss = -focal.sum() / is_center.sum().clamp_min(1)
    distance = (output[:, 1:] - values).abs().sum(1)
    return loss + (distance * positive).sum() / positive.sum().clamp_min(1)
