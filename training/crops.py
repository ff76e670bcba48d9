"""Regions and crops: where a crop lies and how its pixels are sampled. Geometry only; no files, no randomness."""

from __future__ import annotations

import cv2
import numpy as np

cv2.setNumThreads(0)


def stretch(crop: np.ndarray) -> np.ndarray:
    """A crop, uint8, whose darkest value becomes 0 and brightest 255, over all channels together; a flat crop becomes 0.

    The loader of the authors of DU-Net did so to every crop (`scipy.misc.imresize` on floats); their weights expect it.
    """
    low, high = np.float32(crop.min()), np.float32(crop.max())
    return np.round((crop - low) * (255 / max(high - low, 1))).astype(np.uint8)


def region_of(points: np.ndarray, scale: float, upright: tuple[int, int] | None) -> tuple[np.ndarray, float, float]:
    """Centre, side and rotation (radians, clockwise) of the region of models/README.md section 3."""
    angle = 0.0
    if upright is not None:
        d = points[upright[1]] - points[upright[0]]
        angle = float(np.arctan2(d[1], d[0]))
    c, s = np.cos(angle), np.sin(angle)
    own = points @ np.array([[c, -s], [s, c]])
    low, high = own.min(0), own.max(0)
    centre = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    return centre, float((high - low).max()) * scale, angle


def crop_matrix(centre: np.ndarray, side: float, angle: float, size: int, mirror: bool = False) -> np.ndarray:
    """2x3 matrix from source to crop, both in continuous coordinates; mirrored about the crop's vertical axis."""
    k = size / side
    c, s = np.cos(angle) * k, np.sin(angle) * k
    m = np.array([[c, s, 0], [-s, c, 0]])
    m[:, 2] = size / 2 - m[:, :2] @ centre
    if mirror:
        m[0] = -m[0]
        m[0, 2] += size
    return m


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: int | tuple[int, int], border: int, value=(0, 0, 0)) -> np.ndarray:
    """Samples the crop of `size` (side, or width and height); OpenCV counts from pixel centres, matrices here from pixel edges."""
    m = matrix.copy()
    m[:, 2] += m[:, :2] @ [0.5, 0.5] - 0.5
    shrink = np.sqrt(abs(np.linalg.det(m[:, :2])))
    if shrink < 0.6:  # average before sampling, as the engine's taps do
        image = cv2.GaussianBlur(image, (0, 0), 0.35 / shrink)
    size = (size, size) if isinstance(size, int) else size
    return cv2.warpAffine(image, m, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=value)
