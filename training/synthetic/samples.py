"""Items of data sets: a labelled picture as a pure function of (seed, index). Framing, backgrounds, occluders and grading live here."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from training.synthetic import body, pose, scene
from training.synthetic.library import Library
from training.synthetic.points import JOINT_DEPTHS

SIZES = {"people": 192, "heads": 160, "cutouts": 192}
# Consecutive items that show one person in different poses, light and views.
VIEWS = 3
# Hip to head joint of a tall adult in decimetres; JOINT_DEPTHS scale with it.
ADULT = 7.0
FACE_DEPTH = 0.15


@dataclasses.dataclass
class Sample:
    """image uint8 [s, s, 3 or 4]; joints [16, 2] and face [68, 2] in pixels, (0, 0) = centre of the first pixel; visibilities;
    angles: yaw, pitch, roll of the head in degrees (nose to image right, nose down, clockwise); cut: goes on below the picture."""

    image: np.ndarray
    joints: np.ndarray
    joints_visible: np.ndarray
    face: np.ndarray
    face_visible: np.ndarray
    angles: np.ndarray
    cut: bool


class Studio:
    """Makes samples from a library and backgrounds (uint8 pictures, list)."""

    def __init__(self, library: Library, backgrounds: list[np.ndarray], seed: int) -> None:
        if not backgrounds:
            raise ValueError("found no background pictures, expected a zip with JPEGs that show nobody")
        self.library, self.backgrounds, self.seed = library, backgrounds, seed
        self._last: tuple[tuple[int, ...], body.Person] | None = None

    def sample(self, kind: str, i: int) -> Sample:
        """Item i of kind 'people', 'heads' or 'cutouts' (of these every third shows a head)."""
        number = list(SIZES).index(kind)
        rng = np.random.default_rng((self.seed, number, i))
        person = self._who((self.seed, number, i // VIEWS, 1))
        if is_head(kind, i):
            return self._head(rng, kind, person)
        return self._person(rng, kind, person)

    def _who(self, key: tuple[int, ...]) -> body.Person:
        """The person of a key; the last one is kept, so that consecutive items make a person once."""
        if self._last is None or self._last[0] != key:
            self._last = key, body.random_person(self.library, np.random.default_rng(key), self.backgrounds)
        return self._last[1]

    def _background(self, rng: np.random.Generator, size: int) -> np.ndarray:
        source = self.backgrounds[rng.integers(len(self.backgrounds))]
        side = int(rng.uniform(0.3, 1) * min(source.shape[:2]))
        x, y = rng.integers(0, source.shape[1] - side + 1), rng.integers(0, source.shape[0] - side + 1)
        image = cv2.resize(source[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        image = image[:, ::-1] if rng.random() < 0.5 else image
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 4)) if rng.random() < 0.5 else np.ascontiguousarray(image)

    def _posed(self, rng: np.random.Generator, person: body.Person, full: bool, offset: np.ndarray) -> body.Posed:
        local = pose.random_pose(self.library, person.skeleton, rng, full)
        pose.random_face(self.library, person.skeleton, local, rng)
        return body.posed(self.library, person, local, offset.astype(np.float32), not full)

    def _person(self, rng: np.random.Generator, kind: str, person: body.Person) -> Sample:
        size = SIZES[kind]
        full = rng.random() < (0.7 if kind == "cutouts" else 0.45)
        main = self._posed(rng, person, full, np.zeros(3))
        background = self._background(rng, size)
        # A webcam mostly looks at a face from the front; a figure is also seen from behind.
        spread = 12 if not full and rng.random() < 0.45 else 36
        azimuth = rng.uniform(-180, 180) if full and rng.random() < 0.3 else np.clip(rng.normal(0, spread), -85, 85)
        elevation = np.clip(rng.normal(6 if full else 2, 10), -22, 40)
        roll = rng.normal(0, 4) if rng.random() < 0.85 else rng.uniform(-25, 25)
        target = main.joints[6 if full else 7]
        distance = np.exp(rng.uniform(np.log(24), np.log(90))) if full else np.exp(rng.uniform(np.log(7), np.log(28)))
        camera = scene.orbit(target, azimuth, elevation, roll, distance)
        at = camera.project(main.joints)
        centre, side, cut = window(at, rng, full, kind == "cutouts")
        camera = scene.framed(camera, centre, side, size)
        crowd = [main]
        if kind == "people" and rng.random() < 0.18:
            aside = rng.choice([-1, 1]) * rng.uniform(2.5, 9) * camera.rotation[0]
            behind = -rng.uniform(-0.25 * distance, 0.8 * distance) * camera.rotation[2]
            other = body.random_person(self.library, rng, self.backgrounds)
            crowd.append(self._posed(rng, other, full, (aside + behind) * [1, 0, 1] + [0, rng.normal(0, 0.7), 0]))
        return self._finish(rng, kind, crowd, camera, background, azimuth, cut)

    def _head(self, rng: np.random.Generator, kind: str, person: body.Person) -> Sample:
        size = SIZES[kind]
        skeleton = person.skeleton
        own = (np.clip(rng.normal(2, 9), -25, 25), np.clip(rng.normal(0, 15), -40, 40), rng.normal(0, 6))
        frames = {"root": np.eye(3), "chest": pose.turn(rng.normal(2, 4), 0, rng.normal(0, 3))}
        frames["head"] = frames["chest"] @ pose.turn(*own)
        down = {f"upperarm01.{s}": np.array([x * rng.uniform(0.1, 0.4), -1, rng.uniform(-0.1, 0.4)]) for s, x in (("L", 1), ("R", -1))}
        local = pose.follow(skeleton, frames, down)
        pose.random_face(self.library, skeleton, local, rng)
        main = body.posed(self.library, person, local, np.zeros(3, np.float32), True)
        background = self._background(rng, size)
        yaw = rng.uniform(-80, 80) if rng.random() < 0.5 else np.clip(rng.normal(0, 25), -80, 80)
        pitch = np.clip(rng.normal(0, 13), -35, 35)
        azimuth, elevation = own[1] - yaw, pitch - own[0]
        roll = rng.normal(0, 7) if rng.random() < 0.8 else rng.uniform(-35, 35)
        distance = np.exp(rng.uniform(np.log(4.5), np.log(25)))
        camera = scene.orbit(main.face.mean(0), azimuth, elevation, roll, distance)
        at = camera.project(main.face)[:, :2]
        low, high = at.min(0), at.max(0)
        side, centre = float((high - low).max()), (low + high) / 2
        if kind == "cutouts":
            # Hair and shoulders are in it: around the middle of the skull, seen from any side.
            side *= rng.uniform(3.2, 4)
            centre = (centre + camera.project(main.joints[[8, 9]])[:, :2].mean(0)) / 2 + [0, 0.06 * side]
        else:
            # A head fills its picture as faces do in the real set.
            side *= rng.uniform(1.45, 2.0)
            centre = centre + rng.normal(0, 0.03, 2) * side - [0, 0.06 * side]
        camera = scene.framed(camera, centre, side, size)
        return self._finish(rng, kind, [main], camera, background, azimuth, True)

    def _finish(self, rng, kind: str, crowd, camera, background: np.ndarray, azimuth: float, cut: bool) -> Sample:
        size, main = SIZES[kind], crowd[0]
        light = scene.random_light(rng, background, azimuth)
        picture = scene.render([p.parts for p in crowd], camera, light, size)
        joints, face = camera.project(main.joints), camera.project(main.face)
        joints_seen = scene.visible(picture, joints, np.array(JOINT_DEPTHS) * main.size / ADULT)
        face_seen = scene.visible(picture, face, np.full(len(face), FACE_DEPTH))
        if kind == "cutouts":
            image = np.dstack([picture.colour, picture.alpha * 255]).round().astype(np.uint8)
        else:
            alpha = picture.alpha[..., None]
            flat = background * (1 - alpha) + picture.colour * alpha
            cover = np.zeros((size, size), np.float32)
            if kind == "people":
                flat, cover = occlude(flat, rng, self.backgrounds, joints[:, :2])
            image = grade(flat, rng)
            joints_seen &= ~covered(cover, joints)
            face_seen &= ~covered(cover, face)
        return Sample(
            image, (joints[:, :2] - 0.5).astype(np.float32), joints_seen, (face[:, :2] - 0.5).astype(np.float32), face_seen,
            head_angles(camera.rotation @ main.head), cut,
        )


def is_head(kind: str, i: int) -> bool:
    """Whether item i of a kind shows a head and shoulders: all of 'heads', every third of 'cutouts'."""
    return kind == "heads" or (kind == "cutouts" and i % 3 == 2)


def window(at: np.ndarray, rng: np.random.Generator, full: bool, whole: bool) -> tuple[np.ndarray, float, bool]:
    """Centre, side and whether the person is cut below, of the square around projected joints [16, 3], in picture plane units.

    A full figure fills about 1 / 1.6 of the side; some are cut by the border (not with `whole`). A sitter is cut by the lower border
    somewhere between chest and knees.
    """
    low, high = at[:, :2].min(0), at[:, :2].max(0)
    if full:
        side = float((high - low).max()) * rng.uniform(1.4, 1.8)
        centre = (low + high) / 2 + rng.normal(0, 0.05, 2) * side
        if not whole and rng.random() < 0.25:
            # Keep the head: zoom towards a point between head and hips.
            side *= rng.uniform(0.45, 0.8)
            centre = at[8, :2] + (at[6, :2] - at[8, :2]) * rng.uniform(0.2, 1.0) + rng.normal(0, 0.08, 2) * side
        return centre, side, False
    top = at[[8, 9], 1].min()
    chest, hips = at[7, 1], at[[2, 3, 6], 1].max()
    bottom = chest + (hips - chest) * rng.uniform(0.25, 1.45)
    inside = at[at[:, 1] < bottom, :2]
    low, high = inside.min(0), inside.max(0)
    tall = bottom - min(low[1], top)
    wide = float(high[0] - low[0])
    middle = (low[0] + high[0]) / 2
    if whole:
        side = max(tall * rng.uniform(1.15, 1.5), wide * rng.uniform(1.25, 1.4))
        return np.array([middle, bottom - side / 2]), side, True
    side = max(tall * rng.uniform(1.12, 1.6), min(wide * rng.uniform(1.0, 1.4), 2.2 * tall))
    middle = middle if rng.random() < 0.7 else at[8, 0]
    return np.array([middle + rng.normal(0, 0.06) * side, bottom - side / 2]), side, True


def covered(cover: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which projected points lie under an occluder, bool [n]; cover float32 [s, s] 0..1."""
    x, y = np.clip(np.floor(at[:, :2]).astype(int), 0, cover.shape[0] - 1).T
    return cover[y, x] > 0.5


def occlude(image: np.ndarray, rng: np.random.Generator, backgrounds: list[np.ndarray], joints: np.ndarray):
    """Sometimes a table edge, a box or a blob in front. Returns the picture and the cover, float32 [s, s]."""
    size = image.shape[0]
    cover = np.zeros(image.shape[:2], np.float32)
    kind = rng.random()
    if kind < 0.1:
        height = size * rng.uniform(0.7, 0.95)
        tilt = rng.normal(0, 0.04) * size
        outline = np.array([[0, height - tilt], [size, height + tilt], [size, size], [0, size]])
    elif kind < 0.24:
        centre = joints[rng.integers(len(joints))] + rng.normal(0, 0.06, 2) * size
        box = (centre.tolist(), (rng.uniform(0.06, 0.4, 2) * size).tolist(), rng.choice([0.0, rng.uniform(0, 180)]))
        outline = cv2.boxPoints(box)
        if rng.random() < 0.4:
            angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            radius = rng.uniform(0.05, 0.2) * size * (1 + 0.25 * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6)))
            outline = centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    else:
        return image, cover
    # Four bits of fraction; OpenCV counts from pixel centres.
    cv2.fillPoly(cover, [np.round((outline - 0.5) * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    if rng.random() < 0.6:
        source = backgrounds[rng.integers(len(backgrounds))]
        side = int(rng.uniform(0.2, 0.9) * min(source.shape[:2]))
        fill = cv2.resize(source[:side, -side:], (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    else:
        shade = np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1), size)[:, None, None]
        fill = np.broadcast_to(shade * rng.uniform(20, 235, 3), image.shape)
    return image * (1 - cover[..., None]) + fill * cover[..., None], cover


def grade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mild camera traits: colour cast, contrast, softness, noise. float picture 0..255 to uint8."""
    image = image.astype(np.float32) * np.exp(rng.normal(0, 0.03, 3)).astype(np.float32)
    image = (image - 128) * np.float32(rng.uniform(0.85, 1.1)) + np.float32(128 + rng.normal(0, 6))
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9))
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0.5, 6))
    if rng.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def head_angles(head: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll in degrees of a head rotation [3, 3] in camera axes: where its forward axis points, and how its up axis tilts."""
    forward, up = head[:, 2], head[:, 1]
    yaw, pitch = np.arctan2(forward[0], forward[2]), -np.arcsin(np.clip(forward[1], -1, 1))
    return np.degrees([yaw, pitch, np.arctan2(up[0], up[1])]).astype(np.float32)
