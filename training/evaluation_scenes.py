"""Writes composed frames as `npm run evaluate` reads them for a finder:
`python -m training.evaluation_scenes --config face-finder --data FACES:faces --backgrounds ZIP --out DIR`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib

import cv2
import numpy as np

from training.centers_codec import STRIDE
from training.config import Config
from training.configs import load_config
from training.finder_validation import COUNTED, EMPTY, FRAMES
from training.images import Mixture, load_mixture, parse_source, read_backgrounds
from training.tasks import TASKS

SIDE = 512


def write_evaluation_scenes(
    data: Mixture, backgrounds: list, config: Config, out: pathlib.Path, frames: int = FRAMES, empty: int = EMPTY, side: int = SIDE,
    plain: bool = False,
) -> pathlib.Path:
    """Writes `frames` composed frames with subjects and `empty` without, `side` pixels on their longer side, and `<out>/<config.name>.json`.

    They are larger than what the finder sees, as a camera's are, so that the landmark network can read what it found, and end where the
    frame ends: what lies beyond is the engine's to fill. A row's `boxes`
    are the subjects above COUNTED of the frame's height; `ignored` where smaller and vague ones are, and where a photo may hold some
    that nobody labelled. `plain`: as of FinderSamples; what a finder misses there it would miss in good light.
    """
    out.mkdir(parents=True, exist_ok=True)
    large = dataclasses.replace(config, graph=dataclasses.replace(config.graph, input_size=side))
    samples = TASKS[config.task].samples.to_measure_on(data, backgrounds, large, frames + empty, plain)
    rows = []
    for i in range(frames + empty):
        frame = samples.frame(i, empty=i >= frames)
        left, top = map(int, frame.corner)
        boxes, ignored = [], [[x - left, y - top, w, h] for x, y, w, h in ignored_boxes(frame.ignored)]
        for x, y, size, _ in frame.subjects.tolist():
            box = [round(v, 2) for v in (x - size / 2 - left, y - size / 2 - top, size, size)]
            (boxes if size > COUNTED * frame.height else ignored).append(box)
        file = f"{i}.jpg"
        image = frame.image[top : side - top, left : side - left]
        cv2.imwrite(str(out / file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
        rows.append({"file": file, "boxes": boxes, "ignored": ignored})
    path = out / f"{config.name}.json"
    path.write_text(json.dumps({"images": rows}))
    return path


def ignored_boxes(cells: np.ndarray) -> list[list[int]]:
    """Boxes [x, y, w, h] in pixels around the connected cells of a frame's `ignored`."""
    _, _, found, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8))
    return (found[1:, :4] * STRIDE).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="face-finder")
    parser.add_argument("--data", type=parse_source, action="append", required=True, help="as for training; its validation parts are used")
    parser.add_argument("--backgrounds", type=pathlib.Path, required=True)
    parser.add_argument("--part", choices=("val", "tune"), default="val", help="tune: the backgrounds on which thresholds are chosen")
    parser.add_argument("--plain", action="store_true", help="subjects apart and in the frame, without distractors and damage")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--empty", type=int, default=EMPTY)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    data = load_mixture([s for s in arguments.data if s.path("val").exists()], "val")
    backgrounds = read_backgrounds(arguments.backgrounds, arguments.part)
    print(write_evaluation_scenes(data, backgrounds, config, arguments.out, arguments.frames, arguments.empty, plain=arguments.plain))


if __name__ == "__main__":
    main()
