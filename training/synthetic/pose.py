"""Random poses and faces: local bone rotations for one person's skeleton. No meshes, no pictures.

A pose is aimed, not copied: frames (columns left, up, forward) turn root, chest and head, unit directions aim the limbs, so that
captured and sampled poses fit skeletons of any proportions. Coordinates: x to the person's left, y up, z forward.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.synthetic.assets import Rig
from training.synthetic.clips import unit
from training.synthetic.library import Library

SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
# Where a hand may be, with its share among sampled arms: of a webcam's picture and of a full figure.
HANDS = {"hang": (2, 4), "desk": (3, 1), "face": (3, 1), "raised": (2, 2), "chest": (2, 1), "side": (1, 2), "hip": (1, 2), "reach": (3, 3)}
LEGS = ("stand", "stand", "walk", "sit", "crouch")


def turn(x: float = 0, y: float = 0, z: float = 0) -> np.ndarray:
    """Rotation matrix Ry Rx Rz of angles in degrees: y turns to the person's left, x nods down, z tilts to the person's right."""
    rx, ry, rz = (cv2.Rodrigues(np.radians(a) * np.eye(3)[i])[0] for i, a in enumerate((x, y, z)))
    return ry @ rx @ rz


def about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation about an axis, angle in radians."""
    return cv2.Rodrigues(unit(np.asarray(axis, np.float64)) * angle)[0]


def shortest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes unit vector a to unit vector b (any axis if they are opposite)."""
    axis = np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    sine, cosine = np.sqrt(axis @ axis), float(a @ b)
    if sine < 1e-6:
        return np.eye(3) if cosine > 0 else about(np.cross(a, np.eye(3)[np.argmin(np.abs(a))]), np.pi)
    return cv2.Rodrigues(axis / sine * np.arctan2(sine, cosine))[0]


def means(base: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """Mean of the vertices of each group, float64 [len(groups), 3]."""
    counts = np.array([len(g) for g in groups])
    sums = np.add.reduceat(base[np.concatenate(groups)].astype(np.float64), np.cumsum(counts) - counts, axis=0)
    return sums / counts[:, None]


class Skeleton:
    """One person's rest skeleton: heads and tails [b, 3] of the rig's bones."""

    def __init__(self, rig: Rig, base: np.ndarray) -> None:
        self.rig = rig
        self.index = {name: b for b, name in enumerate(rig.names)}
        self.heads, self.tails = means(base, rig.heads), means(base, rig.tails)

    def at(self, name: str) -> np.ndarray:
        """Rest position of a bone's head."""
        return self.heads[self.index[name]]


def follow(skeleton: Skeleton, frames: dict[str, np.ndarray], directions: dict[str, np.ndarray]) -> np.ndarray:
    """Local rotations [b, 3, 3] whose root, chest and head have the given frames and whose limbs point along the directions.

    A limb turns by the smallest rotation from where its parent carries it; chest and head turns are spread over spine and neck.
    """
    rig, index = skeleton.rig, skeleton.index
    local = np.tile(np.eye(3), (len(rig.names), 1, 1))
    local[index["root"]] = frames["root"]
    for bones, turned in ((SPINE, frames["root"].T @ frames["chest"]), (NECK, frames["chest"].T @ frames["head"])):
        vector = cv2.Rodrigues(turned)[0] / len(bones)
        for name in bones:
            local[index[name]] = cv2.Rodrigues(vector)[0]
    ends = {"clavicle": "upperarm01", "upperarm01": "lowerarm01", "lowerarm01": "wrist", "wrist": "finger3-1"}
    ends |= {"upperleg01": "lowerleg01", "lowerleg01": "foot"}
    moved = {"root", *SPINE, *NECK, *directions}
    carried = np.empty_like(local)
    for b, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        before = carried[parent] if parent >= 0 else np.eye(3)
        if name in directions:
            bone, _, side = name.partition(".")
            end = skeleton.at(f"{ends[bone]}.{side}") if bone in ends else skeleton.tails[b]
            rest = unit(end - skeleton.heads[b])
            local[b] = before.T @ shortest(before @ rest, unit(np.asarray(directions[name], np.float64))) @ before
        carried[b] = before @ local[b] if name in moved else before
    return local


def random_pose(library: Library, skeleton: Skeleton, rng: np.random.Generator, full: bool) -> np.ndarray:
    """Local rotations of a whole body: captured, from the pose folder, or sampled. full: a full figure, else a webcam's sitter."""
    kind = rng.random()
    if library.clips and kind < (0.45 if full else 0.2):
        local = clip_pose(library, skeleton, rng, upright_legs=not full)
    elif library.poses and kind < (0.6 if full else 0.28):
        local = library.poses[rng.choice(sorted(library.poses))].astype(np.float64)
        noise = rng.normal(0, 0.06, (len(local), 3))
        for b, name in enumerate(skeleton.rig.names):
            if name.startswith(("spine", "neck", "upper", "lower", "head")):
                local[b] = local[b] @ cv2.Rodrigues(noise[b])[0]
    else:
        local = sampled_pose(skeleton, rng, full)
    move_hands(skeleton, local, rng)
    return local


def clip_pose(library: Library, skeleton: Skeleton, rng: np.random.Generator, upright_legs: bool) -> np.ndarray:
    """A frame of the clips with noise, mirrored in half of the cases; the head looks elsewhere."""
    f = rng.integers(len(library.clips["root"]))
    frame = {k: v[f].astype(np.float64) for k, v in library.clips.items()}
    if rng.random() < 0.5:
        flip = np.diag([-1.0, 1, 1])
        frame = {k: flip @ v @ flip if v.ndim == 2 else flip @ v for k, v in frame.items()}
        swap = {".L": ".R", ".R": ".L"}
        frame = {k[:-2] + swap[k[-2:]] if k[-2:] in swap else k: v for k, v in frame.items()}
    if upright_legs:
        frame["root"] = turn(x=rng.normal(0, 8), z=rng.normal(0, 4))
    else:
        frame["root"] = frame["root"] @ turn(*rng.normal(0, 3, 3))
    frame["chest"] = frame["chest"] @ turn(*rng.normal(0, 4, 3))
    frame["head"] = frame["head"] @ turn(rng.normal(0, 10), rng.normal(0, 15), rng.normal(0, 6))
    directions = {k: unit(v + rng.normal(0, 0.08, 3)) for k, v in frame.items() if v.ndim == 1}
    return follow(skeleton, frame, directions)


def sampled_pose(skeleton: Skeleton, rng: np.random.Generator, full: bool) -> np.ndarray:
    """A pose from joint angles within human limits and hands at plausible places."""
    root = turn(x=rng.normal(3 if full else 6, 7), z=rng.normal(0, 4))
    chest = root @ turn(rng.normal(3, 8), rng.normal(0, 9), rng.normal(0, 6))
    looks = turn(np.clip(rng.normal(4, 14), -35, 40), np.clip(rng.normal(0, 24), -65, 65), np.clip(rng.normal(0, 9), -28, 28))
    frames = {"root": root, "chest": chest, "head": chest @ looks}
    directions: dict[str, np.ndarray] = {}
    names = list(HANDS)
    shares = np.array([HANDS[n][int(full)] for n in names], float)
    left = rng.choice(names, p=shares / shares.sum())
    right = left if rng.random() < 0.45 else rng.choice(names, p=shares / shares.sum())
    for side, name in (("L", left), ("R", right)):
        upper, lower = arm(skeleton, side, hand_place(skeleton, side, name, looks, rng), rng)
        # The collar bone rises and swings forward with the arm.
        sign = 1 if side == "L" else -1
        rest = unit(skeleton.at(f"upperarm01.{side}") - skeleton.at(f"clavicle.{side}"))
        lift = max(0, upper[1] + 0.4)
        directions[f"clavicle.{side}"] = chest @ unit(rest + [0, 0.32 * lift, 0.15 * upper[2] - 0.05])
        directions[f"upperarm01.{side}"] = chest @ upper
        directions[f"lowerarm01.{side}"] = chest @ lower
        bend = rng.normal(0, 0.35, 3) + ([-0.4 * sign, 0, 0.3] if name == "desk" else 0)
        directions[f"wrist.{side}"] = chest @ unit(lower + bend)
    directions |= legs(rng, root, rng.choice(LEGS) if full else rng.choice(["stand", "sit"]))
    return follow(skeleton, frames, directions)


def hand_place(skeleton: Skeleton, side: str, name: str, looks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wrist position in the chest's axes for one of HANDS, on this skeleton."""
    shoulder, neck, head = skeleton.at(f"upperarm01.{side}"), skeleton.at("neck01"), skeleton.at("head")
    hip, brow = skeleton.at(f"upperleg01.{side}"), skeleton.at("eye.L")
    out = 1 if side == "L" else -1
    width, length = abs(shoulder[0]), np.linalg.norm(skeleton.at(f"wrist.{side}") - shoulder)
    u = rng.uniform
    if name == "hang":
        return shoulder + length * np.array([out * u(0.05, 0.35), -u(0.85, 0.99), u(-0.15, 0.3)])
    if name == "desk":
        return np.array([out * u(-0.3, 1.5) * width, u(0.05, 0.5) * shoulder[1] + (1 - u(0.05, 0.5)) * hip[1], shoulder[2] + u(0.45, 0.9) * length])
    if name == "face":
        # The wrist stays a hand's length away from the touched place.
        place = np.array([out * u(-0.2, 1.1) * width * 0.55, u(head[1] - 1.2, brow[1] + 0.9), brow[2] + u(-0.3, 0.4)])
        touched = neck + looks @ (place - neck)
        return touched + np.array([out * u(0.1, 0.7), -u(0.5, 1.3), u(0.2, 0.9)])
    if name == "raised":
        return shoulder + length * unit(np.array([out * u(-0.3, 1.0), u(0.3, 1.2), u(-0.3, 0.6)])) * u(0.6, 0.98)
    if name == "chest":
        return np.array([-out * u(-0.5, 0.7) * width, u(hip[1] + 1.2, shoulder[1] - 0.3), shoulder[2] + u(1.9, 2.8)])
    if name == "side":
        return shoulder + length * unit(np.array([out * u(0.6, 1.2), u(-0.7, 0.5), u(-0.3, 0.7)])) * u(0.75, 0.99)
    if name == "hip":
        return np.array([out * (abs(hip[0]) + u(0.9, 1.3)), hip[1] + u(0.3, 1.4), hip[2] + u(-0.3, 0.6)])
    return shoulder + length * unit(np.array([out * u(-0.5, 0.9), u(-0.6, 0.7), u(0.4, 1.1)])) * u(0.4, 0.98)


def arm(skeleton: Skeleton, side: str, wrist: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Directions of upper arm and forearm that bring the wrist to a place (chest axes), elbow down and outwards.

    Two links a, b reach distance d when the shoulder angle t has cos t = (a^2 + d^2 - b^2) / (2 a d).
    """
    shoulder, elbow = skeleton.at(f"upperarm01.{side}"), skeleton.at(f"lowerarm01.{side}")
    a, b = np.linalg.norm(elbow - shoulder), np.linalg.norm(skeleton.at(f"wrist.{side}") - elbow)
    reach = wrist - shoulder
    axis = unit(reach)
    d = np.clip(np.linalg.norm(reach), abs(a - b) * 1.05 + 0.5, (a + b) * 0.995)
    cosine = np.clip((a * a + d * d - b * b) / (2 * a * d), -1, 1)
    prefer = np.array([(1 if side == "L" else -1) * 0.6, -1, -0.25]) + rng.normal(0, 0.35, 3)
    prefer = unit(prefer - axis * (prefer @ axis))
    upper = unit(axis * cosine + prefer * np.sqrt(1 - cosine * cosine))
    return upper, unit(axis * d - upper * a)


def legs(rng: np.random.Generator, root: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Directions of thighs and shins: hip flexion, knee flexion and abduction in degrees."""
    out = {}
    stride = rng.normal(0, 22)
    low = rng.normal(100, 12)
    for side, sign in (("L", 1), ("R", -1)):
        if kind == "walk":
            flex, knee = sign * stride + rng.normal(8, 5), abs(rng.normal(0, 22)) + (15 if sign * stride < 0 else 0)
        elif kind == "sit":
            flex, knee = rng.normal(84, 7), np.clip(rng.normal(80, 18), 10, 125)
        elif kind == "crouch":
            flex, knee = low + rng.normal(0, 8), np.clip(low + 25 + rng.normal(0, 8), 60, 145)
        else:
            flex, knee = rng.normal(2, 4), abs(rng.normal(3, 5))
        spread = np.radians(rng.normal(14 if kind in ("sit", "crouch") else 5, 6))
        for bone, angle in (("upperleg01", flex), ("lowerleg01", flex - knee)):
            c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
            own = np.array([sign * np.sin(spread), -c * np.cos(spread), s * np.cos(spread)])
            out[f"{bone}.{side}"] = root @ own if kind == "stand" else own
    return out


def move_hands(skeleton: Skeleton, local: np.ndarray, rng: np.random.Generator) -> None:
    """Turns the forearms and curls the fingers, in place."""
    for side in "LR":
        wrist, index, little = (skeleton.at(f"{n}.{side}") for n in ("wrist", "finger2-1", "finger5-1"))
        along = unit((index + little) / 2 - wrist)
        normal = unit(np.cross(along, index - little))
        # At rest the palms look down and inwards.
        normal = -normal if normal[1] > 0 else normal
        axis = np.cross(along, normal)
        local[skeleton.index[f"lowerarm02.{side}"]] = about(along, rng.normal(0, 0.6))
        curl = rng.choice([rng.uniform(0, 0.3), rng.uniform(0.2, 0.8), rng.uniform(0.8, 1.4)])
        for finger in range(1, 6):
            own = np.clip(curl + rng.normal(0, 0.15), -0.1, 1.5) * (0.4 if finger == 1 else 1)
            local[[skeleton.index[f"finger{finger}-{joint}.{side}"] for joint in range(1, 4)]] = about(axis, own)


def random_face(library: Library, skeleton: Skeleton, local: np.ndarray, rng: np.random.Generator) -> None:
    """Sets the face bones in place: an expression, extra mouth, lids and gaze, as a weighted sum of rotation vectors."""
    weights: dict[str, float] = {}

    def add(name: str, value: float) -> None:
        weights[name] = weights.get(name, 0) + value

    def both(name: str, value: float, unequal: float = 0.05) -> None:
        for side in ("Left", "Right"):
            add(name.replace("Left", side), value + rng.normal(0, unequal))

    if library.expressions and rng.random() < 0.65:
        strength = rng.uniform(0.3, 1.1)
        names = sorted(library.expressions)
        # Two thirds of the expressions of the release are grim; people before cameras smile.
        happy = [n for n in names if n.startswith(("smile", "laugh"))]
        for name, value in library.expressions[rng.choice(happy if happy and rng.random() < 0.4 else names)].items():
            add(name, value * strength)
    if rng.random() < 0.3:
        add(rng.choice(["JawDrop", "JawDropStretched"]), rng.uniform(0.1, 0.9))
    if rng.random() < 0.12:
        both("LeftUpperLidClosed", rng.uniform(0.6, 1))
    elif rng.random() < 0.06:
        add(rng.choice(["LeftUpperLidClosed", "RightUpperLidClosed"]), 1)
    elif rng.random() < 0.3:
        both("LeftUpperLidOpen", rng.uniform(-0.3, 0.5))
    if rng.random() < 0.3:
        both(rng.choice(["LeftBrowDown", "LeftOuterBrowUp", "LeftInnerBrowUp"]), rng.uniform(0.2, 0.9), 0.2)
    if rng.random() < 0.3:
        both(rng.choice(["MouthLeftPullUp", "MouthLeftPullSide", "MouthLeftPullDown"]), rng.uniform(0.1, 0.7), 0.1)
    for name in ("UpperLipUp", "lowerLipDown", "LipsKiss", "MouthMoveLeft", "MouthMoveRight", "UpperLipForward", "lowerLipForward"):
        if rng.random() < 0.06:
            add(name, rng.uniform(0.2, 0.8))
    if rng.random() < 0.7:
        gaze, lift = rng.normal(0, 0.45), rng.normal(0, 0.35)
        for side in ("Left", "Right"):
            add(f"{side}EyeturnLeft" if gaze > 0 else f"{side}EyeturnRight", min(abs(gaze), 1))
            add(f"{side}EyeUp" if lift > 0 else f"{side}EyeDown", min(abs(lift), 1))
    total = np.zeros((len(local), 3))
    for name, value in weights.items():
        # A small asset set may lack units.
        if name in library.units:
            total += np.clip(value, -0.3, 1.1) * library.units[name]
    for b in np.flatnonzero(np.abs(total).sum(1)):
        if skeleton.rig.names[b] not in ("root", *SPINE, *NECK):
            local[b] = cv2.Rodrigues(total[b])[0]
