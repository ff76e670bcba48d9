"""Writes a labelled set as `npm run evaluate` reads it: `python -m training.evaluation_set --data FACES --stem faces_val --out DIR`."""

from __future__ import annotations

import argparse
import json
import pathlib
import zipfile

import cv2
import numpy as np

from training.images import load_set
from training.metrics import TORSO, torso

KNOWN = 0.5
"""Labels of less weight are written as unknown."""


def write_evaluation_set(folder: pathlib.Path, stem: str, out: pathlib.Path, limit: int | None = None) -> pathlib.Path:
    """Unpacks the images and writes `<out>/<stem>.json`; points with the centre of the first pixel at (0.5, 0.5), null if unknown.

    Unknown are also points outside the image. Where a row has some, it says the box of the subject, which the points known do not
    span. Rows of people say the torso diameter as their normalizer, as its joints may be among the unknown.
    """
    out.mkdir(parents=True, exist_ok=True)
    data = load_set(folder, stem, limit)
    rows = []
    with zipfile.ZipFile(folder / f"{stem}.zip") as archive:
        ending = pathlib.Path(archive.namelist()[0]).suffix
        for i, points, known, present in zip(data.fields["ids"], data.points, data.known, data.present, strict=True):
            archive.extract(f"{i}{ending}", out)
            size = cv2.imdecode(np.frombuffer(archive.read(f"{i}{ending}"), np.uint8), cv2.IMREAD_COLOR).shape[1::-1]
            written = (known >= KNOWN) & ((points >= 0) & (points < size)).all(-1)
            row: dict = {
                "file": f"{i}{ending}",
                "points": [p if w else None for p, w in zip(points.astype(float).round(3).tolist(), written, strict=True)],
            }
            for name, field in (("yaw", "yaw"), ("mouthOpen", "mouth_open")):
                if field in data.fields:
                    row[name] = round(float(data.fields[field][len(rows)]), 3)
            if len(points) == 16 and known[list(TORSO)].min() > 0:
                row["normalizer"] = round(float(torso(points[None])[0]), 3)
            if None in row["points"]:
                low, high = points[present].min(0).astype(float), points[present].max(0).astype(float)
                row["box"] = [*low.round(3).tolist(), *(high - low).round(3).tolist()]
            rows.append(row)
    path = out / f"{stem}.json"
    path.write_text(json.dumps({"images": rows}))
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
