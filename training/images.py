"""Labelled images in memory: reading sets, bringing their labels to one form, drawing from a mixture. No augmentation.

A set is a folder with `<stem>_<part>.npz` beside `<stem>_<part>.zip` of the images, named `<id>.jpg` or `<id>.png`.
training/README.md lists the fields. Points in memory are continuous: the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import zipfile

import cv2
import numpy as np

from training.landmark_sets import LANDMARK_SETS, mpii_from_coco

cv2.setNumThreads(0)


@dataclasses.dataclass(frozen=True)
class Source:
    """A set to read and the share of samples drawn from it, relative to the other sets."""

    folder: pathlib.Path
    stem: str
    share: float = 1.0

    def path(self, part: str) -> pathlib.Path:
        """The labels of `part` ("train" or "val")."""
        return self.folder / f"{self.stem}_{part}.npz"


@dataclasses.dataclass
class LabelledImages:
    """Images with points, row by row.

    images: uint8 RGB [h, w, 3] or RGBA; points: float32 [n, J, 2]; known: float32 [n, J], weight of a point's label, 0 = unknown;
    present: bool [n, J], points that span the subject's box (a point may be good enough for that but not as a label);
    weights: [n], how readily a row is drawn; fields: what else the file holds, by name.
    """

    images: list[np.ndarray]
    points: np.ndarray
    known: np.ndarray
    present: np.ndarray
    weights: np.ndarray
    fields: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def favouring_turned(self, turned: float, turns: tuple[float, float]) -> "LabelledImages":
        """The set with rows drawn by how far the head is turned, where `yaw` tells: as before up to the first of `turns` (degrees),
        `turned` times as readily from the second on."""
        if turned == 1 or "yaw" not in self.fields:
            return self
        factor = np.interp(np.abs(self.fields["yaw"].astype(np.float32)), turns, [1, turned]) / turned
        return dataclasses.replace(self, weights=(self.weights * factor).astype(np.float32))


def parse_source(text: str) -> Source:
    """`FOLDER:STEM` or `FOLDER:STEM:SHARE`, as the commands take it."""
    folder, *rest = text.split(":")
    try:
        stem, share = rest[0], float(rest[1]) if len(rest) > 1 else 1.0
    except (IndexError, ValueError):
        stem, share = "", 0.0
    if not stem or not share > 0 or len(rest) > 2:
        raise argparse.ArgumentTypeError(f"'{text}': expected FOLDER:STEM or FOLDER:STEM:SHARE with a share above 0")
    return Source(pathlib.Path(folder), stem, share)


def read_zip(path: pathlib.Path, names: list[str]) -> list[np.ndarray]:
    """The named images of a zip, in order; RGB, or RGBA where a PNG has alpha."""
    images = []
    with zipfile.ZipFile(path) as archive:
        for name in names:
            data = np.frombuffer(archive.read(name), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED if name.endswith(".png") else cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError(f"{path}: '{name}' is not a readable image")
            images.append(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[-1] == 4 else cv2.COLOR_BGR2RGB))
    return images


def read_all(path: pathlib.Path) -> list[np.ndarray]:
    """All images of a zip, in its order."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return read_zip(path, names)


def load_set(folder: pathlib.Path, stem: str, limit: int | None = None) -> LabelledImages:
    """Reads `<stem>.npz` and `<stem>.zip`. Samples far in profile weigh less where the set has `yaw` but not `visibility`."""
    path = folder / f"{stem}.npz"
    if not path.exists():
        raise SystemExit(f"no data set '{path}': expected FOLDER:STEM of files named STEM_train.npz and STEM_val.npz")
    with np.load(path) as data:
        fields = {name: data[name][:limit] for name in data.files if name != "sources"}
    with zipfile.ZipFile(folder / f"{stem}.zip") as archive:
        ending = pathlib.Path(archive.namelist()[0]).suffix
    images = read_zip(folder / f"{stem}.zip", [f"{i}{ending}" for i in fields["ids"]])
    weights = np.ones(len(images), np.float32)
    if "yaw" in fields and "visibility" not in fields:
        # A teacher's labels degrade beyond 35 degrees: weight 1 falls linearly to 0.25 at 55 degrees. Only rendered sets know
        # what is visible, and their labels are exact.
        weights = np.clip(1 - 0.75 * (np.abs(fields["yaw"].astype(np.float32)) - 35) / 20, 0.25, 1)
    if "scores" in fields:
        points, known, present = mpii_from_coco(fields["joints"], fields["scores"])
    else:
        points = fields.pop("landmarks")
        known = fields.pop("known", np.ones(points.shape[:2])).astype(np.float32)
        present = known > 0
        if "visibility" in fields and points.shape[1] == len(LANDMARK_SETS["pose"].names):
            # Rendered joints have a place far outside the picture, too; the people of photos span what is seen of them.
            present &= in_pictures(points, images)
    return LabelledImages(images, points.astype(np.float32) + 0.5, known, present, weights, fields)


def in_pictures(points: np.ndarray, images: list[np.ndarray]) -> np.ndarray:
    """Which points [n, J, 2] of a set lie in their images, bool [n, J]."""
    sizes = np.array([image.shape[1::-1] for image in images])[:, None]
    return ((points >= 0) & (points < sizes)).all(-1)


class Mixture:
    """Sets and the shares in which samples are drawn from them."""

    def __init__(self, sets: list[LabelledImages], shares: list[float]) -> None:
        self.sets = sets
        self.shares = np.array(shares) / sum(shares)

    def set(self, rng: np.random.Generator) -> LabelledImages:
        """One of the sets, by share."""
        return self.sets[0 if len(self.sets) == 1 else rng.choice(len(self.sets), p=self.shares)]

    def with_points(self, count: int) -> "Mixture | None":
        """The sets of that many points per image, in their shares; None if there is none."""
        chosen = [(s, share) for s, share in zip(self.sets, self.shares, strict=True) if s.points.shape[1] == count]
        return Mixture([s for s, _ in chosen], [share for _, share in chosen]) if chosen else None

    def favouring_turned(self, turned: float, turns: tuple[float, float]) -> "Mixture":
        """The same sets in the same shares, each as of `LabelledImages.favouring_turned`."""
        return Mixture([some.favouring_turned(turned, turns) for some in self.sets], list(self.shares))

    def draw(self, rng: np.random.Generator) -> tuple[LabelledImages, int]:
        """A set and the index of one of its rows, by share and weight."""
        data = self.set(rng)
        k = rng.integers(len(data))
        while rng.random() > data.weights[k]:
            k = rng.integers(len(data))
        return data, k


def load_mixture(sources: list[Source], part: str, limit: int | None = None) -> Mixture:
    """The `part` ("train" or "val") of every source."""
    return Mixture([load_set(s.folder, f"{s.stem}_{part}", limit) for s in sources], [s.share for s in sources])


PEOPLED = ("venice_sunset_1k",)
"""Panoramas that show people: no pictures of nobody."""


def read_backgrounds(path: pathlib.Path, part: str | None = None) -> list[np.ndarray]:
    """Pictures `<panorama>_<number>.jpg` of a zip, but those of PEOPLED: all, or those of a part of the panoramas in the order of their names.

    Of every eight panoramas the fourth is for choosing thresholds ("tune"), the eighth for validation ("val"), the rest "train".
    """
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))
    panoramas = sorted({n.rsplit("_", 1)[0] for n in names})
    part_of = {panorama: {3: "tune", 7: "val"}.get(i % 8, "train") for i, panorama in enumerate(panoramas)}
    wanted = {panorama for panorama, own in part_of.items() if part in (None, own) and panorama not in PEOPLED}
    return read_zip(path, [n for n in names if n.rsplit("_", 1)[0] in wanted])
