"""Labelled images in memory and augmented samples from them. Pixels and points only; no network, no loss.

A set is a folder with `<stem>.npz` (landmarks [n, J, 2] with the centre of the first pixel at (0, 0), optional
weight-relevant fields) beside `<stem>.zip` of the images, named `<id>.jpg`. training/README.md says how to build one.
"""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile

import cv2
import numpy as np
import torch

from training.config import Config
from training.landmark_sets import LANDMARK_SETS

cv2.setNumThreads(0)


@dataclasses.dataclass
class LabelledImages:
    """images: list of uint8 RGB [h, w, 3]; points: float32 [n, J, 2] continuous (pixel centres at +0.5); weights [n]."""

    images: list[np.ndarray]
    points: np.ndarray
    weights: np.ndarray
    fields: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)


def read_zip(path: pathlib.Path, names: list[str] | None = None) -> list[np.ndarray]:
    """RGB images of a zip, all or those named, in order."""
    images = []
    with zipfile.ZipFile(path) as archive:
        for name in names or sorted(n for n in archive.namelist() if n.endswith(".jpg")):
            data = np.frombuffer(archive.read(name), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError(f"{path}: '{name}' is not a readable image")
            images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return images


def load_set(folder: pathlib.Path, stem: str, limit: int | None = None) -> LabelledImages:
    """Reads `<stem>.npz` and `<stem>.zip`. Samples far in profile weigh less where the set has a `yaw` field."""
    with np.load(folder / f"{stem}.npz") as data:
        fields = {name: data[name][:limit] for name in data.files if name != "sources"}
    images = read_zip(folder / f"{stem}.zip", [f"{i}.jpg" for i in fields["ids"]])
    weights = np.ones(len(images), np.float32)
    if "yaw" in fields:
        # The teacher's labels degrade beyond 35 degrees: weight 1 falls linearly to 0.25 at 55 degrees.
        weights = np.clip(1 - 0.75 * (np.abs(fields["yaw"].astype(np.float32)) - 35) / 20, 0.25, 1)
    points = fields.pop("landmarks").astype(np.float32) + 0.5
    return LabelledImages(images, points, weights, fields)


def region_of(points: np.ndarray, scale: float, upright: tuple[int, int] | None) -> tuple[np.ndarray, float, float]:
    """Centre, side and rotation (radians, clockwise) of the region of models/README.md section 3."""
    angle = 0.0
    if upright is not None:
        d = points[upright[1]] - points[upright[0]]
        angle = float(np.arctan2(d[1], d[0]))
    c, s = np.cos(angle), np.sin(angle)
    own = points @ np.array([[c, -s], [s, c]])
    low, high = own.min(0), own.max(0)
    centre = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    return centre, float((high - low).max()) * scale, angle


def crop_matrix(centre: np.ndarray, side: float, angle: float, size: int, mirror: bool = False) -> np.ndarray:
    """2x3 matrix from source to crop, both in continuous coordinates; mirrored about the crop's vertical axis."""
    k = size / side
    c, s = np.cos(angle) * k, np.sin(angle) * k
    m = np.array([[c, s, 0], [-s, c, 0]])
    m[:, 2] = size / 2 - m[:, :2] @ centre
    if mirror:
        m[0] = -m[0]
        m[0, 2] += size
    return m


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: int, border: int, value=(0, 0, 0)) -> np.ndarray:
    """Samples the crop; OpenCV counts from pixel centres, matrices here from pixel edges."""
    m = matrix.copy()
    m[:, 2] += m[:, :2] @ [0.5, 0.5] - 0.5
    shrink = np.sqrt(abs(np.linalg.det(m[:, :2])))
    if shrink < 0.6:  # average before sampling, as the engine's taps do
        image = cv2.GaussianBlur(image, (0, 0), 0.35 / shrink)
    return cv2.warpAffine(image, m, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=value)


class FaceSamples(torch.utils.data.Dataset):
    """Endless augmented samples; item i is a pure function of (seed, i), so that a resumed run continues exactly.

    Item: image uint8 [3, S, S]; points float32 [J, 2] in heatmap cells; mask float32 [J] (0 where the landmark is outside
    the crop or there is no subject); negative float32 [].
    """

    def __init__(self, data: LabelledImages, backgrounds: list[np.ndarray], config: Config, start: int, stop: int) -> None:
        self.data, self.backgrounds, self.config = data, backgrounds, config
        self.start, self.stop = start, stop
        self.size = config.graph.input_size
        self.mirror = np.array(LANDMARK_SETS[config.task].mirror)

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, i: int):
        rng = np.random.default_rng((self.config.seed, self.start + i))
        if rng.random() < self.config.negatives:
            image, points, inside = self._negative(rng)
            negative = 1.0
        else:
            image, points, inside = self._positive(rng)
            negative = 0.0
        image = photometric(image, rng)
        cells = points * (self.size // 4) / self.size
        return (
            torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            torch.from_numpy(cells.astype(np.float32)),
            torch.from_numpy(inside.astype(np.float32)),
            torch.tensor(negative, dtype=torch.float32),
        )

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        image = self.backgrounds[rng.integers(len(self.backgrounds))]
        side = rng.uniform(0.15, 0.8) * image.shape[0]
        centre = rng.uniform(side / 2, np.array(image.shape[1::-1]) - side / 2)
        matrix = crop_matrix(centre, side, rng.normal(0, 0.2), self.size, rng.random() < 0.5)
        return warp(image, matrix, self.size, cv2.BORDER_REFLECT_101)

    def _negative(self, rng: np.random.Generator):
        joints = len(self.mirror)
        if rng.random() < 0.7 and self.backgrounds:
            image = self._background(rng)
        else:  # a piece of a face that is too small a part to be one: cheek, forehead, hair
            k = rng.integers(len(self.data))
            source = self.data.images[k]
            side = rng.uniform(0.12, 0.3) * source.shape[0]
            centre = rng.uniform(side / 2, np.array(source.shape[1::-1]) - side / 2)
            image = warp(source, crop_matrix(centre, side, rng.uniform(-3, 3), self.size), self.size, cv2.BORDER_REPLICATE)
        return image, np.zeros((joints, 2), np.float32), np.zeros(joints)

    def _positive(self, rng: np.random.Generator):
        config = self.config
        k = rng.integers(len(self.data))
        while rng.random() > self.data.weights[k]:
            k = rng.integers(len(self.data))
        source, points = self.data.images[k], self.data.points[k]
        centre, side, angle = region_of(points, config.roi_scale, config.upright)
        if rng.random() < 0.75:  # as a tracker or a good box sees it
            angle += rng.normal(0, 0.12)
            side *= np.exp(rng.normal(0, 0.08))
            centre = centre + rng.normal(0, 0.03, 2) * side
        else:  # as a search window sees it
            angle += np.clip(rng.normal(0, 0.5), -1.2, 1.2)
            side *= np.exp(rng.uniform(-0.2, 0.6))
            centre = centre + rng.normal(0, 0.09, 2) * side
        mirror = rng.random() < 0.5
        matrix = crop_matrix(centre, side, angle, self.size, mirror)
        border = rng.random()
        if 0.4 <= border < 0.55:
            image = warp(source, matrix, self.size, cv2.BORDER_CONSTANT, rng.uniform(0, 255, 3).tolist())
        else:
            image = warp(source, matrix, self.size, cv2.BORDER_REPLICATE)
        if border >= 0.55 and self.backgrounds:
            full = np.full(source.shape[:2], 255, np.uint8)
            inside = warp(full, matrix, self.size, cv2.BORDER_CONSTANT)[..., None] >= 128
            image = np.where(inside, image, self._background(rng))
        points = transform(points, matrix)
        if mirror:
            points = points[self.mirror]
        image = occlude(image, points, rng, self.backgrounds)
        visible = ((points >= 0) & (points < self.size)).all(1)
        return image, points.astype(np.float32), visible


def occlude(image: np.ndarray, points: np.ndarray, rng: np.random.Generator, backgrounds: list[np.ndarray]) -> np.ndarray:
    """Sometimes covers a part: mask over the mouth, glasses, or a patch anywhere (colour, noise or background)."""
    kind = rng.random()
    if kind > 0.3:
        return image
    size = image.shape[0]
    cover = np.zeros(image.shape[:2], np.uint8)
    if kind < 0.05 and len(points) == 68:
        hull = np.concatenate([points[2:15], points[28:30]])
        cv2.fillConvexPoly(cover, cv2.convexHull(hull.round().astype(np.int32)), 255)
    elif kind < 0.1 and len(points) == 68:
        for eye in (points[36:42], points[42:48]):
            radius = np.ptp(eye[:, 0]) * rng.uniform(0.6, 1.0)
            axes = (int(max(radius, 2)), int(max(radius * rng.uniform(0.6, 1), 2)))
            cv2.ellipse(cover, tuple(eye.mean(0).round().astype(int).tolist()), axes, 0, 0, 360, 255, -1)
    else:
        centre = tuple(rng.integers(0, size, 2).tolist())
        axes = tuple(rng.integers(size // 12, size // 4, 2).tolist())
        if rng.random() < 0.5:
            cv2.ellipse(cover, centre, axes, rng.uniform(0, 180), 0, 360, 255, -1)
        else:
            box = cv2.boxPoints((centre, (axes[0] * 1.6, axes[1] * 1.6), rng.uniform(0, 180)))
            cv2.fillConvexPoly(cover, box.round().astype(np.int32), 255)
    filling = rng.random()
    if filling < 0.4 or not backgrounds:
        fill = np.broadcast_to(rng.uniform(0, 255, 3), image.shape)
        fill = fill + rng.normal(0, rng.uniform(0, 25), image.shape)
    elif filling < 0.7:  # skin-like: another part of the picture
        fill = np.roll(image, rng.integers(10, size - 10, 2).tolist(), axis=(0, 1))
    else:
        source = backgrounds[rng.integers(len(backgrounds))]
        fill = cv2.resize(source, (size, size), interpolation=cv2.INTER_AREA)
    alpha = (cover[..., None] / 255.0) * (1.0 if rng.random() < 0.8 else rng.uniform(0.4, 0.9))
    return np.clip(image * (1 - alpha) + fill * alpha, 0, 255).astype(np.uint8)


def photometric(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light, colour, resolution, blur, noise and JPEG damage; geometry stays."""
    size = image.shape[0]
    if rng.random() < 0.15:  # a small face, enlarged
        small = int(size * rng.uniform(0.25, 0.7))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    if rng.random() < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.06:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (length, length))
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))
    if rng.random() < 0.85:
        # Gains, contrast and gamma in one table per channel.
        levels = np.arange(256, dtype=np.float32) / 255
        gamma = np.exp(rng.normal(0, 0.25))
        gain = np.exp(rng.normal(0, 0.2))
        offset = rng.normal(0, 0.06)
        if rng.random() < 0.1:  # low light
            gamma *= rng.uniform(1.3, 2.2)
            gain *= rng.uniform(0.4, 0.9)
        colour = np.exp(rng.normal(0, 0.1, 3))
        table = np.stack([np.clip(levels**gamma * gain * c + offset, 0, 1) * 255 for c in colour], -1)
        image = cv2.LUT(image, table.astype(np.uint8)[None].reshape(1, 256, 3))
        if rng.random() < 0.3:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, t := float(rng.uniform(0, 1)), grey, 1 - t, 0)
    if rng.random() < 0.15:  # light from one side
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        field = ramp[None] * np.cos(angle) + ramp[:, None] * np.sin(angle)
        image = np.clip(image * (1 + rng.uniform(0.2, 0.8) * field[..., None]), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        cv2.randn(noise, 0, float(rng.uniform(2, 14)))
        image = np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 75))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image


def evaluation_crop(image: np.ndarray, points: np.ndarray, config: Config, upright: bool = False):
    """Crop uint8 [3, S, S] from the points' tight box and the matrix that made it, as `npm run evaluate` starts."""
    centre, side, angle = region_of(points, config.roi_scale, config.upright if upright else None)
    matrix = crop_matrix(centre, side, angle, config.graph.input_size)
    crop = warp(image, matrix, config.graph.input_size, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(crop.transpose(2, 0, 1)), matrix


def evaluation_crops(data: LabelledImages, config: Config, upright: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Crops uint8 [n, 3, S, S] of a whole set and their matrices [n, 2, 3]."""
    crops, matrices = zip(*(evaluation_crop(i, p, config, upright) for i, p in zip(data.images, data.points)), strict=True)
    return np.stack(crops), np.stack(matrices)
