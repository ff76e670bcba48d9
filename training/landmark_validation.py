"""Validation crops of landmark tasks and the figures of what is found in them. No network."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from training import heatmap_codec as codec
from training import metrics
from training.config import Config
from training.crops import crop_matrix, region_of, stretch, warp
from training.images import LabelledImages, in_pictures

JOINT_GROUPS = {
    "head": [8, 9], "shoulders": [12, 13], "elbows": [11, 14], "wrists": [10, 15],
    "torso": [6, 7], "hips": [2, 3], "knees": [1, 4], "ankles": [0, 5],
}


def decode(logits: torch.Tensor, config: Config) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions in crop pixels [J, 2] and scores [J] for each of the logits [n, J, s, s]."""
    cells, scores = codec.decode(logits, config.window)
    if config.decoder == "dark":
        cells = codec.decode_dark(logits, config.sigma)
    elif config.decoder == "quarter":
        cells = codec.decode_quarter(logits)
    elif config.decoder != "expectation":
        raise ValueError(f"decoder '{config.decoder}': expected expectation, dark or quarter")
    positions = (cells * (config.graph.input_size / logits.shape[-1])).numpy()
    return list(zip(positions, scores.numpy(), strict=True))


def to_source(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Crop pixels [n, J, 2] back to source pixels by the inverse of each crop's matrix [n, 2, 3]."""
    inverse = np.linalg.inv(matrices[:, :, :2])
    return np.einsum("nij,nkj->nki", inverse, points - matrices[:, None, :, 2])


class LandmarkValidation:
    """images: crops uint8 [n, 3, S, S] around each row's present points, not rotated, as `npm run evaluate` starts."""

    def __init__(self, data: LabelledImages, config: Config) -> None:
        self.data, self.config = data, config
        size = config.graph.input_size
        crops, matrices = [], []
        for image, points, present in zip(data.images, data.points, data.present, strict=True):
            matrix = crop_matrix(*region_of(points[present], config.roi_scale, None), size)
            crop = warp(image, matrix, size, cv2.BORDER_REPLICATE)
            crops.append((stretch(crop) if config.stretch else crop).transpose(2, 0, 1))
            matrices.append(matrix)
        self.images, self.matrices = np.stack(crops), np.stack(matrices)

    def source_points(self, found: list) -> np.ndarray:
        """Positions of `decode`, in source pixels [n, J, 2]."""
        return to_source(np.stack([points for points, _ in found]), self.matrices)


class FaceValidation(LandmarkValidation):
    """NME over the distance of the two `upright` landmarks: for faces the outer eye corners."""

    compared = ("nme", 0.05, 0.02)
    """The figure in which the integer network may differ from the float one, by how many points or what share of it."""

    def errors(self, found: list) -> np.ndarray:
        """NME of each image, percent."""
        normalizer = metrics.pair_distance(self.data.points, self.config.upright)
        return metrics.nme_per_image(self.source_points(found), self.data.points, normalizer)

    def figures(self, found: list) -> dict:
        nme = self.errors(found)
        row: dict = metrics.figures(nme) | {"score": round(float(np.mean([score.mean() for _, score in found])), 3)}
        if "yaw" in self.data.fields:
            row["nmeYawTo40"] = round(float(nme[np.abs(self.data.fields["yaw"]) <= 40].mean()), 3)
        return row


class PoseValidation(LandmarkValidation):
    """PCK@0.2 of the torso diameter, over joints that are known (0.5 or more) and inside the image."""

    compared = ("pck", 0.5, 0.0)

    def counted(self) -> np.ndarray:
        """bool [n, J]: joints that count, known and inside the image, of people whose torso is known."""
        data = self.data
        counted = (data.known >= 0.5) & in_pictures(data.points, data.images)
        return counted & (data.known[:, list(metrics.TORSO)].min(1) > 0)[:, None]

    def errors(self, found: list) -> np.ndarray:
        """Mean distance of each person's counted joints in torso diameters; NaN where none counts."""
        distance = np.linalg.norm(self.source_points(found) - self.data.points, axis=-1)
        counted = self.counted()
        total = np.where(counted, distance, 0).sum(1) / metrics.torso(self.data.points)
        return np.divide(total, counted.sum(1), out=np.full(len(total), np.nan), where=counted.any(1))

    def figures(self, found: list) -> dict:
        data = self.data
        true, predicted = data.points, self.source_points(found)
        counted = self.counted()
        torso = metrics.torso(true)

        def pck(chosen: np.ndarray) -> float:
            return round(metrics.pck(predicted, true, torso, counted & chosen), 2)

        row: dict = {"pck": pck(np.True_)}
        row["score"] = round(float(np.mean([np.sort(s)[-(self.config.count or len(s)) :].mean() for _, s in found])), 3)
        if "tier" in data.fields:
            row["pckTier0"] = pck((data.fields["tier"] == 0)[:, None])
        joint = np.arange(true.shape[1])
        row["groups"] = {name: pck(np.isin(joint, some)) for name, some in JOINT_GROUPS.items() if counted[:, some].any()}
        return row
