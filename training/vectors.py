"""Vectors that tie TypeScript to Python: tensors of a network's run, and what the codecs decode from given maps."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import torch

from training import centers_codec
from training import heatmap_codec as codec
from training.integer import IntegerNetwork
from training.pack import safetensors_bytes

PARITY_TENSORS = ["stem.pool", "u0.d0.neck.q", "u0.d0.grow", "u0.mid.ahead", "u0.u0.grow", "u1.merge"]


def write_parity(network: IntegerNetwork, image: np.ndarray, path: pathlib.Path) -> None:
    """Input, named inner tensors and outputs of one image."""
    values = network.run(image[None])
    names = [n for n in PARITY_TENSORS if n in values] + network.graph["outputs"]
    tensors = {"input": image} | {name: values[name][0] for name in names}
    path.write_bytes(safetensors_bytes(tensors, {"format": "bitmarks-parity/1"}))


def write_codec_vectors(path: pathlib.Path) -> None:
    """Integer heatmaps with what the codec decodes from them."""
    rng = np.random.default_rng(7)
    cases = []
    for size, window, scale in [(8, 5, 0.05), (8, 7, 0.01), (5, 3, 0.2), (6, 7, 0.0007)]:
        values = rng.integers(-300, 300, (size, size))
        values[tuple(rng.integers(0, size, 2))] = 500
        if size == 5:
            values[:] = 7  # a flat map: the peak is the first cell
        cells, score = codec.decode(torch.from_numpy(values[None, None] * scale), window)
        cases.append(
            {
                "size": size, "window": window, "scale": scale, "stride": 4, "values": values.reshape(-1).tolist(),
                "x": float(cells[0, 0, 0]) * 4, "y": float(cells[0, 0, 1]) * 4, "score": float(score[0, 0]),
            }
        )
    path.write_text(json.dumps({"cases": cases}) + "\n")


def write_centers_vectors(path: pathlib.Path) -> None:
    """Integer centre maps (HWC, as the output tensor is) with what the codec decodes from them."""
    rng = np.random.default_rng(11)
    cases = []
    for size, channels, scale, threshold in [(8, 6, 0.01, 0.5), (8, 4, 0.02, 0.6), (5, 6, 0.05, 0.4), (16, 4, 0.004, 0.55)]:
        values = rng.integers(-60, 60, (channels, size, size))
        values[0] = rng.integers(-400, 200, (size, size))
        if size == 5:
            values[0] = 3  # flat: one peak, the first cell
        found = centers_codec.decode(values * scale, threshold)
        assert 0 < len(found) < size * size
        cases.append(
            {
                "size": size, "channels": channels, "scale": scale, "unit": centers_codec.UNIT, "stride": centers_codec.STRIDE,
                "threshold": threshold, "values": values.reshape(channels, -1).T.reshape(-1).tolist(),
                "subjects": [dict(zip(("x", "y", "size", "angle", "score"), row, strict=True)) for row in found.tolist()],
            }
        )
    path.write_text(json.dumps({"cases": cases}) + "\n")
