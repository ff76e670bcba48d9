"""Motion-capture clips as bone directions: what a skeleton of any proportions can follow. No rig, no randomness.

The clips are BVH files with the bone names of Character Creator (CC_Base_...), centimetres.
"""

from __future__ import annotations

import pathlib

import numpy as np

from training.synthetic.assets import Motion, read_motion

# Rig bone without side -> the two source joints that span it.
LIMBS = {
    "upperleg01": ("Thigh", "Calf"), "lowerleg01": ("Calf", "Foot"), "foot": ("Foot", "ToeBase"), "clavicle": ("Clavicle", "Upperarm"),
    "upperarm01": ("Upperarm", "Forearm"), "lowerarm01": ("Forearm", "Hand"), "wrist": ("Hand", "Mid1"),
}


def read_clip(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Per frame: unit directions [f, 3] of limbs ("upperarm01.L") and frames [f, 3, 3] (columns: to the left, up, forward) of
    root, chest and head. y is up and the pelvis' heading is turned to +z.
    """
    motion = read_motion(path)
    where = positions(motion)
    at = {name.removeprefix("CC_Base_"): where[:, j] for j, name in enumerate(motion.names)}
    hips = (at["L_Thigh"] + at["R_Thigh"]) / 2
    eyes = (at["L_Eye"] + at["R_Eye"]) / 2
    out = {
        "root": frames(at["L_Thigh"] - at["R_Thigh"], at["Spine01"] - hips),
        "chest": frames(at["L_Clavicle"] - at["R_Clavicle"], at["NeckTwist01"] - at["Spine01"]),
        "head": face_frames(at["L_Eye"] - at["R_Eye"], eyes - at["Head"]),
    }
    for bone, (a, b) in LIMBS.items():
        for side in "LR":
            out[f"{bone}.{side}"] = unit(at[f"{side}_{b}"] - at[f"{side}_{a}"])
    forward = out["root"][:, :, 2]
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    c, s, o, e = np.cos(heading), np.sin(heading), np.zeros(len(heading)), np.ones(len(heading))
    turn = np.stack([np.stack([c, o, -s], -1), np.stack([o, e, o], -1), np.stack([s, o, c], -1)], 1)
    return {k: (turn @ (v if v.ndim == 3 else v[..., None])).reshape(v.shape).astype(np.float32) for k, v in out.items()}


def positions(motion: Motion) -> np.ndarray:
    """Joint positions [frames, j, 3] by forward kinematics. An animated translation replaces the offset of a joint."""
    where = np.zeros((len(motion.rotations), len(motion.names), 3))
    turned = np.zeros((len(motion.rotations), len(motion.names), 3, 3))
    for j, parent in enumerate(motion.parents):
        local = np.where(np.any(motion.translations[:, j] != 0), motion.translations[:, j], motion.offsets[j])
        if parent < 0:
            where[:, j], turned[:, j] = local, motion.rotations[:, j]
        else:
            where[:, j] = where[:, parent] + (turned[:, parent] @ local[..., None])[..., 0]
            turned[:, j] = turned[:, parent] @ motion.rotations[:, j]
    return where


def unit(v: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1 along the last axis."""
    return v / np.maximum(np.sqrt((v * v).sum(-1, keepdims=True)), 1e-9)


def frames(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Right-handed orthonormal frames [..., 3, 3], columns left, up, forward; `left` is kept exactly."""
    x = unit(left)
    z = unit(np.cross(x, up))
    return np.stack([x, np.cross(z, x), z], -1)


def face_frames(left: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """The same from a direction to the left, kept exactly, and one roughly forward."""
    x = unit(left)
    y = unit(np.cross(forward, x))
    return np.stack([x, y, np.cross(x, y)], -1)


def level(turned: np.ndarray) -> np.ndarray:
    """Frames [f, 3, 3] nodded by one angle so that the median forward axis is horizontal.

    The joints that span a frame do not lie exactly below or before each other at rest; people look and stand level on the median.
    """
    pitch = np.median(np.arcsin(np.clip(turned[:, 1, 2], -1, 1)))
    c, s = np.cos(pitch), np.sin(pitch)
    return (turned @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])).astype(np.float32)
