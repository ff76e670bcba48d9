"""Landmark names, mirror tables and connections per task, and the way from COCO joints. Sets of your own are added here."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LandmarkSet:
    """names[k]; mirror[k] = landmark of the mirrored image that is landmark k; connections for drawing."""

    names: tuple[str, ...]
    mirror: tuple[int, ...]
    connections: tuple[tuple[int, int], ...]


def _face68() -> LandmarkSet:
    """The 300-W (iBUG) order: jaw, brows, nose, eyes, lips; left and right are the person's own."""
    parts = [
        ("jaw", 17), ("right_brow", 5), ("left_brow", 5), ("nose_bridge", 4), ("nose_base", 5),
        ("right_eye", 6), ("left_eye", 6), ("outer_lip", 12), ("inner_lip", 8),
    ]
    names = tuple(f"{part}_{i}" for part, n in parts for i in range(n))
    mirror = list(range(68))

    def pair(a: list[int], b: list[int]) -> None:
        for i, j in zip(a, b, strict=True):
            mirror[i], mirror[j] = j, i

    pair(list(range(0, 8)), list(range(16, 8, -1)))
    pair(list(range(17, 22)), list(range(26, 21, -1)))
    pair([31, 32], [35, 34])
    pair([36, 37, 38, 39, 40, 41], [45, 44, 43, 42, 47, 46])
    pair([48, 49, 50], [54, 53, 52])
    pair([59, 58], [55, 56])
    pair([60, 61, 67], [64, 63, 65])

    def path(first: int, last: int, closed: bool = False) -> list[tuple[int, int]]:
        lines = [(i, i + 1) for i in range(first, last)]
        return lines + [(last, first)] if closed else lines

    connections = path(0, 16) + path(17, 21) + path(22, 26) + path(27, 30) + path(31, 35)
    connections += path(36, 41, True) + path(42, 47, True) + path(48, 59, True) + path(60, 67, True)
    return LandmarkSet(names, tuple(mirror), tuple(connections))


def _mpii16() -> LandmarkSet:
    """The MPII Human Pose order (Andriluka et al., CVPR 2014); r and l are the person's own right and left."""
    names = "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top"
    names += " r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist"
    mirror = (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)
    limbs = ((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9))
    arms = ((10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15))
    return LandmarkSet(tuple(names.split()), mirror, limbs + arms)


def _channels(*names: str) -> LandmarkSet:
    """Output channels of a finder: what a mirrored image does to them is the codec's business."""
    return LandmarkSet(names, tuple(range(len(names))), ())


LANDMARK_SETS = {
    "face": _face68(),
    "pose": _mpii16(),
    "kite": LandmarkSet(
        ("nose", "right_wing", "left_wing", "tail", "ribbon"), (0, 2, 1, 3, 4), ((0, 1), (1, 3), (3, 2), (2, 0), (3, 4))
    ),
    "face-finder": _channels("center", "size", "x", "y", "cos", "sin"),
    "person-finder": _channels("center", "size", "x", "y"),
}

# COCO order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right.
_MPII_OF_COCO = {0: 16, 1: 14, 2: 12, 3: 11, 4: 13, 5: 15, 10: 10, 11: 8, 12: 6, 13: 5, 14: 7, 15: 9}
_UNKNOWN_BELOW = 0.2


def mpii_from_coco(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """COCO joints [n, 17, 2] with a teacher's scores [n, 17] as MPII points [n, 16, 2], known [n, 16], present [n, 16].

    Pelvis and thorax are the middles of hips and shoulders and as well known as the worse of the two. Upper neck and head top
    have no label (known 0); where nose and shoulders are known, they get a guess on the line from thorax to nose that only
    completes the subject's box: on an upright adult the nose is about 0.21 m above the shoulder line, the crown 0.33 m.
    """
    points = np.zeros((len(joints), 16, 2), np.float32)
    known = np.zeros((len(joints), 16), np.float32)
    for k, coco in _MPII_OF_COCO.items():
        points[:, k], known[:, k] = joints[:, coco], scores[:, coco]
    for k, pair in ((6, [11, 12]), (7, [5, 6])):
        points[:, k], known[:, k] = joints[:, pair].mean(1), scores[:, pair].min(1)
    known[known < _UNKNOWN_BELOW] = 0
    present = known > 0
    up = joints[:, 0] - points[:, 7]
    points[:, 8], points[:, 9] = points[:, 7] + 0.4 * up, points[:, 7] + 1.6 * up
    present[:, 8:10] = (present[:, 7] & (scores[:, 0] >= _UNKNOWN_BELOW))[:, None]
    return points, known, present


# Medians of 3,000 labelled faces with |yaw| < 20 degrees, in units of the distance between the middles of the eyes: longer side of
# the tight box of the 68 points, and how far below the eyes its centre lies. COCO ears are 2.28 of that unit apart.
_FACE_PER_EYES, _FACE_BELOW_EYES, _FACE_PER_EARS = 2.18, 0.67, 2.18 / 2.28


def face_of_coco(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Corners [4, 2] of the face box of a person with COCO joints [17, 2], clockwise from the upper left; whether they are vague.

    Exact enough only for faces that look at the camera with all five points known; else the box is an upright square around what
    is known of the head, or None.
    """
    nose, left_eye, right_eye, left_ear, right_ear = joints[:5]
    eyes, ears = left_eye - right_eye, left_ear - right_ear
    width = float(np.hypot(*ears))
    frontal = (scores[:5] > 0.5).all() and width > 0
    frontal = frontal and abs((nose - (left_ear + right_ear) / 2) @ ears) < 0.25 * width**2
    if frontal:
        distance = float(np.hypot(*eyes))
        across = eyes / max(distance, 1e-6)
        down = np.array([-across[1], across[0]])
        half = (_FACE_PER_EYES * distance + _FACE_PER_EARS * width) / 4
        centre = (left_eye + right_eye) / 2 + _FACE_BELOW_EYES * distance * down
    else:
        known = scores[:5] >= _UNKNOWN_BELOW
        if not known.any():
            return None, True
        across, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
        half = max(float(np.ptp(joints[:5][known], axis=0).max()), 0.6 * float(np.hypot(*(joints[5] - joints[6])))) / 2
        centre = joints[:5][known].mean(0)
    corners = [centre + half * (x * across + y * down) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return np.array(corners, np.float32), not frontal
