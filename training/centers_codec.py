"""Subjects to centre maps and back (models/README.md section 6); twin of src/pipeline/centers_codec.ts.

Zhou, Wang and Kraehenbuehl, "Objects as Points", 2019. A subject is (x, y, size, angle): centre and longer side of its tight box in
input pixels (continuous: 0 is the left edge), angle in radians, clockwise. Output channels: center, size, x, y and, for subjects that
turn, cos, sin. Numbers only.
"""

from __future__ import annotations

import numpy as np

STRIDE = 4
UNIT = 16.0
"""Input pixels of a subject whose size channel is 0."""
NEAREST = 0.4
"""Share of the larger size within which of two centres only the better one is kept."""


NEAR = 0.2
"""Heat above which a cell's other channels are trained."""


def spread(size: float) -> float:
    """Standard deviation, in cells, of the target around an anchor: a tenth of the subject, whose middle is known no better."""
    return max(0.6, 0.1 * size / STRIDE)


def encode(subjects: np.ndarray, anchors: np.ndarray, ignored: np.ndarray, channels: int) -> dict[str, np.ndarray]:
    """Targets of one image, float32.

    subjects [n, 4]; anchors [n, 2]: points by which they are known, in input pixels, anywhere on the subject: channels x and y lead from
    there to the centre; ignored bool [cells, cells]: where neither finding nor missing a subject is wrong.
    heat [cells, cells]: 1 at the cell of an anchor, falling as a Gaussian; weight [cells, cells]: 0 where cells do not count;
    values [channels - 1, cells, cells] and positive [cells, cells]: what the other channels should be where the heat is above
    NEAR, and how much that counts (as much as the heat).
    """
    cells = len(ignored)
    heat = np.zeros((cells, cells), np.float32)
    positive = np.zeros_like(heat)
    values = np.zeros((channels - 1, cells, cells), np.float32)
    middle = np.arange(cells) + 0.5
    for (x, y, size, angle), anchor in zip(subjects, anchors, strict=True):
        cx, cy = x / STRIDE, y / STRIDE
        col, row = np.clip(anchor / STRIDE, 0, cells - 1).astype(int)
        dx, dy = np.arange(cells) - col, np.arange(cells) - row
        gaussian = np.exp(-(dx[None] ** 2 + dy[:, None] ** 2) / (2 * spread(size) ** 2)).astype(np.float32)
        heat = np.maximum(heat, gaussian)
        near = (gaussian > NEAR) & (gaussian > positive)
        full = np.zeros((5, cells, cells), np.float32)
        full[0], full[1], full[2] = np.log(size / UNIT), cx - middle[None], cy - middle[:, None]
        full[3], full[4] = np.cos(angle), np.sin(angle)
        values[:, near] = full[: channels - 1, near]
        positive[near] = gaussian[near]
    weight = (~ignored | (positive > 0)).astype(np.float32)
    return {"heat": heat, "weight": weight, "values": values, "positive": positive}


def decode(values: np.ndarray, threshold: float) -> np.ndarray:
    """Subjects found in one output [channels, h, w] of real values: [n, 5] = x, y, size, angle, score, best first."""
    center = values[0].astype(np.float64)
    with np.errstate(over="ignore"):
        score = 1 / (1 + np.exp(-center))
    height, width = center.shape
    padded = np.pad(center, 1, constant_values=-np.inf)
    peak = score >= threshold
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            other = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            if (dy, dx) < (0, 0):  # an equal value that comes first in row-major order wins
                peak &= center > other
            else:
                peak &= center >= other
    rows, cols = np.nonzero(peak)
    order = np.argsort(-score[rows, cols], kind="stable")
    kept: list[tuple[float, ...]] = []
    for row, col in zip(rows[order], cols[order], strict=True):
        v = values[:, row, col].astype(np.float64)
        x, y, size = (col + 0.5 + v[2]) * STRIDE, (row + 0.5 + v[3]) * STRIDE, UNIT * np.exp(v[1])
        angle = np.arctan2(v[5], v[4]) if len(v) > 4 else 0.0
        if all(np.hypot(x - k[0], y - k[1]) >= NEAREST * max(size, k[2]) for k in kept):
            kept.append((x, y, size, angle, score[row, col]))
    return np.array(kept, np.float64).reshape(-1, 5)
