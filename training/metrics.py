"""Error figures of the field. Numbers only."""

from __future__ import annotations

import numpy as np


def nme_per_image(predicted: np.ndarray, true: np.ndarray, normalizer: np.ndarray) -> np.ndarray:
    """Mean point error over the normalizer, in percent, per image; points [n, J, 2], normalizer [n]."""
    return np.linalg.norm(predicted - true, axis=-1).mean(-1) / normalizer * 100


def pair_distance(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Distance of two landmarks, [n]; of 36 and 45 of the 68, the outer eye corners, it is the field's normalizer for faces."""
    return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1)


def figures(nme: np.ndarray) -> dict[str, float]:
    """NME, failure rate and area under the curve of per-image errors, as cards and logs print them."""
    return {
        "nme": round(float(nme.mean()), 3),
        "fr8": round(failure_rate(nme), 2),
        "auc8": round(area_under_curve(nme), 2),
    }


def failure_rate(nme: np.ndarray, limit: float = 8.0) -> float:
    """Share of images above the limit, percent."""
    return float((nme > limit).mean() * 100)


def area_under_curve(nme: np.ndarray, limit: float = 8.0) -> float:
    """Area under the cumulative error curve from 0 to the limit, 100 = all errors are zero (exact step integral)."""
    return float(np.clip(1 - nme / limit, 0, 1).mean() * 100)


TORSO = (13, 2)
"""Left shoulder and right hip."""


def torso(points: np.ndarray) -> np.ndarray:
    """Torso diameter of MPII joints [n, 16, 2]: distance of left shoulder and right hip, [n]."""
    return np.linalg.norm(points[:, TORSO[0]] - points[:, TORSO[1]], axis=-1)


def pck(predicted: np.ndarray, true: np.ndarray, normalizer: np.ndarray, counted: np.ndarray, share: float = 0.2) -> float:
    """Percentage of correct keypoints: share of the counted points (bool [n, J]) within `share` of the normalizer [n].

    Sapp and Taskar, "MODEC", CVPR 2013; PCK@0.2 with the torso diameter. Points [n, J, 2]. NaN where nothing is counted.
    """
    distance = np.linalg.norm(predicted - true, axis=-1)
    correct = distance <= share * normalizer[:, None]
    return float(correct[counted].mean() * 100) if counted.any() else float("nan")
