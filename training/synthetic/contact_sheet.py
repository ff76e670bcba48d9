"""The command that draws a sheet of rendered items with their labels, to look at. Reads finished data sets; renders nothing."""

from __future__ import annotations

import argparse
import pathlib
import zipfile

import cv2
import numpy as np

TILE = 150
COLUMNS = 8
# The person's right joints are red, the others green; hidden points are rings.
RIGHT = {0, 1, 2, 10, 11, 12}
BONES = ((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15))


def draw(image: np.ndarray, points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A TILE-sized copy of a picture with points [J, 2] (pixel-centre convention) and, for 16 joints, bones."""
    scale = TILE / image.shape[0]
    out = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    at = np.round(((points + 0.5) * scale - 0.5) * 16).astype(int)
    body = len(points) == 16
    if body:
        for a, b in BONES:
            cv2.line(out, tuple(at[a].tolist()), tuple(at[b].tolist()), (235, 235, 235), 1, cv2.LINE_AA, 4)
    for k, (p, visible) in enumerate(zip(at, seen, strict=True)):
        colour = (255, 70, 60) if body and k in RIGHT else (70, 235, 90)
        if not visible and not body:
            colour = (255, 60, 255)
        cv2.circle(out, tuple(p.tolist()), (2 if body else 1) * 16, colour, -1 if visible or not body else 1, cv2.LINE_AA, 4)
    return out


def tiles(folder: pathlib.Path, stem: str, count: int) -> list[np.ndarray]:
    """`count` pictures of a set, spread over it, every second one with its points; cutouts lie on a checkerboard."""
    with np.load(folder / f"{stem}.npz") as data:
        fields = {k: data[k] for k in data.files}
    chosen = np.linspace(0, len(fields["ids"]) - 1, count).astype(int)
    out = []
    with zipfile.ZipFile(folder / f"{stem}.zip") as archive:
        ending = archive.namelist()[0].rpartition(".")[2]
        for n, i in enumerate(chosen):
            image = cv2.imdecode(np.frombuffer(archive.read(f"{fields['ids'][i]}.{ending}"), np.uint8), cv2.IMREAD_UNCHANGED)
            if image.shape[2] == 4:
                y, x = np.mgrid[: image.shape[0], : image.shape[1]] // 12
                board = (170 + 40 * ((x + y) % 2))[..., None]
                alpha = image[..., 3:] / 255
                image = (image[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)
            image = np.ascontiguousarray(image[..., ::-1])
            head = "head" in fields and fields["head"][i]
            points, seen = (fields[k][i] for k in (("face", "face_visibility") if head else ("landmarks", "visibility")))
            # Parted like this, a figure and its labels can both be looked at.
            out.append(draw(image, points if n % 2 else points[:0], seen if n % 2 else seen[:0]))
    return out


def main() -> None:
    """Three rows of people, three of heads, one of cutouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--stems", nargs=3, default=["synthetic_people_val", "synthetic_heads_val", "synthetic_cutouts_val"])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="JPEG to write")
    args = parser.parse_args()
    rows = []
    for stem, count in zip(args.stems, (3, 3, 1), strict=True):
        own = tiles(args.data, stem, count * COLUMNS)
        rows += [np.concatenate(own[i : i + COLUMNS], 1) for i in range(0, len(own), COLUMNS)]
    sheet = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(args.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
