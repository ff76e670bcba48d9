"""Writes a labelled set as `npm run evaluate` reads it: `python -m training.evaluation_set --data FACES --stem faces_val --out DIR`."""

from __future__ import annotations

import argparse
import json
import pathlib
import zipfile

import numpy as np


def write_evaluation_set(folder: pathlib.Path, stem: str, out: pathlib.Path, limit: int | None = None) -> pathlib.Path:
    """Unpacks the images and writes `<out>/<stem>.json`; points with the centre of the first pixel at (0.5, 0.5)."""
    out.mkdir(parents=True, exist_ok=True)
    images = []
    with np.load(folder / f"{stem}.npz") as data, zipfile.ZipFile(folder / f"{stem}.zip") as archive:
        for i, points in zip(data["ids"][:limit], data["landmarks"][:limit], strict=True):
            archive.extract(f"{i}.jpg", out)
            images.append({"file": f"{i}.jpg", "points": (points.astype(float) + 0.5).round(3).tolist()})
    path = out / f"{stem}.json"
    path.write_text(json.dumps({"images": images}))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--stem", default="faces_val")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    print(write_evaluation_set(arguments.data, arguments.stem, arguments.out, arguments.limit))


if __name__ == "__main__":
    main()
