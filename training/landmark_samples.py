"""What augmented landmark samples of all tasks have in common: their item, their order, their negatives."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from training.augment import background_view, photometric, scrap
from training.config import Config
from training.crops import crop_matrix, stretch, warp
from training.images import Mixture
from training.landmark_sets import LANDMARK_SETS

HARD = 0.5
"""Share of the pictures without a subject that are hard ones, where there are any."""


class LandmarkSamples(torch.utils.data.Dataset):
    """Endless augmented samples; item i is a pure function of (seed, i), so that a resumed run continues exactly.

    Item: image uint8 [3, S, S]; points float32 [J, 2] in heatmap cells; mask float32 [J], weight of the position (0 where the
    landmark is unknown, outside the crop, or there is no subject); absent float32 [J], weight of the flat target. A task
    says how a positive sample is made: `_positive(rng)` gives (image, points in crop pixels, mask, absent). Rows of subjects that turn
    away are drawn more readily, by `config.turned`.
    """

    turns: tuple[float, float]
    """Degrees of yaw up to which rows are drawn as before and from which on `config.turned` times as readily."""
    hard: Sequence[np.ndarray] = ()
    """Pictures without a subject that were taken for one (training/hard_negatives.py): uint8 [s, s, 3], larger than a crop."""

    def __init__(self, data: Mixture, backgrounds: list[np.ndarray], config: Config, start: int, stop: int) -> None:
        self.data = data.favouring_turned(config.turned, self.turns)
        self.backgrounds, self.config = backgrounds, config
        self.start, self.stop = start, stop
        self.size = config.graph.input_size
        self.mirror = np.array(LANDMARK_SETS[config.task].mirror)
        for some in data.sets:
            if some.points.shape[1] != len(self.mirror):
                raise SystemExit(f"a set has {some.points.shape[1]} points per image, '{config.task}' needs {len(self.mirror)}")

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, i: int):
        rng = np.random.default_rng((self.config.seed, self.start + i))
        negative = rng.random() < self.config.negatives
        image, points, mask, absent = self._negative(rng) if negative else self._positive(rng)
        image = photometric(image, rng)
        if self.config.stretch:
            image = stretch(image)
        cells = points * (self.size // 4) / self.size
        return (
            torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            torch.from_numpy(cells.astype(np.float32)),
            torch.from_numpy(mask.astype(np.float32)),
            torch.from_numpy(absent.astype(np.float32)),
        )

    def _negative(self, rng: np.random.Generator):
        joints = len(self.mirror)
        if len(self.hard) and rng.random() < HARD:
            image = self._near(self.hard[rng.integers(len(self.hard))], rng)
        elif rng.random() < 0.7 and self.backgrounds:
            image = background_view(self.backgrounds, self.size, rng)
        else:
            data = self.data.set(rng)
            image = scrap(data.images[rng.integers(len(data))], self.size, rng)
        return image, np.zeros((joints, 2), np.float32), np.zeros(joints), np.ones(joints)

    def _near(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The middle of a picture, moved, turned and mirrored as much as regions are that a tracker moves."""
        side = self.size * np.exp(rng.normal(0, 0.12))
        centre = np.array(picture.shape[1::-1]) / 2 + rng.normal(0, 0.06, 2) * side
        matrix = crop_matrix(centre, side, rng.normal(0, 0.1), self.size, rng.random() < 0.5)
        return warp(picture, matrix, self.size, cv2.BORDER_REPLICATE)
