"""Augmented pose samples: which crop of which person, whole or cut by the frame as webcams cut them.

What pixels go through is training/augment.py.
"""

from __future__ import annotations

import numpy as np

from training.augment import occlude, warp_with_border
from training.crops import crop_matrix, region_of, transform
from training.landmark_samples import LandmarkSamples

PELVIS, THORAX, KNEES = 6, 7, [1, 4]
FEWEST = 4
"""Joints that a picture must hold to be a person to learn from; one alone spans no region."""


class PoseSamples(LandmarkSamples):
    """People as a tracker or a finder's box sees them."""

    turns = (45.0, 75.0)

    def _positive(self, rng: np.random.Generator):
        config = self.config
        while True:
            data, k = self.data.draw(rng)
            source, points, known, present = data.images[k], data.points[k], data.known[k], data.present[k]
            width, height = frame_cut(points, present, source.shape[1], source.shape[0], rng)
            present = present & inside(points, width, height)
            if present.sum() >= FEWEST:
                break
        source = source[:height, :width]
        # The copy of the photos that carries COCO joints squeezed each to a square (training/README.md).
        stretch = np.array([rng.uniform(1, 1.5) if "scores" in data.fields else 1.0, 1.0])
        centre, side, angle = region_of((points * stretch)[present], config.roi_scale, config.upright)
        angle += rng.normal(0, 0.15) if rng.random() < 0.85 else rng.uniform(-0.8, 0.8)
        if rng.random() < 0.5:  # as a tracker sees it
            side *= np.exp(rng.normal(0, 0.08))
            centre = centre + rng.normal(0, 0.03, 2) * side
        else:  # as a finder sees it
            side *= np.exp(rng.uniform(np.log(0.75), np.log(1.4)))
            centre = centre + rng.normal(0, 0.07, 2) * side
        mirror = rng.random() < 0.5
        matrix = crop_matrix(centre, side, angle, self.size, mirror)
        matrix[:, :2] *= stretch
        image = warp_with_border(source, matrix, self.size, rng, self.backgrounds)
        seen = inside(points, width, height)
        points = transform(points, matrix)
        seen &= inside(points, self.size, self.size)
        if mirror:
            points, known, seen = points[self.mirror], known[self.mirror], seen[self.mirror]
        image, _ = occlude(image, points, rng, self.backgrounds)
        return image, points.astype(np.float32), known * seen, config.absent * (known > 0) * ~seen


def inside(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which points [n, 2] lie in an image, bool [n]."""
    return ((points >= 0) & (points < [width, height])).all(1)


def frame_cut(points: np.ndarray, present: np.ndarray, width: int, height: int, rng: np.random.Generator) -> tuple[int, int]:
    """Width and height of what a frame leaves of the picture.

    Two fifths of the upright people are cut above the hips, above the knees, or through the middle from one side.
    """
    kind = rng.random()
    share = rng.uniform(0, 1)
    if kind >= 0.4 or not present[[PELVIS, THORAX]].all():
        return width, height
    pelvis, thorax = points[PELVIS], points[THORAX]
    cut_width, cut_height = width, height
    if kind < 0.2:
        cut_height = thorax[1] + (0.4 + 0.55 * share) * (pelvis[1] - thorax[1])
    elif kind < 0.34 and present[KNEES].any():
        knee = points[KNEES][present[KNEES]][:, 1].max()
        cut_height = pelvis[1] + (0.1 + share) * (knee - pelvis[1])
    elif kind >= 0.34:
        cut_width = thorax[0] + (0.2 + share) * 0.25 * width
    cut_width, cut_height = int(min(cut_width, width)), int(min(cut_height, height))
    upright = pelvis[1] - thorax[1] > 0.1 * height
    enough = (present & inside(points, cut_width, cut_height)).sum() >= 5
    return (cut_width, cut_height) if upright and enough else (width, height)
