"""Validation frames of finders and the figures of what is found in them. No network."""

from __future__ import annotations

import pathlib

import numpy as np
import torch

from training import centers_codec
from training.config import Config
from training.images import Source, load_mixture, read_backgrounds

# Candidates below this score are never kept: no threshold is chosen there.
LOWEST = 0.05
FRAMES = 500
EMPTY = 200
# Subjects above this share of the frame's height count for the recall.
COUNTED = 0.12
ALARMS_PER, ALARMS = 50, 1


def decode(logits: torch.Tensor, config: Config) -> list[np.ndarray]:
    """Subjects found [k, 5], best first, for each of the outputs [n, channels, s, s]; scores down to LOWEST."""
    return [centers_codec.decode(values, LOWEST) for values in logits.numpy()]


def match(found: np.ndarray, true: np.ndarray) -> list[int]:
    """For each find, best first, the subject it finds, or -1: centre within a quarter of the size, size within a factor of 1.5."""
    pairs, free = [], set(range(len(true)))
    for x, y, size, *_ in found:
        hits = [
            k for k in free
            if np.hypot(x - true[k, 0], y - true[k, 1]) < 0.25 * true[k, 2] and abs(np.log(size / true[k, 2])) < np.log(1.5)
        ]
        best = min(hits, key=lambda k: np.hypot(x - true[k, 0], y - true[k, 1]), default=-1)
        free.discard(best)
        pairs.append(best)
    return pairs


def choose_threshold(found: list[np.ndarray]) -> float:
    """Lowest threshold (three digits) at which empty scenes give at most ALARMS false alarms per ALARMS_PER scenes."""
    scores = np.sort(np.concatenate([f[:, 4] for f in found]))[::-1]
    allowed = len(found) * ALARMS // ALARMS_PER
    return LOWEST if len(scores) <= allowed else min(1.0, float(np.floor(scores[allowed] * 1000) + 1) / 1000)


class FinderValidation:
    """images uint8 [n, 3, S, S]: composed frames of validation subjects and held-out backgrounds, then empty held-out scenes, then
    empty scenes of other held-out backgrounds, on which the threshold is chosen."""

    compared = ("recall", 1.0, 0.0)

    def __init__(self, samples: type, sources: list[Source], backgrounds: pathlib.Path | None, config: Config, limit: int | None) -> None:
        if backgrounds is None:
            raise SystemExit(f"'{config.task}' is validated on composed frames: expected --backgrounds")
        data = load_mixture([s for s in sources if s.path("val").exists()], "val", limit)
        frames, empty = min(limit or FRAMES, FRAMES), min(limit or EMPTY, EMPTY)
        held_out = samples.to_measure_on(data, read_backgrounds(backgrounds, "val"), config, frames)
        tuning = samples.to_measure_on(data, read_backgrounds(backgrounds, "tune"), config, empty)
        self.presence = config.presence
        self.frames = [held_out.frame(i) for i in range(frames)]
        scenes = [held_out.frame(frames + i, empty=True) for i in range(empty)] + [tuning.frame(i, empty=True) for i in range(empty)]
        self.images = np.stack([f.image.transpose(2, 0, 1) for f in self.frames + scenes])
        self.empty = empty

    def figures(self, found: list[np.ndarray]) -> dict:
        """Recall and errors at the configured presence, the threshold that the tuning scenes ask for, and the figures there."""
        threshold = choose_threshold(found[-self.empty :])
        row = self._at(found, self.presence) | {"presence": self.presence}
        return row | {"chosen": {"presence": threshold} | self._at(found, threshold)}

    def _at(self, found: list[np.ndarray], threshold: float) -> dict:
        found = [f[f[:, 4] >= threshold] for f in found]
        counted = hit = alarms = 0
        sizes, turns = [], []
        for frame, finds in zip(self.frames, found, strict=False):
            large = frame.subjects[:, 2] > COUNTED * frame.height
            pairs = match(finds, frame.subjects)
            counted += int(large.sum())
            hit += sum(bool(large[k]) for k in pairs if k >= 0)
            for find, k in zip(finds, pairs, strict=True):
                if k >= 0:
                    true = frame.subjects[k]
                    sizes.append(abs(np.log(find[2] / true[2])))
                    turns.append(abs((find[3] - true[3] + np.pi) % (2 * np.pi) - np.pi))
                else:
                    cell = np.clip(find[1::-1] / centers_codec.STRIDE, 0, len(frame.ignored) - 1).astype(int)
                    alarms += int(not frame.ignored[tuple(cell)])
        empty = found[len(self.frames) : len(self.frames) + self.empty]
        return {
            "recall": round(100 * hit / max(counted, 1), 2),
            "counted": counted,
            "alarmsPerFrame": round(alarms / len(self.frames), 3),
            "alarmsPer50Empty": round(50 * sum(map(len, empty)) / len(empty), 2),
            "sizeErrorPercent": round(100 * float(np.expm1(np.median(sizes))), 2) if sizes else None,
            "turnErrorDegrees": round(float(np.degrees(np.median(turns))), 2) if turns else None,
        }
