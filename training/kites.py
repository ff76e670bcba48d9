"""Draws the example set of the guide in training/README.md: `python -m training.kites --out DIR` writes kites_train and kites_val.

A kite has five landmarks of its own mirror table (training/landmark_sets.py): nose, two wings that a mirror swaps, tail, end of the ribbon.
"""

from __future__ import annotations

import argparse
import pathlib
import zipfile

import cv2
import numpy as np

SIDE = 144
SHAPE = np.array([[0, -44], [-30, -12], [30, -12], [0, 34], [0, 56]], float)
"""Nose, right wing, left wing, tail, ribbon around the origin, in pixels."""


def draw_kite(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 RGB [144, 144, 3] and its points [5, 2] in continuous coordinates."""
    angle, size = rng.normal(0, 0.5), rng.uniform(0.6, 1.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = SHAPE * rng.uniform(0.85, 1.15, (5, 2))
    points[4, 0] += rng.normal(0, 10)
    points = size * points @ turn + SIDE / 2 + rng.normal(0, 5, 2)
    ramp = np.linspace(0, 1, SIDE)[:, None, None]
    image = (ramp * rng.uniform(90, 255, 3) + (1 - ramp) * rng.uniform(90, 255, 3)).repeat(SIDE, 1)
    image = np.ascontiguousarray(image.astype(np.uint8))
    corners = np.round((points - 0.5) * 16).astype(int)
    nose, right, left, tail, ribbon = corners
    for side, shade in ((right, rng.uniform(0, 110, 3)), (left, rng.uniform(130, 255, 3))):
        cv2.fillConvexPoly(image, np.stack([nose, side, tail]), shade.tolist(), cv2.LINE_AA, 4)
    cv2.line(image, tail.tolist(), ribbon.tolist(), rng.uniform(0, 90, 3).tolist(), 2, cv2.LINE_AA, 4)
    return image, points


def write_kites(folder: pathlib.Path, stem: str, count: int, seed: int) -> None:
    """`<stem>.npz` and `<stem>.zip` in the format of training/images.py."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    landmarks = []
    with zipfile.ZipFile(folder / f"{stem}.zip", "w") as archive:
        for i in range(count):
            image, points = draw_kite(rng)
            archive.writestr(f"{i}.jpg", cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
            landmarks.append(points - 0.5)  # files count from the first pixel's centre
    np.savez(folder / f"{stem}.npz", ids=np.arange(count), landmarks=np.array(landmarks, np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--val", type=int, default=100)
    arguments = parser.parse_args()
    write_kites(arguments.out, "kites_train", arguments.train, 1)
    write_kites(arguments.out, "kites_val", arguments.val, 2)


if __name__ == "__main__":
    main()
