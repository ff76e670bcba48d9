"""Accuracy of a network on labelled crops. The integer engine that ships is measured by `npm run evaluate`."""

from __future__ import annotations

import numpy as np
import torch

from training import heatmap_codec as codec
from training import metrics


@torch.no_grad()
def predict(model, crops: np.ndarray, window: int, batch: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Positions in crop pixels [n, J, 2] and scores [n, J] of the last head, in evaluation mode."""
    model.eval()
    positions, scores = [], []
    for i in range(0, len(crops), batch):
        logits = model(torch.from_numpy(crops[i : i + batch]))[-1]
        cells, score = codec.decode(logits.double(), window)
        positions.append((cells * (crops.shape[-1] / logits.shape[-1])).numpy())
        scores.append(score.numpy())
    return np.concatenate(positions), np.concatenate(scores)


def to_source(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Crop pixels back to source pixels by the inverse of each crop's matrix."""
    inverse = np.linalg.inv(matrices[:, :, :2])
    return np.einsum("nij,nkj->nki", inverse, points - matrices[:, None, :, 2])


def evaluate_float(model, crops: np.ndarray, matrices: np.ndarray, true: np.ndarray, config) -> dict[str, float]:
    """NME, failure rate and AUC on crops (uint8 [n, 3, S, S]) against points in source pixels."""
    positions, scores = predict(model, crops, config.window)
    nme = metrics.nme_per_image(to_source(positions, matrices), true, metrics.inter_ocular(true))
    return metrics.figures(nme) | {"score": round(float(scores.mean()), 3)}
