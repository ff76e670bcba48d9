"""What scores of a landmark network mean: `python -m training.scores --config face --master FILE --data FOLDER:STEM --backgrounds ZIP`.

Prints, for choosing `presence` and for cards: how high subjects score, how high windows of subject-free pictures score, how
a subject's score and its error go together, and the error for several decoding windows. Measures only; trains nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib

import cv2
import numpy as np
import torch

from training.configs import load_config
from training.crops import crop_matrix, warp
from training.evaluate import predict
from training.export import load_master
from training.images import parse_source, read_backgrounds
from training.tasks import TASKS

WINDOWS = (5, 7, 9, 11)


def subject_scores(found: list, count: int | None) -> np.ndarray:
    """Mean of the `count` best landmark scores (all without it) of each image; found as the task's codec decodes it."""
    return np.array([np.sort(scores)[-(count or len(scores)) :].mean() for _, scores in found])


def search_windows(backgrounds: list[np.ndarray], size: int) -> np.ndarray:
    """Square windows of each picture, uint8 [n, 3, size, size]: the whole height, and quarters of half the height."""
    windows = []
    for image in backgrounds:
        height, width = image.shape[:2]
        side = min(height, width)
        places = [(0.5, 0.5, side)] + [(x, y, side / 2) for x in (0.25, 0.75) for y in (0.25, 0.75)]
        for x, y, length in places:
            matrix = crop_matrix(np.array([x * width, y * height]), length, 0.0, size)
            windows.append(warp(image, matrix, size, cv2.BORDER_REPLICATE).transpose(2, 0, 1))
    return np.stack(windows)


def percentiles(values: np.ndarray) -> dict[str, float]:
    """Least, 1st, 5th, 50th, 99th percentile and largest."""
    ranks = {"least": 0, "p1": 1, "p5": 5, "p50": 50, "p99": 99, "largest": 100}
    return {name: round(float(np.percentile(values, rank)), 3) for name, rank in ranks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="face")
    parser.add_argument("--master", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=parse_source, action="append", required=True, help="FOLDER:STEM, repeatable")
    parser.add_argument("--backgrounds", type=pathlib.Path, required=True, help="zip of pictures without subjects")
    parser.add_argument("--part", help="part of the backgrounds: train, tune or val (default: all)")
    parser.add_argument("--limit", type=int, help="use only the first images")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    config = load_config(arguments.config)
    model = load_master(arguments.master, config)
    empty = search_windows(read_backgrounds(arguments.backgrounds, arguments.part), config.graph.input_size)
    report: dict = {
        "emptyWindows": len(empty),
        "emptyScores": percentiles(subject_scores(predict(model, empty, config), config.count)),
    }
    for name, validation in TASKS[config.task].validations(arguments.data, None, config, arguments.limit).items():
        found = predict(model, validation.images, config)
        scores = subject_scores(found, config.count)
        errors = validation.errors(found)
        measured = np.isfinite(errors)
        report[name] = {
            "images": len(found),
            "scores": percentiles(scores),
            "scoreErrorCorrelation": round(float(np.corrcoef(scores[measured], errors[measured])[0, 1]), 3),
            "windows": {
                window: validation.figures(predict(model, validation.images, dataclasses.replace(config, window=window)))
                for window in WINDOWS
            },
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
