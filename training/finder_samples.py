"""Samples of the finders: what is pasted into a frame, how large and where. How it is drawn is training/scenes.py."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import torch

from training import centers_codec
from training.augment import background_view, scrap
from training.config import Config
from training.crops import crop_matrix, region_of
from training.images import LabelledImages, Mixture
from training.landmark_sets import LANDMARK_SETS, face_of_coco
from training.scenes import Frame, Scene, Subject, placement

FACE_UPRIGHT, FACE_MIRROR = (36, 45), np.array(LANDMARK_SETS["face"].mirror)
CORNERS_UPRIGHT, CORNERS_MIRROR = (0, 1), np.array([1, 0, 3, 2])
MPII_THORAX, MPII_HEAD = 7, [8, 9]
# The outer twelfth of the face crops is replicated edge (training/README.md).
FACE_MARGIN = 12
SIZES = (0.06, 0.9)
COUNTS = [0.15, 0.3, 0.22, 0.14, 0.09, 0.06, 0.04]


class FinderSamples(torch.utils.data.Dataset):
    """Endless composed frames; item i is a pure function of (seed, i).

    Item: image uint8 [3, S, S] and the targets of `centers_codec.encode`. A task says what its subjects are and which photos fill
    a frame: `_subject(rng)` and `_filled(scene, rng)`.
    """

    spacing = 0.45
    """Least distance of two subjects, as a share of the sum of their sizes."""
    strange = 0.4
    """Share of the frames over pictures made strange: panoramas are few, and what is no subject must not be learnt by heart."""
    turns = (35.0, 60.0)
    """Degrees of yaw up to which subjects are drawn as before and from which on `config.turned` times as readily."""
    plain = False
    """Whether pasted subjects lie in the frame and apart, without distractors, and the camera does no damage."""

    def __init__(self, data: Mixture, backgrounds: list[np.ndarray], config: Config, start: int, stop: int) -> None:
        if not backgrounds:
            raise SystemExit(f"'{config.task}' composes frames: expected --backgrounds")
        self.backgrounds, self.config, self.start, self.stop = backgrounds, config, start, stop
        self.size = config.graph.input_size
        self.cells = self.size // centers_codec.STRIDE
        self.channels = len(LANDMARK_SETS[config.task].names)
        data = data.favouring_turned(config.turned, self.turns)
        self.faces, self.people = data.with_points(68), data.with_points(16)
        if self.faces is None and config.task == "face-finder" or self.people is None and config.task == "person-finder":
            raise SystemExit(f"'{config.task}' found no set of its subjects: expected --data with 68 points (faces) or joints (people)")

    @classmethod
    def to_measure_on(cls, data: Mixture, backgrounds: list[np.ndarray], config: Config, frames: int, plain: bool = False) -> "FinderSamples":
        """The first `frames` items as scenes to measure on: nothing is made strange, subjects are drawn by the weights of their sets alone."""
        samples = cls(data, backgrounds, dataclasses.replace(config, turned=1.0), 0, frames)
        samples.strange, samples.plain = 0.0, plain
        return samples

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, i: int):
        frame = self.frame(i)
        targets = centers_codec.encode(frame.subjects, frame.anchors, frame.ignored, self.channels)
        image = np.ascontiguousarray(frame.image.transpose(2, 0, 1))
        return tuple(torch.from_numpy(a) for a in (image, *targets.values()))

    def frame(self, i: int, empty: bool = False) -> Frame:
        """The composed frame of item i; `empty` leaves the subjects out."""
        rng = np.random.default_rng((self.config.seed, self.start + i))
        scene = Scene(self.size, rng)
        scene.canvas = background_view(self.backgrounds, scene.side, rng)
        if self.strange > 0 and rng.random() < self.strange:
            scene.canvas = made_strange(scene.canvas, background_view(self.backgrounds, scene.side, rng), rng)
            empty = empty or rng.random() < 0.25
        filled = rng.random() < 0.35 and not empty
        if filled:
            self._filled(scene, rng)
        if not self.plain and rng.random() < 0.5:
            for _ in range(rng.integers(1, 4)):
                self._paste(scene, self._distractor(rng, empty), rng)
        count = 0 if empty else rng.choice(len(COUNTS), p=COUNTS)
        for _ in range(count // 2 if filled else count):
            self._paste(scene, self._subject(rng), rng)
        return scene.finish(self.cells, is_damaged=not self.plain)

    def _paste(self, scene: Scene, subject: Subject, rng: np.random.Generator) -> None:
        """Somewhere in the frame, a fifth of the time across its edge unless frames are plain, where no other subject is."""
        size = np.exp(rng.uniform(*np.log(SIZES))) * scene.height
        mirror = rng.random() < 0.5
        if subject.upright is not None:
            angle = rng.normal(0, 0.3) if rng.random() < 0.85 else rng.uniform(-1, 1)
        else:
            angle = 0.0 if subject.grounded else rng.normal(0, 0.08)
        if subject.points is None:
            box = (np.array(subject.image.shape[1::-1]) / 2, float(max(subject.image.shape[:2])), 0.0)
        else:
            box = region_of(subject.points, 1.0, subject.upright)
        frame = np.array([scene.width, scene.height])
        for _ in range(6):
            if self.plain:
                reach = -0.5 * size
            else:
                reach = 0.5 * size if rng.random() < 0.2 else -0.4 * size
            centre = scene.corner + rng.uniform(np.minimum(-reach, frame / 2), np.maximum(frame + reach, frame / 2))
            matrix = placement(box, centre, size, angle, mirror)
            if subject.grounded:
                bottom = (matrix @ [subject.image.shape[1] / 2, subject.image.shape[0], 1])[1]
                drop = scene.corner[1] + scene.height + rng.uniform(0, 0.1) * size - bottom
                centre[1] += drop
                matrix[1, 2] += drop
            if subject.points is None or scene.free(centre, size, 0.6 if self.plain else self.spacing):
                scene.paste(subject, matrix)
                return

    def _distractor(self, rng: np.random.Generator, empty: bool) -> Subject:
        """Something with the edges of a pasted subject that is none."""
        side = 96
        if self.strange > 0 and rng.random() < 0.3:
            image = blob(self.backgrounds, side, rng)
        elif rng.random() < 0.6 or empty or self.faces is None:
            image = background_view(self.backgrounds, side, rng)
        else:
            data = self.faces.set(rng)
            image = scrap(data.images[rng.integers(len(data))][..., :3], side, rng)
        return Subject(light(image, rng), soft_mask(side, side, rng), None)

    def _subject(self, rng: np.random.Generator) -> Subject:
        raise NotImplementedError

    def _filled(self, scene: Scene, rng: np.random.Generator) -> None:
        raise NotImplementedError


class FaceFinderSamples(FinderSamples):
    """Faces: labelled crops as heads or squares, rendered heads; people whose face is known or to be ignored."""

    def _subject(self, rng: np.random.Generator) -> Subject:
        if self.people is not None and rng.random() < 0.25:
            return self._person(rng)
        data, k = self.faces.draw(rng)
        return face_subject(data, k, rng)

    def _person(self, rng: np.random.Generator) -> Subject:
        data, k = self.people.draw(rng)
        subject = face_of_person(data, k, rng)
        if data.images[k].shape[2] == 3:
            subject.alpha = soft_mask(*subject.image.shape[:2], rng)
        return subject

    def _filled(self, scene: Scene, rng: np.random.Generator) -> None:
        if self.people is not None and rng.random() < 0.75:
            subject, margin = face_of_person(*self.people.draw(rng), rng), 0
        else:
            subject, margin = face_subject(*self.faces.draw(rng), rng, whole=True), FACE_MARGIN
        middle = np.array(subject.image.shape[1::-1]) / 2 if subject.points is None else subject.points.mean(0)
        # Labelled faces nearly fill their photos: a small part of one shows no face that anybody looks for.
        fill(scene, subject, middle, margin, rng, smallest=0.85 if margin else 0.55)


class PersonFinderSamples(FinderSamples):
    """People: photos as patches or as the whole frame, rendered people with their outline."""

    spacing = 0.35

    def _subject(self, rng: np.random.Generator) -> Subject:
        data, k = self.people.draw(rng)
        subject = person_subject(data, k, rng)
        if data.images[k].shape[2] == 3:
            subject.alpha = soft_mask(*subject.image.shape[:2], rng)
        return subject

    def _filled(self, scene: Scene, rng: np.random.Generator) -> None:
        data, k = self.people.draw(rng)
        subject = person_subject(data, k, rng)
        # Half of the frames are as webcams see people: around the shoulders.
        middle = subject.points.mean(0)
        if not subject.vague and rng.random() < 0.5:
            middle = subject.anchor
        fill(scene, subject, middle, 0, rng)


def fill(
    scene: Scene, subject: Subject, middle: np.ndarray, margin: int, rng: np.random.Generator, smallest: float = 0.55
) -> None:
    """Pastes a photo so that it covers the frame: a random window of it, `smallest` or more of what fits, around `middle` where the
    photo allows."""
    size = np.array(subject.image.shape[1::-1]) - 2 * margin
    share = np.array([scene.width, scene.height]) / scene.side
    side = float((size / share).min()) * rng.uniform(smallest, 1)
    half = share * side / 2
    centre = np.clip(middle + rng.normal(0, 0.15, 2) * side, margin + half, margin + size - half)
    scene.paste(subject, crop_matrix(centre, side, 0.0, scene.side, rng.random() < 0.5))


def made_strange(image: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A view of a background that no panorama holds: upside down or on its side, in other colours, mixed with `other`."""
    if rng.random() < 0.5:
        image = np.rot90(image, rng.integers(1, 4))
    if rng.random() < 0.5:
        image = image[..., rng.permutation(3)]
    if rng.random() < 0.15:
        image = 255 - image
    if rng.random() < 0.4:
        # As through a window, or side by side as on a poster.
        share = rng.uniform(0.3, 0.7)
        if rng.random() < 0.5:
            image = cv2.addWeighted(np.ascontiguousarray(image), share, other, 1 - share, 0)
        else:
            at = int(share * len(image))
            image = np.concatenate([image[:at], other[at:]])
    return np.ascontiguousarray(image)


def blob(backgrounds: list[np.ndarray], side: int, rng: np.random.Generator) -> np.ndarray:
    """A round thing in the colours of skin with some texture and shadow, uint8 [side, side, 3]: a ball, a bread, a lamp."""
    light, dark = np.array([255, 219, 190]), np.array([70, 40, 25])
    share = rng.random()
    skin = (light * share + dark * (1 - share)) * np.exp(rng.normal(0, 0.1, 3))
    across, down = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    turn = rng.uniform(0, 2 * np.pi)
    shadow = 1 + rng.uniform(0, 0.6) * (across * np.cos(turn) + down * np.sin(turn))
    texture = background_view(backgrounds, side, rng).astype(np.float32) - 128
    return np.clip(skin * shadow[..., None] + rng.uniform(0, 0.8) * texture, 0, 255).astype(np.uint8)


def light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure of a pasted picture, other than its surroundings'."""
    table = np.clip((np.arange(256) / 255) ** np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.15)), 0, 1) * 255
    return cv2.LUT(np.ascontiguousarray(image), table.astype(np.uint8))


def alpha_of(image: np.ndarray) -> np.ndarray:
    """Alpha 0..1 of a picture, [h, w]; 1 where it has none."""
    return image[..., 3].astype(np.float32) / 255 if image.shape[2] == 4 else np.ones(image.shape[:2], np.float32)


def soft_mask(height: int, width: int, rng: np.random.Generator, margin: int = 0) -> np.ndarray:
    """Alpha [h, w] of a rectangle or an ellipse with an edge between hard and very soft."""
    alpha = np.zeros((height, width), np.float32)
    softness = rng.uniform(0, 0.06) * min(height, width)
    inset = margin + int(np.ceil(softness))
    if rng.random() < 0.7:
        alpha[inset : height - inset, inset : width - inset] = 1
    else:
        cv2.ellipse(alpha, (width // 2, height // 2), (width // 2 - inset, height // 2 - inset), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(alpha, (0, 0), softness) if softness > 0.5 else alpha


def head_mask(points: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Soft alpha [h, w] in the shape of a head around 68 points: jaw, and a forehead above the brows."""
    crown = points[17:27] + (points[17:27] - points[8]) * rng.uniform(0.3, 0.6)
    outline = np.concatenate([points[:17], crown])
    outline = outline.mean(0) + (outline - outline.mean(0)) * rng.uniform(1.05, 1.3)
    alpha = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(alpha, cv2.convexHull(outline.round().astype(np.int32)), 1)
    return cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.8, 4))


def face_subject(data: LabelledImages, k: int, rng: np.random.Generator, whole: bool = False) -> Subject:
    """A labelled face: its alpha if it has one, else the head or the square without the replicated rim."""
    image, points = data.images[k], data.points[k]
    height, width = image.shape[:2]
    if image.shape[2] == 4 or whole:
        alpha = alpha_of(image)
    elif rng.random() < 0.5:
        alpha = head_mask(points, height, width, rng)
    else:
        alpha = soft_mask(height, width, rng, FACE_MARGIN)
    return Subject(light(image[..., :3], rng), alpha, points, FACE_UPRIGHT, FACE_MIRROR)


def face_of_person(data: LabelledImages, k: int, rng: np.random.Generator) -> Subject:
    """A person of whom the face counts: its 68 points, or a box from COCO joints; only vague where it is hardly seen or unknown."""
    image, fields = data.images[k], data.fields
    trusted = data.points[k][data.present[k]] if image.shape[2] == 3 else None
    subject = Subject(light(image[..., :3], rng), alpha_of(image), None, vague=True, trusted=trusted)
    if "face" in fields:
        subject.points = fields["face"][k].astype(np.float32) + 0.5
        if fields["face_visibility"][k].mean() >= 0.4:
            subject.upright, subject.mirror, subject.vague = FACE_UPRIGHT, FACE_MIRROR, False
    elif "scores" in fields:
        subject.points, subject.vague = face_of_coco(fields["joints"][k] + 0.5, fields["scores"][k])
        if not subject.vague:
            subject.upright, subject.mirror = CORNERS_UPRIGHT, CORNERS_MIRROR
    else:
        subject.points = data.points[k][MPII_HEAD]
    return subject


def person_subject(data: LabelledImages, k: int, rng: np.random.Generator) -> Subject:
    """A person with the joints that span the box, known by the thorax; squeezed photos are stretched by chance.

    The middle of the box is a hip of who stands and a chest of whom a webcam sees; shoulders look alike on both.
    """
    image, present = data.images[k], data.present[k]
    joints, alpha = data.points[k], alpha_of(image)
    if "scores" in data.fields:
        stretch = rng.uniform(1, 1.5)
        image = cv2.resize(image, None, fx=stretch, fy=1, interpolation=cv2.INTER_LINEAR)
        alpha = np.ones(image.shape[:2], np.float32)
        joints = joints * [image.shape[1] / data.images[k].shape[1], 1]
    points = joints[present]
    return Subject(
        light(image[..., :3], rng),
        alpha,
        points,
        vague=not present[MPII_THORAX],
        grounded="cut" in data.fields and bool(data.fields["cut"][k]),
        trusted=points if image.shape[2] == 3 else None,
        anchor=joints[MPII_THORAX],
    )
