"""Writes pictures that show no subject but that a finder and the landmark network behind it take for one:
`python -m training.hard_negatives --finder person-finder:FILE --reader pose:FILE --data FOLDER:STEM --backgrounds ZIP --out FILE.zip`.

The scenes are empty training frames, so that neither panoramas nor subjects held out are seen. `training.train --negatives` reads the zip.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import zipfile
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from tqdm import tqdm

from training.config import Config
from training.crops import crop_matrix, warp
from training.evaluate import named_network, predict
from training.images import load_mixture, parse_source, read_backgrounds
from training.model import GraphModule
from training.tasks import TASKS

# Frames have more pixels than the finder sees, as a camera's have.
ENLARGED = 2
# Side of a picture in sides of the find's region: room for a region that is not quite in place.
ROOM = 1.5
BATCH = 64


@torch.no_grad()
def hard_negatives(
    finder: tuple[Config, GraphModule], reader: tuple[Config, GraphModule], samples: torch.utils.data.Dataset, least: tuple[float, float]
) -> Iterator[np.ndarray]:
    """Pictures uint8 [S, S, 3] of what the finder finds in the empty frames of `samples` and the reader then reads, each with a score
    of at least its own of `least`. The region lies in the middle, ROOM times smaller than the picture."""
    config, model = finder
    size, side = config.graph.input_size, round(ROOM * reader[0].graph.input_size)
    for start in range(0, len(samples), BATCH):
        frames = [samples.frame(i, empty=True).image for i in range(start, min(start + BATCH, len(samples)))]
        seen = [cv2.resize(f, (size, size), interpolation=cv2.INTER_AREA) for f in frames]
        pictures = []
        for frame, found in zip(frames, predict(model, np.stack(seen).transpose(0, 3, 1, 2), config), strict=True):
            for *place, score in found:
                if score >= least[0]:
                    pictures.append(picture_of(frame, np.array(place) * [ENLARGED, ENLARGED, ENLARGED, 1], reader[0], side))
        for picture, score in zip(pictures, reader_scores(pictures, *reader), strict=True):
            if score >= least[1]:
                yield picture


def picture_of(frame: np.ndarray, place: np.ndarray, reader: Config, side: int) -> np.ndarray:
    """The surroundings of a find (x, y, size, angle), turned as the reader's regions are."""
    x, y, size, angle = place
    matrix = crop_matrix(np.array([x, y]), ROOM * reader.roi_scale * size, angle if reader.upright else 0.0, side)
    return warp(frame, matrix, side, cv2.BORDER_REPLICATE)


def reader_scores(pictures: list[np.ndarray], config: Config, model: GraphModule) -> list[float]:
    """Presence scores 0..1 of the regions in the middle of the pictures: means of the `count` best landmark scores."""
    if not pictures:
        return []
    size = config.graph.input_size
    margin = (pictures[0].shape[0] - size) // 2
    regions = np.stack(pictures)[:, margin : margin + size, margin : margin + size].transpose(0, 3, 1, 2)
    return [float(np.sort(scores)[-(config.count or 0) :].mean()) for _, scores in predict(model, np.ascontiguousarray(regions), config)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finder", type=named_network, required=True, help="CONFIG:CHECKPOINT")
    parser.add_argument("--reader", type=named_network, required=True, help="CONFIG:CHECKPOINT")
    parser.add_argument("--data", type=parse_source, action="append", required=True, help="a set of the finder's subjects; none is shown")
    parser.add_argument("--backgrounds", type=pathlib.Path, required=True)
    parser.add_argument("--frames", type=int, default=20000)
    parser.add_argument("--least", type=float, nargs=2, default=(0.15, 0.3), help="score that the finder and the reader give")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    config = dataclasses.replace(arguments.finder[0], seed=arguments.seed)
    task = TASKS[config.task]
    large = dataclasses.replace(config, graph=dataclasses.replace(config.graph, input_size=ENLARGED * config.graph.input_size))
    data = load_mixture(arguments.data, "train", limit=1)
    samples = task.samples(data, read_backgrounds(arguments.backgrounds, task.backgrounds), large, 0, arguments.frames)
    with zipfile.ZipFile(arguments.out, "w") as archive:
        for k, picture in enumerate(tqdm(hard_negatives(arguments.finder, arguments.reader, samples, arguments.least))):
            code = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
            archive.writestr(f"{k}.jpg", code.tobytes())


if __name__ == "__main__":
    main()
