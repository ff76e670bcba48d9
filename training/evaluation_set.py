"""Writes a labelled set as `npm run evaluate` reads it: `python -m training.evaluation_set --data FACES --stem faces_val --out DIR`."""

from __future__ import annotations

import argparse
import json
import pathlib
import zipfile

import cv2
import numpy as np

from training.images import load_set
from training.metrics import TORSO, pair_distance, torso

KNOWN = 0.5
"""Labels of less weight are written as unknown."""
CHEEKS = ([2, 3, 31, 41], [13, 14, 35, 46])
"""Points of a face between which a cheek lies."""


def skin_tone(image: np.ndarray, points: np.ndarray) -> float:
    """Individual typology angle of a face's cheeks in degrees: atan2(L* - 50, b*), median over both; light skin is above 41, dark
    below -30 (Chardon et al., "Skin colour typology and suntanning pathways", 1991). The light of the photo goes into it.

    image: uint8 RGB [h, w, 3]; points [68, 2] in its pixels.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cover = np.zeros(image.shape[:2], np.uint8)
    radius = max(1, round(0.08 * float(np.hypot(*(points[36] - points[45])))))
    for cheek in CHEEKS:
        cv2.circle(cover, tuple(points[cheek].mean(0).astype(int).tolist()), radius, 1, -1)
    lightness, _, blueness = lab[cover > 0].T
    return float(np.degrees(np.median(np.arctan2(lightness - 50, blueness))))


def write_evaluation_set(
    folder: pathlib.Path, stem: str, out: pathlib.Path, limit: int | None = None, pair: tuple[int, int] | None = None, visible: bool = False
) -> pathlib.Path:
    """Unpacks the images and writes `<out>/<stem>.json`; points with the centre of the first pixel at (0.5, 0.5), null if unknown.

    Unknown are also points outside the image and, with `visible`, those that something hides (of sets that say so; else ValueError).
    Where a row has some, it says the box of the subject, which the points known do not span. Rows of people say the torso diameter as
    their normalizer, as its joints may be among the unknown, rows of other sets the distance of the `pair` of landmarks that errors are
    divided by, where it is given.
    """
    out.mkdir(parents=True, exist_ok=True)
    data = load_set(folder, stem, limit)
    if visible and "visibility" not in data.fields:
        raise ValueError(f"'{folder / stem}.npz' has no 'visibility': only sets that say which points are hidden can leave those out")
    seen = data.fields["visibility"] >= KNOWN if visible else np.ones(data.points.shape[:2], bool)
    rows = []
    with zipfile.ZipFile(folder / f"{stem}.zip") as archive:
        ending = pathlib.Path(archive.namelist()[0]).suffix
        for i, image, points, known, present, is_seen in zip(
            data.fields["ids"], data.images, data.points, data.known, data.present, seen, strict=True
        ):
            archive.extract(f"{i}{ending}", out)
            written = (known >= KNOWN) & is_seen & ((points >= 0) & (points < image.shape[1::-1])).all(-1)
            row: dict = {
                "file": f"{i}{ending}",
                "points": [p if w else None for p, w in zip(points.astype(float).round(3).tolist(), written, strict=True)],
            }
            for name, field in (("yaw", "yaw"), ("mouthOpen", "mouth_open")):
                if field in data.fields:
                    row[name] = round(float(data.fields[field][len(rows)]), 3)
            if len(points) == 68:
                row["skinTone"] = round(skin_tone(image[..., :3], points), 1)
            if len(points) == 16 and known[list(TORSO)].min() > 0:
                row["normalizer"] = round(float(torso(points[None])[0]), 3)
            if pair is not None:
                row["normalizer"] = round(float(pair_distance(points[None], pair)[0]), 3)
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
    parser.add_argument("--pair", type=int, nargs=2, help="two landmarks whose distance errors are divided by (sets of your own: `upright`)")
    parser.add_argument("--visible", action="store_true", help="leave out points that something hides, where the set says so")
    arguments = parser.parse_args()
    print(write_evaluation_set(arguments.data, arguments.stem, arguments.out, arguments.limit, arguments.pair, arguments.visible))


if __name__ == "__main__":
    main()
