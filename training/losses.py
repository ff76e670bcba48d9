"""Losses on a head's output. Tensors only.

`likelihood` (landmark_loss) is what ships: a softmax over cells. `regression` and `detection` are the paper's two kinds of
supervision, `adaptive_wing` is a later one; they read a logit as 8 times the heatmap's value (regression, adaptive wing) or as
a sigmoid's argument (detection). Every pass of a network can have its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training import distributed
from training import heatmap_codec as codec

LOGITS_PER_UNIT = 8.0
"""Logits per unit of a heatmap that is regressed. A heatmap with a peak of 1 then also decodes as a softmax over cells."""
DISC_RADIUS = 2.0
"""Radius in cells of the discs that detection learns."""


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
    total = distributed.mean(mask.sum()).clamp_min(1)
    loss = (cross_entropy * mask).sum() / total
    loss = loss - (log_p.mean(-1) * absent).mean(-1).sum() / max(len(absent), 1)
    if coordinate_weight > 0:
        centre = points.floor().long().clamp(0, size - 1)
        mean, _ = codec.window_expectation(log_p, centre, size, window)
        loss = loss + coordinate_weight * ((mean - points).abs().sum(-1) * mask).sum() / total
    return loss


def peak_targets(points: Tensor, mask: Tensor, size: int, sigma: float, subcell: bool = True) -> Tensor:
    """Gaussian heatmaps [n, J, size, size] with a peak of 1 at points [n, J, 2] in cells, zero where mask [n, J] is 0.

    subcell False puts the peak at the centre of the cell, as the paper's code does; True at the point itself.
    """
    if not subcell:
        points = points.floor() + 0.5
    return torch.exp(-square_distances(points, size) / (2 * sigma**2)) * (mask > 0)[..., None, None]


def square_distances(points: Tensor, size: int) -> Tensor:
    """Squared distance of every cell's centre from points [n, J, 2], in cells, [n, J, size, size]."""
    centres = torch.arange(size, dtype=points.dtype, device=points.device) + 0.5
    dx, dy = centres - points[..., :1], centres - points[..., 1:]
    return dy.square().unsqueeze(-1) + dx.square().unsqueeze(-2)


def average(per_cell: Tensor, mask: Tensor, absent: Tensor) -> Tensor:
    """Mean over the cells of heatmaps, weighted by how well it is known where the landmark is, or that it is nowhere."""
    weights = mask + absent
    return (per_cell.mean((-1, -2)) * weights).sum() / distributed.mean(weights.sum()).clamp_min(1)


def regression_loss(logits: Tensor, points: Tensor, mask: Tensor, absent: Tensor, sigma: float, subcell: bool = True) -> Tensor:
    """Mean squared error of heatmaps, the paper's regression supervision. Arguments as of `landmark_loss`."""
    target = peak_targets(points, mask, logits.shape[-1], sigma, subcell)
    return average((logits / LOGITS_PER_UNIT - target).square(), mask, absent)


def detection_loss(logits: Tensor, points: Tensor, mask: Tensor, absent: Tensor, radius: float = DISC_RADIUS) -> Tensor:
    """Pixel cross-entropy of sigmoids with discs, the paper's detection supervision (after Bulat and Tzimiropoulos, ECCV 2016).

    Foreground cells weigh half of (background cells / foreground cells), as in the helpers released with the paper.
    """
    size = logits.shape[-1]
    disc = ((square_distances(points, size) <= radius**2) & (mask > 0)[..., None, None]).to(logits.dtype)
    foreground = disc.sum((-1, -2), keepdim=True).clamp_min(1)
    weight = 1 + disc * ((size * size - foreground) / foreground * 0.5 - 1)
    return average(F.binary_cross_entropy_with_logits(logits, disc, weight, reduction="none"), mask, absent)


def adaptive_wing_loss(logits: Tensor, points: Tensor, mask: Tensor, absent: Tensor, sigma: float) -> Tensor:
    """Adaptive wing loss with its weighted map (Wang et al., "Adaptive Wing Loss for Robust Face Alignment via Heatmap
    Regression", ICCV 2019): omega 14, epsilon 1, theta 0.5, alpha 2.1; cells within one cell of a target above 0.2 weigh 11."""
    omega, epsilon, theta, alpha = 14.0, 1.0, 0.5, 2.1
    target = peak_targets(points, mask, logits.shape[-1], sigma)
    error = (logits / LOGITS_PER_UNIT - target).abs()
    power = alpha - target
    ratio = theta / epsilon
    slope = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    constant = theta * slope - omega * torch.log1p(ratio**power)
    # The power's own derivative is infinite at an error of zero.
    near = omega * torch.log1p((error.clamp_min(1e-6) / epsilon) ** power)
    wing = torch.where(error < theta, near, slope * error - constant)
    weight = 1 + 10 * (F.max_pool2d(target, 3, stride=1, padding=1) >= 0.2).to(target.dtype)
    return average(wing * weight, mask, absent)


def distillation_loss(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's distribution over cells from the teacher's, mean over known landmarks."""
    p = teacher.detach().flatten(-2).log_softmax(-1)
    divergence = (p.exp() * (p - student.flatten(-2).log_softmax(-1))).sum(-1)
    return (divergence * mask).sum() / distributed.mean(mask.sum()).clamp_min(1)


LOSSES = ("likelihood", "regression", "detection", "adaptive_wing")


def heads_loss(outputs: list[Tensor], targets: list[Tensor], config) -> Tensor:
    """Sum of the losses of all heads; head i belongs to pass i * passes // heads and has that pass's loss (config.losses).

    targets: points, mask and absent as of `landmark_loss`. The coordinate term of `likelihood` counts at the last head alone.
    """
    total = outputs[0].new_zeros(())
    for i, logits in enumerate(outputs):
        loss = config.losses[i * len(config.losses) // len(outputs)]
        if loss == "likelihood":
            weight = config.coordinate_loss if i == len(outputs) - 1 else 0.0
            total = total + landmark_loss(logits, *targets, config.sigma, config.window, weight)
        elif loss == "regression":
            total = total + regression_loss(logits, *targets, config.sigma, config.subcell)
        elif loss == "detection":
            total = total + detection_loss(logits, *targets)
        elif loss == "adaptive_wing":
            total = total + adaptive_wing_loss(logits, *targets, config.sigma)
        else:
            raise ValueError(f"loss '{loss}': expected one of {', '.join(LOSSES)}")
    return total


def centers_loss(output: Tensor, heat: Tensor, weight: Tensor, values: Tensor, positive: Tensor) -> Tensor:
    """Quality focal loss of the centre channel (Li et al., "Generalized Focal Loss", NeurIPS 2020: cross-entropy with a soft target,
    times the squared distance from it) plus the L1 loss of the others.

    A loss with hard centres (Zhou et al., "Objects as Points", 2019) makes the score of a cell the chance that it, and not its
    neighbour, is the centre, which is small for every large subject (training/RUNS.md).

    output [n, C, s, s]; the targets are those of `centers_codec.encode`, stacked. The focal loss is summed over cells and divided
    by the number of centres, the L1 loss by the weight of the cells it counts; x and y count relative to sizes above UNIT.
    """
    center = output[:, 0]
    entropy = F.binary_cross_entropy_with_logits(center, heat, reduction="none")
    focal = (center.sigmoid() - heat).square() * entropy * weight
    loss = focal.sum() / distributed.mean((heat >= 1).sum().to(focal.dtype)).clamp_min(1)
    distance = (output[:, 1:] - values).abs()
    # A cell more or less is much for a small subject and little for a large one, whose size channel says how large.
    distance[:, 1:3] *= torch.exp(-values[:, :1]).clamp_max(1)
    distance = distance.sum(1)
    return loss + (distance * positive).sum() / distributed.mean(positive.sum()).clamp_min(1)
