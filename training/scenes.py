"""Composed frames: pictures of subjects pasted over backgrounds, with what a finder should find there. No targets, no network.

A scene is drawn on a square canvas of twice the input's side, whose middle holds the frame; at the end it is averaged down as
the engine's cropper does, and the frame's edges are replicated into the rest of the square.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from training.augment import photometric
from training.crops import crop_matrix, region_of, transform, warp

ASPECTS = [(4, 3), (16, 9), (3, 4), (9, 16), (1, 1)]
# Shares of its box that a subject must show: less than the first is nothing, less than the second is ignored.
HIDDEN, PARTLY = 0.12, 0.5
# Subjects below this share of the frame's height are ignored.
SMALLEST = 0.06


@dataclasses.dataclass
class Subject:
    """Something to paste: image uint8 [h, w, 3], alpha float32 [h, w] 0..1, points [J, 2] whose tight box is the subject.

    `points` None: nothing that a finder should find. `upright`: the pair of points whose line turns the box; None: it spans the
    points inside the frame and is not turned. `mirror`: the points' order in the mirrored picture. `vague`: no label, only a place
    to be ignored. `grounded`: the picture's lower edge belongs at or below the frame's. `trusted`: points in whose tight box the
    picture holds no other subject; outside it may; None: nowhere. `anchor`: the point [2] by which a finder knows the subject; None:
    the middle of its box.
    """

    image: np.ndarray
    alpha: np.ndarray
    points: np.ndarray | None
    upright: tuple[int, int] | None = None
    mirror: np.ndarray | None = None
    vague: bool = False
    grounded: bool = False
    trusted: np.ndarray | None = None
    anchor: np.ndarray | None = None


@dataclasses.dataclass
class Placed:
    """A subject on the canvas: its anchor and box, how much of it later pictures cover, and whether it is only to be ignored."""

    anchor: np.ndarray
    centre: np.ndarray
    size: float
    angle: float
    cells: np.ndarray
    hidden: np.ndarray
    vague: bool


@dataclasses.dataclass
class Frame:
    """A finished scene: image uint8 [S, S, 3]; subjects [n, 4] (x, y, size, angle) and their anchors [n, 2] in its pixels; ignored bool
    [cells, cells]; corner [2] (x, y) and height of the frame in the middle of the image, whose rest is replicated edge."""

    image: np.ndarray
    subjects: np.ndarray
    anchors: np.ndarray
    ignored: np.ndarray
    corner: np.ndarray
    height: float


class Scene:
    """A frame in the making; coordinates are continuous canvas pixels."""

    def __init__(self, input_size: int, rng: np.random.Generator) -> None:
        self.input_size, self.side, self.rng = input_size, 2 * input_size, rng
        width, height = ASPECTS[rng.integers(len(ASPECTS))]
        longer = max(width, height)
        # Even halves, so that the frame is centred on whole input pixels.
        self.width, self.height = (4 * round(self.side * v / longer / 4) for v in (width, height))
        self.corner = np.array([self.side - self.width, self.side - self.height]) / 2
        self.canvas = np.zeros((self.side, self.side, 3), np.uint8)
        self.unsure = np.zeros((self.side, self.side), np.float32)
        self.placed: list[Placed] = []

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which points [n, 2] lie in the frame."""
        own = points - self.corner
        return ((own >= 0) & (own < [self.width, self.height])).all(1)

    def paste(self, subject: Subject, matrix: np.ndarray) -> None:
        """Draws the subject through `matrix` (source to canvas, 2x3; it may mirror) and notes what is to be found."""
        height, width = subject.alpha.shape
        corners = transform(np.array([[0, 0], [width, 0], [width, height], [0, height]]), matrix)
        left, top = np.clip(np.floor(corners.min(0)), 0, self.side).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)), 0, self.side).astype(int)
        if left >= right or top >= bottom:
            return
        own, size = matrix - np.array([[0, 0, left], [0, 0, top]]), (int(right - left), int(bottom - top))
        alpha = np.zeros((self.side, self.side), np.float32)
        part = alpha[top:bottom, left:right]
        part[:] = warp(subject.alpha, own, size, cv2.BORDER_CONSTANT)
        image = warp(subject.image, own, size, cv2.BORDER_REPLICATE)
        below = self.canvas[top:bottom, left:right]
        below[:] = cv2.blendLinear(image, below, part, 1 - part)
        self.unsure *= 1 - alpha
        if subject.trusted is not None:
            self.unsure += alpha * self._beyond(subject.trusted, matrix)
        for placed in self.placed:
            x, y = np.clip(placed.cells.astype(int), 0, self.side - 1).T
            placed.hidden = 1 - (1 - placed.hidden) * (1 - alpha[y, x])
        if subject.points is not None:
            points = transform(subject.points, matrix)
            if subject.mirror is not None and np.linalg.det(matrix[:, :2]) < 0:
                points = points[subject.mirror]
            anchor = None if subject.anchor is None else transform(subject.anchor[None], matrix)[0]
            self._note(points, subject.upright, subject.vague, anchor)

    def _beyond(self, trusted: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """1 outside the tight box of `trusted` (source points), widened by a tenth, else 0; [side, side]."""
        low, high = trusted.min(0), trusted.max(0)
        low, high = low - 0.1 * (high - low).max(), high + 0.1 * (high - low).max()
        box = transform(np.array([low, [high[0], low[1]], high, [low[0], high[1]]]), matrix)
        out = np.ones((self.side, self.side), np.float32)
        cv2.fillConvexPoly(out, box.round().astype(np.int32), 0)
        return out

    def _note(self, points: np.ndarray, upright: tuple[int, int] | None, vague: bool, anchor: np.ndarray | None) -> None:
        grid = np.stack(np.meshgrid(np.arange(7), np.arange(7)), -1).reshape(-1, 2) / 6 - 0.5
        if upright is None:
            points = points[self.inside(points)]
            if len(points) == 0:
                return
            vague = vague or len(points) < 4
            low, high = points.min(0), points.max(0)
            cells = (low + high) / 2 + grid * (high - low)
        centre, size, angle = region_of(points, 1.0, upright)
        if upright is not None:
            c, s = np.cos(angle), np.sin(angle)
            cells = centre + 0.9 * size * grid @ np.array([[c, s], [-s, c]])
        anchor = centre if anchor is None else anchor
        self.placed.append(Placed(anchor, centre, max(size, 1.0), angle, cells, np.zeros(len(cells)), vague))

    def free(self, centre: np.ndarray, size: float, share: float) -> bool:
        """Whether a subject there keeps away from those placed: centres apart by `share` of the mean size x 2."""
        return all(np.hypot(*(centre - p.centre)) >= share * (size + p.size) for p in self.placed)

    def finish(self, cells: int, is_damaged: bool = True) -> Frame:
        """The frame as the network sees it, after random damage unless not wanted, and what is to be found on a grid of `cells`."""
        left, top = self.corner.astype(int)
        frame = self.canvas[top : self.side - top, left : self.side - left]
        # Cameras damage the frame before it is made small, which averages most of it away.
        if is_damaged:
            frame = photometric(frame, self.rng)
        size = (self.input_size - left, self.input_size - top)
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        rows, columns = top // 2, left // 2
        image = cv2.copyMakeBorder(frame, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
        ignored = cv2.resize(self.unsure, (cells, cells), interpolation=cv2.INTER_AREA) > 0.5
        middle = (np.arange(cells) + 0.5) * self.side / cells
        subjects, anchors = [], []
        for p in self.placed:
            seen = float(((1 - p.hidden) * self.inside(p.cells)).mean())
            certain = seen >= PARTLY and self.inside(p.anchor[None])[0] and p.size >= SMALLEST * self.height
            if certain and not p.vague:
                subjects.append((*(p.centre / 2), p.size / 2, p.angle))
                anchors.append(p.anchor / 2)
            elif seen >= HIDDEN:
                distance = np.hypot(middle[None] - p.centre[0], middle[:, None] - p.centre[1])
                ignored |= distance < 0.5 * p.size + 4
        subjects, anchors = np.array(subjects, np.float64).reshape(-1, 4), np.array(anchors, np.float64).reshape(-1, 2)
        return Frame(image, subjects, anchors, ignored, self.corner / 2, self.height / 2)


def placement(box: tuple[np.ndarray, float, float], centre: np.ndarray, size: float, angle: float, mirror: bool) -> np.ndarray:
    """Matrix that takes a source box (centre, side, angle) to `centre` and `size` on the canvas, turned by `angle` more."""
    source, side, own = box
    matrix = crop_matrix(source, side, own - angle if not mirror else own + angle, size, mirror)
    matrix[:, 2] += np.asarray(centre) - size / 2
    return matrix
