"""Augmented face samples: which crop of which face. What pixels go through is training/augment.py."""

from __future__ import annotations

import numpy as np

from training.augment import occlude, warp_with_border
from training.crops import crop_matrix, region_of, transform
from training.landmark_samples import LandmarkSamples


class FaceSamples(LandmarkSamples):
    """Faces as a tracker or a search window sees them."""

    turns = (15.0, 35.0)

    def _positive(self, rng: np.random.Generator):
        config = self.config
        data, k = self.data.draw(rng)
        source, points = data.images[k], data.points[k]
        centre, side, angle = region_of(points, config.roi_scale, config.upright)
        if rng.random() < 0.75:  # as a tracker or a good box sees it
            angle += rng.normal(0, 0.12)
            side *= np.exp(rng.normal(0, 0.08))
            centre = centre + rng.normal(0, 0.03, 2) * side
        else:  # as a search window sees it
            angle += np.clip(rng.normal(0, 0.5), -1.2, 1.2)
            side *= np.exp(rng.uniform(-0.2, 0.6))
            centre = centre + rng.normal(0, 0.09, 2) * side
        mirror = rng.random() < 0.5
        matrix = crop_matrix(centre, side, angle, self.size, mirror)
        image = warp_with_border(source, matrix, self.size, rng, self.backgrounds)
        points, known = transform(points, matrix), data.known[k]
        own = data.fields["visibility"][k] < 0.5 if "visibility" in data.fields else np.zeros(len(points), bool)
        if mirror:
            points, known, own = points[self.mirror], known[self.mirror], own[self.mirror]
        image, covered = occlude(image, points, rng, self.backgrounds)
        visible = ((points >= 0) & (points < self.size)).all(1)
        absent = np.where(visible, config.hidden * (covered | own), config.absent) * (known > 0)
        return image, points.astype(np.float32), visible * known, absent
